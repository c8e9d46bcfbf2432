/*!
The key-encryption key from a command: a client of a key management service.

Its standard output is the key and goes nowhere else; its standard error is not
read, because nobody can say what it holds.
*/

use std::io::{self, Read};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use zeroize::Zeroizing;

use super::Error;
use crate::limit::{KEK_BYTES_MAX, KEK_COMMAND_ROUNDS};

/// A round of waiting for the command.
const ROUND: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// What the command writes to its standard output.
pub(super) fn output(command: &[String]) -> Result<Zeroizing<Vec<u8>>, Error> {
    let refuse =
        |what: String| Error::KekCommand { program: command.first().cloned().unwrap_or_default(), what };
    let Some((program, arguments)) = command.split_first() else {
        return Err(refuse("is empty".to_owned()));
    };
    let mut run = Command::new(program);
    run.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = run.spawn().map_err(|error| refuse(format!("cannot be started: {}", error.kind())))?;
    match said(&mut child) {
        Ok((text, status)) if status.success() => Ok(text),
        Ok((_, status)) => Err(refuse(format!("ended with {status}"))),
        Err(error) => {
            let _ = child.kill().and_then(|()| child.wait());
            Err(refuse(match error.kind() {
                io::ErrorKind::TimedOut => "said nothing for 30 seconds".to_owned(),
                io::ErrorKind::FileTooLarge => "says more than a key".to_owned(),
                kind => kind.to_string(),
            }))
        }
    }
}

/// What it wrote, and how it ended.
fn said(child: &mut Child) -> io::Result<(Zeroizing<Vec<u8>>, ExitStatus)> {
    let text = match child.stdout.take() {
        Some(mut stdout) => read(&mut stdout)?,
        None => return Err(io::ErrorKind::BrokenPipe.into()),
    };
    Ok((text, wait(child)?))
}

fn read(stdout: &mut ChildStdout) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut text = Zeroizing::new(vec![0; KEK_BYTES_MAX + 1]);
    let mut len = 0;
    let mut rounds = 0;
    loop {
        let mut ready = [PollFd::new(&*stdout, PollFlags::IN)];
        if poll(&mut ready, Some(&ROUND))? == 0 {
            rounds += 1;
            if rounds >= KEK_COMMAND_ROUNDS {
                return Err(io::ErrorKind::TimedOut.into());
            }
            continue;
        }
        match stdout.read(&mut text[len..])? {
            0 => break,
            read => len += read,
        }
        if len > KEK_BYTES_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
    }
    text.truncate(len);
    Ok(text)
}

fn wait(child: &mut Child) -> io::Result<ExitStatus> {
    for _ in 0..KEK_COMMAND_ROUNDS {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        poll(&mut [], Some(&ROUND))?;
    }
    Err(io::ErrorKind::TimedOut.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
        output(&["sh".to_owned(), "-c".to_owned(), script.to_owned()])
    }

    #[test]
    fn takes_what_it_writes() {
        assert_eq!(shell("printf abc; sleep 0; printf def").expect("it writes").as_slice(), b"abcdef");
    }

    #[test]
    fn says_what_was_wrong_and_nothing_that_it_wrote() {
        for (script, why) in [
            ("echo canary; echo canary >&2; exit 3", "ended with exit status: 3"),
            ("kill -9 $$", "ended with signal: 9"),
            ("head -c 100000 /dev/zero", "says more than a key"),
        ] {
            let error = shell(script).expect_err("it is refused").to_string();
            assert!(error.contains(why) && !error.contains("canary") && !error.contains('\n'), "{error}");
        }
        let error = output(&["logveil-no-such-program".to_owned()]).expect_err("it is not there").to_string();
        assert!(error.contains("cannot be started"), "{error}");
    }
}

/*!
RELP, rsyslog's reliable protocol: syslog whose every message is answered once it is safe.

Frames are `TXNR SP COMMAND SP DATALEN [SP DATA] LF`, in both directions. A message beyond the limit of a record is read to
its end and becomes a marker; its sender would send it again for ever otherwise.
*/

use super::World;
use super::answered::{self, Listener, Outbox, Protocol, Step};
use crate::limit::{RECORD_BYTES_MAX, RELP_BYTES_MAX};

/// Serves until the world stops.
pub async fn serve(listener: Listener, world: World) {
    answered::serve(listener, world, Relp::default).await;
}

/// A session.
#[derive(Debug, Default)]
struct Relp {
    is_open: bool,
}

/// What a frame says, by its command.
struct Frame<'a> {
    transaction: &'a [u8],
    command: &'a [u8],
    data: &'a [u8],
    /// Bytes of the whole frame.
    len: usize,
}

/// Digits of a number, and letters of a command, that are read before they are refused.
const DIGITS_MAX: usize = 9;
const LETTERS_MAX: usize = 32;

impl Protocol for Relp {
    fn step(&mut self, haystack: &[u8], outbox: &mut Outbox) -> Step {
        let frame = match frame(haystack) {
            Ok(Some(frame)) => frame,
            Ok(None) => return Step::More,
            Err(step) => return step,
        };
        match frame.command {
            b"open" => {
                self.is_open = true;
                let offers = concat!(
                    "relp_version=0\nrelp_software=logveil,",
                    env!("CARGO_PKG_VERSION"),
                    "\ncommands=syslog"
                );
                respond(frame.transaction, &format!("200 OK\n{offers}"), outbox);
            }
            b"close" => {
                respond(frame.transaction, "", outbox);
                outbox.answer(b"0 serverclose 0\n");
                return Step::Close(frame.len);
            }
            b"syslog" if self.is_open => {
                if frame.data.len() <= RECORD_BYTES_MAX {
                    outbox.push_syslog(frame.data);
                } else {
                    outbox.push_too_long(frame.data.len());
                }
                respond(frame.transaction, "200 OK", outbox);
            }
            _ => respond(frame.transaction, "500 command not known, or before open", outbox),
        }
        Step::Spent(frame.len)
    }
}

fn respond(transaction: &[u8], text: &str, outbox: &mut Outbox) {
    outbox.answer(transaction);
    let space = if text.is_empty() { "" } else { " " };
    outbox.answer(format!(" rsp {}{space}{text}\n", text.len()).as_bytes());
}

/// The frame that `haystack` begins with, if it ends there.
fn frame(haystack: &[u8]) -> Result<Option<Frame<'_>>, Step> {
    let mut at = 0;
    let Some(transaction) = word(haystack, &mut at, DIGITS_MAX, |b| b.is_ascii_digit())? else {
        return Ok(None);
    };
    at += 1;
    let Some(command) = word(haystack, &mut at, LETTERS_MAX, |b| b.is_ascii_lowercase())? else {
        return Ok(None);
    };
    at += 1;
    let Some(len) = word(haystack, &mut at, DIGITS_MAX, |b| b.is_ascii_digit())? else { return Ok(None) };
    let len = len.iter().fold(0, |len, digit| len * 10 + usize::from(digit - b'0'));
    if len > RELP_BYTES_MAX {
        return Err(Step::TooLarge);
    }
    if len > 0 {
        at += 1;
    }
    let end = at + len;
    match haystack.get(end) {
        None => Ok(None),
        Some(b'\n') => Ok(Some(Frame { transaction, command, data: &haystack[at..end], len: end + 1 })),
        Some(_) => Err(Step::Lost),
    }
}

/// The word at `at`, which a space or a line end follows; nothing if that is not here yet. Moves `at` behind it.
fn word<'a>(
    haystack: &'a [u8],
    at: &mut usize,
    max: usize,
    is_part: fn(&u8) -> bool,
) -> Result<Option<&'a [u8]>, Step> {
    let rest = haystack.get(*at..).unwrap_or_default();
    let len = rest.iter().take(max + 1).take_while(|b| is_part(b)).count();
    match rest.get(len) {
        _ if len > max => Err(Step::Lost),
        None => Ok(None),
        Some(b' ' | b'\n') if len > 0 => {
            *at += len;
            Ok(Some(&rest[..len]))
        }
        Some(_) => Err(Step::Lost),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn told(haystack: &[u8]) -> Result<Option<(String, String, usize)>, Step> {
        let text = |text: &[u8]| String::from_utf8_lossy(text).into_owned();
        frame(haystack).map(|frame| frame.map(|f| (text(f.command), text(f.data), f.len)))
    }

    #[test]
    fn frames_are_cut_at_their_length() {
        let some = |command: &str, data: &str, len| Ok(Some((command.into(), data.into(), len)));
        assert_eq!(told(b"1 open 5 a=b\nc\n2"), some("open", "a=b\nc", 15));
        assert_eq!(told(b"2 syslog 1 x\n"), some("syslog", "x", 13));
        assert_eq!(told(b"3 close 0\n"), some("close", "", 10));
    }

    #[test]
    fn a_frame_in_pieces_waits_for_its_end() {
        let whole = b"12 syslog 3 a\nb\n";
        for len in 0..whole.len() {
            assert_eq!(told(&whole[..len]), Ok(None), "{len}");
        }
    }

    #[test]
    fn what_is_no_frame_loses_the_stream() {
        for haystack in [
            &b"x"[..],
            b"1x ",
            b"1 2 ",
            b"1 syslog x",
            b"1 syslog 3 abcd",
            b"1234567890 ",
            b" ",
            b"1  ",
            b"1 syslog 0 x\n",
        ] {
            assert_eq!(told(haystack), Err(Step::Lost), "{}", String::from_utf8_lossy(haystack));
        }
        assert_eq!(told(b"1 syslog 999999999 "), Err(Step::TooLarge));
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(text in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = frame(&text);
        }
    }
}

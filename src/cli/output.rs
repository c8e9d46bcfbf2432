//! Standard output without a buffer between, and numbers as people read them.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, poll};

use super::Error;

/// Standard output. Each write goes out at once, so slow input comes out as it comes in.
#[derive(Debug)]
pub(super) struct Output {
    file: File,
}

impl Output {
    pub(super) fn open() -> Result<Output, Error> {
        let file = io::stdout().as_fd().try_clone_to_owned().map_err(Error::output)?;
        Ok(Output { file: File::from(file) })
    }

    /// Writes all of it, and waits where somebody made the output non-blocking.
    pub(super) fn write(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        while !bytes.is_empty() {
            match self.file.write(bytes) {
                Ok(count) => bytes = &bytes[count..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let mut polled = [PollFd::new(&self.file, PollFlags::OUT)];
                    poll(&mut polled, None).map_err(|errno| Error::output(errno.into()))?;
                }
                Err(error) => return Err(Error::output(error)),
            }
        }
        Ok(())
    }
}

/// A count with its noun, in groups of three digits: `1,234 records`, `1 record`.
pub(super) fn counted(count: u64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", grouped(count))
}

/// `1234567` as `1,234,567`.
pub(super) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of bytes with a unit that leaves it short: `12 B`, `3.4 MiB`.
pub(super) fn sized(bytes: u64) -> String {
    let mut size = bytes as f64;
    let mut unit = "B";
    for larger in ["KiB", "MiB", "GiB", "TiB"] {
        if size < 1024.0 {
            break;
        }
        size /= 1024.0;
        unit = larger;
    }
    if unit == "B" { format!("{bytes} B") } else { format!("{size:.1} {unit}") }
}

/// Text that moves no cursor: control characters are written as escapes.
pub(super) fn printable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let escaped = |sign: char| match sign.is_control() {
        true => sign.escape_default().collect::<String>(),
        false => sign.to_string(),
    };
    text.chars().map(escaped).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(grouped(7), "7");
        assert_eq!(grouped(123), "123");
        assert_eq!(grouped(1_234), "1,234");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(counted(1, "record"), "1 record");
        assert_eq!(counted(0, "record"), "0 records");
        assert_eq!(sized(1_023), "1023 B");
        assert_eq!(sized(1_536), "1.5 KiB");
        assert_eq!(sized(5 << 40), "5.0 TiB");
    }
}

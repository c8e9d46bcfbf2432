/*!
One frame of syslog to one record, as spans: RFC 5424, and what goes by RFC 3164.

Nothing is refused and nothing is lost. A frame without a valid priority is a
record as it stands. Behind a priority, the header of RFC 5424 is taken whole or
not at all, then whatever of RFC 3164 is there: a time, a host, a tag. All that
is not taken is the message, byte for byte; between two parts goes the one
delimiter that the formats put there.

What counts as what, where real senders differ from the RFCs:

- Names of RFC 5424 may be longer than it allows and hold bytes beyond ASCII;
  structured data that is none begins the message. A byte order mark stays in the
  message.
- Without a time there is neither host nor tag (RFC 3164, section 4.3.3), but for
  a tag with a process id, as the C library writes it: `sshd[42]: `.
- Behind a time, `tag: ` or `tag[pid]: ` ends the header; without one, the first
  word is the host.

Linear in the header, constant in the message; no allocation.
*/

mod loose;
mod strict;
pub(super) mod time;

#[cfg(test)]
mod tests;

use crate::clock::Timestamp;
use crate::record::Record;
use crate::span::Span;

/// Reads the frame at `frame`; the record's spans point into `haystack`.
///
/// `received` completes times without a year: they lie in the year that is nearest.
pub fn parse(haystack: &[u8], frame: Span, received: Timestamp) -> Record {
    let text = Text { haystack: &haystack[..frame.end] };
    let Some((priority, at)) = text.priority(frame.start) else {
        return Record::plain(frame);
    };
    let mut record = strict::parse(text, at).unwrap_or_else(|| loose::parse(text, at, received));
    record.priority = Some(priority);
    record
}

/// The bytes up to a frame's end, read from left to right.
#[derive(Clone, Copy)]
struct Text<'a> {
    haystack: &'a [u8],
}

impl<'a> Text<'a> {
    /// The bytes from `at` on.
    fn rest(self, at: usize) -> &'a [u8] {
        &self.haystack[at..]
    }

    /// Behind `prefix`, if it stands at `at`.
    fn skip(self, at: usize, prefix: &[u8]) -> Option<usize> {
        self.rest(at).starts_with(prefix).then_some(at + prefix.len())
    }

    /// The bytes from `at` on for which `is_part` holds.
    fn run(self, at: usize, is_part: impl Fn(u8) -> bool) -> Span {
        let len = self.rest(at).iter().take_while(|b| is_part(**b)).count();
        Span::new(at, at + len)
    }

    /// All the rest, from `at` on.
    fn tail(self, at: usize) -> Span {
        Span::new(at, self.haystack.len())
    }

    /// PRI (RFC 5424, section 6.2.1) and where it ends: `<0>` to `<191>`.
    fn priority(self, at: usize) -> Option<(u8, usize)> {
        let at = self.skip(at, b"<")?;
        let digits = self.run(at, |b| b.is_ascii_digit());
        let value = number(self.haystack, digits, PRIORITY_DIGITS_MAX)?;
        let priority = u8::try_from(value).ok().filter(|&p| p <= PRIORITY_MAX)?;
        Some((priority, self.skip(digits.end, b">")?))
    }
}

/// A decimal number of 1 to `digits_max` digits; at most 9 are asked for.
fn number(haystack: &[u8], digits: Span, digits_max: usize) -> Option<u32> {
    if digits.is_empty() || digits.len() > digits_max {
        return None;
    }
    let digits = &haystack[digits.range()];
    digits.iter().try_fold(0, |n, b| b.is_ascii_digit().then(|| n * 10 + u32::from(b - b'0')))
}

const PRIORITY_DIGITS_MAX: usize = 3;
const PRIORITY_MAX: u8 = 191;

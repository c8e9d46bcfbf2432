//! Octet counting (RFC 6587, section 3.4.1): `MSG-LEN SP SYSLOG-MSG`.

use super::{Cut, Framer, Step, Why, without_end};
use crate::limit::OCTET_COUNT_DIGITS_MAX;
use crate::span::Span;

/// Cuts counted frames.
///
/// A frame beyond the limit is spent to exactly its count: what it holds is never searched for a count. A count
/// that is none (zero, a leading zero, too many digits, no space) loses the stream. Line feeds between frames, and
/// at the end of one, are what some senders add; they belong to no record.
#[derive(Clone, Debug)]
pub struct Octets {
    limit: usize,
    /// The frame that is being spent, and how much of it is still to come.
    cut: Option<(Cut, u64)>,
}

/// What stands where a count is expected.
enum Count {
    Is { octets: u64, digits: usize },
    Unfinished,
    Nonsense,
}

impl Octets {
    /// Cuts frames of up to `limit` bytes.
    pub fn new(limit: usize) -> Octets {
        Octets { limit, cut: None }
    }

    /// Spends what is there of a frame beyond the limit.
    fn spend(&mut self, cut: Cut, left: u64, haystack: &[u8]) -> (Step, usize) {
        let here = usize::try_from(left).unwrap_or(usize::MAX).min(haystack.len());
        let left = left - here as u64;
        if left == 0 {
            self.cut = None;
            return (Step::Cut(cut), here);
        }
        self.cut = Some((cut, left));
        (Step::More, here)
    }
}

impl Framer for Octets {
    fn step(&mut self, haystack: &[u8]) -> (Step, usize) {
        let mut start = 0;
        loop {
            if let Some((cut, left)) = self.cut {
                let (step, here) = self.spend(cut, left, &haystack[start..]);
                return (step, start + here);
            }
            start += haystack[start..].iter().take_while(|b| **b == b'\n').count();
            let (octets, digits) = match count(&haystack[start..]) {
                Count::Is { octets, digits } => (octets, digits),
                Count::Unfinished => return (Step::More, start),
                Count::Nonsense => return (Step::Lost, start),
            };
            let body = start + digits + 1;
            if octets > self.limit as u64 {
                self.cut = Some((Cut { byte_len: octets, why: Why::TooLong }, octets));
                start = body;
                continue;
            }
            let end = body + octets as usize;
            if end > haystack.len() {
                return (Step::More, start);
            }
            let frame = Span::new(body, without_end(haystack, end).max(body));
            if !frame.is_empty() {
                return (Step::Frame(frame), end);
            }
            start = end;
        }
    }

    fn finish(&mut self, haystack: &[u8]) -> Step {
        let gone = self.cut.take().map_or(0, |(cut, left)| cut.byte_len - left);
        match gone + haystack.len() as u64 {
            0 => Step::More,
            byte_len => Step::Cut(Cut { byte_len, why: Why::Truncated }),
        }
    }
}

/// Reads the count at the start of `haystack`. Constant time: it has a bounded number of digits.
fn count(haystack: &[u8]) -> Count {
    let mut octets = 0u64;
    for (digits, byte) in haystack.iter().enumerate() {
        match byte {
            b'0' if digits == 0 => return Count::Nonsense,
            b'0'..=b'9' if digits < OCTET_COUNT_DIGITS_MAX => octets = octets * 10 + u64::from(byte - b'0'),
            b' ' if digits > 0 => return Count::Is { octets, digits },
            _ => return Count::Nonsense,
        }
    }
    Count::Unfinished
}

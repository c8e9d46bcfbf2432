//! Syslog over TCP: the first record settles how the connection is framed.

use super::{Ends, Framer, Lines, Octets, Step};

/// Cuts frames as the first one was framed: digits, a space and `<` is octet counting, else lines.
#[derive(Clone, Debug)]
pub struct Syslog {
    limit: usize,
    settled: Option<Settled>,
}

#[derive(Clone, Debug)]
enum Settled {
    Octets(Octets),
    Lines(Lines),
}

/// Digits after which a line is no count any more, not even a nonsensical one.
const DIGITS_MAX: usize = 64;

impl Syslog {
    /// Cuts frames of up to `limit` bytes.
    pub fn new(limit: usize) -> Syslog {
        Syslog { limit, settled: None }
    }

    /// Decides by the head of the first record; nothing when that takes more bytes.
    fn settle(&self, head: &[u8]) -> Option<Settled> {
        let digits = head.iter().take(DIGITS_MAX + 1).take_while(|b| b.is_ascii_digit()).count();
        let is_counted = match head[digits..] {
            _ if digits > DIGITS_MAX => false,
            [] => return None,
            [b' '] if digits > 0 => return None,
            [b' ', b'<', ..] => digits > 0,
            _ => false,
        };
        if is_counted {
            return Some(Settled::Octets(Octets::new(self.limit)));
        }
        Some(Settled::Lines(Lines::new(Ends::Unsettled, self.limit)))
    }
}

impl Framer for Syslog {
    fn step(&mut self, haystack: &[u8]) -> (Step, usize) {
        match &mut self.settled {
            Some(Settled::Octets(octets)) => octets.step(haystack),
            Some(Settled::Lines(lines)) => lines.step(haystack),
            None => {
                let empty = haystack.iter().take_while(|b| matches!(b, b'\r' | b'\n' | 0)).count();
                self.settled = self.settle(&haystack[empty..]);
                if self.settled.is_none() {
                    return (Step::More, empty);
                }
                let (step, spent) = self.step(&haystack[empty..]);
                (step.shifted(empty), empty + spent)
            }
        }
    }

    fn finish(&mut self, haystack: &[u8]) -> Step {
        match &mut self.settled {
            Some(Settled::Octets(octets)) => octets.finish(haystack),
            Some(Settled::Lines(lines)) => lines.finish(haystack),
            None => Lines::new(Ends::Unsettled, self.limit).finish(haystack),
        }
    }
}

impl Step {
    fn shifted(self, by: usize) -> Step {
        match self {
            Step::Frame(frame) => Step::Frame(frame.shifted(by)),
            Step::Cut(_) | Step::More | Step::Lost => self,
        }
    }
}

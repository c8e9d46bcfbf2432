//! Frames that end with a line feed or a NUL.

use super::{Cut, END_BYTES_MAX, Framer, Step, Why, without, without_end};
use crate::span::Span;

/// What ends a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// A line feed; a NUL is text.
    Feed,
    /// A line feed or a NUL: the stream has ended a line with a line feed before.
    FeedOrNul,
    /// A NUL, and a line feed before the `<` and digit of a priority: the stream has ended a record with a NUL.
    ///
    /// So a record of several lines, as Python's `SysLogHandler` sends a traceback, stays one; and a stray NUL at
    /// the head of a stream of lines does not glue the lines together.
    Nul,
    /// A line feed or a NUL, whichever comes first; that one settles it.
    Unsettled,
}

/// Cuts lines, each without its end and a carriage return before it. Empty lines are no records.
#[derive(Clone, Debug)]
pub struct Lines {
    ends: Ends,
    limit: usize,
    /// Bytes of the haystack that hold no end.
    searched: usize,
    /// Bytes of the line that were spent before the haystack: it is too long.
    spent: u64,
}

impl Lines {
    /// Cuts lines of up to `limit` bytes.
    pub fn new(ends: Ends, limit: usize) -> Lines {
        Lines { ends, limit, searched: 0, spent: 0 }
    }

    /// Where the line's end stands, from `searched` on; else moves `searched` on.
    fn find_end(&mut self, haystack: &[u8]) -> Option<usize> {
        let from = self.searched;
        let rest = &haystack[from..];
        let found = match self.ends {
            Ends::Feed => memchr::memchr(b'\n', rest),
            Ends::FeedOrNul | Ends::Unsettled => memchr::memchr2(b'\n', 0, rest),
            Ends::Nul => return self.find_nul(haystack),
        };
        self.searched = haystack.len();
        found.map(|at| from + at)
    }

    fn find_nul(&mut self, haystack: &[u8]) -> Option<usize> {
        for at in memchr::memchr2_iter(b'\n', 0, &haystack[self.searched..]) {
            let at = self.searched + at;
            match haystack[at..] {
                [0, ..] | [b'\n', b'<', b'0'..=b'9', ..] => return Some(at),
                // What follows decides, and it is not here yet.
                [b'\n'] | [b'\n', b'<'] => {
                    self.searched = at;
                    return None;
                }
                _ => {}
            }
        }
        self.searched = haystack.len();
        None
    }

    fn settle(&mut self, end: u8) {
        if self.ends == Ends::Unsettled {
            self.ends = if end == 0 { Ends::Nul } else { Ends::FeedOrNul };
        }
    }

    /// The frame or the cut that ends at `end`; nothing for an empty line.
    fn line(&mut self, haystack: &[u8], start: usize, end: usize) -> Option<Step> {
        let byte_len = self.spent + (end - start) as u64;
        let is_cut = self.spent > 0;
        self.spent = 0;
        self.searched = 0;
        let trimmed = match self.ends {
            Ends::Nul => without_end(haystack, end).max(start),
            Ends::Feed | Ends::FeedOrNul | Ends::Unsettled => without(b'\r', haystack, end).max(start),
        };
        if is_cut || trimmed - start > self.limit {
            return Some(Step::Cut(Cut { byte_len, why: Why::TooLong }));
        }
        (trimmed > start).then(|| Step::Frame(Span::new(start, trimmed)))
    }

    /// Spends a line's bytes once it is too long whatever follows.
    fn spend(&mut self) -> usize {
        let is_too_long = self.spent > 0 || self.searched > self.limit + END_BYTES_MAX;
        if !is_too_long {
            return 0;
        }
        self.spent += self.searched as u64;
        std::mem::take(&mut self.searched)
    }
}

impl Framer for Lines {
    fn step(&mut self, haystack: &[u8]) -> (Step, usize) {
        let mut start = 0;
        self.searched = self.searched.min(haystack.len());
        loop {
            let Some(end) = self.find_end(&haystack[start..]) else {
                return (Step::More, start + self.spend());
            };
            let end = start + end;
            let line = self.line(haystack, start, end);
            if let Some(step) = line {
                self.settle(haystack[end]);
                return (step, end + 1);
            }
            start = end + 1;
        }
    }

    fn finish(&mut self, haystack: &[u8]) -> Step {
        self.line(haystack, 0, haystack.len()).unwrap_or(Step::More)
    }
}

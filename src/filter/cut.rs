/*!
Cuts inputs into pieces of whole lines.

A piece ends at the last newline that is there when the buffer is full or the
input pauses. So a fast input comes in large pieces, and a line of a slow one
is passed on at once. How the input's reads fall changes where the pieces end
and nothing else.
*/

use std::io;
use std::mem;

use super::input::{Bytes, Input, Reader};
use crate::limit;
use crate::secret::Raw;

/// Some of an input.
#[derive(Debug)]
pub struct Piece {
    /// Which input, by its place in the list.
    pub input: usize,
    /// What of it.
    pub part: Part,
}

/// What a piece is.
#[derive(Debug)]
pub enum Part {
    /// Whole lines with their newlines. Only an input's last piece may lack the last newline, and is then that line alone.
    Lines(Raw),
    /// A line of so many bytes, without its newline, that is longer than [`limit::RECORD_BYTES_MAX`]. Nothing of it was kept.
    Oversize {
        /// Its length.
        bytes: u64,
        /// Whether a newline came after it.
        ended: bool,
    },
    /// The rest of the input, or all of it, cannot be read.
    Unreadable(io::Error),
}

/// All inputs, one after the other, as pieces.
#[derive(Debug)]
pub struct Pieces {
    inputs: Vec<Input>,
    /// The next input's place.
    next: usize,
    current: Option<Cutter<Reader>>,
}

impl Pieces {
    /// Opens each input when its turn comes; one that cannot be read is a piece that says so.
    pub fn new(inputs: Vec<Input>) -> Pieces {
        Pieces { inputs, next: 0, current: None }
    }
}

impl Iterator for Pieces {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        loop {
            if let Some(cutter) = &mut self.current {
                let input = self.next - 1;
                match cutter.next_part().unwrap_or_else(|error| Some(Part::Unreadable(error))) {
                    Some(part) => return Some(Piece { input, part }),
                    None => self.current = None,
                }
            }
            let input = self.next;
            let opened = self.inputs.get(input)?.open();
            self.next += 1;
            match opened {
                Ok(reader) => self.current = Some(Cutter::new(reader)),
                Err(error) => return Some(Piece { input, part: Part::Unreadable(error) }),
            }
        }
    }
}

/// One input and what was read of it but not yet passed on.
#[derive(Debug)]
pub(super) struct Cutter<B> {
    bytes: B,
    buffer: Raw,
    state: State,
}

/// Where in the input a cutter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The first `searched` bytes of the buffer hold no newline.
    Gathering { searched: usize },
    /// In a line that is too long, of which so many bytes are gone.
    Skipping { bytes: u64 },
    /// The input is at its end, or broken.
    Ended,
}

impl<B: Bytes> Cutter<B> {
    pub(super) fn new(bytes: B) -> Cutter<B> {
        Cutter { bytes, buffer: Raw::default(), state: State::Gathering { searched: 0 } }
    }

    /// The next part; `None` at the end. After an error the input is at its end.
    pub(super) fn next_part(&mut self) -> io::Result<Option<Part>> {
        loop {
            let part = match self.state {
                State::Gathering { searched } => self.cut(searched),
                State::Skipping { bytes } => self.skip(bytes),
                State::Ended => return Ok(None),
            };
            if part.is_some() {
                return Ok(part);
            }
            match self.fill() {
                Ok(Filled::Some) => {}
                Ok(Filled::Ended) => return Ok(self.last()),
                Err(error) => {
                    self.state = State::Ended;
                    return Err(error);
                }
            }
        }
    }

    /// Takes all whole lines from the buffer, if there are any.
    fn cut(&mut self, searched: usize) -> Option<Part> {
        let buffer = self.buffer.bytes();
        if buffer.len() > limit::RECORD_BYTES_MAX {
            return self.cut_first(searched);
        }
        let Some(last) = memchr::memrchr(b'\n', &buffer[searched..]) else {
            self.state = State::Gathering { searched: buffer.len() };
            return None;
        };
        Some(self.take(searched + last + 1))
    }

    /// Takes the first line alone from a buffer so full that the line may be too long.
    fn cut_first(&mut self, searched: usize) -> Option<Part> {
        match memchr::memchr(b'\n', &self.buffer.bytes()[searched..]) {
            Some(length) if searched + length <= limit::RECORD_BYTES_MAX => {
                Some(self.take(searched + length + 1))
            }
            Some(_) | None => self.skip(0),
        }
    }

    /// Forgets the rest of a line that is too long.
    fn skip(&mut self, before: u64) -> Option<Part> {
        let newline = memchr::memchr(b'\n', self.buffer.bytes());
        let gone = newline.unwrap_or(self.buffer.len());
        let bytes = before + gone as u64;
        if newline.is_none() {
            let mut buffer = mem::take(&mut self.buffer).into_inner();
            buffer.clear();
            self.buffer = Raw::new(buffer);
            self.state = State::Skipping { bytes };
            return None;
        }
        self.take(gone + 1);
        Some(Part::Oversize { bytes, ended: true })
    }

    /// The buffer up to `end`; what follows is the new buffer.
    fn take(&mut self, end: usize) -> Part {
        let mut lines = mem::take(&mut self.buffer).into_inner();
        let mut rest = Vec::with_capacity((lines.len() - end).max(PIECE_BYTES));
        rest.extend_from_slice(&lines[end..]);
        lines.truncate(end);
        self.buffer = Raw::new(rest);
        self.state = State::Gathering { searched: 0 };
        Part::Lines(Raw::new(lines))
    }

    /// What is left when the input has ended.
    fn last(&mut self) -> Option<Part> {
        let rest = mem::take(&mut self.buffer);
        match mem::replace(&mut self.state, State::Ended) {
            State::Skipping { bytes } => Some(Part::Oversize { bytes, ended: false }),
            State::Gathering { .. } if rest.is_empty() => None,
            State::Gathering { .. } => Some(Part::Lines(rest)),
            State::Ended => None,
        }
    }

    /// Reads until the buffer is full or the input pauses.
    fn fill(&mut self) -> io::Result<Filled> {
        let mut buffer = mem::take(&mut self.buffer).into_inner();
        if buffer.len() == buffer.capacity() {
            buffer.reserve_exact(buffer.len().max(PIECE_BYTES));
        }
        let mut count = self.bytes.read(&mut buffer)?;
        let filled = if count == 0 { Filled::Ended } else { Filled::Some };
        while count > 0 && buffer.len() < buffer.capacity() && self.bytes.is_ready() {
            count = self.bytes.read(&mut buffer)?;
        }
        self.buffer = Raw::new(buffer);
        Ok(filled)
    }
}

/// What came of reading.
enum Filled {
    Some,
    Ended,
}

/// Bytes in a piece, if the input is fast: small enough for a piece, its records and its output to stay in a core's cache.
const PIECE_BYTES: usize = limit::BATCH_BYTES;

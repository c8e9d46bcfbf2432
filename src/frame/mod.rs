/*!
How records are cut out of a stream of bytes: bytes in, frames out, no sockets.

A framer is shown the bytes that are not spent yet and takes one [`Step`] at a
time. It holds no bytes itself, only how far it has searched, so each byte is
looked at once however the stream comes in pieces. The law of all framers: any
split of a stream gives the same frames as the whole.

A record beyond the framer's limit is never shown. Its bytes are spent as they
come, so that memory stays bounded, and where it ended stands one [`Step::Cut`].
*/

mod lines;
mod octets;
mod syslog;

#[cfg(test)]
mod tests;

pub use lines::{Ends, Lines};
pub use octets::Octets;
pub use syslog::Syslog;

use crate::span::Span;

/// What a framer makes of the bytes that it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A frame: never empty, never longer than the limit.
    Frame(Span),
    /// A record ended that may not be forwarded.
    Cut(Cut),
    /// No frame ends in these bytes; show them again with more behind them.
    More,
    /// The next octet count is none, so nobody knows where the next frame begins. The stream is of no use any more.
    Lost,
}

/// A record that may not be forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Its length as far as it is known.
    pub byte_len: u64,
    /// What is wrong with it.
    pub why: Why,
}

/// What is wrong with a record that was cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It is longer than the limit.
    TooLong,
    /// The stream ended within it.
    Truncated,
}

/// Cuts frames out of a stream.
pub trait Framer {
    /// Takes one step through `haystack`, the unspent bytes of the stream.
    ///
    /// Also returns how many of them are spent by it; the next haystack begins behind those.
    fn step(&mut self, haystack: &[u8]) -> (Step, usize);

    /// Takes the last step, through what is unspent when the stream has ended and `step` asked for more.
    fn finish(&mut self, haystack: &[u8]) -> Step;
}

/// The frame of one datagram (RFC 5426, section 3.1): all of it, less what its sender put after its end.
pub fn datagram(haystack: &[u8]) -> Span {
    Span::new(0, without_end(haystack, haystack.len()))
}

/// Bytes that [`without_end`] takes off at most, of a frame that its framer has ended already.
const END_BYTES_MAX: usize = 2;

/// The end of a frame that ends at `end`, less a NUL, a line feed, and a carriage return, each at most once.
fn without_end(haystack: &[u8], end: usize) -> usize {
    let end = without(0, haystack, end);
    let end = without(b'\n', haystack, end);
    without(b'\r', haystack, end)
}

fn without(last: u8, haystack: &[u8], end: usize) -> usize {
    if haystack[..end].last() == Some(&last) { end - 1 } else { end }
}

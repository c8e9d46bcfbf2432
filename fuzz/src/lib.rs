//! What the fuzzer's bytes are taken for: a text, how it is cut into haystacks, and what stands between them.
//!
//! The first [`HEADER_BYTES`] bytes are the place of the first haystack in a block, what stands between two, and three
//! lengths; the rest is the text. So any line with five bytes before it is a seed.

use logveil::span::Span;

/// Bytes before the text.
pub const HEADER_BYTES: usize = 5;

/// What may stand between two haystacks; what is looked for begins or goes on with some of it.
const BETWEEN: &[&[u8]] = &[b"\n", b"", b" ", b"\0", b"1", b"a", b"-", b"=", b":", b"@", b".", b"\"", b"://"];

/// A buffer and the haystacks in it.
pub struct Haystacks {
    /// All of them, with something before, between and behind.
    pub buffer: Vec<u8>,
    /// Where each stands.
    pub spans: Vec<Span>,
}

/// Reads them from the fuzzer's bytes; none if there is no whole header.
pub fn read(data: &[u8]) -> Option<Haystacks> {
    let (header, text) = data.split_at_checked(HEADER_BYTES)?;
    let between = BETWEEN[usize::from(header[1]) % BETWEEN.len()];
    let filler = between.first().copied().unwrap_or(b'\n');
    let mut all = Haystacks { buffer: vec![filler; usize::from(header[0] % 64)], spans: Vec::new() };
    let mut rest = text;
    // A length of zero is none, so that a header of zeros leaves the text whole.
    for len in header[2..].iter().map(|len| usize::from(*len)).filter(|len| *len > 0) {
        let (piece, behind) = rest.split_at(len.min(rest.len()));
        all.push(piece, between);
        rest = behind;
    }
    all.push(rest, between);
    Some(all)
}

impl Haystacks {
    fn push(&mut self, haystack: &[u8], between: &[u8]) {
        self.buffer.extend_from_slice(between);
        let start = self.buffer.len();
        self.buffer.extend_from_slice(haystack);
        self.spans.push(Span::new(start, self.buffer.len()));
        self.buffer.extend_from_slice(between);
    }

    /// Each haystack's bytes.
    pub fn each(&self) -> impl Iterator<Item = &[u8]> {
        self.spans.iter().map(|span| &self.buffer[span.range()])
    }
}

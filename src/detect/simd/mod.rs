/*!
Classification: 64 bytes become bit masks, one bit a byte.

Bit *n* of a mask of a [`Block`] tells of byte *n*; the lowest bit is the first
byte. Everything that is looked for by its shape is found by arithmetic on
these masks (in [`super::candidates`]); literals are found by their
[`Fingerprint`], nibble tables of their first three bytes as in Hyperscan's
Teddy.

The masks are made by the best of three versions that the machine can run:
AVX-512, AVX2, or portable Rust. All give the same bits, for any bytes, at any
alignment and length: tests hold the first two to the third. The two are the
only modules of the program with `unsafe`; each is one function that reads a
block through vector loads.
*/

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

/// Bytes of a block.
pub const BLOCK_BYTES: usize = 64;

/// Bytes behind a block that are read with it: those of a literal that begins at its last byte.
const BEHIND: usize = 2;

/// What each byte of a block is, as masks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Block {
    /// `0` to `9`.
    pub digit: u64,
    /// Letters of ASCII.
    pub letter: u64,
    /// Capitals of ASCII.
    pub upper: u64,
    /// Hexadecimal digits of either case.
    pub hex: u64,
    /// `.`
    pub dot: u64,
    /// `:`
    pub colon: u64,
    /// `-`
    pub dash: u64,
    /// `@`
    pub at: u64,
    /// `=`
    pub equals: u64,
    /// `/`
    pub slash: u64,
    /// A space.
    pub space: u64,
    /// `\`
    pub backslash: u64,
    /// `%`
    pub percent: u64,
    /// `<`
    pub less: u64,
    /// `+`
    pub plus: u64,
    /// `"`
    pub quote: u64,
    /// `_`
    pub underscore: u64,
    /// A literal that begins where a part of a word does may begin here.
    pub part: u64,
    /// A literal that may begin anywhere may begin here.
    pub free: u64,
}

/// Literals that share a bucket of a [`Nibbles`] are told apart no further.
pub const BUCKETS: usize = 8;

/// The first three bytes of a set of literals, as buckets by nibble: a byte may stand at a place of a bucket's literal
/// if the bucket's bit is set for both of its nibbles.
///
/// "Perhaps" for every literal of the set and for some others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Nibbles {
    /// By place and low nibble.
    low: [[u8; 16]; 3],
    /// By place and high nibble.
    high: [[u8; 16]; 3],
}

impl Nibbles {
    /// Adds a literal's first three bytes to a bucket, in both cases of its letters.
    pub fn add(&mut self, literal: [u8; 3], bucket: usize) {
        for (place, byte) in literal.iter().enumerate() {
            for byte in [byte.to_ascii_lowercase(), byte.to_ascii_uppercase()] {
                self.low[place][usize::from(byte & 15)] |= 1 << bucket;
                self.high[place][usize::from(byte >> 4)] |= 1 << bucket;
            }
        }
    }

    /// The buckets of which a literal may begin with these bytes.
    fn buckets(&self, bytes: [u8; 3]) -> u8 {
        let of = |place: usize| {
            let byte = bytes[place];
            self.low[place][usize::from(byte & 15)] & self.high[place][usize::from(byte >> 4)]
        };
        of(0) & of(1) & of(2)
    }
}

/// What is known of the literals that are looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fingerprint {
    /// Those of [`Block::part`].
    pub part: Nibbles,
    /// Those of [`Block::free`], in two sets: what they begin with differs too much for eight buckets.
    pub free: [Nibbles; 2],
}

/// A version of the classification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// AVX-512 with byte and word instructions.
    Avx512,
    /// AVX2.
    Avx2,
    /// No vectors.
    Portable,
}

impl Kind {
    /// Every version that this machine can run, the best one first.
    pub fn available() -> Vec<Kind> {
        let mut kinds = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            if std::is_x86_feature_detected!("avx512bw") {
                kinds.push(Kind::Avx512);
            }
            if std::is_x86_feature_detected!("avx2") {
                kinds.push(Kind::Avx2);
            }
        }
        kinds.push(Kind::Portable);
        kinds
    }
}

/// Makes masks of bytes.
#[derive(Clone, Debug)]
pub struct Classifier {
    kind: Kind,
    fingerprint: Fingerprint,
}

impl Classifier {
    /// A classifier of the best version that this machine can run.
    pub fn new(fingerprint: Fingerprint) -> Classifier {
        let kind = Kind::available()[0];
        Classifier { kind, fingerprint }
    }

    /// A classifier of a version; of the portable one if this machine cannot run it.
    pub fn of_kind(kind: Kind, fingerprint: Fingerprint) -> Classifier {
        let kind = if Kind::available().contains(&kind) { kind } else { Kind::Portable };
        Classifier { kind, fingerprint }
    }

    /// The version.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Fills `blocks` with the masks of `haystack` from its byte `from` on. What lies behind its end are zero bytes.
    pub fn classify(&self, haystack: &[u8], from: usize, blocks: &mut [Block]) {
        let text = &haystack[from.min(haystack.len())..];
        let whole = (text.len().saturating_sub(BEHIND) / BLOCK_BYTES).min(blocks.len());
        let (inner, rest) = blocks.split_at_mut(whole);
        self.classify_whole(text, inner);
        let mut text = &text[whole * BLOCK_BYTES..];
        for block in rest {
            let mut padded = [0; BLOCK_BYTES + BEHIND];
            let len = text.len().min(padded.len());
            padded[..len].copy_from_slice(&text[..len]);
            self.classify_whole(&padded, std::slice::from_mut(block));
            text = &text[text.len().min(BLOCK_BYTES)..];
        }
    }

    /// Masks of whole blocks; `text` has [`BEHIND`] bytes more than they.
    fn classify_whole(&self, text: &[u8], blocks: &mut [Block]) {
        assert!(blocks.is_empty() || text.len() >= blocks.len() * BLOCK_BYTES + BEHIND);
        match self.kind {
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => avx512::classify(&self.fingerprint, text, blocks),
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => avx2::classify(&self.fingerprint, text, blocks),
            _ => portable::classify(&self.fingerprint, text, blocks),
        }
    }
}

#[cfg(test)]
mod tests;

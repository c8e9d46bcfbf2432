/*!
Classification: 64 bytes become bit masks, one bit a byte.

Bit *n* of a mask of a [`Block`] tells of byte *n*; the lowest bit is the first
byte. Everything that is looked for by its shape is found by arithmetic on
these masks (in [`super::candidates`]); literals are found by their
[`Fingerprint`], nibble tables of their first three bytes as in Hyperscan's
Teddy.

The masks are made by the best of three versions that the machine can run:
AVX-512, AVX2, or portable Rust. All give the same bits, for any bytes, at any
alignment and length: tests hold the first two to the third. What is computed
from the masks is written once, for any [`Lanes`]. The two are the only modules
of the program with `unsafe`: vector loads and stores, and the instructions that
a machine must have.
*/

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod lanes;
mod portable;

pub use lanes::{LANES, Lanes, Masks, Work};

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
    /// `+` that no 0 stands behind: no country's code begins with one, and each line of an access log has `+0000`.
    pub plus: u64,
    /// `"`
    pub quote: u64,
    /// `_`
    pub underscore: u64,
    /// What parts a service's name from a token behind it: `;` `{` `}` `,` and a newline.
    pub wall: u64,
    /// A literal that begins where a part of a word does may begin here.
    pub part: u64,
    /// A literal that may begin anywhere may begin here.
    pub free: u64,
}

/// The masks of [`Block`] of eight blocks in a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C, align(64))]
#[allow(missing_docs, reason = "said at the block")]
pub struct Group {
    pub digit: Masks,
    pub letter: Masks,
    pub upper: Masks,
    pub dot: Masks,
    pub colon: Masks,
    pub dash: Masks,
    pub at: Masks,
    pub equals: Masks,
    pub slash: Masks,
    pub space: Masks,
    pub backslash: Masks,
    pub percent: Masks,
    pub less: Masks,
    pub plus: Masks,
    pub quote: Masks,
    pub underscore: Masks,
    pub wall: Masks,
    pub word: Masks,
    pub part: Masks,
    pub free: Masks,
}

impl Group {
    /// Puts the masks of a block into a lane.
    #[inline(always)]
    fn put(&mut self, lane: usize, block: &Block) {
        self.digit[lane] = block.digit;
        self.letter[lane] = block.letter;
        self.upper[lane] = block.upper;
        self.dot[lane] = block.dot;
        self.colon[lane] = block.colon;
        self.dash[lane] = block.dash;
        self.at[lane] = block.at;
        self.equals[lane] = block.equals;
        self.slash[lane] = block.slash;
        self.space[lane] = block.space;
        self.backslash[lane] = block.backslash;
        self.percent[lane] = block.percent;
        self.less[lane] = block.less;
        self.plus[lane] = block.plus;
        self.quote[lane] = block.quote;
        self.underscore[lane] = block.underscore;
        self.wall[lane] = block.wall;
        self.word[lane] = block.digit | block.letter;
        self.part[lane] = block.part;
        self.free[lane] = block.free;
    }
}

/// Where masks of blocks go: the lanes of groups, from a lane of the first one on.
struct Lot<'a> {
    groups: &'a mut [Group],
    from: usize,
    count: usize,
}

impl Lot<'_> {
    #[inline(always)]
    fn put(&mut self, n: usize, block: &Block) {
        let n = self.from + n;
        self.groups[n / LANES].put(n % LANES, block);
    }
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
    /// AVX-512 with its instructions for bytes and words, and for shifts over two registers.
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
            if avx512::available() {
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

    /// Fills the first `count` lanes of `groups` with the masks of `haystack` from its byte `from` on. What lies behind its
    /// end are zero bytes.
    pub fn classify(&self, haystack: &[u8], from: usize, groups: &mut [Group], count: usize) {
        let text = &haystack[from.min(haystack.len())..];
        let whole = (text.len().saturating_sub(BEHIND) / BLOCK_BYTES).min(count);
        self.classify_whole(text, Lot { groups, from: 0, count: whole });
        let mut text = &text[whole * BLOCK_BYTES..];
        for n in whole..count {
            if text.is_empty() {
                groups[n / LANES].put(n % LANES, &Block::default());
                continue;
            }
            let mut padded = [0; BLOCK_BYTES + BEHIND];
            let len = text.len().min(padded.len());
            padded[..len].copy_from_slice(&text[..len]);
            self.classify_whole(&padded, Lot { groups, from: n, count: 1 });
            text = &text[text.len().min(BLOCK_BYTES)..];
        }
    }

    /// Masks of whole blocks; `text` has [`BEHIND`] bytes more than they.
    fn classify_whole(&self, text: &[u8], lot: Lot<'_>) {
        assert!(lot.count == 0 || text.len() >= lot.count * BLOCK_BYTES + BEHIND);
        match self.kind {
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => avx512::classify(&self.fingerprint, text, lot),
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => avx2::classify(&self.fingerprint, text, lot),
            _ => portable::classify(&self.fingerprint, text, lot),
        }
    }

    /// Computes with the masks of eight blocks at once.
    pub fn work(&self, work: impl Work) {
        match self.kind {
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => avx512::work(work),
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => avx2::work(work),
            _ => work.run::<lanes::Words>(()),
        }
    }

    /// Writes down which bits of `masks` are set, 64 to a mask, in rising order; returns how many. `list` is as long as
    /// there are bits, and [`BLOCK_BYTES`] more.
    pub fn positions(&self, masks: &[u64], list: &mut [u16]) -> usize {
        match self.kind {
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => avx512::positions(masks, list),
            _ => portable::positions(masks, list),
        }
    }
}

#[cfg(test)]
mod tests;

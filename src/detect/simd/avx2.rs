/*!
The classification with AVX2: two halves of 32 bytes, compares and the highest bits of bytes.
*/
#![allow(unsafe_code)]

use core::arch::x86_64::{
    __m256i, _mm_loadu_si128, _mm256_and_si256, _mm256_broadcastsi128_si256, _mm256_cmpeq_epi8,
    _mm256_loadu_si256, _mm256_min_epu8, _mm256_movemask_epi8, _mm256_or_si256, _mm256_set1_epi8,
    _mm256_setzero_si256, _mm256_shuffle_epi8, _mm256_srli_epi16, _mm256_sub_epi8,
};

use super::{BEHIND, BLOCK_BYTES, Block, Fingerprint, Nibbles};

/// Masks of as many blocks as there are.
///
/// # Panics
///
/// If `text` has not two bytes more than they, or the machine lacks the instructions.
pub(super) fn classify(fingerprint: &Fingerprint, text: &[u8], blocks: &mut [Block]) {
    assert!(blocks.is_empty() || text.len() >= blocks.len() * BLOCK_BYTES + BEHIND);
    assert!(std::is_x86_feature_detected!("avx2"));
    // SAFETY: the instructions are there, and the text is as long as the function asks.
    unsafe { classify_blocks(fingerprint, text, blocks) }
}

/// Both halves of a block.
type Halves = [__m256i; 2];

/// # Safety
///
/// The machine has AVX2; `text` has at least [`BEHIND`] bytes more than `blocks` blocks.
#[target_feature(enable = "avx2")]
unsafe fn classify_blocks(fingerprint: &Fingerprint, text: &[u8], blocks: &mut [Block]) {
    let part = Tables::new(&fingerprint.part);
    let free = fingerprint.free.each_ref().map(|nibbles| Tables::new(nibbles));
    for (n, block) in blocks.iter_mut().enumerate() {
        let at = n * BLOCK_BYTES;
        let bytes: [Halves; 3] = [0, 1, 2].map(|place| {
            [0, 32].map(|half| {
                // SAFETY: `at + place + half + 32` is at most `blocks.len() * 64 + 2`, which `text` has. The loads
                // need no alignment.
                unsafe { _mm256_loadu_si256(text.as_ptr().add(at + place + half).cast()) }
            })
        });
        *block = masks(bytes[0]);
        let nibble = _mm256_set1_epi8(15);
        let literals = [0, 1].map(|half| {
            let low = bytes.map(|bytes| _mm256_and_si256(bytes[half], nibble));
            let high = bytes.map(|bytes| _mm256_and_si256(_mm256_srli_epi16::<4>(bytes[half]), nibble));
            let [one, other] = free.each_ref().map(|tables| tables.buckets(low, high));
            [part.buckets(low, high), _mm256_or_si256(one, other)]
        });
        let any =
            |set: usize| !mask(literals.map(|half| _mm256_cmpeq_epi8(half[set], _mm256_setzero_si256())));
        (block.part, block.free) = (any(0), any(1));
    }
}

/// [`Nibbles`] in registers.
struct Tables {
    low: [__m256i; 3],
    high: [__m256i; 3],
}

impl Tables {
    #[target_feature(enable = "avx2")]
    fn new(nibbles: &Nibbles) -> Tables {
        Tables {
            low: nibbles.low.each_ref().map(|nibbles| table(nibbles)),
            high: nibbles.high.each_ref().map(|nibbles| table(nibbles)),
        }
    }

    /// The buckets of each byte, from the nibbles of it and of the two behind it.
    #[target_feature(enable = "avx2")]
    fn buckets(&self, low: [__m256i; 3], high: [__m256i; 3]) -> __m256i {
        let of = |place: usize| {
            _mm256_and_si256(
                _mm256_shuffle_epi8(self.low[place], low[place]),
                _mm256_shuffle_epi8(self.high[place], high[place]),
            )
        };
        _mm256_and_si256(_mm256_and_si256(of(0), of(1)), of(2))
    }
}

/// The masks but those of literals.
#[target_feature(enable = "avx2")]
fn masks(bytes: Halves) -> Block {
    let within = |bytes: Halves, first: u8, count: u8| {
        mask(bytes.map(|half| {
            let offset = _mm256_sub_epi8(half, set(first));
            _mm256_cmpeq_epi8(_mm256_min_epu8(offset, set(count - 1)), offset)
        }))
    };
    let is = |byte: u8| mask(bytes.map(|half| _mm256_cmpeq_epi8(half, set(byte))));
    let small = bytes.map(|half| _mm256_or_si256(half, set(0x20)));
    let digit = within(bytes, b'0', 10);
    Block {
        digit,
        letter: within(small, b'a', 26),
        upper: within(bytes, b'A', 26),
        hex: digit | within(small, b'a', 6),
        dot: is(b'.'),
        colon: is(b':'),
        dash: is(b'-'),
        at: is(b'@'),
        equals: is(b'='),
        slash: is(b'/'),
        space: is(b' '),
        backslash: is(b'\\'),
        percent: is(b'%'),
        less: is(b'<'),
        plus: is(b'+'),
        quote: is(b'"'),
        underscore: is(b'_'),
        part: 0,
        free: 0,
    }
}

/// One bit for each byte, set where its highest bit is.
#[target_feature(enable = "avx2")]
fn mask(halves: Halves) -> u64 {
    let [low, high] = halves.map(|half| u64::from(_mm256_movemask_epi8(half) as u32));
    low | high << 32
}

#[target_feature(enable = "avx2")]
fn set(byte: u8) -> __m256i {
    _mm256_set1_epi8(byte as i8)
}

/// The table in both lanes.
#[target_feature(enable = "avx2")]
fn table(nibbles: &[u8; 16]) -> __m256i {
    // SAFETY: the array has the 16 bytes that are read; the load needs no alignment.
    _mm256_broadcastsi128_si256(unsafe { _mm_loadu_si128(nibbles.as_ptr().cast()) })
}

/*!
The classification with AVX-512: one compare makes 64 bits of a mask.
*/
#![allow(unsafe_code)]

use core::arch::x86_64::{
    __m512i, _mm_loadu_si128, _mm512_and_si512, _mm512_broadcast_i32x4, _mm512_cmpeq_epi8_mask,
    _mm512_cmple_epu8_mask, _mm512_loadu_si512, _mm512_or_si512, _mm512_set1_epi8, _mm512_shuffle_epi8,
    _mm512_srli_epi16, _mm512_sub_epi8, _mm512_test_epi8_mask,
};

use super::{BEHIND, BLOCK_BYTES, Block, Fingerprint, Nibbles};

/// Masks of as many blocks as there are.
///
/// # Panics
///
/// If `text` has not two bytes more than they, or the machine lacks the instructions.
pub(super) fn classify(fingerprint: &Fingerprint, text: &[u8], blocks: &mut [Block]) {
    assert!(blocks.is_empty() || text.len() >= blocks.len() * BLOCK_BYTES + BEHIND);
    assert!(std::is_x86_feature_detected!("avx512bw"));
    // SAFETY: the instructions are there, and the text is as long as the function asks.
    unsafe { classify_blocks(fingerprint, text, blocks) }
}

/// # Safety
///
/// The machine has AVX-512 with byte and word instructions; `text` has at least [`BEHIND`] bytes more than `blocks` blocks.
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn classify_blocks(fingerprint: &Fingerprint, text: &[u8], blocks: &mut [Block]) {
    let part = Tables::new(&fingerprint.part);
    let [one, other] = [Tables::new(&fingerprint.free[0]), Tables::new(&fingerprint.free[1])];
    for (n, block) in blocks.iter_mut().enumerate() {
        let at = n * BLOCK_BYTES;
        // SAFETY: `at + 2 + 64` is at most `blocks.len() * 64 + 2`, which `text` has. The loads need no alignment.
        let bytes = unsafe {
            let text = text.as_ptr().add(at);
            [
                _mm512_loadu_si512(text.cast()),
                _mm512_loadu_si512(text.add(1).cast()),
                _mm512_loadu_si512(text.add(2).cast()),
            ]
        };
        *block = masks(bytes[0]);
        let [low, high] = nibbles(bytes);
        let part = part.buckets(low, high);
        block.part = _mm512_test_epi8_mask(part, part);
        let free = _mm512_or_si512(one.buckets(low, high), other.buckets(low, high));
        block.free = _mm512_test_epi8_mask(free, free);
    }
}

/// The low and the high nibbles of bytes at three places.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn nibbles([a, b, c]: [__m512i; 3]) -> [[__m512i; 3]; 2] {
    let nibble = _mm512_set1_epi8(15);
    let low = [_mm512_and_si512(a, nibble), _mm512_and_si512(b, nibble), _mm512_and_si512(c, nibble)];
    let high = [
        _mm512_and_si512(_mm512_srli_epi16::<4>(a), nibble),
        _mm512_and_si512(_mm512_srli_epi16::<4>(b), nibble),
        _mm512_and_si512(_mm512_srli_epi16::<4>(c), nibble),
    ];
    [low, high]
}

/// [`Nibbles`] in registers.
struct Tables {
    low: [__m512i; 3],
    high: [__m512i; 3],
}

impl Tables {
    #[target_feature(enable = "avx512f,avx512bw")]
    fn new(nibbles: &Nibbles) -> Tables {
        let Nibbles { low, high } = nibbles;
        Tables {
            low: [table(&low[0]), table(&low[1]), table(&low[2])],
            high: [table(&high[0]), table(&high[1]), table(&high[2])],
        }
    }

    /// The buckets of each byte, from the nibbles of it and of the two behind it.
    #[target_feature(enable = "avx512f,avx512bw")]
    #[inline]
    fn buckets(&self, low: [__m512i; 3], high: [__m512i; 3]) -> __m512i {
        let of = |place: usize| {
            _mm512_and_si512(
                _mm512_shuffle_epi8(self.low[place], low[place]),
                _mm512_shuffle_epi8(self.high[place], high[place]),
            )
        };
        _mm512_and_si512(_mm512_and_si512(of(0), of(1)), of(2))
    }
}

/// The masks but those of literals.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn masks(bytes: __m512i) -> Block {
    let within = |bytes: __m512i, first: u8, count: u8| {
        _mm512_cmple_epu8_mask(_mm512_sub_epi8(bytes, set(first)), set(count - 1))
    };
    let is = |byte: u8| _mm512_cmpeq_epi8_mask(bytes, set(byte));
    let small = _mm512_or_si512(bytes, set(0x20));
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

#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn set(byte: u8) -> __m512i {
    _mm512_set1_epi8(byte as i8)
}

/// The table in each of the four lanes.
#[target_feature(enable = "avx512f,avx512bw")]
fn table(nibbles: &[u8; 16]) -> __m512i {
    // SAFETY: the array has the 16 bytes that are read; the load needs no alignment.
    _mm512_broadcast_i32x4(unsafe { _mm_loadu_si128(nibbles.as_ptr().cast()) })
}

/*!
The classification with AVX-512: one compare makes 64 bits of a mask.
*/
#![allow(unsafe_code)]

use core::arch::x86_64::{
    __m512i, _mm_loadu_si128, _mm512_add_epi16, _mm512_alignr_epi64, _mm512_and_si512,
    _mm512_broadcast_i32x4, _mm512_castsi512_si256, _mm512_cmpeq_epi8_mask, _mm512_cmple_epu8_mask,
    _mm512_cvtepu8_epi16, _mm512_extracti64x4_epi64, _mm512_loadu_si512, _mm512_mask_cmpneq_epi8_mask,
    _mm512_maskz_compress_epi8, _mm512_or_si512, _mm512_set1_epi8, _mm512_set1_epi16, _mm512_set1_epi64,
    _mm512_shldi_epi64, _mm512_shrdi_epi64, _mm512_shuffle_epi8, _mm512_srli_epi16, _mm512_storeu_si512,
    _mm512_sub_epi8, _mm512_test_epi8_mask, _mm512_xor_si512,
};
use std::ops::{BitAnd, BitOr, Not};

use super::{BEHIND, BLOCK_BYTES, Block, Fingerprint, Lanes, Lot, Masks, Nibbles, Work};

/// Whether the machine has all that this module uses.
pub(super) fn available() -> bool {
    std::is_x86_feature_detected!("avx512bw") && std::is_x86_feature_detected!("avx512vbmi2")
}

/// Masks of as many blocks as there are.
///
/// # Panics
///
/// If `text` has not two bytes more than they, or the machine lacks the instructions.
pub(super) fn classify(fingerprint: &Fingerprint, text: &[u8], lot: Lot<'_>) {
    assert!(lot.count == 0 || text.len() >= lot.count * BLOCK_BYTES + BEHIND);
    assert!(available());
    // SAFETY: the instructions are there, and the text is as long as the function asks.
    unsafe { classify_blocks(fingerprint, text, lot) }
}

/// # Safety
///
/// The machine has AVX-512 with byte and word instructions; `text` has at least [`BEHIND`] bytes more than the lot's blocks.
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn classify_blocks(fingerprint: &Fingerprint, text: &[u8], mut lot: Lot<'_>) {
    let part = Tables::new(&fingerprint.part);
    let [one, other] = [Tables::new(&fingerprint.free[0]), Tables::new(&fingerprint.free[1])];
    for n in 0..lot.count {
        let at = n * BLOCK_BYTES;
        // SAFETY: `at + 2 + 64` is at most `lot.count * 64 + 2`, which `text` has. The loads need no alignment.
        let bytes = unsafe {
            let text = text.as_ptr().add(at);
            [
                _mm512_loadu_si512(text.cast()),
                _mm512_loadu_si512(text.add(1).cast()),
                _mm512_loadu_si512(text.add(2).cast()),
            ]
        };
        let mut block = masks(bytes[0], bytes[1]);
        let [low, high] = nibbles(bytes);
        let part = part.buckets(low, high);
        block.part = _mm512_test_epi8_mask(part, part);
        let free = _mm512_or_si512(one.buckets(low, high), other.buckets(low, high));
        block.free = _mm512_test_epi8_mask(free, free);
        lot.put(n, &block);
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

/// The masks but those of literals; `behind` has each byte's next one.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn masks(bytes: __m512i, behind: __m512i) -> Block {
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
        plus: _mm512_mask_cmpneq_epi8_mask(is(b'+'), behind, set(b'0')),
        quote: is(b'"'),
        underscore: is(b'_'),
        wall: _mm512_cmpeq_epi8_mask(_mm512_or_si512(bytes, set(0x40)), set(b'{'))
            | is(b'}')
            | is(b',')
            | is(b'\n'),
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

/// Writes down which bits of `masks` are set; returns how many.
///
/// # Panics
///
/// If `list` is not as long as there are bits and 64 more, or the machine lacks the instructions.
pub(super) fn positions(masks: &[u64], list: &mut [u16]) -> usize {
    let bits: usize = masks.iter().map(|mask| mask.count_ones() as usize).sum();
    assert!(list.len() >= bits + BLOCK_BYTES);
    assert!(available());
    // SAFETY: the instructions are there, and the list is as long as the function asks.
    unsafe { write_positions(masks, list) }
}

/// # Safety
///
/// The machine is [`available`]; `list` has room for as many places as `masks` have bits, and for 64 more.
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi2")]
unsafe fn write_positions(masks: &[u64], list: &mut [u16]) -> usize {
    // SAFETY: the array has the 64 bytes that are read; the load needs no alignment.
    let bytes = unsafe { _mm512_loadu_si512(COUNTED.as_ptr().cast()) };
    let mut written = 0;
    for (n, &mask) in masks.iter().enumerate() {
        let places = _mm512_maskz_compress_epi8(mask, bytes);
        let base = _mm512_set1_epi16((n * BLOCK_BYTES) as i16);
        let low = _mm512_add_epi16(_mm512_cvtepu8_epi16(_mm512_castsi512_si256(places)), base);
        let count = mask.count_ones() as usize;
        // SAFETY: what is written before are set bits, so 64 places behind them are the list's.
        unsafe { _mm512_storeu_si512(list.as_mut_ptr().add(written).cast(), low) };
        if count > 32 {
            let high = _mm512_add_epi16(_mm512_cvtepu8_epi16(_mm512_extracti64x4_epi64::<1>(places)), base);
            // SAFETY: as above: the second 32 of these 64.
            unsafe { _mm512_storeu_si512(list.as_mut_ptr().add(written + 32).cast(), high) };
        }
        written += count;
    }
    written
}

/// 0 to 63.
const COUNTED: [u8; BLOCK_BYTES] = {
    let mut counted = [0; BLOCK_BYTES];
    let mut n = 0;
    while n < BLOCK_BYTES {
        counted[n] = n as u8;
        n += 1;
    }
    counted
};

/// Proof that the machine has the instructions of [`Lanes512`]: made in [`work`] alone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Machine(());

/// Eight masks in a register. Whoever has one has a [`Machine`], as has every method below.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lanes512(__m512i);

/// Runs `work` with vectors of eight masks.
///
/// # Panics
///
/// If the machine lacks the instructions.
pub(super) fn work(work: impl Work) {
    assert!(available());
    // SAFETY: the instructions are there.
    unsafe { run(work) }
}

/// # Safety
///
/// The machine is [`available`].
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi2")]
unsafe fn run(work: impl Work) {
    work.run::<Lanes512>(Machine(()));
}

impl BitAnd for Lanes512 {
    type Output = Lanes512;
    #[inline(always)]
    fn bitand(self, other: Lanes512) -> Lanes512 {
        // SAFETY: whoever has lanes has the machine.
        Lanes512(unsafe { _mm512_and_si512(self.0, other.0) })
    }
}

impl BitOr for Lanes512 {
    type Output = Lanes512;
    #[inline(always)]
    fn bitor(self, other: Lanes512) -> Lanes512 {
        // SAFETY: whoever has lanes has the machine.
        Lanes512(unsafe { _mm512_or_si512(self.0, other.0) })
    }
}

impl Not for Lanes512 {
    type Output = Lanes512;
    #[inline(always)]
    fn not(self) -> Lanes512 {
        // SAFETY: whoever has lanes has the machine.
        Lanes512(unsafe { _mm512_xor_si512(self.0, _mm512_set1_epi64(-1)) })
    }
}

impl Lanes for Lanes512 {
    type Machine = Machine;

    #[inline(always)]
    fn load(_: Machine, masks: &Masks) -> Lanes512 {
        // SAFETY: the machine is there, and the array has the 64 bytes that are read; the load needs no alignment.
        Lanes512(unsafe { _mm512_loadu_si512(masks.as_ptr().cast()) })
    }

    #[inline(always)]
    fn store(self, masks: &mut Masks) {
        // SAFETY: whoever has lanes has the machine; the array has the 64 bytes that are written, however aligned.
        unsafe { _mm512_storeu_si512(masks.as_mut_ptr().cast(), self.0) }
    }

    #[inline(always)]
    fn one_before(before: Lanes512, now: Lanes512) -> Lanes512 {
        // SAFETY: whoever has lanes has the machine.
        Lanes512(unsafe { _mm512_alignr_epi64::<7>(now.0, before.0) })
    }

    #[inline(always)]
    fn one_behind(now: Lanes512, next: Lanes512) -> Lanes512 {
        // SAFETY: whoever has lanes has the machine.
        Lanes512(unsafe { _mm512_alignr_epi64::<1>(next.0, now.0) })
    }

    #[inline(always)]
    fn back<const N: i32>(before: Lanes512, now: Lanes512) -> Lanes512 {
        // SAFETY: whoever has lanes has the machine.
        Lanes512(unsafe { _mm512_shldi_epi64::<N>(now.0, before.0) })
    }

    #[inline(always)]
    fn ahead<const N: i32>(now: Lanes512, next: Lanes512) -> Lanes512 {
        // SAFETY: whoever has lanes has the machine.
        Lanes512(unsafe { _mm512_shrdi_epi64::<N>(now.0, next.0) })
    }
}

/*!
The classification with AVX2: two halves of 32 bytes, compares and the highest bits of bytes.
*/
#![allow(unsafe_code)]

use core::arch::x86_64::{
    __m256i, _mm_cvtsi32_si128, _mm_loadu_si128, _mm256_alignr_epi8, _mm256_and_si256,
    _mm256_broadcastsi128_si256, _mm256_cmpeq_epi8, _mm256_loadu_si256, _mm256_min_epu8,
    _mm256_movemask_epi8, _mm256_or_si256, _mm256_permute2x128_si256, _mm256_set1_epi8, _mm256_setzero_si256,
    _mm256_shuffle_epi8, _mm256_sll_epi64, _mm256_srl_epi64, _mm256_srli_epi16, _mm256_storeu_si256,
    _mm256_sub_epi8, _mm256_xor_si256,
};
use std::ops::{BitAnd, BitOr, Not};

use super::{BEHIND, BLOCK_BYTES, Block, Fingerprint, LANES, Lanes, Lot, Masks, Nibbles, Work};

/// Masks of as many blocks as there are.
///
/// # Panics
///
/// If `text` has not two bytes more than they, or the machine lacks the instructions.
pub(super) fn classify(fingerprint: &Fingerprint, text: &[u8], lot: Lot<'_>) {
    assert!(lot.count == 0 || text.len() >= lot.count * BLOCK_BYTES + BEHIND);
    assert!(std::is_x86_feature_detected!("avx2"));
    // SAFETY: the instructions are there, and the text is as long as the function asks.
    unsafe { classify_blocks(fingerprint, text, lot) }
}

/// Both halves of a block.
type Halves = [__m256i; 2];

/// # Safety
///
/// The machine has AVX2; `text` has at least [`BEHIND`] bytes more than the lot's blocks.
#[target_feature(enable = "avx2")]
unsafe fn classify_blocks(fingerprint: &Fingerprint, text: &[u8], mut lot: Lot<'_>) {
    let part = Tables::new(&fingerprint.part);
    let [one, other] = [Tables::new(&fingerprint.free[0]), Tables::new(&fingerprint.free[1])];
    for n in 0..lot.count {
        let at = n * BLOCK_BYTES;
        // SAFETY: `at + 2 + 64` is at most `lot.count * 64 + 2`, which `text` has.
        let bytes = unsafe {
            let text = text.as_ptr().add(at);
            [halves(text), halves(text.add(1)), halves(text.add(2))]
        };
        let mut block = masks(bytes[0], bytes[1]);
        let [low, high] = [[bytes[0][0], bytes[1][0], bytes[2][0]], [bytes[0][1], bytes[1][1], bytes[2][1]]];
        let [low, high] = [nibbles(low), nibbles(high)];
        block.part = any([part.buckets(low), part.buckets(high)]);
        block.free = any([
            _mm256_or_si256(one.buckets(low), other.buckets(low)),
            _mm256_or_si256(one.buckets(high), other.buckets(high)),
        ]);
        lot.put(n, &block);
    }
}

/// A block.
///
/// # Safety
///
/// The machine has AVX2; 64 bytes can be read at `text`, which needs no alignment.
#[target_feature(enable = "avx2")]
#[inline]
unsafe fn halves(text: *const u8) -> Halves {
    // SAFETY: the caller has 64 bytes there.
    unsafe { [_mm256_loadu_si256(text.cast()), _mm256_loadu_si256(text.add(32).cast())] }
}

/// The low and the high nibbles of bytes at three places.
#[target_feature(enable = "avx2")]
#[inline]
fn nibbles([a, b, c]: [__m256i; 3]) -> [[__m256i; 3]; 2] {
    let nibble = _mm256_set1_epi8(15);
    let low = [_mm256_and_si256(a, nibble), _mm256_and_si256(b, nibble), _mm256_and_si256(c, nibble)];
    let high = [
        _mm256_and_si256(_mm256_srli_epi16::<4>(a), nibble),
        _mm256_and_si256(_mm256_srli_epi16::<4>(b), nibble),
        _mm256_and_si256(_mm256_srli_epi16::<4>(c), nibble),
    ];
    [low, high]
}

/// One bit for each byte that is not zero.
#[target_feature(enable = "avx2")]
#[inline]
fn any([low, high]: Halves) -> u64 {
    let zero = _mm256_setzero_si256();
    !mask([_mm256_cmpeq_epi8(low, zero), _mm256_cmpeq_epi8(high, zero)])
}

/// [`Nibbles`] in registers.
struct Tables {
    low: [__m256i; 3],
    high: [__m256i; 3],
}

impl Tables {
    #[target_feature(enable = "avx2")]
    fn new(nibbles: &Nibbles) -> Tables {
        let Nibbles { low, high } = nibbles;
        Tables {
            low: [table(&low[0]), table(&low[1]), table(&low[2])],
            high: [table(&high[0]), table(&high[1]), table(&high[2])],
        }
    }

    /// The buckets of each byte, from the nibbles of it and of the two behind it.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn buckets(&self, [low, high]: [[__m256i; 3]; 2]) -> __m256i {
        let of = |place: usize| {
            _mm256_and_si256(
                _mm256_shuffle_epi8(self.low[place], low[place]),
                _mm256_shuffle_epi8(self.high[place], high[place]),
            )
        };
        _mm256_and_si256(_mm256_and_si256(of(0), of(1)), of(2))
    }
}

/// The masks but those of literals; `behind` has each byte's next one.
#[target_feature(enable = "avx2")]
#[inline]
fn masks(bytes: Halves, behind: Halves) -> Block {
    let within = |[low, high]: Halves, first: u8, count: u8| {
        let of = |half: __m256i| {
            let offset = _mm256_sub_epi8(half, set(first));
            _mm256_cmpeq_epi8(_mm256_min_epu8(offset, set(count - 1)), offset)
        };
        mask([of(low), of(high)])
    };
    let one_of = |bytes: Halves, byte: u8| {
        mask([_mm256_cmpeq_epi8(bytes[0], set(byte)), _mm256_cmpeq_epi8(bytes[1], set(byte))])
    };
    let is = |byte: u8| one_of(bytes, byte);
    let small = [_mm256_or_si256(bytes[0], set(0x20)), _mm256_or_si256(bytes[1], set(0x20))];
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
        plus: is(b'+') & !one_of(behind, b'0'),
        quote: is(b'"'),
        underscore: is(b'_'),
        wall: is(b';') | is(b'{') | is(b'}') | is(b',') | is(b'\n'),
        part: 0,
        free: 0,
    }
}

/// One bit for each byte, set where its highest bit is.
#[target_feature(enable = "avx2")]
#[inline]
fn mask([low, high]: Halves) -> u64 {
    let of = |half: __m256i| u64::from(_mm256_movemask_epi8(half) as u32);
    of(low) | of(high) << 32
}

#[target_feature(enable = "avx2")]
#[inline]
fn set(byte: u8) -> __m256i {
    _mm256_set1_epi8(byte as i8)
}

/// The table in both lanes.
#[target_feature(enable = "avx2")]
fn table(nibbles: &[u8; 16]) -> __m256i {
    // SAFETY: the array has the 16 bytes that are read; the load needs no alignment.
    _mm256_broadcastsi128_si256(unsafe { _mm_loadu_si128(nibbles.as_ptr().cast()) })
}

/// Proof that the machine has AVX2: made in [`work`] alone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Machine(());

/// Eight masks in two registers. Whoever has them has a [`Machine`], as has every method below.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lanes256([__m256i; 2]);

/// Runs `work` with vectors of four masks, two at a time.
///
/// # Panics
///
/// If the machine lacks the instructions.
pub(super) fn work(work: impl Work) {
    assert!(std::is_x86_feature_detected!("avx2"));
    // SAFETY: the instructions are there.
    unsafe { run(work) }
}

/// # Safety
///
/// The machine has AVX2.
#[target_feature(enable = "avx2")]
unsafe fn run(work: impl Work) {
    work.run::<Lanes256>(Machine(()));
}

impl BitAnd for Lanes256 {
    type Output = Lanes256;
    #[inline(always)]
    fn bitand(self, other: Lanes256) -> Lanes256 {
        let ([a, b], [c, d]) = (self.0, other.0);
        // SAFETY: whoever has lanes has the machine.
        Lanes256(unsafe { [_mm256_and_si256(a, c), _mm256_and_si256(b, d)] })
    }
}

impl BitOr for Lanes256 {
    type Output = Lanes256;
    #[inline(always)]
    fn bitor(self, other: Lanes256) -> Lanes256 {
        let ([a, b], [c, d]) = (self.0, other.0);
        // SAFETY: whoever has lanes has the machine.
        Lanes256(unsafe { [_mm256_or_si256(a, c), _mm256_or_si256(b, d)] })
    }
}

impl Not for Lanes256 {
    type Output = Lanes256;
    #[inline(always)]
    fn not(self) -> Lanes256 {
        let [a, b] = self.0;
        // SAFETY: whoever has lanes has the machine.
        Lanes256(unsafe {
            let ones = _mm256_set1_epi8(-1);
            [_mm256_xor_si256(a, ones), _mm256_xor_si256(b, ones)]
        })
    }
}

/// `high << N | low >> (64 - N)` of each pair of masks.
///
/// # Safety
///
/// The machine has AVX2.
#[inline(always)]
unsafe fn shifted(high: __m256i, low: __m256i, left: i32) -> __m256i {
    // SAFETY: the caller has the machine.
    unsafe {
        let high = _mm256_sll_epi64(high, _mm_cvtsi32_si128(left));
        _mm256_or_si256(high, _mm256_srl_epi64(low, _mm_cvtsi32_si128(64 - left)))
    }
}

impl Lanes for Lanes256 {
    type Machine = Machine;

    #[inline(always)]
    fn load(_: Machine, masks: &Masks) -> Lanes256 {
        // SAFETY: the machine is there, and the array has the 64 bytes that are read; the loads need no alignment.
        Lanes256(unsafe {
            let at = masks.as_ptr();
            [_mm256_loadu_si256(at.cast()), _mm256_loadu_si256(at.add(LANES / 2).cast())]
        })
    }

    #[inline(always)]
    fn store(self, masks: &mut Masks) {
        let [a, b] = self.0;
        // SAFETY: whoever has lanes has the machine; the array has the 64 bytes that are written, however aligned.
        unsafe {
            let at = masks.as_mut_ptr();
            _mm256_storeu_si256(at.cast(), a);
            _mm256_storeu_si256(at.add(LANES / 2).cast(), b);
        }
    }

    #[inline(always)]
    fn one_before(before: Lanes256, now: Lanes256) -> Lanes256 {
        let ([_, z], [a, b]) = (before.0, now.0);
        // SAFETY: whoever has lanes has the machine.
        Lanes256(unsafe {
            let [before_a, before_b] =
                [_mm256_permute2x128_si256::<0x21>(z, a), _mm256_permute2x128_si256::<0x21>(a, b)];
            [_mm256_alignr_epi8::<8>(a, before_a), _mm256_alignr_epi8::<8>(b, before_b)]
        })
    }

    #[inline(always)]
    fn one_behind(now: Lanes256, next: Lanes256) -> Lanes256 {
        let ([a, b], [c, _]) = (now.0, next.0);
        // SAFETY: whoever has lanes has the machine.
        Lanes256(unsafe {
            let [behind_a, behind_b] =
                [_mm256_permute2x128_si256::<0x21>(a, b), _mm256_permute2x128_si256::<0x21>(b, c)];
            [_mm256_alignr_epi8::<8>(behind_a, a), _mm256_alignr_epi8::<8>(behind_b, b)]
        })
    }

    #[inline(always)]
    fn back<const N: i32>(before: Lanes256, now: Lanes256) -> Lanes256 {
        let ([a, b], [c, d]) = (before.0, now.0);
        // SAFETY: whoever has lanes has the machine.
        Lanes256(unsafe { [shifted(c, a, N), shifted(d, b, N)] })
    }

    #[inline(always)]
    fn ahead<const N: i32>(now: Lanes256, next: Lanes256) -> Lanes256 {
        let ([a, b], [c, d]) = (now.0, next.0);
        // SAFETY: whoever has lanes has the machine.
        Lanes256(unsafe { [shifted(c, a, 64 - N), shifted(d, b, 64 - N)] })
    }
}

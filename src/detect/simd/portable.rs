/*!
The classification without vectors: the specification of the others, and the version of machines that have none of them.

Bytes become bit sets by a table; the sets of eight bytes are turned into eight
bits of each mask by one multiplication.
*/

use super::{BLOCK_BYTES, Block, Fingerprint, Lot};

/// The classes of a byte, one bit each, in the order of [`Block`]'s fields.
const CLASSES: [u32; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = classes_of(byte as u8);
        byte += 1;
    }
    classes
};

const fn classes_of(byte: u8) -> u32 {
    let is = [
        byte.is_ascii_digit(),
        byte.is_ascii_alphabetic(),
        byte.is_ascii_uppercase(),
        byte == b'.',
        byte == b':',
        byte == b'-',
        byte == b'@',
        byte == b'=',
        byte == b'/',
        byte == b' ',
        byte == b'\\',
        byte == b'%',
        byte == b'<',
        byte == b'+',
        byte == b'"',
        byte == b'_',
        matches!(byte, b';' | b'{' | b'}' | b',' | b'\n'),
    ];
    let mut classes = 0;
    let mut class = 0;
    while class < is.len() {
        classes |= (is[class] as u32) << class;
        class += 1;
    }
    classes
}

/// Masks of the lot's blocks; `text` has two bytes more than they.
pub(super) fn classify(fingerprint: &Fingerprint, text: &[u8], mut lot: Lot<'_>) {
    for n in 0..lot.count {
        let text = &text[n * BLOCK_BYTES..][..BLOCK_BYTES + super::BEHIND];
        lot.put(n, &classify_one(fingerprint, text));
    }
}

/// Writes down which bits of `masks` are set; returns how many.
pub(super) fn positions(masks: &[u64], list: &mut [u16]) -> usize {
    let mut written = 0;
    for (n, &mask) in masks.iter().enumerate() {
        let mut rest = mask;
        while rest != 0 {
            list[written] = (n * BLOCK_BYTES) as u16 + rest.trailing_zeros() as u16;
            rest &= rest - 1;
            written += 1;
        }
    }
    written
}

fn classify_one(fingerprint: &Fingerprint, text: &[u8]) -> Block {
    let mut classes = [[0u8; BLOCK_BYTES]; 4];
    let mut literals = [[0u8; BLOCK_BYTES]; 2];
    for at in 0..BLOCK_BYTES {
        let of = CLASSES[usize::from(text[at])].to_le_bytes();
        for (plane, class) in classes.iter_mut().zip(of) {
            plane[at] = class;
        }
        let bytes = [text[at], text[at + 1], text[at + 2]];
        let [one, other] = &fingerprint.free;
        literals[0][at] = fingerprint.part.buckets(bytes);
        literals[1][at] = one.buckets(bytes) | other.buckets(bytes);
    }
    let mask = |class: usize| gather(&classes[class / 8], 1 << (class % 8));
    let zero_behind = (0..BLOCK_BYTES).fold(0, |all, at| all | u64::from(text[at + 1] == b'0') << at);
    Block {
        digit: mask(0),
        letter: mask(1),
        upper: mask(2),
        dot: mask(3),
        colon: mask(4),
        dash: mask(5),
        at: mask(6),
        equals: mask(7),
        slash: mask(8),
        space: mask(9),
        backslash: mask(10),
        percent: mask(11),
        less: mask(12),
        plus: mask(13) & !zero_behind,
        quote: mask(14),
        underscore: mask(15),
        wall: mask(16),
        part: gather(&literals[0], u8::MAX),
        free: gather(&literals[1], u8::MAX),
    }
}

/// One bit for each byte, set where it has one of `bits`.
fn gather(bytes: &[u8; BLOCK_BYTES], bits: u8) -> u64 {
    let (words, _) = bytes.as_chunks::<8>();
    let mut mask = 0;
    for (n, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word) & u64::from_le_bytes([bits; 8]);
        // A byte's highest bit becomes one if any of its bits is: the sum of seven bits cannot carry over.
        let low = word & !HIGH;
        let any = ((low + !HIGH) | word) & HIGH;
        mask |= ((any >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56) << (8 * n);
    }
    mask
}

const HIGH: u64 = 0x8080_8080_8080_8080;

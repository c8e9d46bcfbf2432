/*!
The classification without vectors: the specification of the others, and the version of machines that have none of them.

Bytes become bit sets by a table; the sets of eight bytes are turned into eight
bits of each mask by one multiplication.
*/

use super::{BLOCK_BYTES, Block, Fingerprint};

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
        byte.is_ascii_hexdigit(),
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
    ];
    let mut classes = 0;
    let mut class = 0;
    while class < is.len() {
        classes |= (is[class] as u32) << class;
        class += 1;
    }
    classes
}

/// Masks of as many blocks as there are; `text` has two bytes more than they.
pub(super) fn classify(fingerprint: &Fingerprint, text: &[u8], blocks: &mut [Block]) {
    for (n, block) in blocks.iter_mut().enumerate() {
        let text = &text[n * BLOCK_BYTES..][..BLOCK_BYTES + super::BEHIND];
        *block = classify_one(fingerprint, text);
    }
}

fn classify_one(fingerprint: &Fingerprint, text: &[u8]) -> Block {
    let mut classes = [[0u8; BLOCK_BYTES]; 3];
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
    Block {
        digit: mask(0),
        letter: mask(1),
        upper: mask(2),
        hex: mask(3),
        dot: mask(4),
        colon: mask(5),
        dash: mask(6),
        at: mask(7),
        equals: mask(8),
        slash: mask(9),
        space: mask(10),
        backslash: mask(11),
        percent: mask(12),
        less: mask(13),
        plus: mask(14),
        quote: mask(15),
        underscore: mask(16),
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

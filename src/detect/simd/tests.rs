use proptest::prelude::*;

use super::*;

fn fingerprint() -> Fingerprint {
    let mut fingerprint = Fingerprint::default();
    for (bucket, literal) in [*b"eyJ", *b"akI", *b"ghp", *b"\x80\xff\x00"].into_iter().enumerate() {
        fingerprint.part.add(literal, bucket);
    }
    fingerprint.free[0].add(*b"://", 7);
    fingerprint.free[1].add(*b":AA", 0);
    fingerprint
}

fn masks(kind: Kind, text: &[u8], from: usize) -> Vec<Block> {
    let classifier = Classifier::of_kind(kind, fingerprint());
    assert_eq!(classifier.kind(), kind, "the machine can run it");
    let mut blocks = vec![Block::default(); (text.len() - from).div_ceil(BLOCK_BYTES) + 1];
    classifier.classify(text, from, &mut blocks);
    blocks
}

#[track_caller]
fn check(text: &[u8], from: usize) {
    let plain = masks(Kind::Portable, text, from);
    for kind in Kind::available() {
        assert!(masks(kind, text, from) == plain, "{kind:?} at {from} of {} bytes", text.len());
    }
}

/// What the masks say of a byte, told without masks.
fn classes(byte: u8) -> Vec<bool> {
    vec![
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
    ]
}

#[test]
fn every_byte_in_every_place_is_told_right() {
    for byte in 0..=255 {
        for place in [0, 1, 31, 32, 62, 63] {
            let mut text = [0; BLOCK_BYTES];
            text[place] = byte;
            let block = masks(Kind::Portable, &text, 0)[0];
            let told = [
                block.digit,
                block.letter,
                block.upper,
                block.hex,
                block.dot,
                block.colon,
                block.dash,
                block.at,
                block.equals,
                block.slash,
                block.space,
                block.backslash,
                block.percent,
                block.less,
                block.plus,
                block.quote,
                block.underscore,
            ];
            let expected: Vec<u64> = classes(byte).iter().map(|&is| u64::from(is) << place).collect();
            assert_eq!(told.as_slice(), expected, "{byte} at {place}");
            check(&text, 0);
        }
    }
}

#[test]
fn every_length_and_every_alignment_is_the_same() {
    let text: Vec<u8> = (0..300u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for from in 0..=BLOCK_BYTES {
        for end in from..from + 2 * BLOCK_BYTES + 4 {
            check(&text[..end], from);
        }
    }
}

#[test]
fn literals_are_found_over_the_end_of_a_block() {
    for place in 0..2 * BLOCK_BYTES {
        let mut text = vec![b' '; 3 * BLOCK_BYTES];
        text[place..place + 3].copy_from_slice(b"EyJ");
        let blocks = masks(Kind::Portable, &text, 0);
        assert_ne!(blocks[place / BLOCK_BYTES].part >> (place % BLOCK_BYTES) & 1, 0);
        check(&text, 0);
    }
}

proptest! {
    #[test]
    fn all_versions_agree_on_any_bytes(text in proptest::collection::vec(any::<u8>(), 0..400), from in 0usize..80) {
        check(&text, from.min(text.len()));
    }

    #[test]
    fn all_versions_agree_on_text(text in "[ -~]{0,300}", from in 0usize..80) {
        check(text.as_bytes(), from.min(text.len()));
    }
}

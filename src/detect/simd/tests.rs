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

fn masks(kind: Kind, text: &[u8], from: usize) -> Vec<Group> {
    let classifier = Classifier::of_kind(kind, fingerprint());
    assert_eq!(classifier.kind(), kind, "the machine can run it");
    let count = (text.len() - from).div_ceil(BLOCK_BYTES) + 1;
    let mut groups = vec![Group::default(); count.div_ceil(LANES)];
    classifier.classify(text, from, &mut groups, count);
    groups
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
                block.wall,
            ];
            let expected: Vec<u64> = classes(byte).iter().map(|&is| u64::from(is) << place).collect();
            let told: Vec<u64> = told.iter().map(|masks| masks[0]).collect();
            assert_eq!(told, expected, "{byte} at {place}");
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
        let groups = masks(Kind::Portable, &text, 0);
        assert_ne!(groups[0].part[place / BLOCK_BYTES] >> (place % BLOCK_BYTES) & 1, 0);
        check(&text, 0);
    }
}

/// Does a little of everything that lanes can.
struct Everything<'a>(&'a [Masks; 2], &'a mut Vec<Masks>);

impl Work for Everything<'_> {
    fn run<L: Lanes>(self, machine: L::Machine) {
        let Everything(masks, out) = self;
        let [a, b] = [L::load(machine, &masks[0]), L::load(machine, &masks[1])];
        let (before, behind) = (L::one_before(a, b), L::one_behind(a, b));
        let all = [
            a & b,
            a | b,
            !a,
            before,
            behind,
            L::back::<1>(before, b),
            L::back::<63>(before, b),
            L::back::<32>(before, b),
            L::ahead::<1>(a, behind),
            L::ahead::<63>(a, behind),
            L::ahead::<32>(a, behind),
        ];
        for lanes in all {
            let mut masks = [0; LANES];
            lanes.store(&mut masks);
            out.push(masks);
        }
    }
}

fn everything(kind: Kind, masks: &[Masks; 2]) -> Vec<Masks> {
    let mut out = Vec::new();
    Classifier::of_kind(kind, fingerprint()).work(Everything(masks, &mut out));
    out
}

/// The same over numbers of as many bits as all blocks have.
#[test]
fn masks_are_shifted_over_the_borders_of_blocks() {
    let masks = [[1 << 63 | 1; LANES], [1 << 62 | 2; LANES]];
    let told = everything(Kind::Portable, &masks);
    assert_eq!(told[5][0], 1 << 63 | 4 | 1, "the bit before comes from the last of the blocks before");
    assert_eq!(told[5][1], 1 << 63 | 4, "and from the block before");
    assert_eq!(told[8][LANES - 1], 1 << 62, "what stands behind the last block begins without the bit");
    assert_eq!(told[8][0], 1 << 63 | 1 << 62);
}

proptest! {
    #[test]
    fn all_versions_compute_the_same(masks: [Masks; 2]) {
        let plain = everything(Kind::Portable, &masks);
        for kind in Kind::available() {
            prop_assert_eq!(&everything(kind, &masks), &plain, "{:?}", kind);
        }
    }

    #[test]
    fn all_versions_write_the_same_places(masks in proptest::collection::vec(any::<u64>(), 0..9), dense: bool) {
        let masks: Vec<u64> = masks.iter().map(|mask| if dense { *mask | mask >> 7 } else { mask & mask >> 9 }).collect();
        let places = |kind| {
            let mut list = vec![u16::MAX; masks.len() * BLOCK_BYTES + BLOCK_BYTES];
            let count = Classifier::of_kind(kind, fingerprint()).positions(&masks, &mut list);
            list.truncate(count);
            list
        };
        let plain = places(Kind::Portable);
        prop_assert!(plain.iter().all(|&at| masks[usize::from(at) / 64] >> (at % 64) & 1 == 1));
        for kind in Kind::available() {
            prop_assert_eq!(&places(kind), &plain, "{:?}", kind);
        }
    }

    #[test]
    fn all_versions_agree_on_any_bytes(text in proptest::collection::vec(any::<u8>(), 0..400), from in 0usize..80) {
        check(&text, from.min(text.len()));
    }

    #[test]
    fn all_versions_agree_on_text(text in "[ -~]{0,300}", from in 0usize..80) {
        check(text.as_bytes(), from.min(text.len()));
    }
}

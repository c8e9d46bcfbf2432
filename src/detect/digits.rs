/*!
Runs of ASCII digits, eight bytes at a time.

Logs are full of digits, and asking byte by byte costs a mispredicted branch at
either end of each run. Here eight bytes become eight bits by arithmetic within
a word, and the runs are read off the bits.
*/

use crate::span::Span;

/// Calls `each` with every run of digits, in order.
pub fn runs(haystack: &[u8], mut each: impl FnMut(Span)) {
    // The start of a run that goes on over a block's end.
    let mut open = None;
    let mut base = 0;
    for block in haystack.chunks(64) {
        let mask = mask(block);
        let mut at = 0;
        while at < block.len() {
            let rest = mask >> at;
            match open {
                None if rest == 0 => break,
                None => {
                    at += rest.trailing_zeros() as usize;
                    open = Some(base + at);
                }
                Some(start) => {
                    at += rest.trailing_ones() as usize;
                    if at < block.len() {
                        each(Span::new(start, base + at));
                        open = None;
                    }
                }
            }
        }
        base += block.len();
    }
    if let Some(start) = open {
        each(Span::new(start, haystack.len()));
    }
}

/// One bit for each byte of a block of at most 64, set where it is a digit.
fn mask(block: &[u8]) -> u64 {
    let mut mask = 0;
    let (words, rest) = block.as_chunks::<8>();
    for (n, word) in words.iter().enumerate() {
        mask |= u64::from(word_mask(u64::from_le_bytes(*word))) << (8 * n);
    }
    for (n, byte) in rest.iter().enumerate() {
        mask |= u64::from(byte.is_ascii_digit()) << (8 * words.len() + n);
    }
    mask
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// The lowest byte is bit 0. No carry crosses from byte to byte: each sum stays below 256.
fn word_mask(word: u64) -> u8 {
    let low = word & !HIGH;
    let at_least_0 = low + (0x80 - b'0' as u64) * ONES;
    let above_9 = low + (0x80 - b'9' as u64 - 1) * ONES;
    let digits = (at_least_0 & !above_9 & !word & HIGH) >> 7;
    // Gathers the eight bits into the highest byte.
    (digits.wrapping_mul(0x0102_0408_1020_4080) >> 56) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition, byte by byte.
    fn plain(haystack: &[u8]) -> Vec<Span> {
        let mut found = Vec::new();
        let mut at = 0;
        while at < haystack.len() {
            let run = haystack[at..].iter().take_while(|b| b.is_ascii_digit()).count();
            if run > 0 {
                found.push(Span::new(at, at + run));
            }
            at += run.max(1);
        }
        found
    }

    fn fast(haystack: &[u8]) -> Vec<Span> {
        let mut found = Vec::new();
        runs(haystack, |run| found.push(run));
        found
    }

    #[test]
    fn every_byte_is_told_right_in_every_place() {
        for byte in 0..=255 {
            for place in 0..8 {
                let mut word = [b'x'; 8];
                word[place] = byte;
                let expected = u8::from(byte.is_ascii_digit()) << place;
                assert_eq!(word_mask(u64::from_le_bytes(word)), expected, "{byte} at {place}");
            }
        }
    }

    #[test]
    fn runs_go_on_over_blocks() {
        for len in [0, 1, 63, 64, 65, 128, 200] {
            let digits = vec![b'7'; len];
            assert_eq!(fast(&digits), plain(&digits));
            let inside = [b"x".as_slice(), &digits, b"x"].concat();
            assert_eq!(fast(&inside), plain(&inside));
        }
    }

    proptest! {
        /// runs(h) = plain(h)
        #[test]
        fn agrees_with_the_definition(haystack in proptest::collection::vec(prop_oneof![Just(b'1'), Just(b'9'), Just(b'x'), any::<u8>()], 0..300)) {
            prop_assert_eq!(fast(&haystack), plain(&haystack));
        }
    }
}

/*!
Where a stride has tokens, and how far before them the names of their services may stand.

Most literals are marks of tokens (`ghp_`) and names of services (`okta`), which are nothing without a run of
[`TOKEN_BYTES`] at them or behind them. Where there is none, they need not be looked for. What is told is
"perhaps": borders of haystacks are not minded, and what lies behind the stride may be a token.
*/

use super::anchor::{COMMA_BYTES_MAX, SERVICE_BYTES_MAX, TOKEN_BYTES};
use super::narrow::BLOCKS;
use super::simd::{BLOCK_BYTES, Group, LANES};

/// Blocks before a token in which the name of its service may stand, that of the token too.
const BLOCKS_BEFORE: usize = SERVICE_BYTES_MAX / BLOCK_BYTES + 1;

const _: () = assert!(TOKEN_BYTES == 16, "a run is told by four doublings");

/// The masks of a stride and of the block behind it that tell.
pub(super) struct Tokens {
    /// Blocks of the stride.
    blocks: usize,
    /// Bytes at which a run of [`TOKEN_BYTES`] begins, or goes on for as many.
    runs: [u64; BLOCKS + 1],
    /// Signs that part a name from a token.
    walls: [u64; BLOCKS + 1],
}

impl Tokens {
    /// `groups` are those of the stride and one more, of which only the first block counts.
    pub(super) fn of(groups: &[Group]) -> Tokens {
        let blocks = (groups.len() - 1) * LANES;
        let mut tokens = Tokens { blocks, runs: [0; BLOCKS + 1], walls: [0; BLOCKS + 1] };
        // What lies behind may go on.
        let mut behind = !0;
        for block in (0..=blocks).rev() {
            let (group, lane) = (&groups[block / LANES], block % LANES);
            let here = group.word[lane] | group.underscore[lane] | group.dash[lane];
            let two = u128::from(here) | u128::from(behind) << BLOCK_BYTES;
            let two = two & two >> 1;
            let four = two & two >> 2;
            let eight = four & four >> 4;
            tokens.runs[block] = (eight & eight >> 8) as u64;
            tokens.walls[block] = group.wall[lane];
            behind = here;
        }
        tokens
    }

    /// The bytes at which a token's mark or a service's name may begin, as masks of the stride's blocks. The stride begins at
    /// byte `base` of `buffer`.
    pub(super) fn reach(&self, buffer: &[u8], base: usize) -> [u64; BLOCKS + 1] {
        let mut reach = self.runs;
        let mut before = 0;
        for block in 0..=self.blocks {
            let runs = self.runs[block];
            let mut begins = runs & !(runs << 1 | before >> (BLOCK_BYTES - 1));
            while begins != 0 {
                let token = block * BLOCK_BYTES + begins.trailing_zeros() as usize;
                self.reach_back(buffer, base, token, &mut reach);
                begins &= begins - 1;
            }
            before = runs;
        }
        // A token may begin right behind.
        self.reach_back(buffer, base, (self.blocks + 1) * BLOCK_BYTES, &mut reach);
        reach
    }

    /// Adds what lies before the token that begins at byte `token` of the stride, up to the next wall. A comma is none if it
    /// stands between two arguments.
    fn reach_back(&self, buffer: &[u8], base: usize, token: usize, reach: &mut [u64; BLOCKS + 1]) {
        let mut end = token;
        for _ in 0..=BLOCKS_BEFORE {
            let Some(last) = end.checked_sub(1) else { return };
            let block = last / BLOCK_BYTES;
            let below = !0 >> (BLOCK_BYTES - 1 - last % BLOCK_BYTES);
            let mut walls = self.walls[block] & below;
            while walls != 0 {
                let wall = BLOCK_BYTES - 1 - walls.leading_zeros() as usize;
                let is_comma = buffer.get(base + block * BLOCK_BYTES + wall) == Some(&b',');
                if !is_comma || block * BLOCK_BYTES + wall + COMMA_BYTES_MAX < token {
                    reach[block] |= below & (!1 << wall);
                    return;
                }
                walls ^= 1 << wall;
            }
            reach[block] |= below;
            end = block * BLOCK_BYTES;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::detect::anchor::is_before_token;
    use crate::detect::simd::{Classifier, Fingerprint};

    /// The masks of the first blocks of `text`, a stride's at most.
    fn reach(text: &[u8], base: usize) -> [u64; BLOCKS + 1] {
        let blocks = (text.len() - base).div_ceil(BLOCK_BYTES).min(BLOCKS).div_ceil(LANES) * LANES;
        let mut groups = vec![Group::default(); blocks / LANES + 1];
        Classifier::new(Fingerprint::default()).classify(text, base, &mut groups, blocks + 1);
        Tokens::of(&groups).reach(text, base)
    }

    fn has(masks: &[u64], at: usize) -> bool {
        masks[at / BLOCK_BYTES] >> (at % BLOCK_BYTES) & 1 == 1
    }

    const TOKEN: &str = "0a1b2c3d4e5f6a7b";

    #[test]
    fn a_name_reaches_its_token_up_to_a_wall() {
        let end = " ".repeat(2 * BLOCK_BYTES * LANES);
        for (text, reached) in [
            (format!("okta key {TOKEN}"), true),
            (format!("okta(a, '{TOKEN}')"), true),
            (format!("okta{}{TOKEN}", " ".repeat(SERVICE_BYTES_MAX - 4)), true),
            (format!("okta {{{TOKEN}"), false),
            (format!("okta; {TOKEN}"), false),
            (format!("okta\n{TOKEN}"), false),
            (format!("okta, key is now {TOKEN}"), false),
            (format!("okta key {}", &TOKEN[1..]), false),
            (format!("okta{}{TOKEN}", " ".repeat(SERVICE_BYTES_MAX + 2 * BLOCK_BYTES)), false),
        ] {
            for before in [0, 1, 50, 60, 63, 64, 100, 127, 400] {
                let text = format!("{}{text}{end}", " ".repeat(before));
                assert_eq!(has(&reach(text.as_bytes(), 0), before), reached, "{text}");
            }
        }
    }

    #[test]
    fn what_lies_behind_the_stride_may_be_a_token() {
        for before in (BLOCKS - 2) * BLOCK_BYTES..BLOCKS * BLOCK_BYTES {
            let text = format!("{}okta{}{TOKEN}", " ".repeat(before), " ".repeat(SERVICE_BYTES_MAX - 4));
            assert!(has(&reach(text.as_bytes(), 0), before), "{before}");
        }
    }

    proptest! {
        /// Wherever the exact question is answered with yes, the masks say perhaps.
        #[test]
        fn no_name_is_missed(parts in prop::collection::vec("[a-zA-Z0-9_-]{0,40}|[ ,;{}\n'(.=]{1,3}| {1,90}", 1..120)) {
            let text = parts.concat().into_bytes();
            for base in (0..text.len()).step_by(BLOCKS * BLOCK_BYTES) {
                let masks = reach(&text, base);
                for at in base..text.len().min(base + BLOCKS * BLOCK_BYTES) {
                    prop_assert!(!is_before_token(&text, at) || has(&masks, at - base), "at {at}");
                }
            }
        }
    }
}

/*!
Narrows the candidates of one stride down: what a look at a few bytes tells is taken out before anybody is asked.

The places of one kind are written down for all blocks of the stride, then
looked at in one loop, which has no branch that depends on the text but for keys
that are met for the first time. So what is no value costs a few cycles a place.
*/

use super::Rules;
use super::candidates::{Candidates, Carry, Step};
use super::entity::wallet;
use super::known::{KEY_BYTES_MAX, Known, ShortKey};
use super::simd::{BLOCK_BYTES, Group, LANES, Masks};
use super::table::{Begins, PLACES};
use super::tokens::Tokens;

/// Groups of blocks in a stride: their masks stay in a core's nearest cache.
const GROUPS: usize = 4;

/// Blocks in a stride.
pub(super) const BLOCKS: usize = GROUPS * LANES;

const _: () = assert!(BLOCKS * BLOCK_BYTES == PLACES, "a stride's places are narrowed down in one go");

/// Blocks before a stride whose masks are kept, for keys that began there.
const KEPT: usize = 1;

/// Masks of blocks in a row, those of a stride and of the blocks before it.
#[derive(Clone, Copy, Debug)]
struct Row([u64; KEPT + BLOCKS]);

impl Row {
    /// Takes the masks of a stride in; the last of those that were here come to stand before them.
    fn turn<'a>(&mut self, masks: impl Iterator<Item = &'a Masks>) {
        self.0.copy_within(BLOCKS.., 0);
        let (rows, _) = self.0[KEPT..].as_chunks_mut::<LANES>();
        for (row, masks) in rows.iter_mut().zip(masks) {
            *row = *masks;
        }
    }

    /// The 64 bits before `place`, the nearest one highest.
    #[inline]
    fn before(&self, place: usize) -> u64 {
        let block = KEPT + place / BLOCK_BYTES;
        let both = u128::from(self.0[block]) << 64 | u128::from(self.0[block - 1]);
        (both >> (place % BLOCK_BYTES)) as u64
    }
}

/// What a worker keeps of a stride.
#[derive(Debug)]
pub(super) struct Stride {
    /// One more than the stride has, of which only the first block counts.
    groups: [Group; GROUPS + 1],
    found: [Candidates; GROUPS],
    /// Where haystacks begin and what lies behind one begins, in each block and the one behind the stride.
    starts: [Masks; GROUPS + 1],
    carry: Carry,
    rows: Rows,
    list: [u16; PLACES + BLOCK_BYTES],
    /// Where to ask in each block, whomever.
    pub(super) all: [u64; BLOCKS],
    /// Where of this the stride begins.
    pub(super) base: usize,
}

#[derive(Debug)]
struct Rows {
    /// Bytes of a key without quotes.
    key: Row,
    quote: Row,
    start: Row,
}

impl Default for Stride {
    fn default() -> Stride {
        let row = Row([0; KEPT + BLOCKS]);
        Stride {
            groups: [Group::default(); GROUPS + 1],
            found: [Candidates::default(); GROUPS],
            starts: [[0; LANES]; GROUPS + 1],
            carry: Carry::default(),
            rows: Rows { key: row, quote: row, start: row },
            list: [0; PLACES + BLOCK_BYTES],
            all: [0; BLOCKS],
            base: 0,
        }
    }
}

/// Where to ask whom, at one bit of a stride.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    found: &'a Candidates,
    lane: usize,
    bit: u64,
}

impl Place<'_> {
    /// Whether the mask that `of` chooses has the bit.
    #[inline]
    pub(super) fn is(&self, of: impl Fn(&Candidates) -> &Masks) -> bool {
        of(self.found)[self.lane] & self.bit != 0
    }
}

impl Stride {
    /// Gets ready for another buffer.
    pub(super) fn begin(&mut self) {
        self.carry = Carry::default();
        let Rows { key, quote, start } = &mut self.rows;
        for row in [key, quote, start] {
            row.0.fill(0);
        }
    }

    /// Finds the candidates in `count` blocks of `buffer` from `base` on, [`BLOCKS`] at most. `borders` sets the bits, a mask
    /// for each block and the one behind them, at which a haystack begins or ends.
    pub(super) fn find(
        &mut self,
        rules: &Rules,
        buffer: &[u8],
        base: usize,
        count: usize,
        borders: impl FnOnce(&mut [u64]),
    ) {
        let classifier = rules.literals.classifier();
        let groups = count.div_ceil(LANES);
        classifier.classify(buffer, base, &mut self.groups, groups * LANES + 1);
        borders(&mut self.starts.as_flattened_mut()[..=groups * LANES]);
        let Stride { groups: of_blocks, found, starts, carry, .. } = self;
        let (of_blocks, starts) = (&of_blocks[..=groups], &starts[..=groups]);
        classifier.work(Step { carry, groups: of_blocks, starts, found: &mut found[..groups] });
        self.base = base;
        self.turn_rows();
    }

    fn turn_rows(&mut self) {
        let (groups, found) = (&self.groups[..GROUPS], &self.found);
        self.rows.key.turn(found.iter().map(|found| &found.key));
        self.rows.quote.turn(groups.iter().map(|group| &group.quote));
        self.rows.start.turn(self.starts[..GROUPS].iter());
    }

    /// Takes out what a few bytes tell, and sums up where to ask in the `count` blocks.
    pub(super) fn narrow(
        &mut self,
        rules: &Rules,
        known: &mut Known,
        wants_uuids: bool,
        buffer: &[u8],
        count: usize,
    ) {
        let groups = count.div_ceil(LANES);
        self.narrow_keys(rules, known, buffer, groups);
        self.narrow_literals(rules, buffer, groups);
        for (n, found) in self.found[..groups].iter_mut().enumerate() {
            for lane in 0..LANES {
                let mut rest = found.word_run[lane];
                while rest != 0 {
                    let bit = rest & rest.wrapping_neg();
                    rest ^= bit;
                    let at = self.base + (n * LANES + lane) * BLOCK_BYTES + bit.trailing_zeros() as usize;
                    let start = (at + 1).checked_sub(wallet::BYTES_MIN);
                    if !start.is_some_and(|start| wallet::may_begin(&buffer[start..])) {
                        found.word_run[lane] ^= bit;
                    }
                }
                let uuid = if wants_uuids { found.uuid[lane] } else { 0 };
                self.all[n * LANES + lane] = found.shapes[lane]
                    | found.separator[lane]
                    | found.anchor[lane]
                    | found.word_run[lane]
                    | uuid;
            }
        }
    }

    /// Leaves the places at which a literal perhaps begins.
    fn narrow_literals(&mut self, rules: &Rules, buffer: &[u8], groups: usize) {
        let mut near = [0; BLOCKS];
        let (rows, _) = near.as_chunks_mut::<LANES>();
        for (row, found) in rows.iter_mut().zip(&mut self.found) {
            *row = std::mem::take(&mut found.anchor);
        }
        let mut others = near;
        let reach = Tokens::of(&self.groups[..=groups]).reach(buffer, self.base);
        for ((near, other), reach) in near.iter_mut().zip(&mut others).zip(&reach) {
            (*near, *other) = (*near & reach, *other & !reach);
        }
        let table = rules.literals.table();
        self.leave_literals(rules, buffer, &near[..groups * LANES], &table.all);
        self.leave_literals(rules, buffer, &others[..groups * LANES], &table.free);
    }

    /// Of the places in `masks`, those at which one of the literals perhaps begins.
    fn leave_literals<const N: usize>(
        &mut self,
        rules: &Rules,
        buffer: &[u8],
        masks: &[u64],
        begins: &Begins<N>,
    ) {
        let count = rules.literals.classifier().positions(masks, &mut self.list);
        let left = begins.narrow(buffer, self.base, &mut self.list[..count]);
        for &place in &self.list[..left] {
            let place = usize::from(place);
            let block = place / BLOCK_BYTES;
            self.found[block / LANES].anchor[block % LANES] |= 1 << (place % BLOCK_BYTES);
        }
    }

    /// Leaves the separators before which a key stands that a rule lists, or what may be one.
    fn narrow_keys(&mut self, rules: &Rules, known: &mut Known, buffer: &[u8], groups: usize) {
        let mut masks = [0; BLOCKS];
        let (rows, _) = masks.as_chunks_mut::<LANES>();
        for (row, found) in rows.iter_mut().zip(&mut self.found) {
            *row = std::mem::take(&mut found.separator);
        }
        let count = rules.literals.classifier().positions(&masks[..groups * LANES], &mut self.list);
        for n in 0..count {
            let place = usize::from(self.list[n]);
            let at = self.base + place;
            let short = self.rows.short_key(buffer, at, place);
            if short.as_ref().is_some_and(|(key, _)| known.has(*key)) {
                continue;
            }
            let mut may_count = rules.names.may_be_before(buffer, at);
            if let Some((key, span)) = short
                && (!may_count || rules.names.rules(&buffer[span]).is_empty())
            {
                known.add(key);
                may_count = false;
            }
            let block = place / BLOCK_BYTES;
            self.found[block / LANES].separator[block % LANES] |=
                u64::from(may_count) << (place % BLOCK_BYTES);
        }
    }

    /// Who is to be asked at a bit of a block.
    pub(super) fn place(&self, block: usize, bit: u64) -> Place<'_> {
        Place { found: &self.found[block / LANES], lane: block % LANES, bit }
    }
}

impl Rows {
    /// The key before the separator at `at` of the buffer, `place` of the stride, and where it stands: in double quotes or
    /// without any, directly before the separator, within one haystack and not longer than is remembered.
    #[inline]
    fn short_key(
        &self,
        buffer: &[u8],
        at: usize,
        place: usize,
    ) -> Option<(ShortKey, std::ops::Range<usize>)> {
        let window: &[u8; KEY_BYTES_MAX + 3] =
            buffer.get(at.checked_sub(KEY_BYTES_MAX + 3)?..at)?.try_into().ok()?;
        let [.., before_last, last] = *window;
        let starts = self.start.before(place);
        let (len, end) = if last == b'"' {
            if before_last == b'\\' {
                return None;
            }
            // No haystack begins behind the opening quote.
            let len = (self.quote.before(place) << 1).leading_zeros() as usize;
            (if starts.leading_zeros() as usize <= len { 0 } else { len }, at - 1)
        } else {
            let len = self.key.before(place).leading_ones() as usize;
            if len > KEY_BYTES_MAX || goes_on(window[window.len() - 1 - len]) {
                return None;
            }
            // None begins behind the first byte.
            (if starts.leading_zeros() as usize + 1 < len { 0 } else { len }, at)
        };
        if len == 0 || len > KEY_BYTES_MAX {
            return None;
        }
        let bytes = buffer[end - 16..end].try_into().ok()?;
        Some((ShortKey::new(bytes, len), end - len..end))
    }
}

/// Whether a byte belongs to a key without quotes that is not told by its mask.
fn goes_on(byte: u8) -> bool {
    byte >= 0x80 || matches!(byte, b'$' | b'%' | b'[' | b']')
}

/*!
The table that knows from a few bytes which literals may begin at a place.

A place is first asked whether any literal may begin there at all, by sets of hashes that stay in a
core's nearest cache; most may not. Then the few literals with the same beginning are compared by their first
eight bytes, which stand beside each other.
*/

use super::anchor::{Literal, Place};

/// Bytes by which beginnings are told: those of literals of 3 bytes, of 4 and 5, and of longer ones.
const BEGIN_BYTES: [u32; 3] = [3, 4, 6];

/// Slots of each list of [`Table`]: a power of two.
const SLOTS: usize = 2048;

/// Places that are narrowed down in one go.
pub(super) const PLACES: usize = 2048;

/// Knows where literals may begin.
#[derive(Debug)]
pub(super) struct Table {
    /// Beginnings of all literals.
    pub(super) all: Begins<1024>,
    /// Of those that need no token at them or behind them.
    pub(super) free: Begins<512>,
    /// By the bytes of [`BEGIN_BYTES`].
    lists: [List; 3],
}

/// Beginnings of literals.
#[derive(Debug)]
pub(super) struct Begins<const WORDS: usize> {
    /// The first three bytes of all: most places are told by these alone.
    first: Bits<WORDS>,
    /// By the bytes of [`BEGIN_BYTES`].
    told_by: [Bits<WORDS>; 3],
}

/// A set of hashes, of `64 * WORDS` bits.
#[derive(Debug)]
struct Bits<const WORDS: usize>(Box<[u64; WORDS]>);

impl<const WORDS: usize> Bits<WORDS> {
    fn new() -> Bits<WORDS> {
        Bits(Box::new([0; WORDS]))
    }

    #[inline(always)]
    fn bit(hash: u64) -> usize {
        (hash >> (64 - (64 * WORDS).trailing_zeros())) as usize
    }

    fn add(&mut self, hash: u64) {
        let bit = Self::bit(hash);
        self.0[bit / 64] |= 1 << (bit % 64);
    }

    #[inline(always)]
    fn has(&self, hash: u64) -> bool {
        let bit = Self::bit(hash);
        self.0[bit / 64 % WORDS] >> (bit % 64) & 1 == 1
    }
}

/// Literals by a hash of their beginnings.
#[derive(Debug, Default)]
struct List {
    /// Where a slot's entries begin; those of the next slot stand behind them.
    slots: Vec<u16>,
    entries: Vec<Entry>,
}

/// What tells a literal from others.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// Its first eight bytes.
    head: u64,
    /// Which bits of them count: not those behind its end, and not bit 5, which tells the case of letters.
    counts: u64,
    /// Its place in the list of literals.
    literal: u16,
}

/// A hash of the first `count` of eight bytes, in which the case of letters does not count: its upper bits are the best.
#[inline(always)]
fn hash(bytes: [u8; 8], count: u32) -> u64 {
    let folded = u64::from_le_bytes(bytes) | 0x2020_2020_2020_2020;
    (folded << (64 - 8 * count)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Up to eight bytes from `at` on; zeros behind the end, which belong to no literal.
fn bytes_at(haystack: &[u8], at: usize) -> [u8; 8] {
    let text = haystack.get(at..).unwrap_or_default();
    text.first_chunk().copied().unwrap_or_else(|| {
        let mut bytes = [0; 8];
        bytes[..text.len()].copy_from_slice(text);
        bytes
    })
}

/// Which of [`BEGIN_BYTES`] tells a literal.
fn told_by(literal: &Literal) -> usize {
    BEGIN_BYTES.iter().rposition(|count| *count as usize <= literal.text.len()).unwrap_or(0)
}

impl<const WORDS: usize> Begins<WORDS> {
    fn of<'a>(literals: impl Iterator<Item = &'a Literal>) -> Begins<WORDS> {
        let mut begins = Begins { first: Bits::new(), told_by: [0; 3].map(|_: u8| Bits::new()) };
        for literal in literals {
            let (bytes, by) = (bytes_at(&literal.text, 0), told_by(literal));
            begins.first.add(hash(bytes, BEGIN_BYTES[0]));
            begins.told_by[by].add(hash(bytes, BEGIN_BYTES[by]));
        }
        begins
    }

    #[inline(always)]
    fn has(&self, bytes: [u8; 8]) -> bool {
        let [three, four, six] = &self.told_by;
        three.has(hash(bytes, 3)) | four.has(hash(bytes, 4)) | six.has(hash(bytes, 6))
    }

    /// Leaves those of `places` behind at which a literal perhaps begins; returns how many. A place stands for the byte of
    /// `haystack` that is as many behind `base`, and is below [`PLACES`].
    pub(super) fn narrow(&self, haystack: &[u8], base: usize, places: &mut [u16]) -> usize {
        let window = haystack.get(base..).and_then(|text| text.first_chunk::<{ PLACES + 8 }>());
        let Some(window) = window else {
            return leave(places, |place| self.has(bytes_at(haystack, base + usize::from(place))));
        };
        let at =
            |place: u16| window[usize::from(place) % PLACES..].first_chunk().copied().unwrap_or_default();
        let left = leave(places, |place| self.first.has(hash(at(place), BEGIN_BYTES[0])));
        leave(&mut places[..left], |place| self.has(at(place)))
    }
}

/// Moves those of `places` to the front that `is` holds for; returns how many.
#[inline(always)]
fn leave(places: &mut [u16], is: impl Fn(u16) -> bool) -> usize {
    let mut left = 0;
    for n in 0..places.len() {
        let place = places[n];
        places[left] = place;
        left += usize::from(is(place));
    }
    left
}

impl List {
    fn slot(hash: u64) -> usize {
        (hash >> (64 - SLOTS.trailing_zeros())) as usize
    }

    fn of(by: usize, literals: &[Literal]) -> List {
        let mut all: Vec<(usize, Entry)> = Vec::new();
        for (n, literal) in literals.iter().enumerate().filter(|(_, literal)| told_by(literal) == by) {
            let bytes = bytes_at(&literal.text, 0);
            let counts = u64::from_le_bytes(bytes.map(|byte| if byte == 0 { 0 } else { !0x20 }));
            let entry = Entry { head: u64::from_le_bytes(bytes), counts, literal: n as u16 };
            all.push((List::slot(hash(bytes, BEGIN_BYTES[by])), entry));
        }
        all.sort_by_key(|(slot, _)| *slot);
        let begin = |slot: usize| all.partition_point(|(of, _)| *of < slot) as u16;
        let slots = (0..=SLOTS).map(begin).collect();
        List { slots, entries: all.into_iter().map(|(_, entry)| entry).collect() }
    }

    fn entries(&self, hash: u64) -> &[Entry] {
        let slot = List::slot(hash);
        &self.entries[usize::from(self.slots[slot])..usize::from(self.slots[slot + 1])]
    }
}

impl Table {
    /// The table of these literals, of which none has a zero byte.
    pub(super) fn new(literals: &[Literal]) -> Table {
        let alone = literals.iter().filter(|literal| !matches!(literal.place, Place::Token | Place::Service));
        Table {
            all: Begins::of(literals.iter()),
            free: Begins::of(alone),
            lists: [0, 1, 2].map(|by| List::of(by, literals)),
        }
    }

    /// Tells the literals that stand at `at` as far as their first eight bytes tell: their places in the list, in rising
    /// order.
    #[inline]
    pub(super) fn each_at(&self, haystack: &[u8], at: usize, mut each: impl FnMut(usize)) {
        let bytes = bytes_at(haystack, at);
        let word = u64::from_le_bytes(bytes);
        // Longer ones stand behind shorter ones with the same beginning, in the list as here.
        for (list, count) in self.lists.iter().zip(BEGIN_BYTES) {
            for entry in list.entries(hash(bytes, count)) {
                if (word ^ entry.head) & entry.counts == 0 {
                    each(usize::from(entry.literal));
                }
            }
        }
    }
}

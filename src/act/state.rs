//! What a worker keeps from record to record.

use zeroize::Zeroize;

use super::card::Cards;
use super::field::Field;
use super::found::Found;
use super::memory::Memory;
use super::structured::Reader;
use crate::detect;
use crate::keys::sessions::Place;

/// A worker's own buffers and memory. Holds values in memory only, within bounds, and wipes them when dropped.
#[derive(Default)]
pub struct State {
    pub(in crate::act) detect: detect::Scratch,
    pub(in crate::act) found: Found,
    pub(in crate::act) bench: Bench,
}

/// What replacing needs besides the text.
#[derive(Default)]
pub(in crate::act) struct Bench {
    /// Fields to be removed.
    pub(in crate::act) fields: Vec<Field>,
    /// A value without its escapes.
    pub(in crate::act) plain: Vec<u8>,
    /// A value in its canonical form, or a replacement in the making.
    pub(in crate::act) other: Vec<u8>,
    /// Where structured data is.
    pub(in crate::act) structured: Reader,
    pub(in crate::act) memory: Memory,
    /// What the record in hand shows of cards.
    pub(in crate::act) cards: Cards,
    /// Of a record that ends a session: the sessions in it.
    pub(in crate::act) ending: Option<Vec<Place>>,
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.plain.zeroize();
        self.other.zeroize();
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("State")
    }
}

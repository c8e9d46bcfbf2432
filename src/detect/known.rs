/*!
Keys that are known to belong to no rule.

Logs have few keys and repeat them line after line. What a key's words say is
worked out once; after that, the key costs one comparison. Nothing is guessed:
a key is turned away only if every byte of it is one that was looked up.
*/

/// Keys that are remembered: a power of two, 8 KiB, so that they stay in a core's nearest cache.
const SLOTS: usize = 512;

/// Longest key that is remembered, in bytes; one byte of a slot has its length.
pub(super) const KEY_BYTES_MAX: usize = 15;

/// What a worker remembers of keys.
#[derive(Debug)]
pub(super) struct Known {
    /// By hash; 0 is no key.
    slots: Box<[[u64; 2]; SLOTS]>,
    /// Whose names these are.
    rules: u64,
}

impl Default for Known {
    fn default() -> Known {
        Known { slots: Box::new([[0; 2]; SLOTS]), rules: 0 }
    }
}

/// A key of 1 to [`KEY_BYTES_MAX`] bytes, and its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ShortKey([u64; 2]);

impl ShortKey {
    /// The last `len` of the bytes.
    #[inline]
    pub(super) fn new(bytes: [u8; 16], len: usize) -> ShortKey {
        debug_assert!((1..=KEY_BYTES_MAX).contains(&len), "a short key");
        let both = u128::from_le_bytes(bytes);
        let (low, high) = (both as u64, (both >> 64) as u64);
        let without = |word: u64, bytes: usize| word.checked_shr(8 * bytes as u32).unwrap_or(0);
        ShortKey([without(low, 16 - len) | (len as u64) << 56, without(high, 8_usize.saturating_sub(len))])
    }

    #[inline]
    fn slot(self) -> usize {
        let [low, high] = self.0;
        let mixed = (high ^ low.rotate_left(29)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> (64 - SLOTS.trailing_zeros())) as usize
    }
}

impl Known {
    /// Forgets everything unless these are the rules of the last time. Each set of rules has its own number, never 0.
    pub(super) fn of(&mut self, rules: u64) {
        if self.rules != rules {
            self.slots.fill([0; 2]);
            self.rules = rules;
        }
    }

    /// Whether the key is known to belong to no rule.
    #[inline]
    pub(super) fn has(&self, key: ShortKey) -> bool {
        self.slots[key.slot()] == key.0
    }

    /// Remembers that the key belongs to no rule.
    pub(super) fn add(&mut self, key: ShortKey) {
        self.slots[key.slot()] = key.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> ShortKey {
        let mut bytes = [b'x'; 16];
        bytes[16 - text.len()..].copy_from_slice(text.as_bytes());
        ShortKey::new(bytes, text.len())
    }

    #[test]
    fn a_key_is_known_by_all_of_its_bytes() {
        let mut known = Known::default();
        known.of(1);
        known.add(key("level"));
        assert!(known.has(key("level")));
        for other in ["evel", "levels", "Level", "level\0", "\0level", "x"] {
            assert!(!known.has(key(other)), "{other:?}");
        }
        known.of(2);
        assert!(!known.has(key("level")), "other rules have other names");
    }
}

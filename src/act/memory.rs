/*!
What a worker remembers: values, and what was written in their place.

The memory holds raw values. It is bounded, belongs to one worker, forgets
everything when a class gets another key, and is wiped when it forgets.

A value has two places where it may stand, told by a hash. Looking there costs one miss of the caches, which is less
than the HMAC; a value that is met again is kept before one that is not.
*/

use zeroize::Zeroize;

use super::pseudonym::Keyed;
use crate::detect::{Finding, Form};
use crate::keys::{EpochKey, KeyId};
use crate::limit::{PSEUDONYM_CACHE_ENTRIES_MAX, PSEUDONYM_CACHE_VALUE_BYTES_MAX};
use crate::record::ClassId;

/// Places where a value may stand.
const WAYS: usize = 2;

/// Words of a value and of what it is, and bytes of what was written: a line of the caches each.
const WORDS: usize = 8;
const WRITTEN_BYTES_MAX: usize = 63;

const _: () = assert!(PSEUDONYM_CACHE_ENTRIES_MAX.is_power_of_two());
const _: () = assert!(PSEUDONYM_CACHE_VALUE_BYTES_MAX == (WORDS - 1) * size_of::<u64>());

/// What one worker remembers. Looking up allocates nothing.
#[derive(Default)]
pub(super) struct Memory {
    /// Sets of [`WAYS`]; none before the first value.
    slots: Vec<Slot>,
    /// The key of each class whose replacements are remembered.
    keys: Vec<Option<KeyId>>,
}

/// A remembered value, or all zeros.
#[derive(Clone, Copy, Zeroize)]
#[repr(align(64))]
struct Slot {
    value: [u64; WORDS],
    written: [u8; WRITTEN_BYTES_MAX],
    len: u8,
}

const EMPTY: Slot = Slot { value: [0; WORDS], written: [0; WRITTEN_BYTES_MAX], len: 0 };

impl Memory {
    /// Appends what stands in the place of a finding, remembered or appended by `make`.
    pub(super) fn recall(
        &mut self,
        (class, key): (ClassId, &EpochKey),
        (finding, text): (&Finding, &[u8]),
        keyed: Keyed,
        out: &mut Vec<u8>,
        make: impl FnOnce(&mut Vec<u8>),
    ) {
        self.turn_to(class, key.id());
        if text.len() > PSEUDONYM_CACHE_VALUE_BYTES_MAX {
            return make(out);
        }
        let mut value = value(class, finding, keyed, text);
        let set = self.set(&value);
        if set[0].value == value {
            out.extend_from_slice(set[0].written());
        } else if set[1].value == value {
            out.extend_from_slice(set[1].written());
            set.swap(0, 1);
        } else {
            let start = out.len();
            make(out);
            if let Some(slot) = Slot::new(value, &out[start..]) {
                set[1] = set[0];
                set[0] = slot;
            }
        }
        value.zeroize();
    }

    /// Where the value may stand, what was met last first.
    fn set(&mut self, value: &[u64; WORDS]) -> &mut [Slot; WAYS] {
        if self.slots.is_empty() {
            self.slots = vec![EMPTY; PSEUDONYM_CACHE_ENTRIES_MAX];
        }
        let mix = |hash: u64, word: &u64| (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
        let hash = value.iter().fold(0, mix);
        let (sets, _) = self.slots.as_chunks_mut::<WAYS>();
        let place = hash as usize % sets.len();
        &mut sets[place]
    }

    /// Forgets everything if the class has another key than before.
    fn turn_to(&mut self, class: ClassId, key: KeyId) {
        let place = usize::from(class.0);
        if self.keys.len() <= place {
            self.keys.resize(place + 1, None);
        }
        if self.keys[place].is_some_and(|before| before != key) {
            self.slots.iter_mut().zeroize();
            self.keys.fill(None);
        }
        self.keys[place] = Some(key);
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.slots.iter_mut().zeroize();
    }
}

impl Slot {
    /// `None` if what was written is too long to be kept.
    fn new(value: [u64; WORDS], written: &[u8]) -> Option<Slot> {
        let mut slot = Slot { value, written: [0; WRITTEN_BYTES_MAX], len: written.len() as u8 };
        slot.written.get_mut(..written.len())?.copy_from_slice(written);
        Some(slot)
    }

    fn written(&self) -> &[u8] {
        &self.written[..usize::from(self.len)]
    }
}

/// A value of at most [`PSEUDONYM_CACHE_VALUE_BYTES_MAX`], and all that its replacement depends on beside the key. Never zero.
fn value(class: ClassId, finding: &Finding, keyed: Keyed, text: &[u8]) -> [u64; WORDS] {
    let Form { json, bare, percent } = finding.form;
    let what = [keyed.number(), json, percent << 1 | u8::from(bare), text.len() as u8 + 1];
    let mut bytes = [0; WORDS * size_of::<u64>()];
    bytes[..4].copy_from_slice(&what);
    bytes[4..6].copy_from_slice(&class.0.to_le_bytes());
    bytes[6..8].copy_from_slice(&(finding.entity.index() as u16).to_le_bytes());
    bytes[8..8 + text.len()].copy_from_slice(text);
    let (words, _) = bytes.as_chunks();
    let mut value = [0; WORDS];
    for (value, word) in value.iter_mut().zip(words) {
        *value = u64::from_le_bytes(*word);
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::Shape;
    use crate::detect::RuleId;
    use crate::entity::Entity;
    use crate::secret::Secret;
    use crate::span::Span;

    const TAG: Keyed = Keyed::Pseudonym(Shape::Tag);

    fn key(id: &[u8; 5]) -> EpochKey {
        EpochKey::new(KeyId(*id), &Secret::new(id.to_vec()))
    }

    fn finding() -> Finding {
        Finding { span: Span::new(0, 1), entity: Entity::EMAIL, rule: RuleId(0), form: Form::default() }
    }

    #[test]
    fn another_key_empties_the_memory() {
        let mut memory = Memory::default();
        let mut recall = |class: u16, id: &[u8; 5], keyed: Keyed, fresh: u8| {
            let mut out = Vec::new();
            let make = |out: &mut Vec<u8>| out.push(fresh);
            memory.recall((ClassId(class), &key(id)), (&finding(), b"x"), keyed, &mut out, make);
            out[0]
        };
        assert_eq!(recall(0, b"kaaaa", TAG, 1), 1);
        assert_eq!(recall(0, b"kaaaa", TAG, 2), 1, "remembered");
        assert_eq!(recall(0, b"kaaaa", Keyed::Encrypted, 6), 6, "another shape");
        assert_eq!(recall(0, b"kaaaa", Keyed::Pseudonym(Shape::Uuid), 7), 7, "another shape");
        assert_eq!(recall(1, b"kbbbb", TAG, 3), 3, "another class has another pseudonym");
        assert_eq!(recall(0, b"kcccc", TAG, 4), 4, "another key");
        assert_eq!(recall(1, b"kbbbb", TAG, 5), 5, "all was forgotten");
    }

    #[test]
    fn the_memory_is_bounded_and_keeps_what_comes_again() {
        let mut memory = Memory::default();
        let key = key(b"kaaaa");
        let mut made = 0;
        let mut recall = |text: &[u8], written: &[u8]| {
            let make = |out: &mut Vec<u8>| {
                made += 1;
                out.extend_from_slice(written);
            };
            let mut out = b"before ".to_vec();
            memory.recall((ClassId(0), &key), (&finding(), text), TAG, &mut out, make);
            assert_eq!(out, [b"before ", written].concat());
            made
        };
        for n in 0..4 * PSEUDONYM_CACHE_ENTRIES_MAX {
            recall(&n.to_le_bytes(), &n.to_be_bytes());
            recall(b"often", b"written");
        }
        let once = 4 * PSEUDONYM_CACHE_ENTRIES_MAX;
        assert_eq!(recall(b"often", b"written"), once + 1, "it is made once, whatever comes between");
        for (text, written) in [
            (vec![b'x'; PSEUDONYM_CACHE_VALUE_BYTES_MAX], vec![b'y'; WRITTEN_BYTES_MAX]),
            (vec![b'x'; PSEUDONYM_CACHE_VALUE_BYTES_MAX + 1], vec![b'y'; 1]),
            (vec![b'z'; 1], vec![b'y'; WRITTEN_BYTES_MAX + 1]),
            (vec![], vec![]),
            (vec![0], vec![1]),
        ] {
            let before = recall(&text, &written);
            let again = recall(&text, &written) - before;
            let fits = text.len() <= PSEUDONYM_CACHE_VALUE_BYTES_MAX && written.len() <= WRITTEN_BYTES_MAX;
            assert_eq!(again, usize::from(!fits), "too long ones are made anew");
        }
        assert_eq!(memory.slots.len(), PSEUDONYM_CACHE_ENTRIES_MAX);
    }
}

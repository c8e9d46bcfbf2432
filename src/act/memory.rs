/*!
What a worker remembers: values, and what was written in their place.

The memory holds raw values. It is bounded, belongs to one worker, forgets
everything when a class gets another key, and is wiped when it forgets.
*/

use std::borrow::Borrow;
use std::collections::HashMap;

use zeroize::Zeroize;

use super::pseudonym::Keyed;
use crate::detect::{Finding, Form};
use crate::keys::{EpochKey, KeyId};
use crate::limit::{PSEUDONYM_CACHE_ENTRIES_MAX, PSEUDONYM_CACHE_VALUE_BYTES_MAX};
use crate::record::ClassId;

/// What one worker remembers. Looking up allocates nothing.
#[derive(Default)]
pub(super) struct Memory {
    known: HashMap<Value, Box<[u8]>>,
    /// The key of each class whose replacements are remembered.
    keys: Vec<Option<KeyId>>,
    /// The look-up key in the making.
    sought: Vec<u8>,
}

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
        let Form { json, bare, percent } = finding.form;
        let entity = finding.entity.index() as u64;
        self.sought.clear();
        self.sought.extend_from_slice(&class.0.to_le_bytes());
        self.sought.extend_from_slice(&entity.to_le_bytes());
        self.sought.extend_from_slice(&[keyed.number(), json, bare.into(), percent]);
        self.sought.extend_from_slice(text);
        if let Some(known) = self.known.get(self.sought.as_slice()) {
            out.extend_from_slice(known);
            return;
        }
        if self.known.len() >= PSEUDONYM_CACHE_ENTRIES_MAX {
            self.known.clear();
        }
        let start = out.len();
        make(out);
        self.known.insert(Value(self.sought.clone()), out[start..].into());
    }

    /// Forgets everything if the class has another key than before.
    fn turn_to(&mut self, class: ClassId, key: KeyId) {
        let place = usize::from(class.0);
        if self.keys.len() <= place {
            self.keys.resize(place + 1, None);
        }
        if self.keys[place].is_some_and(|before| before != key) {
            self.known.clear();
            self.keys.fill(None);
        }
        self.keys[place] = Some(key);
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.sought.zeroize();
    }
}

/// A remembered value with what it was, wiped when forgotten.
#[derive(PartialEq, Eq, Hash)]
struct Value(Vec<u8>);

impl Borrow<[u8]> for Value {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        self.0.zeroize();
    }
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
    fn the_memory_is_bounded() {
        let mut memory = Memory::default();
        let key = key(b"kaaaa");
        let recall = |memory: &mut Memory, text: &[u8]| {
            memory.recall((ClassId(0), &key), (&finding(), text), TAG, &mut Vec::new(), |out| out.push(0));
        };
        for n in 0..PSEUDONYM_CACHE_ENTRIES_MAX + 1 {
            recall(&mut memory, &n.to_le_bytes());
            assert!(memory.known.len() <= PSEUDONYM_CACHE_ENTRIES_MAX);
        }
        let before = memory.known.len();
        recall(&mut memory, &[0; PSEUDONYM_CACHE_VALUE_BYTES_MAX + 1]);
        assert_eq!(memory.known.len(), before, "long values are not remembered");
    }
}

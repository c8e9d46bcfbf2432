/*!
Pseudonyms: keyed tags of canonical values, and the worker's memory of them.

A value is made canonical before it is keyed, so that one person has one
pseudonym however the value is written: an IPv4 address written as IPv6 is
IPv4, IPv6 is as RFC 5952 prints it, the domain of an e-mail address and a
hardware address are in lower case, a card is its digits.

The memory holds raw values. It is bounded, belongs to one worker, forgets
everything when a class gets another key, and is wiped when it forgets.
*/

use std::borrow::Borrow;
use std::collections::HashMap;
use std::io::Write as _;

use zeroize::Zeroize;

use super::{mask, truncate};
use crate::detect::{Finding, Form};
use crate::entity::Entity;
use crate::keys::{EpochKey, KeyId};
use crate::limit::{PSEUDONYM_CACHE_ENTRIES_MAX, PSEUDONYM_CACHE_VALUE_BYTES_MAX};
use crate::record::ClassId;

/// A value's pseudonym. The entity is the canonical value's: an IPv4 address written as IPv6 is `ipv4`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pseudonym {
    pub(super) entity: Entity,
    pub(super) tag: [u8; 12],
}

/// Replaces `out` by the canonical form of a plain value and returns what it is.
///
/// What is not formed as its entity should be is its own canonical form.
pub(super) fn canonical(entity: Entity, plain: &[u8], out: &mut Vec<u8>) -> Entity {
    out.clear();
    match entity {
        Entity::IPV4 | Entity::IPV6 => {
            if let Some(address) = truncate::parse(plain).map(|address| address.to_canonical()) {
                write!(out, "{address}").expect("a vector takes every write");
                return if address.is_ipv4() { Entity::IPV4 } else { Entity::IPV6 };
            }
            out.extend_from_slice(plain);
        }
        Entity::EMAIL => {
            out.extend_from_slice(plain);
            let domain = plain.iter().rposition(|&b| b == b'@').unwrap_or(plain.len());
            out[domain..].make_ascii_lowercase();
        }
        Entity::MAC => {
            out.extend(plain.iter().filter(|b| b.is_ascii_hexdigit()).map(u8::to_ascii_lowercase));
        }
        Entity::CARD => out.extend(plain.iter().filter(|&&b| !mask::is_separator(b))),
        _ => out.extend_from_slice(plain),
    }
    entity
}

/// What one worker remembers. Looking up allocates nothing.
#[derive(Default)]
pub(super) struct Memory {
    known: HashMap<Value, Pseudonym>,
    /// The key of each class whose pseudonyms are remembered.
    keys: Vec<Option<KeyId>>,
    /// The look-up key in the making.
    sought: Vec<u8>,
}

impl Memory {
    /// The pseudonym of a finding, remembered or made by `make`.
    pub(super) fn recall(
        &mut self,
        class: ClassId,
        key: &EpochKey,
        finding: &Finding,
        text: &[u8],
        make: impl FnOnce() -> Pseudonym,
    ) -> Pseudonym {
        self.turn_to(class, key.id());
        if text.len() > PSEUDONYM_CACHE_VALUE_BYTES_MAX {
            return make();
        }
        let Form { json, bare, percent } = finding.form;
        let entity = finding.entity.index() as u64;
        self.sought.clear();
        self.sought.extend_from_slice(&class.0.to_le_bytes());
        self.sought.extend_from_slice(&entity.to_le_bytes());
        self.sought.extend_from_slice(&[json, bare.into(), percent]);
        self.sought.extend_from_slice(text);
        if let Some(known) = self.known.get(self.sought.as_slice()) {
            return *known;
        }
        if self.known.len() >= PSEUDONYM_CACHE_ENTRIES_MAX {
            self.known.clear();
        }
        let pseudonym = make();
        self.known.insert(Value(self.sought.clone()), pseudonym);
        pseudonym
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
    use crate::detect::RuleId;
    use crate::secret::Secret;
    use crate::span::Span;

    #[track_caller]
    fn check(entity: Entity, plain: &str, expected: (Entity, &str)) {
        let mut out = Vec::new();
        let what = canonical(entity, plain.as_bytes(), &mut out);
        assert_eq!((what, String::from_utf8_lossy(&out).as_ref()), expected);
    }

    #[test]
    fn one_value_has_one_canonical_form() {
        check(Entity::IPV4, "203.0.113.7", (Entity::IPV4, "203.0.113.7"));
        check(Entity::IPV6, "::ffff:203.0.113.7", (Entity::IPV4, "203.0.113.7"));
        check(Entity::IPV6, "2001:DB8:0:0:0:0:0:1", (Entity::IPV6, "2001:db8::1"));
        check(Entity::EMAIL, "Jane@Example.COM", (Entity::EMAIL, "Jane@example.com"));
        check(Entity::MAC, "00-1A-2b:3c4d5E", (Entity::MAC, "001a2b3c4d5e"));
        check(Entity::CARD, "4012 8888-8888 1881", (Entity::CARD, "4012888888881881"));
        check(Entity::USERNAME, "Bob", (Entity::USERNAME, "Bob"));
    }

    fn key(id: &[u8; 5]) -> EpochKey {
        EpochKey::new(KeyId(*id), &Secret::new(id.to_vec()))
    }

    #[test]
    fn another_key_empties_the_memory() {
        let mut memory = Memory::default();
        let finding =
            Finding { span: Span::new(0, 1), entity: Entity::EMAIL, rule: RuleId(0), form: Form::default() };
        let mut recall = |class: u16, id: &[u8; 5], tag: u8| {
            let make = || Pseudonym { entity: Entity::EMAIL, tag: [tag; 12] };
            memory.recall(ClassId(class), &key(id), &finding, b"x", make).tag[0]
        };
        assert_eq!(recall(0, b"kaaaa", 1), 1);
        assert_eq!(recall(0, b"kaaaa", 2), 1, "remembered");
        assert_eq!(recall(1, b"kbbbb", 3), 3, "another class has another pseudonym");
        assert_eq!(recall(0, b"kcccc", 4), 4, "another key");
        assert_eq!(recall(1, b"kbbbb", 5), 5, "all was forgotten");
    }

    #[test]
    fn the_memory_is_bounded() {
        let mut memory = Memory::default();
        let finding =
            Finding { span: Span::new(0, 1), entity: Entity::EMAIL, rule: RuleId(0), form: Form::default() };
        let make = || Pseudonym { entity: Entity::EMAIL, tag: [0; 12] };
        let key = key(b"kaaaa");
        for n in 0..PSEUDONYM_CACHE_ENTRIES_MAX + 1 {
            memory.recall(ClassId(0), &key, &finding, &n.to_le_bytes(), make);
            assert!(memory.known.len() <= PSEUDONYM_CACHE_ENTRIES_MAX);
        }
        let before = memory.known.len();
        memory.recall(ClassId(0), &key, &finding, &[0; PSEUDONYM_CACHE_VALUE_BYTES_MAX + 1], make);
        assert_eq!(memory.known.len(), before, "long values are not remembered");
    }
}

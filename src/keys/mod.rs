/*!
Epochs and the keys of pseudonyms, in memory and pure: no files, no clock.

An epoch is one UTC day, and one hour for classes that live shorter than two
days. Each class has its own independent random key in each epoch, because
classes live for different times. The `vault` keeps the keys on disk; here they
are looked up and used. [`schedule`] says when what is due, [`belief`] what the
time is.
*/

pub mod belief;
pub mod schedule;
pub mod sessions;
mod subkey;
mod suppressed;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use subkey::Subkeys;
pub use subkey::{DIGITS_MAX, DIGITS_MIN, IV_BYTES};
pub use suppressed::{Suppressed, ValueDigest};

use sessions::Sessions;

use crate::clock::Timestamp;
use crate::secret::Secret;

/// A UTC day, counted from 1970-01-01.
#[cfg(test)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub i64);

#[cfg(test)]
impl Epoch {
    /// The epoch in which `at` falls.
    pub fn of(at: Timestamp) -> Epoch {
        Epoch(at.as_second().div_euclid(86_400))
    }

    /// Its first moment, and the first moment after it.
    pub fn bounds(self) -> (Timestamp, Timestamp) {
        let moment = |day: i64| Timestamp::from_second(day.saturating_mul(86_400)).unwrap_or(Timestamp::MAX);
        (moment(self.0), moment(self.0.saturating_add(1)))
    }
}

/// The public name of a key, random, so that it tells no date: `k` and four characters of base32.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub [u8; 5]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The key of one class in one epoch.
pub struct EpochKey {
    id: KeyId,
    keyed: Hmac<Sha256>,
    subkeys: Subkeys,
}

impl EpochKey {
    /// A key from 32 random bytes.
    pub fn new(id: KeyId, secret: &Secret) -> EpochKey {
        let keyed = Hmac::new_from_slice(secret.expose()).expect("HMAC takes keys of any length");
        EpochKey { id, keyed, subkeys: Subkeys::default() }
    }

    /// The key's public name.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// The leading 96 bits of HMAC-SHA-256 (RFC 2104) over the entity's name and the canonical value.
    pub fn tag(&self, entity: &str, canonical: &[u8]) -> [u8; 12] {
        let mut mac = self.keyed.clone();
        mac.update(b"lv1\0");
        mac.update(entity.as_bytes());
        mac.update(b"\0");
        mac.update(canonical);
        let full = mac.finalize().into_bytes();
        let mut tag = [0; 12];
        tag.copy_from_slice(&full[..12]);
        tag
    }
}

impl fmt::Debug for EpochKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EpochKey({})", self.id)
    }
}

/// The live keys.
#[derive(Clone, Debug, Default)]
pub struct Keyring {
    /// By class, in the order in which they were added.
    keys: HashMap<String, Vec<Live>>,
    /// One key for every class and epoch: the filter's, which lives as long as the run.
    run: Option<Arc<EpochKey>>,
    /// Whose values get no pseudonym under any key.
    suppressed: Option<Arc<Suppressed>>,
    /// Pseudonyms that are not made of keys.
    sessions: Option<Arc<Sessions>>,
}

#[derive(Clone, Debug)]
struct Live {
    from: Timestamp,
    until: Timestamp,
    key: Arc<EpochKey>,
}

impl Keyring {
    /// A keyring without keys: whatever needs one is held.
    pub fn empty() -> Keyring {
        Keyring::default()
    }

    /// A keyring of one key for everything, for as long as a filter runs.
    pub fn for_run(key: EpochKey) -> Keyring {
        Keyring { run: Some(Arc::new(key)), ..Keyring::default() }
    }

    /// Adds a class's key for a day.
    #[cfg(test)]
    pub fn insert(&mut self, class: &str, epoch: Epoch, key: EpochKey) {
        let (from, until) = epoch.bounds();
        self.insert_between(class, from, until, key);
    }

    /// The same keyring with a table of sessions; other keyrings may share it.
    pub fn with_sessions(self, sessions: Arc<Sessions>) -> Keyring {
        Keyring { sessions: Some(sessions), ..self }
    }

    /// The table of sessions. Without one, what would get its pseudonym from there is redacted.
    pub fn sessions(&self) -> Option<&Arc<Sessions>> {
        self.sessions.as_ref()
    }

    /// Adds a class's key for records received at `from` or later and before `until`.
    pub fn insert_between(&mut self, class: &str, from: Timestamp, until: Timestamp, key: EpochKey) {
        let live = Live { from, until, key: Arc::new(key) };
        self.keys.entry(class.to_owned()).or_default().push(live);
    }

    /// The class's key for records received at `at`, if it is there. Without one the records must be held.
    pub fn key(&self, class: &str, at: Timestamp) -> Option<&EpochKey> {
        let lives = self.keys.get(class).into_iter().flatten();
        let live = lives.rev().find(|live| live.from <= at && at < live.until);
        live.map(|live| &live.key).or(self.run.as_ref()).map(Arc::as_ref)
    }

    /// Every live key of a class, in the order in which they were added; the filter's key is every class's.
    pub fn keys_of(&self, class: &str) -> impl Iterator<Item = &EpochKey> + '_ {
        let lives = self.keys.get(class).into_iter().flatten();
        lives.map(|live| &live.key).chain(&self.run).map(Arc::as_ref)
    }

    /// The same keys, with whose values get no pseudonym.
    pub fn with_suppressed(mut self, suppressed: Option<Arc<Suppressed>>) -> Keyring {
        self.suppressed = suppressed;
        self
    }

    /// Whose values get no pseudonym; `None` if that is nobody.
    pub fn suppressed(&self) -> Option<&Suppressed> {
        self.suppressed.as_deref().filter(|suppressed| !suppressed.is_empty())
    }

    /// Every live key's class and name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, KeyId)> + '_ {
        self.keys.iter().flat_map(|(class, lives)| lives.iter().map(|live| (class.as_str(), live.key.id)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> EpochKey {
        EpochKey::new(KeyId([b'k', byte, b'a', b'a', b'a']), &Secret::new(vec![byte; 32]))
    }

    #[test]
    fn a_key_serves_its_class_and_epoch_alone() {
        let noon: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        let mut keyring = Keyring::empty();
        keyring.insert("access", Epoch::of(noon), key(b'b'));
        assert!(keyring.key("access", noon).is_some());
        assert!(keyring.key("app", noon).is_none());
        let (from, until) = Epoch::of(noon).bounds();
        assert!(keyring.key("access", from).is_some());
        assert!(keyring.key("access", until).is_none());
    }

    #[test]
    fn the_hash_states_that_a_key_consists_of_are_wiped() {
        fn is_wiped<T: zeroize::ZeroizeOnDrop>() {}
        is_wiped::<Sha256>();
    }

    #[test]
    fn the_key_that_was_added_last_wins() {
        let noon: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        let mut keyring = Keyring::empty();
        keyring.insert("access", Epoch::of(noon), key(b'b'));
        keyring.insert("access", Epoch::of(noon), key(b'c'));
        assert_eq!(keyring.key("access", noon).unwrap().id(), key(b'c').id());
    }
}

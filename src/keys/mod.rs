/*!
Epochs and the keys of pseudonyms, in memory and pure: no files, no clock.

An epoch is one UTC day. Each class has its own independent random key in each
epoch, because classes live for different times. The `vault` keeps the keys on
disk; here they are looked up and used.
*/

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::clock::Timestamp;
use crate::secret::Secret;

/// A UTC day, counted from 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub i64);

impl Epoch {
    /// The epoch in which `at` falls.
    pub fn of(at: Timestamp) -> Epoch {
        Epoch(at.as_second().div_euclid(86_400))
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
}

impl EpochKey {
    /// A key from 32 random bytes.
    pub fn new(id: KeyId, secret: &Secret) -> EpochKey {
        EpochKey { id, keyed: Hmac::new_from_slice(secret.expose()).expect("HMAC takes keys of any length") }
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
    keys: HashMap<(String, Epoch), Arc<EpochKey>>,
    /// One key for every class and epoch: the filter's, which lives as long as the run.
    run: Option<Arc<EpochKey>>,
}

impl Keyring {
    /// A keyring without keys: whatever needs one is held.
    pub fn empty() -> Keyring {
        Keyring::default()
    }

    /// A keyring of one key for everything, for as long as a filter runs.
    pub fn for_run(key: EpochKey) -> Keyring {
        Keyring { keys: HashMap::new(), run: Some(Arc::new(key)) }
    }

    /// Adds a class's key for an epoch.
    pub fn insert(&mut self, class: &str, epoch: Epoch, key: EpochKey) {
        self.keys.insert((class.to_owned(), epoch), Arc::new(key));
    }

    /// The class's key for records received at `at`, if it is there. Without one the records must be held.
    pub fn key(&self, class: &str, at: Timestamp) -> Option<&EpochKey> {
        let live = self.keys.get(&(class.to_owned(), Epoch::of(at)));
        live.or(self.run.as_ref()).map(Arc::as_ref)
    }
}

/*!
Whose values are not to be pseudonymized any more: a set of keyed digests, so that
nobody is named where it is kept. Pure.
*/

use std::collections::HashSet;
use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::secret::Secret;

/// The digest of one value: the leading 128 bits of an HMAC-SHA-256 over entity and canonical value.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ValueDigest(pub [u8; 16]);

impl fmt::Debug for ValueDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ValueDigest")
    }
}

/// Values of subjects who asked for it, by digest.
#[derive(Clone)]
pub struct Suppressed {
    keyed: Hmac<Sha256>,
    digests: HashSet<ValueDigest>,
}

impl Suppressed {
    /// Nobody yet; digests are made under this key.
    pub fn new(secret: &Secret) -> Suppressed {
        let keyed = Hmac::new_from_slice(secret.expose()).expect("HMAC takes keys of any length");
        Suppressed { keyed, digests: HashSet::new() }
    }

    /// The digest of a canonical value.
    pub fn digest(&self, entity: &str, canonical: &[u8]) -> ValueDigest {
        let mut mac = self.keyed.clone();
        mac.update(b"suppressed\0");
        mac.update(entity.as_bytes());
        mac.update(b"\0");
        mac.update(canonical);
        let full = mac.finalize().into_bytes();
        let mut digest = [0; 16];
        digest.copy_from_slice(&full[..16]);
        ValueDigest(digest)
    }

    /// From now on this value is suppressed.
    pub fn insert(&mut self, digest: ValueDigest) {
        self.digests.insert(digest);
    }

    /// From now on it is not.
    pub fn remove(&mut self, digest: ValueDigest) {
        self.digests.remove(&digest);
    }

    /// Whether a canonical value is suppressed.
    pub fn holds(&self, entity: &str, canonical: &[u8]) -> bool {
        !self.digests.is_empty() && self.digests.contains(&self.digest(entity, canonical))
    }

    /// How many values are suppressed.
    pub fn len(&self) -> usize {
        self.digests.len()
    }

    /// Whether nobody's are.
    pub fn is_empty(&self) -> bool {
        self.digests.is_empty()
    }
}

impl fmt::Debug for Suppressed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Suppressed({} values)", self.digests.len())
    }
}

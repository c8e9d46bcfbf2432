/*!
A key on disk: one small file, wrapped, with what is to be known of it in plain.

The plain part is authenticated with the wrapped key, so that no deadline can be
moved. Destruction writes `-` over the wrapped key in place: that needs no space
on a full disk, and every torn write of it is still a destroyed key.
*/

use std::path::Path;
use std::time::Duration;

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::disk::{Disk, read_bounded};
use super::kek::{KEY_BYTES, Kek, check_value};
use super::{Error, format_of};
use crate::clock::Timestamp;
use crate::keys::schedule::deadline;
use crate::limit::VAULT_FILE_BYTES_MAX;

pub(crate) const FORMAT: &str = "logveil-key/1";
const ALGORITHM: &str = "XChaCha20-Poly1305";
const GONE: u8 = b'-';

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Pseudonyms of one class in one epoch.
    Epoch,
    /// One partition of the archive.
    Partition,
    /// Digests of the values that are suppressed.
    Suppression,
    /// Records of one class and partition that wait in the queue.
    Queue,
    /// Counts that outlive the records.
    Aggregates,
}

impl Kind {
    /// The kind's name in key files, evidence and listings.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Epoch => "epoch",
            Kind::Partition => "partition",
            Kind::Suppression => "suppression",
            Kind::Queue => "queue",
            Kind::Aggregates => "aggregates",
        }
    }
}

/// A key file's content. The format, as it is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyFile {
    pub(crate) format: String,
    pub(crate) kind: Kind,
    /// Public name, unique among the live keys of its kind.
    pub id: String,
    /// Name of the policy, without its version.
    pub policy: String,
    /// Retention class.
    pub class: String,
    /// Receive time of the oldest record it may serve.
    pub from: Timestamp,
    /// Receive time at and after which it serves no record.
    pub until: Timestamp,
    /// When it was made.
    pub created: Timestamp,
    /// The class's limit then, in seconds.
    pub ttl_s: u64,
    /// When it is destroyed, unless the class's limit became shorter since.
    pub destroy_at: Timestamp,
    alg: String,
    /// Check value of the key-encryption key.
    kek: String,
    /// Check value of the key itself; public.
    pub check: String,
    wrapped: String,
}

/// What a new key is made for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Purpose<'a> {
    pub kind: Kind,
    pub id: &'a str,
    pub policy: &'a str,
    pub class: &'a str,
    pub from: Timestamp,
    pub until: Timestamp,
    pub ttl: Duration,
}

impl KeyFile {
    /// Makes a new random key.
    pub(crate) fn make(
        kek: &Kek,
        purpose: &Purpose<'_>,
        now: Timestamp,
    ) -> Result<(KeyFile, Zeroizing<[u8; KEY_BYTES]>), Error> {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        super::kek::random(key.as_mut_slice())?;
        let mut file = KeyFile {
            format: FORMAT.to_owned(),
            kind: purpose.kind,
            id: purpose.id.to_owned(),
            policy: purpose.policy.to_owned(),
            class: purpose.class.to_owned(),
            from: purpose.from,
            until: purpose.until,
            created: now,
            ttl_s: purpose.ttl.as_secs(),
            destroy_at: deadline(purpose.from, purpose.ttl),
            alg: ALGORITHM.to_owned(),
            kek: kek.check(),
            check: check_value(key.as_slice()),
            wrapped: String::new(),
        };
        file.wrapped = BASE64.encode(&kek.wrap(&key, &file.bound())?);
        Ok((file, key))
    }

    /// Reads a key file. The key stays wrapped.
    pub(crate) fn read(path: &Path) -> Result<KeyFile, Error> {
        let content = read_bounded(path, VAULT_FILE_BYTES_MAX).map_err(Error::io(path))?;
        format_of(path, &content, FORMAT)?;
        serde_json::from_slice(&content).map_err(|error| Error::corrupt(path, &error))
    }

    /// Puts the file in place, durable.
    pub(crate) fn write(&self, disk: &Disk, path: &Path) -> Result<(), Error> {
        disk.replace(path, &self.encode()).map_err(Error::io(path))
    }

    /// Puts the file in the place of an earlier one of the same key, durable; the earlier one is destroyed.
    pub(crate) fn rewrite(&self, disk: &Disk, path: &Path) -> Result<(), Error> {
        disk.replace_secret(path, &self.encode()).map_err(Error::io(path))
    }

    /// The key itself.
    pub(crate) fn unwrap(&self, kek: &Kek, path: &Path) -> Result<Zeroizing<[u8; KEY_BYTES]>, Error> {
        if self.kek != kek.check() {
            return Err(Error::WrongKek {
                path: path.to_owned(),
                made: self.kek_shown(),
                given: kek.check(),
            });
        }
        let wrapped = BASE64.decode(self.wrapped.as_bytes()).ok();
        let key = wrapped.and_then(|wrapped| kek.unwrap(&wrapped, &self.bound()));
        let key = key.filter(|key| check_value(key.as_slice()) == self.check);
        key.ok_or(Error::Forged { path: path.to_owned() })
    }

    /// Whether the key is gone and only what is known of it is left.
    pub(crate) fn is_destroyed(&self) -> bool {
        self.wrapped.bytes().any(|byte| byte == GONE)
    }

    /// When it is destroyed, given the class's limit today. A longer limit never lengthens.
    pub fn destroy_at(&self, ttl_today: Option<Duration>) -> Timestamp {
        let today = ttl_today.map(|ttl| deadline(self.from, ttl));
        today.map_or(self.destroy_at, |today| today.min(self.destroy_at))
    }

    /// Lets it be destroyed no later than `at`. The file must be rewritten.
    pub(crate) fn shorten(&mut self, kek: &Kek, path: &Path, at: Timestamp) -> Result<(), Error> {
        let key = self.unwrap(kek, path)?;
        self.destroy_at = self.destroy_at.min(at);
        self.wrapped = BASE64.encode(&kek.wrap(&key, &self.bound())?);
        Ok(())
    }

    /// Whether this key-encryption key wrapped it, as the file says.
    pub(crate) fn is_wrapped_by(&self, kek: &Kek) -> bool {
        self.kek == kek.check()
    }

    /// Wraps the key with another key-encryption key. The file must be rewritten.
    pub(crate) fn rewrap(&mut self, from: &Kek, to: &Kek, path: &Path) -> Result<(), Error> {
        let key = self.unwrap(from, path)?;
        self.kek = to.check();
        self.wrapped = BASE64.encode(&to.wrap(&key, &self.bound())?);
        Ok(())
    }

    /// What may be known of it by everybody.
    pub fn public(&self) -> serde_json::Value {
        serde_json::json!({
            "id": self.id, "policy": self.policy, "class": self.class, "from": self.from, "until": self.until,
            "created": self.created, "destroy_at": self.destroy_at, "check": self.check, "kek": self.kek_shown(),
        })
    }

    /// Destroys the key in the file at `path`, which holds this content.
    pub(crate) fn shred(&mut self, disk: &Disk, path: &Path) -> std::io::Result<()> {
        self.mark_destroyed();
        disk.overwrite(path, &self.encode())
    }

    /// Forgets the wrapped key here, not on disk.
    pub(crate) fn mark_destroyed(&mut self) {
        self.wrapped = "-".repeat(self.wrapped.len());
    }

    fn encode(&self) -> Vec<u8> {
        let mut content = serde_json::to_vec(self).expect("strings and numbers are always JSON");
        content.push(b'\n');
        content
    }

    /// What is authenticated with the wrapped key: everything else in the file.
    fn bound(&self) -> Vec<u8> {
        let plain = KeyFile { wrapped: String::new(), ..self.clone() };
        plain.encode()
    }

    /// A check value as it may be shown: it came from a file.
    fn kek_shown(&self) -> String {
        self.kek.chars().filter(char::is_ascii_hexdigit).take(6).collect()
    }
}

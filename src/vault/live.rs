/*!
The live keys of a data directory, to compute with beside the program that holds it.
*/

use std::path::Path;

use super::keyfile::Kind;
use super::{DataDir, Error, Kek, KeyFile, State, key_paths};
use crate::clock::Timestamp;
use crate::keys::{EpochKey, KeyId};
use crate::secret::Secret;

/// A key that may still be used, and what for.
#[derive(Debug)]
pub struct LiveKey {
    /// Retention class.
    pub class: String,
    /// The policy's name, without its version.
    pub policy: String,
    /// When it was made: where an operator destroyed the one before it, behind the receipt of records that it never served.
    pub created: Timestamp,
    /// Receive time of the oldest record it serves.
    pub from: Timestamp,
    /// Receive time after its newest record.
    pub until: Timestamp,
    /// The key.
    pub key: EpochKey,
}

/// Every pseudonym key that is not due yet, of every policy and class. Destroys and changes nothing; a key that is
/// destroyed meanwhile is passed over.
pub fn live_keys(dir: &DataDir, kek: &Kek, unreadable: Timestamp) -> Result<Vec<LiveKey>, Error> {
    let state = State::read(dir)?;
    let mut live = Vec::new();
    for path in key_paths(&dir.join("keys"))? {
        live.extend(read(&state, kek, &path, unreadable)?);
    }
    Ok(live)
}

fn read(state: &State, kek: &Kek, path: &Path, unreadable: Timestamp) -> Result<Option<LiveKey>, Error> {
    let file = match KeyFile::read(path) {
        Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let due = file.destroy_at(state.ttl(&file.class));
    let Ok(id) = <[u8; 5]>::try_from(file.id.as_bytes()) else { return Ok(None) };
    if file.is_destroyed() || due <= unreadable || file.kind != Kind::Epoch {
        return Ok(None);
    }
    let secret = Secret::new(file.unwrap(kek, path)?.to_vec());
    let KeyFile { class, policy, created, from, until, .. } = file;
    let key = EpochKey::new(KeyId(id), &secret);
    Ok(Some(LiveKey { class, policy, created, from, until, key }))
}

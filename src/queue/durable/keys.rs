/*!
The keys of what waits on disk: one for each class and partition of time, so
that what is overdue is unreadable and destroyed when its class's limit says so,
as in the archive; and destroyed with the last segment that needs it.

```text
queue-keys/access/2026-11-22T10-1f2e3d4c.key        wrapped by the key-encryption key
queue-keys/access/2026-11-22T10-1f2e3d4c.copy.key   the same once more: a damaged sector costs one
```

A run makes keys of its own and reads those of earlier runs. What seals is
derived from key and run, so no two runs share a nonce.
*/

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::frame::Origin;
use super::{Error, Place};
use crate::act::Seal;
use crate::clock::Timestamp;
use crate::keys::belief::{Moments, add};
use crate::keys::schedule::Schedule;
use crate::limit::QUEUE_KEY_REST;
use crate::secret::Secret;
use crate::ttl::Ttl;
use crate::vault::{self, DataDir, Destruction, Evidence, Kek, KeyFile, Kind, Purpose, State};

/// The keys.
#[derive(Debug)]
pub(super) struct Keys {
    dir: Arc<DataDir>,
    place: Place,
    kek: Arc<Kek>,
    evidence: Evidence,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    keys: BTreeMap<u32, Key>,
    /// This run's, by class and beginning.
    current: BTreeMap<(String, Timestamp), u32>,
}

#[derive(Debug)]
struct Key {
    path: PathBuf,
    file: KeyFile,
    secret: Secret,
    /// The last segment in which this run used it; nothing of an earlier run's.
    last: Option<u64>,
}

/// Whose records a key is for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Of<'a> {
    pub class: &'a str,
    pub ttl: Ttl,
    pub policy: &'a str,
    pub received: Timestamp,
}

/// Which segments are left.
#[derive(Clone, Copy, Debug)]
pub(super) struct Left {
    /// The oldest segment; without one, the next that will be.
    pub oldest: u64,
    /// Whether segments of earlier runs are left.
    pub of_earlier_runs: bool,
}

impl Keys {
    /// Reads the keys that are there. Those that cannot be read are destroyed: nothing opens with them. Says how many.
    pub(super) fn open(dir: Arc<DataDir>, kek: Arc<Kek>, place: &Place) -> Result<(Keys, u64), Error> {
        vault::destroy_leftovers(&dir, &place.keys)?;
        let keys = Keys::none(dir, kek, place);
        let mut damaged = 0;
        for path in keys.paths()? {
            if keys.read(&path)? {
                continue;
            }
            for place in [&path, &copy(&path)] {
                keys.dir.disk().destroy(place).map_err(vault::Error::io(place))?;
            }
            damaged += 1;
        }
        Ok((keys, damaged))
    }

    /// Reads the keys that are there and can be read, and leaves all as it is.
    pub(super) fn look(dir: Arc<DataDir>, kek: Arc<Kek>, place: &Place) -> Result<Keys, Error> {
        let keys = Keys::none(dir, kek, place);
        for path in keys.paths()? {
            keys.read(&path)?;
        }
        Ok(keys)
    }

    fn none(dir: Arc<DataDir>, kek: Arc<Kek>, place: &Place) -> Keys {
        let evidence = Evidence::new(dir.join("evidence"), dir.disk().clone());
        Keys { dir, place: place.clone(), kek, evidence, held: Mutex::default() }
    }

    /// The path of each key, whichever of its two files are there.
    fn paths(&self) -> Result<BTreeSet<PathBuf>, Error> {
        let paths = vault::key_paths(&self.dir.join(&self.place.keys))?;
        let stem = |path: PathBuf| {
            let text = path.to_string_lossy().into_owned();
            PathBuf::from(text.trim_end_matches(".copy.key").trim_end_matches(".key").to_owned() + ".key")
        };
        Ok(paths.into_iter().map(stem).collect())
    }

    /// Takes in a key from its file or the copy. False if neither is any good.
    fn read(&self, path: &Path) -> Result<bool, Error> {
        let number = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.rsplit('-').next());
        let number = number.and_then(|number| u32::from_str_radix(number, 16).ok());
        for place in [path, &copy(path)] {
            let Ok(file) = KeyFile::read(place) else { continue };
            if file.is_destroyed() && !self.dir.is_held() {
                return Ok(true);
            }
            if file.is_destroyed() {
                // Stopped in the middle of its destruction.
                let due = file.destroy_at;
                self.destroy(path, file, due, due)?;
                return Ok(true);
            }
            match (file.unwrap(&self.kek, place), number) {
                (Ok(key), Some(number)) => {
                    let secret = Secret::new(key.to_vec());
                    let key = Key { path: path.to_owned(), file, secret, last: None };
                    self.held().keys.insert(number, key);
                    return Ok(true);
                }
                (Err(wrong @ vault::Error::WrongKek { .. }), _) => return Err(wrong.into()),
                _ => {}
            }
        }
        Ok(false)
    }

    /// The key for these records, made if there is none yet. Nothing if they are overdue.
    pub(super) fn current(&self, of: &Of<'_>, now: Timestamp) -> Result<Option<u32>, Error> {
        let too_short = |source| Error::TtlTooShort { class: of.class.to_owned(), source };
        let schedule = Schedule::try_new(of.ttl.duration()).map_err(too_short)?;
        let (from, until) = schedule.partition(of.received);
        if schedule.deadline(from) <= now {
            return Ok(None);
        }
        let mut held = self.held();
        // Asked for once a class and batch.
        if let Some(number) = held.current.get(&(of.class.to_owned(), from)) {
            return Ok(Some(*number));
        }
        let mut bytes = [0; 4];
        vault::random(&mut bytes)?;
        let number = u32::from_le_bytes(bytes);
        if held.keys.contains_key(&number) {
            return Err(vault::Error::Random.into());
        }
        let stamp = format!("{}-{number:08x}", from.strftime("%Y-%m-%dT%H%M"));
        let id = format!("{}/{}/{stamp}", self.place.segments, of.class);
        let policy = of.policy.split('@').next().unwrap_or(of.policy);
        let purpose = Purpose {
            kind: Kind::Queue,
            id: &id,
            policy,
            class: of.class,
            from,
            until,
            ttl: of.ttl.duration(),
        };
        let (file, key) = KeyFile::make(&self.kek, &purpose, now)?;
        let dir = self.dir.join(&self.place.keys).join(of.class);
        self.dir.disk().make_dir(&dir).map_err(vault::Error::io(&dir))?;
        let path = dir.join(stamp + ".key");
        file.write(self.dir.disk(), &copy(&path))?;
        file.write(self.dir.disk(), &path)?;
        let key = Key { path, file, secret: Secret::new(key.to_vec()), last: Some(0) };
        held.keys.insert(number, key);
        held.current.insert((of.class.to_owned(), from), number);
        Ok(Some(number))
    }

    /// What seals and opens the records of a run under a key; nothing if there is no such key, or it is due.
    pub(super) fn seal(&self, number: u32, origin: &Origin) -> Option<Seal> {
        let held = self.held();
        let key = held.keys.get(&number).filter(|key| !key.file.is_destroyed())?;
        let mut mac = Hmac::<Sha256>::new_from_slice(key.secret.expose()).ok()?;
        mac.update(b"logveil queue 1\0");
        mac.update(origin);
        let derived = Zeroizing::new(<[u8; 32]>::from(mac.finalize().into_bytes()));
        Some(Seal::new(&derived))
    }

    /// These keys were used in this segment.
    pub(super) fn used(&self, numbers: impl Iterator<Item = u32>, segment: u64) {
        let mut held = self.held();
        for number in numbers {
            if let Some(key) = held.keys.get_mut(&number) {
                key.last = Some(key.last.map_or(segment, |last| last.max(segment)));
            }
        }
    }

    /// Destroys the keys that are due, and those that no segment needs. All are tried; the first error is returned.
    pub(super) fn sweep(&self, moments: &Moments, left: Left) -> Result<usize, Error> {
        let state = State::read(&self.dir).unwrap_or_default();
        let mut held = self.held();
        let (mut destroyed, mut first) = (Vec::new(), Ok(()));
        for (number, key) in &mut held.keys {
            let due = key.file.destroy_at(state.ttl(&key.file.class));
            let overdue = moments.destroyable.is_some_and(|limit| due <= limit);
            let unused = match key.last {
                None => !left.of_earlier_runs,
                Some(last) => last < left.oldest && add(key.file.until, QUEUE_KEY_REST) <= moments.now,
            };
            if !overdue && !unused && !key.file.is_destroyed() {
                continue;
            }
            let at = moments.destroyable.unwrap_or(moments.now);
            match self.destroy(&key.path, key.file.clone(), due, at) {
                Ok(()) => destroyed.push(*number),
                Err(error) => {
                    key.file.mark_destroyed();
                    key.secret.wipe();
                    first = first.and(Err(error));
                }
            }
        }
        held.keys.retain(|number, _| !destroyed.contains(number));
        held.current.retain(|_, number| !destroyed.contains(number));
        first.map(|()| destroyed.len())
    }

    fn destroy(&self, path: &Path, file: KeyFile, due: Timestamp, at: Timestamp) -> Result<(), Error> {
        let destruction = Destruction { evidence: &self.evidence, disk: self.dir.disk(), at };
        let copy = copy(path);
        self.dir.disk().destroy(&copy).map_err(vault::Error::io(&copy))?;
        Ok(destruction.carry_out(path, file, due, None)?)
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn copy(path: &Path) -> PathBuf {
    path.with_extension("copy.key")
}

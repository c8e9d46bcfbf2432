/*!
Keys on disk: made ahead, wrapped, destroyed in time, with evidence.

Keys are independent and random, one per policy, class and epoch, and each lies in
a file of its own, wrapped by the [`Kek`]. So destroying one is overwriting and
removing one small file, which works on a full disk, too; and the same files can
later live in a shared store, where making one is a compare-and-set.

What deliberately is not here: a long-lived secret from which keys are derived. It
would bring every destroyed key back.
*/

mod audit;
mod chain;
mod command;
#[cfg(test)]
mod crash;
mod dir;
mod disk;
mod error;
mod evidence;
mod kek;
mod keyfile;
mod live;
mod rewrap;
mod sealed;
mod state;
mod suppressions;
mod timekeeper;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE32_NOPAD;
use zeroize::Zeroizing;

pub use audit::{Act, AuditLog, Outcome};
pub use chain::{Chain, ChainFile, Entry, Line as ChainLine};
pub use dir::{DataDir, is_class_name};
pub use disk::Disk;
pub(crate) use disk::read_bounded;
pub(crate) use disk::temporary;
pub use error::Error;
pub(crate) use error::format_of;
pub(crate) use evidence::Destruction;
pub use evidence::{Destroyed, Evidence, Line};
pub(crate) use kek::{KEY_BYTES, random};
pub use kek::{Kek, KekPlace, Placement};
pub(crate) use keyfile::Purpose;
pub use keyfile::{KeyFile, Kind};
pub use live::{LiveKey, live_keys};
pub use rewrap::{Rewrapped, destroy_unreadable, make_kek, rewrap};
pub use sealed::{Sealed, reseal, set_aside_sealed};
pub use state::{State, high_water};
pub use suppressions::{Suppression, Suppressions};
pub use timekeeper::Timekeeper;

use crate::clock::Timestamp;
use crate::keys::belief::Moments;
use crate::keys::belief::{add, subtract};
use crate::keys::schedule::{Schedule, deadline};
use crate::keys::sessions::Sessions;
use crate::keys::{EpochKey, KeyId, Keyring};
use crate::limit::VAULT_FILE_BYTES_MAX;
use crate::secret::Secret;
use crate::ttl::Ttl;

/// An operator's word that the clock is right: a file with what the clock showed, that the next round of tending takes in.
const CONFIRMED: &str = "clock-confirmed";

/// The keys of a data directory.
#[derive(Debug)]
pub struct Vault {
    dir: Arc<DataDir>,
    kek: Arc<Kek>,
    evidence: Evidence,
    state: State,
    held: Vec<Held>,
    keyring: Arc<Keyring>,
    sessions: Arc<Sessions>,
}

#[derive(Debug)]
struct Held {
    path: PathBuf,
    file: KeyFile,
    secret: Secret,
}

/// What a round of tending did and found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tended {
    /// Keys made.
    pub created: usize,
    /// Keys destroyed.
    pub destroyed: usize,
    /// Keys that can be used.
    pub live: usize,
    /// Keys that are due and not destroyed yet.
    pub overdue: usize,
    /// What is believed about the time.
    pub moments: Moments,
}

impl Vault {
    /// Reads the keys of a directory that this program holds. Refuses what is damaged, forged, restored or not its own.
    pub fn open(dir: Arc<DataDir>, kek: Arc<Kek>) -> Result<Vault, Error> {
        destroy_leftovers(&dir, "keys")?;
        let state = State::read(&dir)?;
        let evidence = Evidence::new(dir.join("evidence"), dir.disk().clone());
        let sessions = Arc::new(new_sessions()?);
        let mut vault =
            Vault { dir, kek, evidence, state, held: Vec::new(), keyring: Arc::default(), sessions };
        vault.held = vault.load()?;
        vault.refuse_restored()?;
        Ok(vault)
    }

    /// Destroys what is due, makes today's and tomorrow's keys of `classes`, and persists the high-water mark.
    ///
    /// Each of these is tried whatever becomes of the others; the first error is returned.
    /// To be called at start, on each reload, and every [`crate::limit::TEND_EVERY`].
    pub fn tend(
        &mut self,
        policy: &str,
        classes: &[(String, Ttl)],
        time: &Timekeeper,
    ) -> Result<Tended, Error> {
        let policy = policy.split('@').next().unwrap_or(policy);
        let moments = self.look(time);
        let classes = match check_classes(classes) {
            Ok(()) => classes,
            Err(error) => {
                // Limits that cannot be kept come into force nowhere; those that hold go on.
                self.purge(&moments)?;
                return Err(error);
            }
        };
        let ttls = classes.iter().map(|(class, ttl)| (class.clone(), ttl.duration().as_secs()));
        self.state.ttl_s = ttls.collect();
        let brought = if moments.settled { self.bring_back(moments.now) } else { Ok(()) };
        let (destroyed, first) = self.destroy_due(&moments);
        let (created, second) = self.make_missing(policy, classes, &moments);
        let third = self.persist(&moments);
        let live = self.publish(policy, &moments);
        let overdue = self.held.iter().filter(|held| self.due(held) <= moments.unreadable).count();
        brought.and(first).and(second).and(third)?;
        Ok(Tended { created, destroyed, live, overdue, moments })
    }

    /// Makes today's and tomorrow's keys of a policy that is to come into force; [`Vault::tend`] then brings its
    /// limits into force.
    ///
    /// Nothing is destroyed, and limits stay as they are. If it fails, the keyring is as it was.
    pub fn prepare(
        &mut self,
        policy: &str,
        classes: &[(String, Ttl)],
        time: &Timekeeper,
    ) -> Result<(), Error> {
        let policy = policy.split('@').next().unwrap_or(policy);
        check_classes(classes)?;
        let moments = self.look(time);
        self.make_missing(policy, classes, &moments).1?;
        self.publish(policy, &moments);
        Ok(())
    }

    /// The keys that can be used now; swapped whole by [`Vault::tend`] and [`Vault::prepare`].
    pub fn keyring(&self) -> Arc<Keyring> {
        Arc::clone(&self.keyring)
    }

    /// What is known of each key, oldest first.
    pub fn list(&self) -> impl Iterator<Item = &KeyFile> + '_ {
        self.held.iter().map(|held| &held.file)
    }

    /// The table of sessions, the same as long as this is open, whatever becomes of the keys.
    pub fn sessions(&self) -> &Arc<Sessions> {
        &self.sessions
    }

    /// The chain of evidence of this directory.
    pub fn evidence(&self) -> &Evidence {
        &self.evidence
    }

    /// The directory.
    pub fn dir(&self) -> &Arc<DataDir> {
        &self.dir
    }

    /// The key-encryption key.
    pub fn kek(&self) -> &Arc<Kek> {
        &self.kek
    }

    /// Destroys the key of this name now, by an operator's word. False if there is none.
    pub fn destroy(&mut self, id: &str, now: Timestamp) -> Result<bool, Error> {
        let Some(at) = self.held.iter().position(|held| held.file.id == id) else { return Ok(false) };
        let due = self.due(&self.held[at]);
        self.destruction(now).carry_out(&self.held[at].path, self.held[at].file.clone(), due, None)?;
        self.held.remove(at);
        Ok(true)
    }

    /// Lets a new key serve from now on in the place of each class's present one, which stays until its time is over.
    /// The next key, which has served nobody yet, is destroyed and made anew. Returns how many were made.
    pub fn rotate(
        &mut self,
        policy: &str,
        classes: &[(String, Ttl)],
        time: &Timekeeper,
    ) -> Result<usize, Error> {
        let policy = policy.split('@').next().unwrap_or(policy);
        check_classes(classes)?;
        let moments = self.look(time);
        let mut made = 0;
        for (class, ttl) in classes {
            let is_next = |held: &Held| {
                let file = &held.file;
                file.policy == policy && file.class == *class && file.from > moments.now
            };
            while let Some(at) = self.held.iter().position(is_next) {
                let id = self.held[at].file.id.clone();
                self.destroy(&id, moments.now)?;
            }
            let until = schedule(class, *ttl)?.epoch(moments.now).1;
            self.make(policy, class, *ttl, (moments.now, until), &moments)?;
            made += 1 + self.make_for_class(policy, class, *ttl, &moments)?;
        }
        self.persist(&moments)?;
        self.publish(policy, &moments);
        Ok(made)
    }

    /// Destroys the keys that are due and persists the high-water mark, without making any. Returns how many.
    pub fn purge(&mut self, moments: &Moments) -> Result<usize, Error> {
        let (destroyed, first) = self.destroy_due(moments);
        first.and(self.persist(moments))?;
        Ok(destroyed)
    }

    fn look(&self, time: &Timekeeper) -> Moments {
        let path = self.dir.join(CONFIRMED);
        let Ok(content) = read_bounded(&path, VAULT_FILE_BYTES_MAX) else { return time.look() };
        if self.dir.disk().remove(&path).is_err() {
            return time.look();
        }
        // Only the clock that the operator saw: a word that was left behind says nothing about another boot's.
        let said = std::str::from_utf8(&content).ok().and_then(|text| text.trim().parse().ok());
        said.map_or_else(|| time.look(), |said| time.confirm_as_of(said))
    }

    fn due(&self, held: &Held) -> Timestamp {
        held.file.destroy_at(self.state.ttl(&held.file.class))
    }

    fn destruction(&self, at: Timestamp) -> Destruction<'_> {
        Destruction { evidence: &self.evidence, disk: self.dir.disk(), at }
    }

    fn destroy_due(&mut self, moments: &Moments) -> (usize, Result<(), Error>) {
        let Some(limit) = moments.destroyable else { return (0, Ok(())) };
        let (mut kept, mut destroyed, mut first) = (Vec::new(), 0, Ok(()));
        for mut held in std::mem::take(&mut self.held) {
            let due = self.due(&held);
            if due > limit && !held.file.is_destroyed() {
                kept.push(held);
                continue;
            }
            match self.destruction(limit).carry_out(&held.path, held.file.clone(), due, None) {
                Ok(()) => destroyed += 1,
                Err(error) => {
                    // It may be gone already, and the evidence still missing: it is tried again.
                    held.file.mark_destroyed();
                    held.secret.wipe();
                    kept.push(held);
                    first = first.and(Err(error));
                }
            }
        }
        self.held = kept;
        (destroyed, first)
    }

    fn make_missing(
        &mut self,
        policy: &str,
        classes: &[(String, Ttl)],
        moments: &Moments,
    ) -> (usize, Result<(), Error>) {
        let (mut created, mut first) = (0, Ok(()));
        for (class, ttl) in classes {
            match self.make_for_class(policy, class, *ttl, moments) {
                Ok(made) => created += made,
                Err(error) => first = first.and(Err(error)),
            }
        }
        (created, first)
    }

    fn make_for_class(
        &mut self,
        policy: &str,
        class: &str,
        ttl: Ttl,
        moments: &Moments,
    ) -> Result<usize, Error> {
        let schedule = schedule(class, ttl)?;
        let today = schedule.epoch(moments.now);
        let mut made = 0;
        for (from, until) in [today, schedule.epoch(today.1)] {
            let serves = |held: &Held| {
                let (file, at) = (&held.file, from.max(moments.now));
                file.policy == policy && file.class == class && file.from <= at && at < file.until
            };
            let live = |held: &Held| !held.file.is_destroyed() && self.due(held) > moments.now;
            if self.held.iter().any(|held| serves(held) && live(held)) {
                continue;
            }
            self.make(policy, class, ttl, (from, until), moments)?;
            made += 1;
        }
        Ok(made)
    }

    /// Makes one key, on disk and here.
    fn make(
        &mut self,
        policy: &str,
        class: &str,
        ttl: Ttl,
        (from, until): (Timestamp, Timestamp),
        moments: &Moments,
    ) -> Result<(), Error> {
        let id = self.fresh_id()?;
        let purpose = Purpose { kind: Kind::Epoch, id: &id, policy, class, from, until, ttl: ttl.duration() };
        let (file, key) = KeyFile::make(&self.kek, &purpose, moments.now)?;
        let dir = self.dir.join("keys").join(class);
        self.dir.disk().make_dir(&dir).map_err(Error::io(&dir))?;
        let path = dir.join(format!("{}-{id}.key", from.strftime("%Y-%m-%dT%H")));
        file.write(self.dir.disk(), &path)?;
        self.held.push(Held { path, file, secret: Secret::new(key.to_vec()) });
        Ok(())
    }

    /// A key for a far future was made by a clock that was wrong: it lives no longer than one of today.
    fn bring_back(&mut self, now: Timestamp) -> Result<(), Error> {
        for held in &mut self.held {
            let file = &mut held.file;
            let ahead = add(now, 2 * file.until.duration_since(file.from).unsigned_abs());
            let latest = deadline(now, Duration::from_secs(file.ttl_s));
            if file.from > ahead && file.destroy_at > latest && !file.is_destroyed() {
                file.shorten(&self.kek, &held.path, latest)?;
                file.rewrite(self.dir.disk(), &held.path)?;
            }
        }
        Ok(())
    }

    /// `k` and 20 random bits in base32, unlike any live key's.
    fn fresh_id(&self) -> Result<String, Error> {
        loop {
            let id = random_id()?.to_string();
            if self.held.iter().all(|held| held.file.id != id) {
                return Ok(id);
            }
        }
    }

    fn persist(&mut self, moments: &Moments) -> Result<(), Error> {
        let lines = self.evidence.last()?.lines;
        self.state.evidence = self.state.evidence.max(lines);
        self.state.high_water = self.state.high_water.max(moments.destroyable);
        let behind = self.state.high_water.map(|high| subtract(high, moments.ahead));
        self.state.wall = behind.filter(|_| !moments.ahead.is_zero());
        self.state.keys.clear();
        for held in &self.held {
            *self.state.keys.entry(held.file.class.clone()).or_default() += 1;
        }
        self.state.write(&self.dir)
    }

    fn publish(&mut self, policy: &str, moments: &Moments) -> usize {
        let mut keyring = Keyring::empty().with_sessions(Arc::clone(&self.sessions));
        let mut live = 0;
        for held in &self.held {
            let file = &held.file;
            let Ok(id) = <[u8; 5]>::try_from(file.id.as_bytes()) else { continue };
            if self.due(held) > moments.now && file.policy == policy && !file.is_destroyed() {
                let key = EpochKey::new(KeyId(id), &held.secret);
                keyring.insert_between(&file.class, file.from, file.until, key);
                live += 1;
            }
        }
        self.keyring = Arc::new(keyring);
        live
    }

    fn load(&self) -> Result<Vec<Held>, Error> {
        let mut held = Vec::new();
        for path in key_paths(&self.dir.join("keys"))? {
            // The owner's group may read it, where a volume is mounted for a group. It is wrapped all the same.
            kek::check_mode(&path, 0o007)?;
            let file = KeyFile::read(&path)?;
            if file.is_destroyed() {
                // Stopped in the middle of its destruction: taken up again, now or, on a full disk, later.
                let (at, due) = (self.state.high_water.unwrap_or(file.destroy_at), file.destroy_at);
                match self.destruction(at).carry_out(&path, file.clone(), due, None) {
                    Ok(()) => {}
                    Err(Error::Io { .. }) => held.push(Held { path, file, secret: Secret::new(Vec::new()) }),
                    Err(error) => return Err(error),
                }
                continue;
            }
            let key: Zeroizing<[u8; KEY_BYTES]> = file.unwrap(&self.kek, &path)?;
            held.push(Held { path, secret: Secret::new(key.to_vec()), file });
        }
        held.sort_by_key(|held| (held.file.from, held.file.created));
        Ok(held)
    }

    /// A key that was destroyed and is there again came from a backup, and so did evidence that became shorter. A key
    /// that was there and is not, and was not destroyed, is a gap.
    fn refuse_restored(&self) -> Result<(), Error> {
        let mut back = None;
        let mut destroyed: BTreeMap<String, u64> = BTreeMap::new();
        let chain = self.evidence.verify(|line| {
            let same = |held: &&Held| {
                !held.file.is_destroyed() && held.file.id == line.id && held.file.check == line.check
            };
            if line.kind == Kind::Epoch && line.seq > self.state.evidence {
                *destroyed.entry(line.class.clone()).or_default() += 1;
            }
            if line.kind == Kind::Epoch
                && let Some(held) = self.held.iter().find(same)
            {
                back = Some(held.path.clone());
            }
        })?;
        if let Some(path) = back {
            return Err(Error::Restored { path });
        }
        if chain.lines < self.state.evidence {
            return Err(Error::Restored { path: self.dir.join("evidence") });
        }
        for (class, &before) in &self.state.keys {
            let there = self.held.iter().filter(|held| held.file.class == *class).count() as u64;
            let accounted = there + destroyed.get(class).copied().unwrap_or(0);
            if accounted < before {
                let path = self.dir.join("keys").join(class);
                return Err(Error::Gap { path, missing: before - accounted });
            }
        }
        Ok(())
    }
}

/// A table of sessions that only this process knows.
pub fn new_sessions() -> Result<Sessions, Error> {
    let mut secret = vec![0; 64];
    random(&mut secret)?;
    Ok(Sessions::new(random_id()?, &Secret::new(secret)))
}

/// `k` and 20 random bits in base32.
fn random_id() -> Result<KeyId, Error> {
    let mut bytes = [0; 5];
    random(&mut bytes)?;
    let text = BASE32_NOPAD.encode(&bytes).to_ascii_lowercase();
    let mut id = *b"k----";
    id[1..].copy_from_slice(&text.as_bytes()[..4]);
    Ok(KeyId(id))
}

/// Takes the keys that are there for all that there should be, after some were lost.
pub fn accept_missing(dir: &DataDir) -> Result<(), Error> {
    let mut state = State::read(dir)?;
    state.keys.clear();
    state.write(dir)
}

/// Checks that every class can be kept: a plain name, and a limit of [`crate::limit::CLASS_TTL_MIN`] at least.
pub fn check_classes(classes: &[(String, Ttl)]) -> Result<(), Error> {
    classes.iter().try_for_each(|(class, ttl)| schedule(class, *ttl).map(|_| ()))
}

fn schedule(class: &str, ttl: Ttl) -> Result<Schedule, Error> {
    if !is_class_name(class) {
        return Err(Error::ClassName { class: class.to_owned() });
    }
    Schedule::try_new(ttl.duration()).map_err(|source| Error::TtlTooShort { class: class.to_owned(), source })
}

/// Tells the program that holds the directory that the wall clock, which shows `wall`, is right; it takes the word in
/// with its next [`Vault::tend`], unless its own clock is further away than [`crate::limit::CONFIRMATION_AGE_MAX`].
pub fn confirm_clock(dir: &DataDir, wall: Timestamp) -> Result<(), Error> {
    let path = dir.join(CONFIRMED);
    dir.disk().replace(&path, format!("{wall}\n").as_bytes()).map_err(Error::io(&path))
}

/// What is known of each pseudonym key in a directory, oldest first, and when it is destroyed. Needs no key.
pub fn keys(dir: &DataDir) -> Result<Vec<(KeyFile, Timestamp)>, Error> {
    let state = State::read(dir)?;
    let mut keys = Vec::new();
    for path in key_paths(&dir.join("keys"))? {
        let file = KeyFile::read(&path)?;
        let due = file.destroy_at(state.ttl(&file.class));
        keys.push((file, due));
    }
    keys.sort_by(|(a, _), (b, _)| (a.from, &a.class).cmp(&(b.from, &b.class)));
    Ok(keys)
}

/// Every key file below `root/CLASS/`, sorted. What has another name is left alone.
pub(crate) fn key_paths(root: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut paths = Vec::new();
    for class in entries(root)? {
        if class.is_dir() {
            paths.extend(entries(&class)?.into_iter().filter(|path| {
                path.extension().is_some_and(|extension| extension == "key")
                    && path.file_name().is_some_and(|name| !name.to_string_lossy().starts_with('.'))
            }));
        }
    }
    paths.sort();
    Ok(paths)
}

/// Destroys what a stop in the middle of writing a key file left below `root/CLASS/`: it holds a key, wrapped.
pub(crate) fn destroy_leftovers(dir: &DataDir, root: &str) -> Result<(), Error> {
    for class in entries(&dir.join(root))?.into_iter().filter(|path| path.is_dir()) {
        for path in entries(&class)? {
            let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
            if name.starts_with('.')
                && name.ends_with(".key.new")
                && fs::symlink_metadata(&path).is_ok_and(|found| found.is_file())
            {
                dir.disk().destroy(&path).map_err(Error::io(&path))?;
            }
        }
    }
    Ok(())
}

/// Destroys what a stop in the middle of replacing a file left beside it.
pub(crate) fn destroy_temporary(dir: &DataDir, path: &Path) -> Result<(), Error> {
    let left = disk::temporary(path);
    dir.disk().destroy(&left).map_err(Error::io(&left))
}

/// The entries of a directory; none if it is not there.
pub(crate) fn entries(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let read = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        read => read.map_err(Error::io(dir))?,
    };
    let mut paths = Vec::new();
    for entry in read {
        paths.push(entry.map_err(Error::io(dir))?.path());
    }
    Ok(paths)
}

#[cfg(test)]
mod tests;

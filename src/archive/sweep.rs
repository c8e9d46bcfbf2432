/*!
Destroying what is due: by the clock, or by an operator's word.
*/

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::name::Name;
use super::{Archive, Error, Selection, Swept, lock, rewrite};
use crate::clock::Timestamp;
use crate::keys::belief::{Moments, add};
use crate::keys::schedule::deadline;
use crate::limit::STEP_TOLERANCE;
use crate::vault::{self, DataDir, Destruction, Disk, Evidence, KeyFile, State, entries};

/// Key files as they were read: they change by destruction alone, so a sweep reads new ones only, and again what it is
/// about to destroy.
pub(crate) type Known = BTreeMap<PathBuf, Option<KeyFile>>;

impl Archive {
    /// Destroys what is due; a full disk does not hinder it. The limits in force are those of the last
    /// [`crate::vault::Vault::tend`]. Blocks the thread. To be called every [`crate::limit::TEND_EVERY`], after it.
    ///
    /// All partitions are tried; the first error is returned.
    pub fn sweep(&self, moments: &Moments) -> Result<Swept, Error> {
        // Without the limits in force those of the key files hold.
        let (state, mut first) = match State::read(&self.dir) {
            Ok(state) => (state, Ok(())),
            Err(error) => (State::default(), Err(Error::from(error))),
        };
        first = first.and(rewrite::settle(&self.dir, &self.destruction(moments.now)));
        let mut known = self.known.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        refresh(&self.root, &mut known)?;
        let mut swept = Swept::default();
        for (path, key) in known.iter_mut() {
            let Some(name) = Name::of(path) else { continue };
            let ttl = state.ttl(&name.class);
            if moments.settled {
                first = first.and(self.bring_back(path, key.as_mut(), ttl, moments.now));
            }
            let Some(due) = due(&name, key.as_ref(), ttl) else { continue };
            swept.partitions += 1;
            if ends(key.as_ref(), due, moments) {
                match self.destroy(&name, path, key, ttl, moments) {
                    Ok(false) => {}
                    Ok(true) => {
                        swept.destroyed += 1;
                        swept.partitions -= 1;
                        continue;
                    }
                    Err(error) => first = first.and(Err(error)),
                }
            }
            swept.oldest = Some(swept.oldest.map_or(name.from, |oldest| oldest.min(name.from)));
            swept.overdue += usize::from(due <= moments.unreadable);
            swept.bytes += fs::metadata(name.data_path(&self.root)).map_or(0, |found| found.len());
        }
        known.retain(|path, _| path.exists() || path.with_extension("lva").exists());
        first.map(|()| swept)
    }

    /// Destroys the partition, unless its key is another one than was known: the writer may have ended a destruction
    /// and begun the partition anew. Says whether it did.
    fn destroy(
        &self,
        name: &Name,
        path: &Path,
        key: &mut Option<KeyFile>,
        ttl: Option<Duration>,
        moments: &Moments,
    ) -> Result<bool, Error> {
        let mut writer = self.writer.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let _lock = lock::change(&self.dir)?;
        rewrite::finish(&self.destruction(moments.now), &self.root, name)?;
        *key = KeyFile::read(path).ok();
        let Some(due) = due(name, key.as_ref(), ttl).filter(|due| ends(key.as_ref(), *due, moments)) else {
            return Ok(false);
        };
        writer.close(name);
        let at = moments.destroyable.unwrap_or(moments.now);
        destroy(&self.destruction(at), name, path, &self.root, due).map(|()| true)
    }

    /// A partition from the future was stamped by a clock that was wrong: it lives no longer than one of now.
    fn bring_back(
        &self,
        path: &Path,
        key: Option<&mut KeyFile>,
        ttl: Option<Duration>,
        now: Timestamp,
    ) -> Result<(), Error> {
        let Some(key) = key else { return Ok(()) };
        let life = Duration::from_secs(key.ttl_s);
        let latest = deadline(now, ttl.map_or(life, |ttl| ttl.min(life)));
        if key.is_destroyed() || key.from <= add(now, STEP_TOLERANCE) || key.destroy_at <= latest {
            return Ok(());
        }
        let _lock = lock::change(&self.dir)?;
        // What was read earlier may have been written anew since.
        *key = KeyFile::read(path)?;
        if key.is_destroyed() {
            return Ok(());
        }
        key.shorten(&self.kek, path, latest)?;
        Ok(key.rewrite(self.dir.disk(), path)?)
    }
}

/// One partition as its name and key file say, for judging how long it lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Surveyed {
    /// `access/2026-11-22T10`.
    pub id: String,
    /// Retention class.
    pub class: String,
    /// Receive time of the oldest record that it may hold.
    pub from: Timestamp,
    /// When it is destroyed; `None` if nothing says.
    pub destroy_at: Option<Timestamp>,
}

/// The partitions of a directory. Needs no key.
pub fn survey(dir: &DataDir) -> Result<Vec<Surveyed>, Error> {
    let state = State::read(dir)?;
    let mut known = Known::new();
    refresh(&dir.join("archive"), &mut known)?;
    let named = known.iter().filter_map(|(path, key)| Name::of(path).map(|name| (name, key)));
    let surveyed = named.map(|(name, key)| Surveyed {
        id: name.id(),
        destroy_at: due(&name, key.as_ref(), state.ttl(&name.class)),
        from: name.from,
        class: name.class,
    });
    Ok(surveyed.collect())
}

/// What a purge by hand did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    /// Partitions destroyed.
    pub destroyed: usize,
    /// Partitions that are due, but the clock is not believed yet.
    pub overdue: usize,
    /// Partitions that were chosen, but may still be written to.
    pub unfinished: usize,
}

/// Which partitions a purge by hand destroys.
#[derive(Clone, Debug)]
pub enum Purge {
    /// What is due by this moment, which is believed or confirmed; `None` destroys nothing.
    Due(Option<Timestamp>),
    /// What was received before [`Selection::until`], of [`Selection::class`], whether it is due or not.
    Chosen(Selection),
}

/// Destroys partitions of a directory, also while another program writes to it.
pub fn purge(dir: &DataDir, what: &Purge, moments: &Moments) -> Result<Purged, Error> {
    let root = dir.join("archive");
    let evidence = Evidence::new(dir.join("evidence"), Disk::real());
    let disk = Disk::real();
    let destruction = Destruction { evidence: &evidence, disk: &disk, at: moments.now };
    let state = State::read(dir)?;
    let mut known = Known::new();
    refresh(&root, &mut known)?;
    let mut purged = Purged::default();
    for (path, key) in &known {
        let Some(name) = Name::of(path) else { continue };
        let Some(due) = due(&name, key.as_ref(), state.ttl(&name.class)) else { continue };
        let begun = key.as_ref().is_some_and(KeyFile::is_destroyed);
        let chosen = match what {
            Purge::Due(limit) => limit.is_some_and(|limit| due <= limit),
            Purge::Chosen(selection) => {
                let until = key.as_ref().map_or(add(name.from, Duration::from_secs(3600)), |key| key.until);
                let chosen =
                    selection.takes_class(&name.class) && selection.until.is_some_and(|end| until <= end);
                let closed = add(until, STEP_TOLERANCE) <= moments.now;
                purged.unfinished += usize::from(chosen && !closed);
                chosen && closed
            }
        };
        if begun || chosen {
            let _lock = lock::change(dir)?;
            let written_anew = rewrite::finish(&destruction, &root, &name)?;
            if written_anew && !chosen {
                continue;
            }
            destroy(&destruction, &name, path, &root, due)?;
            purged.destroyed += 1;
        } else {
            purged.overdue += usize::from(due <= moments.unreadable);
        }
    }
    Ok(purged)
}

/// When the partition is destroyed. Without a readable key file its name and the class's limit say it.
pub(crate) fn due(name: &Name, key: Option<&KeyFile>, ttl: Option<Duration>) -> Option<Timestamp> {
    match key {
        Some(key) => Some(key.destroy_at(ttl)),
        None => ttl.map(|ttl| deadline(name.from, ttl)),
    }
}

/// Whether it is to be destroyed now: it is due, or its destruction was begun.
fn ends(key: Option<&KeyFile>, due: Timestamp, moments: &Moments) -> bool {
    key.is_some_and(KeyFile::is_destroyed) || moments.destroyable.is_some_and(|limit| due <= limit)
}

fn destroy(
    destruction: &Destruction<'_>,
    name: &Name,
    path: &Path,
    root: &Path,
    due: Timestamp,
) -> Result<(), Error> {
    let data = name.data_path(root);
    match KeyFile::read(path) {
        Ok(key) => destruction.carry_out(path, key, due, Some(&data))?,
        Err(_) => {
            // No key that anything could be read with: both files go.
            let left = vault::temporary(path);
            destruction.disk.destroy(&left).map_err(vault::Error::io(&left))?;
            destruction.disk.destroy(path).map_err(vault::Error::io(path))?;
            destruction.disk.remove(&data).map_err(vault::Error::io(&data))?;
        }
    }
    Ok(())
}

/// Reads the key files that are not known yet, and forgets those that are gone. Data without a key file count, too.
pub(crate) fn refresh(root: &Path, known: &mut Known) -> Result<(), Error> {
    let mut there = BTreeSet::new();
    for class in entries(root)?.into_iter().filter(|path| path.is_dir()) {
        let files = entries(&class)?.into_iter();
        let ours = files.filter(|path| path.extension().is_some_and(|e| e == "key" || e == "lva"));
        there.extend(ours.map(|path| path.with_extension("key")).filter(|path| Name::of(path).is_some()));
    }
    known.retain(|path, _| there.contains(path));
    for path in there {
        if !matches!(known.get(&path), Some(Some(_))) {
            let key = KeyFile::read(&path).ok();
            known.insert(path, key);
        }
    }
    Ok(())
}

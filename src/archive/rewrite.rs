/*!
Taking single records out: a partition is written anew without them, under a new
key, and the old key is destroyed.

```text
1  .NAME.key.rewrite .NAME.lva.rewrite   new key, wrapped; the records that stay, encrypted with it. Nobody reads them yet
2  NAME.key                              the old key is overwritten: from here on the old records are unreadable for good
3  NAME.lva                              takes the new data
4  evidence                              a line for the old key
5  NAME.key                              takes the new key
```

Stopped before step 2, nothing has happened, and what was begun is thrown away;
stopped later, [`finish`] goes on from there. Steps 2 to 5 are made under the
archive's lock, so that a program that appends to the same partition is held for
some milliseconds, no longer; it then finds that its file was taken away, and opens
the new one. What it appended since step 1 is copied first, under the lock.

The new key is due when the old one was.
*/

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::block::{FILE_HEADER, HEADER_BYTES, Pending, Sealer, Step, compressor, is_newer, sealed, step};
use super::name::Name;
use super::partition::purpose;
use super::record::decode;
use super::sweep::{Known, due, refresh};
use super::{Error, lock};
use crate::act::Envelope;
use crate::clock::Timestamp;
use crate::limit::ARCHIVE_BLOCK_BYTES;
use crate::vault::{self, DataDir, Destruction, Evidence, Kek, KeyFile, State, Timekeeper, entries};

/// What taking records out came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rewritten {
    /// Partitions that were looked through.
    pub searched: usize,
    /// Partitions that held such records and were written anew, or destroyed because nothing else was in them.
    pub rewritten: usize,
    /// Records taken out.
    pub removed: u64,
    /// Blocks that are not what was written: nobody can tell what is in them. Those in a rewritten partition are gone.
    pub damaged: u64,
    /// Partitions without a usable key, or of a later version: nothing of them can be read.
    pub unreadable: u64,
}

/// Takes out every record of which `remove` says so, also while another program appends. May be stopped at any point and
/// begun again. Blocks the thread.
pub fn rewrite(
    dir: &DataDir,
    kek: &Kek,
    time: &Timekeeper,
    mut remove: impl FnMut(&Envelope<'_>) -> bool,
) -> Result<Rewritten, Error> {
    let Some(_turn) = lock::rewrite(dir)? else { return Err(Error::Rewriting) };
    let root = dir.join("archive");
    let evidence = Evidence::new(dir.join("evidence"), dir.disk().clone());
    let at = time.look().now;
    let work = Work {
        dir,
        kek,
        root: &root,
        destruction: Destruction { evidence: &evidence, disk: dir.disk(), at },
    };
    {
        let _lock = lock::change(dir)?;
        settle_all(&work.destruction, &root)?;
    }
    let state = State::read(dir)?;
    let mut known = Known::new();
    refresh(&root, &mut known)?;
    let mut done = Rewritten::default();
    for (path, key) in known {
        let Some(name) = Name::of(&path) else { continue };
        let due = due(&name, key.as_ref(), state.ttl(&name.class));
        if due.is_some_and(|due| due <= time.look().unreadable) {
            continue;
        }
        work.partition(&name, &mut remove, &mut done)?;
    }
    Ok(done)
}

/// Nobody takes records out for as long as this lives.
#[derive(Debug)]
pub struct Still {
    _turn: lock::Guard,
}

/// Ends what was half made, and keeps others from taking records out: to wrap every key anew, all of them must lie still.
pub fn hold_still(dir: &DataDir, at: Timestamp) -> Result<Still, Error> {
    let Some(turn) = lock::rewrite(dir)? else { return Err(Error::Rewriting) };
    let evidence = Evidence::new(dir.join("evidence"), dir.disk().clone());
    let _lock = lock::change(dir)?;
    settle_all(&Destruction { evidence: &evidence, disk: dir.disk(), at }, &dir.join("archive"))?;
    Ok(Still { _turn: turn })
}

/// Ends or throws away what was half made when a rewriting was stopped, unless one is going on.
pub(crate) fn settle(dir: &DataDir, destruction: &Destruction<'_>) -> Result<(), Error> {
    let Some(_turn) = lock::rewrite(dir)? else { return Ok(()) };
    let _lock = lock::change(dir)?;
    settle_all(destruction, &dir.join("archive"))
}

/// Goes on from step 3 for this partition, if it was stopped behind step 2. To be called under the archive's lock.
/// Says whether there was something to end.
pub(crate) fn finish(destruction: &Destruction<'_>, root: &Path, name: &Name) -> Result<bool, Error> {
    let (new_key, key_path) = (rewrite_of(&name.key_path(root)), name.key_path(root));
    if !new_key.exists() {
        return Ok(false);
    }
    let Ok(old) = KeyFile::read(&key_path) else { return Ok(false) };
    if !old.is_destroyed() {
        return Ok(false);
    }
    let (disk, data) = (destruction.disk, name.data_path(root));
    let new_data = rewrite_of(&data);
    if new_data.exists() {
        disk.rename(&new_data, &data).map_err(vault::Error::io(&data))?;
    }
    destruction.say(&old, old.destroy_at)?;
    disk.rename(&new_key, &key_path).map_err(vault::Error::io(&key_path))?;
    Ok(true)
}

fn settle_all(destruction: &Destruction<'_>, root: &Path) -> Result<(), Error> {
    let disk = destruction.disk;
    for class in entries(root)?.into_iter().filter(|path| path.is_dir()) {
        for path in entries(&class)? {
            let Some(whole) = begun(&path) else { continue };
            if let Some(name) = Name::of(&whole)
                && finish(destruction, root, &name)?
            {
                continue;
            }
            if whole.extension().is_some_and(|extension| extension == "lva") {
                disk.remove(&path).map_err(vault::Error::io(&path))?;
            } else {
                disk.destroy(&path).map_err(vault::Error::io(&path))?;
            }
        }
    }
    Ok(())
}

/// Where a file is written anew: `.NAME.key.rewrite`.
fn rewrite_of(path: &Path) -> PathBuf {
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    path.with_file_name(format!(".{name}.rewrite"))
}

/// The file that `path` is a new version of, if it is one, or one in the making.
fn begun(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?.trim_start_matches('.');
    let whole = name.strip_suffix(".rewrite").or_else(|| name.strip_suffix(".rewrite.new"))?;
    Some(path.with_file_name(whole))
}

struct Work<'a> {
    dir: &'a DataDir,
    kek: &'a Kek,
    root: &'a Path,
    destruction: Destruction<'a>,
}

impl Work<'_> {
    fn partition(
        &self,
        name: &Name,
        remove: &mut dyn FnMut(&Envelope<'_>) -> bool,
        done: &mut Rewritten,
    ) -> Result<(), Error> {
        let opened = {
            let _lock = lock::change(self.dir)?;
            self.open(name)?
        };
        let mut source = match opened {
            Opened::Source(source) => *source,
            Opened::Nothing => return Ok(()),
            Opened::Unreadable => {
                done.unreadable += 1;
                return Ok(());
            }
        };
        done.searched += 1;
        let mut wanted = 0;
        let start = source.at;
        let damaged = source.read(&mut |envelope, _| wanted += u64::from(remove(envelope)))?;
        done.damaged += damaged;
        if wanted == 0 {
            return Ok(());
        }
        source.at = start;
        let copied = self.copy(name, source, remove);
        if copied.is_err() {
            self.throw_away(name);
        }
        done.removed += copied?;
        done.rewritten += 1;
        Ok(())
    }

    /// Opens a partition to be read from its beginning. To be called under the lock.
    fn open(&self, name: &Name) -> Result<Opened, Error> {
        let (key_path, path) = (name.key_path(self.root), name.data_path(self.root));
        let file = match File::open(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Opened::Nothing),
            file => file.map_err(vault::Error::io(&path))?,
        };
        let Ok(key) = KeyFile::read(&key_path) else { return Ok(Opened::Unreadable) };
        if key.is_destroyed() {
            return Ok(Opened::Unreadable);
        }
        let secret = match key.unwrap(self.kek, &key_path) {
            Ok(secret) => secret,
            Err(wrong @ vault::Error::WrongKek { .. }) => return Err(wrong.into()),
            Err(_) => return Ok(Opened::Unreadable),
        };
        let mut head = [0; FILE_HEADER.len()];
        let length = file.metadata().map_err(vault::Error::io(&path))?.len();
        if length < head.len() as u64 {
            return Ok(Opened::Nothing);
        }
        std::os::unix::fs::FileExt::read_exact_at(&file, &mut head, 0).map_err(vault::Error::io(&path))?;
        if is_newer(&head) {
            return Ok(Opened::Unreadable);
        }
        let (class, sealer) = (name.class.clone(), Sealer::new(&secret, name.id()));
        Ok(Opened::Source(Box::new(Source { file, path, key, class, sealer, at: FILE_HEADER.len() as u64 })))
    }

    /// Steps 1 to 5. Gives the number of records that are gone.
    fn copy(
        &self,
        name: &Name,
        mut source: Source,
        remove: &mut dyn FnMut(&Envelope<'_>) -> bool,
    ) -> Result<u64, Error> {
        let disk = self.destruction.disk;
        let key_path = name.key_path(self.root);
        let mut target = Target::make(self, name, &source.key)?;
        let mut removed = 0;
        target.take(disk, &mut source, remove, &mut removed)?;
        let _lock = lock::change(self.dir)?;
        // What was appended meanwhile.
        target.take(disk, &mut source, remove, &mut removed)?;
        disk.sync_data(&target.file).map_err(vault::Error::io(&target.path))?;
        let mut old = KeyFile::read(&key_path)?;
        if old.check != source.key.check || old.is_destroyed() {
            // Somebody destroyed it, or began it anew: its records are gone.
            self.throw_away(name);
            return Ok(0);
        }
        if target.kept == 0 {
            let (due, data) = (old.destroy_at, name.data_path(self.root));
            self.throw_away(name);
            self.destruction.carry_out(&key_path, old, due, Some(&data))?;
            return Ok(removed);
        }
        if let Err(error) = old.shred(disk, &key_path) {
            // A write that was torn has destroyed it all the same: then there is no way back.
            if KeyFile::read(&key_path).is_ok_and(|left| !left.is_destroyed()) {
                return Err(vault::Error::io(&key_path)(error).into());
            }
        }
        finish(&self.destruction, self.root, name)?;
        Ok(removed)
    }

    /// Best effort: what is left over is thrown away by the next sweep.
    fn throw_away(&self, name: &Name) {
        let (key, data) = (name.key_path(self.root), name.data_path(self.root));
        let is_over = KeyFile::read(&key).is_ok_and(|old| old.is_destroyed());
        if !is_over {
            let _ = self.destruction.disk.destroy(&rewrite_of(&key));
            let _ = self.destruction.disk.remove(&rewrite_of(&data));
        }
    }
}

enum Opened {
    Source(Box<Source>),
    /// There is no such partition, or nothing in it.
    Nothing,
    Unreadable,
}

/// A partition that is read.
struct Source {
    file: File,
    path: PathBuf,
    key: KeyFile,
    class: String,
    sealer: Sealer,
    at: u64,
}

impl Source {
    /// Hands every record up to the file's present end to `see`, with its bytes. Gives the number of damaged blocks.
    fn read(&mut self, see: &mut dyn FnMut(&Envelope<'_>, &[u8])) -> Result<u64, Error> {
        let mut damaged = 0;
        let mut each = |raw: &[u8], class: &str| {
            let mut rest = raw;
            while !rest.is_empty() {
                let before = rest;
                let Some((_, envelope)) = decode(&mut rest, class) else { return false };
                see(&envelope, &before[..before.len() - rest.len()]);
            }
            true
        };
        let length = self.file.metadata().map_err(vault::Error::io(&self.path))?.len();
        loop {
            match step(&self.file, self.at, length).map_err(vault::Error::io(&self.path))? {
                Step::End | Step::Torn => return Ok(damaged),
                Step::Damaged(next) => {
                    damaged += 1;
                    self.at = next;
                }
                Step::Block(header) => {
                    let bytes = sealed(&self.file, self.at, &header).map_err(vault::Error::io(&self.path))?;
                    self.at += HEADER_BYTES as u64 + u64::from(header.length);
                    let block = self.sealer.open(&header, bytes);
                    let whole = block.is_some_and(|block| each(&block, &self.class));
                    damaged += u64::from(!whole);
                }
            }
        }
    }
}

/// A partition in the making.
struct Target {
    file: File,
    path: PathBuf,
    sealer: Sealer,
    compressor: zstd::bulk::Compressor<'static>,
    pending: Pending,
    next: u32,
    kept: u64,
}

impl Target {
    fn make(work: &Work<'_>, name: &Name, old: &KeyFile) -> Result<Target, Error> {
        let disk = work.destruction.disk;
        let (id, key_path) = (name.id(), rewrite_of(&name.key_path(work.root)));
        let ttl = std::time::Duration::from_secs(old.ttl_s);
        let purpose = purpose(&id, &old.policy, &old.class, (old.from, old.until), ttl);
        let (mut key_file, key) = KeyFile::make(work.kek, &purpose, work.destruction.at)?;
        key_file.shorten(work.kek, &key_path, old.destroy_at)?;
        key_file.write(disk, &key_path)?;
        let path = rewrite_of(&name.data_path(work.root));
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(&path).map_err(vault::Error::io(&path))?;
        disk.append(&mut file, FILE_HEADER).map_err(vault::Error::io(&path))?;
        let (sealer, compressor) = (Sealer::new(&key, id), compressor()?);
        Ok(Target { file, path, sealer, compressor, pending: Pending::default(), next: 0, kept: 0 })
    }

    /// Copies what stays, from where the source stands to its present end.
    fn take(
        &mut self,
        disk: &vault::Disk,
        source: &mut Source,
        remove: &mut dyn FnMut(&Envelope<'_>) -> bool,
        removed: &mut u64,
    ) -> Result<(), Error> {
        let mut written = Ok(());
        source.read(&mut |envelope, bytes| {
            if remove(envelope) {
                *removed += 1;
            } else if written.is_ok() {
                written = self.push(disk, envelope.received, bytes);
            }
        })?;
        written?;
        self.seal(disk)
    }

    fn push(&mut self, disk: &vault::Disk, received: Timestamp, bytes: &[u8]) -> Result<(), Error> {
        self.kept += 1;
        self.pending.raw.extend_from_slice(bytes);
        self.pending.count(received.as_microsecond());
        if self.pending.raw.len() < ARCHIVE_BLOCK_BYTES {
            return Ok(());
        }
        self.seal(disk)
    }

    fn seal(&mut self, disk: &vault::Disk) -> Result<(), Error> {
        if self.pending.count == 0 {
            return Ok(());
        }
        let mut out = Vec::new();
        self.sealer.seal(&mut self.compressor, self.next, &self.pending, &mut out)?;
        self.next += 1;
        self.pending.clear();
        Ok(disk.append(&mut self.file, &out).map_err(vault::Error::io(&self.path))?)
    }
}

#[cfg(test)]
mod tests;

/*!
Files that programs write: followed through rotation and truncation, from a checkpoint that moves only once records are
confirmed.

Folders are read and files asked for more at a fixed pace. A notification of the kernel's would come sooner, but not on
every file system, not through every symlink, and not without the same walk behind it whenever one is lost.

A file is known by device and number, so one that is renamed is followed to its end, and one that takes its name is a new
one. What was written between the last look at a file and its truncation is lost to any reader.
*/

mod checkpoints;
mod glob;
mod join;
mod progress;
mod tail;

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::JoinSet;

pub use checkpoints::Error;
pub use glob::Pattern;

use super::accept::ended;
use super::room::Room;
use super::{World, stopped};
use crate::limit;
use checkpoints::{Checkpoints, Identity};
use tail::{Shared, Tail};

/// Which files a source reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The source's name in the configuration.
    pub name: Arc<str>,
    /// Files to read.
    pub include: Vec<Pattern>,
    /// Files among them not to read.
    pub exclude: Vec<Pattern>,
    /// What stands around a record.
    pub framing: Framing,
}

/// What stands around a record in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Framing {
    /// Nothing: a line is a record.
    #[default]
    Plain,
    /// What runtimes of Kubernetes write.
    Cri,
    /// Docker's json-file.
    Docker,
}

/// A source of files with its checkpoints read.
pub struct Opened {
    settings: Settings,
    checkpoints: Checkpoints,
}

/// Reads the checkpoints, which lie in `folder`. Blocks.
pub fn open(settings: Settings, folder: &Path) -> Result<Opened, Error> {
    let checkpoints = Checkpoints::open(folder, &settings.name)?;
    Ok(Opened { settings, checkpoints })
}

/// Follows files until the world stops, and then until it is known of what was read whether it is safe.
pub async fn serve(opened: Opened, world: World) {
    let Opened { settings, checkpoints } = opened;
    let room = Room::new(limit::UNFINISHED_BYTES_MAX);
    let mut stop = world.stop.clone();
    let shared = Arc::new(Shared { settings, world, checkpoints: Mutex::new(checkpoints) });
    let mut readers = Readers { shared, room, tasks: JoinSet::new(), open: HashMap::new(), is_first: true };
    let mut look = tokio::time::interval(limit::FOLDERS_READ_EVERY);
    let mut write = tokio::time::interval(limit::CHECKPOINT_EVERY);
    loop {
        tokio::select! {
            biased;
            () = stopped(&mut stop) => break,
            Some(joined) = readers.tasks.join_next() => readers.ended(joined),
            _ = look.tick() => readers.look().await,
            _ = write.tick() => readers.write().await,
        }
    }
    while let Some(joined) = readers.tasks.join_next().await {
        readers.ended(joined);
    }
    readers.write().await;
}

/// A file that is read.
struct Reader {
    /// Whether a path leads to it.
    is_named: Arc<AtomicBool>,
    task: tokio::task::Id,
}

struct Readers {
    shared: Arc<Shared>,
    room: Room,
    tasks: JoinSet<Identity>,
    open: HashMap<Identity, Reader>,
    is_first: bool,
}

impl Readers {
    /// Reads the folders, and begins with files that are new.
    async fn look(&mut self) {
        let shared = Arc::clone(&self.shared);
        let is_first = std::mem::take(&mut self.is_first);
        let Ok(found) = tokio::task::spawn_blocking(move || found(&shared, is_first)).await else { return };
        for reader in self.open.values() {
            reader.is_named.store(false, Ordering::Relaxed);
        }
        for (identity, path) in found {
            match self.open.get(&identity) {
                Some(reader) => reader.is_named.store(true, Ordering::Relaxed),
                None if self.open.len() < limit::FILES_MAX => self.begin(path).await,
                None => {
                    let source = &*self.shared.settings.name;
                    tracing::warn!(source, max = limit::FILES_MAX, "too many files; some wait to be read");
                    return;
                }
            }
        }
    }

    async fn begin(&mut self, path: PathBuf) {
        let (shared, share) = (Arc::clone(&self.shared), self.room.share());
        let tail = tokio::task::spawn_blocking(move || {
            let file = open_file(&path)?;
            let identity = tail::identity(&file)?.ok_or(std::io::ErrorKind::InvalidInput)?;
            Ok::<_, std::io::Error>((identity, Tail::new(&shared, identity, file, &path, share)?))
        });
        // What cannot be opened is tried again with the next look.
        let Ok(Ok((identity, tail))) = tail.await else { return };
        if self.open.contains_key(&identity) {
            return;
        }
        let is_named = tail.named();
        let task = self.tasks.spawn(async move {
            tail.run().await;
            identity
        });
        self.open.insert(identity, Reader { is_named, task: task.id() });
    }

    fn ended(&mut self, joined: Result<Identity, tokio::task::JoinError>) {
        let (source, metrics) = (&self.shared.settings.name, &self.shared.world.metrics);
        match joined {
            Ok(identity) => drop(self.open.remove(&identity)),
            // The next look begins with the file again, from its checkpoint.
            Err(error) => {
                self.open.retain(|_, reader| reader.task != error.id());
                ended(Err(error), source, metrics);
            }
        }
    }

    /// Writes the checkpoints down, if they have moved.
    async fn write(&mut self) {
        let Some(written) = checkpoints(&self.shared).take_changes(|file| self.open.contains_key(&file))
        else {
            return;
        };
        let done = tokio::task::spawn_blocking(move || written.write()).await;
        if let Ok(Err(error)) = done {
            let source = &*self.shared.settings.name;
            tracing::warn!(source, %error, "checkpoints cannot be written; trying again");
            checkpoints(&self.shared).not_written();
        }
    }
}

fn checkpoints(shared: &Shared) -> MutexGuard<'_, Checkpoints> {
    shared.checkpoints.lock().unwrap_or_else(PoisonError::into_inner)
}

/// All files that are to be read, each once. At the first look those are among them that were renamed while nobody
/// looked and are not read to their end.
fn found(shared: &Shared, is_first: bool) -> Vec<(Identity, PathBuf)> {
    let settings = &shared.settings;
    let is_known =
        |path: &Path| is_first && identity(path).is_some_and(|identity| checkpoints(shared).knows(identity));
    let mut all = HashMap::new();
    for pattern in &settings.include {
        for path in pattern.paths(&is_known) {
            let is_excluded = settings.exclude.iter().any(|pattern| pattern.is_match(&path));
            let is_packed = path.extension().is_some_and(|end| PACKED.iter().any(|packed| end == *packed));
            if is_excluded || is_packed {
                continue;
            }
            if let Some(identity) = identity(&path) {
                all.entry(identity).or_insert(path);
            }
        }
    }
    let mut all: Vec<_> = all.into_iter().collect();
    all.sort_by(|(_, a), (_, b)| a.cmp(b));
    all
}

/// Ends of names of packed files, which rotation leaves beside those that are written.
const PACKED: [&str; 5] = ["gz", "zst", "bz2", "xz", "lz4"];

fn identity(path: &Path) -> Option<Identity> {
    let metadata = std::fs::metadata(path).ok()?;
    let identity = Identity { device: metadata.dev(), inode: metadata.ino() };
    metadata.is_file().then_some(identity)
}

/// Opens without waiting: a pipe put in a file's place holds nobody up.
fn open_file(path: &Path) -> std::io::Result<File> {
    let flags = rustix::fs::OFlags::NONBLOCK.bits();
    OpenOptions::new().read(true).custom_flags(flags.cast_signed()).open(path)
}

/*!
The embedded store: partitions by class and receive time, each encrypted with a
random key of its own, and gone before its oldest record is overdue.

```text
archive/access/2026-11-22T10.lva    header, then blocks: zstd inside XChaCha20-Poly1305
archive/access/2026-11-22T10.key    the partition's key, wrapped; destroyed first
```

[`Archive`] writes and sweeps, for the program that holds the data directory.
A [`Reader`] needs the key-encryption key alone and stands next to it. [`purge`]
and [`rewrite`], which takes single records out, are an operator's hand; they
change files next to a running program, one at a time by a lock.

What deliberately is not here: an index file. The headers of blocks say how many
records of which time follow; skipping one costs one small read.
*/

mod block;
mod error;
mod lock;
mod name;
mod partition;
mod reader;
mod record;
mod rewrite;
mod sweep;
mod writer;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

pub use error::Error;
pub use reader::{Go, Listed, Read, Reader, Selection, Standing};
pub use rewrite::{Rewritten, Still, hold_still, rewrite};
pub use sweep::{Purge, Purged, Surveyed, purge, survey};

use crate::act::Redacted;
use crate::clock::Timestamp;
use crate::vault::{self, DataDir, Destruction, Evidence, Kek};

/// The archive, to write to. Shared: appending and sweeping may be called from different threads.
#[derive(Debug)]
pub struct Archive {
    dir: Arc<DataDir>,
    kek: Arc<Kek>,
    root: PathBuf,
    evidence: Evidence,
    writer: Mutex<writer::Writer>,
    known: Mutex<sweep::Known>,
}

/// What an append did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Appended {
    /// Records that are on disk now.
    pub records: u64,
    /// Bytes written.
    pub bytes: u64,
    /// Records that were overdue when they came and were not written.
    pub overdue: u64,
    /// Bytes of unfinished blocks that a crash had left and that were cut off.
    pub cut: u64,
}

/// What a sweep did and found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Partitions destroyed.
    pub destroyed: usize,
    /// Partitions that are due and not destroyed yet.
    pub overdue: usize,
    /// Partitions left.
    pub partitions: usize,
    /// Bytes left.
    pub bytes: u64,
    /// The beginning of the oldest partition left.
    pub oldest: Option<Timestamp>,
}

impl Archive {
    /// Opens the archive of a directory that this program holds. Partitions are looked into when they are written to.
    pub fn open(dir: Arc<DataDir>, kek: Arc<Kek>) -> Result<Archive, Error> {
        let evidence = Evidence::new(dir.join("evidence"), dir.disk().clone());
        // A disk that cannot end now what was half made can later: the sweep tries again.
        let at = vault::high_water(&dir)?.map_or(Timestamp::UNIX_EPOCH, |mark| mark.high);
        let _ = rewrite::settle(&dir, &Destruction { evidence: &evidence, disk: dir.disk(), at });
        vault::destroy_leftovers(&dir, "archive")?;
        let root = dir.join("archive");
        let writer = Mutex::new(writer::Writer::new()?);
        Ok(Archive { dir, kek, root, evidence, writer, known: Mutex::default() })
    }

    /// Writes batches, in order; durable on return (`fdatasync`). After an error none of them is there.
    /// Blocks the thread. `now` is [`crate::keys::belief::Moments::now`].
    pub fn append(&self, batches: &[Arc<Redacted>], now: Timestamp) -> Result<Appended, Error> {
        // Every path through an append leaves files and positions whole, a panic's included: it drops what it took out.
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let _lock = lock::change(&self.dir)?;
        writer.append(self, batches, now)
    }

    fn destruction(&self, at: Timestamp) -> Destruction<'_> {
        Destruction { evidence: &self.evidence, disk: self.dir.disk(), at }
    }
}

#[cfg(test)]
mod tests;

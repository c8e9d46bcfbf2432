/*!
The few file operations that keys, evidence and partitions rest on.

Every operation that changes the disk goes through a [`Disk`], so that a unit test can
stop a program after any one of them, or let the disk be full. Programs carry no faults.
*/

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
#[cfg(test)]
use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

#[cfg(test)]
pub(crate) use super::crash::Trace;

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use crate::limit::VAULT_FILE_BYTES_MAX;

/// The disk, or a disk with a fault.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    #[cfg(test)]
    fault: Option<Arc<Fault>>,
    #[cfg(test)]
    trace: Trace,
}

/// What goes wrong, and after how many operations.
#[cfg(test)]
#[derive(Debug)]
struct Fault {
    kind: FaultKind,
    left: AtomicI64,
}

#[cfg(test)]
#[derive(Debug, PartialEq, Eq)]
enum FaultKind {
    /// Nothing is written any more, as after a crash.
    Stop,
    /// Nothing is allocated any more, as on a full disk.
    Full,
    /// One operation fails, as where a sector is broken.
    Once,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Needs {
    Space,
    Nothing,
}

impl Disk {
    /// The disk as it is.
    pub fn real() -> Disk {
        Disk::default()
    }

    /// Every operation that changes the disk passes here first, so that a test can stop it.
    #[cfg_attr(
        not(test),
        expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "tests alone have faults")
    )]
    fn step(&self, _needs: Needs) -> io::Result<()> {
        #[cfg(test)]
        self.fail(_needs)?;
        Ok(())
    }

    /// Makes a directory and its parents, for their owner alone.
    pub fn make_dir(&self, path: &Path) -> io::Result<()> {
        if path.is_dir() {
            return Ok(());
        }
        self.step(Needs::Space)?;
        fs::create_dir_all(path)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o700))?;
        match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => self.sync_dir(parent),
            _ => Ok(()),
        }
    }

    /// Makes the directory's entries durable.
    pub fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.step(Needs::Nothing)?;
        flush(&File::open(path)?)?;
        #[cfg(test)]
        self.trace.synced_names(path);
        Ok(())
    }

    /// Puts a file in place whole or not at all, readable by its owner alone, durable on return.
    pub fn replace(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        let temporary = temporary(path);
        let written = self.write_new(&temporary, content).and_then(|()| {
            self.step(Needs::Nothing)?;
            fs::rename(&temporary, path)
        });
        self.settle(&temporary, written)
    }

    /// As [`Disk::replace`], for a file that is there and holds a secret: what it held is destroyed, too. Stopped in
    /// between, it leaves [`temporary`], to be destroyed later.
    pub fn replace_secret(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        let temporary = temporary(path);
        let mut old = None;
        let written = self.write_new(&temporary, content).and_then(|()| {
            self.step(Needs::Nothing)?;
            match renameat_with(CWD, &temporary, CWD, path, RenameFlags::EXCHANGE) {
                Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                    // This file system cannot exchange names: what is held open can be written over without one.
                    old = Some(OpenOptions::new().write(true).open(path)?);
                    fs::rename(&temporary, path)
                }
                exchanged => Ok(exchanged?),
            }
        });
        self.settle(&temporary, written)?;
        match old {
            Some(mut file) => self.write_over(&mut file),
            None => self.destroy(&temporary),
        }
    }

    /// After a new file was put in place, or was not.
    fn settle(&self, temporary: &Path, written: io::Result<()>) -> io::Result<()> {
        if written.is_err() {
            // Best effort: the next attempt or the next start does it.
            let _ = self.destroy(temporary);
        }
        written?;
        temporary.parent().map_or(Ok(()), |dir| self.sync_dir(dir))
    }

    /// Writes over a small file and removes it, durable on return. Needs no space. One that is not there is destroyed already.
    pub fn destroy(&self, path: &Path) -> io::Result<()> {
        match OpenOptions::new().write(true).open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            // A disk that cannot write in place can still forget a name.
            file => {
                file.and_then(|mut file| self.write_over(&mut file)).or_else(|_| self.step(Needs::Nothing))?
            }
        }
        self.remove(path)
    }

    fn write_over(&self, file: &mut File) -> io::Result<()> {
        self.step(Needs::Nothing)?;
        let mut left = file.metadata()?.len();
        let dashes = vec![b'-'; left.min(VAULT_FILE_BYTES_MAX) as usize];
        while left > 0 {
            let some = left.min(dashes.len() as u64);
            file.write_all(&dashes[..some as usize])?;
            left -= some;
        }
        self.step(Needs::Nothing)?;
        flush(file)
    }

    fn write_new(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        self.step(Needs::Space)?;
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        file.write_all(content)?;
        self.step(Needs::Space)?;
        flush(&file)
    }

    /// Writes over the first bytes of a file without needing space, durable on return.
    pub fn overwrite(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        self.step(Needs::Nothing)?;
        let mut file = OpenOptions::new().write(true).open(path)?;
        file.write_all(content)?;
        self.step(Needs::Nothing)?;
        flush(&file)
    }

    /// Removes a file, durable on return; one that is not there is removed already.
    pub fn remove(&self, path: &Path) -> io::Result<()> {
        self.step(Needs::Nothing)?;
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        match path.parent() {
            Some(parent) if parent.is_dir() => self.sync_dir(parent),
            _ => Ok(()),
        }
    }

    /// Gives a file another name, which may be one that is there, durable on return.
    pub fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step(Needs::Nothing)?;
        fs::rename(from, to)?;
        to.parent().map_or(Ok(()), |dir| self.sync_dir(dir))
    }

    /// Makes a file that is not there yet, to append to, for its owner alone.
    pub fn create_new(&self, path: &Path) -> io::Result<File> {
        self.step(Needs::Space)?;
        let file = OpenOptions::new().append(true).read(true).create_new(true).mode(0o600).open(path)?;
        #[cfg(test)]
        self.trace.created(path);
        Ok(file)
    }

    /// Appends to an open file.
    pub fn append(&self, file: &mut File, content: &[u8]) -> io::Result<()> {
        self.step(Needs::Space)?;
        file.write_all(content)
    }

    /// Makes what was appended durable (`fdatasync`).
    pub fn sync_data(&self, file: &File) -> io::Result<()> {
        self.step(Needs::Space)?;
        if !cfg!(test) {
            file.sync_data()?;
        }
        #[cfg(test)]
        self.trace.synced(file);
        Ok(())
    }

    /// Cuts a file off.
    pub fn truncate(&self, file: &File, length: u64) -> io::Result<()> {
        self.step(Needs::Nothing)?;
        file.set_len(length)
    }
}

#[cfg(test)]
impl Disk {
    /// Fails every operation after the first `operations`, as if the program had ended there.
    pub fn stopping_after(operations: i64) -> Disk {
        Disk::with(FaultKind::Stop, operations)
    }

    /// Every operation that needs space fails after the first `operations` of these, until [`Disk::relieve`].
    pub fn full_after(operations: i64) -> Disk {
        Disk::with(FaultKind::Full, operations)
    }

    /// One operation fails after the first `operations`.
    pub fn failing_once_after(operations: i64) -> Disk {
        Disk::with(FaultKind::Once, operations)
    }

    /// What would be left of what this disk wrote if the power failed now.
    pub(crate) fn trace(&self) -> &Trace {
        &self.trace
    }

    fn with(kind: FaultKind, operations: i64) -> Disk {
        let fault = Some(Arc::new(Fault { kind, left: AtomicI64::new(operations) }));
        Disk { fault, trace: Trace::default() }
    }

    /// The fault is gone.
    pub fn relieve(&self) {
        if let Some(fault) = &self.fault {
            fault.left.store(i64::MAX, Ordering::SeqCst);
        }
    }

    /// The fault is there after so many operations from now on.
    pub fn break_down_after(&self, operations: i64) {
        if let Some(fault) = &self.fault {
            fault.left.store(operations, Ordering::SeqCst);
        }
    }

    fn fail(&self, needs: Needs) -> io::Result<()> {
        let Some(fault) = &self.fault else { return Ok(()) };
        if fault.kind == FaultKind::Full && needs == Needs::Nothing {
            return Ok(());
        }
        let left = fault.left.fetch_sub(1, Ordering::SeqCst);
        if left > 0 || left < 0 && fault.kind == FaultKind::Once {
            return Ok(());
        }
        Err(match fault.kind {
            FaultKind::Once => io::Error::from_raw_os_error(Errno::IO.raw_os_error()),
            FaultKind::Stop => io::Error::other("stopped here by a test"),
            FaultKind::Full => io::ErrorKind::StorageFull.into(),
        })
    }
}

/// Makes a file durable. In unit tests power fails by a trace's crash alone, and a real sync would be most of their time.
fn flush(file: &File) -> io::Result<()> {
    if cfg!(test) { Ok(()) } else { file.sync_all() }
}

/// Where the new content of a file is written before it takes the name.
pub fn temporary(path: &Path) -> PathBuf {
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    path.with_file_name(format!(".{name}.new"))
}

/// Reads a file of at most `bytes_max` bytes.
pub fn read_bounded(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    File::open(path)?.take(bytes_max + 1).read_to_end(&mut content)?;
    if content.len() as u64 > bytes_max {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(content)
}

/// The permission bits of a file.
pub fn mode(path: &Path) -> io::Result<u32> {
    Ok(fs::metadata(path)?.permissions().mode() & 0o777)
}

/*!
Who may change the archive's files: one program at a time, for moments.

The program that runs appends and sweeps; a verb by hand purges or erases beside
it. Each change of files is made under an exclusive lock on `archive.lock`; a
reader takes a shared one while it opens a partition, so that key and data belong
together. The lock is asked for after the writer's own mutex, never before.

`erase.lock` is held for as long as somebody rewrites partitions: what is half
made then is not left over.
*/

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;

use super::Error;
use crate::vault::{self, DataDir};

/// A lock that is held until this is dropped.
#[derive(Debug)]
pub(crate) struct Guard {
    _file: File,
}

/// Waits until nobody else changes or opens the archive's files.
pub(crate) fn change(dir: &DataDir) -> Result<Guard, Error> {
    let path = dir.join("archive.lock");
    let file = made(&path).and_then(|file| file.lock().map(|()| file)).map_err(vault::Error::io(&path))?;
    Ok(Guard { _file: file })
}

/// Waits until nobody changes the archive's files. Where no lock was ever made, or this program may not open it, nobody
/// is waited for.
pub(crate) fn look(dir: &std::path::Path) -> Option<Guard> {
    let file = File::open(dir.join("archive.lock")).ok()?;
    file.lock_shared().ok()?;
    Some(Guard { _file: file })
}

/// The right to rewrite partitions, unless another program has it.
pub(crate) fn rewrite(dir: &DataDir) -> Result<Option<Guard>, Error> {
    let path = dir.join("erase.lock");
    let file = made(&path).map_err(vault::Error::io(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(Guard { _file: file })),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(vault::Error::io(&path)(error).into()),
    }
}

fn made(path: &std::path::Path) -> std::io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)
}

/*!
Another key-encryption key: every wrapped key of a data directory is unwrapped
with the old one and wrapped with the new one.

Each file is replaced whole, so after a stop at any step some files are wrapped
by the one and some by the other, and the same call goes on from there. Once it
is through, the old key-encryption key opens nothing any more.
*/

use std::path::{Path, PathBuf};

use super::keyfile::{KeyFile, Kind};
use super::{DataDir, Destruction, Error, Evidence, Kek, State, destroy_leftovers, entries, key_paths};
use crate::clock::Timestamp;

/// What was done to the keys of a directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rewrapped {
    /// Keys that were wrapped anew.
    pub rewrapped: usize,
    /// Keys that the new key-encryption key had wrapped already.
    pub kept: usize,
}

/// Wraps every key of the directory with `to`. `from` is asked for when the first key needs it.
///
/// The key-encryption key beside the data is destroyed at the end, since nothing needs it any more.
pub fn rewrap(dir: &DataDir, from: impl Fn() -> Result<Kek, Error>, to: &Kek) -> Result<Rewrapped, Error> {
    let paths = all_key_paths(dir)?;
    let mut old = None;
    let mut done = Rewrapped::default();
    for path in &paths {
        let mut file = KeyFile::read(path)?;
        if file.is_destroyed() {
            continue;
        }
        if file.is_wrapped_by(to) {
            file.unwrap(to, path)?;
            done.kept += 1;
            continue;
        }
        let from = match &old {
            Some(from) => from,
            None => old.insert(from()?),
        };
        file.rewrap(from, to, path)?;
        file.rewrite(dir.disk(), path)?;
        done.rewrapped += 1;
    }
    for path in &paths {
        let file = KeyFile::read(path)?;
        if !file.is_destroyed() {
            file.unwrap(to, path)?;
        }
    }
    let beside = dir.join("kek");
    dir.disk().destroy(&beside).map_err(Error::io(&beside))?;
    Ok(done)
}

/// Destroys every key that `kek` did not wrap, and its data: what is left to do when a key-encryption key is lost.
/// Returns how many.
pub fn destroy_unreadable(dir: &DataDir, kek: &Kek, at: Timestamp) -> Result<usize, Error> {
    let state = State::read(dir)?;
    let evidence = Evidence::new(dir.join("evidence"), dir.disk().clone());
    let destruction = Destruction { evidence: &evidence, disk: dir.disk(), at };
    let mut destroyed = 0;
    for path in all_key_paths(dir)? {
        let file = KeyFile::read(&path)?;
        if file.is_wrapped_by(kek) && !file.is_destroyed() {
            continue;
        }
        let due = file.destroy_at(state.ttl(&file.class));
        let data = (file.kind == Kind::Partition).then(|| path.with_extension("lva"));
        let counts = file.kind == Kind::Aggregates;
        destruction.carry_out(&path, file, due, data.as_deref())?;
        if counts {
            remove_counts(dir)?;
        }
        destroyed += 1;
    }
    Ok(destroyed)
}

/// Removes the counts that are sealed under a key that is gone: they would have no program start any more.
fn remove_counts(dir: &DataDir) -> Result<(), Error> {
    for path in entries(&dir.join("aggregates"))?.into_iter().filter(|path| path.is_file()) {
        dir.disk().remove(&path).map_err(Error::io(&path))?;
    }
    Ok(())
}

/// Every wrapped key of the directory, whatever it is for.
fn all_key_paths(dir: &DataDir) -> Result<Vec<PathBuf>, Error> {
    let mut paths = Vec::new();
    for root in entries(dir.path())?.into_iter().filter(|path| path.is_dir()) {
        if let Some(name) = root.file_name().and_then(|name| name.to_str()) {
            destroy_leftovers(dir, name)?;
        }
        paths.extend(key_paths(&root)?);
    }
    Ok(paths)
}

/// Makes a new key-encryption key in a file of its own, which is not there yet, for its owner alone.
pub fn make_kek(disk: &super::Disk, path: &Path) -> Result<Kek, Error> {
    super::kek::make_file(disk, path)?;
    Kek::from_file(path)
}

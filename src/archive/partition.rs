/*!
One partition that is open for writing.
*/

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::Error;
use super::block::{FILE_HEADER, Header, Sealer, Step, is_newer, sealed, step};
use super::name::Name;
use super::rewrite;
use crate::vault::{self, Destruction, Disk, Kek, KeyFile, Kind, Purpose};

/// A partition's file, positioned after its last good block.
#[derive(Debug)]
pub(crate) struct Partition {
    pub name: Name,
    pub path: PathBuf,
    pub file: File,
    pub sealer: Sealer,
    /// Bytes that are durable.
    pub length: u64,
    /// Index of the next block.
    pub next: u32,
}

/// What an attempt to open a partition came to.
#[derive(Debug)]
pub(crate) enum Opened {
    /// It can be written to; so many bytes of an unfinished block were cut off.
    Ready(Box<Partition>, u64),
    /// It cannot be continued: its key or file is damaged, or of a later version. The next part is tried.
    Unusable,
}

/// What a partition is opened with.
#[derive(Debug)]
pub(crate) struct Opening<'a> {
    pub root: &'a Path,
    pub kek: &'a Kek,
    pub purpose: Purpose<'a>,
    pub now: crate::clock::Timestamp,
}

impl Partition {
    /// Opens the partition, making key and file if they are not there.
    pub(crate) fn open(
        name: &Name,
        opening: &Opening<'_>,
        destruction: &Destruction<'_>,
    ) -> Result<Opened, Error> {
        let disk = destruction.disk;
        let (key_path, path) = (name.key_path(opening.root), name.data_path(opening.root));
        if !key_path.exists() {
            if path.exists() {
                return Ok(Opened::Unusable);
            }
            return Partition::make(name, opening, disk);
        }
        rewrite::finish(destruction, opening.root, name)?;
        let key_file = match KeyFile::read(&key_path) {
            Ok(key_file) => key_file,
            Err(vault::Error::Io { source, path }) => return Err(vault::Error::Io { source, path }.into()),
            Err(_) => return Ok(Opened::Unusable),
        };
        if key_file.is_destroyed() {
            let due = key_file.destroy_at;
            destruction.carry_out(&key_path, key_file, due, Some(&path))?;
            return Partition::make(name, opening, disk);
        }
        let key = match key_file.unwrap(opening.kek, &key_path) {
            Ok(key) => key,
            Err(wrong @ vault::Error::WrongKek { .. }) => return Err(wrong.into()),
            Err(_) => return Ok(Opened::Unusable),
        };
        let sealer = Sealer::new(&key, name.id());
        Partition::recover(name, path.clone(), sealer, disk)
            .map_err(|error| vault::Error::io(&path)(error).into())
    }

    fn make(name: &Name, opening: &Opening<'_>, disk: &Disk) -> Result<Opened, Error> {
        let (key_path, path) = (name.key_path(opening.root), name.data_path(opening.root));
        if let Some(dir) = key_path.parent() {
            disk.make_dir(dir).map_err(vault::Error::io(dir))?;
        }
        let (key_file, key) = KeyFile::make(opening.kek, &opening.purpose, opening.now)?;
        key_file.write(disk, &key_path)?;
        let sealer = Sealer::new(&key, name.id());
        Partition::recover(name, path.clone(), sealer, disk)
            .map_err(|error| vault::Error::io(&path)(error).into())
    }

    /// Finds the last authentic block and cuts off what stands behind it.
    fn recover(name: &Name, path: PathBuf, sealer: Sealer, disk: &Disk) -> io::Result<Opened> {
        let mut options = OpenOptions::new();
        let mut file = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(&path)?;
        let length = file.metadata()?.len();
        let (mut end, mut next) = (0, 0);
        if length >= FILE_HEADER.len() as u64 {
            let mut head = [0; FILE_HEADER.len()];
            file.read_exact_at(&mut head, 0)?;
            if is_newer(&head) {
                return Ok(Opened::Unusable);
            }
            (end, next) = last_block(&file, &sealer, length)?;
        }
        let cut = length - end;
        if cut > 0 {
            disk.truncate(&file, end)?;
        }
        file.seek(SeekFrom::Start(end))?;
        if end == 0 {
            disk.append(&mut file, FILE_HEADER)?;
            disk.sync_data(&file)?;
            if let Some(dir) = path.parent() {
                disk.sync_dir(dir)?;
            }
            end = FILE_HEADER.len() as u64;
        }
        let partition = Partition { name: name.clone(), path, file, sealer, length: end, next };
        Ok(Opened::Ready(Box::new(partition), cut))
    }

    /// Forgets what was appended since the last [`Partition::keep`]. False if the file cannot be trusted any more.
    pub(crate) fn roll_back(&mut self, disk: &Disk, next: u32) -> bool {
        self.next = next;
        disk.truncate(&self.file, self.length).is_ok() && self.file.seek(SeekFrom::Start(self.length)).is_ok()
    }

    /// What was appended is durable.
    pub(crate) fn keep(&mut self, appended: u64) {
        self.length += appended;
    }

    /// Whether the file still has a name: a purge by hand takes it away.
    pub(crate) fn is_linked(&self) -> bool {
        self.file.metadata().is_ok_and(|found| found.nlink() > 0)
    }
}

/// Where the last authentic block ends, and the index after it.
fn last_block(file: &File, sealer: &Sealer, length: u64) -> io::Result<(u64, u32)> {
    let start = FILE_HEADER.len() as u64;
    let (mut at, mut blocks): (u64, Vec<(u64, Header)>) = (start, Vec::new());
    loop {
        match step(file, at, length)? {
            Step::Block(header) => {
                blocks.push((at, header));
                at += (super::block::HEADER_BYTES as u64) + u64::from(header.length);
            }
            Step::Damaged(next) => at = next,
            Step::Torn | Step::End => break,
        }
    }
    let next = blocks.iter().map(|(_, header)| header.index.saturating_add(1)).max().unwrap_or(0);
    while let Some((at, header)) = blocks.pop() {
        if sealer.open(&header, sealed(file, at, &header)?).is_some() {
            return Ok((at + super::block::HEADER_BYTES as u64 + u64::from(header.length), next));
        }
    }
    Ok((start, next))
}

/// What a partition's key is made for.
pub(crate) fn purpose<'a>(
    id: &'a str,
    policy: &'a str,
    class: &'a str,
    (from, until): (crate::clock::Timestamp, crate::clock::Timestamp),
    ttl: std::time::Duration,
) -> Purpose<'a> {
    Purpose { kind: Kind::Partition, id, policy, class, from, until, ttl }
}

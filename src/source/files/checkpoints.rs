/*!
Places up to which files are delivered, kept in a file of their own.

A file is known by device, number and a hash of its head, since numbers are given out again. The hash is keyed by a
number of this installation and cut to 32 bits: it tells files apart and says next to nothing of what they hold. No
path and no record byte is written down.

The file is a line `logveil checkpoints 1 SALT`, then a line a file, then a line with a checksum. It is replaced whole.
One that is damaged is put aside and files are read from their beginning: twice is better than never.
*/

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::limit::{CHECKPOINT_BYTES_MAX, FILE_HEAD_BYTES, FILES_MAX};

/// Which file it is, whatever it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    /// Device that it is on.
    pub device: u64,
    /// Its number there.
    pub inode: u64,
}

/// How far a file is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    offset: u64,
    head_len: usize,
    head: u32,
}

/// The checkpoints of one source.
pub struct Checkpoints {
    path: PathBuf,
    salt: [u8; 16],
    places: BTreeMap<Identity, Place>,
    is_changed: bool,
}

/// Why checkpoints cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file or its folder cannot be read or written.
    #[error("cannot use {path}: {cause}; make its folder writable for the service's user")]
    Storage {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        #[source]
        cause: io::Error,
    },
    /// A later version wrote it.
    #[error(
        "{path} is of a newer version; run that version, or remove the file to read every file from its beginning"
    )]
    Newer {
        /// The file.
        path: PathBuf,
    },
}

const TITLE: &str = "logveil checkpoints";
const VERSION: u32 = 1;

/// What a file of checkpoints is.
enum Content {
    Whole([u8; 16], BTreeMap<Identity, Place>),
    Newer,
    Damaged,
}

impl Checkpoints {
    /// Reads the checkpoints of a source from a folder, which is made if there is none. Blocks.
    pub fn open(folder: &Path, source: &str) -> Result<Checkpoints, Error> {
        let path = folder.join(source);
        let storage = |cause| Error::Storage { path: path.clone(), cause };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(storage)?;
        let mut text = String::new();
        let content = match File::open(&path) {
            Ok(file) => match file.take(CHECKPOINT_BYTES_MAX + 1).read_to_string(&mut text) {
                Ok(_) => read(&text),
                Err(_) => Content::Damaged,
            },
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
                Content::Whole(salt().map_err(storage)?, BTreeMap::new())
            }
            Err(cause) => return Err(storage(cause)),
        };
        let (salt, places) = match content {
            Content::Whole(salt, places) => (salt, places),
            Content::Newer => return Err(Error::Newer { path }),
            Content::Damaged => {
                fs::rename(&path, path.with_extension("damaged")).map_err(storage)?;
                tracing::warn!(
                    source,
                    "checkpoints are damaged and put aside; files are read from their beginning"
                );
                (salt().map_err(storage)?, BTreeMap::new())
            }
        };
        Ok(Checkpoints { path, salt, places, is_changed: false })
    }

    /// Whether anything is known of a file.
    pub fn knows(&self, identity: Identity) -> bool {
        self.places.contains_key(&identity)
    }

    /// Up to where a file is delivered that begins with `head`: its beginning, unless it is the one that is known.
    pub fn offset(&self, identity: Identity, head: &[u8]) -> u64 {
        let place = self
            .places
            .get(&identity)
            .filter(|place| head.get(..place.head_len).is_some_and(|head| self.hash(head) == place.head));
        place.map_or(0, |place| place.offset)
    }

    /// A file is delivered up to `offset`.
    pub fn set(&mut self, identity: Identity, head: &[u8], offset: u64) {
        let head = &head[..head.len().min(FILE_HEAD_BYTES)];
        let place = Place { offset, head_len: head.len(), head: self.hash(head) };
        self.is_changed |= self.places.insert(identity, place) != Some(place);
    }

    /// A file is gone.
    pub fn remove(&mut self, identity: Identity) {
        self.is_changed |= self.places.remove(&identity).is_some();
    }

    /// What is to be written, if anything changed. Files that `is_open` denies go first once there are too many.
    pub fn take_changes(&mut self, is_open: impl Fn(Identity) -> bool) -> Option<Written> {
        if !std::mem::take(&mut self.is_changed) {
            return None;
        }
        let mut surplus = self.places.len().saturating_sub(FILES_MAX);
        self.places.retain(|identity, _| {
            let stays = surplus == 0 || is_open(*identity);
            surplus -= usize::from(!stays);
            stays
        });
        let mut text = format!("{TITLE} {VERSION} {}\n", data_encoding::HEXLOWER.encode(&self.salt));
        for (Identity { device, inode }, Place { offset, head_len, head }) in &self.places {
            text.push_str(&format!("{device} {inode} {offset} {head_len} {head}\n"));
        }
        text.push_str(&format!("{}\n", crc32fast::hash(text.as_bytes())));
        Some(Written { path: self.path.clone(), text })
    }

    /// What was to be written was not.
    pub fn not_written(&mut self) {
        self.is_changed = true;
    }

    fn hash(&self, head: &[u8]) -> u32 {
        let digest = Sha256::new().chain_update(self.salt).chain_update(head).finalize();
        u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]])
    }
}

/// Checkpoints on their way to the disk.
pub struct Written {
    path: PathBuf,
    text: String,
}

impl Written {
    /// Replaces the file. Blocks.
    pub fn write(self) -> io::Result<()> {
        let new = self.path.with_extension("new");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(self.text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, &self.path)?;
        self.path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    }
}

fn salt() -> io::Result<[u8; 16]> {
    let mut salt = [0; 16];
    let read = rustix::rand::getrandom(&mut salt, rustix::rand::GetRandomFlags::empty())?;
    if read == salt.len() { Ok(salt) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

fn read(text: &str) -> Content {
    let title = text.lines().next().unwrap_or_default();
    let mut words = title.strip_prefix(TITLE).unwrap_or_default().split_ascii_whitespace();
    match words.next().and_then(|version| version.parse::<u32>().ok()) {
        Some(VERSION) => {}
        Some(VERSION..) => return Content::Newer,
        Some(_) | None => return Content::Damaged,
    }
    let salt = words.next().and_then(|salt| data_encoding::HEXLOWER.decode(salt.as_bytes()).ok());
    let body = text.strip_suffix('\n').and_then(|text| text.rsplit_once('\n'));
    let (Some(salt), Some((body, sum))) = (salt.and_then(|salt| salt.try_into().ok()), body) else {
        return Content::Damaged;
    };
    let whole = &text[..body.len() + 1];
    if sum.parse() != Ok(crc32fast::hash(whole.as_bytes())) {
        return Content::Damaged;
    }
    match body.lines().skip(1).map(place).collect() {
        Some(places) => Content::Whole(salt, places),
        None => Content::Damaged,
    }
}

fn place(line: &str) -> Option<(Identity, Place)> {
    let numbers: Vec<u64> = line.split(' ').map(|word| word.parse().ok()).collect::<Option<_>>()?;
    let [device, inode, offset, head_len, head] = numbers[..] else { return None };
    let head_len = usize::try_from(head_len).ok().filter(|len| *len <= FILE_HEAD_BYTES)?;
    Some((Identity { device, inode }, Place { offset, head_len, head: u32::try_from(head).ok()? }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: Identity = Identity { device: 1, inode: 2 };

    fn written(folder: &Path) -> PathBuf {
        let mut checkpoints = Checkpoints::open(folder, "pods").unwrap();
        checkpoints.set(FILE, b"canary one", 70);
        checkpoints.take_changes(|_| true).unwrap().write().unwrap();
        assert!(checkpoints.take_changes(|_| true).is_none(), "nothing changed since");
        folder.join("pods")
    }

    #[test]
    fn a_file_is_known_again_by_its_head() {
        let folder = tempfile::tempdir().unwrap();
        let path = written(folder.path());
        let checkpoints = Checkpoints::open(folder.path(), "pods").unwrap();
        assert_eq!(checkpoints.offset(FILE, b"canary one and more"), 70);
        assert_eq!(checkpoints.offset(FILE, b"canary two and more"), 0);
        assert_eq!(checkpoints.offset(FILE, b"canary"), 0);
        assert_eq!(checkpoints.offset(Identity { device: 1, inode: 3 }, b"canary one"), 0);
        assert!(!fs::read_to_string(path).unwrap().contains("canary"));
    }

    #[test]
    fn any_flipped_byte_puts_the_file_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = written(folder.path());
        let text = fs::read(&path).unwrap();
        for at in 0..text.len() {
            let mut flipped = text.clone();
            flipped[at] ^= 0x40;
            fs::write(&path, &flipped).unwrap();
            match Checkpoints::open(folder.path(), "pods") {
                Ok(checkpoints) => assert!(!checkpoints.knows(FILE), "byte {at}"),
                Err(Error::Newer { .. }) => {}
                Err(error) => panic!("byte {at}: {error}"),
            }
        }
        for len in 0..text.len() {
            fs::write(&path, &text[..len]).unwrap();
            assert!(!Checkpoints::open(folder.path(), "pods").unwrap().knows(FILE), "{len} bytes");
        }
    }

    #[test]
    fn a_newer_version_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("pods"), "logveil checkpoints 2 x\n").unwrap();
        let error = Checkpoints::open(folder.path(), "pods").err().unwrap();
        assert!(matches!(error, Error::Newer { .. }));
        assert!(error.to_string().contains("is of a newer version; run that version"));
    }
}

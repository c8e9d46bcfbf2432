/*!
Reading: listing, streaming in order of arrival, and checking.

A reader holds no lock and asks on every partition and every block whether it is
overdue: what is due by the wall clock is not shown, whether it is destroyed yet or
not. Memory: one block per class.
*/

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::block::{FILE_HEADER, HEADER_BYTES, Header, Sealer, Step, is_newer, sealed, step};
use super::name::Name;
use super::record::decode;
use super::sweep::{Known, due, refresh};
use super::{Error, lock};
use crate::act::Envelope;
use crate::clock::Timestamp;
use crate::vault::{self, DataDir, Kek, KeyFile, State, Timekeeper};

/// The archive, to read from.
#[derive(Debug)]
pub struct Reader {
    dir: PathBuf,
    root: PathBuf,
    kek: Arc<Kek>,
    state: State,
}

/// Which records are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// One class; all if there is none.
    pub class: Option<String>,
    /// Received at this moment or later.
    pub since: Option<Timestamp>,
    /// Received before this moment.
    pub until: Option<Timestamp>,
}

impl Selection {
    pub(crate) fn takes_class(&self, class: &str) -> bool {
        self.class.as_ref().is_none_or(|wanted| wanted == class)
    }

    fn takes(&self, received: Timestamp) -> bool {
        self.since.is_none_or(|since| since <= received) && self.until.is_none_or(|until| received < until)
    }

    /// Whether records between the two moments, both included, may be wanted.
    fn meets(&self, first: i64, last: i64) -> bool {
        // Microseconds cut off what stands behind them; a record of the same microsecond may be wanted.
        self.since.is_none_or(|since| since.as_microsecond() <= last)
            && self.until.is_none_or(|until| first <= until.as_microsecond())
    }
}

/// One partition, as its headers tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Retention class.
    pub class: String,
    /// `access/2026-11-22T10`.
    pub id: String,
    /// Receive time of the oldest record it may hold.
    pub from: Timestamp,
    /// When it is destroyed; `None` if its key file cannot be read and its class is not in force.
    pub destroy_at: Option<Timestamp>,
    /// Records in it.
    pub records: u64,
    /// Blocks in it.
    pub blocks: u64,
    /// Bytes of its file.
    pub bytes: u64,
    /// Whether it may be read.
    pub standing: Standing,
}

/// Whether a partition may be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It may.
    Live,
    /// It is due: nothing of it is shown.
    Overdue,
    /// Its key is gone or damaged.
    Keyless,
}

/// What a reading met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Read {
    /// Records given out.
    pub records: u64,
    /// Good blocks.
    pub blocks: u64,
    /// Partitions looked into.
    pub partitions: u64,
    /// Places where a block is not what was written.
    pub damaged: u64,
    /// Blocks at the end of a file that were not written to their end: of a crash, or being written just now.
    pub torn: u64,
    /// Partitions that are due.
    pub overdue: u64,
    /// Partitions without a usable key, or of a later version.
    pub unreadable: u64,
}

impl Read {
    /// Whether all that was met is as it should be.
    pub fn is_sound(&self) -> bool {
        self.damaged == 0 && self.overdue == 0 && self.unreadable == 0
    }
}

impl Reader {
    /// Opens the archive of a directory to read.
    pub fn open(dir: &DataDir, kek: Arc<Kek>) -> Result<Reader, Error> {
        let (root, state) = (dir.join("archive"), State::read(dir)?);
        Ok(Reader { dir: dir.path().to_owned(), root, kek, state })
    }

    /// The partitions of a class or of all, oldest first. Reads headers only.
    pub fn list(&self, selection: &Selection, time: &Timekeeper) -> Result<Vec<Listed>, Error> {
        let mut listed = Vec::new();
        for (path, name, key) in self.partitions(selection)? {
            let due = due(&name, key.as_ref(), self.state.ttl(&name.class));
            let standing = match &key {
                Some(key) if !key.is_destroyed() && due.is_some_and(|due| due > time.look().unreadable) => {
                    Standing::Live
                }
                Some(key) if !key.is_destroyed() => Standing::Overdue,
                _ => Standing::Keyless,
            };
            let headers = Headers::of(&path.with_extension("lva"))?;
            if standing == Standing::Live && !headers.all.iter().any(|h| selection.meets(h.min, h.max)) {
                continue;
            }
            listed.push(Listed {
                class: name.class.clone(),
                id: name.id(),
                from: name.from,
                destroy_at: due,
                records: headers.all.iter().map(|header| u64::from(header.count)).sum(),
                blocks: headers.all.len() as u64,
                bytes: headers.bytes,
                standing,
            });
        }
        listed.sort_by(|a, b| (a.from, &a.id).cmp(&(b.from, &b.id)));
        Ok(listed)
    }

    /// Hands the selected records to `see`, in order of arrival, until it says stop.
    ///
    /// Within a class that is the order in which they were archived; classes are merged by receive time.
    pub fn cat(
        &self,
        selection: &Selection,
        time: &Timekeeper,
        mut see: impl FnMut(&Envelope<'_>) -> Go,
    ) -> Result<Read, Error> {
        let mut read = Read::default();
        let mut cursors = Vec::new();
        for (class, partitions) in self.by_class(selection)? {
            let mut cursor = Cursor::new(class, partitions);
            if cursor.advance(self, selection, time, &mut read)? {
                cursors.push(cursor);
            }
        }
        while let Some(at) = (0..cursors.len()).min_by_key(|&at| cursors[at].head) {
            let cursor = &mut cursors[at];
            if let Some((_, envelope)) = decode(&mut cursor.current(), &cursor.class) {
                read.records += 1;
                if see(&envelope) == Go::Stop {
                    break;
                }
            }
            if !cursor.advance(self, selection, time, &mut read)? {
                cursors.remove(at);
            }
        }
        Ok(read)
    }

    /// Checks that every block is authentic and that nothing overdue is there.
    pub fn verify(&self, selection: &Selection, time: &Timekeeper) -> Result<Read, Error> {
        let mut read = Read::default();
        for (class, partitions) in self.by_class(selection)? {
            let mut cursor = Cursor::new(class, partitions);
            while cursor.advance(self, selection, time, &mut read)? {
                read.records += 1;
            }
        }
        Ok(read)
    }

    fn by_class(&self, selection: &Selection) -> Result<BTreeMap<String, Vec<Place>>, Error> {
        let mut classes: BTreeMap<String, Vec<Place>> = BTreeMap::new();
        for (path, name, key) in self.partitions(selection)? {
            let due = due(&name, key.as_ref(), self.state.ttl(&name.class));
            classes.entry(name.class.clone()).or_default().push(Place { name, path, due });
        }
        for places in classes.values_mut() {
            // Taken from the end.
            places.sort_by(|a, b| b.name.cmp(&a.name));
        }
        Ok(classes)
    }

    fn partitions(&self, selection: &Selection) -> Result<Vec<(PathBuf, Name, Option<KeyFile>)>, Error> {
        let mut known = Known::new();
        refresh(&self.root, &mut known)?;
        let named = known.into_iter().filter_map(|(path, key)| Name::of(&path).map(|name| (path, name, key)));
        Ok(named.filter(|(_, name, _)| selection.takes_class(&name.class)).collect())
    }
}

/// Whether a reading goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Go {
    /// It does.
    On,
    /// Nobody wants more.
    Stop,
}

/// A partition that will be read.
#[derive(Debug)]
struct Place {
    name: Name,
    /// Of the key file.
    path: PathBuf,
    due: Option<Timestamp>,
}

/// A class's records, one after the other.
#[derive(Debug)]
struct Cursor {
    class: String,
    /// What is still to be read, last first.
    ahead: Vec<Place>,
    open: Option<Open>,
    /// Records of the current block.
    block: Vec<u8>,
    /// Where the current record stands in it, and where the next one does.
    at: usize,
    next: usize,
    /// Receive time and sequence of the current record.
    head: (Timestamp, u64),
}

/// A partition that is being read.
#[derive(Debug)]
struct Open {
    file: File,
    sealer: Sealer,
    due: Timestamp,
    at: u64,
    length: u64,
    last_index: Option<u32>,
    path: PathBuf,
}

impl Cursor {
    fn new(class: String, ahead: Vec<Place>) -> Cursor {
        let head = (Timestamp::MIN, 0);
        Cursor { class, ahead, open: None, block: Vec::new(), at: 0, next: 0, head }
    }

    /// The bytes from the current record on.
    fn current(&self) -> &[u8] {
        &self.block[self.at..]
    }

    /// Goes to the next wanted record. False at the end.
    fn advance(
        &mut self,
        reader: &Reader,
        selection: &Selection,
        time: &Timekeeper,
        read: &mut Read,
    ) -> Result<bool, Error> {
        loop {
            while self.next < self.block.len() {
                let mut rest = &self.block[self.next..];
                let Some((sequence, envelope)) = decode(&mut rest, &self.class) else {
                    read.damaged += 1;
                    self.next = self.block.len();
                    break;
                };
                self.head = (envelope.received, sequence);
                self.at = self.next;
                self.next = self.block.len() - rest.len();
                if selection.takes(self.head.0) {
                    return Ok(true);
                }
            }
            if !self.next_block(reader, selection, time, read)? {
                return Ok(false);
            }
        }
    }

    /// Loads the next block that may hold wanted records. False at the end.
    fn next_block(
        &mut self,
        reader: &Reader,
        selection: &Selection,
        time: &Timekeeper,
        read: &mut Read,
    ) -> Result<bool, Error> {
        loop {
            let Some(open) = &mut self.open else {
                let Some(place) = self.ahead.pop() else { return Ok(false) };
                self.open = open_place(reader, place, time, read)?;
                continue;
            };
            if time.look().unreadable >= open.due {
                read.overdue += 1;
                self.open = None;
                continue;
            }
            let loaded = open.load(selection, read).map_err(vault::Error::io(&open.path))?;
            match loaded {
                Loaded::Block(block) => {
                    (self.block, self.at, self.next) = (block, 0, 0);
                    return Ok(true);
                }
                Loaded::Nothing => {}
                Loaded::End => self.open = None,
            }
        }
    }
}

enum Loaded {
    Block(Vec<u8>),
    /// Damaged, or not wanted.
    Nothing,
    End,
}

impl Open {
    fn load(&mut self, selection: &Selection, read: &mut Read) -> io::Result<Loaded> {
        match step(&self.file, self.at, self.length)? {
            Step::End => Ok(Loaded::End),
            Step::Torn => {
                read.torn += 1;
                Ok(Loaded::End)
            }
            Step::Damaged(next) => {
                read.damaged += 1;
                self.at = next;
                Ok(Loaded::Nothing)
            }
            Step::Block(header) => {
                let at = self.at;
                self.at += HEADER_BYTES as u64 + u64::from(header.length);
                if !selection.meets(header.min, header.max) {
                    return Ok(Loaded::Nothing);
                }
                let in_order = self.last_index.is_none_or(|last| last < header.index);
                let block = self.sealer.open(&header, sealed(&self.file, at, &header)?);
                let Some(block) = block.filter(|_| in_order) else {
                    read.damaged += 1;
                    return Ok(Loaded::Nothing);
                };
                self.last_index = Some(header.index);
                read.blocks += 1;
                Ok(Loaded::Block(block))
            }
        }
    }
}

/// Opens a partition to read; `None` if nothing of it may or can be read.
fn open_place(
    reader: &Reader,
    place: Place,
    time: &Timekeeper,
    read: &mut Read,
) -> Result<Option<Open>, Error> {
    let Place { name, path, due } = place;
    let data = path.with_extension("lva");
    // Key and data belong together: nobody puts others in their place meanwhile.
    let _lock = lock::look(&reader.dir);
    let key = KeyFile::read(&path).ok();
    let file = match File::open(&data) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(vault::Error::io(&data))?,
    };
    read.partitions += 1;
    let (Some(key), Some(due)) = (key.filter(|key| !key.is_destroyed()), due) else {
        read.unreadable += 1;
        return Ok(None);
    };
    if time.look().unreadable >= due {
        read.overdue += 1;
        return Ok(None);
    }
    let secret = match key.unwrap(&reader.kek, &path) {
        Ok(secret) => secret,
        Err(wrong @ vault::Error::WrongKek { .. }) => return Err(wrong.into()),
        Err(_) => {
            read.unreadable += 1;
            return Ok(None);
        }
    };
    let length = file.metadata().map_err(vault::Error::io(&data))?.len();
    match head(&file, length).map_err(vault::Error::io(&data))? {
        Head::Good => {}
        Head::Damaged => read.damaged += 1,
        Head::Torn => {
            read.torn += 1;
            return Ok(None);
        }
        Head::Newer => {
            read.unreadable += 1;
            return Ok(None);
        }
    }
    let sealer = Sealer::new(&secret, name.id());
    let at = FILE_HEADER.len() as u64;
    Ok(Some(Open { file, sealer, due, at, length, last_index: None, path: data }))
}

enum Head {
    Good,
    Damaged,
    Torn,
    Newer,
}

fn head(file: &File, length: u64) -> io::Result<Head> {
    if length < FILE_HEADER.len() as u64 {
        return Ok(Head::Torn);
    }
    let mut bytes = [0; FILE_HEADER.len()];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(match bytes {
        bytes if bytes == *FILE_HEADER => Head::Good,
        bytes if is_newer(&bytes) => Head::Newer,
        _ => Head::Damaged,
    })
}

/// The headers of a partition's file.
struct Headers {
    all: Vec<Header>,
    bytes: u64,
}

impl Headers {
    fn of(path: &Path) -> Result<Headers, Error> {
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Headers { all: Vec::new(), bytes: 0 });
            }
            file => file.map_err(vault::Error::io(path))?,
        };
        let bytes = file.metadata().map_err(vault::Error::io(path))?.len();
        let (mut at, mut all) = (FILE_HEADER.len() as u64, Vec::new());
        loop {
            match step(&file, at, bytes).map_err(vault::Error::io(path))? {
                Step::Block(header) => {
                    at += HEADER_BYTES as u64 + u64::from(header.length);
                    all.push(header);
                }
                Step::Damaged(next) => at = next,
                Step::Torn | Step::End => return Ok(Headers { all, bytes }),
            }
        }
    }
}

/*!
The durable queue: what was acknowledged is on disk, sealed, until every sink
has it.

```text
queue/00000000000000f3.lvq    segments: frames of one record each, only ever appended to
queue/cursors                 how far each sink has come
queue-keys/                   what seals and opens them
queue/quarantine/             what is no segment of ours
```

Records come clean. Batches that wait are sealed and appended together and
share one `fdatasync`; then they are confirmed. A segment whose sync failed is
never written to again, and neither is one of an earlier run: what a failed sync
left is unknown, and a run's own segments begin where nothing was. A number is
never given twice. Whatever lies in the directory, opening reads a few bytes of
each segment and no more; what is damaged is met, stepped over and counted when
it is read.

All of it blocks the thread.
*/

mod error;
mod frame;
mod keys;
mod read;
mod shelf;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

pub use error::Error;
pub use read::{Gathered, Left, Reader};
pub use shelf::Position;

use frame::{HEADERS_BYTES, Head, Header, Origin};
use keys::{Keys, Of};
use shelf::{Saved, Segment, Shelf};

use crate::act::{Redacted, Seal};
use crate::clock::Timestamp;
use crate::keys::belief::Moments;
use crate::limit::{QUEUE_GROUP_BYTES, QUEUE_SEGMENT_BYTES, QUEUE_SEGMENTS_MIN};
use crate::vault::{self, DataDir, Kek};

/// The queue on disk.
#[derive(Debug)]
pub struct Log {
    dir: Arc<DataDir>,
    root: PathBuf,
    origin: Origin,
    bytes_max: u64,
    segment_bytes: u64,
    /// Bytes beyond the bound that are taken for now.
    beyond: AtomicU64,
    keys: Keys,
    shelf: Mutex<Shelf>,
    writer: Mutex<Writer>,
    changed: watch::Sender<u64>,
}

/// Where a queue lies in the data directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The folder of its segments, and the beginning of its keys' names.
    pub segments: String,
    /// The folder of its keys.
    pub keys: String,
}

impl Place {
    /// The queue before the sinks.
    pub fn queue() -> Place {
        Place { segments: "queue".to_owned(), keys: "queue-keys".to_owned() }
    }
}

/// What opening found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Opened {
    /// Segments.
    pub segments: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Files that are no segment, or of a later version, and were moved to `quarantine`; keys that were damaged.
    pub damaged: u64,
}

/// What an append did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Appended {
    /// Records that are on disk now.
    pub records: u64,
    /// Bytes written.
    pub bytes: u64,
    /// Records that were overdue when they came and were not written.
    pub expired: u64,
}

#[derive(Debug)]
struct Writer {
    active: Option<Active>,
    /// The next record's.
    sequence: u64,
    /// Behind the last record that is durable.
    durable: u64,
    out: Vec<u8>,
    /// Those of this run, by key.
    seals: std::collections::BTreeMap<u32, Seal>,
}

#[derive(Debug)]
struct Active {
    number: u64,
    file: File,
    length: u64,
}

impl Log {
    /// Opens the queue at a place of a directory that this program holds, for `sinks`; of at most `bytes_max` bytes.
    pub fn open(
        dir: Arc<DataDir>,
        kek: Arc<Kek>,
        place: &Place,
        bytes_max: u64,
        sinks: &[String],
    ) -> Result<(Log, Opened), Error> {
        let root = dir.join(&place.segments);
        dir.disk().make_dir(&root).map_err(vault::Error::io(&root))?;
        let (keys, damaged) = Keys::open(Arc::clone(&dir), kek, place)?;
        let mut opened = Opened { damaged, ..Opened::default() };
        let mut shelf = find(&dir, &root, &mut opened)?;
        shelf.attach(sinks);
        opened.segments = shelf.segments.len() as u64;
        opened.bytes = shelf.bytes();
        Ok((Log::begin(dir, root, bytes_max, keys, shelf)?, opened))
    }

    /// Looks at the queue at a place, also while another program writes to it. Nothing can be appended.
    pub fn look(
        dir: Arc<DataDir>,
        kek: Arc<Kek>,
        place: &Place,
        sinks: &[String],
    ) -> Result<Arc<Log>, Error> {
        let root = dir.join(&place.segments);
        let keys = Keys::look(Arc::clone(&dir), kek, place)?;
        let mut shelf = Shelf { saved: Saved::read(&root.join("cursors")), ..Shelf::default() };
        for path in vault::entries(&root)? {
            let number = number_of(&path).filter(|number| is_segment(&path, *number));
            if let (Some(number), Ok(found)) = (number, fs::metadata(&path)) {
                let segment = Segment { length: found.len(), ..Segment::default() };
                shelf.segments.insert(number, segment);
            }
        }
        shelf.attach(sinks);
        Ok(Arc::new(Log::begin(dir, root, 0, keys, shelf)?))
    }

    fn begin(
        dir: Arc<DataDir>,
        root: PathBuf,
        bytes_max: u64,
        keys: Keys,
        shelf: Shelf,
    ) -> Result<Log, Error> {
        let mut origin = [0; 16];
        vault::random(&mut origin)?;
        let segment_bytes = (bytes_max / QUEUE_SEGMENTS_MIN).min(QUEUE_SEGMENT_BYTES);
        let (shelf, changed) = (Mutex::new(shelf), watch::Sender::new(0));
        let writer = Writer {
            active: None,
            sequence: 1,
            durable: 1,
            out: Vec::new(),
            seals: std::collections::BTreeMap::new(),
        };
        let writer = Mutex::new(writer);
        let beyond = AtomicU64::new(0);
        Ok(Log { dir, root, origin, bytes_max, segment_bytes, beyond, keys, shelf, writer, changed })
    }

    /// Takes so many segments more than the bound from now on.
    pub fn exceed(&self, segments: u64) {
        self.beyond.store(segments * self.segment_bytes, Ordering::Relaxed);
    }

    /// Puts batches behind what is there; durable on return. After an error none of them counts as taken.
    /// `now` is [`Moments::now`].
    pub fn append(&self, batches: &[Arc<Redacted>], now: Timestamp) -> Result<Appended, Error> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let writer = &mut *writer;
        let first = writer.sequence;
        let mut appended = Appended::default();
        let mut used = BTreeSet::new();
        writer.out.clear();
        let seal = |batch: &Arc<Redacted>| self.seal(writer, batch, now, &mut used, &mut appended);
        let sealed = batches.iter().try_for_each(seal);
        let bytes = writer.out.len() as u64;
        if sealed.is_ok() && bytes == 0 {
            return Ok(appended);
        }
        let room = sealed.and_then(|()| self.make_room(writer, bytes));
        let number = match room.and_then(|()| self.ready(writer, first)) {
            Ok(number) => number,
            Err(error) => {
                // Nothing was written under these numbers: a reader would miss them, and what was sealed is in no file.
                writer.sequence = first;
                return Err(error);
            }
        };
        self.keys.used(used.into_iter(), number);
        let Some(active) = &mut writer.active else { return Ok(appended) };
        let disk = self.dir.disk();
        let written = disk.append(&mut active.file, &writer.out);
        let written =
            written.and_then(|()| disk.sync_data(&active.file)).and_then(|()| has_name(&active.file));
        if let Err(error) = written {
            // The system may have dropped what it could not write and say so only once: nothing here is trusted again.
            let _ = disk.truncate(&active.file, active.length);
            self.close(writer);
            return Err(vault::Error::io(&self.segment_path(number))(error).into());
        }
        active.length += bytes;
        appended.bytes = bytes;
        writer.durable = writer.sequence;
        if let Some(segment) = self.shelf().segments.get_mut(&number) {
            segment.length = active.length;
            segment.records += appended.records;
        }
        self.changed.send_modify(|times| *times += 1);
        // A request of dead letters may be more than a group.
        writer.out.clear();
        writer.out.shrink_to(QUEUE_GROUP_BYTES);
        Ok(appended)
    }

    fn seal(
        &self,
        writer: &mut Writer,
        batch: &Redacted,
        now: Timestamp,
        used: &mut BTreeSet<u32>,
        appended: &mut Appended,
    ) -> Result<(), Error> {
        let names = batch.names();
        // By class, asked for when the first record of it comes.
        let mut keys: Vec<Option<Option<u32>>> = vec![None; names.classes.len()];
        for record in batch.records() {
            let class = usize::from(record.class.0);
            let key = match keys[class] {
                Some(key) => key,
                None => {
                    let (class_name, ttl) = &names.classes[class];
                    let (policy, received) = (&*names.policy, batch.received());
                    let of = Of { class: class_name, ttl: *ttl, policy, received };
                    *keys[class].insert(self.keys.current(&of, now)?)
                }
            };
            let Some(key) = key else {
                appended.expired += 1;
                continue;
            };
            if used.insert(key) && !writer.seals.contains_key(&key) {
                let seal = self.keys.seal(key, &self.origin).ok_or(vault::Error::Random)?;
                writer.seals.retain(|key, _| used.contains(key));
                writer.seals.insert(key, seal);
            }
            let sequence = writer.sequence;
            let head = |length| Head { length, sequence, key }.encode();
            if batch.seal(record, sequence, &writer.seals[&key], head, &mut writer.out) {
                writer.sequence += 1;
                appended.records += 1;
            }
        }
        Ok(())
    }

    /// Fails unless `bytes` more fit. More than the bound is taken when nothing else waits.
    fn make_room(&self, writer: &mut Writer, bytes: u64) -> Result<(), Error> {
        let bytes_max = self.bytes_max + self.beyond.load(Ordering::Relaxed);
        let fits = |log: &Log| log.shelf().bytes() + bytes <= bytes_max;
        if fits(self) {
            return Ok(());
        }
        self.reclaim(writer)?;
        let held = self.shelf().bytes();
        if held == 0 || fits(self) {
            return Ok(());
        }
        Err(Error::Full { bytes: held, bytes_max })
    }

    /// Sees to it that there is a segment to append to; its number.
    fn ready(&self, writer: &mut Writer, first: u64) -> Result<u64, Error> {
        if writer.active.as_ref().is_some_and(|active| active.length >= self.segment_bytes) {
            self.close(writer);
        }
        if let Some(active) = &writer.active {
            return Ok(active.number);
        }
        let number = {
            let mut shelf = self.shelf();
            shelf.next += 1;
            shelf.next - 1
        };
        let path = self.segment_path(number);
        let header = Header { origin: self.origin, number, first, expected: writer.durable };
        let file = self.make(&path, &header).map_err(vault::Error::io(&path))?;
        let length = HEADERS_BYTES as u64;
        writer.active = Some(Active { number, file, length });
        self.shelf().segments.insert(number, Segment { length, open: true, own: true, records: 0 });
        Ok(number)
    }

    /// A new file with its header and its name durable. One that is left half made is found empty at the next start.
    fn make(&self, path: &Path, header: &Header) -> std::io::Result<File> {
        let disk = self.dir.disk();
        let mut file = disk.create_new(path)?;
        disk.append(&mut file, &header.encode())?;
        disk.sync_data(&file)?;
        disk.sync_dir(&self.root)?;
        Ok(file)
    }

    /// Appends nothing more to the active segment.
    fn close(&self, writer: &mut Writer) {
        let Some(active) = writer.active.take() else { return };
        if let Some(segment) = self.shelf().segments.get_mut(&active.number) {
            segment.open = false;
        }
        self.changed.send_modify(|times| *times += 1);
    }

    /// Removes what every sink has, the active segment included.
    fn reclaim(&self, writer: &mut Writer) -> Result<(), Error> {
        if let Some(active) = &writer.active {
            let shelf = self.shelf();
            let through = |at: &Position| at.segment > active.number || at.offset >= active.length;
            let idle = shelf.cursors.values().all(|at| at.segment >= active.number && through(at));
            drop(shelf);
            if idle && active.length > HEADERS_BYTES as u64 {
                self.close(writer);
            }
        }
        self.remove_delivered()
    }

    fn remove_delivered(&self) -> Result<(), Error> {
        let delivered = self.shelf().delivered();
        for number in delivered {
            let path = self.segment_path(number);
            // First from the shelf: what stands there and is no file was removed by somebody else.
            let segment = self.shelf().segments.remove(&number);
            if let Err(error) = self.dir.disk().remove(&path) {
                self.shelf().segments.extend(segment.map(|segment| (number, segment)));
                return Err(vault::Error::io(&path)(error).into());
            }
        }
        Ok(())
    }

    /// Writes down how far the sinks are, and removes what all of them have. To be called about once a second.
    pub fn tidy(&self) -> Result<(), Error> {
        let path = self.root.join("cursors");
        self.shelf().save(self.dir.disk(), &path).map_err(vault::Error::io(&path))?;
        self.remove_delivered()
    }

    /// Destroys keys that are due or of no use any more. To be called every [`crate::limit::TEND_EVERY`].
    pub fn sweep(&self, moments: &Moments) -> Result<usize, Error> {
        {
            let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
            self.reclaim(&mut writer)?;
        }
        let left = {
            let shelf = self.shelf();
            let oldest = shelf.segments.first_key_value().map_or(shelf.next, |(number, _)| *number);
            keys::Left { oldest, of_earlier_runs: shelf.segments.values().any(|segment| !segment.own) }
        };
        self.keys.sweep(moments, left)
    }

    /// Reads for a sink, from where it had come to.
    pub fn reader(self: &Arc<Log>, sink: &str) -> Reader {
        Reader::new(Arc::clone(self), sink)
    }

    /// The sink has everything before `at`.
    pub fn advance(&self, sink: &str, at: Position) {
        if let Some(cursor) = self.shelf().cursors.get_mut(sink) {
            *cursor = at.max(*cursor);
        }
    }

    /// Moves a sink's cursor over what cannot be read any more, as far as nothing that can be stands before it. Counts
    /// what that was as `left`, after an error, too.
    pub fn prune(self: &Arc<Log>, sink: &str, now: Timestamp, left: &mut Left) -> Result<(), Error> {
        let mut reader = self.reader(sink);
        while let Some(gathered) = reader.next(now)?.filter(|gathered| gathered.batches.is_empty()) {
            left.add(&gathered);
            self.advance(sink, gathered.end);
        }
        Ok(())
    }

    /// Gives up the oldest segment for a sink that has no others beside it, whatever of it was not sent, and counts that
    /// as `left`, after an error, too. False where there is no segment.
    pub fn give_up_oldest(
        self: &Arc<Log>,
        sink: &str,
        now: Timestamp,
        left: &mut Left,
    ) -> Result<bool, Error> {
        let Some((number, ..)) = self.segment_at(0) else { return Ok(false) };
        {
            let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
            if writer.active.as_ref().is_some_and(|active| active.number == number) {
                self.close(&mut writer);
            }
        }
        *left += self.reader(sink).count_out(number, now);
        self.advance(sink, Position { segment: number + 1, offset: 0 });
        self.tidy()?;
        Ok(true)
    }

    /// How far a sink has come.
    pub fn cursor(&self, sink: &str) -> Position {
        self.shelf().cursors.get(sink).copied().unwrap_or_default()
    }

    /// Behind the last record that is durable now.
    pub fn end(&self) -> Position {
        self.shelf().end()
    }

    /// Tells when there may be more to read.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Bytes of all segments.
    pub fn bytes(&self) -> u64 {
        self.shelf().bytes()
    }

    /// Bytes that wait for a sink.
    pub fn backlog(&self, sink: &str) -> u64 {
        let shelf = self.shelf();
        shelf.cursors.get(sink).map_or(0, |at| shelf.backlog(*at))
    }

    /// What is known of a segment; nothing of one that is there no more.
    fn segment(&self, number: u64) -> Option<Segment> {
        self.shelf().segments.get(&number).copied()
    }

    /// Whether it was opened to be read alone: another program writes it, and removes what it has sent.
    fn is_beside(&self) -> bool {
        self.bytes_max == 0
    }

    /// The first segment from `number` on: its number, its durable length, whether more may come.
    fn segment_at(&self, number: u64) -> Option<(u64, u64, bool)> {
        let shelf = self.shelf();
        let (number, segment) = shelf.segments.range(number..).next()?;
        Some((*number, segment.length, segment.open))
    }

    fn segment_path(&self, number: u64) -> PathBuf {
        self.root.join(format!("{number:016x}.lvq"))
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Fails if somebody removed the file: what is written to it then is nowhere.
fn has_name(file: &File) -> std::io::Result<()> {
    if file.metadata()?.nlink() > 0 {
        return Ok(());
    }
    Err(std::io::Error::new(
        std::io::ErrorKind::NotFound,
        "somebody removed the segment while it was written",
    ))
}

/// The segments of the directory; everything else that lies there is put into quarantine.
fn find(dir: &DataDir, root: &Path, opened: &mut Opened) -> Result<Shelf, Error> {
    let mut shelf = Shelf { next: 1, ..Shelf::default() };
    let quarantine = root.join("quarantine");
    for path in vault::entries(&quarantine)? {
        shelf.next = shelf.next.max(number_of(&path).map_or(0, |number| number + 1));
    }
    for path in vault::entries(root)? {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        // Of dead letters, the word of whoever asks for them.
        if matches!(&*name, "cursors" | "quarantine" | "replay" | ".replay.new") {
            continue;
        }
        let number = number_of(&path);
        shelf.next = shelf.next.max(number.map_or(0, |number| number + 1));
        let is_file = fs::symlink_metadata(&path).is_ok_and(|found| found.is_file());
        let length = if is_file { fs::metadata(&path).map_or(0, |found| found.len()) } else { 0 };
        match number.filter(|number| is_file && is_segment(&path, *number)) {
            Some(number) => {
                shelf.segments.insert(number, Segment { length, ..Segment::default() });
            }
            // A crash before anything was confirmed in it, or in the middle of writing the cursors.
            None if is_file
                && (length <= HEADERS_BYTES as u64 && number.is_some() || name == ".cursors.new") =>
            {
                dir.disk().remove(&path).map_err(vault::Error::io(&path))?;
            }
            None => {
                dir.disk().make_dir(&quarantine).map_err(vault::Error::io(&quarantine))?;
                let place = (1..).map(|nth| quarantine.join(format!("{name}.{nth}"))).find(|p| !p.exists());
                let place = place.unwrap_or_else(|| quarantine.join(&name));
                fs::rename(&path, &place).map_err(vault::Error::io(&path))?;
                opened.damaged += 1;
            }
        }
    }
    let cursors = root.join("cursors");
    shelf.saved = Saved::read(&cursors);
    match &shelf.saved {
        Some(saved) => shelf.next = shelf.next.max(saved.next()),
        None if cursors.exists() => opened.damaged += 1,
        None => {}
    }
    Ok(shelf)
}

fn is_segment(path: &Path, number: u64) -> bool {
    let mut both = [0; HEADERS_BYTES];
    let read = File::open(path).and_then(|file| file.read_exact_at(&mut both, 0));
    read.is_ok() && Header::decode(&both).is_some_and(|header| header.number == number)
}

/// The number in a segment's name. Names count no further than a queue can come.
fn number_of(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_str()?;
    let digits = name.split('.').next()?;
    let number = u64::from_str_radix(digits, 16).ok().filter(|number| *number < u64::MAX / 2)?;
    name.starts_with(&format!("{number:016x}.lvq")).then_some(number)
}

#[cfg(test)]
mod tests;

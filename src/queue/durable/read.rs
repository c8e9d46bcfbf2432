/*!
Reading: what lies behind a sink's cursor, opened and in batches.
*/

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use super::frame::{HEADERS_BYTES, Header, Origin, Step, step};
use super::{Error, Log, Position};
use crate::act::{Redacted, Seal, Thaw};
use crate::clock::Timestamp;
use crate::limit::QUEUE_READ_BYTES;
use crate::vault;

/// Reads the queue from a position on, for one sink.
#[derive(Debug)]
pub struct Reader {
    log: Arc<Log>,
    sink: String,
    at: Position,
    source: Option<Source>,
    bytes: Vec<u8>,
    /// The run and the sequence that comes next, if all is well.
    expected: Option<(Origin, u64)>,
}

/// An open segment.
#[derive(Debug)]
struct Source {
    number: u64,
    file: File,
    origin: Origin,
    seals: BTreeMap<u32, Option<Seal>>,
}

/// What a read gave.
#[derive(Debug, Default)]
pub struct Gathered {
    /// The records, in order.
    pub batches: Vec<Redacted>,
    /// Where they end.
    pub end: Position,
    /// Records that were confirmed and cannot be read: their bytes are damaged.
    pub lost: u64,
    /// Bytes that are no frame: damaged, or cut off by a crash before they were confirmed.
    pub damaged: u64,
    /// Records whose limit passed while they waited.
    pub expired: u64,
}

/// Records that a sink's cursor was moved over and that were not sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// They could be read.
    pub whole: u64,
    /// Their bytes are damaged, or gone.
    pub damaged: u64,
    /// Their limit had passed.
    pub expired: u64,
}

impl std::ops::AddAssign for Left {
    fn add_assign(&mut self, other: Left) {
        self.whole += other.whole;
        self.damaged += other.damaged;
        self.expired += other.expired;
    }
}

impl Left {
    /// Counts all of a read.
    pub fn add(&mut self, gathered: &Gathered) {
        self.whole += gathered.batches.iter().map(|batch| batch.len() as u64).sum::<u64>();
        self.damaged += gathered.lost;
        self.expired += gathered.expired;
    }
}

impl Gathered {
    fn is_empty(&self) -> bool {
        self.batches.is_empty() && self.lost + self.damaged + self.expired == 0
    }
}

impl Reader {
    pub(super) fn new(log: Arc<Log>, sink: &str) -> Reader {
        let at = log.cursor(sink);
        Reader { log, sink: sink.to_owned(), at, source: None, bytes: Vec::new(), expected: None }
    }

    /// What comes next of one segment, up to about [`QUEUE_READ_BYTES`]; nothing if all is read. Blocks the thread.
    pub fn next(&mut self, now: Timestamp) -> Result<Option<Gathered>, Error> {
        self.next_until(u64::MAX, now)
    }

    /// What comes next in the segments up to the one of this number.
    fn next_until(&mut self, last: u64, now: Timestamp) -> Result<Option<Gathered>, Error> {
        loop {
            let segment = self.log.segment_at(self.at.segment).filter(|(number, ..)| *number <= last);
            // Asked for behind the segment: whoever gives one up moves the cursor first, and then removes it.
            let cursor = self.log.cursor(&self.sink);
            if cursor > self.at {
                // Whoever moved it counted what it was moved over.
                (self.at, self.expected) = (cursor, None);
                continue;
            }
            let Some((number, length, open)) = segment else { return Ok(None) };
            if number != self.at.segment {
                self.at = Position { segment: number, offset: 0 };
            }
            if self.at.offset >= length {
                if open {
                    return Ok(None);
                }
                self.at = Position { segment: number + 1, offset: 0 };
                continue;
            }
            let mut gathered = Gathered::default();
            let is_open = self.source.as_ref().is_some_and(|source| source.number == number);
            if is_open || self.open(number, &mut gathered)? {
                self.at.offset = self.at.offset.max(HEADERS_BYTES as u64);
                // Else nothing was confirmed in it.
                if self.at.offset < length {
                    self.read(length, now, &mut gathered)?;
                }
            } else {
                self.miss(number, length, &mut gathered);
            }
            if !gathered.is_empty() {
                gathered.end = self.at;
                return Ok(Some(gathered));
            }
        }
    }

    /// Counts what is left up to the end of a segment. Where the disk does not give it, what is known of it is damaged.
    pub(super) fn count_out(mut self, number: u64, now: Timestamp) -> Left {
        let is_begun = self.at > Position { segment: number, offset: HEADERS_BYTES as u64 };
        let records = self.log.segment(number).filter(|_| !is_begun).map_or(0, |segment| segment.records);
        let mut left = Left::default();
        loop {
            match self.next_until(number, now) {
                Ok(Some(gathered)) => left.add(&gathered),
                Ok(None) => return left,
                Err(_) => {
                    let counted = left.whole + left.damaged + left.expired;
                    left.damaged += records.saturating_sub(counted).max(1);
                    return left;
                }
            }
        }
    }

    /// Steps over a segment that cannot be opened, and counts what is missed with it: of one that an earlier run wrote it is
    /// not known how many records that are.
    fn miss(&mut self, number: u64, length: u64, gathered: &mut Gathered) {
        let left = length.saturating_sub(self.at.offset.max(HEADERS_BYTES as u64));
        let is_sent = || self.log.is_beside() && !self.log.segment_path(number).exists();
        let segment = self.log.segment(number).filter(|_| left > 0 && !is_sent());
        if let Some(segment) = segment {
            let is_begun = self.at.offset > HEADERS_BYTES as u64;
            let missed = if is_begun { 1 } else { segment.records.max(1) };
            // What the next segment says was before it tells of the others.
            self.expected = self.expected.map(|(origin, next)| (origin, next.saturating_add(missed)));
            gathered.lost += missed;
            gathered.damaged += left;
        }
        self.at.offset = length;
    }

    /// Opens a segment. False if it is there no more, or was damaged since the start.
    fn open(&mut self, number: u64, gathered: &mut Gathered) -> Result<bool, Error> {
        self.source = None;
        let path = self.log.segment_path(number);
        let file = match File::open(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
            file => file.map_err(vault::Error::io(&path))?,
        };
        let mut both = [0; HEADERS_BYTES];
        match file.read_exact_at(&mut both, 0) {
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(false),
            read => read.map_err(vault::Error::io(&path))?,
        }
        let Some(header) = Header::decode(&both) else { return Ok(false) };
        if self.at.offset <= HEADERS_BYTES as u64 {
            // Between the end of the one before and this one nothing may be missing.
            if let Some((origin, next)) = self.expected
                && origin == header.origin
            {
                gathered.lost += header.expected.saturating_sub(next);
            }
            self.expected = Some((header.origin, header.first));
        } else {
            self.expected = None;
        }
        self.source = Some(Source { number, file, origin: header.origin, seals: BTreeMap::new() });
        Ok(true)
    }

    /// Reads frames up to the segment's durable length.
    fn read(&mut self, length: u64, now: Timestamp, gathered: &mut Gathered) -> Result<(), Error> {
        let Some(source) = &mut self.source else { return Ok(()) };
        let path = self.log.segment_path(source.number);
        // Somebody may have cut it since.
        let there = source.file.metadata().map_err(vault::Error::io(&path))?.len();
        if there <= self.at.offset {
            let number = source.number;
            self.miss(number, length, gathered);
            return Ok(());
        }
        let length = length.min(there);
        let run = u64::from_le_bytes(*source.origin.first_chunk().expect("an origin has 16 bytes"));
        let mut thaw = Thaw::new(run.max(1));
        let mut wanted = QUEUE_READ_BYTES;
        let mut done = 0;
        while done == 0 {
            let left = length - self.at.offset;
            self.bytes.resize(wanted.min(usize::try_from(left).unwrap_or(usize::MAX)), 0);
            source.file.read_exact_at(&mut self.bytes, self.at.offset).map_err(vault::Error::io(&path))?;
            while done < self.bytes.len() {
                match step(&self.bytes[done..], left - done as u64) {
                    Step::Longer(bytes) => {
                        wanted = bytes.max(QUEUE_READ_BYTES);
                        break;
                    }
                    Step::Damaged(bytes) => {
                        gathered.damaged += bytes as u64;
                        done += bytes;
                    }
                    Step::Frame(head, first, sealed) => {
                        done += first.len() + sealed.len();
                        let next = self.expected.filter(|(origin, _)| *origin == source.origin);
                        gathered.lost += next.map_or(0, |(_, next)| head.sequence.saturating_sub(next));
                        self.expected = Some((source.origin, head.sequence.saturating_add(1)));
                        let keys = &self.log.keys;
                        let seal = source.seals.entry(head.key);
                        match seal.or_insert_with(|| keys.seal(head.key, &source.origin)) {
                            None => gathered.expired += 1,
                            Some(seal) if thaw.push(head.sequence, seal, first, sealed) => {}
                            Some(_) => {
                                gathered.lost += 1;
                                gathered.damaged += (first.len() + sealed.len()) as u64;
                            }
                        }
                    }
                }
            }
        }
        self.at.offset += done as u64;
        for batch in thaw.finish() {
            gathered.batches.extend(fresh(batch, now, &mut gathered.expired));
        }
        Ok(())
    }
}

/// The batch without what its classes' limits no longer allow.
fn fresh(batch: Redacted, now: Timestamp, expired: &mut u64) -> Option<Redacted> {
    let names = Arc::clone(batch.names());
    let lives = |class: &(String, crate::ttl::Ttl)| batch.received() + class.1.duration() > now;
    if names.classes.iter().all(lives) {
        return (!batch.is_empty()).then_some(batch);
    }
    let lives: Vec<bool> = names.classes.iter().map(lives).collect();
    let kept = batch.only(|record| lives[usize::from(record.class.0)]);
    *expired += (batch.len() - kept.len()) as u64;
    (!kept.is_empty()).then_some(kept)
}

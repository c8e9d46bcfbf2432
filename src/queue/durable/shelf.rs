/*!
Which segments there are, and how far each sink has come.

Cursors are written about once a second. One that is behind after a crash makes
its sink get some records twice, with the same ids; none is ever ahead.
*/

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::frame::HEADERS_BYTES;
use crate::limit::VAULT_FILE_BYTES_MAX;
use crate::vault::{Disk, read_bounded};

const FORMAT: &str = "logveil-queue-cursors/1";

/// A place between two frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position {
    /// Number of the segment.
    pub segment: u64,
    /// Bytes before it in the segment.
    pub offset: u64,
}

/// A segment of which something may be read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Segment {
    /// Bytes that are durable.
    pub length: u64,
    /// Whether more may come.
    pub open: bool,
    /// Whether this run wrote it.
    pub own: bool,
    /// Records in it, of those that this run wrote.
    pub records: u64,
}

#[derive(Debug, Default)]
pub(super) struct Shelf {
    pub segments: BTreeMap<u64, Segment>,
    pub cursors: BTreeMap<String, Position>,
    /// As they are on disk.
    pub saved: Option<Saved>,
    /// The number of the next segment: above every number that was ever given.
    pub next: u64,
}

/// The file of cursors. The format, as it is written behind its checksum.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Saved {
    format: String,
    next: u64,
    sinks: BTreeMap<String, Position>,
}

impl Saved {
    /// Reads the file; nothing if it is not there or not as it was written.
    pub(super) fn read(path: &Path) -> Option<Saved> {
        let content = read_bounded(path, VAULT_FILE_BYTES_MAX).ok()?;
        let (check, json) = content.split_first_chunk::<9>().filter(|(check, _)| check[8] == b'\n')?;
        let check = u32::from_str_radix(std::str::from_utf8(&check[..8]).ok()?, 16).ok()?;
        let saved: Saved = serde_json::from_slice(json).ok()?;
        (crc32fast::hash(json) == check && saved.format == FORMAT).then_some(saved)
    }

    pub(super) fn next(&self) -> u64 {
        self.next
    }

    fn write(&self, disk: &Disk, path: &Path) -> std::io::Result<()> {
        let json = serde_json::to_vec(self).expect("strings and numbers are always JSON");
        let content = [format!("{:08x}\n", crc32fast::hash(&json)).as_bytes(), &json].concat();
        disk.replace(path, &content)
    }
}

impl Shelf {
    /// Bytes of all segments.
    pub(super) fn bytes(&self) -> u64 {
        self.segments.values().map(|segment| segment.length).sum()
    }

    /// Bytes that wait for a sink.
    pub(super) fn backlog(&self, at: Position) -> u64 {
        let behind = |(number, segment): (&u64, &Segment)| match number.cmp(&at.segment) {
            std::cmp::Ordering::Less => 0,
            std::cmp::Ordering::Equal => segment.length.saturating_sub(at.offset.max(HEADERS_BYTES as u64)),
            std::cmp::Ordering::Greater => segment.length.saturating_sub(HEADERS_BYTES as u64),
        };
        self.segments.range(at.segment..).map(behind).sum()
    }

    /// Begins with these sinks: each where it was, a new one at the end. Where nothing is known, all begin with the
    /// oldest record.
    pub(super) fn attach(&mut self, sinks: &[String]) {
        let end = self.end();
        let of = |sink: &String| {
            let at = match &self.saved {
                Some(saved) => saved.sinks.get(sink).copied().unwrap_or(end),
                None => Position::default(),
            };
            (sink.clone(), self.clamp(at))
        };
        self.cursors = sinks.iter().map(of).collect();
    }

    /// A cursor into what is there no more goes on with what comes next.
    fn clamp(&self, at: Position) -> Position {
        match self.segments.get(&at.segment) {
            Some(segment) => Position { offset: at.offset.min(segment.length), ..at },
            None => Position { segment: at.segment, offset: 0 },
        }
    }

    /// Behind everything.
    pub(super) fn end(&self) -> Position {
        match self.segments.last_key_value() {
            Some((number, segment)) => Position { segment: *number, offset: segment.length },
            None => Position { segment: self.next, offset: 0 },
        }
    }

    /// Segments that every sink is through with, the open one excepted.
    pub(super) fn delivered(&self) -> Vec<u64> {
        if self.cursors.is_empty() {
            return Vec::new();
        }
        let through = |number: &u64, segment: &Segment| {
            self.cursors
                .values()
                .all(|at| at.segment > *number || at.segment == *number && at.offset >= segment.length)
        };
        let closed = self.segments.iter().filter(|(_, segment)| !segment.open);
        closed.take_while(|(number, segment)| through(number, segment)).map(|(number, _)| *number).collect()
    }

    /// Puts the cursors on disk if they moved.
    pub(super) fn save(&mut self, disk: &Disk, path: &Path) -> std::io::Result<()> {
        let now = Saved { format: FORMAT.to_owned(), next: self.next, sinks: self.cursors.clone() };
        if self.saved.as_ref() != Some(&now) {
            now.write(disk, path)?;
            self.saved = Some(now);
        }
        Ok(())
    }
}

/*!
Counts on disk: hours that are open, exact, and days of hours that are closed, as they are shown.

```text
aggregates/open            header frame*        the hours that are not over: what was counted, a frame a group of batches
aggregates/2026-11-28      header nonce sealed  the closed hours of a day (UTC)
aggregates/2026-11-28.damaged, 2026-11-28.open.damaged   what was no day, or no file of open hours, when it was met then
aggregates/key/counts.key                       what both are sealed under, wrapped by the key-encryption key
frame = length(4) nonce(24) sealed
```

What was counted is synced before it is acknowledged, and nothing is in memory that is not on disk: where a write
fails nothing is counted, and the next one writes all open hours anew into a file of its own. An hour is closed by
putting its day in place whole; an hour that stands in its day is not open any more, whatever the other file holds. So
a crash at any step counts nothing twice and loses nothing that was acknowledged. A record that comes for an hour that
is closed counts in the oldest hour that is not: what is published once does not change.

Once an hour stands in its day, what was exact of it is destroyed with the file that held it, before any day is: a day that
is gone tells of no hour any more that it was closed. What cannot be read is set aside and told, and destroyed by its date.
*/

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use serde::{Deserialize, Serialize};

use super::{Cell, Counts, HOUR_S, Hour, Shown, publish};
use crate::clock::Timestamp;
use crate::keys::belief::{Moments, add, subtract};
use crate::limit::{AGGREGATE_CELLS_MAX, AGGREGATE_FILE_BYTES_MAX, AGGREGATE_OPEN_BYTES, AGGREGATE_WAIT};
use crate::policy::Aggregates;
use crate::ttl::Ttl;
use crate::vault::{self, DataDir, Kek, KeyFile, Kind, Purpose, read_bounded};

const ROOT: &str = "aggregates";
const OPEN: &str = "aggregates/open";
/// Where every wrapped key lies, two folders deep: so that it is wrapped anew with the others.
const KEY: &str = "aggregates/key/counts.key";
/// In the key's file; nothing destroys it.
const LIFE: Duration = Duration::from_secs(100 * 365 * 86_400);
const HEADER: &[u8] = b"logveil-aggregates/1\n";
const NONCE_BYTES: usize = 24;

/// Why counts cannot be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The data directory or the key.
    #[error(transparent)]
    Vault(#[from] vault::Error),
    /// There are counts, and their key is gone.
    #[error("{}: is missing, and the counts beside it are sealed under it; put it back, or remove the folder {ROOT} and lose them", .path.display())]
    NoKey {
        /// Where it should be.
        path: PathBuf,
    },
    /// From a later version of this program.
    #[error("{}: has a newer format than this version reads; use the version that wrote it", .path.display())]
    Newer {
        /// The file.
        path: PathBuf,
    },
}

/// An hour that is not over.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Open {
    /// Of the policies that counted in it: the largest least, the shortest limit.
    least: u64,
    ttl_s: u64,
    cells: BTreeMap<Cell, u64>,
}

/// A cell as it is written: class, route, status, records.
type Row = (String, String, u16, u64);

/// An hour as it is written, open or closed.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    hour: i64,
    least: u64,
    ttl_s: u64,
    rows: Vec<Row>,
}

/// An hour that is over, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// When it began.
    pub start: Timestamp,
    /// Cells with fewer records are in none of the rows by themselves.
    pub least: u64,
    /// The rows.
    pub rows: Vec<Shown>,
}

/// What a round of care did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tended {
    /// Hours that were closed.
    pub closed: usize,
    /// Days that were due and are destroyed.
    pub destroyed: usize,
    /// Days, and files of open hours, that could not be read and were set aside.
    pub damaged: usize,
}

/// The counts of a data directory.
#[derive(Debug)]
pub struct Book {
    dir: Arc<DataDir>,
    kek: Arc<Kek>,
    inner: Mutex<Inner>,
}

struct Inner {
    /// Made with the first count.
    seal: Option<Seal>,
    open: BTreeMap<Hour, Open>,
    /// The open hours' file; none where it is to be written anew.
    file: Option<Appended>,
    /// Whether the file holds hours that are over.
    stale: bool,
    /// Whether it holds what was not written.
    spoiled: bool,
    /// Files that were set aside, until it is told.
    damaged: usize,
    /// No hour before it is open.
    floor: Hour,
    /// Shortest limit of the hours in a day, by the day's start.
    days: BTreeMap<Timestamp, Duration>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner").field("open", &self.open.len()).field("days", &self.days.len()).finish()
    }
}

/// A file of frames.
struct Appended {
    file: File,
    frames: u64,
    bytes: u64,
}

impl Book {
    /// Reads what is open. Nothing is made before something is counted.
    pub fn open(dir: Arc<DataDir>, kek: Arc<Kek>) -> Result<Book, Error> {
        vault::destroy_leftovers(&dir, ROOT)?;
        vault::destroy_temporary(&dir, &dir.join(OPEN))?;
        let mut inner = Inner {
            seal: Seal::read(&dir, &kek)?,
            open: BTreeMap::new(),
            file: None,
            stale: false,
            spoiled: false,
            damaged: 0,
            floor: Hour(i64::MIN),
            days: BTreeMap::new(),
        };
        if let Some(seal) = &inner.seal {
            for (start, path) in days(&dir)? {
                let Some(day) = seal.day(&path)? else { continue };
                let shortest = day.iter().map(|hour| hour.ttl_s).min().unwrap_or(0);
                inner.days.insert(start, Duration::from_secs(shortest));
                for hour in day {
                    inner.floor = inner.floor.max(Hour(hour.hour).next());
                }
            }
            (inner.open, inner.spoiled) = seal.frames(&dir.join(OPEN))?;
            let (floor, read) = (inner.floor, inner.open.len());
            inner.open.retain(|hour, _| *hour >= floor);
            inner.stale = inner.open.len() < read;
        }
        Ok(Book { dir, kek, inner: Mutex::new(inner) })
    }

    /// Counts; durable on return. Where it fails nothing is counted.
    pub fn add(&self, counts: Counts, by: &Aggregates, now: Timestamp) -> Result<(), Error> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let inner = &mut *inner;
        if counts.is_empty() {
            return Ok(());
        }
        if inner.seal.is_none() {
            inner.seal = Some(Seal::make(&self.dir, &self.kek, now)?);
        }
        let more = inner.fitted(counts, by, now);
        self.write(inner, &more, now)?;
        merge(&mut inner.open, &more);
        Ok(())
    }

    /// Closes the hours that are over, and destroys the days that are due. `ttl` is the limit of the policy in force.
    pub fn tend(&self, ttl: Option<Ttl>, moments: &Moments) -> Result<Tended, Error> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let inner = &mut *inner;
        let mut tended = Tended::default();
        let floor = inner.floor(moments.now);
        let over: Vec<Hour> = inner.open.range(..floor).map(|(hour, _)| *hour).collect();
        for hour in over {
            self.close(inner, hour)?;
            tended.closed += 1;
        }
        if inner.stale || inner.spoiled {
            self.write(inner, &BTreeMap::new(), moments.now)?;
        }
        if let Some(believed) = moments.destroyable {
            tended.destroyed = self.destroy_due(inner, ttl, believed)?;
        }
        // Last: what an error stands before is told by the next round.
        tended.damaged = std::mem::take(&mut inner.damaged);
        Ok(tended)
    }

    /// Destroys what is due of days, readable or not, and of what was set aside; says how many files. To be called when
    /// the open hours' file has none that are over: of one that a destroyed day had nobody would know.
    fn destroy_due(&self, inner: &mut Inner, ttl: Option<Ttl>, believed: Timestamp) -> Result<usize, Error> {
        let mut destroyed = 0;
        for Lying { start, path, what } in lying(&self.dir)? {
            let own = match what {
                What::Day => inner.days.get(&start).copied().or(ttl.map(Ttl::duration)),
                What::DamagedDay => ttl.map(Ttl::duration),
                What::DamagedOpen => None,
            };
            let own = own.unwrap_or(UNREAD_LIFE);
            let limit = ttl.map_or(own, |ttl| ttl.duration().min(own));
            if ends(start, limit) <= believed {
                self.dir.disk().destroy(&path).map_err(vault::Error::io(&path))?;
                if what == What::Day {
                    inner.days.remove(&start);
                }
                destroyed += 1;
            }
        }
        Ok(destroyed)
    }

    /// Puts an hour into its day, and forgets what is not shown. A day that cannot be read is set aside.
    fn close(&self, inner: &mut Inner, hour: Hour) -> Result<(), Error> {
        let (Some(seal), Some(open)) = (&inner.seal, inner.open.get(&hour)) else { return Ok(()) };
        let start = day_of(hour.start());
        let path = self.dir.join(&day_name(start));
        let mut day = match seal.day(&path)? {
            Some(day) => day,
            None if path.exists() => {
                let aside = path.with_extension("damaged");
                self.dir.disk().rename(&path, &aside).map_err(vault::Error::io(&path))?;
                inner.damaged += 1;
                Vec::new()
            }
            None => Vec::new(),
        };
        let rows = publish(&open.cells, open.least);
        let rows = rows.into_iter().map(|Shown { cell, records }| row(cell, records)).collect();
        // It may be in place already, where its sync failed alone: the same again, then.
        day.retain(|known| known.hour != hour.0);
        day.push(Written { hour: hour.0, least: open.least, ttl_s: open.ttl_s, rows });
        let content = seal.file(&day_bound(&path), &day)?;
        self.dir.disk().replace(&path, &content).map_err(vault::Error::io(&path))?;
        let limit = inner.days.entry(start).or_insert(Duration::MAX);
        *limit = (*limit).min(Duration::from_secs(open.ttl_s));
        inner.floor = inner.floor.max(hour.next());
        inner.open.remove(&hour);
        // The other file still has it, which means nothing any more, and is to be gone.
        (inner.file, inner.stale) = (None, true);
        Ok(())
    }

    /// Appends `more`, or writes all that is open and `more` anew. What is no count of ours is set aside first, and what is
    /// over is destroyed.
    fn write(&self, inner: &mut Inner, more: &BTreeMap<Hour, Open>, now: Timestamp) -> Result<(), Error> {
        let Some(seal) = &inner.seal else { return Ok(()) };
        let path = self.dir.join(OPEN);
        let disk = self.dir.disk();
        if let Some(mut appended) = inner.file.take_if(|appended| appended.bytes < AGGREGATE_OPEN_BYTES) {
            let frame = seal.frame(appended.frames, more)?;
            disk.append(&mut appended.file, &frame).map_err(vault::Error::io(&path))?;
            disk.sync_data(&appended.file).map_err(vault::Error::io(&path))?;
            appended.frames += 1;
            appended.bytes += frame.len() as u64;
            inner.file = Some(appended);
            return Ok(());
        }
        inner.file = None;
        if inner.spoiled {
            let aside = self.dir.join(&format!("{}.open.damaged", day_name(day_of(now))));
            // A copy, for what could be read of it still counts; of what is longer than any of ours nothing was read.
            let set_aside = match read_bounded(&path, AGGREGATE_FILE_BYTES_MAX) {
                Err(error) if error.kind() == io::ErrorKind::FileTooLarge => disk.rename(&path, &aside),
                // Somebody took it away since.
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                content => content.and_then(|content| disk.replace(&aside, &content)),
            };
            set_aside.map_err(vault::Error::io(&aside))?;
            (inner.spoiled, inner.damaged) = (false, inner.damaged + 1);
        }
        let mut all = inner.open.clone();
        merge(&mut all, more);
        let frame = if all.is_empty() { Vec::new() } else { seal.frame(0, &all)? };
        let content = [HEADER, &frame].concat();
        let written = match inner.stale && path.exists() {
            true => disk.replace_secret(&path, &content),
            false => disk.replace(&path, &content),
        };
        written.map_err(vault::Error::io(&path))?;
        inner.stale = false;
        let file = OpenOptions::new().append(true).open(&path).map_err(vault::Error::io(&path))?;
        inner.file = Some(Appended { file, frames: u64::from(!frame.is_empty()), bytes: 0 });
        Ok(())
    }
}

impl Inner {
    /// The oldest hour that is not over.
    fn floor(&self, now: Timestamp) -> Hour {
        self.floor.max(Hour::of(subtract(now, AGGREGATE_WAIT)))
    }

    /// The counts in hours that are open, in cells that there is room for.
    fn fitted(&self, counts: Counts, by: &Aggregates, now: Timestamp) -> BTreeMap<Hour, Open> {
        let floor = self.floor(now);
        let ttl_s = by.ttl.duration().as_secs();
        let mut more: BTreeMap<Hour, Open> = BTreeMap::new();
        for (hour, cells) in counts {
            let hour = hour.max(floor);
            let known = self.open.get(&hour).map(|open| &open.cells);
            let new = Open { least: by.least, ttl_s, cells: BTreeMap::new() };
            let fresh = &mut more.entry(hour).or_insert(new).cells;
            let mut there = known.map_or(0, BTreeMap::len)
                + fresh.keys().filter(|cell| known.is_none_or(|known| !known.contains_key(*cell))).count();
            for (cell, records) in cells {
                let is_known =
                    fresh.contains_key(&cell) || known.is_some_and(|known| known.contains_key(&cell));
                let cell = match is_known || there < AGGREGATE_CELLS_MAX {
                    true => cell,
                    false => Cell::rest(&cell.class),
                };
                there += usize::from(!is_known && !cell.is_rest());
                *fresh.entry(cell).or_default() += records;
            }
        }
        more
    }
}

/// Adds `more` to what is open.
fn merge(open: &mut BTreeMap<Hour, Open>, more: &BTreeMap<Hour, Open>) {
    for (hour, more) in more {
        let open = open.entry(*hour).or_insert_with(|| Open { cells: BTreeMap::new(), ..*more });
        open.least = open.least.max(more.least);
        open.ttl_s = open.ttl_s.min(more.ttl_s);
        for (cell, records) in &more.cells {
            let sum = open.cells.entry(cell.clone()).or_default();
            *sum = sum.saturating_add(*records);
        }
    }
}

/// Hands the hours that are over and were not overdue at `now` to `see`, in order, a day at a time; of days that end before
/// `since` or begin with `until` none. Says how many days could not be read.
///
/// Also beside a program that counts.
pub fn each(
    dir: &DataDir,
    kek: &Kek,
    now: Timestamp,
    (since, until): (Option<Timestamp>, Option<Timestamp>),
    mut see: impl FnMut(Published),
) -> Result<usize, Error> {
    let mut damaged = 0;
    let Some(seal) = Seal::read(dir, kek)? else { return Ok(0) };
    let day = Duration::from_secs(24 * HOUR_S as u64);
    let is_wanted = |start: Timestamp| {
        since.is_none_or(|since| add(start, day) > since) && until.is_none_or(|until| start < until)
    };
    for (start, path) in days(dir)?.into_iter().filter(|(start, _)| is_wanted(*start)) {
        // One that cannot be read, for whatever reason, hides no other; one that is gone was due.
        let Ok(Some(mut day)) = seal.day(&path) else {
            damaged += usize::from(path.exists());
            continue;
        };
        day.retain(|hour| ends(start, Duration::from_secs(hour.ttl_s)) > now);
        day.sort_by_key(|hour| hour.hour);
        for Written { hour, least, rows, .. } in day {
            let shown =
                |(class, route, status, records): Row| Shown { cell: Cell { class, route, status }, records };
            see(Published { start: Hour(hour).start(), least, rows: rows.into_iter().map(shown).collect() });
        }
    }
    Ok(damaged)
}

/// When what begins at a day's `start` is destroyed: an hour before its limit, for care comes round each minute.
fn ends(start: Timestamp, limit: Duration) -> Timestamp {
    add(start, limit.saturating_sub(Duration::from_secs(HOUR_S as u64)))
}

/// How long what cannot be read is kept where no limit of it is known: somebody may ask what became of it.
const UNREAD_LIFE: Duration = Duration::from_secs(2 * 86_400);

/// A file with a date in its name.
struct Lying {
    start: Timestamp,
    path: PathBuf,
    what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Day,
    DamagedDay,
    DamagedOpen,
}

/// The days that there are, in order.
fn days(dir: &DataDir) -> Result<Vec<(Timestamp, PathBuf)>, Error> {
    let days = lying(dir)?.into_iter().filter(|lying| lying.what == What::Day);
    let mut days: Vec<_> = days.map(|day| (day.start, day.path)).collect();
    days.sort();
    Ok(days)
}

/// Everything that has a date.
fn lying(dir: &DataDir) -> Result<Vec<Lying>, Error> {
    let dated = |path: PathBuf| {
        let name = path.file_name()?.to_str()?;
        let what = match name.get(10..)? {
            "" => What::Day,
            ".damaged" => What::DamagedDay,
            ".open.damaged" => What::DamagedOpen,
            _ => return None,
        };
        let start = format!("{}T00:00:00Z", name.get(..10)?).parse().ok()?;
        Some(Lying { start, path, what })
    };
    Ok(vault::entries(&dir.join(ROOT))?.into_iter().filter_map(dated).collect())
}

fn day_of(at: Timestamp) -> Timestamp {
    let day_s = 24 * HOUR_S;
    Timestamp::from_second(at.as_second().div_euclid(day_s) * day_s).unwrap_or(at)
}

fn day_name(start: Timestamp) -> String {
    format!("{ROOT}/{}", start.strftime("%Y-%m-%d"))
}

/// What a day's content is bound to: its name.
fn day_bound(path: &Path) -> Vec<u8> {
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    [HEADER, b"day ", name.as_bytes()].concat()
}

fn frame_bound(number: u64) -> Vec<u8> {
    [HEADER, b"frame ".as_slice(), &number.to_le_bytes()].concat()
}

fn row(cell: Cell, records: u64) -> Row {
    (cell.class, cell.route, cell.status, records)
}

/// Seals and opens, under a key of its own.
struct Seal(XChaCha20Poly1305);

impl Seal {
    /// With the key that is there. None if there are no counts either.
    fn read(dir: &DataDir, kek: &Kek) -> Result<Option<Seal>, Error> {
        let path = dir.join(KEY);
        if !path.exists() {
            return match days(dir)?.is_empty() && !dir.join(OPEN).exists() {
                true => Ok(None),
                false => Err(Error::NoKey { path }),
            };
        }
        let key = KeyFile::read(&path)?.unwrap(kek, &path)?;
        Ok(Some(Seal(XChaCha20Poly1305::new(&Key::from(*key)))))
    }

    fn make(dir: &DataDir, kek: &Kek, now: Timestamp) -> Result<Seal, Error> {
        let path = dir.join(KEY);
        let (kind, id) = (Kind::Aggregates, "counts");
        let purpose = Purpose { kind, id, policy: "", class: "", from: now, until: now, ttl: LIFE };
        for folder in path.ancestors().skip(1).take(2).collect::<Vec<_>>().into_iter().rev() {
            dir.disk().make_dir(folder).map_err(vault::Error::io(folder))?;
        }
        let (file, key) = KeyFile::make(kek, &purpose, now)?;
        file.write(dir.disk(), &path)?;
        Ok(Seal(XChaCha20Poly1305::new(&Key::from(*key))))
    }

    fn seal(&self, bound: &[u8], hours: &[Written]) -> Result<Vec<u8>, Error> {
        let plain = serde_json::to_vec(hours).expect("strings and numbers are always JSON");
        let mut nonce = [0; NONCE_BYTES];
        vault::random(&mut nonce)?;
        let payload = Payload { msg: &plain, aad: bound };
        let sealed = self.0.encrypt(&XNonce::from(nonce), payload).map_err(|_| vault::Error::Random)?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    fn unseal(&self, bound: &[u8], content: &[u8]) -> Option<Vec<Written>> {
        let (nonce, sealed) = content.split_first_chunk::<NONCE_BYTES>()?;
        let plain = self.0.decrypt(&XNonce::from(*nonce), Payload { msg: sealed, aad: bound }).ok()?;
        serde_json::from_slice(&plain).ok()
    }

    fn file(&self, bound: &[u8], hours: &[Written]) -> Result<Vec<u8>, Error> {
        Ok([HEADER, &self.seal(bound, hours)?].concat())
    }

    /// The hours of a day; none if the file is not there or is not what was written.
    fn day(&self, path: &Path) -> Result<Option<Vec<Written>>, Error> {
        let Some(content) = content(path)? else { return Ok(None) };
        Ok(content.and_then(|content| self.unseal(&day_bound(path), &content)))
    }

    fn frame(&self, number: u64, hours: &BTreeMap<Hour, Open>) -> Result<Vec<u8>, Error> {
        let written = |(hour, open): (&Hour, &Open)| Written {
            hour: hour.0,
            least: open.least,
            ttl_s: open.ttl_s,
            rows: open.cells.iter().map(|(cell, records)| row(cell.clone(), *records)).collect(),
        };
        let hours: Vec<Written> = hours.iter().map(written).collect();
        let sealed = self.seal(&frame_bound(number), &hours)?;
        let length = u32::try_from(sealed.len()).map_err(|_| vault::Error::Random)?;
        Ok([length.to_le_bytes().as_slice(), &sealed].concat())
    }

    /// The open hours, and whether something in the file is not what was written. What a crash left of a last frame was never
    /// acknowledged, and ends the file.
    fn frames(&self, path: &Path) -> Result<(BTreeMap<Hour, Open>, bool), Error> {
        let mut open = BTreeMap::new();
        let content = match content(path)? {
            None => return Ok((open, false)),
            Some(None) => return Ok((open, true)),
            Some(Some(content)) => content,
        };
        let (mut rest, mut number) = (content.as_slice(), 0);
        while let Some((length, behind)) = rest.split_first_chunk::<4>() {
            let length = u32::from_le_bytes(*length);
            let Some((sealed, behind)) = behind.split_at_checked(length as usize) else {
                return Ok((open, u64::from(length) > AGGREGATE_FILE_BYTES_MAX));
            };
            let Some(hours) = self.unseal(&frame_bound(number), sealed) else {
                // A crash may leave the length of a file, and zeros in it.
                return Ok((open, rest.iter().any(|byte| *byte != 0)));
            };
            for hour in hours {
                let cells = hour.rows.into_iter();
                let cells =
                    cells.map(|(class, route, status, records)| (Cell { class, route, status }, records));
                let more = Open { least: hour.least, ttl_s: hour.ttl_s, cells: cells.collect() };
                merge(&mut open, &BTreeMap::from([(Hour(hour.hour), more)]));
            }
            (rest, number) = (behind, number + 1);
        }
        Ok((open, false))
    }
}

/// What stands behind the header; outer none if there is no file, inner none if it has another header.
#[expect(clippy::option_option, reason = "not there and not ours end differently")]
fn content(path: &Path) -> Result<Option<Option<Vec<u8>>>, Error> {
    let content = match read_bounded(path, AGGREGATE_FILE_BYTES_MAX) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => return Ok(Some(None)),
        content => content.map_err(vault::Error::io(path))?,
    };
    match content.strip_prefix(HEADER) {
        Some(rest) => Ok(Some(Some(rest.to_vec()))),
        None if content.starts_with(b"logveil-aggregates/") && !content.starts_with(HEADER) => {
            Err(Error::Newer { path: path.to_owned() })
        }
        None => Ok(Some(None)),
    }
}

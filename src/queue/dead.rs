/*!
Dead letters: records that a sink refused for good, kept until they are sent
again or their class's limit passes.

```text
dead-letters.SINK/            a durable queue for each sink, bounded and sealed as that is
dead-letters.SINK/replay      somebody asks for them to be sent again
dead-letter-keys.SINK/        its keys, destroyed when the class's limit says so
```

They are clean, keep their ids, and say why they were refused. A cursor tells
which of them were sent again. Where the bound is reached the oldest make room:
whoever can send records that a store refuses could stop the sink otherwise, for
everybody. What is gone without having been sent again is told ([`Left`]).

All of it blocks the thread.
*/

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::durable::{Error, Left, Log, Place, Reader};
use crate::act::Redacted;
use crate::clock::Timestamp;
use crate::keys::belief::Moments;
use crate::limit::DEAD_LETTER_BYTES;
use crate::vault::{self, DataDir, Kek};

const FOLDER: &str = "dead-letters.";
const KEYS: &str = "dead-letter-keys.";
const REPLAY: &str = "replay";

/// The dead letters of all sinks.
#[derive(Debug)]
pub struct DeadLetters {
    dir: Arc<DataDir>,
    kek: Arc<Kek>,
    logs: Mutex<BTreeMap<String, Arc<Log>>>,
    bytes_max: u64,
    /// One at a time makes room, or forgets what is overdue: two would count the same.
    room: Mutex<()>,
    /// Files that opening found damaged, by sink, until it is told.
    damaged: Mutex<BTreeMap<String, u64>>,
}

impl DeadLetters {
    /// Those of a directory that this program holds; of sinks that are no longer there, too.
    pub fn open(dir: Arc<DataDir>, kek: Arc<Kek>) -> Result<DeadLetters, Error> {
        DeadLetters::open_within(dir, kek, DEAD_LETTER_BYTES)
    }

    fn open_within(dir: Arc<DataDir>, kek: Arc<Kek>, bytes_max: u64) -> Result<DeadLetters, Error> {
        let sinks = sinks(&dir)?;
        let (logs, damaged) = (Mutex::default(), Mutex::default());
        let letters = DeadLetters { dir, kek, logs, bytes_max, room: Mutex::default(), damaged };
        for sink in sinks {
            letters.made(&sink)?;
        }
        Ok(letters)
    }

    /// Keeps batches that a sink refused; durable on return. `now` is [`Moments::now`]. Counts what was given up for them,
    /// after an error, too, and what of them is overdue and not kept.
    pub fn put(
        &self,
        sink: &str,
        batches: &[Arc<Redacted>],
        now: Timestamp,
        given_up: &mut Left,
    ) -> Result<(), Error> {
        let log = self.made(sink)?;
        let _turn = lock(&self.room);
        loop {
            match log.append(batches, now) {
                Err(full @ Error::Full { .. }) if !log.give_up_oldest(sink, now, given_up)? => {
                    return Err(full);
                }
                Err(Error::Full { .. }) => {}
                appended => {
                    given_up.expired += appended?.expired;
                    return Ok(());
                }
            }
        }
    }

    /// A sink's, if it has any.
    pub fn log(&self, sink: &str) -> Option<Arc<Log>> {
        self.logs().get(sink).cloned()
    }

    /// Destroys keys that are due or of no use any more, and forgets what they sealed; `tell` hears of each sink what that
    /// was. All sinks are tried; the first error is returned.
    pub fn sweep(&self, moments: &Moments, mut tell: impl FnMut(&str, Left)) -> Result<(), Error> {
        let logs = self.logs().clone();
        let mut sweep = |(sink, log): (&String, &Arc<Log>)| {
            let damaged = lock(&self.damaged).remove(sink).unwrap_or(0);
            tell(sink, Left { damaged, ..Left::default() });
            log.sweep(moments)?;
            let mut left = Left::default();
            let pruned = {
                let _turn = lock(&self.room);
                log.prune(sink, moments.now, &mut left)
            };
            tell(sink, left);
            pruned?;
            log.tidy()
        };
        logs.iter().map(&mut sweep).fold(Ok(()), Result::and)
    }

    /// Whether somebody asks for a sink's to be sent again.
    pub fn is_asked(&self, sink: &str) -> bool {
        self.asking(sink).exists()
    }

    /// What was asked for is done.
    pub fn answered(&self, sink: &str) -> Result<(), Error> {
        let asking = self.asking(sink);
        Ok(self.dir.disk().remove(&asking).map_err(vault::Error::io(&asking))?)
    }

    fn asking(&self, sink: &str) -> PathBuf {
        self.dir.join(&place(sink).segments).join(REPLAY)
    }

    fn made(&self, sink: &str) -> Result<Arc<Log>, Error> {
        let mut logs = self.logs();
        if let Some(log) = logs.get(sink) {
            return Ok(Arc::clone(log));
        }
        let (dir, kek, place) = (Arc::clone(&self.dir), Arc::clone(&self.kek), place(sink));
        let (log, opened) = Log::open(dir, kek, &place, self.bytes_max, &[sink.to_owned()])?;
        let log = Arc::new(log);
        lock(&self.damaged).insert(sink.to_owned(), opened.damaged);
        logs.insert(sink.to_owned(), Arc::clone(&log));
        Ok(log)
    }

    fn logs(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Log>>> {
        lock(&self.logs)
    }
}

fn lock<T>(guarded: &Mutex<T>) -> MutexGuard<'_, T> {
    // Entries of maps come and go whole.
    guarded.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads a sink's dead letters that were not sent again, also while another program writes them.
pub fn look(dir: Arc<DataDir>, kek: Arc<Kek>, sink: &str) -> Result<Reader, Error> {
    Ok(Log::look(dir, kek, &place(sink), &[sink.to_owned()])?.reader(sink))
}

/// Asks for a sink's dead letters to be sent again: by the program that runs, or the next one. The sink has to have some.
pub fn ask(dir: &DataDir, sink: &str) -> Result<(), Error> {
    let asking = dir.join(&place(sink).segments).join(REPLAY);
    Ok(dir.disk().replace(&asking, b"").map_err(vault::Error::io(&asking))?)
}

/// The sinks that have a folder of dead letters.
pub fn sinks(dir: &DataDir) -> Result<Vec<String>, Error> {
    let sink = |path: PathBuf| {
        let name = path.file_name()?.to_str()?.strip_prefix(FOLDER)?.to_owned();
        fs::symlink_metadata(&path).is_ok_and(|found| found.is_dir()).then_some(name)
    };
    let mut sinks: Vec<String> = vault::entries(dir.path())?.into_iter().filter_map(sink).collect();
    sinks.sort();
    Ok(sinks)
}

fn place(sink: &str) -> Place {
    Place { segments: format!("{FOLDER}{sink}"), keys: format!("{KEYS}{sink}") }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::act::{Envelope, Pass, Tally};
    use crate::clock::SystemClock;
    use crate::limit::DEAD_LETTERS_REPLAY_SEGMENTS;
    use crate::record::{Names, Record, RecordId};
    use crate::secret::Raw;
    use crate::span::Span;
    use crate::ttl::Ttl;
    use crate::vault::Disk;

    fn open(dir: &std::path::Path) -> DeadLetters {
        within(DataDir::open(dir).unwrap(), DEAD_LETTER_BYTES)
    }

    fn within(dir: DataDir, bytes_max: u64) -> DeadLetters {
        let dir = Arc::new(dir);
        let kek = Arc::new(Kek::open(None, &dir).unwrap());
        DeadLetters::open_within(dir, kek, bytes_max).unwrap()
    }

    /// So many records of a class that lives for 36 hours, refused.
    fn batch(records: usize, received: Timestamp) -> Arc<Redacted> {
        let names = Names {
            policy: "p@1".to_owned(),
            classes: vec![("app".to_owned(), Ttl::hours(36))],
            streams: vec!["s".to_owned()],
            ..Names::default()
        };
        let raw = Raw::default();
        let mut pass = Pass::new(&raw, received, Arc::new(names));
        for number in 0..records {
            let record = Record::plain(Span::new(0, number));
            pass.withhold(&record, "of the test", &mut Tally::default());
        }
        let mut batch = pass.finish();
        batch.number(RecordId { run: 7, sequence: 900 });
        Arc::new(batch.refused("refused answer 400".into()))
    }

    fn moments(now: Timestamp) -> Moments {
        let (ahead, destroyable) = (Duration::ZERO, Some(now));
        Moments { now, unreadable: now, destroyable, ahead, in_doubt: false, settled: true }
    }

    fn segments(dir: &std::path::Path) -> Vec<PathBuf> {
        let mut paths = vault::entries(&dir.join("dead-letters.search")).unwrap();
        paths.retain(|path| path.extension().is_some_and(|end| end == "lvq"));
        paths.sort();
        paths
    }

    /// Reading it fails from now on, whoever asks; removing it does not.
    fn unreadable(path: &std::path::Path) {
        fs::remove_file(path).unwrap();
        std::os::unix::fs::symlink(path, path).unwrap();
    }

    fn listed(dir: &std::path::Path, now: Timestamp) -> Vec<(RecordId, String)> {
        let dir = Arc::new(DataDir::open_to_read(dir).unwrap());
        let kek = Arc::new(Kek::open(None, &dir).unwrap());
        let mut reader = look(dir, kek, "search").unwrap();
        let mut found = Vec::new();
        while let Some(gathered) = reader.next(now).unwrap() {
            for batch in gathered.batches {
                let why = batch.refusal().unwrap().to_owned();
                found.extend(batch.iter().map(|envelope: Envelope<'_>| (envelope.id, why.clone())));
            }
        }
        found
    }

    #[test]
    fn they_are_listed_beside_whoever_writes_and_after_a_restart_with_ids_and_reasons() {
        let folder = tempfile::tempdir().unwrap();
        let now = crate::clock::Clock::now(&SystemClock::new());
        let letters = open(folder.path());
        assert_eq!(
            sinks(&letters.dir).unwrap(),
            Vec::<String>::new(),
            "there is nothing until something is refused"
        );
        letters.put("search", &[batch(3, now)], now, &mut Left::default()).unwrap();
        let id = |sequence| RecordId { run: 7, sequence };
        let why = || "refused answer 400".to_owned();
        let three = vec![(id(900), why()), (id(901), why()), (id(902), why())];
        assert_eq!(listed(folder.path(), now), three);
        drop(letters);
        let letters = open(folder.path());
        letters.put("search", &[batch(1, now)], now, &mut Left::default()).unwrap();
        assert_eq!(listed(folder.path(), now).len(), 4);
        // Sent again: the cursor stands behind them.
        let log = letters.log("search").unwrap();
        log.advance("search", log.end());
        log.tidy().unwrap();
        assert_eq!(listed(folder.path(), now), []);
    }

    /// Nothing outlives its class: the key goes, and with it what it sealed.
    #[test]
    fn what_is_overdue_is_unreadable_and_then_gone() {
        let folder = tempfile::tempdir().unwrap();
        let received = crate::clock::Clock::now(&SystemClock::new());
        let letters = open(folder.path());
        letters.put("search", &[batch(3, received)], received, &mut Left::default()).unwrap();
        let later = received + Duration::from_secs(37 * 3600);
        assert_eq!(listed(folder.path(), later), []);
        let keys = || vault::key_paths(&folder.path().join("dead-letter-keys.search")).unwrap().len();
        assert_eq!(keys(), 2, "a key and its copy");
        let moments = moments(later);
        let mut left = Left::default();
        letters.sweep(&moments, |_, more| left += more).unwrap();
        assert_eq!((keys(), left), (0, Left { expired: 3, ..Left::default() }));
        letters.sweep(&moments, |_, more| left += more).unwrap();
        assert_eq!(left.expired, 3, "once");
        letters.put("search", &[batch(2, received)], later, &mut left).unwrap();
        assert_eq!(left.expired, 5, "nor is one kept that comes too late");
        let log = letters.log("search").unwrap();
        assert_eq!((log.bytes(), log.backlog("search")), (0, 0));
    }

    /// Whoever sends what a store refuses fills them; what is refused later is kept all the same.
    #[test]
    fn at_the_bound_the_oldest_make_room_and_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        let now = crate::clock::Clock::now(&SystemClock::new());
        let letters = within(DataDir::open(folder.path()).unwrap(), 8 * 1024);
        let (mut put, mut given_up) = (0, Left::default());
        while given_up == Left::default() || put < 100 {
            letters.put("search", &[batch(3, now)], now, &mut given_up).unwrap();
            put += 3;
            assert!(letters.log("search").unwrap().bytes() <= 8 * 1024);
        }
        let listed = listed(folder.path(), now).len() as u64;
        assert_eq!(given_up, Left { whole: put - listed, ..Left::default() });
        assert!(listed > 20, "only the oldest: {listed}");
        // One that is larger than the bound is kept alone.
        letters.put("search", &[batch(300, now)], now, &mut given_up).unwrap();
        assert_eq!(given_up.whole, put);
    }

    #[test]
    fn what_is_given_up_is_counted_also_where_the_disk_fails_then() {
        let folder = tempfile::tempdir().unwrap();
        let now = crate::clock::Clock::now(&SystemClock::new());
        let disk = Disk::failing_once_after(i64::MAX);
        let letters = within(DataDir::open_on(disk.clone(), folder.path()).unwrap(), 8 * 1024);
        let log = letters.made("search").unwrap();
        let put = 3 * (0..).take_while(|_| log.append(&[batch(3, now)], now).is_ok()).count() as u64;
        disk.break_down_after(0);
        let mut given_up = Left::default();
        assert!(letters.put("search", &[batch(3, now)], now, &mut given_up).is_err());
        assert!(given_up.whole > 0);
        letters.put("search", &[batch(3, now)], now, &mut given_up).unwrap();
        let listed = listed(folder.path(), now).len() as u64;
        assert_eq!(given_up, Left { whole: put + 3 - listed, ..Left::default() }, "once");
    }

    /// A file that the disk does not give, as of a broken sector, does not stop the sink.
    #[test]
    fn what_cannot_be_read_makes_room_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let now = crate::clock::Clock::now(&SystemClock::new());
        let letters = within(DataDir::open(folder.path()).unwrap(), 8 * 1024);
        let log = letters.made("search").unwrap();
        let put = 3 * (0..).take_while(|_| log.append(&[batch(3, now)], now).is_ok()).count() as u64;
        unreadable(&segments(folder.path())[0]);
        let mut given_up = Left::default();
        letters.put("search", &[batch(3, now)], now, &mut given_up).unwrap();
        let listed = listed(folder.path(), now).len() as u64;
        assert_eq!(given_up, Left { damaged: put + 3 - listed, ..Left::default() });
    }

    /// And what was counted before it, was.
    #[test]
    fn what_is_overdue_before_what_cannot_be_read_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let received = crate::clock::Clock::now(&SystemClock::new());
        for _ in 0..2 {
            open(folder.path()).put("search", &[batch(3, received)], received, &mut Left::default()).unwrap();
        }
        let letters = open(folder.path());
        unreadable(&segments(folder.path())[1]);
        let later = received + Duration::from_secs(37 * 3600);
        let mut left = Left::default();
        assert!(letters.sweep(&moments(later), |_, more| left += more).is_err());
        assert!(letters.sweep(&moments(later), |_, more| left += more).is_err());
        assert_eq!(left, Left { expired: 3, ..Left::default() });
    }

    #[test]
    fn whoever_forgets_waits_for_whoever_makes_room() {
        let folder = tempfile::tempdir().unwrap();
        let received = crate::clock::Clock::now(&SystemClock::new());
        let letters = open(folder.path());
        letters.put("search", &[batch(3, received)], received, &mut Left::default()).unwrap();
        let later = received + Duration::from_secs(37 * 3600);
        let (told, heard) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            let turn = lock(&letters.room);
            scope.spawn(|| {
                letters.sweep(&moments(later), |_, left| told.send(left.expired).unwrap()).unwrap();
            });
            assert_eq!(heard.recv(), Ok(0), "files that opening found damaged");
            heard.recv_timeout(Duration::from_millis(50)).unwrap_err();
            drop(turn);
            assert_eq!(heard.recv(), Ok(3));
        });
    }

    /// Full, sent again, and refused anew from the first to the last.
    #[test]
    fn what_is_refused_anew_pushes_out_nothing_that_was_not_sent_again() {
        let folder = tempfile::tempdir().unwrap();
        let now = crate::clock::Clock::now(&SystemClock::new());
        let letters = within(DataDir::open(folder.path()).unwrap(), 16 * 1024);
        let log = letters.made("search").unwrap();
        let put = 3 * (0..).take_while(|_| log.append(&[batch(3, now)], now).is_ok()).count();
        let mut given_up = Left::default();
        let (end, mut reader) = (log.end(), log.reader("search"));
        log.exceed(DEAD_LETTERS_REPLAY_SEGMENTS);
        while log.cursor("search") < end {
            let read = reader.next(now).unwrap().unwrap();
            for batch in read.batches {
                letters.put("search", &[Arc::new(batch)], now, &mut given_up).unwrap();
            }
            log.advance("search", read.end);
        }
        log.exceed(0);
        log.tidy().unwrap();
        assert_eq!((given_up, listed(folder.path(), now).len()), (Left::default(), put));
        letters.put("search", &[batch(3, now)], now, &mut given_up).unwrap();
        assert!(log.bytes() <= 16 * 1024);
    }

    #[test]
    fn what_somebody_removed_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let now = crate::clock::Clock::now(&SystemClock::new());
        let letters = open(folder.path());
        letters.put("search", &[batch(3, now)], now, &mut Left::default()).unwrap();
        let root = folder.path().join("dead-letters.search");
        fs::remove_file(&segments(folder.path())[0]).unwrap();
        let moments = moments(now);
        let mut left = Left::default();
        letters.sweep(&moments, |_, more| left += more).unwrap();
        assert_eq!(left, Left { damaged: 3, ..Left::default() });
        drop(letters);
        // What lies there and is none of them.
        fs::write(root.join("0000000000000009.lvq"), [7; 500]).unwrap();
        open(folder.path()).sweep(&moments, |_, more| left += more).unwrap();
        assert_eq!(left.damaged, 4);
    }

    #[test]
    fn what_is_asked_for_is_known_until_it_is_done() {
        let folder = tempfile::tempdir().unwrap();
        let now = crate::clock::Clock::now(&SystemClock::new());
        let letters = open(folder.path());
        assert!(ask(&letters.dir, "search").is_err(), "it has none");
        letters.put("search", &[batch(1, now)], now, &mut Left::default()).unwrap();
        assert!(!letters.is_asked("search"));
        ask(&letters.dir, "search").unwrap();
        assert!(letters.is_asked("search"));
        drop(letters);
        let letters = open(folder.path());
        assert!(letters.is_asked("search"), "a restart forgets nothing");
        letters.answered("search").unwrap();
        assert!(!letters.is_asked("search"));
    }
}

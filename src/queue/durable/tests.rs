use std::time::Duration;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::act::{Envelope, Pass, Tally};
use crate::record::{ClassId, Names, Record, RecordId};
use crate::secret::Raw;
use crate::span::Span;
use crate::ttl::Ttl;
use crate::vault::{Chain, Disk, Evidence, Kind};

const ROOM: u64 = 64 << 20;

fn noon() -> Timestamp {
    "2026-11-22T12:10:00Z".parse().unwrap()
}

fn later(hours: u64) -> Timestamp {
    noon() + Duration::from_secs(hours * 3600)
}

/// Records of these numbers, which their texts tell; the even ones of class `app`, the odd ones of `short`.
fn batch_at(numbers: &[usize], received: Timestamp) -> Arc<Redacted> {
    let classes = vec![("app".to_owned(), Ttl::days(90)), ("short".to_owned(), Ttl::hours(36))];
    let names =
        Names { policy: "p@1".to_owned(), classes, streams: vec!["s".to_owned()], ..Names::default() };
    let raw = Raw::default();
    let mut pass = Pass::new(&raw, received, Arc::new(names));
    for number in numbers {
        let class = ClassId((number % 2) as u16);
        let record = Record { class, ..Record::plain(Span::new(0, *number)) };
        pass.withhold(&record, "of the test", &mut Tally::default());
    }
    Arc::new(pass.finish())
}

fn batch(numbers: &[usize]) -> Arc<Redacted> {
    batch_at(numbers, noon())
}

fn number(envelope: &Envelope<'_>) -> usize {
    let text = std::str::from_utf8(envelope.message).unwrap();
    text.split(' ').find_map(|word| word.parse().ok()).unwrap()
}

fn sinks(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// A data directory and the queue in it.
struct Bench {
    dir: TempDir,
    log: Option<Arc<Log>>,
    opened: Opened,
}

impl Bench {
    fn on(disk: Disk, bytes_max: u64) -> Bench {
        let mut bench = Bench { dir: TempDir::new().unwrap(), log: None, opened: Opened::default() };
        // The key-encryption key is there before any fault.
        Kek::beside(&DataDir::open(bench.dir.path()).unwrap()).unwrap();
        bench.reopen(disk, bytes_max, &["a", "b"]).unwrap();
        bench
    }

    fn new() -> Bench {
        Bench::on(Disk::real(), ROOM)
    }

    fn reopen(&mut self, disk: Disk, bytes_max: u64, names: &[&str]) -> Result<(), Error> {
        self.log = None;
        let dir = Arc::new(DataDir::open_on(disk, self.dir.path()).unwrap());
        let kek = Arc::new(Kek::beside(&dir).unwrap());
        let (log, opened) = Log::open(dir, kek, &Place::queue(), bytes_max, &sinks(names))?;
        (self.log, self.opened) = (Some(Arc::new(log)), opened);
        Ok(())
    }

    fn again(&mut self) {
        self.reopen(Disk::real(), ROOM, &["a", "b"]).unwrap();
    }

    fn log(&self) -> &Arc<Log> {
        self.log.as_ref().unwrap()
    }

    fn append(&self, numbers: &[usize]) -> Result<Appended, Error> {
        self.log().append(&[batch(numbers)], noon())
    }

    fn all_have(&self, end: Position) {
        for sink in ["a", "b"] {
            self.log().advance(sink, end);
        }
    }

    /// What comes next goes into a segment of its own.
    fn close(&self) {
        self.log().close(&mut self.log().writer.lock().unwrap());
    }

    fn files(&self, extension: &str) -> Vec<PathBuf> {
        let mut paths = vault::entries(&self.dir.path().join("queue")).unwrap();
        paths.retain(|path| path.extension().is_some_and(|e| e == extension));
        paths.sort();
        paths
    }
}

/// All that is left to read, with what was lost on the way.
#[derive(Debug, Default, PartialEq, Eq)]
struct Rest {
    numbers: Vec<usize>,
    ids: Vec<RecordId>,
    lost: u64,
    damaged: u64,
    expired: u64,
    end: Position,
}

fn rest_at(reader: &mut Reader, now: Timestamp) -> Rest {
    let mut rest = Rest::default();
    while let Some(gathered) = reader.next(now).unwrap() {
        for batch in &gathered.batches {
            rest.numbers.extend(batch.iter().map(|envelope| number(&envelope)));
            rest.ids.extend(batch.iter().map(|envelope| envelope.id));
        }
        rest.lost += gathered.lost;
        rest.damaged += gathered.damaged;
        rest.expired += gathered.expired;
        rest.end = gathered.end;
    }
    rest
}

fn rest(log: &Arc<Log>, sink: &str) -> Rest {
    rest_at(&mut log.reader(sink), noon())
}

#[test]
fn each_sink_goes_on_where_it_was() {
    let mut bench = Bench::new();
    bench.append(&[1, 2, 3]).unwrap();
    bench.append(&[4]).unwrap();
    let first = rest(bench.log(), "a");
    assert_eq!(first.numbers, [1, 2, 3, 4]);
    bench.log().advance("a", first.end);
    bench.append(&[5, 6]).unwrap();
    bench.log().tidy().unwrap();
    let before = rest(bench.log(), "b");
    bench.again();
    assert_eq!(rest(bench.log(), "a").numbers, [5, 6]);
    assert_eq!(rest(bench.log(), "b"), Rest { end: before.end, ..before }, "with the same ids");
}

#[test]
fn what_every_sink_has_is_removed_and_its_name_never_comes_back() {
    let mut bench = Bench::new();
    for round in 0..3 {
        bench.append(&[round]).unwrap();
        for sink in ["a", "b"] {
            let rest = rest(bench.log(), sink);
            assert_eq!(rest.numbers, [round]);
            bench.log().advance(sink, rest.end);
        }
        bench.log().tidy().unwrap();
        let before = bench.files("lvq");
        assert_eq!(before.len(), 1);
        bench.again();
        bench.log().tidy().unwrap();
        assert!(bench.files("lvq").is_empty());
        bench.append(&[round]).unwrap();
        assert!(bench.files("lvq")[0] > before[0], "numbers rise");
        let end = rest(bench.log(), "a").end;
        bench.all_have(end);
    }
}

#[test]
fn a_new_sink_begins_at_the_end_and_all_begin_anew_where_nothing_is_known() {
    let mut bench = Bench::new();
    bench.append(&[1, 2]).unwrap();
    let end = rest(bench.log(), "a").end;
    bench.log().advance("a", end);
    bench.log().tidy().unwrap();
    bench.reopen(Disk::real(), ROOM, &["a", "b", "new"]).unwrap();
    bench.append(&[3]).unwrap();
    assert_eq!(rest(bench.log(), "new").numbers, [3]);
    assert_eq!(rest(bench.log(), "b").numbers, [1, 2, 3]);
    let cursors = bench.dir.path().join("queue/cursors");
    let mut content = fs::read(&cursors).unwrap();
    for at in 0..content.len() {
        content[at] ^= 1;
        fs::write(&cursors, &content).unwrap();
        assert_eq!(Saved::read(&cursors), None, "byte {at}");
        content[at] ^= 1;
    }
    content[20] ^= 4;
    fs::write(&cursors, &content).unwrap();
    bench.again();
    assert_eq!(bench.opened.damaged, 1);
    assert_eq!(rest(bench.log(), "a").numbers, [1, 2, 3], "twice is better than never");
}

/// Twice the same record costs nobody anything, and one flipped bit costs one at most: at each byte of the segment.
#[test]
fn a_flipped_bit_costs_one_record_at_most_and_is_counted() {
    let mut bench = Bench::new();
    let all: Vec<usize> = (0..12).collect();
    bench.append(&all[..7]).unwrap();
    bench.append(&all[7..]).unwrap();
    // The next run's segment stands behind the damaged one.
    let path = bench.files("lvq").pop().unwrap();
    let good = fs::read(&path).unwrap();
    bench.again();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 8);
        fs::write(&path, &bad).unwrap();
        let rest = rest(bench.log(), "a");
        let missing = all.iter().filter(|number| !rest.numbers.contains(number)).count();
        assert!(missing <= 1, "byte {at}: {missing} are missing");
        assert!(rest.numbers.is_sorted(), "byte {at}");
        let last = missing == 1 && rest.numbers.last() == Some(&10);
        assert_eq!(rest.lost + u64::from(last && rest.lost == 0), missing as u64, "byte {at}");
        assert_eq!(rest.damaged > 0, missing > 0, "byte {at}");
    }
}

#[test]
fn a_torn_end_costs_what_was_cut_and_nothing_else() {
    let mut bench = Bench::new();
    bench.append(&[1, 2]).unwrap();
    let path = bench.files("lvq").pop().unwrap();
    let kept = fs::metadata(&path).unwrap().len();
    bench.append(&[3]).unwrap();
    let good = fs::read(&path).unwrap();
    for cut in kept..good.len() as u64 {
        fs::write(&path, &good[..cut as usize]).unwrap();
        bench.again();
        let rest = rest(bench.log(), "a");
        assert_eq!((&*rest.numbers, rest.lost, rest.damaged), (&[1, 2][..], 0, cut - kept), "cut at {cut}");
    }
}

/// Each operation on files in turn fails once with EIO, as one sector that is broken. What was told to be durable is
/// read after a restart, what was not is taken by the next attempt.
#[test]
fn whichever_operation_fails_nothing_confirmed_is_lost() {
    let (mut failures, mut after) = (0, 0);
    loop {
        let disk = Disk::failing_once_after(i64::MAX);
        let mut bench = Bench::on(disk.clone(), ROOM);
        disk.break_down_after(after);
        let before = failures;
        let mut confirmed = Vec::new();
        for number in 0..3 {
            while bench.append(&[number]).is_err() {
                failures += 1;
            }
            confirmed.push(number);
        }
        failures += u64::from(bench.log().tidy().is_err());
        bench.again();
        let numbers = rest(bench.log(), "b").numbers;
        let missing: Vec<_> = confirmed.iter().filter(|number| !numbers.contains(number)).collect();
        assert!(missing.is_empty(), "operation {after}: {missing:?} of {numbers:?}");
        if failures == before {
            break;
        }
        after += 1;
    }
    assert!(after > 12, "a segment, two keys twice, three appends, cursors: {after}");
}

/// After a sync that failed, a second one that succeeds says nothing about the first one's bytes.
#[test]
fn a_segment_whose_sync_failed_is_never_written_again() {
    let disk = Disk::failing_once_after(i64::MAX);
    let bench = Bench::on(disk.clone(), ROOM);
    bench.append(&[0, 1]).unwrap();
    let first = bench.files("lvq");
    let length = fs::metadata(&first[0]).unwrap().len();
    disk.break_down_after(1);
    assert!(bench.append(&[2]).is_err(), "written, and not synced");
    bench.append(&[3]).unwrap();
    assert_eq!(bench.files("lvq").len(), 2);
    assert_eq!(fs::metadata(&first[0]).unwrap().len(), length);
    let rest = rest(bench.log(), "a");
    assert_eq!((&*rest.numbers, rest.lost), (&[0, 1, 3][..], 0), "what was refused is not missing");
}

#[test]
fn a_full_disk_refuses_and_takes_again_once_there_is_room() {
    let disk = Disk::full_after(i64::MAX);
    let mut bench = Bench::on(disk.clone(), ROOM);
    bench.append(&[0]).unwrap();
    disk.break_down_after(0);
    let error = bench.append(&[1]).unwrap_err();
    assert!(matches!(&error, Error::Vault(error) if error.is_disk_full()), "{error}");
    disk.relieve();
    bench.append(&[2]).unwrap();
    bench.again();
    assert_eq!(rest(bench.log(), "a").numbers, [0, 2]);
}

#[test]
fn takes_no_more_than_its_bound_and_gives_room_back() {
    let bench = Bench::on(Disk::real(), 8 * 1024);
    let mut taken = 0;
    while bench.append(&[taken]).is_ok() {
        taken += 1;
        assert!(bench.log().bytes() <= 8 * 1024);
    }
    assert!(taken > 30, "{taken}");
    let mut slow = bench.log().reader("b");
    let end = rest(bench.log(), "a").end;
    bench.log().advance("a", end);
    assert!(bench.append(&[taken]).is_err(), "b has nothing yet");
    let some = rest_at(&mut slow, noon());
    bench.log().advance("b", some.end);
    bench.append(&[taken]).unwrap();
    assert_eq!(some.numbers.len(), taken);
    assert_eq!(rest_at(&mut slow, noon()).numbers, [taken]);
}

#[test]
fn what_there_was_no_room_for_is_not_missing() {
    let bench = Bench::on(Disk::real(), 8 * 1024);
    let mut reader = bench.log().reader("a");
    for number in 0..200 {
        if bench.append(&[number]).is_err() {
            // The oldest segment goes, the one that is written stays.
            bench.all_have(reader.next(noon()).unwrap().unwrap().end);
            bench.log().tidy().unwrap();
        }
    }
    let rest = rest_at(&mut reader, noon());
    assert_eq!((rest.lost, rest.damaged, rest.expired), (0, 0, 0));
}

#[test]
fn more_than_the_bound_goes_in_alone() {
    let bench = Bench::on(Disk::real(), 1024);
    bench.append(&(0..100).collect::<Vec<_>>()).unwrap();
    assert!(bench.append(&[100]).is_err());
    let end = rest(bench.log(), "a").end;
    bench.all_have(end);
    bench.append(&[101]).unwrap();
}

fn evidence(bench: &Bench) -> usize {
    let mut lines = 0;
    let chain = Evidence::new(bench.dir.path().join("evidence"), Disk::real());
    let Chain { .. } = chain.verify(|line| lines += usize::from(line.kind == Kind::Queue)).unwrap();
    lines
}

fn moments(now: Timestamp) -> Moments {
    let (ahead, destroyable) = (Duration::ZERO, Some(now));
    Moments { now, unreadable: now, destroyable, ahead, in_doubt: false, settled: true }
}

#[test]
fn what_waited_too_long_is_neither_delivered_nor_readable() {
    let mut bench = Bench::new();
    bench.append(&[0, 1, 2, 3]).unwrap();
    let at = |hours| rest_at(&mut bench.log().reader("a"), later(hours));
    assert_eq!(at(30).numbers, [0, 1, 2, 3]);
    assert_eq!((at(37).numbers, at(37).expired), (vec![0, 2], 2), "class short lives for 36 hours");
    assert_eq!(bench.log().sweep(&moments(later(37))).unwrap(), 1);
    assert_eq!(evidence(&bench), 1);
    let gone = at(1);
    assert_eq!((gone.numbers, gone.expired, gone.damaged), (vec![0, 2], 2, 0), "their key is destroyed");
    bench.again();
    let gone = rest(bench.log(), "a");
    assert_eq!((gone.numbers, gone.expired), (vec![0, 2], 2));
    assert_eq!(
        bench.log().append(&[batch(&[4, 5])], later(40)).unwrap().expired,
        1,
        "it is not written either"
    );
}

#[test]
fn keys_go_with_the_last_segment_that_needs_them() {
    let mut bench = Bench::new();
    bench.append(&[0, 1]).unwrap();
    let end = rest(bench.log(), "a").end;
    bench.log().advance("a", end);
    assert_eq!(bench.log().sweep(&moments(later(2))).unwrap(), 0, "b needs them still");
    bench.again();
    assert_eq!(bench.log().sweep(&moments(later(2))).unwrap(), 0, "after a restart, too");
    let end = rest(bench.log(), "b").end;
    bench.all_have(end);
    assert_eq!(bench.log().sweep(&moments(later(2))).unwrap(), 2);
    assert_eq!((evidence(&bench), bench.files("lvq").len()), (2, 0));
    bench.append(&[0, 1]).unwrap();
    let end = rest(bench.log(), "b").end;
    bench.all_have(end);
    assert_eq!(bench.log().sweep(&moments(noon())).unwrap(), 0, "of the present hour");
    assert_eq!(bench.log().sweep(&moments(later(2))).unwrap(), 2, "of this run");
}

#[test]
fn a_damaged_key_file_costs_nothing_while_its_copy_is_good() {
    let mut bench = Bench::new();
    bench.append(&[0]).unwrap();
    let keys: Vec<PathBuf> = vault::key_paths(&bench.dir.path().join("queue-keys")).unwrap();
    assert_eq!(keys.len(), 2);
    for key in &keys {
        let good = fs::read(key).unwrap();
        fs::write(key, b"\0\0\0").unwrap();
        bench.again();
        assert_eq!((rest(bench.log(), "a").numbers, bench.opened.damaged), (vec![0], 0));
        fs::write(key, good).unwrap();
    }
    keys.iter().for_each(|key| fs::write(key, b"{").unwrap());
    bench.again();
    assert_eq!(bench.opened.damaged, 1);
    let gone = rest(bench.log(), "a");
    assert_eq!((gone.numbers.len(), gone.expired), (0, 1), "without its key nothing opens");
}

#[test]
fn nothing_on_disk_says_what_a_record_says() {
    let bench = Bench::new();
    bench.append(&[4, 6]).unwrap();
    let content = fs::read(&bench.files("lvq")[0]).unwrap();
    for word in [&b"withheld"[..], b"of the test", b"app", b"p@1"] {
        assert_eq!(memchr::memmem::find(&content, word), None);
    }
}

/// What lies in the queue's directory before the start.
fn litter() -> impl Strategy<Value = (String, Option<Vec<u8>>)> {
    let bytes = prop::option::weighted(0.9, prop::collection::vec(any::<u8>(), 0..400));
    let number = (0..50u64).prop_map(|number| format!("{number:016x}.lvq"));
    let other =
        "[a-f0-9.]{1,24}".prop_filter("names of directories", |name| !name.starts_with("..") && name != ".");
    (prop_oneof![number, other, Just("cursors".to_owned()), Just("ffffffffffffffff.lvq".to_owned())], bytes)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Law: whatever lies in the directory, the queue opens, takes, and gives, and overwrites nothing.
    #[test]
    fn opens_whatever_lies_there(litter in prop::collection::vec(litter(), 0..6)) {
        let mut bench = Bench::new();
        bench.append(&[0, 1]).unwrap();
        bench.log = None;
        let root = bench.dir.path().join("queue");
        let mut planted = Vec::new();
        for (name, bytes) in litter {
            let path = root.join(&name);
            if path.exists() {
                continue;
            }
            match bytes {
                Some(bytes) => {
                    fs::write(&path, &bytes).unwrap();
                    planted.push(bytes);
                }
                None if name != "cursors" => fs::create_dir(&path).unwrap(),
                None => {}
            }
        }
        let highest = bench.files("lvq").iter().filter_map(|path| number_of(path)).max();
        bench.again();
        bench.append(&[2]).unwrap();
        let numbers = rest(bench.log(), "a").numbers;
        prop_assert_eq!(numbers, [0, 1, 2]);
        let new = bench.files("lvq").iter().filter_map(|path| number_of(path)).max();
        prop_assert!(new > highest);
        let mut kept = Vec::new();
        for path in vault::entries(&root.join("quarantine")).unwrap().iter().filter(|path| path.is_file()) {
            kept.push(fs::read(path).unwrap());
        }
        for bytes in planted.iter().filter(|bytes| bytes.len() > HEADERS_BYTES && !kept.contains(bytes)) {
            // The file of cursors alone is written anew.
            let cursors = fs::read(root.join("cursors")).ok();
            prop_assert_eq!(cursors.as_ref(), Some(bytes));
        }
    }
}

/// What happens to a queue.
#[derive(Clone, Debug)]
enum Event {
    Append(usize),
    /// The sink confirms so many reads.
    Confirm(usize, usize),
    Tidy,
    Restart,
    /// The disk stops after so many operations; the power fails at the next restart.
    Stop(i64),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        5 => (1..6usize).prop_map(Event::Append),
        3 => (0..2usize, 1..4usize).prop_map(|(sink, reads)| Event::Confirm(sink, reads)),
        2 => Just(Event::Tidy),
        1 => Just(Event::Restart),
        2 => (0..9i64).prop_map(Event::Stop),
    ]
}

/// The queue as it should be: what was confirmed, and how far each sink said that it is.
#[derive(Default)]
struct Model {
    durable: Vec<usize>,
    has: [Vec<usize>; 2],
    ids: std::collections::BTreeMap<usize, Vec<RecordId>>,
}

impl Model {
    /// What a sink reads must hold, in order, what was confirmed and what the sink does not have.
    fn check(&mut self, sink: usize, rest: &Rest) -> Result<(), TestCaseError> {
        let owed: Vec<usize> =
            self.durable.iter().copied().filter(|number| !self.has[sink].contains(number)).collect();
        let got: Vec<usize> = rest.numbers.iter().copied().filter(|number| owed.contains(number)).collect();
        let mut once = got.clone();
        once.dedup();
        prop_assert_eq!(once, owed, "sink {} of {:?}", sink, &rest.numbers);
        for (number, id) in rest.numbers.iter().zip(&rest.ids) {
            let ids = self.ids.entry(*number).or_default();
            if !ids.contains(id) {
                ids.push(*id);
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Law: through restarts, power failures, torn and reordered writes, every sink reads all that was confirmed and
    /// that it does not have yet, in order, and a record that was confirmed has one id for good.
    #[test]
    fn nothing_confirmed_is_lost_when_the_power_fails(
        events in prop::collection::vec(event(), 1..40),
        seed in any::<u64>(),
    ) {
        let mut state = seed;
        let mut draw = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let mut disk = Disk::stopping_after(i64::MAX);
        let mut bench = Bench::on(disk.clone(), ROOM);
        let (mut model, mut next) = (Model::default(), 0);
        let mut stopped = false;
        let names = ["a", "b"];
        let mut readers = Vec::from(names.map(|name| bench.log().reader(name)));
        for event in events.into_iter().chain([Event::Restart]) {
            match event {
                Event::Append(records) => {
                    let numbers: Vec<usize> = (next..next + records).collect();
                    next += records;
                    if bench.append(&numbers).is_ok() {
                        model.durable.extend(numbers);
                    }
                }
                Event::Confirm(sink, reads) => {
                    for _ in 0..reads {
                        let Some(gathered) = readers[sink].next(noon()).unwrap() else { break };
                        let numbers = gathered.batches.iter().flat_map(|b| b.iter()).map(|e| number(&e));
                        model.has[sink].extend(numbers.collect::<Vec<_>>());
                        bench.log().advance(names[sink], gathered.end);
                    }
                }
                Event::Tidy => {
                    let _ = bench.log().tidy();
                }
                Event::Stop(after) => {
                    stopped = true;
                    disk.break_down_after(after);
                }
                Event::Restart => {
                    readers.clear();
                    bench.log = None;
                    if std::mem::take(&mut stopped) {
                        disk.trace().crash(&mut draw);
                    }
                    disk = Disk::stopping_after(i64::MAX);
                    bench.reopen(disk.clone(), ROOM, &names).unwrap();
                    for (sink, name) in names.iter().enumerate() {
                        let rest = rest(bench.log(), name);
                        prop_assert_eq!(rest.expired, 0);
                        model.check(sink, &rest)?;
                    }
                    readers = Vec::from(names.map(|name| bench.log().reader(name)));
                }
            }
        }
        for (number, ids) in &model.ids {
            prop_assert!(!model.durable.contains(number) || ids.len() == 1, "{} has the ids {:?}", number, ids);
        }
    }
}

/// F12: what is written to a folder that is gone is nowhere, so it is not taken; and it goes on once there is one again.
#[test]
fn a_folder_that_is_gone_takes_nothing() {
    let bench = Bench::new();
    bench.append(&[1]).unwrap();
    let folder = bench.dir.path().join("queue");
    fs::remove_dir_all(&folder).unwrap();
    assert!(bench.append(&[2]).is_err());
    assert!(bench.append(&[3]).is_err());
    fs::create_dir(&folder).unwrap();
    bench.append(&[4]).unwrap();
    let mut reader = bench.log().reader("a");
    let mut found = Vec::new();
    while let Some(gathered) = reader.next(noon()).unwrap() {
        found.extend(
            gathered
                .batches
                .iter()
                .flat_map(|batch| batch.iter().map(|one| number(&one)).collect::<Vec<_>>()),
        );
    }
    assert_eq!(found, [4]);
}

/// Whoever counts by segment misses nothing: a read ends with its segment at the latest.
#[test]
fn a_segment_that_is_gone_is_told_before_the_next_and_where_it_is_the_last() {
    let bench = Bench::new();
    bench.append(&[0, 1, 2]).unwrap();
    bench.close();
    bench.append(&[3]).unwrap();
    let paths = bench.files("lvq");
    fs::remove_file(&paths[0]).unwrap();
    let mut reader = bench.log().reader("a");
    let mut next = || reader.next(noon()).unwrap().map(|read| (read.lost, read.batches.len(), read.end));
    let (lost, batches, end) = next().unwrap();
    assert_eq!((lost, batches, Some(end.segment)), (3, 0, number_of(&paths[0])));
    let (lost, batches, end) = next().unwrap();
    assert_eq!((lost, batches, Some(end.segment)), (0, 1, number_of(&paths[1])));
    bench.append(&[4, 5]).unwrap();
    bench.close();
    fs::remove_file(&paths[1]).unwrap();
    bench.log().advance("a", end);
    let last = rest(bench.log(), "a");
    assert_eq!((last.lost, last.numbers.len(), last.end), (1, 0, bench.log().end()));
}

/// What is given up is counted by whoever does it, and no more by one who reads it meanwhile.
#[test]
fn what_is_given_up_while_it_is_read_is_counted_once() {
    let mut bench = Bench::new();
    bench.reopen(Disk::real(), ROOM, &["a"]).unwrap();
    bench.append(&[0, 2]).unwrap();
    let mut reader = bench.log().reader("a");
    let first = reader.next(noon()).unwrap().unwrap();
    bench.log().advance("a", first.end);
    bench.append(&[4, 6, 8]).unwrap();
    bench.close();
    bench.append(&[10]).unwrap();
    bench.close();
    bench.append(&[12]).unwrap();
    let mut left = Left::default();
    for _ in 0..2 {
        assert!(bench.log().give_up_oldest("a", noon(), &mut left).unwrap());
    }
    assert_eq!(left, Left { whole: 4, ..Left::default() });
    let rest = rest_at(&mut reader, noon());
    assert_eq!((&*rest.numbers, rest.lost), (&[12][..], 0));
}

/// There is room for nothing at any time.
#[test]
fn what_is_overdue_needs_no_room() {
    let bench = Bench::on(Disk::real(), 1024);
    bench.append(&(0..100).collect::<Vec<_>>()).unwrap();
    let taken = bench.log().append(&[batch(&[1])], later(40)).unwrap();
    assert_eq!(taken, Appended { expired: 1, ..Appended::default() });
}

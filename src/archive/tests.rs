use std::fs;
use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::act::Envelope;
use crate::clock::{Clock, ManualClock};
use crate::keys::{EpochKey, KeyId, Keyring};
use crate::pipeline::{Outcome, State as Worker, process};
use crate::policy::Policy;
use crate::record::{Ack, Batch, Record};
use crate::secret::{Raw, Secret};
use crate::ttl::Ttl;
use crate::vault::{Disk, KeyFile, Timekeeper, Vault, high_water};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

/// A data directory with everything that writes and reads it.
pub(super) struct Bench {
    root: tempfile::TempDir,
    pub(super) clock: Arc<ManualClock>,
    policy: Policy,
}

/// A running program.
pub(super) struct Running {
    pub(super) vault: Vault,
    pub(super) archive: Archive,
    pub(super) time: Timekeeper,
    classes: Vec<(String, Ttl)>,
}

impl Bench {
    pub(super) fn new(retention: &str) -> Bench {
        let clock = Arc::new(ManualClock::at("2026-11-22T10:00:00Z".parse().unwrap()));
        Bench { root: tempfile::tempdir().unwrap(), clock, policy: policy(retention) }
    }

    pub(super) fn data(&self) -> std::path::PathBuf {
        self.root.path().join("data")
    }

    pub(super) fn run(&self) -> Running {
        self.run_on(Disk::real())
    }

    pub(super) fn run_on(&self, disk: Disk) -> Running {
        let dir = Arc::new(DataDir::open_on(disk, &self.data()).unwrap());
        let kek = Arc::new(Kek::beside(&dir).unwrap());
        let time = Timekeeper::new(self.clock.clone(), high_water(&dir).unwrap());
        let archive = Archive::open(dir.clone(), kek.clone()).unwrap();
        let classes = access_of(&self.policy);
        Running { vault: Vault::open(dir, kek).unwrap(), archive, time, classes }
    }

    pub(super) fn batch(&self, received: Timestamp, app: &str, messages: &[&[u8]]) -> Arc<Redacted> {
        let mut raw = Raw::default();
        let app = raw.push(app.as_bytes());
        let records =
            messages.iter().map(|message| Record { app, ..Record::plain(raw.push(message)) }).collect();
        let batch =
            Batch { records, raw, received, source: "test".into(), path: Raw::default(), ack: Ack::none() };
        let keyring = Keyring::for_run(EpochKey::new(KeyId(*b"kaaaa"), &Secret::new(vec![1; 32])));
        match process(&self.policy, &keyring, &mut Worker::default(), batch) {
            Outcome::Clean { redacted, .. } => Arc::new(redacted),
            Outcome::Held { .. } => unreachable!("the keyring has a key for everything"),
        }
    }

    /// What a reader without any configuration is shown.
    pub(super) fn cat(&self) -> (Vec<String>, Read) {
        cat(&self.data(), self.clock.clone(), &Selection::default())
    }
}

impl Running {
    pub(super) fn append(&self, batches: &[Arc<Redacted>]) -> Result<Appended, Error> {
        self.archive.append(batches, self.time.now())
    }

    pub(super) fn tend(&mut self) -> Swept {
        let tended = self.vault.tend("test@1", &self.classes, &self.time).unwrap();
        self.archive.sweep(&tended.moments).unwrap()
    }
}

fn policy(retention: &str) -> Policy {
    let text =
        format!("policy: test\nversion: 1\ndefault: keep\nclasses:\n  \"*\":\n    retention: {retention}\n");
    Policy::parse("test", &text).unwrap()
}

/// The one class whose keys are tended: a sync a key and class takes its time.
fn access_of(policy: &Policy) -> Vec<(String, Ttl)> {
    policy.names().classes.iter().filter(|(class, _)| class == "access").cloned().collect()
}

fn cat(data: &Path, clock: Arc<dyn Clock>, selection: &Selection) -> (Vec<String>, Read) {
    let dir = DataDir::open_to_read(data).unwrap();
    let kek = Arc::new(Kek::beside(&dir).unwrap());
    let time = Timekeeper::new(clock, high_water(&dir).unwrap());
    let mut messages = Vec::new();
    let reader = Reader::open(&dir, kek).unwrap();
    let read = reader.cat(selection, &time, |envelope| {
        messages.push(String::from_utf8_lossy(envelope.message).into_owned());
        Go::On
    });
    (messages, read.unwrap())
}

fn lines(from: usize, to: usize) -> Vec<String> {
    (from..to).map(|number| format!("message {number}")).collect()
}

fn bytes(lines: &[String]) -> Vec<&[u8]> {
    lines.iter().map(|line| line.as_bytes()).collect()
}

/// All files below a directory, with their content.
fn files(dir: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push((path.clone(), fs::read(&path).unwrap()));
        }
    }
    found
}

fn copy(from: &Path, to: &Path) {
    for (path, content) in files(from) {
        let target = to.join(path.strip_prefix(from).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(&path, &target).unwrap();
        assert_eq!(fs::read(&target).unwrap(), content);
    }
}

#[test]
fn gives_back_every_field_byte_for_byte() {
    let bench = Bench::new("90d");
    let running = bench.run();
    let now = bench.clock.now();
    let odd: &[u8] = b"not \xff\xfe UTF-8, a \0 and a \n";
    let batch = bench.batch(now, "nginx", &[odd, b"", b"plain"]);
    let appended = running.append(std::slice::from_ref(&batch)).unwrap();
    assert_eq!((appended.records, appended.overdue), (3, 0));
    let dir = DataDir::open_to_read(&bench.data()).unwrap();
    let reader = Reader::open(&dir, Arc::new(Kek::beside(&dir).unwrap())).unwrap();
    let mut expected = batch.iter();
    let read = reader.cat(&Selection::default(), &running.time, |envelope| {
        // The id is for sinks that send again; it is not kept.
        let id = crate::record::RecordId::default();
        assert_eq!(*envelope, Envelope { id, ..expected.next().unwrap() });
        assert_eq!(envelope.class, "access");
        Go::On
    });
    assert_eq!(read.unwrap(), Read { records: 3, blocks: 1, partitions: 1, ..Read::default() });
}

#[test]
fn classes_are_merged_in_order_of_arrival() {
    let bench = Bench::new("90d");
    let running = bench.run();
    let mut expected = Vec::new();
    for number in 0..200 {
        let app = ["nginx", "sshd", "shop"][number % 3];
        let text = format!("{app} {number}");
        // Some batches share a moment.
        let at = bench.clock.now();
        if number % 4 != 0 {
            bench.clock.advance(Duration::from_secs(60));
        }
        running.append(&[bench.batch(at, app, &[text.as_bytes()])]).unwrap();
        expected.push(text);
    }
    let (messages, read) = bench.cat();
    assert_eq!(messages, expected);
    assert_eq!(read.partitions, 3 * 3, "three classes, three hours");
    let since = bench.clock.now().checked_sub(HOUR).unwrap();
    let selection = Selection { class: Some("auth".into()), since: Some(since), until: None };
    let (messages, _) = cat(&bench.data(), bench.clock.clone(), &selection);
    assert!(
        !messages.is_empty() && messages.len() < 67 && messages.iter().all(|line| line.starts_with("sshd"))
    );
}

/// Records of every age from 0 to 100 days; a reader asked at every step sees exactly those that are not due.
#[test]
fn at_no_moment_is_a_record_readable_past_its_limit() {
    let bench = Bench::new("90d");
    let mut running = bench.run();
    running.tend();
    let start = bench.clock.now();
    let every = 20 * HOUR;
    for step in 0..(200 * 24 / 20) {
        let now = bench.clock.now();
        if now < start + 100 * DAY {
            running.append(&[bench.batch(now, "nginx", &[now.to_string().as_bytes()])]).unwrap();
        }
        running.tend();
        let on_disk = fs::read_dir(bench.data().join("archive/access")).unwrap().count();
        let (messages, read) = bench.cat();
        assert_eq!((read.overdue, read.damaged, on_disk), (0, 0, 2 * messages.len()), "step {step}");
        for message in &messages {
            let received: Timestamp = message.parse().unwrap();
            assert!(now < received + 90 * DAY - 3 * HOUR, "received at {received}, shown at {now}");
        }
        let oldest = now.checked_sub(90 * DAY - 26 * HOUR).unwrap().max(start);
        let wanted = (0..120).map(|n| start + every * n).filter(|at| *at >= oldest && *at <= now);
        assert!(messages.len() >= wanted.count(), "nothing goes long before its time: {now}");
        bench.clock.advance(every);
    }
    assert_eq!(bench.cat().0.len(), 0);
    assert_eq!(fs::read_dir(bench.data().join("archive/access")).unwrap().count(), 0);
    let mut destroyed = 0;
    running
        .vault
        .evidence()
        .verify(|line| destroyed += usize::from(line.kind == crate::vault::Kind::Partition))
        .unwrap();
    assert_eq!(destroyed, 120);
}

#[test]
fn a_limit_of_hours_is_kept_and_a_shorter_one_refused() {
    let bench = Bench::new("3h");
    let mut running = bench.run();
    for _ in 0..48 {
        let now = bench.clock.now();
        running.append(&[bench.batch(now, "nginx", &[now.to_string().as_bytes()])]).unwrap();
        running.tend();
        for message in bench.cat().0 {
            let received: Timestamp = message.parse().unwrap();
            assert!(now < received + HOUR + HOUR / 2 + HOUR / 4);
        }
        bench.clock.advance(HOUR / 4);
    }
    assert!(fs::read_dir(bench.data().join("archive/access")).unwrap().count() <= 2 * 7);
    let short = Bench::new("2h");
    let refused = short.run().append(&[short.batch(short.clock.now(), "nginx", &[b"x"])]);
    assert!(matches!(refused, Err(Error::TtlTooShort { .. })));
}

#[test]
fn a_longer_limit_lengthens_nothing_and_a_shorter_one_reaches_what_is_there() {
    let bench = Bench::new("90d");
    let mut running = bench.run();
    running.append(&[bench.batch(bench.clock.now(), "nginx", &[b"old"])]).unwrap();
    running.classes = access_of(&policy("5y"));
    for _ in 0..91 {
        bench.clock.advance(DAY);
        running.tend();
    }
    assert_eq!(bench.cat().0.len(), 0);
    running.classes = access_of(&policy("90d"));
    running.append(&[bench.batch(bench.clock.now(), "nginx", &[b"new"])]).unwrap();
    bench.clock.advance(10 * DAY);
    running.tend();
    assert_eq!(bench.cat().0, ["new"]);
    running.classes = access_of(&policy("7d"));
    assert_eq!(running.tend().destroyed, 1);
    assert_eq!(bench.cat(), (vec![], Read::default()));
}

#[test]
fn after_a_long_stop_what_is_overdue_is_hidden_at_once_and_gone_within_the_hour() {
    let bench = Bench::new("90d");
    let mut running = bench.run();
    running.append(&[bench.batch(bench.clock.now(), "nginx", &[b"old"])]).unwrap();
    bench.clock.advance(2 * HOUR);
    running.tend();
    drop(running);
    // The machine is off, so monotonic time of the next process begins anew.
    bench.clock.step_to(bench.clock.now() + 91 * DAY);
    let mut running = bench.run();
    let swept = running.tend();
    assert_eq!((swept.destroyed, swept.overdue), (0, 1));
    let (messages, read) = bench.cat();
    assert_eq!((messages.len(), read.overdue), (0, 1));
    bench.clock.advance(HOUR);
    assert_eq!(running.tend().destroyed, 1);
}

#[test]
fn steps_of_the_clock_destroy_nothing_and_lengthen_nothing() {
    let bench = Bench::new("90d");
    let mut running = bench.run();
    let start = bench.clock.now();
    running.append(&[bench.batch(start, "nginx", &[b"old"])]).unwrap();
    bench.clock.advance(2 * HOUR);
    running.tend();
    bench.clock.step_to(start + 400 * DAY);
    for _ in 0..24 {
        bench.clock.advance(HOUR);
        assert_eq!(running.tend().destroyed, 0, "ahead");
    }
    assert_eq!(bench.cat().0.len(), 0, "the wall clock hides");
    bench.clock.step_to(start.checked_sub(400 * DAY).unwrap());
    for day in 0..88 {
        bench.clock.advance(DAY);
        assert_eq!(running.tend().destroyed, 0, "back: {day}");
    }
    bench.clock.advance(16 * HOUR);
    assert_eq!(running.tend().destroyed, 0, "89 days and 18 hours have passed");
    bench.clock.advance(4 * HOUR);
    assert_eq!(running.tend().destroyed, 1, "89 days and 22 hours have passed");
}

#[test]
fn what_a_wrong_clock_stamped_lives_no_longer() {
    let bench = Bench::new("90d");
    let truth = bench.clock.now();
    bench.clock.step_to(truth + 400 * DAY);
    let mut running = bench.run();
    running.append(&[bench.batch(running.time.now(), "nginx", &[b"from the future"])]).unwrap();
    bench.clock.step_to(truth);
    for _ in 0..4 {
        bench.clock.advance(HOUR);
        running.tend();
    }
    assert_eq!(bench.cat().0.len(), 1);
    for _ in 0..90 {
        bench.clock.advance(DAY);
        running.tend();
    }
    assert_eq!(fs::read_dir(bench.data().join("archive/access")).unwrap().count(), 0);
}

/// Who holds copies of the directory from before and after the limit, and no configuration.
#[test]
fn a_copy_from_after_the_limit_opens_nothing() {
    let bench = Bench::new("90d");
    let mut running = bench.run();
    running.tend();
    let received = bench.clock.now();
    running.append(&[bench.batch(received, "nginx", &[b"a visit by somebody"])]).unwrap();
    let tag = |data: &Path| {
        let dir = Arc::new(DataDir::open(data).unwrap());
        let vault = Vault::open(dir.clone(), Arc::new(Kek::beside(&dir).unwrap()));
        vault.map(|mut vault| {
            let time = Timekeeper::new(Arc::new(ManualClock::at(received)), None);
            vault.tend("test@1", &access_of(&policy("90d")), &time).unwrap();
            vault
                .keyring()
                .key("access", received)
                .map(|key| (key.id(), key.tag("email", b"jane@example.com")))
        })
    };
    let now = running
        .vault
        .keyring()
        .key("access", received)
        .map(|key| (key.id(), key.tag("email", b"jane@example.com")));
    let before = bench.root.path().join("before");
    copy(&bench.data(), &before);
    for _ in 0..90 {
        bench.clock.advance(DAY);
        running.tend();
    }
    running.append(&[bench.batch(bench.clock.now(), "nginx", &[b"of today"])]).unwrap();
    let after = bench.root.path().join("after");
    copy(&bench.data(), &after);
    let then: Arc<dyn Clock> = Arc::new(ManualClock::at(received));

    let (messages, _) = cat(&before, then.clone(), &Selection::default());
    assert_eq!(messages, ["a visit by somebody"], "the copy from before opens with a clock that is set back");
    assert_eq!(tag(&before).unwrap(), now, "and pseudonyms can be computed");

    assert!(files(&after).iter().all(|(path, _)| !path.to_string_lossy().contains("2026-11-22")));
    let (messages, _) = cat(&after, then.clone(), &Selection::default());
    assert!(!messages.contains(&"a visit by somebody".to_owned()));
    assert_ne!(tag(&after).ok().flatten(), now, "a new key is another key");

    // The old ciphertext in the new directory, alone and under each new key.
    let old = before.join("archive/access/2026-11-22T10.lva");
    let key = files(&after.join("archive"))
        .into_iter()
        .find(|(path, _)| path.extension().unwrap() == "key")
        .unwrap();
    fs::copy(&old, after.join("archive/access/2026-11-22T10.lva")).unwrap();
    for with_key in [false, true] {
        if with_key {
            fs::write(after.join("archive/access/2026-11-22T10.key"), &key.1).unwrap();
        }
        let (messages, read) = cat(&after, then.clone(), &Selection::default());
        assert!(!messages.contains(&"a visit by somebody".to_owned()));
        assert!(read.unreadable + read.damaged > 0);
    }
}

#[test]
fn a_crash_at_every_byte_of_the_last_block_loses_that_block_alone() {
    let bench = Bench::new("90d");
    let running = bench.run();
    let (first, second) = (lines(0, 20), lines(20, 25));
    let at = bench.clock.now();
    running.append(&[bench.batch(at, "nginx", &bytes(&first))]).unwrap();
    let path = bench.data().join("archive/access/2026-11-22T10.lva");
    let whole = fs::metadata(&path).unwrap().len();
    running.append(&[bench.batch(at, "nginx", &bytes(&second))]).unwrap();
    drop(running);
    let content = fs::read(&path).unwrap();
    for length in whole..content.len() as u64 {
        for filled in [false, true] {
            let mut torn = content[..length as usize].to_vec();
            if filled {
                // Blocks of a disk that were not written read as zeros.
                torn.resize(content.len(), 0);
            }
            fs::write(&path, &torn).unwrap();
            assert_eq!(bench.cat().0, first, "cut at {length}");
            let running = bench.run();
            let appended = running.append(&[bench.batch(at, "nginx", &bytes(&second))]).unwrap();
            assert_eq!(appended.cut, torn.len() as u64 - whole, "what is cut off is counted");
            let (messages, read) = bench.cat();
            assert_eq!((messages, read.damaged, read.torn), (lines(0, 25), 0, 0));
        }
    }
}

#[test]
fn a_flipped_bit_loses_at_most_one_block() {
    let bench = Bench::new("90d");
    let running = bench.run();
    for block in 0..5 {
        running
            .append(&[bench.batch(bench.clock.now(), "nginx", &bytes(&lines(block * 4, block * 4 + 4)))])
            .unwrap();
    }
    let path = bench.data().join("archive/access/2026-11-22T10.lva");
    let content = fs::read(&path).unwrap();
    let dir = DataDir::open_to_read(&bench.data()).unwrap();
    let kek = Arc::new(Kek::beside(&dir).unwrap());
    for at in 0..content.len() {
        let mut flipped = content.clone();
        flipped[at] ^= 1 << (at % 8);
        fs::write(&path, &flipped).unwrap();
        let (messages, read) = bench.cat();
        let lost = if at < 32 { 0 } else { 4 };
        assert_eq!((messages.len(), read.damaged), (20 - lost, 1), "byte {at}");
        let checked = Reader::open(&dir, kek.clone()).unwrap().verify(&Selection::default(), &running.time);
        assert!(!checked.unwrap().is_sound());
    }
}

#[test]
fn a_full_disk_refuses_records_keeps_what_is_there_and_destroys_on_time() {
    for operations in 0..12 {
        let bench = Bench::new("90d");
        let disk = Disk::full_after(i64::MAX);
        let mut running = bench.run_on(disk.clone());
        running.tend();
        running.append(&[bench.batch(bench.clock.now(), "nginx", &bytes(&lines(0, 10)))]).unwrap();
        disk.break_down_after(operations);
        let two = [
            bench.batch(bench.clock.now(), "nginx", &bytes(&lines(10, 20))),
            bench.batch(bench.clock.now(), "sshd", &bytes(&lines(20, 30))),
        ];
        let refused = running.append(&two);
        assert_eq!(refused.is_err(), operations < 9, "{operations}");
        if let Err(error) = &refused {
            assert!(error.is_disk_full());
            let (messages, read) = bench.cat();
            assert_eq!((messages, read.damaged), (lines(0, 10), 0));
            disk.relieve();
            running.append(&two).unwrap();
        }
        assert_eq!(bench.cat().0, lines(0, 30), "{operations}");
        disk.break_down_after(0);
        let keys: Vec<Vec<u8>> =
            files(&bench.data().join("archive")).into_iter().map(|(_, content)| content).collect();
        bench.clock.advance(91 * DAY);
        let _ = running.archive.sweep(&running.time.look());
        assert!(files(&bench.data().join("archive")).iter().all(|(_, content)| !keys.contains(content)));
        assert_eq!(bench.cat().0.len(), 0);
        disk.relieve();
        running.tend();
        assert_eq!(files(&bench.data().join("archive")).len(), 0);
    }
}

/// Whatever operation the destruction of a partition is stopped after: nothing of it is readable afterwards, and
/// the next start ends it, with one line of evidence.
#[test]
fn a_destruction_that_is_stopped_anywhere_is_ended_once() {
    for operations in 0.. {
        let bench = Bench::new("90d");
        let mut running = bench.run();
        running.tend();
        running.append(&[bench.batch(bench.clock.now(), "nginx", &[b"old"])]).unwrap();
        bench.clock.advance(2 * HOUR);
        running.tend();
        drop(running);
        let running = bench.run_on(Disk::stopping_after(operations));
        bench.clock.advance(90 * DAY);
        let ended = running.archive.sweep(&running.time.look()).is_ok();
        drop(running);
        if operations > 0 {
            let then = Arc::new(ManualClock::at("2026-11-22T10:00:00Z".parse().unwrap()));
            assert_eq!(cat(&bench.data(), then, &Selection::default()).0.len(), 0, "{operations}");
        }
        let mut running = bench.run();
        running.tend();
        bench.clock.advance(2 * HOUR);
        running.tend();
        assert_eq!(files(&bench.data().join("archive")).len(), 0);
        let mut said = 0;
        running
            .vault
            .evidence()
            .verify(|line| said += usize::from(line.kind == crate::vault::Kind::Partition))
            .unwrap();
        assert_eq!(said, 1, "stopped after {operations} operations");
        if ended {
            assert!(operations >= 8, "{operations} places to stop at");
            break;
        }
    }
}

/// A purge by hand stopped half-way; a sweep saw that and could not end it; the writer did, and began it anew.
#[test]
fn a_sweep_spares_what_was_begun_anew() {
    let bench = Bench::new("90d");
    let disk = Disk::full_after(i64::MAX);
    let mut running = bench.run_on(disk.clone());
    running.tend();
    running.append(&[bench.batch(bench.clock.now(), "nginx", &[b"old"])]).unwrap();
    drop(running);
    let path = bench.data().join("archive/access/2026-11-22T10.key");
    KeyFile::read(&path).unwrap().shred(&Disk::real(), &path).unwrap();
    let running = bench.run_on(disk.clone());
    disk.break_down_after(0);
    assert!(running.archive.sweep(&running.time.look()).is_err(), "no room for evidence");
    disk.relieve();
    running.append(&[bench.batch(bench.clock.now(), "nginx", &[b"new"])]).unwrap();
    assert_eq!(running.archive.sweep(&running.time.look()).unwrap().destroyed, 0);
    assert_eq!(bench.cat().0, ["new"]);
}

/// A clock 20 hours ahead is believed and put back; then nothing runs for 20 hours, by which the clock catches up.
#[test]
fn a_clock_that_ran_ahead_lets_nothing_live_longer() {
    let bench = Bench::new("90d");
    let mut running = bench.run();
    let start = bench.clock.now();
    let pass = |running: &mut Running, hours: u32| {
        for _ in 0..2 * hours {
            bench.clock.advance(HOUR / 2);
            running.tend();
        }
    };
    pass(&mut running, 2);
    bench.clock.step_to(start + 22 * HOUR);
    pass(&mut running, 2);
    running.append(&[bench.batch(running.time.now(), "nginx", &[b"record"])]).unwrap();
    let received = bench.clock.monotonic();
    bench.clock.step_to(start + 4 * HOUR);
    pass(&mut running, 2);
    drop(running);
    bench.clock.advance(20 * HOUR);
    let mut running = bench.run();
    pass(&mut running, 2);
    bench.clock.advance(received + 90 * DAY - bench.clock.monotonic());
    assert_eq!(running.tend().partitions, 0);
    assert_eq!(files(&bench.data().join("archive")).len(), 0);
}

#[test]
fn a_purge_by_hand_stands_next_to_a_running_program() {
    let bench = Bench::new("90d");
    let running = bench.run();
    running.append(&[bench.batch(bench.clock.now(), "nginx", &[b"first"])]).unwrap();
    running.append(&[bench.batch(bench.clock.now(), "sshd", &[b"other"])]).unwrap();
    let dir = DataDir::open_to_read(&bench.data()).unwrap();
    let chosen =
        |until| Purge::Chosen(Selection { class: Some("access".into()), since: None, until: Some(until) });
    let end = bench.clock.now() + HOUR;
    let purged = purge(&dir, &chosen(end), &running.time.look()).unwrap();
    assert_eq!((purged.destroyed, purged.unfinished), (0, 1), "it may still be written to");
    bench.clock.advance(2 * HOUR);
    assert_eq!(purge(&dir, &chosen(end), &running.time.look()).unwrap().destroyed, 1);
    assert_eq!(bench.cat().0, ["other"]);
    let late = bench.batch(bench.clock.now().checked_sub(2 * HOUR).unwrap(), "nginx", &[b"late"]);
    running.append(&[late]).unwrap();
    assert_eq!(bench.cat().0, ["other", "late"]);
}

#[test]
fn other_files_are_left_alone() {
    let bench = Bench::new("90d");
    let mut running = bench.run();
    let foreign = [
        "archive/README",
        "archive/access/notes.txt",
        "archive/access/2026-11-22.lva",
        "archive/x/.hidden.key",
    ];
    for name in foreign {
        let path = bench.data().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "mine").unwrap();
    }
    running.append(&[bench.batch(bench.clock.now(), "nginx", &[b"record"])]).unwrap();
    bench.clock.advance(100 * DAY);
    running.tend();
    assert_eq!(bench.cat(), (vec![], Read::default()));
    assert_eq!(files(&bench.data().join("archive")).len(), foreign.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Any bytes in the place of a partition's files: reading, writing, sweeping go on, and good partitions stay good.
    #[test]
    fn any_bytes_in_the_directory_are_survived(
        key in prop::option::of(prop::collection::vec(any::<u8>(), 0..300)),
        data in prop::option::of(prop::collection::vec(any::<u8>(), 0..600)),
        keep_key in any::<bool>(),
    ) {
        let bench = Bench::new("90d");
        let mut running = bench.run();
        running.append(&[bench.batch(bench.clock.now(), "nginx", &[b"harmed"])]).unwrap();
        running.append(&[bench.batch(bench.clock.now(), "sshd", &[b"good"])]).unwrap();
        drop(running);
        let path = bench.data().join("archive/access/2026-11-22T10.lva");
        match data {
            Some(data) => fs::write(&path, data).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        let path = path.with_extension("key");
        match key {
            _ if keep_key => {}
            Some(key) => fs::write(&path, key).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        running = bench.run();
        running.append(&[bench.batch(bench.clock.now(), "nginx", &[b"goes on"])]).unwrap();
        let (messages, _) = bench.cat();
        prop_assert_eq!(messages, ["goes on", "good"]);
        bench.clock.advance(91 * DAY);
        running.tend();
        prop_assert_eq!(files(&bench.data().join("archive")).len(), 0);
    }
}

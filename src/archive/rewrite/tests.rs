use std::time::Duration;

use proptest::prelude::*;

use super::super::tests::{Bench, Running};
use super::*;
use crate::clock::Clock;
use crate::vault::{Disk, Kind, high_water};

const HOUR: Duration = Duration::from_secs(3600);

/// Takes out what holds `word`, as a verb beside the running program does.
fn take_out(bench: &Bench, disk: Disk, word: &str) -> Result<Rewritten, Error> {
    let dir = DataDir::open_beside(disk, &bench.data()).unwrap();
    let kek = Kek::beside(&dir).unwrap();
    let time = Timekeeper::new(bench.clock.clone(), high_water(&dir).unwrap());
    let finder = memchr::memmem::Finder::new(word);
    rewrite(&dir, &kek, &time, |envelope| finder.find(envelope.message).is_some())
}

fn evidence_of_partitions(running: &Running) -> usize {
    let mut said = 0;
    running.vault.evidence().verify(|line| said += usize::from(line.kind == Kind::Partition)).unwrap();
    said
}

fn append(bench: &Bench, running: &Running, messages: &[&str]) {
    let messages: Vec<&[u8]> = messages.iter().map(|message| message.as_bytes()).collect();
    running.append(&[bench.batch(bench.clock.now(), "nginx", &messages)]).unwrap();
}

#[test]
fn what_is_taken_out_is_gone_and_all_else_stays_while_the_program_appends() {
    let bench = Bench::new("90d");
    let mut running = bench.run();
    running.tend();
    append(&bench, &running, &["a1", "b1", "a2"]);
    let before = std::fs::read(bench.data().join("archive/access/2026-11-22T10.lva")).unwrap();
    let done = take_out(&bench, Disk::real(), "b").unwrap();
    assert_eq!((done.removed, done.rewritten), (1, 1));
    assert_eq!(bench.cat().0, ["a1", "a2"]);
    append(&bench, &running, &["a3", "b2"]);
    assert_eq!(bench.cat().0, ["a1", "a2", "a3", "b2"], "the program found the new file");
    let again = take_out(&bench, Disk::real(), "b").unwrap();
    assert_eq!((again.removed, again.searched), (1, 1));
    let none = take_out(&bench, Disk::real(), "b").unwrap();
    assert_eq!((none.removed, none.rewritten), (0, 0));
    assert!(bench.cat().1.is_sound());
    assert_eq!(evidence_of_partitions(&running), 2, "one for each key that was destroyed");
    // The data as they were before, put back: their key is gone.
    std::fs::write(bench.data().join("archive/access/2026-11-22T10.lva"), before).unwrap();
    assert_eq!(bench.cat().0, [""; 0]);
}

#[test]
fn a_partition_of_which_nothing_stays_is_destroyed() {
    let bench = Bench::new("90d");
    let mut running = bench.run();
    running.tend();
    append(&bench, &running, &["b1", "b2"]);
    assert_eq!(take_out(&bench, Disk::real(), "b").unwrap().removed, 2);
    assert_eq!(bench.cat().1.partitions, 0);
    append(&bench, &running, &["a"]);
    assert_eq!(bench.cat().0, ["a"]);
}

#[test]
fn what_is_written_anew_is_due_when_it_was() {
    let bench = Bench::new("90d");
    let mut running = bench.run();
    running.tend();
    append(&bench, &running, &["a", "b"]);
    let path = bench.data().join("archive/access/2026-11-22T10.key");
    let due = KeyFile::read(&path).unwrap().destroy_at;
    bench.clock.advance(48 * HOUR);
    take_out(&bench, Disk::real(), "b").unwrap();
    let key = KeyFile::read(&path).unwrap();
    assert_eq!((key.destroy_at, key.from), (due, "2026-11-22T10:00:00Z".parse().unwrap()));
}

/// Whatever operation it is stopped after, with the program running or started anew: the others are there once, and the
/// next attempt takes out what is left, with one line of evidence for each key.
#[test]
fn stopped_anywhere_it_loses_nothing_and_is_ended_by_the_next() {
    for (operations, restarts) in (0..).flat_map(|operations| [(operations, false), (operations, true)]) {
        let bench = Bench::new("90d");
        let mut running = bench.run();
        running.tend();
        append(&bench, &running, &["a1", "b", "a2"]);
        let ended = take_out(&bench, Disk::stopping_after(operations), "b").is_ok();
        if restarts {
            drop(running);
            running = bench.run();
        }
        append(&bench, &running, &["a3"]);
        running.tend();
        let (left, read) = bench.cat();
        assert!(read.is_sound(), "stopped after {operations} operations: {read:?}");
        let others: Vec<&String> = left.iter().filter(|message| *message != "b").collect();
        assert_eq!(others, ["a1", "a2", "a3"], "stopped after {operations} operations");
        take_out(&bench, Disk::real(), "b").unwrap();
        assert_eq!(bench.cat().0, ["a1", "a2", "a3"], "stopped after {operations} operations");
        assert_eq!(evidence_of_partitions(&running), 1, "stopped after {operations} operations");
        let class = bench.data().join("archive/access");
        assert_eq!(std::fs::read_dir(class).unwrap().count(), 2, "a key and its data");
        if ended && restarts {
            assert!(operations >= 12, "{operations} places to stop at");
            break;
        }
    }
}

#[test]
fn two_do_not_take_out_at_once() {
    let bench = Bench::new("90d");
    let mut running = bench.run();
    running.tend();
    let dir = DataDir::open_to_read(&bench.data()).unwrap();
    let turn = lock::rewrite(&dir).unwrap();
    assert!(turn.is_some());
    assert!(matches!(take_out(&bench, Disk::real(), "b"), Err(Error::Rewriting)));
    drop(turn);
    take_out(&bench, Disk::real(), "b").unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// `cat(take_out(all, wanted)) = all - wanted`, in order, over several classes and hours.
    #[test]
    fn what_stays_is_all_but_what_was_taken_out(
        batches in prop::collection::vec(prop::collection::vec("[ab][0-9]{1,300}", 1..20), 1..5),
    ) {
        let bench = Bench::new("90d");
        let mut running = bench.run();
        running.tend();
        let mut expected = Vec::new();
        for (number, batch) in batches.iter().enumerate() {
            let messages: Vec<&[u8]> = batch.iter().map(|message| message.as_bytes()).collect();
            let app = if number % 2 == 0 { "nginx" } else { "sshd" };
            running.append(&[bench.batch(bench.clock.now(), app, &messages)]).unwrap();
            expected.extend(batch.iter().filter(|message| !message.contains('b')).cloned());
            bench.clock.advance(HOUR / 2);
        }
        let done = take_out(&bench, Disk::real(), "b").unwrap();
        let all: usize = batches.iter().map(Vec::len).sum();
        prop_assert_eq!(done.removed as usize, all - expected.len());
        let (left, read) = bench.cat();
        prop_assert_eq!(left, expected);
        prop_assert!(read.is_sound());
    }
}

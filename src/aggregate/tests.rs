use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::keys::belief::Moments;
use crate::ttl::Ttl;
use crate::vault::{DataDir, Disk, Kek};

const START: &str = "2026-11-28T10:00:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().expect("a moment")
}

fn wanted() -> Aggregates {
    Aggregates { classes: vec!["access".to_owned()], least: 3, ttl: Ttl::days(400), words: Vec::new() }
}

fn moments(now: Timestamp) -> Moments {
    Moments {
        now,
        unreadable: now,
        destroyable: Some(now),
        ahead: std::time::Duration::ZERO,
        in_doubt: false,
        settled: true,
    }
}

/// So many records of one cell in an hour.
fn counts(at: Timestamp, route: &str, records: u64) -> Counts {
    let cell = Cell { class: "access".to_owned(), route: route.to_owned(), status: 200 };
    Counts::from([(Hour::of(at), BTreeMap::from([(cell, records)]))])
}

struct Shelf {
    root: tempfile::TempDir,
    kek: Arc<Kek>,
}

impl Shelf {
    fn new() -> Shelf {
        let root = tempfile::tempdir().expect("a folder");
        let dir = DataDir::open(&root.path().join("data")).expect("a data directory");
        let kek = Arc::new(Kek::beside(&dir).expect("a key"));
        Shelf { root, kek }
    }

    fn dir(&self, disk: Disk) -> Arc<DataDir> {
        Arc::new(DataDir::open_on(disk, &self.root.path().join("data")).expect("nobody else has it"))
    }

    fn book(&self, disk: Disk) -> Book {
        Book::open(self.dir(disk), Arc::clone(&self.kek)).expect("it opens")
    }

    fn read(&self, now: Timestamp) -> Vec<(String, Vec<(String, u64)>)> {
        let dir = DataDir::open_to_read(&self.root.path().join("data")).expect("it is there");
        let mut hours = Vec::new();
        let see = |hour| hours.push(hour);
        assert_eq!(each(&dir, &self.kek, now, (None, None), see).expect("it can be read"), 0);
        let rows = |hour: &Published| {
            hour.rows.iter().map(|row| (row.cell.route.clone(), row.records)).collect::<Vec<_>>()
        };
        hours.iter().map(|hour| (hour.start.to_string(), rows(hour))).collect()
    }
}

fn shown(start: &str, rows: &[(&str, u64)]) -> (String, Vec<(String, u64)>) {
    (start.to_owned(), rows.iter().map(|(route, records)| ((*route).to_owned(), *records)).collect())
}

#[test]
fn an_hour_is_shown_once_it_is_over_and_small_cells_are_then_forgotten() {
    let shelf = Shelf::new();
    let book = shelf.book(Disk::real());
    let start = at(START);
    book.add(counts(start, "/cart", 5), &wanted(), start).unwrap();
    book.add(counts(start, "/users/{}", 2), &wanted(), start).unwrap();
    book.add(counts(start, "/cart", 5), &wanted(), start).unwrap();
    let wait = |minutes: u64| start + std::time::Duration::from_secs(60 * minutes);
    assert_eq!(book.tend(None, &moments(wait(74))).unwrap().closed, 0);
    assert_eq!(shelf.read(wait(74)), [], "the hour may still be counted in");
    assert_eq!(book.tend(None, &moments(wait(75))).unwrap().closed, 1);
    assert_eq!(shelf.read(wait(75)), [shown(START, &[("*", 12)])], "a rest of two, and nothing beside it");
    // What comes later for that hour counts in the one that is open.
    book.add(counts(start, "/late", 4), &wanted(), wait(76)).unwrap();
    book.tend(None, &moments(wait(140))).unwrap();
    let later = shown("2026-11-28T11:00:00Z", &[("/late", 4)]);
    assert_eq!(shelf.read(wait(140)), [shown(START, &[("*", 12)]), later]);
}

#[test]
fn counts_are_destroyed_at_their_own_limit() {
    let shelf = Shelf::new();
    let book = shelf.book(Disk::real());
    let start = at(START);
    let day = |days: u64| at("2026-11-28T00:00:00Z") + std::time::Duration::from_secs(days * 86_400);
    book.add(counts(start, "/cart", 5), &wanted(), start).unwrap();
    book.tend(None, &moments(day(1))).unwrap();
    assert_eq!(book.tend(None, &moments(day(399))).unwrap().destroyed, 0);
    assert_eq!(shelf.read(day(399)).len(), 1);
    let path = shelf.root.path().join("data/aggregates/2026-11-28");
    assert!(path.exists());
    assert_eq!(shelf.read(day(400)), [], "unreadable first");
    assert_eq!(book.tend(None, &moments(day(400))).unwrap().destroyed, 1);
    assert!(!path.exists());
    // A limit that is shorter by now holds for what is there.
    book.add(counts(day(400), "/cart", 5), &wanted(), day(400)).unwrap();
    book.tend(None, &moments(day(401))).unwrap();
    drop(book);
    let book = shelf.book(Disk::real());
    assert_eq!(book.tend(Some(Ttl::days(30)), &moments(day(429))).unwrap().destroyed, 0);
    assert_eq!(book.tend(Some(Ttl::days(30)), &moments(day(430))).unwrap().destroyed, 1);
}

#[test]
fn nothing_is_made_before_something_is_counted_and_nothing_is_readable() {
    let shelf = Shelf::new();
    let book = shelf.book(Disk::real());
    book.tend(None, &moments(at(START))).unwrap();
    let folder = shelf.root.path().join("data/aggregates");
    assert!(!folder.exists());
    book.add(counts(at(START), "/cart", 5), &wanted(), at(START)).unwrap();
    let held = std::fs::read(folder.join("open")).unwrap();
    assert!(memchr::memmem::find(&held, b"cart").is_none());
    drop(book);
    std::fs::remove_file(folder.join("key/counts.key")).unwrap();
    let again = Book::open(shelf.dir(Disk::real()), Arc::clone(&shelf.kek));
    assert!(matches!(again, Err(Error::NoKey { .. })), "{again:?}");
}

#[test]
fn a_full_hour_counts_the_rest_together() {
    let shelf = Shelf::new();
    let book = shelf.book(Disk::real());
    let start = at(START);
    let cell = |n: usize| Cell { class: "access".to_owned(), route: format!("/{n}"), status: 200 };
    let many =
        |of: std::ops::Range<usize>| Counts::from([(Hour::of(start), of.map(|n| (cell(n), 3)).collect())]);
    let most = crate::limit::AGGREGATE_CELLS_MAX;
    book.add(many(0..most - 1), &wanted(), start).unwrap();
    book.add(many(0..most + 5), &wanted(), start).unwrap();
    book.tend(None, &moments(start + std::time::Duration::from_secs(2 * 3600))).unwrap();
    let hours = shelf.read(start);
    let (_, rows) = &hours[0];
    assert_eq!(rows.len(), most + 1, "as many as there is room for, and the rest");
    assert_eq!(rows[0], ("*".to_owned(), 5 * 3));
    assert_eq!(rows.iter().map(|(_, records)| records).sum::<u64>(), 3 * (2 * most as u64 + 4));
}

#[test]
fn the_file_of_open_hours_is_bounded() {
    let shelf = Shelf::new();
    let book = shelf.book(Disk::real());
    let long = "/{}".repeat(100);
    for _ in 0..6000 {
        book.add(counts(at(START), &long, 1), &wanted(), at(START)).unwrap();
    }
    let bytes = std::fs::metadata(shelf.root.path().join("data/aggregates/open")).unwrap().len();
    assert!(bytes < crate::limit::AGGREGATE_OPEN_BYTES + 16 * 1024, "{bytes}");
    drop(book);
    let book = shelf.book(Disk::real());
    book.tend(None, &moments(at("2026-11-28T20:00:00Z"))).unwrap();
    assert_eq!(shelf.read(at(START)), [shown(START, &[(&long, 6000)])]);
}

/// What is done to a book: counts in one of three hours, or a round of care so many minutes after the start.
#[derive(Clone, Copy, Debug)]
enum Step {
    Count { hour: u64, records: u64 },
    Care { minutes: u64 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let count = (0..3_u64, 3..9_u64).prop_map(|(hour, records)| Step::Count { hour, records });
    let care = (0..300_u64).prop_map(|minutes| Step::Care { minutes });
    prop::collection::vec(prop_oneof![3 => count, 1 => care], 1..12)
}

/// Does the steps; gives how many records were confirmed and how many failed.
fn play(book: &Book, steps: &[Step]) -> (u64, u64) {
    let (mut confirmed, mut failed, mut now) = (0, 0, at(START));
    for step in steps {
        match *step {
            Step::Count { hour, records } => {
                let received = (at(START) + std::time::Duration::from_secs(hour * 3600)).min(now);
                match book.add(counts(received, "/cart", records), &wanted(), now) {
                    Ok(()) => confirmed += records,
                    Err(_) => failed += records,
                }
            }
            Step::Care { minutes } => {
                now = now.max(at(START) + std::time::Duration::from_secs(60 * minutes));
                drop(book.tend(None, &moments(now)));
            }
        }
    }
    (confirmed, failed)
}

fn total(shelf: &Shelf, book: &Book) -> u64 {
    let end = at("2026-11-30T00:00:00Z");
    book.tend(None, &moments(end)).unwrap();
    shelf.read(end).iter().flat_map(|(_, rows)| rows).map(|(_, records)| records).sum()
}

/// Wherever a program is stopped while an hour is closed, or the disk fails once, each record is counted once, in one row.
#[test]
fn a_closing_that_fails_counts_nothing_twice() {
    let after = at(START) + std::time::Duration::from_secs(2 * 3600);
    let mut failed = 0;
    for (operations, crash) in (0..40).flat_map(|operations| [(operations, true), (operations, false)]) {
        let shelf = Shelf::new();
        let disk = if crash { Disk::stopping_after(0) } else { Disk::failing_once_after(0) };
        disk.relieve();
        let mut book = shelf.book(disk.clone());
        book.add(counts(at(START), "/cart", 7), &wanted(), at(START)).unwrap();
        disk.break_down_after(operations);
        failed += u32::from(book.tend(None, &moments(after)).is_err());
        if crash {
            drop(book);
            book = shelf.book(Disk::real());
        }
        disk.relieve();
        book.tend(None, &moments(after)).unwrap();
        let shown = [shown(START, &[("/cart", 7)])];
        assert_eq!(shelf.read(after), shown, "after {operations} operations, crash: {crash}");
        // Nothing exact is left of it, and so nothing comes back when its day is destroyed.
        let folder = shelf.root.path().join("data/aggregates");
        assert_eq!(std::fs::metadata(folder.join("open")).unwrap().len(), 21, "a header");
        let late = after + std::time::Duration::from_secs(400 * 86_400);
        assert_eq!(book.tend(None, &moments(late)).unwrap().destroyed, 1);
        drop(book);
        let book = shelf.book(Disk::real());
        assert_eq!(book.tend(None, &moments(late)).unwrap(), Tended::default());
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 2, "the key and the open hours");
    }
    assert!(failed > 10, "it failed {failed} times");
}

/// A day is destroyed after the exact counts of its hours are, wherever the program is stopped.
#[test]
fn an_hour_of_a_destroyed_day_does_not_come_back() {
    let late = at(START) + std::time::Duration::from_secs(500 * 86_400);
    for operations in 0..40 {
        let shelf = Shelf::new();
        shelf.book(Disk::real()).add(counts(at(START), "/cart", 7), &wanted(), at(START)).unwrap();
        let disk = Disk::stopping_after(0);
        disk.relieve();
        let book = shelf.book(disk.clone());
        disk.break_down_after(operations);
        // The hour is closed, its file written anew, its day destroyed: all of it is due.
        let ended = book.tend(None, &moments(late)).is_ok();
        drop(book);
        let book = shelf.book(Disk::real());
        book.tend(None, &moments(late)).unwrap();
        assert_eq!(shelf.read(at(START)), [], "after {operations} operations");
        drop(book);
        assert_eq!(shelf.book(Disk::real()).tend(None, &moments(late)).unwrap(), Tended::default());
        if ended {
            assert!(operations > 8, "{operations} operations");
            return;
        }
    }
    panic!("it never ends");
}

/// It counts on, and says once that something is gone: also where the first round of care fails.
#[test]
fn damaged_open_hours_that_somebody_took_away_are_told_and_not_in_the_way() {
    let shelf = Shelf::new();
    let folder = shelf.root.path().join("data/aggregates");
    shelf.book(Disk::real()).add(counts(at(START), "/cart", 4), &wanted(), at(START)).unwrap();
    let open = folder.join("open");
    std::fs::write(&open, "not ours").unwrap();
    let disk = Disk::failing_once_after(i64::MAX);
    let book = shelf.book(disk.clone());
    std::fs::remove_file(&open).unwrap();
    book.add(counts(at(START), "/cart", 5), &wanted(), at(START)).unwrap();
    std::fs::write(folder.join("2020-01-01"), "due").unwrap();
    disk.break_down_after(2);
    assert!(book.tend(None, &moments(at(START))).is_err());
    let told = Tended { destroyed: 1, damaged: 1, ..Tended::default() };
    assert_eq!(book.tend(None, &moments(at(START))).unwrap(), told);
    assert_eq!(book.tend(None, &moments(at(START))).unwrap(), Tended::default());
    drop(book);
    let book = shelf.book(Disk::real());
    let later = at(START) + std::time::Duration::from_secs(86_400);
    book.tend(None, &moments(later)).unwrap();
    assert_eq!(shelf.read(later), [shown(START, &[("/cart", 5)])]);
}

#[test]
fn what_cannot_be_read_is_set_aside_and_destroyed_by_its_date() {
    let shelf = Shelf::new();
    let folder = shelf.root.path().join("data/aggregates");
    let names = || {
        let mut names: Vec<String> = std::fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    let day = |days: u64| at("2026-11-28T00:00:00Z") + std::time::Duration::from_secs(days * 86_400);
    let book = shelf.book(Disk::real());
    for hour in 0..2 {
        let start = at(START) + std::time::Duration::from_secs(hour * 3600);
        book.add(counts(start, "/cart", 4), &wanted(), start).unwrap();
    }
    drop(book);
    // A bit of the second frame: the first one stands.
    let mut open = std::fs::read(folder.join("open")).unwrap();
    *open.last_mut().unwrap() ^= 1;
    std::fs::write(folder.join("open"), &open).unwrap();
    let book = shelf.book(Disk::real());
    assert_eq!(book.tend(None, &moments(at(START))).unwrap().damaged, 1);
    assert_eq!(names(), ["2026-11-28.open.damaged", "key", "open"]);
    assert_eq!(std::fs::read(folder.join("2026-11-28.open.damaged")).unwrap(), open);
    book.tend(None, &moments(day(1))).unwrap();
    assert_eq!(shelf.read(day(1)), [shown(START, &[("/cart", 4)])]);
    assert_eq!(book.tend(None, &moments(day(2))).unwrap().destroyed, 1, "exact counts do not stay");
    drop(book);
    // A day that is damaged hides no other, and goes with the limit that the policy has by now.
    std::fs::write(folder.join("2026-11-27"), "logveil-aggregates/1\nnot sealed").unwrap();
    std::fs::write(folder.join("2026-11-26.damaged"), "x").unwrap();
    let dir = DataDir::open_to_read(&shelf.root.path().join("data")).unwrap();
    let read = |since, until| {
        let mut hours = 0;
        let damaged = each(&dir, &shelf.kek, day(2), (since, until), |_| hours += 1).unwrap();
        (hours, damaged)
    };
    assert_eq!(read(None, None), (1, 1));
    // A day that is not asked for is not read.
    assert_eq!(read(Some(day(0)), None), (1, 0));
    assert_eq!(read(None, Some(day(0))), (0, 1));
    assert_eq!(read(Some(day(1)), None), (0, 0));
    let book = shelf.book(Disk::real());
    let tend = |days: u64| book.tend(Some(Ttl::days(30)), &moments(day(days))).unwrap().destroyed;
    assert_eq!((tend(27), tend(28), tend(29), tend(30)), (0, 1, 1, 1));
    assert_eq!(names(), ["key", "open"]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Law: whatever operation of the disk fails once, or wherever a crash comes, every confirmed record is counted once,
    /// and of the others no more than were handed in.
    #[test]
    fn confirmed_records_are_counted_once(steps in steps(), operations in 0..60_i64, crash in any::<bool>()) {
        let shelf = Shelf::new();
        let disk = match crash {
            true => Disk::stopping_after(operations),
            false => Disk::failing_once_after(operations),
        };
        // Making the directory is no part of this.
        disk.relieve();
        let book = shelf.book(disk.clone());
        disk.break_down_after(operations);
        let (confirmed, failed) = play(&book, &steps);
        let book = match crash {
            true => {
                drop(book);
                shelf.book(Disk::real())
            }
            false => book,
        };
        disk.relieve();
        // Afterwards it counts as before.
        let mut more = 0;
        for hour in 0..3 {
            let start = at(START) + std::time::Duration::from_secs(hour * 3600);
            book.add(counts(start, "/cart", 3), &wanted(), start).unwrap();
            more += 3;
        }
        let counted = total(&shelf, &book);
        prop_assert!(counted >= confirmed + more, "{counted} of {confirmed} and {more}");
        prop_assert!(counted <= confirmed + failed + more, "{counted} of {confirmed}, {failed} and {more}");
        if !crash {
            prop_assert_eq!(counted, confirmed + more, "what failed was not counted");
        }
    }

    /// Law: a file that is cut anywhere costs what was not acknowledged, and nothing else is made of it.
    #[test]
    fn a_torn_end_is_no_count(cut in 1..200_usize) {
        let shelf = Shelf::new();
        let book = shelf.book(Disk::real());
        book.add(counts(at(START), "/cart", 4), &wanted(), at(START)).unwrap();
        let path = shelf.root.path().join("data/aggregates/open");
        let whole = std::fs::read(&path).unwrap();
        book.add(counts(at(START), "/cart", 9), &wanted(), at(START)).unwrap();
        let longer = std::fs::read(&path).unwrap();
        drop(book);
        let end = longer.len().saturating_sub(cut).max(whole.len());
        std::fs::write(&path, &longer[..end]).unwrap();
        let book = shelf.book(Disk::real());
        prop_assert_eq!(total(&shelf, &book), 4);
    }
}

use std::num::NonZeroUsize;

use proptest::collection::vec;
use proptest::prelude::*;

use super::cut::Cutter;
use super::input::Bytes;
use super::*;

/// Bytes that come in reads of given sizes, then one at a time; a pause comes where `pauses` says.
struct Scripted<'a> {
    rest: &'a [u8],
    reads: std::vec::IntoIter<(usize, bool)>,
    ready: bool,
}

impl Bytes for Scripted<'_> {
    fn read(&mut self, buffer: &mut Vec<u8>) -> std::io::Result<usize> {
        let (size, ready) = self.reads.next().unwrap_or((usize::MAX, true));
        let count = size.max(1).min(self.rest.len()).min(buffer.capacity() - buffer.len());
        let (now, rest) = self.rest.split_at(count);
        buffer.extend_from_slice(now);
        self.rest = rest;
        self.ready = ready;
        Ok(count)
    }

    fn is_ready(&self) -> bool {
        self.ready
    }
}

fn cut(input: &[u8], reads: Vec<(usize, bool)>) -> Vec<Part> {
    let mut cutter = Cutter::new(Scripted { rest: input, reads: reads.into_iter(), ready: true });
    let parts = std::iter::from_fn(|| cutter.next_part().expect("the script has no errors"));
    parts.collect()
}

/// A record as the definition has it: a line, or the length of one that is too long; and whether a newline ends it.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    Held(Vec<u8>, bool),
    Oversize(u64, bool),
}

/// What the parts say, line by line.
fn gathered(parts: &[Part]) -> Vec<Line> {
    let mut all = Vec::new();
    for part in parts {
        match part {
            Part::Lines(raw) => all.extend(lines(raw.bytes()).map(|line| {
                let ended = raw.bytes().get(line.end) == Some(&b'\n');
                Line::Held(raw.bytes()[line.range()].to_vec(), ended)
            })),
            Part::Oversize { bytes, ended } => all.push(Line::Oversize(*bytes, *ended)),
            Part::Unreadable(_) => panic!("the script has no errors"),
        }
    }
    all
}

/// What the definition says, line by line.
fn expected(input: &[u8]) -> Vec<Line> {
    input
        .split_inclusive(|byte| *byte == b'\n')
        .map(|line| {
            let text = line.strip_suffix(b"\n").unwrap_or(line);
            let ended = text.len() < line.len();
            if text.len() > limit::RECORD_BYTES_MAX {
                return Line::Oversize(text.len() as u64, ended);
            }
            Line::Held(text.to_vec(), ended)
        })
        .collect()
}

#[track_caller]
fn check(input: &[u8], reads: Vec<(usize, bool)>) {
    let parts = cut(input, reads);
    assert_eq!(gathered(&parts), expected(input));
    for part in &parts[..parts.len().saturating_sub(1)] {
        if let Part::Lines(raw) = part {
            assert_eq!(raw.bytes().last(), Some(&b'\n'), "only the last piece may lack its newline");
        }
    }
}

proptest! {
    /// For every input and every way in which its reads fall: the lines are those of the input.
    #[test]
    fn every_split_gives_the_same_lines(
        input in vec(prop_oneof![3 => any::<u8>(), 2 => Just(b'\n')], 0..200),
        reads in vec((0_usize..9, any::<bool>()), 0..100),
    ) {
        check(&input, reads);
    }

    /// `in_order(n, items, work)` gives `items.map(work)`, for any number of threads.
    #[test]
    fn order_is_kept(threads in 1_usize..9, items in 0_usize..200) {
        let threads = NonZeroUsize::new(threads).expect("at least one");
        let mut out = Vec::new();
        let work = || |item: usize| item * 2;
        let ended = in_order(threads, 0..items, work, |item| {
            out.push(item);
            Ok::<(), ()>(())
        });
        prop_assert_eq!(ended, Ok(()));
        prop_assert_eq!(out, (0..items).map(|item| item * 2).collect::<Vec<_>>());
    }
}

proptest! {
    // Each case is megabytes long.
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// The same with lines around the limits of a piece and of a record.
    #[test]
    fn long_lines_are_counted_and_never_held(
        lengths in vec(prop_oneof![
            0_usize..4,
            limit::BATCH_BYTES - 2..limit::BATCH_BYTES + 2,
            limit::RECORD_BYTES_MAX - 1..limit::RECORD_BYTES_MAX + 3,
            Just(3 * limit::RECORD_BYTES_MAX),
        ], 0..5),
        ended: bool,
        reads in vec((1_usize..2 * limit::BATCH_BYTES, any::<bool>()), 0..40),
    ) {
        let mut input = Vec::new();
        for length in lengths {
            input.resize(input.len() + length, b'x');
            input.push(b'\n');
        }
        if !ended {
            input.pop();
        }
        check(&input, reads);
    }
}

#[test]
fn the_limit_of_a_record_is_its_length_without_the_newline() {
    for (length, held) in [
        (limit::RECORD_BYTES_MAX - 1, true),
        (limit::RECORD_BYTES_MAX, true),
        (limit::RECORD_BYTES_MAX + 1, false),
    ] {
        for end in ["", "\n", "\nnext\n"] {
            let input = [&vec![b'x'; length][..], end.as_bytes()].concat();
            let parts = cut(&input, Vec::new());
            assert_eq!(matches!(gathered(&parts)[0], Line::Held(..)), held, "{length} {end:?}");
            check(&input, Vec::new());
        }
    }
}

#[test]
fn a_pause_passes_on_what_is_there() {
    let mut cutter = Cutter::new(Scripted {
        rest: b"one\ntwo\nthr",
        reads: vec![(4, false), (7, false)].into_iter(),
        ready: true,
    });
    let Ok(Some(Part::Lines(first))) = cutter.next_part() else { panic!("a line is there") };
    assert_eq!(first.bytes(), b"one\n");
    let Ok(Some(Part::Lines(second))) = cutter.next_part() else { panic!("another line is there") };
    assert_eq!(second.bytes(), b"two\n");
}

#[test]
fn a_worker_that_dies_is_no_quiet_end() {
    let threads = NonZeroUsize::new(3).expect("at least one");
    let work = || {
        |item: u32| {
            assert!(item != 40, "made to die");
            item
        }
    };
    let mut last = None;
    let ended = in_order(threads, 0.., work, |item| {
        last = Some(item);
        Ok::<(), ()>(())
    });
    assert_eq!(ended, Err(Stopped::Thread));
    assert_eq!(last, Some(39), "what came before is whole");
}

#[test]
fn a_consumer_that_stops_ends_it() {
    for threads in [1, 4] {
        let threads = NonZeroUsize::new(threads).expect("at least one");
        let ended =
            in_order(threads, 0_u64.., || |item| item, |item| if item == 9 { Err("enough") } else { Ok(()) });
        assert_eq!(ended, Err(Stopped::Consumer("enough")));
    }
}

#[test]
fn very_short_lines_make_several_batches() {
    let origin = Origin { received: Timestamp::UNIX_EPOCH, source: "-".into() };
    let count = 2 * limit::BATCH_RECORDS_MAX + 5;
    let piece = "ab\n".repeat(count);
    let batches = batches(Raw::new(piece.into_bytes()), &origin);
    assert_eq!(batches.len(), 3);
    let mut records = 0;
    for batch in &batches {
        assert!(batch.records.len() <= limit::BATCH_RECORDS_MAX);
        records += batch.records.len();
        for record in &batch.records {
            assert_eq!(&batch.raw.bytes()[record.message.range()], b"ab");
        }
    }
    assert_eq!(records, count);
}

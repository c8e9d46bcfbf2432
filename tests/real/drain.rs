//! The end of a run, under load.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rustix::process::Signal;

use crate::support::logveil::Logveil;
use crate::support::planted::{self, messages};
use crate::support::{http, wait_until};

const SENDERS: usize = 4;
const RECORDS_PER_REQUEST: usize = 10;

/// Numbers `rec-…` of records, in their order.
fn numbers(text: &str) -> Vec<usize> {
    let number = |line: &str| line.split_once("rec-").and_then(|(_, rest)| rest.get(..6)?.parse().ok());
    text.lines().map(|line| number(line).expect("every record has its number")).collect()
}

/// Posts requests of ten records, numbered from `first` on, until one is not accepted. Returns the accepted ones.
fn post_until_refused(port: u16, first: usize, all: &[String], begun: &AtomicBool) -> Vec<usize> {
    let mut accepted = Vec::new();
    for at in (first..all.len()).step_by(SENDERS * RECORDS_PER_REQUEST) {
        let body = all[at..at + RECORDS_PER_REQUEST].join("\n");
        let answer = http::post(port, "/v1/logs", &["Content-Type: text/plain"], body.as_bytes());
        if !answer.is_ok_and(|answer| (200..300).contains(&answer.status)) {
            return accepted;
        }
        accepted.extend(at..at + RECORDS_PER_REQUEST);
        if accepted.len() > 20 * RECORDS_PER_REQUEST {
            begun.store(true, Ordering::Release);
        }
    }
    panic!("all records were sent before the program ended: no load while it stopped");
}

#[test]
fn sigterm_under_load_loses_no_accepted_record() {
    let mut logveil = Logveil::start();
    let port = logveil.http;
    let all = messages(SENDERS * RECORDS_PER_REQUEST * 5_000);
    let begun = AtomicBool::new(false);
    let (accepted, archived) = thread::scope(|scope| {
        let senders: Vec<_> = (0..SENDERS)
            .map(|n| {
                let (all, begun) = (&all, &begun);
                scope.spawn(move || post_until_refused(port, n * RECORDS_PER_REQUEST, all, begun))
            })
            .collect();
        wait_until("records flow", || begun.load(Ordering::Acquire));
        logveil.signal(Signal::TERM);
        logveil.ends_well();
        let archived = logveil.archived();
        let accepted: Vec<usize> = senders.into_iter().flat_map(|sender| sender.join().unwrap()).collect();
        (accepted, archived)
    });
    planted::nothing_in("the archive", archived.as_bytes());
    let mut kept = numbers(&archived);
    kept.sort_unstable();
    let lost: Vec<_> = accepted.iter().filter(|number| kept.binary_search(number).is_err()).collect();
    assert!(lost.is_empty(), "{} of {} accepted records are lost", lost.len(), accepted.len());
    assert!(kept.windows(2).all(|pair| pair[0] != pair[1]), "a record is kept twice");
}

//! What a yes means, looked at around the moment in which it is given.

use std::fs;
use std::thread;

use rustix::process::Signal;

use super::{behind, ends_clean};
use crate::support::logveil::Logveil;
use crate::support::planted::message;
use crate::support::proxy::Fault;
use crate::support::strace::{FDATASYNC, SENDS, Strace, stands_in};
use crate::support::{http, wait_until};

fn post(port: u16, number: usize) -> Option<u16> {
    http::post(port, "/v1/logs", &[], message(number).as_bytes()).ok().map(|answer| answer.status)
}

/// Bytes of the queue's segments on disk: cursors are written at any time.
fn queued(logveil: &Logveil) -> u64 {
    let entries = fs::read_dir(logveil.dir().join("data/queue")).into_iter().flatten().flatten();
    let segments = entries.filter(|entry| entry.path().extension().is_some_and(|kind| kind == "lvq"));
    segments.map(|entry| entry.metadata().map_or(0, |found| found.len())).sum()
}

/// F02: killed once the yes is out, killed between write and sync, and killed between sync and yes. Of the second
/// nobody said that it is safe; the others arrive.
#[test]
fn killed_around_the_yes_nothing_is_lost_that_had_one() {
    // Nothing leaves before the next start.
    let (collector, proxy, mut logveil) = behind(Fault::Freeze);
    for number in 0..5 {
        assert_eq!(post(logveil.http, number), Some(200));
        logveil.kill();
        logveil.start_again();
    }
    let killed_in = |logveil: &mut Logveil, number: usize, calls: &str, stands: &[i64]| {
        assert_eq!(post(logveil.http, 100 + number), Some(200), "there is a segment");
        let before = queued(logveil);
        let strace = Strace::attach(logveil.pid(), calls, "delay_enter=60000000");
        let port = logveil.http;
        let client = thread::spawn(move || post(port, number));
        wait_until("it is written", || queued(logveil) > before && stands_in(logveil.pid(), stands));
        logveil.signal(Signal::KILL);
        // Its end is told to who traces it first.
        drop(strace);
        logveil.kill();
        assert_eq!(client.join().unwrap(), None, "no yes was sent");
        logveil.start_again();
    };
    killed_in(&mut logveil, 5, "fdatasync", &[FDATASYNC]);
    killed_in(&mut logveil, 6, "sendto,writev", &SENDS);
    proxy.set(Fault::None);
    collector.has_all(&[0, 1, 2, 3, 4, 105, 106, 6].into());
    ends_clean(logveil, &collector);
}

/// F11: the disk fails for good, and comes back. Meanwhile nothing is acknowledged, readiness says why, and what was
/// acknowledged before is delivered.
#[test]
fn a_disk_that_fails_for_good_gets_no_yes() {
    let (collector, proxy, logveil) = behind(Fault::Freeze);
    assert_eq!(post(logveil.http, 0), Some(200));
    let strace = Strace::attach(logveil.pid(), "fdatasync", "error=EIO");
    for number in 1..4 {
        assert_eq!(post(logveil.http, number), Some(503));
    }
    let ready = http::get(logveil.admin, "/readyz").unwrap();
    assert_eq!(
        (ready.status, ready.body.contains("the queue cannot be written")),
        (503, true),
        "{}",
        ready.body
    );
    assert_eq!(logveil.said().matches("cannot write the queue").count(), 1, "told once");
    proxy.set(Fault::None);
    collector.has_all(&[0].into());
    strace.detach();
    wait_until("it can be written again", || post(logveil.http, 4) == Some(200));
    wait_until("it is ready", || http::get(logveil.admin, "/readyz").unwrap().status == 200);
    collector.has_all(&[0, 4].into());
    ends_clean(logveil, &collector);
}

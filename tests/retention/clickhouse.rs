//! ClickHouse's engine by chdb, behind an HTTP shim: its TTLs and merges are real.

use super::Place;
use crate::support::process::Process;
use crate::support::{free_port, http, python, root, wait_until};

pub struct Engine {
    pub port: u16,
    _process: Process,
}

impl Engine {
    pub fn start(place: &Place) -> Engine {
        let port = free_port();
        let mut command = python();
        command
            .arg(root().join("tests/support/clickhouse.py"))
            .arg(port.to_string())
            .arg(place.path().join("ch"));
        let mut process = Process::start(&mut command, place.path());
        process.wait_until("it answered", || {
            http::post(port, "/", &[], b"SELECT 1").is_ok_and(|answer| answer.status == 200)
        });
        Engine { port, _process: process }
    }

    #[track_caller]
    pub fn run(&self, sql: &str) -> String {
        let answer = http::post(self.port, "/", &[], sql.as_bytes()).unwrap();
        assert_eq!(answer.status, 200, "{sql}: {}", answer.body);
        answer.body
    }
}

pub fn place(port: u16) -> String {
    format!(
        "stores:\n  ch: {{ kind: clickhouse, url: \"http://127.0.0.1:{port}\", table: logs, classes: [access] }}\n"
    )
}

#[test]
fn a_table_is_judged_set_and_caught_when_it_changes() {
    let place_ = Place::new("");
    let engine = Engine::start(&place_);
    place_.configure(&place(engine.port));
    place_.verifies(1, &["store ch, logs, class access: unknown: there is no table `default`.`logs`"]);
    engine.run(
        "CREATE TABLE logs (received DateTime64(3), message String) ENGINE = MergeTree ORDER BY received",
    );
    place_.verifies(1, &["class access: exceeds the limit without end: no TTL is set"]);
    place_.retention(&["plan"]).is(
        0,
        &[
            "needs        configured 89 d 22 h + sweep 1 h + grace 1 h = 90 d",
            "change       TTL: not set -> 7768800 s",
            "change       merge_with_ttl_timeout, at most: 14400 s -> 3600 s",
        ],
    );
    place_.retention(&["apply", "--yes"]).is(0, &["compliant"]);
    place_.verifies(0, &["90 d"]);
    // Behind its back.
    engine.run("ALTER TABLE logs MODIFY TTL toDateTime(received) + INTERVAL 400 DAY");
    place_.verifies(1, &["exceeds the limit by 310 d 2 h: configured 400 d + sweep 1 h + grace 1 h"]);
    place_.retention(&["apply", "--yes"]).is(0, &["TTL: 34560000 s -> 7768800 s"]);
    engine.run("ALTER TABLE logs MODIFY TTL toDateTime(received) + INTERVAL 30 DAY WHERE message = ''");
    place_.verifies(1, &["exceeds the limit without end: its TTL is not `received` and an interval"]);
    place_.retention(&["apply", "--yes"]).is(0, &["compliant"]);
}

#[test]
fn a_sweep_that_was_stopped_is_found_and_one_that_runs_deletes() {
    let place_ = Place::new("");
    let engine = Engine::start(&place_);
    place_.configure(&place(engine.port));
    engine.run(
        "CREATE TABLE logs (received DateTime64(3), message String) ENGINE = MergeTree ORDER BY received",
    );
    place_.retention(&["apply", "--yes"]).is(0, &["compliant"]);
    engine.run("SYSTEM STOP TTL MERGES logs");
    engine.run("INSERT INTO logs SELECT now() - INTERVAL 95 DAY, 'old' FROM numbers(10)");
    engine.run("INSERT INTO logs SELECT now() - INTERVAL 1 DAY, 'young' FROM numbers(10)");
    place_
        .verifies(1, &["exceeds the limit by 5 d", "its oldest record is 95 d", "not deleted as configured"]);
    // Overdue by more than merges may take, and not yet over the limit: the sweep is seen to stand still.
    engine.run("ALTER TABLE logs DELETE WHERE message = 'old' SETTINGS mutations_sync = 1");
    engine.run("ALTER TABLE logs MODIFY TTL toDateTime(received) + INTERVAL 30 DAY");
    engine.run("ALTER TABLE logs MODIFY SETTING merge_with_ttl_timeout = 1");
    engine.run("INSERT INTO logs SELECT now() - INTERVAL 40 DAY, 'older' FROM numbers(10)");
    place_.verifies(
        1,
        &["exceeds the limit without end: the sweep stands still: 1 parts hold rows that were due"],
    );
    engine.run("SYSTEM START TTL MERGES logs");
    wait_until("the merges of TTLs have run", || engine.run("SELECT count() FROM logs").trim() == "10");
    place_.verifies(0, &["compliant"]);
}

#[test]
fn a_store_that_is_down_or_no_clickhouse_is_unknown() {
    let place_ = Place::new(&place(1));
    place_.verifies(1, &["store ch, logs, class access: unknown: cannot connect"]);
    place_.retention(&["apply", "--yes"]).is(1, &["nothing to change", "unknown"]);
}

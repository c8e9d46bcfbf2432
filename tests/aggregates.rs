//! Counts that outlive the records, with the program itself. Hours pass by a clock that is handed in.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use logveil::aggregate::Book;
use logveil::clock::Timestamp;
use logveil::keys::belief::Moments;
use logveil::vault::{DataDir, Kek};

use crate::support::http;
use crate::support::logveil::{ARCHIVE, Logveil, binary};

/// Later than any hour in which a test runs, and before any limit of counts.
const LATER: Duration = Duration::from_secs(1000 * 86_400);

/// What a program does that starts, or runs, so much later.
fn care(data: &Path, later: Duration) {
    let dir = Arc::new(DataDir::open(data).expect("the program has ended"));
    let kek = Arc::new(Kek::beside(&dir).expect("the key-encryption key"));
    let book = Book::open(dir, kek).expect("the counts are there");
    let changed =
        fs::metadata(data.join("lock")).expect("it is there").modified().expect("a file system with times");
    let now = Timestamp::try_from(changed).expect("a moment") + later;
    let (ahead, destroyable) = (Duration::ZERO, Some(now));
    let moments = Moments { now, unreadable: now, destroyable, ahead, in_doubt: false, settled: true };
    book.tend(None, &moments).expect("the disk is well");
}

/// Rows as `aggregates show` prints them as CSV, without their hours.
#[track_caller]
fn show(config: &Path) -> Vec<String> {
    let output = Command::new(binary())
        .args(["aggregates", "show", "--format", "csv", "--config"])
        .arg(config)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let mut rows: Vec<String> =
        text.lines().skip(1).map(|line| line.split_once(',').unwrap().1.to_owned()).collect();
    rows.sort();
    rows
}

#[track_caller]
fn post(logveil: &Logveil, class: &str, lines: &[String]) {
    let answer = http::post(logveil.http, &format!("/v1/logs/{class}"), &[], lines.join("\n").as_bytes());
    let answer = answer.expect("the program answers");
    assert_eq!(answer.status, 200, "{}", answer.body);
}

fn routes(classes: &[&str]) -> String {
    let route = |class: &&str| format!("  - {{ when: {{ path: \"/v1/logs/{class}\" }}, class: {class} }}\n");
    format!("routes:\n{}", classes.iter().map(route).collect::<String>())
}

fn request(path: &str, status: u16) -> String {
    format!(r#"203.0.113.77 - - [22/Nov/2026:10:00:00 +0000] "GET {path} HTTP/1.1" {status} 5 "-" "curl""#)
}

/// The sum of all rows.
fn records(rows: &[String]) -> u64 {
    rows.iter().map(|row| row.split(',').nth(3).unwrap().parse::<u64>().unwrap()).sum()
}

#[test]
fn counts_outlive_the_records_and_tell_of_nobody() {
    let more = routes(&["access", "activity", "payment"]) + "policy: capmonster\n";
    let logveil = Logveil::start_after("  local: { kind: archive, region: eea }\n", &more);
    let mut access = vec![request("/createTask?licence_id=LIC-7Q2M-99ZX", 200); 12];
    access.extend((0..11).map(|n| request(&format!("/api/v1/users/jane.roe{n}/orders/4711{n}"), 200)));
    access.extend((0..3).map(|n| request(&format!("/users/jane.roe{n}"), 404)));
    post(&logveil, "access", &access);
    let activity =
        r#"{"event":"search","email":"jane.roe@example.com","path":"/search/jane.roe","status":200}"#;
    post(&logveil, "activity", &vec![activity.to_owned(); 4]);
    post(&logveil, "payment", &vec![r#"{"path":"/payments","status":200}"#.to_owned(); 20]);
    assert_eq!(show(&logveil.config()), Vec::<String>::new(), "the hour is not over");
    let data = logveil.dir().join("data");
    let mut logveil = logveil;
    logveil.kill();

    care(&data, LATER);
    // The archive's records are overdue by then: nothing is left of what was counted but this.
    fs::remove_dir_all(data.join("archive")).unwrap();
    let rows = show(&logveil.config());
    assert_eq!(
        rows,
        ["access,*,-,14,10", "access,/createTask,200,12,10"],
        "the smaller row hides the small one"
    );
    for name in fs::read_dir(data.join("aggregates")).unwrap() {
        let path = name.unwrap().path();
        let held = if path.is_file() { fs::read(path).unwrap() } else { Vec::new() };
        for value in ["jane", "4711", "LIC-7Q2M", "createTask"] {
            assert!(memchr::memmem::find(&held, value.as_bytes()).is_none(), "{value}");
        }
    }
    // At their own limit, 5 years after the hour, they are gone, too.
    care(&data, Duration::from_secs(5 * 365 * 86_400 + 86_400));
    assert_eq!(show(&logveil.config()), Vec::<String>::new());
}

#[test]
fn a_profile_that_promises_aggregates_counts() {
    let more = routes(&["access", "activity"]) + "policy: cloudshift21\n";
    let logveil = Logveil::start_after("  local: { kind: archive, region: eea }\n", &more);
    post(&logveil, "access", &vec![request("/login", 200); 10]);
    post(&logveil, "activity", &vec![r#"{"event":"x"}"#.to_owned(); 30]);
    let (config, data) = (logveil.config(), logveil.dir().join("data"));
    let mut logveil = logveil;
    logveil.kill();
    care(&data, LATER);
    assert_eq!(show(&config), ["access,/login,200,10,10", "activity,-,-,30,10"]);
}

const POLICY: &str = "policy: counted\naggregates: { least: 2, retention: 5y }\n";

/// Every record that was acknowledged is counted, whatever moment the program was killed at, and each once: nobody sent one again.
#[track_caller]
fn survives_kills(queue: &str) {
    let folder = tempfile::tempdir().unwrap();
    let policy = folder.path().join("counted.yaml");
    fs::write(&policy, POLICY).unwrap();
    let mut logveil = Logveil::start_after(ARCHIVE, &format!("policy: {}\n{queue}", policy.display()));
    let lines = vec![request("/login", 200); 5];
    for life in 0..3 {
        for _ in 0..=life {
            post(&logveil, "app", &lines);
        }
        logveil.kill();
        logveil.start_again();
    }
    logveil.kill();
    care(&logveil.dir().join("data"), LATER);
    let rows = show(&logveil.config());
    assert_eq!(records(&rows), 6 * 5, "{rows:?}");
    assert!(rows.iter().all(|row| row.starts_with("app,/login,200,")), "{rows:?}");
}

#[test]
fn counts_survive_kills_with_the_queue_in_memory() {
    survives_kills("");
}

#[test]
fn counts_survive_kills_with_the_queue_on_disk() {
    survives_kills("queue: { mode: durable }\n");
}

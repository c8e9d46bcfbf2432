/*!
The built-in profiles, end to end: typical logs of such a service go through `logveil run` into the archive, and every
promise that the pipeline keeps is looked for in what comes out, in what lies on disk, and, with a clock that is moved by
hand, in what is left at each limit.

The clauses in `deploy/policies/` name these tests; `tests/tidy/` holds that each of them exists.
*/

mod ai_platform;
mod capmonster;
mod capsolver;
mod cloudshift21;
mod gpu_cloud;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use logveil::archive::{Archive, Go, Reader, Selection};
use logveil::clock::{Clock as _, ManualClock};
use logveil::pipeline::{Outcome, State, process};
use logveil::policy::Policy;
use logveil::record::{Ack, Batch, Record};
use logveil::secret::Raw;
use logveil::vault::{DataDir, Kek, Timekeeper, Vault, high_water};
use rustix::process::Signal;

use crate::support::http;
use crate::support::logveil::{Logveil, archive_cat};
use crate::support::wait_until;

const DAY: Duration = Duration::from_secs(86_400);

/// What came out of a run.
struct Out {
    /// What the archive holds, by class.
    by_class: BTreeMap<String, String>,
    /// All files below the data directory, one behind the other.
    stored: Vec<u8>,
    metrics: String,
}

impl Out {
    /// What came out in a class.
    #[track_caller]
    fn of(&self, class: &str) -> &str {
        self.by_class.get(class).unwrap_or_else(|| panic!("nothing came out in class {class}"))
    }

    /// Fails if one of the values stands in any record, on disk, or in a metric.
    #[track_caller]
    fn holds_none_of(&self, values: &[&str]) {
        for value in values {
            for (class, text) in &self.by_class {
                assert!(!text.contains(value), "{value} came out in class {class}:\n{text}");
            }
            assert!(!self.metrics.contains(value), "{value} stands in a metric");
            let found = memchr::memmem::find(&self.stored, value.as_bytes());
            assert!(found.is_none(), "{value} lies on disk in clear");
        }
    }
}

/// Sends logs, by class, through the running program under a profile.
#[track_caller]
fn run(profile: &str, region: Option<&str>, logs: &[(&str, &[&str])]) -> Out {
    let region = region.map_or_else(String::new, |region| format!(", region: {region}"));
    let route = |(class, _): &(&str, &[&str])| {
        format!("  - {{ when: {{ path: \"/v1/logs/{class}\" }}, class: {class} }}\n")
    };
    let routes: String = logs.iter().map(route).collect();
    let sinks = format!("  local: {{ kind: archive{region} }}\npolicy: {profile}\nroutes:\n{routes}");
    let logveil = Logveil::start_with(&sinks);
    for (class, lines) in logs {
        let answer = http::post(logveil.http, &format!("/v1/logs/{class}"), &[], lines.join("\n").as_bytes());
        let answer = answer.expect("the program answers");
        assert_eq!(answer.status, 200, "{class}: {}", answer.body);
    }
    let cat = |(class, _): &(&str, &[&str])| {
        ((*class).to_owned(), archive_cat(&logveil.config(), &["--class", class]))
    };
    let by_class = logs.iter().map(cat).collect();
    let (metrics, mut stored) = (logveil.metrics(), Vec::new());
    gather(&logveil.dir().join("data"), &mut stored);
    logveil.stop();
    Out { by_class, stored, metrics }
}

fn gather(dir: &Path, stored: &mut Vec<u8>) {
    for entry in fs::read_dir(dir).expect("the directory can be read") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => gather(&path, stored),
            false => stored.extend(fs::read(&path).unwrap_or_default()),
        }
    }
}

/// A data directory under a profile, with a clock that is moved by hand.
struct Shelf {
    root: tempfile::TempDir,
    clock: Arc<ManualClock>,
    policy: Policy,
    classes: Vec<String>,
    vault: Vault,
    archive: Archive,
    time: Timekeeper,
}

impl Shelf {
    /// Only the keys of `classes` are tended: each key is a synced file, and two years are many days.
    fn new(profile: &str, classes: &[&str]) -> Shelf {
        let clock = Arc::new(ManualClock::at("2026-11-22T10:00:00Z".parse().expect("a moment")));
        let root = tempfile::tempdir().expect("a folder");
        let dir = Arc::new(DataDir::open(&root.path().join("data")).expect("a data directory"));
        let kek = Arc::new(Kek::beside(&dir).expect("a key-encryption key"));
        let time = Timekeeper::new(clock.clone(), high_water(&dir).expect("no state yet"));
        let archive = Archive::open(dir.clone(), kek.clone()).expect("an archive");
        let vault = Vault::open(dir, kek).expect("a vault");
        let policy = Policy::builtin(profile).expect("it is built in");
        let classes = classes.iter().map(|&class| class.to_owned()).collect();
        let mut shelf = Shelf { root, clock, policy, classes, vault, archive, time };
        shelf.tend();
        shelf
    }

    /// Puts a record into a class; says how it was written.
    #[track_caller]
    fn put(&mut self, class: &str, message: &str) -> String {
        let class = self.policy.class_named(class).expect("a class");
        let policy = self.policy.clone().routed_to(class);
        let mut raw = Raw::default();
        let records = vec![Record::plain(raw.push(message.as_bytes()))];
        let (received, path, ack) = (self.time.now(), Raw::default(), Ack::none());
        let batch = Batch { raw, records, received, source: "test".into(), path, ack };
        let outcome = process(&policy, &self.vault.keyring(), &mut State::default(), batch);
        let Outcome::Clean { redacted, .. } = outcome else { panic!("a key is missing") };
        let redacted = Arc::new(redacted);
        self.archive.append(std::slice::from_ref(&redacted), self.time.now()).expect("it is appended");
        let first = redacted.iter().next().expect("one record");
        String::from_utf8_lossy(first.message).into_owned()
    }

    fn tend(&mut self) {
        let names = self.policy.names();
        let classes: Vec<_> =
            names.classes.iter().filter(|(class, _)| self.classes.contains(class)).cloned().collect();
        let tended = self.vault.tend(&names.policy, &classes, &self.time).expect("keys are tended");
        self.archive.sweep(&tended.moments).expect("the archive is swept");
    }

    /// Lets days pass in steps that a clock is believed over, as in a program that runs.
    fn pass(&mut self, days: u32) {
        for _ in 0..days {
            self.clock.advance(DAY - Duration::from_secs(60));
            self.tend();
            self.clock.advance(Duration::from_secs(60));
            self.tend();
        }
    }

    /// Lets days pass at once: a clock that goes on as the wall does is believed over any time.
    fn leap(&mut self, days: u32) {
        self.clock.advance(DAY * days);
        self.tend();
    }

    /// What a reader is shown of a class.
    fn cat(&self, class: &str) -> Vec<String> {
        let dir = DataDir::open_to_read(&self.root.path().join("data")).expect("a data directory");
        let kek = Arc::new(Kek::beside(&dir).expect("the key-encryption key"));
        let reader = Reader::open(&dir, kek).expect("a reader");
        let mut messages = Vec::new();
        let read = reader.cat(&Selection::default(), &self.time, |envelope| {
            if envelope.class == class {
                messages.push(String::from_utf8_lossy(envelope.message).into_owned());
            }
            Go::On
        });
        read.expect("it is read");
        messages
    }

    /// Names of the files of a class's partitions and keys.
    fn files(&self, class: &str) -> Vec<String> {
        let mut found = Vec::new();
        names(&self.root.path().join("data"), &mut found);
        found.retain(|path| path.contains(&format!("/{class}/")) && path.ends_with(".lva"));
        found
    }
}

fn names(dir: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(dir).expect("the directory can be read") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => names(&path, found),
            false => found.push(path.display().to_string()),
        }
    }
}

/// Puts a record into each class now, and fails unless each is readable until some hours before its limit in days, and gone,
/// file and all, at the limit. `most` days at a time are passed, the smallest limit first.
#[track_caller]
fn each_is_gone_at_its_limit(profile: &str, limits: &[(&str, u32)]) {
    let classes: Vec<&str> = limits.iter().map(|(class, _)| *class).collect();
    let mut shelf = Shelf::new(profile, &classes);
    for class in &classes {
        shelf.put(class, "a record to be forgotten");
    }
    let mut passed = 0;
    for (class, limit) in limits {
        // Day by day where that is few: keys are made and destroyed on the way.
        match limit - 1 - passed {
            days @ 0..=100 => shelf.pass(days),
            days => shelf.leap(days),
        }
        assert_eq!(shelf.cat(class).len(), 1, "{class}: a day before {limit} days");
        shelf.pass(1);
        passed = *limit;
        assert_eq!(shelf.cat(class), Vec::<String>::new(), "{class}: at {limit} days");
        assert_eq!(shelf.files(class), Vec::<String>::new(), "{class}: at {limit} days");
    }
}

/// Fails unless records of a profile that names regions come to a sink in one of them, and not to one elsewhere.
#[track_caller]
fn regions_are_kept(profile: &str, allowed: &str, forbidden: &str) {
    let sinks = format!(
        "  here: {{ kind: archive, region: {allowed} }}\n  there: {{ kind: file, path: there.log, region: {forbidden}, \
         rotate: {{ age: 1h, keep: 2 }} }}\n  nowhere: {{ kind: file, path: nowhere.log, rotate: {{ age: 1h, keep: 2 }} }}\n\
         policy: {profile}\n"
    );
    for queue in ["memory", "durable"] {
        region_is_kept(&sinks, queue);
    }
}

#[track_caller]
fn region_is_kept(sinks: &str, queue: &str) {
    let mut logveil = Logveil::start_after(sinks, &format!("queue: {{ mode: {queue} }}\n"));
    let answer =
        http::post(logveil.http, "/v1/logs", &[], b"a record that stays where it may").expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.body);
    wait_until("the archive has it", || logveil.archived().trim_end() == "a record that stays where it may");
    // A sink that gets it later would have it by then.
    logveil.signal(Signal::TERM);
    logveil.ends_well();
    for file in ["there.log", "nowhere.log"] {
        let held = fs::read_to_string(logveil.dir().join(file)).unwrap_or_default();
        assert_eq!(held, "", "{file}");
    }
}

//! The archive as its users meet it: verbs next to a running program, refusals, damage, a purge, a full disk.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rustix::process::Signal;

use crate::support::logveil::{Logveil, binary};
use crate::support::process::run;
use crate::support::{free_port, http};

fn verb(arguments: &[&str], config: &Path) -> Output {
    Command::new(binary()).args(arguments).arg("--config").arg(config).output().unwrap()
}

/// What a verb prints that ends well.
#[track_caller]
fn told(arguments: &[&str], config: &Path) -> String {
    text(&run(Command::new(binary()).args(arguments).arg("--config").arg(config)).stdout)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Posts records to the class `access`.
#[track_caller]
fn post(logveil: &Logveil, records: &[&str]) {
    let lines: Vec<String> =
        records.iter().map(|record| format!("{{\"app\":\"nginx\",\"message\":\"{record}\"}}")).collect();
    let json = ["Content-Type: application/x-ndjson"];
    let answer = http::post(logveil.http, "/v1/logs", &json, lines.join("\n").as_bytes()).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
}

/// The files of the archive with this extension.
fn files(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
    found
}

#[test]
fn what_was_acknowledged_is_listed_read_and_sound_while_the_program_runs() {
    let logveil = Logveil::start();
    post(&logveil, &["GET /first from 203.0.113.77", "GET /second"]);
    let config = logveil.config();
    let out = told(&["archive", "cat"], &config);
    assert!(out.contains("/first from 203.0.113.0") && out.contains("/second"), "{out}");

    let json = told(&["archive", "cat", "--format", "json", "--since", "1h"], &config);
    let object: serde_json::Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    assert!(object["message"].as_str().unwrap().contains("203.0.113.0"));
    assert_eq!(object["policy"].as_str().unwrap().split('@').next(), Some("default"));
    assert!(object.get("msgid").is_none(), "what is empty is left out");

    let listed = told(&["archive", "ls", "--format", "json"], &config);
    let records: u64 = listed
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["records"].as_u64().unwrap())
        .sum();
    assert_eq!(records, 2);
    assert_eq!(told(&["archive", "cat", "--until", "1h"], &config), "");

    assert!(told(&["archive", "verify"], &config).contains("2 records"));
    let keys = told(&["keys", "list"], &config);
    assert!(keys.lines().count() >= 14, "two days, seven classes");
    logveil.stop();
}

#[test]
fn a_second_program_on_the_same_data_is_refused() {
    let logveil = Logveil::start();
    let config = logveil.dir().join("second.yaml");
    let (data, syslog, admin) = (logveil.dir().join("data"), free_port(), free_port());
    let yaml = format!(
        "data_dir: {}\nsources:\n  net: {{ kind: syslog, tcp: \"127.0.0.1:{syslog}\" }}\n\
         sinks:\n  local: {{ kind: archive }}\nadmin: {{ listen: \"127.0.0.1:{admin}\" }}\n",
        data.display()
    );
    fs::write(&config, yaml).unwrap();
    let second = verb(&["run"], &config);
    assert_eq!(second.status.code(), Some(2));
    assert!(text(&second.stderr).contains("in use by another logveil"), "{}", text(&second.stderr));
    logveil.stop();
}

#[test]
fn a_purge_by_hand_leaves_the_running_program_its_partitions() {
    let logveil = Logveil::start();
    post(&logveil, &["GET /first"]);
    let class = told(&["archive", "cat", "--format", "json"], &logveil.config());
    let class: serde_json::Value = serde_json::from_str(class.lines().next().unwrap()).unwrap();
    let class = class["class"].as_str().unwrap();
    let purge = verb(&["archive", "purge", "--class", class, "--before", "2999-01-01"], &logveil.config());
    assert_eq!(purge.status.code(), Some(0));
    assert!(text(&purge.stderr).contains("may still be written to"), "{}", text(&purge.stderr));
    post(&logveil, &["GET /second"]);
    assert_eq!(logveil.archived().lines().count(), 2);
    logveil.stop();
}

#[test]
fn keys_that_cannot_be_trusted_stop_the_start() {
    let mut logveil = Logveil::start();
    post(&logveil, &["GET /first"]);
    let (config, data) = (logveil.config(), logveil.dir().join("data"));
    logveil.signal(Signal::TERM);
    logveil.ends_well();
    let refused = |why: &str| {
        let run = verb(&["run"], &config);
        assert_eq!(run.status.code(), Some(2), "{why}: {}", text(&run.stderr));
        assert!(text(&run.stderr).contains(why), "{why}: {}", text(&run.stderr));
    };
    let kek = data.join("kek");
    let key = fs::read(&kek).unwrap();
    fs::set_permissions(&kek, fs::Permissions::from_mode(0o644)).unwrap();
    refused("chmod 600");
    fs::set_permissions(&kek, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&kek, "ab".repeat(32)).unwrap();
    refused("wrapped by the key-encryption key with check value");
    let cat = verb(&["archive", "cat"], &config);
    assert_eq!((cat.status.code(), cat.stdout.len()), (Some(2), 0));
    fs::remove_file(&kek).unwrap();
    refused("is missing");
    fs::write(&kek, key).unwrap();
    fs::set_permissions(&kek, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&files(&data.join("keys"), "key")[0], "{}").unwrap();
    refused("is damaged");
}

#[test]
fn damage_is_stepped_over_and_found_by_verify() {
    let logveil = Logveil::start();
    post(&logveil, &["GET /first"]);
    post(&logveil, &["GET /second"]);
    let config = logveil.config();
    let path = files(&logveil.dir().join("data/archive"), "lva").remove(0);
    let mut content = fs::read(&path).unwrap();
    content[110] ^= 1;
    fs::write(&path, content).unwrap();
    let cat = verb(&["archive", "cat"], &config);
    assert_eq!((cat.status.code(), text(&cat.stdout).lines().count()), (Some(0), 1));
    assert!(text(&cat.stderr).contains("1 block not what was written"), "{}", text(&cat.stderr));
    assert_eq!(verb(&["archive", "verify"], &config).status.code(), Some(1));
    logveil.stop();
}

#[test]
fn a_moment_that_is_none_is_wrong_usage() {
    let logveil = Logveil::start();
    let cat = verb(&["archive", "cat", "--since", "yesterday"], &logveil.config());
    assert_eq!(cat.status.code(), Some(2));
    assert!(text(&cat.stderr).contains("is no moment such as"));
    logveil.stop();
}

#[test]
fn a_word_about_the_clock_is_left_for_a_running_program_alone() {
    let mut logveil = Logveil::start();
    post(&logveil, &["GET /first"]);
    let (config, data) = (logveil.config(), logveil.dir().join("data"));
    let arguments = ["archive", "purge", "--class", "access", "--before", "30d", "--confirm"];
    told(&arguments, &config);
    assert!(data.join("clock-confirmed").exists(), "it is taken in with the next round");
    fs::remove_file(data.join("clock-confirmed")).unwrap();
    logveil.signal(Signal::TERM);
    logveil.ends_well();
    told(&arguments, &config);
    assert!(!data.join("clock-confirmed").exists());
}

/*!
`logveil bench` as people use it, and the corpora that the benches run on.
*/

use std::fs;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::corpus;
use crate::support::process::run;

/// Must not appear in what is measured on it.
const CANARY: &str = "canary.jane@example.com";

fn bench(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_logveil"));
    command.args(["bench", "engine", "--seconds", "1"]).args(arguments).output().expect("the program starts")
}

/// Files with a corpus of each kind, and the canary in each line of another.
fn files() -> (TempDir, Vec<String>) {
    let dir = TempDir::new().unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    let mut paths = Vec::new();
    for kind in corpus::KINDS {
        paths.push(path(kind));
        fs::write(path(kind), corpus::make(kind, 20_000)).unwrap();
    }
    paths.push(path("canary"));
    fs::write(path("canary"), format!("by {CANARY}\n").repeat(100)).unwrap();
    (dir, paths)
}

#[track_caller]
fn keys(object: &Value) -> Vec<&str> {
    object.as_object().expect("an object").keys().map(String::as_str).collect()
}

#[test]
fn the_object_has_what_the_documentation_says() {
    let (_dir, paths) = files();
    let mut arguments = vec!["--policy", "everything", "--class", "access", "--format", "json", "--input"];
    arguments.extend(paths.iter().map(String::as_str));
    let output = bench(&arguments);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let object: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    let expected = [
        "by_rule",
        "class",
        "engine",
        "findings",
        "input",
        "memcpy",
        "policy",
        "rules",
        "runs",
        "share_of_memcpy",
        "stages",
        "version",
    ];
    assert_eq!(keys(&object), expected);
    assert_eq!(object["policy"], "everything@1");
    assert_eq!(object["class"], "access");
    assert_eq!(object["input"]["files"], 4);
    assert_eq!(object["input"]["whole"], true);
    let bytes: usize = paths.iter().map(|path| fs::read(path).unwrap().len()).sum();
    assert_eq!(object["input"]["bytes"], bytes);
    for rates in ["engine", "memcpy"] {
        assert_eq!(keys(&object[rates]), ["fastest_mb_per_s", "median_mb_per_s", "slowest_mb_per_s"]);
        assert!(object[rates]["median_mb_per_s"].as_f64().unwrap() > 0.0);
    }
    let stages = object["stages"].as_array().unwrap();
    let names: Vec<&str> = stages.iter().map(|stage| stage["stage"].as_str().unwrap()).collect();
    assert_eq!(names, ["frame", "route", "detect", "act", "copy", "rest"]);
    assert_eq!(keys(&stages[0]), ["ns_per_kb", "share", "stage"]);
    assert_eq!(keys(&object["findings"][0]), ["count", "entity"]);
    assert_eq!(keys(&object["by_rule"]), ["bytes", "noise_ns_per_kb", "ns_per_kb", "rules"]);
    let rules = object["by_rule"]["rules"].as_array().unwrap();
    assert_eq!(keys(&rules[0]), ["candidates", "entity", "findings", "ns_per_kb", "rule"]);
    let email = rules.iter().find(|rule| rule["rule"] == "email").expect("it has candidates");
    assert!(email["findings"].as_u64().unwrap() >= 100);
    assert!(email["candidates"].as_u64() >= email["findings"].as_u64());
}

#[test]
fn neither_form_shows_what_was_measured_on() {
    let (_dir, paths) = files();
    for format in ["text", "json"] {
        let output = bench(&["--runs", "3", "--format", format, "--input", &paths[3]]);
        assert_eq!(output.status.code(), Some(0));
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8(said).expect("the report is text");
        assert!(said.contains("email") && said.contains("engine") && said.contains("memcpy"), "{said}");
        assert!(!said.contains("canary.jane"), "{format}");
    }
}

#[test]
fn what_cannot_be_measured_is_told_in_one_line() {
    let dir = TempDir::new().unwrap();
    let empty = dir.path().join("empty").display().to_string();
    fs::write(&empty, "").unwrap();
    let missing = dir.path().join("missing").display().to_string();
    let folder = dir.path().display().to_string();
    for (input, what) in [
        (&missing, "cannot read ".to_owned() + &missing + ": no such file or directory"),
        (&empty, empty.clone() + " has no record to measure on"),
        (&folder, "cannot read ".to_owned() + &folder + ": is a directory"),
    ] {
        let output = bench(&["--input", input]);
        assert_eq!(output.status.code(), Some(2), "{what}");
        assert!(output.stdout.is_empty());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(said, format!("logveil: --input: {what}\n"));
    }
    assert_eq!(bench(&[]).status.code(), Some(2), "an input is asked for");
    assert_eq!(bench(&["--class", "nothing", "--input", &empty]).status.code(), Some(2));
}

#[test]
fn corpora_are_the_same_every_time() {
    for kind in corpus::KINDS {
        let text = corpus::make(kind, 100_000);
        assert_eq!(text, corpus::make(kind, 100_000), "{kind}");
        assert!(text.len() >= 100_000 && text.len() < 102_000 && text.ends_with(b"\n"), "{kind}");
        assert!(corpus::make(kind, 200_000).starts_with(&text), "{kind}: a longer one begins with it");
    }
    let text = corpus::make("json", 100_000);
    for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        serde_json::from_slice::<Value>(line).expect("each line is JSON");
    }
}

/// The corpora are what they are said to be: so many findings of each kind, and none in the clean one.
#[test]
fn corpora_hold_what_they_are_said_to_hold() {
    let count = |kind: &str, entities: &[&str]| {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join(kind);
        fs::write(&path, corpus::make(kind, 1_000_000)).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_logveil"));
        let output = run(command.args(["scan", "--format", "json", "--quiet"]).arg(&path));
        let said = String::from_utf8(output.stdout).unwrap();
        let of =
            |line: &&str| entities.iter().any(|entity| line.contains(&format!("\"entity\":\"{entity}\"")));
        said.lines().filter(|line| entities.is_empty() || of(line)).count()
    };
    let lines = |kind: &str| corpus::make(kind, 1_000_000).split(|byte| *byte == b'\n').count() - 1;
    assert_eq!(count("clean", &[]), 0);
    assert_eq!(count("access", &["ipv4", "ipv6"]), lines("access"), "each request has its client");
    let ipv6 = count("access", &["ipv6"]) as f64 / lines("access") as f64;
    assert!((0.05..0.15).contains(&ipv6), "{ipv6}");
    let emails = count("json", &["email"]) as f64 / lines("json") as f64;
    assert!((0.25..0.35).contains(&emails), "{emails}");
    assert!(count("json", &["card"]) > 20);
}

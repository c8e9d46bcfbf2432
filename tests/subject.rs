//! Requests of data subjects, beside a running program: found, exported, erased and proved, and told in the register.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::http;
use crate::support::logveil::{Logveil, binary};
use crate::support::wait_until;

/// The verb with these values on standard input: they never stand in a file or an argument.
fn subject(config: &Path, arguments: &[&str], values: &str) -> Output {
    let mut child = Command::new(binary())
        .arg("subject")
        .args(arguments)
        .arg("--config")
        .arg(config)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(values.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[track_caller]
fn told(output: &Output, code: i32) -> String {
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{out}\n{err}");
    for said in [&out, &err] {
        assert!(!said.contains("zqplanted"), "{said}");
    }
    out
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[track_caller]
fn post(logveil: &Logveil, messages: &[String]) {
    let lines: Vec<String> =
        messages.iter().map(|message| serde_json::json!({ "message": message }).to_string()).collect();
    let json = ["Content-Type: application/x-ndjson"];
    let answer = http::post(logveil.http, "/v1/logs", &json, lines.join("\n").as_bytes()).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
}

/// `rec-3` of a message.
fn number(message: &str) -> &str {
    let at = message.find("rec-").unwrap();
    message[at..].split(' ').next().unwrap()
}

const JANE: &str = "email jane.zqplanted@example.com\n";

/// Ten records: every third is Jane's, the others are John's.
fn messages() -> Vec<String> {
    let of = |n| if n % 3 == 0 { "jane.zqplanted@Example.com" } else { "john.zqplanted@example.com" };
    (0..10).map(|n| format!("rec-{n} login of {} from 203.0.113.77", of(n))).collect()
}

#[test]
fn one_person_is_found_exported_and_erased_while_the_program_runs() {
    let logveil = Logveil::start();
    post(&logveil, &messages());
    let config = logveil.config();
    let found = told(&subject(&config, &["find", "--value-from", "-", "--format", "json"], JANE), 0);
    let found: serde_json::Value = serde_json::from_str(&found).unwrap();
    assert_eq!(found["stores"][0]["found"], 4, "{found}");
    assert_eq!(found["stores"][0]["searched"], 10, "{found}");

    let exported = told(&subject(&config, &["export", "--value-from", "-", "--law", "ccpa"], JANE), 0);
    let exported: serde_json::Value = serde_json::from_str(&exported).unwrap();
    let records = exported["records"].as_array().unwrap();
    let numbers: Vec<&str> =
        records.iter().map(|record| number(record["message"].as_str().unwrap())).collect();
    assert_eq!(numbers, ["rec-0", "rec-3", "rec-6", "rec-9"]);

    let asked = subject(&config, &["erase", "--value-from", "-"], JANE);
    told(&asked, 0);
    assert!(text(&asked.stderr).contains("nothing is erased yet"));
    assert_eq!(logveil.archived().lines().count(), 10);
    let erased =
        told(&subject(&config, &["erase", "--value-from", "-", "--request", "r5", "--yes"], JANE), 0);
    assert!(erased.contains("erased 4 records; a search afterwards found none"), "{erased}");
    post(&logveil, &["rec-10 nobody".to_owned()]);
    let left = logveil.archived();
    let numbers: Vec<&str> = left.lines().map(number).collect();
    assert_eq!(numbers, ["rec-1", "rec-2", "rec-4", "rec-5", "rec-7", "rec-8", "rec-10"]);
    let again = told(&subject(&config, &["find", "--value-from", "-", "--format", "json"], JANE), 0);
    assert!(again.contains("\"found\":0"), "{again}");

    let listed = told(&subject(&config, &["requests", "list", "--all"], ""), 0);
    assert_eq!(listed.lines().count(), 4, "{listed}");
    assert!(listed.lines().all(|line| line.contains(" closed ")), "{listed}");
    // Nothing planted stands anywhere, registers and audit log included.
    logveil.stop();
}

#[test]
fn what_is_truncated_is_answered_as_not_findable_and_not_erased() {
    let logveil = Logveil::start();
    post(&logveil, &messages());
    let config = logveil.config();
    let found = told(&subject(&config, &["find", "--value-from", "-"], "ip 203.0.113.77\n"), 0);
    assert!(found.contains("archive: 0 records of 10 records"), "{found}");
    assert!(found.contains("ipv4: not findable, truncated"), "{found}");
    let erased = told(&subject(&config, &["erase", "--value-from", "-", "--yes"], "ip 203.0.113.0\n"), 0);
    assert!(erased.contains("10 records more with what looks alike"), "{erased}");
    assert!(erased.contains("erased 0 records"), "{erased}");
    assert_eq!(logveil.archived().lines().count(), 10);
    let network = subject(&config, &["erase", "--value-from", "-", "--yes"], "ip 203.0.113.0/24\n");
    assert_eq!(network.status.code(), Some(2), "{}", text(&network.stderr));
    logveil.stop();
}

#[test]
fn rotated_files_are_searched_and_erased_and_what_is_being_written_is_told() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("app.log");
    let sinks = format!(
        "  local: {{ kind: archive }}\n  files: {{ kind: file, path: {}, format: json, rotate: {{ age: 24h, keep: 7 }} }}\n",
        path.display()
    );
    let logveil = Logveil::start_with(&sinks);
    let config = logveil.config();
    post(&logveil, &messages());
    let rotated = dir.path().join("app.log.1");
    fs::copy(&path, &rotated).unwrap();
    let found = told(&subject(&config, &["find", "--value-from", "-", "--format", "json"], JANE), 0);
    let found: serde_json::Value = serde_json::from_str(&found).unwrap();
    let counts: Vec<&serde_json::Value> =
        found["stores"].as_array().unwrap().iter().map(|store| &store["found"]).collect();
    assert_eq!(counts, [4, 8], "{found}");
    let exported = told(&subject(&config, &["export", "--value-from", "-"], JANE), 0);
    let exported: serde_json::Value = serde_json::from_str(&exported).unwrap();
    assert_eq!(exported["records"].as_array().unwrap().len(), 12);
    let erased = told(&subject(&config, &["erase", "--value-from", "-", "--yes"], JANE), 1);
    assert!(erased.contains("files: erased 4 records; a search afterwards found 4 records"), "{erased}");
    assert!(erased.contains("erased 8 records; not proved"), "{erased}");
    assert_eq!(fs::read_to_string(&rotated).unwrap().lines().count(), 6);
    assert_eq!(
        fs::read_to_string(&path).unwrap().lines().count(),
        10,
        "its writer would go on with the old one"
    );
    let other = subject(&config, &["find", "--value-from", "-", "--request", "r5"], JANE);
    told(&other, 2);
    assert!(text(&other.stderr).contains("r5: asks to erase, not to find"), "{}", text(&other.stderr));
    let open = told(&subject(&config, &["requests", "list"], ""), 0);
    assert_eq!(open.lines().count(), 1, "{open}");
    logveil.stop();
}

#[test]
fn a_childs_records_are_erased_without_waiting() {
    let logveil = Logveil::start();
    post(&logveil, &messages());
    let config = logveil.config();
    let erased = told(&subject(&config, &["erase", "--value-from", "-", "--reason", "child"], JANE), 0);
    assert!(erased.contains("erased 4 records"), "{erased}");
    assert_eq!(logveil.archived().lines().count(), 6);
    logveil.stop();
}

#[test]
fn whoever_is_suppressed_gets_no_pseudonym_from_then_on() {
    let mut logveil = Logveil::start();
    let config = logveil.config();
    post(&logveil, &messages());
    told(&subject(&config, &["suppress", "--value-from", "-"], JANE), 0);
    let suppressed = |logveil: &Logveil, from: usize| {
        post(logveil, &messages());
        logveil.archived().lines().skip(from).filter(|line| line.contains("login of [email]")).count()
    };
    let mut before = 10;
    wait_until("the program heeds it", || {
        let count = suppressed(&logveil, before);
        before += 10;
        count == 4
    });
    let all = logveil.archived();
    assert_eq!(all.lines().take(10).filter(|line| line.contains("login of email_k")).count(), 10);
    logveil.signal(Signal::HUP);
    wait_until("the reload is applied", || {
        logveil.metrics().contains("logveil_reloads_total{outcome=\"applied\"} 1\n")
    });
    assert_eq!(suppressed(&logveil, before), 4, "a reload forgets nobody");
    before += 10;
    logveil.kill();
    logveil.start_again();
    assert_eq!(suppressed(&logveil, before), 4, "nor does a crash, from the first record on");
    before += 10;
    told(&subject(&config, &["suppress", "--value-from", "-", "--lift"], JANE), 0);
    wait_until("the program heeds it", || {
        let count = suppressed(&logveil, before);
        before += 10;
        count == 0
    });
    logveil.stop();
}

#[test]
fn what_should_not_be_stored_becomes_one_incident() {
    let logveil = Logveil::start();
    let config = logveil.config();
    post(&logveil, &messages());
    let verb = |arguments: &[&str]| {
        Command::new(binary()).args(arguments).arg("--config").arg(&config).output().unwrap()
    };
    let clean = told(&verb(&["audit"]), 0);
    assert!(clean.contains("10 records looked through: nothing that should not be there"), "{clean}");
    // By a policy that allows less than the one that handled them.
    let strict = told(&verb(&["audit", "--policy", "everything", "--format", "json"]), 1);
    let strict: serde_json::Value = serde_json::from_str(&strict).unwrap();
    let leaks = strict["leaks"].as_array().unwrap();
    assert_eq!(leaks.len(), 1, "{strict}");
    assert_eq!((&leaks[0]["entity"], &leaks[0]["records"]), (&"ipv4".into(), &10.into()));
    let again = told(&verb(&["audit", "--policy", "everything", "--all"]), 1);
    assert!(again.contains("i1 known: archive app ipv4"), "{again}");
    let listed = told(&verb(&["incident", "list"]), 0);
    assert!(listed.lines().count() == 1 && listed.contains("open, due "), "{listed}");
    told(&verb(&["incident", "close", "i1", "--reason", "told jane@example.com"]), 0);
    let closed = told(&verb(&["incident", "list", "--all"]), 0);
    assert!(closed.contains("told [email]"), "{closed}");

    let sound = told(&verb(&["audit", "verify-log"]), 0);
    let head =
        sound.lines().find(|line| line.starts_with("audit ")).unwrap().split_whitespace().last().unwrap();
    told(&verb(&["audit", "verify-log", "--head", head]), 0);
    assert_eq!(verb(&["audit", "verify-log", "--head", &"0".repeat(63)]).status.code(), Some(1));
    let path = logveil.dir().join("data/audit");
    let log = fs::read_to_string(&path).unwrap();
    let cut = log.trim_end().rsplit_once('\n').unwrap().0.to_owned() + "\n";
    fs::write(&path, cut).unwrap();
    let found = verb(&["audit", "verify-log"]);
    assert_eq!(found.status.code(), Some(1), "{}", text(&found.stdout));
    fs::write(&path, log).unwrap();
    logveil.stop();
}

#[test]
fn arguments_are_warned_about_and_registers_that_were_changed_are_refused() {
    let logveil = Logveil::start();
    let config = logveil.config();
    let warned = subject(&config, &["find", "--email", "jane.zqplanted@example.com"], "");
    told(&warned, 0);
    assert!(text(&warned.stderr).contains("show in the process list"));
    let path = logveil.dir().join("data/requests");
    let register = fs::read_to_string(&path).unwrap();
    fs::write(&path, register.replace("found 0", "found 9")).unwrap();
    let refused = subject(&config, &["requests", "list"], "");
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("does not agree with its seal"), "{}", text(&refused.stderr));
    logveil.stop();
}

/// A program whose policy encrypts, with three roles; the folder holds their tokens.
fn with_roles() -> (Logveil, TempDir) {
    let dir = TempDir::new().unwrap();
    let path = |name: &str| dir.path().join(name);
    for name in ["officer", "scraper", "deploy"] {
        fs::write(path(name), format!("{name}-0123456789abcdef\n")).unwrap();
        fs::set_permissions(path(name), fs::Permissions::from_mode(0o600)).unwrap();
    }
    let policy = "policy: sealed\nclasses: { \"*\": { entities: { email: encrypt } } }\n";
    fs::write(path("policy.yaml"), policy).unwrap();
    let role = |name: &str, may: &str| {
        format!("  {name}: {{ may: [{may}], token: \"${{file:{}}}\" }}\n", path(name).display())
    };
    let (officer, scraper, deploy) =
        (role("officer", "find, reveal"), role("scraper", "metrics"), role("deploy", "reload"));
    let policy = path("policy.yaml");
    let text = format!(
        "  local: {{ kind: archive }}\npolicy: {}\nroles:\n{officer}{scraper}{deploy}",
        policy.display()
    );
    (Logveil::start_with(&text), dir)
}

#[test]
fn an_encrypted_value_is_opened_for_a_role_with_a_reason_and_told_in_the_log() {
    let (mut logveil, tokens) = with_roles();
    let config = logveil.config();
    post(&logveil, &messages());
    let line = logveil.archived().lines().next().unwrap().to_owned();
    let sealed = line.split(' ').find(|word| word.starts_with("email_k")).unwrap().to_owned() + "\n";
    let token = tokens.path().join("officer").display().to_string();
    let asked = ["reveal", "--value-from", "-", "--reason", "case 7 of jane@example.com"];
    let refused = subject(&config, &asked, &sealed);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("has no role that may reveal"), "{}", text(&refused.stderr));
    let opened = subject(&config, &[&asked[..], &["--token-file", &token]].concat(), &sealed);
    assert_eq!(text(&opened.stdout), "jane.zqplanted@example.com\n");
    let other = tokens.path().join("scraper").display().to_string();
    let refused = subject(&config, &[&asked[..], &["--token-file", &other]].concat(), &sealed);
    assert_eq!(refused.status.code(), Some(2));
    let found = subject(&config, &["find", "--value-from", "-", "--token-file", &token], JANE);
    assert!(told(&found, 0).contains("archive: 4 records of 10 records"));
    let erased = subject(&config, &["erase", "--value-from", "-", "--token-file", &token], JANE);
    assert_eq!(erased.status.code(), Some(2), "the officer may not");

    let log = fs::read_to_string(logveil.dir().join("data/audit")).unwrap();
    let acts: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let reveals: Vec<_> = acts.iter().filter(|act| act["act"] == "subject reveal").collect();
    let outcomes: Vec<_> = reveals.iter().map(|act| act["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["refused", "done", "refused"]);
    assert_eq!(reveals[1]["role"], "officer");
    assert_eq!(reveals[1]["reason"], "case 7 of [email]");
    logveil.signal(Signal::TERM);
    logveil.ends_well();
}

#[test]
fn the_admin_listener_asks_for_the_token_of_a_role_that_may() {
    let (mut logveil, _tokens) = with_roles();
    let ask = |path: &str, token: &str| {
        let header = format!("Authorization: Bearer {token}-0123456789abcdef");
        let reload = path == "/-/reload";
        match reload {
            true => http::post(logveil.admin, path, &[&header], b"").unwrap().status,
            false => http::ask(logveil.admin, "GET", path, &[&header], b"").unwrap().status,
        }
    };
    assert_eq!(
        (ask("/metrics", "scraper"), ask("/metrics", "deploy"), ask("/metrics", "x")),
        (200, 403, 401)
    );
    assert_eq!((ask("/-/reload", "deploy"), ask("/-/reload", "scraper")), (200, 403));
    assert_eq!(http::get(logveil.admin, "/metrics").unwrap().status, 401);
    assert_eq!(http::get(logveil.admin, "/readyz").unwrap().status, 200);
    let log = fs::read_to_string(logveil.dir().join("data/audit")).unwrap();
    let reloads = log.lines().filter(|line| line.contains("\"act\":\"reload\"")).count();
    assert_eq!(reloads, 2, "one done, one refused: {log}");
    logveil.signal(Signal::TERM);
    logveil.ends_well();
}

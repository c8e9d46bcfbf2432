//! `logveil keys` by hand, with the program itself: making, moving, losing and ending keys.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Instant;

use rustix::process::Signal;

use crate::support::http;
use crate::support::logveil::{Logveil, binary};
use crate::support::process::run;

/// What a verb prints that ends well.
#[track_caller]
fn verb(words: &[&str]) -> String {
    String::from_utf8(run(Command::new(binary()).args(words)).stdout).unwrap()
}

/// Runs a verb that ends with this code.
#[track_caller]
fn ends(words: &[&str], code: i32) -> Output {
    let output = Command::new(binary()).args(words).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{words:?}: {told}");
    output
}

#[track_caller]
fn done(arguments: &[&str]) -> String {
    verb(&[&["keys"], arguments].concat())
}

#[track_caller]
fn refused(arguments: &[&str], why: &str) {
    let output = ends(&[&["keys"], arguments].concat(), 2);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains(why), "{arguments:?}: {told}");
}

fn write_kek(path: &Path, byte: u8) {
    fs::write(path, [byte; 32]).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn init_makes_keys_ahead_and_tells_no_secret() {
    let dir = tempfile::tempdir().unwrap();
    let [data, kek] = ["data", "kek"].map(|name| dir.path().join(name).display().to_string());
    let place = ["--data-dir", &data, "--kek", &kek];
    assert_eq!(done(&[&["init"], &place[..]].concat()), "made 14 keys; 14 in all\n");
    assert_eq!(fs::metadata(&kek).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(done(&[&["init"], &place[..]].concat()), "made 0 keys; 14 in all\n");
    let listed = done(&[&["list"], &place[..]].concat());
    assert_eq!(listed.lines().count(), 14);
    let public = done(&[&["export-public"], &place[..]].concat());
    let public: serde_json::Value = serde_json::from_str(&public).unwrap();
    assert_eq!(public["keys"].as_array().unwrap().len(), 14);
    let shown = public.to_string() + &listed;
    assert!(!shown.contains("wrapped") && !shown.contains(fs::read_to_string(&kek).unwrap().trim()));

    assert_eq!(done(&[&["rotate", "--class", "auth"], &place[..]].concat()), "made 2 keys\n");
    assert_eq!(done(&[&["list"], &place[..]].concat()).lines().count(), 15, "the next key was replaced");
    refused(&[&["rotate", "--class", "nosuch"], &place[..]].concat(), "no such class");

    let class = dir.path().join("data/keys/auth");
    let some = fs::read_dir(class).unwrap().next().unwrap().unwrap().path();
    fs::set_permissions(&some, fs::Permissions::from_mode(0o604)).unwrap();
    refused(&[&["init"], &place[..]].concat(), "has mode 0604");
    fs::remove_file(&some).unwrap();
    refused(&[&["init"], &place[..]].concat(), "1 of its keys are gone");
    done(&[&["init", "--accept-missing"], &place[..]].concat());
    fs::remove_file(&kek).unwrap();
    refused(&[&["init"], &place[..]].concat(), "is missing");
}

/// Everything moves: the pseudonym keys and the archive's. Then the old key may be lost, and the new one comes from a command.
#[test]
fn another_kek_reads_everything_and_the_old_one_nothing() {
    let mut logveil = Logveil::start();
    let body = b"login of jane@example.com from 203.0.113.77\n";
    assert_eq!(http::post(logveil.http, "/v1/logs", &[], body).unwrap().status, 200);
    let (config, data) = (logveil.config(), logveil.dir().join("data"));
    let before = logveil.archived();
    assert!(before.contains("email_k"), "{before}");
    let place = ["--config", config.to_str().unwrap()];
    let with_place = |words: &[&str]| verb(&[words, &place].concat());
    with_place(&["subject", "suppress", "--email", "jane@example.com"]);
    with_place(&["subject", "erase", "--email", "john@example.com"]);
    let registered = with_place(&["subject", "requests", "list", "--all"]);
    assert_eq!(registered.lines().count(), 2, "{registered}");
    refused(&[&["rewrap"], &place[..], &["--to-command", "true"]].concat(), "every key is written anew");
    refused(&[&["rotate"], &place[..]].concat(), "POST /v1/keys/rotate on its admin listener");
    refused(&[&["init"], &place[..]].concat(), "a running one makes its keys by itself");
    logveil.signal(Signal::TERM);
    logveil.ends_well();
    let (old, new) = (fs::read(data.join("kek")).unwrap(), logveil.dir().join("new"));
    write_kek(&new, 7);
    let told = done(&[&["rewrap"], &place[..], &["--to-command", "cat", new.to_str().unwrap()]].concat());
    // 14 of pseudonyms, that of who is suppressed, and one for each hour in the archive.
    assert!(told.starts_with("wrapped 16 keys") || told.starts_with("wrapped 17 keys"), "{told}");
    assert!(!data.join("kek").exists());

    let text = fs::read_to_string(&config).unwrap();
    let command = format!("keyring: {{ kek: {{ command: [cat, {:?}] }} }}\n", new.display().to_string());
    fs::write(&config, text.clone() + &command).unwrap();
    assert_eq!(logveil.archived(), before);
    // Log, register and suppressions are sealed by the new key, and go on.
    with_place(&["audit", "verify-log"]);
    assert_eq!(with_place(&["subject", "requests", "list", "--all"]), registered);
    with_place(&["subject", "suppress", "--email", "jane@example.com", "--lift"]);
    with_place(&["check"]);

    fs::write(&config, text).unwrap();
    fs::write(data.join("kek"), old).unwrap();
    fs::set_permissions(data.join("kek"), fs::Permissions::from_mode(0o600)).unwrap();
    let unread = ends(&[&["archive", "cat"], &place[..]].concat(), 2).stdout;
    assert!(unread.is_empty(), "the old key opens nothing");
    // Nor does it vouch for the log.
    ends(&[&["audit", "verify-log"], &place[..]].concat(), 1);
}

/// The acts in the audit log, in their order, with what they were done to.
fn acts(data: &Path) -> Vec<(String, String)> {
    let log = fs::read_to_string(data.join("audit")).unwrap();
    let act = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let text = |key: &str| find(&line, key).unwrap_or_default();
        (text("act"), text("on"))
    };
    log.lines().map(act).collect()
}

/// The text of a member, at whatever depth the line has it.
fn find(value: &serde_json::Value, key: &str) -> Option<String> {
    let object = value.as_object()?;
    let own = object.get(key).and_then(|text| text.as_str()).map(str::to_owned);
    own.or_else(|| object.values().find_map(|value| find(value, key)))
}

#[test]
fn acts_on_keys_and_purges_stand_in_the_audit_log() {
    let dir = tempfile::tempdir().unwrap();
    let [data, kek, new] = ["data", "kek", "new"].map(|name| dir.path().join(name).display().to_string());
    let place = ["--data-dir", &data, "--kek", &kek];
    done(&[&["init"], &place[..]].concat());
    done(&[&["rotate", "--class", "auth"], &place[..]].concat());
    let id = done(&[&["list"], &place[..]].concat())[..5].to_owned();
    done(&[&["destroy", &id, "--confirm"], &place[..]].concat());
    done(&[&["rewrap"], &place[..], &["--to-kek", &new]].concat());
    let place = ["--data-dir", &data, "--kek", &new];
    verb(&[&["archive", "purge"], &place[..]].concat());
    let acts = acts(Path::new(&data));
    let names: Vec<&str> = acts.iter().map(|(act, _)| act.as_str()).collect();
    assert_eq!(names, ["keys init", "keys rotate", "keys destroy", "keys rewrap", "archive purge"]);
    assert_eq!(acts[2].1, id);
    verb(&[&["audit", "verify-log"], &place[..]].concat());
}

/// What the configuration names and is not there, where it is named, and what cannot be done without it.
#[test]
fn a_policy_that_pseudonymizes_without_a_keyring_is_refused_with_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let (config, data) = (dir.path().join("logveil.yaml"), dir.path().join("data"));
    let text = format!(
        "data_dir: {}\npolicy: capmonster\nkeyring: {{ kek: \"${{file:{}/none}}\" }}\n",
        data.display(),
        dir.path().display()
    );
    fs::write(&config, text).unwrap();
    for verb in ["check", "run"] {
        let refused = ends(&[verb, "--config", config.to_str().unwrap()], 2);
        let told = String::from_utf8_lossy(&refused.stderr).into_owned();
        let at = format!("logveil: {}:3: keyring.kek: {}/none: ", config.display(), dir.path().display());
        let needed = "policy capmonster@1 makes pseudonyms of email in class access and cannot without a key";
        assert!(told.starts_with(&at) && told.contains(needed), "{verb}: {told}");
        assert!(!data.exists(), "{verb}: nothing was begun");
    }
}

#[test]
fn a_lost_kek_is_told_apart_and_its_keys_are_ended() {
    let dir = tempfile::tempdir().unwrap();
    let [data, kek, new] = ["data", "kek", "new"].map(|name| dir.path().join(name).display().to_string());
    done(&["init", "--data-dir", &data, "--kek", &kek]);
    fs::remove_file(&kek).unwrap();
    write_kek(Path::new(&new), 9);
    let place = ["--data-dir", &data, "--kek", &new];
    refused(&[&["init"], &place[..]].concat(), "destroy --unreadable --confirm");
    refused(&[&["destroy", "--unreadable"], &place[..]].concat(), "--confirm");
    assert_eq!(
        done(&[&["destroy", "--unreadable", "--confirm"], &place[..]].concat()),
        "destroyed 14 keys\n"
    );
    assert_eq!(done(&[&["init"], &place[..]].concat()), "made 14 keys; 14 in all\n");
    assert_eq!(fs::read_to_string(dir.path().join("data/evidence")).unwrap().lines().count(), 14);
}

#[test]
fn a_command_that_fails_stops_the_start_and_is_not_quoted() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("logveil.yaml");
    let data = dir.path().join("data");
    let text = format!(
        "data_dir: {}\nkeyring: {{ kek: {{ command: [sh, -c, \"echo canary-7f3a; echo canary-7f3a >&2; exit 4\"] }} }}\n",
        data.display()
    );
    fs::write(&config, text).unwrap();
    let run = ends(&["run", "--config", config.to_str().unwrap()], 2);
    let told = String::from_utf8_lossy(&run.stderr).into_owned() + &String::from_utf8_lossy(&run.stdout);
    assert!(told.contains("\"sh\" ended with exit status: 4") && !told.contains("canary"), "{told}");
}

/// By rule in the stream and by request: afterwards the token has another pseudonym, and no place holds the token.
#[test]
fn a_logout_ends_a_session_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let policy = dir.path().join("policy.yaml");
    let text = "policy: shop\nlogout: [{ field: { event: logout } }]\n\
                classes: { '*': { entities: { session_id: { pseudonymize: { table: 7d } } } } }\n";
    fs::write(&policy, text).unwrap();
    let logveil =
        Logveil::start_after("  local: { kind: archive }\n", &format!("policy: {}\n", policy.display()));
    let token = "3f9a1c77e2b04d58a6c1";
    let tag = |event: &str| {
        let body = format!("{{\"event\":\"{event}\",\"session_id\":\"{token}\"}}\n");
        let json = ["Content-Type: application/x-ndjson"];
        assert_eq!(http::post(logveil.http, "/v1/logs", &json, body.as_bytes()).unwrap().status, 200);
        let all = logveil.archived();
        let last = all.lines().last().unwrap().to_owned();
        assert!(last.contains("\"session_id_k") && !all.contains(token), "{last}");
        last.split("\"session_id\":").nth(1).unwrap().to_owned()
    };
    let first = tag("view");
    assert_eq!(tag("logout"), first);
    let second = tag("view");
    assert_ne!(second, first);
    assert_eq!(tag("view"), second);
    let ask = |body: &str| http::post(logveil.admin, "/v1/sessions/logout", &[], body.as_bytes()).unwrap();
    let answer = ask(&format!("{{\"tokens\":[\"{token}\",\"nobody\"]}}"));
    assert_eq!((answer.status, answer.body.as_str()), (200, "{\"ended\":1}"));
    assert_ne!(tag("view"), second);
    for body in ["", "{}", "{\"tokens\":\"x\"}", "{\"tokens\":[],\"more\":1}"] {
        let answer = ask(body);
        assert_eq!(answer.status, 400, "{body}");
    }
    assert_eq!(ask(&"x".repeat(100_000)).status, 413);
    assert_eq!(http::get(logveil.admin, "/v1/sessions/logout").unwrap().status, 405);
    let acts = acts(&logveil.dir().join("data"));
    assert_eq!(acts.len(), 6, "each request, also those that were refused: {acts:?}");
    assert!(acts.iter().all(|(act, _)| act == "sessions logout"), "{acts:?}");
    logveil.stop();
}

/// While the table knows a session, whoever may find gets its pseudonyms, and by them its records; after a logout nobody does.
#[test]
fn a_session_is_found_while_the_table_knows_it() {
    let dir = tempfile::tempdir().unwrap();
    let (policy, role) = (dir.path().join("policy.yaml"), dir.path().join("officer.token"));
    fs::write(
        &policy,
        "policy: shop\nclasses: { '*': { entities: { session_id: { pseudonymize: { table: 7d } } } } }\n",
    )
    .unwrap();
    fs::write(&role, "officer-0123456789abcdef").unwrap();
    fs::set_permissions(&role, fs::Permissions::from_mode(0o600)).unwrap();
    let more = format!(
        "policy: {}\nroles: {{ officer: {{ may: [find, export], token: \"${{file:{}}}\" }} }}\n",
        policy.display(),
        role.display()
    );
    let logveil = Logveil::start_after("  local: { kind: archive }\n", &more);
    let (token, other) = ("3f9a1c77e2b04d58a6c1", "9e1b7c4405aa4d0f8f21");
    let body = format!(
        "{{\"session_id\":\"{token}\"}}\n{{\"session_id\":\"{other}\"}}\n{{\"session_id\":\"{token}\"}}\n"
    );
    assert_eq!(http::post(logveil.http, "/v1/logs", &[], body.as_bytes()).unwrap().status, 200);
    let bearer = ["Authorization: Bearer officer-0123456789abcdef"];
    let known = |headers: &[&str]| {
        let body = format!("{{\"tokens\":[\"{token}\",\"nobody\"]}}");
        http::post(logveil.admin, "/v1/sessions/find", headers, body.as_bytes()).unwrap()
    };
    assert_eq!(known(&[]).status, 401, "nobody finds without a role");
    let answer = known(&bearer);
    let told: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    let tags: Vec<&str> =
        told["pseudonyms"].as_array().unwrap().iter().map(|tag| tag.as_str().unwrap()).collect();
    let archived = logveil.archived();
    let stored = |tag: &&&str| archived.contains(**tag);
    assert_eq!(tags.iter().filter(stored).count(), 1, "{tags:?} in {archived}");
    assert!(!answer.body.contains(token), "{}", answer.body);
    let find = |value: &str| {
        let (config, role) = (logveil.config(), role.to_str().unwrap());
        let asked = ["subject", "find", "--token", value, "--format", "json", "--token-file", role];
        verb(&[&asked[..], &["--config", config.to_str().unwrap()]].concat())
    };
    let by_tag = find(tags.iter().find(stored).unwrap());
    assert!(by_tag.contains("\"found\":2"), "both records, and not the other's: {by_tag}");
    let by_value = find(token);
    assert!(by_value.contains("POST /v1/sessions/find"), "by the value it is told who knows: {by_value}");
    let ended = format!("{{\"tokens\":[\"{token}\"]}}");
    assert_eq!(http::post(logveil.admin, "/v1/sessions/logout", &[], ended.as_bytes()).unwrap().status, 200);
    assert_eq!(known(&bearer).body, "{\"pseudonyms\":[]}");
    let acts: Vec<String> = acts(&logveil.dir().join("data")).into_iter().map(|(act, _)| act).collect();
    assert_eq!(acts.iter().filter(|act| *act == "sessions find").count(), 3, "{acts:?}");
    logveil.stop();
}

/// The program itself is killed at ever later moments of a key's destruction; the next start ends what was begun, and one
/// line of evidence says so. The unit tests of `vault` stop after each single operation.
#[test]
fn a_destruction_that_is_killed_is_ended_by_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let [data, kek] = ["data", "kek"].map(|name| dir.path().join(name).display().to_string());
    let place = ["--data-dir", &data, "--kek", &kek];
    done(&[&["init"], &place[..]].concat());
    let ids: Vec<String> =
        done(&[&["list"], &place[..]].concat()).lines().map(|line| line[..5].to_owned()).collect();
    let started = Instant::now();
    done(&[&["destroy", &ids[0], "--confirm"], &place[..]].concat());
    let whole = started.elapsed();
    for (step, id) in ids.iter().enumerate().skip(1) {
        let wait = whole * u32::try_from(step).unwrap() / u32::try_from(ids.len()).unwrap();
        let mut destroying = Command::new(binary());
        destroying.args(["keys", "destroy", id, "--confirm"]).args(place).stdout(Stdio::null());
        let mut destroying = destroying.stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(wait);
        destroying.kill().unwrap();
        let ended = destroying.wait().unwrap();
        assert!(ended.success() || ended.code().is_none(), "it failed before it was killed: {ended}");
        done(&[&["init"], &place[..]].concat());
        let listed = done(&[&["list"], &place[..]].concat());
        if listed.lines().any(|line| line.starts_with(id.as_str())) {
            done(&[&["destroy", id, "--confirm"], &place[..]].concat());
        }
        let evidence = fs::read_to_string(dir.path().join("data/evidence")).unwrap();
        let of_it = evidence.lines().filter(|line| line.contains(&format!("\"id\":\"{id}\"")));
        assert_eq!(of_it.count(), 1, "killed after {wait:?}");
        assert!(!done(&[&["list"], &place[..]].concat()).contains(id.as_str()));
    }
}

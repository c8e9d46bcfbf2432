//! The stores on this machine's own disk: the archive, and directories of rotated files.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::Place;

const ARCHIVE: &str = "sinks:\n  local: { kind: archive }\n";

/// A policy with this limit for every class.
fn policy(place: &Place, retention: &str) {
    let text = format!("policy: p\nclasses:\n  \"*\": {{ retention: {retention} }}\n");
    fs::write(place.path().join("policy.yaml"), text).unwrap();
}

#[test]
fn an_archive_that_is_not_there_yet_is_compliant() {
    let place = Place::new(ARCHIVE);
    place.verifies(0, &["local  archive  access", "89 d 21 h 1 min", "compliant"]);
    place.retention(&["plan"]).is(0, &["configured 89 d 20 h + sweep 1 min + grace 1 h = 89 d 21 h 1 min"]);
    place.retention(&["apply"]).is(0, &["nothing to change"]);
}

/// The limits in force are those of the last `run`; a policy that is shorter now is not kept by itself.
#[test]
fn limits_in_force_that_are_longer_than_the_policys_are_found_and_mended() {
    let place =
        Place::new(&format!("policy: DIR/policy.yaml\nkeyring: {{ kek: \"${{file:DIR/kek}}\" }}\n{ARCHIVE}"));
    policy(&place, "90d");
    let kek = place.path().join("kek");
    fs::write(&kek, "0".repeat(64)).unwrap();
    fs::set_permissions(&kek, fs::Permissions::from_mode(0o600)).unwrap();
    // What `run` leaves: 90 days in force.
    fs::create_dir(place.path().join("data")).unwrap();
    let state = |limit_s: u64| {
        let limits: Vec<String> = ["access", "app", "activity", "auth", "payment", "support", "audit"]
            .iter()
            .map(|class| format!("\"{class}\":{limit_s}"))
            .collect();
        let text = format!(
            "{{\"format\":\"logveil-state/1\",\"high_water\":null,\"evidence\":0,\"ttl_s\":{{{}}}}}\n",
            limits.join(",")
        );
        fs::write(place.path().join("data/state"), text).unwrap();
    };
    state(90 * 86_400);
    place.verifies(0, &[]);
    policy(&place, "30d");
    place.verifies(
        1,
        &["store local, access, class access: exceeds the limit by 59 d 21 h 1 min: configured 89 d 20 h"],
    );
    place.retention(&["plan"]).is(0, &["change       limit in force: 7776000 s -> 2592000 s"]);
    let asked = place.retention(&["apply"]);
    asked.is(0, &["nothing was changed"]);
    place.verifies(1, &[]);
    place.retention(&["apply", "--yes"]).is(0, &["limit in force: 7776000 s -> 2592000 s", "compliant"]);
    place.verifies(0, &[]);
    // Behind its back.
    state(400 * 86_400);
    place.verifies(1, &["exceeds the limit by"]);
    place.retention(&["apply", "--yes"]).is(0, &[]);
    // None at all.
    state(90 * 86_400);
    let text = fs::read_to_string(place.path().join("data/state")).unwrap();
    fs::write(place.path().join("data/state"), text.replace("\"audit\":7776000", "\"other\":1")).unwrap();
    place.verifies(1, &["class audit: exceeds the limit without end: no limit is in force for the class"]);
    place.retention(&["apply", "--yes"]).is(0, &["compliant"]);
}

#[test]
fn a_directory_that_nobody_can_read_is_unknown() {
    let place = Place::new(
        "stores:\n  nginx: { kind: files, path: DIR/none/access.log, rotated: 24h, classes: [access] }\n",
    );
    place.verifies(1, &["store nginx, ", "class access: unknown: ", "No such file or directory"]);
    fs::create_dir(place.path().join("none")).unwrap();
    place.verifies(0, &["nginx"]);
}

#[test]
fn a_report_tells_what_was_done_and_a_changed_chain_tells_nothing() {
    let place = Place::new(ARCHIVE);
    place.verifies(0, &[]);
    place.verifies(0, &[]);
    place.retention(&["report"]).is(0, &["14 acts, their chain whole", "verified  local (archive)"]);
    place
        .retention(&["report", "--since", "2001-01-01", "--format", "json"])
        .is(0, &["\"acts\"", "\"standing\""]);
    let page = place.retention(&["report", "--format", "html"]);
    page.is(0, &["Age of the oldest record in local", "<svg ", "Every class is compliant in every store"]);
    assert!(!page.out.contains("<script"));
    let path = place.path().join("data/retention-evidence");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen("\"compliant\"", "\"unknown\"", 1)).unwrap();
    place.retention(&["report"]).is(3, &["the chain of hashes is broken at line 2"]);
}

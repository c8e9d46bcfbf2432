//! The interface of S3, by moto: a stand-in that keeps rules and objects, and deletes nothing by itself.

use std::process::Command;

use super::Place;
use crate::support::process::Process;
use crate::support::{free_port, http, venv, wait_until};

/// Moto checks no signatures, and lets nobody without one write twice.
const SOMEBODY: &str = "Authorization: AWS4-HMAC-SHA256 Credential=testing/20261128/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=x";

pub struct Moto {
    pub port: u16,
    _process: Process,
}

impl Moto {
    pub fn start(place: &Place) -> Moto {
        let port = free_port();
        let mut command = Command::new(venv("moto_server"));
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
        let mut process = Process::start(&mut command, place.path());
        process.wait_until("it answered", || {
            http::get(port, "/moto-api/").is_ok_and(|answer| answer.status == 200)
        });
        std::fs::write(place.path().join("key"), "testing\n").unwrap();
        Moto { port, _process: process }
    }

    #[track_caller]
    pub fn put(&self, path: &str, body: &str) {
        let answer = http::ask(self.port, "PUT", path, &[SOMEBODY], body.as_bytes()).unwrap();
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    }

    /// A store of the objects below `logs/CLASS/`, deleted by `lifecycle`.
    pub fn configuration(&self, class: &str, lifecycle: &str) -> String {
        format!(
            "stores:\n  cold: {{ kind: s3, url: \"http://127.0.0.1:{}\", bucket: logs, prefix: \"logs/{{class}}/\", \
             access_key: \"${{file:DIR/key}}\", secret_key: \"${{file:DIR/key}}\", lifecycle: {lifecycle}, classes: [{class}] }}\n",
            self.port
        )
    }
}

impl Moto {
    /// The keys of all versions and markers in the bucket.
    pub fn keys(&self) -> Vec<String> {
        let mut listed = String::new();
        // moto fails while somebody else deletes from what it lists.
        wait_until("the store lists its objects", || {
            let answer = http::get(self.port, "/logs?versions").unwrap();
            listed = answer.body;
            answer.status == 200
        });
        let keys = listed.split("<Key>").skip(1).filter_map(|part| part.split('<').next());
        keys.map(str::to_owned).collect()
    }

    pub fn keeps_versions(&self) {
        self.put(
            "/logs?versioning",
            "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>",
        );
    }
}

#[test]
fn a_bucket_is_judged_with_its_versions_and_set_without_touching_others_rules() {
    let place = Place::new("");
    let moto = Moto::start(&place);
    place.configure(&moto.configuration("access", "rules"));
    place.verifies(1, &["store cold, logs/access/, class access: unknown: there is no such bucket"]);
    moto.put("/logs", "");
    place.verifies(1, &["exceeds the limit without end: no rule is in force"]);
    let other = "<LifecycleConfiguration><Rule><ID>others</ID><Filter><Prefix>raw/</Prefix></Filter><Status>Enabled</Status>\
                 <Expiration><Days>7</Days></Expiration></Rule></LifecycleConfiguration>";
    moto.put("/logs?lifecycle", other);
    place.verifies(1, &["no rule is in force"]);
    moto.put("/logs/logs/access/2026/one.ndjson", "x");
    place.retention(&["apply", "--yes"]).is(0, &["Expiration.Days: not set -> 84 d", "compliant"]);
    let rules = http::get(moto.port, "/logs?lifecycle").unwrap().body;
    assert!(rules.contains("<ID>others</ID>") && rules.contains("logveil-logs/access/"), "{rules}");
    // Behind its back.
    moto.put("/logs?lifecycle", &other.replace("raw/", "logs/").replace(">7<", ">365<"));
    place.verifies(
        1,
        &["exceeds the limit by 277 d 1 h: configured 365 d + roll-over 1 h + rounding 1 d + sweep 1 d"],
    );
    place.retention(&["apply", "--yes"]).is(0, &["Expiration.Days: 365 d -> 84 d"]);
    // Versions: what expires is only hidden, unless a rule deletes noncurrent ones.
    moto.put(
        "/logs?versioning",
        "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>",
    );
    place.verifies(0, &["compliant"]);
    moto.put("/logs?lifecycle", &other.replace("raw/", "logs/").replace(">7<", ">80<"));
    place.verifies(1, &["the bucket keeps versions, and no rule deletes those that are noncurrent"]);
    place.retention(&["apply", "--yes"]).is(0, &["compliant"]);
}

/// In a bucket with versions: what is due goes with every version and marker, what is not and what is named otherwise
/// stays, and a program that is killed in the midst of it is followed by one that ends it.
#[test]
fn objects_of_hours_that_are_due_are_deleted_for_good_and_nothing_else() {
    let place = Place::new("");
    let moto = Moto::start(&place);
    let now = place.runnable(&moto.configuration("access", "own")).now;
    moto.put("/logs", "");
    moto.keeps_versions();
    let key = |days: i64, name: &str| {
        let at = now - jiff::SignedDuration::from_hours(24 * days);
        format!("logs/access/{}/{name}.ndjson", at.strftime("%Y-%m-%d/%H"))
    };
    let due: Vec<String> = (0..120).map(|n| key(91 + n % 5, &format!("due{n}"))).collect();
    for key in &due {
        moto.put(&format!("/logs/{key}"), "one");
    }
    // Written anew, hidden, and both: each has two versions, or a version and a marker.
    moto.put(&format!("/logs/{}", due[0]), "two");
    for key in &due[1..3] {
        http::ask(moto.port, "DELETE", &format!("/logs/{key}"), &[SOMEBODY], b"").unwrap();
    }
    let young = [key(0, "now"), key(88, "young")];
    let others = [
        "logs/access/keep/2020-01-01/00/x",
        "logs/access/2020-01-01/x",
        "logs/access2/2020-01-01/00/x",
        "raw/2020-01-01/00/x",
    ];
    for key in young.iter().map(String::as_str).chain(others) {
        moto.put(&format!("/logs/{key}"), "x");
    }
    let stays = |keys: &[String]| {
        young.iter().map(String::as_str).chain(others).all(|key| keys.iter().any(|there| there == key))
    };
    place.verifies(1, &["2 objects are not named logs/access/YYYY-MM-DD/HH/NAME, and only such are deleted"]);
    let left = || moto.keys().iter().filter(|key| due.contains(key)).count();
    assert_eq!(left(), 123);
    let mut process = place.start();
    process.wait_until("it began to delete", || left() < 123);
    process.kill();
    eprintln!("killed with {} left", left());
    assert!(stays(&moto.keys()));
    let mut process = place.start();
    process.wait_until("it deleted all that was due", || left() == 0);
    assert!(stays(&moto.keys()), "{:?}", moto.keys());
    wait_until("the evidence has it", || place.retention(&["report"]).out.contains("deleted   cold (s3)"));
    assert!(process.stop().status.success());
}

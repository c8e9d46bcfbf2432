//! The interface of S3, by moto: a stand-in that keeps rules and objects, and deletes nothing by itself.

use std::process::Command;

use super::Place;
use crate::support::process::Process;
use crate::support::{free_port, http, venv};

struct Moto {
    port: u16,
    _process: Process,
}

impl Moto {
    fn start(place: &Place) -> Moto {
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
    fn put(&self, path: &str, body: &str) {
        let answer = http::ask(self.port, "PUT", path, &[], body.as_bytes()).unwrap();
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    }

    fn configuration(&self) -> String {
        format!(
            "stores:\n  cold: {{ kind: s3, url: \"http://127.0.0.1:{}\", bucket: logs, prefix: \"logs/{{class}}/\", \
             access_key: \"${{file:DIR/key}}\", secret_key: \"${{file:DIR/key}}\", classes: [access] }}\n",
            self.port
        )
    }
}

#[test]
fn a_bucket_is_judged_with_its_versions_and_set_without_touching_others_rules() {
    let place = Place::new("");
    let moto = Moto::start(&place);
    place.configure(&moto.configuration());
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

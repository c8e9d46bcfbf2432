//! Whatever is wrong with a store: it is never called compliant, and nothing is set or deleted on a guess.

use std::io::Write;
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::running::lines;
use super::standin::{StandIn, no_records};
use super::{Place, Runnable};
use crate::support::http::{get, post};
use crate::support::{PATIENCE, wait_until};

/// One store of every kind that is asked over HTTP, at this port.
fn every_kind(port: u16) -> Vec<(&'static str, String)> {
    let key = "\"${file:DIR/key}\"";
    let keys = format!("access_key: {key}, secret_key: {key}");
    [
        ("clickhouse", "table: logs".to_owned()),
        ("opensearch", "index: logs".to_owned()),
        ("opensearch", "index: logs, lifecycle: own".to_owned()),
        ("elasticsearch", "index: logs".to_owned()),
        ("elasticsearch", "index: logs, lifecycle: ilm".to_owned()),
        ("loki", String::new()),
        ("victorialogs", String::new()),
        ("quickwit", "index: logs".to_owned()),
        ("splunk", "index: logs".to_owned()),
        ("datadog", format!("index: logs, api_key: {key}, application_key: {key}")),
        ("s3", format!("bucket: logs, prefix: logs/, {keys}")),
        ("s3", format!("bucket: logs, prefix: logs/, lifecycle: own, {keys}")),
        ("cloudwatch", format!("group: logs, region: eu-central-1, {keys}")),
    ]
    .into_iter()
    .map(|(kind, more)| {
        let comma = if more.is_empty() { "" } else { ", " };
        (
            kind,
            format!("{{ kind: {kind}, url: \"http://127.0.0.1:{port}\", classes: [access]{comma}{more} }}"),
        )
    })
    .collect()
}

fn all(port: u16) -> Place {
    let mut text = String::from("stores:\n");
    for (at, (kind, store)) in every_kind(port).into_iter().enumerate() {
        text += &format!("  {kind}{at}: {store}\n");
    }
    let place = Place::new(&text);
    std::fs::write(place.path().join("key"), "0123456789abcdef").unwrap();
    place
}

#[test]
fn whatever_a_store_answers_it_is_not_compliant_and_nothing_is_set() {
    let text = |text: &str| Value::String(text.to_owned());
    let answers = [
        (200, json!({ "acknowledged": true })),
        (200, text("")),
        (200, text("<html>Welcome</html>")),
        (200, text("{\"data\": [")),
        // A list of objects that does not say whether it goes on.
        (200, text("<ListVersionsResult></ListVersionsResult>")),
        (204, text("")),
        (302, json!({})),
        (401, json!({ "error": "who?" })),
        (403, json!({ "error": "no" })),
        (404, json!({ "error": "not here" })),
        (429, json!({})),
        (500, json!({})),
        (503, text("try later")),
    ];
    for (status, body) in answers {
        let changes = Arc::new(Mutex::new(Vec::new()));
        let (shared, given) = (Arc::clone(&changes), body.clone());
        let stand_in = StandIn::start(move |method, path, asked| {
            let sql = asked.as_str().unwrap_or_default();
            let asks_for_change =
                ["/_ism/add/", "/change_policy/", "/delete"].iter().any(|verb| path.contains(verb));
            if matches!(method, "DELETE" | "PUT") || asks_for_change || sql.starts_with("ALTER") {
                shared.lock().unwrap().push(format!("{method} {path}"));
            }
            (status, given.clone())
        });
        let place = all(stand_in.port);
        let verified = place.retention(&["verify", "--format", "json"]);
        assert_eq!(verified.code, Some(1), "{status} {body}");
        let told: Vec<Value> = serde_json::from_str(&verified.out).unwrap();
        // The archive is there without being named.
        let told: Vec<&Value> = told.iter().filter(|told| told["kind"] != "archive").collect();
        assert_eq!(told.len(), every_kind(1).len());
        for told in &told {
            assert_ne!(told["verdict"], "compliant", "{status} {body}: {told}");
        }
        assert!(told.iter().any(|told| told["verdict"] == "unknown"), "{status} {body}: {}", verified.out);
        assert_eq!(place.retention(&["apply", "--yes"]).code, Some(1));
        assert!(changes.lock().unwrap().is_empty(), "{status} {body}: {:?}", changes.lock().unwrap());
    }
}

#[test]
fn a_store_that_is_down_slow_or_endless_is_unknown() {
    let down = all(1);
    let verified = down.retention(&["verify"]);
    verified.is(1, &["unknown: cannot connect"]);
    assert_eq!(verified.err.matches("unknown: ").count(), every_kind(1).len(), "{}", verified.err);

    // Takes connections and answers nobody. All are asked at the same time.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let verified = all(silent.local_addr().unwrap().port()).retention(&["verify"]);
    verified.is(1, &["unknown: no answer within"]);
    assert_eq!(verified.err.matches("unknown: ").count(), every_kind(1).len(), "{}", verified.err);

    // Lists more indices than are read.
    let listed: String =
        (0..200_000).map(|n| format!("{{\"index\":\"logs-{n}\",\"creation.date\":\"0\"}},")).collect();
    let listed = Value::String(format!("[{}]", listed.trim_end_matches(',')));
    let endless = StandIn::start(move |_, _, _| (200, listed.clone()));
    let place = super::standin::place(endless.port, "opensearch");
    place.verifies(1, &["unknown: the answer is longer than"]);
}

#[test]
fn a_clock_that_is_apart_from_ours_makes_ages_unknown() {
    for date in ["Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 2044 08:49:37 GMT"] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let body = json!({ "name": "logs", "num_retention_days": 30, "data": [] }).to_string();
                let answer = format!(
                    "HTTP/1.1 200 OK\r\nDate: {date}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                );
                let mut head = [0; 4096];
                let _ = std::io::Read::read(&mut stream, &mut head)
                    .and_then(|_| stream.write_all(answer.as_bytes()));
            }
        });
        let place = Place::new(&format!(
            "stores:\n  dd: {{ kind: datadog, url: \"http://127.0.0.1:{port}\", index: logs, classes: [access], \
             api_key: \"${{file:DIR/key}}\", application_key: \"${{file:DIR/key}}\" }}\n"
        ));
        std::fs::write(place.path().join("key"), "0123456789abcdef").unwrap();
        place.verifies(1, &["unknown: its clock stands", "so that ages cannot be told"]);
    }
}

#[test]
fn a_limit_that_no_store_can_keep_is_refused_with_the_least_one() {
    for (at, (kind, store)) in every_kind(1).into_iter().enumerate() {
        let place = Place::new(&format!("policy: DIR/policy.yaml\nstores:\n  it: {store}\n"));
        std::fs::write(place.path().join("key"), "0123456789abcdef").unwrap();
        std::fs::write(place.path().join("policy.yaml"), "policy: p\nclasses:\n  \"*\": { retention: 3h }\n")
            .unwrap();
        let ran = place.retention(&["verify"]);
        match kind {
            // They keep hours, too.
            "clickhouse" | "splunk" => assert_eq!(ran.code, Some(1), "{at} {kind}: {}", ran.err),
            "s3" if store.contains("own") => assert_eq!(ran.code, Some(1), "{at} {kind}: {}", ran.err),
            _ => ran.is(
                2,
                &["cannot keep the limit of class access, 3h: ", "the shortest limit possible there is "],
            ),
        }
    }
}

/// F53, over the whole program: a store says that it deleted and keeps the data.
#[test]
fn a_store_that_keeps_what_it_said_it_deleted_gets_nothing_more() {
    let (honest, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let (shared, deletions) = (Arc::clone(&honest), Arc::clone(&asked));
    let mut there = true;
    let stand_in =
        StandIn::start(move |method, path, _| match (method, path.split('?').next().unwrap_or_default()) {
            ("GET", "/_cat/indices/logs-app*") => {
                there &= !shared.load(Ordering::SeqCst);
                let index = json!({ "index": "logs-app-2024.01.01", "creation.date": "1704067200000" });
                (200, if there { json!([index]) } else { json!([]) })
            }
            ("POST", "/logs-app*/_search") => (200, no_records()),
            ("DELETE", "/logs-app-2024.01.01") => {
                deletions.fetch_add(1, Ordering::SeqCst);
                (200, json!({ "acknowledged": true }))
            }
            _ => (400, json!({ "error": "no handler" })),
        });
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let sink = listener.local_addr().unwrap().port();
    let got = lines(listener);
    let place = Place::new("");
    let Runnable { http, admin, .. } = place.runnable(&format!(
        "sinks:\n  next: {{ kind: syslog, tcp: \"127.0.0.1:{sink}\", framing: lf }}\n\
         stores:\n  next: {{ kind: opensearch, url: \"http://127.0.0.1:{}\", index: \"logs-{{class}}\", lifecycle: own, classes: [app] }}\n",
        stand_in.port
    ));
    let mut process = place.start();
    process.wait_until("it deleted what is due, as it is told", || asked.load(Ordering::SeqCst) > 0);
    // It is acknowledged once the sink has it.
    let sent = std::thread::spawn(move || post(http, "/v1/logs", &[], b"held"));
    let metrics = || get(admin, "/metrics").map(|answer| answer.body).unwrap_or_default();
    wait_until("the sink was kept from it", || {
        metrics().contains("logveil_sink_errors_total{kind=\"unverified\",sink=\"next\"}")
    });
    place.verifies(1, &["index logs-app-2024.01.01 should be deleted and is there"]);
    assert!(got.try_recv().is_err(), "it got nothing");
    place.retention(&["report"]).is(0, &["deleted   next (opensearch)", "exceeds"]);
    honest.store(true, Ordering::SeqCst);
    assert!(got.recv_timeout(PATIENCE).unwrap().ends_with("held"), "what was held comes once it is gone");
    drop(sent);
    assert!(process.stop().status.success());
}

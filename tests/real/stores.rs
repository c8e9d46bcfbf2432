//! Real stores behind the sinks: what was sent is asked of the store itself.

use std::io::Write;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::support::logveil::Logveil;
use crate::support::planted::{self, messages};
use crate::support::process::{Process, run};
use crate::support::proxy::{Fault, Proxy};
use crate::support::{free_port, http, python, root, wait_until};

const RECORDS: usize = 1000;

/// Sends messages as RFC 5424 over TCP, each from the process of that name.
fn send(port: u16, messages: &[String], procid: impl Fn(usize) -> &'static str) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    for (at, message) in messages.iter().enumerate() {
        writeln!(stream, "<14>1 2026-01-02T03:04:05Z web1 shop {} - - {message}", procid(at)).unwrap();
    }
}

/// A store that a test started.
struct Store {
    _process: Process,
    port: u16,
    dir: TempDir,
}

impl Store {
    #[track_caller]
    fn start(command: impl FnOnce(u16, &Path) -> Command, ready: &str) -> Store {
        let (port, dir) = (free_port(), TempDir::new().unwrap());
        let mut process = Process::start(&mut command(port, dir.path()), dir.path());
        process.wait_until("the store answers", || http::get(port, ready).is_ok());
        Store { _process: process, port, dir }
    }

    #[track_caller]
    fn ask(&self, path: &str, headers: &[&str], body: &str) -> String {
        let answer = http::post(self.port, path, headers, body.as_bytes()).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body
    }
}

/// A look-alike of OpenSearch (osmem-server), which is not the engine: mappings, conflicts and per-item errors are
/// its own.
#[track_caller]
fn opensearch() -> Store {
    let start = |port, _: &Path| {
        let mut command = Command::new(installed("osmem_server/bin/osmem-server"));
        command.args(["-addr", &format!("127.0.0.1:{port}"), "-no-stdin-watch"]);
        command
    };
    Store::start(start, "/")
}

/// A file that a Python package brought.
#[track_caller]
fn installed(file: &str) -> PathBuf {
    let libraries = root().join("tests/.venv/lib");
    let found = std::fs::read_dir(&libraries).ok().and_then(|entries| {
        entries
            .flatten()
            .map(|entry| entry.path().join("site-packages").join(file))
            .find(|path| path.is_file())
    });
    found.unwrap_or_else(|| panic!("{file} is not installed; tests/run.sh installs what the tests need"))
}

/// Documents of all indices of logs.
fn documents(store: &Store) -> Vec<serde_json::Value> {
    let Ok(answer) = http::get(store.port, "/logs-*/_search?size=5000") else { return Vec::new() };
    let found: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    found["hits"]["hits"].as_array().cloned().unwrap_or_default()
}

#[track_caller]
fn clean_once(messages: &[&str], count: usize) {
    planted::each_once_and_clean(count, &messages.join("\n"));
}

/// A record that the mapping refuses is given up by itself; each other one is one document under its own id.
#[test]
fn the_opensearch_look_alike_has_each_record_once() {
    let store = opensearch();
    let mapping = r#"{"index_patterns":["logs-*"],"template":{"mappings":{"properties":{"procid":{"type":"integer"}}}}}"#;
    let made = http::ask(
        store.port,
        "PUT",
        "/_index_template/logs",
        &["Content-Type: application/json"],
        mapping.as_bytes(),
    );
    assert_eq!(made.unwrap().status, 200);
    let logveil = Logveil::start_with(&format!(
        "  search: {{ kind: opensearch, url: \"http://127.0.0.1:{}\", index: \"logs-{{class}}\", compression: gzip }}\n",
        store.port
    ));
    let all = messages(RECORDS + 5);
    send(logveil.syslog, &all, |at| if at < RECORDS { "77" } else { "none" });
    wait_until("the store has all", || documents(&store).len() >= RECORDS);
    let refused = "logveil_records_refused_total{sink=\"search\"} 5\n";
    wait_until("what it refused is counted", || logveil.metrics().contains(refused));
    let found = documents(&store);
    let told: Vec<&str> = found.iter().filter_map(|hit| hit["_source"]["message"].as_str()).collect();
    clean_once(&told, RECORDS);
    for hit in &found {
        assert_eq!((&hit["_index"], &hit["_id"]), (&"logs-app".into(), &hit["_source"]["id"]));
        assert!(
            hit["_source"]["@timestamp"].is_string() && hit["_source"]["expires_at"].is_string(),
            "{hit}"
        );
    }
    wait_until("and kept", || logveil.dead_letters(&["list"]).lines().count() == 5);
    let letters = logveil.dead_letters(&["list"]);
    assert_eq!(
        letters.matches("search: refused item 400 mapper_parsing_exception: ").count(),
        5,
        "{letters}"
    );
    logveil.stop();
}

/// ClickHouse's engine (chdb) behind a shim of its HTTP interface.
#[track_caller]
fn clickhouse() -> Store {
    let start = |port: u16, dir: &Path| {
        let mut command = python();
        command.arg(root().join("tests/support/clickhouse.py")).arg(port.to_string()).arg(dir.join("data"));
        command
    };
    let store = Store::start(start, "/?query=SELECT%201");
    store.ask(
        "/",
        &[],
        "CREATE TABLE logs (id String, received DateTime64(6), class LowCardinality(String), procid UInt32, \
         expires_at DateTime64(6), policy LowCardinality(String), message String) ENGINE = MergeTree \
         PARTITION BY toYYYYMMDD(received) ORDER BY (class, received) TTL toDateTime(expires_at) \
         SETTINGS non_replicated_deduplication_window = 1000",
    );
    store
}

#[test]
fn clickhouse_has_each_record_once() {
    let store = clickhouse();
    let logveil = Logveil::start_with(&format!(
        "  db: {{ kind: clickhouse, url: \"http://127.0.0.1:{}\", table: logs, compression: gzip, \
         batch: {{ records: 300 }} }}\n",
        store.port
    ));
    let all = messages(RECORDS + 2);
    send(logveil.syslog, &all, |at| if at < RECORDS { "77" } else { "none" });
    let count = || store.ask("/", &[], "SELECT count() FROM logs").trim().parse::<usize>().unwrap();
    wait_until("the store has all", || count() >= RECORDS);
    let refused = "logveil_records_refused_total{sink=\"db\"} 2\n";
    wait_until("what it refused is counted", || logveil.metrics().contains(refused));
    wait_until("and kept", || logveil.dead_letters(&["list"]).lines().count() == 2);
    logveil.stop();
    let told = store.ask("/", &[], "SELECT message FROM logs");
    planted::each_once_and_clean(RECORDS, told.trim_end());
    let odd = "SELECT count() FROM logs WHERE class != 'app' OR NOT startsWith(policy, 'default@') \
               OR expires_at != received + INTERVAL 90 DAY";
    assert_eq!(store.ask("/", &[], odd).trim(), "0");
    planted::nothing_below(store.dir.path());
}

/// F17: the engine took the rows, and its answer was lost. The same insert comes again under the same token, and the
/// table keeps it once.
#[test]
fn clickhouse_keeps_once_what_comes_twice() {
    let store = clickhouse();
    let proxy = Proxy::start(store.port, Fault::LoseAnswers);
    let logveil = Logveil::start_with(&format!(
        "  db: {{ kind: clickhouse, url: \"http://127.0.0.1:{}\", table: logs, batch: {{ records: 300 }} }}\n",
        proxy.port
    ));
    send(logveil.syslog, &messages(RECORDS), |_| "77");
    let count = || store.ask("/", &[], "SELECT count() FROM logs").trim().parse::<usize>().unwrap();
    wait_until("rows are there of which nobody knows", || count() > 0);
    wait_until("the insert came again", || logveil.metric("logveil_sink_retries_total{sink=\"db\"}") > 0);
    proxy.set(Fault::None);
    let sent = format!("logveil_records_sent_total{{class=\"app\",sink=\"db\"}} {RECORDS}\n");
    wait_until("all are sent", || logveil.metrics().contains(&sent));
    logveil.stop();
    planted::each_once_and_clean(RECORDS, store.ask("/", &[], "SELECT message FROM logs").trim_end());
}

/// Sends records through a sink to the stand-ins; what they kept. Of `refused` more, which the store does not take, the
/// program must say so.
#[track_caller]
fn stand_in(sink: &str, refused: usize) -> Vec<serde_json::Value> {
    let start = |port: u16, dir: &Path| {
        let mut command = python();
        let program = root().join("tests/support/standins.py");
        command.arg(program).arg(port.to_string()).arg(dir.join("kept.jsonl"));
        command
    };
    let store = Store::start(start, "/");
    let token = store.dir.path().join("token");
    std::fs::write(&token, "token-7f3a\n").unwrap();
    let sink = sink
        .replace("URL", &format!("http://127.0.0.1:{}", store.port))
        .replace("TOKEN", &format!("\"${{file:{}}}\"", token.display()));
    let logveil = Logveil::start_with(&format!("  store: {{ {sink} }}\n"));
    let mut all = messages(RECORDS + refused);
    if sink.contains("victorialogs") {
        all.iter_mut().skip(RECORDS).for_each(|message| message.push_str(&" long".repeat(60_000)));
    }
    send(logveil.syslog, &all, |at| if at < RECORDS { "77" } else { "none" });
    let kept = || std::fs::read_to_string(store.dir.path().join("kept.jsonl")).unwrap_or_default();
    wait_until("the store has all", || kept().lines().count() >= RECORDS);
    if refused > 0 {
        let counted = format!("logveil_records_refused_total{{sink=\"store\"}} {refused}\n");
        wait_until("what it refused is counted", || logveil.metrics().contains(&counted));
        wait_until("and kept", || logveil.dead_letters(&["list"]).lines().count() == refused);
    }
    logveil.stop();
    let kept: Vec<serde_json::Value> =
        kept().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: Vec<&str> = kept.iter().filter_map(|record| record["message"].as_str()).collect();
    clean_once(&told, RECORDS);
    kept
}

#[test]
fn the_stand_in_for_loki_has_each_record_once() {
    for record in stand_in("kind: loki, url: \"URL\", labels: [class, app]", 3) {
        assert_eq!(record["labels"], r#"{class="app",app="shop"}"#);
        assert!(record["expires_at"].is_string() && record["id"].is_string(), "{record}");
        assert_eq!(record["host"], "web1");
    }
}

/// What is longer than a line may be the store would drop and say nothing; we say so in its place.
#[test]
fn the_stand_in_for_victorialogs_has_each_record_once() {
    for record in stand_in("kind: victorialogs, url: \"URL\", compression: gzip", 2) {
        assert_eq!((&record["class"], &record["app"]), (&"app".into(), &"shop".into()));
        assert!(record["expires_at"].is_string() && record["policy"].is_string(), "{record}");
    }
}

#[test]
fn the_stand_in_for_splunk_has_each_record_once_and_says_when_it_is_written() {
    let sink = "kind: splunk, url: \"URL\", token: TOKEN, index: \"logs-{class}\", acks: true";
    for record in stand_in(sink, 2) {
        assert_eq!((&record["index"], &record["app"]), (&"logs-app".into(), &"shop".into()));
        assert!(record["expires_at"].is_string(), "{record}");
    }
}

/// Strict about content types, the end of a body and the names of indices. What it has already, a conflict, is no loss.
#[test]
fn the_stand_in_for_elasticsearch_has_each_record_once() {
    let sink = "kind: elasticsearch, url: \"URL\", index: \"logs-{class}-{date}\", compression: gzip";
    for record in stand_in(sink, 3) {
        assert_eq!(record["document"], record["id"]);
        let index = record["index"].as_str().unwrap();
        let day = record["received"].as_str().unwrap()[..10].replace('-', ".");
        assert_eq!(index, format!("logs-app-{day}"));
    }
}

/// A receiver made of opentelemetry-proto.
#[test]
fn a_receiver_of_otlp_has_each_record_once() {
    for record in stand_in("kind: otlp, url: \"URL\", compression: gzip", 3) {
        assert_eq!((&record["host.name"], &record["service.name"]), (&"web1".into(), &"shop".into()));
        assert_eq!((&record["severity"], &record["logveil.class"]), (&9.into(), &"app".into()));
        assert!(record["logveil.expires_at"].is_string(), "{record}");
    }
}

/// moto keeps objects as S3 does; it does not check signatures.
#[test]
fn an_s3_of_moto_has_each_record_once() {
    let start = |port: u16, _: &Path| {
        let mut command = Command::new(root().join("tests/.venv/bin/moto_server"));
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
        command
    };
    let store = Store::start(start, "/moto-api/");
    let objects = |what: &str| {
        let program = root().join("tests/support/objects.py");
        let output = run(python().arg(program).arg(store.port.to_string()).arg(what));
        String::from_utf8(output.stdout).unwrap()
    };
    objects("make");
    for name in ["key", "secret"] {
        std::fs::write(store.dir.path().join(name), name).unwrap();
    }
    let file = |name: &str| format!("\"${{file:{}}}\"", store.dir.path().join(name).display());
    let logveil = Logveil::start_with(&format!(
        "  cold: {{ kind: s3, url: \"http://127.0.0.1:{}\", bucket: logs, region: eu-central-1, prefix: eu, \
         access_key: {}, secret_key: {}, compression: gzip }}\n",
        store.port,
        file("key"),
        file("secret")
    ));
    send(logveil.syslog, &messages(RECORDS), |_| "77");
    let sent = format!("logveil_records_sent_total{{class=\"app\",sink=\"cold\"}} {RECORDS}\n");
    wait_until("all are sent", || logveil.metrics().contains(&sent));
    logveil.stop();
    let mut told = Vec::new();
    for line in objects("cat").lines() {
        let (key, line) = line.split_once('\t').unwrap();
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        let received = record["received"].as_str().unwrap();
        let hour = format!("eu/app/{}/{}/", &received[..10], &received[11..13]);
        assert!(key.starts_with(&hour) && key.ends_with(".ndjson.gz"), "{key}");
        told.push(record["message"].as_str().unwrap().to_owned());
    }
    planted::each_once_and_clean(RECORDS, &told.join("\n"));
}

//! Real stores behind the sinks: what was sent is asked of the store itself.

use std::io::Write;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::support::logveil::Logveil;
use crate::support::planted::{self, messages};
use crate::support::process::Process;
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
    let err = logveil.stop_short();
    assert!(err.contains("mapper_parsing_exception"), "{err}");
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
    logveil.stop_short();
    let told = store.ask("/", &[], "SELECT message FROM logs");
    planted::each_once_and_clean(RECORDS, told.trim_end());
    let odd = "SELECT count() FROM logs WHERE class != 'app' OR NOT startsWith(policy, 'default@') \
               OR expires_at != received + INTERVAL 90 DAY";
    assert_eq!(store.ask("/", &[], odd).trim(), "0");
    planted::nothing_below(store.dir.path());
}

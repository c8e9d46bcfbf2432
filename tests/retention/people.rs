//! Requests of people and leak audits over stores: real engines, a look-alike, and stand-ins that lie or cannot.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::clickhouse::Engine;
use super::nats::Server;
use super::s3::Moto;
use super::standin::StandIn;
use super::{Place, Ran};
use crate::support::logveil::{Logveil, binary};
use crate::support::process::Process;
use crate::support::{free_port, http, venv};

const JANE: &str = "email jane.zqplanted@example.com\n";
/// Records of nobody, so that no store gives out all at once.
const OTHERS: usize = 1_100;

/// A program with four records of Jane and six of John, and a configuration of its data directory with other stores.
struct Case {
    logveil: Logveil,
    config: PathBuf,
    /// What stands in the archive for the ten records, and so in every store.
    clean: Vec<String>,
}

impl Case {
    fn new(stores: &str) -> Case {
        let logveil = Logveil::start();
        let of = |n| if n % 3 == 0 { "jane.zqplanted@Example.com" } else { "john.zqplanted@example.com" };
        let line = |n| json!({ "message": format!("rec-{n} login of {}", of(n)) }).to_string();
        let lines: Vec<String> = (0..10).map(line).collect();
        let json = ["Content-Type: application/x-ndjson"];
        let answer = http::post(logveil.http, "/v1/logs", &json, lines.join("\n").as_bytes()).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
        let clean = logveil.archived().lines().map(str::to_owned).collect();
        let config = logveil.dir().join("asked.yaml");
        let case = Case { logveil, config, clean };
        case.configure(stores);
        case
    }

    fn configure(&self, stores: &str) {
        let text = fs::read_to_string(self.logveil.config()).unwrap() + "stores:\n" + stores;
        fs::write(&self.config, text).unwrap();
    }

    /// A verb of `subject` about Jane.
    fn subject(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new(binary());
        command.arg("subject").args(arguments).args(["--value-from", "-", "--config"]).arg(&self.config);
        ran(&mut command, JANE)
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        ran(Command::new(binary()).args(arguments).arg("--config").arg(&self.config), "")
    }

    /// What `find` tells of a store.
    fn found(&self, store: &str) -> (u64, u64) {
        let ran = self.subject(&["find", "--format", "json"]);
        let told: Value = serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{}{}", ran.out, ran.err));
        let told = told["stores"].as_array().unwrap().iter().find(|told| told["store"] == store).cloned();
        let told = told.unwrap_or_else(|| panic!("{store}: {}", ran.out));
        (told["found"].as_u64().unwrap(), told["searched"].as_u64().unwrap())
    }
}

fn ran(command: &mut Command, values: &str) -> Ran {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(values.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let ran = Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) };
    assert!(!ran.out.contains("zqplanted") && !ran.err.contains("zqplanted"), "{}{}", ran.out, ran.err);
    ran
}

/// A look-alike of OpenSearch (osmem-server).
fn look_alike(dir: &Path) -> (u16, Process) {
    let port = free_port();
    let mut command = Command::new(venv("osmem-server"));
    command.args(["-addr", &format!("127.0.0.1:{port}"), "-no-stdin-watch"]);
    let mut process = Process::start(&mut command, dir);
    process.wait_until("it answered", || http::get(port, "/").is_ok_and(|answer| answer.status == 200));
    (port, process)
}

fn documents(port: u16, lines: &[String]) {
    let mut body = String::new();
    for (at, line) in lines.iter().enumerate() {
        let document = json!({ "received": "2026-11-22T10:00:00Z", "class": "app", "message": line });
        body += &format!(
            "{}\n{document}\n",
            json!({ "create": { "_index": "logs-2026.11.22", "_id": at.to_string() } })
        );
    }
    let headers = ["Content-Type: application/x-ndjson"];
    let answer = http::post(port, "/_bulk?refresh=true", &headers, body.as_bytes()).unwrap();
    assert!(answer.body.contains("\"errors\":false"), "{}", answer.body);
}

#[test]
fn one_person_is_found_exported_and_erased_in_real_engines() {
    let place = Place::new("");
    let (engine, server) = (Engine::start(&place), Server::start(&place));
    let (search, _process) = look_alike(place.path());
    server.stream(std::time::Duration::from_secs(80 * 86_400));
    let case = Case::new(&format!(
        "  ch: {{ kind: clickhouse, url: \"http://127.0.0.1:{}\", table: logs, classes: [app] }}\n  \
         js: {{ kind: nats, url: \"nats://127.0.0.1:{}\", stream: LOGS, token: \"${{file:{}}}\", classes: [app] }}\n  \
         search: {{ kind: opensearch, url: \"http://127.0.0.1:{search}\", index: logs, classes: [app] }}\n",
        engine.port,
        server.port,
        place.path().join("token").display()
    ));
    let others = (0..OTHERS).map(|n| format!("nobody {n}"));
    let lines: Vec<String> = case.clean.iter().cloned().chain(others).collect();
    engine.run(
        "CREATE TABLE logs (received DateTime64(3), class String, tags Map(String, Nullable(String)), \
                n Nullable(Int64), message String) ENGINE = MergeTree ORDER BY received",
    );
    // All of one moment, and one of Jane's twice: pages end within them.
    let row = |line: &String| format!("('2026-11-22 10:00:00', 'app', map('a', NULL), NULL, '{line}')");
    let rows: Vec<String> = lines.iter().chain(&case.clean[..1]).map(row).collect();
    engine.run(&format!("INSERT INTO logs VALUES {}", rows.join(",")));
    server.publish_all(lines.iter().map(|line| json!({ "message": line }).to_string()));
    documents(search, &lines);
    let all = lines.len() as u64;
    for (store, of) in [
        ("archive", (4, 10)),
        ("ch (clickhouse)", (5, all + 1)),
        ("js (nats)", (4, all)),
        ("search (opensearch)", (4, all)),
    ] {
        assert_eq!(case.found(store), of, "{store}");
    }

    let exported: Value = serde_json::from_str(&case.subject(&["export"]).out).unwrap();
    assert_eq!(exported["records"].as_array().unwrap().len(), 4 + 5 + 4 + 4, "{exported}");
    assert_eq!(exported["not_searched"], json!([]));

    let erased = case.subject(&["erase", "--yes"]);
    erased.is(
        0,
        &[
            "ch (clickhouse): erased 5 records; a search afterwards found none",
            "js (nats): erased 4 records; a search afterwards found none",
            "search (opensearch): erased 4 records; a search afterwards found none",
            "is closed",
        ],
    );
    assert_eq!(
        engine.run("SELECT count(), countIf(message LIKE '%rec-%') FROM logs").trim(),
        format!("{}\t6", OTHERS + 6)
    );
    assert_eq!(case.found("js (nats)"), (0, all - 4));
    assert_eq!(case.found("search (opensearch)"), (0, all - 4));
    case.run(&["audit", "verify-log"]).is(0, &["sound"]);
    let report = case.run(&["retention", "report", "--format", "json"]);
    report.is(0, &["erased 5 records; a search afterwards found none", "mutations ended"]);
    // No query that the engine keeps names anybody, or what stands for her.
    let log = engine.run("SELECT arrayStringConcat(groupArray(command)) FROM system.mutations");
    assert!(!log.contains("zqplanted") && !log.contains("email_"), "{log}");
    case.logveil.stop();
}

/// VictoriaLogs: records by `id`, and tasks that delete.
struct Victoria {
    records: Vec<(String, String)>,
    /// Whether a task deletes what it says; a task ends after some questions in any case.
    deletes: bool,
    enabled: bool,
    active: u32,
}

impl Victoria {
    fn answer(&mut self, method: &str, path: &str) -> (u16, Value) {
        let (route, query) = path.split_once('?').unwrap_or((path, ""));
        let query = unescaped(query);
        match (method, route) {
            ("GET", "/select/logsql/query")
                if query == "query=class:=\"app\" | sort by (_time) limit 1000" =>
            {
                let line = |(id, message): &(String, String)| {
                    json!({ "_time": "2026-11-22T10:00:00Z", "class": "app", "id": id, "_msg": message })
                        .to_string()
                        + "\n"
                };
                (200, Value::String(self.records.iter().map(line).collect()))
            }
            ("POST", "/delete/run_task") if !self.enabled => {
                (400, json!("requests to /delete/* are disabled"))
            }
            ("POST", "/delete/run_task") => {
                let ids = query
                    .strip_prefix("filter=class:=\"app\" AND id:in(\"")
                    .and_then(|ids| ids.strip_suffix("\")"));
                let Some(ids) = ids else { return (400, json!("no such filter")) };
                if self.deletes {
                    self.records.retain(|(id, _)| !ids.split("\",\"").any(|gone| gone == id));
                }
                self.active = 3;
                (200, json!({ "task_id": "t1" }))
            }
            ("GET", "/delete/active_tasks") => {
                self.active = self.active.saturating_sub(1);
                let active = if self.active > 0 { json!([{ "task_id": "t1" }]) } else { json!([]) };
                (200, active)
            }
            _ => (400, json!("no such path")),
        }
    }
}

fn unescaped(query: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = query.as_bytes();
    while let [first, behind @ ..] = rest {
        let hex = behind.get(..2).and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        match (first, hex) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &behind[2..];
            }
            _ => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_store_that_says_it_deleted_and_did_not_is_not_proved() {
    let victoria =
        Arc::new(Mutex::new(Victoria { records: Vec::new(), deletes: false, enabled: false, active: 0 }));
    let shared = Arc::clone(&victoria);
    let stand_in = StandIn::start(move |method, path, _| shared.lock().unwrap().answer(method, path));
    let case = Case::new(&format!(
        "  vl: {{ kind: victorialogs, url: \"http://127.0.0.1:{}\", classes: [app] }}\n",
        stand_in.port
    ));
    let record = |(at, line): (usize, &String)| (format!("id{at}"), line.clone());
    victoria.lock().unwrap().records = case.clean.iter().enumerate().map(record).collect();
    case.subject(&["erase", "--yes"]).is(
        1,
        &["vl (victorialogs): not erased: vl (victorialogs): failed: it answered 400: start it with -delete.enable", "r1 stays open"],
    );
    victoria.lock().unwrap().enabled = true;
    case.subject(&["erase", "--yes", "--request", "r1"]).is(
        1,
        &["vl (victorialogs): erased 4 records; a search afterwards found 4 records", "r1 stays open"],
    );
    victoria.lock().unwrap().deletes = true;
    case.subject(&["erase", "--yes", "--request", "r1"])
        .is(0, &["vl (victorialogs): erased 4 records; a search afterwards found none", "r1 is closed"]);
    assert_eq!(victoria.lock().unwrap().records.len(), 6);
    // The evidence says what was taken out, and nothing of where nothing was.
    let evidence = fs::read_to_string(case.logveil.dir().join("data/retention-evidence")).unwrap();
    let deleted = |store: &str| {
        let store = format!("\"store\":\"{store}\"");
        evidence.lines().filter(|line| line.contains("\"did\":\"deleted\"") && line.contains(&store)).count()
    };
    assert_eq!((deleted("vl"), deleted("local")), (2, 1), "{evidence}");
    case.logveil.stop();
}

#[test]
fn what_a_store_cannot_is_told_with_the_end_of_its_retention_and_one_that_is_down_is_told() {
    let events = Arc::new(Mutex::new(Vec::<Value>::new()));
    let shared = Arc::clone(&events);
    let stand_in = StandIn::start(move |method, path, body| match (method, path) {
        ("GET", "/api/v1/logs/config/indexes/main") => {
            (200, json!({ "name": "main", "num_retention_days": 30, "num_flex_logs_retention_days": 60 }))
        }
        ("POST", "/api/v2/logs/events/search") if body["page"]["limit"] == 1 => (200, json!({ "data": [] })),
        ("POST", "/api/v2/logs/events/search") => {
            // Each tier has some of them, and the standard one gives them out in two pages.
            let events = shared.lock().unwrap();
            let (from, until, after) =
                match (body["filter"]["storage_tier"].as_str(), &body["page"]["cursor"]) {
                    (Some("indexes"), Value::Null) => (0, 4, json!({ "after": "four" })),
                    (Some("indexes"), Value::String(cursor)) if cursor == "four" => (4, 7, json!({})),
                    (Some("flex"), Value::Null) => (7, events.len(), json!({})),
                    _ => return (400, json!({})),
                };
            (200, json!({ "data": events[from..until], "meta": { "status": "done", "page": after } }))
        }
        _ => (400, json!({})),
    });
    let keys = TempDir::new().unwrap();
    fs::write(keys.path().join("key"), "0123456789abcdef").unwrap();
    let key = format!("${{file:{}}}", keys.path().join("key").display());
    let datadog = format!(
        "  dd: {{ kind: datadog, url: \"http://127.0.0.1:{}\", index: main, api_key: \"{key}\", application_key: \"{key}\", classes: [app] }}\n",
        stand_in.port
    );
    let case = Case::new(&datadog);
    let event = |line: &String| json!({ "id": "x", "attributes": { "timestamp": "2026-11-22T10:00:00Z", "message": line } });
    *events.lock().unwrap() = case.clean.iter().map(event).collect();
    assert_eq!(case.found("dd (datadog)"), (4, 10));
    // 60 days and one of rounding after the last of hers.
    case.subject(&["erase", "--yes"]).is(
        1,
        &[
            "cannot: Datadog deletes no single records; the last of them falls out by retention at 2027-01-22T10:00:00Z",
            "a search afterwards found 4 records",
            "stays open",
        ],
    );
    case.configure(
        &(datadog + "  bus: { kind: kafka, broker: \"127.0.0.1:1\", topic: logs, classes: [app] }\n"),
    );
    case.subject(&["find"]).is(
        0,
        &["bus (kafka): cannot: this version reads no records of Kafka", "dd (datadog): 4 records of 10"],
    );
    case.configure("  ch: { kind: clickhouse, url: \"http://127.0.0.1:1\", table: logs, classes: [app] }\n");
    case.subject(&["find"]).is(
        1,
        &["ch (clickhouse): failed: cannot connect", "not searched", "stays open", "archive: 0 records of 6"],
    );
    case.run(&["audit"]).is(1, &["ch (clickhouse): cannot connect", "not looked through"]);
    case.logveil.stop();
}

/// An object is written anew without her lines, and none of its versions is left that has them.
#[test]
fn objects_are_written_anew_without_a_persons_lines() {
    let place = Place::new("");
    let moto = Moto::start(&place);
    moto.put("/logs", "");
    moto.keeps_versions();
    let stores = |lifecycle: &str| {
        let text = moto.configuration("app", lifecycle).replacen("stores:\n", "", 1);
        text.replace("DIR", &place.path().display().to_string())
    };
    let case = Case::new(&stores("rules"));
    let [one, two, three] =
        ["10/one", "11/two", "12/three"].map(|name| format!("logs/app/2026-11-22/{name}.ndjson"));
    let lines = |lines: &[String]| lines.join("\n") + "\n";
    moto.put(&format!("/logs/{one}"), "an older version\n");
    moto.put(&format!("/logs/{one}"), &lines(&case.clean));
    // All of it is hers.
    moto.put(&format!("/logs/{two}"), &lines(&case.clean[..1]));
    // And so is what was there before, which would come back.
    for _ in 0..2 {
        moto.put(&format!("/logs/{three}"), &lines(&case.clean[..1]));
    }
    assert_eq!(case.found("cold (s3)"), (7, 14));
    let rules = case.subject(&["erase", "--yes"]);
    rules.is(1, &["cannot: an object that is written anew would begin a new life", "stays open"]);
    case.configure(&stores("own"));
    case.subject(&["erase", "--yes"])
        .is(0, &["cold (s3): erased 7 records; a search afterwards found none", "is closed"]);
    assert_eq!(case.found("cold (s3)"), (0, 7));
    assert_eq!(
        moto.keys(),
        [one.as_str(), &one],
        "what is left of it, and the version in which nothing was hers"
    );
    case.logveil.stop();
}

#[test]
fn an_audit_looks_into_stores_and_opens_an_incident() {
    let place = Place::new("");
    let engine = Engine::start(&place);
    let case = Case::new(&format!(
        "  ch: {{ kind: clickhouse, url: \"http://127.0.0.1:{}\", table: logs, classes: [app] }}\n",
        engine.port
    ));
    engine.run(
        "CREATE TABLE logs (received DateTime64(3), message String) ENGINE = MergeTree ORDER BY received",
    );
    for line in &case.clean {
        engine.run(&format!("INSERT INTO logs VALUES ('2026-11-22 10:00:00', '{line}')"));
    }
    case.run(&["audit"]).is(0, &["ch: 10 records looked through: nothing that should not be there"]);
    engine.run("INSERT INTO logs VALUES ('2026-11-22 11:00:00', 'by raw.zqplanted@example.com')");
    case.run(&["audit", "--all"])
        .is(1, &["opened: ch app email", "in 1 record, 2026-11-22T11:00:00Z to 2026-11-22T11:00:00Z"]);
    case.logveil.stop();
}

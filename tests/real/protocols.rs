//! Clients of other people's protocols, as people install them: from PyPI, from npm.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::logveil::{ARCHIVE, Logveil, archive_cat};
use crate::support::planted::{self, messages};
use crate::support::process::{Process, run};
use crate::support::{http, root, tool};

const RECORDS: usize = 1000;

/// A planted message a line.
fn message_file(dir: &Path) -> PathBuf {
    let path = dir.join("messages.txt");
    fs::write(&path, messages(RECORDS).join("\n") + "\n").unwrap();
    path
}

fn python(program: &str) -> Command {
    let mut command = Command::new(root().join("tests/.venv/bin/python"));
    command.arg("-c").arg(program);
    command
}

/// Node finds its packages beside the folder that it runs in.
fn node(program: &str) -> Command {
    let mut command = Command::new(tool("node"));
    command.current_dir(root().join("tests/node")).arg("-e").arg(program);
    command
}

/// A client sends the messages of a file, its first argument, to the port that is its second; then the archive has each once.
#[track_caller]
fn delivers(mut client: Command) {
    let logveil = Logveil::start();
    let outside = tempfile::tempdir().unwrap();
    let file = message_file(outside.path());
    run(client.arg(&file).arg(logveil.http.to_string()));
    logveil.archives_each_once(RECORDS);
}

/// The same with a client that sends once a second what it holds, and at its end does not wait for every answer: it is told
/// to end once all has arrived.
#[track_caller]
fn delivers_while_it_runs(mut client: Command) {
    let logveil = Logveil::start();
    let outside = tempfile::tempdir().unwrap();
    client.arg(message_file(outside.path())).arg(logveil.http.to_string());
    let mut process = Process::start(&mut client, outside.path());
    process.wait_until("all has arrived", || logveil.archived().lines().count() >= RECORDS);
    let ended = process.stop();
    assert!(ended.status.success(), "{}: {}", ended.status, ended.err);
    logveil.archives_each_once(RECORDS);
}

#[test]
fn elasticsearchs_helper_for_python() {
    delivers(python(
        r#"
import sys
from elasticsearch import Elasticsearch, helpers
client = Elasticsearch("http://127.0.0.1:" + sys.argv[2])
assert client.info()["tagline"] == "You Know, for Search"
lines = [line.rstrip("\n") for line in open(sys.argv[1])]
actions = ({"_index": "logs", "_op_type": ["index", "create"][n % 2], "message": line, "n": n} for n, line in enumerate(lines))
done, errors = helpers.bulk(client, actions, chunk_size=100)
assert (done, errors) == (len(lines), []), (done, errors)
"#,
    ));
}

#[test]
fn opensearchs_helper_for_python() {
    delivers(python(
        r#"
import sys
from opensearchpy import OpenSearch, helpers
client = OpenSearch("http://127.0.0.1:" + sys.argv[2], http_compress=True)
lines = [line.rstrip("\n") for line in open(sys.argv[1])]
actions = ({"_index": "logs", "_id": str(n), "message": line} for n, line in enumerate(lines))
done, errors = helpers.bulk(client, actions, chunk_size=100)
assert (done, errors) == (len(lines), []), (done, errors)
"#,
    ));
}

#[test]
fn elasticsearchs_helper_for_node() {
    delivers(node(
        r#"
const { Client } = require("@elastic/elasticsearch")
const [file, port] = process.argv.slice(-2)
const client = new Client({ node: "http://127.0.0.1:" + port })
const lines = require("fs").readFileSync(file, "utf8").trimEnd().split("\n")
client.helpers.bulk({
  datasource: lines.map(message => ({ message })), flushBytes: 20000,
  onDocument: () => ({ index: { _index: "logs" } }),
  onDrop: () => { throw new Error("a document was dropped") }
}).then(done => { if (done.successful !== lines.length) throw new Error("successful: " + done.successful) })
"#,
    ));
}

#[test]
fn opentelemetrys_exporter_for_python() {
    delivers(python(
        r#"
import logging, sys
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
provider = LoggerProvider(resource=Resource.create({"service.name": "shop", "owner": "jane.zqplanted@example.com"}))
exporter = OTLPLogExporter("http://127.0.0.1:%s/v1/logs" % sys.argv[2], compression=Compression.Gzip)
provider.add_log_record_processor(BatchLogRecordProcessor(exporter, max_export_batch_size=100))
log = logging.getLogger("shop")
log.setLevel(logging.INFO)
log.addHandler(LoggingHandler(logger_provider=provider))
for line in open(sys.argv[1]):
    log.info(line.rstrip("\n"), extra={"user.email": "jane.zqplanted@example.com", "password": "zqplanted7"})
provider.shutdown()
"#,
    ));
}

#[test]
fn opentelemetrys_exporter_over_grpc() {
    delivers(python(
        r#"
import logging, sys
from grpc import Compression
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
provider = LoggerProvider()
exporter = OTLPLogExporter("http://127.0.0.1:" + sys.argv[2], insecure=True, compression=Compression.Gzip)
provider.add_log_record_processor(BatchLogRecordProcessor(exporter, max_export_batch_size=100))
log = logging.getLogger("shop")
log.setLevel(logging.INFO)
log.addHandler(LoggingHandler(logger_provider=provider))
for line in open(sys.argv[1]):
    log.info(line.rstrip("\n"), extra={"user.email": "jane.zqplanted@example.com"})
provider.shutdown()
"#,
    ));
}

#[test]
fn the_handler_for_loki_of_python() {
    delivers(python(
        r#"
import logging, sys
import logging_loki
handler = logging_loki.LokiHandler(url="http://127.0.0.1:%s/loki/api/v1/push" % sys.argv[2], version="1",
    tags={"application": "shop", "owner": "jane.zqplanted@example.com"})
def fail(record): raise
handler.handleError = fail
log = logging.getLogger("shop")
log.setLevel(logging.INFO)
log.addHandler(handler)
for line in open(sys.argv[1]):
    log.info(line.rstrip("\n"), extra={"tags": {"user": "jane.zqplanted@example.com"}})
"#,
    ));
}

#[test]
fn winston_to_loki() {
    delivers_while_it_runs(node(
        r#"
const winston = require("winston"), LokiTransport = require("winston-loki")
const [file, port] = process.argv.slice(-2)
const transport = new LokiTransport({
  host: "http://127.0.0.1:" + port, json: true, labels: { app: "shop" }, useWinstonMetaAsLabels: false, interval: 1,
  format: winston.format.printf(info => info.message), onConnectionError: error => { console.error(error); process.exit(1) }
})
const log = winston.createLogger({ transports: [transport] })
process.on("SIGTERM", () => transport.flush().then(() => process.exit(0)))
for (const line of require("fs").readFileSync(file, "utf8").trimEnd().split("\n")) log.info(line)
"#,
    ));
}

#[test]
fn pino_to_loki() {
    delivers_while_it_runs(node(
        r#"
const pino = require("pino")
const [file, port] = process.argv.slice(-2)
const transport = pino.transport({ target: require.resolve("pino-loki"), options: { host: "http://127.0.0.1:" + port, batching: { interval: 1 }, labels: { app: "shop" }, silenceErrors: false } })
const log = pino(transport)
const running = setInterval(() => {}, 1000)
process.on("SIGTERM", () => { clearInterval(running); transport.end() })
transport.on("ready", () => {
  for (const line of require("fs").readFileSync(file, "utf8").trimEnd().split("\n")) log.info(line)
})
"#,
    ));
}

#[test]
fn splunks_handler_for_python() {
    delivers(python(
        r#"
import logging, sys
from splunk_handler import SplunkHandler
handler = SplunkHandler(host="127.0.0.1", port=int(sys.argv[2]), token="token", index="main", protocol="http",
    verify=False, sourcetype="shop", flush_interval=0.2, retry_count=1)
log = logging.getLogger("shop")
log.setLevel(logging.INFO)
log.addHandler(handler)
for line in open(sys.argv[1]):
    log.info(line.rstrip("\n"))
handler.force_flush()
"#,
    ));
}

#[test]
fn splunks_logger_for_node() {
    delivers(node(
        r#"
const { Logger } = require("splunk-logging")
const [file, port] = process.argv.slice(-2)
const log = new Logger({ token: "token", url: "http://127.0.0.1:" + port, maxBatchCount: 0 })
log.error = (error, context) => { console.error(error, context); process.exit(1) }
for (const line of require("fs").readFileSync(file, "utf8").trimEnd().split("\n")) log.send({ message: line, source: "shop" })
log.flush((error, response, body) => { if (error || body.code !== 0) { console.error(error, body); process.exit(1) } })
"#,
    ));
}

/// The collector follows container logs and sends what it reads by OTLP.
#[test]
fn opentelemetrys_collector_reads_container_logs() {
    let logveil = Logveil::start_with(ARCHIVE);
    let outside = tempfile::tempdir().unwrap();
    let pod = outside.path().join("pods/prod_shop-7d9f_0b9f-11/web");
    fs::create_dir_all(&pod).unwrap();
    let line = |message: String| format!("2026-01-02T03:04:05.678901234Z stdout F {message}\n");
    fs::write(pod.join("0.log"), messages(RECORDS).into_iter().map(line).collect::<String>()).unwrap();
    let config = outside.path().join("otel.yaml");
    let text = format!(
        "receivers:\n  filelog:\n    include: [\"{}/pods/*/*/*.log\"]\n    start_at: beginning\n    \
         include_file_path: true\n    operators: [{{ type: container }}]\n\
         exporters:\n  otlphttp: {{ endpoint: \"http://127.0.0.1:{}\", tls: {{ insecure: true }} }}\n\
         service:\n  telemetry: {{ metrics: {{ level: none }} }}\n  pipelines:\n    \
         logs: {{ receivers: [filelog], exporters: [otlphttp] }}\n",
        outside.path().display(),
        logveil.http
    );
    fs::write(&config, text).unwrap();
    let library = fs::read_dir(root().join("tests/.venv/lib")).unwrap().flatten().next().unwrap().path();
    let program = library.join("site-packages/otel_collector/bin/otelcol-contrib_linux_amd64");
    let collector = Process::start(Command::new(program).arg("--config").arg(&config), outside.path());
    logveil.archives_each_once(RECORDS);
    collector.stop();
}

/// Each string of each envelope holds a planted address: names of labels, too.
#[test]
fn nothing_planted_passes_in_any_place_of_an_envelope() {
    const MAIL: &str = "jane.zqplanted@example.com";
    let logveil = Logveil::start();
    let value = |inside: serde_json::Value| serde_json::json!([{ "key": MAIL, "value": inside }]);
    let nested = serde_json::json!({ "kvlistValue": { "values": value(serde_json::json!({ "arrayValue": { "values": [
        { "stringValue": format!("{{\"to\":\"{MAIL}\"}}") }, { "bytesValue": data_encoding::BASE64.encode(MAIL.as_bytes()) }
    ] } })) } });
    let otlp = serde_json::json!({ "resourceLogs": [{
        "resource": { "attributes": value(serde_json::json!({ "stringValue": MAIL })) },
        "scopeLogs": [{
            "scope": { "name": MAIL, "version": MAIL, "attributes": value(nested.clone()) },
            "logRecords": [{ "severityText": MAIL, "eventName": MAIL, "traceId": MAIL, "body": nested, "attributes": value(nested.clone()) }],
        }],
    }] });
    let loki = serde_json::json!({ "streams": [{
        "stream": { "app": MAIL, "host": MAIL, MAIL: MAIL }, "values": [["1", MAIL, { MAIL: MAIL }]]
    }] });
    let event = serde_json::json!({ "event": { MAIL: MAIL }, "host": MAIL, "source": MAIL, "sourcetype": MAIL, "index": MAIL,
        "fields": { MAIL: MAIL }, MAIL: { MAIL: MAIL } });
    let action = serde_json::json!({ "index": { "_index": MAIL, "_id": MAIL, "routing": MAIL, MAIL: MAIL } });
    let document =
        serde_json::json!({ MAIL: { MAIL: [MAIL] }, "host": { "name": MAIL }, "service": { "name": MAIL } });
    for (path, body) in [
        ("/v1/logs", otlp.to_string()),
        ("/loki/api/v1/push", loki.to_string()),
        ("/services/collector", event.to_string()),
        (
            "/services/collector/raw?host=jane.zqplanted%40example.com&source=jane.zqplanted%40example.com&index=jane.zqplanted%40example.com",
            MAIL.to_owned(),
        ),
        ("/_bulk", format!("{action}\n{document}\n")),
        ("/jane.zqplanted@example.com/_bulk", format!("{{\"index\":{{}}}}\n{document}\n")),
        ("/v1/logs/jane.zqplanted@example.com", document.to_string()),
    ] {
        let answer =
            http::post(logveil.http, path, &["Content-Type: application/json"], body.as_bytes()).unwrap();
        assert!([200, 204].contains(&answer.status), "{path}: {answer:?}");
    }
    let kept = archive_cat(&logveil.config(), &["--format", "json"]);
    assert_eq!(kept.lines().count(), 7);
    planted::nothing_in("the archive", kept.as_bytes());
    for line in logveil.archived().lines().filter(|line| line.starts_with('{')) {
        serde_json::from_str::<serde_json::Value>(line).expect("a JSON record is still JSON");
    }
    logveil.stop();
}

//! Clients that people have: `logger`, Python's logging, `curl`, Python's urllib.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::logveil::Logveil;
use crate::support::planted::messages;
use crate::support::process::run;
use crate::support::tool;

/// Records of one test. Datagrams come in one burst that has to fit a socket's buffer.
const RECORDS: usize = 400;
const DATAGRAMS: usize = 100;

/// A file of `count` planted messages, a line each.
fn message_file(dir: &Path, count: usize) -> PathBuf {
    let path = dir.join("messages.txt");
    fs::write(&path, messages(count).join("\n") + "\n").unwrap();
    path
}

/// Sends messages by `logger`, a line of a file each; then the archive has each once.
#[track_caller]
fn logger_delivers(count: usize, options: &[&str]) {
    let logveil = Logveil::start();
    let outside = tempfile::tempdir().unwrap();
    let file = message_file(outside.path(), count);
    let port = logveil.syslog.to_string();
    run(Command::new(tool("logger"))
        .args(["--server", "127.0.0.1", "--port", &port, "--tag", "shop", "--priority", "user.info"])
        .args(options)
        .arg("--file")
        .arg(&file));
    logveil.archives_each_once(count);
}

#[test]
fn logger_over_udp_in_the_old_format() {
    logger_delivers(DATAGRAMS, &["--udp", "--rfc3164"]);
}

#[test]
fn logger_over_udp_in_the_new_format() {
    logger_delivers(DATAGRAMS, &["--udp", "--rfc5424"]);
}

#[test]
fn logger_over_tcp_in_the_old_format() {
    logger_delivers(RECORDS, &["--tcp", "--rfc3164"]);
}

#[test]
fn logger_over_tcp_in_the_new_format() {
    logger_delivers(RECORDS, &["--tcp", "--rfc5424"]);
}

#[test]
fn logger_over_tcp_with_octet_counts() {
    logger_delivers(RECORDS, &["--tcp", "--rfc5424", "--octet-count"]);
}

/// Runs a Python program with the messages' file and a port as arguments.
#[track_caller]
fn python(program: &str, file: &Path, port: u16) {
    run(Command::new(tool("python3")).args(["-c", program]).arg(file).arg(port.to_string()));
}

const PYTHON_SYSLOG: &str = r#"
import logging, logging.handlers, socket, sys
kind = {"udp": socket.SOCK_DGRAM, "tcp": socket.SOCK_STREAM}["KIND"]
handler = logging.handlers.SysLogHandler(("127.0.0.1", int(sys.argv[2])), socktype=kind)
handler.setFormatter(logging.Formatter("shop: %(message)s"))
log = logging.getLogger("shop")
log.setLevel(logging.INFO)
log.addHandler(handler)
for line in open(sys.argv[1]):
    log.info(line.rstrip("\n"))
logging.shutdown()
"#;

#[test]
fn pythons_handler_over_udp() {
    let logveil = Logveil::start();
    let outside = tempfile::tempdir().unwrap();
    let file = message_file(outside.path(), DATAGRAMS);
    python(&PYTHON_SYSLOG.replace("KIND", "udp"), &file, logveil.syslog);
    logveil.archives_each_once(DATAGRAMS);
}

/// Over TCP the handler ends each record with NUL and sends no LF.
#[test]
fn pythons_handler_over_tcp() {
    let logveil = Logveil::start();
    let outside = tempfile::tempdir().unwrap();
    let file = message_file(outside.path(), RECORDS);
    python(&PYTHON_SYSLOG.replace("KIND", "tcp"), &file, logveil.syslog);
    logveil.archives_each_once(RECORDS);
}

/// Posts the messages by `curl`, packed by `pack` if there is such a program; the answer is a 2xx.
#[track_caller]
fn curl_delivers(pack: Option<&str>, content_type: &str, body: &str) {
    let logveil = Logveil::start();
    let outside = tempfile::tempdir().unwrap();
    let file = outside.path().join("body");
    fs::write(&file, body).unwrap();
    let mut curl = Command::new(tool("curl"));
    curl.args(["--silent", "--show-error", "--fail", "--max-time", "20"]);
    curl.args(["--header", &format!("Content-Type: {content_type}")]);
    let mut sent = file.clone();
    if let Some(program) = pack {
        let packed = run(Command::new(tool(program)).arg("-c").arg(&file));
        sent = outside.path().join("packed");
        fs::write(&sent, packed.stdout).unwrap();
        curl.args(["--header", &format!("Content-Encoding: {program}")]);
    }
    curl.arg("--data-binary").arg(format!("@{}", sent.display()));
    run(curl.arg(format!("http://127.0.0.1:{}/v1/logs", logveil.http)));
    // A 2xx says that the archive has them: no wait.
    assert_eq!(logveil.archived().lines().count(), RECORDS, "the client was told that its records are safe");
    logveil.archives_each_once(RECORDS);
}

#[test]
fn curl_with_plain_lines() {
    curl_delivers(None, "text/plain", &messages(RECORDS).join("\n"));
}

#[test]
fn curl_with_gzip() {
    curl_delivers(Some("gzip"), "text/plain", &messages(RECORDS).join("\n"));
}

#[test]
fn curl_with_zstd() {
    curl_delivers(Some("zstd"), "text/plain", &messages(RECORDS).join("\n"));
}

/// Each record as a JSON object of its own.
fn ndjson() -> String {
    let line = |message| format!("{}\n", serde_json::json!({ "message": message, "took": 1.50, "ok": true }));
    messages(RECORDS).into_iter().map(line).collect()
}

#[test]
fn curl_with_json_lines() {
    curl_delivers(None, "application/x-ndjson", &ndjson());
}

const PYTHON_POST: &str = r#"
import gzip, json, sys, urllib.request
lines = [line.rstrip("\n") for line in open(sys.argv[1])]
for at in range(0, len(lines), 25):
    body = "".join(json.dumps({"took": 1.5, "message": line}) + "\n" for line in lines[at:at + 25])
    request = urllib.request.Request(
        "http://127.0.0.1:%s/v1/logs" % sys.argv[2], gzip.compress(body.encode()),
        {"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"})
    assert 200 <= urllib.request.urlopen(request, timeout=20).status < 300
"#;

#[test]
fn urllib_with_json_lines_that_stay_json() {
    let logveil = Logveil::start();
    let outside = tempfile::tempdir().unwrap();
    let file = message_file(outside.path(), RECORDS);
    python(PYTHON_POST, &file, logveil.http);
    for line in logveil.archived().lines() {
        let record: serde_json::Value = serde_json::from_str(line).expect("a JSON record is still JSON");
        assert_eq!(record["took"], 1.5, "what is no personal data is as it was");
    }
    logveil.archives_each_once(RECORDS);
}

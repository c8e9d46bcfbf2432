//! Files that real programs write: rsyslog with `logger`, rotated; container logs in both forms.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;

use super::relay::Rsyslog;
use crate::support::logveil::{ARCHIVE, Logveil};
use crate::support::planted::messages;
use crate::support::process::run;
use crate::support::{tool, wait_until};

const RECORDS: usize = 1000;

/// A logveil that reads the files of a folder.
fn reading(dir: &Path, framing: &str) -> Logveil {
    // As the documentation says: a file may be renamed before anybody looks.
    let include = dir.join("*.log*");
    let source =
        format!("  pods: {{ kind: files, include: [\"{}\"], framing: {framing} }}\n", include.display());
    Logveil::start_between(&source, ARCHIVE)
}

/// rsyslog writes what `logger` sends to a file, which is renamed in between as logrotate does it.
#[test]
fn a_file_that_rsyslog_writes_is_read_through_its_rotation() {
    let outside = tempfile::tempdir().unwrap();
    let logs = outside.path().join("logs");
    fs::create_dir(&logs).unwrap();
    let logveil = reading(&logs, "plain");
    let log = logs.join("app.log");
    let action = format!("action(type=\"omfile\" file=\"{}\" template=\"message\")", log.display());
    let rsyslog = Rsyslog::start(outside.path(), &action);
    let all = messages(RECORDS);
    for (number, half) in all.chunks(RECORDS / 2).enumerate() {
        let sent = outside.path().join("sent");
        fs::write(&sent, half.join("\n") + "\n").unwrap();
        let port = rsyslog.port.to_string();
        run(Command::new(tool("logger"))
            .args(["--server", "127.0.0.1", "--port", &port, "--tcp", "--octet-count", "--rfc5424", "--file"])
            .arg(&sent));
        let lines = || fs::read_to_string(&log).unwrap_or_default().lines().count();
        wait_until("rsyslog has written all", || lines() == RECORDS / 2);
        if number == 0 {
            let old = logs.join("app.log.1");
            fs::rename(&log, &old).unwrap();
            rsyslog.process.signal(Signal::HUP);
            let files = format!("/proc/{}/fd", rsyslog.process.id());
            let holds = |file: fs::DirEntry| fs::read_link(file.path()).is_ok_and(|path| path == old);
            wait_until("rsyslog has let go of it", || !fs::read_dir(&files).unwrap().flatten().any(holds));
        }
    }
    rsyslog.process.stop();
    logveil.archives_each_once(RECORDS);
}

/// Each message is split in the middle of a planted value, between lines of the other output.
#[test]
fn container_logs_are_joined_before_they_are_searched() {
    let time = "2026-01-02T03:04:05.678901234Z";
    let cri = |output: &str, tag: &str, text: &str| format!("{time} {output} {tag} {text}\n");
    let docker = |output: &str, tag: &str, text: &str| {
        let text = format!("{text}{}", if tag == "F" { "\n" } else { "" });
        format!("{}\n", serde_json::json!({ "log": text, "stream": output, "time": time }))
    };
    for (framing, line) in [("cri", &cri as &dyn Fn(&str, &str, &str) -> String), ("docker", &docker)] {
        let outside = tempfile::tempdir().unwrap();
        let logveil = reading(outside.path(), framing);
        let all = messages(RECORDS);
        let mut log =
            OpenOptions::new().create(true).append(true).open(outside.path().join("a.log")).unwrap();
        for pair in all.chunks(2) {
            let [out, err] = pair else { panic!("an even number") };
            let at = out.find("zqplanted").unwrap() + 4;
            let parts =
                [line("stdout", "P", &out[..at]), line("stderr", "F", err), line("stdout", "F", &out[at..])];
            log.write_all(parts.concat().as_bytes()).unwrap();
        }
        logveil.archives_each_once(RECORDS);
    }
}

//! A real rsyslog on either side.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::support::certificates::Authority;
use crate::support::logveil::Logveil;
use crate::support::planted::{self, messages};
use crate::support::process::Process;
use crate::support::{free_port, http, tool, wait_until};

const RECORDS: usize = 400;

/// An rsyslog that takes syslog on a TCP port and does `action` with it.
pub struct Rsyslog {
    pub process: Process,
    pub port: u16,
}

impl Rsyslog {
    #[track_caller]
    pub fn start(dir: &Path, action: &str) -> Rsyslog {
        Rsyslog::start_with(dir, "", "", action)
    }

    /// The same with more settings, for all of it and for its listener.
    #[track_caller]
    pub fn start_with(dir: &Path, global: &str, imtcp: &str, action: &str) -> Rsyslog {
        let port = free_port();
        let config = dir.join("rsyslog.conf");
        let text = format!(
            "global(workDirectory=\"{dir}\" maxMessageSize=\"64k\"{global})\n\
             module(load=\"imtcp\"{imtcp})\n\
             template(name=\"message\" type=\"string\" string=\"%msg%\\n\")\n\
             input(type=\"imtcp\" address=\"127.0.0.1\" port=\"{port}\")\n\
             {action}\n",
            dir = dir.display(),
        );
        fs::write(&config, text).unwrap();
        let mut command = Command::new(tool("rsyslogd"));
        command.arg("-n").arg("-f").arg(&config).arg("-i").arg(dir.join("rsyslogd.pid"));
        let mut process = Process::start(&mut command, dir);
        process.wait_until("rsyslog took connections", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        Rsyslog { process, port }
    }
}

/// Sends the messages to a port as RFC 5424 over TCP, a line each.
fn send(port: u16, count: usize) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    for message in messages(count) {
        writeln!(stream, "<14>1 2026-01-02T03:04:05Z web1 shop 77 - - {message}").unwrap();
    }
}

/// rsyslog forwards to logveil, in the given framing and format; the archive has each record once.
#[track_caller]
fn rsyslog_forwards(framing: &str, template: &str) {
    let logveil = Logveil::start();
    let outside = TempDir::new().unwrap();
    let action = format!(
        "action(type=\"omfwd\" target=\"127.0.0.1\" port=\"{}\" protocol=\"tcp\" TCP_Framing=\"{framing}\" \
         template=\"{template}\")",
        logveil.syslog
    );
    let rsyslog = Rsyslog::start(outside.path(), &action);
    send(rsyslog.port, RECORDS);
    logveil.archives_each_once(RECORDS);
    rsyslog.process.stop();
}

#[test]
fn rsyslog_forwards_lines() {
    rsyslog_forwards("traditional", "RSYSLOG_TraditionalForwardFormat");
}

#[test]
fn rsyslog_forwards_with_octet_counts() {
    rsyslog_forwards("octet-counted", "RSYSLOG_SyslogProtocol23Format");
}

/// What a real rsyslog behind logveil's syslog sink wrote to its file. `global` and `imtcp` are of its configuration,
/// `sink` is more of the sink's.
#[track_caller]
fn rsyslog_receives(global: &str, imtcp: &str, sink: &str) {
    let outside = TempDir::new().unwrap();
    let file: PathBuf = outside.path().join("received.log");
    let action = format!("action(type=\"omfile\" file=\"{}\" template=\"message\")", file.display());
    let rsyslog = Rsyslog::start_with(outside.path(), global, imtcp, &action);
    let sink = format!("  next: {{ kind: syslog, tcp: \"localhost:{}\"{sink} }}\n", rsyslog.port);
    let logveil = Logveil::start_with(&sink);
    send(logveil.syslog, RECORDS / 2);
    let rest: String =
        messages(RECORDS)[RECORDS / 2..].iter().map(|message| format!("{message}\n")).collect();
    let answer =
        http::post(logveil.http, "/v1/logs", &["Content-Type: text/plain"], rest.as_bytes()).unwrap();
    assert!((200..300).contains(&answer.status), "status {}", answer.status);
    let received = || fs::read_to_string(&file).unwrap_or_default();
    wait_until("rsyslog has all records", || received().lines().count() >= RECORDS);
    logveil.stop();
    rsyslog.process.stop();
    planted::each_once_and_clean(RECORDS, &received());
}

#[test]
fn rsyslog_receives_over_tcp() {
    rsyslog_receives("", "", "");
}

/// RFC 5425, each side with a certificate that the other checks by name.
#[test]
fn rsyslog_receives_over_mutual_tls() {
    let authority = Authority::new();
    let (server, client) = (authority.issue("localhost"), authority.issue("client.test"));
    let global = format!(
        " defaultNetstreamDriver=\"ossl\" defaultNetstreamDriverCAFile=\"{}\" \
         defaultNetstreamDriverCertFile=\"{}\" defaultNetstreamDriverKeyFile=\"{}\"",
        authority.ca().display(),
        server.cert.display(),
        server.key.display()
    );
    let imtcp = " streamDriver.name=\"ossl\" streamDriver.mode=\"1\" streamDriver.authMode=\"x509/name\" \
                 permittedPeer=[\"client.test\"]";
    let sink = format!(
        ", tls: {{ ca: \"{}\", cert: \"{}\", key: \"{}\" }}",
        authority.ca().display(),
        client.cert.display(),
        client.key.display()
    );
    rsyslog_receives(&global, imtcp, &sink);
}

/// One logveil behind another: what is clean already goes through as it is.
#[track_caller]
fn a_second_logveil_changes_nothing(sink: impl Fn(&Logveil) -> String) {
    let behind = Logveil::start();
    let copy = TempDir::new().unwrap();
    let file = copy.path().join("copy.log");
    let sinks =
        format!("  next: {}\n  copy: {{ kind: file, path: \"{}\" }}\n", sink(&behind), file.display());
    let front = Logveil::start_with(&sinks);
    send(front.syslog, RECORDS);
    wait_until("the second has all records", || behind.archived().lines().count() >= RECORDS);
    front.stop();
    assert_eq!(behind.archived(), fs::read_to_string(&file).unwrap());
    behind.archives_each_once(RECORDS);
}

#[test]
fn a_second_logveil_changes_nothing_over_syslog() {
    a_second_logveil_changes_nothing(|behind| {
        format!("{{ kind: syslog, tcp: \"127.0.0.1:{}\" }}", behind.syslog)
    });
}

#[test]
fn a_second_logveil_changes_nothing_over_http() {
    a_second_logveil_changes_nothing(|behind| {
        format!(
            "{{ kind: http, url: \"http://127.0.0.1:{}/v1/logs\", raw: true, batch: {{ requests: 1 }} }}",
            behind.http
        )
    });
}

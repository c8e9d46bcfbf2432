//! Retention while `logveil run` runs: what is held back, what goes on, what is deleted.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use jiff::Timestamp;
use rustix::process::Signal;

use super::nats::Server;
use super::{Place, Runnable};
use crate::support::logveil::Logveil;
use crate::support::{PATIENCE, http, wait_until};

/// What comes to a listener, a line each.
pub fn lines(listener: TcpListener) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let sender = sender.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    let _ = sender.send(line);
                }
            });
        }
    });
    receiver
}

fn send(logveil: &Logveil, text: &str) {
    let mut stream = TcpStream::connect(("127.0.0.1", logveil.syslog)).unwrap();
    writeln!(stream, "<134>1 2026-11-22T10:00:00Z host nginx - - - {text}").unwrap();
}

/// The sink is plain syslog; what stands behind it is a stream of a real NATS server.
#[test]
fn a_store_that_turns_bad_gets_nothing_until_it_is_mended_and_others_go_on() {
    let place = Place::new("");
    let server = Server::start(&place);
    server.stream(Duration::from_secs(80 * 86_400));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let got = lines(listener);
    let token = place.path().join("token");
    let logveil = Logveil::start_with(&format!(
        "  next: {{ kind: syslog, tcp: \"127.0.0.1:{port}\", framing: lf }}\n  local: {{ kind: archive }}\n\
         stores:\n  next: {{ kind: nats, url: \"nats://127.0.0.1:{}\", stream: LOGS, token: \"${{file:{}}}\", classes: [access] }}\n",
        server.port,
        token.display()
    ));
    send(&logveil, "first");
    assert!(got.recv_timeout(PATIENCE).unwrap().ends_with("first"));
    assert!(
        logveil
            .metrics()
            .contains("logveil_retention_worst_case_seconds{class=\"access\",store=\"next\"} 6912060\n")
    );

    server.stream(Duration::ZERO);
    logveil.signal(Signal::HUP);
    wait_until("the change was seen", || {
        logveil
            .metrics()
            .contains("logveil_retention_worst_case_seconds{class=\"access\",store=\"next\"} inf")
            || logveil
                .metrics()
                .contains("logveil_retention_worst_case_seconds{class=\"access\",store=\"next\"} +Inf")
    });
    let ready = http::get(logveil.admin, "/readyz").unwrap();
    assert_eq!(ready.status, 503);
    assert!(ready.body.contains("the retention of a store is not verified"), "{}", ready.body);
    send(&logveil, "second");
    wait_until("the archive has it", || logveil.archived().contains("second"));
    wait_until("the sink was kept from it", || {
        logveil.metrics().contains("logveil_sink_errors_total{kind=\"unverified\",sink=\"next\"}")
    });
    assert!(got.try_recv().is_err(), "a store that keeps for good gets nothing");

    server.stream(Duration::from_secs(80 * 86_400));
    assert!(
        got.recv_timeout(PATIENCE).unwrap().ends_with("second"),
        "it goes on by itself once it is mended"
    );
    wait_until("it is ready again", || {
        http::get(logveil.admin, "/readyz").is_ok_and(|ready| ready.status == 200)
    });
    logveil.stop();
}

fn write(path: &Path, at: Timestamp) {
    fs::write(path, "x\n").unwrap();
    File::options().append(true).open(path).unwrap().set_modified(at.into()).unwrap();
}

#[test]
fn what_is_due_in_a_directory_is_deleted_and_nothing_else() {
    let place = Place::new("");
    let Runnable { now, .. } = place.runnable(
        "stores:\n  nginx: { kind: files, path: DIR/logs/access.log, rotated: 24h, classes: [access] }\n",
    );
    fs::create_dir(place.path().join("logs")).unwrap();
    let days = |days: i64| now - jiff::SignedDuration::from_hours(24 * days);
    let log = |name: &str| place.path().join("logs").join(name);
    for (name, age) in
        [("access.log", 0), ("access.log.1", 80), ("access.log.2.gz", 91), ("other.log.1", 400)]
    {
        write(&log(name), days(age));
    }
    place.verifies(1, &["class access: exceeds the limit by"]);
    let mut process = place.start();
    process.wait_until("it deleted what was due", || !log("access.log.2.gz").exists());
    assert!(["access.log", "access.log.1", "other.log.1"].iter().all(|name| log(name).exists()));
    wait_until("the evidence has it", || {
        place.retention(&["report"]).out.contains("deleted   nginx (files)")
    });
    place.verifies(0, &[]);
    assert!(process.stop().status.success());
}

//! What the program tells of what goes wrong, at its most talkative.

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream, UdpSocket};
use std::time::Duration;

use rustix::process::Signal;

use super::sink;
use crate::support::logveil::Logveil;
use crate::support::oracle::{Collector, Load};
use crate::support::planted::{self, CANARY};
use crate::support::proxy::{Fault, Proxy};
use crate::support::{free_port, http, tool, wait_until};

/// Paths that are served, and what is wrong with the bodies that they are sent.
const WRONG: &[(&str, &str, &str)] = &[
    ("/nowhere/PLANTED?token=PLANTED", "", "PLANTED"),
    ("/v1/logs", "Content-Encoding: gzip", "PLANTED"),
    ("/v1/logs", "Content-Encoding: PLANTED", "PLANTED"),
    ("/v1/logs", "Content-Type: application/x-protobuf", "PLANTED"),
    ("/v1/logs", "Content-Type: application/json", "{\"resourceLogs\":[{\"PLANTED\":"),
    ("/_bulk", "Content-Type: application/x-ndjson", "{\"PLANTED\":{}}\n{\"a\":\"PLANTED\"}\n"),
    ("/PLANTED/_bulk", "", "{\"create\":{}}\nPLANTED"),
    ("/loki/api/v1/push", "", "{\"streams\":\"PLANTED\"}"),
    ("/loki/api/v1/push", "Content-Type: application/x-protobuf", "PLANTED"),
    ("/services/collector/event", "", "{\"event\":\"PLANTED\"}{\"PLANTED"),
    ("/services/collector/ack", "", "{\"acks\":\"PLANTED\"}"),
    ("/services/collector/event?channel=PLANTED", "", ""),
];

/// F50: every way of being refused that a client, a file of settings or a sink can take, with planted values in all that is
/// refused, at the most talkative level. None of them is in the log, the answers or the metrics.
#[test]
fn nothing_planted_is_told_at_the_most_talkative_level() {
    let collector = Collector::start();
    let proxy = Proxy::start(collector.port, Fault::Freeze);
    let [relp, forward, guarded] = [(); 3].map(|()| free_port());
    let sources = format!(
        "  relp: {{ kind: relp, listen: \"127.0.0.1:{relp}\" }}\n  \
         fwd: {{ kind: forward, listen: \"127.0.0.1:{forward}\" }}\n  \
         guarded: {{ kind: http, listen: \"127.0.0.1:{guarded}\", auth: {{ users: {{ shop: \"${{env:HOME}}\" }} }} }}\n"
    );
    let shell = tool("sh");
    let wrapper = [shell.to_str().unwrap(), "-c", "exec \"$@\" --log-level trace", "sh"];
    let logveil = Logveil::start_as(&sources, &sink("relay", proxy.port), super::DURABLE, &wrapper);
    let secret = format!("jane.{CANARY}@example.com");
    for (path, header, body) in WRONG {
        let [path, header, body] = [path, header, body].map(|text| text.replace("PLANTED", &secret));
        let headers: Vec<&str> = Some(&*header).into_iter().filter(|header| !header.is_empty()).collect();
        for port in [logveil.http, guarded, logveil.admin] {
            let answer = http::post(port, &path, &headers, body.as_bytes()).unwrap();
            planted::nothing_in("an answer", answer.body.as_bytes());
        }
    }
    let basic = format!("Authorization: Bearer {secret}");
    assert_eq!(http::post(guarded, "/v1/logs", &[&basic], secret.as_bytes()).unwrap().status, 401);
    for port in [logveil.http, guarded, logveil.syslog, relp, forward] {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        // What is no request, no count, no frame and no message of these protocols.
        let _ = write!(stream, "99999999999999 <{secret}\r\n\r\n{secret}");
        let _ = stream.shutdown(Shutdown::Write);
        let mut told = Vec::new();
        let _ = stream.set_read_timeout(Some(Duration::from_secs(20)));
        let _ = stream.read_to_end(&mut told);
        planted::nothing_in("an answer", &told);
    }
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let record = format!("<999>{}", planted::message(999_999));
    socket.send_to(record.as_bytes(), ("127.0.0.1", logveil.syslog)).unwrap();

    refused_settings(&logveil, &secret);

    // A sink in all kinds of trouble.
    let ((), load) = Load::during(logveil.http, 1, |load| {
        for fault in [Fault::CutAfter(700), Fault::ResetAfter(1500), Fault::LoseAnswers, Fault::Flip(9)] {
            proxy.set(fault);
            load.waits_for(100);
            wait_until("the fault struck", || proxy.strikes() > 0);
        }
    });
    let talk = logveil.said();
    assert!(talk.contains("DEBUG") || talk.contains("TRACE"), "it is talkative");
    proxy.set(Fault::None);
    wait_until("all arrived", || load.acknowledged().iter().all(|number| collector.has(*number)));
    logveil.stop();
}

/// Settings with planted values where they are wrong, read by a reload and by `check`.
fn refused_settings(logveil: &Logveil, secret: &str) {
    let good = fs::read_to_string(logveil.config()).unwrap();
    for wrong in [
        format!("keyring: {{ kek: \"{secret}\" }}\n"),
        format!("roles: {{ eve: {{ may: [reveal], token: \"{secret}\" }} }}\n"),
    ] {
        fs::write(logveil.config(), format!("{good}{wrong}")).unwrap();
        let refused = || logveil.said().matches("configuration refused, the old one stays").count();
        let before = refused();
        logveil.signal(Signal::HUP);
        wait_until("it is refused", || refused() > before);
    }
    fs::write(logveil.config(), good).unwrap();
}

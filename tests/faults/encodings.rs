//! Bytes that are no text, around planted values and within them.

use std::fs;
use std::io::Write;
use std::net::TcpStream;

use crate::support::logveil::Logveil;
use crate::support::planted::CANARY;
use crate::support::{http, wait_until};

/// Ends that are missing, forms that are too long, halves of a pair, marks of byte order, and what is in no encoding.
const BROKEN: &[&[u8]] = &[
    b"\xff",
    b"\x80",
    b"\xc3",
    b"\xe2\x82",
    b"\xf0\x9f",
    b"\xc0\x80",
    b"\xc0\xaf",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"\xfe\xff",
    b"\xff\xfe",
];

/// F36: they hide no value that stands beside them, and what goes out is JSON.
#[test]
fn bytes_that_are_no_text_hide_nothing() {
    let logveil = Logveil::start_with("  out: { kind: file, path: out.log, format: json }\n");
    let values = [
        format!("jane.{CANARY}@example.com"),
        "203.0.113.9".to_owned(),
        format!("password={CANARY}x1"),
        format!("{{\"email\":\"jane.{CANARY}@example.com\"}}"),
    ];
    let mut lines: Vec<Vec<u8>> = Vec::new();
    for (broken, value) in
        BROKEN.iter().flat_map(|broken| values.iter().map(move |value| (*broken, value.as_bytes())))
    {
        lines.push([broken, value].concat());
        lines.push([value, broken].concat());
        lines.push([b"by ", broken, b" ", value, b" ", broken].concat());
    }
    for broken in BROKEN {
        lines.push([b"to jane", *broken, CANARY.as_bytes(), b"@example.com"].concat());
        lines.push([b"password=", *broken, CANARY.as_bytes(), b" ", *broken].concat());
    }
    let body = lines.join(&b'\n');
    assert_eq!(http::post(logveil.http, "/v1/logs", &[], &body).unwrap().status, 200);
    let mut stream = TcpStream::connect(("127.0.0.1", logveil.syslog)).unwrap();
    for line in &lines {
        stream.write_all(&[b"<13>1 - h app - - - ", &line[..], b"\n"].concat()).unwrap();
    }
    drop(stream);
    let written = || fs::read(logveil.dir().join("out.log")).unwrap_or_default();
    wait_until("all are written", || written().split(|byte| *byte == b'\n').count() > 2 * lines.len());
    for line in written().split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        serde_json::from_slice::<serde_json::Value>(line).expect("a line is JSON");
    }
    logveil.stop();
}

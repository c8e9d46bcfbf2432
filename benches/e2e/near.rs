//! The near end: sends lines over TCP, or in requests of HTTP.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::ops::Range;
use std::thread;
use std::time::{Duration, Instant};

use crate::lines::{LINE_BYTES, Lines};

/// Lines of one write at full speed: about 64 KiB.
const WRITE_LINES: u64 = 262;

/// How often lines that are due are sent.
const TICK: Duration = Duration::from_micros(500);

/// Sends lines as fast as they are taken.
pub fn send(lines: &Lines, numbers: Range<u64>, port: u16) {
    let mut stream = connect(port);
    let mut out = Vec::new();
    for first in numbers.clone().step_by(WRITE_LINES as usize) {
        out.clear();
        (first..numbers.end.min(first + WRITE_LINES)).for_each(|number| lines.push(number, 0, &mut out));
        stream.write_all(&out).expect("the relay takes it");
    }
}

/// Sends so many lines a second, each with its time since `started`.
pub fn send_at(lines: &Lines, numbers: Range<u64>, port: u16, rate: u64, started: Instant) {
    let mut stream = connect(port);
    let (began, mut sent, mut out) = (Instant::now(), 0, Vec::new());
    let all = numbers.end - numbers.start;
    while sent < all {
        let due = ((began.elapsed().as_secs_f64() * rate as f64) as u64).min(all);
        let now = started.elapsed().as_micros() as u64;
        out.clear();
        (sent..due).for_each(|number| lines.push(numbers.start + number, now.max(1), &mut out));
        stream.write_all(&out).expect("the relay takes it");
        sent = due;
        thread::sleep(TICK);
    }
}

/// Posts lines in requests of so many, one after the other, each answered with yes; tries again where it is no.
pub fn post(lines: &Lines, numbers: Range<u64>, port: u16, request_lines: u64) {
    let mut stream = connect(port);
    let (mut out, mut answer) = (Vec::new(), vec![0; 4096]);
    let mut first = numbers.start;
    while first < numbers.end {
        let end = numbers.end.min(first + request_lines);
        let bytes = (end - first) as usize * LINE_BYTES;
        let head = format!("POST /v1/logs HTTP/1.1\r\nhost: relay\r\ncontent-length: {bytes}\r\n\r\n");
        out.clear();
        out.extend_from_slice(head.as_bytes());
        (first..end).for_each(|number| lines.push(number, 0, &mut out));
        stream.write_all(&out).expect("the relay takes it");
        let read = stream.read(&mut answer).expect("the relay answers");
        match &answer[..read] {
            [b'H', b'T', b'T', b'P', _, _, _, _, _, b'2', ..] => first = end,
            [b'H', b'T', b'T', b'P', _, _, _, _, _, b'5', ..] => thread::sleep(Duration::from_millis(5)),
            other => panic!("{}", String::from_utf8_lossy(other)),
        }
    }
}

/// Connects, waiting until the relay listens.
pub fn connect(port: u16) -> TcpStream {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        match TcpStream::connect(("127.0.0.1", port)) {
            Ok(stream) => {
                stream.set_nodelay(true).expect("it is a wish that is granted");
                return stream;
            }
            Err(error) if Instant::now() > until => panic!("the relay does not listen: {error}"),
            Err(_) => thread::sleep(Duration::from_millis(20)),
        }
    }
}

//! The far end: takes lines over TCP, or in requests of HTTP, and knows which came and how long each took.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use crate::lines;

/// Bytes of one read.
const READ_BYTES: usize = 256 * 1024;

/// One line in how many is looked at for an address.
const CLEAN_EVERY: u64 = 101;

/// What the relay sends to.
pub struct Far {
    port: u16,
    seen: Arc<Mutex<Seen>>,
}

/// What has come.
pub struct Seen {
    started: Instant,
    /// By number.
    came: Vec<bool>,
    lines: u64,
    again: u64,
    last: Instant,
    /// Of each line that said when it was sent, in microseconds.
    waits: Vec<u32>,
}

impl Far {
    /// Listens for `lines` lines; waits are counted from `started`.
    pub fn listen(lines: u64, started: Instant) -> Far {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let came = vec![false; usize::try_from(lines).expect("they fit into memory")];
        let seen = Seen { started, came, lines: 0, again: 0, last: started, waits: Vec::new() };
        let seen = Arc::new(Mutex::new(seen));
        let of_listener = Arc::clone(&seen);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let seen = Arc::clone(&of_listener);
                thread::spawn(move || take(stream, &seen));
            }
        });
        Far { port, seen }
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Waits until all lines have come; when the last did. Panics if nothing comes for half a minute.
    pub fn wait(&self) -> Instant {
        loop {
            let seen = self.seen();
            if seen.lines == seen.came.len() as u64 {
                return seen.last;
            }
            let (idle, lines) = (seen.last.max(seen.started).elapsed(), seen.lines);
            drop(seen);
            assert!(idle < Duration::from_secs(30), "{lines} lines came, and no more");
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Lines that came more than once.
    pub fn again(&self) -> u64 {
        self.seen().again
    }

    /// How long lines took: of a thousand the `per_mille`th, in order.
    pub fn wait_of(&self, per_mille: usize) -> Duration {
        let mut seen = self.seen();
        seen.waits.sort_unstable();
        let place = seen.waits.len() * per_mille / 1000;
        Duration::from_micros(seen.waits.get(place).copied().unwrap_or_default().into())
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().expect("no holder panics")
    }
}

impl Seen {
    fn lines(&mut self, text: &[u8]) {
        let now = Instant::now();
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            let Some((number, sent)) = lines::tail(line) else { continue };
            let came = &mut self.came[usize::try_from(number).expect("it is one of ours")];
            if std::mem::replace(came, true) {
                self.again += 1;
                continue;
            }
            self.lines += 1;
            assert!(number % CLEAN_EVERY != 0 || lines::is_clean(line), "an address has passed");
            if sent > 0 {
                let took = (now - self.started).as_micros() as u64;
                self.waits.push(u32::try_from(took.saturating_sub(sent)).unwrap_or(u32::MAX));
            }
        }
        self.last = now;
    }
}

/// Serves a connection to its end.
fn take(mut stream: TcpStream, seen: &Mutex<Seen>) {
    let mut text = Vec::with_capacity(2 * READ_BYTES);
    let mut is_http = None;
    while read(&mut stream, &mut text).is_ok_and(|bytes| bytes > 0) {
        let is_http = *is_http.get_or_insert_with(|| text.starts_with(b"POST "));
        if is_http {
            while let Some((head, body)) = request(&text) {
                seen.lock().expect("no holder panics").lines(&text[head..head + body]);
                text.drain(..head + body);
                if stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").is_err() {
                    return;
                }
            }
        } else if let Some(end) = memchr::memrchr(b'\n', &text) {
            seen.lock().expect("no holder panics").lines(&text[..=end]);
            text.drain(..=end);
        }
    }
}

fn read(stream: &mut TcpStream, text: &mut Vec<u8>) -> io::Result<usize> {
    let before = text.len();
    text.resize(before + READ_BYTES, 0);
    let read = stream.read(&mut text[before..]);
    text.truncate(before + read.as_ref().copied().unwrap_or_default());
    read
}

/// Length of head and body, if the request is all here.
fn request(text: &[u8]) -> Option<(usize, usize)> {
    const LENGTH: &str = "content-length: ";
    let head = memchr::memmem::find(text, b"\r\n\r\n")? + 4;
    let lines = std::str::from_utf8(&text[..head]).expect("a head is text").lines();
    let length =
        lines.map(str::to_ascii_lowercase).find_map(|line| line.strip_prefix(LENGTH).map(str::to_owned));
    let body = length?.parse().expect("a length");
    (text.len() >= head + body).then_some((head, body))
}

/*!
Whether the program kept its word: every record that it acknowledged arrives,
one that comes twice has one id, and nothing planted arrives at all.
*/

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use super::{http, planted, wait_until};

/// An HTTP server that takes NDJSON and remembers of each record its number and id.
pub struct Collector {
    /// Where it listens.
    pub port: u16,
    got: Arc<Mutex<Got>>,
}

#[derive(Default)]
struct Got {
    ids: BTreeMap<usize, BTreeSet<String>>,
    records: usize,
    /// Records without a number.
    strangers: usize,
}

impl Collector {
    /// Listens on a free port of 127.0.0.1.
    pub fn start() -> Collector {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let got = Arc::new(Mutex::new(Got::default()));
        let shared = Arc::clone(&got);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let got = Arc::clone(&shared);
                thread::spawn(move || {
                    while let Some(body) = http::request(&stream) {
                        take(&body, &mut got.lock().unwrap());
                        if (&stream).write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Collector { port, got }
    }

    /// Records that arrived, those that came twice counted twice.
    pub fn records(&self) -> usize {
        self.got.lock().unwrap().records
    }

    /// Arrivals of records that had arrived before.
    pub fn twice(&self) -> usize {
        let got = self.got.lock().unwrap();
        got.records - got.ids.len()
    }

    /// Whether the record of that number arrived.
    pub fn has(&self, number: usize) -> bool {
        self.got.lock().unwrap().ids.contains_key(&number)
    }

    /// Waits until all of these arrived; fails if one of them has two ids.
    #[track_caller]
    pub fn has_all(&self, acknowledged: &BTreeSet<usize>) {
        let missing = || {
            let got = self.got.lock().unwrap();
            acknowledged.iter().filter(|number| !got.ids.contains_key(number)).count()
        };
        let mut last = (self.records(), std::time::Instant::now());
        // As long as records come, there is hope.
        while missing() > 0 && last.1.elapsed() < super::PATIENCE {
            thread::sleep(std::time::Duration::from_millis(50));
            if self.records() != last.0 {
                last = (self.records(), std::time::Instant::now());
            }
        }
        assert_eq!(missing(), 0, "acknowledged and lost, of {}", acknowledged.len());
        let got = self.got.lock().unwrap();
        assert_eq!(got.strangers, 0, "records that nobody sent");
        for number in acknowledged {
            assert_eq!(got.ids[number].len(), 1, "record {number} came under two ids");
        }
    }
}

fn take(body: &[u8], got: &mut Got) {
    planted::nothing_in("what the sink was sent", body);
    for line in body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let envelope: serde_json::Value = serde_json::from_slice(line).expect("a whole line is JSON");
        let message = envelope["message"].as_str().expect("a record has a message");
        if message.starts_with("[logveil: record withheld") {
            // What a test sent beyond a limit.
            continue;
        }
        let number = message.split_once("rec-").and_then(|(_, rest)| rest.get(..6)?.parse().ok());
        let Some(number) = number else {
            got.strangers += 1;
            continue;
        };
        assert!(message.ends_with(" done"), "record {number} was cut");
        let id = envelope["id"].as_str().expect("a record has an id").to_owned();
        got.ids.entry(number).or_default().insert(id);
        got.records += 1;
    }
}

/// Clients that post records of rising numbers, each once, and remember which were acknowledged.
pub struct Load {
    next: AtomicUsize,
    stop: AtomicBool,
    acknowledged: Mutex<BTreeSet<usize>>,
    refused: Mutex<BTreeMap<u16, usize>>,
}

/// Records of one request.
const RECORDS: usize = 10;

impl Load {
    /// Posts to `port` with so many clients while `what` goes on. What was acknowledged by its end.
    pub fn during<T>(port: u16, clients: usize, what: impl FnOnce(&Load) -> T) -> (T, Load) {
        let load = Load {
            next: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
            acknowledged: Mutex::default(),
            refused: Mutex::default(),
        };
        let done = thread::scope(|scope| {
            for _ in 0..clients {
                scope.spawn(|| load.post(port));
            }
            // Also when the test fails: else its clients would post for ever.
            let _stop = Stop(&load.stop);
            what(&load)
        });
        (done, load)
    }

    fn post(&self, port: u16) {
        while !self.stop.load(Ordering::Acquire) {
            let first = self.next.fetch_add(RECORDS, Ordering::Relaxed);
            let numbers = first..first + RECORDS;
            let lines: Vec<String> = numbers.clone().map(planted::message).collect();
            match http::post(port, "/v1/logs", &["Content-Type: text/plain"], lines.join("\n").as_bytes()) {
                Ok(answer) if answer.status == 200 => self.acknowledged.lock().unwrap().extend(numbers),
                Ok(answer) => {
                    *self.refused.lock().unwrap().entry(answer.status).or_default() += 1;
                    thread::sleep(std::time::Duration::from_millis(10));
                }
                Err(_) => thread::sleep(std::time::Duration::from_millis(10)),
            }
        }
    }

    /// The records that were acknowledged so far.
    pub fn acknowledged(&self) -> BTreeSet<usize> {
        self.acknowledged.lock().unwrap().clone()
    }

    /// How many requests had this answer.
    pub fn refused(&self, status: u16) -> usize {
        self.refused.lock().unwrap().get(&status).copied().unwrap_or(0)
    }

    /// Waits until so many records more are acknowledged.
    #[track_caller]
    pub fn waits_for(&self, more: usize) {
        let before = self.acknowledged.lock().unwrap().len();
        wait_until(&format!("{more} records are acknowledged"), || {
            self.acknowledged.lock().unwrap().len() >= before + more
        });
    }
}

struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

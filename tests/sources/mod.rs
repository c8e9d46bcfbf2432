/*!
The sources on real sockets, with an intake that remembers what it is given.
*/

mod answered;
mod files;
mod http;
mod http2;
mod protocols;
mod syslog;

use std::io::Read as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use logveil::clock::{ManualClock, Timestamp};
use logveil::record::{Ack, Batch};
use logveil::source::{Intake, Refused, Taking, Turns, World};
use logveil::telemetry::Metrics;
use tokio::sync::{Notify, watch};

/// Nothing here waits as long as this unless it is broken.
const LONG: Duration = crate::support::PATIENCE;

/// What a source is to learn of its batches.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Taken, and confirmed at once.
    Confirm,
    /// Taken, and dropped unconfirmed.
    Fail,
    /// Taken; the acknowledgement is kept.
    Keep,
    /// Not taken.
    Refuse,
    /// The task that asks for it panics.
    Panic,
}

/// One record as the intake saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    host: String,
    app: String,
    structured: String,
    path: String,
    message: String,
}

/// An intake that remembers.
struct Stub {
    fate: Fate,
    seen: Mutex<Vec<Seen>>,
    kept: Mutex<Vec<Ack>>,
    news: Notify,
}

impl Intake for Stub {
    fn take(&self, batch: Batch, _patience: Duration) -> Taking<'_> {
        if self.fate == Fate::Refuse {
            return Box::pin(std::future::ready(Err(Refused::Full)));
        }
        assert!(self.fate != Fate::Panic, "planted");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let seen = batch.records.iter().map(|record| Seen {
            host: text(&batch.raw.bytes()[record.host.range()]),
            app: text(&batch.raw.bytes()[record.app.range()]),
            structured: text(&batch.raw.bytes()[record.structured.range()]),
            path: text(batch.path.bytes()),
            message: text(&batch.raw.bytes()[record.message.range()]),
        });
        self.seen.lock().unwrap().extend(seen);
        match self.fate {
            Fate::Confirm => batch.ack.confirm(),
            Fate::Keep => self.kept.lock().unwrap().push(batch.ack),
            Fate::Fail | Fate::Refuse | Fate::Panic => {}
        }
        self.news.notify_one();
        Box::pin(std::future::ready(Ok(())))
    }
}

/// A source's world, and the test's hands on it.
struct Scene {
    stub: Arc<Stub>,
    metrics: Arc<Metrics>,
    stop: watch::Sender<bool>,
    world: World,
}

impl Scene {
    fn new(fate: Fate) -> Scene {
        let stub = Stub { fate, seen: Mutex::default(), kept: Mutex::default(), news: Notify::new() };
        let stub = Arc::new(stub);
        let metrics = Arc::new(Metrics::new());
        let (stop, stopped) = watch::channel(false);
        let now: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        let world = World {
            intake: Arc::clone(&stub) as Arc<dyn Intake>,
            clock: Arc::new(ManualClock::at(now)),
            metrics: Arc::clone(&metrics),
            stop: stopped,
            turns: Turns::new(4),
        };
        Scene { stub, metrics, stop, world }
    }

    fn seen(&self) -> Vec<Seen> {
        self.stub.seen.lock().unwrap().clone()
    }

    fn messages(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| seen.message).collect()
    }

    /// Waits until the intake has seen so many records.
    async fn records(&self, count: usize) {
        let enough = async {
            while self.stub.seen.lock().unwrap().len() < count {
                self.stub.news.notified().await;
            }
        };
        assert!(tokio::time::timeout(LONG, enough).await.is_ok(), "saw {} records", self.seen().len());
    }

    /// The lines of the metrics that begin with `name`.
    fn metric(&self, name: &str) -> Vec<String> {
        let text = String::from_utf8(self.metrics.encode()).unwrap();
        text.lines().filter(|line| line.starts_with(name)).map(str::to_owned).collect()
    }

    /// Stops the source and waits until it has ended.
    async fn stopped(&self, serving: tokio::task::JoinHandle<()>) {
        self.stop.send(true).unwrap();
        tokio::time::timeout(LONG, serving).await.expect("the source ends").unwrap();
    }
}

fn marker(byte_len: usize, reason: &str) -> String {
    format!("[logveil: record withheld, {byte_len} bytes, {reason}]")
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    flate2::read::GzEncoder::new(bytes, flate2::Compression::best()).read_to_end(&mut packed).unwrap();
    packed
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}

//! Records on their way into a batch.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::World;
use crate::clock::Timestamp;
use crate::codec::{self, Parts};
use crate::frame;
use crate::limit::{BATCH_BYTES, BATCH_RECORDS_MAX, RECORD_BYTES_MAX};
use crate::mark;
use crate::record::{Ack, Batch, Record};
use crate::secret::Raw;
use crate::span::Span;
use crate::telemetry::Cut;

/// Gathers a source's records until there are enough for a batch.
///
/// One copy of each record's bytes, one allocation a batch. The batch's receive time is that of its first record.
pub struct Gather {
    source: Arc<str>,
    world: World,
    raw: Vec<u8>,
    records: Vec<Record>,
    /// Bytes and records of the batch before: the next one is about as large.
    before: (usize, usize),
    received: Option<Timestamp>,
}

impl Gather {
    /// Nothing gathered yet.
    pub fn new(source: Arc<str>, world: World) -> Gather {
        Gather { source, world, raw: Vec::new(), records: Vec::new(), before: (0, 0), received: None }
    }

    /// Adds a frame of syslog.
    pub fn push_syslog(&mut self, frame: &[u8]) {
        let received = self.received();
        self.push_parsed(frame, |raw, span| codec::syslog::parse(raw, span, received));
    }

    /// Adds what `parse` makes of a frame. One that makes it panic is withheld, and a marker stands in its place.
    fn push_parsed(&mut self, frame: &[u8], parse: impl FnOnce(&[u8], Span) -> Record) {
        let span = self.append(frame);
        match catch_unwind(AssertUnwindSafe(|| parse(&self.raw, span))) {
            Ok(record) => self.records.push(record),
            Err(_) => {
                let start = self.raw.len();
                mark::write_withheld(&mut self.raw, frame.len(), "it made a stage fail");
                self.records.push(Record::plain(Span::new(start, self.raw.len())));
                self.world.metrics.records_withheld.with_label_values(&["failed"]).inc();
            }
        }
    }

    /// Adds a record of several parts. One that is too long becomes a marker.
    pub fn push_parts(&mut self, parts: &Parts<'_>) {
        if parts.byte_len() > RECORD_BYTES_MAX {
            return self.push_marker(parts.byte_len() as u64, "too long", Cut::TooLong);
        }
        self.received();
        let record = Record {
            host: self.append(&parts.host),
            app: self.append(&parts.app),
            structured: self.append(&parts.structured),
            message: self.append(&parts.message),
            priority: parts.priority,
            time: parts.time,
            ..Record::default()
        };
        self.records.push(record);
    }

    /// Adds a record that is all message.
    pub fn push_plain(&mut self, message: &[u8]) {
        self.received();
        let span = self.append(message);
        self.records.push(Record::plain(span));
    }

    /// Adds a marker for a record that was cut, and counts it.
    pub fn push_cut(&mut self, cut: frame::Cut) {
        match cut.why {
            frame::Why::TooLong => self.push_marker(cut.byte_len, "too long", Cut::TooLong),
            frame::Why::Truncated => self.push_marker(cut.byte_len, "truncated", Cut::Truncated),
        }
    }

    /// Adds a marker for a stream of which `byte_len` bytes are of no use, since its octet count is none; counts it.
    pub fn push_lost(&mut self, byte_len: usize) {
        self.push_marker(byte_len as u64, "octet count refused", Cut::OctetCount);
    }

    /// Whether a batch is full.
    pub fn is_full(&self) -> bool {
        self.raw.len() >= BATCH_BYTES || self.records.len() >= BATCH_RECORDS_MAX
    }

    /// Whether nothing is gathered.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Number of records gathered.
    pub fn record_count(&self) -> usize {
        self.records.len()
    }

    /// The batch of all that is gathered, with its path and acknowledgement. Counts its bytes.
    pub fn take(&mut self, path: &[u8], ack: Ack) -> Batch {
        let received = self.received();
        self.received = None;
        self.before = (self.raw.len(), self.records.len());
        let raw = std::mem::take(&mut self.raw);
        self.world.metrics.received_bytes.with_label_values(&[&*self.source]).inc_by(raw.len() as u64);
        Batch {
            raw: Raw::new(raw),
            records: std::mem::take(&mut self.records),
            received,
            source: Arc::clone(&self.source),
            path: Raw::new(path.to_vec()),
            ack,
        }
    }

    /// Lets go of all that is gathered; says how many records that were.
    pub fn discard(&mut self) -> u64 {
        // With their room: nobody holds it for who gathers nothing.
        (self.raw, self.received) = (Vec::new(), None);
        std::mem::take(&mut self.records).len() as u64
    }

    fn push_marker(&mut self, byte_len: u64, reason: &'static str, why: Cut) {
        self.received();
        let start = self.raw.len();
        mark::write_withheld(&mut self.raw, usize::try_from(byte_len).unwrap_or(usize::MAX), reason);
        self.records.push(Record::plain(Span::new(start, self.raw.len())));
        self.world.metrics.cut(&self.source, why);
    }

    /// Spans in a batch ascend: each record is appended behind the one before.
    fn append(&mut self, bytes: &[u8]) -> Span {
        let start = self.raw.len();
        self.raw.extend_from_slice(bytes);
        Span::new(start, self.raw.len())
    }

    fn received(&mut self) -> Timestamp {
        if self.received.is_none() {
            self.raw.reserve(self.before.0);
            self.records.reserve(self.before.1);
        }
        *self.received.get_or_insert_with(|| self.world.clock.now())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::{Clock, ManualClock};
    use crate::source::{Intake, Taking};
    use crate::telemetry::Metrics;

    struct Nobody;

    impl Intake for Nobody {
        fn take(&self, _batch: Batch, _patience: std::time::Duration) -> Taking<'_> {
            Box::pin(std::future::ready(Ok(())))
        }
    }

    fn gather(clock: &Arc<ManualClock>, metrics: &Arc<Metrics>) -> Gather {
        let world = World {
            intake: Arc::new(Nobody),
            clock: Arc::clone(clock) as Arc<dyn Clock>,
            metrics: Arc::clone(metrics),
            stop: tokio::sync::watch::channel(false).1,
            turns: crate::source::Turns::new(4),
        };
        Gather::new("edge".into(), world)
    }

    /// F28: whatever day it is when its last record comes, a batch has the moment of its first.
    #[test]
    fn a_day_that_ends_within_a_batch_ends_behind_it() {
        let before: Timestamp = "2026-11-22T23:59:59.9Z".parse().unwrap();
        let clock = Arc::new(ManualClock::at(before));
        let mut gather = gather(&clock, &Arc::new(Metrics::new()));
        gather.push_plain(b"one");
        clock.advance(Duration::from_millis(200));
        gather.push_plain(b"two");
        // A clock that is set back makes no batch older.
        clock.step_to(before - Duration::from_secs(86_400));
        gather.push_plain(b"three");
        let batch = gather.take(b"", Ack::none());
        assert_eq!((batch.received, batch.records.len()), (before, 3));
        clock.step_to("2026-11-23T00:00:00Z".parse().unwrap());
        gather.push_plain(b"four");
        assert_eq!(gather.take(b"", Ack::none()).received, "2026-11-23T00:00:00Z".parse().unwrap());
    }

    #[test]
    fn a_frame_that_makes_the_codec_panic_is_withheld_alone() {
        let metrics = Arc::new(Metrics::new());
        let mut gather = gather(&Arc::new(ManualClock::at(Timestamp::UNIX_EPOCH)), &metrics);
        gather.push_plain(b"one");
        gather.push_parsed(b"secret", |_, _| panic!("planted"));
        gather.push_plain(b"two");
        let batch = gather.take(b"", Ack::none());
        let text = |record: &Record| batch.raw.bytes()[record.message.range()].to_vec();
        let messages: Vec<_> = batch.records.iter().map(text).collect();
        let marker = b"[logveil: record withheld, 6 bytes, it made a stage fail]";
        assert_eq!(messages, [&b"one"[..], marker, b"two"]);
        assert_eq!(metrics.records_withheld.with_label_values(&["failed"]).get(), 1);
    }
}

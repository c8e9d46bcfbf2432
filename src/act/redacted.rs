/*!
Clean records, and the proof of it: only `act` can make a [`Redacted`].

Everybody may hold one:

```
fn sink(batch: &logveil::act::Redacted) -> usize { batch.byte_len() }
```

But there is no constructor, no `Default` and no public field:

```compile_fail
let forged = logveil::act::Redacted { bytes: b"jane@example.com".to_vec(), ..todo!() };
```

```compile_fail
let forged = logveil::act::Redacted::default();
```

Nor can anybody reach what a [`Pass`](super::Pass) writes to:

```compile_fail
let forge = logveil::act::redacted::Builder::new;
```
*/

use std::sync::Arc;

use zeroize::Zeroize;

use crate::clock::Timestamp;
use crate::record::{Names, Record, RecordId};
use crate::span::Span;

/// Records after `act`: the only type that queues, sinks and the archive accept.
#[derive(Clone, Debug)]
pub struct Redacted {
    pub(in crate::act) bytes: Vec<u8>,
    /// Whether the bytes are the records' messages, with a newline between two of them and nothing else.
    pub(in crate::act) are_lines: bool,
    /// Newlines between records that belong to none.
    pub(in crate::act) separators: usize,
    pub(in crate::act) records: Vec<Record>,
    pub(in crate::act) received: Timestamp,
    pub(in crate::act) names: Arc<Names>,
    /// Of the record at place 0.
    pub(in crate::act) first: RecordId,
    /// Why a sink refused all of it for good; nothing where none did.
    pub(in crate::act) refusal: Option<Arc<str>>,
}

impl Redacted {
    /// The records with all that is known of them, in order of arrival.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Envelope<'_>> {
        self.records.iter().map(|record| self.envelope(record))
    }

    /// Number of records.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether every record was dropped or withheld.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Bytes held, for the bounds of queues.
    pub fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    /// Bytes of its records alone.
    pub fn text_len(&self) -> usize {
        self.bytes.len() - self.separators
    }

    /// Receive time of all of its records.
    pub fn received(&self) -> Timestamp {
        self.received
    }

    /// Gives the records their ids: `first`, and the sequence from there on. To be done once, before anybody else has
    /// the batch.
    pub fn number(&mut self, first: RecordId) {
        self.first = first;
    }

    /// The same batch, refused for good by a sink for this reason, which holds nothing of a record. On a disk it keeps
    /// its reason and its ids.
    pub fn refused(mut self, why: Arc<str>) -> Redacted {
        self.refusal = Some(why);
        self
    }

    /// Why a sink refused it, if one did.
    pub fn refusal(&self) -> Option<&str> {
        self.refusal.as_deref()
    }

    /// The names of its classes and streams.
    pub fn names(&self) -> &Arc<Names> {
        &self.names
    }

    /// The records as spans into [`Redacted::bytes`].
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// The clean bytes that the records' spans point into.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The same batch with those records alone of which `keep` says so, and no bytes of others.
    pub fn only(&self, keep: impl Fn(&Record) -> bool) -> Redacted {
        let mut records: Vec<Record> = self.records.iter().filter(|record| keep(record)).copied().collect();
        let parts: Vec<&mut Span> = records.iter_mut().flat_map(Record::parts_mut).collect();
        let mut bytes = Vec::with_capacity(parts.iter().map(|part| part.len()).sum());
        // Empty ones, too: where they stood there may be nothing any more.
        for part in parts {
            let start = bytes.len();
            bytes.extend_from_slice(&self.bytes[part.range()]);
            *part = Span::new(start, bytes.len());
        }
        let (names, refusal) = (Arc::clone(&self.names), self.refusal.clone());
        let (received, first) = (self.received, self.first);
        Redacted { bytes, are_lines: false, separators: 0, records, received, names, first, refusal }
    }

    /// The messages with a newline between two of them, if nothing else is known of the records.
    ///
    /// # Errors
    ///
    /// Itself, if more is known.
    pub fn into_lines(self) -> Result<Vec<u8>, Redacted> {
        if self.are_lines { Ok(self.bytes) } else { Err(self) }
    }

    fn envelope(&self, record: &Record) -> Envelope<'_> {
        let (class, ttl) = &self.names.classes[usize::from(record.class.0)];
        let sequence = self.first.sequence.wrapping_add(u64::from(record.place));
        Envelope {
            id: RecordId { run: self.first.run, sequence },
            received: self.received,
            time: record.time,
            class,
            expires_at: self.received + ttl.duration(),
            stream: &self.names.streams[usize::from(record.stream.0)],
            policy: &self.names.policy,
            priority: record.priority,
            host: &self.bytes[record.host.range()],
            app: &self.bytes[record.app.range()],
            procid: &self.bytes[record.procid.range()],
            msgid: &self.bytes[record.msgid.range()],
            structured: &self.bytes[record.structured.range()],
            message: &self.bytes[record.message.range()],
        }
    }
}

/// One clean record and all that is known of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Envelope<'a> {
    /// What it is called; the same each time it is sent. Of no run where records are not numbered.
    pub id: RecordId,
    /// When logveil received it.
    pub received: Timestamp,
    /// When it happened, as its sender says.
    pub time: Option<Timestamp>,
    /// Retention class.
    pub class: &'a str,
    /// The moment at which no store may hold it any more.
    pub expires_at: Timestamp,
    /// Stream.
    pub stream: &'a str,
    /// The policy that handled it: `name@version`.
    pub policy: &'a str,
    /// Facility and severity, 0 to 191.
    pub priority: Option<u8>,
    /// Sender.
    pub host: &'a [u8],
    /// Program.
    pub app: &'a [u8],
    /// Process.
    pub procid: &'a [u8],
    /// Kind of message.
    pub msgid: &'a [u8],
    /// RFC 5424 STRUCTURED-DATA, brackets included.
    pub structured: &'a [u8],
    /// What was said.
    pub message: &'a [u8],
}

/// Gathers clean records. Private to `act`: the buffer behind it is written by actions alone.
#[derive(Debug)]
pub(in crate::act) struct Builder<'a> {
    /// What spans of records that come in point into.
    raw: &'a [u8],
    redacted: Redacted,
    /// What is still to be copied from the raw bytes: neighbours are copied in one go.
    pending: Span,
    /// Whether a newline sets the record in the making apart.
    set_apart: bool,
    /// Bytes of the records that are whole; what stands after them belongs to one in the making.
    whole: usize,
}

impl<'a> Builder<'a> {
    pub(in crate::act) fn new(raw: &'a [u8], received: Timestamp, names: Arc<Names>) -> Builder<'a> {
        let redacted = Redacted {
            bytes: Vec::new(),
            are_lines: true,
            separators: 0,
            records: Vec::new(),
            received,
            names,
            first: RecordId::default(),
            refusal: None,
        };
        Builder { raw, redacted, pending: Span::default(), set_apart: false, whole: 0 }
    }

    pub(in crate::act) fn reserve(&mut self, byte_len: usize, records: usize) {
        self.redacted.bytes.reserve(byte_len);
        self.redacted.records.reserve(records);
    }

    /// Bytes that there are once what is pending is copied.
    fn len(&self) -> usize {
        self.redacted.bytes.len() + self.pending.len()
    }

    /// Sets the message at `span` apart from the record before it. A newline that is there already is copied.
    pub(in crate::act) fn begin_message(&mut self, span: Span) {
        if self.redacted.records.is_empty() || !self.redacted.are_lines {
            return;
        }
        self.set_apart = true;
        if self.pending.end + 1 == span.start && self.raw[self.pending.end] == b'\n' {
            self.pending.end += 1;
        } else {
            self.flush();
            self.redacted.bytes.push(b'\n');
        }
    }

    /// Copies what was searched and has no findings; returns where it stands.
    pub(in crate::act) fn copy(&mut self, span: Span) -> Span {
        if self.pending.end == span.start {
            self.pending.end = span.end;
        } else {
            self.flush();
            self.pending = span;
        }
        let end = self.len();
        Span::new(end - span.len(), end)
    }

    /// Where actions write what stands in the place of the raw `span`. Only appended to.
    pub(in crate::act) fn write_behind(&mut self, span: Span) -> &mut Vec<u8> {
        self.flush();
        self.pending = Span::new(span.end, span.end);
        &mut self.redacted.bytes
    }

    fn flush(&mut self) {
        self.redacted.bytes.extend_from_slice(&self.raw[self.pending.range()]);
        self.pending.start = self.pending.end;
    }

    /// Ends the record in the making; its spans point into the bytes.
    pub(in crate::act) fn push(&mut self, mut record: Record) {
        self.redacted.are_lines &= record.is_plain();
        record.place = self.redacted.records.len() as u32;
        self.redacted.records.push(record);
        self.redacted.separators += usize::from(std::mem::take(&mut self.set_apart));
        self.whole = self.len();
    }

    /// Ends a record in the making that is all message: `record` with its message at `message` of the bytes.
    pub(in crate::act) fn push_plain(&mut self, record: &Record, message: Span) {
        let place = self.redacted.records.len() as u32;
        self.redacted.records.push(Record { message, place, ..*record });
        self.redacted.separators += usize::from(std::mem::take(&mut self.set_apart));
        self.whole = self.len();
    }

    /// Wipes the record in the making.
    pub(in crate::act) fn roll_back(&mut self) {
        self.flush();
        self.redacted.bytes[self.whole..].zeroize();
        self.redacted.bytes.truncate(self.whole);
        self.set_apart = false;
    }

    pub(in crate::act) fn finish(mut self) -> Redacted {
        self.roll_back();
        self.redacted
    }
}

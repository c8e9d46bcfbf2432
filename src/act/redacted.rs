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
use crate::record::{Names, Record};

/// Records after `act`: the only type that queues, sinks and the archive accept.
#[derive(Clone, Debug)]
pub struct Redacted {
    bytes: Vec<u8>,
    records: Vec<Record>,
    received: Timestamp,
    names: Arc<Names>,
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

    /// Receive time of all of its records.
    pub fn received(&self) -> Timestamp {
        self.received
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

    /// The same batch with those records alone of which `keep` says so.
    pub fn only(&self, keep: impl Fn(&Record) -> bool) -> Redacted {
        let mut fewer = self.clone();
        fewer.records.retain(keep);
        fewer
    }

    fn envelope(&self, record: &Record) -> Envelope<'_> {
        let (class, ttl) = &self.names.classes[usize::from(record.class.0)];
        Envelope {
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
pub(in crate::act) struct Builder {
    redacted: Redacted,
    /// Bytes of the records that are whole; what stands after them belongs to one in the making.
    whole: usize,
}

impl Builder {
    pub(in crate::act) fn new(received: Timestamp, names: Arc<Names>) -> Builder {
        let redacted = Redacted { bytes: Vec::new(), records: Vec::new(), received, names };
        Builder { redacted, whole: 0 }
    }

    /// Where actions write. Only appended to.
    pub(in crate::act) fn bytes_mut(&mut self) -> &mut Vec<u8> {
        &mut self.redacted.bytes
    }

    /// Ends the record in the making; its spans point into the bytes.
    pub(in crate::act) fn push(&mut self, record: Record) {
        self.redacted.records.push(record);
        self.whole = self.redacted.bytes.len();
    }

    /// Wipes the record in the making.
    pub(in crate::act) fn roll_back(&mut self) {
        self.redacted.bytes[self.whole..].zeroize();
        self.redacted.bytes.truncate(self.whole);
    }

    pub(in crate::act) fn finish(mut self) -> Redacted {
        self.roll_back();
        self.redacted
    }
}

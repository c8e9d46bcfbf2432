/*!
Loki's push interface: protobuf, packed with snappy.

A stream's labels are of a fixed list, and few values each: `class` and
`stream`, and `app` and `host` where the operator wants them. Everything else
that is known of a record (its id, `expires_at`, the policy) is structured
metadata, which costs no stream. Entries of one stream are sent in the order of
their time, which lies within a day before the receipt (see `sink::stamp`).

Loki keeps what it can of a push and answers 400 for the rest. The halves are
then sent by themselves until it is known which record is meant; what Loki has
already, the same time and text in the same stream, it does not keep twice.
*/

use std::collections::BTreeMap;
use std::sync::Arc;

use hyper::header::{HeaderName, HeaderValue};

use crate::act::{Envelope, push_json_string};
use crate::sink::{Batch, Delivery, Sink, Verdict, answer, stamp};
use crate::store::{self, Client, Request};

/// A Loki sink's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where Loki is, without the path of its interface.
    pub store: store::Settings,
    /// What names a stream. Default class and stream.
    pub labels: Vec<Label>,
    /// The tenant, where Loki has several (`X-Scope-OrgID`).
    pub tenant: Option<HeaderValue>,
    /// What goes into one request.
    pub batch: Batch,
}

/// What may name a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// Retention class.
    Class,
    /// Stream.
    Stream,
    /// Program: as many streams as there are programs.
    App,
    /// Sender: as many streams as there are senders.
    Host,
}

impl Label {
    /// By the name that it has in configurations and in Loki.
    pub const NAMES: &[(&str, Label)] =
        &[("class", Label::Class), ("stream", Label::Stream), ("app", Label::App), ("host", Label::Host)];

    fn name(self) -> &'static str {
        let found = Label::NAMES.iter().find(|(_, label)| *label == self);
        found.expect("every label has a name").0
    }

    fn value<'a>(self, envelope: &Envelope<'a>) -> &'a [u8] {
        match self {
            Label::Class => envelope.class.as_bytes(),
            Label::Stream => envelope.stream.as_bytes(),
            Label::App => envelope.app,
            Label::Host => envelope.host,
        }
    }
}

/// A client with its connections.
#[derive(Clone, Debug)]
pub struct Loki {
    labels: Vec<Label>,
    tenant: Option<HeaderValue>,
    batch: Batch,
    client: Arc<Client>,
}

impl Loki {
    /// A client for one Loki.
    pub fn new(settings: Settings) -> Loki {
        let Settings { store, labels, tenant, batch } = settings;
        Loki { labels, tenant, batch, client: Arc::new(Client::new(store)) }
    }
}

impl Sink for Loki {
    fn batch(&self) -> Batch {
        self.batch
    }

    fn twin(&self) -> Option<Self> {
        Some(self.clone())
    }

    async fn send(&mut self, delivery: &mut Delivery<'_>) -> Verdict {
        self.batch.bound(delivery);
        let push = prost::Message::encode_to_vec(&push_request(delivery, &self.labels));
        let Ok(body) = snap::raw::Encoder::new().compress_vec(&push) else {
            return answer::unreadable("was not asked for: the push is beyond what snappy packs");
        };
        let mut request = Request::post("/loki/api/v1/push", "application/x-protobuf", body).as_it_is();
        if let Some(tenant) = &self.tenant {
            request = request.header(HeaderName::from_static("x-scope-orgid"), tenant.clone());
        }
        answer::judge(self.client.send(request).await)
    }
}

fn push_request(delivery: &Delivery<'_>, labels: &[Label]) -> PushRequest {
    let mut streams: BTreeMap<String, Vec<Entry>> = BTreeMap::new();
    for envelope in delivery.iter() {
        streams.entry(label_set(&envelope, labels)).or_default().push(entry(&envelope, labels));
    }
    let stream = |(labels, mut entries): (String, Vec<Entry>)| {
        entries.sort_by_key(|entry| entry.timestamp.map(|time| (time.seconds, time.nanos)));
        Stream { labels, entries }
    };
    PushRequest { streams: streams.into_iter().map(stream).collect() }
}

/// `{class="access",stream="web"}`; values are quoted as in LogQL, which is as in Go.
fn label_set(envelope: &Envelope<'_>, labels: &[Label]) -> String {
    let mut set = Vec::from(*b"{");
    for label in labels {
        let value = label.value(envelope);
        if !value.is_empty() {
            if set.len() > 1 {
                set.push(b',');
            }
            set.extend_from_slice(label.name().as_bytes());
            set.push(b'=');
            push_json_string(value, &mut set);
        }
    }
    set.push(b'}');
    String::from_utf8_lossy(&set).into_owned()
}

fn entry(envelope: &Envelope<'_>, labels: &[Label]) -> Entry {
    let time = stamp(envelope);
    let mut metadata = Vec::new();
    let mut known = |name: &str, value: String| {
        if !value.is_empty() {
            metadata.push(Pair { name: name.to_owned(), value });
        }
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    known("id", envelope.id.named().map(|id| id.to_string()).unwrap_or_default());
    known("expires_at", envelope.expires_at.to_string());
    known("policy", envelope.policy.to_owned());
    for label in [Label::App, Label::Host].into_iter().filter(|label| !labels.contains(label)) {
        known(label.name(), text(label.value(envelope)));
    }
    known("procid", text(envelope.procid));
    known("msgid", text(envelope.msgid));
    known("structured", text(envelope.structured));
    known("priority", envelope.priority.map(|priority| priority.to_string()).unwrap_or_default());
    let timestamp = Time { seconds: time.as_second(), nanos: time.subsec_nanosecond() };
    Entry { timestamp: Some(timestamp), line: text(envelope.message), metadata }
}

/// `logproto.PushRequest`.
#[derive(Clone, PartialEq, prost::Message)]
struct PushRequest {
    #[prost(message, repeated, tag = "1")]
    streams: Vec<Stream>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Stream {
    #[prost(string, tag = "1")]
    labels: String,
    #[prost(message, repeated, tag = "2")]
    entries: Vec<Entry>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Entry {
    #[prost(message, optional, tag = "1")]
    timestamp: Option<Time>,
    #[prost(string, tag = "2")]
    line: String,
    #[prost(message, repeated, tag = "3")]
    metadata: Vec<Pair>,
}

/// `google.protobuf.Timestamp`.
#[derive(Clone, Copy, PartialEq, prost::Message)]
struct Time {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Pair {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::sample::envelope;

    #[test]
    fn a_stream_is_named_by_what_has_few_values() {
        let mut one = envelope(b"m");
        one.app = b"a \"b\"\n";
        let usual = [Label::Class, Label::Stream];
        assert_eq!(label_set(&one, &usual), r#"{class="access",stream="access"}"#);
        assert_eq!(label_set(&one, &[Label::Class, Label::App]), r#"{class="access",app="a \"b\"\n"}"#);
        one.app = b"";
        assert_eq!(label_set(&one, &[Label::App, Label::Class]), r#"{class="access"}"#);
    }

    #[test]
    fn what_is_known_of_a_record_goes_beside_it() {
        let entry = entry(&envelope(b"said\xff"), &[Label::Class]);
        assert_eq!(entry.line, "said\u{fffd}");
        assert_eq!(entry.timestamp.map(|time| time.seconds), Some(1_800_000_000));
        let metadata: Vec<(&str, &str)> =
            entry.metadata.iter().map(|pair| (&*pair.name, &*pair.value)).collect();
        let expected = [
            ("id", "00000000000000070000000000000009"),
            ("expires_at", "2027-04-15T08:00:00Z"),
            ("policy", "default@1"),
            ("app", "shop"),
            ("host", "web 1"),
            ("procid", "7"),
            ("priority", "190"),
        ];
        assert_eq!(metadata, expected);
    }
}

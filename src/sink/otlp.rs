/*!
OTLP over HTTP: logs as protobuf, `POST …/v1/logs`.

Records of one sender and program share a resource (`host.name`,
`service.name`). What is ours is an attribute of the record: `logveil.id`,
`logveil.class`, `logveil.expires_at`, `logveil.policy`. The time lies within a
day before the receipt (see `sink::stamp`), the receipt is the observed time.

Of the statuses, OTLP has 429, 502, 503 and 504 tried again; 400 is about the
records. A partial success says how many records were rejected and not which,
so the halves are sent by themselves until it is known: those that were taken
arrive again, under the same `logveil.id`.
*/

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::act::Envelope;
use crate::clock::Timestamp;
use crate::sink::{Batch, Delivery, Fault, Sink, Verdict, answer, stamp};
use crate::store::{self, Client, Request};
use crate::telemetry::SinkError;

/// An OTLP sink's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where the receiver is; `/v1/logs` comes behind its path.
    pub store: store::Settings,
    /// What goes into one request.
    pub batch: Batch,
}

/// A client with its connections.
#[derive(Clone, Debug)]
pub struct Otlp {
    batch: Batch,
    client: Arc<Client>,
}

impl Otlp {
    /// A client for one receiver.
    pub fn new(settings: Settings) -> Otlp {
        Otlp { batch: settings.batch, client: Arc::new(Client::new(settings.store)) }
    }
}

impl Sink for Otlp {
    fn batch(&self) -> Batch {
        self.batch
    }

    fn twin(&self) -> Option<Self> {
        Some(self.clone())
    }

    async fn send(&mut self, delivery: &mut Delivery<'_>) -> Verdict {
        self.batch.bound(delivery);
        let body = prost::Message::encode_to_vec(&export_request(delivery));
        match self.client.send(Request::post("/v1/logs", "application/x-protobuf", body)).await {
            Ok(answer) if answer.is_success() => judge(&answer.body),
            answer => answer::judge(answer),
        }
    }
}

/// An answer that is no protobuf (some receivers send `{}` as JSON) says nothing of a partial success.
fn judge(answer: &[u8]) -> Verdict {
    let rejected = <ExportResponse as prost::Message>::decode(answer)
        .ok()
        .and_then(|answer| answer.partial_success)
        .map_or(0, |partial| partial.rejected);
    match rejected {
        ..=0 => Verdict::Accept,
        rejected => {
            let detail = format!("partial success, {rejected} records rejected");
            Verdict::Refuse(Fault { kind: SinkError::Refused, detail })
        }
    }
}

fn export_request(delivery: &Delivery<'_>) -> ExportRequest {
    let mut resources: BTreeMap<(&[u8], &[u8]), Vec<LogRecord>> = BTreeMap::new();
    for envelope in delivery.iter() {
        resources.entry((envelope.host, envelope.app)).or_default().push(log_record(&envelope));
    }
    let resource_logs = |((host, app), log_records): ((&[u8], &[u8]), Vec<LogRecord>)| {
        let mut attributes = Vec::new();
        attribute("host.name", host, &mut attributes);
        attribute("service.name", app, &mut attributes);
        let scope = Scope { name: "logveil".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() };
        let scope_logs = vec![ScopeLogs { scope: Some(scope), log_records }];
        ResourceLogs { resource: Some(Resource { attributes }), scope_logs }
    };
    ExportRequest { resource_logs: resources.into_iter().map(resource_logs).collect() }
}

fn log_record(envelope: &Envelope<'_>) -> LogRecord {
    let mut attributes = Vec::new();
    let id = envelope.id.named().map(|id| id.to_string()).unwrap_or_default();
    attribute("logveil.id", id.as_bytes(), &mut attributes);
    attribute("logveil.class", envelope.class.as_bytes(), &mut attributes);
    attribute("logveil.stream", envelope.stream.as_bytes(), &mut attributes);
    attribute("logveil.expires_at", envelope.expires_at.to_string().as_bytes(), &mut attributes);
    attribute("logveil.policy", envelope.policy.as_bytes(), &mut attributes);
    attribute("process.pid", envelope.procid, &mut attributes);
    attribute("syslog.msgid", envelope.msgid, &mut attributes);
    attribute("syslog.structured_data", envelope.structured, &mut attributes);
    LogRecord {
        time: nanoseconds(stamp(envelope)),
        severity: envelope.priority.map_or(0, severity),
        body: Some(text(envelope.message)),
        attributes,
        observed: nanoseconds(envelope.received),
    }
}

/// Severity of syslog as OpenTelemetry numbers it (its logs data model, appendix B).
fn severity(priority: u8) -> i32 {
    const NUMBERS: [i32; 8] = [21, 19, 18, 17, 13, 10, 9, 5];
    NUMBERS[usize::from(priority & 7)]
}

fn nanoseconds(time: Timestamp) -> u64 {
    u64::try_from(time.as_nanosecond()).unwrap_or_default()
}

fn attribute(key: &str, value: &[u8], attributes: &mut Vec<KeyValue>) {
    if !value.is_empty() {
        attributes.push(KeyValue { key: key.to_owned(), value: Some(text(value)) });
    }
}

fn text(bytes: &[u8]) -> AnyValue {
    AnyValue { text: Some(String::from_utf8_lossy(bytes).into_owned()) }
}

/// `opentelemetry.proto.collector.logs.v1.ExportLogsServiceRequest`.
#[derive(Clone, PartialEq, prost::Message)]
struct ExportRequest {
    #[prost(message, repeated, tag = "1")]
    resource_logs: Vec<ResourceLogs>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ResourceLogs {
    #[prost(message, optional, tag = "1")]
    resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    scope_logs: Vec<ScopeLogs>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Resource {
    #[prost(message, repeated, tag = "1")]
    attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ScopeLogs {
    #[prost(message, optional, tag = "1")]
    scope: Option<Scope>,
    #[prost(message, repeated, tag = "2")]
    log_records: Vec<LogRecord>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Scope {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    version: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct LogRecord {
    #[prost(fixed64, tag = "1")]
    time: u64,
    #[prost(int32, tag = "2")]
    severity: i32,
    #[prost(message, optional, tag = "5")]
    body: Option<AnyValue>,
    #[prost(message, repeated, tag = "6")]
    attributes: Vec<KeyValue>,
    #[prost(fixed64, tag = "11")]
    observed: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
struct KeyValue {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, optional, tag = "2")]
    value: Option<AnyValue>,
}

/// Only text is sent.
#[derive(Clone, PartialEq, prost::Message)]
struct AnyValue {
    #[prost(string, optional, tag = "1")]
    text: Option<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ExportResponse {
    #[prost(message, optional, tag = "1")]
    partial_success: Option<PartialSuccess>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct PartialSuccess {
    #[prost(int64, tag = "1")]
    rejected: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partial_success_is_none_of_which_records_are_known() {
        let answer = |rejected| {
            let answer = ExportResponse { partial_success: Some(PartialSuccess { rejected }) };
            judge(&prost::Message::encode_to_vec(&answer))
        };
        assert_eq!(answer(0), Verdict::Accept);
        assert!(matches!(answer(3), Verdict::Refuse(fault) if fault.detail.contains("3 records rejected")));
        assert_eq!(judge(b""), Verdict::Accept);
        assert_eq!(judge(b"{}"), Verdict::Accept, "JSON, whatever was asked for");
    }

    #[test]
    fn severities_are_numbered_as_the_data_model_does() {
        for (priority, number) in [(190, 9), (0, 21), (13, 10), (3, 17), (4, 13), (191, 5)] {
            assert_eq!(severity(priority), number, "{priority}");
        }
    }
}

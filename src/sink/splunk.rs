/*!
Splunk's HTTP Event Collector: one JSON object an event.

An event is the envelope; its `time` lies within a day before the receipt (see
`sink::stamp`), since Splunk freezes by it. What is wrong is told by a code: of the
events, and they are refused together and then apart; or of token, index and
load, and they wait.

With `acks: true` an accepted request is asked for by its number until Splunk
has written it; without, the answer says that it is in Splunk's memory.
*/

use std::collections::BTreeMap;
use std::sync::Arc;

use hyper::header::{HeaderName, HeaderValue};
use serde::Deserialize;

use crate::act::{Envelope, push_json_string};
use crate::limit::{SPLUNK_ACK_EVERY, SPLUNK_ACK_WAIT};
use crate::sink::{Batch, Delivery, Fault, Sink, Template, Verdict, answer, stamp};
use crate::store::{self, Answer, Client, Request};
use crate::telemetry::SinkError;

/// A Splunk sink's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where the collector is, without the path of its interface; its credentials are the token.
    pub store: store::Settings,
    /// The index; the token's own without it.
    pub index: Option<Template>,
    /// Whether to wait until events are written.
    pub acks: Acks,
    /// What goes into one request.
    pub batch: Batch,
}

/// When an event counts as delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Acks {
    /// When the collector has it.
    #[default]
    Off,
    /// When it is written. The token must have acknowledgement on.
    On,
}

/// A client with its connections.
#[derive(Clone, Debug)]
pub struct Splunk {
    index: Option<Template>,
    acks: Acks,
    batch: Batch,
    client: Arc<Client>,
    /// Names us among those who ask for acknowledgements; a GUID.
    channel: HeaderValue,
}

impl Splunk {
    /// A client for one collector. `run` tells this run from others.
    pub fn new(settings: Settings, run: u64) -> Splunk {
        let digits = format!("{run:016x}");
        let (one, two) = digits.split_at(8);
        let channel = format!("{one}-{}-{}-8000-000000000000", &two[..4], &two[4..]);
        let channel = HeaderValue::try_from(channel).expect("digits and dashes");
        let Settings { store, index, acks, batch } = settings;
        Splunk { index, acks, batch, client: Arc::new(Client::new(store)), channel }
    }

    async fn post(&self, path: &str, body: Vec<u8>) -> Result<Answer, store::Fault> {
        let channel = HeaderName::from_static("x-splunk-request-channel");
        let request = Request::post(path, "application/json", body).header(channel, self.channel.clone());
        self.client.send(request).await
    }

    /// Asks for a request until it is written, for at most [`SPLUNK_ACK_WAIT`].
    async fn acknowledged(&self, number: u64) -> Verdict {
        let asked = async {
            loop {
                let body = format!("{{\"acks\":[{number}]}}").into_bytes();
                let answer = match self.post("/services/collector/ack", body).await {
                    Ok(answer) if answer.status == 200 => answer,
                    answer => return answer::judge(answer),
                };
                let known = serde_json::from_slice::<Written>(&answer.body).ok();
                if known.is_some_and(|known| known.acks.get(&number.to_string()) == Some(&true)) {
                    return Verdict::Accept;
                }
                tokio::time::sleep(SPLUNK_ACK_EVERY).await;
            }
        };
        match tokio::time::timeout(SPLUNK_ACK_WAIT, asked).await {
            Ok(verdict) => verdict,
            Err(_elapsed) => answer::unreadable("did not come: no acknowledgement in time"),
        }
    }
}

impl Sink for Splunk {
    fn batch(&self) -> Batch {
        self.batch
    }

    fn twin(&self) -> Option<Self> {
        Some(self.clone())
    }

    async fn send(&mut self, delivery: &mut Delivery<'_>) -> Verdict {
        let mut body = Vec::new();
        let index = self.index.as_ref();
        self.batch.fill(delivery, &mut body, |envelope, out| event(envelope, index, out));
        let answer = match self.post("/services/collector/event", body).await {
            Ok(answer) => answer,
            Err(fault) => return Verdict::Defer(fault.into(), None),
        };
        let told = serde_json::from_slice::<Told>(&answer.body).ok();
        let verdict = judge(&answer, told.as_ref().and_then(|told| told.code));
        match (self.acks, verdict) {
            (Acks::On, Verdict::Accept) => match told.and_then(|told| told.ack) {
                Some(number) => self.acknowledged(number).await,
                None => answer::unreadable(
                    "has no ackId; switch acknowledgement on for the token, or acks off here",
                ),
            },
            (_, verdict) => verdict,
        }
    }
}

/// `code` and `ackId` of an answer; its text is not read.
#[derive(Deserialize)]
struct Told {
    code: Option<u16>,
    #[serde(rename = "ackId")]
    ack: Option<u64>,
}

#[derive(Deserialize)]
struct Written {
    acks: BTreeMap<String, bool>,
}

fn event(envelope: &Envelope<'_>, index: Option<&Template>, out: &mut Vec<u8>) {
    let time = stamp(envelope);
    let (seconds, millis) = (time.as_second(), time.subsec_millisecond());
    out.extend_from_slice(format!("{{\"time\":{seconds}.{millis:03},\"source\":").as_bytes());
    push_json_string(envelope.stream.as_bytes(), out);
    out.extend_from_slice(b",\"sourcetype\":\"_json\"");
    if !envelope.host.is_empty() {
        out.extend_from_slice(b",\"host\":");
        push_json_string(envelope.host, out);
    }
    if let Some(index) = index {
        out.extend_from_slice(b",\"index\":\"");
        index.push(envelope, out);
        out.push(b'"');
    }
    out.extend_from_slice(b",\"event\":");
    envelope.write_json(out);
    out.extend_from_slice(b"}\n");
}

/// Codes of the collector: 5, 6, 12, 13 and 15 are about events; the others about token, index, channel and load.
fn judge(answer: &Answer, code: Option<u16>) -> Verdict {
    let fault = |kind| Fault {
        kind,
        detail: match code {
            Some(code) => format!("answer {} with code {code}", answer.status),
            None => format!("answer {}", answer.status),
        },
    };
    match (answer.status, code) {
        (200, Some(0) | None) => Verdict::Accept,
        (200, Some(_)) => Verdict::Defer(fault(SinkError::Server), answer.retry_after()),
        (400, Some(5 | 6 | 12 | 13 | 15)) => Verdict::Refuse(fault(SinkError::Refused)),
        (413, _) => Verdict::Refuse(fault(SinkError::Refused)),
        (status, _) => Verdict::Defer(fault(answer::fault(status).kind), answer.retry_after()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::sample::envelope;
    use hyper::header::HeaderMap;

    #[test]
    fn an_event_is_the_envelope() {
        let mut out = Vec::new();
        event(&envelope(b"a \"b\""), Some(&Template::index("{class}").unwrap()), &mut out);
        let event: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(event["time"], 1_800_000_000.0);
        assert_eq!((&event["host"], &event["index"]), (&"web 1".into(), &"access".into()));
        assert_eq!((&event["event"]["message"], &event["event"]["procid"]), (&"a \"b\"".into(), &"7".into()));
        assert!(event["event"]["expires_at"].is_string());
    }

    #[test]
    fn a_code_says_whose_fault_it_is() {
        for (status, code, expected) in [
            (200, Some(0), "accept"),
            (200, Some(9), "defer server"),
            (400, Some(6), "refuse"),
            (400, Some(12), "refuse"),
            (400, Some(7), "defer refused"),
            (400, Some(10), "defer refused"),
            (400, Some(14), "defer refused"),
            (403, Some(4), "defer refused"),
            (503, Some(9), "defer busy"),
            (500, None, "defer server"),
            (413, None, "refuse"),
        ] {
            let answer = Answer { status, headers: HeaderMap::new(), body: "a record".into() };
            let told = match judge(&answer, code) {
                Verdict::Accept => "accept".to_owned(),
                Verdict::Defer(fault, _) => format!("defer {}", fault.kind.label()),
                Verdict::Refuse(_) => "refuse".to_owned(),
                Verdict::Settle(_) => "settle".to_owned(),
            };
            assert_eq!(told, expected, "{status} {code:?}");
        }
    }
}

/*!
VictoriaLogs: one JSON object a line, by `/insert/jsonline`.

The store answers 200 and drops, with a line in its own log, an object that is
longer than `-insert.maxLineSizeBytes` (256 KiB by default) and one whose time
it will not have. So neither is sent: a record that is too long is refused here,
and `_time` lies within a day before the receipt (see `sink::stamp`). Streams are
made of class and stream, which have few values.
*/

use std::sync::Arc;

use crate::limit::VICTORIALOGS_LINE_BYTES_MAX;
use crate::sink::{Batch, Delivery, Fault, Outcome, Sink, Verdict, answer, stamp};
use crate::store::{self, Client, Request};
use crate::telemetry::SinkError;

/// A VictoriaLogs sink's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where it is, without the path of its interface.
    pub store: store::Settings,
    /// What goes into one request.
    pub batch: Batch,
}

/// A client with its connections.
#[derive(Clone, Debug)]
pub struct VictoriaLogs {
    batch: Batch,
    client: Arc<Client>,
}

impl VictoriaLogs {
    /// A client for one VictoriaLogs.
    pub fn new(settings: Settings) -> VictoriaLogs {
        VictoriaLogs { batch: settings.batch, client: Arc::new(Client::new(settings.store)) }
    }
}

const PATH: &str = "/insert/jsonline?_stream_fields=class,stream&_msg_field=message&_time_field=_time";

impl Sink for VictoriaLogs {
    fn batch(&self) -> Batch {
        self.batch
    }

    fn twin(&self) -> Option<Self> {
        Some(self.clone())
    }

    async fn send(&mut self, delivery: &mut Delivery<'_>) -> Verdict {
        let mut body = Vec::new();
        let mut fits: Vec<bool> = Vec::new();
        self.batch.fill(delivery, &mut body, |envelope, out| {
            let start = out.len();
            out.extend_from_slice(format!("{{\"_time\":\"{}\"", stamp(envelope)).as_bytes());
            envelope.write_members(out);
            out.push(b'}');
            fits.push(out.len() - start <= VICTORIALOGS_LINE_BYTES_MAX);
            match fits.last() {
                Some(true) => out.push(b'\n'),
                Some(false) | None => out.truncate(start),
            }
        });
        fits.truncate(delivery.len());
        let verdict = match body.is_empty() {
            true => Verdict::Accept,
            false => {
                answer::judge(self.client.send(Request::post(PATH, "application/stream+json", body)).await)
            }
        };
        if verdict == Verdict::Accept && fits.contains(&false) {
            return Verdict::Settle(fits.into_iter().map(|fits| (1, outcome(fits))).collect());
        }
        verdict
    }
}

fn outcome(fits: bool) -> Outcome {
    let detail = || format!("the record is longer than the {VICTORIALOGS_LINE_BYTES_MAX} bytes of a line");
    match fits {
        true => Outcome::Accept,
        false => Outcome::Refuse(Fault { kind: SinkError::Refused, detail: detail() }),
    }
}

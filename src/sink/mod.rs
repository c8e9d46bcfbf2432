/*!
Where clean records go.

[`deliver`] asks a sink to take batches, reads its [`Verdict`], waits, asks
again, for as long as it takes. What an answer *means* is the sink's knowledge;
how long to wait is [`Backoff`]'s. Neither knows of the other. A record is
confirmed when [`Verdict::Accept`] says so, and never before.
*/

mod backoff;
pub mod file;
pub mod http;
mod line;
pub mod stdout;
pub mod syslog;

pub use backoff::Backoff;
pub use line::Form;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crate::act::Redacted;
use crate::clock::Clock;
use crate::limit::RETRY_AFTER_MAX;
use crate::telemetry::{Metrics, SinkError};

/// Takes batches off our hands.
pub trait Sink: Send {
    /// Makes one attempt with all of `batches`, in order, and says what came of it.
    fn send(&mut self, batches: &[Arc<Redacted>]) -> impl Future<Output = Verdict> + Send;

    /// Called about once a minute, also when nothing is to be sent.
    fn tick(&mut self) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }
}

/// What became of one attempt.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The sink has the batches.
    Accept,
    /// Not now. The sink may say how soon to ask again.
    Defer(Fault, Option<Duration>),
    /// Never: asking again would give the same answer.
    Refuse(Fault),
}

/// What went wrong: a kind for the metrics, and words for the operator that hold nothing of a record.
#[derive(Debug, PartialEq, Eq)]
pub struct Fault {
    /// For the metrics.
    pub kind: SinkError,
    /// For the log: an operating system's words or a status code.
    pub detail: String,
}

impl Fault {
    /// A fault in the operating system's words.
    pub fn io(kind: SinkError, error: &std::io::Error) -> Fault {
        Fault { kind, detail: error.to_string() }
    }
}

/// A sink's surroundings.
#[derive(Clone)]
pub struct Context {
    /// The sink's name in the configuration.
    pub name: Arc<str>,
    /// Where deliveries are counted.
    pub metrics: Arc<Metrics>,
    /// For the time of an attempt.
    pub clock: Arc<dyn Clock>,
}

/// Why batches were given up.
#[derive(Debug, PartialEq, Eq)]
pub struct Refused(pub Fault);

/// Sends `batches` until the sink takes or refuses them.
pub async fn deliver(
    sink: &mut impl Sink,
    batches: &[Arc<Redacted>],
    backoff: &mut Backoff,
    context: &Context,
) -> Result<(), Refused> {
    let mut deferred = 0_u64;
    loop {
        let started = context.clock.monotonic();
        let verdict = sink.send(batches).await;
        let took = context.clock.monotonic() - started;
        context.metrics.delivery_seconds.with_label_values(&[&context.name]).observe(took.as_secs_f64());
        let (fault, after) = match verdict {
            Verdict::Accept => {
                backoff.rest();
                recovered(deferred, context);
                return Ok(());
            }
            Verdict::Refuse(fault) => {
                backoff.rest();
                context.metrics.sink_error(&context.name, fault.kind);
                return Err(Refused(fault));
            }
            Verdict::Defer(fault, after) => (fault, after.unwrap_or_default()),
        };
        context.metrics.sink_error(&context.name, fault.kind);
        // The first, then ever more seldom: an hour of silence is a hundred attempts.
        if deferred.is_power_of_two() || deferred == 0 {
            let (sink, kind, detail) = (&*context.name, fault.kind.label(), fault.detail);
            tracing::warn!(sink, kind, detail, "a delivery failed and will be tried again");
        }
        deferred += 1;
        tokio::time::sleep(backoff.wait().max(after.min(RETRY_AFTER_MAX))).await;
        context.metrics.sink_retries.with_label_values(&[&context.name]).inc();
    }
}

fn recovered(deferred: u64, context: &Context) {
    if deferred > 0 {
        tracing::info!(sink = &*context.name, attempts = deferred + 1, "deliveries succeed again");
    }
}

#[cfg(test)]
mod tests;

/*!
Where clean records go.

[`deliver`] asks a sink to take records, reads its [`Verdict`], waits, asks
again, for as long as it takes. What an answer *means* is the sink's knowledge;
how long to wait is [`Backoff`]'s. Neither knows of the other. A record is
confirmed when [`Verdict::Accept`] says so, and never before. Records that are
refused together are halved until each was taken, or refused alone: one that the
store cannot read takes no other with it.
*/

mod backoff;
mod delivery;
pub mod file;
pub mod http;
mod line;
pub mod stdout;
pub mod syslog;

pub use backoff::Backoff;
pub use delivery::Delivery;
pub use line::{Form, push_one_line};

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crate::act::Redacted;
use crate::clock::Clock;
use crate::limit::RETRY_AFTER_MAX;
use crate::telemetry::{Metrics, SinkError};

/// Takes records off our hands.
pub trait Sink: Send {
    /// Makes one attempt with all of `delivery`, in order, and says what came of it. A sink that takes no more than
    /// so many at once says so by [`Delivery::limit`], and speaks of these alone.
    fn send(&mut self, delivery: &mut Delivery<'_>) -> impl Future<Output = Verdict> + Send;

    /// Called about once a minute, also when nothing is to be sent.
    fn tick(&mut self) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }
}

/// What became of one attempt.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The sink has the records.
    Accept,
    /// Not now. The sink may say how soon to ask again.
    Defer(Fault, Option<Duration>),
    /// Never these together. A record that is alone is given up; of more, each half is asked for by itself.
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

/// Sends the records of `batches` until the sink has taken or refused each of them.
///
/// `settled` is told in order how many more are taken, or with a fault, that the next one is refused for good.
pub async fn deliver(
    sink: &mut impl Sink,
    batches: &[Arc<Redacted>],
    backoff: &mut Backoff,
    context: &Context,
    mut settled: impl FnMut(usize, Option<Fault>),
) {
    let mut at = 0;
    // What is left ends at the first of them; the last one is where the present attempt ends at most.
    let mut ends = vec![batches.iter().map(|batch| batch.len()).sum::<usize>()];
    let mut trouble = Trouble::default();
    while let Some(&end) = ends.last() {
        if at == end {
            ends.pop();
            continue;
        }
        let mut delivery = Delivery::new(batches, at..end);
        let verdict = attempt(sink, &mut delivery, context).await;
        let records = delivery.len();
        let fault = match verdict {
            Verdict::Accept => None,
            Verdict::Refuse(fault) => {
                context.metrics.sink_error(&context.name, fault.kind);
                if records > 1 {
                    ends.extend((at + records < end).then_some(at + records));
                    ends.push(at + records / 2);
                    continue;
                }
                Some(fault)
            }
            Verdict::Defer(fault, after) => {
                context.metrics.sink_error(&context.name, fault.kind);
                trouble.tell(fault, context);
                let after = after.unwrap_or_default().min(RETRY_AFTER_MAX);
                tokio::time::sleep(backoff.wait().max(after)).await;
                context.metrics.sink_retries.with_label_values(&[&context.name]).inc();
                continue;
            }
        };
        backoff.rest();
        trouble.end(context);
        at += records;
        settled(records, fault);
    }
}

async fn attempt(sink: &mut impl Sink, delivery: &mut Delivery<'_>, context: &Context) -> Verdict {
    let started = context.clock.monotonic();
    let verdict = sink.send(delivery).await;
    let took = context.clock.monotonic() - started;
    context.metrics.delivery_seconds.with_label_values(&[&context.name]).observe(took.as_secs_f64());
    verdict
}

/// A row of attempts that failed.
#[derive(Default)]
struct Trouble {
    deferred: u64,
    last: Option<Fault>,
}

impl Trouble {
    /// Tells of the first, of each that differs from the one before, and of the others ever more seldom: an hour of
    /// silence is a hundred attempts.
    fn tell(&mut self, fault: Fault, context: &Context) {
        self.deferred += 1;
        if self.deferred.is_power_of_two() || self.last.as_ref() != Some(&fault) {
            let (sink, kind, detail) = (&*context.name, fault.kind.label(), &*fault.detail);
            tracing::warn!(sink, kind, detail, "a delivery failed and will be tried again");
        }
        self.last = Some(fault);
    }

    fn end(&mut self, context: &Context) {
        if self.deferred > 0 {
            tracing::info!(sink = &*context.name, attempts = self.deferred + 1, "deliveries succeed again");
        }
        *self = Trouble::default();
    }
}

#[cfg(test)]
mod tests;

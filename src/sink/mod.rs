/*!
Where clean records go.

[`deliver`] asks a sink to take records, reads its [`Verdict`], waits, asks
again, for as long as it takes. What an answer *means* is the sink's knowledge;
how long to wait, and how much may be under way at the same time, is
[`Pace`]'s. Neither knows of the other. A record is confirmed when [`Verdict::Accept`] says so, and never before. Records that are
refused together are halved until each was taken, or refused alone: one that the
store cannot read takes no other with it. A store that answers record by record
needs no halving: [`Verdict::Settle`].
*/

mod answer;
mod backoff;
mod batch;
mod budget;
pub mod bulk;
pub mod clickhouse;
mod delivery;
pub mod file;
mod gate;
pub mod http;
mod line;
pub mod loki;
pub mod otlp;
mod pace;
pub mod s3;
#[cfg(test)]
mod sample;
mod slots;
pub mod splunk;
mod stamp;
pub mod stdout;
pub mod syslog;
mod template;
pub mod victorialogs;

pub use batch::Batch;
pub use delivery::Delivery;
pub use gate::{Gate, Gated};
pub use line::{Form, push_one_line};
pub use pace::Pace;
pub use template::Template;

use backoff::Backoff;
use delivery::Selection;
use pace::{Try, Turn};
use stamp::stamp;

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

    /// How much it wants at once, and how long that is waited for.
    fn batch(&self) -> Batch {
        Batch::default()
    }

    /// Another one for the same store, that makes an attempt while this one does. Nothing, if the store is to get
    /// records in their order.
    fn twin(&self) -> Option<Self>
    where
        Self: Sized,
    {
        None
    }

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
    /// The sink answered for each record by itself: how many, in order, share which outcome. The counts add up to the
    /// delivery's records. Those deferred are sent again alone; those refused are given up without being halved.
    Settle(Vec<(usize, Outcome)>),
}

/// What became of one record, as the sink says of that record alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The sink has it.
    Accept,
    /// Not now.
    Defer(Fault, Option<Duration>),
    /// Never.
    Refuse(Fault),
}

/// What went wrong: a kind for the metrics, and words for the operator that hold nothing of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// What of its classes it does not get just now.
    pub gate: Gate,
}

/// Sends the records of `batches` until the sink has taken or refused each of them.
///
/// `settled` is told in order how many more are taken, or with a fault, that the next one is refused for good.
pub async fn deliver(
    sink: &mut impl Sink,
    batches: &[Arc<Redacted>],
    pace: &Pace,
    context: &Context,
    settled: impl FnMut(usize, Option<Fault>),
) {
    let all = Selection::of(0..batches.iter().map(|batch| batch.len()).sum::<usize>());
    let mut fates = Fates::new(all.len(), settled);
    // The last one is tried next; the places of all of them ascend from the last to the first.
    let mut waiting = vec![(all, Try::First)];
    let mut own = Own::default();
    while let Some((mut records, again)) = waiting.pop() {
        if records.len() == 0 {
            continue;
        }
        let turn = pace.turn(again).await;
        let mut delivery = Delivery::new(batches, records.clone());
        let verdict = attempt(sink, &mut delivery, context).await;
        waiting.push((records.split_off(delivery.len()), again));
        let len = records.len();
        tell(turn, &verdict, len, context);
        let outcomes = match verdict {
            Verdict::Accept => vec![(len, Outcome::Accept)],
            Verdict::Defer(fault, _) => {
                context.metrics.sink_error(&context.name, fault.kind);
                if fault.kind == SinkError::Unverified {
                    // Nothing was sent: what comes next is no retry, and takes nothing from the budget of those.
                    own.wait(fault, Duration::ZERO, pace, context).await;
                    waiting.push((records, again));
                    continue;
                }
                context.metrics.sink_retries.with_label_values(&[&context.name]).inc();
                waiting.push((records, Try::Again));
                continue;
            }
            Verdict::Refuse(fault) if len > 1 => {
                context.metrics.sink_error(&context.name, fault.kind);
                waiting.push((records.split_off(len / 2), Try::First));
                waiting.push((records, Try::First));
                continue;
            }
            Verdict::Refuse(fault) => vec![(len, Outcome::Refuse(fault))],
            Verdict::Settle(outcomes) => outcomes,
        };
        let again = judge(&records, outcomes, &mut fates, context);
        if again.records.len() < len {
            own.rest(context);
        }
        if let Some(fault) = again.fault {
            own.wait(fault, again.after.min(RETRY_AFTER_MAX), pace, context).await;
            context.metrics.sink_retries.with_label_values(&[&context.name]).inc();
        }
        waiting.push((again.records, Try::Again));
    }
}

/// Ends a turn as the sink's verdict on so many records says.
fn tell(turn: Turn<'_>, verdict: &Verdict, records: usize, context: &Context) {
    let is_busy = |(_, outcome): &(usize, Outcome)| {
        matches!(outcome, Outcome::Defer(Fault { kind: SinkError::Busy | SinkError::Server, .. }, _))
    };
    match verdict {
        // Not the store's word: nothing was sent.
        Verdict::Defer(Fault { kind: SinkError::Unverified, .. }, _) => {}
        Verdict::Defer(fault, after) => turn.failed(fault.clone(), *after, context),
        Verdict::Settle(outcomes) if outcomes.iter().any(is_busy) => turn.strained(),
        Verdict::Accept | Verdict::Settle(_) | Verdict::Refuse(_) => turn.answered(records, context),
    }
}

/// What one delivery waits for that others do not: records that are deferred alone.
#[derive(Default)]
struct Own {
    waits: Option<Backoff>,
    trouble: Trouble,
}

impl Own {
    async fn wait(&mut self, fault: Fault, least: Duration, pace: &Pace, context: &Context) {
        self.trouble.tell(fault, context);
        let wait = self.waits.get_or_insert_with(|| pace.own_waits()).wait();
        tokio::time::sleep(wait.max(least)).await;
    }

    fn rest(&mut self, context: &Context) {
        self.waits = None;
        self.trouble.end(context);
    }
}

/// Records that are sent again: why, and when at the earliest.
#[derive(Default)]
struct Again {
    records: Selection,
    fault: Option<Fault>,
    after: Duration,
}

/// Takes the outcomes of `records` in; gives those that are deferred. A record of which the sink said nothing is deferred.
fn judge(
    records: &Selection,
    outcomes: Vec<(usize, Outcome)>,
    fates: &mut Fates<impl FnMut(usize, Option<Fault>)>,
    context: &Context,
) -> Again {
    let mut again = Again::default();
    let mut places = records.iter();
    for (count, outcome) in outcomes {
        let places = places.by_ref().take(count);
        match outcome {
            Outcome::Accept => places.for_each(|place| fates.settle(place, None)),
            Outcome::Defer(fault, after) => {
                context.metrics.sink_error(&context.name, fault.kind);
                places.for_each(|place| again.records.push(place));
                again.fault.get_or_insert(fault);
                again.after = again.after.max(after.unwrap_or_default());
            }
            Outcome::Refuse(fault) => {
                context.metrics.sink_error(&context.name, fault.kind);
                places.for_each(|place| fates.settle(place, Some(fault.clone())));
            }
        }
    }
    places.for_each(|place| again.records.push(place));
    fates.tell();
    again
}

/// What became of records, told in their order whatever the order in which it is known.
struct Fates<F> {
    /// How many of the first are told.
    told: usize,
    known: Vec<Option<Option<Fault>>>,
    settled: F,
}

impl<F: FnMut(usize, Option<Fault>)> Fates<F> {
    fn new(records: usize, settled: F) -> Fates<F> {
        Fates { told: 0, known: vec![None; records], settled }
    }

    fn settle(&mut self, place: usize, fault: Option<Fault>) {
        self.known[place] = Some(fault);
    }

    /// Tells of those at the front that are known.
    fn tell(&mut self) {
        let mut taken = 0;
        while let Some(fate) = self.known.get_mut(self.told).and_then(Option::take) {
            self.told += 1;
            taken += usize::from(fate.is_none());
            if fate.is_some() {
                if taken > 0 {
                    (self.settled)(std::mem::take(&mut taken), None);
                }
                (self.settled)(1, fate);
            }
        }
        if taken > 0 {
            (self.settled)(taken, None);
        }
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
#[derive(Debug, Default)]
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

/*!
What a source hands its batches to: clean, then into every queue or into none.

A batch is cleaned on the task of its connection, which keeps its order and
bounds what is in work. Nothing raw outlives [`Intake::take`]: a batch that is
not taken is dropped there, and its client learns of it.
*/

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::act::Redacted;
use crate::limit::KEY_WAIT;
use crate::pipeline::{self, Outcome, State, Tally};
use crate::queue::memory::{Sender, Slot};
use crate::queue::{Item, cost};
use crate::record::{Ack, Batch};
use crate::source::{self, Refused, Taking};
use crate::telemetry::Metrics;

use super::live::{Live, Now};

/// The way from the sources to the queues.
pub struct Intake {
    now: Now,
    /// One for each sink, in their order; nothing once stopped.
    queues: Mutex<Option<Arc<[Sender]>>>,
    /// Workers' scratch, handed from batch to batch.
    states: Mutex<Vec<State>>,
    metrics: Arc<Metrics>,
    /// Asks for keys.
    keys_wanted: Arc<Notify>,
}

/// A clean batch.
struct Clean {
    batch: Arc<Redacted>,
    tally: Tally,
    ack: Ack,
    live: Arc<Live>,
}

impl Intake {
    /// A way into `queues`.
    pub fn new(now: Now, queues: Vec<Sender>, metrics: Arc<Metrics>, keys_wanted: Arc<Notify>) -> Intake {
        let queues = Mutex::new(Some(queues.into()));
        Intake { now, queues, states: Mutex::default(), metrics, keys_wanted }
    }

    /// Takes nothing any more; the queues end once they are empty.
    pub fn close(&self) {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn queues(&self) -> Result<Arc<[Sender]>, Refused> {
        let queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        queues.as_ref().map(Arc::clone).ok_or(Refused::Stopping)
    }

    async fn take_in(&self, batch: Batch, patience: Duration) -> Result<(), Refused> {
        let patience = Patience::starting(patience);
        let queues = self.queues()?;
        if patience.is_none() && !queues.iter().any(Sender::has_room) {
            return Err(Refused::Full);
        }
        let source = Arc::clone(&batch.source);
        let clean = self.clean(batch, &patience).await?;
        let parts = share(&clean, &queues);
        drop(queues);
        let mut slots: Vec<(Slot, Arc<Redacted>)> = Vec::with_capacity(parts.len());
        for (queue, part) in parts {
            let slot = queue.reserve(cost(&part), patience.left()).await.map_err(|_full| Refused::Full)?;
            slots.push((slot, part));
        }
        self.count(&source, &clean);
        for (slot, batch) in slots {
            slot.send(Item { batch, ack: clean.ack.clone() });
        }
        clean.ack.confirm();
        Ok(())
    }

    /// Cleans a batch. One that needs a key waits for it: it never passes without.
    async fn clean(&self, mut batch: Batch, patience: &Patience) -> Result<Clean, Refused> {
        let mut swaps = self.now.subscribe();
        let mut held = false;
        loop {
            let live = Arc::clone(&swaps.borrow_and_update());
            match self.process(&live, batch) {
                Outcome::Clean { redacted, tally, ack } => {
                    return Ok(Clean { batch: Arc::new(redacted), tally, ack, live });
                }
                Outcome::Held { batch: back, .. } => batch = back,
            }
            if !held {
                self.metrics.batches_held.inc();
                held = true;
            }
            self.keys_wanted.notify_one();
            let left = patience.left();
            if left.is_zero() {
                return Err(Refused::Full);
            }
            // Either way the batch is tried again.
            let _ = tokio::time::timeout(left.min(KEY_WAIT), swaps.changed()).await;
            self.queues()?;
        }
    }

    fn process(&self, live: &Live, batch: Batch) -> Outcome {
        let states = || self.states.lock().unwrap_or_else(PoisonError::into_inner);
        let mut state = states().pop().unwrap_or_default();
        let outcome = pipeline::process(&live.policy, &live.keyring, &mut state, batch);
        states().push(state);
        outcome
    }

    fn count(&self, source: &str, clean: &Clean) {
        let (metrics, tally) = (&self.metrics, &clean.tally);
        metrics.records_received.with_label_values(&[source]).inc_by(tally.records_in);
        metrics.redacted_bytes.inc_by(tally.bytes_out);
        metrics.records_dropped.inc_by(tally.dropped);
        if tally.withheld > 0 {
            metrics.records_withheld.with_label_values(&["failed"]).inc_by(tally.withheld);
        }
        let entities = clean.live.policy.rules().entities();
        for (place, action, count) in tally.findings() {
            let name = entities.iter().nth(place).map_or("other", |entity| entities.name(entity));
            metrics.findings.with_label_values(&[name, action]).inc_by(count);
        }
        super::drive::count_by_class(&clean.batch, |class, records| {
            metrics.records_redacted.with_label_values(&[class]).inc_by(records);
        });
    }
}

impl source::Intake for Intake {
    fn take(&self, batch: Batch, patience: Duration) -> Taking<'_> {
        Box::pin(self.take_in(batch, patience))
    }
}

/// The queues that get something of the batch, each with its part of it.
fn share(clean: &Clean, queues: &[Sender]) -> Vec<(Sender, Arc<Redacted>)> {
    let batch = &clean.batch;
    let part = |wants: &Option<Vec<_>>| {
        let Some(classes) = wants else { return Arc::clone(batch) };
        let wanted = |record: &crate::record::Record| classes.contains(&record.class);
        if batch.records().iter().all(wanted) {
            return Arc::clone(batch);
        }
        Arc::new(batch.only(wanted))
    };
    let parts = queues.iter().zip(&clean.live.wants).map(|(queue, wants)| (queue.clone(), part(wants)));
    parts.filter(|(_, part)| !part.is_empty()).collect()
}

/// Until when a source waits.
struct Patience(Option<Instant>);

impl Patience {
    /// Time that is too long for a clock has no end.
    fn starting(patience: Duration) -> Patience {
        Patience(Instant::now().checked_add(patience))
    }

    fn left(&self) -> Duration {
        match self.0 {
            Some(end) => end.saturating_duration_since(Instant::now()),
            None => Duration::MAX,
        }
    }

    fn is_none(&self) -> bool {
        self.left().is_zero()
    }
}

#[cfg(test)]
mod tests;

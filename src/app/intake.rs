/*!
What a source hands its batches to: clean, then into every queue or into none.

The task of a connection waits for its batch, which keeps the order. No more batches are
cleaned at a time than there are processors, and none but small ones on the
runtime's threads: listeners, sinks and admin go on meanwhile, and a few records
do not wait for another thread to wake up. Before it is cleaned, a
batch takes one of some places and keeps it until it is in
its queues, which bounds what is clean and in no queue yet. Nothing raw outlives [`Intake::take`]: a batch that is
not taken is dropped there, and its client learns of it.
*/

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::act::Redacted;
use crate::leak::{Kind, Leak};
use crate::limit::{INLINE_BYTES, KEY_WAIT};
use crate::pipeline::{self, Again, Hit, Outcome, Tally};
use crate::policy::Policy;
use crate::queue::memory::{Sender, Slot};
use crate::queue::{Item, cost};
use crate::record::{Ack, Batch, ClassId, HomeId, Record, RecordId};
use crate::source::{self, Refused, Taking};
use crate::telemetry::Metrics;

use super::keeper::Keeper;
use super::live::{Live, Now, Want};

/// The way from the sources to the queues.
pub struct Intake {
    now: Now,
    /// Nothing once stopped.
    queues: Mutex<Option<Queues>>,
    /// Where batches go, too, that the policy counts.
    counts: Mutex<Option<Sender>>,
    /// For batches between here and the queues.
    places: Arc<Semaphore>,
    /// For cleaning, which takes all of a processor.
    workers: Arc<Semaphore>,
    /// Records that were handed in and are in no queue yet.
    in_hand: AtomicU64,
    ids: Ids,
    metrics: Arc<Metrics>,
    /// Writes down what the second look finds.
    alarm: Option<Arc<Keeper>>,
    /// Asks for keys.
    keys_wanted: Arc<Notify>,
}

/// Where clean batches go.
#[derive(Clone)]
pub enum Queues {
    /// One for each sink, in their order.
    Memory(Arc<[Sender]>),
    /// One for all of them, on disk.
    Durable(Sender),
}

impl Queues {
    fn has_room(&self) -> bool {
        match self {
            Queues::Memory(queues) => queues.iter().any(Sender::has_room),
            Queues::Durable(queue) => queue.has_room(),
        }
    }
}

/// A clean batch.
struct Clean {
    batch: Arc<Redacted>,
    tally: Tally,
    hits: Hits,
    ack: Ack,
    live: Arc<Live>,
    place: OwnedSemaphorePermit,
}

/// What the second look found in a batch. Nothing, but for a fault of ours.
#[derive(Debug, Default)]
struct Hits {
    all: Vec<Hit>,
    /// Records that were withheld for them.
    records: u64,
}

impl Intake {
    /// A way into `queues`, for so many batches at the same time.
    pub fn new(
        now: Now,
        queues: Queues,
        places: usize,
        ids: Ids,
        metrics: Arc<Metrics>,
        keys_wanted: Arc<Notify>,
    ) -> Intake {
        let queues = Mutex::new(Some(queues));
        let places = Arc::new(Semaphore::new(places));
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let workers = Arc::new(Semaphore::new(processors));
        let counts = Mutex::default();
        let in_hand = AtomicU64::new(0);
        Intake { now, queues, counts, places, workers, in_hand, ids, metrics, alarm: None, keys_wanted }
    }

    /// The same, with a register for what the second look finds.
    pub fn alarming(self, keeper: Arc<Keeper>) -> Intake {
        Intake { alarm: Some(keeper), ..self }
    }

    /// The same, with a queue for what the policy counts.
    pub fn counting(self, counts: Sender) -> Intake {
        Intake { counts: Mutex::new(Some(counts)), ..self }
    }

    /// Takes nothing any more; the queues end once they are empty.
    pub fn close(&self) {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.queues.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Records of batches that wait for a key, a worker, or room in the queues.
    pub fn in_hand(&self) -> u64 {
        self.in_hand.load(Ordering::Relaxed)
    }

    fn queues(&self) -> Result<Queues, Refused> {
        let queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        queues.clone().ok_or(Refused::Stopping)
    }

    async fn take_in(&self, batch: Batch, patience: Duration) -> Result<(), Refused> {
        let patience = Patience::starting(patience);
        let _in_hand = InHand::new(&self.in_hand, batch.records.len() as u64);
        let queues = self.queues()?;
        if patience.is_none() && !queues.has_room() {
            return Err(Refused::Full);
        }
        let source = Arc::clone(&batch.source);
        let Clean { batch, tally, hits, ack, live, place } = self.clean(batch, &patience).await?;
        self.alarm(&live.policy, &batch, &hits).await;
        let taking = self.settled(&live, &batch, &patience).await?;
        let mut parts = share(&batch, &live.policy, &taking.wants, &queues);
        parts.extend(self.counted(&batch, &live.policy));
        drop(taking);
        // What is swapped is forgotten at once, also while a batch waits for room.
        let policy = Arc::clone(&live.policy);
        drop((live, queues));
        let mut slots: Vec<(Slot, Arc<Redacted>)> = Vec::with_capacity(parts.len());
        for (queue, part) in parts {
            let slot = queue.reserve(cost(&part), patience.left()).await.map_err(|_full| Refused::Full)?;
            slots.push((slot, part));
        }
        self.count(&source, &policy, &batch, &tally, &hits);
        for (slot, batch) in slots {
            slot.send(Item { batch, ack: ack.clone() });
        }
        ack.confirm();
        drop(place);
        Ok(())
    }

    /// The queue of what is counted, if the policy counts any of the batch.
    fn counted(&self, batch: &Arc<Redacted>, policy: &Policy) -> Option<(Sender, Arc<Redacted>)> {
        let wanted = policy.aggregates()?;
        let is_counted = |record: &Record| wanted.counts(policy.class_name(record.class));
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        batch.records().iter().any(is_counted).then(|| (counts, Arc::clone(batch)))
    }

    /// Waits until every record of a clean batch that a sink takes may go to one of them: what belongs to regions where no
    /// sink is waits for a configuration that has one, and is never sent elsewhere. Gives the state that has the sinks.
    async fn settled(
        &self,
        live: &Arc<Live>,
        batch: &Redacted,
        patience: &Patience,
    ) -> Result<Arc<Live>, Refused> {
        let mut taking = Arc::clone(live);
        if !live.policy.binds_regions() {
            return Ok(taking);
        }
        let mut swaps = self.now.subscribe();
        let mut counted = false;
        loop {
            let is_stranded = |record: &&Record| stranded(&live.policy, &taking.wants, record);
            if !batch.records().iter().any(|record| is_stranded(&record)) {
                return Ok(taking);
            }
            if !counted {
                super::drive::count(batch, batch.records().iter().filter(is_stranded), |class, records| {
                    self.metrics.records_stranded.with_label_values(&[class]).inc_by(records);
                });
                counted = true;
            }
            let left = patience.left();
            if left.is_zero() {
                return Err(Refused::Full);
            }
            let _ = tokio::time::timeout(left.min(KEY_WAIT), swaps.changed()).await;
            self.queues()?;
            taking = Arc::clone(&swaps.borrow_and_update());
        }
    }

    /// Cleans a batch. One that needs a key waits for it: it never passes without.
    async fn clean(&self, mut batch: Batch, patience: &Patience) -> Result<Clean, Refused> {
        let mut swaps = self.now.subscribe();
        let mut held = false;
        loop {
            let place = patience.wait_for(&self.places).await?;
            let live = Arc::clone(&swaps.borrow_and_update());
            match self.process(&live, batch, patience).await? {
                (Outcome::Clean { mut redacted, tally, ack }, hits) => {
                    redacted.number(self.ids.take(redacted.len()));
                    return Ok(Clean { batch: Arc::new(redacted), tally, hits, ack, live, place });
                }
                (Outcome::Held { batch: back, .. }, _) => batch = back,
            }
            drop((live, place));
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

    async fn process(
        &self,
        live: &Arc<Live>,
        batch: Batch,
        patience: &Patience,
    ) -> Result<(Outcome, Hits), Refused> {
        if batch.raw.len() <= INLINE_BYTES
            && let Ok(_worker) = self.workers.try_acquire()
        {
            return Ok(clean(live, batch));
        }
        let worker = patience.wait_for(&self.workers).await?;
        let live = Arc::clone(live);
        let work = tokio::task::spawn_blocking(move || {
            let done = clean(&live, batch);
            drop(worker);
            done
        });
        work.await.map_err(|error| match error.try_into_panic() {
            // A fault of ours: the connection's, as if it had been met on its own task.
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Refused::Stopping,
        })
    }

    /// Says what the second look found, in the register of incidents and in the log.
    async fn alarm(&self, policy: &Arc<Policy>, batch: &Redacted, hits: &Hits) {
        if hits.records == 0 {
            return;
        }
        let (received, rules) = (batch.received(), policy.rules());
        let mut kinds = BTreeMap::new();
        for hit in &hits.all {
            kinds.entry((hit.class, hit.entity)).or_insert((hit.rule, 0)).1 += 1;
        }
        let named = |((class, entity), (rule, records))| {
            let kind: Kind = (policy.class_name(class).to_owned(), rules.entities().name(entity).to_owned());
            let rule = rules.rule_name(rule).to_owned();
            (kind, Leak { rule, records, first: received, last: received })
        };
        let leaks: BTreeMap<Kind, Leak> = kinds.into_iter().map(named).collect();
        if let Some(keeper) = self.alarm.clone() {
            let written = tokio::task::spawn_blocking(move || keeper.withheld(&leaks)).await;
            if written.is_err() {
                tracing::error!("cannot write to the register of incidents");
            }
        }
    }

    fn count(&self, source: &str, policy: &Policy, batch: &Redacted, tally: &Tally, hits: &Hits) {
        let metrics = &self.metrics;
        metrics.records_received.with_label_values(&[source]).inc_by(tally.records_in);
        metrics.redacted_bytes.inc_by(tally.bytes_out);
        metrics.records_dropped.inc_by(tally.dropped);
        let entities = policy.rules().entities();
        for (reason, records) in [("failed", tally.withheld - hits.records), ("rescan", hits.records)] {
            if records > 0 {
                metrics.records_withheld.with_label_values(&[reason]).inc_by(records);
            }
        }
        for hit in &hits.all {
            metrics.rescan_hits.with_label_values(&[entities.name(hit.entity)]).inc();
        }
        for (place, action, count) in tally.findings() {
            let name = entities.iter().nth(place).map_or("other", |entity| entities.name(entity));
            metrics.findings.with_label_values(&[name, action]).inc_by(count);
        }
        super::drive::count_by_class(batch, |class, records| {
            metrics.records_redacted.with_label_values(&[class]).inc_by(records);
        });
    }
}

impl source::Intake for Intake {
    fn take(&self, batch: Batch, patience: Duration) -> Taking<'_> {
        Box::pin(self.take_in(batch, patience))
    }
}

/// Cleans a batch with scratch that no other worker has.
fn clean(live: &Live, batch: Batch) -> (Outcome, Hits) {
    live.states.lend(|scratch| {
        let outcome = pipeline::process(&live.policy, &live.keyring, &mut scratch.state, batch);
        look_again(live, &mut scratch.again, outcome)
    })
}

/// Looks at clean records once more, if the configuration asks for that.
fn look_again(live: &Live, again: &mut Again, outcome: Outcome) -> (Outcome, Hits) {
    let (rescan, redacted, mut tally, ack) = match (&live.rescan, outcome) {
        (Some(rescan), Outcome::Clean { redacted, tally, ack }) => (rescan, redacted, tally, ack),
        (_, outcome) => return (outcome, Hits::default()),
    };
    let redacted = rescan.look(&live.policy, again, redacted, &mut tally);
    let hits = Hits { all: again.hits().collect(), records: again.withheld() };
    (Outcome::Clean { redacted, tally, ack }, hits)
}

/// Whether some sink takes the record, and it may go to none of them.
fn stranded(policy: &Policy, wants: &[Want], record: &Record) -> bool {
    wants.iter().any(|want| want.takes(record)) && !wants.iter().any(|want| want.gets(policy, record))
}

/// The queues that get something of the batch, each with its part of it.
fn share(
    batch: &Arc<Redacted>,
    policy: &Policy,
    wants: &[Want],
    queues: &Queues,
) -> Vec<(Sender, Arc<Redacted>)> {
    let queues = match queues {
        Queues::Durable(_) if batch.is_empty() => return Vec::new(),
        Queues::Durable(queue) => return vec![(queue.clone(), Arc::clone(batch))],
        Queues::Memory(queues) => queues,
    };
    let part = |want: &Want| {
        let gets = |record: &Record| want.gets(policy, record);
        if want.takes_all(policy) || batch.records().iter().all(gets) {
            return Arc::clone(batch);
        }
        Arc::new(batch.only(gets))
    };
    let parts = queues.iter().zip(wants).map(|(queue, want)| (queue.clone(), part(want)));
    parts.filter(|(_, part)| !part.is_empty()).collect()
}

/// What the sinks get of a batch that waited on disk, by the names of classes and regions: it may have waited since another
/// policy. A record goes where it might go when it came, and where its class may go now.
pub struct Waited<'a> {
    batch: &'a Redacted,
    live: &'a Live,
    /// Of the batch's classes, in the policy in force.
    classes: Vec<Option<ClassId>>,
}

impl<'a> Waited<'a> {
    /// A batch that waited, in the state of things now.
    pub fn new(batch: &'a Redacted, live: &'a Live) -> Waited<'a> {
        let classes = batch.names().classes.iter().map(|(name, _)| live.policy.class_named(name)).collect();
        Waited { batch, live, classes }
    }

    /// The records that are for a sink and may go to none: they wait for a configuration that has one.
    pub fn stranded(&self) -> Vec<&'a Record> {
        if self.batch.names().homes.is_empty() && !self.live.policy.binds_regions() {
            return Vec::new();
        }
        let wants = &self.live.wants;
        let is_stranded = |record: &&Record| {
            wants.iter().any(|want| self.takes(want, record))
                && !wants.iter().any(|want| self.takes(want, record) && self.may_go(want, record))
        };
        self.batch.records().iter().filter(is_stranded).collect()
    }

    /// The part of the sink at `place`; nothing if it gets nothing of it.
    pub fn part(&self, place: usize) -> Option<Part> {
        let want = self.live.wants.get(place)?;
        let gets = |record: &Record| self.takes(want, record) && self.may_go(want, record);
        if self.batch.records().iter().all(gets) {
            return (!self.batch.is_empty()).then_some(Part::Whole);
        }
        let part = self.batch.only(gets);
        (!part.is_empty()).then_some(Part::Some(part))
    }

    fn takes(&self, want: &Want, record: &Record) -> bool {
        let Some(classes) = &want.classes else { return true };
        self.classes[usize::from(record.class.0)].is_some_and(|class| classes.contains(&class))
    }

    fn may_go(&self, want: &Want, record: &Record) -> bool {
        let region = want.region.as_deref();
        let class = self.classes[usize::from(record.class.0)];
        self.batch.names().allows(record.class, record.home, region)
            && class.is_none_or(|class| self.live.policy.may_go(class, HomeId::default(), region))
    }
}

/// What a sink gets of a batch.
pub enum Part {
    /// All of it.
    Whole,
    /// These records.
    Some(Redacted),
}

/// What this run's records are called.
pub struct Ids {
    run: u64,
    next: AtomicU64,
}

impl Ids {
    /// Ids that no other run gives, for `run` is a random number.
    pub fn of_run(run: u64) -> Ids {
        Ids { run: run.max(1), next: AtomicU64::new(1) }
    }

    /// Names so many records; the first one's id.
    fn take(&self, records: usize) -> RecordId {
        let sequence = self.next.fetch_add(records as u64, Ordering::Relaxed);
        RecordId { run: self.run, sequence }
    }
}

/// Records in hand; they no longer are once this is dropped.
struct InHand<'a> {
    all: &'a AtomicU64,
    records: u64,
}

impl InHand<'_> {
    fn new(all: &AtomicU64, records: u64) -> InHand<'_> {
        all.fetch_add(records, Ordering::Relaxed);
        InHand { all, records }
    }
}

impl Drop for InHand<'_> {
    fn drop(&mut self) {
        self.all.fetch_sub(self.records, Ordering::Relaxed);
    }
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

    /// Waits for one of `places`.
    async fn wait_for(&self, places: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Refused> {
        let place = tokio::time::timeout(self.left(), Arc::clone(places).acquire_owned()).await;
        Ok(place.map_err(|_elapsed| Refused::Full)?.expect("nobody closes the semaphore"))
    }

    fn is_none(&self) -> bool {
        self.left().is_zero()
    }
}

#[cfg(test)]
mod tests;

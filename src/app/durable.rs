/*!
Between the intake and the sinks of a durable queue: one task that appends what
came in and confirms it, and one a sink that reads what it did not get yet.

```text
intake ──► queue in memory ──► append, sync, confirm ──► disk ──► feed ──► queue in memory ──► drive ──► sink
                                                            ▲ cursor ◄────── confirmed ──────────────┘
```
*/

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::drive::count;
use super::intake::{Part, Waited};
use super::keeper::Keeper;
use super::live::Now;
use crate::act::Redacted;
use crate::clock::Clock;
use crate::limit::{QUEUE_GROUP_BYTES, QUEUE_REST, QUEUE_TIDY_EVERY, QUEUE_TIDY_FIRST};
use crate::queue::durable::{Error, Gathered, Log, Position, Reader};
use crate::queue::memory::{Held, Receiver, Sender};
use crate::queue::{Item, cost};
use crate::record::Ack;
use crate::telemetry::{Metrics, QueueLoss};

/// A durable queue and those who look after it.
pub struct Durable {
    /// The queue.
    pub log: Arc<Log>,
    /// Whether it took what it was last given.
    well: AtomicBool,
    keeper: Arc<Keeper>,
    metrics: Arc<Metrics>,
    sinks: Vec<Arc<str>>,
}

impl Durable {
    /// `sinks` are those that it feeds.
    pub fn new(
        log: Arc<Log>,
        keeper: Arc<Keeper>,
        metrics: Arc<Metrics>,
        sinks: Vec<Arc<str>>,
    ) -> Arc<Durable> {
        Arc::new(Durable { log, well: AtomicBool::new(true), keeper, metrics, sinks })
    }

    /// Whether it took what it was last given.
    pub fn is_well(&self) -> bool {
        self.well.load(Ordering::Relaxed)
    }

    /// Appends what comes out of `queue` until its senders are gone and it is empty.
    pub async fn append_all(self: Arc<Durable>, mut queue: Receiver) {
        while let Some(items) = queue.pop(QUEUE_GROUP_BYTES).await {
            self.append(items).await;
        }
    }

    /// Appends one group. Where that fails, clients that wait for an answer have it at once; the rest is tried again.
    async fn append(&self, mut items: Vec<(Item, Held)>) {
        while !items.is_empty() {
            let batches: Vec<_> = items.iter().map(|(item, _)| Arc::clone(&item.batch)).collect();
            let appended =
                tokio::task::block_in_place(|| self.log.append(&batches, self.keeper.time().now()));
            let was_well = self.well.swap(appended.is_ok(), Ordering::Relaxed);
            match appended {
                Ok(appended) => {
                    if !was_well {
                        tracing::info!("the queue can be written again");
                    }
                    self.metrics.queue_appended.inc_by(appended.records);
                    self.metrics
                        .queue_lost
                        .with_label_values(&[QueueLoss::Expired.label()])
                        .inc_by(appended.expired);
                    for (item, held) in items.drain(..) {
                        held.settle();
                        item.ack.confirm();
                    }
                }
                Err(error) => {
                    self.metrics.queue_errors.inc();
                    if was_well {
                        tracing::error!(%error, "cannot write the queue; nothing is acknowledged until it can");
                    }
                    items = items.into_iter().filter_map(unanswered).collect();
                    self.rest().await;
                }
            }
        }
    }

    /// Until there may be room again.
    async fn rest(&self) {
        tokio::time::sleep(QUEUE_REST).await;
        self.tidy();
    }

    /// Writes cursors down and gives room back, about once a second, until it is dropped. More often at first: a program
    /// that crashes again and again gets on all the same, and sends again only what it sent in the moments before.
    pub async fn tidy_on(self: Arc<Durable>) {
        let mut wait = QUEUE_TIDY_FIRST;
        loop {
            tokio::time::sleep(wait).await;
            self.tidy();
            wait = (wait * 5 / 4).min(QUEUE_TIDY_EVERY);
        }
    }

    /// Writes cursors down and gives room back.
    pub fn tidy(&self) {
        if let Err(error) = tokio::task::block_in_place(|| self.log.tidy()) {
            self.metrics.queue_errors.inc();
            tracing::warn!(%error, "cannot write down how far the sinks are; after a crash they get some records twice");
        }
        self.metrics.queue_disk.set(i64::try_from(self.log.bytes()).unwrap_or(i64::MAX));
        for sink in &self.sinks {
            let backlog = i64::try_from(self.log.backlog(sink)).unwrap_or(i64::MAX);
            self.metrics.queue_bytes.with_label_values(&[sink]).set(backlog);
        }
    }

    /// Reads for the sink at `place`. Told to stop, it ends once all is read.
    pub async fn feed(
        self: Arc<Durable>,
        place: usize,
        now: Now,
        queue: Sender,
        mut stop: watch::Receiver<bool>,
    ) {
        let sink = Arc::clone(&self.sinks[place]);
        let mut reader = self.log.reader(&sink);
        let cursor = Cursor::new(Arc::clone(&self.log), sink);
        let mut changes = self.log.changes();
        loop {
            changes.mark_unchanged();
            let Some(gathered) = self.gather(&mut reader).await else {
                if *stop.borrow() {
                    return;
                }
                tokio::select! {
                    _ = changes.changed() => {}
                    _ = stop.changed() => {}
                }
                continue;
            };
            let ack = cursor.then(gathered.end);
            for batch in gathered.batches {
                // Every sink's reader meets what may go nowhere; one counts it.
                let metrics = (place == 0).then_some(&*self.metrics);
                let part = tokio::select! {
                    biased;
                    part = wanted(batch, &now, place, metrics) => part,
                    _ = stop.wait_for(|stop| *stop) => return,
                };
                let Some(batch) = part else { continue };
                let Ok(slot) = queue.reserve(cost(&batch), Duration::MAX).await else { return };
                slot.send(Item { batch, ack: ack.clone() });
            }
            ack.confirm();
        }
    }

    /// What comes next; nothing if all is read. What cannot be read now is tried again.
    async fn gather(&self, reader: &mut Reader) -> Option<Gathered> {
        loop {
            let now = self.keeper.time().now();
            match tokio::task::block_in_place(|| reader.next(now)) {
                Ok(gathered) => {
                    if let Some(gathered) = &gathered {
                        self.count(gathered);
                    }
                    return gathered;
                }
                Err(error) => {
                    self.metrics.queue_errors.inc();
                    self.tell(&error);
                    tokio::time::sleep(QUEUE_REST).await;
                }
            }
        }
    }

    fn tell(&self, error: &Error) {
        tracing::error!(%error, "cannot read the queue; trying again");
    }

    fn count(&self, gathered: &Gathered) {
        let Gathered { lost, damaged, expired, .. } = *gathered;
        self.metrics.queue_lost.with_label_values(&[QueueLoss::Damaged.label()]).inc_by(lost);
        self.metrics.queue_lost.with_label_values(&[QueueLoss::Expired.label()]).inc_by(expired);
        self.metrics.queue_damaged.inc_by(damaged);
        if lost + damaged > 0 {
            tracing::error!(
                records = lost,
                bytes = damaged,
                "part of the queue is damaged and was stepped over"
            );
        }
        if expired > 0 {
            tracing::warn!(
                records = expired,
                "records waited longer than their class allows and were not delivered"
            );
        }
    }
}

/// The part of a batch that the sink at `place` gets. A batch with a record that may go to none of the sinks waits for a
/// configuration that has one, and with it what stands behind it; `metrics` are told of it.
pub async fn wanted(
    batch: Redacted,
    now: &Now,
    place: usize,
    mut metrics: Option<&Metrics>,
) -> Option<Arc<Redacted>> {
    let mut swaps = now.subscribe();
    loop {
        let live = Arc::clone(&swaps.borrow_and_update());
        let waited = Waited::new(&batch, &live);
        let stranded = waited.stranded();
        if stranded.is_empty() {
            return waited.part(place).map(|part| match part {
                Part::Whole => Arc::new(batch),
                Part::Some(part) => Arc::new(part),
            });
        }
        if let Some(metrics) = metrics.take() {
            count(&batch, stranded.into_iter(), |class, records| {
                metrics.records_stranded.with_label_values(&[class]).inc_by(records);
                tracing::warn!(
                    class,
                    records,
                    "records wait for a sink in a region that they may go to, and others behind them"
                );
            });
        }
        drop(live);
        if swaps.changed().await.is_err() {
            return std::future::pending().await;
        }
    }
}

/// The item, unless a client waits for its answer, which it now has.
fn unanswered((item, held): (Item, Held)) -> Option<(Item, Held)> {
    if item.ack.is_awaited() {
        held.settle();
        return None;
    }
    Some((item, held))
}

/// How far a sink has come: everything before the first read that it did not confirm.
#[derive(Clone)]
pub struct Cursor {
    log: Arc<Log>,
    sink: Arc<str>,
    reads: Arc<Mutex<Reads>>,
}

#[derive(Default)]
struct Reads {
    /// Each read's end, and whether it is confirmed.
    open: VecDeque<(Position, bool)>,
    /// How many were taken off the front.
    before: u64,
}

impl Cursor {
    /// Of a sink that reads the log now.
    pub fn new(log: Arc<Log>, sink: Arc<str>) -> Cursor {
        Cursor { log, sink, reads: Arc::default() }
    }

    /// The acknowledgement of a read that ends at `end`. One that fails keeps the cursor before it for good: the
    /// program ends, and the next one reads it again.
    pub fn then(&self, end: Position) -> Ack {
        let number = {
            let mut reads = self.reads.lock().unwrap_or_else(PoisonError::into_inner);
            reads.open.push_back((end, false));
            reads.before + reads.open.len() as u64 - 1
        };
        let cursor = self.clone();
        Ack::new(move |safe| {
            if safe {
                cursor.confirm(number);
            }
        })
    }

    fn confirm(&self, number: u64) {
        let mut reads = self.reads.lock().unwrap_or_else(PoisonError::into_inner);
        let at = number - reads.before;
        if let Some((_, confirmed)) = usize::try_from(at).ok().and_then(|at| reads.open.get_mut(at)) {
            *confirmed = true;
        }
        let mut end = None;
        while let Some((position, true)) = reads.open.front().copied() {
            reads.open.pop_front();
            reads.before += 1;
            end = Some(position);
        }
        if let Some(end) = end {
            self.log.advance(&self.sink, end);
        }
    }
}

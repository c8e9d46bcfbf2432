/*!
A queue in memory, bounded by bytes.

What a sink is busy with counts until it is confirmed, so the bound is a bound
on memory. A batch larger than the bound is taken when nothing else is there.
Room is given out in order of asking; nothing overtakes.
*/

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus::IntGauge;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::limit::QUEUE_ITEM_OVERHEAD_BYTES;
use crate::queue::{Item, cost};

/// A queue of at most `bytes_max` bytes; `gauge` follows what is in it.
pub fn queue(bytes_max: usize, gauge: IntGauge) -> (Sender, Receiver) {
    let room_max = u32::try_from(bytes_max).unwrap_or(u32::MAX).max(1);
    let (items, waiting) = mpsc::channel(bytes_max / QUEUE_ITEM_OVERHEAD_BYTES + 2);
    let room = Arc::new(Semaphore::new(room_max as usize));
    let records = Arc::new(AtomicU64::new(0));
    let sender = Sender { items, room, room_max, gauge, records: Arc::clone(&records) };
    (sender, Receiver { waiting, ahead: None, records })
}

/// The end that takes batches. When the last one is dropped, the receiver ends once it is empty.
#[derive(Clone, Debug)]
pub struct Sender {
    items: mpsc::Sender<Queued>,
    room: Arc<Semaphore>,
    room_max: u32,
    gauge: IntGauge,
    records: Arc<AtomicU64>,
}

/// There was no room in time.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the queue is full")]
pub struct Full;

impl Sender {
    /// Whether there is any room at all.
    pub fn has_room(&self) -> bool {
        self.room.available_permits() > 0
    }

    /// Waits up to `patience` for room for `bytes`.
    pub async fn reserve(&self, bytes: usize, patience: Duration) -> Result<Slot, Full> {
        let share = u32::try_from(bytes).unwrap_or(u32::MAX).min(self.room_max);
        let room = Arc::clone(&self.room);
        let permit = match room.clone().try_acquire_many_owned(share) {
            Ok(permit) => permit,
            Err(_) if patience.is_zero() => return Err(Full),
            Err(_) => tokio::time::timeout(patience, room.acquire_many_owned(share))
                .await
                .map_err(|_elapsed| Full)?
                .map_err(|_closed| Full)?,
        };
        Ok(Slot {
            items: self.items.clone(),
            permit,
            gauge: self.gauge.clone(),
            records: Arc::clone(&self.records),
        })
    }
}

impl Sender {
    /// A way in that does not keep the queue open.
    pub fn downgrade(&self) -> WeakSender {
        WeakSender {
            items: self.items.downgrade(),
            room: Arc::clone(&self.room),
            room_max: self.room_max,
            gauge: self.gauge.clone(),
            records: Arc::clone(&self.records),
        }
    }
}

/// A way into a queue, for as long as others keep it open.
#[derive(Clone, Debug)]
pub struct WeakSender {
    items: mpsc::WeakSender<Queued>,
    room: Arc<Semaphore>,
    room_max: u32,
    gauge: IntGauge,
    records: Arc<AtomicU64>,
}

impl WeakSender {
    /// A sender, unless the queue has ended.
    pub fn upgrade(&self) -> Option<Sender> {
        Some(Sender {
            items: self.items.upgrade()?,
            room: Arc::clone(&self.room),
            room_max: self.room_max,
            gauge: self.gauge.clone(),
            records: Arc::clone(&self.records),
        })
    }
}

/// Room in a queue. Dropped unused, it is given back.
#[derive(Debug)]
pub struct Slot {
    items: mpsc::Sender<Queued>,
    permit: OwnedSemaphorePermit,
    gauge: IntGauge,
    records: Arc<AtomicU64>,
}

impl Slot {
    /// Puts the batch into its room.
    ///
    /// If the sink is gone, the batch is dropped unconfirmed, so its client learns of it.
    pub fn send(self, item: Item) {
        let records = item.batch.len() as u64;
        let bytes = cost(&item.batch) as i64;
        let held = Held { _permit: self.permit, gauge: self.gauge, bytes, waiting: self.records, records };
        held.waiting.fetch_add(records, Ordering::Relaxed);
        held.gauge.add(bytes);
        // The channel is as long as the room allows, so it is full only if the receiver is gone.
        drop(self.items.try_send(Queued { item, held }));
    }
}

/// A batch in its room.
#[derive(Debug)]
struct Queued {
    item: Item,
    held: Held,
}

/// A batch's share of the bound; given back when dropped.
#[derive(Debug)]
pub struct Held {
    _permit: OwnedSemaphorePermit,
    gauge: IntGauge,
    bytes: i64,
    waiting: Arc<AtomicU64>,
    records: u64,
}

impl Held {
    /// Ends the batch's stay: its records are safe.
    pub fn settle(self) {
        self.waiting.fetch_sub(self.records, Ordering::Relaxed);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.gauge.sub(self.bytes);
    }
}

/// The sink's end.
#[derive(Debug)]
pub struct Receiver {
    waiting: mpsc::Receiver<Queued>,
    /// Taken out, but beyond what the last call asked for.
    ahead: Option<Queued>,
    records: Arc<AtomicU64>,
}

impl Receiver {
    /// Waits for a batch, and takes with it what else is there, up to about `bytes_max`. Nothing once all is taken and every sender is gone.
    pub async fn pop(&mut self, bytes_max: usize) -> Option<Vec<(Item, Held)>> {
        let first = match self.ahead.take() {
            Some(first) => first,
            None => self.waiting.recv().await?,
        };
        let mut bytes = first.item.batch.byte_len();
        let mut taken = vec![(first.item, first.held)];
        while let Ok(next) = self.waiting.try_recv() {
            bytes += next.item.batch.byte_len();
            if bytes > bytes_max {
                self.ahead = Some(next);
                break;
            }
            taken.push((next.item, next.held));
        }
        Some(taken)
    }

    /// Follows how many records were taken in and are not delivered. Stays true when the receiver is gone.
    pub fn records_waiting(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.records)
    }
}

#[cfg(test)]
mod tests;

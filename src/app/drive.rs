/*!
From a queue into its sink, one task each, so that no sink waits for another.
*/

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::act::Redacted;
use crate::limit::DELIVERY_BYTES;
use crate::queue::Item;
use crate::queue::memory::{Held, Receiver};
use crate::record::Record;
use crate::sink::{Backoff, Batch, Context, Fault, Gated, Hears, Sink, deliver};

/// Delivers what comes out of `queue` until its senders are gone and it is empty.
///
/// Dropped before that, it leaves what it could not deliver unconfirmed. The waits between attempts are drawn from `seed`.
pub async fn drive(sink: impl Sink, mut queue: Receiver, context: Context, seed: u64) {
    let mut sink = Gated::new(sink, &context);
    let mut minute = tokio::time::interval(Duration::from_secs(60));
    let mut backoff = Backoff::new(seed);
    loop {
        let items = tokio::select! {
            items = queue.pop(DELIVERY_BYTES.max(sink.batch().bytes_max)) => items,
            _ = minute.tick() => {
                sink.tick().await;
                continue;
            }
        };
        let Some(mut items) = items else { return };
        fill(&mut items, &mut queue, sink.batch()).await;
        let batches: Vec<Arc<Redacted>> = items.iter().map(|(item, _)| Arc::clone(&item.batch)).collect();
        let mut pending = Pending::new(items, &context);
        deliver(&mut sink, &batches, &mut backoff, &context, |records, fault| pending.settle(records, fault))
            .await;
    }
}

/// Waits for more where the sink wants more at once, no longer than it wants to wait.
async fn fill(items: &mut Vec<(Item, Held)>, queue: &mut Receiver, wanted: Batch) {
    if wanted.age_max.is_zero() {
        return;
    }
    let until = Instant::now() + wanted.age_max;
    loop {
        let bytes: usize = items.iter().map(|(item, _)| item.batch.byte_len()).sum();
        let records: usize = items.iter().map(|(item, _)| item.batch.len()).sum();
        if bytes >= wanted.bytes_max || records >= wanted.records_max {
            return;
        }
        match tokio::time::timeout_at(until, queue.pop(wanted.bytes_max - bytes)).await {
            Ok(Some(more)) => items.extend(more),
            Ok(None) | Err(_) => return,
        }
    }
}

/// Batches at a sink, in order.
struct Pending<'a> {
    items: VecDeque<(Item, Held)>,
    /// How many of the first batch's records are settled.
    settled: usize,
    /// Which of those were refused, and why the last one was.
    refused: Vec<usize>,
    fault: Option<Fault>,
    context: &'a Context,
}

impl Pending<'_> {
    fn new(items: Vec<(Item, Held)>, context: &Context) -> Pending<'_> {
        let (refused, fault) = (Vec::new(), None);
        let mut pending = Pending { items: items.into(), settled: 0, refused, fault, context };
        pending.settle(0, None);
        pending
    }

    /// So many records more are delivered, or refused where there is a fault. A batch that is through leaves at once.
    fn settle(&mut self, records: usize, fault: Option<Fault>) {
        if fault.is_some() {
            self.refused.extend(self.settled..self.settled + records);
            self.fault = fault;
        }
        self.settled += records;
        while let Some((item, held)) = self.items.pop_front() {
            let len = item.batch.len();
            if len > self.settled {
                self.items.push_front((item, held));
                return;
            }
            self.settled -= len;
            self.finish(item, held);
        }
    }

    /// Confirms and counts a batch. One of which a record was refused stays unconfirmed, so that its client learns of it.
    fn finish(&mut self, item: Item, held: Held) {
        let (name, metrics) = (&*self.context.name, &self.context.metrics);
        let refused = std::mem::take(&mut self.refused);
        let records = item.batch.records();
        held.settle(records.len() - refused.len());
        let sent = |at: &usize| refused.binary_search(at).is_err();
        count(&item.batch, (0..records.len()).filter(sent).map(|at| &records[at]), |class, records| {
            metrics.records_sent.with_label_values(&[name, class]).inc_by(records);
        });
        if let Some(fault) = self.fault.take() {
            metrics.records_refused.with_label_values(&[name]).inc_by(refused.len() as u64);
            let (kind, detail, records) = (fault.kind.label(), &*fault.detail, refused.len());
            tracing::error!(sink = name, kind, detail, records, "the sink refused records for good");
        }
        let lost: usize = refused.iter().map(|at| bytes(&records[*at])).sum();
        let bytes = item.batch.byte_len().saturating_sub(lost);
        metrics.sent_bytes.with_label_values(&[name]).inc_by(bytes as u64);
        if refused.is_empty() || self.context.hears == Hears::Queue {
            item.ack.confirm();
        }
    }
}

/// Clean bytes of a record.
fn bytes(record: &Record) -> usize {
    let mut record = *record;
    record.parts_mut().into_iter().map(|part| part.len()).sum()
}

/// Tells how many records of each class a batch has, classes without any left out.
pub fn count_by_class(batch: &Redacted, tell: impl FnMut(&str, u64)) {
    count(batch, batch.records().iter(), tell);
}

/// The same of some of a batch's records.
pub fn count<'a>(batch: &Redacted, of: impl Iterator<Item = &'a Record>, mut tell: impl FnMut(&str, u64)) {
    let classes = &batch.names().classes;
    let mut records = vec![0_u64; classes.len()];
    for record in of {
        records[usize::from(record.class.0)] += 1;
    }
    for ((class, _), count) in classes.iter().zip(records).filter(|(_, count)| *count > 0) {
        tell(class, count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::act::Pass;
    use crate::clock::Timestamp;
    use crate::queue::memory;
    use crate::record::{Ack, Names};

    fn item() -> Item {
        let nothing = crate::secret::Raw::default();
        let batch = Pass::new(&nothing, Timestamp::UNIX_EPOCH, Arc::new(Names::default())).finish();
        Item { batch: Arc::new(batch), ack: Ack::none() }
    }

    /// How many batches are there at once, and when, for a sink that waits so long, if one comes each second.
    async fn filled(age_max: Duration) -> (usize, Duration) {
        let gauge = prometheus::IntGauge::new("test", "test").unwrap();
        let (sender, mut queue) = memory::queue(1 << 20, gauge);
        sender.reserve(1, Duration::ZERO).await.unwrap().send(item());
        tokio::spawn(async move {
            for _ in 0..9 {
                tokio::time::sleep(Duration::from_secs(1)).await;
                sender.reserve(1, Duration::ZERO).await.unwrap().send(item());
            }
        });
        let started = Instant::now();
        let mut items = queue.pop(1).await.unwrap();
        fill(&mut items, &mut queue, Batch { age_max, ..Batch::default() }).await;
        (items.len(), started.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_delivery_waits_for_more_as_long_as_its_sink_wants() {
        assert_eq!(filled(Duration::ZERO).await, (1, Duration::ZERO));
        assert_eq!(filled(Duration::from_millis(3500)).await, (4, Duration::from_millis(3500)));
        // Nobody sends any more: there is nothing to wait for.
        assert_eq!(filled(Duration::from_secs(300)).await, (10, Duration::from_secs(9)));
    }
}

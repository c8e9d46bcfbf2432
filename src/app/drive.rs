/*!
From a queue into its sink, one task each, so that no sink waits for another.
*/

use std::sync::Arc;
use std::time::Duration;

use crate::act::Redacted;
use crate::limit::DELIVERY_BYTES;
use crate::queue::Item;
use crate::queue::memory::{Held, Receiver};
use crate::sink::{Backoff, Context, Refused, Sink, deliver};

/// Delivers what comes out of `queue` until its senders are gone and it is empty.
///
/// Dropped before that, it leaves what it could not deliver unconfirmed. The waits between attempts are drawn from `seed`.
pub async fn drive(mut sink: impl Sink, mut queue: Receiver, context: Context, seed: u64) {
    let mut minute = tokio::time::interval(Duration::from_secs(60));
    let mut backoff = Backoff::new(seed);
    loop {
        let items = tokio::select! {
            items = queue.pop(DELIVERY_BYTES) => items,
            _ = minute.tick() => {
                sink.tick().await;
                continue;
            }
        };
        let Some(items) = items else { return };
        let batches: Vec<Arc<Redacted>> = items.iter().map(|(item, _)| Arc::clone(&item.batch)).collect();
        let delivered = deliver(&mut sink, &batches, &mut backoff, &context).await;
        settle(items, delivered, &context);
    }
}

/// Confirms what was delivered and counts it; what was refused stays unconfirmed, so that its client learns of it.
fn settle(items: Vec<(Item, Held)>, delivered: Result<(), Refused>, context: &Context) {
    let name = &*context.name;
    if let Err(Refused(fault)) = &delivered {
        let records: usize = items.iter().map(|(item, _)| item.batch.len()).sum();
        context.metrics.records_refused.with_label_values(&[name]).inc_by(records as u64);
        let (kind, detail) = (fault.kind.label(), &fault.detail);
        tracing::error!(sink = name, kind, detail, records, "the sink refused records for good");
    }
    for (item, held) in items {
        held.settle();
        if delivered.is_err() {
            continue;
        }
        context.metrics.sent_bytes.with_label_values(&[name]).inc_by(item.batch.byte_len() as u64);
        count_by_class(&item.batch, |class, records| {
            context.metrics.records_sent.with_label_values(&[name, class]).inc_by(records);
        });
        item.ack.confirm();
    }
}

/// Tells how many records of each class a batch has, classes without any left out.
pub fn count_by_class(batch: &Redacted, mut tell: impl FnMut(&str, u64)) {
    let classes = &batch.names().classes;
    let mut records = vec![0_u64; classes.len()];
    for record in batch.records() {
        records[usize::from(record.class.0)] += 1;
    }
    for ((class, _), count) in classes.iter().zip(records).filter(|(_, count)| *count > 0) {
        tell(class, count);
    }
}

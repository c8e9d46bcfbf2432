/*!
Clean batches on their way to a sink.

Batches wait in [`memory`], or on disk in [`durable`]; what a sink refused waits in [`dead`]. A queue in memory takes a batch in two steps, so
that a batch goes to all sinks or to none: [`memory::Sender::reserve`] waits for
room, [`memory::Slot::send`] cannot fail.
*/

pub mod dead;
pub mod durable;
pub mod memory;

use std::sync::Arc;

use crate::act::Redacted;
use crate::limit::QUEUE_ITEM_OVERHEAD_BYTES;
use crate::record::{Ack, Record};

/// One batch for one sink.
#[derive(Debug)]
pub struct Item {
    /// Clean records; other sinks may share them.
    pub batch: Arc<Redacted>,
    /// This sink's part of the acknowledgement.
    pub ack: Ack,
}

/// What a batch costs of a queue's bound, in bytes.
pub fn cost(batch: &Redacted) -> usize {
    batch.byte_len() + batch.len() * size_of::<Record>() + QUEUE_ITEM_OVERHEAD_BYTES
}

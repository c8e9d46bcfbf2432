//! The batches of one request: made before any is handed on, so that of a request that is wrong nothing is forwarded.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use super::Limits;
use super::answer::Problem;
use super::itemized::Purse;
use crate::codec::Parts;
use crate::record::{Ack, Batch, Record};
use crate::source::World;
use crate::source::gather::Gather;

/// Records of one request on their way into batches, within the request's bounds.
pub struct Pile {
    gather: Gather,
    path: Vec<u8>,
    batches: Vec<Batch>,
    told: Vec<oneshot::Receiver<bool>>,
    purse: Purse,
}

impl Pile {
    /// A pile that holds as many bytes of records as `purse` pays.
    pub fn new(name: Arc<str>, world: &World, path: &str, purse: Purse) -> Pile {
        Pile {
            gather: Gather::new(name, world.clone()),
            path: path.as_bytes().to_vec(),
            batches: Vec::new(),
            told: Vec::new(),
            purse,
        }
    }

    /// Puts a record on the pile.
    pub fn add(&mut self, parts: &Parts<'_>) {
        self.push(parts);
    }

    /// Puts a record on the pile; says to which batch it belongs.
    pub fn push(&mut self, parts: &Parts<'_>) -> usize {
        let batch = self.batches.len();
        // A record costs its place too: many tiny ones are no way around the bound.
        if self.purse.pay(parts.byte_len() + size_of::<Record>()) {
            self.gather.push_parts(parts);
            if self.gather.is_full() {
                self.close_batch();
            }
        }
        batch
    }

    fn close_batch(&mut self) {
        let (tell, told) = oneshot::channel();
        let tell = Mutex::new(Some(tell));
        let ack = Ack::new(move |safe| {
            let tell = tell.lock().ok().and_then(|mut tell| tell.take());
            // A client that is gone hears nothing.
            let _ = tell.map(|tell| tell.send(safe));
        });
        self.batches.push(self.gather.take(&self.path, ack));
        self.told.push(told);
    }

    /// Hands all on and waits until it is known of each batch whether it is safe.
    pub async fn hand_on(
        mut self,
        world: &World,
        limits: &Limits,
    ) -> Result<Vec<Result<(), Problem>>, Problem> {
        if !self.gather.is_empty() {
            self.close_batch();
        }
        self.purse.check()?;
        let mut fates = Vec::with_capacity(self.batches.len());
        let mut patience = limits.room_wait;
        for batch in self.batches {
            let taken = world.intake.take(batch, patience).await;
            if taken.is_err() {
                // The rest is asked for without a wait: it is full, or it has room again.
                patience = Duration::ZERO;
            }
            fates.push(taken.map_err(Problem::from));
        }
        // Queues hold the records now, within their own bounds.
        drop(self.purse);
        let deadline = Instant::now() + limits.confirm_wait;
        for (fate, told) in fates.iter_mut().zip(self.told) {
            if fate.is_ok() && !matches!(timeout_at(deadline, told).await, Ok(Ok(true))) {
                *fate = Err(Problem::Unconfirmed);
            }
        }
        Ok(fates)
    }
}

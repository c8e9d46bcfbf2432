/*!
Workers' scratch, handed from batch to batch.

Scratch remembers raw values with their pseudonyms. It belongs to one state of
things ([`Live`](super::live::Live)) and goes with it, so that no raw value
outlives the swap of the keys by more than the batches in work. There are never
more than workers.
*/

use std::sync::{Mutex, PoisonError};

use crate::pipeline::{Again, State};

/// What one worker works with.
#[derive(Debug, Default)]
pub struct Scratch {
    /// To clean a batch.
    pub state: State,
    /// To look at it once more.
    pub again: Again,
}

/// The scratch that no worker uses just now.
#[derive(Debug, Default)]
pub struct States(pub(in crate::app) Mutex<Vec<Scratch>>);

impl States {
    /// Lends scratch to `work`. What it leaves behind when it panics is not used again.
    pub fn lend<T>(&self, work: impl FnOnce(&mut Scratch) -> T) -> T {
        let states = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut scratch = states().pop().unwrap_or_default();
        let done = work(&mut scratch);
        states().push(scratch);
        done
    }
}

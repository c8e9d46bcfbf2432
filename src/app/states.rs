/*!
Workers' scratch, handed from batch to batch.

Scratch remembers raw values with their pseudonyms. It belongs to one state of
things ([`Live`](super::live::Live)) and goes with it, so that no raw value
outlives the swap of the keys by more than the batches in work. There are never
more than workers.
*/

use std::sync::{Mutex, PoisonError};

use crate::pipeline::State;

/// The scratch that no worker uses just now.
#[derive(Debug, Default)]
pub struct States(pub(in crate::app) Mutex<Vec<State>>);

impl States {
    /// Lends scratch to `work`. What it leaves behind when it panics is not used again.
    pub fn lend<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        let states = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut state = states().pop().unwrap_or_default();
        let done = work(&mut state);
        states().push(state);
        done
    }
}

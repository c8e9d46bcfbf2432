/*!
How hard one store is asked, by all who send to it together.

Each attempt has a [`Turn`]. There are as many at the same time as [`Slots`]
gives; after a failure of the store or of the way there everybody waits, with
full jitter, or as long as the store says; and whoever asks again takes from one
[`Budget`].
*/

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::backoff::Backoff;
use super::budget::Budget;
use super::slots::Slots;
use super::{Context, Fault, Trouble};
use crate::limit::RETRY_AFTER_MAX;

/// The pace of one sink. Shared by its requests.
#[derive(Debug)]
pub struct Pace {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug)]
struct State {
    slots: Slots,
    /// Attempts that are under way.
    flying: usize,
    budget: Budget,
    backoff: Backoff,
    trouble: Trouble,
    /// Nobody begins before; and when that was set.
    until: Instant,
    paused: Instant,
}

/// Whether the same records were asked for before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Try {
    First,
    Again,
}

impl Pace {
    /// For at most so many requests at the same time; waits are drawn from `seed`.
    pub fn new(requests_max: usize, seed: u64) -> Pace {
        let now = Instant::now();
        let state = State {
            slots: Slots::new(requests_max),
            flying: 0,
            budget: Budget::new(now),
            backoff: Backoff::new(seed),
            trouble: Trouble::default(),
            until: now,
            paused: now,
        };
        Pace { state: Mutex::new(state), changed: Notify::new() }
    }

    /// How many requests there may be at the same time.
    pub fn requests(&self) -> usize {
        self.state().slots.count()
    }

    /// Waits of one delivery for reasons that are its own.
    pub(super) fn own_waits(&self) -> Backoff {
        self.state().backoff.fork()
    }

    /// Waits until the store may be asked.
    pub(super) async fn turn(&self, attempt: Try) -> Turn<'_> {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            let when = match self.state().begin(attempt) {
                Ok(began) => return Turn { pace: self, began },
                Err(when) => when,
            };
            let due = async {
                match when {
                    Some(when) => tokio::time::sleep_until(when).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = changed => {}
                () = due => {}
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // What is left by a panic is numbers, all of them possible.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// When the attempt begins: now.
    ///
    /// # Errors
    ///
    /// When it may begin; nothing where an attempt has to end before.
    fn begin(&mut self, attempt: Try) -> Result<Instant, Option<Instant>> {
        let now = Instant::now();
        if now < self.until {
            return Err(Some(self.until));
        }
        if self.flying >= self.slots.count() {
            return Err(None);
        }
        if attempt == Try::Again {
            self.budget.take(now).map_err(Some)?;
        }
        self.flying += 1;
        self.slots.taken(self.flying, now);
        Ok(now)
    }
}

/// The right to make one attempt. Given back when dropped.
pub(super) struct Turn<'a> {
    pace: &'a Pace,
    began: Instant,
}

impl Turn<'_> {
    /// The store answered, and did something about so many records.
    pub(super) fn answered(self, records: usize, context: &Context) {
        let mut state = self.pace.state();
        let state = &mut *state;
        state.slots.answered(records, Instant::now());
        state.budget.earn();
        if self.began >= state.paused {
            state.backoff.rest();
            state.trouble.end(context);
        }
    }

    /// The store answered, and says of some records that it is too busy.
    pub(super) fn strained(self) {
        self.pace.state().slots.failed(self.began, Instant::now());
    }

    /// The store, or the way there, failed. It may have said how soon to ask again.
    pub(super) fn failed(self, fault: Fault, after: Option<Duration>, context: &Context) {
        let mut state = self.pace.state();
        let state = &mut *state;
        let now = Instant::now();
        state.slots.failed(self.began, now);
        state.trouble.tell(fault, context);
        // Failures of attempts that were under way together are one.
        let mut wait = after.unwrap_or_default().min(RETRY_AFTER_MAX);
        if self.began >= state.paused {
            wait = wait.max(state.backoff.wait());
            state.paused = now;
        }
        state.until = state.until.max(now + wait);
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut state = self.pace.state();
        let state = &mut *state;
        state.flying -= 1;
        state.slots.taken(state.flying, Instant::now());
        self.pace.changed.notify_waiters();
    }
}

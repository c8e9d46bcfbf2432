/*!
What this process believes about the time. Pure: fed with readings, it never asks a clock.

Two questions are kept apart, because a wrong answer to one is undone by the
next reading and a wrong answer to the other is not:

- by which moment are things **unreadable**? The latest that the wall clock ever
  said to this process, or the persisted high-water mark, and since then
  monotonic time. It never goes back.
- by which moment may things be **destroyed**? The high-water mark and since
  then monotonic time, raised to the wall clock only after both clocks ran in
  step for [`BELIEF_WAIT`], or when an operator confirmed. A forward step of
  more than [`STEP_MAX`] is believed only when confirmed.

Monotonic time does not lie, so what was believed once goes on by it, whatever
the wall clock does: a clock that goes back lets nothing live longer, and a
clock that jumps ahead destroys nothing.

A clock that was believed and then put back leaves the mark ahead of it, and with
it what was stamped meanwhile. How far is kept with the mark ([`Mark`]): a process
adds it to the wall clock until it believes it, so that time during which nothing ran counts in full.
*/

use std::time::Duration;

use crate::clock::Timestamp;
use crate::limit::{BELIEF_WAIT, STEP_MAX, STEP_TOLERANCE};

/// A moment of the wall clock, tied to monotonic time: it goes on by itself.
#[derive(Clone, Copy, Debug)]
struct Running {
    wall: Timestamp,
    monotonic: Duration,
}

impl Running {
    fn at(self, monotonic: Duration) -> Timestamp {
        add(self.wall, monotonic.saturating_sub(self.monotonic))
    }
}

/// What a process leaves to its successor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The latest moment that was believed.
    pub high: Timestamp,
    /// How far it was ahead of the believed wall clock.
    pub ahead: Duration,
}

impl Mark {
    /// By how much the wall clock is read ahead. Less than a step is drift; more than what is believed unconfirmed comes
    /// from a clock that nobody believed, and is not carried on.
    fn carried(self) -> Duration {
        let is_step = self.ahead > STEP_TOLERANCE && self.ahead <= STEP_MAX;
        if is_step { self.ahead } else { Duration::ZERO }
    }
}

/// What a reading of the clocks says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moments {
    /// The moment to stamp new records with. Goes on through steps that are not believed yet.
    pub now: Timestamp,
    /// What is due by this moment may not be read any more.
    pub unreadable: Timestamp,
    /// What is due by this moment may be destroyed, and it is the mark to persist. `None` until a fresh start is believed.
    pub destroyable: Option<Timestamp>,
    /// How far the mark is ahead of the wall clock that was believed last: [`Mark::ahead`].
    pub ahead: Duration,
    /// The wall clock stands more than [`STEP_MAX`] ahead of what is believed: an operator must confirm it.
    pub in_doubt: bool,
    /// The wall clock was believed at least once in this process's life.
    pub settled: bool,
}

/// The clock-trust state of one process.
#[derive(Clone, Debug)]
pub struct Belief {
    /// What readings of the wall clock are moved ahead by until one is believed.
    carried: Duration,
    /// [`Mark::ahead`], as of the last reading that was believed.
    ahead: Duration,
    /// What may be destroyed by; goes into the high-water mark.
    high: Option<Running>,
    /// The wall clock as this process goes by, until it believes another.
    base: Running,
    /// Since when wall and monotonic time run in step.
    streak: Running,
    unreadable: Running,
    settled: bool,
}

impl Belief {
    /// The state at a process's start, with the mark that its predecessor left.
    pub fn new(mark: Option<Mark>, wall: Timestamp, monotonic: Duration) -> Belief {
        let carried = mark.map_or(Duration::ZERO, Mark::carried);
        let ahead = mark.map_or(Duration::ZERO, |mark| mark.ahead);
        let here = Running { wall: add(wall, carried), monotonic };
        let high = mark.map(|mark| Running { wall: mark.high, monotonic });
        let unreadable = Running { wall: mark.map_or(here.wall, |mark| mark.high.max(here.wall)), monotonic };
        Belief { carried, ahead, high, base: here, streak: here, unreadable, settled: false }
    }

    /// Takes in a reading of both clocks, taken together.
    pub fn tick(&mut self, wall: Timestamp, monotonic: Duration) -> Moments {
        let raw = Running { wall, monotonic };
        let wall = add(wall, self.carried);
        let mut here = Running { wall, monotonic };
        if apart(wall, self.streak.at(monotonic)) > STEP_TOLERANCE {
            self.streak = here;
        }
        if add(wall, STEP_TOLERANCE) < self.base.at(monotonic) {
            self.base = here;
        }
        let in_doubt = wall > add(self.reckoned(monotonic), STEP_MAX);
        if monotonic.saturating_sub(self.streak.monotonic) >= BELIEF_WAIT && !in_doubt {
            self.believe(here);
            // From here on the mark goes on by itself, ahead of the wall clock as it is.
            self.streak.wall = subtract(self.streak.wall, std::mem::take(&mut self.carried));
            self.base = raw;
            here = raw;
        }
        self.unreadable = Running { wall: self.unreadable.at(monotonic).max(wall), monotonic };
        self.moments(here, in_doubt)
    }

    /// Takes an operator's word that the wall clock is right. Lowers nothing.
    pub fn confirm(&mut self, wall: Timestamp, monotonic: Duration) -> Moments {
        self.carried = Duration::ZERO;
        let here = Running { wall, monotonic };
        self.streak = here;
        self.believe(here);
        self.unreadable = Running { wall: self.unreadable.at(monotonic).max(wall), monotonic };
        self.moments(here, false)
    }

    fn believe(&mut self, here: Running) {
        let wall = self.high.map_or(here.wall, |high| high.at(here.monotonic).max(here.wall));
        self.high = Some(Running { wall, monotonic: here.monotonic });
        self.ahead = apart(wall, here.wall) + self.carried;
        self.base = here;
        self.settled = true;
    }

    /// The time that this process goes by if it does not look at the wall clock.
    fn reckoned(&self, monotonic: Duration) -> Timestamp {
        let base = self.base.at(monotonic);
        self.high.map_or(base, |high| high.at(monotonic).max(base))
    }

    fn moments(&self, here: Running, in_doubt: bool) -> Moments {
        let reckoned = self.reckoned(here.monotonic);
        let stepped = here.wall > add(reckoned, STEP_TOLERANCE);
        let high = self.high.map(|high| high.at(here.monotonic));
        let wall = if stepped { reckoned } else { here.wall };
        Moments {
            now: high.map_or(wall, |high| high.max(wall)),
            unreadable: self.unreadable.wall,
            destroyable: high,
            ahead: self.ahead,
            in_doubt,
            settled: self.settled,
        }
    }
}

/// `at + by`, at most the last moment of the calendar.
pub(crate) fn add(at: Timestamp, by: Duration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// `at - by`, at least the first moment of the calendar.
pub(crate) fn subtract(at: Timestamp, by: Duration) -> Timestamp {
    at.checked_sub(by).unwrap_or(Timestamp::MIN)
}

fn apart(one: Timestamp, other: Timestamp) -> Duration {
    one.duration_since(other).unsigned_abs()
}

#[cfg(test)]
mod tests;

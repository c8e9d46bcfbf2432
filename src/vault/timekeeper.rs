/*!
One belief about the time for the whole program.
*/

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::clock::{Clock, Timestamp};
use crate::keys::belief::{Belief, Mark, Moments};
use crate::limit::CONFIRMATION_AGE_MAX;

/// Reads the clocks into a [`Belief`]. As a [`Clock`] it stamps records: its wall time never goes back
/// behind the high-water mark, and does not follow a step that is not believed.
pub struct Timekeeper {
    clock: Arc<dyn Clock>,
    belief: Mutex<Belief>,
}

impl Timekeeper {
    /// Begins with the high-water mark of the data directory ([`super::high_water`]).
    pub fn new(clock: Arc<dyn Clock>, mark: Option<Mark>) -> Timekeeper {
        let belief = Belief::new(mark, clock.now(), clock.monotonic());
        Timekeeper { clock, belief: Mutex::new(belief) }
    }

    /// Reads the clocks and says what is believed.
    pub fn look(&self) -> Moments {
        self.with(Belief::tick)
    }

    /// Takes an operator's word that the wall clock is right now.
    pub fn confirm(&self) -> Moments {
        self.with(Belief::confirm)
    }

    /// Takes an operator's word that the wall clock was right when it showed `said`, just now. Anything else is no word.
    pub(crate) fn confirm_as_of(&self, said: Timestamp) -> Moments {
        self.with(|belief, wall, monotonic| {
            if wall.duration_since(said).unsigned_abs() <= CONFIRMATION_AGE_MAX {
                belief.confirm(wall, monotonic)
            } else {
                belief.tick(wall, monotonic)
            }
        })
    }

    /// What the wall clock shows, believed or not.
    pub fn wall(&self) -> Timestamp {
        self.clock.now()
    }

    fn with(&self, tell: impl Fn(&mut Belief, Timestamp, Duration) -> Moments) -> Moments {
        // A belief is whole between any two statements that change it.
        let mut belief = self.belief.lock().unwrap_or_else(PoisonError::into_inner);
        tell(&mut belief, self.clock.now(), self.clock.monotonic())
    }
}

impl Clock for Timekeeper {
    fn now(&self) -> Timestamp {
        self.look().now
    }

    fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }
}

impl std::fmt::Debug for Timekeeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Timekeeper").field("belief", &self.belief).finish_non_exhaustive()
    }
}

/*!
How often a store is asked again, whoever asks: a bucket of tokens.

Each retry takes one. Successes bring some back, and time does, slowly. So an
outage costs a store [`RETRY_BUDGET`] requests and one each [`RETRY_EVERY`]
beyond what it would have been asked anyway, however many requests were under
way when it began.
*/

use tokio::time::Instant;

use crate::limit::{RETRY_BUDGET, RETRY_EVERY, RETRY_SHARE};

/// The retries that are left.
#[derive(Debug)]
pub(super) struct Budget {
    tokens: f64,
    at: Instant,
}

impl Budget {
    /// A full one.
    pub(super) fn new(now: Instant) -> Budget {
        Budget { tokens: RETRY_BUDGET, at: now }
    }

    /// Something succeeded.
    pub(super) fn earn(&mut self) {
        self.tokens = (self.tokens + RETRY_SHARE).min(RETRY_BUDGET);
    }

    /// Takes a token.
    ///
    /// # Errors
    ///
    /// The moment at which there will be one.
    pub(super) fn take(&mut self, now: Instant) -> Result<(), Instant> {
        let grown = now.saturating_duration_since(self.at).div_duration_f64(RETRY_EVERY);
        self.tokens = (self.tokens + grown).min(RETRY_BUDGET);
        self.at = self.at.max(now);
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return Ok(());
        }
        Err(now + RETRY_EVERY.mul_f64(1.0 - self.tokens))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    proptest! {
        /// Law: within t, retries <= RETRY_BUDGET + t / RETRY_EVERY + RETRY_SHARE * successes, whatever the order.
        #[test]
        fn retries_are_bounded(steps in prop::collection::vec((any::<bool>(), 0..500u64), 0..400)) {
            let start = Instant::now();
            let (mut budget, mut now) = (Budget::new(start), start);
            let (mut retries, mut successes) = (0.0, 0.0);
            for (succeeds, wait) in steps {
                now += Duration::from_millis(wait);
                if succeeds {
                    budget.earn();
                    successes += 1.0;
                } else if budget.take(now).is_ok() {
                    retries += 1.0;
                }
                let time = (now - start).div_duration_f64(RETRY_EVERY);
                prop_assert!(retries <= RETRY_BUDGET + time + RETRY_SHARE * successes + 1e-6);
            }
        }

        /// Law: at the moment that is named there is a token.
        #[test]
        fn the_moment_that_is_named_is_right(waits in prop::collection::vec(0..2000u64, 0..60)) {
            let mut now = Instant::now();
            let mut budget = Budget::new(now);
            for wait in waits {
                now += Duration::from_millis(wait);
                if let Err(when) = budget.take(now) {
                    now = when + Duration::from_micros(1);
                    prop_assert!(budget.take(now).is_ok());
                }
            }
        }
    }
}

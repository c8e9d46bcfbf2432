/*!
Waits between attempts: doubling, bounded, with full jitter.

Full jitter (a wait drawn evenly from nothing to the bound) spreads the load of
many clients that lost the same store at the same time.
*/

use std::time::Duration;

use crate::limit::{RETRY_WAIT, RETRY_WAIT_MAX};

/// The waits of one sink.
#[derive(Debug)]
pub struct Backoff {
    bound: Duration,
    /// SplitMix64 (Steele, Lea, Flood 2014): enough to keep clients apart, no secret.
    state: u64,
}

impl Backoff {
    /// Waits that begin at [`RETRY_WAIT`], drawn from `seed`.
    pub fn new(seed: u64) -> Backoff {
        Backoff { bound: RETRY_WAIT, state: seed }
    }

    /// The next wait: between nothing and a bound that doubles up to [`RETRY_WAIT_MAX`].
    pub fn wait(&mut self) -> Duration {
        let bound = self.bound;
        self.bound = (bound * 2).min(RETRY_WAIT_MAX);
        bound.mul_f64(self.draw())
    }

    /// All is well again: the next wait is a first one.
    pub fn rest(&mut self) {
        self.bound = RETRY_WAIT;
    }

    /// Waits of their own, which begin anew.
    pub(super) fn fork(&mut self) -> Backoff {
        Backoff::new(self.draw().to_bits())
    }

    /// Between 0 and 1, evenly.
    fn draw(&mut self) -> f64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        /// Law: wait(n) <= min(RETRY_WAIT * 2^n, RETRY_WAIT_MAX), for every seed.
        #[test]
        fn a_wait_stays_below_its_doubling_bound(seed: u64) {
            let mut backoff = Backoff::new(seed);
            for n in 0..20_u32 {
                let bound = RETRY_WAIT.saturating_mul(1 << n).min(RETRY_WAIT_MAX);
                proptest::prop_assert!(backoff.wait() <= bound);
            }
        }
    }

    #[test]
    fn waits_differ_between_seeds_and_start_small_after_rest() {
        let mut one = Backoff::new(1);
        let mut other = Backoff::new(2);
        assert_ne!(one.wait(), other.wait());
        for _ in 0..20 {
            one.wait();
        }
        one.rest();
        assert!(one.wait() <= RETRY_WAIT);
    }
}

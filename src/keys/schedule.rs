/*!
The calendar: how a class's limit is cut into epochs and partitions, and how
long before the limit each of them is destroyed.

| limit of the class | epoch of its keys | partition | destroyed before the limit |
|---|---|---|---|
| 2 days or more | 1 day | 1 hour | 4 hours |
| 1 day to 2 days | 1 hour | 1 hour | a twelfth of the limit (2 to 4 hours) |
| 3 hours to 1 day | 1 hour | 15 minutes | a twelfth of the limit, at least 90 minutes |
| below 3 hours | | | refused |

The last records of an epoch or partition live shorter than the limit by its
length and the margin, the first ones by the margin. All of it is UTC.
*/

use std::time::Duration;

use crate::clock::Timestamp;
use crate::keys::belief::{add, subtract};
use crate::limit::{CLASS_TTL_MIN, DEADLINE_MARGIN_MAX, DEADLINE_MARGIN_MIN};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

/// How a class's limit is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    ttl: Duration,
    epoch: Duration,
    partition: Duration,
}

/// The limit is shorter than can be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is a limit of {} minutes; 3h is the shortest that can be kept, because a clock is believed after an hour", .0.as_secs() / 60)]
pub struct TooShort(pub Duration);

impl Schedule {
    /// The schedule of a class whose records live for `ttl` at most.
    pub fn try_new(ttl: Duration) -> Result<Schedule, TooShort> {
        if ttl < CLASS_TTL_MIN {
            return Err(TooShort(ttl));
        }
        let epoch = if ttl >= 2 * DAY { DAY } else { HOUR };
        let partition = if ttl >= DAY { HOUR } else { HOUR / 4 };
        Ok(Schedule { ttl, epoch, partition })
    }

    /// The epoch in which `at` falls: its first moment and the first moment after it.
    pub fn epoch(&self, at: Timestamp) -> (Timestamp, Timestamp) {
        cut(at, self.epoch)
    }

    /// The partition in which `at` falls: its first moment and the first moment after it.
    pub fn partition(&self, at: Timestamp) -> (Timestamp, Timestamp) {
        cut(at, self.partition)
    }

    /// When something is destroyed whose oldest record was received at `from`.
    pub fn deadline(&self, from: Timestamp) -> Timestamp {
        deadline(from, self.ttl)
    }
}

/// When something is destroyed whose oldest record was received at `from` and may live for `ttl`.
pub fn deadline(from: Timestamp, ttl: Duration) -> Timestamp {
    subtract(add(from, ttl), margin(ttl))
}

/// How long before its limit something is destroyed.
pub fn margin(ttl: Duration) -> Duration {
    (ttl / 12).clamp(DEADLINE_MARGIN_MIN, DEADLINE_MARGIN_MAX)
}

fn cut(at: Timestamp, length: Duration) -> (Timestamp, Timestamp) {
    let length = length.as_secs() as i64;
    let from = at.as_second().div_euclid(length) * length;
    let moment = |second| Timestamp::from_second(second);
    (moment(from).unwrap_or(Timestamp::MIN), moment(from + length).unwrap_or(Timestamp::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever is written into an epoch or a partition is destroyed after it was closed and, one belief delay
        /// and a sweep late, before its oldest record reaches the limit: `until < deadline` and `deadline + wait < from + ttl`.
        #[test]
        fn deadlines_lie_between_the_end_and_the_limit(
            ttl in 3 * 3600..100 * 365 * 86_400u64,
            at in 0..4_000_000_000i64,
        ) {
            let ttl = Duration::from_secs(ttl);
            let schedule = Schedule::try_new(ttl).unwrap();
            let at = Timestamp::from_second(at).unwrap();
            for (from, until) in [schedule.epoch(at), schedule.partition(at)] {
                prop_assert!(from <= at && at < until);
                prop_assert!(until < schedule.deadline(from));
                let late = add(schedule.deadline(from), crate::limit::BELIEF_WAIT + Duration::from_secs(600));
                prop_assert!(late < add(from, ttl));
            }
        }
    }

    #[test]
    fn refuses_what_cannot_be_kept() {
        let below = CLASS_TTL_MIN - Duration::from_secs(1);
        assert_eq!(Schedule::try_new(below), Err(TooShort(below)));
        assert!(Schedule::try_new(CLASS_TTL_MIN).is_ok());
    }

    #[test]
    fn ninety_days_lose_four_hours() {
        let from: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
        let due = deadline(from, 90 * DAY);
        assert_eq!(due, "2027-02-20T06:00:00Z".parse().unwrap());
    }
}

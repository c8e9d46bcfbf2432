/*!
The verdict on one class in one store.

```text
compliant: worst case <= limit, and now - oldest record <= limit
unknown:   anything of it could not be told; it counts as failed
```

The second half is what catches a store that says one thing and does another: a
sweep that stands still, an answer of 200 to a deletion that never happened.
*/

use std::fmt;
use std::time::Duration;

use super::driver::{Reading, Unknown};
use super::span::Span;
use crate::clock::Timestamp;
use crate::limit::STORE_SKEW_MAX;

/// The oldest record of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Oldest {
    /// There is no record.
    Nothing,
    /// Received at this moment, or a little later.
    At(Timestamp),
}

impl From<Option<Timestamp>> for Oldest {
    /// Of the moment of the oldest record, if there is one.
    fn from(at: Option<Timestamp>) -> Oldest {
        at.map_or(Oldest::Nothing, Oldest::At)
    }
}

/// What is to be thought of a class in a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No record can outlive the limit, and none does.
    Compliant,
    /// A record can, or does.
    Exceeds {
        /// By how much; `None` without end.
        by: Option<Duration>,
        /// Why, one line.
        why: String,
    },
    /// It could not be told, and why. Counts as failed.
    Unknown {
        /// One line.
        why: String,
    },
}

impl Verdict {
    /// Whether records may go there.
    pub fn holds(&self) -> bool {
        *self == Verdict::Compliant
    }

    /// `compliant`, `exceeds` or `unknown`.
    pub fn word(&self) -> &'static str {
        match self {
            Verdict::Compliant => "compliant",
            Verdict::Exceeds { .. } => "exceeds",
            Verdict::Unknown { .. } => "unknown",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Compliant => f.write_str("compliant"),
            Verdict::Exceeds { by: Some(by), why } => write!(f, "exceeds the limit by {}: {why}", Span(*by)),
            Verdict::Exceeds { by: None, why } => write!(f, "exceeds the limit without end: {why}"),
            Verdict::Unknown { why } => write!(f, "unknown: {why}"),
        }
    }
}

/// Judges what was read of a target at `now` by the limit of a class in it.
pub fn judge(limit: Duration, reading: &Result<Reading, Unknown>, now: Timestamp) -> Verdict {
    let reading = match reading {
        Ok(reading) => reading,
        Err(Unknown(why)) => return Verdict::Unknown { why: why.clone() },
    };
    if let Some(why) = reading.store_now.and_then(|store| skewed("its clock stands", store, now)) {
        return Verdict::Unknown { why };
    }
    let Some(worst) = reading.effective.worst_case() else {
        return Verdict::Exceeds {
            by: None,
            why: reading.effective.arithmetic().replacen("without end: ", "", 1),
        };
    };
    let age = match reading.oldest {
        Oldest::Nothing => Duration::ZERO,
        Oldest::At(oldest) => match age(oldest, now) {
            Ok(age) => age,
            Err(why) => return Verdict::Unknown { why },
        },
    };
    if age > limit {
        let oldest = format!("its oldest record is {} old, and the limit is {}", Span(age), Span(limit));
        let why = match worst > limit {
            true => format!("{oldest}; {}", reading.effective.arithmetic()),
            false => {
                format!("{oldest}: it is not deleted as configured ({})", reading.effective.arithmetic())
            }
        };
        return Verdict::Exceeds { by: Some((age - limit).max(worst.saturating_sub(limit))), why };
    }
    if worst > limit {
        let why = format!("{}, and the limit is {}", reading.effective.arithmetic(), Span(limit));
        return Verdict::Exceeds { by: Some(worst - limit), why };
    }
    match &reading.stalled {
        Some(why) => Verdict::Exceeds { by: None, why: why.clone() },
        None => Verdict::Compliant,
    }
}

/// How old something is; an error if it comes from a future that clocks may not be apart by.
fn age(oldest: Timestamp, now: Timestamp) -> Result<Duration, String> {
    match skewed("its oldest record was received", oldest, now).filter(|_| oldest > now) {
        Some(why) => Err(why),
        None => Ok(Duration::try_from(now.duration_since(oldest)).unwrap_or_default()),
    }
}

/// What to say of a moment that lies too far from now.
fn skewed(what: &str, there: Timestamp, now: Timestamp) -> Option<String> {
    let apart = now.duration_since(there).unsigned_abs();
    let side = if there > now { "ahead of" } else { "behind" };
    (apart > STORE_SKEW_MAX).then(|| {
        format!("{what} {} {side} ours, so that ages cannot be told; set both clocks right", Span(apart))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retention::span::DAY;
    use crate::retention::{Effective, Lag, What};
    use proptest::prelude::*;

    fn now() -> Timestamp {
        "2026-11-22T10:00:00Z".parse().unwrap()
    }

    fn reading(kept: Duration, sweep: Duration, oldest: Oldest) -> Reading {
        let effective = Effective::new(kept, vec![Lag::new(What::Sweep, sweep, "a sweep")]);
        Reading { effective, oldest, store_now: None, settings: Vec::new(), stalled: None, notes: Vec::new() }
    }

    fn old(age: Duration) -> Oldest {
        Oldest::At(now().checked_sub(age).unwrap())
    }

    proptest! {
        /// Compliant exactly when both halves hold, to the second.
        #[test]
        fn both_halves_must_hold(limit in 0..200u64, kept in 0..200u64, sweep in 0..20u64, age in 0..300u64) {
            let [limit, kept, sweep, age] = [limit, kept, sweep, age].map(Duration::from_secs);
            let verdict = judge(limit, &Ok(reading(kept, sweep, old(age))), now());
            prop_assert_eq!(verdict.holds(), kept + sweep <= limit && age <= limit, "{}", verdict);
            if let Verdict::Exceeds { by, .. } = verdict {
                let more = (kept + sweep).saturating_sub(limit).max(age.saturating_sub(limit));
                prop_assert_eq!(by, Some(more));
            }
        }
    }

    #[test]
    fn what_cannot_be_told_is_never_compliant() {
        let unknown = Err(Unknown("cannot connect".to_owned()));
        assert_eq!(judge(90 * DAY, &unknown, now()).to_string(), "unknown: cannot connect");
        let mut skewed = reading(DAY, DAY, Oldest::Nothing);
        for apart in [STORE_SKEW_MAX + Duration::from_secs(1), 400 * DAY] {
            for there in [now().checked_add(apart).unwrap(), now().checked_sub(apart).unwrap()] {
                skewed.store_now = Some(there);
                let verdict = judge(90 * DAY, &Ok(skewed.clone()), now());
                assert!(matches!(verdict, Verdict::Unknown { .. }), "{verdict}");
            }
        }
        skewed.store_now = Some(now().checked_add(STORE_SKEW_MAX).unwrap());
        assert!(judge(90 * DAY, &Ok(skewed), now()).holds());
        let future = reading(DAY, DAY, Oldest::At(now().checked_add(STORE_SKEW_MAX * 2).unwrap()));
        let verdict = judge(90 * DAY, &Ok(future), now());
        assert!(verdict.to_string().contains("oldest record was received"), "{verdict}");
    }

    #[test]
    fn a_store_that_keeps_what_it_said_it_deleted_is_found() {
        let verdict = judge(90 * DAY, &Ok(reading(89 * DAY, DAY, old(95 * DAY))), now());
        let text = verdict.to_string();
        assert!(text.starts_with("exceeds the limit by 5 d: its oldest record is 95 d old"), "{text}");
        assert!(text.contains("not deleted as configured"), "{text}");
    }

    #[test]
    fn a_store_without_an_end_says_why() {
        let mut reading = reading(DAY, DAY, Oldest::Nothing);
        reading.effective = Effective::forever("no retention is set");
        let verdict = judge(90 * DAY, &Ok(reading), now());
        assert_eq!(verdict.to_string(), "exceeds the limit without end: no retention is set");
    }

    #[test]
    fn a_sweep_that_stands_still_is_found_before_the_limit() {
        let mut reading = reading(DAY, DAY, old(DAY));
        reading.stalled = Some("what was due yesterday is still there".to_owned());
        assert!(!judge(90 * DAY, &Ok(reading), now()).holds());
    }
}

/*!
The arithmetic of a record's life:

```text
worst case = configured + roll-over + sweep + rounding + grace
```

and its reverse: the value to configure so that the worst case keeps a limit.
*/

use std::fmt::Write;
use std::time::Duration;

use super::span::{DAY, Span};

/// What a store does to its records, as far as it could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effective {
    /// What is configured.
    pub kept: Kept,
    /// What comes on top before a record is gone.
    pub lags: Vec<Lag>,
}

/// How long a store is told to keep records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// For this long.
    For(Duration),
    /// Nothing ends it, and why.
    Forever(String),
}

impl Kept {
    /// How long, if that ends.
    pub fn span(&self) -> Option<Duration> {
        match self {
            Kept::For(kept) => Some(*kept),
            Kept::Forever(_) => None,
        }
    }
}

/// What lengthens a record's life beyond what is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lag {
    /// Which part of the sum it is.
    pub what: What,
    /// At most.
    pub span: Duration,
    /// Where it comes from, in a few words.
    pub why: String,
}

/// A part of the sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The clock starts when an index, segment, bucket or split is closed.
    RollOver,
    /// Something comes by and deletes.
    Sweep,
    /// Only whole days or hours are told apart.
    Rounding,
    /// The store takes its time.
    Grace,
}

impl What {
    /// As it stands in the sum.
    pub fn words(self) -> &'static str {
        match self {
            What::RollOver => "roll-over",
            What::Sweep => "sweep",
            What::Rounding => "rounding",
            What::Grace => "grace",
        }
    }
}

impl Lag {
    /// A lag with its reason.
    pub fn new(what: What, span: Duration, why: impl Into<String>) -> Lag {
        Lag { what, span, why: why.into() }
    }
}

impl Effective {
    /// Kept for `kept`, with these lags.
    pub fn new(kept: Duration, lags: Vec<Lag>) -> Effective {
        Effective { kept: Kept::For(kept), lags }
    }

    /// Kept for good, because of this.
    pub fn forever(why: impl Into<String>) -> Effective {
        Effective { kept: Kept::Forever(why.into()), lags: Vec::new() }
    }

    /// The longest that a record can stay; `None` if nothing ends its stay.
    pub fn worst_case(&self) -> Option<Duration> {
        self.kept.span().map(|kept| kept.saturating_add(total(&self.lags)))
    }

    /// The sum in one line: `configured 90 d + roll-over 7 d + sweep 5 min = 97 d 5 min`.
    pub fn arithmetic(&self) -> String {
        let kept = match &self.kept {
            Kept::For(kept) => *kept,
            Kept::Forever(why) => return format!("without end: {why}"),
        };
        let mut text = format!("configured {}", Span(kept));
        for lag in &self.lags {
            write!(text, " + {} {}", lag.what.words(), Span(lag.span)).expect("a string takes all");
        }
        if !self.lags.is_empty() {
            write!(text, " = {}", Span(kept.saturating_add(total(&self.lags)))).expect("a string takes all");
        }
        text
    }

    /// Where the lags come from, one line.
    pub fn reasons(&self) -> String {
        let lag = |lag: &Lag| format!("{} {}: {}", lag.what.words(), Span(lag.span), lag.why);
        self.lags.iter().map(lag).collect::<Vec<_>>().join("; ")
    }
}

/// All lags together.
pub fn total(lags: &[Lag]) -> Duration {
    lags.iter().fold(Duration::ZERO, |sum, lag| sum.saturating_add(lag.span))
}

/// Which values a store takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grain {
    /// Multiples of `step`, from `least` on.
    Steps {
        /// The unit.
        step: Duration,
        /// The smallest value.
        least: Duration,
    },
    /// These numbers of days and no others, in rising order.
    Days(&'static [u64]),
}

impl Grain {
    /// Whole seconds.
    pub const SECONDS: Grain = Grain::Steps { step: Duration::from_secs(1), least: Duration::from_secs(1) };
    /// Whole days.
    pub const WHOLE_DAYS: Grain = Grain::Steps { step: DAY, least: DAY };

    /// The largest value that is no longer than `most`.
    pub fn at_most(self, most: Duration) -> Option<Duration> {
        match self {
            Grain::Steps { step, least } => {
                let steps = most.as_secs() / step.as_secs().max(1);
                let value = Duration::from_secs(steps * step.as_secs().max(1));
                (value >= least && !value.is_zero()).then_some(value)
            }
            Grain::Days(days) => {
                let fits = days.iter().rev().map(|days| Duration::from_secs(days * 86_400));
                fits.into_iter().find(|value| *value <= most)
            }
        }
    }

    /// The smallest value.
    pub fn least(self) -> Duration {
        match self {
            Grain::Steps { step, least } => {
                let step = step.as_secs().max(1);
                Duration::from_secs(least.as_secs().div_ceil(step).max(1) * step)
            }
            Grain::Days(days) => Duration::from_secs(days.first().copied().unwrap_or(1) * 86_400),
        }
    }
}

/// A limit that a store cannot keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} is shorter than it can keep; the shortest limit possible there is {}", Span(self.limit), Span(self.least))]
pub struct TooShort {
    /// What was asked for.
    pub limit: Duration,
    /// The smallest limit possible.
    pub least: Duration,
}

/// The value to configure for a limit: with all lags on top it is still kept.
pub fn value_for(limit: Duration, lags: &[Lag], grain: Grain) -> Result<Duration, TooShort> {
    let lags = total(lags);
    let value = limit.checked_sub(lags).and_then(|most| grain.at_most(most));
    value.ok_or(TooShort { limit, least: grain.least().saturating_add(lags) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn grains() -> impl Strategy<Value = Grain> {
        let steps = (1..100_000u64, 0..1_000_000u64).prop_map(|(step, least)| Grain::Steps {
            step: Duration::from_secs(step),
            least: Duration::from_secs(least),
        });
        prop_oneof![steps, Just(Grain::Days(&[1, 3, 5, 7, 14, 30, 60, 90, 120]))]
    }

    proptest! {
        /// Whatever the lags and the grain: a value that is given keeps the limit and is one that the store takes; a
        /// limit that is refused is shorter than the least one, and the least one is kept.
        #[test]
        fn a_value_keeps_the_limit_or_the_least_limit_is_told(
            limit in 0..200 * 86_400u64,
            lags in prop::collection::vec(0..10 * 86_400u64, 0..4),
            grain in grains(),
        ) {
            let limit = Duration::from_secs(limit);
            let lags: Vec<Lag> =
                lags.into_iter().map(|s| Lag::new(What::Sweep, Duration::from_secs(s), "test")).collect();
            match value_for(limit, &lags, grain) {
                Ok(value) => {
                    prop_assert_eq!(grain.at_most(value), Some(value));
                    prop_assert!(Effective::new(value, lags).worst_case().expect("it ends") <= limit);
                }
                Err(TooShort { limit: told, least }) => {
                    prop_assert_eq!(told, limit);
                    prop_assert!(least > limit, "{:?} is refused, {:?} is the least", limit, least);
                    prop_assert!(value_for(least, &lags, grain).is_ok());
                }
            }
        }
    }

    #[test]
    fn the_sum_is_shown() {
        let lags = vec![
            Lag::new(What::RollOver, 7 * DAY, "an active segment is never deleted"),
            Lag::new(What::Sweep, Duration::from_secs(300), "log.retention.check.interval.ms"),
        ];
        let effective = Effective::new(90 * DAY, lags);
        assert_eq!(effective.arithmetic(), "configured 90 d + roll-over 7 d + sweep 5 min = 97 d 5 min");
        assert!(effective.reasons().starts_with("roll-over 7 d: an active segment"));
        let forever = Effective::forever("no retention is set");
        assert_eq!(
            (forever.worst_case(), forever.arithmetic().as_str()),
            (None, "without end: no retention is set")
        );
    }

    #[test]
    fn fixed_values_are_chosen_from_below() {
        let grain = Grain::Days(&[1, 30, 60, 90]);
        let three_days = [Lag::new(What::Grace, 3 * DAY, "deleted up to 72 h later")];
        assert_eq!(value_for(90 * DAY, &three_days, grain), Ok(60 * DAY));
        let error = value_for(DAY, &three_days, grain).unwrap_err();
        assert_eq!(
            error.to_string(),
            "1 d is shorter than it can keep; the shortest limit possible there is 4 d"
        );
    }
}

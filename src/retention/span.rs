/*!
Spans of time in words: `90 d`, `97 d 4 h`, `5 min`.
*/

use std::fmt;
use std::time::Duration;

/// An hour.
pub const HOUR: Duration = Duration::from_secs(3_600);
/// A day.
pub const DAY: Duration = Duration::from_secs(86_400);

/// A span that prints with its three largest units, rounded up: a bound is never told too small.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut seconds = self.0.as_secs() + u64::from(self.0.subsec_nanos() > 0);
        if seconds >= UNITS[0].0 {
            seconds = seconds.div_ceil(UNITS[2].0) * UNITS[2].0;
        }
        if seconds == 0 {
            return f.write_str("0 s");
        }
        let mut gap = "";
        for (unit, name) in UNITS {
            if seconds >= unit {
                write!(f, "{gap}{} {name}", seconds / unit)?;
                (seconds, gap) = (seconds % unit, " ");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_the_three_largest_units_rounded_up() {
        for (seconds, expected) in [
            (0, "0 s"),
            (1, "1 s"),
            (60, "1 min"),
            (61, "1 min 1 s"),
            (3_599, "59 min 59 s"),
            (3_601, "1 h 1 s"),
            (86_399, "23 h 59 min 59 s"),
            (90 * 86_400, "90 d"),
            (90 * 86_400 + 1, "90 d 1 min"),
            (7_776_000 + 14_400, "90 d 4 h"),
        ] {
            assert_eq!(Span(Duration::from_secs(seconds)).to_string(), expected, "{seconds}");
        }
        assert_eq!(Span(Duration::from_millis(1)).to_string(), "1 s");
    }

    proptest::proptest! {
        /// What is told is never less than what is, nor more by a minute.
        #[test]
        fn a_bound_is_never_told_too_small(seconds in 1..400_000_000u64) {
            let text = Span(Duration::from_secs(seconds)).to_string();
            let words: Vec<&str> = text.split(' ').collect();
            let unit = |name: &str| UNITS.iter().find(|(_, unit)| *unit == name).expect("a unit").0;
            let told: u64 = words.chunks(2).map(|pair| pair[0].parse::<u64>().expect("a count") * unit(pair[1])).sum();
            proptest::prop_assert!(told >= seconds && told - seconds < 60, "{seconds} is told as {text}");
        }
    }
}

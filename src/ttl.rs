/*!
How long a record may live at most.

Written `90d`, `24mo`, `5y`, `36h`. A month is 30 days and a year 365, so that
a limit is never overrun.
*/

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// An upper bound on a record's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ttl {
    count: u32,
    unit: Unit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Unit {
    Hours,
    Days,
    Months,
    Years,
}

impl Ttl {
    /// A bound of this many days.
    pub const fn days(count: u32) -> Ttl {
        Ttl { count, unit: Unit::Days }
    }

    /// A bound of this many hours.
    pub const fn hours(count: u32) -> Ttl {
        Ttl { count, unit: Unit::Hours }
    }

    /// The bound as a duration.
    pub fn duration(self) -> Duration {
        let hours = match self.unit {
            Unit::Hours => 1,
            Unit::Days => 24,
            Unit::Months => 30 * 24,
            Unit::Years => 365 * 24,
        };
        Duration::from_secs(u64::from(self.count) * hours * 3600)
    }
}

/// Not a limit as it is written.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a limit such as 90d, 24mo, 5y or 36h, of 1 hour at least and 100 years at most")]
pub struct ParseTtlError;

impl FromStr for Ttl {
    type Err = ParseTtlError;

    fn from_str(text: &str) -> Result<Ttl, ParseTtlError> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (count, unit) = text.split_at(digits);
        let unit = match unit {
            "h" => Unit::Hours,
            "d" => Unit::Days,
            "mo" => Unit::Months,
            "y" => Unit::Years,
            _ => return Err(ParseTtlError),
        };
        let ttl = Ttl { count: count.parse().map_err(|_| ParseTtlError)?, unit };
        let hundred_years = Duration::from_secs(100 * 365 * 86_400);
        if ttl.count == 0 || ttl.duration() > hundred_years {
            return Err(ParseTtlError);
        }
        Ok(ttl)
    }
}

impl fmt::Display for Ttl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.unit {
            Unit::Hours => "h",
            Unit::Days => "d",
            Unit::Months => "mo",
            Unit::Years => "y",
        };
        write!(f, "{}{unit}", self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        for text in ["90d", "7d", "24mo", "5y", "36h"] {
            assert_eq!(text.parse::<Ttl>().expect(text).to_string(), text);
        }
    }

    #[test]
    fn a_month_is_thirty_days() {
        assert_eq!("24mo".parse::<Ttl>().unwrap().duration(), Duration::from_secs(720 * 86_400));
    }

    #[test]
    fn rejects_what_is_no_limit() {
        for text in ["", "d", "0d", "90", "90 d", "-1d", "90w", "1e3d", "101y", "99999999999d"] {
            assert_eq!(text.parse::<Ttl>(), Err(ParseTtlError), "{text}");
        }
    }
}

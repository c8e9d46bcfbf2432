/*!
When a request must be answered: from the moment it was received, by law.

Which law holds for whom is for the operator to say. Lengths: GDPR, article 12(3),
one month, taken as 30 days so that it is never overrun; CCPA, section 1798.130, 45
days; mainland China, 15 business days as the published policies promise. Business days
are Monday to Friday: holidays are not known here, and so the deadline comes early.
*/

use std::fmt;
use std::str::FromStr;

use jiff::civil::Weekday;
use jiff::{SignedDuration, tz::TimeZone};
use serde::{Deserialize, Serialize};

use super::Error;
use crate::clock::Timestamp;

/// By which law a request must be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Law {
    /// 30 days.
    Gdpr,
    /// 45 days.
    Ccpa,
    /// 15 business days.
    Cn,
    /// No deadline.
    None,
}

const ALL: [Law; 4] = [Law::Gdpr, Law::Ccpa, Law::Cn, Law::None];
const BUSINESS_DAYS_CN: u32 = 15;

impl Law {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Law::Gdpr => "gdpr",
            Law::Ccpa => "ccpa",
            Law::Cn => "cn",
            Law::None => "none",
        }
    }

    /// When a request that was received at `at` must be answered.
    pub fn deadline(self, at: Timestamp) -> Option<Timestamp> {
        let days = |days: i64| at.checked_add(SignedDuration::from_hours(24 * days)).ok();
        match self {
            Law::Gdpr => days(30),
            Law::Ccpa => days(45),
            Law::Cn => business_days(at, BUSINESS_DAYS_CN),
            Law::None => None,
        }
    }
}

/// The same time of day, so many business days later. The day itself does not count.
fn business_days(mut at: Timestamp, mut left: u32) -> Option<Timestamp> {
    while left > 0 {
        at = at.checked_add(SignedDuration::from_hours(24)).ok()?;
        let weekend = [Weekday::Saturday, Weekday::Sunday];
        left -= u32::from(!weekend.contains(&at.to_zoned(TimeZone::UTC).weekday()));
    }
    Some(at)
}

impl FromStr for Law {
    type Err = Error;

    fn from_str(text: &str) -> Result<Law, Error> {
        let found = ALL.into_iter().find(|law| law.name() == text);
        found.ok_or_else(|| Error::Law { law: text.to_owned() })
    }
}

impl fmt::Display for Law {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(law: Law, received: &str, deadline: &str) {
        let found = law.deadline(received.parse().unwrap()).unwrap();
        assert_eq!(found, deadline.parse().unwrap(), "{law} {received}");
    }

    #[test]
    fn each_law_has_its_own_time() {
        check(Law::Gdpr, "2026-11-28T09:30:00Z", "2026-12-28T09:30:00Z");
        check(Law::Ccpa, "2026-11-28T09:30:00Z", "2027-01-12T09:30:00Z");
        assert_eq!(Law::None.deadline("2026-11-28T09:30:00Z".parse().unwrap()), None);
    }

    #[test]
    fn business_days_leave_weekends_out() {
        // A Monday: three weeks later.
        check(Law::Cn, "2026-11-23T09:30:00Z", "2026-12-14T09:30:00Z");
        // A Friday.
        check(Law::Cn, "2026-11-27T09:30:00Z", "2026-12-18T09:30:00Z");
        // A Saturday and a Sunday: the Friday of the third week.
        check(Law::Cn, "2026-11-28T09:30:00Z", "2026-12-18T09:30:00Z");
        check(Law::Cn, "2026-11-29T09:30:00Z", "2026-12-18T09:30:00Z");
    }

    #[test]
    fn a_law_is_read_as_it_is_written() {
        for law in ALL {
            assert_eq!(law.to_string().parse::<Law>().unwrap(), law);
        }
        assert!("GDPR2".parse::<Law>().is_err());
    }
}

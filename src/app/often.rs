/*!
Acts that come often, in the audit log: some of a kind an hour each by itself, the others by their number.

Whoever reaches the admin listener can be refused as often as it likes, and a service may end a session with each logout of
its users; each line of the log takes a reading of all of it.
*/

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Timestamp;
use crate::limit::OFTEN_TOLD_MAX;
use crate::vault::{Act, Outcome};

/// What was done or refused of late, by the name of the act and what came of it.
#[derive(Debug, Default)]
pub struct Often(Mutex<BTreeMap<(String, &'static str), Hour>>);

/// What a service does by itself.
const LOGOUT: &str = "sessions logout";

/// An hour of one kind.
#[derive(Clone, Copy, Debug)]
struct Hour {
    began: Timestamp,
    told: usize,
    untold: u64,
}

/// After it as many are told again.
const HOUR: Duration = Duration::from_secs(3600);

impl Often {
    /// The act as it is to be told; nothing if it is one too many. The first of the next hour says how many those were.
    pub fn told(&self, act: Act) -> Option<Act> {
        if act.outcome != Outcome::Refused && act.act != LOGOUT {
            return Some(act);
        }
        let outcome = act.outcome.name();
        // Whole entries change.
        let mut hours = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = Hour { began: act.at, told: 0, untold: 0 };
        let hour = hours.entry((act.act.clone(), outcome)).or_insert(fresh);
        let mut untold = 0;
        if act.at < hour.began || act.at >= hour.began + HOUR {
            (untold, *hour) = (hour.untold, fresh);
        }
        if hour.told == OFTEN_TOLD_MAX {
            hour.untold += 1;
            return None;
        }
        hour.told += 1;
        Some(if untold > 0 { act.count(&format!("{outcome} before"), untold) } else { act })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_an_hour_are_told_and_the_others_counted() {
        let often = Often::default();
        let start: Timestamp = "2026-11-28T10:00:00Z".parse().unwrap();
        let act = |at, what: &str, outcome| Act::new(at, "x", what).ended(outcome);
        let refused = |seconds: u64| act(start + Duration::from_secs(seconds), "reload", Outcome::Refused);
        let told = (0..1000).filter_map(|second| often.told(refused(second))).count();
        assert_eq!(told, OFTEN_TOLD_MAX);
        let now = start + Duration::from_secs(1000);
        let other = act(now, "keys rotate", Outcome::Refused);
        assert_eq!(often.told(other.clone()), Some(other), "others have their own");
        let done = act(now, "reload", Outcome::Done);
        assert_eq!(often.told(done.clone()), Some(done), "what is done is always told");
        let next = often.told(refused(3600)).unwrap();
        assert_eq!(next.counts["refused before"], 1000 - OFTEN_TOLD_MAX as u64);
        assert_eq!(often.told(refused(3601)).unwrap().counts.len(), 0, "once");
        let logout = |seconds: u64| act(start + Duration::from_secs(seconds), LOGOUT, Outcome::Done);
        assert_eq!((0..50).filter_map(|second| often.told(logout(second))).count(), OFTEN_TOLD_MAX);
        assert_eq!(often.told(logout(3600)).unwrap().counts["done before"], 50 - OFTEN_TOLD_MAX as u64);
    }
}

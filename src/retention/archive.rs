/*!
What the local archive amounts to, from what its partitions say. Computes; the
program reads the partitions.
*/

use std::time::Duration;

use super::bound::{Effective, Lag, TooShort, What, value_for};
use super::driver::{Can, Reading, Setting, Wanted};
use super::span::Span;
use super::{Grain, Kept};
use crate::clock::Timestamp;
use crate::keys::schedule::margin;
use crate::limit::{BELIEF_WAIT, CLASS_TTL_MIN, TEND_EVERY};

/// One partition of a class, as its name and its key file say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// `access/2026-11-22T10`.
    pub id: String,
    /// Receive time of the oldest record that it may hold.
    pub from: Timestamp,
    /// When it is destroyed; `None` if nothing says.
    pub destroy_at: Option<Timestamp>,
}

/// What the program does with it.
pub const CAN: Can = Can { set: Ok(()), own_deletion: true, find: Ok(()), erase: Ok(()) };

/// The name that the archive's one setting has in a plan.
pub const SETTING: &str = "limit in force";

/// What `limit` needs: it is put in force as it is, and the calendar keeps it.
pub fn wants(limit: Duration) -> Result<Wanted, TooShort> {
    let grain = Grain::Steps { step: Duration::from_secs(1), least: CLASS_TTL_MIN };
    let value = value_for(limit, &[], grain)?;
    let settings = vec![Setting::new(SETTING, format!("{} s", value.as_secs()))];
    Ok(Wanted { value, effective: effective(value), settings })
}

/// What is in force for a class and what lies there, judged by what each partition says of itself.
pub fn reading(in_force: Option<Duration>, partitions: &[Partition], now: Timestamp) -> Reading {
    let settings = in_force.map(|limit| Setting::new(SETTING, format!("{} s", limit.as_secs())));
    Reading {
        effective: longest(in_force, partitions),
        oldest: partitions.iter().map(|p| p.from).min().into(),
        store_now: None,
        settings: settings.into_iter().collect(),
        stalled: stalled(partitions, now),
        notes: vec!["what is overdue is unreadable at once, destroyed or not".to_owned()],
    }
}

fn effective(limit: Duration) -> Effective {
    let sweep = Lag::new(What::Sweep, TEND_EVERY, "the archive is swept each minute");
    let grace =
        Lag::new(What::Grace, BELIEF_WAIT, "after a start the clock is believed once it ran for an hour");
    Effective::new(limit.saturating_sub(margin(limit)), vec![sweep, grace])
}

/// By the limit in force, or longer where a partition says so.
fn longest(in_force: Option<Duration>, partitions: &[Partition]) -> Effective {
    let mut effective = match in_force {
        Some(limit) => effective(limit),
        None if partitions.is_empty() => return Effective::forever("no limit is in force for the class"),
        None => effective(Duration::ZERO),
    };
    for partition in partitions {
        let Some(destroy_at) = partition.destroy_at else {
            return Effective::forever(format!("partition {} has no moment of destruction", partition.id));
        };
        let life = Duration::try_from(destroy_at.duration_since(partition.from)).unwrap_or_default();
        if matches!(effective.kept, Kept::For(kept) if kept < life) {
            effective.kept = Kept::For(life);
        }
    }
    effective
}

/// Whether the sweep stands still: something has been due for longer than it may take.
fn stalled(partitions: &[Partition], now: Timestamp) -> Option<String> {
    let late = |partition: &&Partition| {
        let due = partition.destroy_at.unwrap_or(Timestamp::MAX);
        now.duration_since(due)
            > jiff::SignedDuration::try_from(BELIEF_WAIT + 3 * TEND_EVERY).unwrap_or_default()
    };
    let partition = partitions.iter().filter(late).min_by_key(|partition| partition.from)?;
    let due = partition.destroy_at.unwrap_or(now);
    let late = Duration::try_from(now.duration_since(due)).unwrap_or_default();
    Some(format!(
        "the sweep stands still: partition {} was due {} ago and is still there; start `logveil run`, or run \
         `logveil archive purge --confirm`",
        partition.id,
        Span(late)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retention::span::DAY;
    use crate::retention::{Verdict, judge};

    fn now() -> Timestamp {
        "2026-11-22T10:00:00Z".parse().unwrap()
    }

    fn partition(age: Duration, life: Duration) -> Partition {
        let from = now().checked_sub(age).unwrap();
        Partition { id: "access/x".into(), from, destroy_at: Some(from.checked_add(life).unwrap()) }
    }

    #[track_caller]
    fn check(in_force: Option<Duration>, partitions: &[Partition], expected: &str) {
        let verdict = judge(90 * DAY, &Ok(reading(in_force, partitions, now())), now());
        assert!(verdict.to_string().starts_with(expected), "{verdict}");
    }

    #[test]
    fn a_sound_archive_is_compliant() {
        check(Some(90 * DAY), &[], "compliant");
        let margin = Duration::from_secs(4 * 3600);
        check(Some(90 * DAY), &[partition(80 * DAY, 90 * DAY - margin)], "compliant");
    }

    #[test]
    fn what_is_not_set_longer_or_stopped_is_found() {
        check(None, &[], "exceeds the limit without end: no limit is in force");
        check(Some(120 * DAY), &[], "exceeds the limit by 29 d 21 h 1 min: configured 119 d 20 h");
        check(
            Some(90 * DAY),
            &[partition(DAY, 120 * DAY)],
            "exceeds the limit by 30 d 1 h 1 min: configured 120 d",
        );
        let keyless = Partition { id: "access/x".into(), from: now(), destroy_at: None };
        check(Some(90 * DAY), &[keyless], "exceeds the limit without end: partition access/x has no moment");
        check(
            Some(90 * DAY),
            &[partition(90 * DAY - Duration::from_secs(7200), 90 * DAY - Duration::from_secs(14_400))],
            "exceeds the limit without end: the sweep stands still: partition access/x was due 2 h ago",
        );
    }

    proptest::proptest! {
        /// What the archive is told to do for a limit keeps it.
        #[test]
        fn every_limit_from_three_hours_on_is_kept(seconds in 3 * 3600..100 * 365 * 86_400u64) {
            let limit = Duration::from_secs(seconds);
            let wanted = wants(limit).unwrap();
            proptest::prop_assert!(wanted.effective.worst_case().unwrap() <= limit);
            let is = Ok(reading(Some(limit), &[], now()));
            proptest::prop_assert_eq!(judge(limit, &is, now()), Verdict::Compliant);
        }
    }
}

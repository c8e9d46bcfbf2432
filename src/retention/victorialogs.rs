/*!
VictoriaLogs: the flag `-retentionPeriod`, by partitions of a day.

Nothing is set over HTTP: a flag is its operator's. What is in force is read
from `/flags`. A limit by disk space deletes sooner, never later.
*/

use std::time::Duration;

use super::ask::{Ask, days};
use super::bound::{Effective, Grain, Lag, TooShort, What, value_for};
use super::driver::{Can, Deleted, Doing, Driver, Reading, Unknown, Wanted};
use super::store::Target;
use super::verdict::Oldest;
use crate::clock::Timestamp;
use crate::store::{self, Request};

/// Which records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where it is.
    pub endpoint: store::Settings,
    /// The value of the field `class` that selects a target's records; may hold `{class}`.
    pub class: String,
}

/// Records of VictoriaLogs.
#[derive(Debug)]
pub struct VictoriaLogs {
    ask: Ask,
}

const PERIOD: &str = "-retentionPeriod";
const DAY: Duration = Duration::from_secs(86_400);

impl Settings {
    /// What can be done.
    pub fn can() -> Can {
        let set = Err("VictoriaLogs takes its retention from a flag: start it with what the plan says");
        let by_time =
            Err("VictoriaLogs deletes by its own tasks and only with -delete.enable; set -retentionPeriod");
        Can { set, delete_before: by_time, own_deletion: false }
    }

    /// What a limit needs.
    pub fn wants(limit: Duration) -> Result<Wanted, TooShort> {
        let value = value_for(limit, &lags(), Grain::Steps { step: DAY, least: DAY })?;
        Ok(Wanted { value, effective: Effective::new(value, lags()), settings: vec![days(PERIOD, value)] })
    }
}

fn lags() -> Vec<Lag> {
    vec![
        Lag::new(What::Rounding, DAY, "a day's partition is deleted whole"),
        Lag::new(What::Sweep, Duration::from_secs(3_600), "partitions are looked at once an hour"),
    ]
}

impl VictoriaLogs {
    /// Asks nobody yet.
    pub fn new(settings: &Settings) -> VictoriaLogs {
        VictoriaLogs { ask: Ask::new(&settings.endpoint) }
    }

    async fn read_now(&self, target: &Target) -> Result<Reading, Unknown> {
        let (status, flags, store_now) = self.ask.text(Request::get("/flags")).await?;
        if status == 404 {
            return Err(Unknown::new("it does not show its flags at /flags"));
        }
        let period = period(&flags)?;
        let oldest = self.oldest(target).await?;
        let effective = Effective::new(period, lags());
        let notes = vec!["snapshots and replicas are not seen".to_owned()];
        Ok(Reading {
            effective,
            oldest,
            store_now,
            settings: vec![days(PERIOD, period)],
            stalled: None,
            notes,
        })
    }

    async fn oldest(&self, target: &Target) -> Result<Oldest, Unknown> {
        let query = format!("class:=\"{}\" | stats min(_time) as oldest", target.name);
        let mut path = String::from("/select/logsql/query?query=");
        store::push_percent(query.as_bytes(), &mut path);
        let told = self.ask.ask(Request::get(path)).await?;
        match told.json["oldest"].as_str() {
            Some("") => Ok(Oldest::Nothing),
            Some(at) => {
                at.parse().map(Oldest::At).map_err(|_| Unknown::new("its oldest record has no moment"))
            }
            None if told.json.is_null() && told.is_there() => Ok(Oldest::Nothing),
            None => Err(Unknown::new("it does not answer a query for its oldest record")),
        }
    }
}

impl Driver for VictoriaLogs {
    fn read<'a>(&'a self, target: &'a Target, _now: Timestamp) -> Doing<'a, Reading> {
        Box::pin(self.read_now(target))
    }

    fn set<'a>(
        &'a self,
        _target: &'a Target,
        _wanted: &'a Wanted,
        _now: Timestamp,
    ) -> Doing<'a, Vec<String>> {
        Box::pin(async { Settings::can().set.map_err(Unknown::new).map(|()| Vec::new()) })
    }

    fn delete_before<'a>(
        &'a self,
        _target: &'a Target,
        _before: Timestamp,
        _now: Timestamp,
    ) -> Doing<'a, Deleted> {
        Box::pin(async { Settings::can().delete_before.map_err(Unknown::new).map(|()| Deleted::default()) })
    }
}

/// The period that the flags say; 7 days where they do not. A bare number is months, of 31 days.
fn period(flags: &str) -> Result<Duration, Unknown> {
    let value = flags.lines().find_map(|line| line.trim().strip_prefix("-retentionPeriod="));
    let Some(text) = value.map(|value| value.trim_matches('"')) else {
        return if flags.contains('=') { Ok(7 * DAY) } else { Err(Unknown::new("its flags cannot be read")) };
    };
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let count: u32 =
        text[..digits].parse().map_err(|_| Unknown::new("its -retentionPeriod cannot be read"))?;
    let unit = match &text[digits..] {
        "" => 31 * DAY,
        "h" => DAY / 24,
        "d" => DAY,
        "w" => 7 * DAY,
        "y" => 366 * DAY,
        _ => return Err(Unknown::new("its -retentionPeriod cannot be read")),
    };
    Ok(unit * count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_is_read_with_its_units() {
        for (flags, expected) in [
            ("-retentionPeriod=\"90d\"\n-x=\"1\"\n", 90),
            ("-retentionPeriod=3\n", 93),
            ("-retentionPeriod=1y\n", 366),
            ("-httpListenAddr=\":9428\"\n", 7),
        ] {
            assert_eq!(period(flags), Ok(expected * DAY), "{flags}");
        }
        for flags in ["", "<html>", "-retentionPeriod=soon\n"] {
            assert!(period(flags).is_err(), "{flags}");
        }
    }
}

/*!
VictoriaLogs: the flag `-retentionPeriod`, by partitions of a day.

Nothing is set over HTTP: a flag is its operator's. What is in force is read
from `/flags`. A limit by disk space deletes sooner, never later.
*/

use std::time::Duration;

use super::ask::{Ask, Follow, days, is_plain};
use super::bound::{Effective, Grain, Lag, TooShort, What};
use super::by_time;
use super::driver::{Can, Doing, Driver, Gone, Page, Reading, Stored, Unknown, Wanted};
use super::span::{DAY, HOUR};
use super::store::Target;
use super::verdict::Oldest;
use crate::clock::Timestamp;
use crate::limit::{STORE_MARKS_MAX, STORE_PAGE_BYTES_MAX, STORE_PAGE_RECORDS};
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

impl Settings {
    /// What can be done.
    pub fn can() -> Can {
        let set = Err("VictoriaLogs takes its retention from a flag: start it with what the plan says");
        Can { set, own_deletion: false, find: Ok(()), erase: Ok(()) }
    }

    /// What a limit needs.
    pub fn wants(limit: Duration) -> Result<Wanted, TooShort> {
        Wanted::within(limit, lags(), Grain::WHOLE_DAYS, |value| vec![days(PERIOD, value)])
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

    async fn page_now(&self, target: &Target, from: Option<&str>) -> Result<Page, Unknown> {
        let query = format!("class:=\"{}\" | sort by (_time) limit {STORE_PAGE_RECORDS}", target.name);
        let mut path = String::from("/select/logsql/query?query=");
        store::push_percent(query.as_bytes(), &mut path);
        if let Some(from) = from {
            path += "&start=";
            store::push_percent(from.as_bytes(), &mut path);
        }
        let (status, text, _) = self.ask.text_up_to(Request::get(path), STORE_PAGE_BYTES_MAX).await?;
        if status == 404 {
            return Err(Unknown::new("it does not answer a query for its records"));
        }
        let records: Result<Vec<Stored>, Unknown> = text.lines().map(stored).collect();
        let (records, next) = by_time::cut(records?, STORE_PAGE_RECORDS)?;
        Ok(Page { records, next: next.map(|at| at.to_string()), total: None })
    }

    /// By the field `id`, in tasks that are followed.
    async fn erase_now(&self, target: &Target, marks: &[String]) -> Result<Gone, Unknown> {
        if !marks.iter().all(|id| is_plain(id)) {
            return Err(Unknown::new("its records have no field id by which they could be told"));
        }
        let mut gone = Gone::default();
        for ids in marks.chunks(STORE_MARKS_MAX) {
            let mut path = String::from("/delete/run_task?filter=");
            let filter = format!("class:=\"{}\" AND id:in(\"{}\")", target.name, ids.join("\",\""));
            store::push_percent(filter.as_bytes(), &mut path);
            let told =
                self.ask.ask(Request::post(path, "text/plain", "")).await.map_err(|Unknown(why)| {
                    Unknown(match why.as_str() {
                        "it answered 400" => "it answered 400: start it with -delete.enable".to_owned(),
                        _ => why,
                    })
                })?;
            let task = told.json["task_id"].as_str().filter(|_| told.is_there());
            let task = task.ok_or_else(|| Unknown::new("it took no delete task"))?;
            let mut follow = Follow::new("its delete task");
            while self.is_active(task).await? {
                follow.wait().await?;
            }
            gone.records += ids.len() as u64;
        }
        gone.told.push("its delete tasks ended; snapshots are not touched".to_owned());
        Ok(gone)
    }

    async fn is_active(&self, task: &str) -> Result<bool, Unknown> {
        let told = self.ask.ask(Request::get("/delete/active_tasks")).await?;
        let active = told.json.as_array().or(told.json["tasks"].as_array());
        let active = active.ok_or_else(|| Unknown::new("it does not list its delete tasks"))?;
        Ok(active.iter().any(|active| active["task_id"] == *task))
    }
}

fn stored(line: &str) -> Result<Stored, Unknown> {
    let object: serde_json::Value =
        serde_json::from_str(line).map_err(|_| Unknown::new("it gives out records that are no JSON"))?;
    let mark = object["id"].as_str().unwrap_or_default().to_owned();
    let received = object["_time"].as_str().and_then(|at| at.parse().ok());
    Ok(Stored { mark, text: line.as_bytes().to_vec(), received })
}

impl Driver for VictoriaLogs {
    fn read<'a>(&'a self, target: &'a Target, _now: Timestamp) -> Doing<'a, Reading> {
        Box::pin(self.read_now(target))
    }

    fn page<'a>(&'a self, target: &'a Target, from: Option<&'a str>, _now: Timestamp) -> Doing<'a, Page> {
        Box::pin(self.page_now(target, from))
    }

    fn erase<'a>(&'a self, target: &'a Target, marks: &'a [String], _now: Timestamp) -> Doing<'a, Gone> {
        Box::pin(self.erase_now(target, marks))
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
        "h" => HOUR,
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

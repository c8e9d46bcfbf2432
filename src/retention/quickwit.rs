/*!
Quickwit: an index's retention policy, carried out by the janitor, a whole split
at a time.
*/

use std::time::Duration;

use serde_json::{Value, json};

use super::ask::{Ask, Follow, days, is_plain, span};
use super::bound::{Effective, Grain, Lag, TooShort, What};
use super::documents;
use super::driver::{Can, Doing, Driver, Gone, Page, Reading, Setting, Unknown, Wanted};
use super::span::{DAY, HOUR, Span};
use super::store::Target;
use super::verdict::Oldest;
use crate::clock::Timestamp;
use crate::limit::STORE_MARKS_MAX;
use crate::store::{self, Request};

/// Which index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where it is.
    pub endpoint: store::Settings,
    /// The index; may hold `{class}`.
    pub index: String,
}

/// An index of Quickwit.
#[derive(Debug)]
pub struct Quickwit {
    ask: Ask,
}

const PERIOD: &str = "retention.period";
const MERGES: &str = "indexing_settings.merge_policy";
/// The merges that are set: so many of a split, each within so many hours of the one before.
const OPS_SET: u32 = 4;
const MATURATION_SET_HOURS: u32 = 12;

impl Settings {
    /// What can be done.
    pub fn can() -> Can {
        Can { set: Ok(()), own_deletion: false, find: Ok(()), erase: Ok(()) }
    }

    /// What a limit needs.
    pub fn wants(limit: Duration) -> Result<Wanted, TooShort> {
        let merges = Merges { ops: OPS_SET, maturation: HOUR * MATURATION_SET_HOURS };
        let settings = |value| vec![days(PERIOD, value), Setting::new(MERGES, merges.words())];
        Wanted::within(limit, lags(merges.span(), HOUR), Grain::WHOLE_DAYS, settings)
    }
}

/// How often a split is merged at most, and how long after the merge before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Merges {
    ops: u32,
    maturation: Duration,
}

impl Merges {
    /// Those of an index. Where the number of merges has no bound there is none: `stable_log`, which is Quickwit's own,
    /// merges a small split again and again, and each time it is as young as its newest record.
    fn of(policy: &Value) -> Option<Merges> {
        match policy["type"].as_str()? {
            "no_merge" => Some(Merges { ops: 0, maturation: Duration::ZERO }),
            "limit_merge" => Some(Merges {
                ops: u32::try_from(policy["max_merge_ops"].as_u64()?).ok()?,
                maturation: span(policy["maturation_period"].as_str()?)?,
            }),
            _ => None,
        }
    }

    /// How much older a split's first record can be than its last.
    fn span(self) -> Duration {
        self.maturation.saturating_mul(self.ops)
    }

    fn words(self) -> String {
        format!("limit_merge, {} merges within {} each", self.ops, Span(self.maturation))
    }
}

fn lags(split: Duration, schedule: Duration) -> Vec<Lag> {
    vec![
        Lag::new(
            What::RollOver,
            split,
            "a split leaves with its newest record, and is merged with newer ones",
        ),
        Lag::new(What::Sweep, schedule, "retention.schedule of the janitor"),
        Lag::new(What::Grace, HOUR, "what is marked is deleted by the next garbage collection"),
    ]
}

impl Quickwit {
    /// Asks nobody yet.
    pub fn new(settings: &Settings) -> Quickwit {
        Quickwit { ask: Ask::new(&settings.endpoint) }
    }

    async fn index(&self, name: &str) -> Result<(Value, Option<Timestamp>), Unknown> {
        let told = self.ask.ask(Request::get(format!("/api/v1/indexes/{name}"))).await?;
        if !told.is_there() || !told.json["index_config"].is_object() {
            return Err(Unknown(format!("there is no index {name}")));
        }
        Ok((told.json["index_config"].clone(), told.now))
    }

    async fn read_now(&self, target: &Target) -> Result<Reading, Unknown> {
        let (config, store_now) = self.index(&target.name).await?;
        let described =
            self.ask.ask(Request::get(format!("/api/v1/indexes/{}/describe", target.name))).await?;
        let merges = Merges::of(&config["indexing_settings"]["merge_policy"]);
        let effective = of_config(&config["retention"], merges);
        let mut settings = Vec::new();
        settings.extend(config["retention"]["period"].as_str().and_then(span).map(|kept| days(PERIOD, kept)));
        settings.extend(merges.map(|merges| Setting::new(MERGES, merges.words())));
        let notes = vec!["copies that the object store keeps are not seen".to_owned()];
        Ok(Reading { effective, oldest: oldest(&described.json)?, store_now, settings, stalled: None, notes })
    }

    /// By the field `id`, which a tokenizer `raw` must leave as it is. Each split is written anew when its turn comes.
    async fn erase_now(&self, target: &Target, marks: &[String]) -> Result<Gone, Unknown> {
        let mut gone = Gone::default();
        for marks in marks.chunks(STORE_MARKS_MAX) {
            let ids: Option<Vec<&str>> =
                marks.iter().map(|mark| mark.split_once('/').map(|(_, id)| id)).collect();
            let ids = ids.filter(|ids| ids.iter().all(|id| is_plain(id)));
            let ids =
                ids.ok_or_else(|| Unknown::new("its records have no field id by which they could be told"))?;
            let query = format!("id:IN [{}]", ids.join(" "));
            let path = format!("/api/v1/{}/delete-tasks", target.name);
            let body = json!({ "query": query }).to_string();
            let told = self.ask.ask(Request::post(path, "application/json", body)).await?;
            let task = told.json["opstamp"].as_u64().filter(|_| told.is_there());
            let task = task.ok_or_else(|| Unknown::new("it took no delete task"))?;
            let mut follow = Follow::new("its delete task");
            while !self.applied(&target.name, task).await? {
                follow.wait().await?;
            }
            gone.records += ids.len() as u64;
        }
        gone.told.push("its delete tasks were carried out in every split".to_owned());
        Ok(gone)
    }

    /// Whether every split has had the tasks up to this one.
    async fn applied(&self, index: &str, task: u64) -> Result<bool, Unknown> {
        let path = format!("/api/v1/indexes/{index}/splits?split_states=Published");
        let told = self.ask.ask(Request::get(path)).await?;
        let splits = told.json["splits"].as_array().or(told.json.as_array());
        let splits = splits.ok_or_else(|| Unknown::new("it does not list its splits"))?;
        Ok(splits.iter().all(|split| split["delete_opstamp"].as_u64() >= Some(task)))
    }
}

impl Driver for Quickwit {
    fn read<'a>(&'a self, target: &'a Target, _now: Timestamp) -> Doing<'a, Reading> {
        Box::pin(self.read_now(target))
    }

    fn set<'a>(&'a self, target: &'a Target, wanted: &'a Wanted, _now: Timestamp) -> Doing<'a, Vec<String>> {
        Box::pin(async move {
            let (mut config, _) = self.index(&target.name).await?;
            let period = format!("{} days", wanted.value.as_secs() / 86_400);
            config["retention"] = json!({ "period": period, "schedule": "hourly" });
            if !config["indexing_settings"].is_object() {
                config["indexing_settings"] = json!({});
            }
            config["indexing_settings"]["merge_policy"] = json!({
                "type": "limit_merge",
                "max_merge_ops": OPS_SET,
                "maturation_period": format!("{MATURATION_SET_HOURS} hours"),
            });
            let path = format!("/api/v1/indexes/{}", target.name);
            let told = self.ask.ask(Request::put(path, "application/json", config.to_string())).await?;
            if !told.is_there() {
                return Err(Unknown::new("it cannot change an index; make it anew with what the plan says"));
            }
            Ok(vec![format!("it answered {}", told.status)])
        })
    }

    fn page<'a>(&'a self, target: &'a Target, from: Option<&'a str>, _now: Timestamp) -> Doing<'a, Page> {
        Box::pin(documents::page(&self.ask, "/api/v1/_elastic", &target.name, from))
    }

    fn erase<'a>(&'a self, target: &'a Target, marks: &'a [String], _now: Timestamp) -> Doing<'a, Gone> {
        Box::pin(self.erase_now(target, marks))
    }
}

fn of_config(retention: &Value, merges: Option<Merges>) -> Effective {
    let Some(period) = retention["period"].as_str().and_then(span) else {
        return Effective::forever("the index has no retention: records are kept for good");
    };
    let schedule = match retention["schedule"].as_str().unwrap_or("hourly").trim_start_matches('@') {
        "hourly" => HOUR,
        "daily" => DAY,
        "weekly" => 7 * DAY,
        "monthly" => 31 * DAY,
        "yearly" => 366 * DAY,
        _ => return Effective::forever("its retention.schedule is one that cannot be judged"),
    };
    match merges {
        Some(merges) => Effective::new(period, lags(merges.span(), schedule)),
        None => Effective::forever(
            "a split leaves with its newest record, and its merge_policy merges it with newer ones without a bound",
        ),
    }
}

fn oldest(described: &Value) -> Result<Oldest, Unknown> {
    match (described["num_published_docs"].as_u64(), described["min_timestamp"].as_i64()) {
        (Some(0), _) => Ok(Oldest::Nothing),
        (Some(_), Some(at)) => Timestamp::from_second(at)
            .map(Oldest::At)
            .map_err(|_| Unknown::new("its oldest record has no moment")),
        _ => Err(Unknown::new("it does not say how old its oldest record is")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_split_is_as_long_as_its_merges_may_follow_one_another() {
        let kept = json!({ "period": "90 days", "schedule": "hourly" });
        let worst = |policy: Value| of_config(&kept, Merges::of(&policy)).worst_case();
        let none = Some(90 * DAY + 2 * HOUR);
        assert_eq!(worst(json!({ "type": "no_merge" })), none);
        let limited = |ops: u64, period: &str| {
            worst(json!({ "type": "limit_merge", "max_merge_ops": ops, "maturation_period": period }))
        };
        assert_eq!(limited(4, "2days"), none.map(|none| none + 8 * DAY));
        for unbounded in [
            json!(null),
            json!({ "type": "stable_log", "maturation_period": "2days" }),
            json!({ "type": "limit_merge", "maturation_period": "2days" }),
            json!({ "type": "limit_merge", "max_merge_ops": 4, "maturation_period": "soon" }),
        ] {
            assert_eq!(worst(unbounded.clone()), None, "{unbounded}");
        }
    }

    #[test]
    fn a_split_leaves_with_its_newest_record() {
        let merges =
            Merges::of(&json!({ "type": "limit_merge", "max_merge_ops": 4, "maturation_period": "12h" }));
        let daily = of_config(&json!({ "period": "90 days", "schedule": "daily" }), merges);
        assert_eq!(daily.worst_case(), Some(93 * DAY + HOUR));
        for other in [
            json!(null),
            json!({ "period": "soon" }),
            json!({ "period": "90 days", "schedule": "0 0 * * *" }),
        ] {
            assert_eq!(of_config(&other, merges).worst_case(), None, "{other}");
        }
        assert!(oldest(&json!({ "num_published_docs": 3, "min_timestamp": null })).is_err());
    }
}

/*!
Datadog: an index's `num_retention_days`, and its flex tier's.

A change replaces the whole configuration, so what is there is sent back with
the one number changed. Which numbers are allowed is the contract's; Datadog
refuses others. Archives are another product, and are not seen.
*/

use std::time::Duration;

use serde_json::{Value, json};

use super::ask::{Ask, days};
use super::bound::{Effective, Grain, Lag, TooShort, What};
use super::driver::{Can, Doing, Driver, Page, Reading, Stored, Unknown, Wanted};
use super::span::DAY;
use super::store::Target;
use super::verdict::Oldest;
use crate::clock::Timestamp;
use crate::limit::{STORE_PAGE_BYTES_MAX, STORE_PAGE_RECORDS};
use crate::store::{self, Request};

/// Which index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `https://api.SITE`.
    pub endpoint: store::Settings,
    /// The index; may hold `{class}`.
    pub index: String,
    /// The application key, the second of two that it wants.
    pub application: store::Auth,
}

/// An index of Datadog.
#[derive(Debug)]
pub struct Datadog {
    settings: Settings,
    ask: Ask,
}

const RETENTION: &str = "num_retention_days";
const FLEX: &str = "num_flex_logs_retention_days";
/// The tiers that are searched, each by itself: a search sees one alone.
const STANDARD_TIER: &str = "indexes";
const FLEX_TIER: &str = "flex";
/// 2018, before Datadog took its first log, in milliseconds: a search reaches back to here.
const BEGINNING: &str = "1514764800000";

impl Settings {
    /// What can be done.
    pub fn can() -> Can {
        let erase = Err("Datadog deletes no single records");
        Can { set: Ok(()), own_deletion: false, find: Ok(()), erase }
    }

    /// What a limit needs.
    pub fn wants(limit: Duration) -> Result<Wanted, TooShort> {
        let grain = Grain::Days(&[1, 3, 7, 15, 30, 45, 60, 90, 180, 360]);
        Wanted::within(limit, lags(), grain, |value| vec![days(RETENTION, value)])
    }
}

fn lags() -> Vec<Lag> {
    vec![Lag::new(What::Rounding, DAY, "only whole days are told apart")]
}

impl Datadog {
    /// Asks nobody yet.
    pub fn new(settings: Settings) -> Datadog {
        Datadog { ask: Ask::new(&settings.endpoint), settings }
    }

    fn with_key(&self, request: Request) -> Request {
        match self.settings.application.line() {
            Some((name, value)) => request.header(name.clone(), value.clone()),
            None => request,
        }
    }

    async fn index(&self, name: &str) -> Result<(Value, Option<Timestamp>), Unknown> {
        let request = Request::get(format!("/api/v1/logs/config/indexes/{name}"));
        let told = self.ask.ask(self.with_key(request)).await?;
        if !told.is_there() || told.json["name"] != *name {
            return Err(Unknown(format!("there is no index {name}")));
        }
        Ok((told.json, told.now))
    }

    /// Events of a tier, oldest first, and behind which cursor there are more.
    async fn search(
        &self,
        name: &str,
        tier: &str,
        cursor: Option<&str>,
        most: usize,
    ) -> Result<(Vec<Value>, Option<String>), Unknown> {
        let mut body = json!({
            "filter": { "indexes": [name], "query": "*", "from": BEGINNING, "to": "now", "storage_tier": tier },
            "sort": "timestamp", "page": { "limit": most } });
        if let Some(cursor) = cursor {
            body["page"]["cursor"] = json!(cursor);
        }
        let request = Request::post("/api/v2/logs/events/search", "application/json", body.to_string());
        let mut told = self.ask.ask_up_to(self.with_key(request), STORE_PAGE_BYTES_MAX).await?;
        found(&mut told.json)
    }

    async fn oldest(&self, name: &str, index: &Value) -> Result<Oldest, Unknown> {
        let mut oldest = None;
        for tier in [STANDARD_TIER, FLEX_TIER].into_iter().take(if has_flex(index) { 2 } else { 1 }) {
            let (found, _) = self.search(name, tier, None, 1).await?;
            if let Some(event) = found.first() {
                let at = moment(event).ok_or_else(|| Unknown::new("its oldest record has no moment"))?;
                oldest = Some(oldest.map_or(at, |oldest: Timestamp| oldest.min(at)));
            }
        }
        Ok(oldest.into())
    }

    /// Where a page ends is `TIER CURSOR`; without a cursor it is where the tier begins.
    async fn page_now(&self, target: &Target, from: Option<&str>) -> Result<Page, Unknown> {
        let (tier, cursor) = from.unwrap_or(STANDARD_TIER).split_once(' ').unzip();
        let tier = tier.or(from).unwrap_or(STANDARD_TIER);
        let (found, after) = self.search(&target.name, tier, cursor, STORE_PAGE_RECORDS).await?;
        let stored = |event: &Value| Stored {
            mark: event["id"].as_str().unwrap_or_default().to_owned(),
            text: event["attributes"].to_string().into_bytes(),
            received: moment(event),
        };
        let next = match after {
            Some(after) => Some(format!("{tier} {after}")),
            None if tier == STANDARD_TIER && has_flex(&self.index(&target.name).await?.0) => {
                Some(FLEX_TIER.to_owned())
            }
            None => None,
        };
        Ok(Page { records: found.iter().map(stored).collect(), next, total: None })
    }

    async fn read_now(&self, target: &Target) -> Result<Reading, Unknown> {
        let (index, store_now) = self.index(&target.name).await?;
        let effective = of_index(&index);
        let settings = effective.kept.span().map(|kept| days(RETENTION, kept)).into_iter().collect();
        let notes = vec!["archives and what is rehydrated from them are not seen".to_owned()];
        let oldest = self.oldest(&target.name, &index).await?;
        Ok(Reading { effective, oldest, store_now, settings, stalled: None, notes })
    }
}

impl Driver for Datadog {
    fn read<'a>(&'a self, target: &'a Target, _now: Timestamp) -> Doing<'a, Reading> {
        Box::pin(self.read_now(target))
    }

    fn set<'a>(&'a self, target: &'a Target, wanted: &'a Wanted, _now: Timestamp) -> Doing<'a, Vec<String>> {
        Box::pin(async move {
            let (mut index, _) = self.index(&target.name).await?;
            let value = wanted.value.as_secs() / 86_400;
            index[RETENTION] = json!(value);
            if let Some(index) = index.as_object_mut() {
                // Not part of what it takes.
                index.remove("name");
                index.remove("is_rate_limited");
                if index.get(FLEX).is_some_and(|flex| flex.as_u64() > Some(0)) {
                    index.insert(FLEX.to_owned(), json!(value));
                }
            }
            let path = format!("/api/v1/logs/config/indexes/{}", target.name);
            let request = Request::put(path, "application/json", index.to_string());
            let told = self.ask.ask(self.with_key(request)).await?;
            Ok(vec![format!("it answered {}", told.status)])
        })
    }

    fn page<'a>(&'a self, target: &'a Target, from: Option<&'a str>, _now: Timestamp) -> Doing<'a, Page> {
        Box::pin(self.page_now(target, from))
    }
}

/// The events of an answer that is whole, and behind which cursor there are more.
fn found(answer: &mut Value) -> Result<(Vec<Value>, Option<String>), Unknown> {
    let meta = &answer["meta"];
    let warned = meta["warnings"].as_array().is_some_and(|warnings| !warnings.is_empty());
    let whole = meta["status"] != "timeout" && !warned;
    let after = meta["page"]["after"].as_str().map(str::to_owned);
    match answer.get_mut("data").map(Value::take) {
        Some(Value::Array(events)) if whole => Ok((events, after)),
        _ => Err(Unknown::new("its search was not whole")),
    }
}

fn moment(event: &Value) -> Option<Timestamp> {
    event["attributes"]["timestamp"].as_str()?.parse().ok()
}

/// Whether records go on into the flex tier.
fn has_flex(index: &Value) -> bool {
    index[FLEX].as_u64() > Some(0)
}

/// The longer of the two tiers.
fn of_index(index: &Value) -> Effective {
    match index[RETENTION].as_u64() {
        None => Effective::forever("it does not say how many days it keeps"),
        Some(kept) => {
            let kept = kept.max(index[FLEX].as_u64().unwrap_or(0));
            Effective::new(DAY * u32::try_from(kept).unwrap_or(u32::MAX), lags())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_that_is_not_whole_tells_nothing() {
        let whole = json!({ "data": [], "meta": { "status": "done", "page": { "after": "x" } } });
        assert_eq!(found(&mut whole.clone()), Ok((Vec::new(), Some("x".to_owned()))));
        assert_eq!(found(&mut json!({ "data": [] })), Ok((Vec::new(), None)));
        for mut other in [
            json!(null),
            json!([]),
            json!({ "errors": ["no"] }),
            json!({ "data": [], "meta": { "status": "timeout" } }),
            json!({ "data": [], "meta": { "status": "done", "warnings": [{ "code": "unknown_index" }] } }),
        ] {
            assert!(found(&mut other).is_err(), "{other}");
        }
    }

    #[test]
    fn the_flex_tier_counts() {
        assert_eq!(
            of_index(&json!({ "num_retention_days": 15, "num_flex_logs_retention_days": 180 })).worst_case(),
            Some(181 * DAY)
        );
        assert_eq!(of_index(&json!({ "num_retention_days": 60 })).worst_case(), Some(61 * DAY));
        assert_eq!(of_index(&json!({})).worst_case(), None);
        assert_eq!(Settings::wants(90 * DAY).unwrap().value, 60 * DAY);
    }
}

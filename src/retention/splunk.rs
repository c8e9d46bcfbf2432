/*!
Splunk: an index's `frozenTimePeriodInSecs`.

A bucket is frozen when its newest event is old enough, so the span of a hot
bucket (`maxHotSpanSecs`, 90 days where nobody set it) is part of the sum. What
is frozen is deleted only where no directory and no script takes it.
*/

use std::time::Duration;

use serde_json::Value;

use super::ask::{Ask, number, seconds};
use super::bound::{Effective, Grain, Lag, TooShort, What};
use super::driver::{Can, Doing, Driver, Reading, Unknown, Wanted};
use super::store::Target;
use super::verdict::Oldest;
use crate::clock::Timestamp;
use crate::store::{self, Request};

/// Which index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where the management interface is (port 8089).
    pub endpoint: store::Settings,
    /// The index; may hold `{class}`.
    pub index: String,
    /// The app whose configuration is changed. Default `search`.
    pub app: String,
}

/// An index of Splunk.
#[derive(Debug)]
pub struct Splunk {
    settings: Settings,
    ask: Ask,
}

const FROZEN: &str = "frozenTimePeriodInSecs";
const HOT: &str = "maxHotSpanSecs";
/// Splunk refuses less.
const HOT_SET: Duration = Duration::from_secs(3_600);
const SWEEP: Duration = Duration::from_secs(3_600);

impl Settings {
    /// What can be done.
    pub fn can() -> Can {
        let erase = Err("Splunk's `delete` only hides events, and its buckets are never written anew");
        let find = Err("Splunk gives out events by searches that it keeps; search there");
        Can { set: Ok(()), own_deletion: false, find, erase }
    }

    /// What a limit needs.
    pub fn wants(limit: Duration) -> Result<Wanted, TooShort> {
        let hot = Duration::from_secs((limit / 8).as_secs().clamp(HOT_SET.as_secs(), 86_400));
        let settings = |value| vec![seconds(FROZEN, value), seconds(HOT, hot)];
        Wanted::within(limit, lags(hot), Grain::SECONDS, settings)
    }
}

fn lags(hot: Duration) -> Vec<Lag> {
    vec![
        Lag::new(What::RollOver, hot, "maxHotSpanSecs: a bucket is frozen with its newest event"),
        Lag::new(What::Sweep, SWEEP, "buckets are looked at every few minutes"),
    ]
}

impl Splunk {
    /// Asks nobody yet.
    pub fn new(settings: Settings) -> Splunk {
        Splunk { ask: Ask::new(&settings.endpoint), settings }
    }

    async fn read_now(&self, target: &Target) -> Result<Reading, Unknown> {
        let path = format!("/services/data/indexes/{}?output_mode=json", target.name);
        let told = self.ask.ask(Request::get(path)).await?;
        let content = &told.json["entry"][0]["content"];
        if !told.is_there() || !content.is_object() {
            return Err(Unknown(format!("there is no index {}", target.name)));
        }
        let (frozen, hot) = (span(&content[FROZEN]), span(&content[HOT]));
        let mut settings = Vec::new();
        settings.extend(frozen.map(|frozen| seconds(FROZEN, frozen)));
        settings.extend(hot.map(|hot| seconds(HOT, hot)));
        Ok(Reading {
            effective: of_index(content),
            oldest: oldest(content)?,
            store_now: told.now,
            settings,
            stalled: None,
            notes: vec!["copies on other peers, and summaries made of events, are not seen".to_owned()],
        })
    }
}

impl Driver for Splunk {
    fn read<'a>(&'a self, target: &'a Target, _now: Timestamp) -> Doing<'a, Reading> {
        Box::pin(self.read_now(target))
    }

    fn set<'a>(&'a self, target: &'a Target, wanted: &'a Wanted, _now: Timestamp) -> Doing<'a, Vec<String>> {
        Box::pin(async move {
            let value = |name: &str| {
                let setting = wanted.settings.iter().find(|setting| setting.name == name);
                setting.map_or("", |setting| setting.value.trim_end_matches(" s")).to_owned()
            };
            let body = format!("{FROZEN}={}&{HOT}={}", value(FROZEN), value(HOT));
            let path = format!(
                "/servicesNS/nobody/{}/data/indexes/{}?output_mode=json",
                self.settings.app, target.name
            );
            let told = self.ask.ask(Request::post(path, "application/x-www-form-urlencoded", body)).await?;
            if !told.is_there() {
                return Err(Unknown(format!("there is no index {}", target.name)));
            }
            Ok(vec![format!("it answered {}", told.status)])
        })
    }
}

fn of_index(content: &Value) -> Effective {
    for key in ["coldToFrozenDir", "coldToFrozenScript"] {
        if content[key].as_str().is_some_and(|text| !text.is_empty()) {
            return Effective::forever(format!("{key} is set: what is frozen is kept there, not deleted"));
        }
    }
    match (span(&content[FROZEN]), span(&content[HOT])) {
        (Some(frozen), Some(hot)) if !frozen.is_zero() => Effective::new(frozen, lags(hot)),
        _ => {
            Effective::forever("it does not say after what time buckets are frozen, or how long they are hot")
        }
    }
}

fn oldest(content: &Value) -> Result<Oldest, Unknown> {
    if number(&content["totalEventCount"]) == Some(0) {
        return Ok(Oldest::Nothing);
    }
    // `2026-01-01T00:00:00+0000`.
    let text = content["minTime"]
        .as_str()
        .ok_or_else(|| Unknown::new("it does not say how old its oldest event is"))?;
    let text = match (text.get(..22), text.get(22..)) {
        (Some(start), Some(end)) if end.len() == 2 => format!("{start}:{end}"),
        _ => text.to_owned(),
    };
    text.parse().map(Oldest::At).map_err(|_| Unknown::new("its oldest event has no moment"))
}

fn span(value: &Value) -> Option<Duration> {
    number(value).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_hot_bucket_of_90_days_doubles_a_life() {
        let content = json!({ "frozenTimePeriodInSecs": "7776000", "maxHotSpanSecs": 7_776_000, "coldToFrozenDir": "" });
        assert_eq!(of_index(&content).worst_case(), Some(Duration::from_secs(2 * 7_776_000) + SWEEP));
        for (key, value) in [
            ("coldToFrozenDir", json!("/frozen")),
            ("coldToFrozenScript", json!("keep.py")),
            ("frozenTimePeriodInSecs", json!(null)),
            ("maxHotSpanSecs", json!(null)),
        ] {
            let mut other = content.clone();
            other[key] = value;
            assert_eq!(of_index(&other).worst_case(), None, "{key}");
        }
    }

    #[test]
    fn the_oldest_event_is_read() {
        let at = |time: &str| oldest(&json!({ "totalEventCount": 5, "minTime": time }));
        let expected = Oldest::At("2026-01-01T00:00:00Z".parse().unwrap());
        assert_eq!(at("2026-01-01T00:00:00+0000"), Ok(expected));
        assert_eq!(at("2026-01-01T01:00:00+01:00"), Ok(expected));
        assert!(at("long ago").is_err() && oldest(&json!({})).is_err());
        assert!(at("2026-01-01T00:00:00+0é0").is_err(), "as long, and split within a sign");
        assert_eq!(oldest(&json!({ "totalEventCount": "0" })), Ok(Oldest::Nothing));
    }
}

/*!
Loki: `limits_config.retention_period`, carried out by the compactor, and by
nobody if `compactor.retention_enabled` is not set.

Nothing is set over HTTP: a store's file is its operator's. What is in force is
read from `/config`, not from a file, and the oldest record is asked for.
*/

use std::time::Duration;

use serde_json::Value;

use super::ask::Ask;
use super::bound::{Effective, Grain, Kept, Lag, TooShort, What};
use super::by_time;
use super::driver::{Can, Doing, Driver, Page, Reading, Setting, Stored, Unknown, Wanted};
use super::span::{HOUR, Span};
use super::store::Target;
use super::verdict::Oldest;
use crate::clock::Timestamp;
use crate::keys::belief::{add, subtract};
use crate::limit::{STORE_PAGE_BYTES_MAX, STORE_PAGE_RECORDS};
use crate::store::{self, Request};
use crate::yaml;

/// Which streams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where it is.
    pub endpoint: store::Settings,
    /// The label and value that select a target's streams are `class="…"`; may hold `{class}`.
    pub class: String,
}

/// Streams of Loki.
#[derive(Debug)]
pub struct Loki {
    ask: Ask,
}

const PERIOD: &str = "limits_config.retention_period";
const ENABLED: &str = "compactor.retention_enabled";
/// How far back its oldest record is looked for, or a window beyond the limit if that is longer.
const REACH: Duration = Duration::from_secs(2 * 365 * 86_400);
/// November 2018, before Loki's first release: records are read from here on.
const BEGINNING: Timestamp = Timestamp::constant(1_541_030_400, 0);
/// How much of that at once: Loki's `max_query_length` is a little more.
const WINDOW: Duration = Duration::from_secs(30 * 86_400);

impl Settings {
    /// What can be done.
    pub fn can() -> Can {
        let set =
            Err("Loki takes its retention from its own file: set what the plan says there, and restart it");
        let erase = Err(
            "Loki tells one line from others by its text alone: a delete request would write that text into its log",
        );
        Can { set, own_deletion: false, find: Ok(()), erase }
    }

    /// What a limit needs.
    pub fn wants(limit: Duration) -> Result<Wanted, TooShort> {
        let lags = lags(Duration::from_secs(600), 2 * HOUR);
        Wanted::within(limit, lags, Grain::Steps { step: HOUR, least: 24 * HOUR }, |value| {
            let period = format!("{} h", value.as_secs() / 3_600);
            vec![Setting::new(ENABLED, "true"), Setting::new(PERIOD, period)]
        })
    }
}

fn lags(compaction: Duration, delay: Duration) -> Vec<Lag> {
    vec![
        Lag::new(What::RollOver, 2 * HOUR, "a chunk is deleted whole, and is written for up to two hours"),
        Lag::new(What::Rounding, 24 * HOUR, "the index is swept by its daily tables"),
        Lag::new(What::Sweep, compaction, "compactor.compaction_interval"),
        Lag::new(What::Grace, delay, "compactor.retention_delete_delay"),
    ]
}

impl Loki {
    /// Asks nobody yet.
    pub fn new(settings: &Settings) -> Loki {
        Loki { ask: Ask::new(&settings.endpoint) }
    }

    async fn read_now(&self, target: &Target, now: Timestamp) -> Result<Reading, Unknown> {
        let (status, text, store_now) = self.ask.text(Request::get("/config")).await?;
        if status == 404 {
            return Err(Unknown::new("it does not show its configuration at /config"));
        }
        let config = yaml::parse(&text).map_err(|_| Unknown::new("its configuration is no YAML"))?;
        let (effective, settings) = of_config(&|path| scalar(&config.value, path));
        Ok(Reading {
            effective,
            oldest: self.oldest(target, now).await?,
            store_now,
            settings,
            stalled: None,
            notes: vec![
                "versions and copies that the object store keeps are not seen".to_owned(),
                format!("records of more than {} are not looked for", Span(reach(target))),
            ],
        })
    }

    /// The records of a window of time, oldest first, up to a number.
    async fn window(
        &self,
        target: &Target,
        from: Timestamp,
        until: Timestamp,
        most: usize,
    ) -> Result<Vec<Stored>, Unknown> {
        let mut path = format!("/loki/api/v1/query_range?direction=forward&limit={most}&query=");
        store::push_percent(format!("{{class=\"{}\"}}", target.name).as_bytes(), &mut path);
        path += &format!("&start={}&end={}", from.as_nanosecond(), until.as_nanosecond());
        let told = self.ask.ask_up_to(Request::get(path), STORE_PAGE_BYTES_MAX).await?;
        if told.json["status"] != "success" {
            return Err(Unknown::new("it does not answer a query for its records"));
        }
        let mut records = of_result(&told.json["data"]["result"])?;
        records.sort_by_key(|stored| stored.received);
        Ok(records)
    }

    /// The oldest record as far back as it is looked for.
    async fn oldest(&self, target: &Target, now: Timestamp) -> Result<Oldest, Unknown> {
        let mut from = subtract(now, reach(target));
        while from < now {
            let until = add(from, WINDOW).min(now);
            if let Some(at) =
                self.window(target, from, until, 1).await?.iter().find_map(|stored| stored.received)
            {
                return Ok(Oldest::At(at));
            }
            from = until;
        }
        Ok(Oldest::Nothing)
    }

    async fn page_now(&self, target: &Target, from: Option<&str>, now: Timestamp) -> Result<Page, Unknown> {
        let from = from.and_then(|from| Timestamp::from_nanosecond(from.parse().ok()?).ok());
        let from = from.unwrap_or(BEGINNING);
        let until = add(from, WINDOW).min(now);
        let records = self.window(target, from, until, STORE_PAGE_RECORDS).await?;
        let (records, next) = by_time::cut(records, STORE_PAGE_RECORDS)?;
        let next = next.or((until < now).then_some(until));
        Ok(Page { records, next: next.map(|at| at.as_nanosecond().to_string()), total: None })
    }
}

impl Driver for Loki {
    fn read<'a>(&'a self, target: &'a Target, now: Timestamp) -> Doing<'a, Reading> {
        Box::pin(self.read_now(target, now))
    }

    fn page<'a>(&'a self, target: &'a Target, from: Option<&'a str>, now: Timestamp) -> Doing<'a, Page> {
        Box::pin(self.page_now(target, from, now))
    }
}

fn reach(target: &Target) -> Duration {
    REACH.max(target.limit().saturating_add(WINDOW))
}

/// The records of a query's answer.
fn of_result(result: &Value) -> Result<Vec<Stored>, Unknown> {
    let unclear = || Unknown::new("its records are not what a query gives");
    let mut records = Vec::new();
    for stream in result.as_array().ok_or_else(unclear)? {
        for value in stream["values"].as_array().ok_or_else(unclear)? {
            let at = value[0].as_str().and_then(|at| at.parse().ok());
            let received = at.and_then(|at| Timestamp::from_nanosecond(at).ok());
            received.ok_or_else(|| Unknown::new("it has a record without a moment"))?;
            let text = value[1].as_str().ok_or_else(unclear)?.as_bytes().to_vec();
            records.push(Stored { mark: String::new(), text, received });
        }
    }
    Ok(records)
}

/// What a configuration amounts to, and its settings. `at` gives the text at a path.
fn of_config(at: &dyn Fn(&[&str]) -> Option<String>) -> (Effective, Vec<Setting>) {
    let enabled = at(&["compactor", "retention_enabled"]).as_deref() == Some("true");
    let span = |path: &[&str]| at(path).and_then(|text| go(&text));
    let period = span(&["limits_config", "retention_period"]).filter(|period| !period.is_zero());
    let mut settings = vec![Setting::new(ENABLED, enabled.to_string())];
    settings.extend(period.map(|period| Setting::new(PERIOD, format!("{} h", period.as_secs() / 3_600))));
    let streams =
        at(&["limits_config", "retention_stream"]).is_some_and(|text| text != "[]" && text != "null");
    let effective = match (enabled, period) {
        (false, _) => Effective::forever("compactor.retention_enabled is not set: nothing is ever deleted"),
        (true, None) => {
            Effective::forever("limits_config.retention_period is not set: records are kept for good")
        }
        (true, Some(_)) if streams => Effective::forever(
            "limits_config.retention_stream sets other periods for some streams; this driver reads one period",
        ),
        (true, Some(period)) => {
            let compaction = span(&["compactor", "compaction_interval"]).unwrap_or(Duration::from_secs(600));
            let delay = span(&["compactor", "retention_delete_delay"]).unwrap_or(2 * HOUR);
            Effective { kept: Kept::For(period), lags: lags(compaction, delay) }
        }
    };
    (effective, settings)
}

/// The text of a scalar in a tree of YAML; of a list whether it is empty.
fn scalar(value: &yaml::Value, path: &[&str]) -> Option<String> {
    match (value, path) {
        (yaml::Value::Map(entries), [first, rest @ ..]) => {
            let (_, node) = entries.iter().find(|(key, _)| key.value == *first)?;
            scalar(&node.value, rest)
        }
        (yaml::Value::Text(text), []) => Some(text.clone()),
        (yaml::Value::Bool(value), []) => Some(value.to_string()),
        (yaml::Value::Number(number), []) => Some(number.to_string()),
        (yaml::Value::List(list), []) => Some(if list.is_empty() { "[]" } else { "[…]" }.to_owned()),
        _ => None,
    }
}

/// A span as Go writes it: `2h0m0s`, `90d`, `1w`.
fn go(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut sum = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let unit = rest[digits..].bytes().take_while(u8::is_ascii_alphabetic).count();
        let (part, behind) = rest.split_at(digits + unit);
        if digits == 0 {
            return None;
        }
        sum = sum.checked_add(match &part[digits..] {
            "" if part == "0" => Duration::ZERO,
            _ => super::ask::span(part)?,
        })?;
        rest = behind;
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ttl::Ttl;

    fn worst(text: &str) -> Option<Duration> {
        let config = yaml::parse(text).unwrap();
        of_config(&|path| scalar(&config.value, path)).0.worst_case()
    }

    #[test]
    fn what_is_not_set_is_kept_for_good() {
        let day = 24 * HOUR;
        let good = "compactor:\n  retention_enabled: true\n  retention_delete_delay: 2h0m0s\n  compaction_interval: 10m0s\nlimits_config:\n  retention_period: 12w\n";
        assert_eq!(worst(good), Some(84 * day + 28 * HOUR + Duration::from_secs(600)));
        for (from, to) in [
            ("retention_enabled: true", "retention_enabled: false"),
            ("  retention_enabled: true\n", ""),
            ("12w", "0s"),
            ("  retention_period: 12w\n", "  other: 1\n"),
            ("12w\n", "12w\n  retention_stream:\n  - selector: '{a=\"b\"}'\n    period: 24h\n"),
        ] {
            assert_eq!(worst(&good.replace(from, to)), None, "{to}");
        }
        assert!(worst(&good.replace("12w\n", "12w\n  retention_stream: []\n")).is_some());
    }

    #[test]
    fn an_answer_without_records_is_no_answer_of_none() {
        use serde_json::json;
        let given = of_result(&json!([{ "values": [["1763769600000000000", "line"]] }])).unwrap();
        assert_eq!((given.len(), given[0].text.as_slice()), (1, &b"line"[..]));
        assert_eq!(of_result(&json!([])).unwrap().len(), 0);
        for other in [
            json!(null),
            json!({}),
            json!([{}]),
            json!([{ "values": [["1"]] }]),
            json!([{ "values": [[1, "x"]] }]),
        ] {
            assert!(of_result(&other).is_err(), "{other}");
        }
    }

    #[test]
    fn it_is_looked_for_records_beyond_the_limit() {
        let of = |ttl| {
            reach(&Target { name: "app".into(), classes: vec![("app".into(), ttl)], others: Vec::new() })
        };
        assert_eq!(of(Ttl::days(90)), REACH);
        assert_eq!(of(Ttl::days(1_825)), 1_855 * 24 * HOUR);
    }

    #[test]
    fn spans_are_read_as_go_writes_them() {
        for (text, expected) in [("744h", 744 * 3_600), ("2h0m0s", 7_200), ("0", 0), ("1w2d", 9 * 86_400)] {
            assert_eq!(go(text), Some(Duration::from_secs(expected)), "{text}");
        }
        for text in ["h", "5", "-1h", "1y"] {
            assert_eq!(go(text), None, "{text}");
        }
    }
}

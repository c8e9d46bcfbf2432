/*!
Elasticsearch: a data stream's own lifecycle (DSL), or a policy of index
lifecycle management (ILM).

Both clocks start at the roll-over, not with the record, so the roll-over's age
is part of the sum; and retention is, in Elasticsearch's words, the minimum.
Where an ILM policy is on the backing indices and preferred, the data stream's
lifecycle is not what deletes, so each backing index is asked who manages it.
*/

use std::time::Duration;

use serde_json::{Value, json};

use super::ask::{Ask, days, span};
use super::bound::{Effective, Grain, Lag, TooShort, What};
use super::driver::{Can, Deleted, Doing, Driver, Gone, Page, Reading, Unknown, Wanted};
use super::own::NOTHING_TO_SET;
use super::span::{DAY, HOUR};
use super::store::Target;
use super::{documents, indices};
use crate::clock::Timestamp;
use crate::store::{self, Request};

/// Which data stream or indices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where it is.
    pub endpoint: store::Settings,
    /// The data stream, or the beginning of the indices' names; may hold `{class}`.
    pub index: String,
    /// The field with the moment of receive. Default `received`.
    pub time_field: String,
    /// Who deletes.
    pub lifecycle: Lifecycle,
}

/// Who deletes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifecycle {
    /// The data stream's own lifecycle.
    DataStream,
    /// A policy of index lifecycle management, named `logveil-INDEX`.
    Ilm,
    /// Logveil: indices named `INDEX-2026.11.22`, a day each.
    Own,
}

/// A data stream or indices.
#[derive(Debug)]
pub struct Elasticsearch {
    settings: Settings,
    ask: Ask,
}

const RETENTION: &str = "data_retention";
const MIN_AGE: &str = "phases.delete.min_age";
const ROLL: &str = "phases.hot.actions.rollover.max_age";
/// The poll of a lifecycle, 5 or 10 minutes, once a step.
const SWEEP: Duration = Duration::from_secs(3_600);

impl Settings {
    /// What can be done.
    pub fn can(&self) -> Can {
        let own_deletion = self.lifecycle == Lifecycle::Own;
        Can { set: Ok(()), own_deletion, find: Ok(()), erase: Ok(()) }
    }

    /// What a limit needs.
    pub fn wants(&self, limit: Duration) -> Result<Wanted, TooShort> {
        match self.lifecycle {
            Lifecycle::Own => indices::wants(limit),
            Lifecycle::Ilm => {
                let lags = lags(DAY, "rollover.max_age: min_age counts from the roll-over");
                let settings = |value| vec![days(MIN_AGE, value), days(ROLL, DAY)];
                Wanted::within(limit, lags, Grain::WHOLE_DAYS, settings)
            }
            Lifecycle::DataStream => {
                // The roll-over follows the retention, so the longest value is tried first that the limit has room for.
                let fits = |roll_over: Duration| {
                    let lags = lags(roll_over, AUTO);
                    let settings = |value| vec![days(RETENTION, value)];
                    let wanted = Wanted::within(limit, lags, Grain::WHOLE_DAYS, settings).ok()?;
                    (auto(wanted.value) <= roll_over).then_some(wanted)
                };
                let wanted = [HOUR, DAY, 7 * DAY, 30 * DAY].into_iter().filter_map(fits);
                let longest = wanted.max_by_key(|wanted| wanted.value);
                longest.ok_or(TooShort { limit, least: DAY + HOUR + SWEEP })
            }
        }
    }
}

const AUTO: &str = "cluster.lifecycle.default.rollover, max_age=auto: retention counts from the roll-over";

fn lags(roll_over: Duration, why: &str) -> Vec<Lag> {
    vec![
        Lag::new(What::RollOver, roll_over, why),
        Lag::new(What::Sweep, SWEEP, "the lifecycle is polled every few minutes, once a step"),
    ]
}

/// What `max_age=auto` means for a retention.
fn auto(retention: Duration) -> Duration {
    match retention.as_secs() / 86_400 {
        0 | 1 => HOUR,
        2..=14 => DAY,
        15..=90 => 7 * DAY,
        _ => 30 * DAY,
    }
}

impl Elasticsearch {
    /// Asks nobody yet.
    pub fn new(settings: Settings) -> Elasticsearch {
        Elasticsearch { ask: Ask::new(&settings.endpoint), settings }
    }

    async fn read_stream(&self, target: &Target) -> Result<Reading, Unknown> {
        let name = &target.name;
        let told = self.ask.ask(Request::get(format!("/_data_stream/{name}"))).await?;
        let stream = &told.json["data_streams"][0];
        if !told.is_there() || stream["name"] != **name {
            return Err(Unknown(format!("there is no data stream {name}")));
        }
        let lifecycle = self.ask.ask(Request::get(format!("/_data_stream/{name}/_lifecycle"))).await?;
        let cluster =
            self.ask.ask(Request::get("/_cluster/settings?include_defaults=true&flat_settings=true")).await?;
        let effective = match managed_elsewhere(stream) {
            Some(index) => {
                Effective::forever(format!("index {index} is not managed by the data stream's lifecycle"))
            }
            None => of_stream(&lifecycle.json["data_streams"][0]["lifecycle"], &cluster.json),
        };
        let found = backing(stream);
        let settings = effective.kept.span().map(|kept| days(RETENTION, kept)).into_iter().collect();
        let oldest = indices::oldest_of(&self.ask, name, &self.settings.time_field, found.is_empty()).await?;
        let notes = vec!["snapshots are not seen, and have a retention of their own".to_owned()];
        Ok(Reading { effective, oldest, store_now: told.now, settings, stalled: None, notes })
    }

    async fn read_ilm(&self, target: &Target) -> Result<Reading, Unknown> {
        let found = indices::list(&self.ask, target).await?;
        let status = self.ask.ask(Request::get("/_ilm/status")).await?;
        let policy = self.ask.ask(Request::get(format!("/_ilm/policy/{}", target.policy_id()))).await?;
        let explain = self
            .ask
            .ask(Request::get(format!("/{}*/_ilm/explain?expand_wildcards=all", target.name)))
            .await?;
        let phases = &policy.json[target.policy_id()]["policy"]["phases"];
        let unmanaged = found
            .iter()
            .find_map(|index| carried(&index.name, &explain.json["indices"][&index.name], target));
        let effective = match (status.json["operation_mode"].as_str(), unmanaged) {
            (Some("RUNNING"), None) if policy.is_there() => of_phases(phases),
            (Some("RUNNING"), None) => {
                Effective::forever(format!("there is no policy {}", target.policy_id()))
            }
            (Some("RUNNING"), Some(why)) => Effective::forever(why),
            _ => Effective::forever("index lifecycle management is not running (POST _ilm/start)"),
        };
        let age = |value: &Value| value.as_str().and_then(span);
        let mut settings = Vec::new();
        settings.extend(age(&phases["delete"]["min_age"]).map(|age| days(MIN_AGE, age)));
        settings.extend(age(&phases["hot"]["actions"]["rollover"]["max_age"]).map(|age| days(ROLL, age)));
        let oldest = indices::oldest(&self.ask, target, &self.settings.time_field, &found).await?;
        let notes = vec!["snapshots are not seen, and have a retention of their own".to_owned()];
        Ok(Reading { effective, oldest, store_now: status.now, settings, stalled: None, notes })
    }

    async fn set_now(&self, target: &Target, wanted: &Wanted) -> Result<Vec<String>, Unknown> {
        let name = &target.name;
        let value = format!("{}d", wanted.value.as_secs() / 86_400);
        let (path, body) = match self.settings.lifecycle {
            Lifecycle::Own => return Ok(vec![NOTHING_TO_SET.to_owned()]),
            Lifecycle::DataStream => {
                (format!("/_data_stream/{name}/_lifecycle"), json!({ "data_retention": value }))
            }
            Lifecycle::Ilm => (
                format!("/_ilm/policy/{}", target.policy_id()),
                json!({ "policy": { "phases": {
                    "hot": { "actions": { "rollover": { "max_age": "1d" } } },
                    "delete": { "min_age": value, "actions": { "delete": {} } },
                } } }),
            ),
        };
        let put = self.ask.ask(Request::put(path, "application/json", body.to_string())).await?;
        if !put.is_there() {
            return Err(Unknown(format!("there is no data stream {name}")));
        }
        let mut answers = vec![format!("it answered {}", put.status)];
        if self.settings.lifecycle == Lifecycle::Ilm {
            let body = json!({ "index": { "lifecycle": { "name": target.policy_id() } } });
            let pattern = target.pattern();
            let path = format!("/{pattern}/_settings?expand_wildcards=all&allow_no_indices=true");
            let put = self.ask.ask(Request::put(path, "application/json", body.to_string())).await?;
            answers.push(format!("indices: it answered {}", put.status));
        }
        Ok(answers)
    }
}

impl Driver for Elasticsearch {
    fn read<'a>(&'a self, target: &'a Target, now: Timestamp) -> Doing<'a, Reading> {
        Box::pin(async move {
            match self.settings.lifecycle {
                Lifecycle::DataStream => self.read_stream(target).await,
                Lifecycle::Ilm => self.read_ilm(target).await,
                Lifecycle::Own => indices::read(&self.ask, target, &self.settings.time_field, now).await,
            }
        })
    }

    fn set<'a>(&'a self, target: &'a Target, wanted: &'a Wanted, _now: Timestamp) -> Doing<'a, Vec<String>> {
        Box::pin(self.set_now(target, wanted))
    }

    fn delete_before<'a>(
        &'a self,
        target: &'a Target,
        before: Timestamp,
        _now: Timestamp,
        deleted: &'a mut Deleted,
    ) -> Doing<'a, ()> {
        Box::pin(indices::delete_before(&self.ask, target, before, deleted))
    }

    fn page<'a>(&'a self, target: &'a Target, from: Option<&'a str>, _now: Timestamp) -> Doing<'a, Page> {
        Box::pin(async move {
            let pattern = match self.settings.lifecycle {
                Lifecycle::DataStream => target.name.clone(),
                Lifecycle::Ilm | Lifecycle::Own => target.pattern(),
            };
            documents::fresh_page(&self.ask, &pattern, from).await
        })
    }

    fn erase<'a>(&'a self, _target: &'a Target, marks: &'a [String], _now: Timestamp) -> Doing<'a, Gone> {
        Box::pin(documents::erase(&self.ask, marks))
    }
}

fn backing(stream: &Value) -> &[Value] {
    stream["indices"].as_array().map_or(&[], Vec::as_slice)
}

/// A backing index that something else than the data stream's lifecycle manages.
fn managed_elsewhere(stream: &Value) -> Option<&str> {
    let other = |index: &&Value| index["managed_by"].as_str().is_some_and(|by| by != "Data stream lifecycle");
    backing(stream).iter().find(other)?["index_name"].as_str()
}

/// What a data stream's lifecycle amounts to, with the cluster's roll-over.
fn of_stream(lifecycle: &Value, cluster: &Value) -> Effective {
    if lifecycle.is_null() || lifecycle["enabled"] == Value::Bool(false) {
        return Effective::forever("the data stream has no lifecycle, or it is switched off");
    }
    let text = lifecycle["effective_retention"].as_str().or(lifecycle["data_retention"].as_str());
    let Some(kept) = text.and_then(span) else {
        return Effective::forever("the lifecycle has no data_retention: records are kept for good");
    };
    let key = "cluster.lifecycle.default.rollover";
    let set = ["persistent", "transient", "defaults"].iter().find_map(|part| cluster[*part][key].as_str());
    let conditions = set.unwrap_or("max_age=auto").split(',').filter_map(|one| one.trim().split_once('='));
    let conditions = conditions.map(|(condition, value)| {
        let of = if value == "auto" { Some(auto(kept)) } else { span(value) };
        (condition, of, value.parse().ok())
    });
    match roll_over(conditions) {
        Some(roll_over) => Effective::new(kept, lags(roll_over, AUTO)),
        None => Effective::forever(NO_ROLL_OVER),
    }
}

const NO_ROLL_OVER: &str =
    "it counts from a roll-over that no age brings about, or that other conditions put off";

/// The age by which an index is rolled over for certain; nothing if there is none. A condition is its name with its value
/// as a span and as a number. One `max_` is enough for a roll-over, and every `min_` has to be met.
fn roll_over<'a>(
    conditions: impl Iterator<Item = (&'a str, Option<Duration>, Option<u64>)>,
) -> Option<Duration> {
    let (mut most, mut least) = (None::<Duration>, Duration::ZERO);
    for (condition, span, number) in conditions {
        match condition {
            "max_age" => most = span,
            "min_age" => least = span?,
            // An index without a document holds no record that could wait.
            "min_docs" if number <= Some(1) && number.is_some() => {}
            _ if condition.starts_with("min_") => return None,
            _ => {}
        }
    }
    most.map(|most| most.max(least))
}

/// What the phases of a policy amount to.
fn of_phases(phases: &Value) -> Effective {
    let age = |value: &Value| value.as_str().and_then(span);
    let delete = &phases["delete"];
    if delete["actions"].get("delete").is_none() {
        return Effective::forever("its policy has no phase that deletes");
    }
    let Some(min_age) = age(&delete["min_age"]) else {
        return Effective::forever("its phase that deletes has no min_age that can be read");
    };
    if delete["actions"].get("wait_for_snapshot").is_some() {
        return Effective::forever("its phase that deletes waits for a snapshot, however long that takes");
    }
    let rollover = &phases["hot"]["actions"]["rollover"];
    if rollover.is_null() {
        return Effective::new(min_age, lags(Duration::ZERO, "no roll-over: min_age counts from creation"));
    }
    let conditions = rollover.as_object().into_iter().flatten();
    let conditions = conditions.map(|(condition, value)| (condition.as_str(), age(value), value.as_u64()));
    match roll_over(conditions) {
        Some(age) => {
            Effective::new(min_age, lags(age, "rollover.max_age: min_age counts from the roll-over"))
        }
        None => Effective::forever(NO_ROLL_OVER),
    }
}

/// Why an index is not deleted by our policy, if it is not.
fn carried(index: &str, told: &Value, target: &Target) -> Option<String> {
    if told["managed"] != Value::Bool(true) {
        return Some(format!("index {index} has no policy"));
    }
    if told["policy"] != target.policy_id() {
        return Some(format!("index {index} has another policy than {}", target.policy_id()));
    }
    let failed = told["step"] == "ERROR" || told.get("failed_step").is_some();
    failed.then(|| format!("the policy of index {index} has failed at a step and waits for a retry"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retention_counts_from_the_roll_over() {
        let cluster = json!({ "defaults": { "cluster.lifecycle.default.rollover": "max_age=auto,max_primary_shard_size=50gb,min_docs=1" } });
        let lifecycle = json!({ "enabled": true, "data_retention": "90d" });
        assert_eq!(of_stream(&lifecycle, &cluster).worst_case(), Some(97 * DAY + SWEEP));
        let capped = json!({ "enabled": true, "data_retention": "90d", "effective_retention": "30d" });
        assert_eq!(of_stream(&capped, &cluster).worst_case(), Some(37 * DAY + SWEEP));
        let set =
            |rollover: &str| json!({ "persistent": { "cluster.lifecycle.default.rollover": rollover } });
        let (sized, put_off) = (set("max_primary_shard_size=50gb"), set("max_age=auto,min_docs=2"));
        for (lifecycle, cluster) in [
            (json!(null), &cluster),
            (json!({ "enabled": false, "data_retention": "90d" }), &cluster),
            (json!({ "enabled": true }), &cluster),
            (lifecycle.clone(), &put_off),
            (lifecycle, &sized),
        ] {
            assert_eq!(of_stream(&lifecycle, cluster).worst_case(), None, "{lifecycle}");
        }
    }

    #[test]
    fn a_policy_counts_from_the_roll_over_too() {
        let phases = |hot: Value| json!({ "hot": { "actions": hot }, "delete": { "min_age": "90d", "actions": { "delete": {} } } });
        assert_eq!(
            of_phases(&phases(json!({ "rollover": { "max_age": "30d" } }))).worst_case(),
            Some(120 * DAY + SWEEP)
        );
        assert_eq!(of_phases(&phases(json!({}))).worst_case(), Some(90 * DAY + SWEEP));
        let later = json!({ "rollover": { "max_age": "1d", "min_age": "7d", "min_docs": 1 } });
        assert_eq!(of_phases(&phases(later)).worst_case(), Some(97 * DAY + SWEEP));
        for put_off in [
            json!({ "max_size": "50gb" }),
            json!({ "max_age": "1d", "min_docs": 1_000 }),
            json!({ "max_age": "1d", "min_size": "50gb" }),
            json!({ "max_age": "1d", "min_age": "soon" }),
        ] {
            assert_eq!(of_phases(&phases(json!({ "rollover": put_off }))).worst_case(), None, "{put_off}");
        }
        let waits = json!({ "delete": { "min_age": "90d", "actions": { "delete": {}, "wait_for_snapshot": { "policy": "p" } } } });
        assert_eq!(of_phases(&waits).worst_case(), None);
        assert_eq!(of_phases(&json!({ "delete": { "min_age": "90d", "actions": {} } })).worst_case(), None);
    }

    proptest::proptest! {
        /// What is set keeps the limit by the store's own rule for its roll-over.
        #[test]
        fn a_data_stream_keeps_its_limit(hours in 1..20_000u64) {
            let limit = Duration::from_secs(hours * 3_600);
            let endpoint = store::Settings {
                url: "http://127.0.0.1/".parse().unwrap(),
                auth: store::Auth::default(),
                tls: None,
                compression: store::Compression::None,
            };
            let settings = Settings { endpoint, index: "logs".into(), time_field: "received".into(), lifecycle: Lifecycle::DataStream };
            match settings.wants(limit) {
                Ok(wanted) => proptest::prop_assert!(wanted.value + auto(wanted.value) + SWEEP <= limit),
                Err(short) => proptest::prop_assert!(limit < short.least && settings.wants(short.least).is_ok()),
            }
        }
    }
}

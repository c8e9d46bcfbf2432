/*!
Indices of Elasticsearch and OpenSearch: which there are, how old, and the
deletion of dated ones by logveil itself.

Only an index whose whole name is `NAME-2026.11.22` is ever deleted here, and
only when the whole of that day is due. Names that merely begin alike belong to
somebody else.
*/

use std::time::Duration;

use serde_json::{Value, json};

use super::ask::{Ask, millis};
use super::bound::{Effective, TooShort};
use super::driver::{Deleted, Reading, Unknown, Wanted};
use super::own;
use super::span::DAY;
use super::store::Target;
use super::verdict::Oldest;
use crate::clock::Timestamp;
use crate::store::Request;

/// An index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created: Option<Timestamp>,
}

/// All indices of a target. The answer is whole or none is told.
pub async fn list(ask: &Ask, target: &Target) -> Result<Vec<Index>, Unknown> {
    let pattern = target.pattern();
    let path = format!("/_cat/indices/{pattern}?format=json&h=index,creation.date&expand_wildcards=all");
    let told = ask.ask(Request::get(path)).await?;
    // A pattern that matches nothing is answered with an empty list: this is something else.
    if !told.is_there() {
        return Err(Unknown::new("it answered 404: it does not list its indices"));
    }
    let rows = told.json.as_array().ok_or_else(|| Unknown::new("it does not list its indices"))?;
    let index = |row: &Value| {
        let name =
            row["index"].as_str().ok_or_else(|| Unknown::new("it lists an index without a name"))?.to_owned();
        let created = row["creation.date"].as_str().and_then(|at| at.parse().ok());
        Ok(Index { name, created: created.and_then(|at| Timestamp::from_millisecond(at).ok()) })
    };
    rows.iter().map(index).collect()
}

/// The oldest record in these indices, by a field with its moment of receive.
pub async fn oldest(ask: &Ask, target: &Target, field: &str, found: &[Index]) -> Result<Oldest, Unknown> {
    oldest_of(ask, &target.pattern(), field, found.is_empty()).await
}

/// The same of a data stream, or of a pattern; nothing is asked if there is none.
pub async fn oldest_of(ask: &Ask, pattern: &str, field: &str, none: bool) -> Result<Oldest, Unknown> {
    if none {
        return Ok(Oldest::Nothing);
    }
    let body =
        json!({ "size": 0, "track_total_hits": true, "aggs": { "oldest": { "min": { "field": field } } } });
    let path = format!("/{pattern}/_search?expand_wildcards=all");
    let told = ask.ask(Request::post(path, "application/json", body.to_string())).await?;
    minimum(&told.json).map(Oldest::from)
}

/// The minimum of a field, as an aggregation gives it: `None` if there is no record.
fn minimum(told: &Value) -> Result<Option<Timestamp>, Unknown> {
    let whole = told["timed_out"] == Value::Bool(false) && told["_shards"]["failed"].as_u64() == Some(0);
    if !whole {
        return Err(Unknown::new("its search for the oldest record was not whole"));
    }
    let value = &told["aggregations"]["oldest"]["value"];
    if value.is_null() && told["hits"]["total"]["value"].as_u64() == Some(0) {
        return Ok(None);
    }
    let at = value.as_f64().and_then(millis);
    at.map(Some).ok_or_else(|| Unknown::new("its records have no moment of receive to be aged by"))
}

/// What a limit needs where logveil deletes: a day is deleted whole, once it is over.
pub fn wants(limit: Duration) -> Result<Wanted, TooShort> {
    own::wants(limit, DAY)
}

/// What dated indices amount to. One that is not dated is deleted by nobody.
pub async fn read(ask: &Ask, target: &Target, field: &str, now: Timestamp) -> Result<Reading, Unknown> {
    let found = list(ask, target).await?;
    let value = wants(target.limit()).ok().map(|wanted| wanted.value);
    let undated = found.iter().find(|index| day(&index.name, &target.name).is_none());
    let effective = match undated {
        Some(index) => Effective::forever(format!(
            "index {} is not named {}-YYYY.MM.DD, and only such are deleted",
            index.name, target.name
        )),
        None => own::effective(value),
    };
    let due = own::gone_before(value, now);
    let late = found
        .iter()
        .find(|index| day(&index.name, &target.name).zip(due).is_some_and(|(day, due)| day < due));
    Ok(Reading {
        effective,
        oldest: oldest(ask, target, field, &found).await?,
        store_now: None,
        settings: own::settings(value),
        stalled: late.map(|index| own::stalled(&format!("index {}", index.name))),
        notes: vec!["snapshots are not seen".to_owned()],
    })
}

/// Deletes the dated indices of which the first record came before `before`; by their exact names.
pub async fn delete_before(
    ask: &Ask,
    target: &Target,
    before: Timestamp,
    deleted: &mut Deleted,
) -> Result<(), Unknown> {
    for index in list(ask, target).await? {
        if day(&index.name, &target.name).is_some_and(|day| day < before) {
            let gone = ask.ask(Request::delete(format!("/{}", index.name))).await;
            let gone = gone.map_err(|why| Unknown(format!("index {}: {why}", index.name)));
            deleted.note(index.name, gone.map(|_| ()));
        }
    }
    deleted.whole()
}

/// The first moment of the day of `NAME-2026.11.22`.
fn day(index: &str, name: &str) -> Option<Timestamp> {
    let date = index.strip_prefix(name)?.strip_prefix('-')?;
    let dated = date.len() == 10
        && date.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'.',
            _ => byte.is_ascii_digit(),
        });
    if !dated {
        return None;
    }
    format!("{}T00:00:00Z", date.replace('.', "-")).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_dated_names_are_ours() {
        assert_eq!(day("logs-access-2026.11.22", "logs-access"), "2026-11-22T00:00:00Z".parse().ok());
        for other in [
            "logs-access",
            "logs-access-2026.11.22-old",
            "logs-access-2026.13.22",
            "logs-access-2026-11-22",
            "logs-accessory-2026.11.22",
            "logs-access-2026.11.2",
            "logs-access-keep-2026.11.22",
        ] {
            assert_eq!(day(other, "logs-access"), None, "{other}");
        }
    }

    #[test]
    fn a_search_that_is_not_whole_tells_no_age() {
        let whole = json!({ "timed_out": false, "_shards": { "failed": 0 }, "hits": { "total": { "value": 1 } },
            "aggregations": { "oldest": { "value": 1_767_225_600_000_f64 } } });
        assert_eq!(minimum(&whole), Ok("2026-01-01T00:00:00Z".parse().ok()));
        for (key, value) in [
            ("timed_out", json!(true)),
            ("_shards", json!({ "failed": 1 })),
            ("aggregations", json!({})),
            ("aggregations", json!({ "oldest": { "value": 1e300 } })),
        ] {
            let mut other = whole.clone();
            other[key] = value;
            assert!(minimum(&other).is_err(), "{other}");
        }
    }
}

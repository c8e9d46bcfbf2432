/*!
ClickHouse: a table's TTL, carried out by merges.

`ALTER TABLE … MODIFY TTL` says when rows may go; they go when a merge of their
part comes by, at the earliest `merge_with_ttl_timeout` after the one before. So
the sum has that timeout and an hour for merges to get their turn, and what is
overdue by more than both shows that they do not.
*/

mod records;

use std::time::Duration;

use serde_json::Value;

use crate::clock::Timestamp;
use crate::limit::{STORE_ANSWER_BYTES_MAX, STORE_PAGE_BYTES_MAX};
use crate::retention::ask::{Ask, number, seconds};
use crate::retention::bound::{Effective, Grain, Kept, Lag, TooShort, What};
use crate::retention::driver::{Can, Doing, Driver, Gone, Page, Reading, Unknown, Wanted};
use crate::retention::store::Target;
use crate::retention::verdict::Oldest;
use crate::store;

/// Which table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where the HTTP interface is.
    pub endpoint: store::Settings,
    /// The database. Default `default`.
    pub database: String,
    /// The table; may hold `{class}`.
    pub table: String,
    /// The column with the moment of receive. Default `received`.
    pub time_column: String,
}

/// A MergeTree and its TTL.
#[derive(Debug)]
pub struct ClickHouse {
    settings: Settings,
    ask: Ask,
}

const TTL: &str = "TTL";
const TIMEOUT: &str = "merge_with_ttl_timeout, at most";
/// The timeout that is set, and ClickHouse's own.
const TIMEOUT_SET: Duration = Duration::from_secs(3_600);
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(14_400);
/// For a merge to get its turn.
const MERGE: Duration = Duration::from_secs(3_600);

impl Settings {
    /// What can be done.
    pub fn can() -> Can {
        Can { set: Ok(()), own_deletion: false, find: Ok(()), erase: Ok(()) }
    }

    /// What a limit needs.
    pub fn wants(limit: Duration) -> Result<Wanted, TooShort> {
        Wanted::within(limit, lags(TIMEOUT_SET), Grain::SECONDS, |value| {
            vec![seconds(TTL, value), seconds(TIMEOUT, TIMEOUT_SET)]
        })
    }
}

fn lags(timeout: Duration) -> Vec<Lag> {
    vec![
        Lag::new(What::Sweep, timeout, "merge_with_ttl_timeout: merges that delete come no sooner"),
        Lag::new(What::Grace, MERGE, "a merge has to get its turn"),
    ]
}

impl ClickHouse {
    /// Asks nobody yet.
    pub fn new(settings: Settings) -> ClickHouse {
        ClickHouse { ask: Ask::new(&settings.endpoint), settings }
    }

    /// The rows that a query gives.
    async fn query(&self, sql: String) -> Result<(Vec<Value>, Option<Timestamp>), Unknown> {
        self.rows(sql, STORE_ANSWER_BYTES_MAX).await
    }

    /// The same for rows of records.
    async fn query_long(&self, sql: String) -> Result<(Vec<Value>, Option<Timestamp>), Unknown> {
        self.rows(sql, STORE_PAGE_BYTES_MAX).await
    }

    async fn rows(&self, sql: String, bytes_max: usize) -> Result<(Vec<Value>, Option<Timestamp>), Unknown> {
        let request = store::Request::post("/", "text/plain", format!("{sql} FORMAT JSON")).as_it_is();
        let told = self.ask.ask_up_to(request, bytes_max).await?;
        if !told.is_there() {
            return Err(Unknown::new("it answered 404: no such table, or no ClickHouse"));
        }
        Ok((whole(told.json)?, told.now))
    }

    async fn run(&self, sql: String) -> Result<(), Unknown> {
        let (status, _, _) = self.ask.text(store::Request::post("/", "text/plain", sql).as_it_is()).await?;
        if status == 404 { Err(Unknown::new("it answered 404: no such table")) } else { Ok(()) }
    }

    fn table(&self, target: &Target) -> String {
        format!("`{}`.`{}`", self.settings.database, target.name)
    }

    fn place(&self, target: &Target) -> String {
        format!("database = '{}' AND table = '{}'", self.settings.database, target.name)
    }

    async fn read_now(&self, target: &Target) -> Result<Reading, Unknown> {
        let (rows, _) = self
            .query(format!(
                "SELECT engine, engine_full, toUnixTimestamp(now()) AS now, (SELECT value FROM \
                 system.merge_tree_settings WHERE name = 'merge_with_ttl_timeout') AS timeout FROM system.tables \
                 WHERE database = '{}' AND name = '{}'",
                self.settings.database, target.name
            ))
            .await?;
        let row = rows.first().ok_or_else(|| Unknown(format!("there is no table {}", self.table(target))))?;
        let engine = row["engine"].as_str().unwrap_or_default();
        if !engine.ends_with("MergeTree") {
            return Err(Unknown(format!("its engine is {engine}, and only a MergeTree has a TTL")));
        }
        let definition =
            Definition::of(row["engine_full"].as_str().unwrap_or_default(), &self.settings.time_column);
        let timeout =
            definition.timeout.or(number(&row["timeout"])).map_or(TIMEOUT_DEFAULT, Duration::from_secs);
        let store_now = number(&row["now"]).and_then(|at| Timestamp::from_second(at as i64).ok());
        let mut settings = Vec::new();
        settings.extend(definition.kept.span().map(|kept| seconds(TTL, kept)));
        settings.push(seconds(TIMEOUT, timeout.max(TIMEOUT_SET)));
        let mut lags = lags(timeout);
        lags.extend(definition.roll_over);
        Ok(Reading {
            effective: Effective { kept: definition.kept, lags },
            oldest: self.oldest(target).await?,
            store_now,
            settings,
            stalled: self.stalled(target, timeout).await?,
            notes: self.notes(target).await?,
        })
    }

    async fn oldest(&self, target: &Target) -> Result<Oldest, Unknown> {
        let sql = format!(
            "SELECT count() AS rows, toUnixTimestamp(toDateTime(min(`{}`))) AS oldest FROM {}",
            self.settings.time_column,
            self.table(target)
        );
        let (rows, _) = self.query(sql).await?;
        let row = rows.first().ok_or_else(|| Unknown::new("it does not say how old its oldest record is"))?;
        match (number(&row["rows"]), number(&row["oldest"])) {
            (Some(0), _) => Ok(Oldest::Nothing),
            (Some(_), Some(at)) if at > 0 => Timestamp::from_second(at as i64)
                .map(Oldest::At)
                .map_err(|_| Unknown::new("its oldest record has no moment")),
            _ => Err(Unknown::new("it does not say how old its oldest record is")),
        }
    }

    /// Whether a part holds rows that are due for longer than merges may take.
    async fn stalled(&self, target: &Target, timeout: Duration) -> Result<Option<String>, Unknown> {
        let late = timeout + MERGE;
        let sql = format!(
            "SELECT count() AS parts FROM system.parts WHERE {} AND active AND toUnixTimestamp(delete_ttl_info_min) \
             > 0 AND delete_ttl_info_min < now() - {}",
            self.place(target),
            late.as_secs()
        );
        let (rows, _) = self.query(sql).await?;
        let parts = rows.first().and_then(|row| number(&row["parts"]));
        match parts {
            Some(0) => Ok(None),
            Some(parts) => Ok(Some(format!(
                "the sweep stands still: {parts} parts hold rows that were due more than {} ago; merges may be \
                 stopped (SYSTEM START TTL MERGES)",
                crate::retention::span::Span(late)
            ))),
            None => Err(Unknown::new("it does not say what its parts hold")),
        }
    }

    async fn notes(&self, target: &Target) -> Result<Vec<String>, Unknown> {
        let sql = format!("SELECT count() AS parts FROM system.detached_parts WHERE {}", self.place(target));
        let (rows, _) = self.query(sql).await?;
        let mut notes = vec!["backups and other replicas are not seen".to_owned()];
        match rows.first().and_then(|row| number(&row["parts"])) {
            Some(0) => {}
            Some(parts) => notes.push(format!("{parts} detached parts are kept until somebody removes them")),
            None => notes.push("detached parts are not seen".to_owned()),
        }
        Ok(notes)
    }
}

impl Driver for ClickHouse {
    fn read<'a>(&'a self, target: &'a Target, _now: Timestamp) -> Doing<'a, Reading> {
        Box::pin(self.read_now(target))
    }

    fn set<'a>(&'a self, target: &'a Target, wanted: &'a Wanted, _now: Timestamp) -> Doing<'a, Vec<String>> {
        Box::pin(async move {
            let (table, column) = (self.table(target), &self.settings.time_column);
            let timeout = TIMEOUT_SET.as_secs();
            self.run(format!("ALTER TABLE {table} MODIFY SETTING merge_with_ttl_timeout = {timeout}"))
                .await?;
            let value = wanted.value.as_secs();
            self.run(format!(
                "ALTER TABLE {table} MODIFY TTL toDateTime(`{column}`) + INTERVAL {value} SECOND DELETE"
            ))
            .await?;
            Ok(vec![format!("it took a TTL of {value} s and a timeout of {timeout} s")])
        })
    }

    fn page<'a>(&'a self, target: &'a Target, from: Option<&'a str>, _now: Timestamp) -> Doing<'a, Page> {
        Box::pin(self.page_now(target, from))
    }

    fn erase<'a>(&'a self, target: &'a Target, marks: &'a [String], _now: Timestamp) -> Doing<'a, Gone> {
        Box::pin(self.erase_now(target, marks))
    }
}

/// The rows of an answer of `FORMAT JSON`. One that broke off half way has an exception behind its rows, or fewer of
/// them than it says, and nothing of it is believed.
fn whole(mut answer: Value) -> Result<Vec<Value>, Unknown> {
    let said = number(&answer["rows"]);
    let failed = answer.get("exception").is_some();
    match answer.get_mut("data").map(Value::take) {
        Some(Value::Array(rows)) if !failed && said == Some(rows.len() as u64) => Ok(rows),
        _ => Err(Unknown::new("its answer broke off, or is none of ClickHouse")),
    }
}

/// What a table's `engine_full` says of the life of its rows.
#[derive(Debug, PartialEq, Eq)]
struct Definition {
    kept: Kept,
    timeout: Option<u64>,
    roll_over: Option<Lag>,
}

impl Definition {
    fn of(engine: &str, column: &str) -> Definition {
        let (before, settings) = engine.split_once(" SETTINGS ").unwrap_or((engine, ""));
        let set = |name: &str| {
            let found = settings.split(',').filter_map(|setting| setting.split_once('='));
            found
                .map(|(key, value)| (key.trim(), value.trim()))
                .find(|(key, _)| *key == name)
                .map(|(_, value)| value)
        };
        let mut kept = match before.split_once(" TTL ") {
            None => Kept::Forever("no TTL is set".to_owned()),
            Some((_, ttl)) => match interval(ttl.trim(), column) {
                Some(kept) => Kept::For(kept),
                None => Kept::Forever(format!(
                    "its TTL is not `{column}` and an interval after which all of a row is deleted"
                )),
            },
        };
        let mut roll_over = None;
        if set("ttl_only_drop_parts").is_some_and(|value| value != "0") {
            match partition(before) {
                Some(length) => {
                    let why = "ttl_only_drop_parts: a part leaves once all of its rows are due";
                    roll_over = Some(Lag::new(What::RollOver, length, why));
                }
                None => {
                    kept = Kept::Forever(
                        "ttl_only_drop_parts is set, and partitions by no day or month bound what lies in a part"
                            .to_owned(),
                    );
                }
            }
        }
        Definition {
            kept,
            timeout: set("merge_with_ttl_timeout").and_then(|value| value.parse().ok()),
            roll_over,
        }
    }
}

/// The interval of `column + toIntervalDay(90)`, and of nothing else.
fn interval(ttl: &str, column: &str) -> Option<Duration> {
    let ttl = ttl.strip_suffix(" DELETE").unwrap_or(ttl).replace('`', "");
    let rest = [format!("{column} + toInterval"), format!("toDateTime({column}) + toInterval")]
        .iter()
        .find_map(|start| ttl.strip_prefix(start.as_str()))?
        .to_owned();
    let (unit, count) = rest.split_once('(')?;
    let count: u64 = count.strip_suffix(')')?.parse().ok()?;
    // The longest that a month or year may be.
    let unit = match unit {
        "Second" => 1,
        "Minute" => 60,
        "Hour" => 3_600,
        "Day" => 86_400,
        "Week" => 7 * 86_400,
        "Month" => 31 * 86_400,
        "Quarter" => 92 * 86_400,
        "Year" => 366 * 86_400,
        _ => return None,
    };
    count.checked_mul(unit).map(Duration::from_secs)
}

/// How long a partition is, if partitions are days or months.
fn partition(engine: &str) -> Option<Duration> {
    let (_, key) = engine.split_once(" PARTITION BY ")?;
    let days = match key.split('(').next()?.trim() {
        "toYYYYMMDD" | "toDate" | "toStartOfDay" => 1,
        "toStartOfHour" => 1,
        "toMonday" | "toStartOfWeek" => 7,
        "toYYYYMM" | "toStartOfMonth" => 31,
        _ => return None,
    };
    Some(Duration::from_secs(days * 86_400))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retention::span::DAY;

    fn told(engine: &str) -> Definition {
        Definition::of(engine, "received")
    }

    #[track_caller]
    fn check(engine: &str, kept: Option<Duration>) {
        let expected = match kept {
            Some(kept) => matches!(told(engine).kept, Kept::For(is) if is == kept),
            None => matches!(told(engine).kept, Kept::Forever(_)),
        };
        assert!(expected, "{engine}: {:?}", told(engine));
    }

    #[test]
    fn a_ttl_is_read_only_if_it_deletes_every_row_by_receive_time() {
        check(
            "MergeTree ORDER BY received TTL received + toIntervalDay(90) SETTINGS index_granularity = 8192",
            Some(90 * DAY),
        );
        check(
            "MergeTree ORDER BY x TTL toDateTime(received) + toIntervalSecond(60)",
            Some(Duration::from_secs(60)),
        );
        check("MergeTree ORDER BY x TTL received + toIntervalMonth(3)", Some(93 * DAY));
        for other in [
            "MergeTree ORDER BY received SETTINGS index_granularity = 8192",
            "MergeTree ORDER BY x TTL time + toIntervalDay(90)",
            "MergeTree ORDER BY x TTL received + toIntervalDay(90) WHERE class = 'app'",
            "MergeTree ORDER BY x TTL received + toIntervalDay(90) TO VOLUME 'cold'",
            "MergeTree ORDER BY x TTL received + toIntervalDay(30) TO DISK 's3', received + toIntervalDay(90)",
            "MergeTree ORDER BY x TTL expires_at",
        ] {
            check(other, None);
        }
    }

    #[test]
    fn rows_of_an_answer_that_broke_off_are_not_believed() {
        use serde_json::json;
        assert_eq!(whole(json!({ "data": [], "rows": 0 })), Ok(Vec::new()));
        assert_eq!(whole(json!({ "data": [{ "a": 1 }], "rows": 1 })), Ok(vec![json!({ "a": 1 })]));
        for broken in [
            json!(null),
            json!([]),
            json!({ "acknowledged": true }),
            json!({ "rows": 0 }),
            json!({ "data": [] }),
            json!({ "data": [{ "a": 1 }], "rows": 2 }),
            json!({ "data": [], "rows": 0, "exception": "Code: 241" }),
        ] {
            assert!(whole(broken.clone()).is_err(), "{broken}");
        }
    }

    #[test]
    fn parts_that_leave_whole_add_their_length() {
        let engine = |partition: &str| {
            format!(
                "MergeTree{partition} ORDER BY x TTL received + toIntervalDay(89) SETTINGS ttl_only_drop_parts = 1, merge_with_ttl_timeout = 60"
            )
        };
        let daily = told(&engine(" PARTITION BY toYYYYMMDD(received)"));
        assert_eq!((daily.kept, daily.timeout), (Kept::For(89 * DAY), Some(60)));
        assert_eq!(daily.roll_over.unwrap().span, DAY);
        assert_eq!(told(&engine(" PARTITION BY toYYYYMM(received)")).roll_over.unwrap().span, 31 * DAY);
        check(&engine(""), None);
    }
}

/*!
The rows of a table, one by one, and out of it.

Rows are read by their moment of receive, which partitions and keys of such
tables go by. A row is told from others by a digest of all its columns that the
engine computes; rows of the same digest hold the same. So no value stands in a
query, and none gets into the engine's log of queries.
*/

use serde_json::Value;

use super::ClickHouse;
use crate::clock::Timestamp;
use crate::limit::{STORE_MARKS_MAX, STORE_PAGE_RECORDS};
use crate::retention::ask::{Follow, number};
use crate::retention::driver::{Gone, Page, Stored, Unknown};
use crate::retention::store::Target;

const AT: &str = "logveil_at";
const MARK: &str = "logveil_mark";

impl ClickHouse {
    pub(super) async fn page_now(&self, target: &Target, from: Option<&str>) -> Result<Page, Unknown> {
        let (table, column) = (self.table(target), &self.settings.time_column);
        let (at, mark) =
            (format!("toUnixTimestamp64Nano(toDateTime64(`{column}`, 9))"), self.mark(target).await?);
        let total = match from {
            Some(_) => None,
            None => {
                let (rows, _) = self.query(format!("SELECT count() AS rows FROM {table}")).await?;
                rows.first().and_then(|row| number(&row["rows"]))
            }
        };
        let behind = match from.and_then(|from| from.split_once('|')) {
            Some((since, last)) => format!(
                "WHERE `{column}` >= fromUnixTimestamp64Nano(toInt64({since})) AND ({at}, {mark}) > ({since}, '{last}') "
            ),
            None => String::new(),
        };
        let (rows, _) = self
            .query_long(format!(
                "SELECT {at} AS {AT}, {mark} AS {MARK}, * FROM {table} {behind}ORDER BY `{column}`, {MARK} LIMIT \
                 {STORE_PAGE_RECORDS} WITH TIES"
            ))
            .await?;
        let full = rows.len() >= STORE_PAGE_RECORDS;
        let records: Result<Vec<(String, Stored)>, Unknown> = rows.into_iter().map(stored).collect();
        let records = records?;
        let next = records.last().filter(|_| full).map(|(at, last)| format!("{at}|{}", last.mark));
        Ok(Page { records: records.into_iter().map(|(_, stored)| stored).collect(), next, total })
    }

    pub(super) async fn erase_now(&self, target: &Target, marks: &[String]) -> Result<Gone, Unknown> {
        let (table, mark) = (self.table(target), self.mark(target).await?);
        let mut gone = Gone::default();
        for marks in marks.chunks(STORE_MARKS_MAX) {
            let Some(first) = marks.first() else { continue };
            let among = format!("{mark} IN ('{}')", marks.join("','"));
            let (rows, _) = self.query(format!("SELECT count() AS rows FROM {table} WHERE {among}")).await?;
            let there = rows.first().and_then(|row| number(&row["rows"]));
            let there = there.ok_or_else(|| Unknown::new("it does not count its rows"))?;
            if there == 0 {
                continue;
            }
            self.run(format!("ALTER TABLE {table} DELETE WHERE {among} SETTINGS mutations_sync = 0")).await?;
            let mut follow = Follow::new("its mutation");
            while !self.mutated(target, first).await? {
                follow.wait().await?;
            }
            gone.records += there;
        }
        gone.told
            .push("mutations ended; parts that they replaced lie on disk for some minutes more".to_owned());
        Ok(gone)
    }

    /// Whether the mutation that names this mark has ended.
    async fn mutated(&self, target: &Target, mark: &str) -> Result<bool, Unknown> {
        let sql = format!(
            "SELECT count() AS all, countIf(is_done = 0) AS left, countIf(is_done = 0 AND latest_fail_reason != '') AS \
             failed FROM system.mutations WHERE {} AND position(command, '{mark}') > 0",
            self.place(target)
        );
        let (rows, _) = self.query(sql).await?;
        let row = rows.first().ok_or_else(|| Unknown::new("it does not tell of its mutations"))?;
        match (number(&row["all"]), number(&row["left"]), number(&row["failed"])) {
            (Some(1..), Some(0), _) => Ok(true),
            (_, _, Some(1..)) => Err(Unknown::new("its mutation fails, and is tried again by itself")),
            (Some(1..), Some(_), Some(0)) => Ok(false),
            _ => Err(Unknown::new("it does not tell of its mutation")),
        }
    }

    /// An expression that tells a row by what all its columns hold.
    async fn mark(&self, target: &Target) -> Result<String, Unknown> {
        let (rows, _) = self
            .query(format!(
                "SELECT name FROM system.columns WHERE {} AND default_kind NOT IN ('ALIAS', 'EPHEMERAL') ORDER BY position",
                self.place(target)
            ))
            .await?;
        let name =
            |row: &Value| row["name"].as_str().map(|name| name.replace('\\', "\\\\").replace('`', "\\`"));
        let columns: Option<Vec<String>> = rows.iter().map(name).collect();
        let columns = columns.filter(|columns| !columns.is_empty());
        let columns = columns.ok_or_else(|| Unknown(format!("there is no table {}", self.table(target))))?;
        let text = |column: &String| format!("ifNull(toString(`{column}`), '')");
        Ok(format!("hex(sipHash128({}))", columns.iter().map(text).collect::<Vec<_>>().join(", ")))
    }
}

/// A row without what was computed of it, and its moment.
fn stored(mut row: Value) -> Result<(String, Stored), Unknown> {
    let nameless = || Unknown::new("it gives out rows without their moment");
    let object = row.as_object_mut().ok_or_else(nameless)?;
    let nanos = object.remove(AT).and_then(|at| at.as_i64().or_else(|| at.as_str()?.parse().ok()));
    let nanos: i64 = nanos.ok_or_else(nameless)?;
    let mark = object.remove(MARK).and_then(|mark| mark.as_str().map(str::to_owned)).ok_or_else(nameless)?;
    let received = Timestamp::from_nanosecond(i128::from(nanos)).ok();
    let text = row.to_string().into_bytes();
    Ok((nanos.to_string(), Stored { mark, text, received }))
}

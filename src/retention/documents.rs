/*!
The documents of Elasticsearch, OpenSearch and Quickwit, one by one, and out of
them.

They are read by a scroll, which sees the indices as they were when it began.
Documents are told from others by index and id, so no value stands in a request
and none gets into a slow log.
*/

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::ask::{Ask, Follow, Told};
use super::driver::{Gone, Page, Stored, Unknown};
use crate::limit::{STORE_MARKS_MAX, STORE_PAGE_BYTES_MAX, STORE_PAGE_RECORDS};
use crate::store::{Request, push_percent};

/// How long a scroll is kept between two pages.
const KEPT: &str = "2m";

/// A page of what is in `pattern`. `under` is what stands before the interface's paths. Where a page ends is
/// `LEFT SCROLL`: how many records there are still to come, and the scroll that gives them.
pub async fn page(ask: &Ask, under: &str, pattern: &str, from: Option<&str>) -> Result<Page, Unknown> {
    let (left, scroll) = match from {
        None => (None, None),
        Some(from) => {
            from.split_once(' ').map(|(left, scroll)| (left.parse().ok(), Some(scroll))).unwrap_or_default()
        }
    };
    let request = match scroll {
        None => {
            let body = json!({ "size": STORE_PAGE_RECORDS, "sort": ["_doc"], "track_total_hits": true });
            let path = format!("{under}/{pattern}/_search?scroll={KEPT}&expand_wildcards=all");
            Request::post(path, "application/json", body.to_string())
        }
        Some(scroll) => {
            let body = json!({ "scroll": KEPT, "scroll_id": scroll });
            Request::post(format!("{under}/_search/scroll"), "application/json", body.to_string())
        }
    };
    let told = ask.ask_up_to(request, STORE_PAGE_BYTES_MAX).await?;
    if !told.is_there() && scroll.is_some() {
        return Err(Unknown::new("it let go of a search that had not ended; say the same again"));
    }
    if is_absent(&told)? {
        return Ok(Page::default());
    }
    let json = &told.json;
    // A shard that is not asked may hold anything.
    let whole = json["timed_out"] == Value::Bool(false) && json["_shards"]["failed"].as_u64() == Some(0);
    let hits = json["hits"]["hits"].as_array().filter(|_| whole);
    let hits = hits.ok_or_else(|| Unknown::new("its search was not whole"))?;
    let records: Result<Vec<Stored>, Unknown> = hits.iter().map(stored).collect();
    let next = json["_scroll_id"].as_str();
    // What a scroll has is settled when it begins.
    let total = json["hits"]["total"]["value"].as_u64().filter(|_| scroll.is_none());
    let left: Option<u64> = left.or(total);
    let left = left.ok_or_else(|| Unknown::new("it does not say how many records there are"))?;
    let left = left
        .checked_sub(hits.len() as u64)
        .ok_or_else(|| Unknown::new("it gives out more records than it says there are"))?;
    if hits.is_empty() && left > 0 {
        return Err(Unknown::new("its search ended before its records did"));
    }
    let next = match (hits.is_empty(), next) {
        (true, Some(scroll)) => {
            let body = json!({ "scroll_id": scroll }).to_string();
            let end = Request::delete(format!("{under}/_search/scroll")).body("application/json", body);
            // One that is not let go of ends by itself.
            let _ = ask.ask(end).await;
            None
        }
        (true, None) => None,
        (false, Some(scroll)) => Some(format!("{left} {scroll}")),
        (false, None) => return Err(Unknown::new("its search cannot be gone on with")),
    };
    Ok(Page { records: records?, next, total })
}

/// Whether there is no such index. A 404 that does not say so comes from something else, and proves nothing.
fn is_absent(told: &Told) -> Result<bool, Unknown> {
    match told.is_there() {
        true => Ok(false),
        false if told.json["error"]["type"] == "index_not_found_exception" => Ok(true),
        false => Err(Unknown::new("it answered 404, and does not say that there is no such index")),
    }
}

fn stored(hit: &Value) -> Result<Stored, Unknown> {
    let source = &hit["_source"];
    let index = hit["_index"].as_str().unwrap_or_default();
    // Quickwit gives its documents no id; ours is a field.
    let id = hit["_id"].as_str().filter(|id| !id.is_empty()).or(source["id"].as_str()).unwrap_or_default();
    if !source.is_object() {
        return Err(Unknown::new("it gives out records without what they hold; it needs _source"));
    }
    Ok(Stored { mark: format!("{index}/{id}"), text: source.to_string().into_bytes(), received: None })
}

/// The same where a search sees all that was written before it once the indices are refreshed.
pub async fn fresh_page(ask: &Ask, pattern: &str, from: Option<&str>) -> Result<Page, Unknown> {
    if from.is_none() {
        let path = format!("/{pattern}/_refresh?expand_wildcards=all");
        // What is not there is told by the search that comes next.
        is_absent(&ask.ask(Request::post(path, "application/json", "")).await?)?;
    }
    page(ask, "", pattern, from).await
}

/// Deletes documents by `_delete_by_query`, whose tasks are followed where the store tells of them.
pub async fn erase(ask: &Ask, marks: &[String]) -> Result<Gone, Unknown> {
    let mut by_index: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for mark in marks {
        let (index, id) = mark.split_once('/').unwrap_or_default();
        if index.is_empty() || id.is_empty() {
            return Err(Unknown::new("its records have no ids"));
        }
        by_index.entry(index).or_default().push(id);
    }
    let mut gone = Gone::default();
    for (index, ids) in by_index {
        for ids in ids.chunks(STORE_MARKS_MAX) {
            let mut path = String::from("/");
            push_percent(index.as_bytes(), &mut path);
            path += "/_delete_by_query?wait_for_completion=false&conflicts=proceed&refresh=true";
            let body = json!({ "query": { "ids": { "values": ids } } }).to_string();
            let told = ask.ask(Request::post(path, "application/json", body)).await?;
            let task = told.json["task"].as_str().filter(|_| told.is_there());
            let task = task.ok_or_else(|| Unknown(format!("it took no deletion in index {index}")))?;
            gone.records += ended(ask, task, &mut gone.told).await?.unwrap_or(ids.len() as u64);
        }
    }
    gone.told.push("copies in snapshots are not touched".to_owned());
    Ok(gone)
}

/// Follows a task; how many it deleted, if the store tells.
async fn ended(ask: &Ask, task: &str, notes: &mut Vec<String>) -> Result<Option<u64>, Unknown> {
    let mut path = String::from("/_tasks/");
    push_percent(task.as_bytes(), &mut path);
    let mut follow = Follow::new("its task");
    loop {
        match ask.ask(Request::get(path.clone())).await {
            // Nothing is believed of it, then: what a search finds afterwards counts.
            Err(Unknown(why)) if why.starts_with("it answered 4") => {
                notes.push(format!("its tasks cannot be followed: {why}"));
                return Ok(None);
            }
            told => {
                if let Some(deleted) = of_task(&told?)? {
                    return Ok(Some(deleted));
                }
            }
        }
        follow.wait().await?;
    }
}

/// How many documents a task deleted; nothing while it goes on.
fn of_task(told: &Told) -> Result<Option<u64>, Unknown> {
    let unclear = || Unknown::new("it does not tell of its task");
    if !told.json["completed"].as_bool().filter(|_| told.is_there()).ok_or_else(unclear)? {
        return Ok(None);
    }
    let response = &told.json["response"];
    let failed = response["failures"].as_array().is_none_or(|failures| !failures.is_empty());
    let conflicts = response["version_conflicts"].as_u64().unwrap_or(0);
    if failed || conflicts > 0 || !told.json["error"].is_null() {
        return Err(Unknown::new("its task ended with failures or conflicts; say the same again"));
    }
    response["deleted"].as_u64().map(Some).ok_or_else(unclear)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_store_that_says_so_has_no_such_index() {
        let told = |status, json| is_absent(&Told { status, json, now: None });
        assert_eq!(told(200, json!({})), Ok(false));
        assert_eq!(told(404, json!({ "error": { "type": "index_not_found_exception" } })), Ok(true));
        for json in [json!(null), json!({ "error": "not here" }), json!({ "error": { "type": "security" } })]
        {
            assert!(told(404, json.clone()).is_err(), "{json}");
        }
    }
}

/*!
Elasticsearch and OpenSearch by `_bulk`: an action line and a document a record.

Records are *created*, each under its own id, so one that is sent again is no
second document: a conflict (409) says that it is there. The store answers for
each by itself. 2xx and 409 accept; 429, 5xx and what an operator has to mend
(401, 403, 404) defer that record alone; any other 4xx is about the record and
refuses it. An answer that is cut, that has another number of items than was
sent, or that says of itself that nothing failed while something did, is an
answer from which nobody knows what became of the records: all are sent again.

An index name is made from class, stream and the day of receipt, which no
outsider chooses, and of nothing else. The document is the envelope with
`@timestamp`, which lies within a day before the receipt (see `sink::stamp`).
*/

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

use crate::act::Envelope;
use crate::limit::{ANSWER_BYTES_MAX, ANSWER_ITEM_BYTES_MAX};
use crate::sink::{Batch, Delivery, Fault, Outcome, Sink, Template, Verdict, answer, stamp};
use crate::store::{self, Client, Request};
use crate::telemetry::SinkError;

/// Settings of a sink that speaks `_bulk`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Which of the two it is; both are spoken to in the same way.
    pub product: Product,
    /// Where it is.
    pub store: store::Settings,
    /// Name of the index or data stream.
    pub index: Template,
    /// What goes into one request.
    pub batch: Batch,
}

/// Who made the store. What it does with old records differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Product {
    /// Elasticsearch.
    Elasticsearch,
    /// OpenSearch.
    Opensearch,
}

impl Product {
    /// What configurations call it.
    pub fn name(self) -> &'static str {
        match self {
            Product::Elasticsearch => "elasticsearch",
            Product::Opensearch => "opensearch",
        }
    }
}

/// A client with its connections.
#[derive(Clone, Debug)]
pub struct Bulk {
    index: Template,
    batch: Batch,
    client: Arc<Client>,
}

impl Bulk {
    /// A client for one cluster.
    pub fn new(settings: Settings) -> Bulk {
        Bulk { index: settings.index, batch: settings.batch, client: Arc::new(Client::new(settings.store)) }
    }
}

impl Sink for Bulk {
    fn batch(&self) -> Batch {
        self.batch
    }

    fn twin(&self) -> Option<Self> {
        Some(self.clone())
    }

    async fn send(&mut self, delivery: &mut Delivery<'_>) -> Verdict {
        let mut body = Vec::new();
        self.batch.fill(delivery, &mut body, |envelope, out| push(envelope, &self.index, out));
        let records = delivery.len();
        let request = Request::post(PATH, "application/x-ndjson", body)
            .answer_bytes_max(ANSWER_BYTES_MAX + records * ANSWER_ITEM_BYTES_MAX);
        match self.client.send(request).await {
            Ok(answer) if answer.status == 200 => judge(&answer.body, records),
            answer => answer::judge(answer),
        }
    }
}

/// Only what is read: an answer of thousands of items is a few bytes an item.
const PATH: &str = "/_bulk?filter_path=errors,items.*.status,items.*.error.type";

/// An action line and a document, a line end after each.
fn push(envelope: &Envelope<'_>, index: &Template, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"create\":{\"_index\":\"");
    index.push(envelope, out);
    if let Some(id) = envelope.id.named() {
        out.extend_from_slice(format!("\",\"_id\":\"{id}").as_bytes());
    }
    out.extend_from_slice(format!("\"}}}}\n{{\"@timestamp\":\"{:.3}\"", stamp(envelope)).as_bytes());
    envelope.write_members(out);
    out.extend_from_slice(b"}\n");
}

#[derive(Deserialize)]
struct Answer {
    errors: bool,
    items: Vec<BTreeMap<String, Item>>,
}

#[derive(Deserialize)]
struct Item {
    status: u16,
    error: Option<Error>,
}

#[derive(Deserialize)]
struct Error {
    r#type: Option<String>,
}

/// What the store says of each of the records, which came in the order of the items.
fn judge(answer: &[u8], records: usize) -> Verdict {
    let Ok(Answer { errors, items }) = serde_json::from_slice(answer) else {
        return answer::unreadable("cannot be read");
    };
    if items.len() != records {
        return answer::unreadable("has another number of items than records were sent");
    }
    let mut outcomes: Vec<(usize, Outcome)> = Vec::new();
    let mut failed = false;
    for item in items {
        let Some(item) = item.into_values().next() else {
            return answer::unreadable("has an item that says nothing");
        };
        failed |= !(200..300).contains(&item.status);
        let outcome = outcome(item);
        match outcomes.last_mut() {
            Some((count, last)) if *last == outcome => *count += 1,
            Some(_) | None => outcomes.push((1, outcome)),
        }
    }
    if failed && !errors {
        return answer::unreadable("says that nothing failed, and names what did");
    }
    match outcomes.as_slice() {
        [(_, Outcome::Accept)] => Verdict::Accept,
        _ => Verdict::Settle(outcomes),
    }
}

fn outcome(item: Item) -> Outcome {
    let kind = match item.status {
        200..=299 | 409 => return Outcome::Accept,
        429 | 503 => SinkError::Busy,
        500..=599 => SinkError::Server,
        _ => SinkError::Refused,
    };
    let mut detail = format!("item {}", item.status);
    // The store's own word for it, such as `mapper_parsing_exception`; whatever else stands there is not shown.
    let word = item.error.and_then(|error| error.r#type);
    let plain = |word: &String| {
        word.len() <= 64 && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
    };
    if let Some(word) = word.filter(plain) {
        detail.push(' ');
        detail.push_str(&word);
    }
    let fault = Fault { kind, detail };
    match item.status {
        401 | 403 | 404 | 408 | 429 | 500..=599 => Outcome::Defer(fault, None),
        _ => Outcome::Refuse(fault),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::sample::envelope;

    #[test]
    fn a_record_is_created_under_its_id_where_no_outsider_chooses() {
        let mut out = Vec::new();
        let mut envelope = envelope(b"a \"b\"\n");
        envelope.stream = "Web/1";
        push(&envelope, &Template::index("logs-{class}-{stream}-{date}").unwrap(), &mut out);
        let lines: Vec<serde_json::Value> = out
            .split(|byte| *byte == b'\n')
            .take(2)
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect();
        let id = "00000000000000070000000000000009";
        let action = serde_json::json!({"create": {"_index": "logs-access-web_1-2027.01.15", "_id": id}});
        assert_eq!(lines[0], action);
        assert_eq!(lines[1]["@timestamp"], "2027-01-15T08:00:00.000Z");
        assert_eq!(lines[1]["message"], "a \"b\"\n");
        assert_eq!(lines[1]["expires_at"], "2027-04-15T08:00:00Z");
        assert_eq!(lines[1]["policy"], "default@1");
        assert_eq!(out.iter().filter(|byte| **byte == b'\n').count(), 2);
    }

    /// An answer with these items, and what it means for `records`.
    #[track_caller]
    fn check(errors: bool, items: &[&str], records: usize, expected: &str) {
        let items: Vec<String> = items.iter().map(|item| format!("{{\"create\":{item}}}")).collect();
        let answer = format!("{{\"errors\":{errors},\"items\":[{}]}}", items.join(","));
        assert_eq!(told(&judge(answer.as_bytes(), records)), expected);
    }

    fn told(verdict: &Verdict) -> String {
        let outcome = |(count, outcome): &(usize, Outcome)| match outcome {
            Outcome::Accept => format!("{count} accept"),
            Outcome::Defer(fault, _) => format!("{count} defer {}", fault.detail),
            Outcome::Refuse(fault) => format!("{count} refuse {}", fault.detail),
        };
        match verdict {
            Verdict::Accept => "accept".into(),
            Verdict::Defer(fault, _) => format!("defer: {}", fault.detail),
            Verdict::Refuse(fault) => format!("refuse: {}", fault.detail),
            Verdict::Settle(outcomes) => outcomes.iter().map(outcome).collect::<Vec<_>>().join(", "),
        }
    }

    /// F21: what a store takes of a request is told record by record.
    #[test]
    fn each_item_is_judged_by_itself() {
        let (made, there, busy) = (r#"{"status":201}"#, r#"{"status":409}"#, r#"{"status":429}"#);
        let bad = r#"{"status":400,"error":{"type":"mapper_parsing_exception","reason":"jane"}}"#;
        check(false, &[made, made], 2, "accept");
        check(true, &[made, there], 2, "accept");
        check(
            true,
            &[made, there, busy, busy, bad, made],
            6,
            "2 accept, 2 defer item 429, 1 refuse item 400 mapper_parsing_exception, 1 accept",
        );
        for operators in ["403", "404", "503", "500"] {
            let item = format!("{{\"status\":{operators}}}");
            check(true, &[&item], 1, &format!("1 defer item {operators}"));
        }
        check(true, &[r#"{"status":400,"error":{"type":"Jane Doe"}}"#], 1, "1 refuse item 400");
    }

    /// F22: from an answer that cannot be believed nobody knows what became of the records.
    #[test]
    fn an_answer_that_lies_is_no_answer() {
        let (made, bad) = (r#"{"status":201}"#, r#"{"status":400}"#);
        check(false, &[made, bad], 2, "defer: the answer says that nothing failed, and names what did");
        check(false, &[made], 2, "defer: the answer has another number of items than records were sent");
        for broken in
            ["", "{}", r#"{"errors":false,"items":[{"create":{"stat"#, r#"{"errors":false}"#, "<html>"]
        {
            assert_eq!(told(&judge(broken.as_bytes(), 1)), "defer: the answer cannot be read", "{broken}");
        }
        assert!(matches!(judge(br#"{"errors":false,"items":[{}]}"#, 1), Verdict::Defer(..)));
    }
}

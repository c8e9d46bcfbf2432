/*!
ClickHouse over HTTP: `INSERT … FORMAT JSONEachRow`.

A row is the envelope; columns that the table does not have are left out, so a
table has those it wants. `wait_end_of_query` makes the status speak of the
whole insert. The insert carries a token made of its records' ids: where the
table remembers tokens (`non_replicated_deduplication_window`, or a replicated
table), an insert that is sent again adds nothing.

An exception's number says whose it is: of the rows, and they are refused
together and then apart; or of the table, the rights, the load, and they wait.
*/

use std::fmt::Write;
use std::sync::Arc;

use crate::act::Envelope;
use crate::record::RecordId;
use crate::sink::{Batch, Delivery, Fault, Sink, Verdict, answer};
use crate::store::{self, Answer, Client, Request, push_percent};
use crate::telemetry::SinkError;

/// A ClickHouse sink's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where it is.
    pub store: store::Settings,
    /// `TABLE` or `DATABASE.TABLE`.
    pub table: Table,
    /// What goes into one request.
    pub batch: Batch,
}

/// The name of a table, perhaps with its database: letters, digits and `_`, so that it needs no quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table(String);

impl Table {
    /// Nothing, if it is no such name.
    pub fn parse(text: &str) -> Option<Table> {
        let plain = |name: &str| {
            let sign = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            name.bytes().all(sign) && name.starts_with(|c: char| !c.is_ascii_digit())
        };
        let parts: Vec<&str> = text.split('.').collect();
        (parts.len() <= 2 && parts.into_iter().all(plain)).then(|| Table(text.to_owned()))
    }

    /// As it is written.
    pub fn name(&self) -> &str {
        &self.0
    }
}

/// A client with its connections.
#[derive(Clone, Debug)]
pub struct ClickHouse {
    table: Table,
    batch: Batch,
    client: Arc<Client>,
}

impl ClickHouse {
    /// A client for one table.
    pub fn new(settings: Settings) -> ClickHouse {
        ClickHouse {
            table: settings.table,
            batch: settings.batch,
            client: Arc::new(Client::new(settings.store)),
        }
    }

    fn path(&self, delivery: &Delivery<'_>) -> String {
        let mut path = "/?query=".to_owned();
        push_percent(format!("INSERT INTO {} FORMAT JSONEachRow", self.table.0).as_bytes(), &mut path);
        path.push_str(
            "&input_format_skip_unknown_fields=1&date_time_input_format=best_effort&wait_end_of_query=1",
        );
        if let Some(token) = token(delivery) {
            path.push_str("&insert_deduplication_token=");
            path.push_str(&token);
        }
        path
    }
}

impl Sink for ClickHouse {
    fn batch(&self) -> Batch {
        self.batch
    }

    fn twin(&self) -> Option<Self> {
        Some(self.clone())
    }

    async fn send(&mut self, delivery: &mut Delivery<'_>) -> Verdict {
        let mut body = Vec::new();
        self.batch.fill(delivery, &mut body, row);
        match self.client.send(Request::post(self.path(delivery), "application/x-ndjson", body)).await {
            Ok(answer) => judge(answer),
            Err(fault) => Verdict::Defer(fault.into(), None),
        }
    }
}

fn row(envelope: &Envelope<'_>, out: &mut Vec<u8>) {
    envelope.write_json(out);
    out.push(b'\n');
}

/// A name for exactly these records, from their ids and nothing else; none where a record has none. Runs of records
/// that follow each other are named by their first and their number.
fn token(delivery: &Delivery<'_>) -> Option<String> {
    let mut token = String::new();
    let mut run: Option<(RecordId, u64)> = None;
    for envelope in delivery.iter() {
        let id = envelope.id.named()?;
        match &mut run {
            Some((first, len)) if id == RecordId { sequence: first.sequence + *len, ..*first } => *len += 1,
            _ => {
                if let Some((first, len)) = run.replace((id, 1)) {
                    write!(token, "{first}.{len}.").ok()?;
                }
            }
        }
    }
    let (first, len) = run?;
    write!(token, "{first}.{len}").ok()?;
    Some(token)
}

/// Exceptions about rows (`ErrorCodes.cpp`): cannot parse, wrong type, value out of range, a constraint that is violated.
const ROWS_FAULT: &[u16] =
    &[6, 25, 26, 27, 33, 34, 38, 41, 53, 69, 70, 72, 117, 129, 131, 321, 349, 469, 636];

fn judge(answer: Answer) -> Verdict {
    let code = answer.headers.get("x-clickhouse-exception-code");
    let code = code.and_then(|code| code.to_str().ok()?.trim().parse::<u16>().ok());
    match (answer.status, code) {
        (_, Some(code)) => {
            let fault = Fault { kind: kind(code), detail: format!("exception {code}") };
            match ROWS_FAULT.contains(&code) {
                true => Verdict::Refuse(fault),
                false => Verdict::Defer(fault, answer.retry_after()),
            }
        }
        // Not ClickHouse's own: a proxy before it does not know rows. But it knows a body that is too long.
        (400 | 422, None) => Verdict::Defer(answer::fault(answer.status), answer.retry_after()),
        (_, None) => answer::judge(Ok(answer)),
    }
}

fn kind(code: u16) -> SinkError {
    match code {
        // Too many queries, memory, too many parts, read only for now.
        202 | 241 | 242 | 252 => SinkError::Busy,
        // Slow, or an upstream is away.
        159 | 160 | 209 | 210 | 285 | 319 | 999 => SinkError::Server,
        _ => SinkError::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderMap;

    #[track_caller]
    fn check(status: u16, code: &str, expected: &str) {
        let mut headers = HeaderMap::new();
        if !code.is_empty() {
            headers.insert("x-clickhouse-exception-code", code.parse().unwrap());
        }
        let verdict = match judge(Answer { status, headers, body: "a record".into() }) {
            Verdict::Accept => "accept".to_owned(),
            Verdict::Defer(fault, _) => format!("defer {} {}", fault.kind.label(), fault.detail),
            Verdict::Refuse(fault) => format!("refuse {}", fault.detail),
            Verdict::Settle(_) => "settle".to_owned(),
        };
        assert_eq!(verdict, expected);
    }

    #[test]
    fn an_exception_says_whose_it_is() {
        check(200, "", "accept");
        check(200, "241", "defer busy exception 241");
        check(400, "27", "refuse exception 27");
        check(500, "117", "refuse exception 117");
        check(404, "60", "defer refused exception 60");
        check(500, "252", "defer busy exception 252");
        check(500, "159", "defer server exception 159");
        check(403, "516", "defer refused exception 516");
        check(400, "", "defer refused answer 400");
        check(413, "", "refuse answer 413");
        check(502, "", "defer server answer 502");
    }

    #[test]
    fn a_table_needs_no_quotes() {
        for good in ["logs", "a.b_1", "_x"] {
            assert_eq!(Table::parse(good).unwrap().name(), good);
        }
        for bad in ["", "a.b.c", "a b", "a;DROP", "1a", "a.", "`a`", "a-b"] {
            assert_eq!(Table::parse(bad), None, "{bad}");
        }
    }
}

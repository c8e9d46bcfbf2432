/*!
The route and the status that a clean record speaks of.

Read from JSON (its members, and those one level below), logfmt, access logs as nginx and Apache write them, and
structured data. A record that says neither counts without.
*/

use std::borrow::Cow;

use crate::act::Envelope;
use crate::structure::document::{Kind, Value};
use crate::structure::walk;

/// What a record says of the request that it is about.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Facts<'a> {
    /// As it is written in the record: a path, a URL, or a request's first line.
    pub route: Option<Cow<'a, [u8]>>,
    /// 100 to 599; 0 if it says none.
    pub status: u16,
    /// How good the name was under which the route stands: lower is better.
    rank: usize,
}

/// Names of a route, the best first. A dot is a level, or stands in the name.
const ROUTES: &[&str] = &[
    "http.route",
    "route",
    "path",
    "url.path",
    "http.target",
    "http.path",
    "request.path",
    "request_uri",
    "uri",
    "request.uri",
    "request.url",
    "http.url",
    "url",
    "request",
];

const STATUSES: &[&str] = &[
    "status",
    "status_code",
    "http.response.status_code",
    "http.status_code",
    "http.status",
    "response.status",
    "response.status_code",
    "statuscode",
    "response_code",
];

/// What a record says.
pub(super) fn of<'a>(envelope: &Envelope<'a>) -> Facts<'a> {
    let mut facts = Facts { rank: ROUTES.len(), ..Facts::default() };
    let message = envelope.message;
    // A label at a line's beginning looks like an array, and is none.
    let json = if walk::looks_like_json(message) { Value::whole(message) } else { None };
    if let Some(value) = json {
        facts.members(value, "");
    } else if !facts.access_log(message) {
        let mut of_line = Facts { rank: ROUTES.len(), ..Facts::default() };
        let all_fields = walk::logfmt(message, |key, value| {
            if let walk::Value::Text(span) = value {
                of_line.take("", &message[key.range()], || Cow::Borrowed(&message[span.range()]));
            }
        });
        if all_fields {
            facts = of_line;
        }
    }
    if facts.route.is_none() && facts.status == 0 && !envelope.structured.is_empty() {
        let structured = envelope.structured;
        walk::structured(structured, |key, value| {
            if let walk::Value::Text(span) = value {
                facts.take("", &structured[key.range()], || Cow::Borrowed(&structured[span.range()]));
            }
        });
    }
    facts
}

impl<'a> Facts<'a> {
    /// The members of an object, and of the objects in it. What cannot be a name of ours costs a comparison of lengths.
    fn members(&mut self, object: Value<'a>, above: &str) {
        for (key, value) in object.members() {
            match value.kind() {
                Kind::Object if above.is_empty() => {
                    let below = |key: &[u8]| {
                        ["http", "url", "request", "response"].into_iter().find(|n| n.as_bytes() == key)
                    };
                    match (below(key), key) {
                        (Some(name), _) => self.members(value, name),
                        (None, b"attributes" | b"fields") => self.members(value, ATTRIBUTES),
                        (None, _) => {}
                    }
                }
                Kind::String | Kind::Number => {
                    let above = if above == ATTRIBUTES { "" } else { above };
                    self.take(above, key, || value.plain());
                }
                Kind::Object | Kind::Array | Kind::Boolean | Kind::Null => {}
            }
        }
    }

    /// Takes a field in, if its name is one of ours and better than that of what is known: `above.key`, or the key alone.
    fn take(&mut self, above: &str, key: &[u8], value: impl FnOnce() -> Cow<'a, [u8]>) {
        let is_it = |known: &str| {
            let below = match above {
                "" => Some(known),
                above => known.strip_prefix(above).and_then(|rest| rest.strip_prefix('.')),
            };
            below.is_some_and(|below| below.as_bytes().eq_ignore_ascii_case(key))
        };
        let place = |names: &[&str]| names.iter().position(|known| is_it(known));
        match place(ROUTES) {
            Some(rank) if rank < self.rank => (self.rank, self.route) = (rank, Some(value())),
            Some(_) => {}
            None if self.status == 0 && place(STATUSES).is_some() => {
                self.status = status(&value()).unwrap_or(0);
            }
            None => {}
        }
    }

    /// `"GET /path HTTP/1.1" 200` of an access log; false if it is none.
    fn access_log(&mut self, line: &'a [u8]) -> bool {
        for open in memchr::memchr_iter(b'"', line).take(QUOTES_MAX) {
            let rest = &line[open + 1..];
            let Some(close) = memchr::memchr(b'"', rest) else { return false };
            let request = &rest[..close];
            let method = request.iter().take_while(|b| b.is_ascii_uppercase()).count();
            if !(3..=7).contains(&method) || request.get(method) != Some(&b' ') {
                continue;
            }
            let Some(code) = rest.get(close + 2..close + 5).and_then(status) else { continue };
            (self.route, self.status) = (Some(Cow::Borrowed(&request[method + 1..])), code);
            return true;
        }
        false
    }
}

/// Members below it count as if they stood beside it.
const ATTRIBUTES: &str = "attributes";

/// Quotes of a line that are looked behind: fields before the request may have some.
const QUOTES_MAX: usize = 8;

/// A status of HTTP.
fn status(text: &[u8]) -> Option<u16> {
    let number: u16 = std::str::from_utf8(text).ok()?.parse().ok()?;
    (text.len() == 3 && (100..=599).contains(&number)).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::record::RecordId;

    #[track_caller]
    fn check(message: &str, structured: &str, route: &str, status: u16) {
        let envelope = Envelope {
            id: RecordId::default(),
            received: Timestamp::UNIX_EPOCH,
            time: None,
            class: "access",
            expires_at: Timestamp::UNIX_EPOCH,
            stream: "access",
            policy: "p@1",
            priority: None,
            host: b"",
            app: b"",
            procid: b"",
            msgid: b"",
            structured: structured.as_bytes(),
            message: message.as_bytes(),
        };
        let facts = of(&envelope);
        let read = String::from_utf8_lossy(facts.route.as_deref().unwrap_or_default()).into_owned();
        assert_eq!((read.as_str(), facts.status), (route, status), "{message} {structured}");
    }

    #[test]
    fn route_and_status_are_read_where_they_stand() {
        let line =
            r#"192.0.2.0 - - [22/Nov/2026:10:00:00 +0000] "GET /cart?x=1 HTTP/1.1" 200 512 "-" "curl""#;
        check(line, "", "/cart?x=1 HTTP/1.1", 200);
        check(r#"shop "[username]" "POST /pay HTTP/2.0" 402 1"#, "", "/pay HTTP/2.0", 402);
        check(r#"[ipv4] - - "GET /cart HTTP/1.1" 200 5"#, "", "/cart HTTP/1.1", 200);
        check(r#"{"path":"\/cart","status":200}"#, "", "/cart", 200);
        check(r#"{"url":"https://h/x","route":"/x/{id}","status":"404"}"#, "", "/x/{id}", 404);
        check(r#"{"http":{"route":"/x","response":1,"status_code":503}}"#, "", "/x", 503);
        check(r#"{"attributes":{"http.target":"/y","http.status_code":201}}"#, "", "/y", 201);
        check("method=GET path=/cart status=200 bytes=5", "", "/cart", 200);
        check("served", r#"[otlp@32473 http.route="/z" http.status_code="204"]"#, "/z", 204);
        check(r#"{"status":"active","path":7}"#, "", "7", 0);
        check("nothing of it", "", "", 0);
        check(r#"{"status":2000}"#, "", "", 0);
        check(r#"said "GET" and left"#, "", "", 0);
    }
}

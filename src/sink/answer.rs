/*!
What a store's answer means, as far as HTTP itself says.

2xx accepts; 400, 413 and 422 are about the records, and refuse them; anything
else is about the way there or the store itself, and defers, as a broken
connection and silence do, with `Retry-After` honoured: a wrong URL, a missing
permission or a redirect is the operator's to mend, and costs no record. Of an
answer nothing but its status goes into a fault: stores repeat what they were
sent.
*/

use super::{Fault, Verdict};
use crate::store::{self, Answer};
use crate::telemetry::SinkError;

/// What an answer means for all that was sent with the request.
pub(super) fn judge(answer: Result<Answer, store::Fault>) -> Verdict {
    let answer = match answer {
        Ok(answer) => answer,
        Err(fault) => return Verdict::Defer(fault.into(), None),
    };
    match answer.status {
        200..=299 => Verdict::Accept,
        400 | 413 | 422 => Verdict::Refuse(fault(answer.status)),
        status => Verdict::Defer(fault(status), answer.retry_after()),
    }
}

/// A status that is no success, as a fault.
pub(super) fn fault(status: u16) -> Fault {
    let kind = match status {
        429 | 503 => SinkError::Busy,
        408 => SinkError::Timeout,
        500..=599 => SinkError::Server,
        _ => SinkError::Refused,
    };
    Fault { kind, detail: format!("answer {status}") }
}

/// An answer that contradicts itself or cannot be read: nobody knows what became of the records.
pub(super) fn unreadable(what: &str) -> Verdict {
    Verdict::Defer(Fault { kind: SinkError::Broken, detail: format!("the answer {what}") }, None)
}

impl From<store::Fault> for Fault {
    fn from(fault: store::Fault) -> Fault {
        let kind = match fault {
            store::Fault::Connect(_) => SinkError::Connect,
            store::Fault::Timeout(_) => SinkError::Timeout,
            store::Fault::Broken(_) | store::Fault::TooLong(_) | store::Fault::Path => SinkError::Broken,
        };
        Fault { kind, detail: fault.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::{HeaderMap, RETRY_AFTER};

    #[track_caller]
    fn check(status: u16, retry: &str, expected: &str) {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, retry.parse().unwrap());
        let verdict = match judge(Ok(Answer { status, headers, body: "a record".into() })) {
            Verdict::Accept => "accept".to_owned(),
            Verdict::Defer(fault, after) => format!("defer {} {after:?}", fault.kind.label()),
            Verdict::Refuse(fault) => format!("refuse {}", fault.kind.label()),
            Verdict::Settle(outcomes) => format!("settle {}", outcomes.len()),
        };
        assert_eq!(verdict, expected, "{status}");
    }

    #[test]
    fn a_status_says_what_becomes_of_the_records() {
        check(200, "", "accept");
        check(204, "", "accept");
        check(429, "5", "defer busy Some(5s)");
        check(503, "Wed, 21 Oct 2026 07:28:00 GMT", "defer busy None");
        check(500, "", "defer server None");
        check(408, "", "defer timeout None");
        for operators in [302, 401, 403, 404, 405, 407, 415] {
            check(operators, "", "defer refused None");
        }
        check(400, "5", "refuse refused");
        check(413, "", "refuse refused");
        check(422, "", "refuse refused");
    }
}

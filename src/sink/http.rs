/*!
NDJSON over HTTP: `POST`, one record a line, up to [`REQUEST_BYTES`] of them in
one request.

What an answer means: 2xx accepts; 400, 413 and 422 are about the records, and
refuse them; anything else is about the way there or the store itself, and
defers, as a broken connection and silence do, with `Retry-After` honoured: a
wrong URL or a missing permission is the operator's to mend, and costs no record.
Redirects are never followed: records go where the operator said, or nowhere.
Only `http://`; TLS comes with the other protocols.
*/

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER, USER_AGENT};
use hyper::{Request, StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::limit::{ANSWER_BYTES_MAX, DELIVERY_WAIT, REQUEST_BYTES};
use crate::sink::line::{self, Form};
use crate::sink::{Delivery, Fault, Sink, Verdict};
use crate::telemetry::SinkError;

/// An HTTP sink's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where requests go: `http://HOST[:PORT]/PATH`.
    pub url: Uri,
    /// Whether a line is the envelope or the message alone (`raw: true`).
    pub form: Form,
}

/// A client with its connections.
#[derive(Debug)]
pub struct Http {
    settings: Settings,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Http {
    /// A client for one URL. Names are resolved anew with each new connection.
    pub fn new(settings: Settings) -> Http {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(DELIVERY_WAIT));
        let client =
            Client::builder(TokioExecutor::new()).pool_idle_timeout(Duration::from_secs(30)).build(connector);
        Http { settings, client }
    }

    async fn attempt(&self, body: Bytes) -> Verdict {
        let content_type = match self.settings.form {
            Form::Json => "application/x-ndjson",
            Form::Message => "text/plain; charset=utf-8",
        };
        let request = Request::post(self.settings.url.clone())
            .header(CONTENT_TYPE, content_type)
            .header(USER_AGENT, concat!("logveil/", env!("CARGO_PKG_VERSION")))
            .body(Full::new(body))
            .expect("the settings hold a valid URL");
        match self.client.request(request).await {
            Ok(answer) => {
                let verdict = judge(answer.status(), answer.headers());
                // Read to its end, the connection can be used again; beyond the limit it is dropped.
                let _ = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
                verdict
            }
            Err(error) if error.is_connect() => {
                Verdict::Defer(Fault { kind: SinkError::Connect, detail: causes(&error) }, None)
            }
            Err(error) => Verdict::Defer(Fault { kind: SinkError::Broken, detail: causes(&error) }, None),
        }
    }
}

impl Sink for Http {
    async fn send(&mut self, delivery: &mut Delivery<'_>) -> Verdict {
        let mut body = Vec::new();
        line::write_some(delivery, self.settings.form, REQUEST_BYTES, &mut body);
        match tokio::time::timeout(DELIVERY_WAIT, self.attempt(body.into())).await {
            Ok(verdict) => verdict,
            Err(_elapsed) => {
                let detail = format!("no answer within {} s", DELIVERY_WAIT.as_secs());
                Verdict::Defer(Fault { kind: SinkError::Timeout, detail }, None)
            }
        }
    }
}

/// What a status means.
fn judge(status: StatusCode, headers: &HeaderMap) -> Verdict {
    let fault = |kind| Fault { kind, detail: format!("answer {}", status.as_u16()) };
    match status.as_u16() {
        200..=299 => Verdict::Accept,
        429 | 503 => Verdict::Defer(fault(SinkError::Busy), retry_after(headers)),
        408 => Verdict::Defer(fault(SinkError::Timeout), retry_after(headers)),
        500..=599 => Verdict::Defer(fault(SinkError::Server), retry_after(headers)),
        400 | 413 | 422 => Verdict::Refuse(fault(SinkError::Refused)),
        _ => Verdict::Defer(fault(SinkError::Refused), retry_after(headers)),
    }
}

/// Seconds to wait (RFC 9110, section 10.2.3). The form with a date is left to our own waits: it needs two clocks to agree.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// An error with its causes in one line.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(status: u16, retry: &str, expected: &str) {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, retry.parse().unwrap());
        let verdict = match judge(StatusCode::from_u16(status).unwrap(), &headers) {
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

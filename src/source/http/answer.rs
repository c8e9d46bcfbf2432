//! What a client is told.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};

use crate::source::Refused;
use crate::telemetry::Refusal;

/// Why a request was turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Its path is not served.
    #[error("there is nothing here; post records to /v1/logs or to a path below it")]
    Path,
    /// Its method is not served.
    #[error("records are posted here; use POST")]
    Method,
    /// Its content-encoding is not served.
    #[error("content-encoding may be gzip, zstd or identity")]
    Encoding,
    /// Its body is not what it says it is.
    #[error("the body is not what its headers say, or it ends early; nothing of it was taken")]
    Body,
    /// Its body is too large as it is or unpacked.
    #[error("the body is too large, as it is or unpacked; nothing of it was taken, send smaller ones")]
    TooLarge,
    /// Its body came too slowly.
    #[error("the body took too long; nothing of it was taken")]
    Timeout,
    /// There is no room.
    #[error("the queue is full; send all of it again later")]
    Busy,
    /// We end.
    #[error("stopping; send all of it again later")]
    Stopping,
    /// The records are taken, but not all is known to be safe.
    #[error("the records could not be confirmed; send all of it again later")]
    Unconfirmed,
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Problem {
        match refused {
            Refused::Full => Problem::Busy,
            Refused::Stopping => Problem::Stopping,
        }
    }
}

impl Problem {
    /// How it is counted.
    pub fn label(self) -> Refusal {
        match self {
            Problem::Path | Problem::Method | Problem::Encoding => Refusal::Unsupported,
            Problem::Body => Refusal::Malformed,
            Problem::TooLarge => Refusal::TooLarge,
            Problem::Timeout => Refusal::Timeout,
            Problem::Busy => Refusal::Busy,
            Problem::Stopping => Refusal::Stopping,
            Problem::Unconfirmed => Refusal::Unconfirmed,
        }
    }

    fn status(self) -> StatusCode {
        match self {
            Problem::Path => StatusCode::NOT_FOUND,
            Problem::Method => StatusCode::METHOD_NOT_ALLOWED,
            Problem::Encoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Problem::Body => StatusCode::BAD_REQUEST,
            Problem::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Problem::Timeout => StatusCode::REQUEST_TIMEOUT,
            Problem::Busy | Problem::Stopping | Problem::Unconfirmed => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn code(self) -> &'static str {
        match self {
            Problem::Path => "not_found",
            Problem::Method => "method_not_allowed",
            Problem::Encoding => "unsupported_encoding",
            Problem::Body => "malformed_body",
            Problem::TooLarge => "too_large",
            Problem::Timeout => "timeout",
            Problem::Busy => "busy",
            Problem::Stopping => "stopping",
            Problem::Unconfirmed => "unconfirmed",
        }
    }

    /// A header that tells the client what to do.
    fn hint(self) -> Option<(HeaderName, HeaderValue)> {
        match self {
            Problem::Method => Some((ALLOW, HeaderValue::from_static("POST"))),
            Problem::Busy | Problem::Stopping | Problem::Unconfirmed => Some((RETRY_AFTER, RETRY_SECONDS)),
            Problem::Path | Problem::Encoding | Problem::Body | Problem::TooLarge | Problem::Timeout => None,
        }
    }

    /// The whole answer.
    pub fn response(self) -> Response<Full<Bytes>> {
        let text = format!("{{\"error\":{{\"code\":\"{}\",\"message\":\"{self}\"}}}}\n", self.code());
        let mut response = json(self.status(), text);
        response.headers_mut().extend(self.hint());
        response
    }
}

/// The answer once all records are confirmed.
pub fn accepted(records: usize) -> Response<Full<Bytes>> {
    json(StatusCode::OK, format!("{{\"accepted\":{records}}}\n"))
}

fn json(status: StatusCode, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Queues drain in seconds, or not for long.
const RETRY_SECONDS: HeaderValue = HeaderValue::from_static("1");

//! What a client is told, in the form of its protocol.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use hyper::{Response, StatusCode};

use crate::codec::{bulk, hec};
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
    /// It says not who it is.
    #[error("credentials are needed; send a token or a name with its password")]
    NoCredentials,
    /// It is not one of those who may.
    #[error("the credentials are not known here")]
    WrongCredentials,
    /// Its content-encoding is not served.
    #[error("content-encoding may be gzip, zstd, snappy or identity")]
    Encoding,
    /// Its body is not what it says it is.
    #[error("the body is not what its headers say, or it ends early; nothing of it was taken")]
    Body,
    /// Its body is not of the protocol that its path asks for.
    #[error("the body is not what this path takes; nothing of it was taken")]
    Content,
    /// A line of a bulk request is none.
    #[error("{0}; nothing of the request was taken")]
    Bulk(bulk::Malformed),
    /// An event of a collector's request is none.
    #[error("{0}; nothing of the request was taken")]
    Event(hec::Malformed),
    /// A collector's request holds no event.
    #[error("there are no events in the body")]
    NoEvents,
    /// Its body is too large as it is or unpacked.
    #[error("the body is too large, as it is or unpacked; nothing of it was taken, send smaller ones")]
    TooLarge,
    /// Its body came too slowly.
    #[error("the body took too long; nothing of it was taken")]
    Timeout,
    /// Its client sends more than it may.
    #[error("this client sends more than it may; send all of it again later")]
    TooFast,
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

/// In which form a client wants its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tongue {
    /// `{"error":{"code":"...","message":"..."}}`.
    Own,
    /// Elasticsearch's, with the version of the vendor's media type.
    Elastic(Option<u8>),
    /// A line of text.
    Plain,
    /// `google.rpc.Status` in protobuf.
    OtlpProtobuf,
    /// The same in JSON.
    OtlpJson,
    /// Splunk's `{"text":"...","code":0}`.
    Splunk,
}

impl Problem {
    /// How it is counted.
    pub fn label(self) -> Refusal {
        match self {
            Problem::Path | Problem::Method | Problem::Encoding => Refusal::Unsupported,
            Problem::NoCredentials | Problem::WrongCredentials => Refusal::Unauthorized,
            Problem::Body | Problem::Content | Problem::Bulk(_) | Problem::Event(_) | Problem::NoEvents => {
                Refusal::Malformed
            }
            Problem::TooLarge => Refusal::TooLarge,
            Problem::Timeout => Refusal::Timeout,
            Problem::TooFast => Refusal::TooFast,
            Problem::Busy => Refusal::Busy,
            Problem::Stopping => Refusal::Stopping,
            Problem::Unconfirmed => Refusal::Unconfirmed,
        }
    }

    fn status(self, tongue: Tongue) -> StatusCode {
        match self {
            Problem::Path => StatusCode::NOT_FOUND,
            Problem::Method => StatusCode::METHOD_NOT_ALLOWED,
            Problem::WrongCredentials if tongue == Tongue::Splunk => StatusCode::FORBIDDEN,
            Problem::NoCredentials | Problem::WrongCredentials => StatusCode::UNAUTHORIZED,
            Problem::Encoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Problem::Body | Problem::Content | Problem::Bulk(_) | Problem::Event(_) | Problem::NoEvents => {
                StatusCode::BAD_REQUEST
            }
            Problem::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Problem::Timeout => StatusCode::REQUEST_TIMEOUT,
            Problem::TooFast => StatusCode::TOO_MANY_REQUESTS,
            Problem::Busy | Problem::Stopping | Problem::Unconfirmed => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn code(self) -> &'static str {
        match self {
            Problem::Path => "not_found",
            Problem::Method => "method_not_allowed",
            Problem::NoCredentials | Problem::WrongCredentials => "unauthorized",
            Problem::Encoding => "unsupported_encoding",
            Problem::Body | Problem::Content | Problem::Bulk(_) | Problem::Event(_) | Problem::NoEvents => {
                "malformed_body"
            }
            Problem::TooLarge => "too_large",
            Problem::Timeout => "timeout",
            Problem::TooFast => "too_fast",
            Problem::Busy => "busy",
            Problem::Stopping => "stopping",
            Problem::Unconfirmed => "unconfirmed",
        }
    }

    /// As Elasticsearch calls it.
    fn elastic_type(self) -> &'static str {
        match self {
            Problem::NoCredentials | Problem::WrongCredentials => "security_exception",
            Problem::TooLarge => "content_too_long_exception",
            Problem::TooFast | Problem::Busy | Problem::Stopping | Problem::Unconfirmed => {
                "es_rejected_execution_exception"
            }
            Problem::Timeout => "timeout_exception",
            _ => "illegal_argument_exception",
        }
    }

    /// As Splunk numbers it.
    fn splunk_code(self) -> u16 {
        match self {
            Problem::NoCredentials => 2,
            Problem::WrongCredentials => 4,
            Problem::NoEvents => 5,
            Problem::Event(hec::Malformed::Missing(_)) => 12,
            Problem::Event(hec::Malformed::Blank(_)) => 13,
            Problem::Path | Problem::Method => 404,
            Problem::TooFast | Problem::Busy | Problem::Unconfirmed => 9,
            Problem::Stopping => 23,
            _ => 6,
        }
    }

    /// As `google.rpc.Code` numbers it.
    pub fn rpc_code(self) -> u8 {
        match self {
            Problem::NoCredentials | Problem::WrongCredentials => 16,
            Problem::Path | Problem::Method | Problem::Encoding => 12,
            Problem::Timeout => 4,
            Problem::TooFast | Problem::Busy | Problem::Stopping | Problem::Unconfirmed => 14,
            Problem::TooLarge => 8,
            _ => 3,
        }
    }

    /// A header that tells the client what to do.
    fn hint(self) -> Option<(HeaderName, HeaderValue)> {
        match self {
            Problem::Method => Some((ALLOW, HeaderValue::from_static("POST"))),
            Problem::NoCredentials | Problem::WrongCredentials => {
                Some((WWW_AUTHENTICATE, HeaderValue::from_static("Bearer, Basic realm=\"logveil\"")))
            }
            Problem::TooFast | Problem::Busy | Problem::Stopping | Problem::Unconfirmed => {
                Some((RETRY_AFTER, RETRY_SECONDS))
            }
            _ => None,
        }
    }

    /// The whole answer. No word of it comes from the request.
    pub fn response(self, tongue: Tongue) -> Response<Full<Bytes>> {
        let status = self.status(tongue);
        let text = match tongue {
            Tongue::Own => format!("{{\"error\":{{\"code\":\"{}\",\"message\":\"{self}\"}}}}\n", self.code()),
            Tongue::Plain => format!("{self}\n"),
            Tongue::Splunk => {
                let at = match self {
                    Problem::Event(
                        hec::Malformed::Format(at) | hec::Malformed::Missing(at) | hec::Malformed::Blank(at),
                    ) => format!(",\"invalid-event-number\":{at}"),
                    _ => String::new(),
                };
                format!("{{\"text\":\"{self}\",\"code\":{}{at}}}", self.splunk_code())
            }
            Tongue::Elastic(_) => {
                let error = format!("\"type\":\"{}\",\"reason\":\"{self}\"", self.elastic_type());
                format!(
                    "{{\"error\":{{\"root_cause\":[{{{error}}}],{error}}},\"status\":{}}}",
                    status.as_u16()
                )
            }
            Tongue::OtlpJson => format!("{{\"code\":{},\"message\":\"{self}\"}}", self.rpc_code()),
            Tongue::OtlpProtobuf => {
                let message = self.to_string();
                let mut status_message = vec![0x08, self.rpc_code()];
                push_bytes(2, message.as_bytes(), &mut status_message);
                return self.hinted(respond(status, tongue, status_message));
            }
        };
        self.hinted(respond(status, tongue, text))
    }

    fn hinted(self, mut response: Response<Full<Bytes>>) -> Response<Full<Bytes>> {
        response.headers_mut().extend(self.hint());
        response
    }

    /// Its item in the answer to a bulk request.
    pub fn item(self) -> String {
        let status =
            if self.status(Tongue::Elastic(None)) == StatusCode::SERVICE_UNAVAILABLE { 429 } else { 400 };
        rejected(status, self.elastic_type(), &self.to_string())
    }
}

/// An item of the answer to a bulk request that failed. The index is ours: nothing of the request is repeated.
pub fn rejected(status: u16, kind: &str, reason: &str) -> String {
    format!(
        "{{\"_index\":\"logveil\",\"status\":{status},\"error\":{{\"type\":\"{kind}\",\"reason\":\"{reason}\"}}}}"
    )
}

/// An item of the answer to a bulk request that is safe.
pub const CREATED: &str = "{\"_index\":\"logveil\",\"_version\":1,\"result\":\"created\",\
    \"_shards\":{\"total\":1,\"successful\":1,\"failed\":0},\"_seq_no\":0,\"_primary_term\":1,\"status\":201}";

/// The answer once all records are confirmed.
pub fn accepted(records: usize) -> Response<Full<Bytes>> {
    respond(StatusCode::OK, Tongue::Own, format!("{{\"accepted\":{records}}}\n"))
}

const WHY_REJECTED: &str = "logs that nest too deeply were rejected";

/// `ExportLogsServiceResponse` in protobuf; says so if logs were rejected.
pub fn exported_message(rejected: u64) -> Vec<u8> {
    let mut response = Vec::new();
    if rejected > 0 {
        let mut partial = vec![0x08];
        push_varint(rejected, &mut partial);
        push_bytes(2, WHY_REJECTED.as_bytes(), &mut partial);
        push_bytes(1, &partial, &mut response);
    }
    response
}

/// The same as an answer over HTTP.
pub fn exported(tongue: Tongue, rejected: u64) -> Response<Full<Bytes>> {
    let text = match (tongue, rejected) {
        (Tongue::OtlpProtobuf, _) => exported_message(rejected),
        (_, 0) => b"{}".to_vec(),
        _ => {
            let partial =
                format!("{{\"rejectedLogRecords\":\"{rejected}\",\"errorMessage\":\"{WHY_REJECTED}\"}}");
            format!("{{\"partialSuccess\":{partial}}}").into_bytes()
        }
    };
    respond(StatusCode::OK, tongue, text)
}

/// An answer in the form of its protocol.
pub fn respond(status: StatusCode, tongue: Tongue, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let body: Bytes = body.into();
    let is_empty = status == StatusCode::NO_CONTENT;
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let content_type = match tongue {
        Tongue::Own | Tongue::OtlpJson | Tongue::Splunk | Tongue::Elastic(None) => "application/json",
        Tongue::Elastic(Some(7)) => "application/vnd.elasticsearch+json;compatible-with=7",
        Tongue::Elastic(Some(8)) => "application/vnd.elasticsearch+json;compatible-with=8",
        Tongue::Elastic(Some(_)) => "application/vnd.elasticsearch+json;compatible-with=9",
        Tongue::Plain => "text/plain; charset=utf-8",
        Tongue::OtlpProtobuf => "application/x-protobuf",
    };
    if !is_empty {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    if matches!(tongue, Tongue::Elastic(_)) {
        let product = HeaderName::from_static("x-elastic-product");
        response.headers_mut().insert(product, HeaderValue::from_static("Elasticsearch"));
    }
    response
}

/// A protobuf field of bytes; its number is below 16.
fn push_bytes(number: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(number << 3 | 2);
    push_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

fn push_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Queues drain in seconds, or not for long.
const RETRY_SECONDS: HeaderValue = HeaderValue::from_static("1");

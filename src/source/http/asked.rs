//! What a request asks for, by its path and method.

use hyper::Method;
use hyper::header::CONTENT_TYPE;
use hyper::http::request::Parts;

use super::answer::{Problem, Tongue};

/// What is to be done with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A record a line; of `/v1/logs` also OTLP in JSON, if it is that.
    Lines,
    /// OTLP in protobuf.
    Otlp,
    /// Loki's push.
    Loki,
    /// Elasticsearch's bulk request, to an index that the path may name.
    Bulk(Option<String>),
    /// What an Elasticsearch says of itself.
    Cluster,
    /// Splunk's events.
    Events,
    /// Splunk's lines.
    Raw,
    /// Which of Splunk's requests are safe.
    Acks,
    /// Whether it is well: Splunk's question.
    Health,
}

impl Asked {
    /// What the head of a request asks for.
    pub fn of(head: &Parts) -> Result<Asked, Problem> {
        let (method, path) = (&head.method, head.uri.path());
        let is_post = method == Method::POST;
        let is_read = method == Method::GET || method == Method::HEAD;
        let asked = match path {
            "/" if is_read => return Ok(Asked::Cluster),
            "/v1/logs" if is_protobuf(head) => Asked::Otlp,
            "/v1/logs" => Asked::Lines,
            "/loki/api/v1/push" => Asked::Loki,
            "/services/collector" | "/services/collector/event" | "/services/collector/event/1.0" => {
                Asked::Events
            }
            "/services/collector/raw" | "/services/collector/raw/1.0" => Asked::Raw,
            "/services/collector/ack" => Asked::Acks,
            "/services/collector/health" | "/services/collector/health/1.0" if is_read => {
                return Ok(Asked::Health);
            }
            "/_bulk" if is_post || method == Method::PUT => return Ok(Asked::Bulk(None)),
            "/_bulk" => Asked::Bulk(None),
            _ if path.starts_with("/v1/logs/") => Asked::Lines,
            _ => {
                let index = path.strip_prefix('/').and_then(|path| path.strip_suffix("/_bulk"));
                let index = index.filter(|index| !index.is_empty() && !index.contains('/'));
                let index = index.ok_or(Problem::Path)?;
                if method == Method::PUT {
                    return Ok(Asked::Bulk(Some(index.to_owned())));
                }
                Asked::Bulk(Some(index.to_owned()))
            }
        };
        if is_post { Ok(asked) } else { Err(Problem::Method) }
    }
}

/// In which form a client wants its answer, whatever it asks for.
pub fn tongue(head: &Parts) -> Tongue {
    let path = head.uri.path();
    if path.starts_with("/services/collector") {
        return Tongue::Splunk;
    }
    if path == "/loki/api/v1/push" {
        return Tongue::Plain;
    }
    if path == "/v1/logs" && is_protobuf(head) {
        return Tongue::OtlpProtobuf;
    }
    if path == "/" || path.ends_with("/_bulk") {
        return Tongue::Elastic(vendor_version(head));
    }
    Tongue::Own
}

/// The media type of the body, without its parameters, in lower case.
pub fn media_type(head: &Parts) -> Vec<u8> {
    let value = head.headers.get(CONTENT_TYPE).map(|value| value.as_bytes()).unwrap_or_default();
    value.split(|b| *b == b';').next().unwrap_or_default().trim_ascii().to_ascii_lowercase()
}

/// Whether the body says it is a protocol buffer.
pub fn is_protobuf(head: &Parts) -> bool {
    media_type(head) == b"application/x-protobuf"
}

/// The version that a client of Elasticsearch asks to be compatible with, if it speaks the vendor's media types.
fn vendor_version(head: &Parts) -> Option<u8> {
    let of = |name| head.headers.get(name).map(|value| value.as_bytes().to_ascii_lowercase());
    let asked = [of(hyper::header::ACCEPT), of(CONTENT_TYPE)];
    asked.into_iter().flatten().filter(|value| value.starts_with(b"application/vnd.elasticsearch+")).find_map(
        |value| {
            let at = memchr::memmem::find(&value, b"compatible-with=")?;
            value
                .get(at + b"compatible-with=".len())
                .filter(|digit| (b'7'..=b'9').contains(digit))
                .map(|digit| digit - b'0')
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(method: &str, path: &str, content_type: &str) -> Parts {
        let request = hyper::Request::builder().method(method).uri(path).header(CONTENT_TYPE, content_type);
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn each_protocol_has_its_paths() {
        for (method, path, expected) in [
            ("POST", "/v1/logs", Ok(Asked::Lines)),
            ("POST", "/v1/logs/shop?x=y", Ok(Asked::Lines)),
            ("GET", "/v1/logs", Err(Problem::Method)),
            ("POST", "/v1/logsx", Err(Problem::Path)),
            ("POST", "/loki/api/v1/push", Ok(Asked::Loki)),
            ("POST", "/_bulk", Ok(Asked::Bulk(None))),
            ("PUT", "/logs-1/_bulk?pipeline=x", Ok(Asked::Bulk(Some("logs-1".into())))),
            ("GET", "/_bulk", Err(Problem::Method)),
            ("POST", "/a/b/_bulk", Err(Problem::Path)),
            ("POST", "//_bulk", Err(Problem::Path)),
            ("HEAD", "/", Ok(Asked::Cluster)),
            ("POST", "/", Err(Problem::Path)),
            ("POST", "/services/collector/event/1.0", Ok(Asked::Events)),
            ("POST", "/services/collector/raw", Ok(Asked::Raw)),
            ("POST", "/services/collector/ack?channel=x", Ok(Asked::Acks)),
            ("GET", "/services/collector/health", Ok(Asked::Health)),
            ("GET", "/services/collector/raw", Err(Problem::Method)),
        ] {
            assert_eq!(Asked::of(&head(method, path, "")), expected, "{method} {path}");
        }
        assert_eq!(Asked::of(&head("POST", "/v1/logs", "application/x-protobuf; a=b")), Ok(Asked::Otlp));
    }

    #[test]
    fn a_vendor_type_is_answered_by_one() {
        for (content_type, expected) in [
            ("application/vnd.elasticsearch+x-ndjson; compatible-with=9", Some(9)),
            ("application/vnd.elasticsearch+x-ndjson;compatible-with=8", Some(8)),
            ("application/vnd.elasticsearch+json; compatible-with=x", None),
            ("application/x-ndjson", None),
        ] {
            assert_eq!(
                tongue(&head("POST", "/_bulk", content_type)),
                Tongue::Elastic(expected),
                "{content_type}"
            );
        }
    }
}

/*!
Logs of OTLP 1, in protobuf and in JSON, to records.

A log's body is the message: a string as it is, anything else as JSON. `host.name` and `service.name` of the resource are
host and app, the severity is the priority. All the rest is structured data: `resource.…`, `scope.…`, the log's own
attributes by their names, `severity`, `trace_id`, `span_id`, `event_name`. So every string of the envelope is searched.
Bytes are taken for text; what is not UTF-8 in them becomes U+FFFD.
*/

mod json;
mod protobuf;

pub use json::read as read_json;
pub use protobuf::read as read_protobuf;

use super::{Element, Parts};
use crate::clock::Timestamp;

/// What was made of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Read {
    /// Logs that nest too deeply, and are no records.
    pub rejected: u64,
}

/// The request is not what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it holds no logs of OTLP")]
pub struct Malformed;

/// A value of either form.
trait Value: Copy {
    /// Appends what it says: a string's text, JSON of anything else.
    fn write_text(self, out: &mut Vec<u8>) -> Result<(), Fault>;
}

/// What is wrong with one log, or with all of the request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    TooDeep,
    Malformed,
}

impl From<crate::structure::protobuf::Malformed> for Fault {
    fn from(_: crate::structure::protobuf::Malformed) -> Fault {
        Fault::Malformed
    }
}

/// What all logs of a resource share.
#[derive(Clone)]
struct Origin {
    host: Vec<u8>,
    app: Vec<u8>,
    element: Element,
}

impl Origin {
    fn new() -> Origin {
        Origin { host: Vec::new(), app: Vec::new(), element: Element::new("otlp") }
    }

    fn push_resource(&mut self, key: &[u8], value: impl Value, spare: &mut Vec<u8>) -> Result<(), Fault> {
        let text = push(&mut self.element, b"resource.", key, value, spare)?;
        match key {
            b"host.name" => self.host = text.to_vec(),
            b"service.name" => self.app = text.to_vec(),
            b"k8s.pod.name" if self.host.is_empty() => self.host = text.to_vec(),
            _ => {}
        }
        Ok(())
    }
}

/// Adds a parameter; what it says stands in `spare`.
fn push<'s>(
    element: &mut Element,
    prefix: &[u8],
    key: &[u8],
    value: impl Value,
    spare: &'s mut Vec<u8>,
) -> Result<&'s [u8], Fault> {
    spare.clear();
    value.write_text(spare)?;
    element.push(&[prefix, key].concat(), spare);
    Ok(spare)
}

/// One log, as far as it is read.
struct Log {
    origin: Origin,
    message: Vec<u8>,
    severity: u64,
    time: u64,
    observed: u64,
}

impl Log {
    fn new(origin: &Origin) -> Log {
        Log { origin: origin.clone(), message: Vec::new(), severity: 0, time: 0, observed: 0 }
    }

    fn give(self, take: &mut dyn FnMut(Parts<'_>)) {
        let nanos = if self.time > 0 { self.time } else { self.observed };
        take(Parts {
            host: self.origin.host.into(),
            app: self.origin.app.into(),
            structured: self.origin.element.finish().into(),
            message: self.message.into(),
            priority: priority(self.severity),
            time: (nanos > 0).then(|| Timestamp::from_nanosecond(nanos.into()).ok()).flatten(),
        });
    }
}

/// Facility `user`, and the severity of RFC 5424 that the log data model names for a number.
fn priority(severity: u64) -> Option<u8> {
    let severity = match severity {
        1..=8 => 7,
        9..=12 => 6,
        13..=16 => 4,
        17..=20 => 3,
        21..=24 => 2,
        _ => return None,
    };
    Some(8 + severity)
}

#[cfg(test)]
mod tests;

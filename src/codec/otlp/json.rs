//! The same request in JSON: names in lower camel case, identities in hexadecimal, long numbers as text or number.

use data_encoding::BASE64;

use super::{Fault, Log, Malformed, Origin, Parts, Read, Value, push};
use crate::structure::document::{self, Kind, write_string};

/// Gives each log of a request to `take`. The text is checked before the first is given.
pub fn read(body: &[u8], take: &mut dyn FnMut(Parts<'_>)) -> Result<Read, Malformed> {
    let request =
        document::Value::whole(body).filter(|value| value.kind() == Kind::Object).ok_or(Malformed)?;
    let resources = request.get("resourceLogs").ok_or(Malformed)?;
    read_all(resources, take).map_err(|_| Malformed)
}

fn read_all(resources: document::Value<'_>, take: &mut dyn FnMut(Parts<'_>)) -> Result<Read, Fault> {
    let mut spare = Vec::new();
    for resource_logs in resources.elements() {
        let mut origin = Origin::new();
        for (key, value) in attributes(resource_logs.get("resource")) {
            origin.push_resource(&key, value, &mut spare)?;
        }
        for scope_logs in resource_logs.get("scopeLogs").into_iter().flat_map(document::Value::elements) {
            let mut origin = origin.clone();
            let scope = scope_logs.get("scope");
            for name in ["name", "version"] {
                let text = scope.and_then(|scope| scope.get(name)).map(document::Value::plain);
                origin.element.push(format!("scope.{name}").as_bytes(), &text.unwrap_or_default());
            }
            for (key, value) in attributes(scope) {
                push(&mut origin.element, b"scope.", &key, value, &mut spare)?;
            }
            for record in scope_logs.get("logRecords").into_iter().flat_map(document::Value::elements) {
                log(record, &origin, &mut spare)?.give(take);
            }
        }
    }
    Ok(Read::default())
}

fn log(record: document::Value<'_>, origin: &Origin, spare: &mut Vec<u8>) -> Result<Log, Fault> {
    let mut log = Log::new(origin);
    for (key, value) in record.members() {
        let element = &mut log.origin.element;
        match &*document::unescaped(key) {
            b"timeUnixNano" => log.time = number(value),
            b"observedTimeUnixNano" => log.observed = number(value),
            b"severityNumber" => log.severity = severity(value),
            b"severityText" => element.push(b"severity", &value.plain()),
            b"traceId" => element.push(b"trace_id", &value.plain()),
            b"spanId" => element.push(b"span_id", &value.plain()),
            b"eventName" => element.push(b"event_name", &value.plain()),
            b"body" => AnyValue(value).write_text(&mut log.message)?,
            _ => {}
        }
    }
    for (key, value) in attributes(Some(record)) {
        push(&mut log.origin.element, b"", &key, value, spare)?;
    }
    Ok(log)
}

/// The list `attributes` of an object.
fn attributes<'a>(
    object: Option<document::Value<'a>>,
) -> impl Iterator<Item = (std::borrow::Cow<'a, [u8]>, AnyValue<'a>)> {
    pairs(object.and_then(|object| object.get("attributes")))
}

fn pairs<'a>(
    list: Option<document::Value<'a>>,
) -> impl Iterator<Item = (std::borrow::Cow<'a, [u8]>, AnyValue<'a>)> {
    list.into_iter().flat_map(document::Value::elements).filter_map(|pair| {
        let value = pair.get("value").unwrap_or(pair);
        Some((pair.get("key")?.plain(), AnyValue(value)))
    })
}

/// A number, or one in a string; 0 if it is none.
fn number(value: document::Value<'_>) -> u64 {
    std::str::from_utf8(&value.plain()).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// A number, or the name of one: `SEVERITY_NUMBER_WARN2`.
fn severity(value: document::Value<'_>) -> u64 {
    let text = value.plain();
    let Some(name) = text.strip_prefix(b"SEVERITY_NUMBER_") else { return number(value) };
    let names: [&[u8]; 6] = [b"TRACE", b"DEBUG", b"INFO", b"WARN", b"ERROR", b"FATAL"];
    let place = names.iter().position(|known| name.starts_with(known));
    place.map_or(0, |place| 1 + 4 * place as u64)
}

/// `AnyValue` in JSON: an object with one member.
#[derive(Clone, Copy)]
struct AnyValue<'a>(document::Value<'a>);

impl Value for AnyValue<'_> {
    fn write_text(self, out: &mut Vec<u8>) -> Result<(), Fault> {
        let Some((kind, value)) = self.0.members().last() else { return Ok(()) };
        match kind {
            b"stringValue" => out.extend_from_slice(&value.plain()),
            b"bytesValue" => out.extend_from_slice(String::from_utf8_lossy(&bytes(value)).as_bytes()),
            _ => self.write_json(out),
        }
        Ok(())
    }
}

impl AnyValue<'_> {
    /// Its nesting is bounded: the text was checked.
    fn write_json(self, out: &mut Vec<u8>) {
        let Some((kind, value)) = self.0.members().last() else { return out.extend_from_slice(b"null") };
        match (kind, value.kind()) {
            (b"bytesValue", _) => write_string(&bytes(value), out),
            (b"intValue", _) if number_text(&value.plain()) => out.extend_from_slice(&value.plain()),
            (b"arrayValue", Kind::Object) => {
                out.push(b'[');
                let values = value.get("values").into_iter().flat_map(document::Value::elements);
                for (place, element) in values.enumerate() {
                    if place > 0 {
                        out.push(b',');
                    }
                    AnyValue(element).write_json(out);
                }
                out.push(b']');
            }
            (b"kvlistValue", Kind::Object) => {
                out.push(b'{');
                for (place, (key, member)) in pairs(value.get("values")).enumerate() {
                    if place > 0 {
                        out.push(b',');
                    }
                    write_string(&key, out);
                    out.push(b':');
                    member.write_json(out);
                }
                out.push(b'}');
            }
            // A string, a number, a boolean, or what no version of the protocol knows: as it stands.
            _ => out.extend_from_slice(value.text()),
        }
    }
}

fn bytes(value: document::Value<'_>) -> Vec<u8> {
    let text = value.plain();
    // What is no base64 is searched as it stands.
    BASE64.decode(&text).unwrap_or_else(|_| text.into_owned())
}

fn number_text(text: &[u8]) -> bool {
    document::Value::whole(text).is_some_and(|value| value.kind() == Kind::Number)
}

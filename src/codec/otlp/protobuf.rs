//! `ExportLogsServiceRequest` in protobuf. The numbers are those of opentelemetry-proto 1.

use super::{Fault, Log, Malformed, Origin, Parts, Read, Value, push};
use crate::limit::JSON_DEPTH_MAX;
use crate::structure::document::write_string;
use crate::structure::protobuf::{Wire, all, fields, one};

/// Gives each log of a request to `take`.
///
/// The message is checked as it is read: what a malformed one gave before is to be thrown away.
pub fn read(body: &[u8], take: &mut dyn FnMut(Parts<'_>)) -> Result<Read, Malformed> {
    let mut told = Read::default();
    match request(body, take, &mut told) {
        Ok(()) => Ok(told),
        Err(_) => Err(Malformed),
    }
}

fn request(body: &[u8], take: &mut dyn FnMut(Parts<'_>), told: &mut Read) -> Result<(), Fault> {
    let mut spare = Vec::new();
    for resource_logs in all(body, 1) {
        let resource_logs = resource_logs?;
        let mut origin = Origin::new();
        for attribute in all(one(resource_logs, 1)?, 1) {
            let (key, value) = pair(attribute?)?;
            origin.push_resource(key, value, &mut spare)?;
        }
        for scope_logs in all(resource_logs, 2) {
            let scope_logs = scope_logs?;
            let mut origin = origin.clone();
            scope(one(scope_logs, 1)?, &mut origin, &mut spare)?;
            for record in all(scope_logs, 2) {
                match log(record?, &origin, &mut spare) {
                    Ok(log) => log.give(take),
                    Err(Fault::TooDeep) => told.rejected += 1,
                    Err(Fault::Malformed) => return Err(Fault::Malformed),
                }
            }
        }
    }
    Ok(())
}

fn scope(scope: &[u8], origin: &mut Origin, spare: &mut Vec<u8>) -> Result<(), Fault> {
    origin.element.push(b"scope.name", one(scope, 1)?);
    origin.element.push(b"scope.version", one(scope, 2)?);
    for attribute in all(scope, 3) {
        let (key, value) = pair(attribute?)?;
        push(&mut origin.element, b"scope.", key, value, spare)?;
    }
    Ok(())
}

fn log(record: &[u8], origin: &Origin, spare: &mut Vec<u8>) -> Result<Log, Fault> {
    let mut log = Log::new(origin);
    for field in fields(record) {
        let element = &mut log.origin.element;
        match field? {
            (1, Wire::Fixed64(nanos)) => log.time = nanos,
            (2, Wire::Varint(severity)) => log.severity = severity,
            (3, Wire::Bytes(text)) => element.push(b"severity", text),
            (5, Wire::Bytes(body)) => AnyValue(body).write_text(&mut log.message)?,
            (6, Wire::Bytes(attribute)) => {
                let (key, value) = pair(attribute)?;
                push(element, b"", key, value, spare)?;
            }
            (9, Wire::Bytes(id)) => element.push(b"trace_id", data_encoding::HEXLOWER.encode(id).as_bytes()),
            (10, Wire::Bytes(id)) => element.push(b"span_id", data_encoding::HEXLOWER.encode(id).as_bytes()),
            (11, Wire::Fixed64(nanos)) => log.observed = nanos,
            (12, Wire::Bytes(name)) => element.push(b"event_name", name),
            _ => {}
        }
    }
    Ok(log)
}

/// `KeyValue`.
fn pair(message: &[u8]) -> Result<(&[u8], AnyValue<'_>), Fault> {
    Ok((one(message, 1)?, AnyValue(one(message, 2)?)))
}

/// `AnyValue`, as it stands.
#[derive(Clone, Copy)]
struct AnyValue<'a>(&'a [u8]);

impl Value for AnyValue<'_> {
    fn write_text(self, out: &mut Vec<u8>) -> Result<(), Fault> {
        match self.last()? {
            Some((1, Wire::Bytes(text))) => out.extend_from_slice(text),
            Some((7, Wire::Bytes(bytes))) => out.extend_from_slice(String::from_utf8_lossy(bytes).as_bytes()),
            Some(_) => self.write_json(out, 0)?,
            None => {}
        }
        Ok(())
    }
}

impl<'a> AnyValue<'a> {
    /// Of a `oneof` the last counts.
    fn last(self) -> Result<Option<(u32, Wire<'a>)>, Fault> {
        let mut last = None;
        for field in fields(self.0) {
            last = Some(field?);
        }
        Ok(last)
    }

    fn write_json(self, out: &mut Vec<u8>, depth: usize) -> Result<(), Fault> {
        if depth > JSON_DEPTH_MAX {
            return Err(Fault::TooDeep);
        }
        match self.last()? {
            Some((1 | 7, Wire::Bytes(text))) => write_string(text, out),
            Some((2, Wire::Varint(value))) => {
                out.extend_from_slice(if value == 0 { b"false" } else { b"true" })
            }
            Some((3, Wire::Varint(value))) => {
                out.extend_from_slice(value.cast_signed().to_string().as_bytes())
            }
            Some((4, Wire::Fixed64(bits))) => match f64::from_bits(bits) {
                value if value.is_finite() => out.extend_from_slice(value.to_string().as_bytes()),
                value => write_string(value.to_string().as_bytes(), out),
            },
            Some((5, Wire::Bytes(list))) => {
                out.push(b'[');
                for (place, value) in all(list, 1).enumerate() {
                    if place > 0 {
                        out.push(b',');
                    }
                    AnyValue(value?).write_json(out, depth + 1)?;
                }
                out.push(b']');
            }
            Some((6, Wire::Bytes(list))) => {
                out.push(b'{');
                for (place, member) in all(list, 1).enumerate() {
                    let (key, value) = pair(member?)?;
                    if place > 0 {
                        out.push(b',');
                    }
                    write_string(key, out);
                    out.push(b':');
                    value.write_json(out, depth + 1)?;
                }
                out.push(b'}');
            }
            _ => out.extend_from_slice(b"null"),
        }
        Ok(())
    }
}

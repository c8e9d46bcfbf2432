/*!
Fluentd's forward protocol (version 1), one message to its records.

A record's map is the message, as JSON; its tag is the app. `Message`, `Forward`, `PackedForward` and its compressed form are
taken; the compressed one is unpacked by whoever reads, who knows how much room there is.
*/

use super::Parts;
use crate::clock::Timestamp;
use crate::structure::msgpack::{Fault, Head, head, value, write_json};

/// The parts of a message.
pub struct Message<'a> {
    /// Whose records they are.
    pub tag: &'a [u8],
    /// The records.
    pub entries: Entries<'a>,
    /// What the sender wants back once they are safe.
    pub chunk: Option<&'a [u8]>,
}

/// How a message holds its records.
pub enum Entries<'a> {
    /// One of them: time and map.
    One(&'a [u8]),
    /// Pairs of time and map, so many, one after the other.
    Listed(u64, &'a [u8]),
    /// Pairs, one after the other, to the end.
    Packed(&'a [u8]),
    /// The same, compressed by gzip.
    Gzip(&'a [u8]),
    /// The same, compressed by zstd.
    Zstd(&'a [u8]),
}

/// Reads a whole message.
pub fn message(text: &[u8]) -> Result<Message<'_>, Fault> {
    let mut rest = text;
    let Head::Array(2..=4) = head(&mut rest)? else { return Err(Fault::Malformed) };
    let Head::Text(tag) = head(&mut rest)? else { return Err(Fault::Malformed) };
    let second = rest;
    match head(&mut rest)? {
        Head::Array(count) => {
            let entries = rest;
            for _ in 0..count {
                value(&mut rest)?;
            }
            let Wishes { chunk, .. } = option(&mut rest)?;
            Ok(Message { tag, entries: Entries::Listed(count, entries), chunk })
        }
        Head::Text(packed) => {
            let Wishes { chunk, compressed } = option(&mut rest)?;
            let entries = match compressed {
                None | Some(b"text") => Entries::Packed(packed),
                Some(b"gzip") => Entries::Gzip(packed),
                Some(b"zstd") => Entries::Zstd(packed),
                Some(_) => return Err(Fault::Malformed),
            };
            Ok(Message { tag, entries, chunk })
        }
        _ => {
            value(&mut rest)?;
            let Wishes { chunk, .. } = option(&mut rest)?;
            Ok(Message { tag, entries: Entries::One(second), chunk })
        }
    }
}

/// What an option says.
#[derive(Default)]
struct Wishes<'a> {
    chunk: Option<&'a [u8]>,
    compressed: Option<&'a [u8]>,
}

/// The option, if there is one.
fn option<'a>(rest: &mut &'a [u8]) -> Result<Wishes<'a>, Fault> {
    let mut wishes = Wishes::default();
    if rest.is_empty() {
        return Ok(wishes);
    }
    let Head::Map(count) = head(rest)? else { return Ok(wishes) };
    for _ in 0..count {
        let Head::Text(key) = head(rest)? else { return Err(Fault::Malformed) };
        let mut text = value(rest)?;
        let Head::Text(text) = head(&mut text)? else { continue };
        match key {
            b"chunk" => wishes.chunk = Some(text),
            b"compressed" => wishes.compressed = Some(text),
            _ => {}
        }
    }
    Ok(wishes)
}

/// Gives each of `entries` to `take`, pairs that are one after the other: so many, or all. What a malformed one gave
/// before is to be thrown away.
pub fn entries(
    tag: &[u8],
    count: Option<u64>,
    entries: &[u8],
    are_pairs: Shape,
    take: &mut dyn FnMut(Parts<'_>),
) -> Result<(), Fault> {
    let mut rest = entries;
    let mut left = count.unwrap_or(u64::MAX);
    while left > 0 && !(count.is_none() && rest.is_empty()) {
        left -= 1;
        if are_pairs == Shape::Pairs {
            let Head::Array(2) = head(&mut rest)? else { return Err(Fault::Malformed) };
        }
        let time = time(&mut rest)?;
        if !matches!(head(&mut { rest })?, Head::Map(_)) {
            return Err(Fault::Malformed);
        }
        let mut message = Vec::new();
        write_json(&mut rest, &mut message)?;
        take(Parts { app: tag.into(), message: message.into(), time, ..Parts::default() });
    }
    Ok(())
}

/// How a record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// As an array of time and map.
    Pairs,
    /// As a time, and a map behind it.
    Bare,
}

/// Seconds, or an `EventTime`; also with metadata beside it, as Fluent Bit writes it.
fn time(rest: &mut &[u8]) -> Result<Option<Timestamp>, Fault> {
    match head(rest)? {
        Head::Unsigned(seconds) => Ok(i64::try_from(seconds).ok().and_then(|s| Timestamp::new(s, 0).ok())),
        Head::Extension(0, &[a, b, c, d, e, f, g, h]) => {
            let seconds = u32::from_be_bytes([a, b, c, d]);
            let nanos = u32::from_be_bytes([e, f, g, h]);
            let nanos = i32::try_from(nanos).ok();
            Ok(nanos.and_then(|nanos| Timestamp::new(seconds.into(), nanos).ok()))
        }
        Head::Array(2) => {
            let time = time(rest)?;
            value(rest)?;
            Ok(time)
        }
        Head::Float(_) | Head::Nil => Ok(None),
        _ => Err(Fault::Malformed),
    }
}

/// Appends the answer to a message, once its records are safe.
pub fn write_ack(chunk: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"\x81\xa3ack\xda");
    out.extend_from_slice(&u16::try_from(chunk.len()).unwrap_or(u16::MAX).to_be_bytes());
    out.extend_from_slice(&chunk[..chunk.len().min(usize::from(u16::MAX))]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use rmpv::Value;

    fn record(text: &str) -> Value {
        Value::Map(vec![("m".into(), text.into()), ("n".into(), 1.into())])
    }

    fn time_of() -> Value {
        Value::Ext(0, vec![0x69, 0x57, 0x33, 0x65, 0, 0, 0, 6])
    }

    fn pair(text: &str) -> Value {
        Value::Array(vec![time_of(), record(text)])
    }

    fn written(value: &Value) -> Vec<u8> {
        let mut text = Vec::new();
        rmpv::encode::write_value(&mut text, value).unwrap();
        text
    }

    fn read(value: &Value) -> Result<(Vec<String>, Option<String>), Fault> {
        let text = written(value);
        let message = message(&text)?;
        let mut records = Vec::new();
        let mut take = |parts: Parts<'_>| {
            let time = parts.time.map(|time| time.to_string()).unwrap_or_default();
            let (app, message) =
                (String::from_utf8_lossy(&parts.app), String::from_utf8_lossy(&parts.message));
            records.push(format!("{time} {app} {message}"));
        };
        match message.entries {
            Entries::One(text) => entries(message.tag, Some(1), text, Shape::Bare, &mut take)?,
            Entries::Listed(count, text) => entries(message.tag, Some(count), text, Shape::Pairs, &mut take)?,
            Entries::Packed(text) => entries(message.tag, None, text, Shape::Pairs, &mut take)?,
            Entries::Gzip(_) => records.push("gzip".into()),
            Entries::Zstd(_) => records.push("zstd".into()),
        }
        Ok((records, message.chunk.map(|chunk| String::from_utf8_lossy(chunk).into_owned())))
    }

    const ONE: &str = "2026-01-02T02:54:29.000000006Z app.web {\"m\":\"one\",\"n\":1}";

    #[test]
    fn every_mode_says_the_same() {
        let option = Value::Map(vec![("chunk".into(), "c1".into()), ("size".into(), 1.into())]);
        let packed = [written(&pair("one")), written(&pair("one"))].concat();
        let with_metadata =
            Value::Array(vec![Value::Array(vec![time_of(), Value::Map(vec![])]), record("one")]);
        for (message, count, chunk) in [
            (vec!["app.web".into(), time_of(), record("one")], 1, None),
            (vec!["app.web".into(), time_of(), record("one"), option.clone()], 1, Some("c1")),
            (
                vec!["app.web".into(), Value::Array(vec![pair("one"), with_metadata]), option.clone()],
                2,
                Some("c1"),
            ),
            (vec!["app.web".into(), Value::Array(vec![])], 0, None),
            (vec!["app.web".into(), Value::Binary(packed.clone()), option], 2, Some("c1")),
        ] {
            let (records, told) = read(&Value::Array(message)).unwrap();
            assert_eq!(records, vec![ONE; count]);
            assert_eq!(told.as_deref(), chunk);
        }
        let gzip = Value::Map(vec![("compressed".into(), "gzip".into())]);
        let packed = Value::Array(vec!["app.web".into(), Value::Binary(packed), gzip]);
        assert_eq!(read(&packed).unwrap().0, ["gzip"]);
    }

    #[test]
    fn what_is_no_message_is_malformed() {
        for message in [
            Value::Nil,
            Value::Array(vec!["tag".into()]),
            Value::Array(vec![1.into(), 1.into(), record("x")]),
            Value::Array(vec!["tag".into(), 1.into(), "x".into()]),
            Value::Array(vec!["tag".into(), Value::Array(vec![record("x")])]),
            Value::Array(vec!["tag".into(), Value::Binary(vec![1, 2, 3])]),
        ] {
            assert!(matches!(read(&message), Err(Fault::Malformed)), "{message}");
        }
    }

    #[test]
    fn an_ack_names_its_chunk() {
        let mut out = Vec::new();
        write_ack(b"c1", &mut out);
        let ack = rmpv::decode::read_value(&mut &out[..]).unwrap();
        assert_eq!(ack, Value::Map(vec![("ack".into(), "c1".into())]));
    }
}

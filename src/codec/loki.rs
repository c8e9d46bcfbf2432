/*!
Loki's push request, in JSON and in protobuf, to records.

A line is the message. All labels, and the line's structured metadata, are structured data; the labels that by convention
name a host and a program are host and app, too.
*/

use super::{Element, Parts};
use crate::clock::Timestamp;
use crate::structure::document::{Kind, Value, unescaped};
use crate::structure::protobuf::{self, Wire, all, fields, one};

/// The request is not what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it holds no streams of Loki")]
pub struct Malformed;

impl From<protobuf::Malformed> for Malformed {
    fn from(_: protobuf::Malformed) -> Malformed {
        Malformed
    }
}

/// Labels that name a host or a program, the surest first.
const HOSTS: [&[u8]; 5] = [b"host", b"hostname", b"node_name", b"pod", b"instance"];
const APPS: [&[u8]; 6] = [b"app", b"service_name", b"service", b"application", b"container", b"job"];

/// What all lines of a stream share.
struct Stream {
    element: Element,
    host: Named,
    app: Named,
}

/// The value of the surest label so far.
#[derive(Default)]
struct Named {
    place: usize,
    value: Vec<u8>,
}

impl Named {
    fn offer(&mut self, names: &[&[u8]], name: &[u8], value: &[u8]) {
        let Some(place) = names.iter().position(|known| *known == name) else { return };
        if self.value.is_empty() || place < self.place {
            (self.place, self.value) = (place, value.to_vec());
        }
    }
}

impl Stream {
    fn new() -> Stream {
        Stream { element: Element::new("loki"), host: Named::default(), app: Named::default() }
    }

    fn label(&mut self, name: &[u8], value: &[u8]) {
        self.element.push(name, value);
        self.host.offer(&HOSTS, name, value);
        self.app.offer(&APPS, name, value);
    }

    fn give(&self, line: &[u8], element: Element, time: Option<Timestamp>, take: &mut dyn FnMut(Parts<'_>)) {
        take(Parts {
            host: (&self.host.value[..]).into(),
            app: (&self.app.value[..]).into(),
            structured: element.finish().into(),
            message: line.into(),
            priority: None,
            time,
        });
    }
}

/// Gives each line of a JSON request to `take`. The text is checked before the first is given.
pub fn read_json(body: &[u8], take: &mut dyn FnMut(Parts<'_>)) -> Result<(), Malformed> {
    let request = Value::whole(body).ok_or(Malformed)?;
    let streams = request.get("streams").filter(|streams| streams.kind() == Kind::Array).ok_or(Malformed)?;
    for of_stream in streams.elements() {
        let mut stream = Stream::new();
        for (name, value) in of_stream.get("stream").ok_or(Malformed)?.members() {
            stream.label(&unescaped(name), &value.plain());
        }
        for entry in of_stream.get("values").into_iter().flat_map(Value::elements) {
            let mut parts = entry.elements();
            let (Some(time), Some(line)) = (parts.next(), parts.next()) else { return Err(Malformed) };
            let mut element = stream.element.clone();
            for (name, value) in parts.next().into_iter().flat_map(Value::members) {
                element.push(&unescaped(name), &value.plain());
            }
            let nanos = std::str::from_utf8(&time.plain()).ok().and_then(|text| text.parse().ok());
            let time = nanos.and_then(|nanos: i128| Timestamp::from_nanosecond(nanos).ok());
            stream.give(&line.plain(), element, time, take);
        }
    }
    Ok(())
}

/// Gives each line of a protobuf request, unpacked already, to `take`. What a malformed one gave is to be thrown away.
pub fn read_protobuf(body: &[u8], take: &mut dyn FnMut(Parts<'_>)) -> Result<(), Malformed> {
    for of_stream in all(body, 1) {
        let of_stream = of_stream?;
        let mut stream = Stream::new();
        labels(one(of_stream, 1)?, |name, value| stream.label(name, value)).ok_or(Malformed)?;
        for entry in all(of_stream, 2) {
            let entry = entry?;
            let mut element = stream.element.clone();
            for pair in all(entry, 3) {
                let pair = pair?;
                element.push(one(pair, 1)?, one(pair, 2)?);
            }
            stream.give(one(entry, 2)?, element, timestamp(one(entry, 1)?)?, take);
        }
    }
    Ok(())
}

/// `google.protobuf.Timestamp`.
fn timestamp(message: &[u8]) -> Result<Option<Timestamp>, Malformed> {
    let (mut seconds, mut nanos) = (0, 0);
    for field in fields(message) {
        match field? {
            (1, Wire::Varint(value)) => seconds = value.cast_signed(),
            (2, Wire::Varint(value)) => nanos = i32::try_from(value).map_err(|_| Malformed)?,
            _ => {}
        }
    }
    Ok(Timestamp::new(seconds, nanos).ok())
}

/// Reads `{name="value", other="…"}`, values escaped as in Go; nothing if it is not that.
fn labels(text: &[u8], mut each: impl FnMut(&[u8], &[u8])) -> Option<()> {
    let mut rest = text.trim_ascii().strip_prefix(b"{")?.strip_suffix(b"}")?.trim_ascii();
    while !rest.is_empty() {
        let equals = memchr::memchr(b'=', rest)?;
        let name = rest[..equals].trim_ascii();
        let quoted = rest[equals + 1..].trim_ascii_start().strip_prefix(b"\"")?;
        let mut end = 0;
        while *quoted.get(end)? != b'"' {
            end += if quoted[end] == b'\\' { 2 } else { 1 };
        }
        each(name, &unescaped(&quoted[..end]));
        let behind = quoted[end + 1..].trim_ascii_start();
        rest = match behind.strip_prefix(b",") {
            Some(next) => next.trim_ascii_start(),
            None if behind.is_empty() => behind,
            None => return None,
        };
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message as _;

    #[derive(Clone, PartialEq, prost::Message)]
    struct Push {
        #[prost(message, repeated, tag = "1")]
        streams: Vec<Streams>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    struct Streams {
        #[prost(string, tag = "1")]
        labels: String,
        #[prost(message, repeated, tag = "2")]
        entries: Vec<Entry>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    struct Entry {
        #[prost(message, optional, tag = "1")]
        time: Option<Time>,
        #[prost(string, tag = "2")]
        line: String,
        #[prost(message, repeated, tag = "3")]
        metadata: Vec<Label>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    struct Time {
        #[prost(int64, tag = "1")]
        seconds: i64,
        #[prost(int32, tag = "2")]
        nanos: i32,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    struct Label {
        #[prost(string, tag = "1")]
        name: String,
        #[prost(string, tag = "2")]
        value: String,
    }

    type Reader = fn(&[u8], &mut dyn FnMut(Parts<'_>)) -> Result<(), Malformed>;

    fn read(reader: Reader, body: &[u8]) -> (Result<(), Malformed>, Vec<[String; 5]>) {
        let mut records = Vec::new();
        let told = reader(body, &mut |parts| {
            let text = |part: &[u8]| String::from_utf8_lossy(part).into_owned();
            let time = parts.time.map(|time| time.to_string()).unwrap_or_default();
            let [host, app] = [text(&parts.host), text(&parts.app)];
            records.push([time, host, app, text(&parts.structured), text(&parts.message)]);
        });
        (told, records)
    }

    const TIME: &str = "2026-01-02T03:04:05.000000006Z";

    #[test]
    fn both_forms_say_the_same() {
        let json = br#"{"streams":[{"stream":{"job":"varlogs","instance":"web1","q":"a \"b\""},"values":[
            ["1767323045000000006","by jane@example.com\n\"q\"",{"trace":"7"}],["x","two"]]}]}"#;
        let entry = |line: &str, seconds, nanos, metadata| Entry {
            time: Some(Time { seconds, nanos }),
            line: line.into(),
            metadata,
        };
        let trace = Label { name: "trace".into(), value: "7".into() };
        let push = Push {
            streams: vec![Streams {
                labels: r#"{job="varlogs", instance="web1",q="a \"b\""}"#.into(),
                entries: vec![
                    entry("by jane@example.com\n\"q\"", 1_767_323_045, 6, vec![trace]),
                    entry("two", i64::MAX, 0, vec![]),
                ],
            }],
        };
        let structured = r##"[loki@32473 job="varlogs" instance="web1" q="a \"b\"""##;
        let expected = [
            [TIME, "web1", "varlogs", &format!("{structured} trace=\"7\"]"), "by jane@example.com\n\"q\""],
            ["", "web1", "varlogs", &format!("{structured}]"), "two"],
        ];
        let expected = expected.map(|record| record.map(str::to_owned)).to_vec();
        assert_eq!(read(read_json, json), (Ok(()), expected.clone()));
        assert_eq!(read(read_protobuf, &push.encode_to_vec()), (Ok(()), expected));
    }

    #[test]
    fn the_surest_label_names_the_program() {
        let mut stream = Stream::new();
        for (name, value) in [("job", "a"), ("app", "b"), ("service", "c"), ("x", "d")] {
            stream.label(name.as_bytes(), value.as_bytes());
        }
        assert_eq!(stream.app.value, b"b");
    }

    #[test]
    fn what_is_no_request_is_malformed() {
        for body in [
            &b"{}"[..],
            b"{\"streams\":1}",
            b"{\"streams\":[{}]}",
            b"{\"streams\":[{\"stream\":{},\"values\":[[\"1\"]]}]}",
            b"x",
        ] {
            assert_eq!(read(read_json, body).0, Err(Malformed), "{}", String::from_utf8_lossy(body));
        }
        for labels in ["", "{", "{a}", "{a=b}", "{a=\"b}", "{a=\"b\" c=\"d\"}", "{a=\"\\"] {
            let push = Push { streams: vec![Streams { labels: labels.into(), entries: vec![] }] };
            assert_eq!(read(read_protobuf, &push.encode_to_vec()).0, Err(Malformed), "{labels}");
        }
        assert_eq!(read(read_protobuf, b"\x0a\x05x").0, Err(Malformed));
    }
}

/*!
Splunk's HTTP event collector: events, one JSON object after the other, to records.

`event` is the message: a string as it is, anything else as JSON, in place. `host` and `source` are host and app, `time` is
the time; `sourcetype`, `index` and `fields` are structured data.
*/

use super::{Element, Parts};
use crate::clock::Timestamp;
use crate::structure::document::{Kind, Value, unescaped};

/// Why an event is none. Its number among those of the request, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// It is no JSON object.
    #[error("event {0} is no JSON object")]
    Format(usize),
    /// It has no `event`.
    #[error("event {0} has no member event")]
    Missing(usize),
    /// Its `event` is empty.
    #[error("event {0} has an empty member event")]
    Blank(usize),
}

/// Gives each event of a request to `take`; says how many there were. What a malformed one gave is to be thrown away.
pub fn read(body: &[u8], take: &mut dyn FnMut(Parts<'_>)) -> Result<usize, Malformed> {
    let mut rest = body.trim_ascii();
    let mut count = 0;
    while !rest.is_empty() {
        let (event, end) = Value::first(rest).ok_or(Malformed::Format(count))?;
        if event.kind() != Kind::Object {
            return Err(Malformed::Format(count));
        }
        take(parts(event, count)?);
        count += 1;
        rest = rest[end..].trim_ascii_start();
    }
    Ok(count)
}

fn parts(event: Value<'_>, number: usize) -> Result<Parts<'_>, Malformed> {
    let mut parts = Parts::default();
    let mut element = Element::new("hec");
    let mut said = None;
    for (key, value) in event.members() {
        match &*unescaped(key) {
            b"event" => said = Some(value),
            b"time" => parts.time = time(&value.plain()),
            b"host" => parts.host = value.plain(),
            b"source" => parts.app = value.plain(),
            b"fields" if value.kind() == Kind::Object => {
                for (name, value) in value.members() {
                    element.push(&unescaped(name), &value.plain());
                }
            }
            // Whatever else there is stands in the record, and so is searched.
            name => element.push(name, &value.plain()),
        }
    }
    parts.structured = element.finish().into();
    parts.message = match said {
        None => return Err(Malformed::Missing(number)),
        Some(value) if value.kind() == Kind::Null => return Err(Malformed::Missing(number)),
        Some(value) => value.plain(),
    };
    if parts.message.is_empty() {
        return Err(Malformed::Blank(number));
    }
    Ok(parts)
}

/// Seconds since 1970 with decimals, as a number or in a string.
fn time(text: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(text).ok()?;
    let (seconds, decimals) = text.split_once('.').unwrap_or((text, ""));
    let digits =
        decimals.get(..decimals.len().min(9)).filter(|text| text.bytes().all(|b| b.is_ascii_digit()))?;
    let nanos =
        if digits.is_empty() { 0 } else { digits.parse::<i32>().ok()? * 10_i32.pow(9 - digits.len() as u32) };
    Timestamp::new(seconds.parse().ok()?, nanos).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(body: &[u8]) -> (Result<usize, Malformed>, Vec<[String; 5]>) {
        let mut records = Vec::new();
        let told = read(body, &mut |parts| {
            let text = |part: &[u8]| String::from_utf8_lossy(part).into_owned();
            let time = parts.time.map(|time| time.to_string()).unwrap_or_default();
            let [host, app] = [text(&parts.host), text(&parts.app)];
            records.push([time, host, app, text(&parts.structured), text(&parts.message)]);
        });
        (told, records)
    }

    #[test]
    fn reads_events_one_after_the_other() {
        let body =
            br#"{"time":1767323045.5,"host":"web1","source":"shop","sourcetype":"_json","index":"main",
            "event":{"a" : 1.50},"fields":{"b":"c","n":2}}{"event":"two \"q\"","time":"1767323045"}
            {"event":7,"time":true}"#;
        let (told, records) = read_all(body);
        assert_eq!(told, Ok(3));
        let structured = r#"[hec@32473 sourcetype="_json" index="main" b="c" n="2"]"#;
        let expected = [
            ["2026-01-02T03:04:05.5Z", "web1", "shop", structured, "{\"a\" : 1.50}"],
            ["2026-01-02T03:04:05Z", "", "", "", "two \"q\""],
            ["", "", "", "", "7"],
        ];
        assert_eq!(records, expected.map(|record| record.map(str::to_owned)));
    }

    #[test]
    fn says_which_event_is_none() {
        for (body, expected) in [
            (r#"{"event":"x"} x"#, Malformed::Format(1)),
            (r#"[{"event":"x"}]"#, Malformed::Format(0)),
            (r#"{"event":"x"}{"Event":"x"}"#, Malformed::Missing(1)),
            (r#"{"event":null}"#, Malformed::Missing(0)),
            (r#"{"event":""}"#, Malformed::Blank(0)),
        ] {
            assert_eq!(read_all(body.as_bytes()).0, Err(expected), "{body}");
        }
        assert_eq!(read_all(b" \n").0, Ok(0));
    }
}

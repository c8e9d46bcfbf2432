//! RFC 5424, section 6: a header of six parts, structured data, a message.

use super::{Text, number, time};
use crate::record::Record;
use crate::span::Span;

/// Reads what stands behind the priority; nothing if its header is none of RFC 5424.
pub fn parse(text: Text, at: usize) -> Option<Record> {
    let at = version(text, at)?;
    let (time, at) = timestamp(text, at)?;
    let (host, at) = name(text, text.skip(at, b" ")?)?;
    let (app, at) = name(text, text.skip(at, b" ")?)?;
    let (procid, at) = name(text, text.skip(at, b" ")?)?;
    let (msgid, at) = name(text, text.skip(at, b" ")?)?;
    let at = text.skip(at, b" ")?;
    let (structured, message) = body(text, at);
    Some(Record { message, host, app, procid, msgid, structured, time, ..Record::default() })
}

/// VERSION: up to three digits, the first no zero.
fn version(text: Text, at: usize) -> Option<usize> {
    let digits = text.run(at, |b| b.is_ascii_digit());
    number(text.haystack, digits, VERSION_DIGITS_MAX)?;
    if text.haystack[at] == b'0' {
        return None;
    }
    text.skip(digits.end, b" ")
}

/// TIMESTAMP: RFC 3339 or nil.
fn timestamp(text: Text, at: usize) -> Option<(Option<crate::clock::Timestamp>, usize)> {
    if let Some(end) = text.skip(at, b"-") {
        return Some((None, end));
    }
    let (time, len) = time::rfc3339(text.rest(at))?;
    Some((Some(time), at + len))
}

/// HOSTNAME, APP-NAME, PROCID, MSGID: a word, empty if nil.
fn name(text: Text, at: usize) -> Option<(Span, usize)> {
    let word = text.run(at, |b| b > b' ' && b != 0x7F);
    if word.is_empty() {
        return None;
    }
    let is_nil = text.haystack[word.range()] == *b"-";
    Some((if is_nil { Span::new(at, at) } else { word }, word.end))
}

/// STRUCTURED-DATA and MSG. What is no structured data is message.
fn body(text: Text, at: usize) -> (Span, Span) {
    let end = match text.skip(at, b"-") {
        Some(nil) => Some((Span::new(at, at), nil)),
        None => structured_data(text, at).map(|end| (Span::new(at, end), end)),
    };
    let Some((structured, end)) = end else {
        return (Span::new(at, at), text.tail(at));
    };
    match text.rest(end) {
        [] => (structured, text.tail(end)),
        [b' ', ..] => (structured, text.tail(end + 1)),
        _ => (Span::new(at, at), text.tail(at)),
    }
}

/// Where one or more SD-ELEMENTs end.
fn structured_data(text: Text, at: usize) -> Option<usize> {
    let mut end = element(text, at)?;
    while text.rest(end).first() == Some(&b'[') {
        end = element(text, end)?;
    }
    Some(end)
}

/// SD-ELEMENT: `[name key="value" ...]`.
fn element(text: Text, at: usize) -> Option<usize> {
    let mut at = sd_name(text, text.skip(at, b"[")?)?;
    loop {
        if let Some(end) = text.skip(at, b"]") {
            return Some(end);
        }
        at = sd_name(text, text.skip(at, b" ")?)?;
        at = value(text, text.skip(at, b"=\"")?)?;
    }
}

/// SD-NAME: printable ASCII but `=`, space, `]` and `"`.
fn sd_name(text: Text, at: usize) -> Option<usize> {
    let name = text.run(at, |b| b.is_ascii_graphic() && !matches!(b, b'=' | b']' | b'"'));
    (!name.is_empty()).then_some(name.end)
}

/// PARAM-VALUE and its closing quote: `"`, `\` and `]` are escaped by `\`; any other `\` is itself.
fn value(text: Text, mut at: usize) -> Option<usize> {
    loop {
        match text.rest(at) {
            [] | [b']', ..] => return None,
            [b'"', ..] => return Some(at + 1),
            [b'\\', b'"' | b'\\' | b']', ..] => at += 2,
            _ => at += 1,
        }
    }
}

const VERSION_DIGITS_MAX: usize = 3;

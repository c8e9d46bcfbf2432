//! RFC 3164, and the many things that go by its name.

use super::{Text, time};
use crate::clock::Timestamp;
use crate::record::Record;
use crate::span::Span;

/// Reads what stands behind the priority. All that is not time, host or tag is the message.
pub fn parse(text: Text, at: usize, received: Timestamp) -> Record {
    let Some((time, at)) = timestamp(text, at, received) else {
        return match tag(text, at) {
            Some(tag) if tag.has_number(text) => tag.record(text, at),
            _ => Record::plain(text.tail(at)),
        };
    };
    let record = match tag(text, at) {
        Some(tag) => tag.record(text, at),
        None => hosted(text, at),
    };
    Record { time: Some(time), ..record }
}

/// The time, after one stray space perhaps, and the space or colon and space behind it.
fn timestamp(text: Text, at: usize, received: Timestamp) -> Option<(Timestamp, usize)> {
    let at = text.skip(at, b" ").unwrap_or(at);
    let rest = text.rest(at);
    let (time, len) = time::rfc3339(rest).or_else(|| time::rfc3164(rest, received))?;
    let end = at + len;
    let end = text.skip(end, b":").unwrap_or(end);
    match text.rest(end) {
        [] => Some((time, end)),
        [b' ', ..] => Some((time, end + 1)),
        _ => None,
    }
}

/// A record whose header goes on with a host: a word, then perhaps a tag.
fn hosted(text: Text, at: usize) -> Record {
    let host = text.run(at, is_host);
    let Some(next) = text.skip(host.end, b" ").filter(|_| !host.is_empty()) else {
        return Record::plain(text.tail(at));
    };
    let record = match tag(text, next) {
        Some(tag) => tag.record(text, next),
        None => Record::plain(text.tail(next)),
    };
    Record { host, ..record }
}

/// What a host is called: a name, an address, also with a zone or a port.
fn is_host(b: u8) -> bool {
    b.is_ascii_alphanumeric()
        || matches!(b, b'.' | b'-' | b'_' | b':' | b'%' | b'@' | b'#' | b'/')
        || b >= 0x80
}

/// A tag with the colon behind it.
struct Tag {
    app: Span,
    procid: Span,
    end: usize,
}

impl Tag {
    /// Whether it names a process by its number.
    fn has_number(&self, text: Text) -> bool {
        let procid = &text.haystack[self.procid.range()];
        !procid.is_empty() && procid.iter().all(u8::is_ascii_digit)
    }

    /// The record whose message stands behind the tag. A part that is not there stands empty where it would.
    fn record(self, text: Text, at: usize) -> Record {
        let end = text.skip(self.end, b" ").unwrap_or(self.end);
        let host = Span::new(at, at);
        Record { host, app: self.app, procid: self.procid, message: text.tail(end), ..Record::default() }
    }
}

/// `tag:` or `tag[pid]:` before a space or the end.
fn tag(text: Text, at: usize) -> Option<Tag> {
    let app = text.run(at, is_tag);
    if app.is_empty() {
        return None;
    }
    let (procid, end) = match text.skip(app.end, b"[") {
        Some(start) => {
            let procid = text.run(start, |b| b.is_ascii_graphic() && !matches!(b, b'[' | b']'));
            if procid.is_empty() || procid.len() > PROCID_BYTES_MAX {
                return None;
            }
            (procid, text.skip(procid.end, b"]:")?)
        }
        None => (Span::new(app.end, app.end), text.skip(app.end, b":")?),
    };
    matches!(text.rest(end), [] | [b' ', ..]).then_some(Tag { app, procid, end })
}

/// What programs call themselves, `%PIX-7-710005`, `postfix/smtpd` and `sshd(pam_unix)` among them.
fn is_tag(b: u8) -> bool {
    b.is_ascii_alphanumeric()
        || matches!(b, b'.' | b'-' | b'_' | b'/' | b'%' | b'@' | b'#' | b'+' | b'(' | b')')
}

/// RFC 5424, section 6: PROCID has at most 128 characters.
const PROCID_BYTES_MAX: usize = 128;

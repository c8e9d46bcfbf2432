/*!
An envelope as a JSON object (RFC 8259), written straight into the caller's buffer.
*/

use super::Envelope;
use crate::clock::{Decimals, Timestamp, push_time};

impl Envelope<'_> {
    /// Appends the object, on one line and without a line end: what `archive cat --format json` and the NDJSON
    /// sinks give out. Parts that are empty are left out; what is not UTF-8 becomes U+FFFD.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        out.push(b'{');
        self.write_members(out);
        out.push(b'}');
    }

    /// The same without the braces, for an object that has more: behind members that stand there already.
    pub fn write_members(&self, out: &mut Vec<u8>) {
        if let Some(id) = self.id.named() {
            push_name("id", out);
            out.push(b'"');
            id.write(out);
            out.push(b'"');
        }
        if let Some(time) = self.time {
            push_moment("time", time, out);
        }
        push_moment("received", self.received, out);
        push_member("class", self.class.as_bytes(), out);
        push_member("stream", self.stream.as_bytes(), out);
        push_member("host", self.host, out);
        push_member("app", self.app, out);
        push_member("procid", self.procid, out);
        push_member("msgid", self.msgid, out);
        if let Some(priority) = self.priority {
            push_name("priority", out);
            push_byte(priority, out);
        }
        push_member("structured", self.structured, out);
        push_moment("expires_at", self.expires_at, out);
        push_member("policy", self.policy.as_bytes(), out);
        push_name("message", out);
        push_json_string(self.message, out);
    }
}

fn push_member(name: &str, value: &[u8], out: &mut Vec<u8>) {
    if !value.is_empty() {
        push_name(name, out);
        push_json_string(value, out);
    }
}

fn push_moment(name: &str, moment: Timestamp, out: &mut Vec<u8>) {
    push_name(name, out);
    out.push(b'"');
    push_time(moment, Decimals::Shortest, out);
    out.push(b'"');
}

/// Appends a number of up to three digits.
pub fn push_byte(number: u8, out: &mut Vec<u8>) {
    for unit in [100, 10] {
        if number >= unit {
            out.push(b'0' + number / unit % 10);
        }
    }
    out.push(b'0' + number % 10);
}

fn push_name(name: &str, out: &mut Vec<u8>) {
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
    out.push(b'"');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

/// Appends text as a JSON string (RFC 8259, section 7); what is not UTF-8 becomes U+FFFD.
pub fn push_json_string(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    if str::from_utf8(text).is_ok() {
        push_escaped(text, out);
    } else {
        for chunk in text.utf8_chunks() {
            push_escaped(chunk.valid().as_bytes(), out);
            if !chunk.invalid().is_empty() {
                out.extend_from_slice("\u{fffd}".as_bytes());
            }
        }
    }
    out.push(b'"');
}

/// Where the first byte stands that JSON has another form for. Whole vectors of bytes are asked for any such byte at
/// once: most texts have none.
fn special(text: &[u8]) -> Option<usize> {
    const VECTOR_BYTES: usize = 32;
    let is_special = |byte: &u8| (*byte < 0x20) | (*byte == b'"') | (*byte == b'\\');
    let any = |bytes: &[u8]| bytes.iter().fold(false, |any, byte| any | is_special(byte));
    let clean = text.chunks_exact(VECTOR_BYTES).take_while(|bytes| !any(bytes)).count() * VECTOR_BYTES;
    Some(clean + text[clean..].iter().position(is_special)?)
}

fn push_escaped(mut text: &[u8], out: &mut Vec<u8>) {
    while let Some(at) = special(text) {
        out.extend_from_slice(&text[..at]);
        match text[at] {
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\r' => out.extend_from_slice(b"\\r"),
            byte @ (b'"' | b'\\') => out.extend_from_slice(&[b'\\', byte]),
            control => {
                out.extend_from_slice(b"\\u00");
                out.extend([control >> 4, control & 15].map(|digit| b"0123456789abcdef"[usize::from(digit)]));
            }
        }
        text = &text[at + 1..];
    }
    out.extend_from_slice(text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::RecordId;
    use proptest::prelude::*;

    fn json(message: &[u8], host: &[u8]) -> Vec<u8> {
        let envelope = Envelope {
            id: RecordId { run: 0xfe, sequence: 10 },
            received: "2026-11-22T10:00:00.5Z".parse().expect("a moment"),
            time: None,
            class: "access",
            expires_at: "2027-02-20T10:00:00.5Z".parse().expect("a moment"),
            stream: "access",
            policy: "default@1",
            priority: Some(13),
            host,
            app: b"",
            procid: b"",
            msgid: b"",
            structured: b"",
            message,
        };
        let mut out = Vec::new();
        envelope.write_json(&mut out);
        out
    }

    #[test]
    fn leaves_out_what_is_empty() {
        let expected = r#"{"id":"00000000000000fe000000000000000a","received":"2026-11-22T10:00:00.5Z","class":"access","stream":"access","priority":13,"expires_at":"2027-02-20T10:00:00.5Z","policy":"default@1","message":"a \"b\" \\ \u0001\n�"}"#;
        assert_eq!(String::from_utf8(json(b"a \"b\" \\ \x01\n\xff", b"")).unwrap(), expected);
    }

    proptest! {
        /// The message of the object, read by another's parser, is the message with U+FFFD for what is not UTF-8.
        #[test]
        fn is_json_whatever_the_bytes(
            message in prop::collection::vec(any::<u8>(), 0..200),
            host in prop::collection::vec(any::<u8>(), 0..20),
        ) {
            let object: serde_json::Value = serde_json::from_slice(&json(&message, &host)).unwrap();
            let lossy = String::from_utf8_lossy(&message);
            prop_assert_eq!(object["message"].as_str(), Some(lossy.as_ref()));
        }
    }
}

/*!
How text is put together: where keys and values are, and how values are written.

Nothing here knows what is sensitive. [`field`] finds the key before a
separator and the value after it, in JSON, logfmt, query strings, headers,
command lines and their likes; [`document`] walks whole JSON texts; [`json`] and [`percent`] undo the two ways in
which logs write values. [`path`] compares where a value stands, [`walk`]
goes through texts that are all fields. All of it works on bytes that need not be UTF-8, and
no function reads further than its bounds say.
*/

pub mod document;
pub mod field;
pub mod json;
pub mod member;
pub mod msgpack;
pub mod path;
pub mod percent;
pub mod protobuf;
pub mod signal;
pub mod walk;

/// How a value is written where it was found. [`decode`] undoes `json` first, then `percent`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Form {
    /// Levels of JSON string around it: 0 outside of JSON, 1 in a JSON string, 2 in JSON inside a JSON string.
    pub json: u8,
    /// A number, `true`, `false` or `null` of JSON whose strings are at level `json`: text in its place needs quotes.
    pub bare: bool,
    /// Rounds of percent-encoding (RFC 3986, section 2.1).
    pub percent: u8,
}

impl Form {
    /// A value that stands as it is.
    pub const PLAIN: Form = Form { json: 0, bare: false, percent: 0 };

    /// A value inside a JSON string of this level.
    pub fn json(level: u8) -> Form {
        Form { json: level, ..Form::PLAIN }
    }
}

/// Replaces `out` by the plain value of `text`, which is written as `form` says.
///
/// What cannot be decoded stays as it is, so that the result never lacks a byte that somebody could read.
pub fn decode(text: &[u8], form: Form, out: &mut Vec<u8>) {
    out.clear();
    out.extend_from_slice(text);
    let len = decode_in_place(out, form);
    out.truncate(len);
}

/// Makes `text`, which is written as `form` says, its plain value; returns the length of that.
pub fn decode_in_place(text: &mut [u8], form: Form) -> usize {
    let mut len = text.len();
    let json_rounds = if form.bare { 0 } else { form.json };
    for _ in 0..json_rounds {
        len = json::unescape(&mut text[..len]);
    }
    for _ in 0..form.percent {
        len = percent::decode(&mut text[..len]);
    }
    len
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, form: Form, plain: &str) {
        let mut out = Vec::new();
        decode(text.as_bytes(), form, &mut out);
        assert_eq!(String::from_utf8_lossy(&out), plain);
    }

    #[test]
    fn undoes_json_then_percent() {
        check("a\\u0040b.org", Form::json(1), "a@b.org");
        check("a\\\\u0040b.org", Form::json(2), "a@b.org");
        check("a%40b.org", Form { percent: 1, ..Form::PLAIN }, "a@b.org");
        check("a%2540b.org", Form { percent: 2, ..Form::PLAIN }, "a@b.org");
        check("a\\u002540b.org", Form { json: 1, bare: false, percent: 1 }, "a@b.org");
        check("12", Form { json: 1, bare: true, percent: 0 }, "12");
    }
}

/*!
The signals by which somebody asks not to be tracked: `DNT: 1` (W3C, Tracking
Preference Expression) and `Sec-GPC: 1` (W3C, Global Privacy Control).

They are looked for in any notation in which logs write a request's headers:
members of JSON, header lines, logfmt, structured data, lists of pairs. What
stands in a place that an outsider writes counts as well: the worst that it can
do is to hide more.
*/

use std::sync::OnceLock;

use aho_corasick::AhoCorasick;

use crate::structure::field::{self, After, Key, LastRun};

/// Last parts of the names under which the signals are logged.
const ENDS: &[&str] = &["dnt", "gpc", "donottrack", "do_not_track", "do-not-track"];

/// Those names whole, without punctuation.
const NAMES: &[&[u8]] = &[
    b"dnt",
    b"gpc",
    b"secgpc",
    b"donottrack",
    b"httpdnt",
    b"httpsecgpc",
    b"headerdnt",
    b"headersecgpc",
    b"requestheaderdnt",
    b"requestheadersecgpc",
    b"globalprivacycontrol",
];

fn ends() -> &'static AhoCorasick {
    static ENDS_FOUND: OnceLock<AhoCorasick> = OnceLock::new();
    let build = || AhoCorasick::builder().ascii_case_insensitive(true).build(ENDS).expect("short literals");
    ENDS_FOUND.get_or_init(build)
}

/// Whether the text carries such a signal. Linear.
pub fn asks_not_to_be_tracked(text: &[u8]) -> bool {
    let mut run = LastRun::default();
    ends().find_iter(text).any(|end| {
        let key = key_at(text, end.end());
        key.is_some_and(|key| {
            is_name(&text[key.name.range()])
                && matches!(value(text, key, &mut run), Some(value) if is_set(value))
        })
    })
}

/// The key that ends at `end`, by the separator behind it or by the value beside it.
fn key_at(text: &[u8], end: usize) -> Option<Key> {
    let behind = text[end..].iter().take_while(|b| b"\"'\\] \t".contains(b)).count();
    let separated = matches!(text.get(end + behind), Some(b':' | b'='));
    let key = if separated { field::key_before(text, end + behind) } else { field::key_of_pair(text, end) };
    key.filter(|key| key.name.end == end)
}

fn value<'t>(text: &'t [u8], key: Key, run: &mut LastRun) -> Option<&'t [u8]> {
    match field::value_after(text, key, run) {
        After::One(value) => Some(&text[value.span.range()]),
        // A list of one: `"dnt":["1"]`.
        After::Composite { at, .. } => {
            let inner = text[at..].iter().position(|b| !b"[\"'\\ ".contains(b)).map(|len| at + len)?;
            Some(&text[inner..inner + 1])
        }
    }
}

/// The last part of a dotted name counts: `http.request.headers.dnt`.
fn is_name(name: &[u8]) -> bool {
    let last = name.rsplit(|&b| b == b'.').next().unwrap_or(name);
    let plain: Vec<u8> =
        last.iter().filter(|b| b.is_ascii_alphanumeric()).map(u8::to_ascii_lowercase).collect();
    NAMES.contains(&&*plain)
}

fn is_set(value: &[u8]) -> bool {
    let value = value.trim_ascii();
    value == b"1" || [&b"true"[..], b"yes", b"on"].iter().any(|word| value.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signal_is_known_in_every_notation() {
        for text in [
            "DNT: 1",
            "Sec-GPC: 1",
            "GET / HTTP/1.1\r\nHost: x\r\ndnt: 1\r\n",
            r#"{"method":"GET","headers":{"DNT":"1"}}"#,
            r#"{"dnt":1}"#,
            r#"{"http.request.headers.sec-gpc":["1"]}"#,
            r#"{"request":"{\"Sec-GPC\":\"1\"}"}"#,
            r#"{"donottrack":true}"#,
            r#"{"do_not_track":true}"#,
            "method=GET dnt=1 ip=192.0.2.1",
            "method=GET sec_gpc=\"1\"",
            r#"[req@32473 http_dnt="1"]"#,
            r#"[["Host","x"],["DNT","1"]]"#,
            r#"{"name":"DNT","value":"1"}"#,
            "dnt: 0 then DNT: 1",
        ] {
            assert!(asks_not_to_be_tracked(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn what_is_no_signal_is_none() {
        for text in [
            "",
            "dnt",
            "DNT: 0",
            "Sec-GPC: ?0",
            r#"{"dnt":"0"}"#,
            r#"{"dnt":null}"#,
            "dnt=10",
            "student=1 agpc=1",
            "dnt is 1",
            "wouldnt: 1",
        ] {
            assert!(!asks_not_to_be_tracked(text.as_bytes()), "{text}");
        }
    }
}

/*!
JSON documents (RFC 8259), read where they stand: a value is a piece of the text, checked once, and nothing is built.

A text is checked whole before any of it is given out, so what walks a [`Value`] afterwards meets no surprise. Nesting is
followed to [`JSON_DEPTH_MAX`] without recursion; what is deeper is no value.
*/

use std::borrow::Cow;

use super::json;
use crate::limit::JSON_DEPTH_MAX;

/// A value: its text, without the space around it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Value<'a>(&'a [u8]);

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `{…}`
    Object,
    /// `[…]`
    Array,
    /// `"…"`
    String,
    /// As it is written, of any size.
    Number,
    /// `true` or `false`
    Boolean,
    /// `null`
    Null,
}

impl<'a> Value<'a> {
    /// The one value that a text is, with space around it at most.
    pub fn whole(text: &'a [u8]) -> Option<Value<'a>> {
        let (value, end) = Value::first(text)?;
        (skip_space(text, end) == text.len()).then_some(value)
    }

    /// The value that a text begins with, and where it ends. Another one may follow.
    pub fn first(text: &'a [u8]) -> Option<(Value<'a>, usize)> {
        let start = skip_space(text, 0);
        let end = value_end(text, start)?;
        Some((Value(&text[start..end]), end))
    }

    /// As it is written.
    pub fn text(self) -> &'a [u8] {
        self.0
    }

    /// What it is.
    pub fn kind(self) -> Kind {
        match self.0.first() {
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(b'"') => Kind::String,
            Some(b't' | b'f') => Kind::Boolean,
            Some(b'n') => Kind::Null,
            _ => Kind::Number,
        }
    }

    /// The members of an object, in their order; none of anything else. A key is as it is written, without its quotes.
    pub fn members(self) -> impl Iterator<Item = (&'a [u8], Value<'a>)> {
        let text = self.0;
        let mut at = if self.kind() == Kind::Object { 1 } else { text.len() };
        std::iter::from_fn(move || {
            let key = next_value(text, &mut at)?;
            at = skip_space(text, at) + 1;
            let value = next_value(text, &mut at)?;
            Some((&key.0[1..key.0.len() - 1], value))
        })
    }

    /// The elements of an array, in their order; none of anything else.
    pub fn elements(self) -> impl Iterator<Item = Value<'a>> + Clone {
        let text = self.0;
        let mut at = if self.kind() == Kind::Array { 1 } else { text.len() };
        std::iter::from_fn(move || next_value(text, &mut at))
    }

    /// The member of that name. Of several the last, as most parsers have it.
    pub fn get(self, name: &str) -> Option<Value<'a>> {
        self.members().filter(|(key, _)| unescaped(key) == name.as_bytes()).last().map(|(_, value)| value)
    }

    /// What a string says.
    pub fn string(self) -> Option<Cow<'a, [u8]>> {
        (self.kind() == Kind::String).then(|| unescaped(&self.0[1..self.0.len() - 1]))
    }

    /// What a string says; of anything else its text.
    pub fn plain(self) -> Cow<'a, [u8]> {
        self.string().unwrap_or(Cow::Borrowed(self.0))
    }
}

/// What stands between a string's quotes, with its escapes undone.
pub fn unescaped(inside: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'\\', inside).is_none() {
        return Cow::Borrowed(inside);
    }
    let mut plain = inside.to_vec();
    let len = json::unescape(&mut plain);
    plain.truncate(len);
    Cow::Owned(plain)
}

/// Appends a JSON string that says `text`; what is not UTF-8 becomes U+FFFD.
pub fn write_string(text: &[u8], out: &mut Vec<u8>) {
    let written = serde_json::to_writer(out, &String::from_utf8_lossy(text));
    debug_assert!(written.is_ok(), "writing to memory does not fail");
}

/// The next value of a checked array or object, and moves `at` behind it; nothing at the end.
fn next_value<'a>(text: &'a [u8], at: &mut usize) -> Option<Value<'a>> {
    let mut start = skip_space(text, *at);
    if text.get(start) == Some(&b',') {
        start = skip_space(text, start + 1);
    }
    let end = value_end(text, start)?;
    *at = end;
    Some(Value(&text[start..end]))
}

/// Where the value ends that begins at `at`; nothing if none does.
fn value_end(text: &[u8], mut at: usize) -> Option<usize> {
    // One bit a level: whether it is an object.
    let (mut objects, mut depth) = (0_u128, 0_usize);
    loop {
        let opened = match text.get(at)? {
            b'{' | b'[' if depth == JSON_DEPTH_MAX => return None,
            opening @ (b'{' | b'[') => {
                let is_object = *opening == b'{';
                objects = objects << 1 | u128::from(is_object);
                depth += 1;
                at = skip_space(text, at + 1);
                let closing = if is_object { b'}' } else { b']' };
                if text.get(at) != Some(&closing) {
                    if is_object {
                        at = key_end(text, at)?;
                    }
                    continue;
                }
                true
            }
            _ => false,
        };
        if !opened {
            at = scalar_end(text, at)?;
        }
        // Behind a value: what closes, closes; a comma goes on.
        loop {
            if depth == 0 {
                return Some(at);
            }
            at = skip_space(text, at);
            let is_object = objects & 1 == 1;
            match (text.get(at)?, is_object) {
                (b'}', true) | (b']', false) => {
                    objects >>= 1;
                    depth -= 1;
                    at += 1;
                }
                (b',', true) => {
                    at = key_end(text, skip_space(text, at + 1))?;
                    break;
                }
                (b',', false) => {
                    at = skip_space(text, at + 1);
                    break;
                }
                _ => return None,
            }
        }
    }
}

/// Behind the key at `at`, its colon and the space around that.
fn key_end(text: &[u8], at: usize) -> Option<usize> {
    let colon = skip_space(text, string_end(text, at)?);
    (*text.get(colon)? == b':').then(|| skip_space(text, colon + 1))
}

fn scalar_end(text: &[u8], at: usize) -> Option<usize> {
    let word = |word: &[u8]| text[at..].starts_with(word).then_some(at + word.len());
    match text.get(at)? {
        b'"' => string_end(text, at),
        b't' => word(b"true"),
        b'f' => word(b"false"),
        b'n' => word(b"null"),
        _ => number_end(text, at),
    }
}

/// RFC 8259, section 7.
fn string_end(text: &[u8], at: usize) -> Option<usize> {
    if *text.get(at)? != b'"' {
        return None;
    }
    let mut at = at + 1;
    loop {
        match text.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => match text.get(at + 1)? {
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => at += 2,
                b'u' => {
                    json::code_unit(text, at)?;
                    at += 6;
                }
                _ => return None,
            },
            0..0x20 => return None,
            _ => at += 1,
        }
    }
}

/// RFC 8259, section 6.
fn number_end(text: &[u8], at: usize) -> Option<usize> {
    let digits = |at: usize| text[at..].iter().take_while(|b| b.is_ascii_digit()).count();
    let mut at = at + usize::from(text.get(at) == Some(&b'-'));
    match (text.get(at)?, digits(at)) {
        (_, 0) => return None,
        (b'0', _) => at += 1,
        (_, count) => at += count,
    }
    if text.get(at) == Some(&b'.') {
        let count = digits(at + 1);
        if count == 0 {
            return None;
        }
        at += 1 + count;
    }
    if let Some(b'e' | b'E') = text.get(at) {
        let sign = usize::from(matches!(text.get(at + 1), Some(b'+' | b'-')));
        let from = at + 1 + sign;
        let count = if from <= text.len() { digits(from) } else { 0 };
        if count == 0 {
            return None;
        }
        at = from + count;
    }
    Some(at)
}

fn skip_space(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    at + rest.iter().take_while(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r')).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn show(bytes: &[u8]) -> String {
        String::from_utf8_lossy(bytes).into_owned()
    }

    #[test]
    fn walks_objects_and_arrays_in_their_order() {
        let text = br#" { "a" : [1, -2.5e+3 ,"x\"]"] ,"b\u0020c":{}, "d":null,"e":[[],{"f":true}] } "#;
        let value = Value::whole(text).unwrap();
        let members: Vec<_> = value.members().map(|(key, value)| (show(key), show(value.text()))).collect();
        let expected = [
            ("a", r#"[1, -2.5e+3 ,"x\"]"]"#),
            (r"b\u0020c", "{}"),
            ("d", "null"),
            ("e", r#"[[],{"f":true}]"#),
        ];
        assert_eq!(members, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
        let elements: Vec<_> = value.get("a").unwrap().elements().map(|v| show(&v.plain())).collect();
        assert_eq!(elements, ["1", "-2.5e+3", "x\"]"]);
        assert_eq!(value.get("b c").unwrap().kind(), Kind::Object);
        assert_eq!(value.get("e").unwrap().elements().count(), 2);
        assert!(value.get("f").is_none());
    }

    #[test]
    fn of_keys_that_come_twice_the_last_counts() {
        let value = Value::whole(br#"{"a":1,"a":2}"#).unwrap();
        assert_eq!(value.get("a").unwrap().text(), b"2");
    }

    #[test]
    fn gives_one_document_after_the_other() {
        let text = br#"{"a":1}{"b":2} 3"#;
        let (one, end) = Value::first(text).unwrap();
        let (two, next) = Value::first(&text[end..]).unwrap();
        assert_eq!((one.text(), two.text()), (&br#"{"a":1}"#[..], &br#"{"b":2}"#[..]));
        assert_eq!(Value::whole(&text[end + next..]).unwrap().kind(), Kind::Number);
    }

    #[test]
    fn nesting_ends_at_its_limit() {
        let nested = |depth: usize| [b"[".repeat(depth), b"]".repeat(depth)].concat();
        assert!(Value::whole(&nested(JSON_DEPTH_MAX)).is_some());
        assert!(Value::whole(&nested(JSON_DEPTH_MAX + 1)).is_none());
        assert!(Value::whole(&b"[".repeat(1_000_000)).is_none());
    }

    /// Texts near JSON, so that each law meets both kinds.
    fn texts() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("null".to_owned()),
            Just("true".to_owned()),
            Just("\"a\\n\\u00e9\"".to_owned()),
            any::<i32>().prop_map(|n| n.to_string()),
            any::<f64>().prop_map(|n| format!("{n:e}")),
        ];
        let tree = leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(|list| format!("[{}]", list.join(" ,"))),
                prop::collection::vec(inner, 0..4).prop_map(|list| {
                    let members: Vec<_> =
                        list.iter().enumerate().map(|(n, v)| format!("\"k{n}\": {v}")).collect();
                    format!("{{{}}}", members.join(","))
                }),
            ]
        });
        (tree, any::<prop::sample::Index>(), prop::option::of("[\\[\\]{},:\"0e.-]")).prop_map(
            |(mut text, at, put)| {
                if let Some(put) = put {
                    text.insert_str(at.index(text.len() + 1).min(text.len()), &put);
                }
                text
            },
        )
    }

    proptest! {
        /// It takes what another's parser takes, and nothing else; numbers beyond a double are no matter to us.
        #[test]
        fn takes_json_alone(text in texts()) {
            let theirs = serde_json::from_str::<serde_json::Value>(&text);
            let out_of_range = theirs.as_ref().is_err_and(|error| error.to_string().contains("out of range"));
            prop_assume!(!out_of_range);
            prop_assert_eq!(Value::whole(text.as_bytes()).is_some(), theirs.is_ok(), "{}", text);
        }

        #[test]
        fn nothing_makes_it_panic(text in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Some(value) = Value::whole(&text) {
                value.members().for_each(drop);
                value.elements().for_each(drop);
            }
        }
    }
}

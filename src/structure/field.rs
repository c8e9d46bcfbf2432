/*!
Keys and the values that belong to them.

The key is found backwards from a separator, the value forwards from it, so
that no grammar has to be known beforehand: `"key": value` of JSON, `key=value`
of logfmt and query strings, `Key: value` of headers, `'key' => 'value'` of
Ruby, `--key value` of command lines and `<key>value</key>` all come to the
same two questions. Whoever asks looks the key up first and pays for the value
only when the key is of interest.

Linear: a key is looked for in [`limit::KEY_BYTES_MAX`] bytes, a value is read
once.
*/

use memchr::memrchr;

use super::json;
use super::{Form, percent};
use crate::limit;
use crate::span::Span;

/// A key and where its value is to be looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// The name alone, without quotes.
    pub name: Span,
    /// How tightly key and value are tied.
    pub tie: Tie,
    /// Level of the key's quotes, 0 if it has none.
    pub level: u8,
    /// The first byte after the separator.
    pub after: usize,
}

/// What ties a value to its key; a loose tie is weaker evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tie {
    /// `"key":`, `'key' =>`, `"key"=`.
    Quoted,
    /// `key=`.
    Equals,
    /// `key =`: a space before the sign, so that one may stand after it.
    SpacedEquals,
    /// `key: `, as in headers and YAML.
    Colon,
    /// `key:value`.
    TightColon,
    /// `--key value`.
    Flag,
    /// `<key>value</key>`.
    Element,
}

/// Longest separator, in bytes: `===`.
const SEPARATOR_BYTES_MAX: usize = 3;

/// The key before the separator at `at`, its first sign: `=`, `:`, `:=`, `=>` and their likes.
pub fn key_before(haystack: &[u8], at: usize) -> Option<Key> {
    if at > 0 && b"=<>:".contains(&haystack[at - 1]) {
        return None;
    }
    // `:=`, `=>`, `==` and `::` are one sign: taken apart, its second half would be the value.
    // Behind `=` a colon is the value's: `ip=::1`.
    let joining: &[u8] = if haystack[at] == b'=' { b"=>" } else { b":=>" };
    let signs = haystack[at..].iter().take(SEPARATOR_BYTES_MAX).take_while(|b| joining.contains(b)).count();
    let after = at + signs;
    let name_end = key_end(haystack, at);
    // `password != other` compares two names.
    if haystack[name_end..at].contains(&b'!') && !quote_follows(haystack, after) {
        return None;
    }
    match haystack[..name_end].last()? {
        &quote @ (b'"' | b'\'') => quoted_key(haystack, name_end - 1, quote, after),
        _ => bare_key(haystack, name_end, at, after),
    }
}

/// Where the key ends, its closing quote included, that stands before the separator at `at`: spaces, the rest of `!=` and
/// `?=` and the bracket of `map["key"] =` do not belong to it.
pub fn key_end(haystack: &[u8], at: usize) -> usize {
    let mut end = json::skip_space_back(haystack, at);
    if haystack.get(at) == Some(&b'=') && matches!(haystack[..end].last(), Some(b'!' | b'?')) {
        end = json::skip_space_back(haystack, end - 1);
    }
    match haystack[..end] {
        [.., b'"' | b'\'', b']'] => end - 1,
        _ => end,
    }
}

fn quote_follows(haystack: &[u8], at: usize) -> bool {
    let space = haystack[at..].iter().take_while(|&&b| b == b' ').count();
    quote_at(haystack, at + space).is_some()
}

fn quoted_key(haystack: &[u8], quote_at: usize, quote: u8, after: usize) -> Option<Key> {
    let backslashes = json::backslashes_before(haystack, quote_at);
    // A number under a key in single quotes is no JSON: what replaces it needs no quotes.
    let level = if quote == b'"' { json::level_of_quote(backslashes) } else { 0 };
    let end = quote_at - backslashes;
    let floor = end.saturating_sub(limit::KEY_BYTES_MAX);
    // Of a key whose beginning is further away the end is enough.
    let start = match memrchr(quote, &haystack[floor..end]) {
        Some(open) => floor + open + 1,
        None if floor > 0 => floor,
        None => return None,
    };
    Some(Key { name: Span::new(start, end), tie: Tie::Quoted, level, after })
}

fn bare_key(haystack: &[u8], end: usize, separator: usize, after: usize) -> Option<Key> {
    let floor = end.saturating_sub(limit::KEY_BYTES_MAX);
    let len = haystack[floor..end].iter().rev().take_while(|&&b| is_key_byte(b)).count();
    let start = end - len;
    if len == 0 {
        return None;
    }
    if haystack[separator] == b':' && is_time(haystack, separator) {
        return None;
    }
    let spaced = separator > end;
    let tie = match haystack[separator] {
        b'=' if spaced => Tie::SpacedEquals,
        b'=' => Tie::Equals,
        // `http://`, `user:password@`, `12:34`: a colon that nothing follows but text ties loosely.
        _ if matches!(haystack.get(after), Some(b' ' | b'\t')) => Tie::Colon,
        _ if haystack.get(after) == Some(&b'/') => return None,
        _ => Tie::TightColon,
    };
    if tie == Tie::TightColon && start > 0 && matches!(haystack[start - 1], b'/' | b'@') {
        return None;
    }
    Some(Key { name: Span::new(start, end), tie, level: 0, after })
}

/// Whether two digits stand on both sides of the colon at `at`, as in a time.
fn is_time(haystack: &[u8], at: usize) -> bool {
    let sides = at.checked_sub(2).and_then(|from| haystack.get(from..at + 3));
    matches!(sides, Some([a, b, _, c, d]) if [a, b, c, d].iter().all(|b| b.is_ascii_digit()))
}

/// The key of the flag whose two dashes begin at `at`: `--key value`.
pub fn key_of_flag(haystack: &[u8], at: usize) -> Option<Key> {
    if !haystack[at..].starts_with(b"--") {
        return None;
    }
    if at > 0 && !matches!(haystack[at - 1], b' ' | b'\t' | b'"' | b'\'' | b'[' | b'(' | b'=') {
        return None;
    }
    let start = at + 2;
    let rest = &haystack[start..haystack.len().min(start + limit::KEY_BYTES_MAX)];
    let len = rest.iter().take_while(|&&b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)).count();
    let end = start + len;
    let after = match haystack[end..] {
        [b' ', b, ..] if b != b'-' && b != b' ' => end + 1,
        // An argument list: "--key", "value".
        [quote @ (b'"' | b'\''), b',', b' ', q, ..] if q == quote => end + 3,
        [quote @ (b'"' | b'\''), b',', q, ..] if q == quote => end + 2,
        _ => return None,
    };
    (len > 0).then_some(Key { name: Span::new(start, end), tie: Tie::Flag, level: 0, after })
}

/// The key whose quoted name ends at `end` and stands beside its value: as the first of two strings,
/// `["Cookie", "a=b"]`, or as a member beside the one that holds the value, `{"name":"Cookie","value":"a=b"}`.
pub fn key_of_pair(haystack: &[u8], end: usize) -> Option<Key> {
    let (quote, at, level) = quote_at(haystack, end)?;
    let floor = end.saturating_sub(limit::KEY_BYTES_MAX);
    let len =
        haystack[floor..end].iter().rev().take_while(|&&b| b.is_ascii_alphanumeric() || b == b'-').count();
    let start = end - len;
    if len == 0 || start == 0 || haystack[start - 1] != quote {
        return None;
    }
    let after = skip_spaces(haystack, at + 1);
    let after = skip_spaces(haystack, (haystack.get(after) == Some(&b',')).then_some(after + 1)?);
    let key = |after| Key { name: Span::new(start, end), tie: Tie::Quoted, level, after };
    let (second, open, _) = quote_at(haystack, after)?;
    if second != quote {
        return None;
    }
    let close = json::string_end(haystack, open + 1, quote, level);
    let text = &haystack[open + 1..close];
    let close = haystack[close..].iter().take_while(|&&b| b == b'\\').count() + close + 1;
    let colon = skip_spaces(haystack, close);
    if haystack.get(colon) == Some(&b':') {
        return matches!(text, b"value" | b"val" | b"v").then(|| key(colon + 1));
    }
    // A list of names is no pair; the value of a header has other signs in it.
    let value = text.iter().any(|&b| b == b' ' || b == b'=' || b.is_ascii_digit());
    value.then(|| key(after))
}

fn skip_spaces(haystack: &[u8], at: usize) -> usize {
    at + haystack[at.min(haystack.len())..].iter().take_while(|&&b| b == b' ' || b == b'\t').count()
}

/// The key of the XML element whose closing tag begins at `at` with `</`, and the span of its text.
pub fn element(haystack: &[u8], at: usize) -> Option<(Key, Span)> {
    if !haystack[at..].starts_with(b"</") {
        return None;
    }
    let start = at + 2;
    let rest = &haystack[start..haystack.len().min(start + limit::KEY_BYTES_MAX)];
    let len = rest.iter().take_while(|&&b| is_key_byte(b) || b == b':').count();
    if rest.get(len) != Some(&b'>') {
        return None;
    }
    // Every closing tag ends with the sign that is looked for, so no text is looked over twice.
    let open = memrchr(b'>', &haystack[..at])? + 1;
    let key = Key { name: Span::new(start, start + len), tie: Tie::Element, level: 0, after: open };
    Some((key, Span::new(open, at)))
}

fn is_key_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-.$%[]".contains(&byte) || byte >= 0x80
}

/// A value and how it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value {
    /// The value, quotes excluded.
    pub span: Span,
    /// How it is written.
    pub form: Form,
}

/// What stands after a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// One value, perhaps an empty one.
    One(Value),
    /// An array or object that opens at `at`; [`json::scalars`] reads it.
    Composite {
        /// Offset of the bracket.
        at: usize,
        /// Level of the strings inside.
        level: u8,
    },
}

/// The last run of bytes that was read as a value without quotes.
///
/// Where such a run ends does not depend on where it begins, so a haystack of nothing but `key=key=key=` is
/// read once and not once per key; nor is punctuation at its end.
#[derive(Clone, Copy, Debug, Default)]
pub struct LastRun {
    run: Span,
    /// Its end without closing punctuation.
    trimmed: usize,
}

impl LastRun {
    /// The end of the run that goes on at `at`, with and without closing punctuation.
    fn ends(&mut self, haystack: &[u8], at: usize) -> (usize, usize) {
        if !self.run.covers(Span::new(at, at)) {
            self.run = Span::new(at, bare_end(haystack, at));
            self.trimmed = trimmed(haystack, at, self.run.end);
        }
        let end = self.run.end;
        // What opens a bracket is looked for in the last bytes alone: a value that has all of them ends as any other.
        let is_long = at + limit::KEY_BYTES_MAX <= end;
        (end, if is_long { self.trimmed.max(at) } else { trimmed(haystack, at, end) })
    }
}

/// The value after `key`. Its form tells no percent-encoding; [`percent_form`] adds that.
pub fn value_after(haystack: &[u8], key: Key, last: &mut LastRun) -> After {
    let at = match key.tie {
        Tie::Equals if is_spaced_value(haystack, key.after) => key.after + 1,
        Tie::Equals | Tie::Flag | Tie::Element => key.after,
        _ => key.after + haystack[key.after..].iter().take_while(|&&b| b == b' ' || b == b'\t').count(),
    };
    if let Some((quote, open, level)) = quote_at(haystack, call_around(haystack, at)) {
        let end = quote_end(haystack, open + 1, quote, level);
        let span = Span::new(open + 1, end.max(open + 1));
        return After::One(Value { span, form: Form::json(level) });
    }
    if key.tie == Tie::Quoted {
        return unquoted_json(haystack, at, key.level);
    }
    if let Some(level) = opens_composite(haystack, at) {
        return After::Composite { at, level };
    }
    let (end, trimmed) = last.ends(haystack, at);
    let span = unbracketed(haystack, at, end).unwrap_or(Span::new(at, trimmed));
    After::One(Value { span, form: Form::PLAIN })
}

/// Bytes that the name of a function or type may have that is called with a value.
const CALL_BYTES_MAX: usize = 32;

/// Behind `Some(` and its likes, if a quote follows: what is meant is the value inside. Else `at`.
fn call_around(haystack: &[u8], at: usize) -> usize {
    let rest = &haystack[at..];
    let is_name = |b: &&u8| b.is_ascii_alphanumeric() || b"_.:".contains(b);
    let name = rest.iter().take(CALL_BYTES_MAX).take_while(is_name).count();
    let named = rest.first().is_some_and(u8::is_ascii_alphabetic);
    match rest.get(name) {
        Some(b'(') if named && quote_at(haystack, at + name + 1).is_some() => at + name + 1,
        _ => at,
    }
}

/// What stands between the angle brackets of a value that begins with one and ends before the other: `user=<jo>`.
fn unbracketed(haystack: &[u8], start: usize, end: usize) -> Option<Span> {
    let bracketed = haystack.get(start) == Some(&b'<') && haystack.get(end) == Some(&b'>');
    bracketed.then(|| Span::new(start + 1, end))
}

/// Where the quoted value ends whose content begins at `from`. In JSON the backslashes before a single quote are doubled:
/// such a quote closes nothing if text goes on behind it.
fn quote_end(haystack: &[u8], from: usize, quote: u8, level: u8) -> usize {
    let mut end = json::string_end(haystack, from, quote, level);
    while quote == b'\''
        && haystack.get(end) == Some(&quote)
        && json::backslashes_before(&haystack[from..], end - from) >= 2
        && haystack.get(end + 1).is_some_and(|&b| b > b' ' && !b",;}])\"\\".contains(&b))
    {
        end = json::string_end(haystack, end + 1, quote, level);
    }
    end
}

/// `key= value`, where no pair begins behind the space.
fn is_spaced_value(haystack: &[u8], at: usize) -> bool {
    matches!(haystack[at..], [b' ', b, ..] if b > b' ') && !next_pair_begins(haystack, at + 1)
}

/// Whether an array or object of quoted values opens at `at`; the level of its strings.
fn opens_composite(haystack: &[u8], at: usize) -> Option<u8> {
    if !matches!(haystack.get(at), Some(b'[' | b'{')) {
        return None;
    }
    let (_, _, level) = quote_at(haystack, at + 1)?;
    Some(level)
}

/// Whether a value without quotes ends at the backslash at `at`, because an escape of the string around it begins there.
pub fn ends_at(haystack: &[u8], at: usize) -> bool {
    let run = haystack[at..].iter().take_while(|&&b| b == b'\\').count();
    ends_at_escape(haystack, at, at + run)
}

/// A quote at `at`, with the backslashes that may stand before it, or the letter of a Python literal: its sign,
/// place and level.
pub fn quote_at(haystack: &[u8], at: usize) -> Option<(u8, usize, u8)> {
    let prefixed = matches!(haystack.get(at..), Some([b'b' | b'u' | b'r' | b'f', b'"' | b'\'', ..]));
    let at = at + usize::from(prefixed);
    let backslashes = haystack.get(at..)?.iter().take_while(|&&b| b == b'\\').count();
    let quote = *haystack.get(at + backslashes)?;
    if !matches!(quote, b'"' | b'\'' | b'`') {
        return None;
    }
    Some((quote, at + backslashes, json::level_of_quote(backslashes)))
}

fn unquoted_json(haystack: &[u8], at: usize, level: u8) -> After {
    if matches!(haystack.get(at), Some(b'[' | b'{')) {
        return After::Composite { at, level: level.max(1) };
    }
    let len = haystack[at..].iter().take_while(|b| !b",]}\"'\\ \t\r\n".contains(b)).count();
    let form = Form { json: level, bare: level > 0, percent: 0 };
    After::One(Value { span: Span::new(at, at + len), form })
}

/// Where a value without quotes ends: at white space, an escape, where the next pair begins, at a quote, `&` or angle
/// bracket (behind its first byte) that no letter or digit follows, or that begins a parameter or a tag. Other control bytes belong to it, so that a colour hides nothing.
fn bare_end(haystack: &[u8], at: usize) -> usize {
    let mut end = at;
    while let Some(&byte) = haystack.get(end) {
        let stops = match byte {
            0 => true,
            b'"' | b'\'' | b'`' => !is_inner(haystack, end + 1),
            b'&' => !is_inner(haystack, end + 1) || next_parameter_begins(haystack, end + 1),
            b'<' => end > at && (!is_inner(haystack, end + 1) || tag_begins(haystack, end + 1)),
            b'>' => end > at && !is_inner(haystack, end + 1),
            b'\\' => {
                let run = haystack[end..].iter().take_while(|&&b| b == b'\\').count();
                let stops = ends_at_escape(haystack, end, end + run);
                end += if stops { 0 } else { run - 1 };
                stops
            }
            b',' | b';' => next_pair_begins(haystack, end + 1),
            byte => byte.is_ascii_whitespace() || byte == 0x0b,
        };
        if stops {
            break;
        }
        end += 1;
    }
    end
}

/// Whether a sign before `at` that may end a value stands inside of it: `pa"ss`, `p&ss`.
fn is_inner(haystack: &[u8], at: usize) -> bool {
    haystack.get(at).is_some_and(u8::is_ascii_alphanumeric)
}

/// Whether the `&` before `at` begins the next parameter of a query, or is a reference of XML: `&amp;x=1`.
fn next_parameter_begins(haystack: &[u8], at: usize) -> bool {
    let mut rest = &haystack[at..haystack.len().min(at + limit::KEY_BYTES_MAX)];
    while let Some(behind) = rest.strip_prefix(b"amp;") {
        rest = behind;
    }
    let len = rest.iter().take_while(|&&b| is_key_byte(b) || b == b'+').count();
    rest.get(len) == Some(&b'=')
}

/// Whether what the `<` before `at` begins is a tag, or an address in angle brackets.
fn tag_begins(haystack: &[u8], at: usize) -> bool {
    let rest = &haystack[at..haystack.len().min(at + limit::KEY_BYTES_MAX)];
    let len = rest.iter().take_while(|b| b.is_ascii_alphabetic()).count();
    len > 0 && matches!(rest.get(len), None | Some(b'>' | b' ' | b'/' | b'@' | b'.'))
}

/// `&`, quotes and angle brackets as JSON encoders write them that mind HTML.
const ENCODED_ENDS: &[&[u8]] = &[b"u0026", b"u0022", b"u0027", b"u003c", b"u003e", b"u003C", b"u003E"];

/// Whether the backslashes from `at` to `after` begin an escape that ends a value: a quote, a line's end, a tab, a `&`.
///
/// `DOMAIN\name` outside of a string holds no escape, so a quote must stand before it.
fn ends_at_escape(haystack: &[u8], at: usize, after: usize) -> bool {
    match haystack.get(after) {
        Some(b'"' | b'\'') => true,
        Some(b'n' | b'r' | b't') => in_string(haystack, at),
        Some(b'u') => {
            ENCODED_ENDS.iter().any(|code| haystack[after..].starts_with(code)) && in_string(haystack, at)
        }
        _ => false,
    }
}

/// Whether a quote stands before `at`, near enough to be that of a string around it.
pub fn in_string(haystack: &[u8], at: usize) -> bool {
    memrchr(b'"', &haystack[at.saturating_sub(limit::STRING_BYTES_BACK_MAX)..at]).is_some()
}

/// Whether `key=` or `key:` stands at `at`, a space before it allowed.
fn next_pair_begins(haystack: &[u8], at: usize) -> bool {
    let rest = &haystack[at..];
    let rest = rest.strip_prefix(b" ").unwrap_or(rest);
    let rest = &rest[..rest.len().min(limit::KEY_BYTES_MAX)];
    let len = rest
        .iter()
        .take_while(|&&b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-' || b == b'.')
        .count();
    len > 0 && rest[0].is_ascii_alphabetic() && matches!(rest.get(len), Some(b'=' | b':'))
}

/// Closing punctuation at a value's end belongs to the text around it.
fn trimmed(haystack: &[u8], start: usize, mut end: usize) -> usize {
    // A bracket closes the text around the value unless the value opens one, near enough to be its own.
    let value = &haystack[end.saturating_sub(limit::KEY_BYTES_MAX).max(start)..end];
    let [round, square, curly] = [b'(', b'[', b'{'].map(|open| value.contains(&open));
    while end > start {
        let closes = match haystack[end - 1] {
            b',' | b';' | b'.' => true,
            // Two of them end an address: `1::`.
            b':' => !haystack[start..end].ends_with(b"::"),
            b')' => !round,
            b']' => !square,
            b'}' => !curly,
            _ => false,
        };
        if !closes {
            break;
        }
        end -= 1;
    }
    end
}

/// Adds the rounds of percent-encoding that a value shows.
pub fn percent_form(haystack: &[u8], span: Span, form: Form) -> Form {
    let text = &haystack[span.range()];
    let rounds = match has_unit(text) {
        false => 0,
        true if !percent::shows_another(text) => 1,
        true => limit::PERCENT_ROUNDS_MAX as u8,
    };
    Form { percent: rounds, ..form }
}

fn has_unit(text: &[u8]) -> bool {
    memchr::memchr_iter(b'%', text).any(|at| percent::unit_at(text, at).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Finds the first separator whose key is `name` and returns the key's tie and the value.
    #[track_caller]
    fn field<'t>(text: &'t str, name: &str) -> (Tie, &'t str, Form) {
        let haystack = text.as_bytes();
        for at in memchr::memchr2_iter(b'=', b':', haystack) {
            let Some(key) = key_before(haystack, at) else { continue };
            if &text[key.name.range()] != name {
                continue;
            }
            match value_after(haystack, key, &mut LastRun::default()) {
                After::One(value) => {
                    let form = percent_form(haystack, value.span, value.form);
                    return (key.tie, &text[value.span.range()], form);
                }
                After::Composite { at, level } => return (key.tie, &text[at..at + 1], Form::json(level)),
            }
        }
        panic!("no key {name} in {text}");
    }

    #[track_caller]
    fn check(text: &str, name: &str, tie: Tie, value: &str) {
        let (got_tie, got_value, _) = field(text, name);
        assert_eq!((got_tie, got_value), (tie, value), "{text}");
    }

    #[test]
    fn finds_names_beside_their_values() {
        let pair = |text: &'static str| {
            let end = text.find("Cookie").expect("the name") + 6;
            let key = key_of_pair(text.as_bytes(), end)?;
            match value_after(text.as_bytes(), key, &mut LastRun::default()) {
                After::One(value) => Some((&text[key.name.range()], &text[value.span.range()])),
                After::Composite { .. } => None,
            }
        };
        assert_eq!(pair(r#"[["Set-Cookie", "a=b"],["x","y"]]"#), Some(("Set-Cookie", "a=b")));
        assert_eq!(pair(r#"{"name":"Cookie","value":"a"}"#), Some(("Cookie", "a")));
        assert_eq!(pair(r#""{\"name\": \"Cookie\", \"value\": \"a\"}""#), Some(("Cookie", "a")));
        assert_eq!(pair("('Cookie', 'a=b')"), Some(("Cookie", "a=b")));
        for text in
            [r#"["Cookie","Accept"]"#, r#"{"Cookie":"a=b"}"#, r#"["Cookie"]"#, "Cookie, a=b", r#""Cookie","#]
        {
            assert_eq!(pair(text), None, "{text}");
        }
    }

    #[test]
    fn finds_values_in_every_notation() {
        check(r#"{"k":"v","n":1}"#, "k", Tie::Quoted, "v");
        check(r#"{ "k" : 12 , "n":1}"#, "k", Tie::Quoted, "12");
        check(r#"{"p":"{\"k\":\"v\",\"n\":true}"}"#, "k", Tie::Quoted, "v");
        check(r#"{"p":"{\"k\":12}"}"#, "k", Tie::Quoted, "12");
        check("{'k': 'v', 'n': 3}", "k", Tie::Quoted, "v");
        check(r#"{"k"=>"v", "n"=>1}"#, "k", Tie::Quoted, "v");
        check("k=v ok", "k", Tie::Equals, "v");
        check(r#"k="two \"q\" words" ok"#, "k", Tie::Equals, r#"two \"q\" words"#);
        check("k = v", "k", Tie::SpacedEquals, "v");
        check(r#"k := "v""#, "k", Tie::Colon, "v");
        check("k:=v", "k", Tie::TightColon, "v");
        check("k:: v", "k", Tie::Colon, "v");
        check("k==v", "k", Tie::Equals, "v");
        check("k=>v", "k", Tie::Equals, "v");
        check("k=::1 x", "k", Tie::Equals, "::1");
        check("k=1::, x", "k", Tie::Equals, "1::");
        check("GET /?a=1&k=v%20w&b=2", "k", Tie::Equals, "v%20w");
        check("K-Y: some thing", "K-Y", Tie::Colon, "some");
        check("k:v", "k", Tie::TightColon, "v");
        check("User(name=x, k=v, age=3)", "k", Tie::Equals, "v");
        check("(k=v)", "k", Tie::Equals, "v");
        check("k=f(x);", "k", Tie::Equals, "f(x)");
        check("k=a,b;c", "k", Tie::Equals, "a,b;c");
        check("k=a,n=b", "k", Tie::Equals, "a");
        check(r#"{"msg":"k=v\nnext"}"#, "k", Tie::Equals, "v");
        check(r"k=CORP\nick", "k", Tie::Equals, r"CORP\nick");
        check("k= n=b", "k", Tie::Equals, "");
        check("k= v", "k", Tie::Equals, "v");
        check(r#"k=p&s"s'w<1 ok"#, "k", Tie::Equals, r#"p&s"s'w<1"#);
        check("GET /?k=v&n HTTP", "k", Tie::Equals, "v&n");
        check("GET /?k=v&n%5Ba%5D=1", "k", Tie::Equals, "v");
        check("<a>k=v</a>", "k", Tie::Equals, "v");
        check("k: v<br>x", "k", Tie::Colon, "v");
        check(r#"m["k"] = "v""#, "k", Tie::Quoted, "v");
        check(r#"k != "v""#, "k", Tie::SpacedEquals, "v");
        check("k ?= v", "k", Tie::SpacedEquals, "v");
        check(r#"C { k: Some("v") }"#, "k", Tie::Colon, "v");
        check("k=<v>, n=b", "k", Tie::Equals, "v");
        check("k=<>, n=b", "k", Tie::Equals, "");
        check("k=<v x", "k", Tie::Equals, "<v");
        check("k=\x1b[31mv\x1b[0m ok", "k", Tie::Equals, "\x1b[31mv\x1b[0m");
        check(r#"{"m":"{'k': 'a\\'b', 'n': 1}"}"#, "k", Tie::Quoted, r"a\\'b");
        check(r"{'k': 'a\\', 'n': 1}", "k", Tie::Quoted, r"a\\");
        check("{'k': b'v'}", "k", Tie::Quoted, "v");
        check(r#"k=["v"]"#, "k", Tie::Equals, "[");
        check(r#"{"k":["v"]}"#, "k", Tie::Quoted, "[");
    }

    #[test]
    fn tells_how_a_value_is_written() {
        assert_eq!(field("k=v%2540w", "k").2, Form { json: 0, bare: false, percent: 2 });
        assert_eq!(field(r#"{"k":12}"#, "k").2, Form { json: 1, bare: true, percent: 0 });
        assert_eq!(field(r#"{\"k\":\"v\"}"#, "k").2, Form::json(2));
    }

    #[test]
    fn a_scheme_and_user_information_are_no_keys() {
        for text in ["http://h", "a://user:pw@h", "b@user:x"] {
            let haystack = text.as_bytes();
            let keys = memchr::memchr_iter(b':', haystack).filter_map(|at| key_before(haystack, at));
            assert_eq!(keys.count(), 0, "{text}");
        }
    }

    #[test]
    fn reads_flags_and_elements() {
        let flag = |text: &'static str| {
            let key = key_of_flag(text.as_bytes(), text.find("--").expect("a flag"))?;
            let After::One(value) = value_after(text.as_bytes(), key, &mut LastRun::default()) else {
                return None;
            };
            Some((&text[key.name.range()], &text[value.span.range()]))
        };
        assert_eq!(flag("run --key value x"), Some(("key", "value")));
        assert_eq!(flag(r#"["--key", "va lue"]"#), Some(("key", "va lue")));
        assert_eq!(flag("run --key --other"), None);
        assert_eq!(flag("-----BEGIN"), None);
        let (key, text) = element(b"<a><k>v w</k></a>", 9).expect("an element");
        assert_eq!((key.name, text), (Span::new(11, 12), Span::new(6, 9)));
    }
}

/*!
JSON strings at any level (RFC 8259), without a parser's demand that the text be JSON.

A *level* says how often the text was put into a string: the strings of a
document are at level 1, the strings of a document inside such a string are at
level 2. A quote of level *n* is written with 2ⁿ⁻¹ − 1 backslashes before it:
`"`, `\"`, `\\\"`. So the level can be read off a quote's backslashes.
*/

use crate::span::Span;

/// Level of a quote that `backslashes` stand before: backslashes in pairs escape each other, so what counts are the ones
/// at the end of the binary number. [`LEVEL_MAX`] at most.
pub fn level_of_quote(backslashes: usize) -> u8 {
    (backslashes.trailing_ones() as u8 + 1).min(LEVEL_MAX)
}

/// Deepest level that is told apart, of 32,767 backslashes before each quote: deeper strings are taken for this level's.
const LEVEL_MAX: u8 = 16;

/// Backslashes that stand directly before `at`.
pub fn backslashes_before(haystack: &[u8], at: usize) -> usize {
    haystack[..at].iter().rev().take_while(|&&b| b == b'\\').count()
}

/// Where the string ends whose content begins at `from`, after a `quote` of `level`.
///
/// The end is the offset of the closing quote's first backslash, or of the quote. A quote of an outer level
/// ends the string as well, and so does the end of the haystack: what is not closed is taken whole.
pub fn string_end(haystack: &[u8], from: usize, quote: u8, level: u8) -> usize {
    let unit = 1usize << (level - 1);
    let mut backslashes = 0;
    for (offset, &byte) in haystack[from..].iter().enumerate() {
        if byte == b'\\' {
            backslashes += 1;
            continue;
        }
        let odd_ones = backslashes % (2 * unit);
        if byte == quote && odd_ones < unit {
            return from + offset - odd_ones;
        }
        backslashes = 0;
    }
    haystack.len()
}

/// Undoes one level of escapes in place; returns the length of what is left. What is no escape stays as it is; a lone
/// surrogate becomes U+FFFD.
pub fn unescape(text: &mut [u8]) -> usize {
    let (mut at, mut end) = (0, 0);
    while at < text.len() {
        // No escape is shorter than what it stands for, so nothing unread is written over.
        let Unit { plain, plain_len, len } = unit(&text[at..]);
        text[end..end + plain_len].copy_from_slice(&plain[..plain_len]);
        at += len;
        end += plain_len;
    }
    end
}

/// What an escape, or a byte that is none, stands for.
struct Unit {
    plain: [u8; 4],
    plain_len: usize,
    /// Bytes that it is written with.
    len: usize,
}

impl Unit {
    fn byte(byte: u8, len: usize) -> Unit {
        Unit { plain: [byte, 0, 0, 0], plain_len: 1, len }
    }
}

/// The unit at the start of `text`, which is not empty.
fn unit(text: &[u8]) -> Unit {
    let plain = match text {
        [b'\\', b'n', ..] => b'\n',
        [b'\\', b't', ..] => b'\t',
        [b'\\', b'r', ..] => b'\r',
        [b'\\', b'b', ..] => 8,
        [b'\\', b'f', ..] => 12,
        [b'\\', b @ (b'"' | b'\'' | b'\\' | b'/'), ..] => *b,
        [b'\\', b'u', ..] => return unicode_unit(text),
        _ => return Unit::byte(text[0], 1),
    };
    Unit::byte(plain, 2)
}

fn unicode_unit(text: &[u8]) -> Unit {
    let Some(first) = code_unit(text, 0) else { return Unit::byte(text[0], 1) };
    let (character, len) = match (first, code_unit(text, 6)) {
        (0xd800..=0xdbff, Some(second @ 0xdc00..=0xdfff)) => {
            (char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00)), 12)
        }
        _ => (char::from_u32(first), 6),
    };
    let mut plain = [0; 4];
    let plain_len = character.unwrap_or(char::REPLACEMENT_CHARACTER).encode_utf8(&mut plain).len();
    Unit { plain, plain_len, len }
}

/// The UTF-16 code unit that `\uXXXX` at `at` stands for.
pub fn code_unit(text: &[u8], at: usize) -> Option<u32> {
    let [b'\\', b'u', digits @ ..] = text.get(at..at + 6)? else { return None };
    digits.iter().try_fold(0, |value, &digit| Some(value << 4 | u32::from(super::percent::hex(digit)?)))
}

/// Which strings a place lies in, followed from a haystack's beginning onwards. Asking about places in rising order
/// reads the haystack once.
#[derive(Debug, Default)]
pub struct Strings {
    at: usize,
    backslashes: usize,
    /// Where each string that is open at `at` begins; the first is of level 1.
    open: Vec<usize>,
}

impl Strings {
    /// Goes to the beginning of another haystack; what it allocated stays.
    pub fn reset(&mut self) {
        (self.at, self.backslashes) = (0, 0);
        self.open.clear();
    }

    /// Level of the strings of the document in which a bare value may stand at `at`: behind a quoted key's colon, or
    /// inside a document that is all of its string or of the haystack. `None` elsewhere.
    pub fn value_level(&mut self, haystack: &[u8], at: usize) -> Option<u8> {
        self.advance(haystack, at);
        let level = self.open.len() as u8 + 1;
        let before = skip_space_back(haystack, at);
        let begin = self.open.last().copied().unwrap_or(0);
        match haystack[begin.min(before)..before].last()? {
            b':' => {
                let key_end = skip_space_back(haystack, before - 1);
                let quoted = key_end > begin && haystack[key_end - 1] == b'"';
                (quoted && level_of_quote(backslashes_before(haystack, key_end - 1)) == level)
                    .then_some(level)
            }
            b'[' | b',' => {
                let first = haystack[begin..].iter().find(|b| !b.is_ascii_whitespace());
                matches!(first, Some(b'{' | b'[')).then_some(level)
            }
            _ => None,
        }
    }

    fn advance(&mut self, haystack: &[u8], to: usize) {
        while self.at < to {
            match haystack[self.at] {
                b'\\' => self.backslashes += 1,
                b'"' => {
                    let level = usize::from(level_of_quote(self.backslashes));
                    // A quote closes its own level and what is inside of it, or opens the next one.
                    if level <= self.open.len() {
                        self.open.truncate(level - 1);
                    } else if level == self.open.len() + 1 {
                        self.open.push(self.at + 1);
                    }
                    self.backslashes = 0;
                }
                _ => self.backslashes = 0,
            }
            self.at += 1;
        }
    }
}

/// The end of what stands before `at` and is no space.
pub fn skip_space_back(haystack: &[u8], at: usize) -> usize {
    at - haystack[..at].iter().rev().take_while(|b| b.is_ascii_whitespace()).count()
}

/// A scalar inside an array or object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scalar {
    /// The value, quotes excluded.
    pub span: Span,
    /// Whether it stands without quotes: a number or a word.
    pub bare: bool,
    /// Level of its string, or of the strings of its document.
    pub level: u8,
}

/// Calls `each` with every value inside the array or object that opens at `open`; keys are no values.
///
/// `level` is that of the document's strings. Returns where the reading ended. Reading stops at the closing
/// bracket and at a quote of an outer level; depth is no recursion.
pub fn scalars(haystack: &[u8], open: usize, level: u8, mut each: impl FnMut(Scalar)) -> usize {
    let end = haystack.len();
    let mut depth = 0usize;
    let mut at = open;
    while at < end {
        match haystack[at] {
            b'[' | b'{' => depth += 1,
            b']' | b'}' => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            quote @ (b'"' | b'\'') => {
                let quote_level = level_of_quote(backslashes_before(haystack, at));
                if quote == b'"' && quote_level < level {
                    return at;
                }
                let close = string_end(haystack, at + 1, quote, quote_level);
                let after = (close + (1 << (quote_level - 1))).min(haystack.len());
                if !is_key(haystack, after) {
                    each(Scalar { span: Span::new(at + 1, close), bare: false, level: quote_level });
                }
                at = after;
                continue;
            }
            b',' | b':' | b'\\' => {}
            byte if byte.is_ascii_whitespace() => {}
            _ => {
                let word =
                    haystack[at..end].iter().take_while(|b| !b",]}:\"\\ \t\r\n".contains(b)).count().max(1);
                if !is_key(haystack, at + word) {
                    each(Scalar { span: Span::new(at, at + word), bare: true, level });
                }
                at += word;
                continue;
            }
        }
        at += 1;
    }
    at
}

/// Whether an array opens at `open` whose first element is a string.
pub fn is_list_of_strings(haystack: &[u8], open: usize) -> bool {
    let Some(inner) = haystack.get(open..).and_then(|text| text.strip_prefix(b"[")) else { return false };
    let blank = inner.iter().take_while(|b| b.is_ascii_whitespace() || **b == b'\\').count();
    matches!(inner.get(blank), Some(b'"' | b'\''))
}

/// Whether a `:` or `=>` follows, so that what stood before `at` was a key.
fn is_key(haystack: &[u8], at: usize) -> bool {
    let rest = &haystack[at.min(haystack.len())..];
    let rest = &rest[rest.iter().take(8).take_while(|b| b.is_ascii_whitespace()).count()..];
    rest.first() == Some(&b':') || rest.starts_with(b"=>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_tells_its_level() {
        let levels = [0, 1, 2, 3, 4, 7].map(level_of_quote);
        assert_eq!(levels, [1, 2, 1, 3, 1, 4]);
        assert_eq!(level_of_quote(usize::MAX), LEVEL_MAX);
    }

    #[track_caller]
    fn ends(text: &str, level: u8, content: &str) {
        let end = string_end(text.as_bytes(), 0, b'"', level);
        assert_eq!(&text[..end], content);
    }

    #[test]
    fn a_string_ends_at_a_quote_of_its_own_or_an_outer_level() {
        ends(r#"a\"b" c"#, 1, r#"a\"b"#);
        ends(r#"a\\" c"#, 1, r"a\\");
        ends(r#"a\" c"#, 2, "a");
        ends(r#"a\\\"b\" c"#, 2, r#"a\\\"b"#);
        ends(r#"a\\\\\" c"#, 2, r"a\\\\");
        ends(r#"a" c"#, 2, "a");
        ends("never closed", 1, "never closed");
    }

    #[test]
    fn unescapes_what_json_escapes() {
        for (text, plain) in [
            (r#"a\n\"\/\u0040\ud83d\ude00\x"#, "a\n\"/@\u{1f600}\\x"),
            (r"\ud83d!", "\u{fffd}!"),
            (r"\u00", r"\u00"),
            (r"x\", r"x\"),
        ] {
            let mut out = text.as_bytes().to_vec();
            let len = unescape(&mut out);
            assert_eq!(&out[..len], plain.as_bytes());
        }
    }

    #[track_caller]
    fn values(text: &str, level: u8) -> Vec<(&str, bool)> {
        let mut found = Vec::new();
        scalars(text.as_bytes(), 0, level, |scalar| found.push((&text[scalar.span.range()], scalar.bare)));
        found
    }

    #[test]
    fn scalars_are_values_and_not_keys() {
        assert_eq!(values(r#"["a", 1,null] "x""#, 1), [("a", false), ("1", true), ("null", true)]);
        assert_eq!(values(r#"{"k":"v","n":{"m":[2]}},"z":1"#, 1), [("v", false), ("2", true)]);
        assert_eq!(values(r#"[\"a\",\"b\"]""#, 2), [("a", false), ("b", false)]);
        assert_eq!(values(r#"[\"a"#, 2), [("a", false)]);
    }

    #[test]
    fn a_bare_value_stands_in_a_document() {
        let level = |text: &str| {
            let at = text.find("12").expect("the value");
            Strings::default().value_level(text.as_bytes(), at)
        };
        assert_eq!(level(r#"{"a": 12}"#), Some(1));
        assert_eq!(level(r#"{"b":"{\"c\":12}"}"#), Some(2));
        assert_eq!(level(r#"{"b":"{\"c\":[12]}"}"#), Some(2));
        assert_eq!(level("[10,12]"), Some(1));
        assert_eq!(level(r#"got {"a":12}"#), Some(1));
        assert_eq!(level(r#"{"k\\":12}"#), Some(1));
        assert_eq!(level(r#"{"m":"[12]"}"#), Some(2));
        for text in ["a: 12", r#"{"m":":12}"}"#, r#"{"a":"x,12,y"}"#, r#"{"a":"n=[12,3]"}"#, r#"{"a":"12"}"#]
        {
            assert_eq!(level(text), None, "{text}");
        }
    }
}

/*!
Goes through a text that is all fields, and says so when it is not.

Unlike [`super::field`], which finds keys in any text, what walks here demands
the whole: a JSON document (RFC 8259), a line of logfmt, or structured data
(RFC 5424, section 6.3). So who wants to let listed fields alone pass can tell
that there is nothing but fields. No recursion; linear but for values that a
visitor reads itself.
*/

use crate::limit::FIELD_DEPTH_MAX;
use crate::span::Span;
use crate::structure::path::{Mark, Path};

/// What stands behind a key, or in an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// A string, quotes excluded.
    Text(Span),
    /// A number or a word of JSON.
    Bare(Span),
    /// An array or object that opens here.
    Composite(usize),
}

/// Where a walk goes on from a composite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Into it; of a scalar, on.
    On,
    /// Behind it, where it ends.
    Behind(usize),
}

/// Walks a JSON document whose outermost value is an object or an array, and calls `each` with every value in it.
///
/// `false` if the text is not such a document, or is deeper than [`FIELD_DEPTH_MAX`]; what was visited until then may
/// be wrong.
pub fn json(text: &[u8], path: &mut Path, mut each: impl FnMut(&Path, Value) -> Way) -> bool {
    path.clear();
    let mut walk = Walk { text, at: 0, open: Vec::new() };
    walk.skip_space();
    walk.document(path, &mut each).is_some()
}

/// Whether a JSON document may begin with the text.
pub fn looks_like_json(text: &[u8]) -> bool {
    matches!(text.trim_ascii_start().first(), Some(b'{' | b'['))
}

struct Walk<'a> {
    text: &'a [u8],
    at: usize,
    /// Of each open composite: its closing bracket, and the way back to the path of the value that it is.
    open: Vec<(u8, Option<Mark>)>,
}

impl Walk<'_> {
    fn document(&mut self, path: &mut Path, each: &mut impl FnMut(&Path, Value) -> Way) -> Option<()> {
        if !self.open_composite(None)? {
            self.after_value(path)?;
        }
        loop {
            let Some(&(close, _)) = self.open.last() else {
                self.skip_space();
                return (self.at == self.text.len()).then_some(());
            };
            let mark = if close == b'}' { Some(self.key(path)?) } else { None };
            self.skip_space();
            match self.peek()? {
                b'{' | b'[' => match each(path, Value::Composite(self.at)) {
                    Way::On => {
                        if self.open_composite(mark)? {
                            continue;
                        }
                    }
                    Way::Behind(at) => {
                        self.at = at;
                        self.back(path, mark);
                    }
                },
                b'"' => {
                    let span = self.string()?;
                    each(path, Value::Text(span));
                    self.back(path, mark);
                }
                _ => {
                    let span = self.bare()?;
                    each(path, Value::Bare(span));
                    self.back(path, mark);
                }
            }
            self.after_value(path)?;
        }
    }

    /// Goes into the composite here; whether a value or a key comes next. An empty one is left at its bracket.
    fn open_composite(&mut self, mark: Option<Mark>) -> Option<bool> {
        let close = match self.peek()? {
            b'{' => b'}',
            b'[' => b']',
            _ => return None,
        };
        if self.open.len() == FIELD_DEPTH_MAX {
            return None;
        }
        self.at += 1;
        self.open.push((close, mark));
        self.skip_space();
        Some(self.peek()? != close)
    }

    /// Reads the brackets that close here, and the comma behind them.
    fn after_value(&mut self, path: &mut Path) -> Option<()> {
        loop {
            self.skip_space();
            let Some(&(close, mark)) = self.open.last() else { return Some(()) };
            let byte = self.peek()?;
            self.at += 1;
            match byte {
                b',' => {
                    self.skip_space();
                    return Some(());
                }
                byte if byte == close => {
                    self.open.pop();
                    self.back(path, mark);
                }
                _ => return None,
            }
        }
    }

    fn key(&mut self, path: &mut Path) -> Option<Mark> {
        self.skip_space();
        let name = self.string()?;
        let mark = path.push(&self.text[name.range()]);
        self.skip_space();
        (self.peek()? == b':').then_some(())?;
        self.at += 1;
        Some(mark)
    }

    fn back(&self, path: &mut Path, mark: Option<Mark>) {
        if let Some(mark) = mark {
            path.pop(mark);
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        let space = |b: &&u8| matches!(b, b' ' | b'\t' | b'\n' | b'\r');
        self.at += self.text[self.at..].iter().take_while(space).count();
    }

    fn string(&mut self) -> Option<Span> {
        let end = string_end(self.text, self.at)?;
        let span = Span::new(self.at + 1, end - 1);
        self.at = end;
        Some(span)
    }

    fn bare(&mut self) -> Option<Span> {
        let is_bare = |b: &&u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
        let len = self.text[self.at..].iter().take_while(is_bare).count();
        let span = Span::new(self.at, self.at + len);
        self.at += len;
        (len > 0).then_some(span)
    }
}

/// Behind the closing quote of the string whose quote stands at `open`.
fn string_end(text: &[u8], open: usize) -> Option<usize> {
    (text.get(open) == Some(&b'"')).then_some(())?;
    let mut at = open + 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', text.get(at..)?)?;
        if text[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}

/// Behind the array or object that opens at `open`, whatever stands in it.
pub fn composite_end(text: &[u8], open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = open;
    loop {
        match *text.get(at)? {
            b'"' => {
                at = string_end(text, at)?;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.checked_sub(1)?,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return Some(at);
        }
    }
}

/// Walks a line that is all `key=value`, and calls `each` with every pair's key and value. `false` if it is not.
pub fn logfmt(text: &[u8], mut each: impl FnMut(Span, Value)) -> bool {
    let mut at = 0;
    let mut pairs = 0;
    loop {
        at += text[at..].iter().take_while(|&&b| b == b' ' || b == b'\t').count();
        if at == text.len() {
            return pairs > 0;
        }
        let Some((key, value, end)) = pair(text, at) else { return false };
        if !matches!(text.get(end), None | Some(b' ' | b'\t')) {
            return false;
        }
        each(key, Value::Text(value));
        pairs += 1;
        at = end;
    }
}

/// The pair at `at`: key, value without quotes, and where it ends.
fn pair(text: &[u8], at: usize) -> Option<(Span, Span, usize)> {
    let is_key = |b: &&u8| {
        b.is_ascii_graphic() && !matches!(b, b'=' | b'"' | b'\'' | b'{' | b'[' | b']' | b',' | b'&' | b'?')
    };
    let len = text[at..].iter().take_while(is_key).count();
    let key = Span::new(at, at + len);
    if len == 0 || text.get(key.end) != Some(&b'=') {
        return None;
    }
    let start = key.end + 1;
    if text.get(start) == Some(&b'"') {
        let end = string_end(text, start)?;
        return Some((key, Span::new(start + 1, end - 1), end));
    }
    let len = text[start..].iter().take_while(|b| !b.is_ascii_whitespace() && **b != b'"').count();
    Some((key, Span::new(start, start + len), start + len))
}

/// Walks structured data, and calls `each` with every parameter's name and value. `false` if it is none.
pub fn structured(text: &[u8], mut each: impl FnMut(Span, Value)) -> bool {
    if text == b"-" {
        return true;
    }
    let mut at = 0;
    while at < text.len() {
        let Some(end) = element(text, at, &mut each) else { return false };
        at = end;
    }
    true
}

/// Behind the element at `at`: `[id name="value" …]`.
fn element(text: &[u8], at: usize, each: &mut impl FnMut(Span, Value)) -> Option<usize> {
    let name_len = |at: usize| {
        let is_name = |b: &&u8| b.is_ascii_graphic() && !matches!(b, b'=' | b']' | b'"');
        text[at..].iter().take_while(is_name).count()
    };
    (text.get(at) == Some(&b'[')).then_some(())?;
    let mut at = at + 1 + name_len(at + 1);
    loop {
        match text.get(at)? {
            b']' => return Some(at + 1),
            b' ' => {
                let name = Span::new(at + 1, at + 1 + name_len(at + 1));
                (!name.is_empty() && text.get(name.end) == Some(&b'=')).then_some(())?;
                let end = string_end(text, name.end + 1)?;
                each(name, Value::Text(Span::new(name.end + 2, end - 1)));
                at = end;
            }
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::structure::path::Pattern;
    use proptest::prelude::*;

    /// The values whose paths fit, as text.
    fn found(text: &str, pattern: &str) -> Option<Vec<String>> {
        let pattern = Pattern::parse(pattern).expect("a pattern");
        let mut found = Vec::new();
        let whole = json(text.as_bytes(), &mut Path::default(), |path, value| {
            if pattern.is_match(path) {
                found.push(match value {
                    Value::Text(span) | Value::Bare(span) => text[span.range()].to_owned(),
                    Value::Composite(at) => text[at..composite_end(text.as_bytes(), at).unwrap()].to_owned(),
                });
            }
            Way::On
        });
        whole.then_some(found)
    }

    #[test]
    fn finds_values_by_their_paths() {
        let text = r#" { "a" : {"b":[1,{"c":"x\"y"}],"d":{}} , "e":null,"b":"z" } "#;
        let check =
            |pattern, expected: &[&str]| assert_eq!(found(text, pattern).unwrap(), expected, "{pattern}");
        check("$.a.b.c", &[r#"x\"y"#]);
        check("b", &[r#"[1,{"c":"x\"y"}]"#, "1", r#"{"c":"x\"y"}"#, "z"]);
        check("$.e", &["null"]);
        check("d", &["{}"]);
    }

    #[test]
    fn says_when_a_text_is_not_all_json() {
        for text in [
            "",
            "x",
            "1",
            r#""x""#,
            "{",
            "{}x",
            r#"{"a":1} jane"#,
            r#"{"a" 1}"#,
            r#"{"a":}"#,
            r#"{"a":1,}"#,
            "[1,]",
            "[1 2]",
            r#"{"a":1]"#,
            r#"{"a":"x}"#,
            r#"{a:1}"#,
            "{}{}",
            r#"{"a":"\"#,
            "[[]",
        ] {
            assert!(found(text, "a").is_none(), "{text}");
        }
        for text in ["{}", "[]", r#"[[],{}]"#, r#"{"a":[{}],"b":[]}"#] {
            assert!(found(text, "x").is_some(), "{text}");
        }
        let deep = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        assert!(found(&deep(FIELD_DEPTH_MAX), "a").is_some());
        assert!(found(&deep(FIELD_DEPTH_MAX + 1), "a").is_none());
    }

    #[test]
    fn says_when_a_line_is_not_all_pairs() {
        let pairs = |text: &str| {
            let mut pairs = Vec::new();
            let whole = logfmt(text.as_bytes(), |key, value| {
                let Value::Text(span) = value else { panic!("pairs hold text") };
                pairs.push((text[key.range()].to_owned(), text[span.range()].to_owned()));
            });
            whole.then_some(pairs)
        };
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let expected = vec![pair("a", "1"), pair("b", r#"x \"y"#), pair("c", "")];
        assert_eq!(pairs(r#" a=1 b="x \"y" c= "#), Some(expected));
        for text in
            ["", " ", "a", "a=1 b", r#"a="x"#, r#"a="x"y"#, r#"a=x"y"#, "hello a=1", r#"{"a":1}"#, "a==1 b"]
        {
            assert_eq!(pairs(text), None, "{text}");
        }
    }

    #[test]
    fn walks_structured_data() {
        let names = |text: &str| {
            let mut names = Vec::new();
            structured(text.as_bytes(), |name, _| names.push(text[name.range()].to_owned())).then_some(names)
        };
        assert_eq!(names(r#"[a@1 b="x" c="\"]"][d e=""]"#), Some(vec!["b".into(), "c".into(), "e".into()]));
        assert_eq!(names("-"), Some(Vec::new()));
        for text in ["x", "[a", r#"[a b=c]"#, r#"[a b="c"] x"#] {
            assert_eq!(names(text), None, "{text}");
        }
    }

    proptest! {
        /// What another's parser takes for a document is walked to its end, and values are not invented.
        #[test]
        fn walks_whatever_is_a_document(text in "[\\[\\]{}\",:a1 \\\\]{0,24}") {
            let theirs = serde_json::from_str::<serde_json::Value>(&text).ok();
            let ours = found(&text, "none").is_some();
            if theirs.is_some_and(|value| value.is_object() || value.is_array()) {
                prop_assert!(ours);
            }
        }
    }
}

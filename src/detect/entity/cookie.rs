/*!
Cookies (RFC 6265): each pair's value; of `Set-Cookie` the first pair's alone, its attributes stay.
*/

use crate::span::Span;
use crate::structure::{field, json};

/// Calls `each` with the values of the pairs in `region`, the text after `Cookie:`.
///
/// A text without a pair is a value as it stands. Returns where the header ends.
pub fn values(haystack: &[u8], region: Span, quoted: Quoted, mut each: impl FnMut(Span)) -> usize {
    let mut at = region.start;
    loop {
        at += haystack[at..region.end].iter().take_while(|&&b| b == b' ').count();
        let name = haystack[at..region.end].iter().take_while(|b| !b"=;, \"\\\r\n".contains(b)).count();
        let (start, named) = match haystack[at..region.end].get(name) {
            Some(b'=') => (at + name + 1, true),
            _ => (at, false),
        };
        if !named && at > region.start {
            return at;
        }
        let (value, end) = match field::quote_at(&haystack[..region.end], start) {
            Some((quote, open, level)) => {
                let close = json::string_end(&haystack[..region.end], open + 1, quote, level);
                (Span::new(open + 1, close), (close + (1 << (level - 1))).min(region.end))
            }
            None => {
                let end = value_end(haystack, start, region.end, quoted);
                (Span::new(start, end), end)
            }
        };
        if !value.is_empty() {
            each(value);
        }
        if haystack[end..region.end].first() != Some(&b';') {
            return end;
        }
        at = end + 1;
    }
}

/// Calls `each` with the value of the first pair in `region`, the text after `Set-Cookie:`. Returns where it ends.
pub fn first_value(haystack: &[u8], region: Span, quoted: Quoted, mut each: impl FnMut(Span)) -> usize {
    let mut first = None;
    values(haystack, region, quoted, |span| {
        first.get_or_insert(span);
    });
    first.inspect(|&span| each(span)).map_or(region.start, |span| span.end)
}

/// Whether the whole header stands in quotes, so that a space ends no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quoted {
    /// It does: the string's end is the header's end.
    Whole,
    /// It stands in running text.
    No,
}

fn value_end(haystack: &[u8], start: usize, region_end: usize, quoted: Quoted) -> usize {
    let text = &haystack[start..region_end];
    if quoted == Quoted::Whole {
        return start + text.iter().position(|&b| b == b';').unwrap_or(text.len());
    }
    let mut end = start;
    while end < region_end {
        match haystack[end] {
            b';' | b'"' | b'\'' => break,
            b'\\' => {
                let run = haystack[end..region_end].iter().take_while(|&&b| b == b'\\').count();
                if field::ends_at(haystack, end) {
                    break;
                }
                end += run - 1;
            }
            byte if byte <= b' ' => break,
            _ => {}
        }
        end += 1;
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str, quoted: Quoted) -> Vec<&str> {
        let mut found = Vec::new();
        values(text.as_bytes(), Span::new(0, text.len()), quoted, |span| found.push(&text[span.range()]));
        found
    }

    #[test]
    fn finds_each_value() {
        assert_eq!(all(" sid=8f14; theme=dark next=1", Quoted::No), ["8f14", "dark"]);
        assert_eq!(all("a=b=c;d=", Quoted::No), ["b=c"]);
        assert_eq!(all("8f14e45f", Quoted::No), ["8f14e45f"]);
        assert_eq!(all("a=two words; b=c", Quoted::Whole), ["two words", "c"]);
        assert_eq!(all(r#" a="b c"; d=e"#, Quoted::No), ["b c", "e"]);
        assert_eq!(all(r#" sid=\"x y\""}"#, Quoted::No), ["x y"]);
    }

    #[test]
    fn set_cookie_keeps_its_attributes() {
        let text = " session=38af; Path=/; HttpOnly";
        let mut found = Vec::new();
        first_value(text.as_bytes(), Span::new(0, text.len()), Quoted::No, |span| {
            found.push(&text[span.range()])
        });
        assert_eq!(found, ["38af"]);
    }
}

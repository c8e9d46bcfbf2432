/*!
The user of a request in the common log format: the third field, behind the client's address.

`203.0.113.7 - jo [22/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 12`
*/

use super::Verdict;

/// Longest name that is taken for one, in bytes.
const NAME_BYTES_MAX: usize = 128;

/// The name behind the client's address that ends at `end`, if a date in brackets follows it. Servers write names with
/// spaces as they are.
pub fn after_client(haystack: &[u8], end: usize) -> Option<Verdict> {
    let rest = haystack.get(end..)?.strip_prefix(b" ")?;
    let identity = rest.iter().take(NAME_BYTES_MAX).take_while(|&&b| b > b' ').count();
    let name = rest[identity..].strip_prefix(b" ")?;
    if identity == 0 || name.starts_with(b"- [") {
        return None;
    }
    let window = &name[..name.len().min(NAME_BYTES_MAX)];
    let len = memchr::memmem::find(window, b" [")?;
    let date = matches!(name[len..], [b' ', b'[', b'0'..=b'9', b'0'..=b'9', b'/', ..]);
    let text = &name[..len];
    // A colon ends a name in basic authentication; fields behind the name belong to other formats.
    let other = text.ends_with(b" -") || text.iter().any(|b| b":\"\r\n".contains(b));
    if !date || other || text.is_empty() || text == b"-" {
        return None;
    }
    let start = end + 1 + identity + 1;
    Some(Verdict::plain(start, start + len))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_third_field() {
        let name = |text: &'static str| {
            let end = text.find(' ').unwrap_or(text.len());
            match after_client(text.as_bytes(), end) {
                Some(Verdict::Hit(span, _)) => Some(&text[span.range()]),
                _ => None,
            }
        };
        assert_eq!(name("203.0.113.7 - jo [22/Nov/2026:10:00:00 +0000] \"GET"), Some("jo"));
        assert_eq!(name("203.0.113.7 - jo doe [22/Nov/2026:10:00:00 +0000]"), Some("jo doe"));
        assert_eq!(name("203.0.113.7 id jo [22/Nov/2026:10:00:00 +0000]"), Some("jo"));
        for text in [
            "203.0.113.7 - - [22/Nov/2026:10:00:00 +0000]",
            "203.0.113.7 - \"-\" [22/Nov/2026:10:00:00 +0000]",
            "203.0.113.7 - 0a1b - [22/Nov/2026:10:00:00 +0000]",
            "203.0.113.7 lb[812]: 198.51.100.7:50186 [22/Nov/2026:10:00:00.123]",
            "203.0.113.7 - jo [a",
            "203.0.113.7 - jo",
            "203.0.113.7",
            "203.0.113.7 is at [22]",
        ] {
            assert_eq!(name(text), None, "{text}");
        }
    }
}

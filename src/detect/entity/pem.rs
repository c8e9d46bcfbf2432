/*!
Private keys in PEM armour (RFC 7468, RFC 9580 section 6): the whole block, in one line or in many.
*/

use super::Verdict;
use crate::limit::PEM_BYTES_MAX;

/// The block whose `-----BEGIN` stands at `start`.
///
/// A block that is not closed is taken to the end of its string, or of the haystack.
pub fn at(haystack: &[u8], start: usize) -> Option<Verdict> {
    let header = &haystack[start + b"-----BEGIN".len()..haystack.len().min(start + 80)];
    let name_len = memchr::memmem::find(header, b"-----")?;
    memchr::memmem::find(&header[..name_len], b"PRIVATE KEY")?;
    let body = start + b"-----BEGIN".len() + name_len + 5;
    let window = &haystack[body..haystack.len().min(body + PEM_BYTES_MAX)];
    let closed = memchr::memmem::find(window, b"-----END").and_then(|end| {
        let name = &window[end + 8..window.len().min(end + 80)];
        Some(end + 8 + memchr::memmem::find(name, b"-----")? + 5)
    });
    let end = body + closed.unwrap_or_else(|| unclosed_end(&haystack[body..]));
    Some(Verdict::plain(start, end))
}

/// To the string's end, its closing backslashes left alone.
fn unclosed_end(text: &[u8]) -> usize {
    let end = text.iter().position(|b| matches!(b, b'"' | b'\'')).unwrap_or(text.len());
    let closing =
        if end < text.len() { text[..end].iter().rev().take_while(|&&b| b == b'\\').count() } else { 0 };
    end - closing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, block: &str) {
        let start = text.find("-----BEGIN").expect("a block");
        let Some(Verdict::Hit(span, _)) = at(text.as_bytes(), start) else { panic!("no hit") };
        assert_eq!(&text[span.range()], block);
    }

    #[test]
    fn takes_the_whole_block() {
        let block = "-----BEGIN RSA PRIVATE KEY-----\nTUlJ\n-----END RSA PRIVATE KEY-----";
        check(&format!("k {block} x"), block);
        check(r#"{"k":"-----BEGIN PRIVATE KEY-----\nTUlJ\n"}"#, r"-----BEGIN PRIVATE KEY-----\nTUlJ\n");
        check("-----BEGIN PRIVATE KEY-----TUlJ", "-----BEGIN PRIVATE KEY-----TUlJ");
    }

    #[test]
    fn leaves_public_keys() {
        assert_eq!(at(b"-----BEGIN PUBLIC KEY-----\nTUlJ\n-----END PUBLIC KEY-----", 0), None);
    }
}

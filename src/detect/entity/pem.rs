/*!
Private keys in PEM armour (RFC 7468, RFC 9580 section 6): the whole block, in one line or in many.
*/

use super::Verdict;
use crate::limit::PEM_BYTES_MAX;
use crate::span::Span;

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

/// Whether the block at `span`, as [`at`] found it, is not closed and goes on to the haystack's end: its next line may be
/// another haystack.
pub fn is_open(haystack: &[u8], span: Span) -> bool {
    span.end == haystack.len() && memchr::memmem::find(&haystack[span.range()], b"-----END").is_none()
}

/// What a line is that comes after one of a block that was not closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// One more of the block's; where in the line.
    Body(Span),
    /// None of it: the block has ended.
    None,
}

/// Longest line of a block; RFC 7468 has 64, others write more.
const LINE_BYTES_MAX: usize = 1024;

/// Headers inside the armour (RFC 1421, RFC 9580 section 6.2.2).
const HEADERS: &[&[u8]] =
    &[b"Proc-Type:", b"DEK-Info:", b"Version:", b"Comment:", b"Hash:", b"Charset:", b"MessageID:"];

/// What `line` is to a block that was not closed before it: base64, a header, nothing, or its end.
pub fn go_on(line: &[u8]) -> Next {
    let text = line.trim_ascii();
    let start = line.len() - line.trim_ascii_start().len();
    let body = Next::Body(Span::new(start, start + text.len()));
    let is_base64 = |b: &u8| b.is_ascii_alphanumeric() || b"+/=".contains(b);
    let is_header = HEADERS.iter().any(|header| text.starts_with(header));
    let is_end = text.starts_with(b"-----END");
    let fits = is_end || is_header || (text.len() <= LINE_BYTES_MAX && text.iter().all(is_base64));
    if fits { body } else { Next::None }
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

/*!
Tokens that name themselves: JSON Web Tokens (RFC 7519), and the credentials behind `Bearer` (RFC 6750) and `Basic`
(RFC 7617).
*/

use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL_NOPAD, Encoding};

use super::Verdict;
use crate::detect::{Why, context};
use crate::span::Span;

/// Bytes of a token's header that are decoded to see whether it is one.
const HEADER_BYTES_MAX: usize = 1024;

/// The token that begins at `start` with `eyJ`.
pub fn jwt_at(haystack: &[u8], start: usize) -> Option<Verdict> {
    let goes_on_before = start > 0 && matches!(haystack[start - 1], b'-' | b'.');
    if goes_on_before || !context::word_starts_at(haystack, start) {
        return None;
    }
    let mut end = start;
    let mut parts = 0;
    loop {
        let part = haystack[end..].iter().take_while(|&&b| is_base64url(b)).count();
        parts += 1;
        end += part;
        let next = haystack.get(end + 1).copied();
        let more = haystack.get(end) == Some(&b'.') && parts < 5;
        // `header.payload.` is an unsecured token; a stop and a space end a sentence.
        if !more || !(next.is_some_and(is_base64url) || (parts < 3 && next == Some(b'.'))) {
            break;
        }
        end += 1;
    }
    if parts < 2 {
        return Some(Verdict::miss(start, end, Why::Length));
    }
    let header = haystack[start..end].split(|&b| b == b'.').next()?;
    if !is_header(header) {
        return Some(Verdict::miss(start, end, Why::Context));
    }
    Some(Verdict::plain(start, end))
}

fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

/// Whether `text` decodes to a header of JOSE: a JSON object with a parameter of RFC 7515, section 4.1. Looks at
/// [`HEADER_BYTES_MAX`] bytes.
fn is_header(text: &[u8]) -> bool {
    let head = &text[..text.len().min(HEADER_BYTES_MAX) / 4 * 4];
    let whole = if text.len() <= HEADER_BYTES_MAX { text } else { head };
    let mut buffer = [0; HEADER_BYTES_MAX];
    let len = decoded(&BASE64URL_NOPAD, whole, &mut buffer)
        .or_else(|| decoded(&BASE64URL_NOPAD, head, &mut buffer));
    let Some(len) = len else { return false };
    let plain = &buffer[..len];
    let names: [&[u8]; 5] = [b"\"alg\"", b"\"typ\"", b"\"enc\"", b"\"kid\"", b"\"cty\""];
    plain.starts_with(b"{") && names.iter().any(|name| memchr::memmem::find(plain, name).is_some())
}

fn is_token68(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~+/=%".contains(&byte)
}

/// What tells that a scheme's word is a scheme and no prose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// It stands in an `Authorization` header.
    Header,
    /// It stands anywhere.
    Word,
}

/// The run of token68 bytes that was read last: where it ends does not depend on where in it one begins, so a text of
/// nothing but schemes is read once.
#[derive(Clone, Copy, Debug, Default)]
pub struct LastRun(Span);

/// The credential behind the word `Bearer` that begins at `start`.
pub fn bearer_at(haystack: &[u8], start: usize, evidence: Evidence, last: &mut LastRun) -> Option<Verdict> {
    let span = credential_after(haystack, start, b"bearer".len(), last)?;
    let text = &haystack[span.range()];
    let random = text.len() >= 24 || text.iter().any(u8::is_ascii_digit);
    if evidence == Evidence::Word && (text.len() < 8 || !random) {
        return Some(Verdict::Miss(span, Why::Entropy));
    }
    Some(Verdict::plain(span.start, span.end))
}

/// The credential behind the word `Basic` that begins at `start`.
pub fn basic_at(haystack: &[u8], start: usize, evidence: Evidence, last: &mut LastRun) -> Option<Verdict> {
    let span = credential_after(haystack, start, b"basic".len(), last)?;
    let text = &haystack[span.range()];
    if evidence == Evidence::Word && !is_pair(text) {
        return Some(Verdict::Miss(span, Why::Context));
    }
    Some(Verdict::plain(span.start, span.end))
}

/// Whether `text` decodes to a user's name and a password with a colon between.
pub fn is_pair(text: &[u8]) -> bool {
    // A user's name is shorter than this, so the colon behind it stands here.
    let text = if text.len() > HEADER_BYTES_MAX { &text[..HEADER_BYTES_MAX] } else { text };
    let mut plain = [0; HEADER_BYTES_MAX];
    let len = decoded(&BASE64, text, &mut plain).or_else(|| decoded(&BASE64_NOPAD, text, &mut plain));
    len.is_some_and(|len| plain[..len].contains(&b':'))
}

/// Decodes `text`, of at most [`HEADER_BYTES_MAX`] bytes, into `buffer`; returns the length of the plain text.
fn decoded(encoding: &Encoding, text: &[u8], buffer: &mut [u8; HEADER_BYTES_MAX]) -> Option<usize> {
    let len = encoding.decode_len(text.len()).ok()?;
    encoding.decode_mut(text, buffer.get_mut(..len)?).ok()
}

/// The token68 (RFC 9110, section 11.2) behind a scheme's word of `word` bytes, with spaces, `+`, `%20` or a colon between.
fn credential_after(haystack: &[u8], start: usize, word: usize, last: &mut LastRun) -> Option<Span> {
    if !context::word_starts_at(haystack, start) {
        return None;
    }
    let mut at = start + word;
    loop {
        match haystack.get(at..)? {
            [b' ' | b'+' | b':', ..] => at += 1,
            [b'%', b'2', b'0', ..] => at += 3,
            _ => break,
        }
    }
    if at == start + word {
        return None;
    }
    if last.0.is_empty() || !last.0.covers(Span::new(at, at)) {
        let len = haystack[at..].iter().take_while(|&&b| is_token68(b)).count();
        last.0 = Span::new(at, at + len);
    }
    let len = last.0.end - at;
    let text = &haystack[at..at + len];
    // A sentence's full stop is no part of the token.
    let len = len - text.iter().rev().take_while(|&&b| b == b'.').count();
    (len > 0).then(|| Span::new(at, at + len))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(verdict: Option<Verdict>, text: &str, expected: Option<&str>) {
        let found = match verdict {
            Some(Verdict::Hit(span, _)) => Some(&text[span.range()]),
            _ => None,
        };
        assert_eq!(found, expected, "{text}");
    }

    const JWT: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl";

    #[test]
    fn finds_web_tokens() {
        let whole = format!("{JWT} x");
        check(jwt_at(whole.as_bytes(), 0), &whole, Some(JWT));
        let stop = format!("{JWT}. x");
        check(jwt_at(stop.as_bytes(), 0), &stop, Some(JWT));
        check(jwt_at(b"eyJust a word", 0), "eyJust a word", None);
        check(jwt_at(b"eyJzzzzzzzzz.abc", 0), "eyJzzzzzzzzz.abc", None);
    }

    #[test]
    fn finds_bearers() {
        let bearer = |text: &'static str, evidence, token| {
            check(bearer_at(text.as_bytes(), 0, evidence, &mut LastRun::default()), text, token);
        };
        bearer("Bearer mF_9.B5f-4.1JqM next", Evidence::Word, Some("mF_9.B5f-4.1JqM"));
        bearer("bearer%20abc123def", Evidence::Word, Some("abc123def"));
        bearer("Bearer token expired", Evidence::Word, None);
        bearer("Bearer abc", Evidence::Header, Some("abc"));
        bearer("Bearers 12345678", Evidence::Word, None);
    }

    #[test]
    fn finds_basic_credentials() {
        let text = "Basic dXNlcjpwYXNzd29yZA== x";
        check(
            basic_at(text.as_bytes(), 0, Evidence::Word, &mut LastRun::default()),
            text,
            Some("dXNlcjpwYXNzd29yZA=="),
        );
        check(
            basic_at(b"basic training", 0, Evidence::Word, &mut LastRun::default()),
            "basic training",
            None,
        );
    }
}

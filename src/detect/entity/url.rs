/*!
Credentials in URLs (RFC 3986, section 3.2.1): of `scheme://user:password@host` the password alone.
*/

use super::Verdict;
use crate::span::Span;
use crate::structure::{Form, field, percent};

/// Shortest user information without a colon that is taken for a token, if there is a digit in it.
const TOKEN_BYTES_MIN: usize = 16;

/// The run of bytes that a URL may have which was looked over last, and its last at-sign. Many `://` in one run cost one
/// look.
#[derive(Clone, Copy, Debug, Default)]
pub struct LastRun {
    span: Span,
    sign: Option<usize>,
}

impl LastRun {
    fn over(&mut self, haystack: &[u8], start: usize) -> LastRun {
        if !self.span.covers(Span::new(start, start)) || self.span.is_empty() {
            self.span = Span::new(start, run_end(haystack, start));
            self.sign = memchr::memrchr(b'@', &haystack[self.span.range()]).map(|sign| start + sign);
        }
        *self
    }
}

/// Where the bytes that a URL may have end; `\/` of JSON is a slash.
fn run_end(haystack: &[u8], start: usize) -> usize {
    let mut end = start;
    while let Some(&byte) = haystack.get(end) {
        let slash = byte == b'\\' && haystack.get(end + 1) == Some(&b'/');
        if byte <= b' ' || (b"\"'`<>\\".contains(&byte) && !slash) {
            break;
        }
        end += 1;
    }
    end
}

/// The credentials in the authority that begins at `start`, after `://`.
pub fn credentials_at(haystack: &[u8], start: usize, last: &mut LastRun) -> Option<Verdict> {
    let run = last.over(haystack, start);
    let last_sign = run.sign.filter(|&sign| sign >= start)? - start;
    let token = &haystack[start..run.span.end];
    let authority = token.iter().position(|b| b"/?#".contains(b)).unwrap_or(token.len());
    let sign =
        memchr::memrchr(b'@', &token[..authority]).or_else(|| unescaped_sign(token, authority, last_sign))?;
    let secret = match memchr::memchr(b':', &token[..sign]) {
        Some(colon) => colon + 1..sign,
        None if sign >= TOKEN_BYTES_MIN && token[..sign].iter().any(u8::is_ascii_digit) => 0..sign,
        None => return None,
    };
    if secret.is_empty() {
        return None;
    }
    let span = Span::from(secret).shifted(start);
    Some(Verdict::Hit(span, field::percent_form(haystack, span, Form::PLAIN)))
}

/// The at-sign behind a password that should have been encoded: `user:pa/ss@host`. A port before the slash is none.
fn unescaped_sign(token: &[u8], authority: usize, sign: usize) -> Option<usize> {
    let colon = memchr::memchr(b':', &token[..authority])?;
    let port = token[colon + 1..authority].iter().all(u8::is_ascii_digit);
    (!port).then_some(sign)
}

/// The credentials of a URL whose signs are percent-encoded, all of them or some: of `https%3A%2F%2Fuser%3Apw%40host` what
/// stands between the encoded signs. The authority begins at `start`.
pub fn encoded_credentials_at(haystack: &[u8], start: usize) -> Option<Verdict> {
    let window = &haystack[start..haystack.len().min(start + AUTHORITY_BYTES_MAX)];
    let len = window.iter().take_while(|&&b| b.is_ascii_alphanumeric() || b"-._~%!$*:@".contains(&b)).count();
    let token = &window[..len];
    let slash = find_unit(token, b'/').map_or(len, |(at, _)| at);
    let (sign, _) = find_unit(&token[..slash], b'@').or_else(|| find_unit(token, b'@'))?;
    let (colon, colon_len) = find_unit(&token[..sign], b':')?;
    let secret = &token[colon + colon_len..sign];
    let port_and_path = secret.iter().take_while(|b| b.is_ascii_digit()).count();
    if secret.is_empty() || secret[port_and_path..].to_ascii_uppercase().starts_with(b"%2F") {
        return None;
    }
    let span = Span::new(colon + colon_len, sign).shifted(start);
    Some(Verdict::Hit(span, field::percent_form(haystack, span, Form { percent: 1, ..Form::PLAIN })))
}

/// Bytes of an encoded authority that are looked at.
const AUTHORITY_BYTES_MAX: usize = 256;

/// The first place in `text` where `byte` stands, as it is or percent-encoded, and how many bytes it takes there.
fn find_unit(text: &[u8], byte: u8) -> Option<(usize, usize)> {
    (0..text.len()).find_map(|at| match percent::unit_at(text, at) {
        Some(unit) if unit == byte => Some((at, 3)),
        _ => (text[at] == byte).then_some((at, 1)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, secret: Option<&str>) {
        let start = text.find("://").expect("a scheme") + 3;
        let found = match credentials_at(text.as_bytes(), start, &mut LastRun::default()) {
            Some(Verdict::Hit(span, _)) => Some(&text[span.range()]),
            _ => None,
        };
        assert_eq!(found, secret, "{text}");
    }

    #[test]
    fn finds_the_password_alone() {
        check("postgres://app:s3cr3tPw@db.internal:5432/orders", Some("s3cr3tPw"));
        check("amqp://u:p%40ss@h/v", Some("p%40ss"));
        check("redis://:pw@h:6379/0", Some("pw"));
        check("mysql://u:pa/ss@h/db", Some("pa/ss"));
        check("https://0123456789abcdef0123@h/repo", Some("0123456789abcdef0123"));
        check("mysql://u:pa?s#s@h/db", Some("pa?s#s"));
        check("mysql://u:p@ss:w0rd@h/db", Some("p@ss:w0rd"));
        check(r#""mysql://u:pa\/ss@h\/db""#, Some(r"pa\/ss"));
        check("(https://u:pw@h)", Some("pw"));
    }

    #[test]
    fn finds_it_in_an_encoded_url() {
        let check = |text: &str, secret: Option<&str>| {
            let start = text.find("%2F%2F").expect("a scheme") + 6;
            let found = match encoded_credentials_at(text.as_bytes(), start) {
                Some(Verdict::Hit(span, _)) => Some(&text[span.range()]),
                _ => None,
            };
            assert_eq!(found, secret, "{text}");
        };
        check("u=https%3A%2F%2Fjo%3Apw1%40h%2Fx&a=b%40c", Some("pw1"));
        check("u=https%3A%2F%2Fjo:p%2540w@h%2Fx", Some("p%2540w"));
        check("u=https%3A%2F%2Fh%3A80%2Fjo%40h", None);
        check("u=https%3A%2F%2Fh%2Fjo%40h", None);
        check("u=https%3A%2F%2Fjo%40h", None);
    }

    #[test]
    fn leaves_urls_without() {
        for text in ["http://h:8080/a@b", "https://h/path?to=a@b.c", "https://bob@h/", "http://h"] {
            check(text, None);
        }
    }
}

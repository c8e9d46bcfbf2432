/*!
Credentials in URLs (RFC 3986, section 3.2.1): of `scheme://user:password@host` the password alone.
*/

use super::Verdict;
use crate::span::Span;
use crate::structure::{Form, field};

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
            let len =
                haystack[start..].iter().take_while(|&&b| b > b' ' && !b"\"'`<>\\".contains(&b)).count();
            self.span = Span::new(start, start + len);
            self.sign = memchr::memrchr(b'@', &haystack[self.span.range()]).map(|sign| start + sign);
        }
        *self
    }
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
    (!port && token[authority] != b'?').then_some(sign)
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
    }

    #[test]
    fn leaves_urls_without() {
        for text in ["http://h:8080/a@b", "https://h/path?to=a@b.c", "https://bob@h/", "http://h"] {
            check(text, None);
        }
    }
}

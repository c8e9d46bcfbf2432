/*!
E-mail addresses (RFC 5321, section 4.1.2).

The search starts at the at-sign, in any of its spellings in logs: `@`, `%40`,
`%2540` and `\u0040`, and goes outwards unit by unit, so that an escape before
the address (`\njane@…`) or a percent-encoded byte (`%2Fjane@…`) is never taken
for its first letter.

In running text a local part is letters, digits and what joins them; the other
signs that the standard allows are taken between angle brackets, in quotes, and
where a field's name says that its value is an address.
*/

use core::net::{Ipv4Addr, Ipv6Addr};

use super::Verdict;
use crate::detect::Why;
use crate::limit::EMAIL_BYTES_MAX;
use crate::span::Span;
use crate::structure::{Form, field, json, percent};

/// Last labels that are file types or unit types of the init system, not domains: `logo@2x.png`, `getty@tty1.service`.
const NOT_DOMAINS: &[&[u8]] = &[
    b"png",
    b"jpg",
    b"jpeg",
    b"gif",
    b"svg",
    b"webp",
    b"ico",
    b"css",
    b"js",
    b"json",
    b"html",
    b"xml",
    b"txt",
    b"log",
    b"service",
    b"socket",
    b"timer",
    b"mount",
    b"slice",
    b"scope",
    b"target",
    b"device",
    b"swap",
    b"path",
    b"conf",
    b"local",
    b"localhost",
    b"localdomain",
];

/// Domains behind the names of SSH's algorithms (RFC 4251, section 6): `aes256-gcm@openssh.com`.
const ALGORITHM_DOMAINS: &[&[u8]] = &[b"openssh.com", b"lysator.liu.se", b"libssh.org"];

/// The address around the at-sign whose spelling begins at `at` and is `len` bytes long.
pub fn around(haystack: &[u8], at: usize, len: usize) -> Option<Verdict> {
    let after = at + len;
    // The sign's escape begins with its first backslash.
    let at = if haystack[at] == b'\\' { at - json::backslashes_before(haystack, at) } else { at };
    let literal = literal_end(haystack, after);
    let end = literal.or_else(|| domain_end(haystack, after))?;
    let start = match quoted_start(haystack, at) {
        Some(start) => start,
        None => bracketed_start(haystack, local_start(haystack, at, end), at),
    };
    if start == at || (literal.is_some() && start > 0 && haystack[start - 1] == b'/') {
        return None;
    }
    let miss = Some(Verdict::miss(start, end, Why::Context));
    let is_algorithm =
        ALGORITHM_DOMAINS.iter().any(|domain| haystack[after..end].eq_ignore_ascii_case(domain));
    if is_algorithm || is_repository(haystack, start, at, end) || in_user_information(haystack, start) {
        return miss;
    }
    let span = Span::new(start, end);
    Some(Verdict::Hit(span, form(haystack, span)))
}

/// How an address is written: by the escapes that stand in it.
fn form(haystack: &[u8], span: Span) -> Form {
    let text = &haystack[span.range()];
    let json = match memchr::memchr(b'\\', text) {
        Some(first) => {
            let backslashes = text[first..].iter().take_while(|&&b| b == b'\\').count();
            json::level_of_quote(backslashes - 1)
        }
        None => 0,
    };
    let plain = Form { json, ..Form::PLAIN };
    if json > 0 { plain } else { field::percent_form(haystack, span, plain) }
}

/// Where the local part begins that ends at `at`, of the address that ends at `end`.
fn local_start(haystack: &[u8], at: usize, end: usize) -> usize {
    let floor = at.saturating_sub(EMAIL_BYTES_MAX);
    // A quote behind the address makes the one before it no apostrophe.
    let quoted = haystack.get(end) == Some(&b'\'');
    let mut start = at;
    let mut first = b'@';
    while start > floor {
        let Some((byte, len)) = unit_before(haystack, start) else { break };
        let joins = || {
            let before = start.checked_sub(len).and_then(|start| unit_before(haystack, start));
            let inner = b"!#$*^'".contains(&byte) && !(quoted && byte == b'\'');
            inner && first.is_ascii_alphanumeric() && before.is_some_and(|(b, _)| b.is_ascii_alphanumeric())
        };
        if !is_local(byte) && !joins() {
            break;
        }
        start -= len;
        first = byte;
    }
    while start < at && matches!(haystack[start], b'.' | b'-' | b'+') {
        start += 1;
    }
    start
}

/// The start of a local part of any signs that stands behind an angle bracket: `<bounce+jo=example.org@…`.
fn bracketed_start(haystack: &[u8], start: usize, at: usize) -> usize {
    let floor = at.saturating_sub(EMAIL_BYTES_MAX).min(start);
    let more = haystack[floor..start].iter().rev().take_while(|&&b| is_atom(b)).count();
    let opened = more > 0 && start > more && haystack[start - more - 1] == b'<';
    if opened { start - more } else { start }
}

/// Bytes of a dot-atom (RFC 5322, section 3.2.3).
fn is_atom(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80 || b"!#$%&'*+-/=?^_`{|}~.".contains(&byte)
}

/// Where the quoted local part begins, its quote included, that ends at `at`. In JSON a quote before the sign may be the
/// one that opens the next string: what stands between that and the last one is no local part.
fn quoted_start(haystack: &[u8], at: usize) -> Option<usize> {
    let close = at.checked_sub(1).filter(|&close| haystack[close] == b'"')?;
    let backslashes = json::backslashes_before(haystack, close);
    let end = close - backslashes;
    let floor = end.saturating_sub(EMAIL_BYTES_MAX);
    let open = floor + memchr::memrchr(b'"', &haystack[floor..end])?;
    let start = open - json::backslashes_before(haystack, open);
    let inner = haystack[open + 1..end].trim_ascii_start();
    let between_strings = matches!(inner.first(), None | Some(b',' | b':' | b']' | b'}'));
    let opens = match start.checked_sub(1).map(|before| haystack[before]) {
        None | Some(b' ' | b'\t' | b'=' | b'<' | b',' | b';' | b'(' | b'[' | b':') => true,
        Some(b'"') => backslashes > 0,
        Some(_) => false,
    };
    let named = inner.iter().any(|&b| b.is_ascii_alphanumeric() || b >= 0x80) && !inner.contains(&b'{');
    (opens && named && !between_strings && open - start == backslashes).then_some(start)
}

/// Where the address in brackets ends that begins at `start` and stands for a domain: `[203.0.113.7]`.
fn literal_end(haystack: &[u8], start: usize) -> Option<usize> {
    let text = haystack.get(start..)?.strip_prefix(b"[")?;
    let len = memchr::memchr(b']', &text[..text.len().min(LITERAL_BYTES_MAX)])?;
    is_literal(&text[..len]).then_some(start + len + 2)
}

/// Longest address in brackets: `IPv6:` and 45 bytes.
const LITERAL_BYTES_MAX: usize = 51;

fn is_literal(text: &[u8]) -> bool {
    let v6 = text.strip_prefix(b"IPv6:").unwrap_or(text);
    let Ok(v6) = std::str::from_utf8(v6) else { return false };
    v6.parse::<Ipv4Addr>().is_ok() || v6.parse::<Ipv6Addr>().is_ok()
}

/// Whether all of `text` is an address, with any local part. What comes before `text` has said that it is one, so local
/// domains count, and addresses without brackets.
pub fn is_address(text: &[u8]) -> bool {
    let Some(sign) = memchr::memrchr(b'@', text) else { return false };
    let (local, domain) = (&text[..sign], &text[sign + 1..]);
    let quoted = local.len() > 2 && local.starts_with(b"\"") && local.ends_with(b"\"");
    let named = !local.is_empty() && (quoted || local.iter().all(|&b| is_atom(b)));
    let literal = domain.strip_prefix(b"[").and_then(|inner| inner.strip_suffix(b"]"));
    named && (literal.map_or_else(|| is_domain(domain), is_literal) || is_literal(domain))
}

/// Whether the text is labels with a dot between, the last of them letters.
fn is_domain(text: &[u8]) -> bool {
    let Some(dot) = memchr::memrchr(b'.', text) else { return false };
    let last = &text[dot + 1..];
    let named = last.len() >= 2 && last.iter().all(|b| b.is_ascii_alphabetic() || *b >= 0x80);
    let labels = text[..dot].split(|&b| b == b'.').all(|label| !label.is_empty());
    domain_run(text) == text.len() && labels && (named || is_top_level(last))
}

/// What the unit that ends at `end` stands for, and its length: a byte, an escape or a percent-encoded byte.
/// A letter beyond ASCII is given as `a`.
fn unit_before(haystack: &[u8], end: usize) -> Option<(u8, usize)> {
    let byte = *haystack.get(end.checked_sub(1)?)?;
    if byte >= 0x80 {
        return letter_before(haystack, end).map(|len| (b'a', len));
    }
    if !byte.is_ascii_alphanumeric() {
        return Some((byte, 1));
    }
    if end >= 5 && haystack[end - 5..].starts_with(b"%25") && percent::hex(haystack[end - 2]).is_some() {
        let high = percent::hex(haystack[end - 2])?;
        return percent::hex(byte).map(|low| (high << 4 | low, 5)).or(Some((byte, 1)));
    }
    if let Some(byte) = end.checked_sub(3).and_then(|at| percent::unit_at(haystack, at)) {
        return Some((byte, 3));
    }
    if let Some(unit) = end.checked_sub(6).and_then(|at| json::code_unit(haystack, at)) {
        let letter = |c: char| if c.is_alphanumeric() { b'a' } else { b' ' };
        let ascii = u8::try_from(unit).ok().filter(u8::is_ascii);
        // With all of its backslashes, so that no half of an escaped one is left.
        let len = 6 + json::backslashes_before(haystack, end - 6);
        return Some((ascii.unwrap_or(char::from_u32(unit).map_or(b'a', letter)), len));
    }
    let escape = end >= 2 && haystack[end - 2] == b'\\' && matches!(byte, b'n' | b'r' | b't' | b'b' | b'f');
    if escape && field::in_string(haystack, end - 2) {
        return Some((b'\n', 2));
    }
    Some((byte, 1))
}

/// Length of the letter or digit beyond ASCII that ends at `end`.
fn letter_before(haystack: &[u8], end: usize) -> Option<usize> {
    let floor = end.saturating_sub(4);
    let len = 1 + haystack[floor..end - 1].iter().rev().take_while(|&&b| b & 0xc0 == 0x80).count();
    // `len` counts the continuation bytes before the last one; the lead byte stands one further.
    (len..=len + 1).find(|&len| end >= len && is_letter(&haystack[end - len..end]))
}

fn is_letter(utf8: &[u8]) -> bool {
    let mut chars = std::str::from_utf8(utf8).unwrap_or("").chars();
    matches!((chars.next(), chars.next()), (Some(c), None) if c.is_alphanumeric())
}

fn is_local(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"._+-~".contains(&byte)
}

/// Where the domain ends that begins at `start`: after the last label that a top-level domain can be.
fn domain_end(haystack: &[u8], start: usize) -> Option<usize> {
    let text = &haystack[start..haystack.len().min(start + EMAIL_BYTES_MAX)];
    let len = domain_run(text);
    let mut end = len;
    loop {
        let domain = &text[..end];
        let dot = memchr::memrchr(b'.', domain)?;
        if is_top_level(&domain[dot + 1..]) && is_host(&domain[..dot]) {
            return Some(start + end);
        }
        end = dot;
    }
}

/// Bytes of letters, digits, dashes and dots.
fn domain_run(text: &[u8]) -> usize {
    let mut len = 0;
    while let Some(&byte) = text.get(len) {
        if byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.' {
            len += 1;
        } else if let Some(letter) = letter_at(&text[len..]) {
            len += letter;
        } else {
            break;
        }
    }
    len
}

fn letter_at(text: &[u8]) -> Option<usize> {
    let len = match text.first()? {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return None,
    };
    text.get(..len).filter(|utf8| is_letter(utf8)).map(|_| len)
}

fn is_top_level(label: &[u8]) -> bool {
    let letters =
        label.len() >= 2 && label.len() <= 24 && label.iter().all(|b| b.is_ascii_alphabetic() || *b >= 0x80);
    let encoded = label.len() > 4 && label[..4].eq_ignore_ascii_case(b"xn--");
    (letters || encoded) && !NOT_DOMAINS.iter().any(|not| label.eq_ignore_ascii_case(not))
}

fn is_host(labels: &[u8]) -> bool {
    labels.split(|&b| b == b'.').all(|label| {
        !label.is_empty() && label.len() <= 63 && label[0] != b'-' && label[label.len() - 1] != b'-'
    })
}

/// `git@host:path`: a repository's address has the same user for everybody.
fn is_repository(haystack: &[u8], start: usize, at: usize, end: usize) -> bool {
    matches!(&haystack[start..at], b"git" | b"hg") && haystack.get(end) == Some(&b':')
}

/// `scheme://user:password@host`: what stands before the at-sign is a password, another parser's business.
fn in_user_information(haystack: &[u8], start: usize) -> bool {
    let window = &haystack[start.saturating_sub(EMAIL_BYTES_MAX)..start];
    let len = window.iter().rev().take_while(|&&b| b > b' ' && !b"\"'<>?#".contains(&b)).count();
    let token = &window[window.len() - len..];
    let Some(scheme) = memchr::memmem::rfind(token, b"//") else { return false };
    let authority = &token[scheme + 2..];
    authority.contains(&b':') && !authority.contains(&b'/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, sign: &str, expected: &[&str]) {
        let haystack = text.as_bytes();
        let found: Vec<_> = memchr::memmem::find_iter(haystack, sign)
            .filter_map(|at| match around(haystack, at, sign.len()) {
                Some(Verdict::Hit(span, _)) => Some(&text[span.range()]),
                _ => None,
            })
            .collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn finds_addresses() {
        check(
            "<jo@example.co.uk>, (ann+tag@example.org).",
            "@",
            &["jo@example.co.uk", "ann+tag@example.org"],
        );
        check("a@example.com,b@example.com;", "@", &["a@example.com", "b@example.com"]);
        check(r#"{"msg":"x\nuser@example.com in"}"#, "@", &["user@example.com"]);
        check("p=%2Fjane@example.com&", "@", &["jane@example.com"]);
        check("email=jane.doe%40example.com&n", "%40", &["jane.doe%40example.com"]);
        check("u=a%252Bb%2540example.com&", "%2540", &["a%252Bb%2540example.com"]);
        check(r#""user\u0040example.com""#, r"\u0040", &[r"user\u0040example.com"]);
        check(r#""user\\u0040example.com""#, r"\u0040", &[r"user\\u0040example.com"]);
        check(r#""\\u0041\u20acjo@example.com""#, "@", &["jo@example.com"]);
        check(r#""\\u0041jo@example.com""#, "@", &[r"\\u0041jo@example.com"]);
        check("jürgen@müller.de", "@", &["jürgen@müller.de"]);
        check("“jo@example.com”", "@", &["jo@example.com"]);
        check("x@example.com.1", "@", &["x@example.com"]);
        check("CORP\\nina@example.com", "@", &["nina@example.com"]);
        check(
            "to o'brien@example.com, 'ann@example.com' b'ed@example.com'",
            "@",
            &["o'brien@example.com", "ann@example.com", "ed@example.com"],
        );
        check("u=o%27brien%40example.com&", "%40", &["o%27brien%40example.com"]);
        check(
            "from=<bounce+jo=example.org@lists.example.com>, a=jo@example.com",
            "@",
            &["bounce+jo=example.org@lists.example.com", "jo@example.com"],
        );
        check(
            "jo!x#y@example.com {ann@example.com} #tag@example.com",
            "@",
            &["jo!x#y@example.com", "ann@example.com", "tag@example.com"],
        );
        check(
            "jo@[203.0.113.7], ann@[IPv6:2001:db8::1]",
            "@",
            &["jo@[203.0.113.7]", "ann@[IPv6:2001:db8::1]"],
        );
    }

    #[test]
    fn a_local_part_may_stand_in_quotes() {
        check(r#"to "jo doe"@example.com now"#, "@", &[r#""jo doe"@example.com"#]);
        check(r#"{"to":"\"jo doe\"@example.com"}"#, "@", &[r#"\"jo doe\"@example.com"#]);
        check(r#"{"a":"x ","@example.com":1}"#, "@", &[]);
        check(r#"{"a":"x ", "b ": "@example.com"}"#, "@", &[]);
        check(r#"["a ", 12, "@example.com"]"#, "@", &[]);
        check(r#""@example.com""#, "@", &[]);
    }

    #[test]
    fn a_named_address_may_have_any_signs() {
        for text in [
            "#jo!x{y}|z@example.com",
            "jo@203.0.113.7",
            "jo@[203.0.113.7]",
            "\"a b\"@example.com",
            "jo@host.local",
            "ute@k\u{f6}ln.example",
            "a/b=c@example.com",
        ] {
            assert!(is_address(text.as_bytes()), "{text}");
        }
        for text in [
            "",
            "@",
            "jo@",
            "@example.com",
            "jo@example",
            "jo@example.c",
            "a b@example.com",
            "jo@203.0.113.256",
            "jo@[203.0.113.256]",
            "jo@ex\u{a0}ample.com",
            "jo@x@example.com",
            "jo@..example.com",
        ] {
            assert!(!is_address(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn leaves_what_is_none() {
        for text in [
            "root@localhost",
            "logo@2x.png",
            "getty@tty1.service",
            "git@example.com:a/b.git",
            "@example.com",
            "aes256-gcm@openssh.com",
            "pkg@1.2.3",
            "postgres://app:pw@db.example.com/x",
        ] {
            check(text, "@", &[]);
        }
    }

    #[test]
    fn tells_how_it_is_written() {
        let form = |text: &[u8]| form(text, Span::new(0, text.len()));
        assert_eq!(form(b"a@b.org"), Form::PLAIN);
        assert_eq!(form(b"a%40b.org").percent, 1);
        assert_eq!(form(b"a%2540b.org").percent, 2);
        assert_eq!(form(br"a\u0040b.org").json, 1);
        assert_eq!(form(br"a\\u0040b.org").json, 2);
    }
}

/*!
Addresses of hosts and of hardware whose colons or full stops are percent-encoded, once or twice: `2001%3Adb8%3A%3A1`,
`203%2E0%2E113%2E7`.
*/

use super::{Verdict, ip, mac};
use crate::detect::context;
use crate::detect::rule::Parser;
use crate::span::Span;
use crate::structure::{Form, field, percent};

/// Longest plain address, in bytes: fourteen pairs of hexadecimal digits are not looked for here.
const PLAIN_BYTES_MAX: usize = 48;

/// The address whose first encoded sign stands at `at`, and whose business it is.
pub fn address_around(haystack: &[u8], at: usize) -> Option<(Parser, Verdict)> {
    let start = start_before(haystack, at)?;
    let (mut plain, mut ends) = ([0; PLAIN_BYTES_MAX], [start; PLAIN_BYTES_MAX + 1]);
    let (mut len, mut end) = (0, start);
    while len < PLAIN_BYTES_MAX {
        let Some((byte, bytes)) = unit_at(haystack, end) else { break };
        if !byte.is_ascii_hexdigit() && byte != b':' && byte != b'.' {
            break;
        }
        plain[len] = byte;
        len += 1;
        end += bytes;
        ends[len] = end;
    }
    let plain = &plain[..len];
    let sign = plain.iter().position(|b| !b.is_ascii_hexdigit())?;
    let (parser, verdict) = match plain[sign] {
        b'.' => (Parser::Ipv4, ip::v4_at(plain, 0)?),
        _ => match mac::around(plain, sign) {
            Some(verdict @ Verdict::Hit(..)) => (Parser::Mac, verdict),
            _ => (Parser::Ipv6, ip::v6_around(plain, sign)?),
        },
    };
    let place =
        |span: Span| Span::new(if span.start == 0 { start } else { ends[span.start] }, ends[span.end]);
    let verdict = match verdict {
        Verdict::Hit(span, _) if context::word_ends_at(haystack, place(span).end) => {
            let span = place(span);
            Verdict::Hit(span, field::percent_form(haystack, span, Form::PLAIN))
        }
        Verdict::Hit(..) => return None,
        Verdict::Miss(span, why) => Verdict::Miss(place(span), why),
    };
    Some((parser, verdict))
}

/// The byte at `at`, as it is or percent-encoded once or twice, and how many bytes it takes.
fn unit_at(haystack: &[u8], at: usize) -> Option<(u8, usize)> {
    match percent::unit_at(haystack, at) {
        Some(b'%') => {
            let [high, low] = *haystack.get(at + 3..at + 5)? else { return None };
            Some((percent::hex(high)? << 4 | percent::hex(low)?, 5))
        }
        Some(byte) => Some((byte, 3)),
        None => haystack.get(at).map(|&byte| (byte, 1)),
    }
}

/// Where the group of digits begins that ends at `at`, if it is an address's first.
fn start_before(haystack: &[u8], at: usize) -> Option<usize> {
    let floor = at.saturating_sub(8);
    let digits = haystack[floor..at].iter().rev().take_while(|b| b.is_ascii_hexdigit()).count();
    let mut start = at - digits;
    // The first digits may be those of an encoded sign before: `ip%3D2001%3A`.
    let before = start.checked_sub(1).filter(|&before| haystack[before] == b'%');
    if let Some((byte, bytes)) = before.and_then(|before| unit_at(haystack, before)) {
        if byte == b':' || byte == b'.' || start - 1 + bytes > at {
            return None;
        }
        start = start - 1 + bytes;
    }
    (at - start <= 4 && context::word_starts_at(haystack, start)).then_some(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found at any place where a percent sign stands.
    fn found(text: &str) -> Vec<(Parser, &str)> {
        let at = memchr::memchr_iter(b'%', text.as_bytes());
        at.filter_map(|at| match address_around(text.as_bytes(), at) {
            Some((parser, Verdict::Hit(span, _))) => Some((parser, &text[span.range()])),
            _ => None,
        })
        .collect()
    }

    #[test]
    fn finds_addresses_in_query_strings() {
        assert_eq!(found("ip=2001%3Adb8%3A%3A1&x"), [(Parser::Ipv6, "2001%3Adb8%3A%3A1")]);
        assert_eq!(found("a%3D2001%3adb8%3a%3a17%26"), [(Parser::Ipv6, "2001%3adb8%3a%3a17")]);
        assert_eq!(found("ip=%3A%3A1"), [(Parser::Ipv6, "%3A%3A1")]);
        assert_eq!(found("ip=2001%253Adb8%253A%253A1 x"), [(Parser::Ipv6, "2001%253Adb8%253A%253A1")]);
        assert_eq!(found("m=00%3A1a%3A2b%3A3c%3A4d%3A5e"), [(Parser::Mac, "00%3A1a%3A2b%3A3c%3A4d%3A5e")]);
        assert_eq!(found("ip=203%2E0%2E113%2E7."), [(Parser::Ipv4, "203%2E0%2E113%2E7")]);
        assert_eq!(found("u=http%3A%2F%2F203%2E0%2E113%2E7%3A80"), [(Parser::Ipv4, "203%2E0%2E113%2E7")]);
    }

    #[test]
    fn leaves_times_and_urls() {
        for text in [
            "t=10%3A20%3A30",
            "u=https%3A%2F%2Fexample.com",
            "a%3Ab",
            "v=1%2E2%2E3",
            "x%3A%3Afmt",
            "%3A",
            "2001%3",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}

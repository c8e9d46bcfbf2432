/*!
IPv4 addresses in dotted decimal form, and IPv6 addresses in any form of RFC 4291, section 2.2.

Decimal, octal and hexadecimal spellings of IPv4 (`3232235777`, `0300.0250.1.1`)
are not looked for: no server logs them, and every counter would be one.
*/

use core::net::Ipv6Addr;

use super::Verdict;
use crate::detect::Why;
use crate::detect::context;

/// Longest text of an IPv6 address: eight groups of four, or six and an IPv4 address.
const IPV6_BYTES_MAX: usize = 45;

/// The IPv4 address that begins at `start`, the first byte of a run of digits.
pub fn v4_at(haystack: &[u8], start: usize) -> Option<Verdict> {
    let inside_dotted = start >= 2 && haystack[start - 1] == b'.' && haystack[start - 2].is_ascii_digit();
    if inside_dotted {
        return None;
    }
    let mut end = start;
    let mut in_range = true;
    for group in 0..4 {
        if group > 0 {
            if haystack.get(end) != Some(&b'.') {
                return None;
            }
            end += 1;
        }
        let (value, len) = octet(&haystack[end..])?;
        in_range &= value <= 255;
        end += len;
    }
    if !in_range {
        return Some(Verdict::miss(start, end, Why::Range));
    }
    let dotted_on = haystack.get(end) == Some(&b'.') && haystack.get(end + 1).is_some_and(u8::is_ascii_digit);
    // `..1.3.39.9gJeQ` is a part of something else.
    let inside = haystack[..start].ends_with(b".") && !context::word_ends_at(haystack, end);
    if dotted_on || inside || context::is_version(haystack, start, end) {
        return Some(Verdict::miss(start, end, Why::Context));
    }
    Some(Verdict::plain(start, end))
}

/// The number of one to three digits at the start of `text`, and how many digits it has. More are none.
fn octet(text: &[u8]) -> Option<(u16, usize)> {
    let bytes = text.first_chunk::<4>().copied().unwrap_or_else(|| {
        let mut bytes = [0; 4];
        bytes[..text.len()].copy_from_slice(text);
        bytes
    });
    // How many digits there are differs from address to address, so nothing branches on it.
    let [a, b, c, d] = bytes.map(|byte| byte.wrapping_sub(b'0'));
    let (two, three) = (b < 10, (b < 10) & (c < 10));
    if a >= 10 || three & (d < 10) {
        return None;
    }
    let mut value = u16::from(a);
    value = if two { value * 10 + u16::from(b) } else { value };
    value = if three { value * 10 + u16::from(c) } else { value };
    Some((value, 1 + usize::from(two) + usize::from(three)))
}

/// The IPv6 address around the colon at `colon`, if that is its first colon.
pub fn v6_around(haystack: &[u8], colon: usize) -> Option<Verdict> {
    let floor = colon.saturating_sub(IPV6_BYTES_MAX + 1);
    let group = haystack[floor..colon].iter().rev().take_while(|b| b.is_ascii_hexdigit()).count();
    // The digits of an escape before the address are none of its own.
    let after_escape = (0..=group.min(4)).map(|len| colon - len).find(|&start| {
        context::is_after_code_unit(haystack, start) || context::is_after_unit(haystack, start)
    });
    let mut start = after_escape.unwrap_or(colon - group);
    let group = colon - start;
    if group > 4
        || (start > 0 && haystack[start - 1] == b':' && !(group > 0 && lone_colon_before(haystack, start)))
    {
        return None;
    }
    if !context::word_starts_at(haystack, start) {
        // `peer:2001:db8::1`: the letters before the first colon are a name.
        start = colon + 1;
        if !haystack.get(start).is_some_and(u8::is_ascii_hexdigit) {
            return None;
        }
    }
    let run = address_run(&haystack[start..]);
    let text = &haystack[start..start + run];
    let end = start + trimmed_len(text)?;
    let text = &haystack[start..end];
    if !has_enough_groups(text) || !context::word_ends_at(haystack, end) {
        return None;
    }
    let address: Ipv6Addr = std::str::from_utf8(text).ok()?.parse().ok()?;
    if address.is_unspecified() || !looks_assigned(text) {
        return Some(Verdict::miss(start, end, Why::Context));
    }
    Some(Verdict::plain(start, end))
}

/// Whether all of `text` is an address, perhaps with a zone (RFC 4007, section 11) and with more zeros before a group than it
/// needs; the unspecified address, too. What comes before `text` has said that it is one.
pub fn is_v6(text: &[u8]) -> bool {
    let (address, zone) = match memchr::memchr(b'%', text) {
        Some(sign) => (&text[..sign], Some(&text[sign + 1..])),
        None => (text, None),
    };
    let is_zone = |zone: &[u8]| {
        !zone.is_empty() && zone.iter().all(|b| b.is_ascii_alphanumeric() || b"-_.%".contains(b))
    };
    if address.len() > 2 * IPV6_BYTES_MAX || !zone.is_none_or(is_zone) {
        return false;
    }
    let mut short = [0; 2 * IPV6_BYTES_MAX];
    let mut len = 0;
    let mut digits = 0;
    for (at, &byte) in address.iter().enumerate() {
        digits = if byte.is_ascii_hexdigit() { digits + 1 } else { 0 };
        let rest = address[at + 1..].iter().take_while(|b| b.is_ascii_hexdigit()).count();
        // A zero before four more digits says nothing.
        if byte == b'0' && digits == 1 && rest >= 4 {
            digits = 0;
            continue;
        }
        short[len] = byte;
        len += 1;
    }
    std::str::from_utf8(&short[..len]).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok())
}

/// Whether the one colon before `start` is a separator: `addr:2001:db8::1`.
fn lone_colon_before(haystack: &[u8], start: usize) -> bool {
    start >= 2 && haystack[start - 2] != b':' && !haystack[start - 2].is_ascii_hexdigit()
}

fn address_run(text: &[u8]) -> usize {
    text.iter()
        .take(IPV6_BYTES_MAX + 2)
        .take_while(|&&b| b.is_ascii_hexdigit() || b == b':' || b == b'.')
        .count()
}

/// Length without a sentence's colon or stop at the end; `None` if there are fewer than two colons.
fn trimmed_len(text: &[u8]) -> Option<usize> {
    let mut len = text.len();
    while len > 0 && (text[len - 1] == b'.' || (text[len - 1] == b':' && !text[..len].ends_with(b"::"))) {
        len -= 1;
    }
    (text[..len].iter().filter(|&&b| b == b':').count() >= 2).then_some(len)
}

/// Whether there are as many colons as an address has, so that a time costs no parsing.
fn has_enough_groups(text: &[u8]) -> bool {
    let colons = text.iter().filter(|&&b| b == b':').count();
    let mapped = text.contains(&b'.');
    colons == 7 || (mapped && colons == 6) || text.windows(2).any(|pair| pair == b"::")
}

/// Whether a valid address is more than `a::b` of a program, a fingerprint or a time.
fn looks_assigned(text: &[u8]) -> bool {
    let groups = || text.split(|&b| b == b':').filter(|group| !group.is_empty());
    let compressed = text.windows(2).any(|pair| pair == b"::");
    if !compressed {
        return groups().any(|group| group.len() > 2);
    }
    let has_digit = text.iter().any(u8::is_ascii_digit);
    has_digit
        && (groups().count() >= 3 || text.starts_with(b"::") || groups().next().is_some_and(|g| g.len() >= 3))
}

#[cfg(test)]
mod tests {
    use super::super::tests::hits;
    use super::*;

    fn v4(text: &str) -> Vec<String> {
        let digit_starts = |h: &[u8], at: usize| {
            (h[at].is_ascii_digit() && (at == 0 || !h[at - 1].is_ascii_digit()))
                .then(|| v4_at(h, at))
                .flatten()
        };
        hits(text.as_bytes(), digit_starts)
    }

    fn v6(text: &str) -> Vec<String> {
        hits(text.as_bytes(), |h, at| (h[at] == b':').then(|| v6_around(h, at)).flatten())
    }

    #[test]
    fn finds_ipv4() {
        assert_eq!(
            v4("a 203.0.113.7, 10.0.0.1:80 text192.168.1.1."),
            ["203.0.113.7", "10.0.0.1", "192.168.1.1"]
        );
        assert_eq!(v4("203.0.113.7"), ["203.0.113.7"]);
        assert_eq!(v4("1.2.3"), [""; 0]);
        assert_eq!(v4("a..1.3.39.9gJe"), [""; 0]);
        assert_eq!(v4("a...203.0.113.7 b"), ["203.0.113.7"]);
        assert_eq!(v4("256.1.2.3 1.3.6.1.4.1.311 1.2.3.4444 v1.2.3.4"), [""; 0]);
    }

    #[test]
    fn finds_ipv6() {
        assert_eq!(v6("[2001:db8:85a3::8a2e:370:7334]:443"), ["2001:db8:85a3::8a2e:370:7334"]);
        assert_eq!(v6("from ::1: x"), ["::1"]);
        assert_eq!(v6("::ffff:198.51.100.9 ok"), ["::ffff:198.51.100.9"]);
        assert_eq!(v6("fe80::1ff:fe23:4567:890a%eth0"), ["fe80::1ff:fe23:4567:890a"]);
        assert_eq!(v6(r#""\u003c2001:db8::1\u003e""#), ["2001:db8::1"]);
        assert_eq!(v6(r#""\u0022::1\u0022""#), ["::1"]);
        assert_eq!(v6("ip%3D2001:db8::7%20x, %20::1"), ["2001:db8::7", "::1"]);
        assert_eq!(v6("client:2001:db8::1 x"), ["2001:db8::1"]);
        assert_eq!(v6("addr:2001:db8::1"), ["2001:db8::1"]);
        assert_eq!(v6("1:2:3:4:5:6:7:890"), ["1:2:3:4:5:6:7:890"]);
    }

    #[test]
    fn a_named_ipv6_may_be_written_in_any_way() {
        for text in
            ["2::", "::", "::00", "fe80::a:1f%eth1", "ff02::7%3", "2001:db8:00000:1::198.51.100.9", "::1"]
        {
            assert!(is_v6(text.as_bytes()), "{text}");
        }
        for text in
            ["", ":1", "1", "abc", "::12345", "1::2::3", "fe80::1%", "fe80::1%a b", "1:2:3:4:5:6:7:8:9"]
        {
            assert!(!is_v6(text.as_bytes()), "{text}");
        }
        assert!(!is_v6(&[b'0'; 200]));
    }

    #[test]
    fn leaves_paths_times_and_fingerprints() {
        for text in [
            "12:34:56",
            "core::fmt::Write",
            "abc::fmt",
            "a::b",
            "::",
            "de:ad:be:ef:00:11:22:33",
            "16:27:ac:a5:76:28:2d:36:63:1b:56:4d:eb:df:a6:48",
            "add::function",
            "2026-11-22T10:00:00",
        ] {
            assert_eq!(v6(text), [""; 0], "{text}");
        }
    }
}

/*!
48-bit hardware addresses (IEEE 802): six pairs of hexadecimal digits with `:` or `-` between them.

The fourteen pairs that packet filters log (destination, source, type) are taken whole. Where a field's name or a
word before says that an address follows, [`is_address`] takes the other notations, too: 64 bits, groups of four
digits, spaces, no separators.
*/

use super::Verdict;
use crate::detect::{Why, context};

/// The address whose first separator (`:` or `-`) stands at `separator`.
pub fn around(haystack: &[u8], separator: usize) -> Option<Verdict> {
    let sign = haystack[separator];
    let start = separator.checked_sub(2)?;
    if !is_pair(haystack, start) || !context::word_starts_at(haystack, start) {
        return None;
    }
    if start > 0 && haystack[start - 1] == sign {
        return None;
    }
    let mut pairs = 1;
    let mut end = start + 2;
    while pairs <= 20 && haystack.get(end) == Some(&sign) && is_pair(haystack, end + 1) {
        pairs += 1;
        end += 3;
    }
    if pairs < 6 {
        return None;
    }
    let text = &haystack[start..end];
    let goes_on = !context::word_ends_at(haystack, end) || haystack.get(end) == Some(&sign);
    if goes_on || !(pairs == 6 || pairs == 14) {
        return Some(Verdict::miss(start, end, Why::Length));
    }
    let only_digits = text.iter().all(|&b| b.is_ascii_digit() || b == sign);
    let same = |byte: u8| text.iter().all(|&b| b == byte || b.to_ascii_lowercase() == byte || b == sign);
    // The loopback device has no addresses: twelve pairs of zeros and the type.
    let loopback = pairs == 14 && text[..12 * 3 - 1].iter().all(|&b| b == b'0' || b == sign);
    if (sign == b'-' && only_digits) || same(b'0') || same(b'f') || loopback {
        return Some(Verdict::miss(start, end, Why::Context));
    }
    Some(Verdict::plain(start, end))
}

/// Whether all of `text` is an address of 48 or 64 bits (EUI-48, EUI-64) in one of its notations: pairs with one separator
/// all over, groups of four with dots, or digits alone.
pub fn is_address(text: &[u8]) -> bool {
    let Some(separator) = text.iter().copied().find(|b| !b.is_ascii_hexdigit()) else {
        return matches!(text.len(), 12 | 16);
    };
    let group = match separator {
        b':' | b'-' | b' ' if text.get(2) == Some(&separator) => 2,
        b'.' => 4,
        _ => return false,
    };
    let mut groups = 0;
    let even = text.split(|&b| b == separator).all(|part| {
        groups += 1;
        part.len() == group && part.iter().all(u8::is_ascii_hexdigit)
    });
    even && matches!(groups * group, 12 | 16)
}

fn is_pair(haystack: &[u8], at: usize) -> bool {
    matches!(haystack.get(at..at + 2), Some(pair) if pair.iter().all(u8::is_ascii_hexdigit))
}

#[cfg(test)]
mod tests {
    use super::super::tests::hits;
    use super::*;

    fn macs(text: &str) -> Vec<String> {
        hits(text.as_bytes(), |h, at| matches!(h[at], b':' | b'-').then(|| around(h, at)).flatten())
    }

    #[test]
    fn finds_hardware_addresses() {
        assert_eq!(macs("to 00:1a:2b:3c:4d:5e via"), ["00:1a:2b:3c:4d:5e"]);
        assert_eq!(macs("00-1A-2B-3C-4D-5E"), ["00-1A-2B-3C-4D-5E"]);
        assert_eq!(macs("MAC=00:1a:2b:3c:4d:5e:00:1a:2b:3c:4d:5f:08:00 x").len(), 1);
    }

    #[test]
    fn leaves_what_is_none() {
        for text in [
            "ff:ff:ff:ff:ff:ff",
            "00:00:00:00:00:00",
            "00:00:00:00:00:00:00:00:00:00:00:00:08:00",
            "22-11-26-10-00-00",
            "16:27:ac:a5:76:28:2d:36",
            "10:00:00",
        ] {
            assert_eq!(macs(text), [""; 0], "{text}");
        }
    }

    #[test]
    fn a_named_address_may_be_written_in_any_way() {
        for text in [
            "001a2b3c4d5e",
            "001A.2B3C.4D5E",
            "00 1a 2b 3c 4d 5e",
            "00:1a:2b:ff:fe:3c:4d:5e",
            "021a.2bff.fe3c.4d5e",
            "021a2bfffe3c4d5e",
            "ff:ff:ff:ff:ff:ff",
        ] {
            assert!(is_address(text.as_bytes()), "{text}");
        }
        for text in [
            "",
            ":",
            "00:1a:2b:3c:4d",
            "001a 2b 3c 4d 5e",
            "001a.2b3c:4d5e",
            "001a-2b3c-4d5e",
            "001a2b3c4d5e6f",
            "00:1a:2b:3c:4d:zz",
        ] {
            assert!(!is_address(text.as_bytes()), "{text}");
        }
    }
}

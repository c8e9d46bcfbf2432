/*!
International bank account numbers (ISO 13616): country, two check digits (ISO 7064, mod 97-10), account.
*/

use super::Verdict;
use crate::detect::{Why, context};

/// Characters of a country's IBANs, from the registry of ISO 13616, sorted by country.
#[rustfmt::skip]
const LENGTHS: &[(&[u8; 2], usize)] = &[
    (b"AD", 24), (b"AE", 23), (b"AL", 28), (b"AT", 20), (b"AZ", 28), (b"BA", 20), (b"BE", 16), (b"BG", 22), (b"BH", 22),
    (b"BR", 29), (b"BY", 28), (b"CH", 21), (b"CR", 22), (b"CY", 28), (b"CZ", 24), (b"DE", 22), (b"DK", 18), (b"DO", 28),
    (b"EE", 20), (b"EG", 29), (b"ES", 24), (b"FI", 18), (b"FO", 18), (b"FR", 27), (b"GB", 22), (b"GE", 22), (b"GI", 23),
    (b"GL", 18), (b"GR", 27), (b"GT", 28), (b"HR", 21), (b"HU", 28), (b"IE", 22), (b"IL", 23), (b"IQ", 23), (b"IS", 26),
    (b"IT", 27), (b"JO", 30), (b"KW", 30), (b"KZ", 20), (b"LB", 28), (b"LC", 32), (b"LI", 21), (b"LT", 20), (b"LU", 20),
    (b"LV", 21), (b"MC", 27), (b"MD", 24), (b"ME", 22), (b"MK", 19), (b"MR", 27), (b"MT", 31), (b"MU", 30), (b"NL", 18),
    (b"NO", 15), (b"PK", 24), (b"PL", 28), (b"PS", 29), (b"PT", 25), (b"QA", 29), (b"RO", 24), (b"RS", 22), (b"SA", 24),
    (b"SC", 31), (b"SE", 24), (b"SI", 19), (b"SK", 24), (b"SM", 27), (b"ST", 25), (b"SV", 28), (b"TL", 23), (b"TN", 24),
    (b"TR", 26), (b"UA", 29), (b"VA", 22), (b"VG", 24), (b"XK", 20),
];

/// The number whose check digits begin at `digits`, the first byte of a run of digits.
pub fn around(haystack: &[u8], digits: usize) -> Option<Verdict> {
    let start = digits.checked_sub(2)?;
    if !haystack[start..digits].iter().all(u8::is_ascii_uppercase) {
        return None;
    }
    let country = [haystack[start], haystack[start + 1]];
    if !context::word_starts_at(haystack, start) {
        return None;
    }
    let wanted = LENGTHS[LENGTHS.binary_search_by_key(&&country, |(code, _)| code).ok()?].1;
    let end = end_after(haystack, start, wanted)?;
    if !context::word_ends_at(haystack, end) {
        return None;
    }
    if !mod_97_holds(&haystack[start..end]) {
        return Some(Verdict::miss(start, end, Why::Checksum));
    }
    Some(Verdict::plain(start, end))
}

/// Where `wanted` capitals and digits end, written in one run or in groups of four with a space or dash between.
fn end_after(haystack: &[u8], start: usize, wanted: usize) -> Option<usize> {
    let separator = haystack.get(start + 4).filter(|byte| matches!(byte, b' ' | b'-'));
    let mut end = start;
    for n in 0..wanted {
        if n > 0 && n % 4 == 0 && separator.is_some() {
            if haystack.get(end) != separator {
                return None;
            }
            end += 1;
        }
        let byte = *haystack.get(end)?;
        let fits = byte.is_ascii_digit() || (byte.is_ascii_uppercase() && !(2..4).contains(&n));
        if !fits {
            return None;
        }
        end += 1;
    }
    Some(end)
}

fn mod_97_holds(text: &[u8]) -> bool {
    let compact = || text.iter().filter(|b| b.is_ascii_alphanumeric());
    let moved = compact().skip(4).chain(compact().take(4));
    let remainder = moved.fold(0u32, |rest, &byte| match byte {
        b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
        _ => (rest * 100 + u32::from(byte - b'A') + 10) % 97,
    });
    remainder == 1
}

#[cfg(test)]
mod tests {
    use super::super::tests::hits;
    use super::*;

    #[test]
    fn countries_are_sorted() {
        assert!(LENGTHS.is_sorted());
    }

    #[test]
    fn finds_numbers_whose_check_holds() {
        let ibans = |text: &str| {
            hits(text.as_bytes(), |h, at| h[at].is_ascii_digit().then(|| around(h, at)).flatten())
        };
        assert_eq!(ibans("to DE89 3704 0044 0532 0130 00 today"), ["DE89 3704 0044 0532 0130 00"]);
        assert_eq!(ibans("GB82WEST12345698765432"), ["GB82WEST12345698765432"]);
        assert_eq!(ibans("DE89 3704 0044 0532 0130 01"), [""; 0]);
        assert_eq!(ibans("XX89370400440532013000"), [""; 0]);
        assert_eq!(ibans("de89370400440532013000 DE89-37040044-0532013000"), [""; 0]);
    }
}

/*!
International bank account numbers (ISO 13616): country, two check digits (ISO 7064, mod 97-10), account.
*/

use super::Verdict;
use crate::detect::{Why, context};

/// The account part of a country's numbers, sorted by country: how many digits (`n`), capitals (`a`) or either (`c`), from
/// the registry of ISO 13616, and, for countries that use the form without an entry in it, as their banks do.
#[rustfmt::skip]
const ACCOUNTS: &[(&[u8; 2], &str)] = &[
    (b"AD", "8n12c"), (b"AE", "19n"), (b"AL", "8n16c"), (b"AO", "21n"), (b"AT", "16n"), (b"AZ", "4a20c"),
    (b"BA", "16n"), (b"BE", "12n"), (b"BF", "2c22n"), (b"BG", "4a6n8c"), (b"BH", "4a14c"), (b"BI", "23n"),
    (b"BJ", "2c22n"), (b"BR", "23n1a1c"), (b"BY", "4c4n16c"), (b"CF", "23n"), (b"CG", "23n"), (b"CH", "5n12c"),
    (b"CI", "2c22n"), (b"CM", "23n"), (b"CR", "18n"), (b"CV", "21n"), (b"CY", "8n16c"), (b"CZ", "20n"),
    (b"DE", "18n"), (b"DJ", "23n"), (b"DK", "14n"), (b"DO", "4c20n"), (b"DZ", "22n"), (b"EE", "16n"), (b"EG", "25n"),
    (b"ES", "20n"), (b"FI", "14n"), (b"FK", "2a12n"), (b"FO", "14n"), (b"FR", "10n11c2n"), (b"GA", "23n"),
    (b"GB", "4a14n"), (b"GE", "2a16n"), (b"GI", "4a15c"), (b"GL", "14n"), (b"GQ", "23n"), (b"GR", "7n16c"),
    (b"GT", "24c"), (b"GW", "2c19n"), (b"HN", "4a20n"), (b"HR", "17n"), (b"HU", "24n"), (b"IE", "4a14n"),
    (b"IL", "19n"), (b"IQ", "4a15n"), (b"IR", "22n"), (b"IS", "22n"), (b"IT", "1a10n12c"), (b"JO", "4a4n18c"),
    (b"KM", "23n"), (b"KW", "4a22c"), (b"KZ", "3n13c"), (b"LB", "4n20c"), (b"LC", "4a24c"), (b"LI", "5n12c"),
    (b"LT", "16n"), (b"LU", "3n13c"), (b"LV", "4a13c"), (b"LY", "21n"), (b"MA", "24n"), (b"MC", "10n11c2n"),
    (b"MD", "20c"), (b"ME", "18n"), (b"MG", "23n"), (b"MK", "3n10c2n"), (b"ML", "2c22n"), (b"MN", "16n"),
    (b"MR", "23n"), (b"MT", "4a5n18c"), (b"MU", "4a19n3a"), (b"MZ", "21n"), (b"NE", "2c22n"), (b"NI", "4a20n"),
    (b"NL", "4a10n"), (b"NO", "11n"), (b"OM", "3n16c"), (b"PK", "4a16c"), (b"PL", "24n"), (b"PS", "4a21c"),
    (b"PT", "21n"), (b"QA", "4a21c"), (b"RO", "4a16c"), (b"RS", "18n"), (b"RU", "14n15c"), (b"SA", "2n18c"),
    (b"SC", "4a20n3a"), (b"SD", "14n"), (b"SE", "20n"), (b"SI", "15n"), (b"SK", "20n"), (b"SM", "1a10n12c"),
    (b"SN", "2c22n"), (b"SO", "19n"), (b"ST", "21n"), (b"SV", "4a20n"), (b"TD", "23n"), (b"TG", "2c22n"),
    (b"TL", "19n"), (b"TN", "20n"), (b"TR", "6n16c"), (b"UA", "6n19c"), (b"VA", "18n"), (b"VG", "4a16n"),
    (b"XK", "16n"), (b"YE", "4a4n18c"),
];

/// Longest number, in characters (ISO 13616-1, section 5).
const CHARS_MAX: usize = 34;

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
    let account = account_of(country)?;
    let end = end_after(haystack, start, 4 + parts(account).map(|(len, _)| len).sum::<usize>())?;
    if !context::word_ends_at(haystack, end) {
        return None;
    }
    let (chars, len) = compact(&haystack[start..end]);
    let chars = &chars[..len];
    if !mod_97_holds(chars) {
        return Some(Verdict::miss(start, end, Why::Checksum));
    }
    if !has_form(&chars[4..], account) {
        return Some(Verdict::miss(start, end, Why::Range));
    }
    Some(Verdict::plain(start, end))
}

/// Length of the number at the start of `text`, in capitals or small letters and in any groups, if its check holds. What
/// comes before `text` has said that it is one.
pub fn number_len(text: &[u8]) -> Option<usize> {
    let (mut chars, mut len) = ([0; CHARS_MAX], 0);
    let mut wanted = CHARS_MAX;
    let mut end = 0;
    while len < wanted {
        let byte = *text.get(end)?;
        let gap = len > 0 && matches!(byte, b' ' | b'-' | b'.') && text[end - 1] != byte;
        if byte.is_ascii_alphanumeric() {
            chars[len] = byte.to_ascii_uppercase();
            len += 1;
        } else if !gap {
            return None;
        }
        if len == 2 && wanted == CHARS_MAX {
            wanted = 4 + parts(account_of([chars[0], chars[1]])?).map(|(len, _)| len).sum::<usize>();
        }
        end += 1;
    }
    let chars = &chars[..len];
    let holds = mod_97_holds(chars) && has_form(&chars[4..], account_of([chars[0], chars[1]])?);
    (holds && context::word_ends_at(text, end)).then_some(end)
}

fn account_of(country: [u8; 2]) -> Option<&'static str> {
    let place = ACCOUNTS.binary_search_by_key(&&country, |(code, _)| code).ok()?;
    Some(ACCOUNTS[place].1)
}

/// The parts of an account: length and kind.
fn parts(account: &str) -> impl Iterator<Item = (usize, u8)> {
    let mut len = 0;
    account.bytes().filter_map(move |byte| match byte {
        b'0'..=b'9' => {
            len = len * 10 + usize::from(byte - b'0');
            None
        }
        kind => Some((std::mem::take(&mut len), kind)),
    })
}

/// Whether digits and letters stand where the country has them.
fn has_form(mut chars: &[u8], account: &str) -> bool {
    parts(account).all(|(len, kind)| {
        let Some((part, rest)) = chars.split_at_checked(len) else { return false };
        chars = rest;
        match kind {
            b'n' => part.iter().all(u8::is_ascii_digit),
            b'a' => part.iter().all(u8::is_ascii_uppercase),
            _ => true,
        }
    })
}

/// The letters and digits alone.
fn compact(text: &[u8]) -> ([u8; CHARS_MAX], usize) {
    let mut chars = [0; CHARS_MAX];
    let mut len = 0;
    for (place, &byte) in chars.iter_mut().zip(text.iter().filter(|b| b.is_ascii_alphanumeric())) {
        *place = byte;
        len += 1;
    }
    (chars, len)
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

/// Whether the number, capitals and digits alone, leaves 1 when its first four characters stand last.
fn mod_97_holds(chars: &[u8]) -> bool {
    let moved = chars[4..].iter().chain(&chars[..4]);
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
        assert!(ACCOUNTS.is_sorted());
        let chars = |account| 4 + parts(account).map(|(len, _)| len).sum::<usize>();
        assert!(ACCOUNTS.iter().all(|(_, account)| (15..=CHARS_MAX).contains(&chars(account))));
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

    #[test]
    fn letters_stand_where_the_country_has_them() {
        let form = |country: &[u8; 2], account: &str| {
            has_form(account.as_bytes(), account_of(*country).expect("a country"))
        };
        assert!(form(b"GB", "WEST12345698765432"));
        assert!(!form(b"GB", "WES112345698765432"));
        assert!(!form(b"DE", "37040044053201300A"));
    }

    #[test]
    fn a_named_number_may_be_written_in_any_way() {
        for text in ["de89370400440532013000", "DE89 370400 44-0532 013000", "gb82 west 1234 5698 7654 32"] {
            assert_eq!(number_len(text.as_bytes()), Some(text.len()), "{text}");
        }
        assert_eq!(number_len(b"de89 3704 0044 0532 0130 00 paid"), Some(27));
        for text in ["de89370400440532013001", "xx89370400440532013000", "de89  370400440532013000", "de", ""]
        {
            assert_eq!(number_len(text.as_bytes()), None, "{text}");
        }
    }
}

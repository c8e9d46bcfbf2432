/*!
Payment card numbers (ISO/IEC 7812-1).

A card has an issuer's prefix and one of its lengths, a check digit that holds
(Annex B, Luhn), and is written without separators or in the groups that are
printed on cards, with one space or dash between two of them.
*/

use super::Verdict;
use crate::detect::{Why, context};

const DIGITS_MIN: usize = 13;
const DIGITS_MAX: usize = 19;

/// Groupings that are printed on cards.
const GROUPINGS: &[&[usize]] = &[&[4, 4, 4, 4], &[4, 6, 5], &[4, 6, 4], &[4, 4, 4, 1], &[4, 4, 4, 4, 3]];

/// The card that begins at `start`, the first byte of a run of digits.
pub fn at(haystack: &[u8], start: usize) -> Option<Verdict> {
    let run = haystack[start..].iter().take(DIGITS_MAX + 1).take_while(|b| b.is_ascii_digit()).count();
    let end = if run >= DIGITS_MIN { start + run } else { grouped_end(haystack, start, run)? };
    let (digits, len) = digits(&haystack[start..end])?;
    let digits = &digits[..len];
    if !is_issued(digits) {
        return None;
    }
    if !luhn_holds(digits) {
        return Some(Verdict::miss(start, end, Why::Checksum));
    }
    if in_longer_number(haystack, start, end) {
        return Some(Verdict::miss(start, end, Why::Context));
    }
    Some(Verdict::plain(start, end))
}

/// The end of the longest known grouping that begins at `start`, whose first group has `first` digits.
fn grouped_end(haystack: &[u8], start: usize, first: usize) -> Option<usize> {
    if first != 4 {
        return None;
    }
    let separator = *haystack.get(start + first)?;
    if separator != b' ' && separator != b'-' {
        return None;
    }
    let mut best = None;
    for grouping in GROUPINGS {
        let mut end = start;
        let fits = grouping.iter().enumerate().all(|(n, &len)| {
            if n > 0 {
                if haystack.get(end) != Some(&separator) {
                    return false;
                }
                end += 1;
            }
            let digits = haystack[end..].iter().take(len + 1).take_while(|b| b.is_ascii_digit()).count();
            end += len;
            digits == len
        });
        if fits {
            best = best.max(Some(end));
        }
    }
    best
}

fn digits(text: &[u8]) -> Option<([u8; DIGITS_MAX], usize)> {
    let mut digits = [0; DIGITS_MAX];
    let mut len = 0;
    for byte in text.iter().filter(|b| b.is_ascii_digit()) {
        *digits.get_mut(len)? = byte - b'0';
        len += 1;
    }
    Some((digits, len))
}

/// Whether an issuer of cards has this prefix and this length.
fn is_issued(digits: &[u8]) -> bool {
    let prefix = |len: usize| digits[..len].iter().fold(0u32, |value, &digit| value * 10 + u32::from(digit));
    let len = digits.len();
    match (prefix(1), prefix(2), prefix(4)) {
        (4, ..) => matches!(len, 13 | 16 | 19),
        (_, 34 | 37, _) => len == 15,
        (_, 51..=55, _) | (_, _, 2221..=2720) => len == 16,
        (_, 36 | 38 | 39, _) | (_, _, 3000..=3059 | 3095) => len == 14,
        (_, 62 | 65, _) | (_, _, 6011 | 6440..=6499 | 3528..=3589 | 2200..=2204) => (16..=19).contains(&len),
        (_, 50 | 56..=58, _) | (_, 63 | 67, _) => (16..=19).contains(&len),
        _ => false,
    }
}

/// ISO/IEC 7812-1, Annex B.
pub fn luhn_holds(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(n, &digit)| {
            let digit = u32::from(digit) << (n % 2);
            digit / 10 + digit % 10
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Whether a word, a fraction or another group of digits goes on at either end, or the field's name says it is a
/// time, a counter or an id.
fn in_longer_number(haystack: &[u8], start: usize, end: usize) -> bool {
    let before = &haystack[..start];
    let after = &haystack[end..];
    let fraction = before.ends_with(b".") && before.iter().rev().nth(1).is_some_and(u8::is_ascii_digit);
    let goes_on = match *after {
        [b'.', b, ..] | [b'-', b, ..] => b.is_ascii_digit(),
        _ => false,
    };
    fraction
        || goes_on
        || before.ends_with(b"-") && before.iter().rev().nth(1).is_some_and(u8::is_ascii_hexdigit)
        || !context::word_starts_at(haystack, start)
        || !context::word_ends_at(haystack, end)
        || is_counter_field(before)
}

/// Last words of keys whose numbers are no cards.
const COUNTER_KEYS: &[&[u8]] = &[
    b"id",
    b"ts",
    b"time",
    b"timestamp",
    b"nanos",
    b"ns",
    b"ms",
    b"seq",
    b"offset",
    b"size",
    b"bytes",
    b"trace",
    b"span",
    b"epoch",
    b"duration",
    b"serial",
    b"cursor",
    b"revision",
    b"hash",
    b"order",
    b"created",
    b"updated",
];

fn is_counter_field(before: &[u8]) -> bool {
    let window = &before[before.len().saturating_sub(48)..];
    let quote = window.iter().rev().take_while(|b| b"\"'\\ ".contains(b)).count();
    let Some((b'=' | b':', key)) = window[..window.len() - quote].split_last() else { return false };
    let close = key.iter().rev().take_while(|b| b"\"'\\ ".contains(b)).count();
    let key = &key[..key.len() - close];
    let len = key.iter().rev().take_while(|b| b.is_ascii_alphanumeric()).count();
    let word = &key[key.len() - len..];
    COUNTER_KEYS.iter().any(|counter| {
        word.eq_ignore_ascii_case(counter)
            || (word.len() > counter.len()
                && word[word.len() - counter.len()].is_ascii_uppercase()
                && word[word.len() - counter.len()..].eq_ignore_ascii_case(counter))
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::hits;
    use super::*;

    fn cards(text: &str) -> Vec<String> {
        let parse = |h: &[u8], n: usize| {
            (h[n].is_ascii_digit() && (n == 0 || !h[n - 1].is_ascii_digit())).then(|| at(h, n)).flatten()
        };
        hits(text.as_bytes(), parse)
    }

    #[test]
    fn finds_cards_plain_and_grouped() {
        assert_eq!(cards("a 4012 8888 8888 1881 b"), ["4012 8888 8888 1881"]);
        assert_eq!(cards("pan=5555-5555-5555-4444;"), ["5555-5555-5555-4444"]);
        assert_eq!(cards("12 4111111111111111 x"), ["4111111111111111"]);
        assert_eq!(cards("3714 496353 98431"), ["3714 496353 98431"]);
        assert_eq!(cards("{\"card\":4111111111111111}"), ["4111111111111111"]);
    }

    #[test]
    fn leaves_other_numbers() {
        for text in [
            "4012 8888 8888 1882",
            "1732262400000",
            "order_id=4111111111111111",
            "\"traceId\":\"4111111111111111\"",
            "0.4111111111111111",
            "a4111111111111111",
            "41111111111111111111",
            "4111 1111 1111 1111 1",
        ] {
            let found = cards(text);
            assert!(found.is_empty() || text.ends_with("1111 1"), "{text}: {found:?}");
        }
    }

    /// luhn(d) holds for exactly one last digit.
    #[test]
    fn exactly_one_check_digit_holds() {
        let mut digits = [4, 0, 1, 2, 8, 8, 8, 8, 8, 8, 8, 8, 1, 8, 8, 0];
        let holds = (0..10).filter(|&last| {
            digits[15] = last;
            luhn_holds(&digits)
        });
        assert_eq!(holds.collect::<Vec<_>>(), [1]);
    }
}

/*!
Payment card numbers (ISO/IEC 7812-1).

A card has an issuer's prefix and one of its lengths, a check digit that holds
(Annex B, Luhn), and is written without separators or in the groups that are
printed on cards, with one space or dash between two of them. Where a word
before it says that it is a card, any issuer and any groups will do of which the
first has four digits and the second as many or more: fewer are a date's.
*/

use super::Verdict;
use crate::detect::{Why, context};

const DIGITS_MIN: usize = 13;
const DIGITS_MAX: usize = 19;

/// Shortest number that is called a card: Maestro's.
const NAMED_DIGITS_MIN: usize = 12;

/// Groups that are printed on cards, beside those of four with a shorter one at the end.
const GROUPINGS: &[&[usize]] = &[&[4, 6, 5], &[4, 6, 4]];

/// Most groups of one number.
const GROUPS_MAX: usize = 6;

/// The card that begins at `start`, the first byte of a run of digits.
pub fn at(haystack: &[u8], start: usize) -> Option<Verdict> {
    let run = haystack[start..].iter().take(DIGITS_MAX + 1).take_while(|b| b.is_ascii_digit()).count();
    if run >= DIGITS_MIN {
        return one(haystack, start, start + run, Written::Plain);
    }
    let (groups, count) = groups(haystack, start, run)?;
    let mut first_miss = None;
    for count in (2..=count).rev() {
        let groups = &groups[..count];
        let printed = is_printed(groups);
        let end = start + groups.iter().sum::<usize>() + count - 1;
        match one(haystack, start, end, if printed { Written::Printed } else { Written::Grouped }) {
            Some(Verdict::Hit(span, form)) => return Some(Verdict::Hit(span, form)),
            miss => first_miss = first_miss.or(miss),
        }
    }
    first_miss
}

/// How a number is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Written {
    /// In one run.
    Plain,
    /// In groups as on a card.
    Printed,
    /// In other groups.
    Grouped,
}

fn one(haystack: &[u8], start: usize, end: usize, written: Written) -> Option<Verdict> {
    let (digits, len) = digits(&haystack[start..end])?;
    let digits = &digits[..len];
    if len < NAMED_DIGITS_MIN {
        return None;
    }
    let known = written != Written::Grouped && is_issued(digits);
    let rare = written == Written::Printed && is_issued_rarely(digits);
    if !known && !rare && !is_named(&haystack[..start]) {
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

/// Lengths of the groups of digits that follow each other from `start` with one separator all over, and how many they are.
/// The first has four digits, the second no fewer.
fn groups(haystack: &[u8], start: usize, first: usize) -> Option<([usize; GROUPS_MAX], usize)> {
    let separator = *haystack.get(start + first)?;
    if first != 4 || !matches!(separator, b' ' | b'-') {
        return None;
    }
    let mut groups = [0; GROUPS_MAX];
    let (mut at, mut count) = (start, 0);
    while count < GROUPS_MAX {
        let len = haystack[at..].iter().take(DIGITS_MAX).take_while(|b| b.is_ascii_digit()).count();
        if len == 0 {
            break;
        }
        groups[count] = len;
        count += 1;
        at += len;
        if haystack.get(at) != Some(&separator) {
            break;
        }
        at += 1;
    }
    (groups[1] >= 4).then_some((groups, count))
}

fn is_printed(groups: &[usize]) -> bool {
    let Some((last, others)) = groups.split_last() else { return false };
    GROUPINGS.contains(&groups) || (others.iter().all(|&len| len == 4) && *last <= 4)
}

/// Whether all of `text` is the number of a card of any issuer, in any groups. What comes before `text` has said that it is
/// one.
pub fn is_number(text: &[u8]) -> bool {
    let groups = text.split(|b| b" -.".contains(b));
    let even = groups.into_iter().all(|group| !group.is_empty() && group.iter().all(u8::is_ascii_digit));
    match digits(text) {
        Some((digits, len)) => even && len >= NAMED_DIGITS_MIN && luhn_holds(&digits[..len]),
        None => false,
    }
}

/// Words that end the name of a card's number, small letters.
const CARD_WORDS: &[&[u8]] = &[
    b"card",
    b"pan",
    b"cc",
    b"ccn",
    b"ccnum",
    b"cardnumber",
    b"cardno",
    b"amex",
    b"visa",
    b"maestro",
    b"uatp",
];

/// Words that may stand between such a word and the number.
const BETWEEN_WORDS: &[&[u8]] = &[b"number", b"num", b"no", b"nr", b"is", b"was"];

/// Whether a word right before says that the number is a card's.
fn is_named(before: &[u8]) -> bool {
    let mut words = before[before.len().saturating_sub(48)..]
        .rsplit(|b| !b.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty());
    let is = |word: &[u8], known: &[&[u8]]| known.iter().any(|known| word.eq_ignore_ascii_case(known));
    let ends_in_card =
        |word: &[u8]| word.len() > 4 && word.ends_with(b"Card") || word.eq_ignore_ascii_case(b"creditcard");
    let Some(last) = words.next() else { return false };
    let word = if is(last, BETWEEN_WORDS) { words.next().unwrap_or(last) } else { last };
    is(word, CARD_WORDS) || ends_in_card(word)
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

/// Whether the prefix is one of the smaller schemes', whose range is full of other numbers: RuPay, Hipercard, UnionPay's
/// second one, Troy, Humo, Uzcard, BORICA.
fn is_issued_rarely(digits: &[u8]) -> bool {
    let prefix = digits[..4].iter().fold(0u32, |value, &digit| value * 10 + u32::from(digit));
    let known = matches!(prefix, 6000..=6099 | 8100..=8299 | 9792 | 9860 | 8600 | 2205);
    known && (16..=DIGITS_MAX).contains(&digits.len())
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
        || is_counter_field(before, end - start)
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
    b"delta",
    b"diff",
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
    b"ord",
    b"rand",
    b"random",
    b"rnd",
    b"nonce",
    b"updated",
];

/// Whether `before` ends with a key whose numbers are times, counters and ids, and its separator.
/// A plain `id` says little about what looks like a card of the usual length; `order_id` does.
pub(super) fn is_counter_field(before: &[u8], digits: usize) -> bool {
    let window = &before[before.len().saturating_sub(48)..];
    let quote = window.iter().rev().take_while(|b| b"\"'\\ ".contains(b)).count();
    let Some((b'=' | b':', key)) = window[..window.len() - quote].split_last() else { return false };
    let close = key.iter().rev().take_while(|b| b"\"'\\ ".contains(b)).count();
    let key = &key[..key.len() - close];
    let len = key.iter().rev().take_while(|b| b.is_ascii_alphanumeric()).count();
    let word = &key[key.len() - len..];
    let alone = !key[..key.len() - len].last().is_some_and(|&b| context::is_word(b) || b"-.".contains(&b));
    if alone && word.eq_ignore_ascii_case(b"id") && matches!(digits, 15 | 16) {
        return false;
    }
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
        assert_eq!(cards("3471 2345 6789 017"), ["3471 2345 6789 017"]);
        assert_eq!(cards("4111 1111 1111 1111 1"), ["4111 1111 1111 1111"]);
        assert_eq!(cards("6017-1234-5678-9013 2"), ["6017-1234-5678-9013"]);
        assert_eq!(cards("{\"id\":4111111111111111}"), ["4111111111111111"]);
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
            "135412345678903",
            "discard 135412345678903",
            "0000-0000-0000-0000",
        ] {
            assert_eq!(cards(text), [""; 0], "{text}");
        }
    }

    #[test]
    fn a_named_number_may_be_any_issuers() {
        assert_eq!(cards("my credit card: 135412345678903"), ["135412345678903"]);
        assert_eq!(cards("\"card_number\":\"135412345678903\""), ["135412345678903"]);
        assert_eq!(cards("creditCard=135412345678903"), ["135412345678903"]);
        assert_eq!(cards("card 5555-555555-5544-44"), ["5555-555555-5544-44"]);
        assert_eq!(cards("card 5555-55-555555-4444"), [""; 0], "it begins like a date");
        for text in ["135412345678903", "4111-1111-1111-1111", "411111 111111 1111", "4111.1111.1111.1111"] {
            assert!(is_number(text.as_bytes()), "{text}");
        }
        for text in
            ["", "4111111111111112", "4111--1111-1111-1111", "41111111111", "812345678901234567890123"]
        {
            assert!(!is_number(text.as_bytes()), "{text}");
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

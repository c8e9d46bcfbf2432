/*!
Telephone numbers (ITU-T E.164, notation by E.123).

Two kinds of evidence are told apart. In a field named for it [`any`] takes
whatever a person could dial: seven to fifteen digits with their separators, and
an extension. In free text [`international`] takes a plus, an assigned country
code and as many digits as that country's plan has, and [`north_american_around`] the
form `(415) 555-0132`. National numbers without such a sign are found by a field
or a word alone: a date, an id and a counter look just the same.

No table of every country's prefixes stands behind this, as libphonenumber has
it: the evidence is the plus or the name, so a table of 300 KiB to load would
only take numbers away from what is hidden.
*/

use super::Verdict;
use super::national::ends;
use crate::detect::Why;
use crate::detect::context::{self, is_word};

/// Fewest digits of a number under a field's name.
const DIGITS_MIN: usize = 7;

/// E.164, section 6.2: most digits, country code and all; an international prefix or a trunk zero may stand before.
const DIGITS_MAX: usize = 15;

/// Digits after which a space ends a number that was written without any: what follows is another value.
const COMPLETE: usize = 7;

/// A number as people write it, perhaps with an extension.
pub fn any(text: &[u8]) -> Option<usize> {
    let mut best = None;
    groups(text, |group| {
        if (DIGITS_MIN..=DIGITS_MAX).contains(&group.digits) {
            best = Some(group.end);
        }
        group.digits < DIGITS_MAX
    });
    let end = best?;
    let end = end + extension_len(&text[end..]);
    (ends(text, end) && !is_date(&text[..end])).then_some(end)
}

/// The number whose plus stands at `at`.
///
/// Trigger: a plus with a digit behind it and no letter or digit before, unless they are an escape's.
pub fn international(haystack: &[u8], at: usize) -> Option<Verdict> {
    let text = &haystack[at..];
    let first = text.get(1)?;
    let before = at.checked_sub(1).map(|before| haystack[before]);
    let part_of_more = before.is_some_and(|byte| b"+-.)%".contains(&byte));
    if !(b'1'..=b'9').contains(first) || part_of_more || !context::word_starts_at(haystack, at) {
        return None;
    }
    let len = international_len(text)?;
    // With a plus, a plain `id` says as little as with a card's length.
    if super::card::is_counter_field(&haystack[..at], DIGITS_MAX) {
        return Some(Verdict::miss(at, at + len, Why::Context));
    }
    Some(Verdict::plain(at, at + len))
}

fn international_len(text: &[u8]) -> Option<usize> {
    let mut best = None;
    groups(text, |group| {
        if plan_holds(&group.written[..group.digits]) {
            best = Some(group.end);
        }
        group.digits < DIGITS_MAX
    });
    best.filter(|&end| ends(text, end))
}

/// The number before whose last four digits the dash at `dash` stands.
///
/// Trigger: a dash between three digits and four.
pub fn north_american_around(haystack: &[u8], dash: usize) -> Option<Verdict> {
    let exchange = dash.checked_sub(3)?;
    let spaced = usize::from(haystack[..exchange].ends_with(b" "));
    let open = exchange.checked_sub(spaced + 5)?;
    (haystack[open] == b'(').then(|| north_american(haystack, open)).flatten()
}

/// The number whose area code's bracket opens at `at`: `(415) 555-0132`.
fn north_american(haystack: &[u8], at: usize) -> Option<Verdict> {
    let text = haystack[at..].get(..16.min(haystack.len() - at))?;
    if at > 0 && is_word(haystack[at - 1]) {
        return None;
    }
    let [b'(', a, b, c, b')', rest @ ..] = text else { return None };
    let rest = rest.strip_prefix(b" ").unwrap_or(rest);
    let (exchange, rest) = rest.split_first_chunk::<3>()?;
    let [b'-', line @ ..] = rest else { return None };
    let line = line.first_chunk::<4>()?;
    let number = [*a, *b, *c].into_iter().chain(*exchange).chain(*line);
    let mut digits = [0; 10];
    for (digit, byte) in digits.iter_mut().zip(number) {
        *digit = byte.checked_sub(b'0').filter(|&digit| digit <= 9)?;
    }
    let spaced = usize::from(text[5] == b' ');
    let end = at + 5 + spaced + 8;
    if !is_north_american(&digits) {
        return Some(Verdict::miss(at, end, Why::Range));
    }
    ends(haystack, end).then(|| Verdict::plain(at, end + extension_len(&haystack[end..])))
}

/// A number of ten digits in groups of three, three and four, or one with its country code 1: with evidence nearby.
pub fn north_american_plain(text: &[u8]) -> Option<usize> {
    let country = usize::from(matches!(text, [b'1', b' ' | b'-' | b'.', ..])) * 2;
    let (digits, end) = super::national::grouped::<10>(text.get(country..)?, &[3, 3, 4], b" -.")?;
    let separated = end > digits.len();
    (separated && is_north_american(&digits)).then_some(country + end)
}

/// North American Numbering Plan: area and exchange begin with 2 to 9.
fn is_north_american(digits: &[u8; 10]) -> bool {
    digits[0] >= 2 && digits[3] >= 2 && !(digits[1] == 1 && digits[2] == 1)
}

/// Digits read so far.
struct Group {
    /// The first of them.
    written: [u8; DIGITS_MAX],
    digits: usize,
    /// Where this group ends.
    end: usize,
}

/// Reads groups of digits with one or two separators between them, until `more` says no.
fn groups(text: &[u8], mut more: impl FnMut(&Group) -> bool) {
    let mut group = Group { written: [0; DIGITS_MAX], digits: 0, end: 0 };
    let mut at = usize::from(text.first() == Some(&b'+'));
    let mut open = false;
    if text.get(at) == Some(&b'(') {
        open = true;
        at += 1;
        at += usize::from(at == 1 && text.get(at) == Some(&b'+'));
    }
    loop {
        let run =
            text[at.min(text.len())..].iter().take(DIGITS_MAX + 1).take_while(|b| b.is_ascii_digit()).count();
        if run == 0 || group.digits + run > DIGITS_MAX {
            return;
        }
        for (place, &byte) in group.written[group.digits..].iter_mut().zip(&text[at..at + run]) {
            *place = byte - b'0';
        }
        group.digits += run;
        at += run;
        if open && text.get(at) == Some(&b')') {
            open = false;
            at += 1;
        }
        group.end = at;
        let whole_word = text.get(at).is_none_or(|&byte| !is_word(byte) || is_extension(&text[at..]));
        if !open && whole_word && !more(&group) {
            return;
        }
        let alone = group.digits == run && run >= COMPLETE;
        let Some(gap) = gap_len(&text[at..], &mut open).filter(|_| !open || !alone) else { return };
        if alone && text[at] == b' ' {
            return;
        }
        at += gap;
    }
}

/// Bytes between two groups of digits: one separator, or a bracket and its space.
fn gap_len(text: &[u8], open: &mut bool) -> Option<usize> {
    match text {
        [b' ' | b'-' | b'.' | b'/', b'(', b'0'..=b'9', ..] if !*open => {
            *open = true;
            Some(2)
        }
        [b'(', b'0'..=b'9', ..] if !*open => {
            *open = true;
            Some(1)
        }
        [b' ' | b'-' | b'.' | b'/', b'0'..=b'9', ..] => Some(1),
        [b' ', b'-' | b'/', b' ', b'0'..=b'9', ..] => Some(3),
        [b'0'..=b'9', ..] => Some(0),
        _ => None,
    }
}

/// `ext. 12`, `x12`, `#12` behind a number, with the space before it.
fn extension_len(text: &[u8]) -> usize {
    let space = text.iter().take_while(|&&byte| byte == b' ').count();
    if space > 1 || !is_extension(&text[space..]) {
        return 0;
    }
    let word = text[space..].iter().take_while(|&&byte| !byte.is_ascii_digit()).count();
    let digits = text[space + word..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    space + word + digits
}

fn is_extension(text: &[u8]) -> bool {
    let marks: [&[u8]; 6] = [b"extension", b"ext.", b"ext", b"x.", b"x", b"#"];
    marks.iter().any(|mark| {
        let Some((head, rest)) = text.split_at_checked(mark.len()) else { return false };
        let rest = rest.strip_prefix(b" ").unwrap_or(rest);
        let digits = rest.iter().take(7).take_while(|byte| byte.is_ascii_digit()).count();
        head.eq_ignore_ascii_case(mark)
            && (1..=6).contains(&digits)
            && rest.get(digits).is_none_or(|&b| !is_word(b))
    })
}

/// `2026-11-22`, and with a time behind it.
fn is_date(text: &[u8]) -> bool {
    let dated = |sign: u8| {
        let mut parts = text.split(|&byte| byte == sign);
        let lens = [parts.next(), parts.next(), parts.next()].map(|part| part.map_or(0, <[u8]>::len));
        lens[0] == 4 && lens[1] == 2 && (lens[2] == 2 || lens[2] > 4) && matches!(text[0], b'1' | b'2')
    };
    text.len() >= 10 && (dated(b'-') || dated(b'/') || dated(b'.'))
}

/// Whether the digits are a country code and as many more as its numbers have.
fn plan_holds(digits: &[u8]) -> bool {
    let code = |len: usize| digits.get(..len).map_or(0, |code| super::national::number(code) as u16);
    let (fewest, most, len) = if matches!(code(1), 1 | 7) {
        (10, 10, 1)
    } else if let Ok(at) = TWO.binary_search_by_key(&code(2), |&(code, ..)| code) {
        (TWO[at].1, TWO[at].2, 2)
    } else if THREE.iter().any(|range| range.contains(&code(3))) {
        (6, 12, 3)
    } else {
        return false;
    };
    let national = digits.len().saturating_sub(len);
    if code(1) == 1 {
        return national == 10 && digits[1] >= 2 && digits[4] >= 2;
    }
    (fewest..=most).contains(&national) && digits.len() >= 9
}

/// Country codes of two digits (ITU Operational Bulletin, list of assigned codes) with the digits of their national
/// numbers; a trunk zero may be written in brackets after the code, so one more is let through where it is used.
#[rustfmt::skip]
const TWO: &[(u16, usize, usize)] = &[
    (20, 8, 10), (27, 9, 10), (30, 10, 10), (31, 9, 10), (32, 8, 10), (33, 9, 10), (34, 9, 9), (36, 8, 9), (39, 6, 12),
    (40, 9, 10), (41, 9, 10), (43, 7, 13), (44, 9, 11), (45, 8, 8), (46, 7, 11), (47, 8, 8), (48, 9, 9), (49, 6, 13),
    (51, 8, 9), (52, 10, 11), (53, 8, 8), (54, 10, 11), (55, 10, 11), (56, 8, 9), (57, 10, 10), (58, 10, 10), (60, 8, 11),
    (61, 9, 10), (62, 8, 13), (63, 8, 11), (64, 8, 11), (65, 8, 8), (66, 8, 10), (81, 9, 11), (82, 8, 11), (84, 9, 11),
    (86, 9, 11), (90, 10, 10), (91, 10, 10), (92, 9, 11), (93, 9, 10), (94, 9, 10), (95, 8, 10), (98, 10, 11),
];

/// Country codes of three digits.
const THREE: &[std::ops::RangeInclusive<u16>] = &[
    211..=213,
    216..=216,
    218..=218,
    220..=258,
    260..=269,
    290..=291,
    297..=299,
    350..=359,
    370..=378,
    380..=383,
    385..=387,
    389..=389,
    420..=421,
    423..=423,
    500..=509,
    590..=599,
    670..=670,
    672..=683,
    685..=692,
    850..=850,
    852..=853,
    855..=856,
    870..=870,
    880..=883,
    886..=886,
    960..=968,
    970..=977,
    992..=996,
    998..=998,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_what_people_dial() {
        for text in [
            "+49 30 901820",
            "030 / 901820",
            "(415) 555-0132",
            "555-0132",
            "4155550132",
            "+1 (415) 555-0132 ext. 12",
            "415.555.0132 x7",
            "(+41) 22 730 5989",
            "+44 (20) 7946 0958",
            "0044 20 7946 0958",
            "06 12 34 56 78",
            "(030)901820",
        ] {
            assert_eq!(any(text.as_bytes()), Some(text.len()), "{text}");
            assert_eq!(any(format!("{text} ok").as_bytes()), Some(text.len()), "{text} ok");
        }
        for text in [
            "5",
            "true",
            "2026-11-22",
            "2026-11-22 10:00:00",
            "123456",
            "1234567890123456",
            "12a4567",
            "a5550132",
        ] {
            assert_eq!(any(text.as_bytes()), None, "{text}");
        }
        assert_eq!(any(b"4155550132 200 17"), Some(10), "what follows a whole number is another value");
    }

    #[test]
    fn country_codes_are_sorted_and_apart() {
        assert!(TWO.is_sorted());
        for (code, ..) in TWO {
            assert!(
                THREE.iter().all(|range| range.start() / 10 != *code && range.end() / 10 != *code),
                "{code}"
            );
        }
    }

    #[track_caller]
    fn free(text: &str, expected: Option<&str>) {
        let found = (0..text.len()).find_map(|at| {
            let verdict = match text.as_bytes()[at] {
                b'+' => international(text.as_bytes(), at),
                b'-' => north_american_around(text.as_bytes(), at),
                _ => None,
            };
            match verdict {
                Some(Verdict::Hit(span, _)) => Some(&text[span.range()]),
                _ => None,
            }
        });
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn takes_international_numbers_in_text() {
        free("call +49 30 901820 now", Some("+49 30 901820"));
        free("sms to +14155550132, ok", Some("+14155550132"));
        free("to:+44 (0)20 7946 0958.", Some("+44 (0)20 7946 0958"));
        free("(415) 555-0132", Some("(415) 555-0132"));
        free("(415)555-0132 ext 5", Some("(415)555-0132 ext 5"));
    }

    #[test]
    fn leaves_other_numbers_in_text() {
        for text in [
            "22/Nov/2026:10:00:00 +0100]",
            "10:00:00 +1000 1234567",
            "a+4930901820",
            "1.5e+12345678901",
            "+123",
            "+5",
            "build 1.0+4930901820",
            "offset=+681258805532",
            "{\"timeDelta\":+681258805532}",
            "+49 30 901820a",
            "(123) 456-7890",
            "(415) 155-0132",
            "fn(415) 555",
            "+0049301234567",
        ] {
            free(text, None);
        }
    }
}

/*!
National identity numbers, one file per country, each with its check.

A parser is given text that begins where a number could begin, and answers with
the number's length: separators and all, up to where no word goes on. None of
them is asked without evidence, a field's name or a word nearby, since a check
digit alone lets every tenth number through.
*/

pub mod br;
pub mod cn;
pub mod de;
pub mod es;
pub mod fi;
pub mod fr;
pub mod ind;
pub mod it;
pub mod nl;
pub mod pl;
pub mod ru;
pub mod se;
pub mod uk;
pub mod us;

use crate::detect::context::is_word;

/// The `N` letters and digits that `text` begins with, in capitals, and where they end: with no more than one of
/// `separators` between two, and with nothing behind them that goes on with the number.
pub fn compact<const N: usize>(text: &[u8], separators: &[u8]) -> Option<([u8; N], usize)> {
    let mut found = [0; N];
    let mut end = 0;
    for (n, place) in found.iter_mut().enumerate() {
        let separated = n > 0 && text.get(end).is_some_and(|byte| separators.contains(byte));
        let byte = *text.get(end + usize::from(separated))?;
        if !byte.is_ascii_alphanumeric() {
            return None;
        }
        *place = byte.to_ascii_uppercase();
        end += 1 + usize::from(separated);
    }
    ends(text, end).then_some((found, end))
}

/// The same of digits alone, as numbers.
pub fn digits<const N: usize>(text: &[u8], separators: &[u8]) -> Option<([u8; N], usize)> {
    let (mut found, end) = compact::<N>(text, separators)?;
    for digit in &mut found {
        *digit = digit_value(*digit)?;
    }
    Some((found, end))
}

/// The same in groups of these lengths: the same one of `separators` stands between all of them, or nothing does.
pub fn grouped<const N: usize>(text: &[u8], groups: &[usize], separators: &[u8]) -> Option<([u8; N], usize)> {
    let separator =
        groups.first().and_then(|&first| text.get(first)).filter(|byte| separators.contains(byte));
    let Some(separator) = separator else { return digits::<N>(text, b"") };
    let mut end = 0;
    for (n, len) in groups.iter().enumerate() {
        if n > 0 {
            if text.get(end) != Some(separator) {
                return None;
            }
            end += 1;
        }
        if !text.get(end..end + len)?.iter().all(u8::is_ascii_digit) {
            return None;
        }
        end += len;
    }
    let (found, digits_end) = digits::<N>(text, &[*separator])?;
    (digits_end == end).then_some((found, end))
}

/// Fewest digits of a number of a document, and most characters.
const ID_DIGITS_MIN: usize = 5;
const ID_CHARS_MAX: usize = 24;

/// A number as some country's documents have it, no check known: five digits and more, letters among them, in groups
/// with one separator between. A first group that is a whole number ends at a space.
pub fn number_of_any_country(text: &[u8]) -> Option<usize> {
    let (mut end, mut chars, mut digits, mut best) = (0, 0, 0, None);
    loop {
        let group =
            text[end..].iter().take(ID_CHARS_MAX + 1).take_while(|b| b.is_ascii_alphanumeric()).count();
        chars += group;
        let group_digits = text[end..end + group].iter().filter(|b| b.is_ascii_digit()).count();
        digits += group_digits;
        end += group;
        // A word without a digit behind a space is prose.
        if group == 0 || chars > ID_CHARS_MAX || (group_digits == 0 && group > 2) {
            break;
        }
        if digits >= ID_DIGITS_MIN && ends(text, end) {
            best = Some(end);
        }
        match text[end..] {
            [b' ', next, ..] if next.is_ascii_digit() && digits < ID_DIGITS_MIN + 2 => end += 1,
            [b'-' | b'.' | b'/', next, ..] if next.is_ascii_alphanumeric() => end += 1,
            _ => break,
        }
    }
    best
}

/// Whether what ends at `end` is a whole word and no part of a longer number.
pub fn ends(text: &[u8], end: usize) -> bool {
    match text[end.min(text.len())..] {
        [b'.' | b'-' | b',' | b'/' | b':', next, ..] => !next.is_ascii_digit(),
        [next, ..] => !is_word(next) && next < 0x80,
        [] => true,
    }
}

fn digit_value(byte: u8) -> Option<u8> {
    byte.is_ascii_digit().then(|| byte - b'0')
}

/// The number that `digits` write.
pub fn number(digits: &[u8]) -> u64 {
    digits.iter().fold(0, |value, &digit| value * 10 + u64::from(digit))
}

/// Each digit times its weight, summed.
pub fn weighted(digits: &[u8], weights: &[u32]) -> u32 {
    digits.iter().zip(weights).map(|(&digit, weight)| u32::from(digit) * weight).sum()
}

/// Whether all digits are the same: no number that was given to anybody, though most checks hold.
pub fn is_repdigit(digits: &[u8]) -> bool {
    digits.windows(2).all(|pair| pair[0] == pair[1])
}

/// Whether a month has such a day in some year.
pub fn is_day(month: u64, day: u64) -> bool {
    let days = match month {
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    (1..=days).contains(&day)
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The numbers that `len` takes whole, and those that it takes no part of.
    #[track_caller]
    pub fn check(len: impl Fn(&[u8]) -> Option<usize>, right: &[&str], wrong: &[&str]) {
        for text in right {
            assert_eq!(len(text.as_bytes()), Some(text.len()), "{text}");
            let more = format!("{text} ok");
            assert_eq!(len(more.as_bytes()), Some(text.len()), "{more}");
            assert_eq!(len(format!("{text}7").as_bytes()).filter(|&n| n == text.len()), None, "{text}7");
        }
        for text in wrong {
            assert_eq!(len(text.as_bytes()), None, "{text}");
        }
    }

    /// Of all last characters that `from` offers, exactly one makes `body` a number.
    #[track_caller]
    pub fn one_check_holds(len: impl Fn(&[u8]) -> Option<usize>, body: &str, from: &str) {
        let holds = from.chars().filter(|last| len(format!("{body}{last}").as_bytes()).is_some());
        assert_eq!(holds.count(), 1, "{body}");
    }

    #[test]
    fn groups_are_all_separated_alike() {
        let ssn = |text: &str| grouped::<9>(text.as_bytes(), &[3, 2, 4], b" -").map(|(_, end)| end);
        assert_eq!(ssn("123-45-6789"), Some(11));
        assert_eq!(ssn("123456789"), Some(9));
        for text in ["123-45 6789", "123-456789", "12345-6789", "123-45-67890", "123-45-6789-1", "123-45-678"]
        {
            assert_eq!(ssn(text), None, "{text}");
        }
    }

    #[test]
    fn takes_numbers_of_documents() {
        for text in ["C01X00T47", "10000000146", "85.07.30-033.28", "123 456 789", "AB-123456"] {
            assert_eq!(number_of_any_country(text.as_bytes()), Some(text.len()), "{text}");
        }
        assert_eq!(number_of_any_country(b"123456789 200 17ms"), Some(9));
        for text in ["none", "12", "AB", "not given 12", "v1.2.3"] {
            assert_eq!(number_of_any_country(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        /// compact(join(text, separator)) = text
        #[test]
        fn separators_do_not_matter(text in "[A-Z0-9]{9}", separator in "[ .-]") {
            let joined = text.chars().map(String::from).collect::<Vec<_>>().join(&separator);
            let (found, end) = compact::<9>(joined.as_bytes(), b" .-").expect("nine characters");
            prop_assert_eq!(&found[..], text.as_bytes());
            prop_assert_eq!(end, joined.len());
        }

        #[test]
        fn no_bytes_make_a_parser_panic(text in proptest::collection::vec(any::<u8>(), 0..40)) {
            for validator in crate::detect::validator::Validator::ALL {
                if let Some(len) = validator.len(&text) {
                    prop_assert!(len > 0 && len <= text.len());
                }
            }
        }
    }
}

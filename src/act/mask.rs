/*!
Replaces all but the edges of a value by `*`, one for each character.

Of any value fewer than a third of the characters stay, of short ones none. Of
a card at most the first six and the last four digits stay (PCI DSS 4.0,
requirement 3.4.1), and its spaces and dashes. Characters that would have to
be written in another way where the value stood, such as a quote in JSON, are
masked wherever they are. Masking twice changes nothing.
*/

/// Which characters may stay where a value stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Plain text or a JSON string: all but quotes, backslashes and control characters.
    Text,
    /// Percent-encoded: the unreserved characters of RFC 3986, section 2.3.
    Percent,
}

/// Values with fewer characters are masked whole.
const CHARS_MIN: usize = 8;

/// Digits of a card (ISO/IEC 7812-1).
const CARD_DIGITS: std::ops::RangeInclusive<usize> = 12..=19;

/// Leading and trailing digits of a card that may stay at most.
const CARD_FIRST_MAX: u8 = 6;
const CARD_LAST_MAX: u8 = 4;

/// Appends the mask of a plain value of which the last `last` characters may stay.
pub(super) fn write_mask(plain: &[u8], last: u8, place: Place, out: &mut Vec<u8>) {
    let chars = chars(plain).count();
    let third = if chars < CHARS_MIN { 0 } else { (chars - 1) / 3 };
    let stay_from = chars - third.min(last.into());
    for (at, char) in self::chars(plain).enumerate() {
        let stays = char.filter(|&char| at >= stay_from && place.takes(char));
        write_char(stays.unwrap_or('*'), out);
    }
}

/// Appends the mask of a card. `false`, and nothing appended, if the plain value is none.
pub(super) fn write_card_mask(plain: &[u8], first: u8, last: u8, place: Place, out: &mut Vec<u8>) -> bool {
    let is_digit = |b: u8| b.is_ascii_digit() || b == b'*';
    let digits = plain.iter().filter(|&&b| is_digit(b)).count();
    let is_card = CARD_DIGITS.contains(&digits) && plain.iter().all(|&b| is_digit(b) || is_separator(b));
    if !is_card {
        return false;
    }
    let first = usize::from(first.min(CARD_FIRST_MAX));
    let stay_from = digits - usize::from(last.min(CARD_LAST_MAX));
    let mut at = 0;
    for &byte in plain {
        if !is_digit(byte) {
            out.push(if place.takes(byte.into()) { byte } else { b'-' });
            continue;
        }
        out.push(if at < first || at >= stay_from { byte } else { b'*' });
        at += 1;
    }
    true
}

/// What may stand between the digits of a card.
pub(super) fn is_separator(byte: u8) -> bool {
    matches!(byte, b' ' | b'-' | b'.')
}

/// Characters of UTF-8; each byte that is none counts as one and is `None`.
fn chars(plain: &[u8]) -> impl Iterator<Item = Option<char>> + '_ {
    plain.utf8_chunks().flat_map(|chunk| {
        chunk.valid().chars().map(Some).chain(std::iter::repeat_n(None, chunk.invalid().len()))
    })
}

fn write_char(char: char, out: &mut Vec<u8>) {
    out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
}

impl Place {
    fn takes(self, char: char) -> bool {
        match self {
            Place::Text => !char.is_control() && !matches!(char, '"' | '\'' | '\\'),
            Place::Percent => char.is_ascii_alphanumeric() || matches!(char, '-' | '.' | '_' | '~' | '*'),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(plain: &str, last: u8, place: Place, expected: &str) {
        let mut out = Vec::new();
        write_mask(plain.as_bytes(), last, place, &mut out);
        assert_eq!(String::from_utf8_lossy(&out), expected);
        let mut again = Vec::new();
        write_mask(&out, last, place, &mut again);
        assert_eq!(again, out, "masked twice");
    }

    #[track_caller]
    fn check_card(plain: &str, first: u8, last: u8, place: Place, expected: Option<&str>) {
        let mut out = Vec::new();
        let written = write_card_mask(plain.as_bytes(), first, last, place, &mut out);
        assert_eq!(written.then(|| String::from_utf8_lossy(&out)).as_deref(), expected);
        let mut again = Vec::new();
        assert_eq!(write_card_mask(&out, first, last, place, &mut again), written);
        assert_eq!(again, out, "masked twice");
    }

    #[test]
    fn fewer_than_a_third_of_the_characters_stay() {
        check("mF_9.B5f-4.1JqM", 4, Place::Text, "***********1JqM");
        check("abcdefghij", 4, Place::Text, "*******hij");
        check("abcdefghi", 4, Place::Text, "*******hi");
        check("abcdefg", 4, Place::Text, "*******");
        check("abcdefghijkl", 0, Place::Text, "************");
        check("", 4, Place::Text, "");
    }

    #[test]
    fn characters_are_counted_and_not_bytes() {
        check("éééééééééééü", 2, Place::Text, "**********éü");
        check("aaaaaaaaaaa\"b", 2, Place::Text, "************b");
        check("aaaaaaaaaaa@b", 2, Place::Percent, "************b");
        let mut out = Vec::new();
        write_mask(b"aaaaaaaa\xFF\xFEz", 3, Place::Text, &mut out);
        assert_eq!(out, b"**********z");
    }

    #[test]
    fn of_a_card_six_and_four_digits_stay_at_most() {
        check_card("4111111111111111", 6, 4, Place::Text, Some("411111******1111"));
        check_card("4012 8888 8888 1881", 6, 4, Place::Text, Some("4012 88** **** 1881"));
        check_card("4012 8888 8888 1881", 0, 4, Place::Percent, Some("****-****-****-1881"));
        check_card("5555-5555-5555-4444", 200, 200, Place::Text, Some("5555-55**-****-4444"));
        check_card("card on file", 6, 4, Place::Text, None);
        check_card("123456789", 6, 4, Place::Text, None);
        check_card("12345678901234567890", 6, 4, Place::Text, None);
    }
}

/*!
Italy: fiscal code (codice fiscale; decreto ministeriale of 23 December 1976, article 7): name, birth date, place and a
check letter. Where two persons would share one, digits are replaced by letters ("omocodia").
*/

use super::compact;
use crate::detect::entity::Verdict;
use crate::detect::{Why, context};

/// Bytes of the code.
const CODE_BYTES: usize = 16;

/// What a character at an odd place counts, digits and letters from 0 and A on alike.
const ODD: [u32; 26] =
    [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];

/// Letters that stand for digits 0 to 9.
const OMOCODIA: &[u8; 10] = b"LMNPQRSTUV";

/// Letters for the months of birth.
const MONTHS: &[u8; 12] = b"ABCDEHLMPRST";

/// Offset of the code's three digits in a row.
pub const DIGITS_OFFSET: usize = 12;

/// The shape of a code in free text, where none of its digits is replaced by a letter.
const SHAPE: &[u8; CODE_BYTES] = b"aaaaaa00a00a000a";

/// The code that begins at `start`, in free text: its shape and its check letter are evidence enough.
///
/// Trigger: `digit{2} letter digit{2} letter digit{3} letter` behind a letter.
pub fn at(haystack: &[u8], start: usize) -> Option<Verdict> {
    let text = haystack.get(start..start + CODE_BYTES)?;
    let shaped = text.iter().zip(SHAPE).all(|(byte, shape)| match shape {
        b'a' => byte.is_ascii_alphabetic(),
        _ => byte.is_ascii_digit(),
    });
    if !shaped
        || !context::word_starts_at(haystack, start)
        || !context::word_ends_at(haystack, start + CODE_BYTES)
    {
        return None;
    }
    match fiscal_code(text) {
        Some(len) => Some(Verdict::plain(start, start + len)),
        None => Some(Verdict::miss(start, start + CODE_BYTES, Why::Checksum)),
    }
}

/// The code that `text` begins with.
pub fn fiscal_code(text: &[u8]) -> Option<usize> {
    let (found, end) = compact::<CODE_BYTES>(text, b" ")?;
    let letters = [0, 1, 2, 3, 4, 5, 8, 11, 15];
    let digit = |place: usize| match found[place] {
        byte if byte.is_ascii_digit() => Some(byte - b'0'),
        byte => OMOCODIA.iter().position(|&letter| letter == byte).map(|value| value as u8),
    };
    if !letters.iter().all(|&place| found[place].is_ascii_uppercase()) || !MONTHS.contains(&found[8]) {
        return None;
    }
    for place in [6, 7, 12, 13, 14] {
        digit(place)?;
    }
    // Women's days of birth are counted from 41 on.
    let day = digit(9)? * 10 + digit(10)?;
    let sum: u32 = found[..CODE_BYTES - 1].iter().enumerate().map(|(n, &byte)| value(n, byte)).sum();
    let check = b'A' + (sum % 26) as u8;
    (matches!(day, 1..=31 | 41..=71) && check == found[CODE_BYTES - 1]).then_some(end)
}

fn value(place: usize, byte: u8) -> u32 {
    let value = if byte.is_ascii_digit() { byte - b'0' } else { byte - b'A' };
    // Places are counted from one.
    if place.is_multiple_of(2) { ODD[usize::from(value)] } else { u32::from(value) }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, one_check_holds};

    #[test]
    fn tells_codes() {
        let wrong = ["RSSMRA85T10A562T", "RSSMRA85A00A562S", "RSSMRF85Z10A562S", "12SMRA85T10A562S"];
        check(super::fiscal_code, &["RSSMRA85T10A562S", "rssmra85t10a562s"], &wrong);
        one_check_holds(super::fiscal_code, "BNCLRA90D55H501", "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
    }
}

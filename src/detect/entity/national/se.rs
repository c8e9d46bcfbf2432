/*!
Sweden: personal number and coordination number (Skatteverket, SKV 704 and 707): birth date with or without its century,
a dash (a plus from the hundredth birthday on), serial, check digit by Luhn over the last ten. Coordination numbers count
days from 61 on.
*/

use super::{ends, is_day, number};
use crate::detect::entity::card::luhn_holds;

/// Ten or twelve digits.
pub fn personnummer(text: &[u8]) -> Option<usize> {
    long_or_short(text, 8).or_else(|| long_or_short(text, 6))
}

/// The number whose date has `date_len` digits.
fn long_or_short(text: &[u8], date_len: usize) -> Option<usize> {
    let signed = usize::from(matches!(text.get(date_len), Some(b'-' | b'+')));
    let end = date_len + signed + 4;
    let mut digits = [0; 12];
    let len = date_len + 4;
    for (digit, &byte) in
        digits.iter_mut().zip(text.get(..date_len)?.iter().chain(text.get(date_len + signed..end)?))
    {
        *digit = super::digit_value(byte)?;
    }
    let short = &digits[len - 10..len];
    let century = date_len == 6 || matches!(number(&digits[..2]), 18..=20);
    let day = number(&short[4..6]);
    let dated = is_day(number(&short[2..4]), if day > 60 { day - 60 } else { day });
    (century && dated && luhn_holds(short) && ends(text, end)).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, one_check_holds};

    #[test]
    fn tells_personal_numbers() {
        let right = ["811228-9874", "8112289874", "19811228-9874", "198112289874", "701063-2391"];
        check(super::personnummer, &right, &["811228-9873", "811328-9874", "17811228-9874", "811228/9874"]);
        one_check_holds(super::personnummer, "640823-323", "0123456789");
    }
}

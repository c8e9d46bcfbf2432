/*!
Finland: personal identity code (henkilötunnus; decree 128/2010, as amended in 2022): day, month, year, a sign for the
century, three digits and a check character, the nine digits modulo 31.
*/

use super::{ends, is_day};

const CHECKS: &[u8; 31] = b"0123456789ABCDEFHJKLMNPRSTUVWXY";

/// Signs of the centuries: 1800, 1900 and 2000.
const CENTURIES: &[u8] = b"+-YXWVUABCDEF";

/// Eleven characters.
pub fn hetu(text: &[u8]) -> Option<usize> {
    let code: &[u8; 11] = text.first_chunk()?;
    let digits = [0, 1, 2, 3, 4, 5, 7, 8, 9].map(|place| code[place].wrapping_sub(b'0'));
    if digits.iter().any(|&digit| digit > 9) || !CENTURIES.contains(&code[6].to_ascii_uppercase()) {
        return None;
    }
    let (day, month) = (super::number(&digits[..2]), super::number(&digits[2..4]));
    let check = CHECKS[(super::number(&digits) % 31) as usize];
    (is_day(month, day) && check == code[10].to_ascii_uppercase() && ends(text, code.len()))
        .then_some(code.len())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, one_check_holds};

    #[test]
    fn tells_codes() {
        let wrong = ["131052-308U", "131352-308T", "131052/308T", "131052-308", "131052-3O8T"];
        check(super::hetu, &["131052-308T", "131052-308t", "010100Y900F"], &wrong);
        one_check_holds(super::hetu, "240785A123", "0123456789ABCDEFHJKLMNPRSTUVWXY");
    }
}

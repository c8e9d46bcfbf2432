/*!
United Kingdom: national insurance number (HMRC, NIM39110) and NHS number (NHS Data Dictionary, modulus 11).
*/

use super::{compact, digits, is_repdigit, weighted};

/// A national insurance number: two letters, six digits, a suffix from A to D.
pub fn nino(text: &[u8]) -> Option<usize> {
    let (found, end) = compact::<9>(text, b" -")?;
    let prefix = [found[0], found[1]];
    let letters = prefix.iter().all(u8::is_ascii_uppercase)
        && !prefix.iter().any(|byte| b"DFIQUV".contains(byte))
        && prefix[1] != b'O';
    let given = !matches!(&prefix, b"BG" | b"GB" | b"KN" | b"NK" | b"NT" | b"TN" | b"ZZ");
    let rest = found[2..8].iter().all(u8::is_ascii_digit) && matches!(found[8], b'A'..=b'D');
    (letters && given && rest).then_some(end)
}

/// An NHS number: ten digits, the last one a check.
pub fn nhs(text: &[u8]) -> Option<usize> {
    let (digits, end) = digits::<10>(text, b" -")?;
    let check = (11 - weighted(&digits, &[10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11) % 11;
    (check == u32::from(digits[9]) && !is_repdigit(&digits)).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, one_check_holds};

    #[test]
    fn tells_insurance_numbers() {
        check(
            super::nino,
            &["AB 12 34 56 C", "ab123456c"],
            &["DA123456A", "AO123456A", "GB123456A", "AB123456E"],
        );
    }

    #[test]
    fn tells_nhs_numbers() {
        check(super::nhs, &["943 476 5919", "9434765919"], &["943 476 5918", "943476591", "1111111111"]);
        one_check_holds(super::nhs, "943476591", "0123456789");
    }
}

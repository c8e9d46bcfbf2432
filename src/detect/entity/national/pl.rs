/*!
Poland: PESEL (ustawa o ewidencji ludności, article 15): birth date with the century in its month, serial, check digit.
*/

use super::{digits, is_day, number, weighted};

/// Eleven digits.
pub fn pesel(text: &[u8]) -> Option<usize> {
    let (digits, end) = digits::<11>(text, b"")?;
    let check = (10 - weighted(&digits, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3]) % 10) % 10;
    let dated = is_day(number(&digits[2..4]) % 20, number(&digits[4..6]));
    (dated && check == u32::from(digits[10])).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, one_check_holds};

    #[test]
    fn tells_numbers_by_date_and_check() {
        check(super::pesel, &["44051401359", "02271409867"], &["44051401358", "44131401359", "4405140135"]);
        one_check_holds(super::pesel, "9006150123", "0123456789");
    }
}

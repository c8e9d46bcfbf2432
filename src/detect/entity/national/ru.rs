/*!
Russia: SNILS (Pension Fund, resolution 192p) and INN (Federal Tax Service, order MMB-7-6/435): ten digits for
organisations, twelve for persons.
*/

use super::{digits, is_repdigit, weighted};

/// Nine digits and two of check, the weighted sum modulo 101.
pub fn snils(text: &[u8]) -> Option<usize> {
    let (digits, end) = digits::<11>(text, b" -")?;
    let check = weighted(&digits, &[9, 8, 7, 6, 5, 4, 3, 2, 1]) % 101 % 100;
    let stated = u32::from(digits[9]) * 10 + u32::from(digits[10]);
    (check == stated && !is_repdigit(&digits)).then_some(end)
}

/// Twelve digits with two of check, or ten with one.
pub fn inn(text: &[u8]) -> Option<usize> {
    let check = |digits: &[u8], weights: &[u32]| {
        weighted(digits, weights) % 11 % 10 == u32::from(digits[weights.len()]) && !is_repdigit(digits)
    };
    let person = digits::<12>(text, b"").filter(|(digits, _)| {
        check(digits, &[7, 2, 4, 10, 3, 5, 9, 4, 6, 8]) && check(digits, &[3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8])
    });
    let firm = || digits::<10>(text, b"").filter(|(digits, _)| check(digits, &[2, 4, 10, 3, 5, 9, 4, 6, 8]));
    person.map(|(_, end)| end).or_else(|| firm().map(|(_, end)| end))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, one_check_holds};

    #[test]
    fn tells_insurance_numbers() {
        check(super::snils, &["112-233-445 95", "11223344595"], &["112-233-445 96", "00000000000"]);
    }

    #[test]
    fn tells_tax_numbers() {
        check(super::inn, &["7707083893", "500100732259"], &["7707083894", "500100732258", "0000000000"]);
        one_check_holds(super::inn, "770708389", "0123456789");
    }
}

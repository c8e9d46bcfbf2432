/*!
Germany: tax identification number (Abgabenordnung, § 139b; check digit by ISO/IEC 7064, mod 11,10).
*/

use super::digits;

/// Eleven digits, the first none of zero.
pub fn tax_id(text: &[u8]) -> Option<usize> {
    let (digits, end) = digits::<11>(text, b" /-")?;
    let product = digits[..10].iter().fold(10, |product, &digit| {
        let sum = (u32::from(digit) + product) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    let check = (11 - product) % 10;
    (digits[0] != 0 && check == u32::from(digits[10])).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, one_check_holds};

    #[test]
    fn tells_tax_numbers() {
        check(
            super::tax_id,
            &["86095742719", "86 095 742 719"],
            &["86095742718", "06095742719", "8609574271"],
        );
        one_check_holds(super::tax_id, "4703689281", "0123456789");
    }
}

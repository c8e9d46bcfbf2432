/*!
International mobile equipment identity (3GPP TS 23.003, section 6.2): fifteen digits, the last one a check by Luhn.
*/

use super::card::luhn_holds;
use super::national::{digits, is_repdigit};

/// The number that `text` begins with.
pub fn imei(text: &[u8]) -> Option<usize> {
    let (digits, end) = digits::<15>(text, b" -/.")?;
    (luhn_holds(&digits) && !is_repdigit(&digits)).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::super::national::tests::{check, one_check_holds};

    #[test]
    fn tells_numbers() {
        let right = ["490154203237518", "49-015420-323751-8", "49 015420 323751 8"];
        check(super::imei, &right, &["490154203237517", "49015420323751", "000000000000000"]);
        one_check_holds(super::imei, "35145712034567", "0123456789");
    }
}

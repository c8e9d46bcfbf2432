/*!
United States: social security number (20 CFR 422; Social Security Administration, POMS RM 10201.035) and individual
taxpayer identification number (Internal Revenue Manual 3.21.263). Neither has a check digit: ranges alone tell.
*/

use super::{grouped, number};

const SEPARATORS: &[u8] = b" -.";

/// A social security number; areas 000, 666 and 900 to 999, group 00 and serial 0000 were never assigned.
pub fn ssn(text: &[u8]) -> Option<usize> {
    let (digits, end) = grouped::<9>(text, &[3, 2, 4], SEPARATORS)?;
    let (area, group, serial) = (number(&digits[..3]), number(&digits[3..5]), number(&digits[5..]));
    let assigned = !matches!(area, 0 | 666 | 900..) && group != 0 && serial != 0;
    (assigned && !super::is_repdigit(&digits)).then_some(end)
}

/// An individual taxpayer identification number: area 900 to 999, with groups of its own.
pub fn itin(text: &[u8]) -> Option<usize> {
    let (digits, end) = grouped::<9>(text, &[3, 2, 4], SEPARATORS)?;
    let given = matches!(number(&digits[3..5]), 50..=65 | 70..=88 | 90..=92 | 94..=99);
    (digits[0] == 9 && given).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;

    #[test]
    fn tells_social_security_numbers() {
        let wrong =
            ["000-12-3456", "666-12-3456", "901-12-3456", "536-00-1234", "536-22-0000", "536-22.1234"];
        check(super::ssn, &["536-22-1234", "536221234", "536 22 1234", "536.22.1234"], &wrong);
    }

    #[test]
    fn tells_taxpayer_numbers() {
        check(super::itin, &["912-70-1234", "999881234"], &["912-49-1234", "812-70-1234", "912-93-1234"]);
    }
}

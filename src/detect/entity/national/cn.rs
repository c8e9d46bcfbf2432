/*!
China: resident identity number (GB 11643-1999): region, birth date, serial, check character (ISO/IEC 7064, mod 11-2).
*/

use super::{compact, is_day, number};

const CHECKS: &[u8; 11] = b"10X98765432";

/// Eighteen characters.
pub fn resident_id(text: &[u8]) -> Option<usize> {
    let (found, end) = compact::<18>(text, b"")?;
    if !found[..17].iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digits: [u8; 17] = std::array::from_fn(|n| found[n] - b'0');
    let dated = matches!(number(&digits[6..10]), 1800..=2199)
        && is_day(number(&digits[10..12]), number(&digits[12..14]));
    // Each digit counts a power of two modulo eleven.
    let sum = digits.iter().fold(0, |sum, &digit| (sum + u32::from(digit)) * 2 % 11);
    (dated && digits[0] != 0 && CHECKS[sum as usize] == found[17]).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, one_check_holds};

    #[test]
    fn tells_resident_numbers() {
        let right = ["11010519491231002X", "11010519491231002x"];
        check(
            super::resident_id,
            &right,
            &["110105194912310021", "11010519491331002X", "01010519491231002X"],
        );
        one_check_holds(super::resident_id, "44030719850612345", "0123456789X");
    }
}

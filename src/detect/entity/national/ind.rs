/*!
India: Aadhaar number (UIDAI: twelve digits, the first from 2 on, check digit by Verhoeff's scheme) and permanent account
number (Income Tax Department: five letters, the fourth of which says what the holder is, four digits, a letter).
*/

use super::{compact, digits};

/// Twelve digits.
pub fn aadhaar(text: &[u8]) -> Option<usize> {
    let (digits, end) = digits::<12>(text, b" -:")?;
    (digits[0] >= 2 && verhoeff_holds(&digits)).then_some(end)
}

/// Ten characters; no check is public.
pub fn pan(text: &[u8]) -> Option<usize> {
    let (found, end) = compact::<10>(text, b"")?;
    let letters = found[..5].iter().chain(&found[9..]).all(u8::is_ascii_uppercase);
    let holder = b"ABCEFGHJKLPT".contains(&found[3]);
    (letters && holder && found[5..9].iter().all(u8::is_ascii_digit)).then_some(end)
}

/// What a digit becomes in each of the eight places after which the scheme repeats itself.
const PERMUTATION: [u8; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];

/// J. Verhoeff, Error Detecting Decimal Codes (1969): products in the dihedral group of order ten.
fn verhoeff_holds(digits: &[u8]) -> bool {
    let mut sum = 0;
    for (place, &digit) in digits.iter().rev().enumerate() {
        let mut digit = digit;
        for _ in 0..place % 8 {
            digit = PERMUTATION[usize::from(digit)];
        }
        sum = product(sum, digit);
    }
    sum == 0
}

/// Rotations are 0 to 4, reflections 5 to 9.
fn product(a: u8, b: u8) -> u8 {
    match (a < 5, b < 5) {
        (true, true) => (a + b) % 5,
        (true, false) => (a + b - 5) % 5 + 5,
        (false, true) => (a - 5 + 5 - b) % 5 + 5,
        (false, false) => (a + 5 - b) % 5,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, one_check_holds};

    #[test]
    fn tells_aadhaar_numbers() {
        check(
            super::aadhaar,
            &["234123412346", "2341 2341 2346", "2341-2341-2346"],
            &["234123412347", "034123412346"],
        );
        one_check_holds(super::aadhaar, "67185203491", "0123456789");
    }

    #[test]
    fn tells_account_numbers() {
        check(super::pan, &["ABCPK1234L", "abcpk1234l"], &["ABCXK1234L", "ABCPK12345", "ABCP1234LL"]);
    }

    /// No two neighbours can be exchanged unseen, which tells Verhoeff's scheme from Luhn's.
    #[test]
    fn exchanged_neighbours_are_seen() {
        let digits = *b"234123412346";
        for at in 0..digits.len() - 1 {
            let mut exchanged = digits;
            exchanged.swap(at, at + 1);
            assert!(exchanged == digits || super::aadhaar(&exchanged).is_none(), "{at}");
        }
    }
}

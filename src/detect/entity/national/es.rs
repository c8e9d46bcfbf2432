/*!
Spain: NIF of natural persons, which is the DNI of citizens and the NIE of foreigners (Real Decreto 1065/2007, articles
19 and 20): the number modulo 23 chooses the letter.
*/

use super::{compact, number};

const LETTERS: &[u8; 23] = b"TRWAGMYFPDXBNJZSQVHLCKE";

/// Eight digits and a letter; leading zeros are left out at times, so seven do, too. Or X, Y, Z and seven digits.
pub fn nif(text: &[u8]) -> Option<usize> {
    let full = compact::<9>(text, b" -.").and_then(|(found, end)| holds(found).then_some(end));
    full.or_else(|| {
        let (found, end) = compact::<8>(text, b" -.")?;
        let mut padded = [b'0'; 9];
        padded[1..].copy_from_slice(&found);
        found[0].is_ascii_digit().then_some(end).filter(|_| holds(padded))
    })
}

fn holds(mut found: [u8; 9]) -> bool {
    found[0] = match found[0] {
        b'X' => b'0',
        b'Y' => b'1',
        b'Z' => b'2',
        // Residents without a DNI: children, Spaniards abroad, foreigners before they have a NIE.
        b'K' | b'L' | b'M' => b'0',
        other => other,
    };
    if !found[..8].iter().all(u8::is_ascii_digit) {
        return false;
    }
    let digits: [u8; 8] = std::array::from_fn(|n| found[n] - b'0');
    found[8] == LETTERS[(number(&digits) % 23) as usize]
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, one_check_holds};

    #[test]
    fn tells_numbers_of_citizens_and_foreigners() {
        let right = ["12345678Z", "12345678-Z", "12.345.678-z", "X1234567L", "Y-1234567-X", "1111111-G"];
        check(super::nif, &right, &["12345678A", "X1234567X", "W1234567L", "12345678"]);
        one_check_holds(super::nif, "47081523", "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
        one_check_holds(super::nif, "X4708152", "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
    }
}

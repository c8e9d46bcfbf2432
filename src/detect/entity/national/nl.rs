/*!
Netherlands: citizen service number (burgerservicenummer; Besluit burgerservicenummer, "elfproef").
*/

use super::{digits, is_repdigit, weighted};

/// Nine digits, or eight where the leading zero is left out; the last one counts minus one.
pub fn bsn(text: &[u8]) -> Option<usize> {
    let nine = digits::<9>(text, b" .-").filter(|(digits, _)| holds(*digits));
    nine.map(|(_, end)| end).or_else(|| {
        let (found, end) = digits::<8>(text, b" .-")?;
        let mut padded = [0; 9];
        padded[1..].copy_from_slice(&found);
        holds(padded).then_some(end)
    })
}

fn holds(digits: [u8; 9]) -> bool {
    let sum = weighted(&digits, &[9, 8, 7, 6, 5, 4, 3, 2]);
    sum % 11 == u32::from(digits[8]) && !is_repdigit(&digits)
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;

    #[test]
    fn tells_citizen_numbers() {
        check(
            super::bsn,
            &["111222333", "1112.22.333", "12345672"],
            &["111222334", "000000000", "1112223334"],
        );
    }

    /// No more than one last digit holds: a remainder of ten has none.
    #[test]
    fn no_two_check_digits_hold() {
        for body in 10_000_000..10_000_100 {
            let holds = (0..10).filter(|last| super::bsn(format!("{body}{last}").as_bytes()).is_some());
            assert!(holds.count() <= 1, "{body}");
        }
    }
}

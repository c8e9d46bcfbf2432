/*!
France: registration number of the national directory (NIR, "numéro de sécurité sociale"; décret 82-103), with its key
of two digits, 97 less the number modulo 97. The departments of Corsica, 2A and 2B, count as 19 and 18.
*/

use super::compact;

/// Sex, year, month, department, commune, order, key: 15 characters.
pub fn nir(text: &[u8]) -> Option<usize> {
    let (mut found, end) = compact::<15>(text, b" .-")?;
    found[6] = match (found[5], found[6]) {
        (b'2', b'A') => {
            found[5] = b'1';
            b'9'
        }
        (b'2', b'B') => {
            found[5] = b'1';
            b'8'
        }
        (_, digit) => digit,
    };
    if !found.iter().all(u8::is_ascii_digit) || !matches!(found[0], b'1'..=b'4' | b'7' | b'8') {
        return None;
    }
    let number = found.map(|byte| byte - b'0');
    // Months above 12 stand for births whose month is not known.
    let month = super::number(&number[3..5]);
    let key = 97 - super::number(&number[..13]) % 97;
    ((1..=12).contains(&month) || month >= 20)
        .then_some(())
        .filter(|()| key == super::number(&number[13..]))?;
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;

    #[test]
    fn tells_registration_numbers() {
        let right = ["255081416802538", "2 55 08 14 168 025 38", "180052A00401224"];
        check(super::nir, &right, &["255081416802539", "555081416802538", "25508141680253"]);
    }

    /// Of the hundred keys exactly one holds.
    #[test]
    fn exactly_one_key_holds() {
        let holds = (0..100).filter(|key| super::nir(format!("2550814168025{key:02}").as_bytes()).is_some());
        assert_eq!(holds.collect::<Vec<_>>(), [38]);
    }
}

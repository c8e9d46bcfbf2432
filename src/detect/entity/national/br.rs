/*!
Brazil: CPF (Receita Federal, Instrução Normativa RFB 1.548): nine digits and two of check, each modulo 11.
*/

use super::{digits, is_repdigit, weighted};

/// Eleven digits.
pub fn cpf(text: &[u8]) -> Option<usize> {
    let (digits, end) = digits::<11>(text, b" .-/")?;
    let check = |weights: &[u32]| weighted(&digits, weights) * 10 % 11 % 10;
    let holds = check(&[10, 9, 8, 7, 6, 5, 4, 3, 2]) == u32::from(digits[9])
        && check(&[11, 10, 9, 8, 7, 6, 5, 4, 3, 2]) == u32::from(digits[10]);
    (holds && !is_repdigit(&digits)).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;

    #[test]
    fn tells_numbers_by_both_checks() {
        check(
            super::cpf,
            &["529.982.247-25", "52998224725"],
            &["529.982.247-26", "529.982.247-15", "11111111111"],
        );
    }

    #[test]
    fn exactly_one_pair_of_check_digits_holds() {
        let holds = (0..100).filter(|check| super::cpf(format!("529982247{check:02}").as_bytes()).is_some());
        assert_eq!(holds.collect::<Vec<_>>(), [25]);
    }
}

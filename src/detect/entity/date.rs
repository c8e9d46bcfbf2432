/*!
Dates as people and programs write them, under a field's name that says a birth.
*/

use super::national::ends;

/// Beginnings of the names of months, in the languages whose dates are most often logged; English ones first.
const MONTHS: &[&[u8]] = &[
    b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec", b"ene",
    b"abr", b"mai", b"okt", b"dez", b"dic", b"ago", b"set", b"out", b"fev", b"gen", b"mag", b"giu", b"lug",
    b"ott",
];

/// A date: numbers in any order with one of `-./` or a space between them, eight digits, a year, a month's name with day
/// and year, or seconds since 1970, before which they are negative. What tells the time of day goes with it.
pub fn birth(text: &[u8]) -> Option<usize> {
    let end = named(text).or_else(|| numbers(text)).or_else(|| plain(text))?;
    let end = end + time_len(&text[end..]);
    ends(text, end).then_some(end)
}

/// `12 March 1990`, `March 12, 1990`, `12-Mar-1990`.
fn named(text: &[u8]) -> Option<usize> {
    let (mut end, mut day, mut month, mut year) = (0, false, false, false);
    for part in 0..3 {
        let rest = text.get(end..)?;
        let gap = rest.iter().take(3).take_while(|byte| b" -./,".contains(byte)).count();
        if part > 0 && gap == 0 {
            return None;
        }
        let rest = &rest[if part > 0 { gap } else { 0 }..];
        let digits = rest.iter().take(5).take_while(|byte| byte.is_ascii_digit()).count();
        let letters =
            rest.iter().take(12).take_while(|byte| byte.is_ascii_alphabetic() || **byte >= 0x80).count();
        let len = match (digits, letters) {
            (1..=2, 0) if !day => {
                day = true;
                let ordinal = [&b"st"[..], b"nd", b"rd", b"th", b"."]
                    .iter()
                    .any(|tail| rest[digits..].starts_with(tail));
                digits
                    + if ordinal {
                        rest[digits..]
                            .iter()
                            .take(2)
                            .take_while(|b| b.is_ascii_alphabetic() || **b == b'.')
                            .count()
                    } else {
                        0
                    }
            }
            (4, 0) if !year => {
                year = true;
                digits
            }
            (0, 3..) if !month && MONTHS.iter().any(|name| rest[..3].eq_ignore_ascii_case(name)) => {
                month = true;
                letters
            }
            _ => return None,
        };
        end += len + if part > 0 { gap } else { 0 };
    }
    (day && month && year).then_some(end)
}

/// `1990-03-12`, `12.03.1990`, `3/12/90`.
fn numbers(text: &[u8]) -> Option<usize> {
    let digits = |text: &[u8]| text.iter().take(5).take_while(|byte| byte.is_ascii_digit()).count();
    let first = digits(text);
    let sign = *text.get(first).filter(|byte| b"-./ ".contains(byte))?;
    let second = digits(&text[first + 1..]);
    let at = first + 1 + second;
    let third = digits(text.get(at..).filter(|rest| rest.first() == Some(&sign))?.get(1..)?);
    let years = matches!((first, second, third), (4, 1..=2, 1..=2) | (1..=2, 1..=2, 4 | 2));
    years.then_some(at + 1 + third)
}

/// `19900312`, `1990`, `-12345678`.
fn plain(text: &[u8]) -> Option<usize> {
    let sign = usize::from(text.first() == Some(&b'-'));
    let digits = text[sign..].iter().take(20).take_while(|byte| byte.is_ascii_digit()).count();
    let year = digits == 4 && matches!(text, [b'1', b'8' | b'9', ..] | [b'2', b'0', ..]);
    (year || (6..=13).contains(&digits)).then_some(sign + digits)
}

/// `T00:00:00.000Z`, ` 00:00:00 +00:00`.
fn time_len(text: &[u8]) -> usize {
    let [b'T' | b't' | b' ', a, b, b':', c, d, rest @ ..] = text else { return 0 };
    if ![a, b, c, d].iter().all(|byte| byte.is_ascii_digit()) {
        return 0;
    }
    6 + rest.iter().take(24).take_while(|&&byte| byte.is_ascii_digit() || b":.Z+-".contains(&byte)).count()
}

#[cfg(test)]
mod tests {
    use super::super::national::tests::check;

    #[test]
    fn takes_dates_in_all_notations() {
        let right =
            ["1990-03-12", "12.03.1990", "3/12/1990", "12 March 1990", "March 12, 1990", "12-Mar-1990"];
        check(super::birth, &right, &["soon", "12", "12 of March", "v1.2"]);
        for text in ["1990-03-12T00:00:00Z", "19900312", "1990", "637200000", "-12345678", "12th March 1990"]
        {
            assert_eq!(super::birth(text.as_bytes()), Some(text.len()), "{text}");
        }
    }
}

/*!
Geographic coordinates in decimal degrees (ISO 6709 calls them so), under a field's name that says a place.
*/

use super::national::ends;

/// Decimals from which on a number under a name like `lat`, which may mean a latency, is a place: eleven meters.
const DECIMALS_MIN: usize = 4;

/// One coordinate, or two with a comma or space between them.
pub fn coordinates(text: &[u8]) -> Option<usize> {
    let (first, decimals) = degree(text)?;
    let gap = text[first..].iter().take(2).take_while(|&&byte| b", ;".contains(&byte)).count();
    let pair = degree(&text[first + gap..]).filter(|&(_, more)| gap > 0 && more > 0 && decimals > 0);
    let end = pair.map_or(first, |(second, _)| first + gap + second);
    let written_out = decimals > 0 || end == text.len();
    (written_out && ends(text, end)).then_some(end)
}

/// One coordinate with so many decimals that it is nothing else.
pub fn precise(text: &[u8]) -> Option<usize> {
    let (end, decimals) = degree(text)?;
    (decimals >= DECIMALS_MIN && ends(text, end)).then_some(end)
}

/// Length of a number of degrees, no more than 180, and how many decimals it has.
fn degree(text: &[u8]) -> Option<(usize, usize)> {
    let sign = usize::from(matches!(text.first(), Some(b'-' | b'+')));
    let digits = |text: &[u8]| text.iter().take(20).take_while(|byte| byte.is_ascii_digit()).count();
    let whole = digits(&text[sign..]);
    let number = text[sign..sign + whole]
        .iter()
        .fold(0u64, |value, byte| value.wrapping_mul(10) + u64::from(byte - b'0'));
    if !(1..=3).contains(&whole) || number > 180 {
        return None;
    }
    let end = sign + whole;
    let decimals = if text.get(end) == Some(&b'.') { digits(&text[end + 1..]) } else { 0 };
    Some(if decimals > 0 { (end + 1 + decimals, decimals) } else { (end, 0) })
}

#[cfg(test)]
mod tests {
    use super::super::national::tests::check;

    #[test]
    fn takes_degrees() {
        check(super::precise, &["52.5200", "-13.4050"], &["52.52", "181.0000", "52", "1.2.3.4"]);
        for text in ["52.52", "52.52,13.405", "-52.52, -13.405", "52"] {
            assert_eq!(super::coordinates(text.as_bytes()), Some(text.len()), "{text}");
        }
        for text in ["Berlin", "5200.1", "52 ms", "52.5.2"] {
            assert_eq!(super::coordinates(text.as_bytes()), None, "{text}");
        }
    }
}

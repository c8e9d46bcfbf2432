/*!
Percent-encoding (RFC 3986, section 2.1).
*/

/// The byte that `%XX` at `at` stands for.
pub fn unit_at(haystack: &[u8], at: usize) -> Option<u8> {
    let [b'%', high, low] = *haystack.get(at..at + 3)? else { return None };
    Some(hex(high)? << 4 | hex(low)?)
}

/// Whether units are left when one round is undone.
pub fn shows_another(text: &[u8]) -> bool {
    let (mut at, mut last) = (0, [0; 3]);
    while at < text.len() {
        let unit = unit_at(text, at);
        last = [last[1], last[2], unit.unwrap_or(text[at])];
        if unit_at(&last, 0).is_some() {
            return true;
        }
        at += if unit.is_some() { 3 } else { 1 };
    }
    false
}

/// Undoes one round in place; returns the length of what is left. A `%` that begins no unit stays as it is.
pub fn decode(text: &mut [u8]) -> usize {
    let (mut at, mut end) = (0, 0);
    while at < text.len() {
        let unit = unit_at(text, at);
        text[end] = unit.unwrap_or(text[at]);
        at += if unit.is_some() { 3 } else { 1 };
        end += 1;
    }
    end
}

/// The value of a hexadecimal digit.
pub fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, plain: &str) {
        let mut out = text.as_bytes().to_vec();
        let len = decode(&mut out);
        assert_eq!(&out[..len], plain.as_bytes());
    }

    #[test]
    fn decodes_units_and_leaves_the_rest() {
        check("a%40b%2", "a@b%2");
        check("%zz%4A%", "%zzJ%");
        check("%2540", "%40");
        for (text, another) in [("%2540", true), ("%25%34%30", true), ("%40%4", false), ("%25", false)] {
            assert_eq!(shows_another(text.as_bytes()), another, "{text}");
        }
    }
}

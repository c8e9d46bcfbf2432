/*!
Percent-encoding (RFC 3986, section 2.1).
*/

/// The byte that `%XX` at `at` stands for.
pub fn unit_at(haystack: &[u8], at: usize) -> Option<u8> {
    let [b'%', high, low] = *haystack.get(at..at + 3)? else { return None };
    Some(hex(high)? << 4 | hex(low)?)
}

/// Undoes one round. A `%` that begins no unit stays as it is.
pub fn decode(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        match unit_at(text, at) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(text[at]);
                at += 1;
            }
        }
    }
    out
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

    #[test]
    fn decodes_units_and_leaves_the_rest() {
        assert_eq!(decode(b"a%40b%2"), b"a@b%2");
        assert_eq!(decode(b"%zz%4A%"), b"%zzJ%");
        assert_eq!(decode(b"%2540"), b"%40");
    }
}

/*!
Tokens of Discord's bots: the bot's number, the time and a signature, in base64 with dots between.

They have no mark of their own, but two dots seven bytes apart and digits in
the base64 before them, which hardly anything else has.
*/

use data_encoding::BASE64;

use super::Verdict;
use crate::detect::context;

/// Bytes from the first dot to the second.
pub const DOTS_APART: usize = 7;

/// Bytes of a number of 17 to 20 digits in base64, which are letters and digits all.
const NUMBER_BYTES: std::ops::RangeInclusive<usize> = 23..=28;

/// Bytes of a signature, older and newer ones.
const SIGNATURE_BYTES: std::ops::RangeInclusive<usize> = 27..=44;

/// The token whose second dot stands at `dot`. Looks at some 30 bytes before it and 50 behind it.
pub fn around(haystack: &[u8], dot: usize) -> Option<Verdict> {
    let first_dot = dot.checked_sub(DOTS_APART)?;
    let between = &haystack[first_dot + 1..dot];
    if haystack[first_dot] != b'.'
        || haystack.get(dot) != Some(&b'.')
        || !between.iter().all(|byte| is_part(&byte))
    {
        return None;
    }
    let before = haystack[..first_dot].iter().rev().take(NUMBER_BYTES.end() + 1);
    let number = before.take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let behind = haystack[dot + 1..].iter().take(SIGNATURE_BYTES.end() + 1);
    let signature = behind.take_while(is_part).count();
    if !NUMBER_BYTES.contains(&number) || !SIGNATURE_BYTES.contains(&signature) {
        return None;
    }
    let start = first_dot - number;
    let mut digits = [0; 3];
    BASE64.decode_mut(&haystack[start..start + 4], &mut digits).ok()?;
    let is_number = digits.iter().all(u8::is_ascii_digit) && context::word_starts_at(haystack, start);
    is_number.then(|| Verdict::plain(start, dot + 1 + signature))
}

fn is_part(byte: &&u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        let found = memchr::memchr_iter(b'.', text.as_bytes())
            .find_map(|dot| around(text.as_bytes(), dot))
            .map(|verdict| match verdict {
                Verdict::Hit(span, _) => &text[span.range()],
                Verdict::Miss(..) => "a miss",
            });
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn a_number_a_time_and_a_signature_are_a_token() {
        let token = "MTIzNDU2Nzg5MDEyMzQ1Njc4.Ga1b2c.a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8s9";
        check(token, Some(token));
        check(&format!("login with {token}, ready"), Some(token));
    }

    #[test]
    fn other_dots_are_none() {
        for text in [
            "QUJDNDU2Nzg5MDEyMzQ1Njc4.Ga1b2c.a1B2c3D4e5F6g7H8i9J0k1L2m3N4",
            "MTIzNDU2Nzg5.Ga1b2c.a1B2c3D4e5F6g7H8i9J0k1L2m3N4",
            "MTIzNDU2Nzg5MDEyMzQ1Njc4.Ga1b2c.short",
            "MTIzNDU2Nzg5MDEyMzQ1Njc4.Ga1b2c",
            "some-long-name-of-a-host-x.google.com",
        ] {
            check(text, None);
        }
    }
}

/*!
Shannon entropy of a text's bytes: how random it looks.
*/

/// Bits per byte, 0 for one byte repeated, at most log2 of the length and never over 8.
pub fn bits_per_byte(text: &[u8]) -> f32 {
    let mut counts = [0u32; 256];
    for &byte in text {
        counts[usize::from(byte)] += 1;
    }
    let len = text.len() as f32;
    let bits = |count: &u32| {
        let share = *count as f32 / len;
        -share * share.log2()
    };
    counts.iter().filter(|&&count| count > 0).map(bits).sum()
}

/// Letters in a row without a vowel that no word of a language in Latin letters has.
const CONSONANTS_MIN: usize = 5;

/// Letters that a text of nothing but letters must have to be no word.
const LETTERS_MIN: usize = 20;

/// Digits that a text of nothing but digits must have to be no number of something.
const DIGITS_MIN: usize = 20;

/// Letters and digits in a row that a drawn text has at least; machines' names (`ip-10-0-0-12`) have fewer.
const RUN_MIN: usize = 8;

/// Whether a text looks made by a machine that draws letters and digits: not a word, a number, a date, a path, a host.
pub fn looks_random(text: &[u8]) -> bool {
    let is_drawn = |b: &u8| b.is_ascii_alphanumeric() || b"_-+/=.~".contains(b);
    let alphanumeric = text.iter().filter(|b| b.is_ascii_alphanumeric()).count();
    let marks = text.len() - alphanumeric;
    if !text.iter().all(is_drawn) || marks * 3 > text.len() || is_place(text) || is_date(text) {
        return false;
    }
    let runs = text.split(|b| !b.is_ascii_alphanumeric());
    let run = runs.max_by_key(|run| run.len()).unwrap_or(text);
    let digits = run.iter().filter(|b| b.is_ascii_digit()).count();
    match (digits, run.len() - digits) {
        _ if run.len() < RUN_MIN => false,
        (_, 0) => digits >= DIGITS_MIN && marks == 0 || is_uuid(text),
        (0, letters) => letters >= LETTERS_MIN && consonants(run) >= CONSONANTS_MIN || is_uuid(text),
        // `configuration2` has few digits; a drawn text has at least one in ten.
        _ => (digits * 10 >= run.len() || consonants(run) >= CONSONANTS_MIN) && bits_per_byte(text) > 2.0,
    }
}

/// Five groups of letters and digits, of 8, 4, 4, 4 and 12 bytes.
fn is_uuid(text: &[u8]) -> bool {
    let groups = text.split(|&b| b == b'-').map(<[u8]>::len);
    groups.eq([8, 4, 4, 4, 12])
}

/// A path, a URL, a host with a port, a file: parts that words make up.
pub fn is_place(text: &[u8]) -> bool {
    let slashes = text.iter().filter(|&&b| b == b'/').count();
    let scheme = text.windows(3).any(|three| three == b"://");
    let word =
        |part: &[u8]| part.len() < 12 && part.iter().filter(|b| b.is_ascii_digit()).count() * 3 <= part.len();
    let words = |sign: u8| text.split(|&b| b == sign).all(word);
    let protocol = text.len() > 5 && text[..5].eq_ignore_ascii_case(b"HTTP/");
    scheme
        || protocol
        || text.first() == Some(&b'/')
        || (slashes > 0 && words(b'/'))
        || (text.contains(&b'.') && words(b'.'))
}

/// A date or time that begins with a year, as in `2026-11-22T10:00:00Z`.
fn is_date(text: &[u8]) -> bool {
    matches!(
        text,
        [
            b'1' | b'2',
            b'0'..=b'9',
            b'0'..=b'9',
            b'0'..=b'9',
            b'-' | b'/',
            b'0'..=b'9',
            b'0'..=b'9',
            b'-' | b'/',
            ..
        ]
    )
}

/// The longest run of letters without a vowel.
fn consonants(text: &[u8]) -> usize {
    let is_consonant = |b: &u8| b.is_ascii_alphabetic() && !b"aeiouyAEIOUY".contains(b);
    text.split(|b| !is_consonant(b)).map(<[u8]>::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_drawn_texts_from_words() {
        for text in [
            "0a1b2c3d4e5f6a7b",
            "bu9JFVJtII3FINL1rOKc",
            "qwrtzpsdfghjklmnbvcxy",
            "12345678901234567890",
            "11111111-aaaa-bbbb-cccc-222222222222",
            "a1b2c3d4-c3d4-e5f6",
        ] {
            assert!(looks_random(text.as_bytes()), "{text}");
        }
        for text in [
            "internationalization",
            "2026-11-22",
            "2026-11-22T10:00:00.123Z",
            "1732262400000",
            "/var/lib/x1/y2",
            "db1.example.org",
            "https://h1/x",
            "HTTP/1.1",
            "ok",
            "ip-10-0-0-12.internal",
            "configuration2",
            "1234:profile",
            "aaaa1aaa",
            "step-2-of-the-list-of-five",
        ] {
            assert!(!looks_random(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn knows_its_ends() {
        assert_eq!(bits_per_byte(b""), 0.0);
        assert_eq!(bits_per_byte(b"aaaa"), 0.0);
        assert!((bits_per_byte(b"abcdefgh") - 3.0).abs() < 1e-6);
    }
}

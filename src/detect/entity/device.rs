/*!
What devices and programs call themselves: UUIDs and user agents.
*/

use super::Verdict;
use super::national::ends;
use crate::detect::context::is_word;

/// Lengths of a UUID's groups.
const GROUPS: [usize; 5] = [8, 4, 4, 4, 12];

/// Bytes of a UUID with its dashes (RFC 9562, section 4).
const UUID_BYTES: usize = 36;

/// Longest part of a user agent that is read as one, in bytes.
const PRODUCT_BYTES_MAX: usize = 256;

/// The UUID that `text` begins with.
pub fn uuid(text: &[u8]) -> Option<usize> {
    let mut end = 0;
    for (n, len) in GROUPS.iter().enumerate() {
        if n > 0 {
            text.get(end).filter(|&&byte| byte == b'-')?;
            end += 1;
        }
        text.get(end..end + len)?.iter().all(u8::is_ascii_hexdigit).then_some(())?;
        end += len;
    }
    let goes_on = text.get(end).is_some_and(|&byte| is_word(byte) || byte == b'-');
    (!goes_on).then_some(end)
}

/// The UUID whose first dash stands at `dash`.
pub fn uuid_around(haystack: &[u8], dash: usize) -> Option<Verdict> {
    let start = dash.checked_sub(GROUPS[0])?;
    if start > 0 && (is_word(haystack[start - 1]) || haystack[start - 1] == b'-') {
        return None;
    }
    let len = uuid(&haystack[start..haystack.len().min(start + UUID_BYTES + 1)])?;
    Some(Verdict::plain(start, start + len))
}

/// A user agent (RFC 9110, section 10.1.5): products with versions, comments in brackets, and the few bare words that
/// browsers write between them.
pub fn user_agent(text: &[u8]) -> Option<usize> {
    let mut end = 0;
    while let Some(len) = part_len(&text[end..]) {
        end += len;
        match text[end..] {
            [b' ', next, ..] if next > b' ' && part_len(&text[end + 1..]).is_some() => end += 1,
            _ => break,
        }
    }
    (end > 0 && ends(text, end)).then_some(end)
}

fn part_len(text: &[u8]) -> Option<usize> {
    let bounded = &text[..text.len().min(PRODUCT_BYTES_MAX)];
    if bounded.first() == Some(&b'(') {
        return bounded.iter().position(|&byte| byte == b')').map(|close| close + 1);
    }
    let len = bounded.iter().take_while(|&&byte| is_word(byte) || b"/.-+:;!".contains(&byte)).count();
    let word = &bounded[..len];
    let bare: [&[u8]; 5] = [b"like", b"Gecko", b"Mobile", b"Version", b"Safari"];
    (len > 0 && text.get(len) != Some(&b'=') && (word.contains(&b'/') || bare.contains(&word))).then_some(len)
}

#[cfg(test)]
mod tests {
    use super::super::national::tests::check;

    #[test]
    fn takes_identifiers() {
        let right = ["0b5a1c2d-3e4f-4a6b-8c7d-9e0f1a2b3c4d"];
        check(super::uuid, &right, &["0b5a1c2d-3e4f-4a6b-8c7d", "0b5a1c2g-3e4f-4a6b-8c7d-9e0f1a2b3c4d"]);
    }

    #[test]
    fn takes_user_agents_up_to_the_next_field() {
        for agent in ["Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", "curl/8.5.0"]
        {
            assert_eq!(super::user_agent(agent.as_bytes()), Some(agent.len()), "{agent}");
            let more = format!("{agent} status=200");
            assert_eq!(super::user_agent(more.as_bytes()), Some(agent.len()), "{more}");
        }
        assert_eq!(super::user_agent(b"none"), None);
    }
}

/*!
What stands in the place of a value: labels, tags and markers, their exact forms.

- A *label* is an entity's name in brackets, `[email]`, or with the number of
  bytes that stood there, `[prompt 512B]`.
- A *tag* is a pseudonym: `email_k7f3a.mfrggzdfmztwq2lkmfrg`, the entity's
  name, the id of the key, and 96 bits in base32 (RFC 4648, section 6) in lower
  case without padding.
- A *sealed* value is an encrypted one: `email_k7f3a-` and base32 of any length.
  It is no tag: a second pass may seal it again, and opening it takes two steps.
- A *marker* is a record in the place of one that was withheld or cut:
  `[logveil: record withheld, 512 bytes, too long]`.

`act` writes these forms and `detect` leaves them alone, so that redacting
twice equals redacting once. A form is recognised whole and with the name of a
known entity only: `password=[x]` from outside is a password like any other.
*/

use std::io::Write as _;

use data_encoding::BASE32_NOPAD;

use crate::entity::{Entities, Entity};
use crate::span::Span;

/// Characters of base32 in a tag: 96 bits.
const TAG_CHARS: usize = 20;

/// Characters of a key's id: `k` and four of base32.
const KEY_ID_CHARS: usize = 5;

/// Digits of the length in a label; more than any record has.
const LENGTH_DIGITS_MAX: usize = 9;

/// Longest name of an entity that a label or a tag may have, in bytes. Bounds the search for its end.
pub const NAME_BYTES_MAX: usize = 64;

/// Appends the label of an entity.
pub fn write_label(out: &mut Vec<u8>, entity: &str) {
    out.push(b'[');
    out.extend_from_slice(entity.as_bytes());
    out.push(b']');
}

/// Appends the label of an entity that says how many bytes stood there.
pub fn write_label_with_length(out: &mut Vec<u8>, entity: &str, byte_len: usize) {
    write!(out, "[{entity} {byte_len}B]").expect("a vector takes every write");
}

/// Appends the tag of an entity's value under a key.
pub fn write_tag(out: &mut Vec<u8>, entity: &str, key_id: &[u8; KEY_ID_CHARS], tag: &[u8; 12]) {
    out.extend_from_slice(entity.as_bytes());
    out.push(b'_');
    out.extend_from_slice(key_id);
    out.push(b'.');
    write_base32(out, tag);
}

/// Appends an encrypted value of an entity under a key.
pub fn write_sealed(out: &mut Vec<u8>, entity: &str, key_id: &[u8; KEY_ID_CHARS], encrypted: &[u8]) {
    out.extend_from_slice(entity.as_bytes());
    out.push(b'_');
    out.extend_from_slice(key_id);
    out.push(b'-');
    write_base32(out, encrypted);
}

/// Appends bytes as base32 in lower case without padding.
pub fn write_base32(out: &mut Vec<u8>, bytes: &[u8]) {
    let start = out.len();
    out.resize(start + BASE32_NOPAD.encode_len(bytes.len()), 0);
    BASE32_NOPAD.encode_mut(bytes, &mut out[start..]);
    out[start..].make_ascii_lowercase();
}

/// An encrypted value, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// What it is.
    pub entity: Entity,
    /// The key's public name.
    pub key_id: [u8; KEY_ID_CHARS],
    /// The encrypted bytes.
    pub encrypted: Vec<u8>,
}

/// Takes a text apart that is an encrypted value and nothing else.
pub fn parse_sealed(entities: &Entities, text: &[u8]) -> Option<Sealed> {
    let dash = text.iter().rposition(|&byte| byte == b'-')?;
    let (before, encrypted) = (&text[..dash], text[dash + 1..].to_ascii_uppercase());
    let (entity, key_id) = before.split_at_checked(before.len().checked_sub(KEY_ID_CHARS)?)?;
    let entity = entities.find(std::str::from_utf8(entity.strip_suffix(b"_")?).ok()?)?;
    let encrypted = BASE32_NOPAD.decode(&encrypted).ok()?;
    Some(Sealed { entity, key_id: key_id.try_into().ok()?, encrypted })
}

/// Appends the marker that stands in the place of a record of `byte_len` bytes. `reason` is one of our own words.
pub fn write_withheld(out: &mut Vec<u8>, byte_len: usize, reason: &'static str) {
    write!(out, "[logveil: record withheld, {byte_len} bytes, {reason}]")
        .expect("a vector takes every write");
}

/// Whether all of `text` is one of our labels.
pub fn is_label(entities: &Entities, text: &[u8]) -> bool {
    label_len_at(entities, text, 0) == Some(text.len())
}

/// Length of the label of ours that starts at `at`, if there is one. Constant time.
pub fn label_len_at(entities: &Entities, haystack: &[u8], at: usize) -> Option<usize> {
    let inside = haystack.get(at..)?.strip_prefix(b"[")?;
    let name_len = name_len(inside);
    if !is_entity(entities, &inside[..name_len]) {
        return None;
    }
    match inside[name_len..] {
        [b']', ..] => Some(name_len + 2),
        [b' ', ref length @ ..] => {
            let digits = length.iter().take(LENGTH_DIGITS_MAX).take_while(|b| b.is_ascii_digit()).count();
            (digits > 0 && length[digits..].starts_with(b"B]")).then_some(1 + name_len + 1 + digits + 2)
        }
        _ => None,
    }
}

/// Whether all of `text` is one of our tags.
pub fn is_tag(entities: &Entities, text: &[u8]) -> bool {
    tag_len_at(entities, text, 0) == Some(text.len())
}

/// Length of the tag of ours that starts at `at`, if there is one and no word goes on after it. Constant time.
///
/// What stands before `at` is the caller's to look at: in JSON it may be the letter of an escape.
pub fn tag_len_at(entities: &Entities, haystack: &[u8], at: usize) -> Option<usize> {
    let text = haystack.get(at..)?;
    // Nearly every value is told from a tag by its first bytes.
    let begin = text.first_chunk::<{ KEY_ID_CHARS + 1 }>()?;
    if !begin.iter().fold(true, |all, &byte| all & is_name(byte)) {
        return None;
    }
    let before_dot = name_len(text);
    let entity_len = before_dot.checked_sub(KEY_ID_CHARS + 1)?;
    let (entity, key_id) = text[..before_dot].split_at(entity_len);
    let [b'_', b'k', id @ ..] = key_id else { return None };
    let [b'.', tag @ ..] = &text[before_dot..] else { return None };
    let (tag, rest) = tag.split_at_checked(TAG_CHARS)?;
    let goes_on = rest.first().is_some_and(|&b| b.is_ascii_alphanumeric() || b == b'_' || b >= 0x80);
    let ours = !goes_on
        && id.iter().chain(tag).all(|&b| matches!(b, b'a'..=b'z' | b'2'..=b'7'))
        && is_entity(entities, entity);
    ours.then_some(before_dot + 1 + TAG_CHARS)
}

/// Whether all of `span` is one of our labels or tags, or the beginning of one that stands there whole: where a value
/// ends at a space, `[prompt 512B]` is found up to that space.
pub fn is_ours(entities: &Entities, haystack: &[u8], span: Span) -> bool {
    let at = span.start;
    let ours = label_len_at(entities, haystack, at).or_else(|| tag_len_at(entities, haystack, at));
    ours.is_some_and(|len| !span.is_empty() && span.len() <= len)
}

/// Whether all of `value` is what stands in a value's place, whatever its shape: a label, a tag, an encrypted value, or a
/// pseudonym that can be told from a raw value. It is the plain value, without escapes or percent signs.
pub fn is_own(entities: &Entities, value: &[u8]) -> bool {
    is_ours(entities, value, Span::new(0, value.len()))
        || parse_sealed(entities, value).is_some()
        || is_shaped_email(value)
        || is_shaped_uuid(value)
}

/// `k7f3a.TAG@DOMAIN.example`.
fn is_shaped_email(value: &[u8]) -> bool {
    let base32 = |b: &u8| matches!(b, b'a'..=b'z' | b'2'..=b'7');
    let Some(at) = memchr::memchr(b'@', value) else { return false };
    let (local, domain) = value.split_at(at);
    let Some((id, tag)) = local.split_at_checked(KEY_ID_CHARS) else { return false };
    domain.ends_with(b".example")
        && id.first() == Some(&b'k')
        && id.iter().all(base32)
        && tag.len() == 1 + TAG_CHARS
        && tag[0] == b'.'
        && tag[1..].iter().all(base32)
}

/// A UUID of version 8 (RFC 9562, section 5.8): others make none.
fn is_shaped_uuid(value: &[u8]) -> bool {
    let hyphens = [8, 13, 18, 23];
    let fits = |(at, b): (usize, &u8)| match hyphens.contains(&at) {
        true => *b == b'-',
        false => b.is_ascii_hexdigit(),
    };
    value.len() == 36 && value.iter().enumerate().all(fits) && value[14] == b'8'
}

/// Whether `span` lies inside one of our own labels, as `12B` in `[password 12B]` does.
pub fn is_inside_label(entities: &Entities, haystack: &[u8], span: Span) -> bool {
    let floor = span.start.saturating_sub(LABEL_BYTES_MAX);
    let open = memchr::memrchr(b'[', &haystack[floor..span.start]).map(|open| floor + open);
    open.and_then(|open| label_len_at(entities, haystack, open).map(|len| open + len))
        .is_some_and(|end| span.end <= end)
}

/// Bytes of a label at most, by far: an entity's name and a length.
const LABEL_BYTES_MAX: usize = 96;

/// Bytes at the start of `text` that a name could have.
fn name_len(text: &[u8]) -> usize {
    text.iter().take(NAME_BYTES_MAX + KEY_ID_CHARS + 1).take_while(|&&byte| is_name(byte)).count()
}

fn is_name(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_')
}

fn is_entity(entities: &Entities, name: &[u8]) -> bool {
    std::str::from_utf8(name).is_ok_and(|name| entities.find(name).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl Fn(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out);
        out
    }

    #[test]
    fn recognises_what_it_writes() {
        let entities = Entities::builtin();
        for name in crate::entity::BUILTIN {
            assert!(is_label(&entities, &written(|out| write_label(out, name))));
            assert!(is_label(&entities, &written(|out| write_label_with_length(out, name, 512))));
            let tag = written(|out| write_tag(out, name, b"k7f3a", &[0xA5; 12]));
            assert!(is_tag(&entities, &tag));
            let within = [b"by ", &tag[..], b", ok"].concat();
            assert_eq!(tag_len_at(&entities, &within, 3), Some(tag.len()));
        }
    }

    #[test]
    fn a_tag_is_lower_case_base32() {
        let tag = written(|out| write_tag(out, "email", b"k7f3a", b"abcdefghijkl"));
        assert_eq!(String::from_utf8_lossy(&tag), "email_k7f3a.mfrggzdfmztwq2lknnwa");
    }

    #[test]
    fn a_sealed_value_is_no_tag_and_can_be_taken_apart() {
        let entities = Entities::builtin();
        let sealed = written(|out| write_sealed(out, "user_id", b"k7f3a", &[0xA5; 17]));
        assert!(!is_tag(&entities, &sealed));
        let expected = Sealed { entity: Entity::USER_ID, key_id: *b"k7f3a", encrypted: vec![0xA5; 17] };
        assert_eq!(parse_sealed(&entities, &sealed), Some(expected));
        for text in
            ["", "-", "x_k7f3a-me", "user_idk7f3a-me", "user_id_k7f3a-m!", "user_id_k7f3a.me", "k7f3a-me"]
        {
            assert_eq!(parse_sealed(&entities, text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn recognises_nothing_else() {
        let entities = Entities::builtin();
        for text in [
            "[x]",
            "[]",
            "[email",
            "email]",
            "[email 1]",
            "[email B]",
            "[email 12B",
            "[email 1234567890B]",
            "[Email]",
        ] {
            assert!(!is_label(&entities, text.as_bytes()), "{text}");
        }
        for text in [
            "user_k7f3a.mfrggzdfmztwq2lkmfrg",
            "email_k7f3.mfrggzdfmztwq2lkmfrg",
            "email_k7f3a.mfrggzdfmztwq2lkmfr",
            "email_k7f3a.mfrggzdfmztwq2lkmfrgg",
            "email_k7f3a.mfrggzdfmztwq2lkmfr1",
            "email_k7f1a.mfrggzdfmztwq2lkmfrg",
            "email_k7f3a-mfrggzdfmztwq2lkmfrg",
            "_k7f3a.mfrggzdfmztwq2lkmfrg",
            "k7f3a.mfrggzdfmztwq2lkmfrg",
        ] {
            assert!(!is_tag(&entities, text.as_bytes()), "{text}");
        }
    }
}

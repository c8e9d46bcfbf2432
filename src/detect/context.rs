/*!
What stands around a candidate: where words begin and end, and what says that it is something else.
*/

use crate::structure::{field, json, percent};

/// Bytes of a word: letters, digits, `_`.
pub fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Whether no word goes on over `at`: the byte before is none, or belongs to an escape or a percent-encoded byte.
pub fn word_starts_at(haystack: &[u8], at: usize) -> bool {
    at == 0 || !is_word(haystack[at - 1]) || after_escape(haystack, at)
}

/// Whether a word begins at `at`, or a part of an identifier: behind `_`, or a capital behind a small letter or digit.
pub fn part_starts_at(haystack: &[u8], at: usize) -> bool {
    let Some(&[before, here]) = at.checked_sub(1).and_then(|begin| haystack.get(begin..=at)) else {
        return word_starts_at(haystack, at);
    };
    let camel = !before.is_ascii_uppercase() && here.is_ascii_uppercase();
    before == b'_' || camel || word_starts_at(haystack, at)
}

/// Whether the word before `at`, with a space, `_` or `-` between, is one of `words`, in small letters.
pub fn follows_word(haystack: &[u8], at: usize, words: &[Box<str>]) -> bool {
    if words.is_empty() {
        return false;
    }
    let before = &haystack[..at];
    let before = before
        .strip_suffix(b" ")
        .or(before.strip_suffix(b"_"))
        .or(before.strip_suffix(b"-"))
        .unwrap_or(before);
    let word = last_word(before, |b| b.is_ascii_alphanumeric());
    words.iter().any(|known| word.eq_ignore_ascii_case(known.as_bytes()))
}

/// Whether no word goes on at `end`.
pub fn word_ends_at(haystack: &[u8], end: usize) -> bool {
    haystack.get(end).is_none_or(|&byte| !is_word(byte))
}

/// Whether the bytes before `at` are a whole escape of a JSON string (`\n`, `\u0022`) or a percent-encoded byte.
pub fn after_escape(haystack: &[u8], at: usize) -> bool {
    if at >= 2 && haystack[at - 2] == b'\\' && matches!(haystack[at - 1], b'n' | b'r' | b't' | b'b' | b'f') {
        return field::in_string(haystack, at - 2);
    }
    if at >= 3 && percent::unit_at(haystack, at - 3).is_some() {
        return true;
    }
    is_after_code_unit(haystack, at)
}

/// Whether a `\uXXXX` ends at `at`.
pub fn is_after_code_unit(haystack: &[u8], at: usize) -> bool {
    at >= 6 && json::code_unit(haystack, at - 6).is_some()
}

/// Whether a percent-encoded byte ends at `at` that text has: no control byte but a tab or a line's end.
pub fn is_after_unit(haystack: &[u8], at: usize) -> bool {
    let unit = at.checked_sub(3).and_then(|begin| percent::unit_at(haystack, begin));
    unit.is_some_and(|byte| byte >= b' ' || byte.is_ascii_whitespace())
}

/// Where the escape ends in whose digits `at` stands, the first of a run of digits that ends at `end`, if it does: the
/// digits of an escape are no digits of a value, as in `\u0022203.0.113.7` and `%20203.0.113.7`.
pub fn escape_end_over(haystack: &[u8], at: usize, end: usize) -> Option<usize> {
    let begins = at.saturating_sub(5)..at.saturating_sub(1);
    let code_unit = begins.rev().find(|&begin| json::code_unit(haystack, begin).is_some());
    if let Some(begin) = code_unit {
        return Some(begin + 6);
    }
    if at == 0 || haystack[at - 1] != b'%' || !is_after_unit(haystack, at + 2) {
        return None;
    }
    // Encoded twice.
    let twice = haystack[at..].starts_with(b"25") && end > at + 4;
    Some(if twice { at + 4 } else { at + 2 })
}

/// Words before a dotted number that make it a version.
const VERSION_WORDS: &[&[u8]] = &[
    b"version",
    b"ver",
    b"v",
    b"release",
    b"rel",
    b"build",
    b"driver",
    b"firmware",
    b"revision",
    b"rev",
    b"rv",
    b"oid",
    b"sdk",
    b"agent_version",
    b"patch",
    b"tag",
];

/// Products that write their names in small letters before a slash and a version. Any other name in small letters may
/// be a host's or a client's: `client1/198.51.100.7`.
const SMALL_PRODUCTS: &[&[u8]] = &[
    b"curl",
    b"wget",
    b"okhttp",
    b"axios",
    b"nginx",
    b"python",
    b"python-requests",
    b"python-urllib3",
    b"libwww-perl",
    b"node-fetch",
    b"undici",
    b"aiohttp",
    b"httpie",
    b"libcurl",
    b"openresty",
    b"containerd",
    b"kubectl",
    b"kubelet",
    b"kernel",
];

/// File names' ends that follow a version and never an address.
const FILE_ENDS: &[&[u8]] = &[
    b".tar", b".tgz", b".zip", b".jar", b".rpm", b".deb", b".gz", b".so", b".dll", b".exe", b".whl",
    b".dylib",
];

/// Whether the dotted number at `start..end` is a program's version: `Chrome/126.0.0.0`, `version 1.2.3.4`, `v1.2.3.4`,
/// `lib.so.1.2.3.4`, `tool-1.2.3.4.tar.gz`.
pub fn is_version(haystack: &[u8], start: usize, end: usize) -> bool {
    let has_port = matches!(haystack[end..], [b':', b'0'..=b'9', ..]);
    if has_port {
        return false;
    }
    // An access log's line begins with its client's address.
    let follows = start > 0
        && (follows_product(haystack, start)
            || follows_version_word(haystack, start)
            || follows_packager(haystack, start)
            || haystack[..start].ends_with(b".so."));
    let after = &haystack[end..];
    follows
        || matches!(after, [b'.', ..]) && FILE_ENDS.iter().any(|ext| after.starts_with(ext))
        || after.starts_with(b"-rc")
}

/// `Name/` directly before, the name beginning where a word of a user agent does.
fn follows_product(haystack: &[u8], start: usize) -> bool {
    let Some(before) = haystack[..start].strip_suffix(b"/") else { return false };
    let word = last_word(before, |b| is_word(b) || b == b'-' || b == b'.');
    let starts = &before[..before.len() - word.len()];
    let at_boundary =
        matches!(starts.last(), None | Some(b' ' | b'"' | b'(' | b';' | b'\'' | b'=' | b'+' | b'\\'));
    let known = word.first().is_some_and(u8::is_ascii_uppercase) || SMALL_PRODUCTS.contains(&word);
    at_boundary && (known || follows_other_product(starts))
}

/// Whether a word with a version stands before, so that this one is of the same list: `OpenSSL/1.0.1 zlib/1.2.3.4`.
fn follows_other_product(before: &[u8]) -> bool {
    let Some(before) = before.strip_suffix(b" ") else { return false };
    let version = last_word(before, |b| is_word(b) || b == b'-' || b == b'.');
    let name = &before[..before.len() - version.len()];
    let Some(name) = name.strip_suffix(b"/") else { return false };
    let word = last_word(name, |b| is_word(b) || b == b'-');
    let at_boundary = matches!(name[..name.len() - word.len()].last(), None | Some(b' ' | b'"' | b'('));
    version.iter().any(u8::is_ascii_digit) && !word.is_empty() && at_boundary
}

/// Words of distributions' packages that a version is glued to: `8.0.43-0ubuntu0.24.4.1`.
const PACKAGERS: &[&[u8]] = &[b"ubuntu", b"deb", b"bpo", b"el", b"fc"];

/// Such a word directly before, itself behind a digit or a sign.
fn follows_packager(haystack: &[u8], start: usize) -> bool {
    let word = last_word(&haystack[..start], |b| b.is_ascii_alphabetic());
    let before = start.checked_sub(word.len() + 1).map(|before| haystack[before]);
    let joined = before.is_some_and(|b| b.is_ascii_digit() || matches!(b, b'.' | b'+' | b'~' | b'-'));
    joined && PACKAGERS.contains(&word)
}

/// A word such as `version` before, with spaces, `=`, `:` or quotes between.
fn follows_version_word(haystack: &[u8], start: usize) -> bool {
    let before = &haystack[start.saturating_sub(32)..start];
    let gap = before.iter().rev().take_while(|b| b" =:\"'\\".contains(b)).count();
    let word = last_word(&before[..before.len() - gap], |b| is_word(b) || b == b'-');
    let word = word.rsplit(|&b| b == b'_' || b == b'-').next().unwrap_or(word);
    if word.eq_ignore_ascii_case(b"v") {
        return gap == 0;
    }
    VERSION_WORDS.iter().any(|version| word.eq_ignore_ascii_case(version)) || ends_like_version_key(word)
}

/// `appVersion`, `serverVersion`.
fn ends_like_version_key(word: &[u8]) -> bool {
    word.len() > 7 && word[word.len() - 7..].eq_ignore_ascii_case(b"version")
}

fn last_word(text: &[u8], is_part: impl Fn(u8) -> bool) -> &[u8] {
    let len = text.iter().rev().take(64).take_while(|&&b| is_part(b)).count();
    &text[text.len() - len..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, version: bool) {
        let start = text.find("1.2.3.4").expect("the number");
        assert_eq!(is_version(text.as_bytes(), start, start + 7), version, "{text}");
    }

    #[test]
    fn tells_versions_from_addresses() {
        for text in [
            "Chrome/1.2.3.4 Safari",
            "(Foo-Bar/1.2.3.4)",
            "driver version 1.2.3.4",
            "\"version\":\"1.2.3.4\"",
            "app_version=1.2.3.4",
            "v1.2.3.4",
            "libx.so.1.2.3.4",
            "tool-1.2.3.4.tar.gz",
            "serverVersion: 1.2.3.4",
            "OpenSSL/1.0.1 zlib/1.2.3.4 libidn/1.23",
            "commit/9dbdbd4 kernel/1.2.3.4-standard",
            "8.0.43-0ubuntu1.2.3.4",
            "x-1.el1.2.3.4",
        ] {
            check(text, true);
        }
        for text in [
            "from 1.2.3.4",
            "http://1.2.3.4/",
            "tcp/1.2.3.4",
            "/logs/1.2.3.4/x",
            "ip=1.2.3.4",
            "hotel1.2.3.4",
            "GET /x/9 peer/1.2.3.4",
            "client1/9 peer/1.2.3.4:80",
            "server:1.2.3.4",
            "client1/1.2.3.4 up",
            "Client/1.2.3.4:5432 up",
            "version 1.2.3.4:80",
            "v 1.2.3.4",
            "1.2.3.4",
        ] {
            check(text, false);
        }
    }

    #[test]
    fn digits_of_an_escape_are_told() {
        let text = br"x\u0022203";
        let ends = (0..text.len()).map(|at| escape_end_over(text, at, 10).is_some()).collect::<Vec<_>>();
        assert_eq!(ends, [false, false, false, true, true, true, true, false, false, false]);
        assert_eq!(escape_end_over(text, 3, 10), Some(7));
        assert_eq!(escape_end_over(b"%20203", 1, 6), Some(3));
        assert_eq!(escape_end_over(b"%2520203", 1, 8), Some(5));
        assert_eq!(escape_end_over(b"%2510.0", 1, 5), Some(3));
        assert_eq!(escape_end_over(b"5%10.0", 2, 4), None);
    }

    #[test]
    fn a_word_starts_after_an_escape() {
        assert!(word_starts_at(br#""a\nb"#, 4));
        assert!(!word_starts_at(br"A\nb", 3), "outside of a string there are no escapes");
        assert!(word_starts_at(b"x%2Fb", 4));
        assert!(word_starts_at(br"x\u0022b", 7));
        assert!(!word_starts_at(b"ab", 1));
    }

    #[test]
    fn a_part_starts_behind_an_underscore_and_at_a_hump() {
        for (text, at) in [("okta", 0), ("MY_OKTA", 3), ("myOkta", 2), ("-okta", 1)] {
            assert!(part_starts_at(text.as_bytes(), at), "{text}");
        }
        for (text, at) in [("myokta", 2), ("MYOKTA", 2), ("x1okta", 2)] {
            assert!(!part_starts_at(text.as_bytes(), at), "{text}");
        }
    }
}

/*!
Anchors: the literals from which candidates are looked at, and the table that knows where they stand.

A literal is compared without case. One that begins with a letter or digit is
looked for where a part of a word begins (after punctuation, at a capital
behind a small letter, behind an escape); other literals, and those that stand
inside of a match, are looked for everywhere and cost more.

Looking is done in three steps, each a "perhaps" that never says a wrong no: where
a word begins, or the [`Fingerprint`] of three bytes, 64 places at a time; a
[`Table`] by up to eight bytes; the literal itself. Those that stand at a token or before one are
asked only where one is near ([`super::tokens`]).
*/

use std::collections::BTreeMap;
use std::sync::OnceLock;

use aho_corasick::AhoCorasick;

use super::RuleId;
use super::context::{after_escape, is_word};
use super::leading::is_token;
use super::simd::{BUCKETS, Classifier, Fingerprint};
use super::table::Table;

/// What is asked where a literal stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    Jwt,
    Bearer,
    Basic,
    Pem,
    /// An at-sign in one of its encodings.
    Sign,
    EncodedEquals,
    /// A colon that is percent-encoded: of an address, or behind a key of JSON in a form.
    EncodedColon,
    /// A full stop that is percent-encoded: of an address.
    EncodedDot,
    /// A quote that is an escape.
    EscapedQuote,
    /// The name of a header that may stand beside its value.
    PairedName,
    /// Two slashes behind which a URL without a scheme goes on.
    Authority,
    /// The same behind a scheme, percent-encoded.
    EncodedAuthority,
    Rule(RuleId),
}

/// Literals of the built-in parsers and of structure.
pub(super) const BUILTIN: &[(&str, Place, Anchor)] = &[
    ("eyJ", Place::Token, Anchor::Jwt),
    ("bearer", Place::Part, Anchor::Bearer),
    ("basic", Place::Part, Anchor::Basic),
    ("-----BEGIN", Place::Part, Anchor::Pem),
    ("%40", Place::Part, Anchor::Sign),
    ("%2540", Place::Part, Anchor::Sign),
    (r"\u0040", Place::Part, Anchor::Sign),
    ("%3d", Place::Part, Anchor::EncodedEquals),
    (r"\u003d", Place::Part, Anchor::EncodedEquals),
    ("%3a", Place::Part, Anchor::EncodedColon),
    ("%253a", Place::Part, Anchor::EncodedColon),
    ("%2e", Place::Part, Anchor::EncodedDot),
    ("%252e", Place::Part, Anchor::EncodedDot),
    (r"\u0022", Place::Part, Anchor::EscapedQuote),
    (r"\u0027", Place::Part, Anchor::EscapedQuote),
    ("cookie\"", Place::Part, Anchor::PairedName),
    ("cookie'", Place::Part, Anchor::PairedName),
    ("cookie\\", Place::Part, Anchor::PairedName),
    ("authorization\"", Place::Part, Anchor::PairedName),
    ("authorization'", Place::Part, Anchor::PairedName),
    ("authorization\\", Place::Part, Anchor::PairedName),
    (" //", Place::Part, Anchor::Authority),
    ("\"//", Place::Part, Anchor::Authority),
    ("'//", Place::Part, Anchor::Authority),
    ("=//", Place::Part, Anchor::Authority),
    ("%3a%2f%2f", Place::Part, Anchor::EncodedAuthority),
];

/// Where a literal may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// Where a part of a word begins, as the beginning of a run of [`TOKEN_BYTES`].
    Token,
    /// Where a part of a word begins, up to [`SERVICE_BYTES_MAX`] before such a run.
    Service,
    /// Where a part of a word begins; the first byte is a letter.
    Part,
    /// Anywhere.
    Free,
}

/// Bytes of letters, digits, `_` and `-` in one run that a token has.
pub(super) const TOKEN_BYTES: usize = 16;

/// Bytes between the beginning of a service's name and its token.
pub(super) const SERVICE_BYTES_MAX: usize = 128;

/// Bytes before a token in which a comma may stand: between two arguments, the second of which is the token.
pub(super) const COMMA_BYTES_MAX: usize = 8;

/// A literal of the set.
#[derive(Debug)]
pub(super) struct Literal {
    /// In small letters.
    pub(super) text: Box<[u8]>,
    /// Where it may begin.
    pub(super) place: Place,
    /// Whom it calls.
    pub(super) calls: Vec<Anchor>,
}

impl Literal {
    fn new(text: Vec<u8>, place: Place, calls: Vec<Anchor>) -> Literal {
        Literal { text: text.into(), place, calls }
    }

    /// Whether the literal stands at `at`, and where it may.
    pub(super) fn stands_at(&self, haystack: &[u8], at: usize) -> bool {
        let text = haystack.get(at..at + self.text.len());
        text.is_some_and(|text| text.eq_ignore_ascii_case(&self.text))
            && match self.place {
                Place::Token => token_begins_at(haystack, at) && part_begins_at(haystack, at),
                Place::Service => part_begins_at(haystack, at) && is_before_token(haystack, at),
                Place::Part => part_begins_at(haystack, at),
                Place::Free => true,
            }
    }
}

/// Whether a run of [`TOKEN_BYTES`] begins at `at`, or goes on over it for as many bytes.
fn token_begins_at(haystack: &[u8], at: usize) -> bool {
    haystack.get(at..at + TOKEN_BYTES).is_some_and(|run| run.iter().all(|&byte| is_token(byte)))
}

/// Whether a run of [`TOKEN_BYTES`] begins at `at` or near enough behind it, and nothing between the two says that what is
/// behind it is something else: a brace, a semicolon, a line's end, or a comma, unless the token is an argument
/// behind it.
pub(super) fn is_before_token(haystack: &[u8], at: usize) -> bool {
    if token_begins_at(haystack, at) {
        return true;
    }
    let end = haystack.len().min(at + SERVICE_BYTES_MAX + TOKEN_BYTES);
    let mut run = 0;
    let mut comma = None;
    for (place, &byte) in haystack.iter().enumerate().take(end).skip(at) {
        if is_token(byte) {
            run += 1;
            let begin = place + 1 - TOKEN_BYTES.min(place + 1);
            // The one that goes on over `at` has begun before it.
            if run == TOKEN_BYTES && begin > at && !is_token(haystack[begin - 1]) {
                return comma.is_none_or(|comma: usize| begin <= comma + COMMA_BYTES_MAX);
            }
            continue;
        }
        run = 0;
        match byte {
            b';' | b'{' | b'}' | b'\n' => return false,
            b',' => comma = comma.or(Some(place)),
            _ => {}
        }
        if comma.is_some_and(|comma| place >= comma + COMMA_BYTES_MAX) {
            return false;
        }
    }
    false
}

/// Whether a part of a word begins at `at`: behind what is no letter and no digit, at a capital behind a small letter or
/// digit, behind an escape.
pub(super) fn part_begins_at(haystack: &[u8], at: usize) -> bool {
    let Some(&before) = at.checked_sub(1).and_then(|before| haystack.get(before)) else { return true };
    if !is_word(before) || before == b'_' {
        return true;
    }
    let hump = !before.is_ascii_uppercase() && haystack.get(at).is_some_and(u8::is_ascii_uppercase);
    hump || after_escape(haystack, at)
}

/// A set of literals, ready to be looked for.
#[derive(Debug)]
pub(super) struct Literals {
    list: Vec<Literal>,
    table: Table,
    classifier: Classifier,
    /// The plain way to look for them; made when it is first asked.
    automaton: OnceLock<AhoCorasick>,
}

impl Literals {
    /// Makes the set of literals in small letters, each with its place and whom it calls, and 3 bytes or more.
    pub(super) fn new(literals: BTreeMap<(Vec<u8>, Place), Vec<Anchor>>) -> Literals {
        let list: Vec<Literal> =
            literals.into_iter().map(|((text, place), calls)| Literal::new(text, place, calls)).collect();
        let table = Table::new(&list);
        let classifier = Classifier::new(fingerprint(&list));
        Literals { list, table, classifier, automaton: OnceLock::new() }
    }

    /// What makes the masks that this set is looked for with.
    pub(super) fn classifier(&self) -> &Classifier {
        &self.classifier
    }

    /// Each literal that stands in `haystack` and where it begins, in the order of places and of the list: told by an
    /// automaton, and by nothing that the fast way uses.
    pub(super) fn all_in(&self, haystack: &[u8]) -> Vec<(usize, &Literal)> {
        let automaton = self.automaton.get_or_init(|| {
            AhoCorasick::builder()
                .ascii_case_insensitive(true)
                .build(self.list.iter().map(|literal| &literal.text))
                .expect("packs are bounded in size, so their anchors fit into an automaton")
        });
        let found = automaton.find_overlapping_iter(haystack);
        let mut found: Vec<_> = found.map(|found| (found.start(), found.pattern().as_usize())).collect();
        found.sort_unstable();
        let literals = found.into_iter().map(|(at, n)| (at, &self.list[n]));
        literals.filter(|(at, literal)| literal.stands_at(haystack, *at)).collect()
    }

    /// The table of all of them.
    pub(super) fn table(&self) -> &Table {
        &self.table
    }

    /// Tells each literal that stands at `at`, in the order of the list.
    #[inline]
    pub(super) fn each_at<'a>(&'a self, haystack: &[u8], at: usize, mut each: impl FnMut(&'a Literal)) {
        self.table.each_at(haystack, at, |n| {
            let literal = &self.list[n];
            if literal.stands_at(haystack, at) {
                each(literal);
            }
        });
    }
}

/// Of the literals that the beginnings of words alone do not tell. Of those that begin like words, neighbours in the alphabet
/// share a bucket; of the rest, those that begin with the same sign, and all that begin with rare ones. So each
/// bucket allows few first bytes.
fn fingerprint(list: &[Literal]) -> Fingerprint {
    let mut fingerprint = Fingerprint::default();
    let begins_part =
        |literal: &&Literal| literal.place != Place::Free && literal.text[0].is_ascii_alphabetic();
    let parts = || list.iter().filter(begins_part).filter(|literal| !begins_word(&literal.text));
    let share = parts().count().div_ceil(BUCKETS).max(1);
    for (n, literal) in parts().enumerate() {
        fingerprint.part.add(begin(literal), n / share);
    }
    let is_word = |literal: &&Literal| literal.text[0].is_ascii_alphanumeric();
    let free = || list.iter().filter(|literal| !begins_part(literal));
    let share = free().filter(is_word).count().div_ceil(BUCKETS).max(1);
    for (n, literal) in free().filter(is_word).enumerate() {
        fingerprint.free[0].add(begin(literal), n / share);
    }
    for literal in free().filter(|literal| !is_word(literal)) {
        let bucket = match literal.text[0] {
            b'$' => 0,
            b'%' | b'\\' => 1,
            b'"' | b'\'' => 2,
            b' ' => 3,
            b'-' => 4,
            b'.' | b':' => 5,
            b'+' | b'=' | b'_' => 6,
            _ => 7,
        };
        fingerprint.free[1].add(begin(literal), bucket);
    }
    fingerprint
}

/// Whether it begins with a letter and two more letters or digits: such a literal is looked for wherever a part of a word
/// begins so.
fn begins_word(text: &[u8]) -> bool {
    text[0].is_ascii_alphabetic() && text[1].is_ascii_alphanumeric() && text[2].is_ascii_alphanumeric()
}

fn begin(literal: &Literal) -> [u8; 3] {
    [literal.text[0], literal.text[1], literal.text[2]]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literals(texts: &[(&str, Place)]) -> Literals {
        let entry = |(text, place): &(&str, Place)| ((text.as_bytes().to_vec(), *place), vec![Anchor::Jwt]);
        Literals::new(texts.iter().map(entry).collect())
    }

    fn found(literals: &Literals, text: &str) -> Vec<(usize, String)> {
        let text = text.as_bytes();
        let mut found = Vec::new();
        for at in (0..text.len()).filter(|&at| literals.table().all.narrow(text, at, &mut [0]) == 1) {
            literals.each_at(text, at, |literal| {
                found.push((at, String::from_utf8_lossy(&literal.text).into_owned()));
            });
        }
        found
    }

    #[test]
    fn a_literal_that_is_anothers_beginning_hides_nothing() {
        let literals = literals(&[("abc", Place::Free), ("abcd", Place::Free), ("bcd", Place::Free)]);
        let all = [(1, "abc".to_owned()), (1, "abcd".to_owned()), (2, "bcd".to_owned())];
        assert_eq!(found(&literals, "xABCd"), all);
    }

    #[test]
    fn a_part_of_a_word_begins_behind_punctuation_and_at_humps() {
        let literals = literals(&[("key", Place::Part)]);
        for (text, at) in [
            ("key", Some(0)),
            ("my_key", Some(3)),
            ("myKey", Some(2)),
            ("my2Key", Some(3)),
            ("MYKEY", None),
            ("mykey", None),
            ("my2key", None),
            ("%2fkey", Some(3)),
            (r#""\nkey"#, Some(3)),
        ] {
            let all: Vec<usize> = found(&literals, text).into_iter().map(|(at, _)| at).collect();
            assert_eq!(all, at.into_iter().collect::<Vec<_>>(), "{text}");
        }
    }

    #[test]
    fn a_service_stands_before_its_token() {
        let literals = literals(&[("okta", Place::Service), ("ghp_", Place::Token)]);
        let token = "0a1b2c3d4e5f6a7b";
        for (text, at) in [
            (format!("okta key {token}"), Some(0)),
            (format!("okta-{token}"), Some(0)),
            (format!("x okta(a, '{token}'"), Some(2)),
            (format!("okta {{{token}"), None),
            (format!("okta, key is now {token}"), None),
            (format!("okta {}{token}", " ".repeat(SERVICE_BYTES_MAX)), None),
            (format!("okta {}", &token[1..]), None),
            (format!("ghp_{token}"), Some(0)),
            (format!("x-ghp_{token}"), Some(2)),
            ("ghp_0a1b".into(), None),
            (format!("ghp_.{token}"), None),
        ] {
            let all: Vec<usize> = found(&literals, &text).into_iter().map(|(at, _)| at).collect();
            assert_eq!(all, at.into_iter().collect::<Vec<_>>(), "{text}");
        }
    }
}

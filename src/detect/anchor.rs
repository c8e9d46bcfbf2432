/*!
Anchors: the literals from which candidates are looked at, and the table that knows where they stand.

A literal is compared without case. One that begins with a letter or digit is
looked for where a part of a word begins (after punctuation, at a capital
behind a small letter, behind an escape); other literals, and those that stand
inside of a match, are looked for everywhere and cost more.

Looking is done in three steps, each a "perhaps" that never says a wrong no: the
[`Fingerprint`] of three bytes, 64 places at a time; a table by four bytes;
the literal itself.
*/

use std::collections::BTreeMap;
use std::sync::OnceLock;

use aho_corasick::AhoCorasick;

use super::RuleId;
use super::context::{after_escape, is_word};
use super::simd::{Classifier, FREE_BUCKETS, Fingerprint, PART_BUCKETS};

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
pub(super) const BUILTIN: &[(&str, Anchor)] = &[
    ("eyJ", Anchor::Jwt),
    ("bearer", Anchor::Bearer),
    ("basic", Anchor::Basic),
    ("-----BEGIN", Anchor::Pem),
    ("%40", Anchor::Sign),
    ("%2540", Anchor::Sign),
    (r"\u0040", Anchor::Sign),
    ("%3d", Anchor::EncodedEquals),
    (r"\u003d", Anchor::EncodedEquals),
    ("%3a", Anchor::EncodedColon),
    ("%253a", Anchor::EncodedColon),
    ("%2e", Anchor::EncodedDot),
    ("%252e", Anchor::EncodedDot),
    (r"\u0022", Anchor::EscapedQuote),
    (r"\u0027", Anchor::EscapedQuote),
    ("cookie\"", Anchor::PairedName),
    ("cookie'", Anchor::PairedName),
    ("cookie\\", Anchor::PairedName),
    ("authorization\"", Anchor::PairedName),
    ("authorization'", Anchor::PairedName),
    ("authorization\\", Anchor::PairedName),
    (" //", Anchor::Authority),
    ("\"//", Anchor::Authority),
    ("'//", Anchor::Authority),
    ("=//", Anchor::Authority),
    ("%3a%2f%2f", Anchor::EncodedAuthority),
];

/// Where a literal may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// Where a part of a word begins.
    Part,
    /// Anywhere.
    Free,
}

/// A literal of the set.
#[derive(Debug)]
pub(super) struct Literal {
    /// In small letters.
    pub(super) text: Box<[u8]>,
    place: Place,
    /// Whom it calls.
    pub(super) calls: Vec<Anchor>,
}

impl Literal {
    /// Whether the literal stands at `at`, and where it may.
    pub(super) fn stands_at(&self, haystack: &[u8], at: usize) -> bool {
        let text = haystack.get(at..at + self.text.len());
        text.is_some_and(|text| text.eq_ignore_ascii_case(&self.text))
            && (self.place == Place::Free || part_begins_at(haystack, at))
    }
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

/// Places of the table by four bytes, a power of two: 8 KiB, so that it stays in a core's nearest cache.
const SLOTS: usize = 2048;

/// A set of literals, ready to be looked for.
#[derive(Debug)]
pub(super) struct Literals {
    list: Vec<Literal>,
    /// By the hash of three bytes, which fourth bytes may follow, told by their low five bits.
    fourth: Box<[u32; SLOTS]>,
    /// By the same hash, the literals' places in `list`.
    slots: Vec<Vec<u16>>,
    classifier: Classifier,
    /// The plain way to look for them; made when it is first asked.
    automaton: OnceLock<AhoCorasick>,
}

impl Literals {
    /// Makes the set of literals in small letters, each with its place and whom it calls, and 3 bytes or more.
    pub(super) fn new(literals: BTreeMap<(Vec<u8>, Place), Vec<Anchor>>) -> Literals {
        let list: Vec<Literal> = literals
            .into_iter()
            .map(|((text, place), calls)| Literal { text: text.into(), place, calls })
            .collect();
        let mut fourth = Box::new([0; SLOTS]);
        let mut slots = vec![Vec::new(); SLOTS];
        for (n, literal) in list.iter().enumerate() {
            let slot = slot([literal.text[0], literal.text[1], literal.text[2]]);
            fourth[slot] |= literal.text.get(3).map_or(u32::MAX, |byte| 1 << (byte & 31));
            slots[slot].push(n as u16);
        }
        let classifier = Classifier::new(fingerprint(&list));
        Literals { list, fourth, slots, classifier, automaton: OnceLock::new() }
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

    /// Whether a literal perhaps begins at `at`.
    pub(super) fn may_begin(&self, haystack: &[u8], at: usize) -> bool {
        match haystack.get(at..at + 4) {
            Some(&[a, b, c, d]) => self.fourth[slot([a, b, c])] >> (d & 31) & 1 == 1,
            _ => at + 3 <= haystack.len(),
        }
    }

    /// Each literal that stands at `at`, in the order of the list.
    pub(super) fn at<'a>(&'a self, haystack: &'a [u8], at: usize) -> impl Iterator<Item = &'a Literal> {
        let slot = match haystack.get(at..at + 3) {
            Some(&[a, b, c]) => self.slots[slot([a, b, c])].as_slice(),
            _ => &[],
        };
        let literals = slot.iter().map(|&n| &self.list[usize::from(n)]);
        literals.filter(move |literal| literal.stands_at(haystack, at))
    }
}

/// A hash of three bytes in which case does not count.
fn slot(bytes: [u8; 3]) -> usize {
    let [a, b, c] = bytes.map(|byte| u32::from(byte | 0x20));
    let key = a | b << 8 | c << 16;
    (key.wrapping_mul(0x9e37_79b1) >> (32 - SLOTS.trailing_zeros())) as usize
}

/// Neighbours in the alphabet share a bucket: so each bucket allows few first bytes.
fn fingerprint(list: &[Literal]) -> Fingerprint {
    let mut fingerprint = Fingerprint::default();
    for (place, buckets) in [(Place::Part, PART_BUCKETS), (Place::Free, FREE_BUCKETS)] {
        let literals: Vec<&Literal> = list.iter().filter(|literal| literal.place == place).collect();
        let share = literals.len().div_ceil(buckets.len()).max(1);
        for (bucket, literals) in buckets.zip(literals.chunks(share)) {
            for literal in literals {
                fingerprint.add(&[literal.text[0], literal.text[1], literal.text[2]], bucket);
            }
        }
    }
    fingerprint
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
        (0..text.len())
            .filter(|&at| literals.may_begin(text, at))
            .flat_map(|at| literals.at(text, at).map(move |literal| (at, &literal.text)))
            .map(|(at, text)| (at, String::from_utf8_lossy(text).into_owned()))
            .collect()
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
}

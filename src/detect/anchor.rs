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
use super::candidates::keep;
use super::context::{after_escape, is_word};
use super::leading::is_token;
use super::simd::{BLOCK_BYTES, BUCKETS, Classifier, Fingerprint};

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
const COMMA_BYTES_MAX: usize = 8;

/// A literal of the set.
#[derive(Debug)]
pub(super) struct Literal {
    /// In small letters.
    pub(super) text: Box<[u8]>,
    /// The first eight bytes as a word, and which bits of it count: not those behind the text, and not bit 5, which
    /// tells the case of letters.
    head: [u64; 2],
    place: Place,
    /// Whom it calls.
    pub(super) calls: Vec<Anchor>,
}

impl Literal {
    fn new(text: Vec<u8>, place: Place, calls: Vec<Anchor>) -> Literal {
        let mut head = [0; 8];
        let mut counts = [0; 8];
        for (n, &byte) in text.iter().take(8).enumerate() {
            (head[n], counts[n]) = (byte, !0x20);
        }
        Literal { text: text.into(), head: [head, counts].map(u64::from_le_bytes), place, calls }
    }

    /// Whether the literal stands at `at`, and where it may.
    pub(super) fn stands_at(&self, haystack: &[u8], at: usize) -> bool {
        let [head, counts] = self.head;
        if haystack
            .get(at..)
            .and_then(|text| text.first_chunk())
            .is_some_and(|text| (u64::from_le_bytes(*text) ^ head) & counts != 0)
        {
            return false;
        }
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

/// Whether a run of [`TOKEN_BYTES`] begins at `at` or near enough behind it.
fn is_before_token(haystack: &[u8], at: usize) -> bool {
    if token_begins_at(haystack, at) {
        return true;
    }
    let begins = |token: &usize| !is_token(haystack[token - 1]) && token_begins_at(haystack, *token);
    let token = (at + 1..haystack.len().min(at + 1 + SERVICE_BYTES_MAX)).find(begins);
    token.is_some_and(|token| service_begin(haystack, token) <= at)
}

/// From where on a name may belong to the token that begins at `token`: a brace, a semicolon, a line's end and a comma,
/// unless the token is an argument behind it, begin something else.
fn service_begin(haystack: &[u8], token: usize) -> usize {
    let floor = token.saturating_sub(SERVICE_BYTES_MAX);
    let ends = |(distance, &byte): (usize, &u8)| {
        matches!(byte, b';' | b'{' | b'}' | b'\n') || (byte == b',' && distance >= COMMA_BYTES_MAX)
    };
    let len = haystack[floor..token].iter().rev().enumerate().position(ends);
    len.map_or(floor, |len| token - len)
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

/// A table that knows from four bytes whether a literal perhaps begins.
#[derive(Debug)]
pub(super) struct Table {
    /// By the hash of three bytes, which fourth bytes may follow, told by their low five bits.
    fourth: Box<[u32; SLOTS]>,
    /// By the same hash, the literals' places in the list.
    slots: Vec<Vec<u16>>,
}

impl Table {
    fn new<'a>(literals: impl Iterator<Item = (usize, &'a Literal)>) -> Table {
        let mut table = Table { fourth: Box::new([0; SLOTS]), slots: vec![Vec::new(); SLOTS] };
        for (n, literal) in literals {
            let slot = slot([literal.text[0], literal.text[1], literal.text[2]]);
            table.fourth[slot] |= literal.text.get(3).map_or(u32::MAX, |byte| 1 << (byte & 31));
            table.slots[slot].push(n as u16);
        }
        table
    }

    /// The bits of `places` at which a literal perhaps begins. Bit 0 stands for the first byte of `text`.
    pub(super) fn narrow(&self, text: &[u8], mut places: u64) -> u64 {
        let Some(text) = text.first_chunk::<{ BLOCK_BYTES + 3 }>() else {
            return keep(places, |at| self.may_begin(text, at));
        };
        let mut kept = 0;
        while places != 0 {
            let at = places.trailing_zeros() as usize % BLOCK_BYTES;
            let word = u32::from_le_bytes([text[at], text[at + 1], text[at + 2], text[at + 3]]);
            kept |= u64::from(self.fourth[slot_of(word)] >> (word >> 24 & 31) & 1) << at;
            places &= places - 1;
        }
        kept
    }

    /// Whether a literal perhaps begins at `at`.
    #[inline]
    pub(super) fn may_begin(&self, haystack: &[u8], at: usize) -> bool {
        match haystack.get(at..).and_then(|text| text.first_chunk::<4>()) {
            Some(bytes) => {
                let word = u32::from_le_bytes(*bytes);
                self.fourth[slot_of(word)] >> (word >> 24 & 31) & 1 == 1
            }
            None => at + 3 <= haystack.len(),
        }
    }
}

/// A set of literals, ready to be looked for.
#[derive(Debug)]
pub(super) struct Literals {
    list: Vec<Literal>,
    /// Those of [`Place::Part`] and [`Place::Free`].
    everywhere: Table,
    /// Those of [`Place::Token`] and [`Place::Service`].
    at_tokens: Table,
    classifier: Classifier,
    /// The plain way to look for them; made when it is first asked.
    automaton: OnceLock<AhoCorasick>,
}

impl Literals {
    /// Makes the set of literals in small letters, each with its place and whom it calls, and 3 bytes or more.
    pub(super) fn new(literals: BTreeMap<(Vec<u8>, Place), Vec<Anchor>>) -> Literals {
        let list: Vec<Literal> =
            literals.into_iter().map(|((text, place), calls)| Literal::new(text, place, calls)).collect();
        let is_at_token = |literal: &Literal| matches!(literal.place, Place::Token | Place::Service);
        let of = |wanted: bool| Table::new(list.iter().enumerate().filter(|(_, l)| is_at_token(l) == wanted));
        let (everywhere, at_tokens) = (of(false), of(true));
        let classifier = Classifier::new(fingerprint(&list));
        Literals { list, everywhere, at_tokens, classifier, automaton: OnceLock::new() }
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

    /// The table of literals that may begin anywhere or where any word does.
    pub(super) fn everywhere(&self) -> &Table {
        &self.everywhere
    }

    /// The table of literals that may begin at a token or before one.
    pub(super) fn at_tokens(&self) -> &Table {
        &self.at_tokens
    }

    /// Each literal of `table` that stands at `at`, in the order of the list.
    pub(super) fn at<'a>(
        &'a self,
        table: &'a Table,
        haystack: &'a [u8],
        at: usize,
    ) -> impl Iterator<Item = &'a Literal> {
        let slot = match haystack.get(at..at + 3) {
            Some(&[a, b, c]) => table.slots[slot([a, b, c])].as_slice(),
            _ => &[],
        };
        let literals = slot.iter().map(|&n| &self.list[usize::from(n)]);
        literals.filter(move |literal| literal.stands_at(haystack, at))
    }
}

/// A hash of three bytes in which case does not count.
fn slot(bytes: [u8; 3]) -> usize {
    let [a, b, c] = bytes;
    slot_of(u32::from_le_bytes([a, b, c, 0]))
}

/// The same for the three lower bytes of a word.
#[inline]
fn slot_of(word: u32) -> usize {
    let key = word << 8 | 0x2020_2000;
    (key.wrapping_mul(0x9e37_79b1) >> (32 - SLOTS.trailing_zeros())) as usize
}

/// Of the literals that begin like words, neighbours in the alphabet share a bucket; of the others, those that begin with
/// the same sign, and all that begin with rare ones. So each bucket allows few first bytes.
fn fingerprint(list: &[Literal]) -> Fingerprint {
    let mut fingerprint = Fingerprint::default();
    let is_word = |literal: &&Literal| literal.text[0].is_ascii_alphanumeric();
    let of = |place: Place| list.iter().filter(move |literal| literal.place == place);
    let share = |count: usize| count.div_ceil(BUCKETS).max(1);
    let parts = share(of(Place::Part).count());
    for (n, literal) in of(Place::Part).enumerate() {
        fingerprint.part.add(begin(literal), n / parts);
    }
    let words = share(of(Place::Free).filter(is_word).count());
    for (n, literal) in of(Place::Free).filter(is_word).enumerate() {
        fingerprint.free[0].add(begin(literal), n / words);
    }
    for literal in of(Place::Free).filter(|literal| !is_word(literal)) {
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
        (0..text.len())
            .flat_map(|at| [literals.everywhere(), literals.at_tokens()].map(|table| (at, table)))
            .filter(|(at, table)| table.may_begin(text, *at))
            .flat_map(|(at, table)| literals.at(table, text, at).map(move |literal| (at, &literal.text)))
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

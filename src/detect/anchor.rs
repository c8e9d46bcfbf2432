/*!
Anchors: the literals from which candidates are looked at, and the table that knows where they stand.

A literal is compared without case. One that begins with a letter or digit is
looked for where a part of a word begins (after punctuation, at a capital
behind a small letter, behind an escape); other literals, and those that stand
inside of a match, are looked for everywhere and cost more.

Looking is done in three steps, each a "perhaps" that never says a wrong no: where
a word begins, or the [`Fingerprint`] of three bytes, 64 places at a time; a
[`Table`] by up to six bytes; the literal itself.
*/

use std::collections::BTreeMap;
use std::sync::OnceLock;

use aho_corasick::AhoCorasick;

use super::RuleId;
use super::context::{after_escape, is_word};
use super::leading::is_token;
use super::simd::{BUCKETS, Classifier, Fingerprint};

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
const SERVICE_BYTES_MAX: usize = 128;

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

/// Whether a run of [`TOKEN_BYTES`] begins at `at` or near enough behind it, and nothing between the two says that what is
/// behind it is something else: a brace, a semicolon, a line's end, or a comma, unless the token is an argument
/// behind it.
fn is_before_token(haystack: &[u8], at: usize) -> bool {
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

/// Slots of the table of literals.
const SLOTS: usize = 2048;

/// A table that knows from a few bytes whether a literal perhaps begins.
#[derive(Debug)]
pub(super) struct Table {
    /// The beginnings of literals: of those of 3 bytes, of those of 4 and 5, and of longer ones, told by 3, 4 and 6 bytes.
    begins: [Bits; 3],
    /// By a hash of three bytes, where its entries begin; those of the next slot stand behind them.
    slots: Box<[u16]>,
    /// Literals' places in the list.
    entries: Vec<u16>,
}

/// Bytes by which beginnings are told.
const BEGIN_BYTES: [u32; 3] = [3, 4, 6];

/// A set of hashes of 16 bits; 8 KiB, so that all three stay in a core's nearest cache.
#[derive(Debug)]
struct Bits(Box<[u64; 1024]>);

/// The hash of the first `count` of eight bytes, in which the case of letters does not count.
#[inline(always)]
fn hash(bytes: [u8; 8], count: u32) -> usize {
    let folded = u64::from_le_bytes(bytes) | 0x2020_2020_2020_2020;
    ((folded << (64 - 8 * count)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48) as usize
}

impl Bits {
    fn add(&mut self, hash: usize) {
        self.0[hash / 64] |= 1 << (hash % 64);
    }

    #[inline(always)]
    fn has(&self, hash: usize) -> bool {
        self.0[hash / 64 % 1024] >> (hash % 64) & 1 == 1
    }
}

/// Places that are narrowed down in one go.
pub(super) const PLACES: usize = 2048;

/// Moves those of `places` to the front that `is` holds for; returns how many.
#[inline(always)]
fn leave(places: &mut [u16], is: impl Fn(u16) -> bool) -> usize {
    let mut left = 0;
    for n in 0..places.len() {
        let place = places[n];
        places[left] = place;
        left += usize::from(is(place));
    }
    left
}

impl Table {
    fn new(literals: &[Literal]) -> Table {
        let mut begins = [0; 3].map(|_: u8| Bits(Box::new([0; 1024])));
        let mut all: Vec<(usize, u16)> = Vec::new();
        for (n, literal) in literals.iter().enumerate() {
            let mut begin = [0; 8];
            let len = literal.text.len().min(begin.len());
            begin[..len].copy_from_slice(&literal.text[..len]);
            let by = BEGIN_BYTES.iter().rposition(|count| *count as usize <= len).unwrap_or(0);
            begins[by].add(hash(begin, BEGIN_BYTES[by]));
            let slot = slot([literal.text[0], literal.text[1], literal.text[2]]);
            all.push((slot, n as u16));
        }
        all.sort_by_key(|(slot, _)| *slot);
        let begin = |slot: usize| all.partition_point(|(of, _)| *of < slot) as u16;
        let slots = (0..=SLOTS).map(begin).collect();
        Table { begins, slots, entries: all.into_iter().map(|(_, n)| n).collect() }
    }

    /// Leaves those of `places` behind at which a literal perhaps begins; returns how many. A place stands for the byte of
    /// `haystack` that is as many behind `base`, and is below [`PLACES`].
    pub(super) fn narrow(&self, haystack: &[u8], base: usize, places: &mut [u16]) -> usize {
        let window = haystack.get(base..).and_then(|text| text.first_chunk::<{ PLACES + 8 }>());
        let Some(window) = window else {
            return leave(places, |place| self.may_begin(haystack, base + usize::from(place)));
        };
        leave(places, |place| {
            let at = usize::from(place) % PLACES;
            window[at..].first_chunk().is_some_and(|bytes| self.may_begin_with(*bytes))
        })
    }

    /// Whether a literal perhaps begins at `at`, as far as six bytes tell.
    fn may_begin(&self, haystack: &[u8], at: usize) -> bool {
        // What lies behind the end belongs to no literal.
        let mut bytes = [0; 8];
        let text = haystack.get(at..).unwrap_or_default();
        let len = text.len().min(bytes.len());
        bytes[..len].copy_from_slice(&text[..len]);
        self.may_begin_with(bytes)
    }

    #[inline(always)]
    fn may_begin_with(&self, bytes: [u8; 8]) -> bool {
        let [three, four, six] = &self.begins;
        three.has(hash(bytes, 3)) | four.has(hash(bytes, 4)) | six.has(hash(bytes, 6))
    }

    /// The literals that perhaps begin with these bytes.
    fn entries_of(&self, bytes: [u8; 3]) -> &[u16] {
        let slot = slot(bytes);
        &self.entries[usize::from(self.slots[slot])..usize::from(self.slots[slot + 1])]
    }
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

    /// Each literal that stands at `at`, in the order of the list.
    pub(super) fn at<'a>(&'a self, haystack: &'a [u8], at: usize) -> impl Iterator<Item = &'a Literal> {
        let entries = match haystack.get(at..at + 3) {
            Some(&[a, b, c]) => self.table.entries_of([a, b, c]),
            _ => &[],
        };
        let literals = entries.iter().map(|&n| &self.list[usize::from(n)]);
        literals.filter(move |literal| literal.stands_at(haystack, at))
    }
}

/// A hash of three bytes in which case does not count.
fn slot([a, b, c]: [u8; 3]) -> usize {
    hash([a, b, c, 0, 0, 0, 0, 0], 3) % SLOTS
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
        (0..text.len())
            .filter(|&at| literals.table().may_begin(text, at))
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

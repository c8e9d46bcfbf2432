//! Both matchers find the same: on random bytes, on text made of what parsers look for, on every cut into haystacks.

use proptest::prelude::*;

use super::super::{Finding, Rules, Scratch, Wanted};
use crate::span::Span;

fn rules() -> &'static Rules {
    static RULES: std::sync::OnceLock<Rules> = std::sync::OnceLock::new();
    RULES.get_or_init(Rules::builtin)
}

/// What stands in logs, and pieces of it: what parsers look for, half of it, and what they are to leave.
const PIECES: &[&str] = &[
    "MTIzNDU2Nzg5MDEyMzQ1Njc4.Ga1b2c.a1B2c3D4e5F6g7H8i9J0k1L2m3N4",
    "203.0.113.7",
    "256.1.2.3.4.5",
    "Chrome/126.0.0.0",
    "2001:db8::8a2e:370:7334",
    "::1",
    "a::b",
    "1:2:3:4:5:6:7:8",
    "00:1a:2b:3c:4d:5e",
    "00-1A-2B-3C-4D-5E",
    "10:00:00",
    "4012 8888 8888 1881",
    "4111111111111111",
    "371449635398431",
    "DE89 3704 0044 0532 0130 00",
    "GB82WEST12345698765432",
    "jane.doe@example.com",
    "jane%40example.com",
    r"jane\u0040example.com",
    "postgres://app:s3cr3t@db/x",
    r"http:\/\/u:p@h\/",
    "password",
    "token",
    "api_key",
    "\"secret\"",
    "user",
    "Authorization: Bearer abcDEF123456",
    "Basic dXNlcjpwYXNzd29yZA==",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
    "+49 30 901820",
    "(415) 555-0132",
    "RSSMRA85T10A562S",
    "0x52908400098527886E0F7030069857D2E4169EE7",
    "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
    "0b5a1c2d-3e4f-4a6b-8c7d-9e0f1a2b3c4d",
    "SSN",
    "ssn",
    "536-22-1234",
    "198112289874",
    "role",
    "content",
    "AKIAABCDEFGHIJKLMNOP",
    "ghp_0123456789abcdefghijABCDEFGHIJ012345",
    "sk-0123456789abcdefABCDT3BlbkFJ0123456789abcdefABCD",
    "-----BEGIN PRIVATE KEY-----",
    "-----END PRIVATE KEY-----",
    "MIIEvQIBADAN",
    "--password",
    "curl -u ",
    " - jo [22/Nov",
    "</password>",
    "<password>",
    "%3d",
    "%2540",
    r"\u003d",
    r"\u0022",
    r"\n",
    "\\",
    "=",
    ":",
    "\"",
    "'",
    " ",
    " ",
    ",",
    "{",
    "}",
    "[",
    "]",
    "@",
    ".",
    "-",
    "1",
    "12",
    "1234",
    "é",
    "\u{0}",
    "x",
    "Key",
];

/// A buffer of haystacks with something between two of them, and where they stand.
fn buffer(haystacks: &[Vec<u8>], between: &[u8]) -> (Vec<u8>, Vec<Span>) {
    let mut buffer = Vec::new();
    let mut spans = Vec::new();
    for haystack in haystacks {
        buffer.extend_from_slice(between);
        let start = buffer.len();
        buffer.extend_from_slice(haystack);
        spans.push(Span::new(start, buffer.len()));
    }
    (buffer, spans)
}

fn swept(buffer: &[u8], spans: &[Span]) -> Vec<Vec<Finding>> {
    let wanted = Wanted::new(vec![1; rules().entities().len()]);
    let mut all = vec![Vec::new(); spans.len()];
    let take = |place: usize, found: &[Finding]| all[place].extend_from_slice(found);
    rules().find_all(&wanted, &mut Scratch::default(), buffer, spans, take);
    all
}

fn plain(haystack: &[u8]) -> Vec<Finding> {
    let wanted = Wanted::new(vec![1; rules().entities().len()]);
    let mut found = Vec::new();
    rules().find_plainly(&wanted, haystack, &mut found);
    found
}

/// An armour may go on in the next haystack, of which the plain matcher knows nothing.
fn opens_armour(haystack: &[u8]) -> bool {
    memchr::memmem::find(haystack, b"-----").is_some()
}

#[track_caller]
fn check(haystacks: &[Vec<u8>], between: &[u8]) {
    let (buffer, spans) = buffer(haystacks, between);
    let found = swept(&buffer, &spans);
    for (haystack, found) in haystacks.iter().zip(found) {
        assert_eq!(found, plain(haystack), "in {:?} of {haystacks:?}", String::from_utf8_lossy(haystack));
        if opens_armour(haystack) {
            break;
        }
    }
}

#[test]
fn every_piece_is_found_in_every_place_of_a_block() {
    for piece in PIECES {
        for before in 0..130 {
            let text = format!("{}{piece} x=1", "= ".repeat(before / 2) + &"y".repeat(before % 2));
            check(&[text.into_bytes()], b"\n");
        }
    }
}

/// A card in groups as no card has them.
#[test]
fn both_find_the_same_in_a_number_of_odd_groups() {
    check(&[b"pan=5555-55-5555554444".to_vec(), b"pan=5555-555555-5544-44".to_vec()], b"\n");
}

/// A user's name behind an address that another finding covers.
#[test]
fn both_find_the_same_behind_a_finding_that_goes_on() {
    check(&[b"curl -u?:db8:: - j [22/".to_vec()], b"\n");
}

fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        20 => proptest::sample::select(PIECES).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 1..6),
        1 => "[a-z0-9]{1,40}".prop_map(String::into_bytes),
    ]
}

fn haystack() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(piece(), 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_find_the_same_in_text(haystacks in proptest::collection::vec(haystack(), 1..5), between in "[\n a1:=@-]{0,3}") {
        check(&haystacks, between.as_bytes());
    }

    #[test]
    fn both_find_the_same_in_any_bytes(haystack in proptest::collection::vec(any::<u8>(), 0..300)) {
        check(&[haystack], b"\n");
    }
}

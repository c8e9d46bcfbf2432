/*!
Records with planted values: what goes in, and the search for it in what comes
out.

Each record has a number that nothing hides, `rec-000017`, and values that the
default policy hides. All planted values but addresses hold the word
[`CANARY`]; planted addresses lie in 198.51.100.0/24 and 203.0.113.0/24 and do
not end in 0, as a truncated one does.
*/

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Part of every planted value that is no address.
pub const CANARY: &str = "zqplanted";

/// Messages `rec-000000` and on, each with a planted e-mail address, IPv4 address and password.
pub fn messages(count: usize) -> Vec<String> {
    (0..count).map(message).collect()
}

/// The message of that number.
pub fn message(number: usize) -> String {
    let net = ["198.51.100", "203.0.113"][number % 2];
    let host = 1 + number % 254;
    format!(
        "rec-{number:06} login of jane{number}.{CANARY}@example.com from {net}.{host} \
         password={CANARY}{number}x status=200 done"
    )
}

/// Fails unless `lines` hold each of the records 0 to `count` once, and nothing planted.
#[track_caller]
pub fn each_once_and_clean(count: usize, lines: &str) {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for line in lines.lines() {
        let number = line.split_once("rec-").and_then(|(_, rest)| rest.get(..6));
        let number = number.unwrap_or_else(|| panic!("a record without its number, {} bytes", line.len()));
        *seen.entry(number).or_default() += 1;
        assert!(line.contains(" done"), "record {number} was cut");
        assert!(line.contains("status=200"), "record {number} lost what is no personal data");
        assert!(line.contains(".0 "), "record {number} has no truncated address");
    }
    let twice: Vec<_> = seen.iter().filter(|(_, times)| **times > 1).collect();
    assert!(twice.is_empty(), "records that came more than once: {twice:?}");
    let missing: Vec<_> = (0..count).filter(|n| !seen.contains_key(format!("{n:06}").as_str())).collect();
    assert!(
        missing.is_empty(),
        "{} of {count} records are missing, first {:?}",
        missing.len(),
        missing.first()
    );
    assert_eq!(seen.len(), count, "records that nobody sent");
    nothing_in("the records", lines.as_bytes());
}

/// Fails if something planted stands in `bytes`.
#[track_caller]
pub fn nothing_in(place: &str, bytes: &[u8]) {
    if let Some(at) = memchr::memmem::find(bytes, CANARY.as_bytes()) {
        panic!("a planted value stands in {place} at byte {at}");
    }
    for net in ["198.51.100.", "203.0.113."] {
        for at in memchr::memmem::find_iter(bytes, net.as_bytes()) {
            let host: Vec<u8> =
                bytes[at + net.len()..].iter().copied().take_while(u8::is_ascii_digit).collect();
            assert!(host == b"0" || host.is_empty(), "a planted address stands in {place} at byte {at}");
        }
    }
}

/// Fails if something planted stands in a file at or below `dir`.
#[track_caller]
pub fn nothing_below(dir: &Path) {
    for entry in fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            nothing_below(&path);
        } else if path.is_file() {
            nothing_in(&path.display().to_string(), &fs::read(&path).unwrap());
        }
    }
}

/// What the proxy would make of the messages, plainly.
fn cleaned(count: usize) -> Vec<String> {
    (0..count)
        .map(|n| format!("rec-{n:06} login of email from 203.0.113.0 password=x status=200 done"))
        .collect()
}

#[test]
fn passes_what_is_whole_and_clean() {
    each_once_and_clean(20, &cleaned(20).join("\n"));
}

#[test]
#[should_panic(expected = "1 of 20 records are missing")]
fn misses_a_record() {
    each_once_and_clean(20, &cleaned(19).join("\n"));
}

#[test]
#[should_panic(expected = "more than once")]
fn notices_a_record_that_came_twice() {
    let lines = cleaned(20).join("\n");
    each_once_and_clean(20, &format!("{lines}\n{}", cleaned(1)[0]));
}

#[test]
#[should_panic(expected = "a planted value stands in the records")]
fn notices_a_planted_value() {
    each_once_and_clean(20, &cleaned(20).join("\n").replacen("=x", &format!("={CANARY}7x"), 1));
}

#[test]
#[should_panic(expected = "a planted address stands in the records")]
fn notices_a_planted_address() {
    each_once_and_clean(20, &cleaned(20).join("\n").replacen("password=x", "via 198.51.100.7 x", 1));
}

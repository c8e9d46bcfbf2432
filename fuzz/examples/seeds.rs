//! Writes what the targets `sweep` and `redact` begin with: every example of every pack, and a dictionary of what rules
//! look for. `cargo run --example seeds`, in `fuzz/`.

use std::collections::BTreeSet;
use std::fs;
use std::io::Result;
use std::path::Path;

use logveil::detect::Rules;
use logveil::detect::rule::Kind;
use logveil_fuzz::HEADER_BYTES;

/// Texts of no rule: what else stands in lines around values.
const LINES: &[&str] = &[
    r#"203.0.113.7 - jane [22/Nov/2026:10:00:00 +0000] "GET /a?token=abcDEF123456&p=1 HTTP/1.1" 200 512 "-" "Mozilla/5.0 Chrome/126.0.0.0""#,
    r#"{"time":"2026-11-22T10:00:00Z","level":"info","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","user":"jane","n":4111111111111111}"#,
    r#"{"body":"{\"password\":\"hunter2\",\"list\":[\"jane@example.com\",1]}","url":"http:\/\/u:p@h\/x"}"#,
    "Nov 22 10:00:00 web1 sshd[812]: Failed password for invalid user jane from 2001:db8::1 port 50022 ssh2",
    "password=%22hunter2%22&next=%252Fhome%253Fuser%253Djane%2540example.com",
    "time=10:00:00 msg='login ok' user=jane ip=::ffff:203.0.113.7 mac=00-1A-2B-3C-4D-5E",
    "<login><user>jane</user><password>hunter2</password></login>",
    "curl -u jane:hunter2 --token abcDEF123456 https://example.com/ -H 'Authorization: Basic dXNlcjpwYXNz'",
    "call +49 30 901820 or (415) 555-0132, IBAN DE89 3704 0044 0532 0130 00, SSN 536-22-1234",
    "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADAN\n-----END PRIVATE KEY-----",
];

/// A mark is worth a place in the dictionary if it is no longer than this: the fuzzer's bound.
const MARK_BYTES_MAX: usize = 64;

fn main() -> Result<()> {
    let rules = Rules::builtin_in_full();
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let (mut texts, mut marks) = (BTreeSet::new(), BTreeSet::new());
    texts.extend(LINES.iter().map(|line| line.as_bytes().to_vec()));
    for (_, rule) in rules.rules() {
        texts.extend(rule.examples.iter().map(|example| example.text.clone()));
        marks.extend(match &rule.kind {
            Kind::Pattern(pattern) => pattern.anchors.iter().map(|anchor| anchor.to_string()).collect(),
            Kind::Near(near) => near.anchors.iter().map(|anchor| anchor.to_string()).collect(),
            Kind::Field(field) => field.keys.iter().map(|key| key.to_string()).collect(),
            Kind::Parser(_) | Kind::Line => Vec::new(),
        });
    }
    for target in ["sweep", "redact"] {
        let folder = corpus.join(target);
        fs::create_dir_all(&folder)?;
        for (place, text) in texts.iter().enumerate() {
            let seed = [&[0; HEADER_BYTES], text.as_slice()].concat();
            fs::write(folder.join(format!("seed-{place}")), seed)?;
        }
    }
    marks.retain(|mark: &String| mark.len() <= MARK_BYTES_MAX);
    let quoted: String = marks.iter().map(|mark| format!("\"{}\"\n", escaped(mark))).collect();
    fs::write(corpus.join("marks.dict"), quoted)
}

/// A mark as dictionaries write it.
fn escaped(mark: &str) -> String {
    let byte = |byte: u8| match byte {
        b'"' | b'\\' => format!("\\{}", char::from(byte)),
        b' '..=b'~' => char::from(byte).to_string(),
        _ => format!("\\x{byte:02x}"),
    };
    mark.bytes().map(byte).collect()
}

//! Planted values are found however records are written and nested, and nothing else goes.

use logveil::detect::Scratch;
use serde_json::Value;

use super::*;

/// A value under a key. Its core is what must be gone, or, where nothing is planted, what must stay.
#[derive(Clone, Debug)]
struct Leaf {
    key: &'static str,
    text: String,
    core: String,
    planted: bool,
    /// A number of JSON.
    bare: bool,
}

/// A record in the making.
#[derive(Clone, Debug)]
enum Tree {
    Leaf(Leaf),
    /// A JSON object.
    Object(Vec<Tree>),
    /// A JSON list under a key.
    List(Vec<Tree>),
    /// A JSON object in a string.
    Nested(Vec<Tree>),
    /// A query string, percent-encoded so many times.
    Query(Vec<Leaf>, u8),
    /// `key=value` pairs, each value quoted.
    Logfmt(Vec<Leaf>),
    /// A dictionary as Python prints it, in a string.
    Dictionary(Vec<Leaf>),
    /// A Cookie header: every value in it counts.
    Cookies(Vec<String>),
    /// A list of headers, each a list of name and value.
    Headers(Vec<String>),
}

const SECRET_KEYS: &[&str] =
    &["password", "dbPassword", "API_KEY", "x-api-key", "client_secret", "user.passwd"];
const PLAIN_KEYS: &[&str] = &["note", "page", "colour", "shape", "x_item", "Weather"];

/// Nine random letters and digits between marks that nothing else in a record has.
fn core() -> impl Strategy<Value = String> {
    "zq[a-z][0-9][a-z0-9]{7}zq"
}

fn leaf() -> impl Strategy<Value = Leaf> {
    let secret_key = proptest::sample::select(SECRET_KEYS);
    let plain_key = proptest::sample::select(PLAIN_KEYS);
    let around = || "[a-z\u{e9} \\\\\"'/,;:&<>{}@#%+]{0,3}";
    let planted = |key, text, core, bare| Leaf { key, text, core, planted: true, bare };
    prop_oneof![
        (secret_key.clone(), around(), core(), around()).prop_map(move |(key, before, core, after)| planted(
            key,
            format!("v{before}{core}{after}v"),
            core,
            false
        )),
        (secret_key, 100_000_000..999_999_999_u32).prop_map(move |(key, number)| planted(
            key,
            number.to_string(),
            number.to_string(),
            true
        )),
        (plain_key.clone(), core(), sign(), sign()).prop_map(move |(key, core, before, after)| {
            planted(key, format!("to{before}{core}@example.com{after}"), core, false)
        }),
        (plain_key.clone(), 0..=255_u8, sign(), sign()).prop_map(move |(key, last, before, after)| {
            let address = format!("198.51.100.{last}");
            planted(key, format!("at{before}{address}{after}"), address, false)
        }),
        (plain_key.clone(), 0x1000..=0xffff_u16, sign(), sign()).prop_map(
            move |(key, last, before, after)| {
                let address = format!("2001:db8::7:{last:x}");
                planted(key, format!("at{before}{address}{after}"), address, false)
            }
        ),
        (plain_key.clone(), any::<bool>(), 0..10_000_000_000_u64).prop_map(move |(key, bare, digits)| {
            let card = card(digits);
            planted(key, card.clone(), card, bare)
        }),
        (plain_key, "[a-z]{4,12}").prop_map(|(key, text)| Leaf {
            key,
            core: text.clone(),
            text,
            planted: false,
            bare: false
        }),
    ]
}

/// What may stand beside an address.
fn sign() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(
        &[" ", ", ", "=", " (", ") ", "<", "> ", "\"", "' ", "\n", "\t", ";", "&", "|"][..],
    )
}

/// A card's number with the check digit that holds (ISO/IEC 7812-1, Annex B).
fn card(digits: u64) -> String {
    let body = format!("45391{digits:010}");
    let sum: u32 = body
        .bytes()
        .rev()
        .enumerate()
        .map(|(n, byte)| {
            let digit = u32::from(byte - b'0') << u32::from(n % 2 == 0);
            digit / 10 + digit % 10
        })
        .sum();
    format!("{body}{}", (10 - sum % 10) % 10)
}

fn tree() -> impl Strategy<Value = Vec<Tree>> {
    let leaves = || proptest::collection::vec(leaf(), 1..4);
    let flat = prop_oneof![
        4 => leaf().prop_map(Tree::Leaf),
        1 => (leaves(), 1..=2_u8).prop_map(|(leaves, rounds)| Tree::Query(leaves, rounds)),
        1 => leaves().prop_map(Tree::Logfmt),
        1 => leaves().prop_map(Tree::Dictionary),
        1 => proptest::collection::vec(core(), 1..4).prop_map(Tree::Cookies),
        1 => proptest::collection::vec(core(), 1..3).prop_map(Tree::Headers),
    ];
    let inner = flat.prop_recursive(4, 24, 5, |inner| {
        let several = || proptest::collection::vec(inner.clone(), 1..4);
        prop_oneof![
            several().prop_map(Tree::Object),
            several().prop_map(Tree::List),
            several().prop_map(Tree::Nested)
        ]
    });
    proptest::collection::vec(inner, 1..5)
}

/// The cores that must be gone and those that must stay.
#[derive(Default)]
struct Cores {
    gone: Vec<String>,
    stay: Vec<String>,
}

impl Cores {
    fn take(&mut self, leaf: &Leaf) {
        let list = if leaf.planted { &mut self.gone } else { &mut self.stay };
        list.push(leaf.core.clone());
    }
}

/// How a record is written where there is a choice.
#[derive(Clone, Copy, Debug)]
struct Style {
    space: &'static str,
    /// Signs that are escaped though they need not be, as encoders do that mind HTML, ASCII or scripts.
    escaped: Escapes,
}

type Escapes = &'static [(&'static str, &'static str)];

const ESCAPES: &[Escapes] = &[
    &[],
    &[("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026"), ("'", "\\u0027")],
    &[("\u{e9}", "\\u00e9"), ("@", "\\u0040")],
    &[("/", "\\/")],
];

fn style() -> impl Strategy<Value = Style> {
    let space = proptest::sample::select(&["", " "][..]);
    let escaped = proptest::sample::select(ESCAPES);
    (space, escaped).prop_map(|(space, escaped)| Style { space, escaped })
}

const PLAIN: Style = Style { space: "", escaped: &[] };

fn quoted(text: &str, style: Style) -> String {
    let text = Value::from(text).to_string();
    style.escaped.iter().fold(text, |text, (sign, escape)| text.replace(sign, escape))
}

fn percent(text: &str, rounds: u8) -> String {
    (0..rounds).fold(text.to_owned(), |text, _| {
        let unit = |byte: u8| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                char::from(byte).to_string()
            }
            byte => format!("%{byte:02X}"),
        };
        text.bytes().map(unit).collect()
    })
}

fn object(members: &[Tree], style: Style, cores: &mut Cores) -> String {
    let space = style.space;
    let members: Vec<_> = members
        .iter()
        .map(|member| {
            let (key, value) = member_of(member, style, cores);
            format!("{}{space}:{space}{value}", quoted(key, style))
        })
        .collect();
    format!("{{{space}{}{space}}}", members.join(&format!(",{space}")))
}

fn member_of(tree: &Tree, style: Style, cores: &mut Cores) -> (&'static str, String) {
    match tree {
        Tree::Leaf(leaf) => {
            cores.take(leaf);
            (leaf.key, if leaf.bare { leaf.text.clone() } else { quoted(&leaf.text, style) })
        }
        Tree::Object(members) => ("inner", object(members, style, cores)),
        Tree::List(members) => {
            let elements: Vec<_> =
                members.iter().map(|member| object(std::slice::from_ref(member), style, cores)).collect();
            ("items", format!("[{}]", elements.join(",")))
        }
        Tree::Nested(members) => ("payload", quoted(&object(members, style, cores), style)),
        Tree::Query(leaves, rounds) => {
            ("url", quoted(&format!("/p?{}", query(leaves, *rounds, cores)), style))
        }
        Tree::Logfmt(leaves) => ("line", quoted(&logfmt(leaves, cores), style)),
        Tree::Dictionary(leaves) => ("dump", quoted(&dictionary(leaves, cores), style)),
        Tree::Cookies(values) => ("Cookie", quoted(&cookies(values, cores), style)),
        Tree::Headers(values) => {
            cores.gone.extend(values.iter().cloned());
            let pairs: Vec<_> = values
                .iter()
                .map(|core| format!("[\"Authorization\",{}\"Bearer {core}\"]", style.space))
                .collect();
            ("headers", format!("[{}]", pairs.join(",")))
        }
    }
}

fn query(leaves: &[Leaf], rounds: u8, cores: &mut Cores) -> String {
    let pair = |leaf: &Leaf| {
        cores.take(leaf);
        format!("{}={}", leaf.key, percent(&leaf.text, rounds))
    };
    leaves.iter().map(pair).collect::<Vec<_>>().join("&")
}

fn logfmt(leaves: &[Leaf], cores: &mut Cores) -> String {
    let pair = |leaf: &Leaf| {
        cores.take(leaf);
        format!("{}={}", leaf.key, if leaf.bare { leaf.text.clone() } else { quoted(&leaf.text, PLAIN) })
    };
    leaves.iter().map(pair).collect::<Vec<_>>().join(" ")
}

fn dictionary(leaves: &[Leaf], cores: &mut Cores) -> String {
    let pair = |leaf: &Leaf| {
        cores.take(leaf);
        // In a string of JSON an apostrophe with a comma behind it looks like a closing one: a letter follows here.
        let text = leaf.text.replace('\\', "\\\\").replace('\'', "\\'s");
        let text = text.replace('\n', "\\n").replace('\t', "\\t");
        format!("'{}': '{text}'", leaf.key)
    };
    format!("{{{}}}", leaves.iter().map(pair).collect::<Vec<_>>().join(", "))
}

fn cookies(values: &[String], cores: &mut Cores) -> String {
    cores.gone.extend(values.iter().cloned());
    values.iter().enumerate().map(|(n, core)| format!("c{n}={core}")).collect::<Vec<_>>().join("; ")
}

/// What is left of a record when every finding becomes its label.
fn redacted(text: &[u8]) -> (Vec<u8>, Vec<Finding>) {
    let mut findings = Vec::new();
    let wanted = Wanted::new(vec![REDACT.strength(); rules().entities().len()]);
    rules().find(&wanted, &mut Scratch::default(), text, &mut findings);
    (spliced(text, &findings, &[REDACT; ENTITIES.len()]), findings)
}

/// Cores that are wrongly there or wrongly gone; what stays between findings stands in order; twice is once.
fn check(text: &str, cores: &Cores) -> Result<Vec<u8>, TestCaseError> {
    let (out, findings) = redacted(text.as_bytes());
    let shown = String::from_utf8_lossy(&out);
    for core in &cores.gone {
        prop_assert!(!shown.contains(core.as_str()), "{core} is left of\n{text}\nin\n{shown}");
    }
    for core in &cores.stay {
        prop_assert!(shown.contains(core.as_str()), "{core} is gone from\n{text}\nin\n{shown}");
    }
    let (mut from, mut rest) = (0, out.as_slice());
    let ends = findings.iter().map(|finding| finding.span).chain([Span::new(text.len(), text.len())]);
    for span in ends {
        let kept = &text.as_bytes()[from..span.start];
        let at = rest.windows(kept.len().max(1)).position(|window| kept.is_empty() || window == kept);
        prop_assert!(kept.is_empty() || at.is_some(), "{text}\nbecame\n{shown}");
        rest = &rest[at.map_or(0, |at| at + kept.len()).min(rest.len())..];
        from = span.end;
    }
    let (twice, _) = redacted(&out);
    prop_assert_eq!(String::from_utf8_lossy(&twice), shown, "twice");
    Ok(out)
}

/// Any document with planted values.
pub fn any_object() -> impl Strategy<Value = String> {
    (tree(), style()).prop_map(|(tree, style)| object(&tree, style, &mut Cores::default()))
}

/// Any lines of logfmt, requests and headers with planted values.
pub fn any_lines() -> impl Strategy<Value = String> {
    let leaves = proptest::collection::vec(leaf(), 1..6);
    let values = proptest::collection::vec(core(), 1..4);
    (leaves, values, 1..=2_u8).prop_map(|(leaves, values, rounds)| {
        let cores = &mut Cores::default();
        let lines = [logfmt(&leaves, cores), query(&leaves, rounds, cores), cookies(&values, cores)];
        let [line, query, cookies] = lines.map(|line| line.replace('\n', " "));
        let token = &values[0];
        format!(
            "level=info {line}\nGET /p?{query} HTTP/1.1\nCookie: {cookies}\nAuthorization: Bearer {token}\n"
        )
    })
}

proptest! {
    #![proptest_config(config(256))]

    /// For all documents with planted values: none is left, the rest is, the document parses.
    #[test]
    fn none_is_left_of_json(tree in tree(), style in style()) {
        let mut cores = Cores::default();
        let text = object(&tree, style, &mut cores);
        let out = check(&text, &cores)?;
        let parsed: Result<Value, _> = serde_json::from_slice(&out);
        prop_assert!(parsed.is_ok(), "{text}\nbecame\n{}", String::from_utf8_lossy(&out));
    }

    /// The same for a document in a form, a quoted value of logfmt, and behind words.
    #[test]
    fn none_is_left_of_json_in_text(tree in tree(), style in style(), before in "[a-z ]{0,12}") {
        let mut cores = Cores::default();
        let document = object(&tree, style, &mut cores);
        check(&format!("{before} {document}"), &cores)?;
        check(&format!("{before} body={} ok=1", quoted(&document, PLAIN)), &cores)?;
    }

    /// The same for lines of logfmt, requests and headers.
    #[test]
    fn none_is_left_of_lines(leaves in proptest::collection::vec(leaf(), 1..6), values in proptest::collection::vec(core(), 1..4), rounds in 1..=2_u8) {
        let mut cores = Cores::default();
        let line = logfmt(&leaves, &mut cores);
        check(&format!("level=info {line} ok=1"), &cores)?;
        let line = query(&leaves, rounds, &mut cores);
        check(&format!("GET /p?{line} HTTP/1.1"), &cores)?;
        let mut cores = Cores::default();
        let line = cookies(&values, &mut cores);
        check(&format!("Cookie: {line}"), &cores)?;
        check(&format!("Cookie: {line}\r\nHost: h\r\nAuthorization: Bearer {}", values[0]), &cores)?;
    }
}

/*!
Texts that attackers would write: each is full of the beginnings of something.
The search is linear: MB/s of a row may be low, but are the same for all lengths.

`cargo bench --bench pathological`
*/

use divan::Bencher;
use divan::counter::BytesCount;
use logveil::detect::Scratch;
use logveil::policy::Policy;

fn main() {
    divan::main();
}

/// Name and the unit that is repeated; a unit is longer than it looks where a parser reads on.
const UNITS: &[(&str, &str)] = &[
    ("at_signs", "@"),
    ("email_beginnings", "a@b."),
    ("dots", "1."),
    ("colons", "a:"),
    ("double_colons", "::"),
    ("dashes", "-"),
    ("digits", "4111"),
    ("grouped_digits", "4111 1111-"),
    ("iban_beginnings", "DE44"),
    ("jwt_beginnings", "eyJ"),
    ("jwt_parts", "eyJa."),
    ("url_beginnings", "a://b:"),
    ("url_ends", "a://b:c@"),
    ("bearer", "bearer "),
    ("basic", "basic "),
    ("pem_beginnings", "-----BEGIN "),
    ("keys", "password"),
    ("separators", "="),
    ("fields_without_end", "password=\""),
    ("nested_fields", "password:{"),
    ("open_braces", "{\"a\":"),
    ("brackets", "["),
    ("backslashes", "\\"),
    ("escaped_quotes", "\\\""),
    ("percent_signs", "%25"),
    ("encoded_at_signs", "%2540"),
    ("flags", "--token "),
    ("elements", "</password>"),
    ("vendor_prefixes", "ghp_AKIAsk_live_xoxb-"),
    ("long_words", "aB3"),
    ("own_labels", "[email"),
    ("unquoted_values", "fooo_key="),
    ("dashed_values", "fooo-key-"),
    ("bracketed_values", "fooo_key:["),
    ("references", "key=a&amp;"),
];

/// Lengths from one to 64 times the least.
const LENGTHS: [usize; 3] = [16 * 1024, 128 * 1024, 1024 * 1024];

fn main_arguments() -> impl Iterator<Item = (&'static str, usize)> {
    UNITS.iter().flat_map(|(name, _)| LENGTHS.map(|length| (*name, length)))
}

#[divan::bench(args = main_arguments().map(|(name, length)| format!("{name} {length}")))]
fn find(bencher: Bencher, argument: &str) {
    let (name, length) = argument.split_once(' ').expect("a name and a length");
    let length: usize = length.parse().expect("it was made from a number");
    let unit = UNITS.iter().find(|(known, _)| *known == name).expect("it is a name of the list").1;
    let text = unit.repeat(length / unit.len());
    let policy = Policy::builtin("everything").expect("it is built in");
    let class = policy.class_named("app").expect("every policy has it");
    let (mut scratch, mut findings) = (Scratch::default(), Vec::new());
    bencher.counter(BytesCount::new(text.len())).bench_local(|| {
        findings.clear();
        policy.rules().find(
            policy.wanted(class),
            &mut scratch,
            divan::black_box(text.as_bytes()),
            &mut findings,
        );
        findings.len()
    });
}

//! `logveil pattern`: the rules, what each knows, and whether its own examples hold.

use std::fmt::Write;
use std::path::PathBuf;

use super::choice::read_settings;
use super::output::{Output, counted};
use super::{Error, Exit, reason};
use crate::detect::Rules;
use crate::detect::rule::{Example, FieldRule, Kind, PatternRule, Rule};
use crate::span::Span;

/// List rules, show one, or test them.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  logveil pattern list\n  logveil pattern show github-token\n  \
                        logveil pattern test my-pack.yaml")]
pub(super) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Every rule, its entity and how it works.
    #[command(after_help = "Example: logveil pattern list | grep token")]
    List,
    /// One rule with its keys or anchors and its examples.
    #[command(after_help = "Example: logveil pattern show github-token")]
    Show {
        /// The rule's name, as `pattern list` writes it.
        rule: String,
    },
    /// Check rules against their own examples; exit code 1 if one does not hold.
    #[command(after_help = "Example: logveil pattern test my-pack.yaml")]
    Test {
        /// Packs; none are the built-in ones.
        #[arg(value_name = "FILE")]
        files: Vec<PathBuf>,
    },
}

pub(super) fn run(arguments: Arguments) -> Result<Exit, Error> {
    let mut output = Output::open()?;
    let (text, exit) = match arguments.what {
        What::List => (list(&Rules::builtin_in_full()), Exit::Done),
        What::Show { rule } => (show(&Rules::builtin_in_full(), &rule)?, Exit::Done),
        What::Test { files } => test(&load(&files)?),
    };
    output.write(text.as_bytes())?;
    Ok(exit)
}

/// The packs of these files alone, or the built-in ones.
fn load(files: &[PathBuf]) -> Result<Rules, Error> {
    if files.is_empty() {
        return Ok(Rules::builtin_in_full());
    }
    let mut packs = Vec::new();
    for file in files {
        let text = read_settings(file).map_err(|error| {
            Error::Usage(format!("cannot read pack {}: {}", file.display(), reason(&error)))
        })?;
        packs.push((file.display().to_string(), text));
    }
    let packs: Vec<(&str, &str)> = packs.iter().map(|(file, text)| (&file[..], &text[..])).collect();
    Rules::load(&packs).map_err(|errors| {
        let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
        Error::Usage(lines.join("\n"))
    })
}

fn list(rules: &Rules) -> String {
    let width = |text: fn(&Rules, &Rule) -> usize| rules.rules().map(|(_, rule)| text(rules, rule)).max();
    let name = width(|_, rule| rule.name.len()).unwrap_or(0);
    let entity = width(|rules, rule| rules.entities().name(rule.entity).len()).unwrap_or(0);
    let mut text = String::new();
    for (_, rule) in rules.rules() {
        let of = rules.entities().name(rule.entity);
        let kind = kind(&rule.kind);
        writeln!(text, "{:name$}  {of:entity$}  {kind:8}{}", rule.name, rule.description).expect(INFALLIBLE);
    }
    text
}

fn kind(kind: &Kind) -> &'static str {
    match kind {
        Kind::Parser(_) => "parser",
        Kind::Field(_) => "field",
        Kind::Pattern(_) => "pattern",
        Kind::Near(_) => "near",
    }
}

fn show(rules: &Rules, name: &str) -> Result<String, Error> {
    let found = rules.rules().find(|(_, rule)| &*rule.name == name);
    let Some((_, rule)) = found else {
        return Err(Error::Usage(format!("no rule `{name}`; `logveil pattern list` names them all")));
    };
    let mut text = String::new();
    let mut row = |name: &str, value: &str| writeln!(text, "{name:12} {value}").expect(INFALLIBLE);
    row("rule", &rule.name);
    row("entity", rules.entities().name(rule.entity));
    row("pack", &rule.pack);
    row("what", &rule.description);
    match &rule.kind {
        Kind::Parser(parser) => row("parser", &format!("{parser:?}")),
        Kind::Field(field) => field_rows(field, &mut row),
        Kind::Pattern(pattern) => pattern_rows(pattern, &mut row),
        Kind::Near(near) => {
            row("anchors", &near.anchors.join(", "));
            row("validator", &format!("{:?}", near.validator));
        }
    }
    for example in &rule.examples {
        let sort = if example.expected.is_empty() { "not" } else { "example" };
        row(sort, &marked(&example.text, &example.expected));
    }
    Ok(text)
}

fn field_rows(field: &FieldRule, row: &mut impl FnMut(&str, &str)) {
    row("keys", &field.keys.join(", "));
    row("value", &format!("{:?}, at least {} bytes", field.value, field.length_min).to_lowercase());
    row("numbers", &format!("{:?}", field.numbers).to_lowercase());
    row("loose", &format!("{:?}", field.loose).to_lowercase());
    row("nested", &format!("{:?}", field.nested).to_lowercase());
}

fn pattern_rows(pattern: &PatternRule, row: &mut impl FnMut(&str, &str)) {
    row("anchors", &pattern.anchors.join(" "));
    row("lookback", &format!("{} bytes", pattern.lookback));
    row("entropy", &format!("at least {} bits a byte", pattern.entropy_min));
    row("digits", &format!("at least {}", pattern.digits_min));
}

/// Which examples hold; those that do not are shown, for they are made up.
fn test(rules: &Rules) -> (String, Exit) {
    let (mut text, mut examples, mut failed) = (String::new(), 0, 0);
    for (id, rule) in rules.rules() {
        examples += rule.examples.len() as u64;
        for Example { text: example, expected } in rules.failing_examples(id) {
            failed += 1;
            let (pack, name, example) = (&rule.pack, &rule.name, marked(example, expected));
            writeln!(text, "{pack}: rule {name}: this example does not hold: {example}").expect(INFALLIBLE);
        }
    }
    let (rules, examples) = (counted(rules.rules().len() as u64, "rule"), counted(examples, "example"));
    let (holds, exit) = match failed {
        0 => ("all hold".to_owned(), Exit::Done),
        failed => (format!("{failed} do not hold"), Exit::Found),
    };
    writeln!(text, "{rules}, {examples}: {holds}").expect(INFALLIBLE);
    (text, exit)
}

/// An example as packs write it: with marks around what is to be found.
fn marked(text: &[u8], expected: &[Span]) -> String {
    let mut marked = Vec::with_capacity(text.len() + 4 * expected.len());
    let mut at = 0;
    for span in expected {
        marked.extend_from_slice(&text[at..span.start]);
        marked.extend_from_slice("«".as_bytes());
        marked.extend_from_slice(&text[span.range()]);
        marked.extend_from_slice("»".as_bytes());
        at = span.end;
    }
    marked.extend_from_slice(&text[at..]);
    super::output::printable(&marked)
}

const INFALLIBLE: &str = "a string takes all";

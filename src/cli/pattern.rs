//! `logveil pattern`: the rules, what each knows, and whether its own examples hold.

use std::fmt::Write;
use std::path::PathBuf;

use super::output::{Output, counted};
use super::packs::{self, Packs};
use super::{Error, Exit};
use crate::detect::Rules;
use crate::detect::pack::BUILTIN;
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
    List {
        #[command(flatten)]
        packs: Packs,
    },
    /// One rule with its keys or anchors and its examples.
    #[command(after_help = "Example: logveil pattern show github-token")]
    Show {
        /// The rule's name, as `pattern list` writes it.
        rule: String,
        #[command(flatten)]
        packs: Packs,
    },
    /// Check rules against their own examples; exit code 1 if one does not hold.
    #[command(after_help = "Example: logveil pattern test my-pack.yaml")]
    Test {
        /// Packs to be tested alone; none are the built-in ones and those of `--pack`.
        #[arg(value_name = "FILE", conflicts_with = "packs")]
        alone: Vec<PathBuf>,
        #[command(flatten)]
        packs: Packs,
    },
}

pub(super) fn run(arguments: Arguments) -> Result<Exit, Error> {
    let mut output = Output::open()?;
    let (text, exit) = match arguments.what {
        What::List { packs } => (list(&in_full(&packs.read()?)?), Exit::Done),
        What::Show { rule, packs } => (show(&in_full(&packs.read()?)?, &rule)?, Exit::Done),
        What::Test { alone, packs } if alone.is_empty() => test(&in_full(&packs.read()?)?),
        What::Test { alone, .. } => {
            let packs = packs::read(&alone)?;
            test(&packs::compiled(Rules::load(&packs::named(&packs)))?)
        }
    };
    output.write(text.as_bytes())?;
    Ok(exit)
}

/// The built-in packs with all that is written in them, and these behind them.
fn in_full(packs: &[(String, String)]) -> Result<Rules, Error> {
    packs::compiled(Rules::load(&[BUILTIN, &packs::named(packs)].concat()))
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
        Kind::Line => "line",
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
        Kind::Line => {}
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

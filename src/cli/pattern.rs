//! `logveil pattern`: the rules, what each knows, and whether its own examples hold.

use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::bench::engine::read;
use super::output::{Output, counted, sized};
use super::packs::{self, Packs};
use super::{Error, Exit};
use crate::bench::engine::Subject;
use crate::bench::rules::measure;
use crate::clock::ThreadClock;
use crate::detect::pack::BUILTIN;
use crate::detect::rule::{Example, FieldRule, Kind, PatternRule, Rule};
use crate::detect::{Rules, Way};
use crate::keys::Keyring;
use crate::policy::Policy;
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
    /// One rule with its keys or anchors, the way its candidates are found, what it costs on a file, and its examples.
    #[command(after_help = "Examples: logveil pattern show github-token\n          \
                            logveil pattern show my-rule --pack my-pack.yaml --input app.log")]
    Show {
        /// The rule's name, as `pattern list` writes it.
        rule: String,
        /// Files to measure its cost on, under policy `everything`, as `bench engine` does; takes some seconds.
        #[arg(long, value_name = "FILE", num_args = 1..)]
        input: Vec<PathBuf>,
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
        What::Show { rule, packs, input } => {
            let packs = packs.read()?;
            let rules = in_full(&packs)?;
            let mut text = show(&rules, &rule)?;
            if !input.is_empty() {
                text.push_str(&cost(rules, &packs, &rule, &input)?);
            }
            (text, Exit::Done)
        }
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
    let Some((id, rule)) = found else {
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
    row("found", way(rules.way(id)));
    for example in &rule.examples {
        let sort = if example.expected.is_empty() { "not" } else { "example" };
        row(sort, &marked(&example.text, &example.expected));
    }
    Ok(text)
}

/// How candidates are found, and so what a line costs that has none.
fn way(way: Way) -> &'static str {
    match way {
        Way::Shape => "by shape: the arithmetic of masks leaves few places, and an exact parser reads there",
        Way::Key => "by key: its last letters before a separator; the value is read where they fit",
        Way::Mark => "by mark: an anchor that begins 16 bytes and more of a token",
        Way::Service => "by name: an anchor up to 128 bytes before a token",
        Way::Literal => "by literal: an anchor where a word or a part of one begins",
        Way::Word => "by word: a value is read near an anchor",
        Way::Anywhere => {
            "by literal at any place: the dearest way; a pattern that begins with its anchor needs no lookback"
        }
        Way::Line => "by a policy's line, which is asked at every field",
    }
}

/// What the rule costs on these files, and what it looks at there.
fn cost(rules: Rules, packs: &[(String, String)], name: &str, input: &[PathBuf]) -> Result<String, Error> {
    let (sample, _) = read(input)?;
    let rules = Arc::new(rules);
    let policy = Policy::builtin_for(Arc::clone(&rules), "everything").expect("it is built in");
    let class = policy.class_named("app").expect("every policy has it");
    let subject = Subject { policy: &policy, class, keyring: &Keyring::empty() };
    let packs = [BUILTIN, &packs::named(packs)].concat();
    let costs = measure(subject, &packs, &sample, COST_WAIT, &ThreadClock);
    let row = costs.rows.iter().find(|row| rules.rule_name(row.rule) == name);
    let looked = row.map_or("no candidate".to_owned(), |row| {
        let (candidates, findings) = (counted(row.candidates, "candidate"), counted(row.findings, "finding"));
        format!("{candidates}, {findings}")
    });
    let cost = match row.map(|row| row.cost) {
        None => "what all rules share: nothing of its own".to_owned(),
        Some(None) => "not measured: it cannot be left out, or other rules took the time".to_owned(),
        Some(Some(cost)) if cost <= costs.noise => "less than can be measured".to_owned(),
        Some(Some(cost)) => {
            format!("{:.1} % of the search", 100.0 * cost.as_secs_f64() / costs.all.as_secs_f64())
        }
    };
    let bytes = sized(costs.bytes as u64);
    Ok(format!("{:12} {looked} in {bytes}\n{:12} {cost}\n", "looked at", "cost"))
}

/// Time for the cost of all rules that have candidates.
const COST_WAIT: Duration = Duration::from_secs(60);

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

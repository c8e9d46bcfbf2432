/*!
`logveil scan`: what is in my logs? It finds and changes nothing.

Workers search lines, as `redact` does, with the same rules; a report takes the
[`Hit`]s in order. The reports know no values unless they are asked for.
*/

pub(super) mod charts;
mod count;
pub(super) mod html;
mod lines;

use std::collections::HashMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use indicatif::ProgressBar;

use super::choice::{Choice, Inputs, name};
use super::output::{Output, counted, sized};
use super::redact::stopped;
use super::{Error, Exit, complain, progress, reason};
use crate::detect::{Finding, RuleId, Scratch};
use crate::entity::Entity;
use crate::filter::{Part, Piece, Pieces, in_order, lines};
use crate::policy::Policy;
use crate::record::ClassId;
use crate::secret::Raw;
use crate::span::Span;
use count::Counts;

/// Tell what is in logs: find, change nothing.
///
/// Findings go to standard output, totals to standard error. Values are not shown unless asked for. A line that cannot be
/// searched, because it is over 1 MiB, is told and counts as a finding under --fail-on-findings. Offsets are bytes
/// within the line, the end exclusive; lines count from 1.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  logveil scan app.log\n  \
                        logveil scan --format html access.log* > report.html\n  \
                        logveil scan --policy everything --fail-on-findings - < clean.log")]
pub(super) struct Arguments {
    #[command(flatten)]
    choice: Choice,
    #[command(flatten)]
    inputs: Inputs,
    /// How to tell: a line a finding, a JSON object a finding, or one page with charts.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Show what was found, too. Mind who reads it.
    #[arg(long)]
    show_values: bool,
    /// Exit with 1 if anything was found.
    #[arg(long)]
    fail_on_findings: bool,
    /// No totals on standard error.
    #[arg(long, short)]
    quiet: bool,
}

/// The forms of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
    Html,
}

/// Whether reports may hold what was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Values {
    Hidden,
    Shown,
}

pub(super) fn run(arguments: Arguments) -> Result<Exit, Error> {
    let (policy, class) = arguments.choice.load()?;
    let policy = Arc::new(policy);
    let inputs = arguments.inputs.list();
    let values = if arguments.show_values { Values::Shown } else { Values::Hidden };
    let worker = || {
        let policy = Arc::clone(&policy);
        let mut search = Search { class, values, scratch: Scratch::default() };
        move |piece| search.piece(&policy, piece)
    };
    let mut report = Report {
        format: arguments.format,
        output: Output::open()?,
        bar: if arguments.quiet { ProgressBar::hidden() } else { progress::bar(&inputs) },
        counts: Counts::new(inputs.iter().map(name).collect()),
        examples: Examples::default(),
        text: Vec::new(),
        policy: Arc::clone(&policy),
    };
    in_order(arguments.inputs.threads(), Pieces::new(inputs.clone()), worker, |searched| {
        report.take(searched)
    })
    .map_err(stopped)?;
    let counts = report.finish(values)?;
    if !arguments.quiet {
        complain(&totals(&counts, &policy));
    }
    Ok(match () {
        () if counts.unreadable > 0 => Exit::Usage,
        () if arguments.fail_on_findings && counts.findings + counts.unsearched > 0 => Exit::Found,
        () => Exit::Done,
    })
}

/// One finding and where it stands.
#[derive(Debug)]
struct Hit {
    /// The line, from 1; a worker counts from the start of its piece, the report from the start of the input.
    line: u64,
    /// Offsets within the line.
    span: Span,
    entity: Entity,
    rule: RuleId,
    /// What was found, if it is to be shown.
    value: Option<Raw>,
}

/// What came of a piece.
#[derive(Debug, Default)]
struct Searched {
    input: usize,
    bytes: u64,
    /// Lines in it, whether searched or not.
    lines: u64,
    hits: Vec<Hit>,
    /// Lines that were not searched: too long, or a mistake of ours.
    unsearched: u64,
    unreadable: Option<io::Error>,
}

/// What a worker keeps from piece to piece.
struct Search {
    class: ClassId,
    values: Values,
    scratch: Scratch,
}

impl Search {
    fn piece(&mut self, policy: &Policy, piece: Piece) -> Searched {
        let mut searched = Searched { input: piece.input, ..Searched::default() };
        match piece.part {
            Part::Lines(raw) => self.lines(policy, &raw, &mut searched),
            Part::Oversize { bytes, ended } => {
                searched.bytes = bytes + u64::from(ended);
                searched.lines = 1;
                searched.unsearched = 1;
            }
            Part::Unreadable(error) => searched.unreadable = Some(error),
        }
        searched
    }

    fn lines(&mut self, policy: &Policy, raw: &Raw, searched: &mut Searched) {
        searched.bytes = raw.len() as u64;
        let lines: Vec<Span> = lines(raw.bytes()).collect();
        searched.lines = lines.len() as u64;
        if self.some(policy, raw, &lines, 1, searched).is_ok() {
            return;
        }
        // Something of ours failed: each line for itself, so that one alone is not searched.
        searched.hits.clear();
        for (place, line) in lines.iter().enumerate() {
            let one = std::slice::from_ref(line);
            if self.some(policy, raw, one, place as u64 + 1, searched).is_err() {
                searched.unsearched += 1;
            }
        }
    }

    /// Searches lines of which the first has the number `first`.
    fn some(
        &mut self,
        policy: &Policy,
        raw: &Raw,
        lines: &[Span],
        first: u64,
        searched: &mut Searched,
    ) -> Result<(), ()> {
        let values = self.values;
        let each = |place: usize, found: &[Finding]| {
            let haystack = &raw.bytes()[lines[place].range()];
            searched.hits.extend(found.iter().map(|finding| Hit {
                line: first + place as u64,
                span: finding.span,
                entity: finding.entity,
                rule: finding.rule,
                value: match values {
                    Values::Hidden => None,
                    Values::Shown => Some(Raw::new(haystack[finding.span.range()].to_vec())),
                },
            }));
        };
        let find = AssertUnwindSafe(|| {
            let wanted = policy.wanted(self.class);
            policy.rules().find_in_messages(wanted, &mut self.scratch, raw.bytes(), lines, each);
        });
        catch_unwind(find).map_err(|_| self.scratch = Scratch::default())
    }
}

/// Takes what was searched in order, tells and counts.
struct Report {
    format: Format,
    output: Output,
    bar: ProgressBar,
    counts: Counts,
    examples: Examples,
    /// Lines of output, kept for their allocation.
    text: Vec<u8>,
    policy: Arc<Policy>,
}

impl Report {
    fn take(&mut self, mut searched: Searched) -> Result<(), Error> {
        self.bar.inc(searched.bytes);
        let input = searched.input;
        let file = &self.counts.files[input];
        if let Some(error) = &searched.unreadable {
            let line = format!("cannot read {}: {}", file.name, reason(error));
            self.bar.suspend(|| complain(&line));
        }
        for hit in &mut searched.hits {
            hit.line += file.lines;
            match self.format {
                Format::Text => lines::text(&mut self.text, &file.name, hit, self.policy.rules()),
                Format::Json => lines::json(&mut self.text, &file.name, hit, self.policy.rules()),
                Format::Html => {}
            }
        }
        self.counts.add(&searched);
        if self.format == Format::Html {
            self.examples.add(input, searched.hits);
        }
        let written = self.output.write(&self.text);
        self.text.clear();
        written
    }

    fn finish(mut self, values: Values) -> Result<Counts, Error> {
        self.bar.finish_and_clear();
        if self.format == Format::Html {
            let page = html::page(&self.counts, &self.examples, &self.policy, values);
            self.output.write(page.as_bytes())?;
        }
        Ok(self.counts)
    }
}

/// Some findings for the page: the first ones of each rule in each input.
#[derive(Debug, Default)]
struct Examples {
    hits: Vec<(usize, Hit)>,
    seen: HashMap<(usize, RuleId), usize>,
}

impl Examples {
    /// Of one rule in one input, and in all.
    const EACH_MAX: usize = 3;
    const ALL_MAX: usize = 200;

    fn add(&mut self, input: usize, hits: Vec<Hit>) {
        for hit in hits {
            let seen = self.seen.entry((input, hit.rule)).or_default();
            *seen += 1;
            if *seen <= Examples::EACH_MAX && self.hits.len() < Examples::ALL_MAX {
                self.hits.push((input, hit));
            }
        }
    }
}

/// The totals in lines: all, then one for each entity.
fn totals(counts: &Counts, policy: &Policy) -> String {
    let mut text = format!(
        "{}, {} in, {} in {}, policy {}",
        counted(counts.records, "record"),
        sized(counts.bytes),
        counted(counts.findings, "finding"),
        counted(counts.records_with_findings, "record"),
        policy.names().policy,
    );
    if counts.unsearched > 0 {
        text.push_str(&format!(", {} not searched", counted(counts.unsearched, "record")));
    }
    let rows = count::named(&counts.entities, |entity| policy.rules().entities().name(entity).to_owned());
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, count) in rows {
        text.push_str(&format!("\n  {name:width$}  {:>12}", super::output::grouped(count)));
    }
    text
}

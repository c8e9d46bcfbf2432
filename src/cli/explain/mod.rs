/*!
`logveil explain`: one line, and why each part of it stays or goes.

The line is the operator's own and so is the terminal: showing values is what
this verb is for. It is the only one that does so unasked.
*/

mod tell;

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use super::choice::Choice;
use super::output::Output;
use super::redact::run_keyring;
use super::{Error, Exit, complain, reason};
use crate::act::{Fate, Orders, Part, Table, splice};
use crate::action::Action;
use crate::clock::Timestamp;
use crate::detect::{Finding, Scratch, Wanted};
use crate::filter::{self, Input, Pieces, lines};
use crate::keys::Keyring;
use crate::pipeline::{State, Tally};
use crate::policy::Policy;
use crate::record::ClassId;

/// Show why each part of a line stays or goes.
///
/// For each finding: its rule, where it stands (bytes, the end exclusive), what it is, what the policy does with it,
/// and what stands in its place then. For each near miss: why it is none. This shows the values of the line: that is
/// its purpose, on your own terminal. Pseudonyms are made with a random key of this run.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: logveil explain '10.1.2.3 user=jane mail to jane@example.com'")]
pub(super) struct Arguments {
    #[command(flatten)]
    choice: Choice,
    /// For people, or a JSON object a line.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// The line; none or `-` reads lines from standard input.
    #[arg(value_name = "LINE", allow_hyphen_values = true)]
    line: Option<OsString>,
}

/// The forms of an explanation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

pub(super) fn run(arguments: Arguments) -> Result<Exit, Error> {
    let (policy, class) = arguments.choice.load()?;
    let keyring = run_keyring()?;
    let mut output = Output::open()?;
    let mut explain = |line: &[u8]| {
        let explained = explain(&policy, class, &keyring, line);
        output.write(&match arguments.format {
            Format::Text => tell::text(&explained),
            Format::Json => tell::json(&explained),
        })
    };
    match arguments.line {
        Some(line) if line != "-" => explain(&line.into_vec()).map(|()| Exit::Done),
        _ => explain_all(explain),
    }
}

/// Explains each line of standard input.
fn explain_all(mut explain: impl FnMut(&[u8]) -> Result<(), Error>) -> Result<Exit, Error> {
    let mut exit = Exit::Done;
    for piece in Pieces::new(vec![Input::Stdin]) {
        match piece.part {
            filter::Part::Lines(raw) => {
                for line in lines(raw.bytes()) {
                    explain(&raw.bytes()[line.range()])?;
                }
            }
            filter::Part::Oversize { bytes, .. } => {
                complain(&format!("a line of {bytes} bytes is too long; redact withholds it whole"));
            }
            filter::Part::Unreadable(error) => {
                complain(&format!("cannot read standard input: {}", reason(&error)));
                exit = Exit::Usage;
            }
        }
    }
    Ok(exit)
}

/// All that is known of a line.
struct Explained<'a> {
    policy: &'a Policy,
    line: &'a [u8],
    findings: Vec<Explanation>,
    near_misses: Vec<crate::detect::NearMiss>,
    /// What comes out; nothing, if the record is dropped.
    clean: Option<Vec<u8>>,
}

/// A finding and what becomes of it.
struct Explanation {
    finding: Finding,
    /// The name of the action that is carried out.
    action: &'static str,
    /// What stands in its place, unless it is more than the value that goes.
    result: Option<Vec<u8>>,
}

fn explain<'a>(policy: &'a Policy, class: ClassId, keyring: &Keyring, line: &'a [u8]) -> Explained<'a> {
    let wanted = policy.wanted(class);
    let received = Timestamp::UNIX_EPOCH;
    let table = keyring.sessions().map(|sessions| Table { sessions, received, logouts: policy.logouts() });
    let (rules, actions) = (policy.rules(), policy.actions(class));
    let key = keyring.key(policy.class_name(class), received);
    let orders = Orders { class, rules, wanted, actions, key, suppressed: None, table };
    let findings = find(policy, wanted, line);
    let clean = replaced(&orders, line, &findings).map(|(clean, _)| clean);
    let mut explanations: Vec<Explanation> =
        findings.iter().map(|finding| explain_one(&orders, line, finding)).collect();
    explanations.extend(kept(policy, class, line, &findings));
    explanations.sort_by_key(|explanation| explanation.finding.span);
    let near_misses = policy.rules().near_misses(wanted, line);
    Explained { policy, line, findings: explanations, near_misses, clean }
}

fn find(policy: &Policy, wanted: &Wanted, line: &[u8]) -> Vec<Finding> {
    let mut findings = Vec::new();
    policy.rules().find(wanted, &mut Scratch::default(), line, &mut findings);
    findings
}

/// The line with these findings replaced, and the action that was carried out last; nothing, if the record is dropped.
fn replaced(orders: &Orders, line: &[u8], findings: &[Finding]) -> Option<(Vec<u8>, Option<&'static str>)> {
    let mut out = Vec::new();
    let mut tally = Tally::default();
    let fate = splice(orders, &mut State::default(), Part::Message, line, findings, &mut out, &mut tally);
    let done = tally.findings().last().map(|(_, action, _)| action);
    match fate {
        Fate::Passed => Some((out, done)),
        Fate::Dropped => None,
    }
}

/// What becomes of one finding, as if it were the only one.
fn explain_one(orders: &Orders, line: &[u8], finding: &Finding) -> Explanation {
    let finding = *finding;
    let Some((out, done)) = replaced(orders, line, &[finding]) else {
        return Explanation { finding, action: Action::DropRecord.name(), result: None };
    };
    let action = done.unwrap_or("keep");
    let tail = line.len() - finding.span.end;
    let result = (action != "drop_field").then(|| out[finding.span.start..out.len() - tail].to_vec());
    Explanation { finding, action, result }
}

/// What the rules know but the policy lets stand, where nothing else is found.
fn kept(policy: &Policy, class: ClassId, line: &[u8], findings: &[Finding]) -> Vec<Explanation> {
    let all = Wanted::new(vec![1; policy.rules().entities().len()]);
    let is_kept = |finding: &Finding| {
        policy.action(class, finding.entity) == Action::Keep
            && !findings.iter().any(|other| other.span.overlaps(finding.span))
    };
    let stays = |finding: Finding| {
        let text = line[finding.span.range()].to_vec();
        Explanation { finding, action: Action::Keep.name(), result: Some(text) }
    };
    find(policy, &all, line).into_iter().filter(is_kept).map(stays).collect()
}

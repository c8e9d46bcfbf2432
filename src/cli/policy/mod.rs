//! `logveil policy`: which policies there are, and what one does with each entity in each class.

mod diff;
mod report;

use std::fmt::Write as _;
use std::io::{self, Write};

use super::packs::Packs;
use super::{Error, Exit, choice};
use crate::clock::{Clock as _, SystemClock};
use crate::policy::{BUILTIN, Policy, builtin_rules, describe};
use crate::record::ClassId;
use report::Report;

/// List the built-in policies, show what one does, compare two, or go through a published text clause by clause.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: logveil policy show default")]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// The built-in policies, a line each.
    List,
    /// What a policy does with each entity in each class, and how long records live.
    Show {
        /// A built-in policy's name, or a policy file.
        #[arg(default_value = "default")]
        policy: String,
        #[command(flatten)]
        packs: Packs,
    },
    /// What the second policy does differently from the first, a line each.
    Diff {
        /// A built-in policy's name, or a policy file.
        one: String,
        /// Another.
        other: String,
        #[command(flatten)]
        packs: Packs,
    },
    /// Goes through the clauses of the text that a policy keeps: kept by what, how that was looked at and when, or why not.
    /// Exit code 1 if a clause that should be kept is not.
    Report {
        /// A built-in policy's name, or a policy file.
        policy: String,
        /// How to write it.
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
        #[command(flatten)]
        packs: Packs,
    },
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    /// For a terminal.
    Text,
    /// One JSON object.
    Json,
    /// One page.
    Html,
}

pub(super) fn run(arguments: Arguments) -> Result<Exit, Error> {
    let mut exit = Exit::Done;
    let text = match arguments.verb {
        Verb::List => list()?,
        Verb::Diff { one, other, packs } => {
            let rules = packs.rules()?;
            let (one, other) = (
                choice::policy("policy diff", &one, rules.clone())?,
                choice::policy("policy diff", &other, rules)?,
            );
            diff::diff(&one, &other).iter().map(|line| format!("{line}\n")).collect()
        }
        Verb::Report { policy, format, packs } => {
            let policy = choice::policy("policy report", &policy, packs.rules()?)?;
            let report = Report::new(&policy, SystemClock::new().now());
            if !report.holds() {
                exit = Exit::Found;
            }
            match format {
                Format::Text => report.text(),
                Format::Json => {
                    serde_json::to_string_pretty(&report).expect("texts and counts are JSON") + "\n"
                }
                Format::Html => report.html(),
            }
        }
        Verb::Show { policy, packs } => show(&choice::policy("policy show", &policy, packs.rules()?)?),
    };
    io::stdout().write_all(text.as_bytes()).map_err(Error::output)?;
    Ok(exit)
}

fn list() -> Result<String, Error> {
    let mut text = String::new();
    for (name, _) in BUILTIN {
        let policy = choice::policy("policy list", name, builtin_rules())?;
        line(&mut text, format_args!("{name:<12} {}", policy.about()));
    }
    Ok(text)
}

/// Classes of which the policy says the same stand together.
fn show(policy: &Policy) -> String {
    let mut text = String::new();
    line(&mut text, format_args!("{}  {}", policy.names().policy, policy.about()));
    let mut left: Vec<ClassId> = policy.classes().collect();
    while let Some(&first) = left.first() {
        let (same, others): (Vec<ClassId>, _) = left.iter().partition(|class| alike(policy, first, **class));
        left = others;
        let names: Vec<&str> = same.iter().map(|class| policy.class_name(*class)).collect();
        let regions =
            policy.regions(first).map_or_else(String::new, |list| format!(", in {} alone", list.join(", ")));
        line(&mut text, format_args!("\n{}: {}{regions}", names.join(", "), policy.ttl(first)));
        show_class(policy, first, &mut text);
    }
    if let Some(aggregates) = policy.aggregates() {
        line(&mut text, format_args!("\n{aggregates}"));
    }
    if !policy.unfound().is_empty() {
        line(&mut text, format_args!("\nnamed, and found by no rule yet: {}", policy.unfound().join(", ")));
    }
    text
}

fn show_class(policy: &Policy, class: ClassId, text: &mut String) {
    let entities = policy.rules().entities();
    let width = entities.iter().map(|entity| entities.name(entity).len()).max().unwrap_or(0);
    for entity in entities.iter() {
        let (name, action) = (entities.name(entity), describe(policy.action(class, entity)));
        let cites = policy.cites(class, entity);
        let why = if cites.is_empty() { String::new() } else { format!("  ({})", cites.join("; ")) };
        line(text, format_args!("  {name:<width$}  {action}{why}"));
    }
    if policy.heeds_signals(class) {
        line(text, format_args!("  a record with DNT: 1 or Sec-GPC: 1 is anonymized, with no pseudonym"));
    }
}

fn alike(policy: &Policy, one: ClassId, other: ClassId) -> bool {
    let cites = |class| policy.rules().entities().iter().map(move |entity| policy.cites(class, entity));
    policy.ttl(one) == policy.ttl(other)
        && policy.regions(one) == policy.regions(other)
        && policy.heeds_signals(one) == policy.heeds_signals(other)
        && policy.silent(one).1 == policy.silent(other).1
        && policy.actions(one) == policy.actions(other)
        && cites(one).eq(cites(other))
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("a string takes every write");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_of_which_the_same_is_said_stand_together() {
        let yaml = "policy: p\nabout: Short.\nclasses:\n  auth: { retention: 7d, entities: { ipv4: { truncate: , cites: [a] }, \
                    fi_hetu: keep } }\n";
        let policy = Policy::parse("p", yaml).expect("it is right");
        let text = show(&policy);
        assert!(
            text.starts_with("p@1  Short.\n\naccess, app, activity, payment, support, audit: 90d\n  ipv4 "),
            "{text}"
        );
        assert!(text.contains("\nauth: 7d\n"), "{text}");
        assert!(text.contains("  truncate: { ipv4: 24, ipv6: 48 }  (a)\n"), "{text}");
    }

    #[test]
    fn every_builtin_policy_is_listed() {
        let text = list().expect("they are right");
        assert_eq!(text.lines().count(), BUILTIN.len());
    }
}

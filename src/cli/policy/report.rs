/*!
A policy's published text, clause by clause: kept by what, how that was looked at and when, or not, and why.

What can be looked at is looked at when the report is made: that no class is
looser than a clause's bounds (or the policy would not load), and that every
example of the kinds of values that a clause speaks of is found in every class
that it speaks of. The tests that a clause names belong to the program.
*/

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use crate::action::Action;
use crate::clock::Timestamp;
use crate::detect::{Rules, Scratch};
use crate::policy::{Clause, Policy};
use crate::record::ClassId;

/// The whole report.
#[derive(Serialize)]
pub(super) struct Report {
    policy: String,
    about: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    effective_from: Option<String>,
    /// Whether that day has come.
    in_force: bool,
    /// The day on which it was looked at (UTC).
    checked_on: String,
    clauses: Vec<Row>,
    /// By class: kinds of values that no line speaks of, so that the default holds.
    by_default: BTreeMap<String, usize>,
    /// Kinds of values that are named and that no rule finds.
    unfound: Vec<String>,
}

/// One clause.
#[derive(Serialize)]
struct Row {
    clause: String,
    promise: String,
    status: Status,
    kept_by: Vec<String>,
    /// How it was looked at.
    checked: Vec<String>,
    tests: Vec<String>,
    /// What is not kept, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    /// Examples that were not found.
    failed: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Kept,
    KeptInPart,
    Open,
    NotEnforceable,
    Failed,
}

impl Status {
    const ALL: [Status; 5] =
        [Status::Kept, Status::KeptInPart, Status::Open, Status::NotEnforceable, Status::Failed];

    fn name(self) -> &'static str {
        match self {
            Status::Kept => "kept",
            Status::KeptInPart => "kept in part",
            Status::Open => "open",
            Status::NotEnforceable => "not enforceable",
            Status::Failed => "FAILED",
        }
    }
}

impl Report {
    /// Looks at every clause.
    pub(super) fn new(policy: &Policy, now: Timestamp) -> Report {
        let checked_on = day(now);
        let examples = Rules::builtin_in_full();
        let row = |clause: &Clause| row(policy, &examples, clause, &checked_on);
        let entities = policy.rules().entities();
        let unnamed =
            |class: ClassId| entities.iter().filter(|entity| !policy.is_named(class, *entity)).count();
        let by_default =
            policy.classes().map(|class| (policy.class_name(class).to_owned(), unnamed(class))).collect();
        Report {
            policy: policy.names().policy.clone(),
            about: policy.about().to_owned(),
            effective_from: policy.effective_from().map(day),
            in_force: policy.effective_from().is_none_or(|from| from <= now),
            clauses: policy.clauses().iter().map(row).collect(),
            checked_on,
            by_default,
            unfound: policy.unfound().to_vec(),
        }
    }

    /// Whether every clause that says so is kept, as far as it could be looked at.
    pub(super) fn holds(&self) -> bool {
        self.clauses.iter().all(|row| row.status != Status::Failed)
    }

    fn not_yet(&self) -> &'static str {
        if self.in_force { "" } else { ": not in force yet" }
    }

    fn summary(&self) -> String {
        let counts = Status::ALL.iter().filter_map(|status| {
            let count = self.clauses.iter().filter(|row| row.status == *status).count();
            (count > 0).then(|| format!("{count} {}", status.name()))
        });
        let counts: Vec<String> = counts.collect();
        match counts.is_empty() {
            true => "it states no clauses".to_owned(),
            false => format!("{} clauses: {}", self.clauses.len(), counts.join(", ")),
        }
    }

    /// For people, at a terminal.
    pub(super) fn text(&self) -> String {
        let mut text = format!(
            "{}  {}\n{}; looked at on {}\n",
            self.policy,
            self.about,
            self.summary(),
            self.checked_on
        );
        if let Some(from) = &self.effective_from {
            push(&mut text, format_args!("it holds from {from} on{}", self.not_yet()));
        }
        for row in &self.clauses {
            push(&mut text, format_args!("\n{}: {}", row.clause, row.status.name()));
            push(&mut text, format_args!("  {}", row.promise));
            for (what, lines) in row.parts() {
                for line in lines {
                    push(&mut text, format_args!("  {what:<9} {line}"));
                }
            }
        }
        let most = self.by_default.values().max().copied().unwrap_or(0);
        if most > 0 {
            let class = |(class, count): (&String, &usize)| format!("{class} {count}");
            let list: Vec<String> = self.by_default.iter().map(class).collect();
            push(
                &mut text,
                format_args!("\nkinds of values that the default alone covers: {}", list.join(", ")),
            );
        }
        if !self.unfound.is_empty() {
            push(&mut text, format_args!("named, and found by no rule: {}", self.unfound.join(", ")));
        }
        text
    }

    /// One page without scripts, and with nothing from elsewhere.
    pub(super) fn html(&self) -> String {
        let mut rows = String::new();
        for row in &self.clauses {
            let mut cells = String::new();
            for (what, lines) in row.parts() {
                for line in lines {
                    let line = escaped(line);
                    push(&mut cells, format_args!("<div><b>{what}</b> {line}</div>"));
                }
            }
            let (clause, promise, status) = (escaped(&row.clause), escaped(&row.promise), row.status.name());
            push(
                &mut rows,
                format_args!("<tr><td>{clause}</td><td>{promise}</td><td>{status}</td><td>{cells}</td></tr>"),
            );
        }
        let from = self
            .effective_from
            .as_ref()
            .map_or_else(String::new, |from| format!(" It holds from {from} on{}.", self.not_yet()));
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
             <title>{policy}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{policy}</h1>\n\
             <p>{about}.{from}</p>\n<p>{summary}; looked at on {on}.</p>\n<table>\n\
             <tr><th>clause</th><th>promise</th><th>status</th><th>by what</th></tr>\n{rows}</table>\n\
             <p>Made by logveil {version}.</p>\n</body>\n</html>\n",
            policy = escaped(&self.policy),
            about = escaped(&self.about),
            summary = self.summary(),
            on = self.checked_on,
            version = env!("CARGO_PKG_VERSION"),
        )
    }
}

const STYLE: &str = "body{font:15px/1.5 sans-serif;margin:2em auto;max-width:75em;padding:0 1em}\
                     table{border-collapse:collapse}td,th{border:1px solid #999;padding:.4em .6em;text-align:left;vertical-align:top}";

impl Row {
    fn parts(&self) -> [(&'static str, &[String]); 5] {
        let why = self.why.as_slice();
        let what = if self.status == Status::NotEnforceable { "because" } else { "open" };
        [
            ("by", &self.kept_by),
            ("checked", &self.checked),
            ("FAILED", &self.failed),
            ("test", &self.tests),
            (what, why),
        ]
    }
}

fn row(policy: &Policy, examples: &Rules, clause: &Clause, checked_on: &str) -> Row {
    let mut kept_by: Vec<String> = Vec::new();
    for citation in policy.citations().iter().filter(|citation| citation.clause == clause.id) {
        kept_by.push(citation.line.clone());
    }
    kept_by.extend(clause.kept_by.iter().cloned());
    let bound = |bound: &String| format!("{bound}: holds, on {checked_on}");
    let mut checked: Vec<String> = clause.bounds.iter().map(bound).collect();
    let mut failed = Vec::new();
    let seen = look(policy, examples, clause, &mut failed);
    if seen > 0 {
        checked.push(format!("{seen} examples of these values were looked for, on {checked_on}"));
    }
    let status = match (&clause.not_enforceable, &clause.open) {
        _ if !failed.is_empty() => Status::Failed,
        (Some(_), _) => Status::NotEnforceable,
        (None, Some(_)) if kept_by.is_empty() && checked.is_empty() => Status::Open,
        (None, Some(_)) => Status::KeptInPart,
        (None, None) => Status::Kept,
    };
    let why = clause.not_enforceable.clone().or_else(|| clause.open.clone());
    let (tests, promise) = (clause.tests.clone(), clause.promise.clone());
    Row { clause: clause.id.clone(), promise, status, kept_by, checked, tests, why, failed }
}

/// Looks for the examples of a clause's kinds of values in every class that it speaks of; says how many, and which were missed.
fn look(policy: &Policy, examples: &Rules, clause: &Clause, failed: &mut Vec<String>) -> usize {
    let mut scratch = Scratch::default();
    let mut seen = 0;
    for class in policy.classes() {
        let name = policy.class_name(class);
        if !clause.classes.is_empty() && !clause.classes.iter().any(|known| known == name) {
            continue;
        }
        for (id, rule) in examples.rules() {
            let entity = policy.rules().entities().find(examples.entities().name(rule.entity));
            let Some(entity) = entity.filter(|entity| clause.entities.contains(entity)) else { continue };
            for example in rule.examples.iter().filter(|example| !example.expected.is_empty()) {
                let mut findings = Vec::new();
                policy.rules().find(policy.wanted(class), &mut scratch, &example.text, &mut findings);
                findings.retain(|finding| policy.action(class, finding.entity) != Action::Keep);
                let is_found =
                    example.expected.iter().all(|span| findings.iter().any(|one| one.span.covers(*span)));
                seen += 1;
                if !is_found {
                    let entity = policy.rules().entities().name(entity);
                    failed.push(format!(
                        "{name}: an example of {entity}, of rule {}, gets through",
                        examples.rule_name(id)
                    ));
                }
            }
        }
    }
    failed.dedup();
    seen
}

fn day(at: Timestamp) -> String {
    at.to_string().chars().take(10).collect()
}

fn push(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("a string takes every write");
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(text: &str) -> Report {
        let policy = Policy::parse("p", text).unwrap_or_else(|error| panic!("{error}"));
        Report::new(&policy, "2026-11-28T10:00:00Z".parse().expect("a moment"))
    }

    const TEXT: &str = "policy: p\nabout: A <b>.\nclauses:\n  - { id: a, promise: Mail., bounds: { classes: [app], entities: { email: redact } } }\n  \
        - { id: b, promise: Letters., not_enforceable: no log }\n  - { id: c, promise: Later., open: not built }\n  \
        - { id: d, promise: Half., kept_by: [us], open: not built }\n";

    #[test]
    fn every_clause_says_how_it_stands() {
        let report = report(TEXT);
        let text = report.text();
        assert!(
            report.holds()
                && text.contains(
                    "4 clauses: 1 kept, 1 kept in part, 1 open, 1 not enforceable; looked at on 2026-11-28\n"
                ),
            "{text}"
        );
        for part in [
            "\na: kept\n",
            "  checked   app: email: redact at least: holds, on 2026-11-28\n",
            "\nb: not enforceable\n  Letters.\n  because   no log\n",
            "\nc: open\n",
            "\nd: kept in part\n",
            "examples of these values were looked for",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        let html = report.html();
        assert!(html.contains("A &lt;b&gt;") && html.contains("<td>not enforceable</td>"), "{html}");
    }

    #[test]
    fn a_day_that_has_not_come_is_told() {
        let of = |day: &str| report(&TEXT.replace("about:", &format!("effective_from: {day}\nabout:")));
        assert!(of("2026-11-29").text().contains("\nit holds from 2026-11-29 on: not in force yet\n"));
        let since = of("2026-11-28");
        assert!(
            since.text().contains("\nit holds from 2026-11-28 on\n")
                && since.html().contains("2026-11-28 on.")
        );
    }

    #[test]
    fn a_value_that_gets_through_is_told() {
        let report =
            report(&(TEXT.to_owned() + "classes: { app: { allow: { fields: [email, contact, \"*\"] } } }\n"));
        assert!(!report.holds());
        assert!(report.text().contains("\na: FAILED\n"), "{}", report.text());
    }
}

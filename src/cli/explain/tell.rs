//! An explanation as text, or as a JSON object.

use std::fmt::Write;

use serde::Serialize;

use super::{Explained, Explanation};
use crate::cli::output::printable;
use crate::detect::overrule::Allowed;
use crate::detect::{NearMiss, RuleId, Rules, Why};
use crate::span::Span;

/// The line, what comes out, and a line for each finding and each near miss.
pub(super) fn text(explained: &Explained) -> Vec<u8> {
    let rules = explained.policy.rules();
    let value = |span: Span| printable(&explained.line[span.range()]);
    let mut rows = Vec::new();
    for Explanation { finding, action, result } in &explained.findings {
        let becomes = match (*action, result) {
            ("keep", _) => "stays".to_owned(),
            (_, Some(result)) => format!("becomes {}", printable(result)),
            ("drop_field", None) => "goes with its field".to_owned(),
            (_, None) => "the whole record goes".to_owned(),
        };
        rows.push([
            format!("{}-{}", finding.span.start, finding.span.end),
            rules.entities().name(finding.entity).to_owned(),
            format!("rule {}", rules.rule_name(finding.rule)),
            (*action).to_owned(),
            format!("{} {becomes}", value(finding.span)),
        ]);
    }
    for NearMiss { span, rule, why } in &explained.near_misses {
        rows.push([
            format!("{}-{}", span.start, span.end),
            rules.entities().name(rules.rule(*rule).entity).to_owned(),
            format!("rule {}", rules.rule_name(*rule)),
            "near miss".to_owned(),
            format!("{}: {}", value(*span), reason(rules, *why)),
        ]);
    }
    let clean = explained.clean.as_deref().map_or_else(|| "(dropped)".to_owned(), printable);
    let mut text = format!("in   {}\nout  {clean}\n", printable(explained.line));
    if rows.is_empty() {
        text.push_str("  nothing was found\n");
    }
    let width = |at: usize| rows.iter().map(|row| row[at].len()).max().unwrap_or(0);
    let (span, entity, rule, action) = (width(0), width(1), width(2), width(3));
    for [a, b, c, d, e] in &rows {
        writeln!(text, "  {a:span$}  {b:entity$}  {c:rule$}  {d:action$}  {e}").expect("a string takes all");
    }
    text.into_bytes()
}

/// One object on one line.
pub(super) fn json(explained: &Explained) -> Vec<u8> {
    let rules = explained.policy.rules();
    let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let value = |span: Span| lossy(&explained.line[span.range()]);
    let findings = explained.findings.iter().map(|Explanation { finding, action, result }| Found {
        start: finding.span.start,
        end: finding.span.end,
        entity: rules.entities().name(finding.entity),
        rule: rules.rule_name(finding.rule),
        action,
        value: value(finding.span),
        result: result.as_deref().map(lossy),
    });
    let near_misses = explained.near_misses.iter().map(|NearMiss { span, rule, why }| Missed {
        start: span.start,
        end: span.end,
        rule: rules.rule_name(*rule),
        value: value(*span),
        reason: name(*why),
        why: reason(rules, *why),
        suppressed_by: winner(*why).map(|by| rules.rule_name(by)),
    });
    let line = Line {
        line: lossy(explained.line),
        clean: explained.clean.as_deref().map(lossy),
        findings: findings.collect(),
        near_misses: near_misses.collect(),
    };
    let mut out = Vec::new();
    serde_json::to_writer(&mut out, &line).expect("a vector takes all");
    out.push(b'\n');
    out
}

/// The format of a line of `--format json`. What is dropped with its record or field has no result.
#[derive(Serialize)]
struct Line<'a> {
    line: String,
    clean: Option<String>,
    findings: Vec<Found<'a>>,
    near_misses: Vec<Missed<'a>>,
}

#[derive(Serialize)]
struct Found<'a> {
    start: usize,
    end: usize,
    entity: &'a str,
    rule: &'a str,
    action: &'a str,
    value: String,
    result: Option<String>,
}

#[derive(Serialize)]
struct Missed<'a> {
    start: usize,
    end: usize,
    rule: &'a str,
    value: String,
    /// For programs: one word.
    reason: &'static str,
    /// For people.
    why: String,
    /// The rule of the finding that covers it, if that is the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    suppressed_by: Option<&'a str>,
}

/// Why a candidate is no finding, for people.
fn reason(rules: &Rules, why: Why) -> String {
    let reason = match why {
        Why::Checksum => "its check digit or check sum does not hold",
        Why::Context => "what stands around it says that it is something else",
        Why::Form => "it does not have the form that its name or mark announces",
        Why::Plain => "it reads like a word or a count, and the name before it may begin a sentence",
        Why::Length => "it is too short or too long",
        Why::Range => "a part of it is out of range",
        Why::Entropy => "it is not random enough",
        Why::Placeholder => "it is a placeholder, a variable, or a label or pseudonym of ours",
        Why::Suppressed { by } => return format!("suppressed by rule {}", rules.rule_name(by)),
        Why::Allowed { by: Allowed::Value } => "the policy lets this value stand",
        Why::Allowed { by: Allowed::Network } => "the policy lets addresses of this network stand",
        Why::Allowed { by: Allowed::Card } => "the policy lets this card stand",
        Why::Allowed { by: Allowed::Field } => "the policy lets this field stand",
    };
    reason.to_owned()
}

/// The same as a word, for programs.
fn name(why: Why) -> &'static str {
    match why {
        Why::Checksum => "checksum",
        Why::Context => "context",
        Why::Form => "form",
        Why::Plain => "plain",
        Why::Length => "length",
        Why::Range => "range",
        Why::Entropy => "entropy",
        Why::Placeholder => "placeholder",
        Why::Suppressed { .. } => "suppressed",
        Why::Allowed { by: Allowed::Value } => "allowed_value",
        Why::Allowed { by: Allowed::Network } => "allowed_network",
        Why::Allowed { by: Allowed::Card } => "allowed_card",
        Why::Allowed { by: Allowed::Field } => "allowed_field",
    }
}

/// The rule that suppressed the candidate, if one did.
fn winner(why: Why) -> Option<RuleId> {
    match why {
        Why::Suppressed { by } => Some(by),
        _ => None,
    }
}

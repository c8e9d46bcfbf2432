//! A line a finding: for people and `grep`, or as JSON.

use std::io::Write;

use serde::Serialize;

use super::Hit;
use crate::cli::output::printable;
use crate::detect::Rules;

/// Appends `file:line:start-end entity rule`, and the value if it is to be shown.
pub(super) fn text(out: &mut Vec<u8>, file: &str, hit: &Hit, rules: &Rules) {
    let Hit { line, span, entity, rule, value } = hit;
    let (start, end) = (span.start, span.end);
    let (entity, rule) = (rules.entities().name(*entity), rules.rule_name(*rule));
    let value = value.as_ref().map(|value| format!(" {}", printable(value.bytes()))).unwrap_or_default();
    writeln!(out, "{file}:{line}:{start}-{end} {entity} {rule}{value}").expect("a vector takes all");
}

/// Appends one object, as the manual has it.
pub(super) fn json(out: &mut Vec<u8>, file: &str, hit: &Hit, rules: &Rules) {
    let found = Found {
        file,
        line: hit.line,
        start: hit.span.start,
        end: hit.span.end,
        entity: rules.entities().name(hit.entity),
        rule: rules.rule_name(hit.rule),
        value: hit.value.as_ref().map(|value| String::from_utf8_lossy(value.bytes()).into_owned()),
    };
    serde_json::to_writer(&mut *out, &found).expect("a vector takes all");
    out.push(b'\n');
}

/// The format of a line of `--format json`.
#[derive(Serialize)]
struct Found<'a> {
    file: &'a str,
    line: u64,
    start: usize,
    end: usize,
    entity: &'a str,
    rule: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
}

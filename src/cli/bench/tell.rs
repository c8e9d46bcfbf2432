//! What was measured, as tables or as JSON.

use std::fmt::Write;
use std::time::Duration;

use serde::Serialize;

use crate::bench::engine::{Measured, Stage, Subject};
use crate::bench::rules::Costs;
use crate::bench::{Spread, megabytes_per_second, nanos_per_kilobyte};
use crate::cli::output::{counted, grouped};

/// All that is told.
pub(super) struct Report<'a> {
    pub(super) subject: Subject<'a>,
    /// How many inputs there were.
    pub(super) files: usize,
    /// Whether they were read to their end.
    pub(super) is_whole: bool,
    pub(super) measured: &'a Measured,
    pub(super) costs: &'a Costs,
}

/// Tables for people.
pub(super) fn text(report: &Report) -> Vec<u8> {
    let mut text = head(report);
    text.push_str(&speeds(report.measured));
    text.push_str(&stages(report.measured));
    text.push_str(&findings(report));
    text.push_str(&rules(report));
    text.into_bytes()
}

fn head(report: &Report) -> String {
    let (measured, subject) = (report.measured, report.subject);
    let of = if report.is_whole { "" } else { " from the beginning" };
    format!(
        "input   {}, {}, {} bytes{of}\npolicy  {}, class {}, {}, one thread, {}\n",
        counted(report.files as u64, "file"),
        counted(measured.records as u64, "record"),
        grouped(measured.bytes as u64),
        subject.policy.names().policy,
        subject.policy.class_name(subject.class),
        counted(subject.policy.rules().rules().len() as u64, "rule"),
        counted(measured.engine.runs() as u64, "run"),
    )
}

fn speeds(measured: &Measured) -> String {
    let rate = |time: Duration| format!("{:.1}", megabytes_per_second(measured.bytes, time));
    let row = |name: &str, spread: &Spread| {
        [name.to_owned(), rate(spread.median()), rate(spread.max()), rate(spread.min())]
    };
    let rows = [row("engine", &measured.engine), row("memcpy", &measured.memcpy)];
    let mut text = table(["MB/s", "median", "slowest", "fastest"], &rows);
    let share = measured.share_of_memcpy();
    writeln!(text, "share of memcpy {share:.4}, 1/{:.1}", 1.0 / share).expect(INFALLIBLE);
    text
}

fn stages(measured: &Measured) -> String {
    let row = |stage: Stage| {
        let time = measured.stage(stage);
        let nanos = format!("{:.1}", nanos_per_kilobyte(measured.bytes, time));
        [stage.name().to_owned(), nanos, format!("{:.1} %", 100.0 * share(time, measured.engine.median()))]
    };
    table(["stage", "ns/kB", "of engine"], &Stage::ALL.map(row))
}

fn findings(report: &Report) -> String {
    let megabytes = report.measured.bytes as f64 / 1e6;
    let row =
        |(entity, count): (String, u64)| [entity, grouped(count), format!("{:.1}", count as f64 / megabytes)];
    let rows: Vec<_> = by_entity(report).into_iter().map(row).collect();
    table(["entity", "findings", "per MB"], &rows)
}

fn rules(report: &Report) -> String {
    let Costs { bytes, all, noise, rows } = report.costs;
    let rules = report.subject.policy.rules();
    let cost = |cost: Option<Duration>| match cost {
        Some(cost) if cost > *noise => [nanos(*bytes, cost), format!("{:.1} %", 100.0 * share(cost, *all))],
        Some(_) => ["in the noise".to_owned(), String::new()],
        None => ["not measured".to_owned(), String::new()],
    };
    let rows: Vec<_> = rows
        .iter()
        .map(|row| {
            let [nanos, share] = cost(row.cost);
            let name = rules.rule_name(row.rule).to_owned();
            [name, grouped(row.candidates), grouped(row.findings), nanos, share]
        })
        .collect();
    let mut text = table(["rule", "candidates", "findings", "ns/kB", "of detect"], &rows);
    let (bytes, all, noise) = (grouped(*bytes as u64), nanos(*bytes, *all), nanos(*bytes, *noise));
    writeln!(text, "search of {bytes} bytes with all rules {all} ns/kB, noise {noise}").expect(INFALLIBLE);
    text
}

fn nanos(bytes: usize, time: Duration) -> String {
    format!("{:.1}", nanos_per_kilobyte(bytes, time))
}

fn share(part: Duration, whole: Duration) -> f64 {
    part.as_secs_f64() / whole.as_secs_f64().max(f64::MIN_POSITIVE)
}

/// A blank line, then the columns: the first one begins where the line does, the others end below their heads.
fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let width = |at: usize| rows.iter().map(|row| row[at].len()).max().unwrap_or(0).max(head[at].len());
    let widths: [usize; N] = std::array::from_fn(width);
    let mut text = String::new();
    for row in std::iter::once(&head.map(str::to_owned)).chain(rows) {
        let cells = row.iter().zip(widths).enumerate().map(|(at, (cell, width))| match at {
            0 => format!("{cell:width$}"),
            _ => format!("  {cell:>width$}"),
        });
        writeln!(text, "{}", cells.collect::<String>().trim_end()).expect(INFALLIBLE);
    }
    format!("\n{text}")
}

/// Findings of each entity, whatever was done with them, most frequent first.
fn by_entity(report: &Report) -> Vec<(String, u64)> {
    let entities = report.subject.policy.rules().entities();
    let of = |entity: crate::entity::Entity| -> u64 {
        let findings = report.measured.tally.findings();
        findings.filter(|(index, ..)| *index == entity.index()).map(|(.., count)| count).sum()
    };
    let counts = entities.iter().map(|entity| (entities.name(entity).to_owned(), of(entity)));
    let mut counts: Vec<_> = counts.filter(|(_, count)| *count > 0).collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts
}

/// One JSON object.
pub(super) fn json(report: &Report) -> Vec<u8> {
    let Report { subject, files, is_whole, measured, costs } = report;
    let bytes = measured.bytes;
    let stage = |stage: Stage| StageLine {
        stage: stage.name(),
        ns_per_kb: rounded(nanos_per_kilobyte(bytes, measured.stage(stage))),
        share: rounded(share(measured.stage(stage), measured.engine.median())),
    };
    let rules = subject.policy.rules();
    let rule = |row: &crate::bench::rules::Row| RuleLine {
        rule: rules.rule_name(row.rule),
        entity: rules.entities().name(rules.rule(row.rule).entity),
        candidates: row.candidates,
        findings: row.findings,
        ns_per_kb: row.cost.map(|cost| rounded(nanos_per_kilobyte(costs.bytes, cost))),
    };
    let object = Object {
        version: env!("CARGO_PKG_VERSION"),
        policy: &subject.policy.names().policy,
        class: subject.policy.class_name(subject.class),
        rules: rules.rules().len(),
        input: InputLine { files: *files, records: measured.records, bytes, whole: *is_whole },
        runs: measured.engine.runs(),
        engine: rates(bytes, &measured.engine),
        memcpy: rates(bytes, &measured.memcpy),
        share_of_memcpy: rounded(measured.share_of_memcpy()),
        stages: Stage::ALL.map(stage).into(),
        findings: by_entity(report).into_iter().map(|(entity, count)| FoundLine { entity, count }).collect(),
        by_rule: RulesLine {
            bytes: costs.bytes,
            ns_per_kb: rounded(nanos_per_kilobyte(costs.bytes, costs.all)),
            noise_ns_per_kb: rounded(nanos_per_kilobyte(costs.bytes, costs.noise)),
            rules: costs.rows.iter().map(rule).collect(),
        },
    };
    let mut out = Vec::new();
    serde_json::to_writer_pretty(&mut out, &object).expect("a vector takes all");
    out.push(b'\n');
    out
}

fn rates(bytes: usize, spread: &Spread) -> RateLine {
    let rate = |time| rounded(megabytes_per_second(bytes, time));
    RateLine {
        median_mb_per_s: rate(spread.median()),
        slowest_mb_per_s: rate(spread.max()),
        fastest_mb_per_s: rate(spread.min()),
    }
}

/// Four digits behind the point say more than the measurement knows.
fn rounded(number: f64) -> f64 {
    (number * 1e4).round() / 1e4
}

/// The format of `--format json`. A megabyte is 10^6 bytes, a kilobyte 10^3.
#[derive(Serialize)]
struct Object<'a> {
    version: &'a str,
    policy: &'a str,
    class: &'a str,
    rules: usize,
    input: InputLine,
    runs: usize,
    engine: RateLine,
    memcpy: RateLine,
    share_of_memcpy: f64,
    stages: Vec<StageLine>,
    findings: Vec<FoundLine>,
    by_rule: RulesLine<'a>,
}

#[derive(Serialize)]
struct InputLine {
    files: usize,
    records: usize,
    bytes: usize,
    /// Whether the inputs were read to their end.
    whole: bool,
}

#[derive(Serialize)]
struct RateLine {
    median_mb_per_s: f64,
    slowest_mb_per_s: f64,
    fastest_mb_per_s: f64,
}

#[derive(Serialize)]
struct StageLine {
    stage: &'static str,
    ns_per_kb: f64,
    /// Of the engine's median.
    share: f64,
}

#[derive(Serialize)]
struct FoundLine {
    entity: String,
    count: u64,
}

#[derive(Serialize)]
struct RulesLine<'a> {
    /// Of the sample that every search was made on.
    bytes: usize,
    /// The search with all rules.
    ns_per_kb: f64,
    noise_ns_per_kb: f64,
    rules: Vec<RuleLine<'a>>,
}

#[derive(Serialize)]
struct RuleLine<'a> {
    rule: &'a str,
    entity: &'a str,
    candidates: u64,
    findings: u64,
    /// Null where it was not measured.
    ns_per_kb: Option<f64>,
}

const INFALLIBLE: &str = "a string takes all";

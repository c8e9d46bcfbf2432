/*!
What each rule costs.

A rule's cost is what the search for findings loses by it: the time with all
rules less the time with all but this one, each the fastest of several runs in
turn. That is honest where rules share their work: a rule whose candidates are
found by a pass that is made anyway costs its candidates and no pass. Replacing
what it found is not in it. The time with all rules is measured three times
over; how far these are apart is the noise, and a cost below it is none that
can be told.
*/

use std::hint::black_box;
use std::time::Duration;

use super::Sample;
use super::engine::Subject;
use super::pack;
use crate::clock::Clock;
use crate::detect::{RuleId, Rules, Scratch, Wanted};
use crate::filter::lines;
use crate::span::Span;

/// What one rule did and took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The rule.
    pub rule: RuleId,
    /// Values that it looked at: findings, and what was none after all.
    pub candidates: u64,
    /// What it found.
    pub findings: u64,
    /// What the search loses by it; `None` if there was no time for it or it cannot be left out.
    pub cost: Option<Duration>,
}

/// What all rules took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Costs {
    /// Bytes of the sample that each run searched.
    pub bytes: usize,
    /// The search with all rules.
    pub all: Duration,
    /// How far equal measurements are apart.
    pub noise: Duration,
    /// Rules with candidates, those with most first.
    pub rows: Vec<Row>,
}

/// Bytes that are searched for the cost of rules, at most.
pub const BYTES_MAX: usize = 8 * 1024 * 1024;

/// How long one search of the sample should take: the sample is made smaller for a slow policy.
const RUN_WAIT: Duration = Duration::from_millis(20);

/// Runs of which the fastest counts.
const RUNS: usize = 7;

/// Measures every rule of `packs`, from which the subject's rules were made, that has candidates in the sample; no
/// more are begun once `wait_max` is over.
pub fn measure(
    subject: Subject<'_>,
    packs: &[(&str, &str)],
    sample: &Sample,
    wait_max: Duration,
    clock: &dyn Clock,
) -> Costs {
    let (rules, wanted) = (subject.policy.rules(), subject.policy.wanted(subject.class));
    let sample = &fitting(rules, wanted, sample, clock);
    let mut costs = Costs { bytes: sample.bytes(), rows: rows(rules, wanted, sample), ..Costs::default() };
    let started = clock.monotonic();
    let mut all = fastest([rules; 3], wanted, sample, clock);
    all.sort();
    (costs.all, costs.noise) = (all[0], all[2] - all[0]);
    for row in &mut costs.rows {
        if clock.monotonic() - started > wait_max {
            break;
        }
        let Some(without) = without(packs, rules, row.rule) else { continue };
        let [with, without] = fastest([rules, &without], wanted, sample, clock);
        row.cost = Some(with.saturating_sub(without));
    }
    costs
}

/// So much of the sample that a search takes about [`RUN_WAIT`].
fn fitting(rules: &Rules, wanted: &Wanted, sample: &Sample, clock: &dyn Clock) -> Sample {
    let probe = sample.thinned(BYTES_MAX / 32);
    search(rules, wanted, &probe, clock);
    let took = search(rules, wanted, &probe, clock).as_secs_f64().max(1e-9);
    let fitting = probe.bytes() as f64 * RUN_WAIT.as_secs_f64() / took;
    sample.thinned((fitting as usize).min(BYTES_MAX))
}

/// Every rule that has candidates.
fn rows(rules: &Rules, wanted: &Wanted, sample: &Sample) -> Vec<Row> {
    let row = |(rule, _)| Row { rule, candidates: 0, findings: 0, cost: None };
    let mut rows: Vec<Row> = rules.rules().map(row).collect();
    let mut scratch = Scratch::default();
    for piece in sample.pieces() {
        let records: Vec<Span> = lines(piece.bytes()).collect();
        rules.find_in_messages(wanted, &mut scratch, piece.bytes(), &records, |_, found| {
            for finding in found {
                rows[usize::from(finding.rule.0)].findings += 1;
                rows[usize::from(finding.rule.0)].candidates += 1;
            }
        });
        for record in records {
            for miss in rules.near_misses(wanted, &piece.bytes()[record.range()]) {
                rows[usize::from(miss.rule.0)].candidates += 1;
            }
        }
    }
    rows.retain(|row| row.candidates > 0);
    rows.sort_by_key(|row| std::cmp::Reverse(row.candidates));
    rows
}

/// The rules of the packs without one; `None` if the packs are written so that it cannot be cut out.
fn without(packs: &[(&str, &str)], rules: &Rules, rule: RuleId) -> Option<Rules> {
    let name = rules.rule_name(rule);
    let cut: Vec<String> = packs.iter().map(|(_, text)| pack::keep(text, |other| other != name)).collect();
    let named: Vec<(&str, &str)> =
        packs.iter().zip(&cut).map(|((file, _), text)| (*file, &text[..])).collect();
    let less = Rules::load(&named).ok()?;
    let as_meant =
        less.rules().len() + 1 == rules.rules().len() && less.entities().len() == rules.entities().len();
    as_meant.then_some(less)
}

/// The fastest search with each set of rules, made in turn.
fn fastest<const N: usize>(
    of: [&Rules; N],
    wanted: &Wanted,
    sample: &Sample,
    clock: &dyn Clock,
) -> [Duration; N] {
    let mut fastest = [Duration::MAX; N];
    // One more, for tables are built in the first.
    for _ in 0..=RUNS {
        for (rules, fastest) in of.into_iter().zip(&mut fastest) {
            *fastest = search(rules, wanted, sample, clock).min(*fastest);
        }
    }
    fastest
}

fn search(rules: &Rules, wanted: &Wanted, sample: &Sample, clock: &dyn Clock) -> Duration {
    let records: Vec<Vec<Span>> =
        sample.pieces().iter().map(|piece| lines(piece.bytes()).collect()).collect();
    let mut scratch = Scratch::default();
    let started = clock.monotonic();
    for (piece, records) in sample.pieces().iter().zip(&records) {
        rules.find_in_messages(wanted, &mut scratch, piece.bytes(), records, |_, found| {
            black_box(found);
        });
    }
    clock.monotonic() - started
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::Ticking;
    use crate::detect::pack::BUILTIN;
    use crate::keys::Keyring;
    use crate::policy::Policy;

    #[test]
    fn rules_with_candidates_are_measured_and_no_others() {
        let policy = Policy::builtin("everything").expect("it is built in");
        let class = policy.class_named("app").expect("it has it");
        let subject = Subject { policy: &policy, class, keyring: &Keyring::empty() };
        let sample = Sample::of(&b"by 192.0.2.7 and Chrome/126.0.0.0\n".repeat(20));
        let clock = Ticking::default();
        let costs = measure(subject, BUILTIN, &sample, Duration::from_secs(60), &clock);
        let row = costs.rows.iter().find(|row| policy.rules().rule_name(row.rule) == "ipv4");
        let row = row.expect("it has candidates");
        assert_eq!((row.candidates, row.findings), (40, 20));
        assert_eq!(row.cost, Some(Duration::ZERO), "it was left out, and every search takes a tick");
        assert!(costs.rows.iter().all(|row| row.candidates > 0));
        assert_eq!((costs.all, costs.noise), (Duration::from_millis(1), Duration::ZERO));
        let costs = measure(subject, BUILTIN, &sample, Duration::ZERO, &clock);
        assert!(costs.rows.iter().all(|row| row.cost.is_none()), "there was no time");
    }
}

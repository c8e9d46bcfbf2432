//! What was found, in numbers: by entity, by rule, by file, and over the course of the input.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::Searched;
use crate::detect::RuleId;
use crate::entity::Entity;

/// All counts of a scan.
#[derive(Debug)]
pub(super) struct Counts {
    pub(super) records: u64,
    pub(super) bytes: u64,
    pub(super) findings: u64,
    pub(super) records_with_findings: u64,
    /// Records that could not be searched.
    pub(super) unsearched: u64,
    /// Inputs that could not be read to their end.
    pub(super) unreadable: u64,
    pub(super) entities: BTreeMap<Entity, u64>,
    pub(super) rules: BTreeMap<(Entity, RuleId), u64>,
    pub(super) files: Vec<File>,
    pub(super) course: Course,
}

/// An input and what was found in it.
#[derive(Debug)]
pub(super) struct File {
    pub(super) name: String,
    /// Lines so far.
    pub(super) lines: u64,
    pub(super) findings: u64,
}

impl Counts {
    pub(super) fn new(names: Vec<String>) -> Counts {
        Counts {
            records: 0,
            bytes: 0,
            findings: 0,
            records_with_findings: 0,
            unsearched: 0,
            unreadable: 0,
            entities: BTreeMap::new(),
            rules: BTreeMap::new(),
            files: names.into_iter().map(|name| File { name, lines: 0, findings: 0 }).collect(),
            course: Course::default(),
        }
    }

    /// Adds a piece whose hits have their lines counted from the start of the input.
    pub(super) fn add(&mut self, searched: &Searched) {
        let file = &mut self.files[searched.input];
        let before = self.records - file.lines;
        let mut last_line = 0;
        for hit in &searched.hits {
            *self.entities.entry(hit.entity).or_default() += 1;
            *self.rules.entry((hit.entity, hit.rule)).or_default() += 1;
            self.course.add(before + hit.line - 1, hit.entity);
            self.records_with_findings += u64::from(hit.line != last_line);
            last_line = hit.line;
        }
        let findings = searched.hits.len() as u64;
        self.findings += findings;
        file.findings += findings;
        file.lines += searched.lines;
        self.records += searched.lines;
        self.bytes += searched.bytes;
        self.unsearched += searched.unsearched;
        self.unreadable += u64::from(searched.unreadable.is_some());
    }
}

/// Names and counts, the largest first.
pub(super) fn named<K: Copy>(counts: &BTreeMap<K, u64>, name: impl Fn(K) -> String) -> Vec<(String, u64)> {
    let mut rows: Vec<(String, u64)> = counts.iter().map(|(key, count)| (name(*key), *count)).collect();
    rows.sort_by(|(a, m), (b, n)| Reverse(m).cmp(&Reverse(n)).then_with(|| a.cmp(b)));
    rows
}

/// Findings over the course of all inputs, in a bounded number of steps of equal width.
#[derive(Debug)]
pub(super) struct Course {
    /// Records in one step; it doubles when the steps run out.
    pub(super) width: u64,
    pub(super) steps: Vec<BTreeMap<Entity, u64>>,
}

impl Default for Course {
    fn default() -> Course {
        Course { width: 1, steps: Vec::new() }
    }
}

impl Course {
    /// Counts a finding in the record of this number, from 0.
    fn add(&mut self, record: u64, entity: Entity) {
        while record / self.width >= STEPS_MAX as u64 {
            self.halve();
        }
        let step = usize::try_from(record / self.width).expect("it is below STEPS_MAX");
        if self.steps.len() <= step {
            self.steps.resize_with(step + 1, BTreeMap::new);
        }
        *self.steps[step].entry(entity).or_default() += 1;
    }

    fn halve(&mut self) {
        self.width *= 2;
        let halves = std::mem::take(&mut self.steps);
        for (at, step) in halves.into_iter().enumerate() {
            if at % 2 == 0 {
                self.steps.push(step);
                continue;
            }
            let into = self.steps.last_mut().expect("an even step comes before an odd one");
            for (entity, count) in step {
                *into.entry(entity).or_default() += count;
            }
        }
    }
}

/// Steps of the course: as many columns as a chart can show.
const STEPS_MAX: usize = 96;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// For all records: the steps hold every finding, and each in the step of its record.
        #[test]
        fn the_course_loses_nothing(records in proptest::collection::vec(0_u64..100_000, 0..300)) {
            let mut course = Course::default();
            for record in &records {
                course.add(*record, Entity::EMAIL);
            }
            prop_assert!(course.steps.len() <= STEPS_MAX);
            for (at, step) in course.steps.iter().enumerate() {
                let within = |record: &&u64| **record / course.width == at as u64;
                let expected = records.iter().filter(within).count() as u64;
                prop_assert_eq!(step.get(&Entity::EMAIL).copied().unwrap_or(0), expected);
            }
        }
    }
}

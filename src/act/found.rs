/*!
What was found in the records of a batch, part by part.
*/

use super::Orders;
use super::known::Known;
use crate::detect::overrule::Within;
use crate::detect::{Finding, Scratch};
use crate::record::Record;
use crate::span::Span;

/// What the parts are, in the order of [`Record::parts_mut`].
const WITHIN: [Within; 6] =
    [Within::Word, Within::Word, Within::Word, Within::Word, Within::Structured, Within::Message];

/// Findings of many parts, kept with their allocations from batch to batch.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The parts that carry text and are searched, in the order of records and of [`Record::parts_mut`].
    haystacks: Vec<Span>,
    /// Of each of them: its place among all parts that carry text, and its record if it is a word of a header.
    places: Vec<(usize, Option<usize>)>,
    known: Known,
    findings: Vec<Finding>,
    /// What was found before the policy's lines were asked.
    before: Vec<Finding>,
    /// Of each part that has some: its place, and the end of its findings.
    ends: Vec<(usize, usize)>,
}

impl Found {
    /// Searches every part of `records`, whose spans point into `raw`.
    pub(super) fn search(&mut self, orders: &Orders, scratch: &mut Scratch, raw: &[u8], records: &[Record]) {
        self.gather(raw, records);
        // A frame's parts stand in their order; if ever they did not, each run that does is searched for itself.
        let mut before = 0;
        for rising in self.haystacks.chunk_by(|a, b| a.end <= b.start) {
            let each = |of_run: usize, found: &[Finding]| {
                self.findings.extend_from_slice(found);
                self.ends.push((self.places[before + of_run].0, self.findings.len()));
            };
            orders.rules.find_all(orders.wanted, scratch, raw, rising, each);
            before += rising.len();
        }
        self.learn(raw, records);
        if orders.wanted.is_overruled() {
            self.overrule(orders, scratch, raw, records);
        }
    }

    /// Makes the list of what is to be searched: all that carries text, but words that are known to be clean.
    fn gather(&mut self, raw: &[u8], records: &[Record]) {
        self.haystacks.clear();
        self.places.clear();
        self.findings.clear();
        self.ends.clear();
        let mut place = 0;
        for (nth, record) in records.iter().enumerate() {
            if record.is_plain() {
                if !record.message.is_empty() {
                    self.haystacks.push(record.message);
                    self.places.push((place, None));
                    place += 1;
                }
                continue;
            }
            let mut parts = *record;
            for (part, within) in parts.parts_mut().into_iter().zip(WITHIN) {
                if part.is_empty() {
                    continue;
                }
                let word = (within == Within::Word).then_some(nth);
                if word.is_none() || !self.known.is_clean(record, &raw[part.range()]) {
                    self.haystacks.push(*part);
                    self.places.push((place, word));
                }
                place += 1;
            }
        }
    }

    /// Remembers the words that have no findings.
    fn learn(&mut self, raw: &[u8], records: &[Record]) {
        let mut ends = self.ends.iter().peekable();
        for (span, (place, word)) in self.haystacks.iter().zip(&self.places) {
            let is_found = ends.next_if(|(of, _)| of == place).is_some();
            if let (Some(nth), false) = (word, is_found) {
                self.known.add(&records[*nth], &raw[span.range()]);
            }
        }
    }

    /// Asks the policy's lines for fields and values at every part, also where nothing was found.
    fn overrule(&mut self, orders: &Orders, scratch: &mut Scratch, raw: &[u8], records: &[Record]) {
        self.before.clear();
        self.before.append(&mut self.findings);
        let mut ends = std::mem::take(&mut self.ends).into_iter().peekable();
        let (mut place, mut taken) = (0, 0);
        for record in records {
            let mut record = *record;
            for (part, within) in record.parts_mut().into_iter().zip(WITHIN) {
                if part.is_empty() {
                    continue;
                }
                let end = ends.next_if(|(of, _)| *of == place).map_or(taken, |(_, end)| end);
                let from = self.findings.len();
                self.findings.extend_from_slice(&self.before[taken..end]);
                let haystack = &raw[part.range()];
                orders.rules.overrule(orders.wanted, scratch, within, haystack, &mut self.findings, from);
                if self.findings.len() > from {
                    self.ends.push((place, self.findings.len()));
                }
                (place, taken) = (place + 1, end);
            }
        }
    }

    /// Gives the findings of one part after the other, at each call.
    pub(super) fn by_part<'a>(&'a self) -> impl FnMut() -> &'a [Finding] {
        let mut ends = self.ends.iter().peekable();
        let mut place = 0;
        let mut from = 0;
        move || {
            let end = ends.next_if(|(of, _)| *of == place).map_or(from, |&(_, end)| end);
            let findings = &self.findings[from..end];
            (place, from) = (place + 1, end);
            findings
        }
    }
}

/*!
What was found in the records of a batch, part by part.
*/

use super::Orders;
use crate::detect::{Finding, Scratch};
use crate::record::Record;
use crate::span::Span;

/// Findings of many parts, kept with their allocations from batch to batch.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The parts that carry text, in the order of records and of [`Record::parts_mut`].
    haystacks: Vec<Span>,
    findings: Vec<Finding>,
    /// Of each part that has some: its place, and the end of its findings.
    ends: Vec<(usize, usize)>,
}

impl Found {
    /// Searches every part of `records`, whose spans point into `raw`.
    pub(super) fn search(&mut self, orders: &Orders, scratch: &mut Scratch, raw: &[u8], records: &[Record]) {
        self.haystacks.clear();
        self.findings.clear();
        self.ends.clear();
        for record in records {
            let mut record = *record;
            let parts = record.parts_mut().into_iter().map(|part| *part);
            self.haystacks.extend(parts.filter(|part| !part.is_empty()));
        }
        // A frame's parts stand in their order; if ever they did not, each run that does is searched for itself.
        let mut place = 0;
        for rising in self.haystacks.chunk_by(|a, b| a.end <= b.start) {
            let each = |of_run: usize, found: &[Finding]| {
                self.findings.extend_from_slice(found);
                self.ends.push((place + of_run, self.findings.len()));
            };
            orders.rules.find_all(orders.wanted, scratch, raw, rising, each);
            place += rising.len();
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

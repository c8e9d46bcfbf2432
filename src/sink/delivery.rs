/*!
What one attempt is made with: some records of some batches, in order.
*/

use std::cell::Cell;
use std::ops::Range;
use std::sync::Arc;

use crate::act::{Envelope, Redacted};

/// Records that go to a sink together. A batch may begin or end outside of it, and records that are settled already
/// may be left out in between.
#[derive(Clone, Debug)]
pub struct Delivery<'a> {
    batches: &'a [Arc<Redacted>],
    records: Selection,
}

impl<'a> Delivery<'a> {
    /// Those of the batches' records that stand in `records`.
    pub(super) fn new(batches: &'a [Arc<Redacted>], records: Selection) -> Delivery<'a> {
        Delivery { batches, records }
    }

    /// Number of records.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.records.len() == 0
    }

    /// The records.
    pub fn iter(&self) -> impl Iterator<Item = Envelope<'a>> + use<'a> {
        let mut all = self.batches.iter().flat_map(|batch| batch.iter());
        let mut ranges = self.records.0.clone().into_iter();
        let (mut at, mut range) = (0, 0..0);
        std::iter::from_fn(move || {
            if range.is_empty() {
                range = ranges.next()?;
            }
            let place = range.next()?;
            all.nth(place - std::mem::replace(&mut at, place + 1))
        })
    }

    /// Leaves only the first `records`: the sink takes no more at once, and its verdict is about these.
    pub fn limit(&mut self, records: usize) {
        self.records.split_off(records);
    }

    /// The records as batches; one that lies here in part is copied, less the rest.
    pub fn batches(&self) -> Vec<Arc<Redacted>> {
        let mut start = 0;
        let mut batches = Vec::new();
        for batch in self.batches {
            let end = start + batch.len();
            let inside = self.records.inside(start..end);
            if inside == batch.len() {
                batches.push(Arc::clone(batch));
            } else if inside > 0 {
                let at = Cell::new(start);
                batches.push(Arc::new(batch.only(|_| self.records.holds(at.replace(at.get() + 1)))));
            }
            start = end;
        }
        batches
    }
}

/// Places of records among all the batches': ranges in order, none of them empty, no two of them touching.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Selection(Vec<Range<usize>>);

impl Selection {
    /// The places of one range.
    pub(super) fn of(range: Range<usize>) -> Selection {
        Selection(if range.is_empty() { Vec::new() } else { vec![range] })
    }

    /// Number of places.
    pub(super) fn len(&self) -> usize {
        self.0.iter().map(ExactSizeIterator::len).sum()
    }

    /// The places, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().flat_map(Clone::clone)
    }

    /// Adds a place behind all others.
    pub(super) fn push(&mut self, place: usize) {
        match self.0.last_mut() {
            Some(last) if last.end == place => last.end += 1,
            Some(_) | None => self.0.push(place..place + 1),
        }
    }

    /// Keeps the first `len` places and gives the others.
    pub(super) fn split_off(&mut self, len: usize) -> Selection {
        let mut left = len;
        let mut behind = Vec::new();
        for range in &mut self.0 {
            let taken = range.len().min(left);
            left -= taken;
            let rest = range.start + taken..range.end;
            range.end = rest.start;
            behind.push(rest);
        }
        self.0.retain(|range| !range.is_empty());
        behind.retain(|range| !range.is_empty());
        Selection(behind)
    }

    fn inside(&self, of: Range<usize>) -> usize {
        self.0.iter().map(|range| (range.start.max(of.start)..range.end.min(of.end)).len()).sum()
    }

    fn holds(&self, place: usize) -> bool {
        let behind = self.0.partition_point(|range| range.end <= place);
        self.0.get(behind).is_some_and(|range| range.start <= place)
    }
}

/*!
What one attempt is made with: some records of some batches, in order.
*/

use std::cell::Cell;
use std::ops::Range;
use std::sync::Arc;

use crate::act::{Envelope, Redacted};

/// Records that go to a sink together. A batch may begin or end outside of it.
#[derive(Clone, Debug)]
pub struct Delivery<'a> {
    batches: &'a [Arc<Redacted>],
    /// Of all the batches' records.
    records: Range<usize>,
}

impl<'a> Delivery<'a> {
    /// Those of the batches' records that stand in `records`.
    pub(super) fn new(batches: &'a [Arc<Redacted>], records: Range<usize>) -> Delivery<'a> {
        Delivery { batches, records }
    }

    /// Number of records.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The records.
    pub fn iter(&self) -> impl Iterator<Item = Envelope<'a>> + use<'a> {
        let all = self.batches.iter().flat_map(|batch| batch.iter());
        all.skip(self.records.start).take(self.records.len())
    }

    /// Leaves only the first `records`: the sink takes no more at once, and its verdict is about these.
    pub fn limit(&mut self, records: usize) {
        self.records.end = self.records.end.min(self.records.start.saturating_add(records));
    }

    /// The records as batches; one that lies here in part is copied, less the rest.
    pub fn batches(&self) -> Vec<Arc<Redacted>> {
        let mut start = 0;
        let mut batches = Vec::new();
        for batch in self.batches {
            let end = start + batch.len();
            let inside = self.records.start.max(start)..self.records.end.min(end);
            if inside.len() == batch.len() {
                batches.push(Arc::clone(batch));
            } else if !inside.is_empty() {
                let at = Cell::new(start);
                batches.push(Arc::new(batch.only(|_| inside.contains(&at.replace(at.get() + 1)))));
            }
            start = end;
        }
        batches
    }
}

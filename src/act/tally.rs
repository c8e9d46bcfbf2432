//! What was done, in numbers.

use crate::action::{self, Action};
use crate::entity::Entity;

/// Counts of what happened to records and findings. Added up once per batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Records that came in.
    pub records_in: u64,
    /// Records that go on, markers in the place of withheld ones among them.
    pub records_out: u64,
    /// Records that the action `drop_record` took out.
    pub dropped: u64,
    /// Records that could not be handled; a marker stands in the place of each.
    pub withheld: u64,
    /// Bytes that came in.
    pub bytes_in: u64,
    /// Bytes that go on.
    pub bytes_out: u64,
    /// By [`Entity::index`] and [`Action::strength`].
    findings: Vec<[u64; action::NAMES.len()]>,
}

impl Tally {
    /// Counts a finding and what was done with it.
    pub fn count(&mut self, entity: Entity, action: Action) {
        if self.findings.len() <= entity.index() {
            self.findings.resize(entity.index() + 1, [0; action::NAMES.len()]);
        }
        self.findings[entity.index()][usize::from(action.strength())] += 1;
    }

    /// How many findings of an entity were handled by the action of this name; 0 for a name that is none.
    pub fn found(&self, entity: Entity, action: &str) -> u64 {
        let place = action::NAMES.iter().position(|name| *name == action);
        let counts = self.findings.get(entity.index());
        place.zip(counts).map_or(0, |(place, counts)| counts[place])
    }

    /// Every entity and action that occurred, with its count: (position of the entity, name of the action, count).
    pub fn findings(&self) -> impl Iterator<Item = (usize, &'static str, u64)> + '_ {
        let each = |(entity, counts): (usize, &[u64; action::NAMES.len()])| {
            let named = action::NAMES.iter().zip(*counts).filter(|(_, count)| *count > 0);
            named.map(move |(name, count)| (entity, *name, count)).collect::<Vec<_>>()
        };
        self.findings.iter().enumerate().flat_map(each)
    }

    /// Adds another tally to this one.
    pub fn add(&mut self, other: &Tally) {
        self.records_in += other.records_in;
        self.records_out += other.records_out;
        self.dropped += other.dropped;
        self.withheld += other.withheld;
        self.bytes_in += other.bytes_in;
        self.bytes_out += other.bytes_out;
        if self.findings.len() < other.findings.len() {
            self.findings.resize(other.findings.len(), [0; action::NAMES.len()]);
        }
        for (counts, more) in self.findings.iter_mut().zip(&other.findings) {
            for (count, more) in counts.iter_mut().zip(more) {
                *count += more;
            }
        }
    }
}

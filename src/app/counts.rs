/*!
What the policy counts beyond the limits of its records, as one more sink: a client hears yes once its records are counted.
*/

use std::sync::Arc;

use super::keeper::Keeper;
use super::live::Now;
use crate::aggregate::{Tended, Words, count};
use crate::clock::Clock;
use crate::policy::Policy;
use crate::sink::{Delivery, Fault, Sink, Verdict};
use crate::telemetry::SinkError;

/// Its name among the sinks: no configuration can have it.
pub const NAME: &str = "(aggregates)";

/// Counts what it is sent.
pub struct CountsSink {
    keeper: Arc<Keeper>,
    now: Now,
    /// Of the policy that was in force last.
    words: Option<(Arc<Policy>, Words)>,
}

impl CountsSink {
    /// Counts as the policy says that `now` has.
    pub fn new(keeper: Arc<Keeper>, now: Now) -> CountsSink {
        CountsSink { keeper, now, words: None }
    }
}

impl Sink for CountsSink {
    async fn send(&mut self, delivery: &mut Delivery<'_>) -> Verdict {
        let policy = Arc::clone(&self.now.look().policy);
        // A reload may have come in between: then there is nothing to count any more.
        let Some(wanted) = policy.aggregates() else { return Verdict::Accept };
        self.words.take_if(|(of, _)| !Arc::ptr_eq(of, &policy));
        let fresh = || (Arc::clone(&policy), Words::new(&wanted.words));
        let (_, words) = self.words.get_or_insert_with(fresh);
        let batches = delivery.batches();
        let added = tokio::task::block_in_place(|| {
            let counts = count(batches.iter().map(Arc::as_ref), wanted, words);
            self.keeper.counts().add(counts, wanted, self.keeper.time().now())
        });
        match added {
            Ok(()) => Verdict::Accept,
            Err(error) => Verdict::Defer(Fault { kind: SinkError::Storage, detail: error.to_string() }, None),
        }
    }
}

/// Closes the hours that are over, and destroys counts that are due. Blocks.
pub fn tend(keeper: &Keeper, policy: &Policy) {
    let ttl = policy.aggregates().map(|wanted| wanted.ttl);
    match keeper.counts().tend(ttl, &keeper.time().look()) {
        Ok(Tended { destroyed, damaged, .. }) => {
            if destroyed > 0 {
                tracing::info!(days = destroyed, "destroyed counts that were due");
            }
            if damaged > 0 {
                tracing::error!(
                    files = damaged,
                    "counts cannot be read and were set aside; see aggregates/*.damaged"
                );
            }
        }
        Err(error) => tracing::error!(%error, "cannot look after the counts; trying again"),
    }
}

/*!
What stands between a queue and a sink that feeds a store: nothing of a class
passes whose retention there is not verified.

A record of such a class is not refused; it waits, in order, with what stands
behind it in the same queue, within that queue's bound. Other sinks go on.
*/

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Batch, Context, Delivery, Fault, Sink, Verdict};
use crate::telemetry::SinkError;

/// The classes that a sink does not get just now.
type Classes = Arc<BTreeSet<String>>;

/// The classes that each sink does not get just now, by its name. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<Mutex<BTreeMap<String, Classes>>>);

impl Gate {
    /// Closed for these classes of these sinks, open for the rest.
    pub fn close(&self, closed: BTreeMap<String, BTreeSet<String>>) {
        let closed = closed.into_iter().filter(|(_, classes)| !classes.is_empty());
        *self.lock() = closed.map(|(sink, classes)| (sink, Arc::new(classes))).collect();
    }

    /// Whether anything waits to be verified.
    pub fn is_closed(&self) -> bool {
        !self.lock().is_empty()
    }

    fn closed(&self, sink: &str) -> Option<Classes> {
        self.lock().get(sink).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Classes>> {
        // The map is replaced whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A sink behind the gate.
pub struct Gated<S> {
    sink: S,
    name: Arc<str>,
    gate: Gate,
}

impl<S> Gated<S> {
    /// `sink` in its surroundings.
    pub fn new(sink: S, context: &Context) -> Gated<S> {
        Gated { sink, name: Arc::clone(&context.name), gate: context.gate.clone() }
    }
}

impl<S: Sink> Sink for Gated<S> {
    async fn send(&mut self, delivery: &mut Delivery<'_>) -> Verdict {
        if let Some(closed) = self.gate.closed(&self.name) {
            let first = delivery.iter().enumerate().find(|(_, envelope)| closed.contains(envelope.class));
            if let Some((at, envelope)) = first {
                if at == 0 {
                    // A sink that deletes by itself goes on doing so.
                    self.sink.tick().await;
                    let detail = format!("the retention of class {} is not verified there", envelope.class);
                    return Verdict::Defer(Fault { kind: SinkError::Unverified, detail }, None);
                }
                delivery.limit(at);
            }
        }
        self.sink.send(delivery).await
    }

    fn batch(&self) -> Batch {
        self.sink.batch()
    }

    fn twin(&self) -> Option<Gated<S>> {
        let (name, gate) = (Arc::clone(&self.name), self.gate.clone());
        self.sink.twin().map(|sink| Gated { sink, name, gate })
    }

    async fn tick(&mut self) {
        self.sink.tick().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A method that the gate left to its default would be lost for every sink behind it.
    #[test]
    fn every_method_of_a_sink_passes_the_gate() {
        let methods = |source: &str, head: &str| -> BTreeSet<String> {
            let body =
                source.split_once(head).expect("it is there").1.split("\n}").next().unwrap_or_default();
            let name = |line: &str| {
                let line = line.trim().trim_start_matches("async ").strip_prefix("fn ")?;
                line.split(['(', '<']).next().map(str::to_owned)
            };
            body.lines().filter_map(name).collect()
        };
        let all = methods(include_str!("mod.rs"), "pub trait Sink: Send {");
        assert!(all.len() >= 3 && all.contains("batch"), "{all:?}");
        assert_eq!(methods(include_str!("gate.rs"), "impl<S: Sink> Sink for Gated<S> {"), all);
    }

    struct Counting {
        ticks: usize,
    }

    impl Sink for Counting {
        async fn send(&mut self, _delivery: &mut Delivery<'_>) -> Verdict {
            Verdict::Accept
        }

        fn batch(&self) -> Batch {
            Batch { records_max: 7, ..Batch::default() }
        }

        async fn tick(&mut self) {
            self.ticks += 1;
        }
    }

    #[tokio::test]
    async fn a_sink_behind_the_gate_is_what_it_is_without() {
        let mut gated = Gated { sink: Counting { ticks: 0 }, name: "it".into(), gate: Gate::default() };
        gated.tick().await;
        assert_eq!((gated.batch().records_max, gated.sink.ticks), (7, 1));
    }
}

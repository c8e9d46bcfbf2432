/*!
The whole engine and its stages on a sample.

Each round measures all of it once, in turn, so that what else the machine does
falls on all alike; the first round is thrown away, for tables are built in it.

- *engine*: [`pipeline::process`] over all pieces, their cutting into records
  included; what comes out is counted and given back, as a sink does.
- *memcpy*: the same bytes copied to another place of the same size.
- *stages*: each alone over all pieces, on what the one before it has made; acting
  is what is left when detection and copying are taken from all three together.
*/

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use super::{Effort, Sample, Spread};
use crate::act::{Orders, Pass, Table};
use crate::clock::{Clock, Timestamp};
use crate::detect::Scratch;
use crate::filter::{Origin, batches};
use crate::keys::Keyring;
use crate::pipeline::{self, Outcome, State, Tally};
use crate::policy::Policy;
use crate::record::{Batch, ClassId};
use crate::secret::Raw;

/// What is measured.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// It routes every record to `class`.
    pub policy: &'a Policy,
    /// The class of all records.
    pub class: ClassId,
    /// Has a key for the class.
    pub keyring: &'a Keyring,
}

/// A part of the engine's work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// A piece becomes records.
    Frame,
    /// A record gets its class and stream.
    Route,
    /// Findings are found.
    Detect,
    /// Findings are replaced.
    Act,
    /// What is no finding is copied.
    Copy,
    /// What the stages alone do not have: guards, counts, memory of batches.
    Rest,
}

impl Stage {
    /// All of them, in the order of a record's way.
    pub const ALL: [Stage; 6] =
        [Stage::Frame, Stage::Route, Stage::Detect, Stage::Act, Stage::Copy, Stage::Rest];

    /// What reports call it.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Frame => "frame",
            Stage::Route => "route",
            Stage::Detect => "detect",
            Stage::Act => "act",
            Stage::Copy => "copy",
            Stage::Rest => "rest",
        }
    }
}

/// What came of a measurement.
#[derive(Debug, Default)]
pub struct Measured {
    /// Bytes of the sample.
    pub bytes: usize,
    /// Records of the sample.
    pub records: usize,
    /// The whole engine.
    pub engine: Spread,
    /// A copy of the same bytes.
    pub memcpy: Spread,
    /// By [`Stage`]. `rest` is what the others leave of `engine`, and below noise it is zero.
    stages: [Spread; 5],
    /// What was found and done in one run.
    pub tally: Tally,
}

impl Measured {
    /// The engine's speed as a share of memcpy's.
    pub fn share_of_memcpy(&self) -> f64 {
        self.memcpy.median().as_secs_f64() / self.engine.median().as_secs_f64().max(f64::MIN_POSITIVE)
    }

    /// Median time of a stage.
    pub fn stage(&self, stage: Stage) -> Duration {
        match self.stages.get(stage as usize) {
            Some(spread) => spread.median(),
            None => self.engine.median().saturating_sub(self.stages.iter().map(Spread::median).sum()),
        }
    }
}

/// Measures engine, memcpy and stages.
pub fn measure(subject: Subject<'_>, sample: &Sample, effort: Effort, clock: &dyn Clock) -> Measured {
    rounds(subject, sample, effort, clock, |bench, spreads| {
        for (spread, time) in spreads.iter_mut().zip(bench.stages()) {
            spread.add(time);
        }
    })
}

/// Measures engine and memcpy alone, for tables without stages.
pub fn measure_whole(subject: Subject<'_>, sample: &Sample, effort: Effort, clock: &dyn Clock) -> Measured {
    rounds(subject, sample, effort, clock, |_, _| ())
}

fn rounds(
    subject: Subject<'_>,
    sample: &Sample,
    effort: Effort,
    clock: &dyn Clock,
    stages: impl Fn(&mut Bench<'_>, &mut [Spread; 5]),
) -> Measured {
    let mut bench = Bench::new(subject, sample, clock);
    let mut measured = Measured { bytes: sample.bytes(), records: sample.records(), ..Measured::default() };
    // The round that does not count.
    measured.tally = bench.engine().1;
    bench.memcpy();
    stages(&mut bench, &mut <[Spread; 5]>::default());
    let started = clock.monotonic();
    while effort.goes_on(measured.engine.runs(), clock.monotonic() - started) {
        measured.memcpy.add(bench.memcpy());
        measured.engine.add(bench.engine().0);
        stages(&mut bench, &mut measured.stages);
    }
    measured
}

/// What a measurement keeps from round to round.
struct Bench<'a> {
    subject: Subject<'a>,
    sample: &'a Sample,
    clock: &'a dyn Clock,
    state: State,
    /// Where copies go.
    out: Vec<u8>,
    origin: Origin,
}

impl<'a> Bench<'a> {
    fn new(subject: Subject<'a>, sample: &'a Sample, clock: &'a dyn Clock) -> Bench<'a> {
        let out = vec![0; sample.bytes()];
        let origin = Origin { received: Timestamp::UNIX_EPOCH, source: "bench".into() };
        Bench { subject, sample, clock, state: State::default(), out, origin }
    }

    fn time<T>(&self, work: impl FnOnce() -> T) -> (Duration, T) {
        let started = self.clock.monotonic();
        let made = black_box(work());
        (self.clock.monotonic() - started, made)
    }

    fn memcpy(&mut self) -> Duration {
        let started = self.clock.monotonic();
        let mut at = 0;
        for piece in self.sample.pieces() {
            self.out[at..at + piece.len()].copy_from_slice(black_box(piece.bytes()));
            at += piece.len();
        }
        black_box(&self.out);
        self.clock.monotonic() - started
    }

    fn engine(&mut self) -> (Duration, Tally) {
        let pieces = self.sample.copies();
        let mut state = std::mem::take(&mut self.state);
        let Subject { policy, keyring, .. } = self.subject;
        let (time, tally) = self.time(|| {
            let mut total = Tally::default();
            for batch in pieces.into_iter().flat_map(|piece| batches(piece, &self.origin)) {
                match pipeline::process(policy, keyring, &mut state, batch) {
                    Outcome::Clean { redacted, tally, ack } => {
                        black_box(redacted.bytes());
                        total.add(&tally);
                        ack.confirm();
                    }
                    Outcome::Held { .. } => debug_assert!(false, "the keyring has a key for the class"),
                }
            }
            total
        });
        self.state = state;
        (time, tally)
    }

    /// The times of all stages but the rest, in the order of [`Stage::ALL`].
    fn stages(&mut self) -> [Duration; 5] {
        let pieces = self.sample.copies();
        let (frame, mut batches) = self.frame(pieces);
        let route = self.route(&mut batches);
        let (detect, copy) = (self.detect(&batches), self.copy(&batches));
        let act = self.pass(&batches).saturating_sub(detect + copy);
        [frame, route, detect, act, copy]
    }

    fn frame(&self, pieces: Vec<Raw>) -> (Duration, Vec<Batch>) {
        self.time(|| pieces.into_iter().flat_map(|piece| batches(piece, &self.origin)).collect())
    }

    fn route(&self, batches: &mut [Batch]) -> Duration {
        let routes = self.subject.policy.routes();
        let work = || {
            for batch in batches {
                for place in 0..batch.records.len() {
                    let (stream, class) = routes.route(batch, &batch.records[place]);
                    (batch.records[place].stream, batch.records[place].class) = (stream, class);
                }
            }
        };
        self.time(work).0
    }

    /// Findings are found and forgotten, as a worker does. Parts of this stage are measured here, once there are some.
    fn detect(&self, batches: &[Batch]) -> Duration {
        let Subject { policy, class, .. } = self.subject;
        let (mut scratch, mut spans) = (Scratch::default(), Vec::new());
        let work = || {
            let mut count = 0;
            for batch in batches {
                spans.clear();
                spans.extend(batch.records.iter().map(|record| record.message));
                let (wanted, raw) = (policy.wanted(class), batch.raw.bytes());
                policy
                    .rules()
                    .find_in_messages(wanted, &mut scratch, raw, &spans, |_, found| count += found.len());
            }
            count
        };
        self.time(work).0
    }

    fn copy(&mut self, batches: &[Batch]) -> Duration {
        let mut out = std::mem::take(&mut self.out);
        let work = || {
            for batch in batches {
                out.clear();
                out.extend_from_slice(batch.raw.bytes());
                black_box(&out);
            }
        };
        let time = self.time(work).0;
        out.resize(self.sample.bytes(), 0);
        self.out = out;
        time
    }

    /// Detection, acting and copying together, as a worker does them: acting is what the others leave of it.
    fn pass(&mut self, batches: &[Batch]) -> Duration {
        let (orders, mut state) = (self.orders(), std::mem::take(&mut self.state));
        let names = self.subject.policy.names();
        let work = || {
            let mut tally = Tally::default();
            for batch in batches {
                let mut pass = Pass::new(&batch.raw, batch.received, Arc::clone(names));
                pass.reserve(batch.raw.len(), batch.records.len());
                pass.records(&orders, &mut state, &batch.records, &mut tally);
                black_box(pass.finish());
            }
        };
        let time = self.time(work).0;
        self.state = state;
        time
    }

    fn orders(&self) -> Vec<Orders<'a>> {
        let Subject { policy, keyring, .. } = self.subject;
        let table = keyring.sessions().map(|sessions| Table {
            sessions,
            received: self.origin.received,
            logouts: policy.logouts(),
        });
        let of = |class| Orders {
            class,
            rules: policy.rules(),
            wanted: policy.wanted(class),
            actions: policy.actions(class),
            key: keyring.key(policy.class_name(class), self.origin.received),
            suppressed: keyring.suppressed(),
            table,
        };
        policy.classes().map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::Ticking;
    use crate::entity::Entity;
    use crate::keys::{EpochKey, KeyId};
    use crate::secret::Secret;

    #[test]
    fn the_whole_and_its_stages_are_measured() {
        let policy = Policy::builtin("everything").expect("it is built in");
        let class = policy.class_named("app").expect("it has it");
        let policy = policy.routed_to(class);
        let keyring = Keyring::for_run(EpochKey::new(KeyId(*b"kaaaa"), &Secret::new(vec![7; 32])));
        let subject = Subject { policy: &policy, class, keyring: &keyring };
        let sample = Sample::of(&b"by 192.0.2.7 and jane@example.com\nnothing\n".repeat(200));
        let effort = Effort { runs: 4, wait_max: Duration::from_secs(60) };
        let measured = measure(subject, &sample, effort, &Ticking::default());
        assert_eq!((measured.bytes, measured.records), (42 * 200, 400));
        assert_eq!((measured.engine.runs(), measured.memcpy.runs()), (4, 4));
        assert_eq!(measured.tally.found(Entity::IPV4, "redact"), 200);
        let tick = Duration::from_millis(1);
        assert_eq!((measured.engine.median(), measured.stage(Stage::Detect)), (tick, tick));
        assert_eq!(measured.stage(Stage::Rest), Duration::ZERO, "the stages alone took more than the whole");
        assert_eq!(measured.share_of_memcpy(), 1.0);
        let whole = measure_whole(subject, &sample, effort, &Ticking::default());
        assert_eq!(whole.tally, measured.tally);
    }
}

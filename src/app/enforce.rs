/*!
Retention while the program runs: every store is verified before its first
record and again on a timer, what is due in stores without a lifecycle is
deleted, and the gate, the metrics and the evidence follow.
*/

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::keeper::Keeper;
use super::stores::{Checked, Stores, Swept, act};
use crate::clock::{Clock, Timestamp};
use crate::limit::{STORE_CHECK_EVERY, STORE_CHECK_FAILED_EVERY, STORE_SWEEP_EVERY};
use crate::retention::evidence::{Act, Did, Evidence};
use crate::retention::{OnUnverified, Unknown, Verdict};
use crate::sink::Gate;
use crate::telemetry::Metrics;

/// How often a verdict that stays the same is written down again.
const TOLD_EVERY: Duration = Duration::from_secs(86_400);

/// What enforcing works with.
pub struct Enforcer {
    /// The stores in force; a reload swaps them.
    stores: watch::Receiver<Arc<Stores>>,
    /// Opened and closed.
    gate: Gate,
    /// Whose time is believed, and whose directory holds the evidence.
    keeper: Arc<Keeper>,
    /// Where ages are shown.
    metrics: Arc<Metrics>,
}

/// The verdict on a class in a target that was written down last, and when.
type Told = BTreeMap<(String, String, String), (&'static str, Timestamp)>;

impl Enforcer {
    /// Opens and closes `gate` by what the stores in force say.
    pub fn new(
        stores: watch::Receiver<Arc<Stores>>,
        gate: &Gate,
        keeper: &Arc<Keeper>,
        metrics: &Arc<Metrics>,
    ) -> Enforcer {
        let (gate, keeper, metrics) = (gate.clone(), Arc::clone(keeper), Arc::clone(metrics));
        Enforcer { stores, gate, keeper, metrics }
    }

    /// Runs to the end of the program.
    pub async fn run(mut self) {
        let clock: Arc<dyn Clock> = Arc::clone(self.keeper.time()) as Arc<dyn Clock>;
        let (mut told, mut next) = (Told::new(), Instant::now());
        loop {
            let changed = self.stores.has_changed().unwrap_or(false);
            let stores = Arc::clone(&self.stores.borrow_and_update());
            self.sweep(&stores).await;
            if changed || Instant::now() >= next {
                let checked = stores.check(&clock).await;
                let wait = self.settle(&checked, &mut told);
                next = Instant::now() + jittered(wait, clock.now());
            }
            let wake = next.min(Instant::now() + STORE_SWEEP_EVERY);
            tokio::select! {
                () = tokio::time::sleep_until(wake) => {}
                Ok(()) = self.stores.changed() => self.stores.mark_changed(),
            }
        }
    }

    /// Opens, closes, shows and writes down; says how long it holds.
    fn settle(&self, checked: &[Checked], told: &mut Told) -> Duration {
        self.gate.close(failing(checked));
        self.show(checked);
        let mut acts = Vec::new();
        for target in checked {
            for (class, ttl, verdict) in &target.verdicts {
                let key = (target.store.name.to_string(), target.target.name.clone(), class.clone());
                let (word, at) = (verdict.word(), target.at);
                let fresh = |(was, since): &(&str, Timestamp)| {
                    *was == word && at.duration_since(*since).unsigned_abs() < TOLD_EVERY
                };
                if told.get(&key).is_some_and(fresh) {
                    continue;
                }
                tell(target, class, verdict);
                acts.push(target.act(class, *ttl, verdict));
                told.insert(key, (word, at));
            }
        }
        self.record(acts);
        if checked.iter().all(Checked::holds) { STORE_CHECK_EVERY } else { STORE_CHECK_FAILED_EVERY }
    }

    fn show(&self, checked: &[Checked]) {
        let metrics = &self.metrics;
        // Stores that a reload took away are not shown any more.
        for family in [&metrics.retention_limit, &metrics.retention_worst, &metrics.retention_oldest] {
            family.reset();
        }
        metrics.retention_compliant.reset();
        for target in checked {
            let worst = match (&target.reading, target.worst_case()) {
                (Err(_), _) => f64::NAN,
                (Ok(_), None) => f64::INFINITY,
                (Ok(_), Some(worst)) => worst.as_secs_f64(),
            };
            let oldest = target.oldest().map_or(f64::NAN, |age| age.as_secs_f64());
            for (class, ttl, verdict) in &target.verdicts {
                let labels = [&*target.store.name, class.as_str()];
                metrics.retention_limit.with_label_values(&labels).set(ttl.duration().as_secs_f64());
                metrics.retention_worst.with_label_values(&labels).set(worst);
                metrics.retention_oldest.with_label_values(&labels).set(oldest);
                metrics.retention_compliant.with_label_values(&labels).set(i64::from(verdict.holds()));
            }
        }
    }

    /// Deletes what is due by a clock that is believed: a guess deletes nothing.
    async fn sweep(&self, stores: &Stores) {
        let Some(believed) = self.keeper.time().look().destroyable else { return };
        let mut acts = Vec::new();
        for Swept { store, target, gone, ended } in stores.sweep(believed).await {
            let (name, lies_in) = (&*store.name, &*target.name);
            if !gone.is_empty() {
                tracing::info!(store = name, target = lies_in, deleted = gone.len(), "deleted what was due");
                acts.push(act(&store, &target, self.keeper.time().now(), Did::Deleted, gone));
            }
            if let Err(Unknown(why)) = ended {
                self.metrics.retention_sweep_errors.with_label_values(&[name]).inc();
                tracing::error!(store = name, target = lies_in, why, "cannot delete what is due");
            }
        }
        self.record(acts);
    }

    fn record(&self, acts: Vec<Act>) {
        if acts.is_empty() {
            return;
        }
        let evidence = Evidence::of(self.keeper.dir());
        let written =
            tokio::task::block_in_place(|| acts.into_iter().try_for_each(|act| evidence.append(act)));
        if let Err(error) = written {
            tracing::error!(%error, "cannot write the evidence of retention");
        }
    }
}

/// The classes that their stores do not get, by sink: the store's name is its sink's.
fn failing(checked: &[Checked]) -> BTreeMap<String, BTreeSet<String>> {
    let mut closed: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for target in checked.iter().filter(|target| target.store.on_unverified == OnUnverified::Block) {
        let failing = target.verdicts.iter().filter(|(_, _, verdict)| !verdict.holds());
        let classes = failing.map(|(class, _, _)| class.clone());
        closed.entry(target.store.name.to_string()).or_default().extend(classes);
    }
    closed
}

fn tell(target: &Checked, class: &str, verdict: &Verdict) {
    let (store, name) = (&*target.store.name, &*target.target.name);
    match verdict {
        Verdict::Compliant => tracing::info!(store, target = name, class, "retention verified"),
        Verdict::Exceeds { .. } | Verdict::Unknown { .. } => {
            tracing::error!(store, target = name, class, %verdict, "retention is not verified");
        }
    }
}

/// Up to a tenth sooner, so that many programs do not ask a store at the same time.
fn jittered(wait: Duration, now: Timestamp) -> Duration {
    let share = f64::from(now.subsec_nanosecond().unsigned_abs() % 1_000) / 1_000.0;
    wait.mul_f64(1.0 - share / 10.0)
}

/*!
The running program: it alone ties the parts together, and it alone spawns
(listeners spawn their connections).

```text
sources ──► Intake: clean, then into every queue or none ──► queue ──► drive ──► sink
                 ▲ Live: policy, keys, classes                            (one a sink)
   reload ───────┘         ▲
   care, each minute ──────┘ keys made and destroyed, partitions swept
```

Start: everything that can be refused is refused before the first record is
taken. Stop: the sources are told; the rest ends when what feeds it is gone and
it is empty, within [`DRAIN_WAIT`]. A task that ends before it is told to stops the
program in the same way, for what is fed to it would be lost.
*/

mod counts;
mod dead;
mod drive;
mod durable;
mod enforce;
mod intake;
mod keeper;
mod live;
mod often;
mod orders;
mod reload;
pub mod remote;
mod start;
mod states;
pub mod stores;

pub use keeper::Error as KeeperError;
pub use orders::{KeyError, KeyOrders};
pub use reload::{By, Reloaded, Reloader};
pub use start::{Error, Listening, start};

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::clock::Clock;
use crate::limit::{DRAIN_WAIT, QUEUE_DRAIN_WAIT, SUPPRESSIONS_LOOK_EVERY, TEND_EVERY};
use crate::sink::Gate;
use crate::telemetry::Metrics;

use dead::Letters;
use durable::Durable;
use intake::Intake;
use keeper::Keeper;
use live::Now;

/// A program that runs.
pub struct App {
    listening: Vec<Listening>,
    warning: Option<&'static str>,
    stop: watch::Sender<bool>,
    health: Arc<Health>,
    intake: Arc<Intake>,
    reloader: Arc<Reloader>,
    sources: JoinSet<()>,
    sinks: JoinSet<()>,
    /// The durable queue, with those who append to it and read from it.
    durable: Option<(Arc<Durable>, Queueing)>,
    /// Care and admin: they run to the end.
    services: JoinSet<()>,
    /// For each sink: its name, and how many records it has not settled.
    waiting: Vec<(Arc<str>, Arc<AtomicU64>)>,
}

/// Tasks of a durable queue.
#[derive(Default)]
struct Queueing {
    append: JoinSet<()>,
    feeds: JoinSet<()>,
    stop: watch::Sender<bool>,
}

impl Queueing {
    /// Ends once one of its tasks has.
    async fn broken(queueing: &mut Option<(Arc<Durable>, Queueing)>) {
        let Some((_, tasks)) = queueing else { return std::future::pending().await };
        tokio::select! {
            Some(_) = tasks.append.join_next() => {}
            Some(_) = tasks.feeds.join_next() => {}
        }
    }
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Everything taken was delivered.
    Drained,
    /// Time was up, or a second signal came. Per sink, the records that it did not get; last, those that were taken
    /// from a source and are in no queue yet.
    Left(Vec<(Arc<str>, u64)>),
    /// A part of the program failed on a fault of its own; the rest was drained. What is left is told in the same way.
    Broken(Part, Vec<(Arc<str>, u64)>),
}

/// What the program cannot run without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// A listener.
    Source,
    /// What delivers to a sink.
    Sink,
    /// The care of keys and archive, or the admin listener.
    Service,
    /// What writes the durable queue, or reads it.
    Queue,
}

impl Part {
    /// As it stands in a sentence.
    pub fn words(self) -> &'static str {
        match self {
            Part::Source => "a source",
            Part::Sink => "a sink",
            Part::Service => "the care of keys, or admin",
            Part::Queue => "the durable queue",
        }
    }
}

/// What the operator wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Stop in order; a second time: stop now.
    Stop,
    /// Read the configuration again.
    Reload,
}

impl App {
    /// Where it listens.
    pub fn listening(&self) -> &[Listening] {
        &self.listening
    }

    /// What an operator should know of where the key-encryption key lies.
    pub fn warning(&self) -> Option<&'static str> {
        self.warning
    }

    /// Runs until it is told to stop or a part of it fails, then drains. `signal` gives the next signal.
    pub async fn run(mut self, mut signal: impl AsyncFnMut() -> Signal) -> Ended {
        let broken = self.watch(&mut signal).await;
        tracing::info!(wait_s = DRAIN_WAIT.as_secs(), "stopping: taking no more, delivering what was taken");
        self.health.draining.store(true, Ordering::Relaxed);
        let deadline = Instant::now() + DRAIN_WAIT;
        let again = async { while signal().await != Signal::Stop {} };
        tokio::select! {
            _ = tokio::time::timeout_at(deadline, self.drain()) => {}
            () = again => tracing::warn!("told to stop again: leaving at once"),
        }
        self.services.abort_all();
        let left = self.left();
        match broken {
            Some(part) => Ended::Broken(part, left),
            None if left.is_empty() && self.sources.is_empty() => Ended::Drained,
            None => Ended::Left(left),
        }
    }

    /// Serves until it is told to stop, or until a task ends that runs to the end: that part is returned.
    async fn watch(&mut self, signal: &mut impl AsyncFnMut() -> Signal) -> Option<Part> {
        let part = loop {
            tokio::select! {
                next = signal() => match next {
                    Signal::Stop => return None,
                    // Told in the log by the reloader.
                    Signal::Reload => drop(self.reloader.reload(&By::signal()).await),
                },
                Some(ended) = self.sources.join_next() => match ended {
                    // Standard input has an end; where all has been read there is nothing to wait for.
                    Ok(()) if self.sources.is_empty() => return None,
                    Ok(()) => {}
                    Err(_) => break Part::Source,
                },
                Some(_) = self.sinks.join_next() => break Part::Sink,
                Some(_) = self.services.join_next() => break Part::Service,
                () = Queueing::broken(&mut self.durable) => break Part::Queue,
            }
        };
        // The panic's own text is not repeated: it is not ours to vouch for.
        tracing::error!(part = part.words(), "a part of the program failed on a fault of our own");
        Some(part)
    }

    fn left(&self) -> Vec<(Arc<str>, u64)> {
        let waiting = |(name, records): &(Arc<str>, Arc<AtomicU64>)| {
            let records = records.load(Ordering::Relaxed);
            (records > 0).then(|| (Arc::clone(name), records))
        };
        let mut left: Vec<_> = self.waiting.iter().filter_map(waiting).collect();
        match self.intake.in_hand() {
            0 => {}
            records => left.push(("in no queue yet".into(), records)),
        }
        left
    }

    /// Sources first; a queue ends when nobody can put anything into it and it is empty.
    async fn drain(&mut self) {
        self.stop.send_replace(true);
        while self.sources.join_next().await.is_some() {}
        self.intake.close();
        let Some((queue, tasks)) = &mut self.durable else {
            while self.sinks.join_next().await.is_some() {}
            return;
        };
        while tasks.append.join_next().await.is_some() {}
        // What the sinks do not get now they get after the next start.
        let sinks = async {
            tasks.stop.send_replace(true);
            while tasks.feeds.join_next().await.is_some() {}
            while self.sinks.join_next().await.is_some() {}
        };
        let _ = tokio::time::timeout(QUEUE_DRAIN_WAIT, sinks).await;
        queue.tidy();
    }
}

/// What readiness depends on.
pub struct Health {
    now: Now,
    keeper: Arc<Keeper>,
    durable: Option<Arc<Durable>>,
    letters: Arc<Letters>,
    draining: AtomicBool,
    keeps: bool,
    gate: Gate,
}

impl Health {
    /// Why the program is not ready; nothing if it is.
    pub fn reasons(&self) -> Vec<&'static str> {
        let mut reasons = Vec::new();
        if self.draining.load(Ordering::Relaxed) {
            reasons.push("stopping");
        }
        if !self.now.look().has_keys(self.keeper.time().now()) {
            reasons.push("a pseudonym key is missing");
        }
        if self.durable.as_ref().is_some_and(|durable| !durable.is_well()) {
            reasons.push("the queue cannot be written");
        }
        if !self.letters.is_well() {
            reasons.push("dead letters cannot be written");
        }
        if self.keeps && !self.keeper.archive_is_well() {
            reasons.push("the archive cannot be written");
        }
        if self.gate.is_closed() {
            reasons.push("the retention of a store is not verified");
        }
        reasons
    }
}

/// Looks after keys and partitions each [`TEND_EVERY`], and whenever a batch waits for a key.
async fn care(keeper: Arc<Keeper>, now: Now, keys_wanted: Arc<Notify>) {
    loop {
        let _ = tokio::time::timeout(TEND_EVERY, keys_wanted.notified()).await;
        let (keeper, now) = (Arc::clone(&keeper), now.clone());
        let cared = tokio::task::spawn_blocking(move || round(&keeper, &now)).await;
        if cared.is_err() {
            tracing::error!("looking after keys and archive failed on a fault of our own; trying again");
        }
    }
}

/// Looks each [`SUPPRESSIONS_LOOK_EVERY`] whether somebody is to get no pseudonyms from now on.
async fn heed(keeper: Arc<Keeper>, now: Now) {
    loop {
        tokio::time::sleep(SUPPRESSIONS_LOOK_EVERY).await;
        let (keeper, now) = (Arc::clone(&keeper), now.clone());
        let heeded = tokio::task::spawn_blocking(move || {
            let _turn = now.turn();
            if keeper.heed_suppressions() {
                now.rekey(keeper.keyring());
            }
        });
        if heeded.await.is_err() {
            tracing::error!("looking for who is suppressed failed on a fault of our own; trying again");
        }
    }
}

/// One round of care: keys first, then partitions, whatever becomes of the keys. Blocks.
fn round(keeper: &Keeper, now: &Now) {
    let turn = now.turn();
    keeper.care(&now.look().policy);
    now.rekey(keeper.keyring());
    drop(turn);
    keeper.forget_sessions();
    keeper.sweep();
    counts::tend(keeper, &now.look().policy);
    keeper.count_registers();
}

/// What a sink and the admin page need of the surroundings.
#[derive(Clone)]
struct Surroundings {
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    gate: Gate,
}

/// How long blocking work may go on after the end.
pub const LEAVE_WAIT: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests;

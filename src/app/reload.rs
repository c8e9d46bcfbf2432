/*!
A new configuration for a running program: all of it, or none.
*/

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{Mutex, watch};

use super::keeper::Keeper;
use super::live::{Live, Now, wants};
use super::stores::Stores;
use crate::clock::{Clock, Timestamp};
use crate::config::{Error, Settings};
use crate::sink::Gate;
use crate::telemetry::Metrics;
use crate::vault::{Act, Outcome};

/// Reads the configuration again and swaps what can be swapped.
pub struct Reloader {
    path: Option<PathBuf>,
    /// What the program was started with: listeners and sinks are still of it.
    started: Settings,
    sinks: Vec<Arc<str>>,
    now: Now,
    keeper: Arc<Keeper>,
    metrics: Arc<Metrics>,
    /// Where stores are swapped, and the gate before them.
    stores: (watch::Sender<Arc<Stores>>, Gate),
    /// One reload at a time.
    turn: Mutex<()>,
}

/// Who gives an order to the running program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct By {
    who: &'static str,
    role: Option<Arc<str>>,
}

impl By {
    /// Whoever may send signals to the process.
    pub fn signal() -> By {
        By { who: "signal", role: None }
    }

    /// What they did.
    pub(super) fn act(&self, at: Timestamp, what: &str) -> Act {
        Act::new(at, self.who, what).as_role(self.role.as_deref())
    }

    /// Whoever reaches the admin listener, with the role of their token.
    pub fn admin(role: Option<Arc<str>>) -> By {
        By { who: "admin listener", role }
    }
}

/// What a reload did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reloaded {
    /// Keys that changed and hold only after a restart.
    pub needs_restart: Vec<&'static str>,
}

impl Reloader {
    /// Reads `path` when asked to; without one there is nothing to read.
    pub fn new(
        path: Option<PathBuf>,
        started: Settings,
        now: Now,
        keeper: Arc<Keeper>,
        metrics: Arc<Metrics>,
        stores: (watch::Sender<Arc<Stores>>, Gate),
    ) -> Reloader {
        let sinks = started.sinks.iter().map(|sink| Arc::clone(&sink.name)).collect();
        Reloader { path, started, sinks, now, keeper, metrics, stores, turn: Mutex::new(()) }
    }

    /// Applies the configuration as it is now. A bad one changes nothing.
    pub async fn reload(&self, by: &By) -> Result<Reloaded, Error> {
        let _turn = self.turn.lock().await;
        let reloaded = tokio::task::block_in_place(|| {
            let reloaded = self.apply();
            let outcome = if reloaded.is_ok() { Outcome::Done } else { Outcome::Refused };
            self.audited(by, "reload", outcome);
            reloaded
        });
        let outcome = if reloaded.is_ok() { "applied" } else { "refused" };
        self.metrics.reloads.with_label_values(&[outcome]).inc();
        match &reloaded {
            Ok(Reloaded { needs_restart }) if needs_restart.is_empty() => {
                tracing::info!("configuration reloaded");
            }
            Ok(Reloaded { needs_restart }) => {
                let keys = needs_restart.join(", ");
                tracing::warn!(keys, "configuration reloaded; the change of these keys needs a restart");
            }
            Err(error) => {
                for line in &error.lines {
                    tracing::error!("configuration refused, the old one stays: {line}");
                }
            }
        }
        reloaded
    }

    /// Says in the audit log that an operator did something. Blocks.
    pub fn audited(&self, by: &By, what: &str, outcome: Outcome) {
        self.keeper.audited(by.act(self.keeper.time().now(), what).ended(outcome));
    }

    fn apply(&self) -> Result<Reloaded, Error> {
        let settings = match &self.path {
            Some(path) => Settings::load(path)?,
            None => Settings::default(),
        };
        let needs_restart = settings.needs_restart(&self.started);
        let _turn = self.now.turn();
        // The new policy's keys are there before its first batch.
        let prepared = self.keeper.prepare(&settings.policy);
        let keyring = prepared.map_err(|error| Error { lines: vec![error.to_string()] })?;
        let stores = Stores::new(&settings).map_err(|error| Error { lines: vec![error.to_string()] })?;
        // What was verified under other limits is not.
        self.stores.1.close(stores.unverified());
        let wants = wants(&self.sinks, &settings.sinks);
        let live = Live::new(Arc::clone(&settings.policy), keyring, wants);
        self.now.swap(live.rescanned(settings.rescan.as_deref()));
        if let Some(line) = settings.policy.not_yet(self.keeper.time().now()) {
            tracing::warn!("{line}");
        }
        // It is accepted: only now are its limits in force, and what they make due is destroyed.
        self.keeper.care(&settings.policy);
        self.now.rekey(self.keeper.keyring());
        self.stores.0.send_replace(Arc::new(stores));
        Ok(Reloaded { needs_restart })
    }
}

/*!
A new configuration for a running program: all of it, or none.
*/

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::Mutex;

use super::keeper::Keeper;
use super::live::{Live, Now, wants};
use crate::config::{Error, Settings};
use crate::telemetry::Metrics;

/// Reads the configuration again and swaps what can be swapped.
pub struct Reloader {
    path: Option<PathBuf>,
    /// What the program was started with: listeners and sinks are still of it.
    started: Settings,
    sinks: Vec<Arc<str>>,
    now: Now,
    keeper: Arc<Keeper>,
    metrics: Arc<Metrics>,
    /// One reload at a time.
    turn: Mutex<()>,
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
    ) -> Reloader {
        let sinks = started.sinks.iter().map(|sink| Arc::clone(&sink.name)).collect();
        Reloader { path, started, sinks, now, keeper, metrics, turn: Mutex::new(()) }
    }

    /// Applies the configuration as it is now. A bad one changes nothing.
    pub async fn reload(&self) -> Result<Reloaded, Error> {
        let _turn = self.turn.lock().await;
        let reloaded = tokio::task::block_in_place(|| self.apply());
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
        let wants = wants(&self.sinks, &settings.sinks);
        self.now.swap(Live::new(Arc::clone(&settings.policy), keyring, wants));
        // It is accepted: only now are its limits in force, and what they make due is destroyed.
        self.keeper.care(&settings.policy);
        self.now.rekey(self.keeper.keyring());
        Ok(Reloaded { needs_restart })
    }
}

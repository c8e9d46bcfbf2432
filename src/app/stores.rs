/*!
The stores of a configuration, asked and judged: for `run` on a timer, for the
verb `retention` once.

Stores are asked at the same time, each within [`STORE_WAIT`] for a target, so
that one that is slow or down delays nobody. The archive is asked on its own
disk, through its partitions.
*/

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::archive;
use crate::clock::{Clock, Timestamp};
use crate::config::Settings;
use crate::limit::{STORE_SWEEP_EVERY, STORE_WAIT};
use crate::retention::evidence::{Act, Did};
use crate::retention::{
    Deleted, Driver, Kind, Oldest, OnUnverified, Reading, Store, Target, Unknown, Verdict, Wanted, judge,
};
use crate::ttl::Ttl;
use crate::vault::{DataDir, State};

/// The stores with those who speak to them.
#[derive(Debug)]
pub struct Stores {
    all: Vec<Known>,
    data_dir: PathBuf,
}

/// A store, and who speaks to it; nobody to the archive.
type Known = (Arc<Store>, Option<Arc<dyn Driver>>);

/// One target, read and judged.
#[derive(Clone, Debug)]
pub struct Checked {
    /// Whose it is.
    pub store: Arc<Store>,
    /// Which one.
    pub target: Target,
    /// When.
    pub at: Timestamp,
    /// What was read.
    pub reading: Result<Reading, Unknown>,
    /// For each of its classes.
    pub verdicts: Vec<(String, Ttl, Verdict)>,
}

/// What came of deleting what was due in one target.
#[derive(Clone, Debug)]
pub struct Swept {
    /// Whose it is.
    pub store: Arc<Store>,
    /// Which one.
    pub target: Target,
    /// What is gone, by the store's own names, in their order; also where not all of it is.
    pub gone: Vec<String>,
    /// Whether all that was due is gone.
    pub ended: Result<(), Unknown>,
}

impl Checked {
    fn new(store: Arc<Store>, target: Target, reading: Result<Reading, Unknown>, at: Timestamp) -> Checked {
        let verdict =
            |(class, ttl): &(String, Ttl)| (class.clone(), *ttl, judge(ttl.duration(), &reading, at));
        let verdicts = target.classes.iter().map(verdict).collect();
        Checked { store, target, at, reading, verdicts }
    }

    /// Whether every class in it is compliant.
    pub fn holds(&self) -> bool {
        self.verdicts.iter().all(|(_, _, verdict)| verdict.holds())
    }

    /// The longest that a record can stay, if that is known and ends.
    pub fn worst_case(&self) -> Option<Duration> {
        self.reading.as_ref().ok()?.effective.worst_case()
    }

    /// The age of the oldest record; zero if there is none, nothing if that is unknown.
    pub fn oldest(&self) -> Option<Duration> {
        match self.reading.as_ref().ok()?.oldest {
            Oldest::Nothing => Some(Duration::ZERO),
            Oldest::At(at) => Some(Duration::try_from(self.at.duration_since(at)).unwrap_or_default()),
        }
    }

    /// The verdict on a class as an act for the evidence.
    pub fn act(&self, class: &str, ttl: Ttl, verdict: &Verdict) -> Act {
        let mut told = vec![verdict.to_string()];
        if let Ok(reading) = &self.reading {
            told.push(reading.effective.arithmetic());
            told.extend(
                reading.settings.iter().map(|setting| format!("{}: {}", setting.name, setting.value)),
            );
        }
        let act = act(&self.store, &self.target, self.at, Did::Verified, told);
        Act {
            classes: vec![class.to_owned()],
            verdict: Some(verdict.word().to_owned()),
            limit_s: ttl.duration().as_secs(),
            worst_s: self.worst_case().map(|worst| worst.as_secs()),
            oldest_s: self.oldest().map(|oldest| oldest.as_secs()),
            ..act
        }
    }
}

/// An act on a target, for the evidence.
pub fn act(store: &Store, target: &Target, at: Timestamp, did: Did, told: Vec<String>) -> Act {
    Act {
        at,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        store: store.name.to_string(),
        kind: store.kind.name().to_owned(),
        target: target.name.clone(),
        classes: target.classes.iter().map(|(class, _)| class.clone()).collect(),
        did,
        verdict: None,
        limit_s: target.limit().as_secs(),
        worst_s: None,
        oldest_s: None,
        told,
    }
}

impl Stores {
    /// Those of a configuration. Asks nobody yet.
    pub fn new(settings: &Settings) -> Result<Stores, Unknown> {
        let mut all = Vec::new();
        for store in &settings.stores {
            let named = |error: Unknown| Unknown(format!("store {}: {error}", store.name));
            all.push((Arc::new(store.clone()), store.kind.driver().map_err(named)?));
        }
        Ok(Stores { all, data_dir: settings.data_dir.clone() })
    }

    /// The stores, in the order of the configuration.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Store>> {
        self.all.iter().map(|(store, _)| store)
    }

    /// All classes of the stores that get nothing unverified, by store: before the first answer.
    pub fn unverified(&self) -> BTreeMap<String, BTreeSet<String>> {
        let blocking = self.iter().filter(|store| store.on_unverified == OnUnverified::Block);
        let classes = |store: &Store| {
            let classes = store.targets.iter().flat_map(|target| &target.classes);
            classes.map(|(class, _)| class.clone()).collect()
        };
        blocking.map(|store| (store.name.to_string(), classes(store))).collect()
    }

    /// Asks every store and judges each target, in their order.
    pub async fn check(&self, clock: &Arc<dyn Clock>) -> Vec<Checked> {
        let mut asked = JoinSet::new();
        for (at, (store, driver)) in self.all.iter().enumerate() {
            let (store, driver, clock) = (Arc::clone(store), driver.clone(), Arc::clone(clock));
            let data_dir = self.data_dir.clone();
            asked.spawn(async move {
                let mut checked = Vec::new();
                for target in &store.targets {
                    let reading = read(driver.as_deref(), &data_dir, target, clock.now()).await;
                    checked.push(Checked::new(Arc::clone(&store), target.clone(), reading, clock.now()));
                }
                (at, checked)
            });
        }
        // A driver that panics leaves its store unknown: it is missing here, and is filled in below.
        let mut found: Vec<Option<Vec<Checked>>> = vec![None; self.all.len()];
        while let Some(done) = asked.join_next().await {
            if let Ok((at, checked)) = done {
                found[at] = Some(checked);
            }
        }
        let failed = |store: &Arc<Store>| {
            let unknown = || Err(Unknown::new("asking it failed on a fault of our own"));
            let checked =
                |target: &Target| Checked::new(Arc::clone(store), target.clone(), unknown(), clock.now());
            store.targets.iter().map(checked).collect()
        };
        let stores = self.all.iter().zip(found);
        stores.flat_map(|((store, _), found)| found.unwrap_or_else(|| failed(store))).collect()
    }

    /// Configures a target.
    pub async fn set(
        &self,
        store: &Store,
        target: &Target,
        wanted: &Wanted,
        now: Timestamp,
    ) -> Result<Vec<String>, Unknown> {
        let driver =
            self.driver(store).ok_or_else(|| Unknown::new("the archive is set by the program itself"))?;
        in_time(driver.set(target, wanted, now)).await
    }

    /// Deletes what is due in stores without a lifecycle.
    pub async fn sweep(&self, now: Timestamp) -> Vec<Swept> {
        let mut swept = Vec::new();
        for (store, driver) in &self.all {
            let Some(driver) = driver.as_ref().filter(|_| store.kind.can().own_deletion) else { continue };
            for target in &store.targets {
                let mut deleted = Deleted::default();
                let ended = match store.kind.wants(target.limit()) {
                    Ok(wanted) => {
                        let before = due_before(now, wanted.value);
                        in_time(driver.delete_before(target, before, now, &mut deleted)).await
                    }
                    Err(short) => Err(Unknown(short.to_string())),
                };
                deleted.names.sort_unstable();
                deleted.names.dedup();
                let (store, target) = (Arc::clone(store), target.clone());
                swept.push(Swept { store, target, gone: deleted.names, ended });
            }
        }
        swept
    }

    fn driver(&self, store: &Store) -> Option<&Arc<dyn Driver>> {
        let (_, driver) = self.all.iter().find(|(known, _)| known.name == store.name)?;
        driver.as_ref()
    }
}

/// What was received before this is deleted: by the next look it would be late.
fn due_before(now: Timestamp, value: Duration) -> Timestamp {
    now.checked_sub(value.saturating_sub(STORE_SWEEP_EVERY)).unwrap_or(Timestamp::MIN)
}

async fn read(
    driver: Option<&dyn Driver>,
    data_dir: &Path,
    target: &Target,
    now: Timestamp,
) -> Result<Reading, Unknown> {
    match driver {
        Some(driver) => in_time(driver.read(target, now)).await,
        None => tokio::task::block_in_place(|| read_archive(data_dir, target, now)),
    }
}

/// What a store is asked for, given up after [`STORE_WAIT`].
pub async fn in_time<T>(doing: impl Future<Output = Result<T, Unknown>>) -> Result<T, Unknown> {
    let late = || Unknown(format!("no answer within {} s", STORE_WAIT.as_secs()));
    tokio::time::timeout(STORE_WAIT, doing).await.unwrap_or_else(|_elapsed| Err(late()))
}

/// What the archive's partitions of a class say. A data directory that is not there yet holds nothing, and will keep
/// the limits that it is given.
fn read_archive(data_dir: &Path, target: &Target, now: Timestamp) -> Result<Reading, Unknown> {
    use crate::retention::archive::{Partition, reading};
    if !data_dir.exists() {
        return Ok(reading(Some(target.limit()), &[], now));
    }
    let failed = |error: &dyn std::fmt::Display| Unknown(error.to_string());
    let dir = DataDir::open_to_read(data_dir).map_err(|error| failed(&error))?;
    let state = State::read(&dir).map_err(|error| failed(&error))?;
    let surveyed = archive::survey(&dir).map_err(|error| failed(&error))?;
    let of_class = surveyed.into_iter().filter(|partition| partition.class == target.name);
    let partitions: Vec<Partition> = of_class
        .map(|found| Partition { id: found.id, from: found.from, destroy_at: found.destroy_at })
        .collect();
    // Before the first `run` no limit was ever put in force, and none had to be.
    let in_force = if state.ttl_s.is_empty() && partitions.is_empty() {
        Some(target.limit())
    } else {
        state.ttl(&target.name)
    };
    Ok(reading(in_force, &partitions, now))
}

/// Whether the store is the archive.
pub fn is_archive(store: &Store) -> bool {
    store.kind == Kind::Archive
}

#[cfg(test)]
mod tests;

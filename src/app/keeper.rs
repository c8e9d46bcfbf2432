/*!
What lies in the data directory: time, keys and archive, and their care.

Everything here blocks the thread.
*/

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::counts;
use super::dead::count_left;
use super::often::Often;
use crate::act::Redacted;
use crate::aggregate::{self, Book};
use crate::archive::{self, Archive};
use crate::clock::{Clock, Timestamp};
use crate::config::{Queue, Settings, SinkKind};
use crate::keys::sessions::Sessions;
use crate::keys::{Keyring, Suppressed};
use crate::leak::{Incidents, Kind, Leak};
use crate::limit::TEND_EVERY;
use crate::policy::Policy;
use crate::queue::dead::DeadLetters;
use crate::queue::durable::{self, Log, Place};
use crate::sink::{Delivery, Fault, Sink, Verdict};
use crate::subject::Register;
use crate::telemetry::{Metrics, SinkError};
use crate::vault::{self, Act, AuditLog, DataDir, Kek, Outcome, Suppressions, Tended, Timekeeper, Vault};

/// The place of what the second look withheld, where incidents name stores: no store can have its name.
const EGRESS: &str = "(egress)";

/// Time in which the register is told once of a kind of value that is withheld again and again.
const ALARM_PAUSE: Duration = Duration::from_secs(3600);

/// Holds the data directory.
pub struct Keeper {
    time: Arc<Timekeeper>,
    vault: Mutex<Vault>,
    sessions: Arc<Sessions>,
    archive: Archive,
    counts: Book,
    audit: AuditLog,
    requests: Register,
    incidents: Incidents,
    /// When the register was told last of what the second look withheld, by kind, and how long it is not told again.
    told: Mutex<BTreeMap<Kind, (Timestamp, Duration)>>,
    often: Often,
    suppressions: Suppressions,
    /// Who was suppressed when the file was so long.
    suppressed: Mutex<(u64, Option<Arc<Suppressed>>)>,
    dir: Arc<DataDir>,
    /// What waits on disk, or did when the queue was durable.
    queue: Option<Arc<Log>>,
    dead_letters: Arc<DeadLetters>,
    metrics: Arc<Metrics>,
    /// Whether the archive took what it was last given.
    archive_well: AtomicBool,
    warning: Option<&'static str>,
}

/// Why the data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The directory, its keys, or the key-encryption key.
    #[error(transparent)]
    Vault(#[from] vault::Error),
    /// The archive.
    #[error(transparent)]
    Archive(#[from] archive::Error),
    /// The durable queue.
    #[error(transparent)]
    Queue(#[from] durable::Error),
    /// What is counted.
    #[error(transparent)]
    Counts(#[from] aggregate::Error),
}

impl Keeper {
    /// Takes the data directory for this program alone, makes the keys that the policy needs, and destroys what is due.
    pub fn open(settings: &Settings, clock: Arc<dyn Clock>, metrics: Arc<Metrics>) -> Result<Keeper, Error> {
        let dir = Arc::new(DataDir::open(&settings.data_dir)?);
        let kek = Arc::new(Kek::open(settings.kek.as_ref(), &dir)?);
        let time = Arc::new(Timekeeper::new(clock, vault::high_water(&dir)?));
        let vault = Vault::open(Arc::clone(&dir), Arc::clone(&kek))?;
        let audit = AuditLog::new(&dir, Arc::clone(&kek));
        let requests = Register::new(&dir, Arc::clone(&kek));
        let incidents = Incidents::new(&dir, Arc::clone(&kek));
        let suppressions = Suppressions::new(&dir, Arc::clone(&kek));
        let suppressed = Mutex::new((suppressions.mark(), suppressions.load()?.map(Arc::new)));
        let archive = Archive::open(Arc::clone(&dir), Arc::clone(&kek))?;
        let counts = Book::open(Arc::clone(&dir), Arc::clone(&kek))?;
        let sessions = Arc::clone(vault.sessions());
        sessions.bound(settings.sessions_max);
        let queue = open_queue(settings, &dir, &kek)?;
        let dead_letters = Arc::new(DeadLetters::open(Arc::clone(&dir), Arc::clone(&kek))?);
        let (vault, archive_well) = (Mutex::new(vault), AtomicBool::new(true));
        let keeper = Keeper {
            time,
            vault,
            sessions,
            archive,
            dir,
            queue,
            counts,
            dead_letters,
            audit,
            requests,
            incidents,
            told: Mutex::default(),
            often: Often::default(),
            suppressions,
            suppressed,
            metrics,
            archive_well,
            warning: kek.warning(),
        };
        keeper.begin(&settings.policy)?;
        Ok(keeper)
    }

    /// The first round of care. A disk that is full or broken does not keep the program from destroying what is due
    /// later on, so it is no reason not to start: batches that need a key are held until it can be made.
    fn begin(&self, policy: &Policy) -> Result<(), Error> {
        match self.tend(policy) {
            Ok(_) => {}
            Err(error @ vault::Error::Io { .. }) => tracing::error!(%error, "cannot look after the keys"),
            Err(error) => return Err(error.into()),
        }
        self.sweep();
        counts::tend(self, policy);
        self.count_registers();
        Ok(())
    }

    /// The directory.
    pub fn dir(&self) -> &DataDir {
        &self.dir
    }

    /// What waits on disk, if the queue is durable or was.
    pub fn queue(&self) -> Option<&Arc<Log>> {
        self.queue.as_ref()
    }

    /// What is counted beyond the limits of the records.
    pub fn counts(&self) -> &Book {
        &self.counts
    }

    /// What sinks refused for good.
    pub fn dead_letters(&self) -> &Arc<DeadLetters> {
        &self.dead_letters
    }

    /// The time to stamp records with.
    pub fn time(&self) -> &Arc<Timekeeper> {
        &self.time
    }

    /// What an operator should know of where the key-encryption key lies.
    pub fn warning(&self) -> Option<&'static str> {
        self.warning
    }

    /// Makes and destroys keys. Afterwards [`Keeper::keyring`] has all that could be made, also if this fails.
    pub fn tend(&self, policy: &Policy) -> Result<Tended, vault::Error> {
        let names = policy.names();
        let mut vault = self.vault.lock().unwrap_or_else(PoisonError::into_inner);
        let tended = vault.tend(&names.policy, &names.classes, &self.time)?;
        self.metrics.keys_live.set(tended.live as i64);
        self.metrics.keys_overdue.set(tended.overdue as i64);
        self.metrics.keys_destroyed.inc_by(tended.destroyed as u64);
        self.metrics.clock_believed.set(i64::from(tended.moments.settled && !tended.moments.in_doubt));
        Ok(tended)
    }

    /// Makes the keys of a policy that is to come into force, and destroys nothing.
    pub fn prepare(&self, policy: &Policy) -> Result<Arc<Keyring>, vault::Error> {
        let names = policy.names();
        let mut vault = self.vault.lock().unwrap_or_else(PoisonError::into_inner);
        vault.prepare(&names.policy, &names.classes, &self.time)?;
        drop(vault);
        Ok(self.keyring())
    }

    /// Lets new keys serve from now on, of one class or of all; none if the policy has no such class.
    pub fn rotate(&self, policy: &Policy, class: Option<&str>) -> Result<Option<usize>, vault::Error> {
        let names = policy.names();
        let is_meant = |(name, _): &&(String, _)| class.is_none_or(|class| class == name);
        let classes: Vec<_> = names.classes.iter().filter(is_meant).cloned().collect();
        if classes.is_empty() {
            return Ok(None);
        }
        let mut vault = self.vault.lock().unwrap_or_else(PoisonError::into_inner);
        vault.rotate(&names.policy, &classes, &self.time).map(Some)
    }

    /// Destroys the key of this name now. False if there is none.
    pub fn destroy_key(&self, id: &str) -> Result<bool, vault::Error> {
        let mut vault = self.vault.lock().unwrap_or_else(PoisonError::into_inner);
        let destroyed = vault.destroy(id, self.time.now())?;
        self.metrics.keys_destroyed.inc_by(u64::from(destroyed));
        Ok(destroyed)
    }

    /// The live keys, with whose values get no pseudonym.
    pub fn keyring(&self) -> Arc<Keyring> {
        let keys = self.vault.lock().unwrap_or_else(PoisonError::into_inner).keyring();
        let suppressed = self.suppressed.lock().unwrap_or_else(PoisonError::into_inner).1.clone();
        match suppressed {
            Some(suppressed) => Arc::new((*keys).clone().with_suppressed(Some(suppressed))),
            None => keys,
        }
    }

    /// Says in the audit log what was done. A log that cannot be written hinders nobody from mending a running program.
    /// Of what comes often some are told.
    pub fn audited(&self, act: Act) {
        if act.outcome == Outcome::Refused {
            self.metrics.acts_refused.with_label_values(&[&*act.act]).inc();
        }
        let Some(act) = self.often.told(act) else { return };
        if let Err(error) = self.audit.say(act) {
            tracing::error!(%error, "cannot write to the audit log");
        }
    }

    /// Counts what must be answered or told, and by when.
    pub fn count_registers(&self) {
        let now = self.time.now();
        match self.requests.list() {
            Ok(requests) => {
                let open = requests.iter().filter(|request| request.closed.is_none()).count();
                let overdue = requests.iter().filter(|request| request.is_overdue(now)).count();
                self.metrics.requests_open.set(open as i64);
                self.metrics.requests_overdue.set(overdue as i64);
            }
            Err(error) => tracing::error!(%error, "cannot read the register of requests"),
        }
        match self.incidents.list() {
            Ok(incidents) => {
                let open = incidents.iter().filter(|incident| incident.closed.is_none()).count();
                let overdue = incidents.iter().filter(|incident| incident.is_overdue(now)).count();
                self.metrics.incidents_open.set(open as i64);
                self.metrics.incidents_overdue.set(overdue as i64);
            }
            Err(error) => tracing::error!(%error, "cannot read the register of incidents"),
        }
    }

    /// Opens an incident for each kind of value that the second look withheld, or says of an open one that it was found
    /// again, and says so in the log: once an hour at most, for a value that is left in one record is left in many. Blocks.
    pub fn withheld(&self, leaks: &BTreeMap<Kind, Leak>) {
        let now = self.time.now();
        for (kind, leak) in leaks {
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            if told.get(kind).is_some_and(|(at, pause)| *at <= now && now < *at + *pause) {
                continue;
            }
            let ((class, entity), Leak { rule, records: values, .. }) = (kind, leak);
            tracing::error!(
                class,
                entity,
                rule,
                values,
                "the second look withheld records: values were left in them; told once an hour"
            );
            let pause = match self.incidents.found(EGRESS, kind, leak, now) {
                Ok(seen) => {
                    tracing::error!(incident = seen.id(), "see `logveil incident list`");
                    ALARM_PAUSE
                }
                Err(error) => {
                    tracing::error!(%error, "cannot write to the register of incidents");
                    TEND_EVERY
                }
            };
            told.insert(kind.clone(), (now, pause));
            drop(told);
            self.count_registers();
        }
    }

    /// Reads who is suppressed, if the file changed since; says whether it did. What cannot be read changes nothing.
    pub fn heed_suppressions(&self) -> bool {
        let mut known = self.suppressed.lock().unwrap_or_else(PoisonError::into_inner);
        let mark = self.suppressions.mark();
        if mark == known.0 {
            return false;
        }
        match self.suppressions.load() {
            Ok(suppressed) => {
                *known = (mark, suppressed.map(Arc::new));
                true
            }
            Err(error) => {
                tracing::error!(%error, "cannot read who is suppressed; those who were before still are");
                false
            }
        }
    }

    /// The table of sessions, the same for as long as the program runs.
    pub fn sessions(&self) -> Arc<Sessions> {
        Arc::clone(&self.sessions)
    }

    /// Forgets the sessions that are over.
    pub fn forget_sessions(&self) {
        self.sessions.expire(self.time.now());
        self.metrics.sessions.set(i64::try_from(self.sessions.len()).unwrap_or(i64::MAX));
        let unremembered = self.sessions.unremembered();
        let told = self.metrics.sessions_unremembered.get();
        self.metrics.sessions_unremembered.inc_by(unremembered.saturating_sub(told));
    }

    /// Destroys the partitions that are due, and keys of the queue and of dead letters.
    pub fn sweep(&self) {
        let tell = |sink: &str, left| count_left(&self.metrics, sink, left);
        if let Err(error) = self.dead_letters.sweep(&self.time.look(), tell) {
            self.metrics.sweep_errors.inc();
            tracing::error!(%error, "cannot destroy keys of dead letters; what they seal is not read all the same");
        }
        let swept = self.queue.as_ref().map(|queue| queue.sweep(&self.time.look()));
        if let Some(Err(error)) = swept {
            self.metrics.sweep_errors.inc();
            tracing::error!(%error, "cannot destroy keys of the queue; what they seal is not delivered all the same");
        }
        match self.archive.sweep(&self.time.look()) {
            Ok(swept) => {
                self.metrics.archive_partitions.set(swept.partitions as i64);
                self.metrics.archive_bytes.set(i64::try_from(swept.bytes).unwrap_or(i64::MAX));
                self.metrics.archive_oldest.set(swept.oldest.map_or(0, |oldest| oldest.as_second()));
                self.metrics.archive_overdue.set(swept.overdue as i64);
                self.metrics.partitions_destroyed.inc_by(swept.destroyed as u64);
                if swept.destroyed > 0 {
                    tracing::info!(partitions = swept.destroyed, "destroyed what was due in the archive");
                }
            }
            Err(error) => {
                self.metrics.sweep_errors.inc();
                tracing::error!(%error, "cannot destroy what is due in the archive; it is unreadable all the same");
            }
        }
    }

    /// One round of care of the keys; a failure is told in the log, and the next round tries again.
    pub fn care(&self, policy: &Policy) {
        match self.tend(policy) {
            Ok(tended) if tended.moments.in_doubt => {
                tracing::error!(
                    "the wall clock jumped ahead by more than a day; set it right, or: logveil archive purge --confirm"
                );
            }
            Ok(_) => {}
            Err(error) => tracing::error!(%error, "cannot look after the keys"),
        }
    }

    /// Whether the archive took what it was last given.
    pub fn archive_is_well(&self) -> bool {
        self.archive_well.load(Ordering::Relaxed)
    }

    fn append(&self, batches: &[Arc<Redacted>]) -> Verdict {
        let appended = self.archive.append(batches, self.time.now());
        self.archive_well.store(appended.is_ok(), Ordering::Relaxed);
        match appended {
            Ok(appended) => {
                self.metrics.archive_expired.inc_by(appended.overdue);
                self.metrics.archive_cut.inc_by(appended.cut);
                if appended.cut > 0 {
                    tracing::warn!(bytes = appended.cut, "cut off unfinished blocks that a crash had left");
                }
                Verdict::Accept
            }
            Err(error) => Verdict::Defer(Fault { kind: SinkError::Storage, detail: error.to_string() }, None),
        }
    }
}

/// The archive as a sink: several batches share one sync.
pub struct ArchiveSink(pub Arc<Keeper>);

impl Sink for ArchiveSink {
    async fn send(&mut self, delivery: &mut Delivery<'_>) -> Verdict {
        tokio::task::block_in_place(|| self.0.append(&delivery.batches()))
    }
}

/// Opens the durable queue; also one that is left over, so that what is due in it is destroyed.
fn open_queue(
    settings: &Settings,
    dir: &Arc<DataDir>,
    kek: &Arc<Kek>,
) -> Result<Option<Arc<Log>>, durable::Error> {
    let (bytes_max, sinks) = match settings.queue {
        Queue::Durable { bytes_max } => {
            (bytes_max, settings.sinks.iter().map(|sink| sink.name.to_string()).collect())
        }
        Queue::Memory { .. } if dir.join("queue").is_dir() => (0, Vec::new()),
        Queue::Memory { .. } => return Ok(None),
    };
    let (log, opened) = Log::open(Arc::clone(dir), Arc::clone(kek), &Place::queue(), bytes_max, &sinks)?;
    let durable::Opened { segments, bytes, damaged } = opened;
    if segments > 0 {
        tracing::info!(segments, bytes, "records wait in the durable queue");
    }
    if damaged > 0 {
        tracing::error!(
            damaged,
            "the durable queue held what it did not write or cannot read; see queue/quarantine"
        );
    }
    if segments > 0 && sinks.is_empty() {
        tracing::warn!(
            bytes,
            "they are not delivered while queue.mode is memory; set it to durable to have them sent"
        );
    }
    Ok(Some(Arc::new(log)))
}

/// Whether a configuration keeps anything in the archive.
pub fn keeps(settings: &Settings) -> bool {
    settings.sinks.iter().any(|sink| sink.kind == SinkKind::Archive)
}

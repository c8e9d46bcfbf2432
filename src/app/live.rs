/*!
What holds for a batch: policy, keys, and which sink gets which class.

Swapped whole, between batches: no batch sees two.
*/

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::config::Sink;
use crate::entity::Entity;
use crate::keys::Keyring;
use crate::pipeline::Rescan;
use crate::policy::Policy;
use crate::record::{ClassId, Record};

use super::states::States;

/// One state of things.
#[derive(Debug)]
pub struct Live {
    /// What is done with findings.
    pub policy: Arc<Policy>,
    /// The keys of its pseudonyms.
    pub keyring: Arc<Keyring>,
    /// For each sink in their order: what it gets.
    pub wants: Vec<Want>,
    /// What is looked for once more in clean records, if anything is.
    pub rescan: Option<Arc<Rescan>>,
    /// Scratch of those who work with them.
    pub states: Arc<States>,
}

impl Live {
    /// One state of things, with scratch of its own.
    pub fn new(policy: Arc<Policy>, keyring: Arc<Keyring>, wants: Vec<Want>) -> Live {
        Live { policy, keyring, wants, rescan: None, states: Arc::default() }
    }

    /// The same, with a second look as the settings have it.
    pub fn rescanned(self, never: Option<&[Entity]>) -> Live {
        let rescan = never.map(|never| Arc::new(Rescan::new(&self.policy, never)));
        Live { rescan, ..self }
    }

    /// Whether every class that pseudonymizes has its key for records received at `now`.
    pub fn has_keys(&self, now: crate::clock::Timestamp) -> bool {
        let needs = self.policy.classes().filter(|class| self.policy.pseudonymizes(*class));
        let mut names = needs.map(|class| self.policy.class_name(class));
        names.all(|name| self.keyring.key(name, now).is_some())
    }
}

/// Where the present state stands; everybody who holds a clone sees the swap.
#[derive(Clone, Debug)]
pub struct Now {
    live: Arc<watch::Sender<Arc<Live>>>,
    turn: Arc<Mutex<()>>,
}

impl Now {
    /// Begins with `live`.
    pub fn new(live: Live) -> Now {
        Now { live: Arc::new(watch::Sender::new(Arc::new(live))), turn: Arc::default() }
    }

    /// The turn to change it. Held from the look at the policy until the swap, by whoever makes or destroys keys in
    /// between: else the keys of a policy that is no more would come back.
    pub fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The present state.
    pub fn look(&self) -> Arc<Live> {
        Arc::clone(&self.live.borrow())
    }

    /// Swaps policy, keys and classes at once.
    pub fn swap(&self, live: Live) {
        self.live.send_replace(Arc::new(live));
    }

    /// Swaps the keys of the present state; what was remembered under the old ones is forgotten.
    pub fn rekey(&self, keyring: Arc<Keyring>) {
        self.live.send_modify(|live| {
            let next = Live::new(Arc::clone(&live.policy), keyring, live.wants.clone());
            *live = Arc::new(Live { rescan: live.rescan.clone(), ..next });
        });
    }

    /// To wait for the next swap.
    pub fn subscribe(&self) -> watch::Receiver<Arc<Live>> {
        self.live.subscribe()
    }
}

/// What a sink gets.
#[derive(Clone, Debug, Default)]
pub struct Want {
    /// The classes; all without this.
    pub classes: Option<Vec<ClassId>>,
    /// The region that it keeps them in.
    pub region: Option<Arc<str>>,
}

impl Want {
    /// Whether it takes everything, wherever that belongs.
    pub fn takes_all(&self, policy: &Policy) -> bool {
        self.classes.is_none() && !policy.binds_regions()
    }

    /// Whether the record's class is for it.
    pub fn takes(&self, record: &Record) -> bool {
        self.classes.as_ref().is_none_or(|classes| classes.contains(&record.class))
    }

    /// Whether the record is for it and may go there.
    pub fn gets(&self, policy: &Policy, record: &Record) -> bool {
        self.takes(record) && policy.may_go(record.class, record.home, self.region.as_deref())
    }
}

/// What the running sinks get, as `sinks` of a new configuration say.
///
/// A sink that the new configuration does not have keeps running until the restart that it needs, and gets nothing.
pub fn wants(running: &[Arc<str>], sinks: &[Sink]) -> Vec<Want> {
    let of = |name: &Arc<str>| match sinks.iter().find(|sink| sink.name == *name) {
        Some(sink) => Want { classes: sink.classes.clone(), region: sink.region.clone() },
        None => Want { classes: Some(Vec::new()), region: None },
    };
    running.iter().map(of).collect()
}

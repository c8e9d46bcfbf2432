/*!
What an operator may have done to the keys of a running program.
*/

use std::collections::BTreeSet;
use std::sync::Arc;

use super::By;
use super::keeper::Keeper;
use super::live::Now;
use crate::action::{Action, Shape};
use crate::clock::Clock;
use crate::mark;
use crate::vault::{self, Act, Outcome};

/// Rotates and destroys pseudonym keys, and swaps what holds for the next batch.
pub struct KeyOrders {
    now: Now,
    keeper: Arc<Keeper>,
}

/// Why an order was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The policy has no such class.
    #[error("the policy has no such class")]
    NoClass,
    /// No such key lives.
    #[error("there is no such key")]
    NoKey,
    /// The data directory.
    #[error(transparent)]
    Vault(#[from] vault::Error),
}

impl KeyOrders {
    /// Orders to the program that holds this directory.
    pub fn new(now: Now, keeper: Arc<Keeper>) -> KeyOrders {
        KeyOrders { now, keeper }
    }

    /// Lets new keys serve from now on, of one class or of all. How many were made. Blocks.
    pub fn rotate(&self, by: &By, class: Option<&str>) -> Result<usize, KeyError> {
        let turn = self.now.turn();
        let policy = Arc::clone(&self.now.look().policy);
        let made = self.keeper.rotate(&policy, class);
        self.now.rekey(self.keeper.keyring());
        drop(turn);
        let made = made.map_err(KeyError::from).and_then(|made| made.ok_or(KeyError::NoClass));
        let act =
            self.act(by, "keys rotate", &made).count("keys", made.as_ref().map_or(0, |made| *made as u64));
        self.keeper.audited(act);
        made
    }

    /// Ends the key of this name; where it serves now, a new one takes its place. Blocks.
    pub fn destroy(&self, by: &By, id: &str) -> Result<(), KeyError> {
        let turn = self.now.turn();
        let destroyed = self.keeper.destroy_key(id);
        // One that served has a successor before the next batch.
        self.keeper.care(&self.now.look().policy);
        self.now.rekey(self.keeper.keyring());
        drop(turn);
        let known = !matches!(destroyed, Ok(false));
        let destroyed =
            destroyed.map_err(KeyError::from).and_then(|done| done.then_some(()).ok_or(KeyError::NoKey));
        let act = self.act(by, "keys destroy", &destroyed);
        // What is no key's name is whatever somebody sent.
        self.keeper.audited(if known { act.on(id) } else { act });
        destroyed
    }

    /// What may stand for these values in records by the table of sessions, as long as it still leads there. Nothing is
    /// entered by asking.
    pub fn stand_for(&self, values: &[String]) -> BTreeSet<String> {
        let policy = Arc::clone(&self.now.look().policy);
        let (sessions, now) = (self.keeper.sessions(), self.keeper.time().now());
        let entities = policy.rules().entities();
        let mut known = BTreeSet::new();
        for place in values.iter().map(|value| sessions.place(value.as_bytes())) {
            for class in policy.classes() {
                for entity in entities.iter() {
                    let name = entities.name(entity);
                    let is_drawn = matches!(
                        policy.action(class, entity),
                        Action::Pseudonymize { shape: Shape::Table { .. } }
                    );
                    let tag = if is_drawn { sessions.known(place, (class.0, name), now) } else { None };
                    if let Some(tag) = tag {
                        let mut text = Vec::new();
                        mark::write_tag(&mut text, name, &sessions.id().0, &tag);
                        known.insert(String::from_utf8_lossy(&text).into_owned());
                    }
                }
            }
        }
        known
    }

    fn act<T>(&self, by: &By, what: &str, done: &Result<T, KeyError>) -> Act {
        let outcome = match done {
            Ok(_) => Outcome::Done,
            Err(KeyError::Vault(_)) => Outcome::Failed,
            Err(KeyError::NoClass | KeyError::NoKey) => Outcome::Refused,
        };
        by.act(self.keeper.time().now(), what).ended(outcome)
    }
}

/*!
What a driver of one kind of store can be asked for.
*/

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use super::bound::{Effective, Grain, Lag, TooShort, value_for};
use super::store::Target;
use super::verdict::Oldest;
use crate::clock::Timestamp;

/// Work that waits for a store.
pub type Doing<'a, T> = Pin<Box<dyn Future<Output = Result<T, Unknown>> + Send + 'a>>;

/// Speaks to a store about the life of what it keeps.
pub trait Driver: Send + Sync + fmt::Debug {
    /// Reads what is configured, what it amounts to, and how old the oldest record is.
    fn read<'a>(&'a self, target: &'a Target, now: Timestamp) -> Doing<'a, Reading>;

    /// Configures the target as wanted; done twice it is done once. Gives what the store answered.
    fn set<'a>(
        &'a self,
        _target: &'a Target,
        _wanted: &'a Wanted,
        _now: Timestamp,
    ) -> Doing<'a, Vec<String>> {
        Box::pin(async { Err(Unknown::new("nothing is set there by others than its operator")) })
    }

    /// Deletes what was received before `before`, and nothing that is not the target's own. What cannot be deleted keeps
    /// nothing else from it: `deleted` has what is gone, also where this fails or is given up half way.
    fn delete_before<'a>(
        &'a self,
        _target: &'a Target,
        _before: Timestamp,
        _now: Timestamp,
        _deleted: &'a mut Deleted,
    ) -> Doing<'a, ()> {
        Box::pin(async { Err(Unknown::new("nothing is deleted there by a given moment")) })
    }

    /// Reads a page of the target's records: from the first on, or from where another page ended. The store is not told
    /// who is looked for, so that no log of its own holds a value; whoever asks looks through what comes.
    fn page<'a>(&'a self, _target: &'a Target, _from: Option<&'a str>, _now: Timestamp) -> Doing<'a, Page> {
        Box::pin(async { Err(Unknown::new(NO_RECORDS)) })
    }

    /// Takes out the records with these marks, and follows that to its end. Done twice it is done once.
    fn erase<'a>(&'a self, _target: &'a Target, _marks: &'a [String], _now: Timestamp) -> Doing<'a, Gone> {
        Box::pin(async { Err(Unknown::new(NO_RECORDS)) })
    }
}

const NO_RECORDS: &str = "its records are not read one by one";

/// Some of a target's records.
#[derive(Debug, Default)]
pub struct Page {
    /// The records, in the store's order.
    pub records: Vec<Stored>,
    /// From where the next page goes on; nothing behind the last.
    pub next: Option<String>,
    /// How many there are in all, if the store says.
    pub total: Option<u64>,
}

/// A record as a store keeps it.
pub struct Stored {
    /// What tells it from others there, and says nothing of what it holds: a number, an id, a digest.
    pub mark: String,
    /// An object of JSON, or a line of text.
    pub text: Vec<u8>,
    /// When it was received, if the store knows more than the text says.
    pub received: Option<Timestamp>,
}

impl fmt::Debug for Stored {
    /// What it holds is not printed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stored").field("mark", &self.mark).finish_non_exhaustive()
    }
}

/// What came of taking records out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gone {
    /// Records that the store says are gone.
    pub records: u64,
    /// What the store answered, a line each. Nothing of a record.
    pub told: Vec<String>,
}

/// What could not be learnt or done, one line. Holds nothing of a record and no credential.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unknown(pub String);

impl Unknown {
    /// From words.
    pub fn new(why: impl Into<String>) -> Unknown {
        Unknown(why.into())
    }
}

/// What a driver does; where it does not, why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Can {
    /// Set the retention.
    pub set: Result<(), &'static str>,
    /// Whether logveil deletes by itself, because the store has no lifecycle.
    pub own_deletion: bool,
    /// Read its records, to look for a subject and for what should not be there.
    pub find: Result<(), &'static str>,
    /// Take single records out.
    pub erase: Result<(), &'static str>,
}

/// What was read of a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// What the store does.
    pub effective: Effective,
    /// The oldest record.
    pub oldest: Oldest,
    /// What the store's clock shows, if it says.
    pub store_now: Option<Timestamp>,
    /// What is configured, by name, in the order in which [`Wanted`] has it.
    pub settings: Vec<Setting>,
    /// Why nothing is deleted though it is configured to be, if that shows.
    pub stalled: Option<String>,
    /// What an operator should know: copies elsewhere, what cannot be seen.
    pub notes: Vec<String>,
}

/// One thing that is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// As the store calls it.
    pub name: String,
    /// As the store writes it; `not set` where it is not.
    pub value: String,
}

impl Setting {
    /// A setting by name and value.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Setting {
        Setting { name: name.into(), value: value.into() }
    }
}

/// What to configure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The value itself.
    pub value: Duration,
    /// What the store will do then.
    pub effective: Effective,
    /// What is set, by name.
    pub settings: Vec<Setting>,
}

impl Wanted {
    /// The largest value that keeps a limit with these lags on top, and what is set for it.
    ///
    /// # Errors
    ///
    /// If the store has no value that is small enough.
    pub fn within(
        limit: Duration,
        lags: Vec<Lag>,
        grain: Grain,
        settings: impl FnOnce(Duration) -> Vec<Setting>,
    ) -> Result<Wanted, TooShort> {
        let value = value_for(limit, &lags, grain)?;
        Ok(Wanted { value, effective: Effective::new(value, lags), settings: settings(value) })
    }
}

/// What a deletion came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deleted {
    /// What is gone, by the store's own names: files, indices, objects. Never a record's text.
    pub names: Vec<String>,
    /// How much of what was due is left, and why the first of it is.
    left: Option<(usize, Unknown)>,
}

impl Deleted {
    /// Notes what came of one thing that was due.
    pub fn note(&mut self, name: String, gone: Result<(), Unknown>) {
        match (gone, &mut self.left) {
            (Ok(()), _) => self.names.push(name),
            (Err(_), Some((left, _))) => *left += 1,
            (Err(why), none) => *none = Some((1, why)),
        }
    }

    /// Whether all that was due is gone.
    ///
    /// # Errors
    ///
    /// If something is left: how much, and why.
    pub fn whole(&self) -> Result<(), Unknown> {
        match &self.left {
            None => Ok(()),
            Some((left, why)) => {
                let due = left + self.names.len();
                Err(Unknown(format!("{left} of {due} that are due are still there: {why}")))
            }
        }
    }
}

/// The settings that differ: name, what is, what is to be.
pub fn changes(is: &[Setting], wanted: &[Setting]) -> Vec<(String, String, String)> {
    let differs = |wanted: &Setting| {
        let found = is.iter().find(|setting| setting.name == wanted.name);
        let value = found.map_or("not set", |setting| setting.value.as_str());
        (value != wanted.value).then(|| (wanted.name.clone(), value.to_owned(), wanted.value.clone()))
    };
    wanted.iter().filter_map(differs).collect()
}

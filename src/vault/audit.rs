/*!
The audit log: who did what to the data directory, when and why. Sealed, append-only.

It never holds a value of a record or a subject: acts name requests and keys by
their numbers, and a reason is what an operator wrote, cleaned before it comes here.
*/

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::chain::{Chain, Entry, Line};
use super::{DataDir, Error, Kek, Sealed};
use crate::clock::Timestamp;
use crate::limit::AUDIT_TEXT_BYTES_MAX;

/// One act. The format, as it is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Act {
    /// When it ended.
    pub at: Timestamp,
    /// The operating system's user, or the name that a token belongs to.
    pub who: String,
    /// The role that it was done in, if one was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The verb: `subject erase`.
    pub act: String,
    /// What it was done to, by its number or public name: `r3`, `k7f3a`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What came of it.
    pub outcome: Outcome,
    /// How much of what it touched.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub counts: BTreeMap<String, u64>,
}

/// What came of an act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It was done.
    Done,
    /// Whoever asked may not, or asked for what cannot be.
    Refused,
    /// It was begun and failed.
    Failed,
}

impl Outcome {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Done => "done",
            Outcome::Refused => "refused",
            Outcome::Failed => "failed",
        }
    }
}

impl Entry for Act {
    const FORMAT: &'static str = "logveil-audit/1";
}

impl Act {
    /// An act that was done.
    pub fn new(at: Timestamp, who: &str, act: &str) -> Act {
        Act {
            at,
            who: bounded(who),
            role: None,
            act: bounded(act),
            on: None,
            reason: None,
            outcome: Outcome::Done,
            counts: BTreeMap::new(),
        }
    }

    /// What it was done to.
    pub fn on(mut self, what: &str) -> Act {
        self.on = Some(bounded(what));
        self
    }

    /// Why, in clean words.
    pub fn because(mut self, reason: Option<&str>) -> Act {
        self.reason = reason.map(bounded);
        self
    }

    /// In which role.
    pub fn as_role(mut self, role: Option<&str>) -> Act {
        self.role = role.map(bounded);
        self
    }

    /// What came of it.
    pub fn ended(mut self, outcome: Outcome) -> Act {
        self.outcome = outcome;
        self
    }

    /// How much.
    pub fn count(mut self, what: &str, count: u64) -> Act {
        self.counts.insert(bounded(what), count);
        self
    }
}

/// Printable, and no longer than [`AUDIT_TEXT_BYTES_MAX`].
fn bounded(text: &str) -> String {
    let mut out = String::new();
    for sign in text.chars().map(|sign| if sign.is_control() { ' ' } else { sign }) {
        if out.len() + sign.len_utf8() > AUDIT_TEXT_BYTES_MAX {
            break;
        }
        out.push(sign);
    }
    out
}

/// The audit log of a data directory.
#[derive(Debug)]
pub struct AuditLog {
    file: Sealed<Act>,
}

impl AuditLog {
    /// The log of this directory, which need not be there yet.
    pub fn new(dir: &DataDir, kek: Arc<Kek>) -> AuditLog {
        AuditLog { file: Sealed::new(dir, "audit", kek) }
    }

    /// Says that something was done; durable on return.
    pub fn say(&self, act: Act) -> Result<(), Error> {
        self.file.append(act).map(|_| ())
    }

    /// Reads and checks all of it.
    pub fn verify(&self, see: impl FnMut(&Line<Act>)) -> Result<Chain, Error> {
        self.file.verify(see)
    }
}

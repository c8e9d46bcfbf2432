/*!
The register of incidents: what was found where it should not be, when it must be
told (72 hours; GDPR, article 33), and what came of it. Sealed and append-only; it
names stores, classes, entities and rules, and never a value.
*/

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Kind, Leak};
use crate::clock::Timestamp;
use crate::limit::INCIDENT_TIME;
use crate::vault::{Chain, ChainLine as Line, DataDir, Entry, Error, Kek, Sealed};

/// One line of the register. The format, as it is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// The incident's number, `i1`: that of the line that opened it.
    pub incident: String,
    /// What was found, if the line says that something was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<Found>,
    /// Until when it must be told, where it is opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
    /// What an operator said, in clean words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closes: Option<String>,
}

/// What was found. The format, as it is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// The store.
    pub store: String,
    /// Retention class.
    pub class: String,
    /// The entity's name.
    pub entity: String,
    /// The rule that found it.
    pub rule: String,
    /// Records that hold one, of those that were looked through.
    pub records: u64,
    /// Receive time of the first of them.
    pub first: Timestamp,
    /// Receive time of the last of them.
    pub last: Timestamp,
}

impl Entry for Event {
    const FORMAT: &'static str = "logveil-incidents/1";
}

/// An incident as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incident {
    /// Its number.
    pub id: String,
    /// What was found first.
    pub found: Found,
    /// When.
    pub opened: Timestamp,
    /// When it was found again last.
    pub seen: Timestamp,
    /// Until when it must be told.
    pub deadline: Timestamp,
    /// When it was closed, and why.
    pub closed: Option<(Timestamp, String)>,
}

impl Incident {
    /// Whether its 72 hours are over and it is still open.
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        self.closed.is_none() && self.deadline <= now
    }
}

/// What became of a leak in the register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// It is an incident from now on.
    Opened(String),
    /// It is known, and was found again.
    Again(String),
}

impl Seen {
    /// The incident's number.
    pub fn id(&self) -> &str {
        match self {
            Seen::Opened(id) | Seen::Again(id) => id,
        }
    }
}

/// The register of a data directory.
#[derive(Debug)]
pub struct Incidents {
    file: Sealed<Event>,
}

impl Incidents {
    /// The register of this directory, which need not be there yet.
    pub fn new(dir: &DataDir, kek: Arc<Kek>) -> Incidents {
        Incidents { file: Sealed::new(dir, "incidents", kek) }
    }

    /// Says that something was found: a new incident, or an open one of the same store, class and entity. Durable on
    /// return.
    pub fn found(&self, store: &str, kind: &Kind, leak: &Leak, at: Timestamp) -> Result<Seen, Error> {
        let (class, entity) = kind.clone();
        let Leak { rule, records, first, last } = leak.clone();
        let found = Found { store: store.to_owned(), class, entity, rule, records, first, last };
        let mut seen = Seen::Opened(String::new());
        let say = |incidents: &mut Vec<Incident>, next: u64| {
            let known = incidents.iter().find(|incident| incident.is_of(&found));
            let deadline = match known {
                Some(incident) => {
                    seen = Seen::Again(incident.id.clone());
                    None
                }
                None => {
                    seen = Seen::Opened(format!("i{next}"));
                    at.checked_add(INCIDENT_TIME).ok()
                }
            };
            let (incident, found) = (seen.id().to_owned(), Some(found.clone()));
            Some(Event { at, incident, found, deadline, closes: None })
        };
        self.file.append_after(Vec::new(), fold, say)?;
        Ok(seen)
    }

    /// Closes an incident that is open; false if there is none of this number. Durable on return.
    pub fn close(&self, id: &str, why: &str, at: Timestamp) -> Result<bool, Error> {
        let mut is_open = false;
        let say = |incidents: &mut Vec<Incident>, _| {
            is_open = incidents.iter().any(|incident| incident.id == id && incident.closed.is_none());
            let (incident, closes) = (id.to_owned(), Some(why.to_owned()));
            is_open.then_some(Event { at, incident, found: None, deadline: None, closes })
        };
        self.file.append_after(Vec::new(), fold, say)?;
        Ok(is_open)
    }

    /// Reads and checks the whole register.
    pub fn verify(&self) -> Result<Chain, Error> {
        self.file.verify(|_| ())
    }

    /// All incidents, oldest first. Checks the whole register.
    pub fn list(&self) -> Result<Vec<Incident>, Error> {
        let mut incidents = Vec::new();
        self.file.verify(|line| fold(&mut incidents, line))?;
        Ok(incidents)
    }
}

impl Incident {
    fn is_of(&self, found: &Found) -> bool {
        let own = (&self.found.store, &self.found.class, &self.found.entity);
        self.closed.is_none() && own == (&found.store, &found.class, &found.entity)
    }
}

fn fold(incidents: &mut Vec<Incident>, line: &Line<Event>) {
    let event = &line.said;
    let known = incidents.iter_mut().find(|incident| incident.id == event.incident);
    match (known, &event.found, event.deadline) {
        (None, Some(found), Some(deadline)) => incidents.push(Incident {
            id: event.incident.clone(),
            found: found.clone(),
            opened: event.at,
            seen: event.at,
            deadline,
            closed: None,
        }),
        (Some(incident), found, _) => {
            if found.is_some() {
                incident.seen = event.at;
            }
            if let Some(why) = &event.closes {
                incident.closed = Some((event.at, why.clone()));
            }
        }
        (None, _, _) => {}
    }
}

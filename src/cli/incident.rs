//! `logveil incident`: the register of incidents, with 72 hours for each.

use std::sync::Arc;

use serde_json::{Value, json};

use super::audit::until;
use super::output::counted;
use super::register::{Close, Entry, List};
use super::{Error, Exit};
use crate::clock::{Clock as _, Timestamp};
use crate::leak::{Incident, Incidents};

/// List the incidents that leak audits opened, or close one.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  logveil incident list\n  logveil incident close i1 --reason 'told the authority, rule added'"
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// The incidents, a line each, oldest first. Exit code 1 if the 72 hours of an open one are over.
    List(List),
    /// Closes an incident.
    Close(Close),
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Error> {
    match &arguments.verb {
        Verb::List(list) => {
            list.run(|(dir, kek, _)| Incidents::new(dir, Arc::clone(kek)).list().map_err(Error::usage))
        }
        Verb::Close(close) => close.run("incident close", |(dir, kek, time), id, reason| {
            let incidents = Incidents::new(dir, Arc::clone(kek));
            match incidents.close(id, &reason.unwrap_or_default(), time.now()).map_err(Error::usage)? {
                true => Ok(()),
                false => Err(Error::Usage(format!(
                    "{id:?}: there is no such open incident; `logveil incident list` tells which there are"
                ))),
            }
        }),
    }
}

impl Entry for Incident {
    fn is_open(&self) -> bool {
        self.closed.is_none()
    }

    fn is_overdue(&self, now: Timestamp) -> bool {
        Incident::is_overdue(self, now)
    }

    fn line(&self, now: Timestamp) -> String {
        let found = &self.found;
        let state = match &self.closed {
            Some((at, why)) => format!("closed {at}: {why}"),
            None if self.is_overdue(now) => format!("OVERDUE, {}", until(self.deadline, now)),
            None => format!("open, {}", until(self.deadline, now)),
        };
        let (id, opened, records) = (&self.id, self.opened, counted(found.records, "record"));
        let place =
            format!("{} {} {} (rule {}) in {records}", found.store, found.class, found.entity, found.rule);
        format!("{id} found {opened}: {place}  {state}")
    }

    fn object(&self, now: Timestamp) -> Value {
        let found = &self.found;
        json!({
            "incident": self.id,
            "opened": self.opened.to_string(),
            "seen": self.seen.to_string(),
            "deadline": self.deadline.to_string(),
            "overdue": self.is_overdue(now),
            "store": found.store,
            "class": found.class,
            "entity": found.entity,
            "rule": found.rule,
            "records": found.records,
            "closed": self.closed.as_ref().map(|(at, _)| at.to_string()),
            "reason": self.closed.as_ref().map(|(_, why)| why),
        })
    }
}

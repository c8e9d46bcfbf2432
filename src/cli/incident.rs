//! `logveil incident`: the register of incidents, with 72 hours for each.

use std::io::{self, Write as _};
use std::sync::Arc;

use serde_json::json;

use super::archive::Place;
use super::audit::until;
use super::operator::{Permit, audited, clean_reason};
use super::output::counted;
use super::{Error, Exit};
use crate::clock::{Clock, Timestamp};
use crate::config::May;
use crate::leak::{Incident, Incidents};
use crate::vault::Act;

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
    List {
        #[command(flatten)]
        place: Place,
        /// Those that are closed, too.
        #[arg(long)]
        all: bool,
        /// How they are written.
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Closes an incident.
    Close {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        permit: Permit,
        /// The incident's number: i1.
        #[arg(value_name = "ID")]
        id: String,
        /// What was done about it; kept without what is sensitive in it.
        #[arg(long, value_name = "TEXT", required = true)]
        reason: String,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

pub(super) fn run(arguments: Arguments) -> Result<Exit, Error> {
    match arguments.verb {
        Verb::List { place, all, format } => list(&place, all, format),
        Verb::Close { place, permit, id, reason } => close(&place, &permit, &id, &reason),
    }
}

fn list(place: &Place, all: bool, format: Format) -> Result<Exit, Error> {
    let (dir, kek, time) = place.beside()?;
    let now = time.now();
    let incidents = Incidents::new(&dir, kek).list().map_err(Error::usage)?;
    let mut text = String::new();
    for incident in incidents.iter().filter(|incident| all || incident.closed.is_none()) {
        text += &match format {
            Format::Text => line(incident, now),
            Format::Json => object(incident, now),
        };
        text.push('\n');
    }
    io::stdout().write_all(text.as_bytes()).map_err(Error::output)?;
    let overdue = incidents.iter().any(|incident| incident.is_overdue(now));
    Ok(if overdue { Exit::Found } else { Exit::Done })
}

fn line(incident: &Incident, now: Timestamp) -> String {
    let found = &incident.found;
    let state = match &incident.closed {
        Some((at, why)) => format!("closed {at}: {why}"),
        None if incident.is_overdue(now) => format!("OVERDUE, {}", until(incident.deadline, now)),
        None => format!("open, {}", until(incident.deadline, now)),
    };
    let (id, opened, records) = (&incident.id, incident.opened, counted(found.records, "record"));
    let place =
        format!("{} {} {} (rule {}) in {records}", found.store, found.class, found.entity, found.rule);
    format!("{id} found {opened}: {place}  {state}")
}

fn object(incident: &Incident, now: Timestamp) -> String {
    let found = &incident.found;
    json!({
        "incident": incident.id,
        "opened": incident.opened.to_string(),
        "seen": incident.seen.to_string(),
        "deadline": incident.deadline.to_string(),
        "overdue": incident.is_overdue(now),
        "store": found.store,
        "class": found.class,
        "entity": found.entity,
        "rule": found.rule,
        "records": found.records,
        "closed": incident.closed.as_ref().map(|(at, _)| at.to_string()),
        "reason": incident.closed.as_ref().map(|(_, why)| why),
    })
    .to_string()
}

fn close(place: &Place, permit: &Permit, id: &str, why: &str) -> Result<Exit, Error> {
    let who = permit.of(place, May::Close)?;
    let (dir, kek, time) = place.beside()?;
    let reason = clean_reason(Some(why)).unwrap_or_default();
    let closed = Incidents::new(&dir, Arc::clone(&kek)).close(id, &reason, time.now());
    if !closed.map_err(Error::usage)? {
        return Err(Error::Usage(format!(
            "{id:?}: there is no such open incident; `logveil incident list` tells which there are"
        )));
    }
    let act = Act::new(time.now(), &who.name, "incident close").as_role(who.role.as_deref()).on(id);
    audited(&dir, &kek, act.because(Some(&reason)))?;
    io::stdout().write_all(format!("closed {id}\n").as_bytes()).map_err(Error::output)?;
    Ok(Exit::Done)
}

//! `logveil subject requests`: the register.

use std::io::{self, Write as _};
use std::sync::Arc;

use serde_json::json;

use super::super::archive::Place;
use super::super::operator::{Permit, audited, clean_reason};
use super::super::{Error, Exit};
use super::asked::headline;
use super::{Format, failed};
use crate::clock::{Clock, Timestamp};
use crate::config::May;
use crate::subject::{Register, Request};
use crate::vault::Act;

/// List the requests, or close one.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// The requests, a line each, oldest first. Exit code 1 if one is overdue.
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
    /// Closes a request that was answered in another way, or refused.
    Close {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        permit: Permit,
        /// The request's number: r3.
        #[arg(value_name = "ID")]
        id: String,
        /// Why; kept without what is sensitive in it.
        #[arg(long, value_name = "TEXT", required = true)]
        reason: String,
    },
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Error> {
    match &arguments.verb {
        Verb::List { place, all, format } => list(place, *all, *format),
        Verb::Close { place, permit, id, reason } => close(place, permit, id, reason),
    }
}

fn list(place: &Place, all: bool, format: Format) -> Result<Exit, Error> {
    let (dir, kek, time) = place.beside()?;
    let now = time.now();
    let requests = Register::new(&dir, kek).list().map_err(failed)?;
    let mut text = String::new();
    for request in requests.iter().filter(|request| all || request.closed.is_none()) {
        text += &match format {
            Format::Text => line(request, now),
            Format::Json => object(request, now),
        };
        text.push('\n');
    }
    io::stdout().write_all(text.as_bytes()).map_err(Error::output)?;
    let overdue = requests.iter().any(|request| request.is_overdue(now));
    Ok(if overdue { Exit::Found } else { Exit::Done })
}

fn line(request: &Request, now: Timestamp) -> String {
    let state = match &request.closed {
        Some((at, what)) => format!("closed {at}: {what}"),
        None if request.is_overdue(now) => "OVERDUE".to_owned(),
        None => "open".to_owned(),
    };
    format!("{}  {state}", headline(request, now))
}

fn object(request: &Request, now: Timestamp) -> String {
    json!({
        "request": request.id,
        "verb": request.verb.name(),
        "law": request.law.name(),
        "received": request.received.to_string(),
        "deadline": request.deadline.map(|at| at.to_string()),
        "reason": request.reason,
        "overdue": request.is_overdue(now),
        "closed": request.closed.as_ref().map(|(at, _)| at.to_string()),
        "outcome": request.closed.as_ref().map(|(_, what)| what),
    })
    .to_string()
}

fn close(place: &Place, permit: &Permit, id: &str, why: &str) -> Result<Exit, Error> {
    let who = permit.of(place, May::Close)?;
    let (dir, kek, time) = place.beside()?;
    let reason = clean_reason(Some(why));
    let register = Register::new(&dir, Arc::clone(&kek));
    register.close(id, "closed by hand", reason.clone(), time.now()).map_err(failed)?;
    let act = Act::new(time.now(), &who.name, "subject requests close").as_role(who.role.as_deref()).on(id);
    audited(&dir, &kek, act.because(reason.as_deref()))?;
    io::stdout().write_all(format!("closed {id}\n").as_bytes()).map_err(Error::output)?;
    Ok(Exit::Done)
}

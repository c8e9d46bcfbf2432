//! `logveil subject requests`: the register.

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::register::{Close, Entry, List};
use super::super::{Error, Exit};
use super::asked::headline;
use super::failed;
use crate::clock::{Clock as _, Timestamp};
use crate::subject::{Register, Request};

/// List the requests, or close one.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// The requests, a line each, oldest first. Exit code 1 if one is overdue.
    List(List),
    /// Closes a request that was answered in another way, or refused.
    Close(Close),
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Error> {
    match &arguments.verb {
        Verb::List(list) => {
            list.run(|(dir, kek, _)| Register::new(dir, Arc::clone(kek)).list().map_err(failed))
        }
        Verb::Close(close) => close.run("subject requests close", |(dir, kek, time), id, reason| {
            let register = Register::new(dir, Arc::clone(kek));
            register.close(id, "closed by hand", reason, time.now()).map_err(failed)
        }),
    }
}

impl Entry for Request {
    fn is_open(&self) -> bool {
        self.closed.is_none()
    }

    fn is_overdue(&self, now: Timestamp) -> bool {
        Request::is_overdue(self, now)
    }

    fn line(&self, now: Timestamp) -> String {
        let state = match &self.closed {
            Some((at, what)) => format!("closed {at}: {what}"),
            None if self.is_overdue(now) => "OVERDUE".to_owned(),
            None => "open".to_owned(),
        };
        format!("{}  {state}", headline(self, now))
    }

    fn object(&self, now: Timestamp) -> Value {
        json!({
            "request": self.id,
            "verb": self.verb.name(),
            "law": self.law.name(),
            "received": self.received.to_string(),
            "deadline": self.deadline.map(|at| at.to_string()),
            "reason": self.reason,
            "overdue": self.is_overdue(now),
            "closed": self.closed.as_ref().map(|(at, _)| at.to_string()),
            "outcome": self.closed.as_ref().map(|(_, what)| what),
        })
    }
}

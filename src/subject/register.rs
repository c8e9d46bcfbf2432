/*!
The register of requests: what was asked for, by which law, until when, and what came
of it. Sealed and append-only; a request is told by its number and never by a value.
*/

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Error, Law};
use crate::clock::Timestamp;
use crate::vault::{Chain, ChainLine as Line, DataDir, Entry, Kek, Sealed};

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// Whether there is something, and what.
    Find,
    /// A copy.
    Export,
    /// That it be deleted.
    Erase,
    /// That from now on nothing is kept that stands for them.
    Suppress,
}

impl Verb {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Verb::Find => "find",
            Verb::Export => "export",
            Verb::Erase => "erase",
            Verb::Suppress => "suppress",
        }
    }
}

/// One line of the register. The format, as it is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// The request's number, `r1`: that of the line that opened it.
    pub request: String,
    /// Opened, if there is one: what is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opens: Option<Verb>,
    /// By which law, where it is opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub law: Option<Law>,
    /// Until when it must be answered, where it is opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
    /// Why it is asked for or closed, in clean words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Closed, if there is one: what came of it, in our own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closes: Option<String>,
}

impl Entry for Event {
    const FORMAT: &'static str = "logveil-requests/1";
}

/// A request as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its number.
    pub id: String,
    /// What is asked for.
    pub verb: Verb,
    /// By which law.
    pub law: Law,
    /// When it was received.
    pub received: Timestamp,
    /// Until when it must be answered.
    pub deadline: Option<Timestamp>,
    /// Why.
    pub reason: Option<String>,
    /// When it was closed, and what came of it.
    pub closed: Option<(Timestamp, String)>,
}

impl Request {
    /// Whether it should have been closed by now.
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        self.closed.is_none() && self.deadline.is_some_and(|deadline| deadline <= now)
    }
}

/// A child's request does not wait: it is due when it is received.
pub const CHILD: &str = "child";

/// The register of a data directory.
#[derive(Debug)]
pub struct Register {
    file: Sealed<Event>,
}

impl Register {
    /// The register of this directory, which need not be there yet.
    pub fn new(dir: &DataDir, kek: Arc<Kek>) -> Register {
        Register { file: Sealed::new(dir, "requests", kek) }
    }

    /// Opens a request that was received at `at`. Durable on return.
    pub fn open(
        &self,
        verb: Verb,
        law: Law,
        reason: Option<String>,
        at: Timestamp,
    ) -> Result<Request, Error> {
        let is_child = reason.as_deref() == Some(CHILD);
        let deadline = if is_child { Some(at) } else { law.deadline(at) };
        let mut id = String::new();
        let say = |(): &mut (), next: u64| {
            id = format!("r{next}");
            let (opens, law, reason) = (Some(verb), Some(law), reason.clone());
            Some(Event { at, request: id.clone(), opens, law, deadline, reason, closes: None })
        };
        self.file.append_after((), |(), _| (), say)?;
        Ok(Request { id, verb, law, received: at, deadline, reason, closed: None })
    }

    /// Closes a request that is open. Durable on return.
    pub fn close(
        &self,
        id: &str,
        what_came: &str,
        reason: Option<String>,
        at: Timestamp,
    ) -> Result<(), Error> {
        let say = |requests: &mut Vec<Request>, _| {
            requests.iter().find(|request| request.id == id && request.closed.is_none())?;
            let closes = Some(what_came.to_owned());
            let request = id.to_owned();
            Some(Event { at, request, opens: None, law: None, deadline: None, reason, closes })
        };
        let (requests, _) = self.file.append_after(Vec::new(), fold, say)?;
        open_one(&requests, id).map(|_| ())
    }

    /// A request that is open, and asks for that.
    pub fn find_open(&self, id: &str, verb: Verb) -> Result<Request, Error> {
        let request = open_one(&self.list()?, id).cloned()?;
        if request.verb != verb {
            let (id, asked, verb) = (request.id, request.verb.name(), verb.name());
            return Err(Error::OtherVerb { id, asked, verb });
        }
        Ok(request)
    }

    /// Reads and checks the whole register.
    pub fn verify(&self) -> Result<Chain, Error> {
        Ok(self.file.verify(|_| ())?)
    }

    /// All requests, oldest first. Checks the whole register.
    pub fn list(&self) -> Result<Vec<Request>, Error> {
        let mut requests = Vec::new();
        self.file.verify(|line| fold(&mut requests, line))?;
        Ok(requests)
    }
}

fn open_one<'a>(requests: &'a [Request], id: &str) -> Result<&'a Request, Error> {
    let found = requests.iter().find(|request| request.id == id);
    let request = found.ok_or_else(|| Error::NoRequest { id: id.to_owned() })?;
    match &request.closed {
        Some((at, _)) => Err(Error::Closed { id: id.to_owned(), at: *at }),
        None => Ok(request),
    }
}

fn fold(requests: &mut Vec<Request>, line: &Line<Event>) {
    let event = &line.said;
    if let Some(verb) = event.opens {
        requests.push(Request {
            id: event.request.clone(),
            verb,
            law: event.law.unwrap_or(Law::None),
            received: event.at,
            deadline: event.deadline,
            reason: event.reason.clone(),
            closed: None,
        });
    }
    if let Some(what) = &event.closes
        && let Some(request) = requests.iter_mut().find(|request| request.id == event.request)
    {
        request.closed = Some((event.at, what.clone()));
    }
}

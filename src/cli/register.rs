//! What the registers of requests and of incidents are asked: to list what they hold, and to close one entry.

use std::io::{self, Write as _};
use std::sync::Arc;

use super::archive::Place;
use super::operator::{Permit, Who, audited, clean_reason};
use super::{Error, Exit};
use crate::clock::{Clock as _, Timestamp};
use crate::config::May;
use crate::vault::{Act, DataDir, Kek, Timekeeper};

/// How entries are listed.
#[derive(Debug, clap::Args)]
pub(super) struct List {
    #[command(flatten)]
    place: Place,
    /// Those that are closed, too.
    #[arg(long)]
    all: bool,
    /// How they are written.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// What closes an entry.
#[derive(Debug, clap::Args)]
pub(super) struct Close {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    permit: Permit,
    /// Its number: r3, i1.
    #[arg(value_name = "ID")]
    id: String,
    /// Why, or what was done; kept without what is sensitive in it.
    #[arg(long, value_name = "TEXT", required = true)]
    reason: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

/// What a register holds.
pub(super) trait Entry {
    fn is_open(&self) -> bool;
    fn is_overdue(&self, now: Timestamp) -> bool;
    /// For a terminal.
    fn line(&self, now: Timestamp) -> String;
    /// For programs.
    fn object(&self, now: Timestamp) -> serde_json::Value;
}

/// A data directory as a register is opened in it.
pub(super) type Opened = (DataDir, Arc<Kek>, Timekeeper);

impl List {
    /// Writes the entries, a line each, oldest first; says by the exit code whether one is overdue.
    pub(super) fn run<T: Entry>(
        &self,
        read: impl Fn(&Opened) -> Result<Vec<T>, Error>,
    ) -> Result<Exit, Error> {
        let opened = self.place.beside()?;
        let now = opened.2.now();
        let entries = read(&opened)?;
        let mut text = String::new();
        for entry in entries.iter().filter(|entry| self.all || entry.is_open()) {
            text += &match self.format {
                Format::Text => entry.line(now),
                Format::Json => entry.object(now).to_string(),
            };
            text.push('\n');
        }
        io::stdout().write_all(text.as_bytes()).map_err(Error::output)?;
        Ok(if entries.iter().any(|entry| entry.is_overdue(now)) { Exit::Found } else { Exit::Done })
    }
}

impl Close {
    /// Closes the entry of this id with a clean reason, which `close` does, and says so in the audit log.
    pub(super) fn run(
        &self,
        act: &str,
        close: impl FnOnce(&Opened, &str, Option<String>) -> Result<(), Error>,
    ) -> Result<Exit, Error> {
        let Who { name, role } = self.permit.of(&self.place, May::Close)?;
        let opened = self.place.beside()?;
        let reason = clean_reason(Some(&self.reason));
        close(&opened, &self.id, reason.clone())?;
        let (dir, kek, time) = &opened;
        let act = Act::new(time.now(), &name, act).as_role(role.as_deref()).on(&self.id);
        audited(dir, kek, act.because(reason.as_deref()))?;
        io::stdout().write_all(format!("closed {}\n", self.id).as_bytes()).map_err(Error::output)?;
        Ok(Exit::Done)
    }
}

//! `logveil keys`: which pseudonym keys there are, and the end of one by hand.

use std::io::{self, Write};
use std::sync::Arc;

use super::archive::{Place, timekeeper};
use super::{Error, Exit};
use crate::clock::Clock;
use crate::vault::{self, Vault};

/// List the pseudonym keys of a data directory, or destroy one.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  logveil keys list\n  logveil keys destroy k7f3a --confirm")]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// The keys, a line each: name, policy, class, the time it serves, when it is destroyed. No key is shown.
    List {
        #[command(flatten)]
        place: Place,
    },
    /// Destroys a key for good: nobody can compute its pseudonyms any more. `logveil run` must not be running.
    Destroy {
        #[command(flatten)]
        place: Place,
        /// The key's name, as pseudonyms carry it.
        #[arg(value_name = "KEY")]
        id: String,
        /// It cannot be undone, and that is what is wanted.
        #[arg(long, required = true)]
        confirm: bool,
    },
}

pub(super) fn run(arguments: Arguments) -> Result<Exit, Error> {
    match arguments.verb {
        Verb::List { place } => list(&place),
        Verb::Destroy { place, id, confirm: _ } => destroy(&place, &id),
    }
}

fn list(place: &Place) -> Result<Exit, Error> {
    let dir = place.dir()?;
    let unreadable = timekeeper(&dir)?.look().unreadable;
    let mut text = String::new();
    for (key, due) in vault::keys(&dir).map_err(Error::usage)? {
        let fate = if due <= unreadable { "overdue" } else { "until" };
        let span = format!("{}/{}", key.from, key.until);
        text += &format!("{} {:<12} {:<12} {span}  {fate} {due}\n", key.id, key.policy, key.class);
    }
    io::stdout().write_all(text.as_bytes()).map_err(Error::output)?;
    Ok(Exit::Done)
}

fn destroy(place: &Place, id: &str) -> Result<Exit, Error> {
    let (dir, kek) = place.hold()?;
    let now = timekeeper(&dir)?.now();
    let mut vault = Vault::open(Arc::new(dir), Arc::new(kek)).map_err(Error::usage)?;
    if !vault.destroy(id, now).map_err(Error::failure)? {
        return Err(Error::Usage(format!(
            "{id:?}: there is no such key; `logveil keys list` tells which there are"
        )));
    }
    io::stdout().write_all(format!("destroyed {id}\n").as_bytes()).map_err(Error::output)?;
    Ok(Exit::Done)
}

//! `logveil check`: reads a configuration and says what it means, or all that is wrong with it.

use std::io::{self, Write};
use std::path::PathBuf;

use super::packs::Packs;
use super::{Error, Exit};
use crate::config::{SCHEMA, Settings};
use crate::vault;

/// Read a configuration and the policy that it names, and say what they mean.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: logveil check --config /etc/logveil/logveil.yaml\n\n\
    Exits with 2 and one line an error, FILE:LINE: KEY: WHAT, if anything is wrong.")]
pub(super) struct Arguments {
    /// The configuration, a YAML file. Without it: what `logveil run` does by default.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    #[command(flatten)]
    packs: Packs,

    /// Print the JSON Schema of configurations instead, for editors.
    #[arg(long, conflicts_with = "config")]
    schema: bool,
}

pub(super) fn run(arguments: Arguments) -> Result<Exit, Error> {
    if arguments.schema {
        io::stdout().write_all(SCHEMA.as_bytes()).map_err(Error::output)?;
        return Ok(Exit::Done);
    }
    let (config, packs) = (arguments.config.as_deref(), arguments.packs.files());
    let settings = Settings::load_with(config, packs).map_err(Error::usage)?;
    if let Some(place) = &settings.kek {
        place.read().map_err(Error::usage)?;
    }
    // What `run` would refuse at its start.
    vault::check_classes(&settings.policy.names().classes).map_err(Error::usage)?;
    let mut text = settings.summary().join("\n");
    text.push('\n');
    io::stdout().write_all(text.as_bytes()).map_err(Error::output)?;
    Ok(Exit::Done)
}

//! `logveil check`: reads a configuration and says what it means, or all that is wrong with it.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::packs::Packs;
use super::{Error, Exit, complain};
use crate::clock::{Clock as _, SystemClock};
use crate::config::{SCHEMA, Settings};
use crate::policy::Detail;
use crate::vault::{self, KekPlace};

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
        readable(place, &settings, config)?;
    }
    // What `run` would refuse at its start.
    vault::check_classes(&settings.policy.names().classes).map_err(Error::usage)?;
    let mut lines = settings.summary();
    lines.extend(settings.policy.uncovered(Detail::Names));
    let mut text = lines.join("\n");
    text.push('\n');
    io::stdout().write_all(text.as_bytes()).map_err(Error::output)?;
    if let Some(line) = settings.policy.not_yet(SystemClock::new().now()) {
        complain(&line);
    }
    Ok(Exit::Done)
}

/// Refuses a key-encryption key that cannot be read, where it is named, with what it is needed for.
pub(super) fn readable(place: &KekPlace, settings: &Settings, config: Option<&Path>) -> Result<(), Error> {
    let Err(error) = place.read() else { return Ok(()) };
    let at = match (config, settings.kek_line) {
        (Some(file), Some(line)) => format!("{}:{line}: ", file.display()),
        _ => String::new(),
    };
    let needed = settings.needs_key_for().map_or_else(String::new, |(entity, class)| {
        let policy = &settings.policy.names().policy;
        format!("; policy {policy} makes pseudonyms of {entity} in class {class} and cannot without a key")
    });
    Err(Error::Usage(format!("{at}keyring.kek: {error}{needed}")))
}

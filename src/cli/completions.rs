//! `logveil completions`: what the shell needs to complete verbs and options.

use std::io::{self, Write};

use clap::CommandFactory;
use clap_complete::Shell;

use super::{Error, Exit};

/// Write completions for a shell to standard output.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: logveil completions bash > /etc/bash_completion.d/logveil")]
pub(super) struct Arguments {
    /// The shell that reads them.
    #[arg(value_enum)]
    shell: Shell,
}

pub(super) fn run(arguments: Arguments) -> Result<Exit, Error> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut super::Arguments::command(), "logveil", &mut script);
    io::stdout().write_all(&script).map_err(Error::output)?;
    Ok(Exit::Done)
}

//! `logveil bench`: how much a second, and what takes the time. One file a subject.

pub(super) mod engine;
mod tell;

use super::{Error, Exit};

/// Measure on your own logs what this machine can do.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: logveil bench engine --input access.log app.log")]
pub(super) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    Engine(engine::Arguments),
}

pub(super) fn run(arguments: Arguments) -> Result<Exit, Error> {
    match arguments.what {
        What::Engine(arguments) => engine::run(&arguments),
    }
}

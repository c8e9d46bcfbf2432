//! `logveil subject`: what people may ask for about themselves.

mod archive;
pub(super) mod asked;
mod erase;
mod export;
mod find;
mod requests;
mod reveal;
mod suppress;
mod unasked;

use super::{Error, Exit};
use asked::Asked;

/// Find, export, erase or suppress what is kept of one person, by what they are known by; and the register of such requests.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  printf 'email %s\\n' \"$ADDRESS\" | logveil subject find --value-from -\n  \
                        logveil subject export --value-from person.txt --output person.json\n  \
                        logveil subject erase --value-from person.txt --law gdpr --yes\n  \
                        logveil subject requests list\n\n\
                        A file of values has a line for each: KIND VALUE, where KIND is email, ip, user-id, user-name,\n\
                        phone, token or an entity of the policy. All verbs work while `logveil run` runs."
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Says what is kept of them, by class, and what cannot be found and why. Exit code 1 if a store could not be asked.
    Find {
        #[command(flatten)]
        asked: Asked,
        /// How it is written.
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Writes all that is kept of them as one JSON document.
    Export {
        #[command(flatten)]
        asked: Asked,
        /// The file to write, for its owner alone; standard output without it.
        #[arg(long, value_name = "FILE")]
        output: Option<std::path::PathBuf>,
    },
    /// Takes out all that certainly is theirs, and searches again to prove it. Exit code 1 if that is not proved.
    Erase {
        #[command(flatten)]
        asked: Asked,
        /// Erase. Without it, the request is opened and what would be erased is told; with `--reason child` it does not
        /// wait for that.
        #[arg(long)]
        yes: bool,
    },
    /// From now on, nothing that stands for them is made: what would be a pseudonym or encrypted is redacted.
    Suppress {
        #[command(flatten)]
        asked: Asked,
        /// Ends it: from now on they are handled like anybody.
        #[arg(long)]
        lift: bool,
    },
    /// Opens encrypted values, a line each. Needs a role that may reveal, and a reason; it stands in the audit log first.
    Reveal(reveal::Arguments),
    /// The register: which requests there are, when they must be answered, and what came of them.
    Requests(requests::Arguments),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

pub(super) fn run(arguments: Arguments) -> Result<Exit, Error> {
    match arguments.verb {
        Verb::Find { asked, format } => find::run(&asked, format),
        Verb::Export { asked, output } => export::run(&asked, output.as_deref()),
        Verb::Erase { asked, yes } => erase::run(&asked, yes),
        Verb::Suppress { asked, lift } => suppress::run(&asked, lift),
        Verb::Reveal(arguments) => reveal::run(&arguments),
        Verb::Requests(arguments) => requests::run(&arguments),
    }
}

/// What the subject's own words make of an error: theirs to mend, or a failure.
fn failed(error: crate::subject::Error) -> Error {
    match error {
        crate::subject::Error::Store { .. } | crate::subject::Error::Cannot { .. } => Error::failure(error),
        crate::subject::Error::Vault(crate::vault::Error::Io { .. }) => Error::failure(error),
        error => Error::usage(error),
    }
}

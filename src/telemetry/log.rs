/*!
Own log lines: sentences with the facts as fields, to stderr.

`warn` is recovered from, `error` needs an operator. Nothing is told per record.
*/

use std::io::IsTerminal;
use std::str::FromStr;

pub use tracing::Level;

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Not a format of log lines.
#[derive(Debug, thiserror::Error)]
#[error("is not a log format; it may be text or json")]
pub struct ParseFormatError;

impl FromStr for Format {
    type Err = ParseFormatError;

    fn from_str(text: &str) -> Result<Format, ParseFormatError> {
        match text {
            "text" => Ok(Format::Text),
            "json" => Ok(Format::Json),
            _ => Err(ParseFormatError),
        }
    }
}

/// Sends this process's log lines from `level` up to stderr. Of two calls the first holds.
pub fn init(format: Format, level: Level) {
    let lines = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_target(false)
        .with_writer(std::io::stderr)
        // Where nobody reads what it says, saying so would fail the same way, and with a panic.
        .log_internal_errors(false);
    // A second call is a test's: the process has its log already.
    let _ = match format {
        Format::Text => {
            let lines = lines.with_ansi(std::io::stderr().is_terminal());
            tracing::subscriber::set_global_default(lines.finish())
        }
        Format::Json => tracing::subscriber::set_global_default(lines.json().flatten_event(true).finish()),
    };
}

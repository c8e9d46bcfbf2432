/*!
The command line: one file a verb, one [`Exit`] for each end.

A verb is `run(arguments) -> Result<Exit, Error>`. Results go to standard
output, everything else to standard error; both are written here or in the
verb's file and nowhere below this layer. An error is one line that says what
was, what may be, and the fix; it never carries a record's bytes. Closed
standard output is no error: the reader has what it wanted.
*/

mod aggregates;
mod archive;
mod audit;
mod bench;
mod check;
mod choice;
mod completions;
mod dead_letter;
mod explain;
mod guard;
mod incident;
mod keys;
mod operator;
mod output;
mod packs;
mod pattern;
mod policy;
mod progress;
mod redact;
mod register;
mod retention;
mod run;
mod scan;
mod subject;

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

/// Keeps personal data and secrets out of logs.
#[derive(Debug, Parser)]
#[command(name = "logveil", version, arg_required_else_help = true)]
#[command(
    after_help = "Exit codes: 0 done; 1 findings under --fail-on-findings, or a failed verification;\n\
                        2 wrong usage or configuration; 3 failure later on."
)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

/// The verbs, in the order of the help text. Each names its file.
#[derive(Debug, Subcommand)]
enum Verb {
    Redact(redact::Arguments),
    Scan(scan::Arguments),
    Explain(explain::Arguments),
    Run(run::Arguments),
    Check(check::Arguments),
    Policy(policy::Arguments),
    Keys(keys::Arguments),
    Archive(archive::Arguments),
    Aggregates(aggregates::Arguments),
    DeadLetter(dead_letter::Arguments),
    Retention(retention::Arguments),
    Subject(subject::Arguments),
    Audit(audit::Arguments),
    Incident(incident::Arguments),
    Pattern(pattern::Arguments),
    Bench(bench::Arguments),
    Completions(completions::Arguments),
}

fn run(verb: Verb) -> Result<Exit, Error> {
    match verb {
        Verb::Redact(arguments) => redact::run(arguments),
        Verb::Scan(arguments) => scan::run(arguments),
        Verb::Explain(arguments) => explain::run(arguments),
        Verb::Run(arguments) => run::run(arguments),
        Verb::Check(arguments) => check::run(arguments),
        Verb::Policy(arguments) => policy::run(arguments),
        Verb::Keys(arguments) => keys::run(arguments),
        Verb::Archive(arguments) => archive::run(arguments),
        Verb::Aggregates(arguments) => aggregates::run(arguments),
        Verb::DeadLetter(arguments) => dead_letter::run(arguments),
        Verb::Retention(arguments) => retention::run(arguments),
        Verb::Subject(arguments) => subject::run(arguments),
        Verb::Audit(arguments) => audit::run(arguments),
        Verb::Incident(arguments) => incident::run(&arguments),
        Verb::Pattern(arguments) => pattern::run(arguments),
        Verb::Bench(arguments) => bench::run(arguments),
        Verb::Completions(arguments) => completions::run(arguments),
    }
}

/// The whole program: reads the arguments, runs the verb, says what went wrong.
pub fn main() -> ExitCode {
    guard::raw_records();
    let exit = match Arguments::try_parse() {
        Ok(arguments) => run(arguments.verb).unwrap_or_else(|error| error.report()),
        Err(error) => refuse(&error),
    };
    ExitCode::from(exit as u8)
}

/// How a verb that did its work ends. The numbers are the program's exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All was done.
    Done = 0,
    /// Something was found under `--fail-on-findings`, or a verification failed.
    Found = 1,
    /// Wrong usage or configuration.
    Usage = 2,
    /// A failure later on.
    Failure = 3,
}

/// Why a verb stopped. The text is a line without `logveil:` before it, or one a fault.
#[derive(Debug)]
pub enum Error {
    /// Wrong usage or configuration: it stopped before it began, and the operator can mend it.
    Usage(String),
    /// It failed later on.
    Failure(String),
    /// Nobody reads standard output any more: the end, without a word.
    Closed,
}

impl Error {
    /// Wrong usage or configuration, in the words of the module that noticed.
    pub fn usage(error: impl fmt::Display) -> Error {
        Error::Usage(error.to_string())
    }

    /// A failure later on, in the words of the module that noticed.
    pub fn failure(error: impl fmt::Display) -> Error {
        Error::Failure(error.to_string())
    }

    /// Standard output could not be written.
    pub fn output(error: io::Error) -> Error {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Error::Closed,
            _ => Error::Failure(format!("cannot write to standard output: {}", reason(&error))),
        }
    }

    fn report(self) -> Exit {
        match self {
            Error::Usage(line) => {
                complain(&line);
                Exit::Usage
            }
            Error::Failure(line) => {
                complain(&line);
                Exit::Failure
            }
            Error::Closed => Exit::Done,
        }
    }
}

/// Writes `logveil: LINE` to standard error, for each line. Nothing can be done when that is closed, too.
pub fn complain(lines: &str) {
    for line in lines.lines() {
        let _ = writeln!(io::stderr(), "logveil: {line}");
    }
}

/// What the operating system said, without the number that nobody knows by heart.
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let words = text.split(" (os error").next().unwrap_or(&text);
    let mut signs = words.chars();
    signs.next().map(|first| first.to_lowercase().chain(signs).collect()).unwrap_or_default()
}

/// Help and version are answers; anything else is wrong usage, told in one line.
fn refuse(error: &clap::Error) -> Exit {
    let text = error.render().to_string();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            let _ = write!(io::stdout(), "{text}");
            Exit::Done
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = write!(io::stderr(), "{text}");
            Exit::Usage
        }
        _ => {
            complain(&one_line(&text));
            Exit::Usage
        }
    }
}

/// What clap says in paragraphs, in one line.
fn one_line(text: &str) -> String {
    let said = text.split("\nUsage:").next().unwrap_or(text);
    let said = said.split("\nFor more information").next().unwrap_or(said);
    let words: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let line = words.join("; ").replace(":; ", ": ");
    format!("{}; see `logveil help`", line.trim_start_matches("error: "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_verb_has_a_short_help_with_an_example() {
        for verb in Arguments::command().get_subcommands_mut().filter(|verb| verb.get_name() != "help") {
            let name = verb.get_name().to_owned();
            let help = verb.render_help().to_string();
            assert!(help.contains("Example"), "`logveil {name} --help` has no example");
        }
    }

    #[test]
    fn wrong_usage_is_told_in_one_line() {
        let Err(error) = Arguments::try_parse_from(["logveil", "completion"]) else {
            panic!("there is no such verb")
        };
        let line = one_line(&error.render().to_string());
        assert!(!line.contains('\n'), "{line}");
        assert!(line.starts_with("unrecognized subcommand 'completion'; tip: "), "{line}");
    }

    #[test]
    fn the_reason_of_an_io_error_has_no_number() {
        assert_eq!(reason(&io::Error::from_raw_os_error(2)), "no such file or directory");
    }
}

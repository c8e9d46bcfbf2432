//! `logveil aggregates`: the counts that outlive the records.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use super::archive::{Choice, Place};
use super::output::{counted, grouped};
use super::{Error, Exit, complain};
use crate::aggregate::{self, Published};
use crate::archive::Selection;
use crate::clock::Clock as _;

/// Show how many records there were, by hour, class, route template and status, also long after the records are gone.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  logveil aggregates show --since 30d\n  \
                        logveil aggregates show --class access --format csv > counts.csv\n\n\
                        An hour is shown once it is over. Counts below the policy's least are in no row of their own.")]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// The counts, a line each, in order of time. Also while `logveil run` counts.
    Show {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        choice: Choice,
        /// How they are written.
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For a terminal.
    Text,
    /// A JSON object a line.
    Json,
    /// With a line of names.
    Csv,
}

pub(super) fn run(arguments: Arguments) -> Result<Exit, Error> {
    let Verb::Show { place, choice, format } = arguments.verb;
    let (dir, kek, time) = place.beside()?;
    let selection = choice.selection(time.now())?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    if format == Format::Csv {
        out.write_all(NAMES.as_bytes()).map_err(Error::output)?;
    }
    // An hour at a time: years of them need not fit into memory.
    let (mut text, mut written) = (String::new(), Ok(()));
    let asked = (selection.since, selection.until);
    let damaged = aggregate::each(&dir, &kek, time.look().unreadable, asked, |hour| {
        text.clear();
        push(&hour, &selection, format, &mut text);
        if written.is_ok() {
            written = out.write_all(text.as_bytes());
        }
    });
    let damaged = damaged.map_err(Error::usage)?;
    written.and_then(|()| out.flush()).map_err(Error::output)?;
    if damaged > 0 {
        complain(&format!("{} cannot be read; skipped", counted(damaged as u64, "day")));
        return Ok(Exit::Found);
    }
    Ok(Exit::Done)
}

/// The first line of CSV.
const NAMES: &str = "hour,class,route,status,records,least\n";

/// An hour's rows, a line each, if they are chosen.
fn push(hour: &Published, selection: &Selection, format: Format, text: &mut String) {
    let start = hour.start;
    if selection.since.is_some_and(|since| start < since)
        || selection.until.is_some_and(|until| start >= until)
    {
        return;
    }
    for row in &hour.rows {
        let cell = &row.cell;
        if selection.class.as_ref().is_some_and(|class| *class != cell.class) {
            continue;
        }
        let status = if cell.status == 0 { "-".to_owned() } else { cell.status.to_string() };
        // Classes and routes are of closed lists: no part of them needs quotes.
        let (class, route, records) = (&cell.class, &cell.route, row.records);
        let written = match format {
            Format::Text => {
                writeln!(text, "{start}  {class:<10} {status:>3} {:>12}  {route}", grouped(records))
            }
            Format::Csv => writeln!(text, "{start},{class},{route},{status},{records},{}", hour.least),
            Format::Json => {
                let status = (cell.status != 0).then_some(cell.status);
                let object = serde_json::json!({
                    "hour": start.to_string(), "class": class, "route": route, "status": status,
                    "records": records, "least": hour.least,
                });
                writeln!(text, "{object}")
            }
        };
        written.expect("a string takes every write");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::{Cell, Shown};

    #[test]
    fn counts_are_written_in_three_ways() {
        let cell = |route: &str, status| Cell { class: "access".to_owned(), route: route.to_owned(), status };
        let rows = vec![
            Shown { cell: cell("*", 0), records: 12 },
            Shown { cell: cell("/users/{}", 200), records: 1_234 },
        ];
        let start = "2026-11-28T10:00:00Z".parse().expect("a moment");
        let hours = [Published { start, least: 10, rows }];
        let all = Selection { class: None, since: None, until: None };
        let show = |hours: &[Published], selection: &Selection, format| {
            let mut text = String::new();
            hours.iter().for_each(|hour| push(hour, selection, format, &mut text));
            text
        };
        let text = show(&hours, &all, Format::Text);
        assert_eq!(
            text,
            "2026-11-28T10:00:00Z  access       -           12  *\n\
             2026-11-28T10:00:00Z  access     200        1,234  /users/{}\n"
        );
        let csv = show(&hours, &all, Format::Csv);
        assert!(csv.ends_with("\n2026-11-28T10:00:00Z,access,/users/{},200,1234,10\n"), "{csv}");
        let json = show(&hours, &all, Format::Json);
        let first: serde_json::Value =
            serde_json::from_str(json.lines().next().expect("a line")).expect("JSON");
        assert_eq!((&first["status"], &first["records"]), (&serde_json::Value::Null, &12.into()));
        let later = Selection { since: "2026-11-28T11:00:00Z".parse().ok(), ..all };
        assert_eq!(show(&hours, &later, Format::Text), "");
    }
}

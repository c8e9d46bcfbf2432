//! `logveil dead-letter`: what sinks refused for good, listed and sent again.

use std::io::{self, Write};
use std::sync::Arc;

use super::archive::Place;
use super::{Error, Exit, complain};
use crate::act::{Envelope, push_json_string};
use crate::clock::Clock;
use crate::queue::dead;
use crate::sink::push_one_line;
use crate::vault::{DataDir, Kek, Timekeeper};

/// Records that a sink refused for good: list them, have them sent again. Also while `logveil run` goes on.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  logveil dead-letter list --config logveil.yaml\n  \
                        logveil dead-letter list --sink search --format json\n  \
                        logveil dead-letter replay --sink search --config logveil.yaml\n\n\
                        They are clean, and gone when the limit of their class says so. What is sent again has the ids \
                        that it had; what is refused again is a dead letter again.")]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// The dead letters that were not sent again, a line each: sink, why, when received, class, id, message.
    List {
        #[command(flatten)]
        place: Place,
        /// Of this sink alone.
        #[arg(long, value_name = "SINK")]
        sink: Option<String>,
        /// How they are written.
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Has them sent again to the sink that refused them: at once if `logveil run` goes on, else after its next start.
    Replay {
        #[command(flatten)]
        place: Place,
        /// Of this sink alone.
        #[arg(long, value_name = "SINK")]
        sink: Option<String>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

pub(super) fn run(arguments: Arguments) -> Result<Exit, Error> {
    match arguments.verb {
        Verb::List { place, sink, format } => list(&place, sink, format),
        Verb::Replay { place, sink } => replay(&place, sink),
    }
}

/// The data directory, and the sinks of which something is asked.
struct Asked {
    dir: Arc<DataDir>,
    kek: Arc<Kek>,
    time: Timekeeper,
    sinks: Vec<String>,
}

fn asked(place: &Place, sink: Option<String>) -> Result<Asked, Error> {
    let (dir, kek, time) = place.beside()?;
    let known = dead::sinks(&dir).map_err(Error::usage)?;
    let sinks = match sink {
        Some(sink) if known.contains(&sink) => vec![sink],
        Some(sink) if known.is_empty() => {
            return Err(Error::Usage(format!("--sink {sink:?}: no sink has dead letters")));
        }
        Some(sink) => {
            let known = known.join(", ");
            return Err(Error::Usage(format!("--sink {sink:?}: has no dead letters; these have: {known}")));
        }
        None => known,
    };
    Ok(Asked { dir: Arc::new(dir), kek, time, sinks })
}

/// Calls `tell` with each dead letter of a sink, and why it was refused.
fn each(asked: &Asked, sink: &str, mut tell: impl FnMut(&Envelope<'_>, &str)) -> Result<(), Error> {
    let (dir, kek) = (Arc::clone(&asked.dir), Arc::clone(&asked.kek));
    let mut reader = dead::look(dir, kek, sink).map_err(Error::usage)?;
    let mut damaged = 0;
    while let Some(gathered) = reader.next(asked.time.now()).map_err(Error::failure)? {
        damaged += gathered.lost;
        for batch in &gathered.batches {
            let why = batch.refusal().unwrap_or_default();
            batch.iter().for_each(|envelope| tell(&envelope, why));
        }
    }
    if damaged > 0 {
        complain(&format!("{sink}: {damaged} dead letters are damaged and were skipped"));
    }
    Ok(())
}

fn list(place: &Place, sink: Option<String>, format: Format) -> Result<Exit, Error> {
    let asked = asked(place, sink)?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut line = Vec::new();
    for sink in &asked.sinks {
        let mut written = Ok(());
        each(&asked, sink, |envelope, why| {
            line.clear();
            push(sink, why, envelope, format, &mut line);
            if written.is_ok() {
                written = out.write_all(&line);
            }
        })?;
        written.map_err(Error::output)?;
    }
    out.flush().map_err(Error::output)?;
    Ok(Exit::Done)
}

fn push(sink: &str, why: &str, envelope: &Envelope<'_>, format: Format, out: &mut Vec<u8>) {
    match format {
        Format::Text => {
            let (received, class, id) = (envelope.received, envelope.class, envelope.id);
            out.extend_from_slice(format!("{sink}: {why}: {received:.3} {class} {id} ").as_bytes());
            push_one_line(envelope.message, out);
        }
        Format::Json => {
            out.extend_from_slice(b"{\"sink\":");
            push_json_string(sink.as_bytes(), out);
            out.extend_from_slice(b",\"refused\":");
            push_json_string(why.as_bytes(), out);
            envelope.write_members(out);
            out.push(b'}');
        }
    }
    out.push(b'\n');
}

fn replay(place: &Place, sink: Option<String>) -> Result<Exit, Error> {
    let asked = asked(place, sink)?;
    let mut text = String::new();
    for sink in &asked.sinks {
        let mut records = 0_u64;
        each(&asked, sink, |_, _| records += 1)?;
        if records > 0 {
            dead::ask(&asked.dir, sink).map_err(Error::failure)?;
            text += &format!("{sink}: {records} to be sent again\n");
        }
    }
    if text.is_empty() {
        text = "nothing is to be sent again\n".to_owned();
    }
    io::stdout().write_all(text.as_bytes()).map_err(Error::output)?;
    Ok(Exit::Done)
}

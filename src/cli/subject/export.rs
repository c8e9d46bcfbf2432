//! `logveil subject export`: all that is kept of somebody, as one JSON document.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde_json::json;

use super::super::output::counted;
use super::super::{Error, Exit, complain, reason};
use super::asked::{Asked, Case, Place};
use super::find::reach_object;
use super::unasked::{Unasked, of_store};
use crate::clock::Clock;
use crate::subject::{Hit, Record, Searched, Verb};

pub(super) fn run(asked: &Asked, output: Option<&Path>) -> Result<Exit, Error> {
    let mut out: Box<dyn Write> = match output {
        Some(path) => {
            let mut options = OpenOptions::new();
            let file = options.write(true).create_new(true).mode(0o600).open(path);
            Box::new(BufWriter::new(file.map_err(|error| {
                Error::Usage(format!("--output {}: cannot be made: {}", path.display(), reason(&error)))
            })?))
        }
        None => Box::new(BufWriter::new(io::stdout().lock())),
    };
    let case = asked.begin(Verb::Export)?;
    let (searched, unasked) = document(&case, &mut out)?;
    out.flush().map_err(Error::output)?;
    let unasked: Vec<&Unasked> = unasked.iter().collect();
    let whole = case.answered("subject export", "exported", &searched, &unasked)?;
    complain(&format!("{}; exported {}", case.headline(), counted(searched.certain, "record")));
    if searched.unreadable > 0 {
        complain(
            "something cannot be read, and nobody can tell what is in there: the export may not be whole",
        );
    }
    Ok(whole)
}

/// Written as it is found: a person's records need not fit into memory.
fn document(case: &Case, out: &mut dyn Write) -> Result<(Searched, Vec<Unasked>), Error> {
    let (request, at) = (&case.request.id, case.time.now().to_string());
    let head = json!({ "format": "logveil-export/1", "request": request, "at": at }).to_string();
    write!(out, "{},\"records\":[", &head[..head.len() - 1]).map_err(Error::output)?;
    let (mut written, mut first, mut object) = (Ok(()), true, Vec::new());
    let (mut sum, mut names, mut unasked) = (Searched::default(), Vec::new(), Vec::new());
    for Place { mut store, .. } in case.stores()? {
        let mut see = |record: &Record<'_>, hit: Hit| {
            if hit == Hit::Certain && written.is_ok() {
                object.clear();
                object.extend_from_slice(if first { b"\n" } else { b",\n" });
                first = false;
                record.write_json(&mut object);
                written = out.write_all(&object);
            }
        };
        let searched = match of_store(store.find(&case.sought, &mut see))? {
            Ok(searched) => searched,
            Err(why) => {
                unasked.push(why);
                continue;
            }
        };
        sum.records += searched.records;
        sum.certain += searched.certain;
        sum.alike += searched.alike;
        sum.unreadable += searched.unreadable;
        names.push(store.name().to_owned());
    }
    written.map_err(Error::output)?;
    let tail = json!({
        "stores": names,
        "not_searched": unasked.iter().map(|unasked| &*unasked.why).collect::<Vec<_>>(),
        "searched": sum.records,
        "looks_alike": sum.alike,
        "unreadable": sum.unreadable,
        "reach": case.sought.reach().iter().map(reach_object).collect::<Vec<_>>(),
    })
    .to_string();
    writeln!(out, "\n],{}", &tail[1..]).map_err(Error::output)?;
    Ok((sum, unasked))
}

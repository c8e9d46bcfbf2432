//! `logveil subject find`: what is kept of somebody.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write as _};

use serde_json::json;

use super::super::output::counted;
use super::super::{Error, Exit};
use super::asked::{Asked, Case};
use super::{Format, failed};
use crate::act::Envelope;
use crate::clock::Timestamp;
use crate::subject::{Finds, Hit, Reach, Searched, Store, Verb};
use crate::vault::Outcome;

pub(super) fn run(asked: &Asked, format: Format) -> Result<Exit, Error> {
    let case = asked.begin(Verb::Find)?;
    let (searched, found) = search(&case)?;
    case.say("subject find", Outcome::Done, &counts(&searched))?;
    case.close(&format!("found {}", counted(searched.certain, "record")))?;
    let text = match format {
        Format::Text => text(&case, &searched, &found),
        Format::Json => object(&case, &searched, &found),
    };
    io::stdout().write_all(text.as_bytes()).map_err(Error::output)?;
    Ok(Exit::Done)
}

/// Records of one class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct InClass {
    records: u64,
    first: Timestamp,
    last: Timestamp,
}

/// Searches all stores; what is certain is counted by class.
pub(super) fn search(case: &Case) -> Result<(Searched, BTreeMap<String, InClass>), Error> {
    let mut found: BTreeMap<String, InClass> = BTreeMap::new();
    let mut see = |envelope: &Envelope<'_>, hit: Hit| {
        if hit == Hit::Certain {
            let received = envelope.received;
            let first = InClass { records: 0, first: received, last: received };
            let class = found.entry(envelope.class.to_owned()).or_insert(first);
            class.records += 1;
            (class.first, class.last) = (class.first.min(received), class.last.max(received));
        }
    };
    let searched = case.store().find(&case.sought, &mut see).map_err(failed)?;
    Ok((searched, found))
}

pub(super) fn counts(searched: &Searched) -> [(&'static str, u64); 3] {
    [("found", searched.certain), ("alike", searched.alike), ("unreadable", searched.unreadable)]
}

fn text(case: &Case, searched: &Searched, found: &BTreeMap<String, InClass>) -> String {
    let mut text = case.headline() + "\n";
    summary(&mut text, case, searched, found);
    text
}

/// What was found and what cannot be, in lines.
pub(super) fn summary(
    text: &mut String,
    case: &Case,
    searched: &Searched,
    found: &BTreeMap<String, InClass>,
) {
    let mut line = |said: String| writeln!(text, "{said}").expect("a string takes every write");
    let (theirs, of) = (counted(searched.certain, "record"), counted(searched.records, "record"));
    line(format!("{}: {theirs} of {of}", case.store().name()));
    for (class, InClass { records, first, last }) in found {
        line(format!("  {class:<12} {:>16}  {first} to {last}", counted(*records, "record")));
    }
    if searched.alike > 0 {
        let alike = counted(searched.alike, "record");
        line(format!("{alike} more with what looks alike and may be anybody's: not exported, not erased"));
    }
    if searched.unreadable > 0 {
        let places = counted(searched.unreadable, "damaged block or partition");
        line(format!("{places}: nobody can tell what is in there; `logveil archive verify` tells more"));
    }
    for (what, classes) in by_words(case.sought.reach()) {
        line(format!("{what} ({})", classes.join(", ")));
    }
}

/// Classes of which the same is said stand together.
fn by_words(reach: &[Reach]) -> Vec<(String, Vec<&str>)> {
    let mut lines: Vec<(String, Vec<&str>)> = Vec::new();
    for Reach { class, entity, finds, .. } in reach {
        let what = match finds {
            Finds::ByKeys(keys) => format!("{entity}: findable under {}", counted(*keys as u64, "live key")),
            Finds::AsItIs => format!("{entity}: findable as it is, the policy keeps it"),
            Finds::Not(why) => format!("{entity}: not findable, {why}"),
        };
        match lines.iter_mut().find(|(known, _)| *known == what) {
            Some((_, classes)) => classes.push(class),
            None => lines.push((what, vec![class])),
        }
    }
    lines
}

fn object(case: &Case, searched: &Searched, found: &BTreeMap<String, InClass>) -> String {
    let classes: BTreeMap<&str, serde_json::Value> = found
        .iter()
        .map(|(class, of)| {
            let (first, last) = (of.first.to_string(), of.last.to_string());
            (class.as_str(), json!({ "records": of.records, "first": first, "last": last }))
        })
        .collect();
    let object = json!({
        "request": case.request.id,
        "law": case.request.law.name(),
        "deadline": case.request.deadline.map(|at| at.to_string()),
        "stores": [{
            "store": case.store().name(),
            "searched": searched.records,
            "found": searched.certain,
            "looks_alike": searched.alike,
            "unreadable": searched.unreadable,
            "classes": classes,
        }],
        "reach": case.sought.reach().iter().map(reach_object).collect::<Vec<_>>(),
    });
    object.to_string() + "\n"
}

/// One line of what can be found.
pub(super) fn reach_object(reach: &Reach) -> serde_json::Value {
    let (finds, why) = match reach.finds {
        Finds::ByKeys(_) => ("by its keys", None),
        Finds::AsItIs => ("as it is", None),
        Finds::Not(why) => ("not findable", Some(why)),
    };
    let keys = match reach.finds {
        Finds::ByKeys(keys) => Some(keys),
        _ => None,
    };
    json!({ "class": reach.class, "entity": reach.entity, "action": reach.action, "finds": finds, "keys": keys, "why": why })
}

//! `logveil subject find`: what is kept of somebody.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write as _};

use serde_json::json;

use super::super::output::counted;
use super::super::{Error, Exit};
use super::Format;
use super::asked::{Asked, Case, Place};
use super::unasked::{Unasked, of_store};
use crate::clock::Timestamp;
use crate::subject::{Finds, Hit, Reach, Record, Searched, Verb};

pub(super) fn run(asked: &Asked, format: Format) -> Result<Exit, Error> {
    let case = asked.begin(Verb::Find)?;
    let told = search(&case)?;
    let searched = sum(&told);
    let unasked: Vec<&Unasked> = told.iter().filter_map(|told| told.searched.as_ref().err()).collect();
    let whole = case.answered("subject find", "found", &searched, &unasked)?;
    let text = match format {
        Format::Text => case.headline() + "\n" + &summary(&case, &told),
        Format::Json => object(&case, &told),
    };
    io::stdout().write_all(text.as_bytes()).map_err(Error::output)?;
    Ok(whole)
}

/// What one store told.
pub(super) struct Told {
    name: String,
    searched: Result<Searched, Unasked>,
    /// What is certain, by class; of lines that is not told.
    classes: BTreeMap<String, InClass>,
}

/// Records of one class.
#[derive(Clone, Debug, PartialEq, Eq)]
struct InClass {
    records: u64,
    first: Timestamp,
    last: Timestamp,
}

/// Searches all stores.
pub(super) fn search(case: &Case) -> Result<Vec<Told>, Error> {
    let mut told = Vec::new();
    for Place { mut store, .. } in case.stores()? {
        let mut classes: BTreeMap<String, InClass> = BTreeMap::new();
        let mut see = |record: &Record<'_>, hit: Hit| {
            if let (Hit::Certain, Some(class), Some(received)) = (hit, record.class(), record.received()) {
                let first = InClass { records: 0, first: received, last: received };
                let class = classes.entry(class.to_owned()).or_insert(first);
                class.records += 1;
                (class.first, class.last) = (class.first.min(received), class.last.max(received));
            }
        };
        let searched = of_store(store.find(&case.sought, &mut see))?;
        told.push(Told { name: store.name().to_owned(), searched, classes });
    }
    Ok(told)
}

/// All stores together.
pub(super) fn sum(told: &[Told]) -> Searched {
    let searched = told.iter().filter_map(|told| told.searched.as_ref().ok());
    searched.fold(Searched::default(), |sum, searched| Searched {
        records: sum.records + searched.records,
        certain: sum.certain + searched.certain,
        alike: sum.alike + searched.alike,
        unreadable: sum.unreadable + searched.unreadable,
    })
}

pub(super) fn counts(searched: &Searched) -> [(&'static str, u64); 3] {
    [("found", searched.certain), ("alike", searched.alike), ("unreadable", searched.unreadable)]
}

/// What was found and what cannot be, in lines.
pub(super) fn summary(case: &Case, told: &[Told]) -> String {
    let mut text = String::new();
    let mut line = |said: String| writeln!(text, "{said}").expect("a string takes every write");
    for Told { name, searched, classes } in told {
        let searched = match searched {
            Ok(searched) => searched,
            Err(Unasked { why, .. }) => {
                line(format!("{why}: not searched"));
                continue;
            }
        };
        let (theirs, of) = (counted(searched.certain, "record"), counted(searched.records, "record"));
        line(format!("{name}: {theirs} of {of}"));
        for (class, InClass { records, first, last }) in classes {
            line(format!("  {class:<12} {:>16}  {first} to {last}", counted(*records, "record")));
        }
    }
    let searched = sum(told);
    if searched.alike > 0 {
        let alike = counted(searched.alike, "record");
        line(format!("{alike} more with what looks alike and may be anybody's: not exported, not erased"));
    }
    if searched.unreadable > 0 {
        let places = counted(searched.unreadable, "damaged place");
        line(format!("{places}: nobody can tell what is in there; `logveil archive verify` tells more"));
    }
    for (what, classes) in by_words(case.sought.reach()) {
        line(format!("{what} ({})", classes.join(", ")));
    }
    text
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

fn object(case: &Case, told: &[Told]) -> String {
    let object = json!({
        "request": case.request.id,
        "law": case.request.law.name(),
        "deadline": case.request.deadline.map(|at| at.to_string()),
        "stores": told.iter().filter_map(store_object).collect::<Vec<_>>(),
        "not_searched": told.iter().filter_map(|told| Some(&*told.searched.as_ref().err()?.why)).collect::<Vec<_>>(),
        "reach": case.sought.reach().iter().map(reach_object).collect::<Vec<_>>(),
    });
    object.to_string() + "\n"
}

fn store_object(told: &Told) -> Option<serde_json::Value> {
    let class = |(class, of): (&String, &InClass)| {
        let (first, last) = (of.first.to_string(), of.last.to_string());
        (class.clone(), json!({ "records": of.records, "first": first, "last": last }))
    };
    let classes: serde_json::Map<String, serde_json::Value> = told.classes.iter().map(class).collect();
    let searched = told.searched.as_ref().ok()?;
    Some(json!({
        "store": told.name,
        "searched": searched.records,
        "found": searched.certain,
        "looks_alike": searched.alike,
        "unreadable": searched.unreadable,
        "classes": classes,
    }))
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

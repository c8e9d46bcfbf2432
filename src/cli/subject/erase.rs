//! `logveil subject erase`: taken out, and searched again.

use std::io::{self, Write as _};

use super::super::output::counted;
use super::super::{Error, Exit, complain};
use super::asked::{Asked, Case};
use super::failed;
use super::find::{counts, search, sum, summary};
use crate::clock::Clock;
use crate::subject::{CHILD, Erased, Hit, Record, Verb};
use crate::vault::Outcome;

pub(super) fn run(asked: &Asked, yes: bool) -> Result<Exit, Error> {
    let case = asked.begin(Verb::Erase)?;
    let told = search(&case)?;
    let text = case.headline() + "\n" + &summary(&case, &told);
    io::stdout().write_all(text.as_bytes()).map_err(Error::output)?;
    let is_child = case.request.reason.as_deref() == Some(CHILD);
    if !yes && !is_child {
        case.say("subject find", Outcome::Done, &counts(&sum(&told)))?;
        let id = &case.request.id;
        complain(&format!("nothing is erased yet; to erase, say the same with --request {id} --yes"));
        return Ok(Exit::Done);
    }
    carry_out(&case)
}

fn carry_out(case: &Case) -> Result<Exit, Error> {
    // What comes after this moment is not part of the request: `subject suppress` is for that.
    let asked_at = case.time.now();
    let mut erased = Erased::default();
    for mut store in case.stores()? {
        let gone = store.erase(&case.sought).map_err(|error| {
            let told = case.say("subject erase", Outcome::Failed, &[("erased", erased.records)]);
            told.err().unwrap_or_else(|| failed(error))
        })?;
        erased.records += gone.records;
    }
    let (mut left, mut unreadable) = (0, 0);
    for mut store in case.stores()? {
        let mut see = |record: &Record<'_>, hit: Hit| {
            let asked = record.received().is_none_or(|received| received <= asked_at);
            left += u64::from(hit == Hit::Certain && asked);
        };
        unreadable += store.find(&case.sought, &mut see).map_err(failed)?.unreadable;
    }
    let unasked = case.unasked();
    let proved = left == 0 && unreadable == 0 && unasked.is_empty();
    let outcome = if proved { Outcome::Done } else { Outcome::Failed };
    let counts = [("erased", erased.records), ("left", left), ("unreadable", unreadable)];
    case.say("subject erase", outcome, &counts)?;
    for store in &unasked {
        complain(&format!(
            "{store}: is not searched, for this version cannot: erase there, then close the request"
        ));
    }
    tell(case, &erased, (left, unreadable), proved)?;
    Ok(if proved { Exit::Done } else { Exit::Found })
}

fn tell(case: &Case, erased: &Erased, (left, unreadable): (u64, u64), proved: bool) -> Result<(), Error> {
    let gone = counted(erased.records, "record");
    let text = if proved {
        case.close(&format!("erased {gone}; a search afterwards found none"))?;
        format!("erased {gone}; a search afterwards found none; {} is closed\n", case.request.id)
    } else {
        format!(
            "erased {gone}; not proved: a search afterwards found {} of them and {} that nobody can read; {} stays \
             open; say the same with --request {}, once what is being written was rotated\n",
            counted(left, "record"),
            counted(unreadable, "place"),
            case.request.id,
            case.request.id
        )
    };
    io::stdout().write_all(text.as_bytes()).map_err(Error::output)
}

//! `logveil subject erase`: taken out, and searched again.

use std::io::{self, Write as _};

use super::super::output::counted;
use super::super::{Error, Exit, complain};
use super::asked::{Asked, Case};
use super::failed;
use super::find::{counts, search, summary};
use crate::act::Envelope;
use crate::clock::Clock;
use crate::subject::{CHILD, Erased, Hit, Store, Verb};
use crate::vault::Outcome;

pub(super) fn run(asked: &Asked, yes: bool) -> Result<Exit, Error> {
    let case = asked.begin(Verb::Erase)?;
    let (searched, found) = search(&case)?;
    let mut text = case.headline() + "\n";
    summary(&mut text, &case, &searched, &found);
    io::stdout().write_all(text.as_bytes()).map_err(Error::output)?;
    let is_child = case.request.reason.as_deref() == Some(CHILD);
    if !yes && !is_child {
        case.say("subject find", Outcome::Done, &counts(&searched))?;
        let id = &case.request.id;
        complain(&format!("nothing is erased yet; to erase, say the same with --request {id} --yes"));
        return Ok(Exit::Done);
    }
    carry_out(&case)
}

fn carry_out(case: &Case) -> Result<Exit, Error> {
    // What comes after this moment is not part of the request: `subject suppress` is for that.
    let asked_at = case.time.now();
    let erased = case.store().erase(&case.sought).map_err(|error| {
        let told = case.say("subject erase", Outcome::Failed, &[]);
        told.err().unwrap_or_else(|| failed(error))
    })?;
    let mut left = 0;
    let mut see = |envelope: &Envelope<'_>, hit: Hit| {
        left += u64::from(hit == Hit::Certain && envelope.received <= asked_at);
    };
    let searched = case.store().find(&case.sought, &mut see).map_err(failed)?;
    let proved = left == 0 && searched.unreadable == 0;
    let outcome = if proved { Outcome::Done } else { Outcome::Failed };
    let counts = [("erased", erased.records), ("left", left), ("unreadable", searched.unreadable)];
    case.say("subject erase", outcome, &counts)?;
    tell(case, &erased, left, searched.unreadable)?;
    Ok(if proved { Exit::Done } else { Exit::Found })
}

fn tell(case: &Case, erased: &Erased, left: u64, unreadable: u64) -> Result<(), Error> {
    let gone = counted(erased.records, "record");
    let text = if left == 0 && unreadable == 0 {
        case.close(&format!("erased {gone}; a search afterwards found none"))?;
        format!("erased {gone}; a search afterwards found none; {} is closed\n", case.request.id)
    } else {
        format!(
            "erased {gone}; not proved: a search afterwards found {} of them and {} that nobody can read; {} stays \
             open, say the same with --request {}\n",
            counted(left, "record"),
            counted(unreadable, "place"),
            case.request.id,
            case.request.id
        )
    };
    io::stdout().write_all(text.as_bytes()).map_err(Error::output)
}

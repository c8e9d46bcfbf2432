//! `logveil subject erase`: taken out, and searched again.

use std::io::{self, Write as _};

use super::super::output::counted;
use super::super::{Error, Exit, complain};
use super::asked::{Asked, Case, Place};
use super::find::{counts, search, sum, summary};
use super::unasked::{Unasked, of_store};
use crate::clock::Clock;
use crate::retention;
use crate::subject::{CHILD, Hit, Record, Verb};
use crate::vault::Outcome as Ended;

pub(super) fn run(asked: &Asked, yes: bool) -> Result<Exit, Error> {
    let case = asked.begin(Verb::Erase)?;
    let told = search(&case)?;
    let text = case.headline() + "\n" + &summary(&case, &told);
    io::stdout().write_all(text.as_bytes()).map_err(Error::output)?;
    let is_child = case.request.reason.as_deref() == Some(CHILD);
    if !yes && !is_child {
        case.say("subject find", Ended::Done, &counts(&sum(&told)))?;
        let id = &case.request.id;
        complain(&format!("nothing is erased yet; to erase, say the same with --request {id} --yes"));
        return Ok(Exit::Done);
    }
    carry_out(&case)
}

/// What came of it in one store.
struct Outcome<'a> {
    name: String,
    kept: Option<&'a retention::Store>,
    /// The targets that records were taken out of, where it is known.
    erased_in: Option<Vec<String>>,
    /// Records taken out.
    erased: Result<u64, Unasked>,
    /// What the store answered.
    answers: Vec<String>,
    /// What a search found afterwards: theirs, and places that nobody can read.
    left: Result<(u64, u64), Unasked>,
}

impl Outcome<'_> {
    fn is_proved(&self) -> bool {
        self.erased.is_ok() && self.left == Ok((0, 0))
    }

    /// Whether something was taken out: also by one that failed before its end.
    fn has_erased(&self) -> bool {
        self.erased_in.as_ref().map_or(self.erased() > 0, |targets| !targets.is_empty())
    }

    fn erased(&self) -> u64 {
        self.erased.as_ref().copied().unwrap_or_default()
    }
}

fn carry_out(case: &Case) -> Result<Exit, Error> {
    // What comes after this moment is not part of the request: `subject suppress` is for that.
    let asked_at = case.time.now();
    let mut outcomes = Vec::new();
    for Place { mut store, kept } in case.stores()? {
        let erased = of_store(store.erase(&case.sought)).inspect_err(|_| {
            let erased = outcomes.iter().map(Outcome::erased).sum();
            // The error itself is what is told.
            let _ = case.say("subject erase", Ended::Failed, &[("erased", erased)]);
        })?;
        let (name, answers) = (store.name().to_owned(), store.answers().to_vec());
        let (erased, erased_in) = (erased.map(|gone| gone.records), store.erased_in().map(<[_]>::to_vec));
        outcomes.push(Outcome { name, kept, erased_in, erased, answers, left: Ok((0, 0)) });
    }
    for (Place { mut store, .. }, outcome) in case.stores()?.into_iter().zip(&mut outcomes) {
        let mut left = 0;
        let mut see = |record: &Record<'_>, hit: Hit| {
            let asked = record.received().is_none_or(|received| received <= asked_at);
            left += u64::from(hit == Hit::Certain && asked);
        };
        let searched = of_store(store.find(&case.sought, &mut see))?;
        outcome.left = searched.map(|searched| (left, searched.unreadable));
    }
    say(case, &outcomes)?;
    tell(case, &outcomes)?;
    Ok(if outcomes.iter().all(Outcome::is_proved) { Exit::Done } else { Exit::Found })
}

/// In the audit log the sum and each store; in the retention's evidence what stores answered.
fn say(case: &Case, outcomes: &[Outcome<'_>]) -> Result<(), Error> {
    let proved = outcomes.iter().all(Outcome::is_proved);
    let of = |part: fn(&(u64, u64)) -> u64| {
        outcomes.iter().filter_map(|one| one.left.as_ref().ok()).map(part).sum()
    };
    let mut counts = vec![
        ("erased".to_owned(), outcomes.iter().map(Outcome::erased).sum()),
        ("left".to_owned(), of(|left| left.0)),
        ("unreadable".to_owned(), of(|left| left.1)),
        ("stores not proved".to_owned(), outcomes.iter().filter(|one| !one.is_proved()).count() as u64),
    ];
    counts.extend(outcomes.iter().map(|one| (format!("erased in {}", one.name), one.erased())));
    let counts: Vec<(&str, u64)> = counts.iter().map(|(what, count)| (what.as_str(), *count)).collect();
    let ended = if proved { Ended::Done } else { Ended::Failed };
    case.say("subject erase", ended, &counts)?;
    // Where nothing was taken out there is nothing to prove.
    for outcome in outcomes.iter().filter(|outcome| outcome.has_erased()) {
        let Some(store) = outcome.kept else { continue };
        let mut told = vec![format!("request {}: {}", case.request.id, line(outcome))];
        told.extend(outcome.answers.iter().cloned());
        case.prove(store, outcome.erased_in.as_deref(), &told)?;
    }
    Ok(())
}

/// What came of it in one store, without its name.
fn line(outcome: &Outcome<'_>) -> String {
    let erased = match &outcome.erased {
        Ok(records) => format!("erased {}", counted(*records, "record")),
        Err(Unasked { why, .. }) => format!("not erased: {why}"),
    };
    match &outcome.left {
        Ok((0, 0)) => format!("{erased}; a search afterwards found none"),
        Ok((left, 0)) => format!("{erased}; a search afterwards found {}", counted(*left, "record")),
        Ok((left, places)) => {
            let places = counted(*places, "place");
            format!(
                "{erased}; a search afterwards found {} and {places} that nobody can read",
                counted(*left, "record")
            )
        }
        Err(_) if outcome.erased.is_err() => erased,
        Err(Unasked { why, .. }) => format!("{erased}; not searched afterwards: {why}"),
    }
}

fn tell(case: &Case, outcomes: &[Outcome<'_>]) -> Result<(), Error> {
    let gone = counted(outcomes.iter().map(Outcome::erased).sum(), "record");
    let mut text = String::new();
    for outcome in outcomes.iter().filter(|one| outcomes.len() > 1 || !one.is_proved()) {
        text += &format!("{}: {}\n", outcome.name, line(outcome));
    }
    let id = &case.request.id;
    text += &if outcomes.iter().all(Outcome::is_proved) {
        case.close(&format!("erased {gone}; a search afterwards found none"))?;
        format!("erased {gone}; a search afterwards found none; {id} is closed\n")
    } else {
        format!(
            "erased {gone}; not proved: {id} stays open; say the same with --request {id}, once what is being written \
             was rotated and every store answers\n"
        )
    };
    io::stdout().write_all(text.as_bytes()).map_err(Error::output)
}

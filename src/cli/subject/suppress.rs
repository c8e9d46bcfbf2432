//! `logveil subject suppress`: from now on, nothing is kept that stands for somebody.

use std::io::{self, Write as _};
use std::sync::Arc;

use super::super::output::counted;
use super::super::{Error, Exit};
use super::asked::Asked;
use super::failed;
use crate::act::suppression;
use crate::clock::Clock;
use crate::subject::Verb;
use crate::vault::{Outcome, Suppressions};

pub(super) fn run(asked: &Asked, lift: bool) -> Result<Exit, Error> {
    let case = asked.begin(Verb::Suppress)?;
    let suppressions = Suppressions::new(&case.dir, Arc::clone(&case.kek));
    let at = case.time.now();
    let set = suppressions.prepare(&case.dir, at).map_err(Error::usage)?;
    let mut said = Vec::new();
    for (entity, value) in case.subject.values() {
        let entities = case.policy.rules().entities();
        let (entity, digest) = suppression(entities, entity, value, &set);
        if said.contains(&digest) {
            continue;
        }
        said.push(digest);
        let named = (entities.name(entity), digest);
        let written = suppressions.say(named, &case.request.id, at, lift);
        written.map_err(|error| failed(error.into()))?;
    }
    let (verb, what) = match lift {
        true => ("subject suppress --lift", "suppressed no more"),
        false => ("subject suppress", "suppressed"),
    };
    let digests = said.len() as u64;
    case.say(verb, Outcome::Done, &[("digests", digests)])?;
    case.close(&format!("{what} from {at} on"))?;
    let text = format!(
        "{what} from {at} on, by {}; a running program heeds it within a second. What was stored before is as it was: \
         `logveil subject erase` takes it out\n",
        counted(digests, "digest")
    );
    io::stdout().write_all(text.as_bytes()).map_err(Error::output)?;
    Ok(Exit::Done)
}

/*!
The records of a store that is spoken to over its driver, for those who look
through them: a subject's request, a leak audit.

Records are read page by page and looked through here. What a store cannot do is
told with the moment at which its retention ends it, and counts as not done.
*/

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;

use super::stores::in_time;
use crate::clock::{Clock, Timestamp};
use crate::keys::belief::add;
use crate::limit::{STORE_PAGES_READ_MAX, STORE_THEIRS_MAX};
use crate::retention::{Driver, Gone, Store, Stored, Target, Unknown};
use crate::subject::{self, Erased, Error, Hit, Record, Searched, Sought};

/// A store that is asked for its records.
pub struct Remote {
    name: String,
    store: Arc<Store>,
    driver: Arc<dyn Driver>,
    clock: Arc<dyn Clock>,
    runtime: Handle,
    told: Vec<String>,
    erased_in: Vec<String>,
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remote").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A record that a store gave out.
#[derive(Debug)]
pub struct Given<'a> {
    /// What it lies in.
    pub target: &'a Target,
    /// As the store keeps it.
    pub stored: &'a Stored,
    /// The same with its class and moment, where they are told.
    pub record: Record<'a>,
    /// How many there are in the target, where the store says.
    pub total: Option<u64>,
}

/// Of one target: the marks of what certainly is a subject's, and when the last of it came.
#[derive(Debug, Default)]
struct Theirs {
    marks: Vec<String>,
    last: Option<Timestamp>,
}

impl Remote {
    /// The store behind a driver; nothing if the program itself looks after it (the archive, files).
    pub fn new(store: &Store, clock: &Arc<dyn Clock>, runtime: &Handle) -> Result<Option<Remote>, Unknown> {
        let store = Arc::new(store.clone());
        let driver = match store.kind {
            crate::retention::Kind::Archive | crate::retention::Kind::Files(_) => None,
            _ => store.kind.driver()?,
        };
        let (clock, runtime) = (Arc::clone(clock), runtime.clone());
        let name = named(&store);
        let (told, erased_in) = (Vec::new(), Vec::new());
        Ok(driver.map(|driver| Remote { name, store, driver, clock, runtime, told, erased_in }))
    }

    /// Hands every record of every target to `see`, until that has had enough of a target.
    pub fn each(&self, see: &mut dyn FnMut(&Given<'_>) -> bool) -> Result<(), Error> {
        if let Err(why) = self.store.kind.can().find {
            return Err(self.cannot(format!("{why}; {}", self.ends(None))));
        }
        for target in &self.store.targets {
            self.each_in(target, see).map_err(|why| self.failed(&why))?;
        }
        Ok(())
    }

    fn each_in(&self, target: &Target, see: &mut dyn FnMut(&Given<'_>) -> bool) -> Result<(), Unknown> {
        let only = match target.classes.as_slice() {
            [(class, _)] => Some(class.as_str()),
            _ => None,
        };
        let (mut from, mut total, mut way) = (None::<String>, None, Way::default());
        loop {
            let page = self.driver.page(target, from.as_deref(), self.clock.now());
            let page = self.runtime.block_on(in_time(page))?;
            total = total.or(page.total);
            for stored in &page.records {
                let object: Option<serde_json::Map<String, serde_json::Value>> =
                    serde_json::from_slice(&stored.text).ok();
                let said = |key: &str| object.as_ref().and_then(|object| object.get(key)?.as_str());
                let received = said("received").and_then(|at| at.parse().ok()).or(stored.received);
                let record = Record::Given { text: &stored.text, class: said("class").or(only), received };
                if !see(&Given { target, stored, record, total }) {
                    return Ok(());
                }
            }
            let Some(next) = page.next else { return Ok(()) };
            way.goes_on(&next)?;
            from = Some(next);
        }
    }

    /// When what was received until `last`, or until now, is gone by the store's retention, in words.
    fn ends(&self, last: Option<Timestamp>) -> String {
        let (last, now) = (last.unwrap_or_else(|| self.clock.now()), self.clock.now());
        let mut longest = Some(Duration::ZERO);
        for target in &self.store.targets {
            match self.runtime.block_on(in_time(self.driver.read(target, now))) {
                Err(Unknown(why)) => return format!("nobody knows when its retention ends that: {why}"),
                Ok(reading) => {
                    longest = longest.zip(reading.effective.worst_case()).map(|(one, other)| one.max(other));
                }
            }
        }
        match longest {
            Some(longest) => format!("falls out by retention at {}", add(last, longest)),
            None => "no retention ends it: `logveil retention plan` says what to set".to_owned(),
        }
    }

    fn theirs(&self, sought: &Sought) -> Result<BTreeMap<String, Theirs>, Error> {
        let mut theirs: BTreeMap<String, Theirs> = BTreeMap::new();
        let mut too_many = false;
        self.each(&mut |given| {
            if sought.hit_given(&given.stored.text) == Some(Hit::Certain) {
                let of = theirs.entry(given.target.name.clone()).or_default();
                of.marks.push(given.stored.mark.clone());
                of.last = of.last.max(given.record.received());
                too_many |= of.marks.len() > STORE_THEIRS_MAX;
            }
            !too_many
        })?;
        match too_many {
            true => Err(self.failed(&Unknown(format!("more than {STORE_THEIRS_MAX} records are theirs")))),
            false => Ok(theirs),
        }
    }

    fn cannot(&self, why: String) -> Error {
        Error::Cannot { store: self.name.clone(), why }
    }

    fn failed(&self, Unknown(why): &Unknown) -> Error {
        Error::Store { store: self.name.clone(), why: why.clone() }
    }
}

impl subject::Store for Remote {
    fn name(&self) -> &str {
        &self.name
    }

    fn find(&mut self, sought: &Sought, see: &mut dyn FnMut(&Record<'_>, Hit)) -> Result<Searched, Error> {
        let mut searched = Searched::default();
        self.each(&mut |given| {
            searched.records += 1;
            if let Some(hit) = sought.hit_given(&given.stored.text) {
                match hit {
                    Hit::Certain => searched.certain += 1,
                    Hit::Alike => searched.alike += 1,
                }
                see(&given.record, hit);
            }
            true
        })?;
        Ok(searched)
    }

    fn erase(&mut self, sought: &Sought) -> Result<Erased, Error> {
        let theirs = self.theirs(sought)?;
        if let Err(why) = self.store.kind.can().erase
            && !theirs.is_empty()
        {
            let last = theirs.values().filter_map(|theirs| theirs.last).max();
            return Err(self.cannot(format!("{why}; the last of them {}", self.ends(last))));
        }
        let mut erased = Erased::default();
        for target in self.store.targets.iter().filter(|target| theirs.contains_key(&target.name)) {
            // Followed to its end by the driver, which has its own bound.
            let doing = self.driver.erase(target, &theirs[&target.name].marks, self.clock.now());
            let gone: Gone = self.runtime.block_on(doing).map_err(|why| self.failed(&why))?;
            erased.records += gone.records;
            if gone.records > 0 {
                self.erased_in.push(target.name.clone());
            }
            self.told.extend(gone.told);
        }
        Ok(erased)
    }

    fn erased_in(&self) -> Option<&[String]> {
        Some(&self.erased_in)
    }

    fn answers(&self) -> &[String] {
        &self.told
    }
}

/// The way through a target's pages. A store that leads round in a circle, or on without an end, would be asked for ever.
#[derive(Debug, Default)]
struct Way {
    pages: u64,
    /// Where one of the pages ended: of every circle such a one is met again (Brent's algorithm).
    was_at: Option<String>,
}

impl Way {
    /// Notes where the page that was read ended.
    fn goes_on(&mut self, next: &str) -> Result<(), Unknown> {
        self.pages += 1;
        if self.was_at.as_deref() == Some(next) {
            return Err(Unknown::new("it gives out the same pages again"));
        }
        if self.pages > STORE_PAGES_READ_MAX {
            return Err(Unknown(format!("it gives out more than {STORE_PAGES_READ_MAX} pages")));
        }
        if self.pages.is_power_of_two() {
            self.was_at = Some(next.to_owned());
        }
        Ok(())
    }
}

/// A store's name in answers, with what it is.
fn named(store: &Store) -> String {
    format!("{} ({})", store.name, store.kind.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ends of pages: some that are met once, and a circle behind them.
    fn met(before: usize, circle: usize) -> usize {
        let (mut way, mut asked) = (Way::default(), 0);
        loop {
            let at = if asked < before { asked } else { before + (asked - before) % circle };
            asked += 1;
            if way.goes_on(&at.to_string()).is_err() {
                return asked;
            }
        }
    }

    #[test]
    fn a_store_that_leads_round_in_a_circle_is_left() {
        for before in [0, 1, 5, 100] {
            for circle in [1, 2, 3, 50] {
                let asked = met(before, circle);
                assert!(
                    asked > before + circle && asked <= 3 * (before + circle) + 1,
                    "{before} {circle} {asked}"
                );
            }
        }
    }

    #[test]
    fn a_store_without_an_end_is_left() {
        let mut way = Way { pages: STORE_PAGES_READ_MAX - 1, was_at: None };
        assert_eq!(way.goes_on("a"), Ok(()));
        assert!(way.goes_on("b").is_err());
    }
}

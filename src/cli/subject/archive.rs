//! The archive as a store that can be searched for a subject.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::act::Envelope;
use crate::archive::{self, Go, Reader, Selection};
use crate::subject::{Erased, Error, Hit, Record, Searched, Sought, Store};
use crate::vault::{DataDir, Kek, Timekeeper};

/// The archive of a data directory, beside the program that writes to it.
pub(super) struct ArchiveStore<'a> {
    pub(super) dir: &'a DataDir,
    pub(super) kek: &'a Arc<Kek>,
    pub(super) time: &'a Timekeeper,
    /// Classes, which are its targets, that records were taken out of.
    pub(super) erased_in: Vec<String>,
}

const NAME: &str = "archive";

impl Store for ArchiveStore<'_> {
    fn name(&self) -> &str {
        NAME
    }

    fn find(&mut self, sought: &Sought, see: &mut dyn FnMut(&Record<'_>, Hit)) -> Result<Searched, Error> {
        let mut searched = Searched::default();
        let reader = Reader::open(self.dir, Arc::clone(self.kek)).map_err(refused)?;
        let read = reader.cat(&Selection::default(), self.time, |envelope| {
            searched.records += 1;
            if let Some(hit) = sought.hit(envelope) {
                match hit {
                    Hit::Certain => searched.certain += 1,
                    Hit::Alike => searched.alike += 1,
                }
                see(&Record::Envelope(envelope), hit);
            }
            Go::On
        });
        let read = read.map_err(refused)?;
        searched.unreadable = read.damaged + read.unreadable;
        Ok(searched)
    }

    fn erase(&mut self, sought: &Sought) -> Result<Erased, Error> {
        let mut classes = BTreeSet::new();
        let is_theirs = |envelope: &Envelope<'_>| {
            let is_theirs = sought.hit(envelope) == Some(Hit::Certain);
            if is_theirs && !classes.contains(envelope.class) {
                classes.insert(envelope.class.to_owned());
            }
            is_theirs
        };
        let done = archive::rewrite(self.dir, self.kek, self.time, is_theirs);
        self.erased_in = classes.into_iter().collect();
        let done = done.map_err(refused)?;
        Ok(Erased { records: done.removed, unreadable: done.damaged + done.unreadable })
    }

    fn erased_in(&self) -> Option<&[String]> {
        Some(&self.erased_in)
    }
}

fn refused(error: archive::Error) -> Error {
    match error {
        archive::Error::Vault(error) => error.into(),
        error => Error::Store { store: NAME.to_owned(), why: error.to_string() },
    }
}

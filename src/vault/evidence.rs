/*!
The evidence: one line per destroyed key, in a chain of hashes.

No line holds a key; the check value is public.
*/

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Error;
use super::chain::{self, Chain, ChainFile, Entry};
use super::disk::{Disk, temporary};
use super::keyfile::{KeyFile, Kind};
use crate::clock::Timestamp;

/// One destroyed key. The format, as it is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Destroyed {
    /// When the key was destroyed.
    pub at: Timestamp,
    /// What the key was for.
    pub kind: Kind,
    /// Its public name.
    pub id: String,
    /// The policy's name.
    pub policy: String,
    /// Retention class.
    pub class: String,
    /// Receive time of its oldest record.
    pub from: Timestamp,
    /// Receive time after its newest record.
    pub until: Timestamp,
    /// When it was due.
    pub due: Timestamp,
    /// The key's check value: 24 bits of an HMAC, public.
    pub check: String,
}

impl Entry for Destroyed {
    const FORMAT: &'static str = "logveil-evidence/1";
}

/// A line of evidence.
pub type Line = chain::Line<Destroyed>;

/// The evidence file of a data directory.
#[derive(Clone, Debug)]
pub struct Evidence {
    file: ChainFile<Destroyed>,
}

impl Evidence {
    /// The evidence at `path`, which need not be there yet.
    pub fn new(path: PathBuf, disk: Disk) -> Evidence {
        Evidence { file: ChainFile::new(path, disk) }
    }

    /// Appends a line for a key that is gone, unless its line is there already. Durable on return.
    pub(crate) fn append(
        &self,
        key: &KeyFile,
        at: Timestamp,
        due: Timestamp,
        once: Once,
    ) -> Result<(), Error> {
        let said = Destroyed {
            at,
            kind: key.kind,
            id: key.id.clone(),
            policy: key.policy.clone(),
            class: key.class.clone(),
            from: key.from,
            until: key.until,
            due,
            check: key.check.clone(),
        };
        match once {
            Once::Known => self.file.append(said)?,
            Once::IfAbsent => {
                let same =
                    |line: &Line| line.kind == key.kind && line.id == key.id && line.check == key.check;
                let see = |there: &mut bool, line: Line| *there |= same(&line);
                self.file.append_after(false, see, |there| (!there).then_some(said))?
            }
        };
        Ok(())
    }

    /// Reads and checks the whole chain, handing each line to `see`.
    pub fn verify(&self, see: impl FnMut(Line)) -> Result<Chain, Error> {
        self.file.verify(see)
    }

    /// How long the chain is, from its last line alone.
    pub fn last(&self) -> Result<Chain, Error> {
        self.file.last()
    }
}

/// Whether a line for the key may be there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Once {
    /// The destruction was begun just now: there is none.
    Known,
    /// The destruction is taken up again after a crash.
    IfAbsent,
}

/// Destroys a key, then its data, then says so. May be stopped at any step and taken up again.
pub(crate) struct Destruction<'a> {
    pub evidence: &'a Evidence,
    pub disk: &'a Disk,
    pub at: Timestamp,
}

impl Destruction<'_> {
    /// Says that a key is gone, unless that was said.
    pub(crate) fn say(&self, key: &KeyFile, due: Timestamp) -> Result<(), Error> {
        self.evidence.append(key, self.at, due, Once::IfAbsent)
    }

    /// Carries it out for the key in `path`, which was due at `due`, and its data, if it has any.
    pub(crate) fn carry_out(
        &self,
        path: &Path,
        mut key: KeyFile,
        due: Timestamp,
        data: Option<&Path>,
    ) -> Result<(), Error> {
        let once = if key.is_destroyed() { Once::IfAbsent } else { Once::Known };
        if key.shred(self.disk, path).is_err() {
            // A disk that cannot write in place can still forget a name.
            self.disk.remove(path).map_err(Error::io(path))?;
        }
        match KeyFile::read(path) {
            Ok(left) if !left.is_destroyed() => return Err(Error::StillThere { path: path.to_owned() }),
            _ => {}
        }
        let left = temporary(path);
        self.disk.destroy(&left).map_err(Error::io(&left))?;
        if let Some(data) = data {
            self.disk.remove(data).map_err(Error::io(data))?;
        }
        self.evidence.append(&key, self.at, due, once)?;
        self.disk.remove(path).map_err(Error::io(path))
    }
}

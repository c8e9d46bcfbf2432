/*!
What must not be forgotten between two runs: how late it has been, how much was
destroyed, and which limits are in force.
*/

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::disk::read_bounded;
use super::{DataDir, Error, format_of};
use crate::clock::Timestamp;
use crate::keys::belief::Mark;
use crate::limit::VAULT_FILE_BYTES_MAX;

const FORMAT: &str = "logveil-state/1";

/// The state file's content. The format, as it is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    format: String,
    /// The latest moment that was believed. Never goes down.
    pub high_water: Option<Timestamp>,
    /// What the wall clock showed at that moment, if it was behind: a clock that was believed and put back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wall: Option<Timestamp>,
    /// Lines of evidence that there were. Never goes down.
    pub evidence: u64,
    /// Pseudonym keys that there were, by class: what is missing since without evidence is a gap.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub keys: BTreeMap<String, u64>,
    /// Limits of the classes in force, in seconds: readers without a configuration keep to them.
    pub ttl_s: BTreeMap<String, u64>,
}

impl State {
    /// Reads the state of a data directory; a new one has none yet.
    pub fn read(dir: &DataDir) -> Result<State, Error> {
        let path = dir.join("state");
        match read_bounded(&path, VAULT_FILE_BYTES_MAX) {
            Ok(content) => {
                format_of(&path, &content, FORMAT)?;
                serde_json::from_slice(&content).map_err(|error| Error::corrupt(&path, &error))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(State::default()),
            Err(error) => Err(Error::io(&path)(error)),
        }
    }

    /// Puts the state in place, durable. What is there already only rises.
    pub(crate) fn write(&self, dir: &DataDir) -> Result<(), Error> {
        let mut content = serde_json::to_vec(self).expect("strings and numbers are always JSON");
        content.push(b'\n');
        let path = dir.join("state");
        dir.disk().replace(&path, &content).map_err(Error::io(&path))
    }

    /// The class's limit in force, if the class is still there.
    pub fn ttl(&self, class: &str) -> Option<Duration> {
        self.ttl_s.get(class).map(|&seconds| Duration::from_secs(seconds))
    }
}

impl Default for State {
    fn default() -> State {
        let (keys, ttl_s) = (BTreeMap::new(), BTreeMap::new());
        State { format: FORMAT.to_owned(), high_water: None, wall: None, evidence: 0, keys, ttl_s }
    }
}

/// The high-water mark of a data directory, to begin a [`super::Timekeeper`] with.
pub fn high_water(dir: &DataDir) -> Result<Option<Mark>, Error> {
    let state = State::read(dir)?;
    let ahead = |high: Timestamp| {
        let gap = state.wall.map(|wall| high.duration_since(wall));
        gap.and_then(|gap| Duration::try_from(gap).ok()).unwrap_or_default()
    };
    Ok(state.high_water.map(|high| Mark { high, ahead: ahead(high) }))
}

/*!
The evidence: what was set, verified and deleted in which store, when, by which
version, with what the store answered. A chain of lines in the data directory;
a change in it is found by `logveil audit verify-log`.
*/

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::vault::{Chain, ChainFile, ChainLine, DataDir, Entry, Error};

/// The file's name in the data directory.
pub const FILE: &str = "retention-evidence";

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Did {
    /// Read back and judged.
    Verified,
    /// About to be set: what follows, or does not, was the doing of an `apply`.
    Setting,
    /// Set.
    Set,
    /// Deleted.
    Deleted,
}

impl Did {
    /// As it is written.
    pub fn word(self) -> &'static str {
        match self {
            Did::Verified => "verified",
            Did::Setting => "setting",
            Did::Set => "set",
            Did::Deleted => "deleted",
        }
    }
}

/// One act. The format, as it is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Act {
    /// When.
    pub at: Timestamp,
    /// Version of the program.
    pub version: String,
    /// The store's name in the configuration.
    pub store: String,
    /// What it is.
    pub kind: String,
    /// Table, topic, index or directory.
    pub target: String,
    /// The classes that it is about.
    pub classes: Vec<String>,
    /// What was done.
    pub did: Did,
    /// `compliant`, `exceeds` or `unknown`; of a verification.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<String>,
    /// The limit, in seconds.
    pub limit_s: u64,
    /// The longest that a record can stay, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worst_s: Option<u64>,
    /// Age of the oldest record, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_s: Option<u64>,
    /// Why, how, and what the store answered, a line each.
    pub told: Vec<String>,
}

impl Entry for Act {
    const FORMAT: &'static str = "logveil-retention/1";
}

/// The evidence of a data directory.
#[derive(Clone, Debug)]
pub struct Evidence {
    file: ChainFile<Act>,
}

impl Evidence {
    /// That of `dir`; it need not be there yet.
    pub fn of(dir: &DataDir) -> Evidence {
        Evidence { file: ChainFile::new(dir.join(FILE), dir.disk().clone()) }
    }

    /// Appends an act; durable on return. What was told is cut to what a line has room for.
    pub fn append(&self, mut act: Act) -> Result<(), Error> {
        let left = act.told.len().saturating_sub(TOLD_MAX);
        act.told.truncate(TOLD_MAX);
        for told in &mut act.told {
            let end = told.char_indices().nth(TOLD_SIGNS_MAX).map_or(told.len(), |(at, _)| at);
            told.truncate(end);
        }
        if left > 0 {
            act.told.push(format!("and {left} more"));
        }
        self.file.append(act).map(drop)
    }

    /// Reads and checks the whole chain.
    pub fn verify(&self) -> Result<Chain, Error> {
        self.file.verify(|_| ())
    }

    /// The acts since a moment, the whole chain checked.
    pub fn since(&self, since: Option<Timestamp>) -> Result<Vec<ChainLine<Act>>, Error> {
        let mut acts = Vec::new();
        self.file.verify(|line| {
            if since.is_none_or(|since| since <= line.at) {
                acts.push(line);
            }
        })?;
        Ok(acts)
    }
}

/// Lines of what was told that an act keeps, and signs of each: within a line of the chain, escapes included.
const TOLD_MAX: usize = 16;
const TOLD_SIGNS_MAX: usize = 160;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_told_fits_a_line() {
        let dir = tempfile::tempdir().unwrap();
        let dir = DataDir::open(dir.path()).unwrap();
        let evidence = Evidence::of(&dir);
        let act = Act {
            at: "2026-11-22T10:00:00Z".parse().unwrap(),
            version: "1".into(),
            store: "s".into(),
            kind: "files".into(),
            target: "t".into(),
            classes: vec!["access".into()],
            did: Did::Deleted,
            verdict: None,
            limit_s: 1,
            worst_s: None,
            oldest_s: None,
            told: vec!["\u{1}é".repeat(500); 100],
        };
        evidence.append(act.clone()).unwrap();
        evidence.append(act).unwrap();
        let acts = evidence.since(None).unwrap();
        assert_eq!((acts.len(), acts[1].told.len(), acts[1].told[16].as_str()), (2, 17, "and 84 more"));
        assert!(evidence.since(Some("2026-11-22T10:00:01Z".parse().unwrap())).unwrap().is_empty());
    }
}

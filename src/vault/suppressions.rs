/*!
Whose values are suppressed, on disk: a sealed file of keyed digests, and the key that
they are made under, wrapped.

The key lives as long as the data directory: a person who asked for it is to be known
again in a year. So whoever has it and the key-encryption key can test whether a value
is in the list; nobody can read a value off it.
*/

use std::sync::Arc;
use std::time::Duration;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use super::chain::Entry;
use super::keyfile::{KeyFile, Kind, Purpose};
use super::{DataDir, Error, Kek, Sealed};
use crate::clock::Timestamp;
use crate::keys::{Suppressed, ValueDigest};
use crate::secret::Secret;

const FILE: &str = "suppressions";
/// Where every wrapped key lies, two folders deep: so that it is wrapped anew with the others.
const KEY: &str = "subject/suppressed/digests.key";
/// In the key's file; nothing destroys it.
const LIFE: Duration = Duration::from_secs(100 * 365 * 86_400);

/// One line. The format, as it is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suppression {
    /// From when on: what was received earlier is as it was.
    pub at: Timestamp,
    /// The request that asked for it.
    pub request: String,
    /// The entity's name.
    pub entity: String,
    /// Hex of the digest.
    digest: String,
    /// It is not suppressed any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lifted: bool,
}

impl Entry for Suppression {
    const FORMAT: &'static str = "logveil-suppressions/1";
}

/// The suppressions of a data directory.
#[derive(Debug)]
pub struct Suppressions {
    file: Sealed<Suppression>,
    dir_path: std::path::PathBuf,
    kek: Arc<Kek>,
}

impl Suppressions {
    /// Those of this directory. Neither file nor key need be there yet.
    pub fn new(dir: &DataDir, kek: Arc<Kek>) -> Suppressions {
        let file = Sealed::new(dir, FILE, Arc::clone(&kek));
        Suppressions { file, dir_path: dir.path().to_owned(), kek }
    }

    /// Who is suppressed; `None` if nobody ever was.
    pub fn load(&self) -> Result<Option<Suppressed>, Error> {
        let path = self.dir_path.join(KEY);
        if !path.exists() {
            // Lines without their key say nothing: somebody took it away.
            return match self.file.path().exists() {
                true => Err(Error::io(&path)(std::io::ErrorKind::NotFound.into())),
                false => Ok(None),
            };
        }
        let key = KeyFile::read(&path)?.unwrap(&self.kek, &path)?;
        let mut suppressed = Suppressed::new(&Secret::new(key.to_vec()));
        self.file.verify(|line| {
            let Some(digest) = parse(&line.digest) else { return };
            if line.lifted { suppressed.remove(digest) } else { suppressed.insert(digest) }
        })?;
        Ok(Some(suppressed))
    }

    /// The set as it is, its key made if there is none yet: to compute digests with.
    pub fn prepare(&self, dir: &DataDir, now: Timestamp) -> Result<Suppressed, Error> {
        let path = dir.join(KEY);
        if !path.exists() {
            let purpose = Purpose {
                kind: Kind::Suppression,
                id: "suppress",
                policy: "",
                class: "",
                from: now,
                until: now,
                ttl: LIFE,
            };
            if let Some(folder) = path.parent() {
                dir.disk().make_dir(folder).map_err(Error::io(folder))?;
            }
            KeyFile::make(&self.kek, &purpose, now)?.0.write(dir.disk(), &path)?;
        }
        let set = self.load()?;
        set.ok_or_else(|| Error::io(&path)(std::io::ErrorKind::NotFound.into()))
    }

    /// Suppresses a value from `at` on, or lifts that. Durable on return.
    pub fn say(
        &self,
        (entity, digest): (&str, ValueDigest),
        request: &str,
        at: Timestamp,
        lifted: bool,
    ) -> Result<(), Error> {
        let (request, entity) = (request.to_owned(), entity.to_owned());
        let digest = HEXLOWER.encode(&digest.0);
        self.file.append(Suppression { at, request, entity, digest, lifted }).map(|_| ())
    }

    /// Reads and checks the whole file.
    pub fn verify(&self) -> Result<super::Chain, Error> {
        self.file.verify(|_| ())
    }

    /// What changes when somebody is added: the file's length.
    pub fn mark(&self) -> u64 {
        std::fs::metadata(self.file.path()).map_or(0, |found| found.len())
    }
}

fn parse(digest: &str) -> Option<ValueDigest> {
    let bytes = HEXLOWER.decode(digest.as_bytes()).ok()?;
    bytes.try_into().ok().map(ValueDigest)
}

//! What can be wrong with a data directory and its keys. No text holds a key or a record.

use std::io;
use std::path::{Path, PathBuf};

use crate::keys::schedule::TooShort;
use crate::limit::CHAIN_LINE_BYTES_MAX;

/// Why a data directory or a key is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system says no.
    #[error("{}: {source}", .path.display())]
    Io {
        /// What it was about.
        path: PathBuf,
        /// What it says.
        source: io::Error,
    },
    /// Another program writes to the directory.
    #[error("{}: is in use by another logveil; stop it, or give this one another data_dir", .dir.display())]
    Held {
        /// The directory.
        dir: PathBuf,
    },
    /// Others than the owner may read it.
    #[error("{}: has mode {mode:04o} and must be readable by its owner alone; run chmod 600 on it", .path.display())]
    Permissions {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Not 32 bytes in any of the accepted forms.
    #[error(
        "the key-encryption key is not 32 bytes as base64, as hex or raw; make one with: head -c 32 /dev/urandom | base64"
    )]
    KekForm,
    /// There are keys, and the key that wraps them is not where it was.
    #[error("{}: is missing, and the data directory holds keys that were wrapped by it; put it back, or name its place in keyring.kek", .path.display())]
    KekMissing {
        /// Where it should be.
        path: PathBuf,
    },
    /// The command that gives the key-encryption key did not.
    #[error(
        "keyring.kek: the command {program:?} {what}; it has to write the key to its standard output and end with 0"
    )]
    KekCommand {
        /// What was started.
        program: String,
        /// What it did.
        what: String,
    },
    /// A file that is not to be written over.
    #[error("{}: is there already; name a file that is not, or use the key in it", .path.display())]
    KekExists {
        /// The file.
        path: PathBuf,
    },
    /// Keys were there when the program last looked, and nothing says that they were destroyed.
    #[error("{}: {missing} of its keys are gone and the evidence does not say that they were destroyed; put them back, or accept it with: logveil keys init --accept-missing", .path.display())]
    Gap {
        /// The class's directory.
        path: PathBuf,
        /// How many.
        missing: u64,
    },
    /// Wrapped by another key-encryption key.
    #[error("{}: was wrapped by the key-encryption key with check value {made}, but the one given has {given}; give the right one, end a `logveil keys rewrap` that was interrupted, or, if it is lost: logveil keys destroy --unreadable --confirm", .path.display())]
    WrongKek {
        /// The key file.
        path: PathBuf,
        /// Check value of the one that wrapped it.
        made: String,
        /// Check value of the one at hand.
        given: String,
    },
    /// Not as it was written.
    #[error("{}: is damaged at line {line}, column {column}; restore it, or remove it and lose what it protects", .path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// 1-based.
        line: usize,
        /// 1-based.
        column: usize,
    },
    /// The wrapped key and what is said of it do not belong together.
    #[error("{}: is not what was written (the key does not belong to its description); restore it, or remove it and lose what it protects", .path.display())]
    Forged {
        /// The file.
        path: PathBuf,
    },
    /// From a later version of this program.
    #[error("{}: has a newer format than {known}, which is the newest this version reads; use the version that wrote it", .path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// What can be read.
        known: &'static str,
    },
    /// Brought back from a backup.
    #[error("{}: was restored from a backup that is older than the last destruction; remove what the evidence says is destroyed", .path.display())]
    Restored {
        /// What came back.
        path: PathBuf,
    },
    /// A line of a chained file does not continue the one before, or is not written as this program writes.
    #[error("{}: the chain of hashes is broken at line {line}; keep a copy of the file and move it away", .path.display())]
    BrokenChain {
        /// The file.
        path: PathBuf,
        /// 1-based.
        line: u64,
    },
    /// A chained file does not end as its seal says.
    #[error("{}: does not agree with its seal: lines were changed or cut off at its end, or the seal was; compare both with a copy, `logveil audit verify-log` checks them", .path.display())]
    Unsealed {
        /// The file.
        path: PathBuf,
    },
    /// The seal was made with another key-encryption key.
    #[error("{}: was sealed under the key-encryption key with check value {made}, but the one given has {given}; give the right one", .path.display())]
    SealedByOther {
        /// The file.
        path: PathBuf,
        /// Check value of the one that sealed it.
        made: String,
        /// Check value of the one at hand.
        given: String,
    },
    /// Longer than a line of a chained file may be.
    #[error("{}: a line of {bytes} bytes is longer than {CHAIN_LINE_BYTES_MAX}, and is not written", .path.display())]
    LineTooLong {
        /// The file.
        path: PathBuf,
        /// How long it would be.
        bytes: usize,
    },
    /// The key was overwritten, and reads as before.
    #[error("{}: still holds its key after it was overwritten; remove it by hand", .path.display())]
    StillThere {
        /// The key file.
        path: PathBuf,
    },
    /// A class that cannot be a directory.
    #[error("class {class:?}: a name is 1 to 64 of a-z, 0-9, _ and -")]
    ClassName {
        /// The class.
        class: String,
    },
    /// A class that lives too short.
    #[error("class {class}: {source}")]
    TtlTooShort {
        /// The class.
        class: String,
        /// How short.
        source: TooShort,
    },
    /// No randomness, or no room to encrypt: never seen.
    #[error("the operating system gives no random bytes; nothing can be encrypted without them")]
    Random,
}

impl Error {
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Error + use<> {
        let path = path.to_owned();
        move |source| Error::Io { path, source }
    }

    pub(crate) fn corrupt(path: &Path, error: &serde_json::Error) -> Error {
        // The parser's own text may quote the file.
        Error::Corrupt { path: path.to_owned(), line: error.line().max(1), column: error.column() }
    }

    /// Whether the disk is full: what is there stays, and what is due is still destroyed.
    pub fn is_disk_full(&self) -> bool {
        let full = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded];
        matches!(self, Error::Io { source, .. } if full.contains(&source.kind()))
    }
}

/// Checks the format that a file says it has; versions are numbers after the last slash.
pub(crate) fn format_of(path: &Path, content: &[u8], known: &'static str) -> Result<(), Error> {
    #[derive(serde::Deserialize)]
    struct Header {
        format: String,
    }
    let header: Header = serde_json::from_slice(content).map_err(|error| Error::corrupt(path, &error))?;
    let version = |format: &str| {
        format.rsplit_once('/').map(|(name, version)| (name.to_owned(), version.parse::<u32>()))
    };
    match (version(&header.format), version(known)) {
        (Some((name, Ok(version))), Some((known_name, Ok(known_version)))) if name == known_name => {
            if version > known_version {
                return Err(Error::Newer { path: path.to_owned(), known });
            }
            Ok(())
        }
        _ => Err(Error::Corrupt { path: path.to_owned(), line: 1, column: 1 }),
    }
}

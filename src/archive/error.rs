//! What can go wrong with the archive. No text holds a record.

use crate::keys::schedule::TooShort;
use crate::vault;

/// Why something was not archived or not read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The disk, the data directory or a key file.
    #[error(transparent)]
    Vault(#[from] vault::Error),
    /// A class that lives too short.
    #[error("class {class}: {source}")]
    TtlTooShort {
        /// The class.
        class: String,
        /// How short.
        source: TooShort,
    },
    /// A record that grew beyond every bound.
    #[error("a record of {bytes} bytes after its replacements; the archive takes {max} at most", max = crate::limit::ARCHIVE_BLOCK_BYTES_MAX)]
    RecordTooLong {
        /// Its size.
        bytes: usize,
    },
    /// Somebody else takes records out.
    #[error("another program takes records out of the archive just now; try again when it has ended")]
    Rewriting,
    /// The compressor's own error: never seen.
    #[error("records could not be compressed or encrypted")]
    Seal,
}

impl Error {
    /// Whether the disk is full: what is there stays, and what is due is still destroyed.
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Error::Vault(error) if error.is_disk_full())
    }
}

//! What can go wrong with the durable queue. No text holds a record.

use crate::keys::schedule::TooShort;
use crate::vault;

/// Why something was not taken into the queue or not read from it.
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
    /// The bound is reached.
    #[error(
        "the queue holds {bytes} bytes of at most {bytes_max}; its sinks are behind, or raise queue.max_bytes"
    )]
    Full {
        /// What it holds.
        bytes: u64,
        /// What it may hold.
        bytes_max: u64,
    },
}

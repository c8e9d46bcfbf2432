//! What can be wrong with a request. No text holds what was asked about.

use crate::vault;

/// Why a request is refused or failed. Each is one line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No such kind of value.
    #[error("{kind:?}: is no kind of value; it may be {known}, or an entity of the policy")]
    Kind {
        /// What was asked for.
        kind: String,
        /// What may be.
        known: String,
    },
    /// Nothing to look for.
    #[error(
        "nobody is named; give --email, --ip, --user-id, --user-name, --phone, --token or --value-from FILE"
    )]
    Nobody,
    /// A value that is not formed as its kind.
    #[error(
        "{kind}: what was given has not the form of {form}; a person is found by the whole value alone, never by a part or a network"
    )]
    Form {
        /// The kind.
        kind: &'static str,
        /// What it should look like.
        form: &'static str,
    },
    /// Too short to tell one person from another.
    #[error("{kind}: what was given is {bytes} bytes long; it may have {min} to {max}")]
    Length {
        /// The kind.
        kind: String,
        /// What it has.
        bytes: usize,
        /// The least.
        min: usize,
        /// The most.
        max: usize,
    },
    /// Too many at once.
    #[error("{count} values at once; one request may name {max}")]
    TooMany {
        /// How many.
        count: usize,
        /// The most.
        max: usize,
    },
    /// A line of a file of values.
    #[error("line {line} of the values: is not `KIND VALUE`, such as `email` and an address")]
    Line {
        /// 1-based.
        line: usize,
    },
    /// A law that is not known.
    #[error("{law:?}: is no law that is known here; it may be gdpr, ccpa, cn or none")]
    Law {
        /// What was asked for.
        law: String,
    },
    /// No such request.
    #[error("{id:?}: there is no such request; `logveil subject requests list` tells which there are")]
    NoRequest {
        /// What was asked for.
        id: String,
    },
    /// A request for something else.
    #[error("{id}: asks to {asked}, not to {verb}; open another one, or leave --request out")]
    OtherVerb {
        /// The request.
        id: String,
        /// What it asks for.
        asked: &'static str,
        /// What was to be done.
        verb: &'static str,
    },
    /// A request that is closed.
    #[error("{id}: is closed since {at}; open another one")]
    Closed {
        /// The request.
        id: String,
        /// When it was closed.
        at: crate::clock::Timestamp,
    },
    /// The data directory, keys or registers.
    #[error(transparent)]
    Vault(#[from] vault::Error),
    /// A store cannot do that, whoever asks.
    #[error("{store}: cannot: {why}")]
    Cannot {
        /// The store.
        store: String,
        /// Why, and until when the records stay.
        why: String,
    },
    /// A store says no.
    #[error("{store}: {why}")]
    Store {
        /// The store.
        store: String,
        /// Its own words.
        why: String,
    },
}

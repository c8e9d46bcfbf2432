//! A store that was not asked, or not to the end: the others are, and the answer says so.

use super::super::Error;
use super::failed;
use crate::subject;

/// Why a store did not do what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unasked {
    /// One line, with the store's name.
    pub(super) why: String,
    /// Whether it never will.
    pub(super) cannot: bool,
}

/// What a store did, or why it did not. An error that is not a store's own is one of the whole verb.
pub(super) fn of_store<T>(did: Result<T, subject::Error>) -> Result<Result<T, Unasked>, Error> {
    match did {
        Ok(done) => Ok(Ok(done)),
        Err(error @ subject::Error::Cannot { .. }) => {
            Ok(Err(Unasked { why: error.to_string(), cannot: true }))
        }
        Err(subject::Error::Store { store, why }) => {
            Ok(Err(Unasked { why: format!("{store}: failed: {why}"), cannot: false }))
        }
        Err(error) => Err(failed(error)),
    }
}

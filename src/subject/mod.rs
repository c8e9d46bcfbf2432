/*!
What people may ask for about themselves, answered over every store.

A [`Subject`] is what somebody says of themselves: an e-mail address, a user id, a
token. [`Sought`] is what stands for it in stores: its pseudonyms under every live
key of every class, and the value itself where a policy keeps it. A [`Store`] looks
for that and takes it out.

What is certain and what is not are kept apart. A tag of 96 keyed bits is nobody
else's; an address or a number that a pseudonym was shaped into may be anybody's.
What only looks alike is counted and told, and never exported or erased; neither is
anything found by a network. What was truncated, masked or redacted stands for
nobody any more: it is told as not findable, with the reason ([`Reach`]).

The [`Register`] holds the requests and when the law wants them answered.
*/

mod deadline;
mod error;
mod identifier;
mod lines;
mod register;
mod sought;

pub use deadline::Law;
pub use error::Error;
pub use identifier::{Identifier, KINDS, Subject};
pub use lines::{Lined, Lines};
pub use register::{CHILD, Event, Register, Request, Verb};
pub use sought::{Finds, Hit, Reach, Sought};

use crate::act::Envelope;
use crate::clock::Timestamp;

/// What keeps records, and can be searched for a subject.
pub trait Store {
    /// Its name in answers.
    fn name(&self) -> &str;

    /// Hands every record that holds something of the subject to `see`, in the store's order.
    fn find(&mut self, sought: &Sought, see: &mut dyn FnMut(&Record<'_>, Hit)) -> Result<Searched, Error>;

    /// Takes out every record that certainly is the subject's. May be stopped at any point and begun again.
    fn erase(&mut self, sought: &Sought) -> Result<Erased, Error>;

    /// The targets that records were taken out of, where it has several and knows.
    fn erased_in(&self) -> Option<&[String]> {
        None
    }

    /// What it answered to erasures, a line each.
    fn answers(&self) -> &[String] {
        &[]
    }
}

/// What a store holds of one record.
#[derive(Debug)]
pub enum Record<'a> {
    /// All that is known of it.
    Envelope(&'a Envelope<'a>),
    /// A line of a file, clean as it was written there.
    Line(&'a [u8]),
    /// What another store gives out of it.
    Given {
        /// An object of JSON, or text.
        text: &'a [u8],
        /// Its class, if that is told.
        class: Option<&'a str>,
        /// When it was received, if that is told.
        received: Option<Timestamp>,
    },
}

impl Record<'_> {
    /// Its class; of a line that is not told.
    pub fn class(&self) -> Option<&str> {
        match self {
            Record::Envelope(envelope) => Some(envelope.class),
            Record::Given { class, .. } => *class,
            Record::Line(_) => None,
        }
    }

    /// When it was received; of a line that is not told.
    pub fn received(&self) -> Option<Timestamp> {
        match self {
            Record::Envelope(envelope) => Some(envelope.received),
            Record::Given { received, .. } => *received,
            Record::Line(_) => None,
        }
    }

    /// Appends it as a JSON object; a line that is one stays as it is.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        match self {
            Record::Envelope(envelope) => envelope.write_json(out),
            Record::Line(line) | Record::Given { text: line, .. } => {
                let object = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(line);
                if object.is_ok() {
                    out.extend_from_slice(line);
                } else {
                    let line = String::from_utf8_lossy(line);
                    out.extend_from_slice(serde_json::json!({ "line": line }).to_string().as_bytes());
                }
            }
        }
    }
}

/// What a search came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Searched {
    /// Records that were looked through.
    pub records: u64,
    /// Records that certainly are the subject's.
    pub certain: u64,
    /// Records that may be the subject's or anybody else's.
    pub alike: u64,
    /// Places of the store that cannot be read, so that nobody can tell what is in them.
    pub unreadable: u64,
}

/// What an erasure came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    /// Records taken out.
    pub records: u64,
    /// Places of the store that cannot be read, so that nobody can tell what is in them.
    pub unreadable: u64,
}

#[cfg(test)]
mod tests;

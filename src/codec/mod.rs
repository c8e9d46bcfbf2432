//! What a frame says: protocols, from frames to records.

pub mod bulk;
pub mod container;
mod element;
pub mod forward;
pub mod hec;
pub mod loki;
pub mod otlp;
pub mod syslog;

use std::borrow::Cow;

pub use element::Element;

use crate::clock::Timestamp;

/// A record as its protocol tells it, before it has a place in a batch. An empty part is one that it did not have.
#[derive(Clone, Default)]
pub struct Parts<'a> {
    /// Who sent it.
    pub host: Cow<'a, [u8]>,
    /// Which program said it.
    pub app: Cow<'a, [u8]>,
    /// What else its envelope says, as an [`Element`].
    pub structured: Cow<'a, [u8]>,
    /// What was said.
    pub message: Cow<'a, [u8]>,
    /// Facility and severity, 0 to 191.
    pub priority: Option<u8>,
    /// When it happened.
    pub time: Option<Timestamp>,
}

impl Parts<'_> {
    /// Bytes of all its parts.
    pub fn byte_len(&self) -> usize {
        self.host.len() + self.app.len() + self.structured.len() + self.message.len()
    }
}

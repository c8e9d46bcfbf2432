//! What a frame says: protocols, from frames to records.

pub mod syslog;

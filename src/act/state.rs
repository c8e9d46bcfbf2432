//! What a worker keeps from record to record.

use crate::detect::{self, Finding};

/// A worker's own buffers and memory. Holds values in memory only, within bounds, and wipes them when dropped.
#[derive(Default)]
pub struct State {
    pub(in crate::act) detect: detect::Scratch,
    pub(in crate::act) findings: Vec<Finding>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("State")
    }
}

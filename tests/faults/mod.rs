/*!
What happens when things fail: each test names the rows of the catalogue in
`docs/testing.md` that it shows. The oracle is in `tests/support/oracle.rs`.
*/

mod acknowledged;
mod change;
mod crash;
mod disk;
mod encodings;
mod limits;
mod network;
mod soak;
mod telling;

use crate::support::logveil::Logveil;
use crate::support::oracle::Collector;

const DURABLE: &str = "queue: { mode: durable, max_bytes: 64MiB }\n";

/// Most memory of a program whose sinks are in trouble, in bytes.
const MEMORY: usize = 256 << 20;

/// An HTTP sink of that name.
fn sink(name: &str, port: u16) -> String {
    format!("  {name}: {{ kind: http, url: \"http://127.0.0.1:{port}/\" }}\n")
}

/// A program with a durable queue before one HTTP sink.
#[track_caller]
fn durable(port: u16) -> Logveil {
    Logveil::start_as("", &sink("relay", port), DURABLE, &[])
}

/// Stops it and looks for what was planted in all that it wrote.
#[track_caller]
fn ends_clean(logveil: Logveil, collector: &Collector) {
    logveil.stop();
    assert!(collector.records() > 0);
}

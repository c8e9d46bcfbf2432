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
use crate::support::proxy::{Fault, Proxy};

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

/// The same, with a fault on the way to a collector.
#[track_caller]
fn behind(fault: Fault) -> (Collector, Proxy, Logveil) {
    let collector = Collector::start();
    let proxy = Proxy::start(collector.port, fault);
    let logveil = durable(proxy.port);
    (collector, proxy, logveil)
}

/// Stops it and looks for what was planted in all that it wrote.
#[track_caller]
fn ends_clean(logveil: Logveil, collector: &Collector) {
    logveil.stop();
    assert!(collector.records() > 0);
}

/// A number that the environment asks for.
#[track_caller]
fn asked(name: &str) -> Option<u64> {
    let number = std::env::var(name).ok()?;
    Some(number.parse().unwrap_or_else(|_| panic!("{name} is {number:?}, which is no number")))
}

/// SplitMix64: the same draws for the same seed.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

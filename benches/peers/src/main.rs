/*!
logveil and others on the same text, in one run.

Usage: `cargo run --release [-- MEGABYTES]`, 32 of each corpus unless said
otherwise. One thread, text in memory to text in memory, in pieces of 256 KiB;
all engines in turn, again and again, and the median of each. The patterns of
the others are five; logveil searches for all that it knows.
*/

mod patterns;
mod regexes;
mod vector;
mod vectorscan;

#[path = "../../corpus.rs"]
mod corpus;

use std::hint::black_box;
use std::time::Duration;

use logveil::bench::engine::{Subject, measure_whole};
use logveil::bench::{Effort, Sample, Spread, megabytes_per_second};
use logveil::clock::{Clock, ThreadClock};
use logveil::keys::{EpochKey, KeyId, Keyring};
use logveil::policy::Policy;
use logveil::secret::Secret;

/// Times that each engine is measured.
const RUNS: usize = 5;

/// How much faster logveil is to be: the begin of a peer's name, and how many times.
const BARS: [(&str, f64); 2] = [("VRL redact", 12.0), ("Vectorscan, 5 patterns with match starts", 8.0)];

/// An engine: a piece of whole lines in, the same with its findings replaced out.
pub struct Peer {
    name: &'static str,
    clean: Box<dyn FnMut(&[u8], &mut Vec<u8>) -> usize>,
}

impl Peer {
    /// `clean` appends to its second argument and says how much it found.
    pub fn new(name: &'static str, clean: impl FnMut(&[u8], &mut Vec<u8>) -> usize + 'static) -> Peer {
        Peer { name, clean: Box::new(clean) }
    }
}

/// Lines with their newlines, so that nobody has to put them back.
pub fn lines(piece: &[u8]) -> impl Iterator<Item = &[u8]> {
    piece.split_inclusive(|byte| *byte == b'\n')
}

fn main() {
    let megabytes = std::env::args().nth(1).map_or(32, |text| text.parse().expect("a number of megabytes"));
    let mut peers = vec![
        regexes::one_by_one(),
        regexes::alternation(),
        regexes::meta(),
        vector::redact(),
        vectorscan::find(),
        vectorscan::replace(),
    ];
    let mut fell_short = false;
    for kind in corpus::KINDS {
        let sample = Sample::of(&corpus::make(kind, megabytes * 1_000_000));
        println!("\n{kind}, {} bytes, {} records, median of {RUNS} runs\n", sample.bytes(), sample.records());
        fell_short |= table(&sample, &mut peers);
    }
    std::process::exit(i32::from(fell_short));
}

/// Measures all on a sample and prints a row each; says whether a bar was missed.
fn table(sample: &Sample, peers: &mut [Peer]) -> bool {
    let mut rows: Vec<(Spread, usize)> = vec![Default::default(); peers.len()];
    let mut logveil = Spread::default();
    let (mut memcpy, mut found) = (Spread::default(), 0);
    for run in 0..=RUNS {
        let ours = engine(sample);
        found = ours.2;
        if run > 0 {
            logveil.add(ours.0);
            memcpy.add(ours.1);
        }
        for (peer, row) in peers.iter_mut().zip(&mut rows) {
            let (time, findings) = pass(peer, sample);
            row.1 = findings;
            if run > 0 {
                row.0.add(time);
            }
        }
    }
    println!(
        "| engine | MB/s | of memcpy | logveil is faster | must | findings |\n|---|---|---|---|---|---|"
    );
    let of_memcpy = |time: Duration| memcpy.median().as_secs_f64() / time.as_secs_f64();
    let row = |name: &str, time: Duration, rest: &str| {
        println!(
            "| {name} | {:.0} | 1/{:.1} | {rest} |",
            megabytes_per_second(sample.bytes(), time),
            1.0 / of_memcpy(time)
        );
    };
    row("memcpy", memcpy.median(), "– | – | –");
    row("**logveil**, all rules, policy everything", logveil.median(), &format!("– | – | {found}"));
    let mut fell_short = false;
    for (peer, (spread, findings)) in peers.iter().zip(&rows) {
        let faster = spread.median().as_secs_f64() / logveil.median().as_secs_f64();
        let bar = BARS.iter().find(|(name, _)| peer.name.starts_with(name)).map(|(_, bar)| *bar);
        fell_short |= bar.is_some_and(|bar| faster < bar);
        let must = bar.map_or("–".to_owned(), |bar| format!("{bar:.0} ×"));
        row(peer.name, spread.median(), &format!("{faster:.1} × | {must} | {findings}"));
    }
    fell_short
}

/// logveil's time, memcpy's, and what was found.
fn engine(sample: &Sample) -> (Duration, Duration, usize) {
    let policy = Policy::builtin("everything").expect("it is built in");
    let class = policy.class_named("app").expect("it has it");
    let policy = policy.routed_to(class);
    let keyring = Keyring::for_run(EpochKey::new(KeyId(*b"kaaaa"), &Secret::new(vec![7; 32])));
    let subject = Subject { policy: &policy, class, keyring: &keyring };
    let effort = Effort { runs: 3, wait_max: Duration::ZERO };
    let measured = measure_whole(subject, sample, effort, &ThreadClock);
    let found: u64 = measured.tally.findings().map(|(.., count)| count).sum();
    (measured.engine.median(), measured.memcpy.median(), found as usize)
}

fn pass(peer: &mut Peer, sample: &Sample) -> (Duration, usize) {
    let (mut out, mut found) = (Vec::new(), 0);
    let started = ThreadClock.monotonic();
    for piece in sample.pieces() {
        out.clear();
        found += (peer.clean)(piece.bytes(), &mut out);
        black_box(&out);
    }
    (ThreadClock.monotonic() - started, found)
}

/*!
What the compiled rules hold, and what a worker does, in bytes and allocations.

`cargo bench --bench memory`; a program of its own, for its allocator counts and would cost the other benches time.
*/

#![allow(clippy::print_stdout, reason = "a bench prints what it measured")]

mod corpus;
mod setup;

use std::sync::Arc;

use allocation_counter::{AllocationInfo, measure};
use logveil::bench::Sample;
use logveil::clock::Timestamp;
use logveil::detect::Rules;
use logveil::filter::{Origin, batches};
use logveil::pipeline::{Outcome, State, process};
use logveil::policy::Policy;
use logveil::secret::Raw;

/// Enough for every table and cache to be as full as it gets.
const CORPUS_BYTES: usize = 32_000_000;

fn main() {
    println!("| what | MiB held | MiB at most | allocations |\n|---|---|---|---|");
    let mut rules = None;
    let info = measure(|| rules = Some(Rules::builtin()));
    row("rules, compiled from the built-in packs", &info);
    let rules = Arc::new(rules.expect("they were made"));
    for (name, text) in [("everything", setup::everything()), ("pseudonyms", setup::PSEUDONYMS)] {
        let mut policy = None;
        let info = measure(|| policy = Some(setup::policy(&rules, text)));
        row(&format!("policy {name}"), &info);
        worker(name, &policy.expect("it was made"));
    }
}

/// What a worker holds from batch to batch after much of each corpus, and what one more batch takes.
fn worker(name: &str, policy: &Policy) {
    let samples = corpus::KINDS.iter().map(|kind| Sample::of(&corpus::make(kind, CORPUS_BYTES)));
    let samples: Vec<Sample> = samples.collect();
    let mut state = State::default();
    let info = measure(|| {
        for piece in samples.iter().flat_map(|sample| sample.pieces()) {
            clean(policy, &mut state, piece);
        }
    });
    // What it allocates once for all, and lazy tables of the rules that these records are the first to need.
    row(&format!("a worker, policy {name}, after {} MB", 3 * CORPUS_BYTES / 1_000_000), &info);
    for (kind, sample) in corpus::KINDS.iter().zip(&samples) {
        let piece = &sample.pieces()[0];
        let records = piece.bytes().iter().filter(|byte| **byte == b'\n').count();
        let info = measure(|| clean(policy, &mut state, piece));
        row(&format!("one more batch of {kind}, {records} records, {} KiB", piece.len() / 1024), &info);
    }
}

/// Copy, records and output of the piece live at the same time, and go.
fn clean(policy: &Policy, state: &mut State, piece: &Raw) {
    let keyring = setup::keyring();
    let origin = Origin { received: Timestamp::UNIX_EPOCH, source: "bench".into() };
    for batch in batches(Raw::new(piece.bytes().to_vec()), &origin) {
        match process(policy, &keyring, state, batch) {
            Outcome::Clean { ack, .. } => ack.confirm(),
            Outcome::Held { .. } => unreachable!("the key serves every class"),
        }
    }
}

fn row(name: &str, info: &AllocationInfo) {
    let mebibytes = |bytes: f64| bytes / 1024.0 / 1024.0;
    let (held, most) = (mebibytes(info.bytes_current as f64), mebibytes(info.bytes_max as f64));
    println!("| {name} | {held:.2} | {most:.2} | {} |", info.count_total);
}

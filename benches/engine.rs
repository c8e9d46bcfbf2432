//! The pure core, text in memory to text in memory on one core, beside a copy of the same bytes in the same run:
//! the ratio of the two is the figure to compare, the absolute ones belong to the machine.
//!
//! `cargo bench --bench engine`

mod corpus;

use divan::Bencher;
use divan::counter::BytesCount;
use logveil::clock::Timestamp;
use logveil::keys::{EpochKey, KeyId, Keyring};
use logveil::pipeline::{self, Outcome, State};
use logveil::policy::Policy;
use logveil::record::{Ack, Batch, Record};
use logveil::secret::{Raw, Secret};
use logveil::span::Span;

/// Bytes of one batch: larger than the second-level cache of most machines, as a stream of batches is.
const CORPUS_BYTES: usize = 4 * 1024 * 1024;

fn main() {
    divan::main();
}

#[divan::bench(args = corpus::KINDS)]
fn copy(bencher: Bencher, kind: &str) {
    let text = corpus::make(kind, CORPUS_BYTES);
    let mut out = vec![0; text.len()];
    bencher.counter(BytesCount::new(text.len())).bench_local(|| out.copy_from_slice(divan::black_box(&text)));
}

#[divan::bench(args = corpus::KINDS)]
fn everything(bencher: Bencher, kind: &str) {
    process(bencher, kind, "everything");
}

#[divan::bench(args = corpus::KINDS)]
fn default(bencher: Bencher, kind: &str) {
    process(bencher, kind, "default");
}

fn process(bencher: Bencher, kind: &str, policy: &str) {
    let text = corpus::make(kind, CORPUS_BYTES);
    let policy = Policy::builtin(policy).expect("it is built in");
    let keyring = Keyring::for_run(EpochKey::new(KeyId(*b"kaaaa"), &Secret::new(vec![7; 32])));
    let mut state = State::default();
    bencher.counter(BytesCount::new(text.len())).with_inputs(|| batch(&text)).bench_local_values(|batch| {
        match pipeline::process(&policy, &keyring, &mut state, batch) {
            Outcome::Clean { redacted, .. } => redacted.byte_len(),
            Outcome::Held { .. } => unreachable!("the key of the run serves every class"),
        }
    });
}

fn batch(text: &[u8]) -> Batch {
    let mut records = Vec::new();
    let mut start = 0;
    for end in memchr::memchr_iter(b'\n', text) {
        records.push(Record::plain(Span::new(start, end)));
        start = end + 1;
    }
    let (raw, path) = (Raw::new(text.to_vec()), Raw::default());
    Batch { raw, records, received: Timestamp::UNIX_EPOCH, source: "bench".into(), path, ack: Ack::none() }
}

//! Under the policy `everything` no record makes a stage fail, JSON stays JSON, what was cleaned stays as it is, and the second
//! look finds nothing in it.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use logveil::clock::Timestamp;
use logveil::keys::Keyring;
use logveil::pipeline::{Again, Outcome, Rescan, State, process};
use logveil::policy::Policy;
use logveil::record::{Ack, Batch, Record};
use logveil::secret::Raw;
use serde_json::value::RawValue;

static POLICY: LazyLock<Policy> = LazyLock::new(|| Policy::builtin("everything").expect("it is built in"));

static RESCAN: LazyLock<Rescan> = LazyLock::new(|| Rescan::new(&POLICY, &[]));

fuzz_target!(|data: &[u8]| {
    let Some(haystacks) = logveil_fuzz::read(data) else { return };
    let records = haystacks.spans.iter().map(|span| Record::plain(*span)).collect();
    let mut state = State::default();
    let once = clean(&mut state, Raw::new(haystacks.buffer.clone()), records);
    for (dirty, clean) in haystacks.each().zip(&once) {
        if is_json(dirty) {
            assert!(is_json(clean), "{:?}", String::from_utf8_lossy(clean));
        }
    }
    let mut raw = Raw::default();
    let records = once.iter().map(|message| Record::plain(raw.push(message))).collect();
    let twice = clean(&mut state, raw, records);
    for (first, second) in once.iter().zip(&twice) {
        assert_eq!(String::from_utf8_lossy(first), String::from_utf8_lossy(second), "cleaned once and twice");
    }
});

/// What becomes of each record.
fn clean(state: &mut State, raw: Raw, records: Vec<Record>) -> Vec<Vec<u8>> {
    let (received, path) = (Timestamp::UNIX_EPOCH, Raw::default());
    let batch = Batch { raw, records, received, source: "fuzz".into(), path, ack: Ack::none() };
    match process(&POLICY, &Keyring::empty(), state, batch) {
        Outcome::Clean { redacted, mut tally, .. } => {
            assert_eq!((tally.withheld, tally.dropped), (0, 0));
            let mut again = Again::default();
            let redacted = RESCAN.look(&POLICY, &mut again, redacted, &mut tally);
            assert_eq!(again.hits().len(), 0, "the second look finds a value");
            redacted.iter().map(|envelope| envelope.message.to_vec()).collect()
        }
        Outcome::Held { .. } => unreachable!("it needs no key"),
    }
}

/// Whether it is one value of JSON. Numbers are not read, so none is too large.
fn is_json(text: &[u8]) -> bool {
    serde_json::from_slice::<&RawValue>(text).is_ok()
}

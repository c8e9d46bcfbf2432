//! What the pipeline makes passes the second look, whatever the policy; and looking costs no allocation a record.

use allocation_counter::measure;
use logveil::act::{Redacted, Tally};
use logveil::clock::Timestamp;
use logveil::filter::{Origin, batches};
use logveil::keys::Keyring;
use logveil::pipeline::{self, Again, Outcome, Rescan, State};
use logveil::policy::{BUILTIN, Policy};
use logveil::secret::Raw;
use proptest::prelude::*;

use super::planted::{any_lines, any_object};
use super::{config, key};
use crate::support::corpus;

/// A policy that writes pseudonyms which look like values.
const SHAPES: &str = "policy: shapes
default: redact
classes:
  '*':
    entities:
      ipv4: { pseudonymize: { shape: ip } }
      ipv6: { pseudonymize: { shape: ip } }
      email: { pseudonymize: { shape: email } }
      username: { pseudonymize: { shape: uuid } }
      user_id: { pseudonymize: { shape: digits } }
      phone: { pseudonymize: { shape: digits } }
      session_id: encrypt
      card: mask
";

/// Every built-in policy, and the one of shapes, each with its second look.
fn policies() -> &'static [(Policy, Rescan)] {
    static POLICIES: std::sync::OnceLock<Vec<(Policy, Rescan)>> = std::sync::OnceLock::new();
    POLICIES.get_or_init(|| {
        let builtin = BUILTIN.iter().map(|(name, _)| Policy::builtin(name).expect("it is built in"));
        let all = builtin.chain([Policy::parse("shapes", SHAPES).expect("it is right")]);
        let with_look = |policy: Policy| {
            let rescan = Rescan::new(&policy, &[]);
            (policy, rescan)
        };
        all.map(with_look).collect()
    })
}

fn cleaned(policy: &Policy, text: &[u8]) -> (Redacted, Tally) {
    let origin = Origin { received: Timestamp::UNIX_EPOCH, source: "laws".into() };
    let [batch] = <[_; 1]>::try_from(batches(Raw::new(text.to_vec()), &origin)).expect("one batch");
    let keyring = Keyring::for_run(key(b"k7f3a", 7));
    match pipeline::process(policy, &keyring, &mut State::default(), batch) {
        Outcome::Clean { redacted, tally, .. } => (redacted, tally),
        Outcome::Held { .. } => panic!("there is a key for everything"),
    }
}

#[track_caller]
fn passes(text: &str) {
    for (policy, rescan) in policies() {
        let (redacted, mut tally) = cleaned(policy, text.as_bytes());
        let (before, counted) = (redacted.bytes().to_vec(), tally.clone());
        let mut again = Again::default();
        let after = rescan.look(policy, &mut again, redacted, &mut tally);
        let (name, shown) = (&policy.names().policy, String::from_utf8_lossy(&before));
        let hits: Vec<_> = again.hits().map(|hit| policy.rules().rule_name(hit.rule).to_owned()).collect();
        assert!(hits.is_empty(), "{name}: {hits:?} in {shown}");
        assert_eq!((after.bytes(), &tally), (&before[..], &counted), "{name}");
    }
}

proptest! {
    #![proptest_config(config(64))]

    /// For all documents with planted values, in JSON and what may stand in it.
    #[test]
    fn what_is_made_of_documents_passes_the_second_look(text in any_object()) {
        passes(&text);
    }

    /// The same for lines of logfmt, requests and headers.
    #[test]
    fn what_is_made_of_lines_passes_the_second_look(text in any_lines()) {
        passes(&text);
    }
}

#[test]
fn what_is_made_of_logs_passes_the_second_look() {
    for kind in corpus::KINDS {
        let text = corpus::make(kind, 64 * 1024);
        passes(&String::from_utf8_lossy(&text));
    }
}

/// Where no line for fields is asked: those read documents, in the first pass and in this one.
#[test]
fn looking_again_allocates_nothing() {
    let has_lines = |policy: &Policy| policy.classes().any(|class| policy.wanted(class).is_overruled());
    let plain: Vec<_> = policies().iter().filter(|(policy, _)| !has_lines(policy)).collect();
    assert!(plain.len() >= 3, "default, everything and shapes have no such lines");
    for (policy, rescan) in plain {
        for kind in corpus::KINDS {
            let mut again = Again::default();
            let mut cost = || {
                let (redacted, mut tally) = cleaned(policy, &corpus::make(kind, 64 * 1024));
                assert!(redacted.len() > 100, "there is something to allocate for");
                let mut left = None;
                let info = measure(|| left = Some(rescan.look(policy, &mut again, redacted, &mut tally)));
                info.count_total
            };
            cost();
            let warm = cost();
            assert_eq!(warm, 0, "{kind}, {}", policy.names().policy);
        }
    }
}

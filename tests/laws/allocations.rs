//! A warm worker allocates a fixed number of times a batch, however many records and findings it has.

use allocation_counter::measure;
use logveil::clock::Timestamp;
use logveil::filter::{Origin, batches};
use logveil::keys::Keyring;
use logveil::pipeline::{self, Outcome, State};
use logveil::policy::Policy;
use logveil::record::Batch;
use logveil::secret::Raw;

use super::key;

use crate::support::corpus;

/// The batch's own vectors, its orders and its tally: tens, where records are thousands.
const ALLOCATIONS_MAX: u64 = 40;

const CORPUS_BYTES: usize = 256 * 1024;

/// `everything`, but some get pseudonyms, masks and short networks.
const ACTIONS: &str = "policy: actions
default: redact
classes:
  '*':
    entities:
      ipv4: truncate
      ipv6: { pseudonymize: { shape: ip } }
      email: { pseudonymize: { shape: email } }
      username: pseudonymize
      user_id: { pseudonymize: { shape: digits } }
      session_id: encrypt
      card: mask
";

/// The allocations that cleaning the batch took.
fn cost(policy: &Policy, keyring: &Keyring, state: &mut State, text: &[u8]) -> u64 {
    let origin = Origin { received: Timestamp::UNIX_EPOCH, source: "laws".into() };
    let all: Vec<Batch> = batches(Raw::new(text.to_vec()), &origin);
    let [batch] = <[Batch; 1]>::try_from(all).expect("its lines fit in a batch");
    let mut outcome = None;
    let info = measure(|| outcome = Some(pipeline::process(policy, keyring, state, batch)));
    let Some(Outcome::Clean { redacted, tally, .. }) = outcome else { panic!("the key is there") };
    assert!(redacted.len() > 500 && tally.withheld == 0, "there is something to allocate for");
    info.count_total
}

#[test]
fn cleaning_a_batch_again_allocates_nothing_per_record() {
    let keyring = Keyring::for_run(key(b"k7f3a", 7));
    let policies = [
        Policy::builtin("everything").expect("it is built in"),
        Policy::builtin("default").expect("it is built in"),
        Policy::parse("actions", ACTIONS).expect("it is right"),
    ];
    for policy in &policies {
        for kind in corpus::KINDS {
            let text = corpus::make(kind, CORPUS_BYTES);
            let mut state = State::default();
            cost(policy, &keyring, &mut state, &text);
            let again = cost(policy, &keyring, &mut state, &text);
            assert!(again <= ALLOCATIONS_MAX, "{again} allocations for {kind}");
        }
    }
}

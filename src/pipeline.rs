/*!
The whole product, without any input or output: records in, clean records out.

[`process`] routes each record of a batch, finds what is sensitive in it and
acts on it as the policy says. It fails closed: a record that makes a stage
panic is withheld and a marker stands in its place; a batch that needs a key
which is not there is held and given back.
*/

use std::panic::{AssertUnwindSafe, catch_unwind};

pub use crate::act::{State, Tally};

use crate::act::{Orders, Pass, Redacted};
use crate::keys::Keyring;
use crate::policy::Policy;
use crate::record::{Ack, Batch, ClassId, Record};

/// What became of a batch.
#[derive(Debug)]
pub enum Outcome {
    /// Its clean records.
    Clean {
        /// They go on, and nothing else does.
        redacted: Redacted,
        /// What was done.
        tally: Tally,
        /// The batch's own, to be confirmed once the records are safe.
        ack: Ack,
    },
    /// A class that pseudonymizes has no key for this epoch. The batch is as it was; try again once the key is there.
    Held {
        /// Untouched.
        batch: Batch,
        /// The class that has no key.
        class: ClassId,
    },
}

/// Cleans a batch. The epoch of its keys is that of its receive time.
pub fn process(policy: &Policy, keyring: &Keyring, state: &mut State, mut batch: Batch) -> Outcome {
    route(policy, &mut batch);
    if let Some(class) = keyless(policy, keyring, &batch) {
        return Outcome::Held { batch, class };
    }
    let mut tally = Tally::default();
    let redacted = whole(policy, keyring, state, &batch, &mut tally).unwrap_or_else(|| {
        *state = State::default();
        tally = Tally::default();
        one_by_one(policy, keyring, state, &batch, &mut tally)
    });
    tally.records_in = batch.records.len() as u64;
    tally.bytes_in = batch.raw.len() as u64;
    tally.bytes_out = redacted.byte_len() as u64;
    Outcome::Clean { redacted, tally, ack: batch.ack }
}

fn route(policy: &Policy, batch: &mut Batch) {
    let mut records = std::mem::take(&mut batch.records);
    for record in &mut records {
        (record.stream, record.class) = policy.routes().route(batch, record);
    }
    batch.records = records;
}

/// The first class of the batch that needs a key and has none.
fn keyless(policy: &Policy, keyring: &Keyring, batch: &Batch) -> Option<ClassId> {
    let lacks = |class: &ClassId| keyring.key(policy.class_name(*class), batch.received).is_none();
    policy
        .classes()
        .filter(|class| policy.pseudonymizes(*class) && lacks(class))
        .find(|class| batch.records.iter().any(|record| record.class == *class))
}

/// The common case: one guard around all records. `None` if one of them made a stage panic.
fn whole(
    policy: &Policy,
    keyring: &Keyring,
    state: &mut State,
    batch: &Batch,
    tally: &mut Tally,
) -> Option<Redacted> {
    let mut pass = Pass::new(batch.received, policy.names().clone());
    let all = AssertUnwindSafe(|| {
        for record in &batch.records {
            clean(policy, keyring, state, batch, record, &mut pass, tally);
        }
    });
    catch_unwind(all).ok().map(|()| pass.finish())
}

/// One guard a record: what panics is withheld, the others go on. State and pass are made whole again after a panic.
fn one_by_one(
    policy: &Policy,
    keyring: &Keyring,
    state: &mut State,
    batch: &Batch,
    tally: &mut Tally,
) -> Redacted {
    let mut pass = Pass::new(batch.received, policy.names().clone());
    for record in &batch.records {
        let mut counted = tally.clone();
        let one = AssertUnwindSafe(|| clean(policy, keyring, state, batch, record, &mut pass, &mut counted));
        if catch_unwind(one).is_ok() {
            *tally = counted;
        } else {
            *state = State::default();
            pass.withhold(record, "it made a stage fail", tally);
        }
    }
    pass.finish()
}

fn clean(
    policy: &Policy,
    keyring: &Keyring,
    state: &mut State,
    batch: &Batch,
    record: &Record,
    pass: &mut Pass,
    tally: &mut Tally,
) {
    let class = record.class;
    let orders = Orders {
        class,
        rules: policy.rules(),
        wanted: policy.wanted(class),
        actions: policy.actions(class),
        key: keyring.key(policy.class_name(class), batch.received),
    };
    pass.record(&orders, state, &batch.raw, record, tally);
}

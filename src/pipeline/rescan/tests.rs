use super::*;
use crate::clock::Timestamp;
use crate::keys::{EpochKey, KeyId, Keyring};
use crate::pipeline::{Outcome, process};
use crate::record::{Ack, Batch};
use crate::secret::Secret;

const TOKEN: &str = "ghp_0123456789abcdefghijABCDEFGHIJ012345";

fn policy(entities: &str) -> Policy {
    let text = format!("policy: p\ndefault: redact\nclasses:\n  '*': {{ entities: {{ {entities} }} }}\n");
    Policy::parse("p", &text).expect("it is right")
}

/// What `policy` makes of records, the second of which has an envelope.
fn cleaned(policy: &Policy, messages: &[&str]) -> (Redacted, Tally) {
    let mut raw = Raw::default();
    let mut records: Vec<Record> =
        messages.iter().map(|text| Record::plain(raw.push(text.as_bytes()))).collect();
    if let [_, second, ..] = &mut records[..] {
        second.host = raw.push(b"web-1");
    }
    let (received, path) = (Timestamp::UNIX_EPOCH, Raw::default());
    let batch = Batch { raw, records, received, source: "test".into(), path, ack: Ack::none() };
    let keyring = Keyring::for_run(EpochKey::new(KeyId(*b"k7f3a"), &Secret::new(vec![7; 32])));
    match process(policy, &keyring, &mut State::default(), batch) {
        Outcome::Clean { redacted, tally, .. } => (redacted, tally),
        Outcome::Held { .. } => panic!("there is a key for everything"),
    }
}

/// What is left of `messages`, cleaned by `first` and looked at for `second`, and what was found then.
fn seen(
    first: &Policy,
    second: &Rescan,
    by: &Policy,
    messages: &[&str],
) -> (Vec<String>, Vec<Entity>, Tally) {
    let (redacted, mut tally) = cleaned(first, messages);
    let mut again = Again::default();
    let clean = second.look(by, &mut again, redacted, &mut tally);
    let left = clean.iter().map(|envelope| String::from_utf8_lossy(envelope.message).into_owned()).collect();
    (left, again.hits().map(|hit| hit.entity).collect(), tally)
}

/// A first pass that leaves everything stands for one with a fault.
#[test]
fn what_a_faulty_pass_left_is_withheld_and_the_rest_goes_on() {
    let (faulty, right) =
        (policy("github_token: keep, ipv4: truncate, email: keep"), policy("ipv4: truncate"));
    let messages = ["ok 192.0.2.7", &format!("by {TOKEN}"), "card-less", "to jane@example.com, ok"];
    let (left, hits, tally) = seen(&faulty, &Rescan::new(&right, &[]), &right, &messages);
    assert_eq!(left[0], "ok 192.0.2.0");
    assert_eq!(left[1], "[logveil: record withheld, 43 bytes, a value was left in it]");
    assert_eq!(left[2], "card-less");
    assert_eq!(left[3], "[logveil: record withheld, 23 bytes, a value was left in it]");
    assert_eq!(hits.len(), 2);
    assert_eq!(hits[1], Entity::EMAIL);
    assert_eq!((tally.withheld, tally.records_out), (2, 4));
    assert_eq!(tally.bytes_out, left.iter().map(|text| text.len() as u64).sum::<u64>());
}

#[test]
fn a_withheld_record_takes_its_envelope_with_it_and_no_other() {
    let (faulty, right) = (policy("email: keep"), policy("email: redact"));
    let messages = ["to jane@example.com", "of a host", "to jane@example.com"];
    let (redacted, mut tally) = cleaned(&faulty, &messages);
    let before: Vec<_> = redacted.records().iter().map(|record| (record.class, record.place)).collect();
    let clean = Rescan::new(&right, &[]).look(&right, &mut Again::default(), redacted, &mut tally);
    let hosts: Vec<_> = clean.iter().map(|envelope| envelope.host.to_vec()).collect();
    assert_eq!(hosts, [&b""[..], b"web-1", b""]);
    let after: Vec<_> = clean.records().iter().map(|record| (record.class, record.place)).collect();
    assert_eq!(after, before);
    assert!(!clean.bytes().windows(4).any(|four| four == b"jane"), "nothing of it is in the batch");
}

#[test]
fn what_a_policy_keeps_stays_unless_it_is_never_to_leave() {
    let keeps = policy("github_token: keep");
    let message = format!("by {TOKEN}");
    let (left, hits, _) = seen(&keeps, &Rescan::new(&keeps, &[]), &keeps, &[&message]);
    assert_eq!((left, hits), (vec![message.clone()], vec![]));
    let entity = keeps.rules().entities().find("github_token").expect("a pack has it");
    let (left, hits, _) = seen(&keeps, &Rescan::new(&keeps, &[entity]), &keeps, &[&message]);
    assert_eq!(hits, [entity]);
    assert!(!left[0].contains(TOKEN));
}

/// Values that a line lets stand, in every list that a policy has, and pseudonyms that look like values.
#[test]
fn what_a_policy_leaves_is_no_hit() {
    let listed = "policy: p
default: redact
classes:
  '*':
    entities:
      ipv4: { pseudonymize: { shape: ip } }
      ipv6: truncate
      email: { pseudonymize: { shape: email, domain: keep } }
      user_id: { pseudonymize: { shape: digits } }
      card: { mask: { first: 6, last: 4 } }
      username: encrypt
      uuid: { pseudonymize: { shape: uuid } }
    allow: { values: ['ops@example.com'], networks: ['2001:db8:7::/48'], fields: [contact] }
";
    let policy = Policy::parse("p", listed).expect("it is right");
    let messages = [
        "192.0.2.7 2001:db8:1:2::7 2001:db8:7::7 jane@example.com ops@example.com",
        r#"{"contact":"joe@example.com","user_id":4012888888881881,"card":"4012888888881881"}"#,
        "user_id=4012888888881881 username=jane id=0192f0c4-3a7b-7c1e-9d2f-8a6b5c4d3e2f",
    ];
    let (clean, _) = cleaned(&policy, &messages);
    let (left, hits, _) = seen(&policy, &Rescan::new(&policy, &[]), &policy, &messages);
    assert_eq!(hits, []);
    let expected: Vec<_> =
        clean.iter().map(|envelope| String::from_utf8_lossy(envelope.message).into_owned()).collect();
    assert_eq!(left, expected);
}

/// A rule that may be wrong covers the token; the token is found in what it covers.
#[test]
fn a_rule_that_may_be_wrong_hides_no_certain_one() {
    let (faulty, right) = (policy("github_token: keep, api_key: keep, password: keep"), policy("card: mask"));
    for message in [format!("github_token={TOKEN}"), format!(r#"{{"github_token":"{TOKEN}"}}"#)] {
        let (left, hits, _) = seen(&faulty, &Rescan::new(&right, &[]), &right, &[&message]);
        assert_eq!(hits.len(), 1, "{message}");
        assert!(!left[0].contains(TOKEN));
    }
}

/// A class that the second look does not know stands for any fault of ours.
#[test]
fn a_record_that_makes_the_second_look_panic_is_withheld_alone() {
    let (right, faulty) = (policy("email: redact"), policy("email: keep"));
    let more = "policy: p\ndefault: redact\nown_classes: [extra]\n\
                classes:\n  '*': { entities: { email: keep } }\n";
    let more = Policy::parse("p", more).expect("it is right");
    let extra = more.class_named("extra").expect("it is declared");
    let mut raw = Raw::default();
    let messages = ["to jane@example.com", "secret", "ok"];
    let records = messages.iter().map(|text| Record::plain(raw.push(text.as_bytes()))).collect();
    let (received, path) = (Timestamp::UNIX_EPOCH, Raw::default());
    let batch = Batch { raw, records, received, source: "test".into(), path, ack: Ack::none() };
    let route = |batch: &Batch, record: &Record| {
        let is_secret = batch.raw.bytes()[record.message.range()] == *b"secret";
        (crate::record::StreamId(0), if is_secret { extra } else { ClassId(0) })
    };
    let state = &mut State::default();
    let Outcome::Clean { redacted, mut tally, .. } =
        super::super::routed(&more, &Keyring::empty(), state, batch, route)
    else {
        panic!("no key is needed")
    };
    let (rescan, mut again) = (Rescan::new(&right, &[]), Again::default());
    let clean = rescan.look(&right, &mut again, redacted, &mut tally);
    let left: Vec<_> =
        clean.iter().map(|envelope| String::from_utf8_lossy(envelope.message).into_owned()).collect();
    assert_eq!(left[0], "[logveil: record withheld, 19 bytes, a value was left in it]");
    assert_eq!(left[1], "[logveil: record withheld, 6 bytes, it made a stage fail]");
    assert_eq!(left[2], "ok");
    assert_eq!((again.hits().len(), again.withheld(), tally.withheld), (1, 1, 2));
    // What a panic left behind is gone, and the next batch is looked at as any.
    let (redacted, mut tally) = cleaned(&faulty, &["to jane@example.com", "ok"]);
    rescan.look(&right, &mut again, redacted, &mut tally);
    assert_eq!((again.hits().len(), tally.withheld), (1, 1));
}

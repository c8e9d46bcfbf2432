use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::clock::Timestamp;
use crate::keys::{EpochKey, KeyId, Keyring};
use crate::pipeline::{Outcome, State, process};
use crate::policy::Policy;
use crate::record::{Ack, Batch, Record};
use crate::secret::{Raw, Secret};
use crate::vault::{DataDir, Kek, LiveKey};

const DAY: Duration = Duration::from_secs(86_400);

fn morning() -> Timestamp {
    "2026-11-28T06:00:00Z".parse().expect("a moment")
}

fn key(id: &[u8; 5]) -> EpochKey {
    EpochKey::new(KeyId(*id), &Secret::new(id.to_vec()))
}

/// The keys of class `app` of two days.
fn live() -> Vec<LiveKey> {
    let day: Timestamp = "2026-11-28T00:00:00Z".parse().expect("a moment");
    let of = |id, from: Timestamp| LiveKey {
        class: "app".into(),
        policy: "p".into(),
        created: from - DAY,
        from,
        until: from + DAY,
        key: key(id),
    };
    vec![of(b"kaaaa", day), of(b"kbbbb", day + DAY)]
}

fn policy(entities: &str) -> Policy {
    let text = format!("policy: p\nclasses:\n  \"*\": {{ entities: {{ {entities} }} }}\n");
    Policy::parse("p", &text).expect("it is right")
}

/// What the store would hold of these messages of class `app`.
fn stored(policy: &Policy, received: Timestamp, messages: &[&str]) -> crate::act::Redacted {
    let mut keyring = Keyring::empty();
    for live in live() {
        keyring.insert_between("app", live.from, live.until, live.key);
    }
    let mut raw = Raw::default();
    let records = messages.iter().map(|text| Record::plain(raw.push(text.as_bytes()))).collect();
    let (source, path) = ("test".into(), Raw::default());
    let batch = Batch { raw, records, received, source, path, ack: Ack::none() };
    match process(policy, &keyring, &mut State::default(), batch) {
        Outcome::Clean { redacted, .. } => redacted,
        Outcome::Held { .. } => panic!("the keys are there"),
    }
}

fn sought(policy: &Policy, lines: &str) -> Sought {
    let read = Subject::read_lines(policy.rules().entities(), lines).expect("they are values");
    Sought::new(&Subject::of(read).expect("somebody"), policy, &live()).expect("it can be looked for")
}

#[track_caller]
fn check(entities: &str, who: &str, cases: &[(&str, Option<Hit>)]) {
    let policy = policy(entities);
    let sought = sought(&policy, who);
    let messages: Vec<&str> = cases.iter().map(|(message, _)| *message).collect();
    for received in [morning(), morning() + DAY] {
        let stored = stored(&policy, received, &messages);
        for (envelope, (message, expected)) in stored.iter().zip(cases) {
            let became = String::from_utf8_lossy(envelope.message);
            assert_eq!(sought.hit(&envelope), *expected, "{message:?} became {became:?}");
        }
    }
}

const CERTAIN: Option<Hit> = Some(Hit::Certain);

#[test]
fn a_person_is_found_in_every_epoch_however_the_value_was_written() {
    check(
        "email: pseudonymize",
        "email jane@Example.com",
        &[
            ("login of jane@example.com from web", CERTAIN),
            (r#"{"note":"jane@EXAMPLE.com"}"#, CERTAIN),
            ("GET /?mail=jane%40example.com", CERTAIN),
            ("login of jane@example.org", None),
            ("login of mary-jane@example.com", None),
            ("nothing", None),
        ],
    );
}

#[test]
fn every_shape_that_is_nobody_elses_is_certain() {
    for action in [
        "encrypt",
        "{ pseudonymize: { shape: uuid } }",
        "{ pseudonymize: { shape: email, domain: keep } }",
        "{ pseudonymize: { shape: email, domain: pseudonymize } }",
    ] {
        let cases = [("by jane@example.com ok", CERTAIN), ("by john@example.com ok", None)];
        check(&format!("email: {action}"), "email jane@example.com", &cases);
    }
}

#[test]
fn an_address_that_was_shaped_into_another_only_looks_alike() {
    let cases = [("from 192.0.2.7", Some(Hit::Alike)), ("from 192.0.2.8", None)];
    check("ipv4: { pseudonymize: { shape: ip } }", "ip 192.0.2.7", &cases);
}

#[test]
fn what_is_kept_is_found_whole_and_alone() {
    check(
        "ipv4: keep, email: keep",
        "ip 192.0.2.7\nemail jane@example.com",
        &[
            ("from 192.0.2.7:443", None),
            ("from 192.0.2.7, ok", CERTAIN),
            ("from 192.0.2.70", None),
            ("from 1.192.0.2.7.9", None),
            ("version 192.0.2.7.1", None),
            (r#"{"a":"x\njane@example.com"}"#, CERTAIN),
            ("by mary.jane@example.com", None),
            ("by jane@example.com.au", None),
        ],
    );
}

/// 192.0.2.0 is what is left of all of its neighbours.
#[test]
fn nobody_is_found_by_a_network() {
    let cases = [("from 192.0.2.7", Some(Hit::Alike)), ("from 192.0.3.7", None)];
    check("ipv4: { truncate: { ipv4: 24 } }", "ip 192.0.2.0", &cases);
    check("ipv4: { truncate: { ipv4: 24 } }", "ip 192.0.2.7", &[("from 192.0.2.7", None)]);
}

#[test]
fn a_mapped_address_is_the_address() {
    check("ipv4: pseudonymize", "ip ::ffff:192.0.2.7", &[("from 192.0.2.7", CERTAIN)]);
}

#[test]
fn what_cannot_be_found_is_told_with_its_reason() {
    let policy = policy("email: pseudonymize, username: redact, user_id: keep");
    let sought = sought(&policy, "email jane@example.com\nip 192.0.2.7");
    let of = |class: &str, entity: &str| {
        let found = sought.reach().iter().find(|reach| reach.class == class && reach.entity == entity);
        found.map(|reach| reach.finds)
    };
    assert_eq!(of("app", "email"), Some(Finds::ByKeys(2)));
    assert!(matches!(of("access", "email"), Some(Finds::Not(why)) if why.contains("no key")));
    assert!(matches!(of("app", "username"), Some(Finds::Not(why)) if why.contains("redacted")));
    assert_eq!(of("app", "user_id"), Some(Finds::AsItIs));
    assert!(matches!(of("app", "ipv4"), Some(Finds::Not(_))));
    assert_eq!(of("app", "ipv6"), None, "it is none");
}

#[test]
fn what_is_looked_for_cannot_be_printed() {
    let policy = policy("email: pseudonymize");
    let read =
        Subject::read_lines(policy.rules().entities(), "email zqplanted@example.com").expect("a value");
    assert!(!format!("{read:?}").contains("zqplanted"));
}

proptest! {
    /// A user is found by the own id, and by no other's.
    #[test]
    fn nobody_is_found_by_another(ids in prop::collection::hash_set("[a-z]{3,8}[0-9]{1,4}", 2..5)) {
        let policy = policy("user_id: pseudonymize, username: pseudonymize");
        let ids: Vec<String> = ids.into_iter().collect();
        let messages: Vec<String> = ids.iter().map(|id| format!("user_id={id} did it")).collect();
        let messages: Vec<&str> = messages.iter().map(String::as_str).collect();
        let stored = stored(&policy, morning(), &messages);
        let mut all = 0;
        for (at, id) in ids.iter().enumerate() {
            let sought = sought(&policy, &format!("user-id {id}"));
            for (of, envelope) in stored.iter().enumerate() {
                let expected = if of == at { CERTAIN } else { None };
                prop_assert_eq!(sought.hit(&envelope), expected);
                all += usize::from(of == at);
            }
        }
        prop_assert_eq!(all, ids.len());
    }
}

fn register() -> (tempfile::TempDir, Register) {
    let root = tempfile::tempdir().expect("a folder");
    let dir = DataDir::open_to_read(root.path()).expect("it is there");
    (root, Register::new(&dir, Arc::new(Kek::parse(&[7; 32]).expect("a key"))))
}

#[test]
fn a_request_is_open_until_it_is_closed_and_overdue_after_its_deadline() {
    let (_root, register) = register();
    let at = morning();
    let first = register.open(Verb::Erase, Law::Gdpr, None, at).expect("opened");
    let second = register.open(Verb::Find, Law::None, Some("ticket 7".into()), at).expect("opened");
    assert_eq!((first.id.as_str(), second.id.as_str()), ("r1", "r2"));
    let on = |day: u32| register.list().expect("it is whole")[0].is_overdue(at + day * DAY);
    assert!(!on(29) && on(30));
    register.close("r1", "erased", None, at + DAY).expect("closed");
    assert!(!on(31));
    assert!(matches!(register.close("r1", "again", None, at), Err(Error::Closed { .. })));
    assert!(matches!(register.find_open("r9", Verb::Find), Err(Error::NoRequest { .. })));
    assert_eq!(register.find_open("r2", Verb::Find).expect("open").reason.as_deref(), Some("ticket 7"));
    assert!(matches!(register.find_open("r2", Verb::Erase), Err(Error::OtherVerb { .. })));
    assert_eq!(register.list().expect("it is whole").len(), 2);
}

#[test]
fn a_childs_request_is_due_at_once() {
    let (_root, register) = register();
    let request = register.open(Verb::Erase, Law::Gdpr, Some(CHILD.into()), morning()).expect("opened");
    assert!(request.is_overdue(morning()));
}

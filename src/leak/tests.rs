use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::keys::Keyring;
use crate::pipeline::{Outcome, process};
use crate::record::{Ack, Batch, Record};
use crate::secret::Raw;
use crate::vault::{DataDir, Kek};

const HOUR: Duration = Duration::from_secs(3600);

fn policy(entities: &str) -> Policy {
    let text = format!("policy: p\nclasses:\n  \"*\": {{ entities: {{ {entities} }} }}\n");
    Policy::parse("p", &text).expect("it is right")
}

/// Messages of class `app` as a store would hold them after `policy`.
fn stored(policy: &Policy, messages: &[&str]) -> crate::act::Redacted {
    let keyring = Keyring::for_run(EpochKey::new(KeyId(*b"kbbbb"), &Secret::new(vec![7; 32])));
    let mut raw = Raw::default();
    let records = messages.iter().map(|text| Record::plain(raw.push(text.as_bytes()))).collect();
    let (received, source, path) = (Timestamp::UNIX_EPOCH, "test".into(), Raw::default());
    let batch = Batch { raw, records, received, source, path, ack: Ack::none() };
    match process(policy, &keyring, &mut State::default(), batch) {
        Outcome::Clean { redacted, .. } => redacted,
        Outcome::Held { .. } => panic!("there is a key for everything"),
    }
}

/// The entities that leak when what `handled` left is audited by `policy`.
fn leaks(policy: &Policy, handled: &Policy, messages: &[&str]) -> Vec<String> {
    let mut audit = Audit::new(policy);
    stored(handled, messages).iter().for_each(|envelope| audit.look(&envelope));
    audit.leaks().keys().map(|(_, entity)| entity.clone()).collect()
}

const RAW: &[&str] = &[
    "by jane@example.com from 192.0.2.7 and 2001:db8:1:2::7",
    r#"{"user":"jane@example.com","password":"hunter2 and more","n":1}"#,
    "paid with 4012 8888 8888 1881 by user_id=4711234567",
    "Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
    "nothing at all",
];

/// What a policy left is clean by the same policy, for every action.
#[test]
fn what_was_handled_is_clean() {
    let policies = [
        Policy::builtin("default").expect("it is built in"),
        Policy::builtin("everything").expect("it is built in"),
        policy("ipv4: truncate, ipv6: truncate, email: encrypt, card: { mask: { first: 6, last: 4 } }"),
        policy(
            "email: { pseudonymize: { shape: email, domain: keep } }, user_id: { pseudonymize: { shape: uuid } }",
        ),
        policy("email: { pseudonymize: { shape: uuid } }, ipv4: pseudonymize, user_id: encrypt"),
    ];
    for policy in &policies {
        assert_eq!(leaks(policy, policy, RAW), [""; 0], "{}", policy.names().policy);
    }
}

#[test]
fn what_was_not_handled_is_a_leak_of_its_class_and_entity() {
    let keeps = Policy::parse("p", "policy: p\ndefault: keep\n").expect("it is right");
    let found = leaks(&Policy::builtin("everything").expect("it is built in"), &keeps, RAW);
    for entity in ["email", "ipv4", "ipv6", "card", "jwt", "password", "user_id"] {
        assert!(found.iter().any(|leak| leak == entity), "{entity} in {found:?}");
    }
}

#[test]
fn what_no_log_should_hold_is_a_leak_whatever_the_policy_says() {
    let keeps = Policy::parse("p", "policy: p\ndefault: keep\n").expect("it is right");
    let found = leaks(&keeps, &keeps, RAW);
    assert_eq!(found, ["card", "jwt"]);
}

#[test]
fn what_cannot_be_told_apart_is_unclear() {
    let shaped = policy("ipv4: { pseudonymize: { shape: ip } }");
    let mut audit = Audit::new(&shaped);
    stored(&shaped, &["from 192.0.2.7"]).iter().for_each(|envelope| audit.look(&envelope));
    assert_eq!((audit.unclear(), audit.leaks().len(), audit.records()), (1, 0, 1));
}

/// Addresses and numbers with a check digit, drawn evenly; the second of each pair is what a policy with shapes made of them.
fn drawn() -> Vec<String> {
    let mut state = 7_u64;
    let mut draw = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    let mut all = Vec::new();
    for _ in 0..200 {
        all.push(format!("from {}.{}.{}.{}", 1 + draw() % 223, draw() % 256, draw() % 256, 1 + draw() % 254));
        all.push(format!(
            "from 2{:03x}:{:x}:{:x}::{:x}",
            draw() % 4096,
            draw() % 65_536,
            draw() % 65_536,
            1 + draw() % 65_535
        ));
        let digits: Vec<u64> = [3, 5].into_iter().chain((0..12).map(|_| draw() % 10)).collect();
        let sum: u64 = digits
            .iter()
            .rev()
            .enumerate()
            .map(|(at, d)| if at % 2 == 0 { d * 2 / 10 + d * 2 % 10 } else { *d })
            .sum();
        let text: String = digits.iter().chain(&[(10 - sum % 10) % 10]).map(u64::to_string).collect();
        all.push(format!("imei {text} registered"));
    }
    all
}

/// Law: what a policy with shapes wrote is never called a leak under its keys. Of what is raw some is told for sure, and of
/// the rest nobody can tell.
#[test]
fn under_its_keys_a_pseudonym_is_no_leak_and_many_raw_values_are() {
    let shaped = policy(
        "ipv4: { pseudonymize: { shape: ip } }, ipv6: { pseudonymize: { shape: ip } }, imei: { pseudonymize: { shape: digits } }",
    );
    let raw = drawn();
    let messages: Vec<&str> = raw.iter().map(String::as_str).collect();
    let live = |byte: u8| crate::vault::LiveKey {
        class: "app".to_owned(),
        policy: "p".to_owned(),
        created: Timestamp::UNIX_EPOCH - HOUR,
        from: Timestamp::UNIX_EPOCH,
        until: Timestamp::UNIX_EPOCH + HOUR,
        key: EpochKey::new(KeyId(*b"kbbbb"), &Secret::new(vec![byte; 32])),
    };
    let told = |handled: &Policy, keys: &[crate::vault::LiveKey]| {
        let mut audit = Audit::new(&shaped).under(keys);
        stored(handled, &messages).iter().for_each(|envelope| audit.look(&envelope));
        let leaks: BTreeMap<String, u64> =
            audit.leaks().iter().map(|((_, entity), leak)| (entity.clone(), leak.records)).collect();
        (leaks, audit.unclear())
    };
    let (leaks, unclear) = told(&shaped, &[live(7)]);
    assert_eq!(leaks, BTreeMap::new(), "{unclear} are unclear");
    assert!(unclear > 200, "{unclear}");
    assert_eq!(told(&shaped, &[live(9), live(7)]).0, BTreeMap::new(), "whichever of two keys it was");
    let keeps = Policy::parse("p", "policy: p\ndefault: keep\n").expect("it is right");
    assert_eq!(told(&keeps, &[]).0, BTreeMap::new(), "without keys nobody can tell");
    let (mut leaks, mut unclear) = (BTreeMap::new(), 0);
    // A key moves whole prefixes, so one alone may take all addresses to where there are some.
    for byte in 1..=6 {
        let (more, left) = told(&keeps, &[live(byte)]);
        more.into_iter().for_each(|(entity, records)| *leaks.entry(entity).or_insert(0) += records);
        unclear += left;
    }
    // Keys that did not handle them say nothing: made in the place of one that is gone, or of another policy.
    let late = crate::vault::LiveKey { created: Timestamp::UNIX_EPOCH + HOUR / 2, ..live(1) };
    let other = crate::vault::LiveKey { policy: "q".to_owned(), ..live(1) };
    assert_eq!(told(&keeps, &[late, other]).0, BTreeMap::new());
    let second = Policy::parse("p", "policy: p\nversion: 2\ndefault: keep\n").expect("it is right");
    assert_eq!(told(&second, &[live(1)]).0, BTreeMap::new(), "nor does this version of the policy");
    assert!(leaks["ipv4"] > 20 && leaks["ipv6"] > 200 && leaks["imei"] > 600, "{leaks:?}, {unclear} unclear");
}

/// One raw value among many that the policy left is found, wherever it stands; and each takes no search of all of them.
#[test]
fn one_raw_value_among_many_clean_ones_is_found() {
    let (right, faulty) = (policy("ipv4: truncate"), policy("ipv4: truncate, email: keep"));
    for place in [0, 1, 499, 500, 998, 999] {
        let addresses = (0..1000).map(|nth| match nth == place {
            true => "192.0.2.7 ".to_owned(),
            false => format!("10.1.{}.0 ", nth % 250),
        });
        let text: String = addresses.collect();
        let batch = stored(&Policy::parse("p", "policy: p\ndefault: keep\n").expect("it is right"), &[&text]);
        let mut audit = Audit::new(&right);
        batch.iter().for_each(|envelope| audit.look(&envelope));
        assert_eq!(audit.leaks()[&("app".to_owned(), "ipv4".to_owned())].records, 1);
        assert_eq!(leaks(&right, &faulty, &[&text, "to jane@example.com"]), ["email"]);
    }
}

fn register() -> (tempfile::TempDir, Incidents) {
    let root = tempfile::tempdir().expect("a folder");
    let dir = DataDir::open_to_read(root.path()).expect("it is there");
    (root, Incidents::new(&dir, Arc::new(Kek::parse(&[7; 32]).expect("a key"))))
}

#[test]
fn an_incident_is_opened_once_and_has_72_hours() {
    let (_root, incidents) = register();
    let at: Timestamp = "2026-11-28T10:00:00Z".parse().expect("a moment");
    let kind = ("app".to_owned(), "email".to_owned());
    let leak = Leak { rule: "email".into(), records: 3, first: at, last: at };
    let say = |at| incidents.found("archive", &kind, &leak, at).expect("said");
    assert_eq!(say(at), Seen::Opened("i1".into()));
    assert_eq!(say(at + HOUR), Seen::Again("i1".into()));
    let first = incidents.list().expect("it is whole").remove(0);
    assert_eq!((first.seen, first.deadline), (at + HOUR, at + 72 * HOUR));
    assert!(!first.is_overdue(at + 71 * HOUR) && first.is_overdue(at + 72 * HOUR));
    assert!(incidents.close("i1", "told", at + HOUR).expect("said"));
    assert!(!incidents.close("i1", "again", at + HOUR).expect("said"));
    assert_eq!(say(at + 2 * HOUR), Seen::Opened("i4".into()), "what was closed and is there again is new");
    assert_eq!(incidents.list().expect("it is whole").len(), 2);
}

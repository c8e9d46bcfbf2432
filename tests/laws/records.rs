//! The whole core: how records are cut into batches changes nothing, and redacting twice equals redacting once.

use logveil::clock::Timestamp;
use logveil::keys::Keyring;
use logveil::pipeline::{self, Outcome};
use logveil::policy::Policy;
use logveil::record::{Ack, Batch, Record};
use logveil::secret::Raw;

use super::*;

/// A value that the policies hide, and which nothing else here looks like.
fn planted() -> impl Strategy<Value = String> {
    prop_oneof![
        "zq[a-z]{4,8}@[a-z]{3,9}\\.example\\.com",
        "(198\\.51\\.100|203\\.0\\.113)\\.(1[0-9]{2}|2[0-4][0-9])",
    ]
}

/// A message with values in the places where logs have them.
fn message() -> impl Strategy<Value = String> {
    let word = "[a-z]{1,8}";
    let piece = prop_oneof![
        3 => word.prop_map(|word| format!("{word} ")),
        1 => planted().prop_map(|value| format!("{value} ")),
        1 => (word, planted()).prop_map(|(key, value)| format!("{key}={value} ")),
        1 => (word, planted()).prop_map(|(key, value)| format!("GET /{key}?q={value}&p=1 ")),
        1 => (word, planted()).prop_map(|(key, value)| format!("{{\"{key}\":\"{value}\",\"n\":1.50}} ")),
        1 => (word, planted()).prop_map(|(key, value)| format!("{{\"{key}\":\"{{\\\"v\\\":\\\"{value}\\\"}}\"}} ")),
        1 => any::<String>().prop_map(|text| format!("{text} ")),
        3 => secret().prop_map(|text| format!("{text} ")),
    ];
    proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

/// Secrets in the shapes in which logs have them. None is a word of its own that would tell of its neighbour, as the
/// `v` in `password=v 198.51.100.7` does: once it is gone the neighbour is an address, and hidden the second time.
fn secret() -> impl Strategy<Value = String> {
    let secret = "[a-zA-Z0-9]{2,24}";
    let card =
        prop_oneof![Just("4111 1111 1111 1111"), Just("5555-5555-5555-4444"), Just("4012888888881881")];
    prop_oneof![
        secret.prop_map(|secret| format!("password={secret}")),
        secret.prop_map(|secret| format!("user=\"{secret}\" ok=1")),
        secret.prop_map(|secret| format!("Authorization: Bearer {secret}")),
        secret.prop_map(|secret| format!("Cookie: sid={secret}; theme=dark")),
        secret.prop_map(|secret| format!("?token={secret}%2F{secret}&p=1")),
        secret.prop_map(|secret| format!("postgres://app:{secret}@db:5432/x")),
        (secret, any::<u32>()).prop_map(|(name, id)| {
            format!("{{\"a\":1,\"username\":\"{name}\\n\",\"user_id\":{id},\"password\":[\"{name}\",{id}]}}")
        }),
        (secret, any::<u32>()).prop_map(|(name, id)| {
            format!("{{\"p\":\"{{\\\"password\\\":\\\"{name}\\\",\\\"user_id\\\":{id}}}\"}}")
        }),
        card.clone().prop_map(|card| format!("card={card};")),
        card.prop_map(|card| format!("{{\"card\":\"{card}\"}}")),
        Just("{\"card\":4111111111111111,\"n\":1}".to_owned()),
    ]
}

fn batch(messages: &[String]) -> Batch {
    let mut raw = Raw::default();
    let records = messages.iter().map(|text| Record::plain(raw.push(text.as_bytes()))).collect();
    let (received, path) = (Timestamp::UNIX_EPOCH, Raw::default());
    Batch { raw, records, received, source: "laws".into(), path, ack: Ack::none() }
}

fn clean(policy: &Policy, state: &mut State, messages: &[String]) -> (Vec<String>, Tally) {
    let keyring = Keyring::for_run(key(b"k7f3a", 7));
    let Outcome::Clean { redacted, tally, .. } = pipeline::process(policy, &keyring, state, batch(messages))
    else {
        panic!("the key is there")
    };
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text stays text");
    (redacted.iter().map(|envelope| text(envelope.message)).collect(), tally)
}

/// The built-in policies, and one for each action, `drop_field` last.
fn policies() -> &'static [Policy] {
    static POLICIES: std::sync::OnceLock<Vec<Policy>> = std::sync::OnceLock::new();
    POLICIES.get_or_init(|| {
        let by_action =
            ["redact", "{ redact: { length: true } }", "mask", "pseudonymize", "drop_field"].map(|action| {
                let text = format!(
                    "policy: one\ndefault: {action}\nclasses: {{ '*': {{ entities: {{ card: {action} }} }} }}"
                );
                Policy::parse("one.yaml", &text).expect("it is right")
            });
        let builtin = ["default", "everything"].map(|name| Policy::builtin(name).expect("it is built in"));
        builtin.into_iter().chain(by_action).collect()
    })
}

proptest! {
    #![proptest_config(config(192))]

    /// For all records r and s: process(r ++ s) = process(r) ++ process(s), and so do their tallies add up.
    #[test]
    fn cutting_records_into_batches_changes_nothing(
        messages in proptest::collection::vec(message(), 0..6),
        cut in any::<prop::sample::Index>(),
        policy in any::<prop::sample::Index>(),
    ) {
        let policy = policy.get(policies());
        let (whole, whole_tally) = clean(policy, &mut State::default(), &messages);
        let (first, second) = messages.split_at(cut.index(messages.len() + 1));
        let mut state = State::default();
        let (mut parts, mut tally) = clean(policy, &mut state, first);
        let (more, more_tally) = clean(policy, &mut state, second);
        parts.extend(more);
        tally.add(&more_tally);
        prop_assert_eq!(parts, whole);
        prop_assert_eq!(tally, whole_tally);
    }

    /// For all records r: process(process(r)) = process(r), for labels, truncation, masks and tags. Where a field is
    /// taken out its neighbours move, and may be found anew.
    #[test]
    fn redacting_twice_equals_redacting_once(
        messages in proptest::collection::vec(message(), 1..4),
        policy in any::<prop::sample::Index>(),
    ) {
        let (_drop_field, idempotent) = policies().split_last().expect("there are some");
        let policy = policy.get(idempotent);
        let mut state = State::default();
        let (once, _) = clean(policy, &mut state, &messages);
        let (twice, _) = clean(policy, &mut state, &once);
        prop_assert_eq!(twice, once);
    }

    /// For all records r with a value v in them: v is not in process(r), nor in what Debug prints of it all.
    #[test]
    fn planted_values_are_nowhere(
        before in prop_oneof![Just(""), Just("by"), Just("login of"), Just("peer")],
        (value, after) in (planted(), "[a-z]{0,9}"),
        policy in any::<prop::sample::Index>(),
    ) {
        let policy = policy.get(policies());
        let messages = [format!("{before} {value} {after}"), format!("{{\"{before}\":\"{value}\"}}")];
        let mut state = State::default();
        let held = pipeline::process(&policies()[0], &Keyring::empty(), &mut state, batch(&messages));
        let is_held = matches!(held, Outcome::Held { .. });
        prop_assert!(is_held, "there is no key");
        let shown = format!("{held:?}");
        prop_assert!(!shown.contains(&value));
        let keyring = Keyring::for_run(key(b"k7f3a", 7));
        let outcome = pipeline::process(policy, &keyring, &mut state, batch(&messages));
        let Outcome::Clean { ref redacted, .. } = outcome else { panic!("the key is there") };
        prop_assert!(!redacted.bytes().windows(value.len()).any(|window| window == value.as_bytes()));
        let shown = format!("{outcome:?} {state:?} {keyring:?}");
        prop_assert!(!shown.contains(&value));
    }

    /// For all records r in which nothing is found: process(r) = r, to the byte.
    #[test]
    fn untouched_records_are_identical(messages in proptest::collection::vec("[a-z é:,;{}\\[\\]\"'\\\\]{0,40}", 0..5)) {
        for policy in policies() {
            let (out, tally) = clean(policy, &mut State::default(), &messages);
            if tally.findings().next().is_none() {
                prop_assert_eq!(&out, &messages);
            }
        }
    }
}

//! Findings are replaced and nothing else is; pseudonyms are equal and differ as they should.

use std::collections::HashSet;

use logveil::action::{Domain, PSEUDONYMIZE, Shape};

use super::*;

const PLAIN: Form = Form { json: 0, bare: false, percent: 0 };

/// Any bytes with any findings in them, sorted and not overlapping.
fn haystack() -> impl Strategy<Value = (Vec<u8>, Vec<Finding>)> {
    let piece = (proptest::collection::vec(any::<u8>(), 0..12), proptest::option::of(0..ENTITIES.len()));
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| {
        let (mut text, mut findings) = (Vec::new(), Vec::new());
        for (piece, found) in pieces {
            let start = text.len();
            text.extend_from_slice(&piece);
            if let Some(entity) = found.filter(|_| !piece.is_empty()) {
                findings.push(finding(start..text.len(), ENTITIES[entity], PLAIN));
            }
        }
        (text, findings)
    })
}

/// The naive twin of `splice` for labels: from the last finding to the first, in place.
fn naive(haystack: &[u8], findings: &[Finding]) -> Vec<u8> {
    let mut text = haystack.to_vec();
    for finding in findings.iter().rev() {
        let label = format!("[{}]", rules().entities().name(finding.entity));
        text.splice(finding.span.range(), label.into_bytes());
    }
    text
}

/// The tag of a value, with what else it depends on.
fn tag(value: &str, entity: Entity, key: &EpochKey, class: u16, state: &mut State) -> String {
    let table = vec![PSEUDONYMIZE; rules().entities().len()];
    let wanted = Wanted::new(table.iter().map(|action| action.strength()).collect());
    let orders = Orders {
        class: ClassId(class),
        rules: rules(),
        wanted: &wanted,
        actions: &table,
        key: Some(key),
        suppressed: None,
        table: None,
    };
    let mut out = Vec::new();
    let findings = [finding(0..value.len(), entity, PLAIN)];
    let (text, tally) = (value.as_bytes(), &mut Tally::default());
    act::splice(&orders, state, Part::Message, text, &findings, &mut out, tally);
    String::from_utf8(out).expect("a tag is text")
}

proptest! {
    #![proptest_config(config(512))]

    /// For all texts t and findings f: splice(t, f, redact) = naive(t, f).
    #[test]
    fn labels_agree_with_the_naive_twin((text, findings) in haystack()) {
        prop_assert_eq!(spliced(&text, &findings, &[REDACT; ENTITIES.len()]), naive(&text, &findings));
    }

    /// For all texts t and actions a that keep all: splice(t, a) = t.
    #[test]
    fn what_is_kept_is_copied((text, findings) in haystack()) {
        prop_assert_eq!(spliced(&text, &findings, &[Action::Keep; ENTITIES.len()]), text);
    }

    /// For all texts and actions: no long value survives any action but keep.
    #[test]
    fn no_planted_value_survives(
        value in "zq[a-z@.=&\"\\\\%]{10,30}zq",
        before in any::<Vec<u8>>(),
        level in 0..4_u8,
        percent in 0..3_u8,
        entity in 0..ENTITIES.len(),
        action in action().prop_filter("an action that leaves nothing", |action| {
            *action != Action::Keep && *action != Action::Pseudonymize { shape: Shape::Email { domain: Domain::Keep } }
        }),
    ) {
        let text = [&before, value.as_bytes(), &before].concat();
        let form = Form { json: level, bare: false, percent };
        let found = finding(before.len()..before.len() + value.len(), ENTITIES[entity], form);
        let out = spliced(&text, &[found], &[action; ENTITIES.len()]);
        prop_assert!(!out.windows(6).any(|window| value.as_bytes().windows(6).any(|part| part == window)
            && !text_around(&before, window)));
    }

    /// For all values v, w and keys k, l: tag(v, k) is the same each time, another for l ≠ k, w ≠ v, another class
    /// (which has another key) and another entity.
    #[test]
    fn tags_are_equal_for_equal_values_only(values in proptest::collection::hash_set("[a-z0-9]{1,12}", 1..8)) {
        let keys = [key(b"kaaaa", 1), key(b"kbbbb", 2), key(b"kcccc", 3)];
        let mut state = State::default();
        let mut seen = HashSet::new();
        for round in 0..2 {
            for value in &values {
                for (class, key) in keys.iter().enumerate() {
                    for entity in [Entity::USERNAME, Entity::PASSWORD] {
                        let tag = tag(value, entity, key, class as u16, &mut state);
                        prop_assert!(logveil::mark::is_tag(rules().entities(), tag.as_bytes()));
                        prop_assert_eq!(seen.insert(tag), round == 0, "new in the first round alone");
                    }
                }
            }
        }
        let tails: HashSet<&str> = seen.iter().map(|tag| &tag[tag.len() - 20..]).collect();
        prop_assert_eq!(tails.len(), seen.len(), "tags differ in more than the names they begin with");
    }

    /// For all values v, shapes s and keys k: v has the same replacement each time, another under another key, and it is
    /// what `trace` says of v.
    #[test]
    fn a_replacement_can_be_told_from_value_and_key_alone(
        value in prop_oneof!["[a-z]{1,9}@[a-z]{1,9}\\.org", "(192\\.0\\.2|10\\.9\\.8)\\.[1-9]", "[1-9][0-9]{6,18}", "[a-z0-9]{1,30}"],
        entity in 0..ENTITIES.len(),
        action in action().prop_filter("an action under a key", |action| action.needs_key()),
    ) {
        let entity = ENTITIES[entity];
        let actions = [action; ENTITIES.len()];
        let found = [finding(0..value.len(), entity, PLAIN)];
        let out = spliced(value.as_bytes(), &found, &actions);
        prop_assert_eq!(&out, &spliced(value.as_bytes(), &found, &actions));
        let of = |key: &EpochKey| act::trace(rules().entities(), entity, action, key, value.as_bytes());
        let here = of(&key(b"k7f3a", 7)).expect("it can be told").text;
        let there = of(&key(b"k7f3b", 8)).expect("it can be told").text;
        prop_assert_eq!(&out, &here);
        prop_assert_ne!(&here, &there);
        if action == Action::Encrypt {
            let (of, opened) = act::open(rules().entities(), &key(b"k7f3a", 7), &out).expect("it opens");
            prop_assert_eq!(of, entity);
            let again = act::trace(rules().entities(), entity, action, &key(b"k7f3a", 7), &opened).expect("it can be told");
            prop_assert_eq!(again.text, out, "what is opened is the value or its canonical form");
            prop_assert!(entity == Entity::CARD || opened.as_slice() == value.as_bytes());
        }
    }

    /// For all addresses x and prefixes p: truncate(truncate(x)) = truncate(x), an address with the bits of x up to p.
    #[test]
    fn truncation_keeps_the_network_and_nothing_else(bits in any::<u32>(), prefix in 0..=32_u8) {
        let address = std::net::Ipv4Addr::from_bits(bits).to_string();
        let actions = [Action::Truncate { ipv4_prefix: prefix, ipv6_prefix: 48 }; ENTITIES.len()];
        let cut = |text: &[u8]| spliced(text, &[finding(0..text.len(), Entity::IPV4, PLAIN)], &actions);
        let once = cut(address.as_bytes());
        let network: std::net::Ipv4Addr = std::str::from_utf8(&once).unwrap().parse().unwrap();
        let mask = u64::from(u32::MAX) << (32 - prefix);
        prop_assert_eq!(u64::from(network.to_bits()), u64::from(bits) & mask);
        prop_assert_eq!(cut(&once), once);
    }
}

/// Whether the bytes stand in what surrounds the value anyway.
fn text_around(around: &[u8], window: &[u8]) -> bool {
    around.windows(window.len()).any(|part| part == window)
}

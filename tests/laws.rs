/*!
Laws of the core: they hold for every input, so they are tested with made-up ones.

The engine's own laws stand with the engine. Where a law is about what `act`
does with a finding, findings are made by hand.
*/

mod allocations;
mod json;
mod planted;
mod records;
mod rescan;
mod text;

use logveil::act::{self, Fate, Orders, Part, State, Tally};
use logveil::action::{Action, Domain, Shape};
use logveil::detect::{Finding, Form, RuleId, Rules, Wanted};
use logveil::entity::Entity;
use logveil::keys::{EpochKey, KeyId};
use logveil::record::ClassId;
use logveil::secret::Secret;
use logveil::span::Span;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

const REDACT: Action = Action::Redact { length: false };

/// Entities in the findings made here, one for each way of acting.
const ENTITIES: [Entity; 5] = [Entity::EMAIL, Entity::IPV4, Entity::CARD, Entity::USERNAME, Entity::PASSWORD];

/// The same cases at each run, so that a failure is a change's; `PROPTEST_RNG_SEED=n` and `PROPTEST_CASES=n` try
/// others. Nothing is written to disk.
fn config(cases: u32) -> ProptestConfig {
    let chosen = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { chosen.cases } else { cases };
    let rng_seed = if chosen.rng_seed == RngSeed::Random { RngSeed::Fixed(1) } else { chosen.rng_seed };
    ProptestConfig { cases, rng_seed, ..chosen }
}

/// A pseudonym's shape with any options.
fn shape() -> impl Strategy<Value = Shape> {
    let domain = prop_oneof![Just(Domain::Keep), Just(Domain::Pseudonymize)];
    prop_oneof![
        Just(Shape::Tag),
        Just(Shape::Ip),
        domain.prop_map(|domain| Shape::Email { domain }),
        Just(Shape::Uuid),
        Just(Shape::Digits),
    ]
}

/// An action with any options.
fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        Just(Action::Keep),
        (0..=32_u8, 0..=128_u8)
            .prop_map(|(ipv4_prefix, ipv6_prefix)| Action::Truncate { ipv4_prefix, ipv6_prefix }),
        (0..=6_u8, 0..=4_u8).prop_map(|(first, last)| Action::Mask { first, last }),
        shape().prop_map(|shape| Action::Pseudonymize { shape }),
        Just(Action::Encrypt),
        (0..=4_u8).prop_map(|decimals| Action::Generalize { decimals }),
        any::<bool>().prop_map(|length| Action::Redact { length }),
        Just(Action::DropField),
    ]
}

fn key(id: &[u8; 5], secret: u8) -> EpochKey {
    EpochKey::new(KeyId(*id), &Secret::new(vec![secret; 32]))
}

fn finding(span: std::ops::Range<usize>, entity: Entity, form: Form) -> Finding {
    Finding { span: Span::from(span), entity, rule: RuleId(0), form }
}

/// What becomes of a text if `actions`, by the place in [`ENTITIES`], are carried out on its findings.
fn spliced(haystack: &[u8], findings: &[Finding], actions: &[Action]) -> Vec<u8> {
    let rules = rules();
    let mut table = vec![REDACT; rules.entities().len()];
    for (entity, action) in ENTITIES.iter().zip(actions) {
        table[entity.index()] = *action;
    }
    let wanted = Wanted::new(table.iter().map(|action| action.strength()).collect());
    let key = key(b"k7f3a", 7);
    let orders = Orders {
        class: ClassId(0),
        rules,
        wanted: &wanted,
        actions: &table,
        key: Some(&key),
        suppressed: None,
        table: None,
    };
    let mut out = b"before".to_vec();
    let (mut state, mut tally) = (State::default(), Tally::default());
    let fate = act::splice(&orders, &mut state, Part::Message, haystack, findings, &mut out, &mut tally);
    assert_eq!(fate, Fate::Passed);
    assert!(out.starts_with(b"before"), "what was there stays");
    out.split_off(b"before".len())
}

fn rules() -> &'static Rules {
    static RULES: std::sync::OnceLock<Rules> = std::sync::OnceLock::new();
    RULES.get_or_init(Rules::builtin)
}

//! Policies as people write them, and what is said when they are wrong.

use super::*;
use crate::action::{Domain, PSEUDONYMIZE, Shape};

#[test]
fn the_default_policy_is_what_the_manual_says() {
    let policy = Policy::builtin("default").expect("it is built in");
    assert_eq!(policy.names().policy, "default@1");
    for class in policy.classes() {
        let action = |entity| policy.action(class, entity);
        assert_eq!(action(Entity::IPV4), Action::Truncate { ipv4_prefix: 24, ipv6_prefix: 48 });
        assert_eq!(action(Entity::IPV6), Action::Truncate { ipv4_prefix: 24, ipv6_prefix: 48 });
        assert_eq!(action(Entity::EMAIL), PSEUDONYMIZE);
        assert_eq!(action(Entity::USERNAME), PSEUDONYMIZE);
        assert_eq!(action(Entity::USER_ID), PSEUDONYMIZE);
        assert_eq!(action(Entity::CARD), Action::Mask { first: 0, last: 4 });
        assert_eq!(action(Entity::PASSWORD), Action::Redact { length: false });
        assert_eq!(policy.ttl(class), Ttl::days(90));
        assert!(policy.pseudonymizes(class));
    }
}

#[test]
fn everything_means_every_entity_but_the_four_that_tell_of_nobody() {
    let policy = Policy::builtin("everything").expect("it is built in");
    let kept = ["hostname", "url", "uuid", "user_agent"];
    for class in policy.classes() {
        assert!(!policy.pseudonymizes(class));
        for entity in policy.rules().entities().iter() {
            let expected = match kept.contains(&policy.rules().entities().name(entity)) {
                true => Action::Keep,
                false => Action::Redact { length: false },
            };
            assert_eq!(policy.action(class, entity), expected);
        }
    }
}

#[test]
fn a_class_overrules_the_section_for_all() {
    let text = r#"
policy: shop
version: 7
default: drop_field
classes:
  "*":
    retention: { ttl: 24mo, cites: [a] }
    entities:
      ipv4: { truncate: { ipv4: 16 }, cites: [b, c] }
      email: { pseudonymize: }
      password: { redact: { length: true } }
      bearer: { mask: { last: 2 } }
  payment:
    retention: 5y
    default: keep
    entities: { email: drop_record, card: { mask: { first: 6, last: 4 } } }
"#;
    let policy = Policy::parse("shop.yaml", text).expect("it is right");
    assert_eq!(policy.names().policy, "shop@7");
    let [app, payment] = ["app", "payment"].map(|name| policy.class_named(name).expect("it is a class"));
    let of = |class, entity| policy.action(class, entity);
    assert_eq!((policy.ttl(app).to_string(), policy.ttl(payment).to_string()), ("24mo".into(), "5y".into()));
    assert_eq!(of(app, Entity::IPV4), Action::Truncate { ipv4_prefix: 16, ipv6_prefix: 48 });
    assert_eq!(of(payment, Entity::IPV4), of(app, Entity::IPV4));
    assert_eq!(policy.cites(payment, Entity::IPV4), ["b", "c"]);
    assert_eq!(of(app, Entity::EMAIL), PSEUDONYMIZE);
    assert_eq!(of(payment, Entity::EMAIL), Action::DropRecord);
    assert_eq!(of(app, Entity::PASSWORD), Action::Redact { length: true });
    assert_eq!(of(app, Entity::BEARER), Action::Mask { first: 0, last: 2 });
    assert_eq!(of(app, Entity::CARD), Action::DropField);
    assert_eq!(of(payment, Entity::CARD), Action::Mask { first: 6, last: 4 });
    assert_eq!(of(payment, Entity::JWT), Action::Keep);
    assert!(policy.pseudonymizes(app) && !policy.pseudonymizes(payment));
    assert_eq!(policy.wanted(payment).strength(Entity::JWT), 0, "what is kept is not looked for");
}

#[test]
fn every_action_has_its_options() {
    let text = r#"
policy: p
classes:
  app:
    entities:
      ipv4: { pseudonymize: { shape: ip } }
      email: { pseudonymize: { shape: email, domain: keep } }
      username: { pseudonymize: { shape: uuid } }
      user_id: { pseudonymize: { shape: digits } }
      cookie: encrypt
      geo_coordinates: { generalize: { decimals: 2 } }
      birth_date: generalize
  audit: { entities: { email: { pseudonymize: { shape: email } } } }
  auth: { entities: { email: encrypt } }
"#;
    let policy = Policy::parse("p", text).expect("it is right");
    let [app, audit, auth] = ["app", "audit", "auth"].map(|name| policy.class_named(name).expect("a class"));
    let of = |class, entity: &str| {
        policy.action(class, policy.rules().entities().find(entity).expect("it is an entity"))
    };
    let shaped = |shape| Action::Pseudonymize { shape };
    assert_eq!(of(app, "ipv4"), shaped(Shape::Ip));
    assert_eq!(of(app, "email"), shaped(Shape::Email { domain: Domain::Keep }));
    assert_eq!(of(audit, "email"), shaped(Shape::Email { domain: Domain::Pseudonymize }));
    assert_eq!(of(app, "username"), shaped(Shape::Uuid));
    assert_eq!(of(app, "user_id"), shaped(Shape::Digits));
    assert_eq!(of(app, "cookie"), Action::Encrypt);
    assert_eq!(of(app, "geo_coordinates"), Action::Generalize { decimals: 2 });
    assert!(matches!(of(app, "birth_date"), Action::Generalize { .. }));
    assert!(policy.pseudonymizes(auth), "what encrypts needs a key, too");
}

#[test]
fn a_policy_with_nothing_but_a_name_redacts_all() {
    let policy = Policy::parse("p", "policy: p\n").expect("it is right");
    let app = policy.class_named("app").expect("it is a class");
    assert!(policy.actions(app).iter().all(|action| *action == Action::Redact { length: false }));
    assert_eq!(policy.ttl(app), Ttl::days(90));
}

#[track_caller]
fn check_refused(text: &str, expected: &[&str]) {
    let faults = Policy::parse("p.yaml", text).expect_err("it is wrong").faults;
    assert_eq!(faults.len(), expected.len(), "{faults:#?}");
    for (fault, expected) in faults.iter().zip(expected) {
        assert!(fault.starts_with(expected) && !fault.contains('\n'), "{fault}\nexpected {expected}");
    }
}

#[test]
fn each_fault_has_its_line_and_its_fix() {
    let faulty = r#"
policy: p
retention: 90d
default: truncate
classes:
  acess: { retention: 90d }
  "*":
    retention: 90w
    entities:
      ipv4: { truncate: { ipv4: 33 } }
      ipv6: { truncate: { ipv8: 48 } }
      emial: redact
      email: redackt
      card: { mask: { first: 7 } }
      password: { mask: { first: 1 } }
      bearer: truncate
      jwt: { redact: , mask: }
      cookie: { pseudonymize: { shape: ip } }
      session_id: { pseudonymize: { shape: tags } }
      username: { pseudonymize: { domain: keep } }
      uuid: generalize
      birth_date: { generalize: { decimals: 1 } }
      user_id: { encrypt: { shape: tag } }
      mac: { cites: [a] }
      api_key: [redact]
"#;
    check_refused(
        faulty,
        &[
            "p.yaml:3: retention: is no key of this table; it may hold policy, version, about, cites, default, classes",
            "p.yaml:4: default: truncate is for ipv4, ipv6 and card; write redact or pseudonymize",
            "p.yaml:6: classes.acess: is no class; the classes are access, app, activity, auth, payment, support, audit, \
             and * for all of them; did you mean access?",
            "p.yaml:8: classes.*.retention: \"90w\" is not a limit such as 90d",
            "p.yaml:10: classes.*.entities.ipv4.truncate.ipv4: holds the number 33, and may hold a whole number from 0 to 32",
            "p.yaml:11: classes.*.entities.ipv6.truncate.ipv8: is no key of this table; it may hold ipv4, ipv6; did you mean ipv",
            "p.yaml:12: classes.*.entities.emial: is no entity; `logveil pattern list` shows them; did you mean email?",
            "p.yaml:13: classes.*.entities.email: \"redackt\" is no action; the actions are keep, truncate, \
             generalize, mask, encrypt, pseudonymize, redact, drop_field, drop_record; did you mean redact?",
            "p.yaml:14: classes.*.entities.card.mask.first: holds the number 7, and may hold a whole number from 0 to 6",
            "p.yaml:15: classes.*.entities.password.mask: only of a card may leading characters stay",
            "p.yaml:16: classes.*.entities.bearer: truncate is for ipv4, ipv6 and card",
            "p.yaml:17: classes.*.entities.jwt: a line has one action, and this one has redact, mask",
            "p.yaml:18: classes.*.entities.cookie.pseudonymize: the shape ip is for ipv4 and ipv6; write tag, uuid or digits",
            "p.yaml:19: classes.*.entities.session_id.pseudonymize.shape: holds \"tags\", and may hold one of tag, ip, email",
            "p.yaml:20: classes.*.entities.username.pseudonymize: only the shape email has a domain; leave `domain` out",
            "p.yaml:21: classes.*.entities.uuid: generalize is for geo_coordinates, birth_date and user_agent",
            "p.yaml:22: classes.*.entities.birth_date.generalize: only geo_coordinates have decimals",
            "p.yaml:23: classes.*.entities.user_id.encrypt: encrypt has no options; write it alone",
            "p.yaml:24: classes.*.entities.mac: a line has one action, and this one has none",
            "p.yaml:25: classes.*.entities.api_key: holds a list, and may hold text",
        ],
    );
}

#[test]
fn what_is_no_policy_is_refused_in_one_line() {
    check_refused("", &["p.yaml:1: holds nothing, and may hold a table"]);
    check_refused("[]", &["p.yaml:1: holds a list, and may hold a table"]);
    check_refused(
        "classes: {}",
        &["p.yaml:1: policy: is not set, has no default, and may hold the policy's name"],
    );
    check_refused("policy: a b", &["p.yaml:1: policy: holds \"a b\", and may hold up to 64 letters"]);
    check_refused("policy: a\npolicy: b\n", &["p.yaml:2: "]);
    check_refused("policy: [\n", &["p.yaml:"]);
}

#[test]
fn an_entity_that_no_rule_finds_is_said_to_be_so() {
    let policy =
        Policy::parse("p", "policy: p\nclasses: { app: { entities: { fi_hetu: redact } } }").expect("right");
    let found = policy.rules().entities().find("fi_hetu").is_some();
    assert_eq!(policy.unfound(), if found { &[] as &[&str] } else { &["fi_hetu"] });
}

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
      session_id: { pseudonymize: { table: 7d } }
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
    assert_eq!(of(app, "session_id"), shaped(Shape::Table { limit: Ttl::days(7) }));
    assert!(policy.pseudonymizes(auth), "what encrypts needs a key, too");
}

#[test]
fn a_logout_is_known_by_a_field_or_a_text() {
    let text = "policy: p\nlogout: [{ field: { event: logout } }, { text: \"POST /logout \" }]\n";
    let policy = Policy::parse("p", text).expect("it is right");
    assert!(policy.logouts().matches(br#"{"event":"logout"}"#));
    assert!(policy.logouts().matches(b"POST /logout HTTP/1.1"));
    check_refused(
        "policy: p\nlogout:\n  - {}\n  - { text: a, field: { b: c } }\n  - { fild: {} }\nclasses:\n  app: { entities: { jwt: { pseudonymize: { table: 7x } }, bearer: { pseudonymize: { table: 7d, shape: uuid } } } }",
        &[
            "p.yaml:3: logout[0]: has to hold either",
            "p.yaml:4: logout[1]: has to hold either",
            "p.yaml:5: logout[2].fild: is no key",
            "p.yaml:5: logout[2]: has to hold either",
            "p.yaml:7: classes.app.entities.jwt.pseudonymize.table: \"7x\" is not a limit",
            "p.yaml:7: classes.app.entities.bearer.pseudonymize: what comes from a table is a tag",
        ],
    );
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
            "p.yaml:3: retention: is no key of this table; it may hold policy, version, about, effective_from, \
             cites, own_classes, declare, clauses, residency, default, classes, logout",
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

const SHOP: &str = r#"
policy: shop
effective_from: 2026-12-01
own_classes: [mail]
declare:
  license_id: { keys: [license_id], cites: ["1"] }
  ticket: { pattern: 'TK-[0-9]{8}', anchors: ['TK-'] }
clauses:
  - id: "1"
    promise: Access logs live 90 days at most, in the EEA, and addresses are cut.
    bounds: { classes: [access], retention: 90d, regions: [eea], entities: { ipv4: { truncate: { ipv4: 24 } } } }
    tests: [policy::x]
  - { id: "2", promise: We write letters., not_enforceable: a letter is no log }
  - { id: "3", promise: Signals are heeded., bounds: { dnt: anonymize } }
classes:
  "*":
    retention: { ttl: 90d, cites: ["1"] }
    regions: [eea]
    entities:
      ipv4: { truncate: { ipv4: 16 }, cites: ["1"] }
      email: pseudonymize
      license_id: { mask: { last: 2 } }
    fields:
      $.user.note: drop_field
      email: redact
    allow: { values: [ops@example.com], networks: [10.0.0.0/8], test_cards: true, fields: [build_id] }
    when: { dnt: { entities: { username: redact }, cites: ["3"] } }
  mail:
    retention: 7d
    fields: { note: redact }
  support:
    only: { fields: [time, topic], others: redact }
"#;

/// What comes out of a record of this class.
fn clean(policy: &Policy, class: &str, message: &str) -> String {
    use crate::pipeline::{Outcome, State, process};
    let class = policy.class_named(class).expect("it is a class");
    let mut keyring = crate::keys::Keyring::empty();
    let key = || {
        crate::keys::EpochKey::new(crate::keys::KeyId(*b"k7f3a"), &crate::secret::Secret::new(vec![7; 32]))
    };
    for class in policy.classes() {
        keyring.insert(policy.class_name(class), crate::keys::Epoch(0), key());
    }
    let mut raw = crate::secret::Raw::default();
    let records = vec![crate::record::Record::plain(raw.push(message.as_bytes()))];
    let (received, ack) = (Timestamp::UNIX_EPOCH, crate::record::Ack::none());
    let batch =
        crate::record::Batch { raw, records, received, source: "t".into(), path: Default::default(), ack };
    let policy = policy.clone().routed_to(class);
    match process(&policy, &keyring, &mut State::default(), batch) {
        Outcome::Clean { redacted, .. } => {
            let first =
                redacted.iter().next().map(|envelope| String::from_utf8_lossy(envelope.message).into_owned());
            first.unwrap_or_else(|| "(dropped)".to_owned())
        }
        Outcome::Held { .. } => panic!("every class has its key"),
    }
}

#[test]
fn a_policy_may_say_all_of_this() {
    let policy = Policy::parse("shop.yaml", SHOP).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(policy.effective_from().map(|at| at.to_string()).as_deref(), Some("2026-12-01T00:00:00Z"));
    let mail = policy.class_named("mail").expect("its own class");
    assert_eq!(
        (policy.ttl(mail).to_string(), policy.regions(mail)),
        ("7d".into(), Some(&["eea".to_owned()][..]))
    );
    let keeps: Vec<&str> = policy.citations().iter().map(|citation| &*citation.line).collect();
    let expected = [
        "every class: license_id is declared",
        "every class: retention 90d",
        "every class: ipv4 truncate: { ipv4: 16, ipv6: 48 }",
        "every class: when a record asks not to be tracked, anonymize",
    ];
    assert_eq!(keeps, expected);
    for (class, message, expected) in [
        ("app", "license_id=AB-12345678 TK-12345678", "license_id=*********78 [ticket]"),
        ("app", r#"{"user":{"note":"x","a":1},"note":"y"}"#, r#"{"user":{"a":1},"note":"y"}"#),
        ("app", "email=x y", "email=[email_field] y"),
        (
            "mail",
            r#"{"user":{"note":"x"},"note":7}"#,
            r#"{"user":{"note":"[note_field]"},"note":"[note_field]"}"#,
        ),
        ("app", "ops@example.com at 10.1.2.3 and 203.0.113.9", "ops@example.com at 10.1.2.3 and 203.0.0.0"),
        ("app", "pay 4242424242424242 build_id=203.0.113.9", "pay 4242424242424242 build_id=203.0.113.9"),
        (
            "support",
            r#"{"time":1,"topic":"a","body":"hello"}"#,
            r#"{"time":1,"topic":"a","body":"[unlisted]"}"#,
        ),
        ("support", "hello there", "[unlisted]"),
    ] {
        assert_eq!(clean(&policy, class, message), expected, "{class}: {message}");
    }
}

#[test]
fn who_asks_not_to_be_tracked_gets_no_pseudonym() {
    let policy = Policy::parse("shop.yaml", SHOP).unwrap_or_else(|error| panic!("{error}"));
    let tracked = clean(&policy, "app", "by jane@example.com from 203.0.113.9 DNT: 0");
    assert!(tracked.starts_with("by email_k7f3a.") && tracked.contains(" from 203.0.0.0 "), "{tracked}");
    for signal in ["DNT: 1", "Sec-GPC: 1", "dnt=1"] {
        let text = clean(&policy, "app", &format!("by jane@example.com from 203.0.113.9 {signal}"));
        assert_eq!(text, format!("by [email] from 203.0.0.0 {signal}"));
    }
}

#[test]
fn who_asks_not_to_be_tracked_needs_no_key() {
    use crate::pipeline::{Outcome, State, process};
    let policy = Policy::parse("shop.yaml", SHOP).unwrap_or_else(|error| panic!("{error}"));
    let mut raw = crate::secret::Raw::default();
    let records = vec![crate::record::Record::plain(raw.push(b"by jane@example.com DNT: 1"))];
    let (received, ack) = (Timestamp::UNIX_EPOCH, crate::record::Ack::none());
    let batch =
        crate::record::Batch { raw, records, received, source: "t".into(), path: Default::default(), ack };
    let outcome = process(&policy, &crate::keys::Keyring::empty(), &mut State::default(), batch);
    assert!(matches!(outcome, Outcome::Clean { .. }));
}

#[test]
fn a_policy_looser_than_its_clauses_is_refused_where_it_is() {
    let text = SHOP
        .replace("retention: { ttl: 90d", "retention: { ttl: 91d")
        .replace("regions: [eea]\n    entities:", "regions: [eea, us]\n    entities:")
        .replace("ipv4: { truncate: { ipv4: 16 }, cites", "ipv4: { truncate: { ipv4: 25 }, cites")
        .replace("    when: {", "    # when: {");
    let line = |what: &str| text.lines().position(|line| line.contains(what)).expect("it is there") + 1;
    let faults = Policy::parse("p.yaml", &text).expect_err("it is looser").faults;
    for (at, expected) in [
        (line("ttl: 91d"), "lets access live 91d, and clause \"1\" allows 90d; write 90d or less"),
        (line("regions: [eea, us]"), "lets access go further than eea, which clause \"1\" allows"),
        (line("ipv4: 25"), "is less than clause \"1\" asks for: truncate: { ipv4: 24, ipv6: 48 }"),
        (line("dnt: anonymize"), "clause \"3\" needs `when: { dnt: anonymize }` in class access"),
    ] {
        let found = faults
            .iter()
            .any(|fault| fault.starts_with(&format!("p.yaml:{at}: ")) && fault.contains(expected));
        assert!(found, "{at}: {expected}\n{faults:#?}");
    }
}

#[test]
fn a_pseudonym_that_a_logout_cannot_end_is_less_than_one_from_a_table() {
    let with = |action: &str| {
        let text = format!(
            "policy: p\nclauses: [{{ id: t, promise: x, bounds: {{ entities: {{ session_id: {{ pseudonymize: {{ table: 7d }} }} }} }} }}]\n\
             classes:\n  '*': {{ entities: {{ session_id: {action} }} }}\n"
        );
        Policy::parse("p.yaml", &text).map_or_else(|error| error.faults, |_| Vec::new())
    };
    for enough in
        ["{ pseudonymize: { table: 7d } }", "{ pseudonymize: { table: 36h } }", "redact", "drop_field"]
    {
        assert_eq!(with(enough), Vec::<String>::new(), "{enough}");
    }
    for less in
        ["pseudonymize", "{ pseudonymize: { shape: uuid } }", "{ pseudonymize: { table: 8d } }", "keep"]
    {
        let faults = with(less);
        assert!(
            faults.iter().any(|fault| fault.starts_with("p.yaml:4: ")
                && fault.ends_with("is less than clause \"t\" asks for: pseudonymize: { table: 7d }")),
            "{less}: {faults:#?}"
        );
    }
}

#[test]
fn what_contradicts_itself_is_refused() {
    let faulty = r#"
policy: p
own_classes: [app, "Mail"]
declare:
  ticket: { pattern: '[', anchors: ['TK-'] }
"#;
    check_refused(faulty, &["p.yaml:5: declare.ticket: "]);
    let faulty = r#"
policy: p
effective_from: tomorrow
own_classes: [app, "Mail"]
clauses:
  - { id: a, promise: x }
  - { id: b, promise: x, not_enforceable: no log, bounds: { retention: 1d } }
  - { id: c, promise: x, not_enforceable: no log }
classes:
  app:
    retention: { ttl: 90d, cites: [z] }
    regions: []
    entities: { email: { redact: , cites: [c] } }
    fields:
      note: redact
      user.note: keep
      build: drop_field
    only: { fields: [build], others: keep }
    allow: { networks: [10.0.0.0/99], fields: [build] }
    when: { dnt: { entities: { email: pseudonymize } } }
"#;
    check_refused(
        faulty,
        &[
            "p.yaml:3: effective_from: holds \"tomorrow\", and may hold a day such as 2026-12-01",
            "p.yaml:4: own_classes[0]: names app again",
            "p.yaml:4: own_classes[1]: holds \"Mail\", and may hold up to 32 of a-z, 0-9 and _",
            "p.yaml:6: clauses[0]: clause \"a\" is kept by nothing",
            "p.yaml:7: clauses[1].bounds: stand beside not_enforceable",
            "p.yaml:11: classes.app.retention.cites: cites \"z\", which is none of the clauses",
            "p.yaml:12: classes.app.regions: names no region",
            "p.yaml:13: classes.app.entities.email: cites clause \"c\", which is said to be not enforceable",
            "p.yaml:16: classes.app.fields.user.note: never holds: note in line 15",
            "p.yaml:18: classes.app.only.others: others may be drop_field, redact or drop_record",
            "p.yaml:19: classes.app.allow.networks[0]: holds \"10.0.0.0/99\"",
            "p.yaml:19: classes.app.allow.fields[0]: lets build stand, and line 17 says drop_field for build",
            "p.yaml:20: classes.app.when.dnt.entities.email: pseudonymize lets a record that asks not to be tracked be linked",
        ],
    );
}

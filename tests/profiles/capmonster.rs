//! `capmonster`: access logs 90 days, activity 24 months, payments 5 years, analytics anonymous, EEA and USA alone.

use std::sync::OnceLock;

use super::{Out, Shelf, each_is_gone_at_its_limit, run};

/// Values that belong to nobody and may come out nowhere.
const PLANTED: &[&str] = &[
    "203.0.113.77",
    "2001:db8:77:1::ca9a",
    "jane.roe@example.com",
    "Jane Roe",
    "LIC-7Q2M-99ZX",
    "8f14e45fceea167a",
    "4111111111111111",
    "52.520008",
    "13.404954",
];

const ACCESS: &str = r#"203.0.113.77 - - [22/Nov/2026:10:00:00 +0000] "GET /createTask?licence_id=LIC-7Q2M-99ZX HTTP/1.1" 200 512 "-" "Mozilla/5.0""#;
const ACCESS_JSON: &str = r#"{"remote_addr":"2001:db8:77:1::ca9a","method":"POST","path":"/getTaskResult","status":200,"headers":{"Cookie":"sid=8f14e45fceea167a"}}"#;
const ACTIVITY: &str = r#"{"event":"search","email":"jane.roe@example.com","city":"Berlin","country":"DE","lat":52.520008,"lng":13.404954,"browser":"Firefox"}"#;
const PAYMENT: &str = r#"{"email":"jane.roe@example.com","full_name":"Jane Roe","card":"4111111111111111","payment_id":"pay_0042","cookie":"sid=8f14e45fceea167a","amount":"9.90"}"#;
const ANALYTICS: &str = r#"{"ip":"203.0.113.77","user_id":"u-5512","email":"jane.roe@example.com","cookie":"sid=8f14e45fceea167a","page":"/pricing"}"#;

fn out() -> &'static Out {
    static OUT: OnceLock<Out> = OnceLock::new();
    OUT.get_or_init(|| {
        let logs: &[(&str, &[&str])] = &[
            ("access", &[ACCESS, ACCESS_JSON]),
            ("activity", &[ACTIVITY]),
            ("payment", &[PAYMENT]),
            ("analytics", &[ANALYTICS]),
        ];
        run("capmonster", Some("eea"), logs)
    })
}

#[test]
fn no_identifier_is_written_in_clear() {
    out().holds_none_of(PLANTED);
    let access = out().of("access");
    assert!(access.contains("203.0.113.0 - - ") && access.contains("2001:db8:77::"), "{access}");
    assert!(access.contains("GET /createTask?licence_id=license_id_k"), "{access}");
    assert!(out().of("payment").contains("\"full_name\":\"[person_name]\""), "{}", out().of("payment"));
    assert!(out().of("payment").contains("\"payment_id\":\"pay_0042\""), "{}", out().of("payment"));
}

#[test]
fn no_place_is_finer_than_a_city() {
    let activity = out().of("activity");
    assert!(activity.contains(r#""city":"Berlin","country":"DE""#), "{activity}");
    for digits in ["52.52", "13.40"] {
        assert!(!activity.contains(digits), "{activity}");
    }
}

#[test]
fn analytics_hold_no_pseudonym() {
    let analytics = out().of("analytics");
    let expected = r#"{"ip":"203.0.113.0","user_id":"[user_id]","email":"[email]","cookie":"sid=[cookie]","page":"/pricing"}"#;
    assert_eq!(analytics.trim_end(), expected);
}

#[test]
fn cookies_are_pseudonyms_for_24_months_at_most() {
    let access = out().of("access");
    assert!(access.contains("sid=cookie_k"), "{access}");
    let payment = out().of("payment");
    assert!(payment.contains("sid=[cookie]"), "where records live longer, there is no pseudonym: {payment}");
}

#[test]
fn nothing_can_be_opened() {
    let policy = logveil::policy::Policy::builtin("capmonster").unwrap();
    for class in policy.classes() {
        let encrypts = policy.actions(class).iter().any(|action| action.name() == "encrypt");
        assert!(!encrypts, "{}", policy.class_name(class));
    }
}

#[test]
fn every_record_says_which_policy_handled_it() {
    let policy = logveil::policy::Policy::builtin("capmonster").unwrap();
    assert_eq!(policy.names().policy, "capmonster@1");
    let mut shelf = Shelf::new("capmonster", &["access"]);
    shelf.put("access", "x");
    let dir = logveil::vault::DataDir::open_to_read(&shelf.root.path().join("data")).unwrap();
    let kek = std::sync::Arc::new(logveil::vault::Kek::beside(&dir).unwrap());
    let mut policies = Vec::new();
    let reader = logveil::archive::Reader::open(&dir, kek).unwrap();
    let read = reader.cat(&logveil::archive::Selection::default(), &shelf.time, |envelope| {
        policies.push(envelope.policy.to_owned());
        logveil::archive::Go::On
    });
    read.unwrap();
    assert_eq!(policies, ["capmonster@1"]);
}

#[test]
fn what_is_left_at_each_limit() {
    each_is_gone_at_its_limit("capmonster", &[("access", 90), ("analytics", 720), ("payment", 5 * 365)]);
    let policy = logveil::policy::Policy::builtin("capmonster").unwrap();
    let ttl = |name: &str| policy.ttl(policy.class_named(name).unwrap()).duration().as_secs() / 86_400;
    assert_eq!(["access", "activity", "payment", "analytics"].map(ttl), [90, 720, 5 * 365, 720]);
}

#[test]
fn activity_is_gone_at_24_months() {
    each_is_gone_at_its_limit("capmonster", &[("activity", 720)]);
}

#[test]
fn records_go_to_their_regions_alone() {
    super::regions_are_kept("capmonster", "eea", "apac");
}

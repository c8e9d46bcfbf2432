//! `cloudshift21`: EU and EEA alone, a limit for each class, what the text lists taken out.

use std::sync::OnceLock;

use super::{Out, each_is_gone_at_its_limit, run};

const PLANTED: &[&str] = &[
    "203.0.113.77",
    "jane.roe@example.com",
    "Jane Roe",
    "Head of Cats",
    "correct-horse-9",
    "name of my first pet",
    "c0ffee00-dev-41",
    "a81f00c2d4e6b8",
    "+358401234567",
];

const AUTH: &str = r#"{"full_name":"Jane Roe","job_title":"Head of Cats","email":"jane.roe@example.com","username":"jroe41","password":"correct-horse-9","security_question":"name of my first pet","security_answer":"name of my first pet"}"#;
const ACCESS: &str = r#"{"ip":"203.0.113.77","device_id":"c0ffee00-dev-41","cookie":"sid=a81f00c2d4e6b8","phone":"+358401234567","path":"/vm"}"#;
const ACTIVITY: &str = r#"{"email":"jane.roe@example.com","username":"jroe41","device_id":"c0ffee00-dev-41","event":"vm.start"}"#;

fn out() -> &'static Out {
    static OUT: OnceLock<Out> = OnceLock::new();
    OUT.get_or_init(|| {
        let logs: &[(&str, &[&str])] = &[("auth", &[AUTH]), ("access", &[ACCESS]), ("activity", &[ACTIVITY])];
        run("cloudshift21", Some("eea"), logs)
    })
}

#[test]
fn nothing_of_what_is_collected_is_written_in_clear() {
    out().holds_none_of(PLANTED);
    let auth = out().of("auth");
    for label in [
        "[person_name]",
        "[person_title]",
        "\"email\":\"email_k",
        "\"username\":\"username_k",
        "[password]",
        "[security_answer]",
    ] {
        assert!(auth.contains(label), "{label}: {auth}");
    }
}

#[test]
fn activity_is_anonymous() {
    let expected =
        r#"{"email":"[email]","username":"[username]","device_id":"[device_id]","event":"vm.start"}"#;
    assert_eq!(out().of("activity").trim_end(), expected);
}

#[test]
fn each_class_is_gone_at_its_own_limit() {
    each_is_gone_at_its_limit("cloudshift21", &[("auth", 30), ("access", 90), ("activity", 720)]);
}

#[test]
fn nothing_readable_lies_on_disk() {
    for word in ["vm.start", "[email]", "[person_name]"] {
        assert!(memchr::memmem::find(&out().stored, word.as_bytes()).is_none(), "{word}");
    }
}

#[test]
fn records_go_to_their_regions_alone() {
    super::regions_are_kept("cloudshift21", "eu", "us");
}

//! `gpu-cloud`: 90 days, people as pseudonyms, nothing readable on disk.

use std::sync::OnceLock;

use super::{Out, each_is_gone_at_its_limit, run};

const PLANTED: &[&str] =
    &["203.0.113.77", "2001:db8:77:1::ca9a", "jane.roe@example.com", "Jane Roe", "correct-horse-9", "jroe41"];

const APP: &str = r#"{"event":"instance.start","gpu":"8xH100","email":"jane.roe@example.com","full_name":"Jane Roe","password":"correct-horse-9"}"#;
const AUTH: &str =
    "Nov 22 10:00:00 node7 sshd[811]: Accepted publickey for jroe41 from 203.0.113.77 port 51122 ssh2";
const ACCESS: &str =
    r#"2001:db8:77:1::ca9a - - [22/Nov/2026:10:00:00 +0000] "GET /v1/instances HTTP/1.1" 200 512"#;

fn out() -> &'static Out {
    static OUT: OnceLock<Out> = OnceLock::new();
    OUT.get_or_init(|| {
        let logs: &[(&str, &[&str])] = &[("app", &[APP]), ("auth", &[AUTH]), ("access", &[ACCESS])];
        run("gpu-cloud", None, logs)
    })
}

#[test]
fn nothing_personal_is_written_in_clear() {
    out().holds_none_of(PLANTED);
    let app = out().of("app");
    assert!(
        app.contains("\"email\":\"email_k") && app.contains("[person_name]") && app.contains("[password]"),
        "{app}"
    );
    assert!(out().of("auth").contains("from 203.0.113.0 port"), "{}", out().of("auth"));
    assert!(out().of("access").starts_with("2001:db8:77:: - - "), "{}", out().of("access"));
}

#[test]
fn nothing_readable_lies_on_disk() {
    for word in ["instance.start", "8xH100", "[person_name]", "publickey"] {
        assert!(memchr::memmem::find(&out().stored, word.as_bytes()).is_none(), "{word}");
    }
}

#[test]
fn what_is_found_is_counted() {
    let counted = r#"logveil_findings_total{action="pseudonymize",entity="email"} 1"#;
    assert!(out().metrics.contains(counted), "{}", out().metrics);
}

#[test]
fn everything_is_gone_after_90_days() {
    each_is_gone_at_its_limit("gpu-cloud", &[("app", 90)]);
}

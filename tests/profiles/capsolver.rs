//! `capsolver`: tokens and sessions 7 days, cookies out, signals heeded.

use std::sync::OnceLock;

use super::{Out, Shelf, each_is_gone_at_its_limit, run};

const PLANTED: &[&str] = &[
    "203.0.113.77",
    "jane.roe@example.com",
    "correct-horse-9",
    "4111111111111111",
    "shop.example.net",
    "api.example.net",
    "my captcha fails",
    "a81f00c2d4e6b8",
    "sess-77aa41c0ffee",
];

const ACCESS: &str = r#"{"ip":"203.0.113.77","email":"jane.roe@example.com","domain":"shop.example.net","call_address":"https://api.example.net/createTask","status":200}"#;
const QUIET: &str = r#"{"ip":"203.0.113.77","email":"jane.roe@example.com","user_id":"u-5512","headers":{"DNT":"1"},"status":200}"#;
const QUIET_GPC: &str = "203.0.113.77 user=jroe email=jane.roe@example.com Sec-GPC: 1";
const COOKIES: &str = "Cookie: a=a81f00c2d4e6b8; theme=a81f00c2d4e6b8";
const SUPPORT: &str = r#"{"email":"jane.roe@example.com","message_body":"my captcha fails"}"#;
const AUTH: &str =
    r#"{"event":"login","username":"jroe","password":"correct-horse-9","session_id":"sess-77aa41c0ffee"}"#;
const PAYMENT: &str = r#"{"card":"4111111111111111","amount":5}"#;

fn out() -> &'static Out {
    static OUT: OnceLock<Out> = OnceLock::new();
    OUT.get_or_init(|| {
        let logs: &[(&str, &[&str])] = &[
            ("access", &[ACCESS, QUIET, QUIET_GPC, COOKIES]),
            ("support", &[SUPPORT]),
            ("auth", &[AUTH]),
            ("payment", &[PAYMENT]),
        ];
        run("capsolver", None, logs)
    })
}

#[test]
fn nothing_of_what_is_collected_is_written_in_clear() {
    out().holds_none_of(PLANTED);
    let access = out().of("access");
    assert!(access.contains(r#""domain":"[hostname]","call_address":"[url]""#), "{access}");
    assert!(
        out().of("support").contains(r#""message_body":"[message_body 16B]""#),
        "{}",
        out().of("support")
    );
    assert!(out().of("payment").contains(r#""card":"************1111""#), "{}", out().of("payment"));
}

#[test]
fn cookies_are_taken_out_by_their_names() {
    assert!(out().of("access").contains("Cookie: a=[cookie]; theme=[cookie]"), "{}", out().of("access"));
}

#[test]
fn who_asks_not_to_be_tracked_gets_no_pseudonym() {
    let access: Vec<&str> = out().of("access").lines().collect();
    assert!(access[0].contains("\"email\":\"email_k"), "without the signal: {}", access[0]);
    let expected =
        r#"{"ip":"203.0.113.0","email":"[email]","user_id":"[user_id]","headers":{"DNT":"1"},"status":200}"#;
    assert_eq!(access[1], expected);
    assert_eq!(access[2], "203.0.113.0 user=[username] email=[email] Sec-GPC: 1");
}

#[test]
fn tokens_are_gone_after_7_days() {
    let auth = out().of("auth");
    assert!(
        auth.contains("\"session_id\":\"session_id_k") && auth.contains("\"password\":\"[password]\""),
        "{auth}"
    );
    each_is_gone_at_its_limit("capsolver", &[("auth", 7), ("access", 90)]);
}

#[test]
fn a_backup_is_unreadable_once_keys_are_destroyed() {
    let mut shelf = Shelf::new("capsolver", &["auth"]);
    let tag = |text: &str| text.split("session_id=").nth(1).unwrap().to_owned();
    let first = tag(&shelf.put("auth", "session_id=sess-77aa41c0ffee"));
    assert_eq!(tag(&shelf.put("auth", "session_id=sess-77aa41c0ffee")), first, "one day, one pseudonym");
    let backup: Vec<_> =
        shelf.files("auth").into_iter().map(|path| (std::fs::read(&path).unwrap(), path)).collect();
    assert!(!backup.is_empty());
    shelf.pass(7);
    assert_eq!(shelf.files("auth"), Vec::<String>::new());
    for (content, path) in backup {
        std::fs::create_dir_all(std::path::Path::new(&path).parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    assert_eq!(shelf.cat("auth"), Vec::<String>::new(), "the copy that came back opens no more");
    assert_ne!(
        tag(&shelf.put("auth", "session_id=sess-77aa41c0ffee")),
        first,
        "nor can its pseudonym be made again"
    );
}

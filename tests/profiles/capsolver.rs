//! `capsolver`: tokens and sessions 7 days or until logout, cookies out, signals heeded.

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
    "mF_9.B5f-4.1JqM",
];

const ACCESS: &str = r#"{"ip":"203.0.113.77","email":"jane.roe@example.com","domain":"shop.example.net","call_address":"https://api.example.net/createTask","status":200}"#;
const QUIET: &str = r#"{"ip":"203.0.113.77","email":"jane.roe@example.com","user_id":"u-5512","headers":{"DNT":"1"},"status":200}"#;
const QUIET_GPC: &str = "203.0.113.77 user=jroe email=jane.roe@example.com Sec-GPC: 1";
const COOKIES: &str = "Cookie: a=a81f00c2d4e6b8; theme=a81f00c2d4e6b8";
const SUPPORT: &str = r#"{"email":"jane.roe@example.com","message_body":"my captcha fails"}"#;
const AUTH: &str =
    r#"{"event":"login","username":"jroe","password":"correct-horse-9","session_id":"sess-77aa41c0ffee"}"#;
const VIEW: &str =
    r#"{"event":"view","session_id":"sess-77aa41c0ffee","authorization":"Bearer mF_9.B5f-4.1JqM"}"#;
const LOGOUT: &str =
    r#"{"event":"logout","session_id":"sess-77aa41c0ffee","authorization":"Bearer mF_9.B5f-4.1JqM"}"#;
const LOGOUT_PATH: &str = r#"203.0.113.77 - - "POST /api/logout HTTP/1.1" 204 session_id=sess-77aa41c0ffee"#;
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

/// What stands in a field of a JSON record.
#[track_caller]
fn field(line: &str, name: &str) -> String {
    let record: serde_json::Value =
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    record[name].as_str().unwrap_or_else(|| panic!("no {name}: {line}")).to_owned()
}

/// Through the running program; the second logout is of another class, which redacts what it says of the token.
#[test]
fn a_logout_parts_a_token_from_its_pseudonym() {
    let logs: &[(&str, &[&str])] = &[
        ("auth", &[AUTH, VIEW]),
        ("auth", &[VIEW, LOGOUT]),
        ("auth", &[VIEW, VIEW]),
        ("access", &[LOGOUT_PATH]),
        ("auth", &[VIEW]),
    ];
    let out = run("capsolver", None, logs);
    out.holds_none_of(PLANTED);
    let lines: Vec<&str> = out.of("auth").lines().collect();
    let sessions: Vec<String> = lines.iter().map(|line| field(line, "session_id")).collect();
    let [login, view, again, logout, second, still, third] = &sessions[..] else { panic!("{lines:?}") };
    assert!(login.starts_with("session_id_k"), "{login}");
    assert_eq!([view, again, logout], [login; 3], "until the logout it is one session");
    assert_ne!(second, login, "after it nothing leads from the token to what stood for it");
    assert_eq!(still, second);
    assert!(third != second && third != login, "a logout in an access log ends it as well: {third}");
    let bearers: Vec<String> = lines[1..].iter().map(|line| field(line, "authorization")).collect();
    assert!(bearers[0].contains("bearer_k") && bearers[2] == bearers[0], "{bearers:?}");
    assert_ne!(bearers[3], bearers[0], "the bearer token went with the session");
    assert_eq!(bearers[5], bearers[3], "the second logout does not name it");
    assert!(out.of("access").contains("session_id=[session_id]"), "{}", out.of("access"));
}

#[test]
fn a_token_has_one_pseudonym_for_7_days_at_most() {
    let mut shelf = Shelf::new("capsolver", &["auth"]);
    let first = shelf.put("auth", "session_id=sess-77aa41c0ffee");
    assert!(first.starts_with("session_id=session_id_k"), "{first}");
    shelf.pass(6);
    assert_eq!(shelf.put("auth", "session_id=sess-77aa41c0ffee"), first, "it is of no day's key");
    shelf.pass(1);
    assert_ne!(shelf.put("auth", "session_id=sess-77aa41c0ffee"), first);
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
    let tag = |text: &str| text.split("user_id=").nth(1).unwrap().to_owned();
    let first = tag(&shelf.put("auth", "user_id=u-5512"));
    assert_eq!(tag(&shelf.put("auth", "user_id=u-5512")), first, "one day, one pseudonym");
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
    assert_ne!(tag(&shelf.put("auth", "user_id=u-5512")), first, "nor can its pseudonym be made again");
}

//! `ai-platform`: content as its length, telemetry untouched, listed fields alone, users of the Russian Federation there.

use std::sync::OnceLock;

use super::{Out, run};
use crate::support::http;
use crate::support::logveil::Logveil;

const PLANTED: &[&str] = &[
    "tell me a secret",
    "the answer is",
    "203.0.113.77",
    "5555555555554444",
    "jane.roe@example.com",
    "$2b$12$abcdefghijklmnopqrstuuKq0e4m0l8m6m5s1o0xN0S2oQq1G2a2",
    "my bill is wrong",
    "dark-mode-8812",
    "Pixel 8 Pro",
    "492039",
    "not-listed-at-all",
];

const APP: &str = r#"{"model":"m-1","messages":[{"role":"user","content":"tell me a secret"}],"completion":"the answer is 42, as ever","prompt_tokens":120,"completion_tokens":8,"total_tokens":128,"latency_ms":831,"error_code":"none"}"#;
const APP_PROMPT: &str = r#"{"prompt":"tell me a secret","processing_time_ms":7}"#;
const ACCESS: &str = r#"{"time":"2026-11-22T10:00:00Z","method":"POST","path":"/v1/chat","status":200,"ip":"203.0.113.77","note":"not-listed-at-all"}"#;
const ACCESS_TEXT: &str = "a line that is no record of fields: not-listed-at-all";
const AUTH: &str = r#"{"email":"jane.roe@example.com","password_hash":"$2b$12$abcdefghijklmnopqrstuuKq0e4m0l8m6m5s1o0xN0S2oQq1G2a2","otp_code":"492039","login":"jroe41"}"#;
const PAYMENT: &str = r#"{"payment_id":"pay_0042","card":"5555555555554444","status":"paid"}"#;
const SUPPORT: &str = r#"{"topic":"billing","body":"my bill is wrong","feedback":"my bill is wrong"}"#;
const TECHNICAL: &str = r#"{"user_agent":"Mozilla/5.0 (Pixel 8 Pro)","device_type":"Pixel 8 Pro","local_storage":{"theme":"dark-mode-8812"},"ip":"203.0.113.77"}"#;

fn out() -> &'static Out {
    static OUT: OnceLock<Out> = OnceLock::new();
    OUT.get_or_init(|| {
        let logs: &[(&str, &[&str])] = &[
            ("app", &[APP, APP_PROMPT, TECHNICAL]),
            ("access", &[ACCESS, ACCESS_TEXT]),
            ("auth", &[AUTH]),
            ("payment", &[PAYMENT]),
            ("support", &[SUPPORT]),
        ];
        run("ai-platform", None, logs)
    })
}

#[test]
fn content_is_its_length_and_telemetry_stays() {
    out().holds_none_of(PLANTED);
    let app = out().of("app");
    assert!(app.contains(r#""prompt":"[prompt 16B]","processing_time_ms":7"#), "{app}");
    assert!(
        app.contains(r#""content":"[prompt 16B]""#) && app.contains(r#""completion":"[completion 25B]""#),
        "{app}"
    );
    let telemetry = r#""prompt_tokens":120,"completion_tokens":8,"total_tokens":128,"latency_ms":831,"error_code":"none"}"#;
    assert!(app.contains(telemetry), "{app}");
}

#[test]
fn listed_fields_alone_pass() {
    let access: Vec<&str> = out().of("access").lines().collect();
    let expected = r#"{"time":"2026-11-22T10:00:00Z","method":"POST","path":"/v1/chat","status":200,"ip":"203.0.113.0"}"#;
    assert_eq!(access, [expected, "[unlisted]"]);
}

#[test]
fn no_credential_is_written() {
    let auth = out().of("auth");
    for label in ["\"email\":\"email_k", "[password_hash]", "[otp_code]", "\"login\":\"username_k"] {
        assert!(auth.contains(label), "{label}: {auth}");
    }
}

#[test]
fn cards_are_cut_and_payment_ids_stay() {
    let payment = out().of("payment");
    assert_eq!(payment.trim_end(), r#"{"payment_id":"pay_0042","card":"555555******4444","status":"paid"}"#);
}

#[test]
fn technical_data_is_taken_out() {
    let app = out().of("app");
    let expected = r#"{"user_agent":"[user_agent]","device_type":"[device_type]","local_storage":{"theme":"[browser_storage]"},"ip":"203.0.113.0"}"#;
    assert!(app.contains(expected), "{app}");
}

#[test]
fn bodies_of_support_requests_are_taken_out() {
    let expected = r#"{"topic":"billing","body":"[message_body 16B]","feedback":"[message_body 16B]"}"#;
    assert_eq!(out().of("support").trim_end(), expected);
}

#[test]
fn everything_is_gone_after_90_days() {
    super::each_is_gone_at_its_limit("ai-platform", &[("support", 90)]);
}

#[test]
fn users_of_the_russian_federation_stay_there() {
    let logveil = Logveil::start_with(
        "  home: { kind: archive, region: ru }\n  other: { kind: file, path: other.log, region: eea, rotate: { age: 1h, keep: 2 } }\n\
         policy: ai-platform\n",
    );
    let lines = "{\"country\":\"RU\",\"event\":\"a\"}\n{\"country\":\"DE\",\"event\":\"b\"}\ncountry_code=643 event=c";
    let answer = http::post(logveil.http, "/v1/logs", &[], lines.as_bytes()).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(logveil.archived().lines().count(), 3, "a store there may hold the others, too");
    let other = std::fs::read_to_string(logveil.dir().join("other.log")).unwrap();
    assert!(other.contains("DE") && !other.contains("RU") && !other.contains("643"), "{other}");
    logveil.stop();
}

#[test]
fn a_user_of_the_russian_federation_goes_nowhere_else() {
    let logveil = Logveil::start_with("  other: { kind: archive, region: eea }\npolicy: ai-platform\n");
    let answer = http::post(logveil.http, "/v1/logs", &[], b"{\"country\":\"RU\",\"event\":\"a\"}").unwrap();
    assert_eq!(answer.status, 503, "{}", answer.body);
    assert_eq!(logveil.archived(), "");
    let metrics = logveil.metrics();
    assert!(metrics.contains("logveil_records_stranded_total{class=\"app\"} 1"), "{metrics}");
    logveil.stop();
}

//! CloudWatch Logs by moto: a stand-in of AWS that keeps groups, their retention and events, and expires nothing.

use serde_json::{Value, json};

use super::Place;
use super::s3::Moto;
use crate::support::http;

/// An operation as a client of AWS sends it.
#[track_caller]
fn call(moto: &Moto, operation: &str, body: &Value) -> String {
    let target = format!("X-Amz-Target: Logs_20140328.{operation}");
    let headers = [
        target.as_str(),
        "Content-Type: application/x-amz-json-1.1",
        "Authorization: AWS4-HMAC-SHA256 Credential=testing/20261128/eu-central-1/logs/aws4_request, SignedHeaders=host, Signature=x",
    ];
    let answer = http::post(moto.port, "/", &headers, body.to_string().as_bytes()).unwrap();
    assert_eq!(answer.status, 200, "{operation}: {}", answer.body);
    answer.body
}

#[test]
fn a_group_is_judged_set_and_caught_when_it_changes() {
    let place = Place::new("");
    let moto = Moto::start(&place);
    place.configure(&format!(
        "stores:\n  cw: {{ kind: cloudwatch, url: \"http://127.0.0.1:{}\", region: eu-central-1, group: \"/logs/{{class}}\", \
         access_key: \"${{file:DIR/key}}\", secret_key: \"${{file:DIR/key}}\", classes: [access] }}\n",
        moto.port
    ));
    place.verifies(1, &["store cw, /logs/access, class access: unknown: there is no log group /logs/access"]);
    // One of a longer name is another's.
    call(&moto, "CreateLogGroup", &json!({ "logGroupName": "/logs/access-old" }));
    place.verifies(1, &["unknown: there is no log group /logs/access"]);
    call(&moto, "CreateLogGroup", &json!({ "logGroupName": "/logs/access" }));
    place.verifies(1, &["exceeds the limit without end: retentionInDays is not set: events never expire"]);
    place
        .retention(&["plan"])
        .is(0, &["configured 60 d + grace 3 d = 63 d", "retentionInDays: not set -> 60 d"]);
    place.retention(&["apply", "--yes"]).is(0, &["retentionInDays: not set -> 60 d", "compliant"]);
    place.verifies(0, &["63 d"]);
    // Behind its back: 90 days are not 90 days there.
    let longer = |days: u32| json!({ "logGroupName": "/logs/access", "retentionInDays": days });
    call(&moto, "PutRetentionPolicy", &longer(90));
    place.verifies(1, &["exceeds the limit by 3 d: configured 90 d + grace 3 d = 93 d"]);
    place.retention(&["apply", "--yes"]).is(0, &["retentionInDays: 90 d -> 60 d", "compliant"]);
    call(&moto, "DeleteRetentionPolicy", &json!({ "logGroupName": "/logs/access" }));
    place.verifies(1, &["events never expire"]);
    place.retention(&["apply", "--yes"]).is(0, &["compliant"]);
    // What was there before is its oldest record.
    call(&moto, "CreateLogStream", &json!({ "logGroupName": "/logs/access", "logStreamName": "s" }));
    let now =
        jiff::Timestamp::try_from(std::fs::metadata(&place.config).unwrap().modified().unwrap()).unwrap();
    let at = now.as_millisecond() - 10 * 86_400_000;
    let events = json!([{ "timestamp": at, "message": "one" }]);
    call(
        &moto,
        "PutLogEvents",
        &json!({ "logGroupName": "/logs/access", "logStreamName": "s", "logEvents": events }),
    );
    place.verifies(0, &["10 d"]);
}

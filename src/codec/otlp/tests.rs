use super::*;
use prost::Message as _;

/// Protobuf, written by hand from the specification's numbers by another's encoder.
mod wire {
    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Bytes1 {
        #[prost(bytes, repeated, tag = "1")]
        pub all: Vec<Vec<u8>>,
        #[prost(bytes, repeated, tag = "2")]
        pub more: Vec<Vec<u8>>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Pair {
        #[prost(string, tag = "1")]
        pub key: String,
        #[prost(message, optional, tag = "2")]
        pub value: Option<Any>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct List {
        #[prost(message, repeated, tag = "1")]
        pub values: Vec<Any>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Pairs {
        #[prost(message, repeated, tag = "1")]
        pub values: Vec<Pair>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Any {
        #[prost(oneof = "Kind", tags = "1, 2, 3, 4, 5, 6, 7")]
        pub kind: Option<Kind>,
    }

    #[derive(Clone, PartialEq, prost::Oneof)]
    pub enum Kind {
        #[prost(string, tag = "1")]
        Text(String),
        #[prost(bool, tag = "2")]
        Boolean(bool),
        #[prost(int64, tag = "3")]
        Integer(i64),
        #[prost(double, tag = "4")]
        Double(f64),
        #[prost(message, tag = "5")]
        List(List),
        #[prost(message, tag = "6")]
        Pairs(Pairs),
        #[prost(bytes, tag = "7")]
        Bytes(Vec<u8>),
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Log {
        #[prost(fixed64, tag = "1")]
        pub time: u64,
        #[prost(int32, tag = "2")]
        pub severity: i32,
        #[prost(string, tag = "3")]
        pub severity_text: String,
        #[prost(message, optional, tag = "5")]
        pub body: Option<Any>,
        #[prost(message, repeated, tag = "6")]
        pub attributes: Vec<Pair>,
        #[prost(bytes, tag = "9")]
        pub trace_id: Vec<u8>,
    }
}

use wire::{Any, Kind, List, Pair, Pairs};

fn any(kind: Kind) -> Any {
    Any { kind: Some(kind) }
}

fn text(text: &str) -> Any {
    any(Kind::Text(text.into()))
}

fn pair(key: &str, value: Any) -> Pair {
    Pair { key: key.into(), value: Some(value) }
}

fn message(all: Vec<Vec<u8>>, more: Vec<Vec<u8>>) -> Vec<u8> {
    wire::Bytes1 { all, more }.encode_to_vec()
}

/// A request of one resource, one scope and these logs.
fn request(logs: Vec<wire::Log>) -> Vec<u8> {
    let resource = [pair("service.name", text("shop")), pair("host.name", text("web1"))];
    let resource = message(resource.iter().map(|pair| pair.encode_to_vec()).collect(), vec![]);
    let scope = message(vec![b"lib".to_vec()], vec![b"1.2".to_vec()]);
    let logs = logs.iter().map(|log| log.encode_to_vec()).collect();
    let scope_logs = message(vec![scope], logs);
    message(vec![message(vec![resource], vec![scope_logs])], vec![])
}

type Reader = fn(&[u8], &mut dyn FnMut(Parts<'_>)) -> Result<Read, Malformed>;

fn records(read: Reader, body: &[u8]) -> (Result<Read, Malformed>, Vec<[String; 5]>) {
    let mut records = Vec::new();
    let told = read(body, &mut |parts| {
        let text = |part: &[u8]| String::from_utf8_lossy(part).into_owned();
        let head = format!("{:?} {:?}", parts.priority, parts.time.map(|time| time.to_string()));
        records.push([
            head,
            text(&parts.host),
            text(&parts.app),
            text(&parts.structured),
            text(&parts.message),
        ]);
    });
    (told, records)
}

fn sample() -> wire::Log {
    let nested = any(Kind::Pairs(Pairs {
        values: vec![
            pair("e", text("jane@example.com \"q\"")),
            pair(
                "l",
                any(Kind::List(List {
                    values: vec![any(Kind::Integer(-5)), any(Kind::Double(1.5)), Any::default()],
                })),
            ),
            pair("b", any(Kind::Bytes(b"raw \xff".to_vec()))),
        ],
    }));
    wire::Log {
        time: 1_767_323_045_000_000_001,
        severity: 13,
        severity_text: "WARN".into(),
        body: Some(text("hello")),
        attributes: vec![
            pair("user.email", text("jane@example.com")),
            pair("n", any(Kind::Integer(7))),
            pair("ok", any(Kind::Boolean(true))),
            pair("o", nested),
        ],
        trace_id: vec![0xab, 0xcd],
    }
}

const STRUCTURED: &str = concat!(
    r#"[otlp@32473 resource.service.name="shop" resource.host.name="web1" scope.name="lib" scope.version="1.2" "#,
    r#"severity="WARN" user.email="jane@example.com" n="7" ok="true" "#,
    r#"o="{\"e\":\"jane@example.com \\\"q\\\"\",\"l\":[-5,1.5,null\],\"b\":\"raw �\"}" trace_id="abcd"]"#
);

#[test]
fn every_string_of_the_envelope_stands_in_the_record() {
    let (told, records) = records(read_protobuf, &request(vec![sample()]));
    assert_eq!(told, Ok(Read::default()));
    let head = "Some(12) Some(\"2026-01-02T03:04:05.000000001Z\")";
    assert_eq!(records, [[head, "web1", "shop", STRUCTURED, "hello"].map(str::to_owned)]);
}

#[test]
fn a_body_that_is_no_string_is_json() {
    let mut log = sample();
    log.body = log.attributes[3].value.clone();
    let (_, all) = records(read_protobuf, &request(vec![log]));
    let value: serde_json::Value = serde_json::from_str(&all[0][4]).unwrap();
    assert_eq!(value["e"], "jane@example.com \"q\"");
    assert_eq!(value["l"], serde_json::json!([-5, 1.5, null]));
}

#[test]
fn a_log_that_nests_too_deeply_is_rejected_alone() {
    let mut deep = text("jane@example.com");
    for _ in 0..200 {
        deep = any(Kind::List(List { values: vec![deep] }));
    }
    let log = wire::Log { body: Some(deep), ..sample() };
    let (told, all) = records(read_protobuf, &request(vec![sample(), log, sample()]));
    assert_eq!((told, all.len()), (Ok(Read { rejected: 1 }), 2));
}

#[test]
fn json_says_the_same_as_protobuf() {
    let body = br#"{"resourceLogs":[{"resource":{"attributes":[
        {"key":"service.name","value":{"stringValue":"shop"}},{"key":"host.name","value":{"stringValue":"web1"}}]},
        "scopeLogs":[{"scope":{"name":"lib","version":"1.2"},"logRecords":[{
        "timeUnixNano":"1767323045000000001","severityNumber":13,"severityText":"WARN","body":{"stringValue":"hello"},
        "attributes":[{"key":"user.email","value":{"stringValue":"jane@example.com"}},{"key":"n","value":{"intValue":"7"}},
        {"key":"ok","value":{"boolValue":true}},{"key":"o","value":{"kvlistValue":{"values":[
        {"key":"e","value":{"stringValue":"jane@example.com \"q\""}},
        {"key":"l","value":{"arrayValue":{"values":[{"intValue":-5},{"doubleValue":1.5},{}]}}},
        {"key":"b","value":{"bytesValue":"cmF3IP8="}}]}}}],"traceId":"abcd"}]}]}]}"#;
    let (told, records) = records(read_json, body);
    assert_eq!(told, Ok(Read::default()));
    let parameters = |text: &str| {
        let mut words: Vec<String> =
            text.trim_end_matches(']').split("\" ").map(|w| w.trim_end_matches('"').into()).collect();
        words.sort();
        words
    };
    assert_eq!(records[0][4], "hello");
    assert_eq!(
        records[0][..3],
        ["Some(12) Some(\"2026-01-02T03:04:05.000000001Z\")", "web1", "shop"].map(str::to_owned)
    );
    assert_eq!(parameters(&records[0][3]), parameters(STRUCTURED));
}

#[test]
fn what_is_no_request_is_malformed() {
    for body in [&b"{}"[..], b"[]", b"{\"resourceLogs\":", b"x"] {
        assert_eq!(records(read_json, body).0, Err(Malformed));
    }
    let whole = request(vec![sample()]);
    assert_eq!(records(read_protobuf, &whole[..whole.len() - 1]).0, Err(Malformed));
    assert_eq!(records(read_protobuf, b"").0, Ok(Read::default()));
}

//! Other people's protocols over HTTP: what their clients look at in an answer, and credentials.

use logveil::source::http::{Auth, Limits};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::http::{check, guarded, server};
use super::{Fate, LONG, gzip};

const NDJSON: &str = "Content-Type: application/vnd.elasticsearch+x-ndjson; compatible-with=9\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_elasticsearch_is_told_what_it_looks_for() {
    let server = server(Fate::Confirm, Limits::default()).await;
    let info = server.exchange(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAccept: application/vnd.elasticsearch+json; compatible-with=8\r\n\r\n").await;
    check(&info, 200, "\"number\":\"8.0.0\"");
    assert!(info.contains("x-elastic-product: Elasticsearch\r\n"), "{info}");
    assert!(
        info.contains("content-type: application/vnd.elasticsearch+json;compatible-with=8\r\n"),
        "{info}"
    );

    let body = b"{\"index\":{\"_index\":\"canary\",\"_id\":\"canary\"}}\n{\"a\":1}\n{\"create\":{}}\ncanary\n{\"delete\":{\"_id\":\"canary\"}}\n";
    let answer = server.post("/logs/_bulk", NDJSON, body).await;
    check(
        &answer,
        200,
        "\"errors\":true,\"items\":[{\"index\":{\"_index\":\"logveil\",\"_version\":1,\"result\":\"created\"",
    );
    assert!(
        answer.contains("content-type: application/vnd.elasticsearch+json;compatible-with=9\r\n"),
        "{answer}"
    );
    assert!(answer.contains("{\"create\":{\"_index\":\"logveil\",\"status\":400,"), "{answer}");
    assert!(answer.contains("{\"delete\":{\"_index\":\"logveil\",\"status\":400,"), "{answer}");
    assert!(!answer.contains("canary"), "{answer}");
    assert_eq!(server.scene.messages(), ["{\"a\":1}"]);
    assert_eq!(server.scene.seen()[0].structured, "[bulk@32473 index=\"canary\" id=\"canary\"]");
    assert_eq!(server.scene.seen()[0].path, "/logs/_bulk");

    let answer = server.post("/_bulk", "", b"{\"index\":{}}\n{}\ncanary\n").await;
    check(&answer, 400, "\"reason\":\"line 3 is no action");
    assert!(!answer.contains("canary"), "{answer}");
    assert_eq!(server.scene.messages().len(), 1, "nothing of it was taken");
}

/// An item that was not taken, or is not known to be safe, is to be sent again: 429 is what clients retry.
#[tokio::test(flavor = "multi_thread")]
async fn items_that_are_not_safe_are_to_be_sent_again() {
    for fate in [Fate::Refuse, Fate::Fail] {
        let limits = Limits { room_wait: std::time::Duration::from_millis(10), ..Limits::default() };
        let server = server(fate, limits).await;
        let answer = server.post("/_bulk", NDJSON, b"{\"index\":{}}\n{\"a\":1}\n{\"index\":{}}\n[]\n").await;
        check(&answer, 200, "\"errors\":true");
        assert_eq!(
            answer.matches("\"status\":429,\"error\":{\"type\":\"es_rejected_execution_exception\"").count(),
            1,
            "{answer}"
        );
        assert_eq!(answer.matches("\"status\":400").count(), 1, "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn loki_is_answered_without_a_body() {
    let server = server(Fate::Confirm, Limits::default()).await;
    let body = br#"{"streams":[{"stream":{"app":"shop","host":"web1"},"values":[["1","one"],["2","two",{"k":"v"}]]}]}"#;
    for (headers, body) in [("", body.to_vec()), ("Content-Encoding: gzip\r\n", gzip(body))] {
        check(&server.post("/loki/api/v1/push", headers, &body).await, 204, "\r\n\r\n");
    }
    let seen = server.scene.seen();
    assert_eq!(seen.len(), 4);
    assert_eq!((&*seen[1].host, &*seen[1].app, &*seen[1].message), ("web1", "shop", "two"));
    assert_eq!(seen[1].structured, "[loki@32473 app=\"shop\" host=\"web1\" k=\"v\"]");
    let answer = server.post("/loki/api/v1/push", "", b"{\"canary\":1}").await;
    check(&answer, 400, "\r\n\r\nthe body is not what this path takes; nothing of it was taken\n");
}

/// One stream, `{a="b"}`, with one line, `by x`, and no time.
const PUSH: &[u8] = b"\x0a\x11\x0a\x07{a=\"b\"}\x12\x06\x12\x04by x";

#[tokio::test(flavor = "multi_thread")]
async fn lokis_protobuf_is_unpacked_within_bounds() {
    let limits = Limits { body_bytes_max: 100_000, ..Limits::default() };
    let server = server(Fate::Confirm, limits).await;
    let protobuf = "Content-Type: application/x-protobuf\r\n";
    let packed = snap::raw::Encoder::new().compress_vec(PUSH).unwrap();
    check(&server.post("/loki/api/v1/push", protobuf, &packed).await, 204, "");
    let both = format!("{protobuf}Content-Encoding: snappy\r\n");
    check(&server.post("/loki/api/v1/push", &both, &packed).await, 204, "");
    assert_eq!(server.scene.messages(), ["by x", "by x"]);
    // It says that it unpacks to 4 GiB; it unpacks to more than a body may have; it is none.
    let large = snap::raw::Encoder::new().compress_vec(&vec![b'x'; 100_001]).unwrap();
    for (body, status) in
        [(&b"\xff\xff\xff\xff\x0f\x00"[..], 413), (&large, 413), (b"\x05abc", 400), (PUSH, 400)]
    {
        check(&server.post("/loki/api/v1/push", protobuf, body).await, status, "");
    }
    assert_eq!(server.scene.messages().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn otlp_is_told_from_lines_by_what_it_is() {
    let server = server(Fate::Confirm, Limits::default()).await;
    let json = "Content-Type: application/json\r\n";
    let logs = br#"{ "resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"one"}}]}]}]}"#;
    let answer = server.post("/v1/logs", json, logs).await;
    check(&answer, 200, "\r\n\r\n{}");
    check(&server.post("/v1/logs", json, b"{\"a\":1}\n{\"b\":2}\n").await, 200, "{\"accepted\":2}");
    assert_eq!(server.scene.messages(), ["one", "{\"a\":1}", "{\"b\":2}"]);

    let protobuf = "Content-Type: application/x-protobuf\r\n";
    // Resource, scope and log around a body that says `two`.
    let two = b"\x0a\x0d\x12\x0b\x12\x09\x2a\x07\x0a\x05two\r\n";
    check(&server.post("/v1/logs", protobuf, two).await, 200, "content-type: application/x-protobuf\r\n");
    assert_eq!(server.scene.messages()[3], "two\r\n");
    let answer = server.post("/v1/logs", protobuf, b"\x0a\x0dcanary").await;
    check(&answer, 400, "\x08\x03\x12");
    assert!(!answer.contains("canary"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_rejected_is_told_in_a_partial_success() {
    let server = server(Fate::Confirm, Limits::default()).await;
    let wrap = |number: u8, inside: &[u8]| {
        let mut field = vec![number << 3 | 2];
        let mut len = inside.len();
        while len >= 0x80 {
            field.push(len as u8 | 0x80);
            len >>= 7;
        }
        field.push(len as u8);
        [&field[..], inside].concat()
    };
    let mut value = wrap(1, b"x");
    for _ in 0..150 {
        value = wrap(5, &wrap(1, &value));
    }
    let logs = [wrap(2, &wrap(5, &value)), wrap(2, &wrap(5, &wrap(1, b"one")))].concat();
    let body = wrap(1, &wrap(2, &logs));
    let answer = server.post("/v1/logs", "Content-Type: application/x-protobuf\r\n", &body).await;
    check(&answer, 200, "\x08\x01\x12\x27logs that nest too deeply were rejected");
    assert_eq!(server.scene.messages(), ["one"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_collector_takes_events_lines_and_questions() {
    let server = server(Fate::Confirm, Limits::default()).await;
    let event = b"{\"event\":{\"a\":1},\"host\":\"web1\",\"source\":\"shop\"}{\"event\":\"two\"}";
    for headers in ["", "Content-Type: application/x-www-form-urlencoded\r\n"] {
        let answer = server.post("/services/collector/event/1.0", headers, event).await;
        check(&answer, 200, "\r\n\r\n{\"text\":\"Success\",\"code\":0}");
    }
    let seen = server.scene.seen();
    assert_eq!((&*seen[0].host, &*seen[0].app, &*seen[0].message), ("web1", "shop", "{\"a\":1}"));

    let channel = "X-Splunk-Request-Channel: 0aeeac95-ac74-4aa9-b30d-6c4c0ac581ba\r\n";
    for id in 0..2 {
        let answer = server
            .post("/services/collector/raw?host=web%201&sourcetype=x", channel, b"three\r\n\nfour")
            .await;
        check(&answer, 200, &format!("{{\"text\":\"Success\",\"code\":0,\"ackId\":{id}}}"));
    }
    let seen = server.scene.seen();
    assert_eq!(server.scene.messages()[4..], ["three", "four", "three", "four"]);
    assert_eq!((&*seen[5].host, &*seen[5].structured), ("web 1", "[hec@32473 sourcetype=\"x\"]"));
    let answer = server.post("/services/collector/ack", channel, b"{\"acks\":[0,1,2]}").await;
    check(&answer, 200, "{\"acks\":{\"0\":true,\"1\":true,\"2\":false}}");

    for (path, body, status, told) in [
        ("event", &b"{\"event\":\"x\"}canary"[..], 400, "\"code\":6,\"invalid-event-number\":1}"),
        ("event", b"{\"canary\":1}", 400, "\"code\":12,\"invalid-event-number\":0}"),
        ("event", b" ", 400, "\"code\":5}"),
        ("raw", b"\n", 400, "\"code\":5}"),
        ("ack", b"{\"acks\":[\"canary\"]}", 400, "\"code\":6}"),
        ("none", b"", 404, "\"code\":404}"),
    ] {
        let answer = server.post(&format!("/services/collector/{path}?channel=x"), "", body).await;
        check(&answer, status, told);
        assert!(!answer.contains("canary"), "{answer}");
    }
    assert_eq!(server.scene.messages().len(), 8);
    let health = server
        .exchange(b"GET /services/collector/health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .await;
    check(&health, 200, "{\"text\":\"HEC is healthy\",\"code\":17}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_heard_without_credentials() {
    let mut auth = Auth::default();
    auth.add_token(b"canary-token");
    auth.add_user("jane", b"canary-password");
    let server = guarded(Fate::Confirm, Limits::default(), auth).await;
    // A bomb: it is not even unpacked.
    let bomb = gzip(&vec![b'\n'; 33 * 1024 * 1024]);
    let packed = "Content-Encoding: gzip\r\n";
    for (path, status, told) in [
        ("/v1/logs", 401, "\"code\":\"unauthorized\""),
        ("/_bulk", 401, "\"type\":\"security_exception\""),
        ("/loki/api/v1/push", 401, "the credentials are not known here"),
        ("/services/collector", 403, "\"code\":4}"),
    ] {
        let answer =
            server.post(path, &format!("{packed}Authorization: Bearer canary-toke\r\n"), &bomb).await;
        check(&answer, status, told);
        assert!(answer.contains("www-authenticate: Bearer, Basic realm=\"logveil\"\r\n"), "{answer}");
        assert!(!answer.contains("canary"), "{answer}");
    }
    check(&server.post("/services/collector", "", b"x").await, 401, "\"code\":2}");
    for header in ["Bearer canary-token", "Splunk canary-token", "Basic amFuZTpjYW5hcnktcGFzc3dvcmQ="] {
        let headers = format!("Authorization: {header}\r\n");
        check(&server.post("/v1/logs", &headers, b"a").await, 200, "{\"accepted\":1}");
    }
    let refused = "logveil_requests_refused_total{reason=\"unauthorized\",source=\"apps\"} 5";
    assert_eq!(server.scene.metric("logveil_requests_refused_total"), [refused]);
}

/// A record costs its place, too: tiny ones are no way around the bound of a body.
#[tokio::test(flavor = "multi_thread")]
async fn many_tiny_records_are_within_bounds() {
    let limits = Limits { body_bytes_max: 100_000, ..Limits::default() };
    let server = server(Fate::Confirm, limits).await;
    let body = b"{\"index\":{}}\n{}\n".repeat(6_000);
    check(&server.post("/_bulk", "", &body).await, 413, "content_too_long_exception");
    assert!(server.scene.messages().is_empty());
}

/// An item is answered, and so costs its answer, also where nothing of it is taken.
#[tokio::test(flavor = "multi_thread")]
async fn answers_of_items_that_are_refused_are_within_bounds() {
    let delete = |count| b"{\"delete\":{}}\n".repeat(count);
    // Twice this is what 200 items cost.
    let limits = Limits { body_bytes_max: 200 * 256 / 2, ..Limits::default() };
    let server = server(Fate::Confirm, limits).await;
    let answer = server.post("/_bulk", NDJSON, &delete(200)).await;
    check(&answer, 200, "\"errors\":true");
    assert_eq!(answer.matches("{\"delete\":{\"_index\":\"logveil\",\"status\":400").count(), 200, "{answer}");
    check(&server.post("/_bulk", NDJSON, &delete(201)).await, 413, "content_too_long_exception");

    let limits = Limits { bodies_bytes_max: 64 * 1024, ..Limits::default() };
    let server = self::server(Fate::Confirm, limits).await;
    let answer =
        server.post("/_bulk", NDJSON, &[b"{\"index\":{}}\n{}\n".to_vec(), delete(300)].concat()).await;
    check(&answer, 503, "es_rejected_execution_exception");
    assert!(server.scene.messages().is_empty(), "nothing of it was taken");
    check(&server.post("/_bulk", NDJSON, &delete(200)).await, 200, "\"errors\":true");

    let channel = "X-Splunk-Request-Channel: 0aeeac95-ac74-4aa9-b30d-6c4c0ac581ba\r\n";
    let asked = |count| format!("{{\"acks\":[{}]}}", vec!["0"; count].join(",")).into_bytes();
    check(&server.post("/services/collector/ack", channel, &asked(1_000)).await, 200, "\"0\":false}}");
    check(&server.post("/services/collector/ack", channel, &asked(3_000)).await, 503, "\"code\":9}");
}

/// The room of an answer is given back when it was sent, not when it was made.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_holds_its_room_until_it_is_sent() {
    let limits = Limits { bodies_bytes_max: 40 << 20, ..Limits::default() };
    let server = server(Fate::Confirm, limits).await;
    // Its answer is more than the buffers of two sockets hold.
    let body = b"{\"delete\":{}}\n".repeat(100_000);
    let head = format!(
        "POST /_bulk HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut silent = TcpStream::connect(server.addr).await.unwrap();
    silent.write_all(&[head.as_bytes(), &body].concat()).await.unwrap();
    let mut begin = [0; 12];
    silent.read_exact(&mut begin).await.unwrap();
    assert_eq!(&begin, b"HTTP/1.1 200");
    check(&server.post("/_bulk", NDJSON, &body).await, 503, "es_rejected_execution_exception");
    let mut rest = Vec::new();
    silent.read_to_end(&mut rest).await.unwrap();
    assert!(rest.ends_with(b"}}}]}"));
    let free = async { while !server.post("/_bulk", NDJSON, &body).await.starts_with("HTTP/1.1 200") {} };
    tokio::time::timeout(LONG, free).await.expect("there is room again");
}

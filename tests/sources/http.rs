//! HTTP: bodies, bounds, answers.

use std::io::Write as _;
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::time::Duration;

use logveil::limit::RECORD_BYTES_MAX;
use logveil::source::http::{Auth, Limits, Settings, bind, serve};
use logveil::source::peers;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::{Fate, LONG, Scene, gzip, marker, zstd};

pub struct Server {
    pub scene: Scene,
    pub addr: SocketAddr,
    serving: JoinHandle<()>,
}

pub async fn server(fate: Fate, limits: Limits) -> Server {
    guarded(fate, limits, Auth::default()).await
}

pub async fn guarded(fate: Fate, limits: Limits, auth: Auth) -> Server {
    let scene = Scene::new(fate);
    let listen = "127.0.0.1:0".parse().unwrap();
    let listener = bind(Settings { name: "apps".into(), listen, tls: None, auth, limits }).await.unwrap();
    let addr = listener.addr().unwrap();
    let serving = tokio::spawn(serve(listener, scene.world.clone()));
    Server { scene, addr, serving }
}

impl Server {
    /// Sends bytes on a connection of their own; returns all that comes back.
    pub async fn exchange(&self, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.addr).await.unwrap();
        // The server may answer and close before it has read all.
        let _ = stream.write_all(request).await;
        answer(&mut stream).await
    }

    /// Stops it and waits until it has ended.
    pub async fn stop(self) {
        self.scene.stopped(self.serving).await;
    }

    /// Posts a body; returns status line, headers and body of the answer.
    pub async fn post(&self, path: &str, headers: &str, body: &[u8]) -> String {
        self.exchange(&request(path, headers, body)).await
    }
}

fn request(path: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

async fn answer(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(LONG, stream.read_to_end(&mut answer)).await.expect("an answer");
    String::from_utf8(answer).unwrap()
}

#[track_caller]
pub fn check(answer: &str, status: u16, body: &str) {
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    assert!(answer.contains(body), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_fails_is_counted() {
    let server = server(Fate::Panic, Limits::default()).await;
    assert_eq!(server.post("/v1/logs", "", b"a").await, "");
    server.scene.stopped(server.serving).await;
    let refused = "logveil_requests_refused_total{reason=\"failed\",source=\"apps\"} 1";
    assert_eq!(server.scene.metric("logveil_requests_refused"), [refused]);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_line_is_a_record() {
    let server = server(Fate::Confirm, Limits::default()).await;
    let body = b"{\"a\": 1}\r\n\n[1, 2]\nplain text\xff\nlast";
    for (headers, body) in [
        ("", body.to_vec()),
        ("Content-Encoding: identity\r\n", body.to_vec()),
        ("Content-Encoding: gzip\r\n", gzip(body)),
        ("content-encoding: GZIP\r\n", [gzip(&body[..20]), gzip(&body[20..])].concat()),
        ("Content-Encoding: zstd\r\n", zstd(body)),
        ("Content-Encoding: zstd\r\n", [zstd(&body[..20]), zstd(&body[20..])].concat()),
    ] {
        server.scene.stub.seen.lock().unwrap().clear();
        let answer = server.post("/v1/logs/shop?q=canary", headers, &body).await;
        check(&answer, 200, "\r\n\r\n{\"accepted\":4}\n");
        assert!(answer.contains("content-type: application/json\r\n"), "{answer}");
        assert_eq!(server.scene.messages(), ["{\"a\": 1}", "[1, 2]", "plain text\u{fffd}", "last"]);
        assert!(server.scene.seen().iter().all(|seen| seen.path == "/v1/logs/shop"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_records_are_accepted_too() {
    let server = server(Fate::Confirm, Limits::default()).await;
    for (headers, body) in [("", &b""[..]), ("Content-Encoding: gzip\r\n", b""), ("", b"\n\r\n\n")] {
        check(&server.post("/v1/logs", headers, body).await, 200, "{\"accepted\":0}");
    }
    assert!(server.scene.messages().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_serves_request_after_request() {
    let server = server(Fate::Confirm, Limits::default()).await;
    let chunked = b"POST /v1/logs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n\
        4\r\none\n\r\n3\r\ntwo\r\n0\r\n\r\n";
    let answers = server.exchange(&[&chunked[..], &request("/v1/logs", "", b"three")].concat()).await;
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 2, "{answers}");
    assert_eq!(server.scene.messages(), ["one", "two", "three"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_asks_first_is_told_to_go_on() {
    let server = server(Fate::Confirm, Limits::default()).await;
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    let request = request("/v1/logs", "Expect: 100-continue\r\n", b"text");
    let (head, body) = request.split_at(request.len() - 4);
    stream.write_all(head).await.unwrap();
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).await.unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(body).await.unwrap();
    check(&answer(&mut stream).await, 200, "{\"accepted\":1}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_served_is_refused_without_an_echo() {
    let server = server(Fate::Confirm, Limits::default()).await;
    for (request, status, code) in [
        ("GET /v1/logs/canary HTTP/1.1", 405, "method_not_allowed"),
        ("PUT /v1/logs HTTP/1.1", 405, "method_not_allowed"),
        ("POST /canary HTTP/1.1", 404, "not_found"),
        ("POST /v1/logscanary HTTP/1.1", 404, "not_found"),
        ("POST /v1/logs HTTP/1.1\r\nContent-Encoding: canary", 415, "unsupported_encoding"),
        ("POST /v1/logs HTTP/1.1\r\nContent-Encoding: gzip, zstd", 415, "unsupported_encoding"),
        (
            "POST /v1/logs HTTP/1.1\r\nContent-Encoding: gzip\r\nContent-Encoding: gzip",
            415,
            "unsupported_encoding",
        ),
    ] {
        let head = "Host: x\r\nConnection: close\r\nContent-Length: 6";
        let answer = server.exchange(format!("{request}\r\n{head}\r\n\r\ncanary").as_bytes()).await;
        check(&answer, status, &format!("{{\"error\":{{\"code\":\"{code}\",\"message\":\""));
        assert!(!answer.contains("canary"), "{answer}");
    }
    assert!(server.scene.messages().is_empty());
    assert_eq!(
        server.scene.metric("logveil_requests_refused_total"),
        ["logveil_requests_refused_total{reason=\"unsupported\",source=\"apps\"} 7"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_not_what_it_says_is_refused_whole() {
    let server = server(Fate::Confirm, Limits::default()).await;
    let text = "canary of some length\n".repeat(50_000);
    let (gzip, zstd) = (gzip(text.as_bytes()), zstd(text.as_bytes()));
    let mut flipped = gzip.clone();
    let last = flipped.len() - 6;
    flipped[last] ^= 1;
    for (encoding, body) in [
        ("gzip", &gzip[..gzip.len() - 1]),
        ("gzip", &gzip[..gzip.len() / 2]),
        ("gzip", &gzip[..5]),
        ("gzip", &flipped),
        ("gzip", &[&gzip[..], b"canary"].concat()),
        ("gzip", b"canary"),
        ("gzip", &zstd),
        ("zstd", &zstd[..zstd.len() - 1]),
        ("zstd", &zstd[..zstd.len() / 2]),
        ("zstd", &[&zstd[..], b"canary"].concat()),
        ("zstd", b"canary"),
        ("zstd", &gzip),
    ] {
        let headers = format!("Content-Encoding: {encoding}\r\n");
        check(&server.post("/v1/logs", &headers, body).await, 400, "{\"error\":{\"code\":\"malformed_body\"");
    }
    let cut = b"POST /v1/logs HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\ncanary\n";
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    stream.write_all(cut).await.unwrap();
    stream.shutdown().await.unwrap();
    answer(&mut stream).await;
    assert!(server.scene.messages().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn bombs_and_large_bodies_are_refused_whole() {
    let server = server(Fate::Confirm, Limits::default()).await;
    let zeros = vec![b'\n'; 33 * 1024 * 1024];
    let mut window = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    window.window_log(27).unwrap();
    window.write_all(&zeros[..4096]).unwrap();
    for (headers, body, status) in [
        ("Content-Encoding: gzip\r\n", gzip(&zeros), 413),
        ("Content-Encoding: zstd\r\n", zstd(&zeros), 413),
        ("Content-Encoding: zstd\r\n", window.finish().unwrap(), 400),
        ("", zeros, 413),
    ] {
        check(&server.post("/v1/logs", headers, &body).await, status, "{\"error\":{");
    }
    assert!(server.scene.messages().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bound_of_a_body_is_kept_to_the_byte() {
    let limits = Limits { body_bytes_max: 100_000, ..Limits::default() };
    let server = server(Fate::Confirm, limits).await;
    for (len, status) in [(99_999, 200), (100_000, 200), (100_001, 413)] {
        let body = vec![b'x'; len];
        check(&server.post("/v1/logs", "", &body).await, status, "");
        check(&server.post("/v1/logs", "Content-Encoding: gzip\r\n", &gzip(&body)).await, status, "");
        check(&server.post("/v1/logs", "Content-Encoding: zstd\r\n", &zstd(&body)).await, status, "");
    }
    assert_eq!(server.scene.messages().len(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_record_is_a_marker_and_many_make_many_batches() {
    let server = server(Fate::Confirm, Limits::default()).await;
    let long = vec![b'x'; RECORD_BYTES_MAX + 1];
    let body = [b"before\n", &long[..], b"\n", "after\n".repeat(100_000).as_bytes()].concat();
    check(&server.post("/v1/logs", "", &body).await, 200, "{\"accepted\":100002}");
    let messages = server.scene.messages();
    assert_eq!(messages[..3], ["before".into(), marker(RECORD_BYTES_MAX + 1, "too long"), "after".into()]);
    assert_eq!(messages.len(), 100_002);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_asks_the_client_to_come_again() {
    let server = server(Fate::Refuse, Limits::default()).await;
    let answer = server.post("/v1/logs", "", b"canary").await;
    check(&answer, 503, "{\"error\":{\"code\":\"busy\"");
    assert!(answer.contains("retry-after: 1\r\n"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_in_hand_are_bounded_together() {
    let limits = Limits { bodies_bytes_max: 64 * 1024, ..Limits::default() };
    let server = server(Fate::Confirm, limits).await;
    check(&server.post("/v1/logs", "", &vec![b'x'; 65 * 1024]).await, 503, "{\"error\":{\"code\":\"busy\"");
    // What the refused one held is free again.
    check(&server.post("/v1/logs", "", &vec![b'x'; 64 * 1024]).await, 200, "{\"accepted\":1}");
}

/// A body costs what it is, in however many reads it comes, and only until its records are handed on.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_in_hand_is_charged_for_its_bytes() {
    let limits = Limits { bodies_bytes_max: 160 * 1024, ..Limits::default() };
    let members = gzip(b"x\n").repeat(2000);
    let confirming = server(Fate::Confirm, limits.clone()).await;
    let told = confirming.post("/v1/logs", "Content-Encoding: gzip\r\n", &members).await;
    check(&told, 200, "{\"accepted\":2000}");

    let keeping = server(Fate::Keep, limits).await;
    let request = request("/v1/logs", "", &vec![b'x'; 100 * 1024]);
    let mut waiting = Vec::new();
    for count in 1..=3 {
        // The one before gives its room back just after its record is seen: until then the answer is 503, ask again.
        waiting.push(loop {
            let mut stream = TcpStream::connect(keeping.addr).await.unwrap();
            stream.write_all(&request).await.unwrap();
            tokio::select! {
                () = keeping.scene.records(count) => break stream,
                told = answer(&mut stream) => check(&told, 503, ""),
            }
        });
    }
    std::mem::take(&mut *keeping.scene.stub.kept.lock().unwrap()).into_iter().for_each(|ack| ack.confirm());
    for mut stream in waiting {
        check(&answer(&mut stream).await, 200, "{\"accepted\":1}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn success_is_told_after_every_holder_confirmed() {
    let failing = server(Fate::Fail, Limits::default()).await;
    check(&failing.post("/v1/logs", "", b"a").await, 503, "{\"error\":{\"code\":\"unconfirmed\"");

    let limits = Limits { confirm_wait: Duration::from_millis(50), ..Limits::default() };
    let never = server(Fate::Keep, limits).await;
    check(&never.post("/v1/logs", "", b"a").await, 503, "{\"error\":{\"code\":\"unconfirmed\"");

    let late = server(Fate::Keep, Limits::default()).await;
    let mut stream = TcpStream::connect(late.addr).await.unwrap();
    stream.write_all(&request("/v1/logs", "", b"a")).await.unwrap();
    late.scene.records(1).await;
    let ack = late.scene.stub.kept.lock().unwrap().pop().unwrap();
    ack.confirm();
    check(&answer(&mut stream).await, 200, "{\"accepted\":1}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_head_of_a_request_is_bounded() {
    let server = server(Fate::Confirm, Limits::default()).await;
    let large = format!("X: {}\r\n", "x".repeat(17 * 1024));
    let many = "X: x\r\n".repeat(65);
    for headers in [large, many] {
        check(&server.post("/v1/logs", &headers, b"canary").await, 431, "");
    }
    assert!(server.scene.messages().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_clients_are_cut_off() {
    let short = Duration::from_millis(50);
    let head_wait = Limits { head_wait: short, ..Limits::default() };
    let body_wait = Limits { body_idle_wait: short, ..Limits::default() };
    for (limits, sent, told) in [
        (head_wait, "Host:", ""),
        (body_wait, "Host: x\r\nContent-Length: 9\r\n\r\ncanary\n", "{\"error\":{\"code\":\"timeout\""),
    ] {
        let server = server(Fate::Confirm, limits).await;
        let mut stream = TcpStream::connect(server.addr).await.unwrap();
        // Who is not waited for is cut off before it has said this much, too.
        let _ = stream.write_all(format!("POST /v1/logs HTTP/1.1\r\n{sent}").as_bytes()).await;
        let answer = answer(&mut stream).await;
        assert!(answer.contains(told), "{answer}");
        let Server { scene, .. } = server;
        assert!(scene.messages().is_empty());
        assert_eq!(
            scene.metric("logveil_requests_refused_total"),
            ["logveil_requests_refused_total{reason=\"timeout\",source=\"apps\"} 1"]
        );
    }
}

/// Two readings of where a request ends would let one hide in another. There is one, and the connection ends.
#[tokio::test(flavor = "multi_thread")]
async fn requests_do_not_hide_in_requests() {
    let server = server(Fate::Confirm, Limits::default()).await;
    let hidden = "POST /v1/logs HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nhidden";
    for (headers, status) in [
        ("Content-Length: 4\r\nContent-Length: 5\r\n\r\nbody", 400),
        ("Content-Length: +4\r\n\r\nbody", 400),
        ("Transfer-Encoding: xchunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n", 400),
        ("Transfer-Encoding: chunked, gzip\r\n\r\n4\r\nbody\r\n0\r\n\r\n", 400),
        ("X: a\r\n b\r\nContent-Length: 4\r\n\r\nbody", 400),
    ] {
        let answer = server
            .exchange(format!("POST /v1/logs HTTP/1.1\r\nHost: x\r\n{headers}{hidden}").as_bytes())
            .await;
        check(&answer, status, "");
    }
    assert!(server.scene.messages().is_empty());

    let both = format!(
        "POST /v1/logs HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}"
    );
    let answer = server.exchange(both.as_bytes()).await;
    check(&answer, 200, "connection: close");
    assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
    assert!(server.scene.messages().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_finishes_the_request_in_hand() {
    let server = server(Fate::Keep, Limits::default()).await;
    let mut idle = TcpStream::connect(server.addr).await.unwrap();
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    stream.write_all(b"POST /v1/logs HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na").await.unwrap();
    server.scene.records(1).await;
    server.scene.stop.send(true).unwrap();
    assert_eq!(answer(&mut idle).await, "");
    let ack = server.scene.stub.kept.lock().unwrap().pop().unwrap();
    ack.confirm();
    check(&answer(&mut stream).await, 200, "{\"accepted\":1}");
    tokio::time::timeout(LONG, server.serving).await.expect("the source ends").unwrap();
}

/// What is refused already is read on for its client's sake alone, so not beyond a stop.
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_body_that_does_not_end_holds_up_no_stop() {
    let never = LONG * 100;
    let limits = Limits { body_idle_wait: never, body_wait: never, ..Limits::default() };
    let server = server(Fate::Confirm, limits).await;
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    let head = "POST /none HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\na";
    stream.write_all(head.as_bytes()).await.unwrap();
    let refused = async {
        while server.scene.metric("logveil_requests_refused_total").is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LONG, refused).await.expect("it is refused");
    server.scene.stopped(server.serving).await;
    check(&answer(&mut stream).await, 404, "{\"error\"");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_too_fast_is_told_to_come_again() {
    let peers = peers::Settings { connections_max: 9, bytes_per_second: NonZeroU64::new(8 * 1024) };
    let server = server(Fate::Confirm, Limits { peers, ..Limits::default() }).await;
    check(&server.post("/v1/logs", "", &vec![b'x'; 512 * 1024]).await, 200, "{\"accepted\":1}");
    let answer = server.post("/v1/logs", "", b"canary").await;
    check(&answer, 429, "{\"error\":{\"code\":\"too_fast\"");
    assert!(answer.contains("retry-after: 1\r\n"), "{answer}");
    let refused = "logveil_requests_refused_total{reason=\"too_fast\",source=\"apps\"} 1";
    assert_eq!(server.scene.metric("logveil_requests_refused_total"), [refused]);
    assert_eq!(server.scene.messages().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_pays_for_bodies_that_are_refused_and_for_what_it_sends_after_that() {
    let peers = peers::Settings { connections_max: 9, bytes_per_second: NonZeroU64::new(8 * 1024) };
    let limits = || Limits { peers, body_wait: Duration::from_secs(1), ..Limits::default() };
    let server = server(Fate::Confirm, limits()).await;
    let body = vec![b'x'; 512 * 1024];
    check(&server.post("/v1/logs", "Content-Encoding: gzip\r\n", &body).await, 400, "{\"error\"");
    check(&server.post("/v1/logs", "", b"canary").await, 429, "{\"error\":{\"code\":\"too_fast\"");
    // Too large by what it says, and so none of it is asked for: what comes all the same is read no faster.
    let server = self::server(Fate::Confirm, Limits { body_bytes_max: 1024, ..limits() }).await;
    server.post("/v1/logs", "", &body).await;
    check(&server.post("/v1/logs", "", b"canary").await, 429, "{\"error\":{\"code\":\"too_fast\"");
    assert!(server.scene.messages().is_empty());
}

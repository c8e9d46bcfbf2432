//! RELP and the forward protocol on real sockets: what is answered, and when.

use std::net::SocketAddr;

use logveil::limit::RECORD_BYTES_MAX;
use logveil::source::answered::{Settings, bind};
use logveil::source::{forward, relp};
use rmpv::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::{Fate, LONG, Scene, gzip, marker};

#[derive(Clone, Copy)]
enum Kind {
    Relp,
    Forward,
}

struct Server {
    scene: Scene,
    addr: SocketAddr,
    serving: JoinHandle<()>,
}

async fn server(kind: Kind, fate: Fate) -> Server {
    let scene = Scene::new(fate);
    let listen = "127.0.0.1:0".parse().unwrap();
    let listener = bind(Settings::new("edge".into(), listen)).await.unwrap();
    let addr = listener.addr().unwrap();
    let serving = match kind {
        Kind::Relp => tokio::spawn(relp::serve(listener, scene.world.clone())),
        Kind::Forward => tokio::spawn(forward::serve(listener, scene.world.clone())),
    };
    Server { scene, addr, serving }
}

impl Server {
    /// Sends pieces; all that comes back until the other end closes.
    async fn exchange(&self, pieces: &[&[u8]]) -> Vec<u8> {
        let mut stream = TcpStream::connect(self.addr).await.unwrap();
        for piece in pieces {
            // The peer may have closed on us already, which is what some of these are about.
            let _ = stream.write_all(piece).await;
            let _ = stream.flush().await;
        }
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        let _ = tokio::time::timeout(LONG, stream.read_to_end(&mut answer)).await.expect("an end");
        answer
    }
}

const SESSION: &[u8] =
    b"1 open 30 relp_version=0\ncommands=syslog\n2 syslog 7 <13>one\n3 syslog 9 <13>two\nx\n4 close 0\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_session_of_relp_is_answered_in_its_order() {
    for pieces in [vec![SESSION], SESSION.chunks(1).collect::<Vec<_>>()] {
        let server = server(Kind::Relp, Fate::Confirm).await;
        let answer = String::from_utf8(server.exchange(&pieces).await).unwrap();
        assert!(answer.starts_with("1 rsp "), "{answer}");
        assert!(answer.contains(" 200 OK\nrelp_version=0\nrelp_software=logveil,"), "{answer}");
        assert!(answer.ends_with("\n2 rsp 6 200 OK\n3 rsp 6 200 OK\n4 rsp 0\n0 serverclose 0\n"), "{answer}");
        assert_eq!(server.scene.messages(), ["one", "two\nx"]);
        server.scene.stopped(server.serving).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_safe_is_not_answered() {
    for fate in [Fate::Fail, Fate::Refuse] {
        let server = server(Kind::Relp, fate).await;
        let mut stream = TcpStream::connect(server.addr).await.unwrap();
        stream.write_all(b"1 open 0\n").await.unwrap();
        let mut begun = [0; 6];
        tokio::time::timeout(LONG, stream.read_exact(&mut begun)).await.expect("an answer").unwrap();
        assert_eq!(&begun, b"1 rsp ");
        stream.write_all(b"2 syslog 7 <13>one\n").await.unwrap();
        let mut rest = Vec::new();
        let _ = tokio::time::timeout(LONG, stream.read_to_end(&mut rest)).await.expect("an end");
        let rest = String::from_utf8(rest).unwrap();
        assert!(!rest.contains("2 rsp"), "{rest}");
        assert_eq!(server.scene.messages().len(), usize::from(fate == Fate::Fail));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_message_of_relp_is_a_marker_and_a_wrong_one_ends_the_session() {
    let server = server(Kind::Relp, Fate::Confirm).await;
    let long = "x".repeat(RECORD_BYTES_MAX + 1);
    let long = format!("1 open 0\n2 syslog {} {long}\n3 syslog 7 <13>one\n", long.len());
    let answer = String::from_utf8(server.exchange(&[long.as_bytes()]).await).unwrap();
    assert!(answer.ends_with("2 rsp 6 200 OK\n3 rsp 6 200 OK\n"), "{answer}");
    assert_eq!(server.scene.messages(), [marker(RECORD_BYTES_MAX + 1, "too long"), "one".to_owned()]);
    for session in [&b"1 open 0\n2 syslog 99999999 x"[..], b"1 open 0\n2 syslog 3 abcdef\n", b"canary"] {
        server.exchange(&[session]).await;
    }
    let before = server.exchange(&[b"1 syslog 7 <13>one\n"]).await;
    assert!(before.starts_with(b"1 rsp ") && !before.windows(3).any(|w| w == b"200"));
    assert_eq!(server.scene.messages().len(), 2, "nothing before open, and nothing wrong");
    let refused = server.scene.metric("logveil_requests_refused_total");
    assert_eq!(
        refused,
        [
            "logveil_requests_refused_total{reason=\"malformed\",source=\"edge\"} 2",
            "logveil_requests_refused_total{reason=\"too_large\",source=\"edge\"} 1",
        ]
    );
}

fn written(value: &Value) -> Vec<u8> {
    let mut text = Vec::new();
    rmpv::encode::write_value(&mut text, value).unwrap();
    text
}

fn record(text: &str) -> Value {
    Value::Map(vec![("m".into(), text.into())])
}

fn option(more: Option<(&str, &str)>) -> Value {
    let more = more.map(|(key, value)| (key.into(), value.into()));
    Value::Map(more.into_iter().chain([("chunk".into(), "c-1".into())]).collect())
}

const ACK: &[u8] = b"\x81\xa3ack\xda\x00\x03c-1";

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_forward_are_answered_if_they_ask() {
    let pairs = [
        written(&Value::Array(vec![1.into(), record("one")])),
        written(&Value::Array(vec![2.into(), record("two")])),
    ]
    .concat();
    let one = written(&Value::Array(vec!["shop".into(), 1.into(), record("one")]));
    let listed = Value::Array(vec![
        Value::Array(vec![1.into(), record("one")]),
        Value::Array(vec![2.into(), record("two")]),
    ]);
    let listed = written(&Value::Array(vec!["shop".into(), listed, option(None)]));
    let packed = |packed: Vec<u8>, how| {
        written(&Value::Array(vec!["shop".into(), Value::Binary(packed), option(how)]))
    };
    let zstd = super::zstd(&pairs);
    for (message, records, answer) in [
        (one, 1, &b""[..]),
        (listed, 2, ACK),
        (packed(pairs.clone(), None), 2, ACK),
        (packed(gzip(&pairs), Some(("compressed", "gzip"))), 2, ACK),
        (packed(zstd, Some(("compressed", "zstd"))), 2, ACK),
    ] {
        for pieces in [vec![&message[..]], message.chunks(1).collect::<Vec<_>>()] {
            let server = server(Kind::Forward, Fate::Confirm).await;
            assert_eq!(server.exchange(&pieces).await, answer);
            assert_eq!(server.scene.messages(), ["{\"m\":\"one\"}", "{\"m\":\"two\"}"][..records]);
            assert_eq!(server.scene.seen()[0].app, "shop");
        }
        let failing = server(Kind::Forward, Fate::Fail).await;
        assert_eq!(failing.exchange(&[&message]).await, b"", "what is not safe is not answered");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_wrong_message_nothing_is_taken() {
    let half = [written(&Value::Array(vec![1.into(), record("canary")])), b"\x92\x01\xa1x".to_vec()].concat();
    let bomb = gzip(&vec![0x90; 17 << 20]);
    for (packed, how) in
        [(half, None), (bomb, Some(("compressed", "gzip"))), (b"none".to_vec(), Some(("compressed", "gzip")))]
    {
        let server = server(Kind::Forward, Fate::Confirm).await;
        let message = written(&Value::Array(vec!["shop".into(), Value::Binary(packed), option(how)]));
        assert_eq!(server.exchange(&[&message]).await, b"");
        assert!(server.scene.messages().is_empty());
        assert_eq!(server.scene.metric("logveil_requests_refused_total").len(), 1);
    }
}

//! Syslog over TCP and UDP.

use std::net::SocketAddr;
use std::num::NonZeroU64;

use logveil::limit::RECORD_BYTES_MAX;
use logveil::source::peers;
use logveil::source::syslog::{Listener, Settings, bind, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::task::JoinHandle;

use super::{Fate, LONG, Scene, marker};

/// Both listeners on free ports, with other settings as `change` makes them.
async fn listener(change: impl FnOnce(&mut Settings)) -> (Listener, SocketAddr, SocketAddr) {
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let mut settings = Settings::new("edge".into(), Some(any), Some(any));
    change(&mut settings);
    let listener = bind(settings).await.unwrap();
    let (tcp, udp) = (listener.tcp_addr().unwrap(), listener.udp_addr().unwrap());
    (listener, tcp, udp)
}

/// A source that runs.
struct Server {
    scene: Scene,
    tcp: SocketAddr,
    udp: SocketAddr,
    serving: JoinHandle<()>,
}

async fn serving(fate: Fate, change: impl FnOnce(&mut Settings)) -> Server {
    let scene = Scene::new(fate);
    let (listener, tcp, udp) = listener(change).await;
    let serving = tokio::spawn(serve(listener, scene.world.clone()));
    Server { scene, tcp, udp, serving }
}

impl Server {
    /// Stops it and waits until it has ended; what its intake saw.
    async fn stop(self) -> Scene {
        self.scene.stopped(self.serving).await;
        self.scene
    }
}

/// What the intake sees of a connection that sends these pieces, each by itself, and ends.
async fn sent(pieces: &[&[u8]]) -> Scene {
    let server = serving(Fate::Confirm, |_| {}).await;
    let mut stream = TcpStream::connect(server.tcp).await.unwrap();
    stream.set_nodelay(true).unwrap();
    for piece in pieces {
        // The peer may have closed on us already, which is what some of these are about.
        let _ = stream.write_all(piece).await;
        let _ = stream.flush().await;
    }
    let _ = stream.shutdown().await;
    // The other end closes when it has handed on all.
    let mut rest = Vec::new();
    let _ = tokio::time::timeout(LONG, stream.read_to_end(&mut rest)).await.expect("the connection ends");
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_arrive_however_they_are_split() {
    let stream = b"<13>1 - h app - - - one\r\n\n<13>Oct 11 22:14:15 h su[1]: two\nno priority\n<13>last";
    let bytes: Vec<&[u8]> = stream.chunks(1).collect();
    for pieces in [vec![&stream[..]], bytes] {
        let scene = sent(&pieces).await;
        assert_eq!(scene.messages(), ["one", "two", "no priority", "last"]);
        assert_eq!(scene.seen()[0].app, "app");
        assert_eq!(scene.seen()[1].app, "su");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_fails_is_counted() {
    let server = serving(Fate::Panic, |_| {}).await;
    let mut stream = TcpStream::connect(server.tcp).await.unwrap();
    stream.write_all(b"<13>a\n").await.unwrap();
    let _ = tokio::time::timeout(LONG, stream.read_to_end(&mut Vec::new())).await.expect("it ends");
    let scene = server.stop().await;
    let refused = "logveil_requests_refused_total{reason=\"failed\",source=\"edge\"} 1";
    assert_eq!(scene.metric("logveil_requests_refused"), [refused]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_stream_is_handed_on_at_once() {
    let server = serving(Fate::Confirm, |_| {}).await;
    let mut stream = TcpStream::connect(server.tcp).await.unwrap();
    for count in 1..=3 {
        stream.write_all(b"<13>a\n").await.unwrap();
        server.scene.records(count).await;
    }
    assert_eq!(server.scene.metric("logveil_connections"), ["logveil_connections{source=\"edge\"} 1"]);
    let scene = server.stop().await;
    assert_eq!(scene.metric("logveil_connections"), ["logveil_connections{source=\"edge\"} 0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn python_ends_records_with_nul() {
    let scene = sent(&[b"<14>one\0<14>two\nlines\0"]).await;
    assert_eq!(scene.messages(), ["one", "two\nlines"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn counted_frames_hold_newlines() {
    let scene = sent(&[b"11 <13>one\ntwo8 <13>four"]).await;
    assert_eq!(scene.messages(), ["one\ntwo", "four"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_counted_frame_is_one_marker() {
    let len = RECORD_BYTES_MAX + 1;
    let mut body = b"<13>".to_vec();
    while body.len() < len {
        body.extend_from_slice(b"\n9 <1>forged canary");
    }
    body.truncate(len);
    let scene = sent(&[format!("{len} ").as_bytes(), &body, b"9 <13>after"]).await;
    assert_eq!(scene.messages(), [marker(len, "too long"), "after".into()]);
    assert_eq!(
        scene.metric("logveil_records_cut_total"),
        ["logveil_records_cut_total{reason=\"too_long\",source=\"edge\"} 1"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nonsensical_count_ends_the_connection() {
    let count = "1234567890".repeat(4);
    let stream = format!("8 <13>good{count} <13>canary\n<13>canary\n");
    let scene = sent(&[stream.as_bytes()]).await;
    let messages = scene.messages();
    assert_eq!(messages.len(), 2);
    assert_eq!(messages[0], "good");
    assert!(messages[1].ends_with("octet count refused]"), "{}", messages[1]);
    assert_eq!(
        scene.metric("logveil_requests_refused_total"),
        ["logveil_requests_refused_total{reason=\"malformed\",source=\"edge\"} 1"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_that_its_stream_cuts_off_is_withheld() {
    let scene = sent(&[b"8 <13>good20 <13>canary"]).await;
    assert_eq!(scene.messages(), ["good".into(), marker(13, "truncated")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_of_100_mib_is_one_marker() {
    let mebibyte = vec![b'x'; 1024 * 1024];
    let mut pieces = vec![&mebibyte[..]; 100];
    pieces.insert(0, b"<13>before\n");
    pieces.push(b"\n<13>after\n");
    let scene = sent(&pieces).await;
    assert_eq!(scene.messages(), ["before".into(), marker(100 * 1024 * 1024, "too long"), "after".into()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_beyond_the_limit_waits_for_a_place() {
    let server = serving(Fate::Confirm, |settings| settings.connections_max = 1).await;
    let mut first = TcpStream::connect(server.tcp).await.unwrap();
    first.write_all(b"first\n").await.unwrap();
    server.scene.records(1).await;
    let mut second = TcpStream::connect(server.tcp).await.unwrap();
    second.write_all(b"second\n").await.unwrap();
    first.write_all(b"first again\n").await.unwrap();
    server.scene.records(2).await;
    drop(first);
    server.scene.records(3).await;
    let scene = server.stop().await;
    assert_eq!(scene.messages(), ["first", "first again", "second"]);
}

/// Many connections with long unfinished records are no way to fill the memory.
#[tokio::test(flavor = "multi_thread")]
async fn unfinished_records_are_bounded_together() {
    let server = serving(Fate::Confirm, |settings| settings.unfinished_bytes_max = 0).await;
    let mut stream = TcpStream::connect(server.tcp).await.unwrap();
    let _ = stream.write_all(&vec![b'x'; RECORD_BYTES_MAX]).await;
    server.scene.records(1).await;
    let scene = server.stop().await;
    assert!(scene.messages()[0].ends_with(" bytes, truncated]"));
    assert_eq!(
        scene.metric("logveil_requests_refused_total"),
        ["logveil_requests_refused_total{reason=\"busy\",source=\"edge\"} 1"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nuls_and_bytes_that_are_no_text_pass() {
    let zeros = vec![0; 1024 * 1024];
    let scene = sent(&[&zeros, b"<13>a\xff\xfe\n", &zeros, b"<13>b\n"]).await;
    assert_eq!(scene.messages(), ["a\u{fffd}\u{fffd}", "b"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_loses_nothing_that_was_sent() {
    let scene = Scene::new(Fate::Confirm);
    let (listener, tcp, udp) = listener(|_| {}).await;
    // These wait in the backlog, in the sockets' buffers, and one sender has gone already.
    let mut open = TcpStream::connect(tcp).await.unwrap();
    for at in 0..1000 {
        open.write_all(format!("<13>open {at}\n").as_bytes()).await.unwrap();
    }
    open.write_all(b"<13>canary with no end").await.unwrap();
    let mut gone = TcpStream::connect(tcp).await.unwrap();
    gone.write_all(b"<13>gone").await.unwrap();
    drop(gone);
    let datagrams = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for at in 0..100 {
        datagrams.send_to(format!("<13>datagram {at}").as_bytes(), udp).await.unwrap();
    }
    scene.stop.send(true).unwrap();
    tokio::time::timeout(LONG, serve(listener, scene.world.clone())).await.expect("the source ends");

    let messages = scene.messages();
    for at in 0..1000 {
        assert!(messages.contains(&format!("open {at}")), "open {at}");
    }
    for at in 0..100 {
        assert!(messages.contains(&format!("datagram {at}")), "datagram {at}");
    }
    assert!(messages.contains(&"gone".into()));
    assert!(messages.contains(&marker(22, "truncated")));
    assert_eq!(messages.len(), 1000 + 100 + 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_datagram_is_a_record() {
    let server = serving(Fate::Confirm, |_| {}).await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let largest = vec![b'x'; 65_507];
    for datagram in
        [&b"<14>python\0"[..], b"<14>two\nlines\n", b"", b"\n", b"<34>1 2003-10-11T22:14:15", &largest]
    {
        socket.send_to(datagram, server.udp).await.unwrap();
    }
    server.scene.records(4).await;
    let scene = server.stop().await;
    let largest = String::from_utf8(largest).unwrap();
    assert_eq!(scene.messages(), ["python", "two\nlines", "1 2003-10-11T22:14:15", &largest]);
}

/// UDP alone may lose records, and every one is counted, also those that the operating system had no room for.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn what_the_system_drops_is_counted() {
    const SENT: usize = 400;
    let scene = Scene::new(Fate::Confirm);
    let (listener, _, udp) = listener(|_| {}).await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for _ in 0..SENT {
        socket.send_to(&vec![b'x'; 65_507], udp).await.unwrap();
    }
    scene.stop.send(true).unwrap();
    tokio::time::timeout(LONG, serve(listener, scene.world.clone())).await.expect("the source ends");
    let dropped = SENT - scene.messages().len();
    assert!(dropped > 0, "no socket's buffer holds them all");
    let counted = scene.metric("logveil_records_discarded_total");
    assert!(counted.iter().any(|line| line.contains("reason=\"socket_buffer\"")), "{counted:?}");
    // On a busy machine the queues may fill up, too.
    let number = |line: &String| line.rsplit(' ').next().and_then(|number| number.parse::<usize>().ok());
    assert_eq!(counted.iter().filter_map(number).sum::<usize>(), dropped, "{counted:?}");
}

#[tokio::test]
async fn a_port_in_use_is_told_with_the_fix() {
    let (_holder, tcp, udp) = listener(|_| {}).await;
    for (settings, protocol, address) in [
        (Settings::new("edge".into(), Some(tcp), None), "tcp", tcp),
        (Settings::new("edge".into(), None, Some(udp)), "udp", udp),
    ] {
        let text = bind(settings).await.unwrap_err().to_string();
        assert!(text.starts_with(&format!("source edge: cannot listen on {protocol} {address}: ")), "{text}");
        assert!(text.ends_with("stop the program that has the port, or choose another port"), "{text}");
    }
}

/// F39: a burst that is larger than any buffer, while records are taken. What arrived is whole, and the rest is counted.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_datagrams_is_counted_to_the_last() {
    const SENT: usize = 60_000;
    let server = serving(Fate::Confirm, |_| {}).await;
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    tokio::task::spawn_blocking(move || {
        for number in 0..SENT {
            let text = format!("<13>1 - h app - - - {number} {}.", "x".repeat(number % 1400));
            socket.send_to(text.as_bytes(), server.udp).unwrap();
        }
    })
    .await
    .unwrap();
    let scene = server.stop().await;
    let messages = scene.messages();
    for message in &messages {
        let (number, rest) = message.split_once(' ').unwrap();
        let number: usize = number.parse().unwrap();
        assert!(rest.len() == number % 1400 + 1 && rest.ends_with('.'), "record {number} is not whole");
    }
    let number = |line: &String| line.rsplit(' ').next().and_then(|number| number.parse::<usize>().ok());
    let counted = scene.metric("logveil_records_discarded_total");
    assert_eq!(messages.len() + counted.iter().filter_map(number).sum::<usize>(), SENT, "{counted:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_with_enough_connections_gets_no_more() {
    let peers = peers::Settings { connections_max: 1, bytes_per_second: None };
    let server = serving(Fate::Confirm, |settings| settings.peers = peers).await;
    let mut first = TcpStream::connect(server.tcp).await.unwrap();
    first.write_all(b"first\n").await.unwrap();
    server.scene.records(1).await;
    let mut second = TcpStream::connect(server.tcp).await.unwrap();
    let closed = tokio::time::timeout(LONG, second.read(&mut [0])).await.expect("it is closed");
    assert!(matches!(closed, Ok(0) | Err(_)));
    first.write_all(b"first again\n").await.unwrap();
    server.scene.records(2).await;
    let scene = server.stop().await;
    let refused = "logveil_requests_refused_total{reason=\"connections\",source=\"edge\"} 1";
    assert_eq!(scene.metric("logveil_requests_refused_total"), [refused]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_is_read_no_faster_than_it_may_send() {
    let peers = peers::Settings { connections_max: 9, bytes_per_second: NonZeroU64::new(1 << 20) };
    let server = serving(Fate::Confirm, |settings| settings.peers = peers).await;
    let started = std::time::Instant::now();
    // Twice a second's worth and a half: one at once, the rest in time.
    let sending = (0..2).map(|_| async move {
        let mut stream = TcpStream::connect(server.tcp).await.unwrap();
        let line = [&vec![b'x'; 1023][..], b"\n"].concat();
        stream.write_all(&line.repeat(1280)).await.unwrap();
    });
    let sending: Vec<_> = sending.map(tokio::spawn).collect();
    server.scene.records(2560).await;
    assert!(started.elapsed() > std::time::Duration::from_millis(1000), "{:?}", started.elapsed());
    for sent in sending {
        sent.await.unwrap();
    }
    server.stop().await;
}

/// Few turns are enough for many connections that all have something to say.
#[tokio::test(flavor = "multi_thread")]
async fn connections_take_turns() {
    let server = serving(Fate::Confirm, |_| {}).await;
    let sending = (0..40).map(|sender| async move {
        let mut stream = TcpStream::connect(server.tcp).await.unwrap();
        for number in 0..500 {
            stream.write_all(format!("<13>1 - h app - - - {sender} {number}\n").as_bytes()).await.unwrap();
        }
    });
    let sending: Vec<_> = sending.map(tokio::spawn).collect();
    for sent in sending {
        sent.await.unwrap();
    }
    server.scene.records(40 * 500).await;
    let scene = server.stop().await;
    let mut next = [0; 40];
    for message in scene.messages() {
        let (sender, number) = message.split_once(' ').unwrap();
        let next = &mut next[sender.parse::<usize>().unwrap()];
        assert_eq!(number.parse(), Ok(*next), "each connection's records are in order");
        *next += 1;
    }
    assert_eq!(next, [500; 40]);
}

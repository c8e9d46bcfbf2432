/*!
Floods of HTTP/2 frames, written by hand: no client makes them.

F43: a connection that floods is ended, takes nothing from others, and holds up no end.
*/

use std::time::Duration;

use logveil::limit::STREAMS_MAX;
use logveil::source::http::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::http::{Server, server};
use super::{Fate, LONG};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// `:method: POST`, `:scheme: http`, `:path: /v1/logs`, `:authority: x`, without Huffman's code (RFC 7541).
const HEAD: &[u8] = b"\x83\x86\x04\x08/v1/logs\x01\x01x";

/// More than stands in the buffers of two sockets before an end is noticed.
const FLOOD_BYTES: usize = 64 << 20;

/// A frame (RFC 9113, section 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// What a client begins with: no room for answers at all.
fn preface() -> Vec<u8> {
    const INITIAL_WINDOW_SIZE: [u8; 6] = [0, 4, 0, 0, 0, 0];
    [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &frame(SETTINGS, 0, 0, &INITIAL_WINDOW_SIZE)].concat()
}

/// Writes what `next` makes, many times what the sockets' buffers hold, until the other end closes, reading meanwhile.
async fn is_cut_off(server: &Server, next: impl Fn(usize) -> Vec<u8>) {
    tokio::time::timeout(LONG, flood(server, next)).await.expect("it is cut off");
}

async fn flood(server: &Server, next: impl Fn(usize) -> Vec<u8>) {
    let (mut read, mut write) = TcpStream::connect(server.addr).await.unwrap().into_split();
    let ended = tokio::spawn(async move { while matches!(read.read(&mut [0; 4096]).await, Ok(1..)) {} });
    write.write_all(&preface()).await.unwrap();
    let mut written = 0;
    for nth in 0.. {
        let piece = next(nth);
        if ended.is_finished() || write.write_all(&piece).await.is_err() {
            return;
        }
        written += piece.len();
        assert!(written < FLOOD_BYTES, "all of it was taken");
    }
}

fn stream(nth: usize) -> u32 {
    u32::try_from(2 * nth + 1).unwrap()
}

async fn others_are_served(server: &Server) {
    let answer = server.post("/v1/logs", "", b"well").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_resets_what_it_asks_is_cut_off() {
    let server = server(Fate::Confirm, Limits::default()).await;
    is_cut_off(&server, |nth| {
        let opened = frame(HEADERS, END_HEADERS, stream(nth), HEAD);
        [opened, frame(RST_STREAM, 0, stream(nth), &[0, 0, 0, 8])].concat()
    })
    .await;
    others_are_served(&server).await;
    assert_eq!(server.scene.messages(), ["well"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_without_an_end_are_cut_off() {
    let server = server(Fate::Confirm, Limits::default()).await;
    // A field of 4 KiB that is not to be indexed, each time under the same name.
    let field = [&b"\x00\x01x\x7f\x81\x1f"[..], &vec![b'y'; 4096]].concat();
    is_cut_off(&server, |nth| match nth {
        0 => frame(HEADERS, 0, 1, HEAD),
        _ => frame(CONTINUATION, 0, 1, &field),
    })
    .await;
    others_are_served(&server).await;
}

/// A client with no window for answers, and none for streams beyond their bound.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_takes_no_answers_holds_up_nobody() {
    let limits = Limits { head_wait: Duration::from_millis(500), ..Limits::default() };
    let server = server(Fate::Confirm, limits).await;
    let mut asked = preface();
    for nth in 0..STREAMS_MAX as usize + 10 {
        asked.extend(frame(HEADERS, END_HEADERS, stream(nth), HEAD));
        asked.extend(frame(DATA, END_STREAM, stream(nth), b"asked"));
    }
    let mut silent = TcpStream::connect(server.addr).await.unwrap();
    // It reads nothing, not even the questions whether it is alive.
    let _ = silent.write_all(&asked).await;
    server.scene.records(STREAMS_MAX as usize).await;
    others_are_served(&server).await;
    let mut rest = Vec::new();
    let _ = tokio::time::timeout(LONG, silent.read_to_end(&mut rest)).await.expect("it is cut off");
    let taken = server.scene.messages().iter().filter(|message| *message == "asked").count();
    assert_eq!(taken, STREAMS_MAX as usize, "none of them ends, and no more are taken");
    server.stop().await;
}

/// What streams may make us hold before it is read is taken from the room for bodies, and given back with them.
#[tokio::test(flavor = "multi_thread")]
async fn streams_take_the_room_of_what_they_may_send() {
    let limits = Limits { body_bytes_max: 64 << 10, bodies_bytes_max: 1 << 20, ..Limits::default() };
    let server = server(Fate::Confirm, limits).await;
    let refused = || server.scene.metric("logveil_requests_refused_total");
    let mut client = TcpStream::connect(server.addr).await.unwrap();
    client.write_all(&preface()).await.unwrap();
    for nth in 0..4 {
        // Bodies that do not end: three of them are all that there is room for.
        client.write_all(&frame(HEADERS, END_HEADERS, stream(nth), HEAD)).await.unwrap();
        client.write_all(&frame(DATA, 0, stream(nth), b"asked")).await.unwrap();
    }
    let full = async {
        while refused().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LONG, full).await.expect("one is refused");
    assert_eq!(refused(), ["logveil_requests_refused_total{reason=\"busy\",source=\"apps\"} 1"]);
    drop(client);
    let free =
        async { while !server.post("/v1/logs", "", &[b'x'; 40 << 10]).await.starts_with("HTTP/1.1 200") {} };
    tokio::time::timeout(LONG, free).await.expect("there is room again");
}

/// What streams hold until their refused bodies are read is held until then.
#[tokio::test(flavor = "multi_thread")]
async fn streams_that_are_refused_take_the_room_of_what_they_may_send() {
    let limits = Limits { body_bytes_max: 64 << 10, bodies_bytes_max: 1 << 20, ..Limits::default() };
    let server = server(Fate::Confirm, limits).await;
    let is_refused = async |why: &str, count: usize| {
        let told = format!("logveil_requests_refused_total{{reason=\"{why}\",source=\"apps\"}} {count}");
        let refused = async {
            while !server.scene.metric("logveil_requests_refused_total").contains(&told) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(LONG, refused).await.expect("they are refused");
    };
    let mut client = TcpStream::connect(server.addr).await.unwrap();
    client.write_all(&preface()).await.unwrap();
    let nowhere = [&HEAD[..4], b"/nowhere", &HEAD[12..]].concat();
    for nth in 0..3 {
        // Their bodies do not end.
        client.write_all(&frame(HEADERS, END_HEADERS, stream(nth), &nowhere)).await.unwrap();
    }
    is_refused("unsupported", 3).await;
    client.write_all(&frame(HEADERS, END_HEADERS, stream(3), HEAD)).await.unwrap();
    is_refused("busy", 1).await;
}

/// What an answer holds is held until its client takes it.
#[tokio::test(flavor = "multi_thread")]
async fn answers_that_are_not_taken_take_room() {
    let limits = Limits { bodies_bytes_max: 512 << 10, ..Limits::default() };
    let server = server(Fate::Confirm, limits).await;
    let refused = || server.scene.metric("logveil_requests_refused_total");
    let mut client = TcpStream::connect(server.addr).await.unwrap();
    client.write_all(&preface()).await.unwrap();
    for nth in 0..STREAMS_MAX as usize {
        client.write_all(&frame(HEADERS, END_HEADERS, stream(nth), HEAD)).await.unwrap();
        client.write_all(&frame(DATA, END_STREAM, stream(nth), b"asked")).await.unwrap();
        let answered = async {
            while server.scene.messages().len() == nth && refused().is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(LONG, answered).await.expect("it is answered");
        if !refused().is_empty() {
            break;
        }
    }
    assert_eq!(refused(), ["logveil_requests_refused_total{reason=\"busy\",source=\"apps\"} 1"]);
    drop(client);
    let most = vec![b'x'; 500 << 10];
    let free = async { while !server.post("/v1/logs", "", &most).await.starts_with("HTTP/1.1 200") {} };
    tokio::time::timeout(LONG, free).await.expect("there is room again");
}

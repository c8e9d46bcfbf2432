//! As much of HTTP as the tests need. Of a client: one request, one answer, one connection; of a server: a request's body.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use super::PATIENCE;

/// What a server answered.
#[derive(Debug)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// The body.
    pub body: String,
}

/// `GET path` on a port of this machine.
pub fn get(port: u16, path: &str) -> io::Result<Answer> {
    ask(port, "GET", path, &[], b"")
}

/// `POST path` with a body and further header lines.
pub fn post(port: u16, path: &str, headers: &[&str], body: &[u8]) -> io::Result<Answer> {
    ask(port, "POST", path, headers, body)
}

/// Any request.
pub fn ask(port: u16, method: &str, path: &str, headers: &[&str], body: &[u8]) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut head = format!(
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\nContent-Length: {}\r\n",
        body.len()
    );
    for header in headers {
        head.push_str(header);
        head.push_str("\r\n");
    }
    head.push_str("\r\n");
    // Who refuses a request may answer and close before it has read all; a whole answer counts all the same.
    let sent = stream.write_all(&[head.as_bytes(), body].concat());
    let mut text = Vec::new();
    let ended = stream.read_to_end(&mut text).and(sent);
    match (answer(&text), ended) {
        (Some((answer, true)), _) | (Some((answer, false)), Ok(())) => Ok(answer),
        (_, Err(err)) => Err(err),
        (None, Ok(())) => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// An answer, and whether it is whole for certain; one without a length ends with its connection.
fn answer(text: &[u8]) -> Option<(Answer, bool)> {
    let at = memchr::memmem::find(text, b"\r\n\r\n")?;
    let (head, body) = (String::from_utf8_lossy(&text[..at]), &text[at + 4..]);
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let whole = length(&head).is_some_and(|length| body.len() >= length);
    Some((Answer { status, body: unchunked(&head, &String::from_utf8_lossy(body)) }, whole))
}

/// The body of the next request that somebody sends; none once the connection ends.
pub fn request(mut stream: &TcpStream) -> Option<Vec<u8>> {
    let (mut text, mut part) = (Vec::new(), [0; 16 * 1024]);
    loop {
        if let Some(head) = memchr::memmem::find(&text, b"\r\n\r\n") {
            let length = length(&String::from_utf8_lossy(&text[..head]))?;
            if text.len() >= head + 4 + length {
                return Some(text.split_off(head + 4));
            }
        }
        let read = stream.read(&mut part).ok().filter(|read| *read > 0)?;
        text.extend_from_slice(&part[..read]);
    }
}

/// The length that a head says its body has.
fn length(head: &str) -> Option<usize> {
    let head = head.to_ascii_lowercase();
    head.lines().find_map(|line| line.strip_prefix("content-length:"))?.trim().parse().ok()
}

/// The body without the sizes that `Transfer-Encoding: chunked` puts between its parts (RFC 9112, section 7.1).
fn unchunked(head: &str, body: &str) -> String {
    if !head.to_ascii_lowercase().contains("transfer-encoding: chunked") {
        return body.to_owned();
    }
    let mut rest = body;
    let mut whole = String::new();
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap_or(0);
        let (Some(part), true) = (after.get(..size), size > 0) else { break };
        whole.push_str(part);
        rest = after[size..].trim_start_matches("\r\n");
    }
    whole
}

/// A server that refuses before it has read all resets the connection; what it said is heard.
#[test]
fn an_answer_before_the_end_of_a_request_is_heard() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let refusing = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.read_exact(&mut [0; 4]).unwrap();
        stream.write_all(b"HTTP/1.1 413 X\r\nContent-Length: 2\r\n\r\nno").unwrap();
    });
    let answer = post(port, "/", &[], &vec![b'x'; 32 << 20]).unwrap();
    assert_eq!((answer.status, &*answer.body), (413, "no"));
    refusing.join().unwrap();
}

//! As much of an HTTP client as the tests need: one request, one answer, one connection.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

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
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let mut head = format!(
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\nContent-Length: {}\r\n",
        body.len()
    );
    for header in headers {
        head.push_str(header);
        head.push_str("\r\n");
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let text = String::from_utf8_lossy(&answer);
    let (head, body) = text.split_once("\r\n\r\n").ok_or(io::ErrorKind::InvalidData)?;
    let status =
        head.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
    Ok(Answer { status, body: unchunked(head, body) })
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

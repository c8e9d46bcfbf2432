/*!
Syslog over TCP: RFC 5424 messages, framed by RFC 6587, in the open or inside of
TLS (RFC 5425).

Octet counting by default; `framing: lf` for receivers that know no other, which
TLS does not have. Syslog has no acknowledgement: a record counts as delivered
when the operating system has taken it. What was written to a connection that
then broke may be lost, as with every syslog sender; the batch in hand is sent
again, so it may arrive twice. A connection that the other side closed is
noticed before writing. So is a receiver that refuses our certificate with its
handshake: in TLS 1.3 it does so only once we could write, so its first word is
waited for, within bounds. Certificates are read anew with each connection.

Each message carries `expires_at`, class and policy as structured data.
*/

use std::future::poll_fn;
use std::io::{self, Write};
use std::pin::{Pin, pin};
use std::task::Poll;

use rustls::ProtocolVersion;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::act::{Envelope, push_byte};
use crate::clock::{Decimals, Timestamp, push_time};
use crate::limit::{DELIVERY_WAIT, TLS_REFUSAL_WAIT, TLS_VERDICT_WAIT};
use crate::sink::line::one_line;
use crate::sink::{Delivery, Fault, Sink, Verdict};
use crate::store::{self, Resolver, Tls};
use crate::telemetry::SinkError;

/// A syslog sink's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `HOST:PORT`; a name is resolved anew with each connection.
    pub tcp: String,
    /// How messages are told apart.
    pub framing: Framing,
    /// Whom to trust and who we are, inside of TLS; in the open without it.
    pub tls: Option<Tls>,
}

/// How messages are told apart on a stream (RFC 6587, section 3.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Framing {
    /// The message's length before it.
    #[default]
    Octets,
    /// A line feed after it; line feeds, NULs and carriage returns within it become spaces.
    Lf,
}

/// A connection, or the next one.
pub struct Syslog {
    settings: Settings,
    stream: Option<Box<dyn Stream>>,
    out: Vec<u8>,
    writer: Writer,
}

/// TCP, or TLS upon it.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Syslog {
    /// Connects when there is something to send.
    pub fn new(settings: Settings) -> Syslog {
        Syslog { settings, stream: None, out: Vec::new(), writer: Writer::default() }
    }

    async fn attempt(&mut self) -> Result<(), Fault> {
        let mut known = self.stream.take();
        if let Some(stream) = &mut known
            && !is_alive(stream).await
        {
            known = None;
        }
        let mut stream = match known {
            Some(stream) => stream,
            None => {
                let connected = connect(&self.settings).await;
                connected.map_err(|error| Fault::io(SinkError::Connect, &error))?
            }
        };
        let written = async {
            stream.write_all(&self.out).await?;
            stream.flush().await
        };
        written.await.map_err(|error| Fault::io(SinkError::Broken, &error))?;
        self.stream = Some(stream);
        Ok(())
    }
}

impl Sink for Syslog {
    async fn send(&mut self, delivery: &mut Delivery<'_>) -> Verdict {
        self.out.clear();
        for envelope in delivery.iter() {
            self.writer.write_frame(&envelope, self.settings.framing, &mut self.out);
        }
        match timeout(DELIVERY_WAIT, self.attempt()).await {
            Ok(Ok(())) => Verdict::Accept,
            Ok(Err(fault)) => Verdict::Defer(fault, None),
            // Part of the batch may be written: only a new connection begins at a frame, and this one is gone.
            Err(_elapsed) => {
                let detail = format!("not taken within {} s", DELIVERY_WAIT.as_secs());
                Verdict::Defer(Fault { kind: SinkError::Timeout, detail }, None)
            }
        }
    }
}

async fn connect(settings: &Settings) -> io::Result<Box<dyn Stream>> {
    let stream = store::connect(&settings.tcp, &Resolver::default()).await?;
    stream.set_nodelay(true)?;
    let Some(tls) = &settings.tls else { return Ok(Box::new(stream)) };
    let tls = tls.reloaded().map_err(io::Error::other)?;
    let name: Option<ServerName<'static>> =
        settings.tcp.rsplit_once(':').and_then(|(host, _)| tls.name_of(host));
    let name = name.ok_or_else(|| io::Error::other("the address has no host name"))?;
    let mut stream = TlsConnector::from(std::sync::Arc::clone(tls.config())).connect(name, stream).await?;
    if stream.get_ref().1.protocol_version() == Some(ProtocolVersion::TLSv1_3) {
        heard(&mut stream).await?;
    }
    Ok(Box::new(stream))
}

/// Waits for what the server says of who we are. Of TLS 1.3 the client is done before the server has seen that (RFC 8446,
/// section 2), and what it wrote until then would be lost with a refusal. Most servers hand out tickets once they are done,
/// and some look at names only then.
async fn heard(stream: &mut TlsStream<TcpStream>) -> io::Result<()> {
    let end = Instant::now() + TLS_VERDICT_WAIT;
    let Ok(ticket) = timeout_at(end, said(stream, true)).await else { return Ok(()) };
    ticket?;
    timeout(TLS_REFUSAL_WAIT, said(stream, false)).await.unwrap_or(Ok(()))
}

/// Waits until the server says something, or has handed out a ticket if that is enough. Its end is an error.
async fn said(stream: &mut TlsStream<TcpStream>, is_ticket_enough: bool) -> io::Result<()> {
    let mut bytes = [0; 512];
    let mut bytes = ReadBuf::new(&mut bytes);
    poll_fn(|context| match Pin::new(&mut *stream).poll_read(context, &mut bytes) {
        Poll::Ready(Ok(())) if bytes.filled().is_empty() => {
            Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()))
        }
        Poll::Pending if is_ticket_enough && stream.get_ref().1.tls13_tickets_received() > 0 => {
            Poll::Ready(Ok(()))
        }
        read => read,
    })
    .await
}

/// Whether the other side still listens. A receiver has nothing to say, so what it says is thrown away. Asked without a
/// timer: the shortest wait of one is a millisecond, which each batch would be late by.
async fn is_alive(stream: &mut Box<dyn Stream>) -> bool {
    let mut said = [0; 512];
    loop {
        let mut read = pin!(stream.read(&mut said));
        match poll_fn(|context| Poll::Ready(read.as_mut().poll(context))).await {
            Poll::Ready(Ok(1..)) => {}
            Poll::Ready(Ok(0) | Err(_)) => return false,
            Poll::Pending => return true,
        }
    }
}

/// What frames are written with: memory that is used again, and what records of a class have in common.
#[derive(Debug, Default)]
struct Writer {
    message: Vec<u8>,
    own: Own,
}

/// Our element of structured data, for the records whose class, limit and policy it was written for.
#[derive(Debug, Default)]
struct Own {
    class: String,
    policy: String,
    expires_at: Timestamp,
    element: Vec<u8>,
}

impl Own {
    fn of(&mut self, envelope: &Envelope<'_>) -> &[u8] {
        let is_known = self.expires_at == envelope.expires_at
            && self.class == envelope.class
            && self.policy == envelope.policy
            && !self.element.is_empty();
        if !is_known {
            let (class, policy) = (envelope.class, envelope.policy);
            (self.class, self.policy) = (class.to_owned(), policy.to_owned());
            self.expires_at = envelope.expires_at;
            self.element.clear();
            self.element.extend_from_slice(format!("[{OWN_ID} class=\"{class}\" expires_at=\"").as_bytes());
            push_time(envelope.expires_at, Decimals::None, &mut self.element);
            self.element.extend_from_slice(format!("\" policy=\"{policy}\"]").as_bytes());
        }
        &self.element
    }
}

impl Writer {
    fn write_frame(&mut self, envelope: &Envelope<'_>, framing: Framing, out: &mut Vec<u8>) {
        match framing {
            Framing::Octets => {
                self.message.clear();
                write_header(envelope, &mut self.own, &mut self.message);
                let len = self.message.len() + envelope.message.len();
                // Writing into memory does not fail.
                let _ = write!(out, "{len} ");
                out.extend_from_slice(&self.message);
                out.extend_from_slice(envelope.message);
            }
            Framing::Lf => {
                let start = out.len();
                write_header(envelope, &mut self.own, out);
                out.extend_from_slice(envelope.message);
                one_line(&mut out[start..]);
                out.push(b'\n');
            }
        }
    }
}

/// HEADER and STRUCTURED-DATA (RFC 5424, section 6), and the space before MSG.
fn write_header(envelope: &Envelope<'_>, own: &mut Own, out: &mut Vec<u8>) {
    out.push(b'<');
    // user.notice, where the record did not say (RFC 3164, section 4.3.3).
    push_byte(envelope.priority.unwrap_or(13), out);
    out.extend_from_slice(b">1 ");
    push_time(envelope.time.unwrap_or(envelope.received), Decimals::Micros, out);
    out.push(b' ');
    // The lengths are those of RFC 5424, section 6.
    for (word, bytes_max) in
        [(envelope.host, 255), (envelope.app, 48), (envelope.procid, 128), (envelope.msgid, 32)]
    {
        push_word(word, bytes_max, out);
        out.push(b' ');
    }
    out.extend_from_slice(own.of(envelope));
    push_others(envelope.structured, out);
    out.push(b' ');
}

/// Our SD-ID. 32473 is the number that RFC 5612 sets aside for those who have none.
const OWN_ID: &str = "logveil@32473";

/// PRINTUSASCII, or `-` for nothing.
fn push_word(word: &[u8], bytes_max: usize, out: &mut Vec<u8>) {
    if word.is_empty() {
        out.push(b'-');
    }
    let start = out.len();
    out.extend_from_slice(&word[..word.len().min(bytes_max)]);
    for byte in &mut out[start..] {
        *byte = if byte.is_ascii_graphic() { *byte } else { b'_' };
    }
}

/// The record's own structured data, less an element with our name: of those there may be one.
fn push_others(structured: &[u8], out: &mut Vec<u8>) {
    let mut rest = structured;
    while let Some(end) = element_end(rest) {
        let (element, after) = rest.split_at(end);
        let name = element[1..].split(|byte| matches!(byte, b' ' | b']')).next();
        if name != Some(OWN_ID.as_bytes()) {
            out.extend_from_slice(element);
        }
        rest = after;
    }
}

/// Where the element `[…]` at the start ends: quotes hide brackets, and a backslash hides a quote (RFC 5424, section 6.3.3).
fn element_end(text: &[u8]) -> Option<usize> {
    if text.first() != Some(&b'[') {
        return None;
    }
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in text.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b']' if !quoted => return Some(at + 1),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope<'a>(structured: &'a [u8], message: &'a [u8]) -> Envelope<'a> {
        let received = Timestamp::from_second(1_800_000_000).unwrap();
        Envelope {
            id: crate::record::RecordId::default(),
            received,
            time: None,
            class: "access",
            expires_at: received + std::time::Duration::from_secs(90 * 86_400),
            stream: "access",
            policy: "default@1",
            priority: Some(190),
            host: b"web 1",
            app: b"",
            procid: b"7",
            msgid: b"",
            structured,
            message,
        }
    }

    #[track_caller]
    fn check(framing: Framing, structured: &str, message: &str, expected: &str) {
        let mut out = Vec::new();
        let mut writer = Writer::default();
        writer.write_frame(&envelope(structured.as_bytes(), message.as_bytes()), framing, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    const HEAD: &str = "<190>1 2027-01-15T08:00:00.000000Z web_1 - 7 - [logveil@32473 class=\"access\" \
                        expires_at=\"2027-04-15T08:00:00Z\" policy=\"default@1\"]";

    #[test]
    fn octets_are_counted() {
        let expected = format!("{} {HEAD} a\nb", HEAD.len() + 4);
        check(Framing::Octets, "", "a\nb", &expected);
    }

    /// Receivers end a frame at a line feed, a NUL, or CR and LF, some at any of them.
    #[test]
    fn nobody_forges_a_record_with_what_ends_one() {
        for end in ["\n", "\0", "\r"] {
            let (structured, message) = (format!("[x y=\"1{end}2\"]"), format!("a{end}<0>b"));
            check(Framing::Lf, &structured, &message, &format!("{HEAD}[x y=\"1 2\"] a <0>b\n"));
        }
    }

    #[test]
    fn an_element_with_our_name_is_replaced() {
        let theirs = r#"[a b="]\"]"][logveil@32473 class="x"][c]"#;
        check(Framing::Lf, theirs, "m", &format!("{HEAD}{} m\n", r#"[a b="]\"]"][c]"#));
    }

    #[test]
    fn structured_data_that_is_none_is_left_out() {
        check(Framing::Lf, "[a b=\"1", "m", &format!("{HEAD} m\n"));
    }
}

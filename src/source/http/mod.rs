/*!
HTTP/1.1 and HTTP/2, for all protocols of logs that are spoken over it, told apart by their paths:

| path | protocol |
|---|---|
| `POST /v1/logs` and below | a record a line: NDJSON or plain |
| `POST /v1/logs` | OTLP, if it is that: protobuf or JSON |
| `LogsService/Export` over HTTP/2 | OTLP over gRPC |
| `POST /loki/api/v1/push` | Loki: JSON, or protobuf with snappy |
| `POST /_bulk`, `/INDEX/_bulk` | Elasticsearch and OpenSearch |
| `POST /services/collector…` | Splunk's HTTP event collector |

Who posts is asked before the body is read. A body is read
and unpacked to its end, within bounds, before anything is made of it: of a
request that fails nothing is forwarded, but where the queues fill up between
two of its batches, and the client then sends all of it again; a client of
Elasticsearch learns which of its items those were. A client is told yes once
every holder has confirmed its records.

Every other answer has the form of its protocol, for lines
`{"error":{"code":"...","message":"..."}}`, and holds nothing of the request.
*/

mod answer;
mod asked;
mod auth;
mod body;
mod grpc;
mod itemized;
mod pile;
mod protocols;
mod request;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::accept::{Door, Place, ended};
use super::tls::Tls;
use super::{Error, World, peers, stopped};
use crate::limit;
use crate::telemetry::Refusal;
pub use auth::Auth;
use request::Desk;

/// What an HTTP source listens on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The source's name in the configuration.
    pub name: Arc<str>,
    /// Address of the listener.
    pub listen: SocketAddr,
    /// Its TLS; none without it.
    pub tls: Option<Arc<Tls>>,
    /// Who may post.
    pub auth: Auth,
    /// How long it waits, and how much it holds.
    pub limits: Limits,
}

/// How long an HTTP source waits, and how much it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections open at the same time; more wait. Default [`limit::CONNECTIONS_MAX`].
    pub connections_max: usize,
    /// What each peer may do of that.
    pub peers: peers::Settings,
    /// For a request's line and headers, also on an idle connection. Default 30 s.
    pub head_wait: Duration,
    /// For the next bytes of a body. Default 10 s.
    pub body_idle_wait: Duration,
    /// For all of a body. Default 60 s.
    pub body_wait: Duration,
    /// For room in the queues, before the client is asked to come again. Default 1 s.
    pub room_wait: Duration,
    /// For the sinks to confirm the records. Default 20 s.
    pub confirm_wait: Duration,
    /// A body after unpacking, in bytes. Default [`limit::BODY_BYTES_MAX`].
    pub body_bytes_max: usize,
    /// All bodies in hand, packed and unpacked, in bytes. Default [`limit::BODIES_BYTES_MAX`].
    pub bodies_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections_max: limit::CONNECTIONS_MAX,
            peers: peers::Settings::default(),
            head_wait: Duration::from_secs(30),
            body_idle_wait: Duration::from_secs(10),
            body_wait: Duration::from_secs(60),
            room_wait: Duration::from_secs(1),
            confirm_wait: Duration::from_secs(20),
            body_bytes_max: limit::BODY_BYTES_MAX,
            bodies_bytes_max: limit::BODIES_BYTES_MAX,
        }
    }
}

/// An HTTP source with its socket bound.
#[derive(Debug)]
pub struct Listener {
    settings: Settings,
    tcp: TcpListener,
}

impl Listener {
    /// The address that the listener has; port 0 in the settings makes the system choose.
    pub fn addr(&self) -> Option<SocketAddr> {
        self.tcp.local_addr().ok()
    }
}

/// Binds the socket. To be called within a runtime.
pub async fn bind(settings: Settings) -> Result<Listener, Error> {
    match TcpListener::bind(settings.listen).await {
        Ok(tcp) => Ok(Listener { settings, tcp }),
        Err(cause) => Err(Error::bind(&settings.name, "tcp", settings.listen, cause)),
    }
}

/// Serves until the world stops; ends when every request in hand has been answered.
pub async fn serve(listener: Listener, world: World) {
    let Listener { settings, tcp } = listener;
    let name = Arc::clone(&settings.name);
    let door = Door::new(
        tcp,
        settings.limits.connections_max,
        settings.limits.peers,
        name,
        Arc::clone(&world.metrics),
    );
    let mut stop = world.stop.clone();
    let desk = Arc::new(Desk::new(settings, world));
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = stopped(&mut stop) => break,
            Some(joined) = connections.join_next() => ended(joined, &desk.settings.name, &desk.world.metrics),
            (stream, place) = door.accept() => {
                connections.spawn(connection(stream, place, Arc::clone(&desk)));
            }
        }
    }
    drop(door);
    while let Some(joined) = connections.join_next().await {
        ended(joined, &desk.settings.name, &desk.world.metrics);
    }
}

async fn connection(stream: TcpStream, place: Place, desk: Arc<Desk>) {
    let place = Arc::new(place);
    match &desk.settings.tls {
        None if begins_http2(&stream, &desk).await => streams(stream, &place, &desk).await,
        None => requests(stream, &place, &desk).await,
        Some(tls) => {
            if let Some(stream) = tls.accept(stream, &desk.settings.name, &desk.world.metrics).await {
                match stream.get_ref().1.alpn_protocol() {
                    Some(b"h2") => streams(stream, &place, &desk).await,
                    _ => requests(stream, &place, &desk).await,
                }
            }
        }
    }
}

/// Whether a client begins with HTTP/2 at once (RFC 9113, section 3.3), as gRPC does without TLS.
async fn begins_http2(stream: &TcpStream, desk: &Desk) -> bool {
    let mut stop = desk.world.stop.clone();
    let mut begin = [0; 3];
    let peeked = async { matches!(stream.peek(&mut begin).await, Ok(3)) && &begin == b"PRI" };
    tokio::select! {
        is_http2 = peeked => is_http2,
        // What follows has its own answer to a stop and to silence.
        () = tokio::time::sleep(desk.settings.limits.head_wait) => false,
        () = stopped(&mut stop) => false,
    }
}

/// Serves one connection of HTTP/2, whose streams are answered side by side; after a stop those in hand are its last.
///
/// What a client may make it hold is bounded: streams, bytes of headers, bytes that it has sent and we have not read, bytes
/// of answers that it does not take, streams that it opened and reset. What its streams hold is taken from the room for bodies.
async fn streams(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    place: &Arc<Place>,
    desk: &Arc<Desk>,
) {
    let mut http = http2::Builder::new(TokioExecutor::new());
    http.timer(TokioTimer::new())
        .max_concurrent_streams(limit::STREAMS_MAX)
        .max_header_list_size(limit::REQUEST_HEAD_BYTES_MAX as u32)
        .initial_stream_window_size(limit::STREAM_WINDOW_BYTES)
        .initial_connection_window_size(limit::STREAMS_WINDOW_BYTES)
        .max_send_buf_size(limit::STREAM_SEND_BYTES)
        .max_pending_accept_reset_streams(limit::STREAMS_RESET_MAX)
        .max_local_error_reset_streams(limit::STREAMS_RESET_MAX)
        .keep_alive_interval(desk.settings.limits.head_wait)
        .keep_alive_timeout(desk.settings.limits.head_wait);
    let mut stop = desk.world.stop.clone();
    let serve = service_fn(|request| {
        let (desk, place) = (Arc::clone(desk), Arc::clone(place));
        async move { Ok::<_, std::convert::Infallible>(desk.answer_http2(request, &place.guest).await) }
    });
    let mut serving = std::pin::pin!(http.serve_connection(TokioIo::new(stream), serve));
    let served = tokio::select! {
        served = serving.as_mut() => served,
        () = stopped(&mut stop) => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(err) = served {
        refused(desk, &err);
    }
}

/// Serves one connection, request after request; after a stop the one in hand is its last.
async fn requests(stream: impl AsyncRead + AsyncWrite + Unpin, place: &Place, desk: &Arc<Desk>) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(desk.settings.limits.head_wait)
        .max_header_size(limit::REQUEST_HEAD_BYTES_MAX)
        .max_headers(limit::REQUEST_HEADERS_MAX)
        .max_buf_size(limit::REQUEST_READ_BYTES)
        .half_close(true)
        .keep_alive(true);
    let mut stop = desk.world.stop.clone();
    let serve = service_fn(|request| {
        let desk = Arc::clone(desk);
        async move {
            Ok::<_, std::convert::Infallible>(desk.answer(request, Ok(desk.room.share()), &place.guest).await)
        }
    });
    let mut serving = std::pin::pin!(http.serve_connection(TokioIo::new(stream), serve));
    let served = tokio::select! {
        served = serving.as_mut() => served,
        () = stopped(&mut stop) => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(err) = served {
        refused(desk, &err);
    }
}

/// Counts a connection that ended in a fault of the client's.
fn refused(desk: &Desk, err: &hyper::Error) {
    let why = match err {
        err if err.is_timeout() => Refusal::Timeout,
        err if err.is_parse_too_large() => Refusal::TooLarge,
        err if err.is_parse() => Refusal::Malformed,
        // The client went away: its own affair.
        _ => return,
    };
    desk.world.metrics.refuse(&desk.settings.name, why);
}

/*!
Requests to one store, over connections that are used again.

A connection is used for [`CONNECTION_AGE_MAX`] at most: then all are made anew,
with names resolved and certificates read again, so that a store that moved is
found and a renewed certificate is taken. Credentials are read again then, too,
and at once when the store does not know them (401 or 403).
*/

use std::error::Error;
use std::fmt;
use std::io::Write;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::header::{
    CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT,
};
use hyper::{Method, Uri};
use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::time::Instant;

use super::{Auth, Resolver, Tls};
use crate::limit::{ANSWER_BYTES_MAX, CONNECTION_AGE_MAX, DELIVERY_WAIT, FAULT_TEXT_CHARS_MAX};

/// Where a store is, and how to speak to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `http://HOST[:PORT][/PATH]`, or `https://`. Paths of requests come behind its path.
    pub url: Uri,
    /// Who we are.
    pub auth: Auth,
    /// For `https://`.
    pub tls: Option<Tls>,
    /// How bodies of requests are packed.
    pub compression: Compression,
}

/// How a body is packed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// As it is.
    #[default]
    None,
    /// gzip (RFC 1952).
    Gzip,
    /// zstd (RFC 8878).
    Zstd,
}

impl Compression {
    /// The name that HTTP has for it (RFC 9110, section 8.4.1; RFC 8878, section 7.2).
    pub fn encoding(self) -> Option<&'static str> {
        match self {
            Compression::None => None,
            Compression::Gzip => Some("gzip"),
            Compression::Zstd => Some("zstd"),
        }
    }

    /// Packs bytes, at a level that costs less time than the network saves.
    pub fn pack(self, bytes: Bytes) -> Bytes {
        let packed = match self {
            Compression::None => return bytes,
            Compression::Gzip => {
                let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                packer.write_all(&bytes).and_then(|()| packer.finish())
            }
            Compression::Zstd => zstd::bulk::compress(&bytes, 1),
        };
        packed.expect("packing into memory does not fail").into()
    }
}

/// What is asked of a store. Its `Debug` shows no path, no header and no body.
pub struct Request {
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Bytes,
    packed: bool,
    wait: Duration,
    answer_bytes_max: usize,
}

impl Request {
    /// A request with `path` behind the store's own; it begins with `/`, or is empty.
    pub fn new(method: Method, path: impl Into<String>) -> Request {
        Request {
            method,
            path: path.into(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            packed: false,
            wait: DELIVERY_WAIT,
            answer_bytes_max: ANSWER_BYTES_MAX,
        }
    }

    /// `GET`.
    pub fn get(path: impl Into<String>) -> Request {
        Request::new(Method::GET, path)
    }

    /// `POST` with a body.
    pub fn post(path: impl Into<String>, content_type: &'static str, body: impl Into<Bytes>) -> Request {
        Request::new(Method::POST, path).body(content_type, body)
    }

    /// `PUT` with a body.
    pub fn put(path: impl Into<String>, content_type: &'static str, body: impl Into<Bytes>) -> Request {
        Request::new(Method::PUT, path).body(content_type, body)
    }

    /// `DELETE`.
    pub fn delete(path: impl Into<String>) -> Request {
        Request::new(Method::DELETE, path)
    }

    /// With this body.
    pub fn body(mut self, content_type: &'static str, body: impl Into<Bytes>) -> Request {
        self.body = body.into();
        self.headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        self
    }

    /// With one more header line.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Request {
        self.headers.insert(name, value);
        self
    }

    /// The body is packed already, or must not be: it goes as it is.
    pub fn as_it_is(mut self) -> Request {
        self.packed = true;
        self
    }

    /// With this time for all of it, instead of [`DELIVERY_WAIT`].
    pub fn wait(mut self, wait: Duration) -> Request {
        self.wait = wait;
        self
    }

    /// With this bound for the answer's body, instead of [`ANSWER_BYTES_MAX`].
    pub fn answer_bytes_max(mut self, bytes: usize) -> Request {
        self.answer_bytes_max = bytes;
        self
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Request({} with {} bytes)", self.method, self.body.len())
    }
}

/// What a store answered, whole. Its `Debug` shows status and length: stores repeat what they were sent.
pub struct Answer {
    /// Status code. A redirect is an answer like any other.
    pub status: u16,
    /// Header lines.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// Whether the status is 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Seconds to wait (RFC 9110, section 10.2.3). The form with a date is left to the caller's own waits: it needs
    /// two clocks to agree.
    pub fn retry_after(&self) -> Option<Duration> {
        let seconds = self.headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
        Some(Duration::from_secs(seconds))
    }

    /// The body as JSON, if it is.
    pub fn json(&self) -> Option<serde_json::Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer({} with {} bytes)", self.status, self.body.len())
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// No connection: no address, nobody there, or a certificate that is not trusted.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(String),
    /// Too slow.
    #[error("no answer within {} s", .0.as_secs())]
    Timeout(Duration),
    /// The answer is beyond its bound.
    #[error("the answer is longer than {0} bytes")]
    TooLong(usize),
    /// A path that is none; whoever made it must escape what it is made of.
    #[error("the request has no path that can be sent")]
    Path,
}

type Connections = legacy::Client<HttpsConnector<HttpConnector<Resolver>>, Full<Bytes>>;

/// A client of one store, with its connections. Share it: requests at the same time have connections of their own.
pub struct Client {
    settings: Settings,
    resolver: Resolver,
    auth: Mutex<Auth>,
    connections: Mutex<(Connections, Instant)>,
}

impl Client {
    /// Connects when there is something to send.
    pub fn new(settings: Settings) -> Client {
        Client::resolving(settings, Resolver::default())
    }

    /// The same, with names looked up by `resolver`.
    pub fn resolving(settings: Settings, resolver: Resolver) -> Client {
        let connections = connections(settings.tls.as_ref(), resolver.clone());
        let auth = Mutex::new(settings.auth.clone());
        Client { settings, resolver, auth, connections: Mutex::new((connections, Instant::now())) }
    }

    /// Where the store is.
    pub fn url(&self) -> &Uri {
        &self.settings.url
    }

    /// Sends a request and reads the whole answer. Redirects are not followed.
    ///
    /// # Errors
    ///
    /// If there is no whole answer in time.
    pub async fn send(&self, request: Request) -> Result<Answer, Fault> {
        let wait = request.wait;
        match tokio::time::timeout(wait, self.ask(request)).await {
            Ok(answer) => answer,
            Err(_elapsed) => Err(Fault::Timeout(wait)),
        }
    }

    async fn ask(&self, request: Request) -> Result<Answer, Fault> {
        let bytes_max = request.answer_bytes_max;
        let connections = self.fresh();
        let request = self.written(request)?;
        let answer = connections.request(request).await.map_err(|error| {
            let words = words(&error);
            if error.is_connect() { Fault::Connect(words) } else { Fault::Broken(words) }
        })?;
        let (head, body) = answer.into_parts();
        // Splunk says 403 of a token that it does not know.
        if matches!(head.status.as_u16(), 401 | 403) {
            self.reread();
        }
        let body = Limited::new(body, bytes_max).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() {
                return Fault::TooLong(bytes_max);
            }
            Fault::Broken(words(&*error))
        })?;
        Ok(Answer { status: head.status.as_u16(), headers: head.headers, body: body.to_bytes() })
    }

    fn written(&self, request: Request) -> Result<hyper::Request<Full<Bytes>>, Fault> {
        let mut url = self.settings.url.clone().into_parts();
        let own = url.path_and_query.as_ref().map_or("/", |path| path.as_str());
        if !request.path.is_empty() {
            let own = own.split('?').next().unwrap_or_default().trim_end_matches('/');
            url.path_and_query = Some(format!("{own}{}", request.path).parse().map_err(|_| Fault::Path)?);
        }
        let mut headers = request.headers;
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("logveil/", env!("CARGO_PKG_VERSION"))));
        if let Some((name, value)) = self.auth().line() {
            headers.insert(name, value.clone());
        }
        let mut body = request.body;
        if let Some(encoding) =
            self.settings.compression.encoding().filter(|_| !request.packed && !body.is_empty())
        {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
            body = self.settings.compression.pack(body);
        }
        let mut written = hyper::Request::new(Full::new(body));
        *written.method_mut() = request.method;
        *written.uri_mut() = Uri::from_parts(url).map_err(|_| Fault::Path)?;
        *written.headers_mut() = headers;
        Ok(written)
    }

    fn auth(&self) -> std::sync::MutexGuard<'_, Auth> {
        // It is replaced whole.
        self.auth.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Takes credentials that were changed where they came from.
    fn reread(&self) {
        let known = self.auth().clone();
        if let Some(changed) = known.changed() {
            tracing::info!("took changed credentials of a store");
            *self.auth() = changed;
        }
    }

    /// The connections, new ones if those there are have reached their age.
    fn fresh(&self) -> Connections {
        let mut held = self.connections.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if held.1.elapsed() >= CONNECTION_AGE_MAX {
            self.reread();
            let tls = self.settings.tls.as_ref().map(|tls| {
                tls.reloaded().unwrap_or_else(|error| {
                    tracing::error!(%error, "cannot read certificates again; those read before still hold");
                    tls.clone()
                })
            });
            *held = (connections(tls.as_ref(), self.resolver.clone()), Instant::now());
        }
        held.0.clone()
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Client").field(&self.settings).finish()
    }
}

fn connections(tls: Option<&Tls>, resolver: Resolver) -> Connections {
    let mut tcp = HttpConnector::new_with_resolver(resolver);
    tcp.set_nodelay(true);
    tcp.enforce_http(false);
    let config = tls.map_or_else(Tls::nobody, |tls| (**tls.config()).clone());
    let builder = HttpsConnectorBuilder::new().with_tls_config(config).https_or_http();
    let builder = match tls.and_then(Tls::own_name) {
        Some(name) => builder.with_server_name_resolver(FixedServerNameResolver::new(name)),
        None => builder,
    };
    let connector = builder.enable_http1().wrap_connector(tcp);
    legacy::Client::builder(TokioExecutor::new()).pool_idle_timeout(Duration::from_secs(30)).build(connector)
}

/// An error with its causes in one line of a bounded length.
fn words(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(FAULT_TEXT_CHARS_MAX).collect()
}

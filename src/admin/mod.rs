/*!
The admin listener: health, metrics and reload, on loopback unless told otherwise.

| request | answer |
|---|---|
| `GET /livez` | 200 as long as the process serves; it depends on nothing else |
| `GET /readyz` | 200, or 503 with the reasons |
| `GET /metrics` | Prometheus text |
| `POST /-/reload` | 200 with what needs a restart, or 400 with the errors; the old configuration stays |
| `POST /v1/sessions/logout` | 200 with how many of the body's tokens had a pseudonym, which is forgotten |
| `POST /v1/sessions/find` | 200 with what stands in records for the body's tokens, while the table knows it |
| `POST /v1/keys/rotate`, `POST /v1/keys/destroy` | 200 once it is done; 404 for a class or key that is not there |

It reads no other body and repeats nothing of a request. With `tls.client_ca` all but health needs a certificate of that
CA. Where a role with a token may `reload`, read
`metrics` or `logout` others, that needs the token of such a role, `Authorization: Bearer …`: 401 without one, 403 with another's.
Keys, and finding, need such a role in any case. Health is for everybody. With `only: health` there is nothing but health and metrics.
*/

mod keys;
mod logout;

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::app::{By, Health, KeyOrders, Reloader};
use crate::config::{self, May, Role, Serves};
use crate::keys::sessions::Sessions;
use crate::limit::{ADMIN_CONNECTIONS_MAX, ADMIN_WAIT};
use crate::telemetry::Metrics;
use crate::vault::Outcome;

/// What the listener tells about and acts on.
#[derive(Clone)]
pub struct Admin {
    /// Shown at `/metrics`.
    pub metrics: Arc<Metrics>,
    /// Asked at `/readyz`.
    pub health: Arc<Health>,
    /// Told at `/-/reload`.
    pub reloader: Arc<Reloader>,
    /// Who may do what.
    pub roles: Arc<[Role]>,
    /// Where sessions are ended.
    pub sessions: Arc<Sessions>,
    /// Told at `/v1/keys/…`.
    pub keys: Arc<KeyOrders>,
    /// How it is spoken to, and what it answers.
    pub settings: config::Admin,
}

/// Serves until it is dropped, and its connections with it.
pub async fn serve(listener: TcpListener, admin: Admin) {
    let places = Arc::new(Semaphore::new(ADMIN_CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        let place = Arc::clone(&places).acquire_owned().await.expect("nobody closes the semaphore");
        match listener.accept().await {
            Ok((stream, _peer)) => {
                let admin = admin.clone();
                connections.spawn(async move {
                    arrive(stream, admin).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "admin: cannot accept a connection; trying again");
                tokio::time::sleep(ADMIN_WAIT / 10).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Client {
    /// Has a certificate, or is not asked for one.
    Known,
    /// Is asked for a certificate, and showed none.
    Stranger,
}

async fn arrive(stream: TcpStream, admin: Admin) {
    let Some(tls) = admin.settings.tls.clone() else {
        return connection(stream, admin, Client::Known).await;
    };
    let Some(stream) = tls.accept(stream, "admin", &admin.metrics).await else { return };
    let client = match stream.get_ref().1.peer_certificates() {
        None if tls.asks_clients() => Client::Stranger,
        _ => Client::Known,
    };
    connection(stream, admin, client).await;
}

/// One request a connection, in bounded time: nobody holds a place here.
async fn connection(stream: impl AsyncRead + AsyncWrite + Unpin, admin: Admin, client: Client) {
    let service = service_fn(|request| {
        let admin = &admin;
        async move { Ok::<_, Infallible>(answer(admin, request, client).await) }
    });
    let served = http1::Builder::new()
        .keep_alive(false)
        .timer(TokioTimer::new())
        .header_read_timeout(ADMIN_WAIT)
        .serve_connection(TokioIo::new(stream), service);
    // A client that goes away or is too slow is its own affair.
    let _ = tokio::time::timeout(3 * ADMIN_WAIT, served).await;
}

/// What may be asked for by `POST`: its path, what it is called in the audit log, and what a role has to say.
const ACTS: &[(&str, &str, May)] = &[
    ("/-/reload", "reload", May::Reload),
    ("/v1/sessions/logout", "sessions logout", May::Logout),
    ("/v1/sessions/find", "sessions find", May::Find),
    ("/v1/keys/rotate", "keys rotate", May::Keys),
    ("/v1/keys/destroy", "keys destroy", May::Keys),
];

async fn answer(admin: &Admin, request: Request<Incoming>, client: Client) -> Response<Full<Bytes>> {
    let act = ACTS.iter().find(|(path, ..)| *path == request.uri().path());
    match (request.method(), request.uri().path(), act) {
        (&Method::GET | &Method::HEAD, "/livez", _) => json(StatusCode::OK, r#"{"live":true}"#.into()),
        (&Method::GET | &Method::HEAD, "/readyz", _) => ready(&admin.health),
        (&Method::GET | &Method::HEAD, "/metrics", _) => {
            match permit(admin, May::Metrics, &request, client) {
                Ok(_) => respond(
                    StatusCode::OK,
                    "text/plain; version=0.0.4; charset=utf-8",
                    admin.metrics.encode(),
                ),
                Err(refused) => refused.answer(),
            }
        }
        (_, "/livez" | "/readyz" | "/metrics", _) => other_method("GET"),
        (&Method::POST, _, Some((path, what, may))) => match permit(admin, *may, &request, client) {
            Ok(role) => do_act(admin, path, what, role, request.into_body()).await,
            Err(refused) => {
                told(admin, None, what, Outcome::Refused);
                refused.answer()
            }
        },
        (_, _, Some(_)) => other_method("POST"),
        (_, _, None) => json(StatusCode::NOT_FOUND, r#"{"error":"not found"}"#.into()),
    }
}

/// Does what whoever asks may have done.
async fn do_act(
    admin: &Admin,
    path: &str,
    what: &str,
    role: Option<Arc<str>>,
    body: Incoming,
) -> Response<Full<Bytes>> {
    match path {
        "/v1/sessions/logout" => {
            let answer = logout::answer(body, &admin.sessions).await;
            let outcome = if answer.status().is_success() { Outcome::Done } else { Outcome::Refused };
            told(admin, role, what, outcome);
            answer
        }
        "/v1/sessions/find" => {
            let answer = logout::find(body, &admin.keys).await;
            let outcome = if answer.status().is_success() { Outcome::Done } else { Outcome::Refused };
            told(admin, role, what, outcome);
            answer
        }
        "/v1/keys/rotate" => keys::rotate(body, &admin.keys, &By::admin(role)).await,
        "/v1/keys/destroy" => keys::destroy(body, &admin.keys, &By::admin(role)).await,
        _ => reload(&admin.reloader, &By::admin(role)).await,
    }
}

/// Says in the audit log what was asked of the running program.
fn told(admin: &Admin, role: Option<Arc<str>>, what: &str, outcome: Outcome) {
    tokio::task::block_in_place(|| admin.reloader.audited(&By::admin(role), what, outcome));
}

fn ready(health: &Health) -> Response<Full<Bytes>> {
    let reasons = health.reasons();
    let status = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    json(status, serde_json::json!({ "ready": reasons.is_empty(), "reasons": reasons }).to_string())
}

/// Why somebody may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refused {
    /// No token, or nobody's.
    Unknown,
    /// The token of a role that may not.
    Other,
    /// No certificate.
    Stranger,
    /// This listener does nothing of the kind for anybody.
    HealthAlone,
}

impl Refused {
    fn answer(self) -> Response<Full<Bytes>> {
        let forbidden =
            |what: &str| json(StatusCode::FORBIDDEN, serde_json::json!({ "error": what }).to_string());
        match self {
            Refused::Unknown => {
                let mut response = json(StatusCode::UNAUTHORIZED, r#"{"error":"needs a token"}"#.into());
                let bearer = hyper::header::HeaderValue::from_static("Bearer");
                response.headers_mut().insert(WWW_AUTHENTICATE, bearer);
                response
            }
            Refused::Other => forbidden("the role may not"),
            Refused::Stranger => forbidden("needs a client certificate"),
            Refused::HealthAlone => forbidden("this listener answers health and metrics alone"),
        }
    }
}

/// The role in which a request may be answered.
fn permit<B>(
    admin: &Admin,
    may: May,
    request: &Request<B>,
    client: Client,
) -> Result<Option<Arc<str>>, Refused> {
    if client == Client::Stranger {
        return Err(Refused::Stranger);
    }
    if admin.settings.serves == Serves::Health && may != May::Metrics {
        return Err(Refused::HealthAlone);
    }
    role(&admin.roles, may, request)
}

/// The role whose token a request has; none where no role with a token is named for it, which is enough but for keys and for
/// what stands for a person. A
/// token's file that cannot be read is nobody's.
fn role<B>(roles: &[Role], may: May, request: &Request<B>) -> Result<Option<Arc<str>>, Refused> {
    let with_token = |role: &&Role| role.token.is_some();
    if !matches!(may, May::Keys | May::Find)
        && !roles.iter().filter(with_token).any(|role| role.may.contains(&may))
    {
        return Ok(None);
    }
    let given = request.headers().get(AUTHORIZATION).map(|value| value.as_bytes());
    let given = given.and_then(|value| value.strip_prefix(b"Bearer ")).ok_or(Refused::Unknown)?;
    let mut refused = Refused::Unknown;
    // Every role is asked, so that an answer takes the same time whoever's token it is.
    let mut found = None;
    for role in roles.iter().filter(with_token) {
        if role.has_token(given).unwrap_or(false) {
            match role.may.contains(&may) {
                true => found = Some(Arc::clone(&role.name)),
                false => refused = Refused::Other,
            }
        }
    }
    found.map(Some).ok_or(refused)
}

async fn reload(reloader: &Reloader, by: &By) -> Response<Full<Bytes>> {
    match reloader.reload(by).await {
        Ok(reloaded) => {
            let body = serde_json::json!({ "applied": true, "needs_restart": reloaded.needs_restart });
            json(StatusCode::OK, body.to_string())
        }
        Err(error) => {
            let body = serde_json::json!({ "applied": false, "errors": error.lines });
            json(StatusCode::BAD_REQUEST, body.to_string())
        }
    }
}

fn other_method(allowed: &'static str) -> Response<Full<Bytes>> {
    let mut response = json(StatusCode::METHOD_NOT_ALLOWED, r#"{"error":"method not allowed"}"#.into());
    response.headers_mut().insert(ALLOW, hyper::header::HeaderValue::from_static(allowed));
    response
}

fn json(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    respond(status, "application/json", body.into_bytes())
}

fn respond(status: StatusCode, content_type: &'static str, body: Vec<u8>) -> Response<Full<Bytes>> {
    Response::builder()
        .status(status)
        .header(CONTENT_TYPE, content_type)
        .header(CACHE_CONTROL, "no-store")
        .body(Full::new(body.into()))
        .expect("status and headers are constants")
}

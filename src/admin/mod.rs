/*!
The admin listener: health, metrics and reload, on loopback unless told otherwise.

| request | answer |
|---|---|
| `GET /livez` | 200 as long as the process serves; it depends on nothing else |
| `GET /readyz` | 200, or 503 with the reasons |
| `GET /metrics` | Prometheus text |
| `POST /-/reload` | 200 with what needs a restart, or 400 with the errors; the old configuration stays |
| `POST /v1/sessions/logout` | 200 with how many of the body's tokens had a pseudonym, which is forgotten |

It reads no other body and repeats nothing of a request. Where a role with a token may `reload`, read
`metrics` or `logout` others, that needs the token of such a role, `Authorization: Bearer …`: 401 without one, 403 with another's.
Health is for everybody.
*/

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
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::app::{By, Health, Reloader};
use crate::config::{May, Role};
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
                    connection(stream, admin).await;
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

/// One request a connection, in bounded time: nobody holds a place here.
async fn connection(stream: TcpStream, admin: Admin) {
    let service = service_fn(|request| {
        let admin = &admin;
        async move { Ok::<_, Infallible>(answer(admin, request).await) }
    });
    let served = http1::Builder::new()
        .keep_alive(false)
        .timer(TokioTimer::new())
        .header_read_timeout(ADMIN_WAIT)
        .serve_connection(TokioIo::new(stream), service);
    // A client that goes away or is too slow is its own affair.
    let _ = tokio::time::timeout(3 * ADMIN_WAIT, served).await;
}

async fn answer(admin: &Admin, request: Request<Incoming>) -> Response<Full<Bytes>> {
    if request.method() != Method::POST || request.uri().path() != "/v1/sessions/logout" {
        return answer_without_body(admin, &request).await;
    }
    match permit(&admin.roles, May::Logout, &request) {
        Ok(role) => {
            let answer = logout::answer(request.into_body(), &admin.sessions).await;
            let outcome = if answer.status().is_success() { Outcome::Done } else { Outcome::Refused };
            told(admin, role, "sessions logout", outcome);
            answer
        }
        Err(refused) => {
            told(admin, None, "sessions logout", Outcome::Refused);
            refused.answer()
        }
    }
}

/// Says in the audit log what was asked of the running program.
fn told(admin: &Admin, role: Option<Arc<str>>, what: &str, outcome: Outcome) {
    tokio::task::block_in_place(|| admin.reloader.audited(&By::admin(role), what, outcome));
}

async fn answer_without_body(admin: &Admin, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/livez") => json(StatusCode::OK, r#"{"live":true}"#.into()),
        (&Method::GET | &Method::HEAD, "/readyz") => ready(&admin.health),
        (&Method::GET | &Method::HEAD, "/metrics") => match permit(&admin.roles, May::Metrics, request) {
            Ok(_) => {
                respond(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", admin.metrics.encode())
            }
            Err(refused) => refused.answer(),
        },
        (&Method::POST, "/-/reload") => match permit(&admin.roles, May::Reload, request) {
            Ok(role) => reload(&admin.reloader, &By::admin(role)).await,
            Err(refused) => {
                told(admin, None, "reload", Outcome::Refused);
                refused.answer()
            }
        },
        (_, "/v1/sessions/logout") => other_method("POST"),
        (_, "/livez" | "/readyz" | "/metrics") => other_method("GET"),
        (_, "/-/reload") => other_method("POST"),
        (_, _) => json(StatusCode::NOT_FOUND, r#"{"error":"not found"}"#.into()),
    }
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
}

impl Refused {
    fn answer(self) -> Response<Full<Bytes>> {
        match self {
            Refused::Unknown => {
                let mut response = json(StatusCode::UNAUTHORIZED, r#"{"error":"needs a token"}"#.into());
                let bearer = hyper::header::HeaderValue::from_static("Bearer");
                response.headers_mut().insert(WWW_AUTHENTICATE, bearer);
                response
            }
            Refused::Other => json(StatusCode::FORBIDDEN, r#"{"error":"the role may not"}"#.into()),
        }
    }
}

/// The role in which a request may be answered; none where no role with a token is named for it. A token's file that
/// cannot be read is nobody's.
fn permit<B>(roles: &[Role], may: May, request: &Request<B>) -> Result<Option<Arc<str>>, Refused> {
    let with_token = |role: &&Role| role.token.is_some();
    if !roles.iter().filter(with_token).any(|role| role.may.contains(&may)) {
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

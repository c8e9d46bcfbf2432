/*!
The admin listener: health, metrics and reload, on loopback unless told otherwise.

| request | answer |
|---|---|
| `GET /livez` | 200 as long as the process serves; it depends on nothing else |
| `GET /readyz` | 200, or 503 with the reasons |
| `GET /metrics` | Prometheus text |
| `POST /-/reload` | 200 with what needs a restart, or 400 with the errors; the old configuration stays |

It reads no bodies and repeats nothing of a request.
*/

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::app::{Health, Reloader};
use crate::limit::{ADMIN_CONNECTIONS_MAX, ADMIN_WAIT};
use crate::telemetry::Metrics;

/// What the listener tells about and acts on.
#[derive(Clone)]
pub struct Admin {
    /// Shown at `/metrics`.
    pub metrics: Arc<Metrics>,
    /// Asked at `/readyz`.
    pub health: Arc<Health>,
    /// Told at `/-/reload`.
    pub reloader: Arc<Reloader>,
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
        async move { Ok::<_, Infallible>(answer(admin, &request).await) }
    });
    let served = http1::Builder::new()
        .keep_alive(false)
        .timer(TokioTimer::new())
        .header_read_timeout(ADMIN_WAIT)
        .serve_connection(TokioIo::new(stream), service);
    // A client that goes away or is too slow is its own affair.
    let _ = tokio::time::timeout(3 * ADMIN_WAIT, served).await;
}

async fn answer(admin: &Admin, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/livez") => json(StatusCode::OK, r#"{"live":true}"#.into()),
        (&Method::GET | &Method::HEAD, "/readyz") => ready(&admin.health),
        (&Method::GET | &Method::HEAD, "/metrics") => {
            respond(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", admin.metrics.encode())
        }
        (&Method::POST, "/-/reload") => reload(&admin.reloader).await,
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

async fn reload(reloader: &Reloader) -> Response<Full<Bytes>> {
    match reloader.reload().await {
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

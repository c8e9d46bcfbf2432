/*!
`POST /v1/keys/rotate` and `POST /v1/keys/destroy`: pseudonym keys of the running program.

The bodies are `{}` or `{"class":"auth"}`, and `{"key":"k7f3a","confirm":true}`. Nobody may without a role that may `keys`.
*/

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::{Response, StatusCode};

use super::json;
use crate::app::{By, KeyError, KeyOrders};
use crate::limit::LOGOUT_BYTES_MAX;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Rotate {
    class: Option<String>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Destroy {
    key: String,
    confirm: bool,
}

/// Lets new keys serve from now on.
pub(super) async fn rotate(body: Incoming, orders: &KeyOrders, by: &By) -> Response<Full<Bytes>> {
    let Some(Rotate { class }) = read(body).await else {
        return json(
            StatusCode::BAD_REQUEST,
            r#"{"error":"the body is not {} or {\"class\":\"…\"}"}"#.into(),
        );
    };
    match tokio::task::block_in_place(|| orders.rotate(by, class.as_deref())) {
        Ok(made) => json(StatusCode::OK, format!("{{\"made\":{made}}}")),
        Err(error) => refused(&error),
    }
}

/// Ends a key for good.
pub(super) async fn destroy(body: Incoming, orders: &KeyOrders, by: &By) -> Response<Full<Bytes>> {
    let Some(Destroy { key, confirm: true }) = read(body).await else {
        let what = r#"{"error":"the body is not {\"key\":\"…\",\"confirm\":true}"}"#;
        return json(StatusCode::BAD_REQUEST, what.into());
    };
    match tokio::task::block_in_place(|| orders.destroy(by, &key)) {
        Ok(()) => json(StatusCode::OK, r#"{"destroyed":true}"#.into()),
        Err(error) => refused(&error),
    }
}

async fn read<T: serde::de::DeserializeOwned>(body: Incoming) -> Option<T> {
    let body = Limited::new(body, LOGOUT_BYTES_MAX).collect().await.ok()?.to_bytes();
    serde_json::from_slice(if body.is_empty() { b"{}" } else { &body }).ok()
}

fn refused(error: &KeyError) -> Response<Full<Bytes>> {
    let status = match error {
        KeyError::NoClass | KeyError::NoKey => StatusCode::NOT_FOUND,
        KeyError::Vault(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    json(status, serde_json::json!({ "error": error.to_string() }).to_string())
}

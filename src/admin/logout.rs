/*!
`POST /v1/sessions/logout`: an application says that sessions are over. `POST /v1/sessions/find`: what stands for them
as long as they are not, to answer the person whose they are.

The body is `{"tokens":["…"]}`. What stood in the tokens' place can no longer be
reached from them afterwards. No token is repeated, nor is it told which of them
were known: the answer says how many.
*/

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::{Response, StatusCode};
use zeroize::{Zeroize, Zeroizing};

use super::json;
use crate::app::KeyOrders;
use crate::keys::sessions::Sessions;
use crate::limit::LOGOUT_BYTES_MAX;

/// The request, as it is written.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Logout {
    tokens: Vec<String>,
}

impl Drop for Logout {
    fn drop(&mut self) {
        self.tokens.iter_mut().for_each(Zeroize::zeroize);
    }
}

/// Ends the sessions whose tokens the body holds.
pub(super) async fn answer(body: Incoming, sessions: &Sessions) -> Response<Full<Bytes>> {
    let logout = match read(body).await {
        Ok(logout) => logout,
        Err(refused) => return refused,
    };
    let ended = logout.tokens.iter().filter(|token| sessions.end(sessions.place(token.as_bytes()))).count();
    json(StatusCode::OK, format!("{{\"ended\":{ended}}}"))
}

/// Says what may stand for the tokens that the body holds.
pub(super) async fn find(body: Incoming, orders: &KeyOrders) -> Response<Full<Bytes>> {
    match read(body).await {
        Ok(tokens) => {
            let known = orders.stand_for(&tokens.tokens);
            json(StatusCode::OK, serde_json::json!({ "pseudonyms": known }).to_string())
        }
        Err(refused) => refused,
    }
}

async fn read(body: Incoming) -> Result<Logout, Response<Full<Bytes>>> {
    let Ok(body) = Limited::new(body, LOGOUT_BYTES_MAX).collect().await else {
        let what = r#"{"error":"the body is not whole, or longer than 64 KiB"}"#;
        return Err(json(StatusCode::PAYLOAD_TOO_LARGE, what.into()));
    };
    let body = Zeroizing::new(body.to_bytes().to_vec());
    let wrong =
        || json(StatusCode::BAD_REQUEST, r#"{"error":"the body is not {\"tokens\":[\"…\"]}"}"#.into());
    serde_json::from_slice::<Logout>(&body).map_err(|_| wrong())
}

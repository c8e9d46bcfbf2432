/*!
`POST /v1/sessions/logout`: an application says that sessions are over.

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
    let Ok(body) = Limited::new(body, LOGOUT_BYTES_MAX).collect().await else {
        let what = r#"{"error":"the body is not whole, or longer than 64 KiB"}"#;
        return json(StatusCode::PAYLOAD_TOO_LARGE, what.into());
    };
    let body = Zeroizing::new(body.to_bytes().to_vec());
    let Ok(logout) = serde_json::from_slice::<Logout>(&body) else {
        let what = r#"{"error":"the body is not {\"tokens\":[\"…\"]}"}"#;
        return json(StatusCode::BAD_REQUEST, what.into());
    };
    let ended = logout.tokens.iter().filter(|token| sessions.end(sessions.place(token.as_bytes()))).count();
    json(StatusCode::OK, format!("{{\"ended\":{ended}}}"))
}

/*!
Who we are, as a header line that cannot be printed.
*/

use data_encoding::BASE64;
use hyper::header::{AUTHORIZATION, HeaderName, HeaderValue};

use crate::secret::Secret;

/// The header line that goes with every request; none by default. Its `Debug` shows no value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Auth(Option<(HeaderName, HeaderValue)>);

impl Auth {
    /// `Authorization: Basic …` (RFC 7617).
    pub fn basic(user: &str, password: &Secret) -> Option<Auth> {
        let mut pair = user.as_bytes().to_vec();
        pair.push(b':');
        pair.extend_from_slice(password.expose());
        let pair = Secret::new(pair);
        Auth::scheme("Basic", &Secret::new(BASE64.encode(pair.expose()).into_bytes()))
    }

    /// `Authorization: Bearer …` (RFC 6750).
    pub fn bearer(token: &Secret) -> Option<Auth> {
        Auth::scheme("Bearer", token)
    }

    /// `Authorization: SCHEME …`, for stores with a scheme of their own.
    pub fn scheme(scheme: &str, token: &Secret) -> Option<Auth> {
        let line = Secret::new([scheme.as_bytes(), b" ", token.expose()].concat());
        Auth::header("authorization", &line)
    }

    /// A header line of any name. Nothing, if it is none: a line end or another control character in it.
    pub fn header(name: &str, value: &Secret) -> Option<Auth> {
        let name = if name.eq_ignore_ascii_case("authorization") {
            AUTHORIZATION
        } else {
            HeaderName::from_bytes(name.as_bytes()).ok()?
        };
        let mut value = HeaderValue::from_bytes(value.expose()).ok()?;
        value.set_sensitive(true);
        Some(Auth(Some((name, value))))
    }

    /// Name and value.
    pub fn line(&self) -> Option<(&HeaderName, &HeaderValue)> {
        self.0.as_ref().map(|(name, value)| (name, value))
    }
}

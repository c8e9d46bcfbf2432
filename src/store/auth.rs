/*!
Who we are, as a header line that cannot be printed. One that comes from a file
can be read again, when the file was changed.
*/

use std::fmt;
use std::sync::Arc;

use data_encoding::BASE64;
use hyper::header::{AUTHORIZATION, HeaderName, HeaderValue};

use crate::secret::Secret;

/// The header line that goes with every request; none by default. Its `Debug` shows no value.
#[derive(Clone, Default)]
pub struct Auth {
    line: Option<(HeaderName, HeaderValue)>,
    again: Option<Arc<Again>>,
}

/// Reads it where it was read from; nothing if that cannot be read now.
type Again = dyn Fn() -> Option<Auth> + Send + Sync;

impl PartialEq for Auth {
    fn eq(&self, other: &Auth) -> bool {
        self.line == other.line
    }
}

impl Eq for Auth {}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Auth").field(&self.line.as_ref().map(|(name, _)| name)).finish()
    }
}

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
        Some(Auth { line: Some((name, value)), again: None })
    }

    /// Name and value.
    pub fn line(&self) -> Option<(&HeaderName, &HeaderValue)> {
        self.line.as_ref().map(|(name, value)| (name, value))
    }

    /// The same, read again by `again` when it may have changed.
    pub fn read_by(self, again: impl Fn() -> Option<Auth> + Send + Sync + 'static) -> Auth {
        Auth { again: Some(Arc::new(again)), ..self }
    }

    /// What it is now, if that can be read and is another one.
    pub fn changed(&self) -> Option<Auth> {
        let again = self.again.as_ref()?;
        let line = again()?.line;
        (line != self.line).then(|| Auth { line, again: Some(Arc::clone(again)) })
    }
}

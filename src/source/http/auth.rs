/*!
Who may post: tokens, and names with passwords (RFC 6750, RFC 7617).

A token is taken with any scheme that clients have for one: `Bearer`, `Splunk`, `ApiKey`, and as the password of `Basic`,
whatever the name. What is presented is hashed and compared with every credential in constant time, so neither its length
nor how much of it is right can be told from the time. All this comes before a byte of the body is read.
*/

use std::fmt;

use data_encoding::BASE64;
use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use super::answer::Problem;

/// The credentials that a source accepts; everybody's if there are none. Keeps hashes alone.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Auth {
    tokens: Vec<[u8; 32]>,
    users: Vec<[u8; 32]>,
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Auth({} tokens, {} users)", self.tokens.len(), self.users.len())
    }
}

impl Auth {
    /// Accepts a token.
    pub fn add_token(&mut self, token: &[u8]) {
        self.tokens.push(hash(token));
    }

    /// Accepts a name with its password.
    pub fn add_user(&mut self, name: &str, password: &[u8]) {
        self.users.push(hash(&[name.as_bytes(), b":", password].concat()));
    }

    /// Whether everybody may post.
    pub fn is_open(&self) -> bool {
        self.tokens.is_empty() && self.users.is_empty()
    }

    /// Whether a request with these headers may be looked at.
    pub fn check(&self, headers: &HeaderMap) -> Result<(), Problem> {
        if self.is_open() {
            return Ok(());
        }
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let (Some(value), None) = (values.next(), values.next()) else { return Err(Problem::NoCredentials) };
        let value = value.as_bytes();
        let space = memchr::memchr(b' ', value).ok_or(Problem::WrongCredentials)?;
        let (scheme, credential) = (&value[..space], value[space + 1..].trim_ascii());
        let is_one = match &scheme.to_ascii_lowercase()[..] {
            b"basic" => {
                let pair = BASE64.decode(credential).map_err(|_| Problem::WrongCredentials)?;
                let password = memchr::memchr(b':', &pair).map_or(&[][..], |colon| &pair[colon + 1..]);
                among(&self.users, &pair) | among(&self.tokens, password)
            }
            b"bearer" | b"splunk" | b"apikey" => among(&self.tokens, credential),
            _ => Choice::from(0),
        };
        if bool::from(is_one) { Ok(()) } else { Err(Problem::WrongCredentials) }
    }
}

/// Compares with all of them, whichever it is.
fn among(known: &[[u8; 32]], credential: &[u8]) -> Choice {
    let credential = hash(credential);
    known.iter().fold(Choice::from(0), |found, one| found | one.ct_eq(&credential))
}

fn hash(credential: &[u8]) -> [u8; 32] {
    Sha256::digest(credential).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(auth: &Auth, header: Option<&str>, expected: Result<(), Problem>) {
        let mut headers = HeaderMap::new();
        if let Some(header) = header {
            headers.insert(AUTHORIZATION, header.parse().unwrap());
        }
        assert_eq!(auth.check(&headers), expected, "{header:?}");
    }

    fn basic(pair: &str) -> String {
        format!("Basic {}", BASE64.encode(pair.as_bytes()))
    }

    #[test]
    fn tokens_and_users_are_told_apart() {
        let mut auth = Auth::default();
        check(&auth, None, Ok(()));
        auth.add_token(b"canary-1");
        auth.add_user("jane", b"canary-2");
        for good in [
            "Bearer canary-1",
            "bearer  canary-1 ",
            "Splunk canary-1",
            "ApiKey canary-1",
            &basic("x:canary-1"),
            &basic("jane:canary-2"),
        ] {
            check(&auth, Some(good), Ok(()));
        }
        let wrong = Err(Problem::WrongCredentials);
        for bad in [
            "Bearer canary-2",
            "Bearer canary-",
            "Bearer canary-11",
            "Bearer",
            "Digest canary-1",
            "Basic ?",
            "Bearer jane:canary-2",
            &basic("jane:canary-3"),
            &basic("joe:canary-2"),
            &basic("canary-1"),
            &basic("jane"),
        ] {
            check(&auth, Some(bad), wrong);
        }
        check(&auth, None, Err(Problem::NoCredentials));
        assert_eq!(format!("{auth:?}"), "Auth(1 tokens, 1 users)");
    }

    #[test]
    fn two_credentials_are_none() {
        let mut auth = Auth::default();
        auth.add_token(b"a");
        let mut headers = HeaderMap::new();
        headers.append(AUTHORIZATION, "Bearer a".parse().unwrap());
        headers.append(AUTHORIZATION, "Bearer b".parse().unwrap());
        assert_eq!(auth.check(&headers), Err(Problem::NoCredentials));
    }
}

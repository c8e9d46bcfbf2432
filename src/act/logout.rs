/*!
Records that end a session: the tokens in them are taken out of the table of
sessions once the record has been handled.
*/

use crate::structure::member;

/// How records that end a session are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Logouts {
    one_of: Vec<Logout>,
}

/// One way to know them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Logout {
    /// The message is a JSON object, and each of these members has this value.
    Fields(Vec<(String, String)>),
    /// The message holds this text.
    Text(String),
}

impl Logouts {
    /// Records that any of these matches.
    pub fn new(one_of: Vec<Logout>) -> Logouts {
        Logouts { one_of }
    }

    /// Whether no record is known as one.
    pub fn is_empty(&self) -> bool {
        self.one_of.is_empty()
    }

    /// Whether the message is a logout. Linear for each way to know one.
    pub fn matches(&self, message: &[u8]) -> bool {
        self.one_of.iter().any(|logout| match logout {
            Logout::Fields(members) => {
                members.iter().all(|(key, value)| member::has(message, key.as_bytes(), value.as_bytes()))
            }
            Logout::Text(text) => memchr::memmem::find(message, text.as_bytes()).is_some(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_of_them_matches() {
        let field = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let logouts = Logouts::new(vec![
            Logout::Fields(vec![field("event", "logout"), field("ok", "true")]),
            Logout::Text("POST /api/logout ".to_owned()),
        ]);
        assert!(logouts.matches(br#"{"event":"logout","ok":true}"#));
        assert!(logouts.matches(b"\"POST /api/logout HTTP/1.1\" 204"));
        for other in [&br#"{"event":"logout","ok":false}"#[..], b"GET /api/logout", b"logout"] {
            assert!(!logouts.matches(other));
        }
        assert!(!Logouts::default().matches(b"POST /api/logout "));
    }
}

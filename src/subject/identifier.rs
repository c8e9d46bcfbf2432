/*!
What somebody says of themselves, and as which entities logs may know it.
*/

use std::net::IpAddr;

use zeroize::Zeroizing;

use super::Error;
use crate::entity::{Entities, Entity};
use crate::limit::{SUBJECT_VALUE_BYTES_MAX, SUBJECT_VALUES_MAX};
use crate::secret::Secret;

/// What a subject can be known by, and the entities as which rules may find it: a field called `user` holds an address
/// as often as a name.
pub const KINDS: &[(&str, &[&str])] = &[
    ("email", &["email", "username", "user_id"]),
    ("ip", &["ipv4", "ipv6"]),
    ("user-id", &["user_id", "username"]),
    ("user-name", &["username", "user_id", "person_name"]),
    ("phone", &["phone"]),
    ("token", &["jwt", "bearer", "api_key", "session_id", "cookie", "oauth_code"]),
];

/// Shortest value that is looked for: anything shorter stands in every other record.
const VALUE_BYTES_MIN: usize = 2;

/// One value. It cannot be printed.
#[derive(Debug)]
pub struct Identifier {
    kind: String,
    entities: Vec<Entity>,
    value: Secret,
}

/// Somebody, by all that was given.
#[derive(Debug, Default)]
pub struct Subject {
    identifiers: Vec<Identifier>,
}

impl Identifier {
    /// A value of a kind: one of [`KINDS`], or any entity by its name.
    pub fn parse(entities: &Entities, kind: &str, value: &str) -> Result<Identifier, Error> {
        let value = Zeroizing::new(value.trim().to_owned());
        if !(VALUE_BYTES_MIN..=SUBJECT_VALUE_BYTES_MAX).contains(&value.len()) {
            let (kind, bytes) = (kind.to_owned(), value.len());
            return Err(Error::Length { kind, bytes, min: VALUE_BYTES_MIN, max: SUBJECT_VALUE_BYTES_MAX });
        }
        check_form(kind, &value)?;
        let named = KINDS.iter().find(|(known, _)| *known == kind);
        let found: Vec<Entity> = match named {
            Some((_, names)) => names.iter().filter_map(|name| entities.find(name)).collect(),
            None => entities.find(kind).into_iter().collect(),
        };
        if found.is_empty() {
            let known: Vec<&str> = KINDS.iter().map(|(kind, _)| *kind).collect();
            return Err(Error::Kind { kind: kind.to_owned(), known: known.join(", ") });
        }
        let value = Secret::new(value.as_bytes().to_vec());
        Ok(Identifier { kind: kind.to_owned(), entities: found, value })
    }

    /// What kind of value it is.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// As which entities logs may know it.
    pub fn entities(&self) -> &[Entity] {
        &self.entities
    }

    /// The value, for those who look for it.
    pub(super) fn value(&self) -> &[u8] {
        self.value.expose()
    }

    /// The address, if it is one.
    pub(super) fn address(&self) -> Option<IpAddr> {
        let text = std::str::from_utf8(self.value()).ok()?;
        text.parse::<IpAddr>().ok().map(|address| address.to_canonical())
    }
}

fn check_form(kind: &str, value: &str) -> Result<(), Error> {
    let is = |kind: &'static str, form: &'static str, good: bool| match good {
        true => Ok(()),
        false => Err(Error::Form { kind, form }),
    };
    match kind {
        "ip" | "ipv4" | "ipv6" => is("ip", "one address", value.parse::<IpAddr>().is_ok()),
        "email" => {
            let good = value.split_once('@').is_some_and(|(local, domain)| {
                !local.is_empty() && !domain.is_empty() && !value.contains(char::is_whitespace)
            });
            is("email", "one address with an at-sign", good)
        }
        "phone" => is("phone", "one number with its country code, such as +1 and ten digits", {
            value.starts_with('+') && value.bytes().filter(u8::is_ascii_digit).count() >= 7
        }),
        _ => Ok(()),
    }
}

impl Subject {
    /// Somebody known by these values, at least one.
    pub fn of(identifiers: Vec<Identifier>) -> Result<Subject, Error> {
        match identifiers.len() {
            0 => Err(Error::Nobody),
            count if count > SUBJECT_VALUES_MAX => Err(Error::TooMany { count, max: SUBJECT_VALUES_MAX }),
            _ => Ok(Subject { identifiers }),
        }
    }

    /// Reads `KIND VALUE` from each line; empty lines say nothing.
    pub fn read_lines(entities: &Entities, text: &str) -> Result<Vec<Identifier>, Error> {
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let one = |(at, line): (usize, &str)| {
            let (kind, value) = line.trim().split_once(' ').ok_or(Error::Line { line: at + 1 })?;
            Identifier::parse(entities, kind, value)
        };
        lines.map(one).collect()
    }

    /// Each value as each entity that it may be.
    pub fn values(&self) -> impl Iterator<Item = (Entity, &[u8])> + '_ {
        self.identifiers.iter().flat_map(|identifier| {
            let value = identifier.value();
            identifier.entities.iter().map(move |entity| (*entity, value))
        })
    }

    /// What was given.
    pub fn identifiers(&self) -> &[Identifier] {
        &self.identifiers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_nobody() {
        let entities = Entities::builtin();
        for (kind, value) in
            [("ip", "203.0.113.0/24"), ("ip", "203.0.113"), ("email", "@example.com"), ("phone", "555")]
        {
            assert!(
                matches!(Identifier::parse(&entities, kind, value), Err(Error::Form { .. })),
                "{kind} {value}"
            );
        }
    }

    #[test]
    fn an_error_does_not_repeat_the_value() {
        let entities = Entities::builtin();
        for text in ["ip jane.zqplanted", "emailzqplanted", "nothing zqplanted", "email zqplanted"] {
            let Err(error) = Subject::read_lines(&entities, text) else { panic!("{text}") };
            assert!(!format!("{error} {error:?}").contains("zqplanted"), "{error}");
        }
    }

    #[test]
    fn lines_name_kinds_and_entities() {
        let read =
            Subject::read_lines(&Entities::builtin(), "email jane@example.com\n\nmac 00:00:5e:00:53:01\n");
        let read = read.unwrap();
        assert_eq!(read.iter().map(Identifier::kind).collect::<Vec<_>>(), ["email", "mac"]);
        assert_eq!(read[1].entities(), [Entity::MAC]);
        assert!(matches!(Subject::of(Vec::new()), Err(Error::Nobody)));
    }
}

/*!
The way back, for those who must answer a person: what stands in a value's place
under a key, and what an encrypted value holds. Pure; who may ask is not asked here.
*/

use zeroize::Zeroizing;

use super::canonical::canonical;
use super::pseudonym::{Keyed, Value};
use super::truncate;
use crate::action::{Action, Shape};
use crate::entity::{Entities, Entity};
use crate::keys::{EpochKey, Suppressed, ValueDigest};
use crate::mark;

/// How sure it is that a text found in a store stands for the value that is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certainty {
    /// 96 bits and more of it are the key's: nothing else is written so.
    Certain,
    /// It looks like any address or number, and may be one.
    LooksAlike,
}

/// What stands in a value's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// As it is written in plain text. In structured data (RFC 5424) and in JSON it is the same.
    pub text: Vec<u8>,
    /// Whether it can be anything else.
    pub certainty: Certainty,
}

/// What the action writes in the place of `value` under `key`. `None` if it leaves nothing to find a person by: what is
/// truncated, masked or redacted.
pub fn trace(
    entities: &Entities,
    entity: Entity,
    action: Action,
    key: &EpochKey,
    value: &[u8],
) -> Option<Trace> {
    let keyed = Keyed::of(action)?;
    let mut spare = Zeroizing::new(Vec::new());
    let mut text = Vec::new();
    Value { entities, key, entity, plain: value, percent: 0 }.write(keyed, &mut spare, &mut text);
    let looks_alike = matches!(action, Action::Pseudonymize { shape: Shape::Ip | Shape::Digits });
    let is_tag = mark::is_tag(entities, &text);
    let certainty = if looks_alike && !is_tag { Certainty::LooksAlike } else { Certainty::Certain };
    Some(Trace { text, certainty })
}

/// The value in whose place the action would have written the plain `text` under `key`, for addresses and numbers that
/// look like any other. There is one whether it was so or not; `None` where the action writes nothing of the kind.
pub fn original(
    entities: &Entities,
    entity: Entity,
    action: Action,
    key: &EpochKey,
    text: &[u8],
) -> Option<Vec<u8>> {
    match action {
        Action::Pseudonymize { shape: Shape::Ip } => {
            let address = truncate::parse(text)?;
            Some(key.address_of(address).to_string().into_bytes())
        }
        Action::Pseudonymize { shape: Shape::Digits } => {
            let mut digits: Vec<u8> = text.iter().filter(|b| b.is_ascii_digit()).copied().collect();
            let zeros = digits.iter().take_while(|&&b| b == b'0').count();
            if !key.digits_of(entities.name(entity), &mut digits[zeros..]) {
                return None;
            }
            let mut digits = digits.into_iter();
            let put = |&byte: &u8| if byte.is_ascii_digit() { digits.next().unwrap_or(byte) } else { byte };
            Some(text.iter().map(put).collect())
        }
        _ => None,
    }
}

/// What the encrypted value `text` holds, and of which entity it is. `None` if it is none, or not of this key.
pub fn open(entities: &Entities, key: &EpochKey, text: &[u8]) -> Option<(Entity, Zeroizing<Vec<u8>>)> {
    let sealed = mark::parse_sealed(entities, text)?;
    if sealed.key_id != key.id().0 {
        return None;
    }
    Some((sealed.entity, key.decrypt(entities.name(sealed.entity), &sealed.encrypted)?))
}

/// What a value is as an entity, by the entity's canonical form, and its digest in a set of suppressed values.
pub fn suppression(
    entities: &Entities,
    entity: Entity,
    value: &[u8],
    suppressed: &Suppressed,
) -> (Entity, ValueDigest) {
    let mut spare = Zeroizing::new(Vec::new());
    let entity = canonical(entity, entities.name(entity), value, &mut spare);
    (entity, suppressed.digest(entities.name(entity), &spare))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::{Domain, PSEUDONYMIZE};
    use crate::keys::KeyId;
    use crate::secret::Secret;

    fn key(id: &[u8; 5]) -> EpochKey {
        EpochKey::new(KeyId(*id), &Secret::new(id.to_vec()))
    }

    #[test]
    fn what_is_written_is_found_again() {
        let (entities, key) = (Entities::builtin(), key(b"k7f3a"));
        let of = |entity, action, value: &str| trace(&entities, entity, action, &key, value.as_bytes());
        let tag = of(Entity::EMAIL, PSEUDONYMIZE, "jane@Example.com").expect("it can be found");
        assert_eq!(tag, of(Entity::EMAIL, PSEUDONYMIZE, "jane@example.com").expect("it can be found"));
        assert_eq!(tag.certainty, Certainty::Certain);
        let shaped = |entity, shape, value| {
            of(entity, Action::Pseudonymize { shape }, value).expect("it can be found").certainty
        };
        assert_eq!(shaped(Entity::IPV4, Shape::Ip, "192.0.2.1"), Certainty::LooksAlike);
        assert_eq!(shaped(Entity::USER_ID, Shape::Digits, "1234567"), Certainty::LooksAlike);
        assert_eq!(shaped(Entity::USER_ID, Shape::Digits, "123"), Certainty::Certain, "that is a tag");
        let email = Shape::Email { domain: Domain::Keep };
        assert_eq!(shaped(Entity::EMAIL, email, "jane@example.com"), Certainty::Certain);
        for (entity, shape, value) in [
            (Entity::IPV4, Shape::Ip, "192.0.2.1"),
            (Entity::IPV6, Shape::Ip, "2001:db8::7"),
            (Entity::USER_ID, Shape::Digits, "000-1234567"),
        ] {
            let action = Action::Pseudonymize { shape };
            let made = of(entity, action, value).expect("it can be found").text;
            let back = original(&entities, entity, action, &key, &made);
            assert_eq!(back.as_deref(), Some(value.as_bytes()));
        }
        for action in [Action::Keep, Action::Mask { first: 0, last: 4 }, Action::Redact { length: false }] {
            assert_eq!(of(Entity::EMAIL, action, "jane@example.com"), None);
        }
    }

    #[test]
    fn what_is_encrypted_is_opened_with_its_key_alone() {
        let entities = Entities::builtin();
        let sealed = trace(&entities, Entity::EMAIL, Action::Encrypt, &key(b"kaaaa"), b"jane@example.com");
        let sealed = sealed.expect("it can be found").text;
        let (entity, opened) = open(&entities, &key(b"kaaaa"), &sealed).expect("it is the key");
        assert_eq!((entity, opened.as_slice()), (Entity::EMAIL, &b"jane@example.com"[..]));
        assert!(open(&entities, &key(b"kbbbb"), &sealed).is_none());
        let other = String::from_utf8(sealed).expect("it is text").replace("email_", "username_");
        assert!(open(&entities, &key(b"kaaaa"), other.as_bytes()).is_none(), "it is of another entity");
        assert!(open(&entities, &key(b"kaaaa"), b"email_kaaaa.mfrggzdfmztwq2lkmfrg").is_none());
    }
}

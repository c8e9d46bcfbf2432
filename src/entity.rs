/*!
The kinds of sensitive values.

An [`Entity`] is a small number; its name lives in [`Entities`], which starts
with the built-in kinds and may grow by those that packs and policies declare.
*/

use std::collections::HashMap;

/// A kind of sensitive value: an index into [`Entities`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entity(u16);

impl Entity {
    /// Position in tables that have one entry per entity.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

macro_rules! builtin {
    ($($id:ident $name:literal $doc:literal,)*) => {
        builtin!(@consts 0u16; $($id $name $doc,)*);
        /// Names of the built-in entities, in the order of their numbers.
        pub const BUILTIN: &[&str] = &[$($name),*];
    };
    (@consts $n:expr; $id:ident $name:literal $doc:literal, $($rest:tt)*) => {
        impl Entity {
            #[doc = $doc]
            pub const $id: Entity = Entity($n);
        }
        builtin!(@consts $n + 1; $($rest)*);
    };
    (@consts $n:expr;) => {};
}

builtin! {
    IPV4 "ipv4" "An IPv4 address in dotted form.",
    IPV6 "ipv6" "An IPv6 address in any form of RFC 4291, section 2.2.",
    MAC "mac" "A 48-bit hardware address.",
    EMAIL "email" "An e-mail address.",
    USERNAME "username" "A user name, known by its field.",
    USER_ID "user_id" "A user's number or id, known by its field.",
    COOKIE "cookie" "The value of a cookie.",
    JWT "jwt" "A JSON Web Token (RFC 7519).",
    BEARER "bearer" "A bearer credential (RFC 6750).",
    BASIC_AUTH "basic_auth" "A basic credential (RFC 7617).",
    PASSWORD "password" "A password, known by its field.",
    API_KEY "api_key" "A key or token known by its field or its entropy.",
    URL_CREDENTIALS "url_credentials" "The password in a URL's user information.",
    CARD "card" "A payment card number (ISO/IEC 7812-1).",
    PRIVATE_KEY "private_key" "A private key in PEM armour (RFC 7468).",
}

/// All entities of a set of rules and their names.
#[derive(Clone, Debug)]
pub struct Entities {
    names: Vec<Box<str>>,
    by_name: HashMap<Box<str>, Entity>,
}

impl Entities {
    /// The built-in entities.
    pub fn builtin() -> Entities {
        let mut entities = Entities { names: Vec::new(), by_name: HashMap::new() };
        for name in BUILTIN {
            entities.declare(name);
        }
        entities
    }

    /// The entity of this name, made if there is none yet.
    pub fn declare(&mut self, name: &str) -> Entity {
        if let Some(&entity) = self.by_name.get(name) {
            return entity;
        }
        let entity =
            Entity(u16::try_from(self.names.len()).expect("packs declare fewer than 65536 entities"));
        self.names.push(name.into());
        self.by_name.insert(name.into(), entity);
        entity
    }

    /// The entity of this name.
    pub fn find(&self, name: &str) -> Option<Entity> {
        self.by_name.get(name).copied()
    }

    /// The entity's name, as policies, labels and metrics write it.
    pub fn name(&self, entity: Entity) -> &str {
        &self.names[entity.index()]
    }

    /// Every entity, in the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = Entity> + '_ {
        (0..self.names.len()).map(|n| Entity(n as u16))
    }

    /// How many entities there are.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Never: the built-in entities are always there.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_name_themselves() {
        let entities = Entities::builtin();
        assert_eq!(entities.name(Entity::IPV4), "ipv4");
        assert_eq!(entities.name(Entity::PRIVATE_KEY), "private_key");
        assert_eq!(entities.find("card"), Some(Entity::CARD));
        assert_eq!(entities.len(), BUILTIN.len());
    }

    #[test]
    fn declaring_twice_gives_the_same_entity() {
        let mut entities = Entities::builtin();
        let first = entities.declare("license_id");
        assert_eq!(entities.declare("license_id"), first);
        assert_eq!(entities.name(first), "license_id");
    }
}

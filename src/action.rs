/*!
What may be done with a finding.

Only the vocabulary: which action an entity gets is the policy's decision, how
it is carried out is the `act` stage's.
*/

use crate::ttl::Ttl;

/// What happens to a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Leaves it as it stands.
    Keep,
    /// Cuts an address to its network, host bits zero. For addresses only.
    Truncate {
        /// Leading bits of an IPv4 address that stay, 0 to 32. Default 24.
        ipv4_prefix: u8,
        /// Leading bits of an IPv6 address that stay, 0 to 128. Default 48.
        ipv6_prefix: u8,
    },
    /// Says less of it: coordinates with fewer decimals, of a birth date the year, of a user agent its family and
    /// major version.
    Generalize {
        /// Decimals of a coordinate that stay, 0 to 4. Default 1, eleven kilometers.
        decimals: u8,
    },
    /// Replaces all but the edges by `*`, length unchanged.
    Mask {
        /// Leading characters that stay. For cards at most 6, else 0. Default 0.
        first: u8,
        /// Trailing characters that stay, at most 4. Default 4.
        last: u8,
    },
    /// Encrypts it under a key of the epoch: equal for equal values, and whoever holds the key can open it.
    Encrypt,
    /// Replaces it by a keyed pseudonym, equal for equal values within an epoch.
    Pseudonymize {
        /// What the pseudonym looks like.
        shape: Shape,
    },
    /// Replaces it by its entity's name in brackets.
    Redact {
        /// Whether the label also says how many bytes stood there: `[prompt 512B]`.
        length: bool,
    },
    /// Removes the field that holds it, key and value. What stands in no field is redacted.
    DropField,
    /// Withholds the whole record, counted.
    DropRecord,
}

/// What a pseudonym looks like. A value that has no such shape gets a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `email_k7f3a.mfrggzdfmztwq2lkmfrg`: entity, key and 96 bits. Our own, so that it is left alone a second time.
    Tag,
    /// An address of the same family; addresses that share a prefix share one as long (draft-denis-ipcrypt).
    Ip,
    /// An e-mail address below a name that nobody can own (RFC 6761).
    Email {
        /// What becomes of the domain.
        domain: Domain,
    },
    /// A UUID of version 8 (RFC 9562).
    Uuid,
    /// As many digits, in the same groups (FF1 of NIST SP 800-38G); a number of JSON stays one.
    Digits,
    /// A tag that is drawn and not made of a key, for as long as the table of sessions remembers it.
    Table {
        /// How long that is at most. A logout ends it at once.
        limit: Ttl,
    },
}

/// Names of all shapes that a key makes.
pub const SHAPES: &[&str] = &["tag", "ip", "email", "uuid", "digits"];

impl Shape {
    /// The shape's name in policies and reports.
    pub fn name(self) -> &'static str {
        match self {
            Shape::Tag => "tag",
            Shape::Ip => "ip",
            Shape::Email { .. } => "email",
            Shape::Uuid => "uuid",
            Shape::Digits => "digits",
            Shape::Table { .. } => "table",
        }
    }
}

/// What becomes of an e-mail address's domain where its pseudonym is an address, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Domain {
    /// It stays readable, below the reserved name.
    Keep,
    /// It has a pseudonym of its own, equal for all addresses of the domain.
    Pseudonymize,
}

impl Action {
    /// How much the action takes away; of two findings of equal span the stronger action wins.
    pub fn strength(self) -> u8 {
        match self {
            Action::Keep => 0,
            Action::Truncate { .. } => 1,
            Action::Generalize { .. } => 2,
            Action::Mask { .. } => 3,
            Action::Encrypt => 4,
            Action::Pseudonymize { .. } => 5,
            Action::Redact { .. } => 6,
            Action::DropField => 7,
            Action::DropRecord => 8,
        }
    }

    /// The action's name in policies, metrics and reports.
    pub fn name(self) -> &'static str {
        NAMES[usize::from(self.strength())]
    }

    /// Whether what it writes is equal for equal values, so that records of one person can be linked.
    pub fn links(self) -> bool {
        matches!(self, Action::Encrypt | Action::Pseudonymize { .. })
    }

    /// Whether it cannot be carried out without the epoch's key.
    pub fn needs_key(self) -> bool {
        match self {
            Action::Pseudonymize { shape: Shape::Table { .. } } => false,
            Action::Encrypt | Action::Pseudonymize { .. } => true,
            _ => false,
        }
    }
}

/// Names of all actions, weakest first.
pub const NAMES: &[&str] = &[
    "keep",
    "truncate",
    "generalize",
    "mask",
    "encrypt",
    "pseudonymize",
    "redact",
    "drop_field",
    "drop_record",
];

/// A pseudonym of the default shape.
pub const PSEUDONYMIZE: Action = Action::Pseudonymize { shape: Shape::Tag };

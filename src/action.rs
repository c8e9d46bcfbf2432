/*!
What may be done with a finding.

Only the vocabulary: which action an entity gets is the policy's decision, how
it is carried out is the `act` stage's.
*/

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
    /// Replaces all but the edges by `*`, length unchanged.
    Mask {
        /// Leading characters that stay. For cards at most 6, else 0. Default 0.
        first: u8,
        /// Trailing characters that stay, at most 4. Default 4.
        last: u8,
    },
    /// Replaces it by a keyed pseudonym, equal for equal values within an epoch.
    Pseudonymize,
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

impl Action {
    /// How much the action takes away; of two findings of equal span the stronger action wins.
    pub fn strength(self) -> u8 {
        match self {
            Action::Keep => 0,
            Action::Truncate { .. } => 1,
            Action::Mask { .. } => 2,
            Action::Pseudonymize => 3,
            Action::Redact { .. } => 4,
            Action::DropField => 5,
            Action::DropRecord => 6,
        }
    }

    /// The action's name in policies, metrics and reports.
    pub fn name(self) -> &'static str {
        match self {
            Action::Keep => "keep",
            Action::Truncate { .. } => "truncate",
            Action::Mask { .. } => "mask",
            Action::Pseudonymize => "pseudonymize",
            Action::Redact { .. } => "redact",
            Action::DropField => "drop_field",
            Action::DropRecord => "drop_record",
        }
    }
}

/// Names of all actions, weakest first.
pub const NAMES: &[&str] =
    &["keep", "truncate", "mask", "pseudonymize", "redact", "drop_field", "drop_record"];

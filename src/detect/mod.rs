/*!
Finds sensitive values in bytes.

[`Rules`] is the compiled form of the packs, shared by all workers.
[`Rules::find`] takes one record's text and appends what it found: sorted by
start, never overlapping, each span the secret part alone.
*/

use crate::entity::{Entities, Entity};
use crate::span::Span;

/// One recognised value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The secret part alone.
    pub span: Span,
    /// What it is.
    pub entity: Entity,
    /// Which rule recognised it.
    pub rule: RuleId,
    /// How the value is written there; `act` decodes by it and keeps the text around valid.
    pub form: Form,
}

/// A rule's place in its [`Rules`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId(pub u16);

/// How a value is written where it was found. Decoding undoes `json` first, then `percent`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Form {
    /// Levels of JSON string around it: 0 outside of JSON, 1 in a JSON string, 2 in JSON inside a JSON string.
    pub json: u8,
    /// A number, `true`, `false` or `null` of JSON at level `json`: text in its place needs quotes.
    pub bare: bool,
    /// Rounds of percent-encoding (RFC 3986, section 2.1).
    pub percent: u8,
}

/// Which entities are looked for, and how strong the policy's action for each is.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// By [`Entity::index`]: [`crate::action::Action::strength`], 0 for what is kept and so not looked for.
    strength: Vec<u8>,
}

impl Wanted {
    /// Makes it from strengths by [`Entity::index`].
    pub fn new(strength: Vec<u8>) -> Wanted {
        Wanted { strength }
    }

    /// The strength of the entity's action; 0 if it is not looked for.
    pub fn strength(&self, entity: Entity) -> u8 {
        self.strength.get(entity.index()).copied().unwrap_or(0)
    }
}

/// A worker's own buffers.
#[derive(Debug, Default)]
pub struct Scratch {}

/// Something that looked like a value and was none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NearMiss {
    /// Where it stands.
    pub span: Span,
    /// The rule that would have recognised it.
    pub rule: RuleId,
    /// Why it did not.
    pub why: Why,
}

/// Why a candidate is no finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The check digit or check sum does not hold.
    Checksum,
    /// What stands around it says it is something else: a version, an OID, a longer number.
    Context,
    /// Too short or too long.
    Length,
    /// Not random enough.
    Entropy,
    /// A placeholder, a variable or one of our own labels or pseudonyms.
    Placeholder,
    /// Covered by a longer finding or by one with a stronger action.
    Suppressed,
}

/// Compiled packs.
#[derive(Debug)]
pub struct Rules {
    entities: Entities,
    stand_in: regex_automata::meta::Regex,
}

impl Rules {
    /// The packs that are compiled into the binary.
    pub fn builtin() -> Rules {
        // A stand-in until the reference matcher is in place: IPv4 and e-mail by two plain patterns.
        let stand_in = regex_automata::meta::Regex::new_many(&[
            r"(?-u:\b)(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?-u:\b)",
            r"[A-Za-z0-9._+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+",
        ])
        .expect("both patterns are valid");
        Rules { entities: Entities::builtin(), stand_in }
    }

    /// The entities that these rules know.
    pub fn entities(&self) -> &Entities {
        &self.entities
    }

    /// The rule's name, as packs write it.
    pub fn rule_name(&self, rule: RuleId) -> &str {
        ["ipv4", "email"][usize::from(rule.0)]
    }

    /// Appends the findings in `haystack` to `findings`, sorted and not overlapping. Linear in the haystack.
    pub fn find(&self, wanted: &Wanted, _: &mut Scratch, haystack: &[u8], findings: &mut Vec<Finding>) {
        for found in self.stand_in.find_iter(haystack) {
            let rule = RuleId(found.pattern().as_u32() as u16);
            let entity = [Entity::IPV4, Entity::EMAIL][usize::from(rule.0)];
            if wanted.strength(entity) > 0 {
                findings.push(Finding { span: found.range().into(), entity, rule, form: Form::default() });
            }
        }
    }

    /// What looked like a value in `haystack` and was none, in order of position.
    pub fn near_misses(&self, _: &Wanted, _haystack: &[u8]) -> Vec<NearMiss> {
        Vec::new()
    }
}

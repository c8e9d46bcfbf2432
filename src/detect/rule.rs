/*!
A rule: how one entity is recognised, and the examples that prove it.
*/

use super::check::Check;
use super::context;
use super::pattern::Pattern;
use super::validator::Validator;
use crate::entity::Entity;
use crate::span::Span;

/// How one entity is recognised.
#[derive(Debug)]
pub struct Rule {
    /// Unique over all packs.
    pub name: Box<str>,
    /// What it recognises.
    pub entity: Entity,
    /// One sentence on what that is and where the facts come from.
    pub description: Box<str>,
    /// How it works.
    pub kind: Kind,
    /// Texts with the values that this rule must recognise in them.
    pub examples: Vec<Example>,
    /// The file it was read from, for messages.
    pub pack: Box<str>,
}

/// How a rule works.
#[derive(Debug)]
pub enum Kind {
    /// An exact parser of our own.
    Parser(Parser),
    /// The value of a field, known by its name.
    Field(FieldRule),
    /// A literal and a pattern around it.
    Pattern(PatternRule),
    /// A checked value near a word.
    Near(NearRule),
    /// A line of the policy, which [`super::overrule`] asks.
    Line,
}

impl Rule {
    /// Whether its findings are hardly ever wrong, wherever they stand: by a check sum, a service's own prefix or an exact
    /// structure, and not by a field's name or a word nearby.
    pub fn is_certain(&self) -> bool {
        match &self.kind {
            Kind::Parser(parser) => parser.is_certain(),
            Kind::Pattern(pattern) => pattern.is_certain(),
            Kind::Field(_) | Kind::Near(_) | Kind::Line => false,
        }
    }
}

impl Kind {
    /// The literals that the rule is looked for at.
    pub fn anchors(&self) -> &[Box<str>] {
        match self {
            Kind::Parser(_) | Kind::Field(_) | Kind::Line => &[],
            Kind::Pattern(pattern) => &pattern.anchors,
            Kind::Near(near) => &near.anchors,
        }
    }
}

/// The exact parsers, by the names that packs call them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Parser {
    /// `entity::ip::v4_at`.
    Ipv4,
    /// `entity::ip::v6_around`.
    Ipv6,
    /// `entity::mac`.
    Mac,
    /// `entity::email`.
    Email,
    /// `entity::card`.
    Card,
    /// `entity::iban`.
    Iban,
    /// `entity::token::jwt_at`.
    Jwt,
    /// `entity::token::bearer_at`.
    Bearer,
    /// `entity::token::basic_at`.
    Basic,
    /// `entity::url`.
    UrlCredentials,
    /// `entity::pem`.
    PrivateKey,
    /// `entity::user`.
    Authuser,
    /// `entity::phone`.
    Phone,
    /// `entity::wallet`.
    Wallet,
    /// `entity::national::it`.
    FiscalCode,
    /// `entity::device::uuid_around`.
    Uuid,
    /// `entity::bot`.
    Bot,
}

impl Parser {
    /// How many parsers there are.
    pub const COUNT: usize = Parser::Bot as usize + 1;

    fn is_certain(self) -> bool {
        match self {
            Parser::Ipv4
            | Parser::Ipv6
            | Parser::Mac
            | Parser::Email
            | Parser::Card
            | Parser::Iban
            | Parser::Jwt
            | Parser::UrlCredentials
            | Parser::PrivateKey
            | Parser::Wallet
            | Parser::FiscalCode => true,
            Parser::Bearer
            | Parser::Basic
            | Parser::Authuser
            | Parser::Phone
            | Parser::Uuid
            | Parser::Bot => false,
        }
    }
}

/// The value of a field.
#[derive(Debug)]
pub struct FieldRule {
    /// Last words of the keys.
    pub keys: Vec<Box<str>>,
    /// How the value is read.
    pub value: FieldValue,
    /// Shortest value, in bytes.
    pub length_min: usize,
    /// Whether a value of digits alone counts.
    pub numbers: Numbers,
    /// What a loosely tied value (`key: value` without quotes) must be.
    pub loose: Loose,
    /// Whether every value inside an array or object counts.
    pub nested: Nested,
    /// The whole value must match, if given.
    pub pattern: Option<Pattern>,
    /// What the whole value must hold, if given.
    pub check: Option<Check>,
    /// Whether the key must have a word before the listed name: `gizmo_key`, and not `key`.
    pub prefixed: bool,
    /// Whether the value must look random.
    pub random: bool,
    /// The field that must stand in the same object, if given.
    pub beside: Option<Beside>,
    /// Reads the value, if given: what it does not take is none, and an unquoted value ends where it says.
    pub validator: Option<Validator>,
}

impl FieldRule {
    /// Whether `key` has a word before the listed name, where the rule asks for that.
    pub fn takes_key(&self, key: &[u8]) -> bool {
        if !self.prefixed {
            return true;
        }
        let letters = |text: &[u8]| text.iter().filter(|b| b.is_ascii_alphabetic()).count();
        let shortest = self.keys.iter().map(|name| letters(name.as_bytes())).min().unwrap_or(0);
        letters(key) > shortest
    }
}

/// How a field's value is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldValue {
    /// The value is the secret.
    #[default]
    Whole,
    /// A `Cookie` header: each pair's value.
    Cookie,
    /// A `Set-Cookie` header: the first pair's value.
    SetCookie,
    /// An `Authorization` header: the credential behind its scheme.
    Authorization,
    /// Of a pattern: the value that begins where the match ends.
    Follows,
}

/// What numbers are to a field rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Numbers {
    /// Values like any other.
    #[default]
    Count,
    /// Values from six digits on: `token: 5` is a counter.
    Long,
    /// No values.
    Ignore,
}

/// What a field rule asks of loosely tied values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loose {
    /// Any value but a few words of prose.
    #[default]
    Any,
    /// A value with a digit in it, or of 20 bytes and more.
    Random,
    /// Nothing: `user: not found`.
    Ignore,
}

/// What a field rule does with arrays and objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Nested {
    /// Takes every value inside.
    All,
    /// Takes the values of a list of strings.
    List,
    /// Leaves them to other rules.
    #[default]
    Ignore,
}

/// A field in the same object that tells what another one holds: `{"role": "user", "content": …}`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Beside {
    /// Its name.
    pub key: Box<str>,
    /// The values that it may have.
    pub values: Vec<Box<str>>,
}

/// A checked value near a word that names it: `SSN is 536-22-1234`.
#[derive(Debug)]
pub struct NearRule {
    /// The words, searched without case; they stand where words begin and end.
    pub anchors: Vec<Box<str>>,
    /// Reads the value.
    pub validator: Validator,
    /// Whether a record that is nothing but such a value needs no word.
    pub alone: Alone,
}

/// What a value must be to be taken from a record that holds nothing else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Alone {
    /// Any value.
    Any,
    /// One with more in it than digits: a bare number may be a count or a time.
    Grouped,
    /// None is.
    #[default]
    Ignore,
}

/// A literal and a pattern around it.
#[derive(Debug)]
pub struct PatternRule {
    /// Literals, one of which every match holds; searched without case.
    pub anchors: Vec<Box<str>>,
    /// What a match looks like; its group `secret` is the finding, else all of it.
    pub pattern: Pattern,
    /// Bytes of a token that every match begins with.
    pub leading_run: usize,
    /// Where the anchor stands to the match.
    pub reach: Reach,
    /// Bytes of the match that may stand before the anchor.
    pub lookback: usize,
    /// Where a match may begin.
    pub begins: Begins,
    /// Bits of entropy per byte that a match must have.
    pub entropy_min: f32,
    /// Digits that a match must have: a plain word has none.
    pub digits_min: usize,
    /// What the finding must hold, if given; it is cut to what does.
    pub check: Option<Check>,
    /// Words that make a match behind them something else: `public key`.
    pub not_after: Vec<Box<str>>,
    /// If the pattern only introduces a value: what the value that begins at its end must be.
    pub follows: Option<FieldRule>,
}

impl PatternRule {
    /// Whether each match begins with a service's own mark, and nothing but its form is asked for.
    fn is_certain(&self) -> bool {
        let marked = self.anchors.iter().all(|anchor| anchor.len() >= MARK_BYTES_MIN);
        let by_form = self.reach == Reach::Over && self.lookback == 0 && self.follows.is_none();
        marked && by_form && self.begins == Begins::Word && self.entropy_min == 0.0
    }
}

/// Bytes of a mark that hardly ever begins anything else: `ghp_`.
const MARK_BYTES_MIN: usize = 4;

/// Where a pattern's anchor stands to its match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// In it.
    Over,
    /// Before it: the match begins where the anchor ends.
    Behind,
}

/// Where a pattern's match may begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Begins {
    /// Where a word does.
    #[default]
    Word,
    /// Also where a part of an identifier does: `MY_OKTA_KEY`, `myOktaKey`.
    Part,
}

impl Begins {
    /// Whether a match may begin at `at`.
    pub fn holds(self, haystack: &[u8], at: usize) -> bool {
        match self {
            Begins::Word => context::word_starts_at(haystack, at),
            Begins::Part => context::part_starts_at(haystack, at),
        }
    }
}

/// How the token of a service is tied to the service's name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tied {
    /// By a word such as `key`, or, where its shape is known, by standing directly behind the name.
    #[default]
    Name,
    /// By a word such as `key` alone: what stands behind the names of services that logs are full of is mostly no token.
    Word,
}

/// A text of a pack's `examples` or `counter_examples`, its marks taken out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// The text without marks.
    pub text: Vec<u8>,
    /// What stood between `«` and `»`: what the rule must recognise, no more and no less. None in a counter-example.
    pub expected: Vec<Span>,
}

impl Example {
    /// Takes the marks out. `None` if they do not pair.
    pub fn parse(marked: &str) -> Option<Example> {
        let mut example = Example { text: Vec::new(), expected: Vec::new() };
        let mut open = None;
        for character in marked.chars() {
            match (character, open) {
                ('«', None) => open = Some(example.text.len()),
                ('»', Some(start)) => {
                    example.expected.push(Span::new(start, example.text.len()));
                    open = None;
                }
                ('«' | '»', _) => return None,
                (other, _) => example.text.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        open.is_none().then_some(example)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_tell_what_is_expected() {
        let example = Example::parse("a «bc» d«e»").expect("marks that pair");
        assert_eq!(example.text, b"a bc de");
        assert_eq!(example.expected, [Span::new(2, 4), Span::new(6, 7)]);
        assert_eq!(Example::parse("a «b"), None);
        assert_eq!(Example::parse("a» b"), None);
    }
}

/*!
One line of a policy: the action of an entity, with its options and the clauses
that it cites.

```yaml
email: pseudonymize                                        # the name of an action
ipv4: { truncate: { ipv4: 24 }, cites: ["privacy.html#ip"] } # or one action with options
```
*/

use super::section::ttl;
use crate::action::{self, Action, Domain, SHAPES, Shape};
use crate::ttl::Ttl;
use crate::yaml::{Field, Table, nearest};

/// What is done where nothing says otherwise.
pub(super) const REDACT: Action = Action::Redact { length: false };

/// The action of one line and the clauses that it cites. `entity` is none where the line speaks of all the rest.
pub(super) fn line(field: &Field<'_>, entity: Option<&str>) -> Option<(Action, Vec<String>)> {
    if !field.is_table() {
        let name = field.text()?;
        let known = action::NAMES.contains(&name);
        let options = known.then_some(Options::default()).or_else(|| field.refuse(unknown_action(name)))?;
        return Some((options.action(name, entity, field)?, Vec::new()));
    }
    let entries = field.entries()?;
    let (cites, actions): (Vec<_>, Vec<_>) = entries.iter().partition(|(key, _)| key == "cites");
    let cites = cites.first().map_or(Some(Vec::new()), |(_, field)| field.texts())?;
    let [(name, options)] = actions[..] else {
        let names: Vec<&str> = actions.iter().map(|(name, _)| name.as_str()).collect();
        let list = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        return field.refuse(format!("a line has one action, and this one has {list}"));
    };
    if !action::NAMES.contains(&name.as_str()) {
        return options.refuse(unknown_action(name));
    }
    let action = Options::read(name, options)?.action(name, entity, options)?;
    Some((action, cites))
}

fn unknown_action(name: &str) -> String {
    format!(
        "{name:?} is no action; the actions are {}{}",
        action::NAMES.join(", "),
        nearest(name, action::NAMES)
    )
}

/// Options of all actions, as far as they are given.
#[derive(Default)]
struct Options {
    ipv4: Option<u8>,
    ipv6: Option<u8>,
    decimals: Option<u8>,
    first: Option<u8>,
    last: Option<u8>,
    shape: Option<&'static str>,
    domain: Option<Domain>,
    table: Option<Ttl>,
    length: Option<bool>,
}

impl Options {
    /// The options of the action of this name; nothing is a table without any.
    fn read(name: &str, field: &Field<'_>) -> Option<Options> {
        if field.is_nothing() {
            return Some(Options::default());
        }
        let known: &[&str] = match name {
            "truncate" => &["ipv4", "ipv6"],
            "generalize" => &["decimals"],
            "mask" => &["first", "last"],
            "pseudonymize" => &["shape", "domain", "table"],
            "redact" => &["length"],
            _ => return field.refuse(format!("{name} has no options; write it alone")),
        };
        let table = field.table(known)?;
        Some(Options {
            ipv4: count(&table, "ipv4", 32)?,
            ipv6: count(&table, "ipv6", 128)?,
            decimals: count(&table, "decimals", 4)?,
            first: count(&table, "first", 6)?,
            last: count(&table, "last", 4)?,
            shape: word(&table, "shape", SHAPES)?,
            domain: word(&table, "domain", DOMAINS)?.map(|word| match word {
                "keep" => Domain::Keep,
                _ => Domain::Pseudonymize,
            }),
            table: match table.find("table") {
                Some(field) => Some(ttl(field)?),
                None => None,
            },
            length: table.find("length").map_or(Some(None), |field| field.boolean().map(Some))?,
        })
    }

    fn action(self, name: &str, entity: Option<&str>, field: &Field<'_>) -> Option<Action> {
        match name {
            "keep" => Some(Action::Keep),
            "truncate" => self.truncate(entity, field),
            "generalize" => self.generalize(entity, field),
            "mask" if self.first.is_some_and(|first| first > 0) && entity != Some("card") => {
                field.refuse("only of a card may leading characters stay; leave `first` out")
            }
            "mask" => Some(Action::Mask { first: self.first.unwrap_or(0), last: self.last.unwrap_or(4) }),
            "encrypt" => Some(Action::Encrypt),
            "pseudonymize" => self.pseudonymize(entity, field),
            "redact" => Some(Action::Redact { length: self.length.unwrap_or(false) }),
            "drop_field" => Some(Action::DropField),
            "drop_record" => Some(Action::DropRecord),
            _ => field.refuse(unknown_action(name)),
        }
    }

    fn truncate(self, entity: Option<&str>, field: &Field<'_>) -> Option<Action> {
        let is_address = matches!(entity, Some("ipv4" | "ipv6"));
        let is_card = entity == Some("card");
        match self.ipv4.or(self.ipv6) {
            Some(_) if is_card => field.refuse("a card has no prefix; write truncate alone"),
            _ if is_address || is_card => Some(Action::Truncate {
                ipv4_prefix: self.ipv4.unwrap_or(24),
                ipv6_prefix: self.ipv6.unwrap_or(48),
            }),
            _ => field.refuse("truncate is for ipv4, ipv6 and card; write redact or pseudonymize"),
        }
    }

    fn generalize(self, entity: Option<&str>, field: &Field<'_>) -> Option<Action> {
        match entity {
            Some("geo_coordinates") => Some(Action::Generalize { decimals: self.decimals.unwrap_or(1) }),
            Some("birth_date" | "user_agent") if self.decimals.is_none() => {
                Some(Action::Generalize { decimals: 1 })
            }
            Some("birth_date" | "user_agent") => {
                field.refuse("only geo_coordinates have decimals; write generalize alone")
            }
            _ => field.refuse(
                "generalize is for geo_coordinates, birth_date and user_agent; write redact or pseudonymize",
            ),
        }
    }

    fn pseudonymize(self, entity: Option<&str>, field: &Field<'_>) -> Option<Action> {
        if let Some(limit) = self.table {
            return match self.shape.is_none() && self.domain.is_none() {
                true => Some(Action::Pseudonymize { shape: Shape::Table { limit } }),
                false => field.refuse("what comes from a table is a tag; leave `shape` and `domain` out"),
            };
        }
        let shape = self.shape.unwrap_or("tag");
        if self.domain.is_some() && shape != "email" {
            return field.refuse("only the shape email has a domain; leave `domain` out");
        }
        let shape = match (shape, entity) {
            ("tag", _) => Shape::Tag,
            ("uuid", _) => Shape::Uuid,
            ("ip", Some("ipv4" | "ipv6")) => Shape::Ip,
            ("ip", _) => return field.refuse("the shape ip is for ipv4 and ipv6; write tag, uuid or digits"),
            ("email", Some("email")) => Shape::Email { domain: self.domain.unwrap_or(Domain::Pseudonymize) },
            ("email", _) => return field.refuse("the shape email is for email; write tag, uuid or digits"),
            ("digits", Some("ipv4" | "ipv6" | "email")) => {
                return field.refuse("the shape digits is for numbers; write ip, email, tag or uuid");
            }
            _ => Shape::Digits,
        };
        Some(Action::Pseudonymize { shape })
    }
}

/// What may become of an address's domain.
const DOMAINS: &[&str] = &["keep", "pseudonymize"];

/// One of `words`, if the key is there.
fn word(table: &Table<'_>, key: &str, words: &'static [&'static str]) -> Option<Option<&'static str>> {
    let Some(field) = table.find(key) else { return Some(None) };
    let find = |text: &str| words.iter().find(|word| **word == text).copied();
    field.parse(&format!("one of {}", words.join(", ")), find).map(Some)
}

/// A whole number from 0 to `most`, if the key is there.
fn count(table: &Table<'_>, key: &str, most: u8) -> Option<Option<u8>> {
    match table.find(key) {
        Some(field) => Some(Some(field.count(0..=most.into())? as u8)),
        None => Some(None),
    }
}

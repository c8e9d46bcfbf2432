/*!
What a policy file may hold, and what it means.

```yaml
policy: shop                 # name, goes out with each record as `shop@3`
version: 3
about: One line for `logveil policy list`.
default: redact              # what no line names
classes:
  "*":                       # holds for every class, where the class says nothing else
    retention: { ttl: 90d, cites: ["privacy.html#logs"] }      # or: retention: 90d
    entities:
      ipv4: { truncate: { ipv4: 24 }, cites: ["privacy.html#ip"] }
      card: { mask: { first: 6, last: 4 } }
      email: pseudonymize
  payment:
    default: drop_field
    entities: { email: redact }
```

An entity's line is the name of an action, or a table of one action with its
options and the clauses that it `cites`. Other keys may join them there later.
*/

use std::collections::HashMap;

use crate::action::{self, Action};
use crate::entity::{Entities, Entity};
use crate::mark;
use crate::ttl::Ttl;
use crate::yaml::{Field, Table, nearest};

/// The built-in classes, in the order of their numbers.
pub const CLASSES: &[&str] = &["access", "app", "activity", "auth", "payment", "support", "audit"];

/// The entities that a policy may name although no pack has a rule for them yet.
const VOCABULARY: &[&str] = &[
    "hostname",
    "url",
    "phone",
    "person_name",
    "birth_date",
    "postal_address",
    "session_id",
    "device_id",
    "imei",
    "uuid",
    "user_agent",
    "iban",
    "bank_account",
    "payment_id",
    "crypto_wallet",
    "us_ssn",
    "us_itin",
    "uk_nino",
    "uk_nhs",
    "de_tax_id",
    "fr_nir",
    "es_nif",
    "it_fiscal_code",
    "nl_bsn",
    "pl_pesel",
    "fi_hetu",
    "se_personnummer",
    "ru_snils",
    "ru_inn",
    "cn_resident_id",
    "in_aadhaar",
    "in_pan",
    "br_cpf",
    "password_hash",
    "otp_code",
    "otp_secret",
    "connection_string",
    "signed_url",
    "oauth_code",
    "aws_access_key",
    "aws_secret_key",
    "gcp_api_key",
    "azure_key",
    "github_token",
    "gitlab_token",
    "slack_token",
    "stripe_key",
    "openai_key",
    "anthropic_key",
    "huggingface_token",
    "npm_token",
    "pypi_token",
    "sendgrid_key",
    "twilio_key",
    "telegram_token",
    "discord_token",
    "geo_coordinates",
    "prompt",
    "completion",
];

/// Retention of a class for which the policy states none.
const TTL: Ttl = Ttl::days(90);

/// A policy as read: without faults, if the report has none.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) name: String,
    pub(super) version: u64,
    pub(super) about: String,
    pub(super) classes: Vec<DraftClass>,
    /// Entities that are named and that no rule finds.
    pub(super) unfound: Vec<String>,
}

/// One class of it; the tables are by [`Entity::index`].
#[derive(Debug)]
pub(super) struct DraftClass {
    pub(super) name: String,
    pub(super) ttl: Ttl,
    pub(super) actions: Vec<Action>,
    pub(super) cites: Vec<Vec<String>>,
}

/// What the section of one class says.
#[derive(Default)]
struct Section {
    ttl: Option<Ttl>,
    default: Option<Action>,
    entities: HashMap<Entity, (Action, Vec<String>)>,
}

/// Reads a policy; what is wrong goes to the field's report.
pub(super) fn draft(root: &Field<'_>, entities: &Entities) -> Option<Draft> {
    let table = root.table(&["policy", "version", "about", "cites", "default", "classes"])?;
    let name = table.need("policy", "the policy's name").and_then(name);
    let version = table.find("version").map_or(Some(1), |field| field.count(1..=u64::from(u32::MAX)));
    let about = table.find("about").map_or(Some(""), Field::text);
    table.find("cites").map(Field::texts);
    let default = table.find("default").map_or(Some(REDACT), |field| Some(line(field, None)?.0));

    let mut reader = Reader { entities, unfound: Vec::new() };
    let mut sections = HashMap::new();
    for (class, field) in table.find("classes").and_then(Field::entries).unwrap_or_default() {
        if let Some(section) = reader.section(&class, &field) {
            sections.insert(class, section);
        }
    }
    let all = sections.remove("*").unwrap_or_default();
    let default = default?;
    let class = |name: &&str| {
        let own = sections.remove(*name).unwrap_or_default();
        let ttl = own.ttl.or(all.ttl).unwrap_or(TTL);
        let rest = (own.default.or(all.default).unwrap_or(default), Vec::new());
        let line = |entity| own.entities.get(&entity).or(all.entities.get(&entity)).unwrap_or(&rest).clone();
        let (actions, cites) = entities.iter().map(line).unzip();
        DraftClass { name: (*name).to_owned(), ttl, actions, cites }
    };
    let classes = CLASSES.iter().map(class).collect();
    Some(Draft { name: name?, version: version?, about: about?.to_owned(), classes, unfound: reader.unfound })
}

/// A policy's name goes out with every record, so it is a word.
fn name(field: &Field<'_>) -> Option<String> {
    let is_word = |text: &str| {
        let of_word = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        (1..=mark::NAME_BYTES_MAX).contains(&text.len()) && text.bytes().all(of_word)
    };
    field.parse("up to 64 letters, digits, `-`, `_` and `.`", |text| is_word(text).then(|| text.to_owned()))
}

struct Reader<'a> {
    entities: &'a Entities,
    unfound: Vec<String>,
}

impl Reader<'_> {
    fn section(&mut self, class: &str, field: &Field<'_>) -> Option<Section> {
        if class != "*" && !CLASSES.contains(&class) {
            let (known, near) = (CLASSES.join(", "), nearest(class, CLASSES));
            return field
                .refuse(format!("is no class; the classes are {known}, and * for all of them{near}"));
        }
        let table = field.table(&["retention", "default", "entities", "cites"])?;
        table.find("cites").map(Field::texts);
        let ttl = table.find("retention").and_then(retention);
        let default = table.find("default").and_then(|field| Some(line(field, None)?.0));
        let mut entities = HashMap::new();
        for (name, field) in table.find("entities").and_then(Field::entries).unwrap_or_default() {
            let Some(entity) = self.entity(&name, &field) else { continue };
            if let Some(line) = line(&field, Some(&name)) {
                entity.map(|entity| entities.insert(entity, line));
            }
        }
        Some(Section { ttl, default, entities })
    }

    /// The entity of this name; `Some(None)` if a policy may name it and no rule finds it.
    fn entity(&mut self, name: &str, field: &Field<'_>) -> Option<Option<Entity>> {
        if let Some(entity) = self.entities.find(name) {
            return Some(Some(entity));
        }
        if VOCABULARY.contains(&name) {
            if !self.unfound.iter().any(|unfound| unfound == name) {
                self.unfound.push(name.to_owned());
            }
            return Some(None);
        }
        let found = self.entities.iter().map(|entity| self.entities.name(entity));
        let known: Vec<&str> = found.chain(VOCABULARY.iter().copied()).collect();
        field.refuse(format!("is no entity; `logveil pattern list` shows them{}", nearest(name, &known)))
    }
}

/// `90d`, or a table with `ttl` and `cites`.
fn retention(field: &Field<'_>) -> Option<Ttl> {
    let ttl = |field: &Field<'_>| {
        let text = field.text()?;
        text.parse().or_else(|error| field.refuse(format!("{text:?} {error}")).ok_or(error)).ok()
    };
    if !field.is_table() {
        return ttl(field);
    }
    let table = field.table(&["ttl", "cites"])?;
    table.find("cites").map(Field::texts);
    table.need("ttl", "a limit such as 90d, 24mo or 5y").and_then(ttl)
}

const REDACT: Action = Action::Redact { length: false };

/// The action of one line and the clauses that it cites. `entity` is none where the line speaks of all the rest.
fn line(field: &Field<'_>, entity: Option<&str>) -> Option<(Action, Vec<String>)> {
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
    first: Option<u8>,
    last: Option<u8>,
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
            "mask" => &["first", "last"],
            "redact" => &["length"],
            _ => return field.refuse(format!("{name} has no options; write it alone")),
        };
        let table = field.table(known)?;
        Some(Options {
            ipv4: count(&table, "ipv4", 32)?,
            ipv6: count(&table, "ipv6", 128)?,
            first: count(&table, "first", 6)?,
            last: count(&table, "last", 4)?,
            length: table.find("length").map_or(Some(None), |field| field.boolean().map(Some))?,
        })
    }

    fn action(self, name: &str, entity: Option<&str>, field: &Field<'_>) -> Option<Action> {
        let is_card = entity == Some("card");
        let is_address = matches!(entity, Some("ipv4" | "ipv6"));
        match name {
            "keep" => Some(Action::Keep),
            "truncate" if is_address || is_card && self.ipv4.or(self.ipv6).is_none() => {
                Some(Action::Truncate {
                    ipv4_prefix: self.ipv4.unwrap_or(24),
                    ipv6_prefix: self.ipv6.unwrap_or(48),
                })
            }
            "truncate" if is_card => field.refuse("a card has no prefix; write truncate alone"),
            "truncate" => field.refuse("truncate is for ipv4, ipv6 and card; write redact or pseudonymize"),
            "mask" if self.first.is_some_and(|first| first > 0) && !is_card => {
                field.refuse("only of a card may leading characters stay; leave `first` out")
            }
            "mask" => Some(Action::Mask { first: self.first.unwrap_or(0), last: self.last.unwrap_or(4) }),
            "pseudonymize" => Some(Action::Pseudonymize),
            "redact" => Some(Action::Redact { length: self.length.unwrap_or(false) }),
            "drop_field" => Some(Action::DropField),
            "drop_record" => Some(Action::DropRecord),
            _ => field.refuse(unknown_action(name)),
        }
    }
}

/// A whole number from 0 to `most`, if the key is there.
fn count(table: &Table<'_>, key: &str, most: u8) -> Option<Option<u8>> {
    match table.find(key) {
        Some(field) => Some(Some(field.count(0..=most.into())? as u8)),
        None => Some(None),
    }
}

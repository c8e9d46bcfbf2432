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

use super::line::{REDACT, line};
use crate::action::Action;
use crate::entity::{Entities, Entity};
use crate::mark;
use crate::ttl::Ttl;
use crate::yaml::{Field, nearest};

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

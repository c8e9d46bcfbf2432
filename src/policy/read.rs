/*!
What a policy file may hold, and what it means.

```yaml
policy: shop                 # name, goes out with each record as `shop@3`
version: 3
about: One line for `logveil policy list`.
effective_from: 2026-12-01   # said by `logveil policy report`; a policy holds once it is loaded
own_classes: [mail]          # beside the built-in ones
declare:                     # entities of its own, see `declare`
  license_id: { keys: [license_id] }
clauses:                     # what the published text promises, see `clause`
  - { id: "6", promise: Access logs live 90 days., bounds: { classes: [access], retention: 90d } }
residency:                   # where a record belongs by what is in it, see `residency`
  - { field: country, values: [RU], regions: [ru] }
default: redact              # what no line names
logout: [{ field: { event: logout } }]   # records that end a session, see `logout`
aggregates: { retention: 5y }            # counts that outlive the records, see `aggregates`
classes:
  "*":                       # holds for every class, where the class says nothing else; see `section`
    retention: { ttl: 90d, cites: ["6"] }
    entities:
      ipv4: { truncate: { ipv4: 24 }, cites: ["6"] }
      email: pseudonymize
  payment:
    default: drop_field
    entities: { email: redact }
```

An entity's line is the name of an action, or a table of one action with its
options and the clauses that it `cites`.
*/

use std::collections::HashMap;

use super::aggregates::{self, Aggregates};
use super::clause::{self, Citation, Clause};
use super::declare::{UNLISTED, rule_of_line};
use super::line::{REDACT, line};
use super::logout::logouts;
use super::residency::{self, Residency};
use super::section::{self, Only, Section, Silent};
use crate::act::Logouts;
use crate::action::Action;
use crate::clock::Timestamp;
use crate::detect::Rules;
use crate::detect::overrule::{self, Overrule, Verdict, Whole};
use crate::entity::Entity;
use crate::mark;
use crate::structure::path::Pattern;
use crate::ttl::Ttl;
use crate::yaml::{Field, nearest};

/// The built-in classes, in the order of their numbers.
pub const CLASSES: &[&str] = &["access", "app", "activity", "auth", "payment", "support", "audit"];

/// The entities that a policy may name although no pack has a rule for them yet.
pub(super) const VOCABULARY: &[&str] = &[
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

/// Classes beside the built-in ones that a policy may have: each costs a table of all entities.
const OWN_CLASSES_MAX: usize = 64;

/// A region's name, as stores are marked with it.
pub type Region = String;

/// A policy as read: without faults, if the report has none.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) name: String,
    pub(super) version: u64,
    pub(super) about: String,
    pub(super) effective_from: Option<Timestamp>,
    pub(super) classes: Vec<DraftClass>,
    pub(super) logouts: Logouts,
    pub(super) aggregates: Option<Aggregates>,
    pub(super) clauses: Vec<Clause>,
    pub(super) citations: Vec<Citation>,
    pub(super) residency: Residency,
    /// Entities that are named and that no rule finds.
    pub(super) unfound: Vec<String>,
}

/// One class of it; the tables are by [`Entity::index`].
#[derive(Debug)]
pub(super) struct DraftClass {
    pub(super) name: String,
    pub(super) ttl: Ttl,
    pub(super) regions: Option<Vec<Region>>,
    pub(super) actions: Vec<Action>,
    pub(super) cites: Vec<Vec<String>>,
    /// Whether a line speaks of the entity, and not the default alone.
    pub(super) named: Vec<bool>,
    /// Whether there is a section for it alone.
    pub(super) stated: bool,
    pub(super) overrule: Overrule,
    /// What is done in records that ask not to be tracked.
    pub(super) silent: Option<Vec<Action>>,
}

/// What a policy may hold at the top.
const KEYS: &[&str] = &[
    "policy",
    "version",
    "about",
    "effective_from",
    "cites",
    "own_classes",
    "declare",
    "clauses",
    "residency",
    "default",
    "classes",
    "logout",
    "aggregates",
];

/// Reads a policy; what is wrong goes to the field's report. `rules` have what it declares.
pub(super) fn draft(root: &Field<'_>, rules: &Rules) -> Option<Draft> {
    let table = root.table(KEYS)?;
    let name = table.need("policy", "the policy's name").and_then(name);
    let version = table.find("version").map_or(Some(1), |field| field.count(1..=u64::from(u32::MAX)));
    let about = table.find("about").map_or(Some(""), Field::text);
    let effective_from = table.find("effective_from").map_or(Some(None), |field| date(field).map(Some));
    table.find("cites").map(Field::texts);
    let default = table.find("default").map_or(Some(REDACT), |field| Some(line(field, None)?.0));
    let mut classes: Vec<String> = CLASSES.iter().map(|&name| name.to_owned()).collect();
    if let Some(field) = table.find("own_classes") {
        own_classes(field, &mut classes);
    }

    let mut reader = Reader { rules, classes, unfound: Vec::new(), citations: Vec::new() };
    let drafts = match table.find("clauses") {
        Some(field) => clause::read(field, &reader),
        None => Vec::new(),
    };
    for (entity, field) in table.find("declare").and_then(Field::entries).unwrap_or_default() {
        reader.cite_of(&entity, &field);
    }
    let residency = match table.find("residency") {
        Some(field) => residency::read(&mut reader, field),
        None => Residency::default(),
    };
    let mut sections = HashMap::new();
    for (class, field) in table.find("classes").and_then(Field::entries).unwrap_or_default() {
        if let Some(section) = reader.section(&class, &field) {
            sections.insert(class, section);
        }
    }
    let all = sections.remove("*").unwrap_or_default();
    let aggregates = match table.find("aggregates") {
        Some(field) => Some(aggregates::read(&mut reader, field)?),
        None => None,
    };
    let logouts = table.find("logout").map_or(Some(Logouts::default()), logouts);
    let default = default?;
    let mut classes = Vec::new();
    for name in reader.classes.clone() {
        let own = sections.remove(&name);
        let stated = own.is_some();
        let own = own.unwrap_or_default();
        let merged = Merged { rules, own: &own, all: &all, default };
        let class = DraftClass { stated, ..merged.class(name) };
        clause::check(&drafts, &class, &merged);
        classes.push(class);
    }
    let Reader { unfound, citations, .. } = reader;
    clause::cited(&drafts, &citations);
    let citations = citations.into_iter().map(|(citation, _)| citation).collect();
    let clauses = drafts.into_iter().map(|(clause, _)| clause).collect();
    Some(Draft {
        name: name?,
        version: version?,
        about: about?.to_owned(),
        effective_from: effective_from?,
        classes,
        logouts: logouts?,
        aggregates,
        clauses,
        citations,
        residency,
        unfound,
    })
}

/// A policy's name goes out with every record, so it is a word.
fn name(field: &Field<'_>) -> Option<String> {
    let is_word = |text: &str| {
        let of_word = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        (1..=mark::NAME_BYTES_MAX).contains(&text.len()) && text.bytes().all(of_word)
    };
    field.parse("up to 64 letters, digits, `-`, `_` and `.`", |text| is_word(text).then(|| text.to_owned()))
}

/// A day, from its first second on (UTC).
fn date(field: &Field<'_>) -> Option<Timestamp> {
    field.parse("a day such as 2026-12-01", |text| format!("{text}T00:00:00Z").parse().ok())
}

/// Classes' names stand in names of files and in labels of metrics.
fn own_classes(field: &Field<'_>, classes: &mut Vec<String>) {
    for member in field.list().unwrap_or_default() {
        let is_word = |text: &str| {
            let sign = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
            (1..=32).contains(&text.len()) && text.bytes().all(sign)
        };
        let name = member.parse("up to 32 of a-z, 0-9 and _", |text| is_word(text).then(|| text.to_owned()));
        let Some(name) = name else { continue };
        if classes.contains(&name) {
            member
                .refuse::<()>(format!("names {name} again; the built-in classes are {}", CLASSES.join(", ")));
        } else if classes.len() >= CLASSES.len() + OWN_CLASSES_MAX {
            member.refuse::<()>(format!(
                "is one too many; there may be {OWN_CLASSES_MAX} beside the built-in ones"
            ));
        } else {
            classes.push(name);
        }
    }
}

/// What sections are read with.
pub(super) struct Reader<'r, 'a> {
    pub(super) rules: &'r Rules,
    pub(super) classes: Vec<String>,
    unfound: Vec<String>,
    citations: Vec<(Citation, Field<'a>)>,
}

impl<'a> Reader<'_, 'a> {
    fn section(&mut self, class: &str, field: &Field<'a>) -> Option<Section<'a>> {
        if class != "*" {
            self.is_class(class, field)?;
        }
        section::read(self, class, field)
    }

    /// Reports a class that there is not.
    pub(super) fn is_class(&self, class: &str, field: &Field<'_>) -> Option<()> {
        if self.classes.iter().any(|known| known == class) {
            return Some(());
        }
        let known: Vec<&str> = self.classes.iter().map(String::as_str).collect();
        let (list, near) = (known.join(", "), nearest(class, &known));
        field.refuse(format!("is no class; the classes are {list}, and * for all of them{near}"))
    }

    /// The entity of this name; `Some(None)` if a policy may name it and no rule finds it.
    pub(super) fn entity(&mut self, name: &str, field: &Field<'_>) -> Option<Option<Entity>> {
        let entities = self.rules.entities();
        if let Some(entity) = entities.find(name) {
            return Some(Some(entity));
        }
        if VOCABULARY.contains(&name) {
            if !self.unfound.iter().any(|unfound| unfound == name) {
                self.unfound.push(name.to_owned());
            }
            return Some(None);
        }
        let found = entities.iter().map(|entity| entities.name(entity));
        let known: Vec<&str> = found.chain(VOCABULARY.iter().copied()).collect();
        field.refuse(format!("is no entity; `logveil pattern list` shows them{}", nearest(name, &known)))
    }

    /// Notes that a line keeps clauses.
    pub(super) fn cited(&mut self, class: &str, what: &str, clauses: &[String], at: &Field<'a>) {
        let class = if class == "*" { "every class" } else { class };
        for clause in clauses {
            let line = format!("{class}: {what}");
            self.citations.push((Citation { clause: clause.clone(), line }, at.clone()));
        }
    }

    /// Notes that a section as a whole keeps clauses.
    pub(super) fn cite(&mut self, class: &str, cites: &Field<'a>) {
        if let Some(clauses) = cites.texts() {
            self.cited(class, "the section", &clauses, cites);
        }
    }

    /// Notes that a declared entity keeps clauses.
    fn cite_of(&mut self, entity: &str, field: &Field<'a>) {
        let entries = field.entries().unwrap_or_default();
        let cites = entries.iter().find(|(key, _)| key == "cites");
        if let Some((_, cites)) = cites
            && let Some(clauses) = cites.texts()
        {
            self.cited("*", &format!("{entity} is declared"), &clauses, cites);
        }
    }
}

/// A class's section over that of all classes.
pub(super) struct Merged<'s, 'a> {
    rules: &'s Rules,
    pub(super) own: &'s Section<'a>,
    pub(super) all: &'s Section<'a>,
    default: Action,
}

impl<'s, 'a> Merged<'s, 'a> {
    fn class(&self, name: String) -> DraftClass {
        let Merged { own, all, .. } = self;
        let entities = self.rules.entities();
        let ttl = own.ttl.as_ref().or(all.ttl.as_ref()).map_or(TTL, |(ttl, _)| *ttl);
        let regions = own.regions.as_ref().or(all.regions.as_ref()).map(|(list, _)| list.clone());
        let rest = own.default.as_ref().or(all.default.as_ref());
        let lines: Vec<_> = entities.iter().map(|entity| self.line(entity)).collect();
        let action = |line: &Option<&section::Line<'_>>| match line.or(rest) {
            Some(line) => line.action,
            None => self.default,
        };
        let mut actions: Vec<Action> = lines.iter().map(action).collect();
        let mut cites: Vec<Vec<String>> =
            lines.iter().map(|line| line.map_or_else(Vec::new, |line| line.cites.clone())).collect();
        let mut named: Vec<bool> = lines.iter().map(Option::is_some).collect();
        let overrule = self.overrule(&mut actions, &mut cites, &mut named);
        let silent = own.dnt.as_ref().or(all.dnt.as_ref()).map(|_| self.silent(&actions));
        DraftClass { name, ttl, regions, actions, cites, named, stated: false, overrule, silent }
    }

    /// The line for an entity.
    pub(super) fn line(&self, entity: Entity) -> Option<&'s section::Line<'a>> {
        self.own.entities.get(&entity).or(self.all.entities.get(&entity))
    }

    /// What is done with each entity where a record asks not to be tracked: what the section says, or what identifies nobody.
    fn silent(&self, actions: &[Action]) -> Vec<Action> {
        let silents: Vec<&Silent<'_>> =
            [self.own, self.all].into_iter().filter_map(|one| one.dnt.as_ref()).collect();
        let entities = self.rules.entities();
        let of = |entity: Entity| {
            let line = silents.iter().find_map(|silent| silent.entities.get(&entity));
            let action = actions[entity.index()];
            let rest = || silents.iter().find_map(|silent| silent.default.as_ref());
            match line {
                Some(line) => line.action,
                None if action.links() => rest().map_or_else(|| anonymous(entity), |line| line.action),
                None => action,
            }
        };
        entities.iter().map(of).collect()
    }

    /// The lines for fields and values; the actions of their entities go into the tables.
    fn overrule(&self, actions: &mut [Action], cites: &mut [Vec<String>], named: &mut [bool]) -> Overrule {
        let Merged { own, all, rules, .. } = self;
        let mut overrule = Overrule::default();
        let stands =
            |pattern: &Pattern| overrule::FieldLine { pattern: pattern.clone(), verdict: Verdict::Stands };
        let standing = own.standing.iter().chain(&all.standing);
        overrule.fields.extend(standing.map(|(_, pattern, _)| stands(pattern)));
        let inherited =
            all.fields.iter().filter(|line| own.fields.iter().all(|other| other.pattern != line.pattern));
        for line in own.fields.iter().chain(inherited) {
            if line.line.action == Action::Keep {
                overrule.fields.push(stands(&line.pattern));
                continue;
            }
            let Some(rule) = rules.rule_named(&rule_of_line(&line.text)) else { continue };
            let entity = rules.rule(rule).entity;
            let one =
                matches!(line.line.action, Action::Redact { .. } | Action::DropField | Action::DropRecord);
            let whole = if one { Whole::Yes } else { Whole::No };
            let verdict = Verdict::Found { rule, entity, whole };
            overrule.fields.push(overrule::FieldLine { pattern: line.pattern.clone(), verdict });
            actions[entity.index()] = line.line.action;
            cites[entity.index()].clone_from(&line.line.cites);
            named[entity.index()] = true;
        }
        if let Some(Only { fields, others }) = own.only.as_ref().or(all.only.as_ref())
            && let Some(rule) = rules.rule_named(UNLISTED)
        {
            let entity = rules.rule(rule).entity;
            let fields = fields.iter().map(|(_, pattern)| pattern.clone()).collect();
            overrule.only = Some(overrule::Only { fields, rule, entity });
            actions[entity.index()] = others.action;
            cites[entity.index()].clone_from(&others.cites);
            named[entity.index()] = true;
        }
        for stand in [&own.stand, &all.stand] {
            overrule.stand.values.extend(stand.values.iter().cloned());
            overrule.stand.networks.extend(&stand.networks);
            overrule.stand.cards.extend(stand.cards.iter().cloned());
        }
        overrule
    }
}

/// What stands for a pseudonym where none may be: an address's network, of anything else nothing.
fn anonymous(entity: Entity) -> Action {
    match entity {
        Entity::IPV4 | Entity::IPV6 => Action::Truncate { ipv4_prefix: 24, ipv6_prefix: 48 },
        _ => REDACT,
    }
}

/*!
The section of one class in a policy.

```yaml
"*":
  retention: { ttl: 90d, cites: ["6"] }         # or: retention: 90d
  regions: { allow: [eea, us], cites: ["5.3"] } # or: regions: [eea, us]
  default: redact
  entities:
    email: pseudonymize
  fields:                                       # by name or path; the first line that fits decides
    x-*-ref: drop_field
    $.user.note: redact
    prompt_tokens: keep
  only: { fields: [time, status], others: drop_field }
  allow: { networks: [10.0.0.0/8], values: [noreply@example.com], test_cards: true, fields: [build] }
  when:
    dnt: { entities: { ipv4: { truncate: { ipv4: 16 } } } }
```
*/

use std::collections::HashMap;

use super::line::line;
use super::read::{Reader, Region};
use crate::action::Action;
use crate::detect::overrule::{Network, Stand};
use crate::entity::Entity;
use crate::structure::path::Pattern;
use crate::ttl::Ttl;
use crate::yaml::Field;

/// What is done, and where that is said.
#[derive(Clone)]
pub(super) struct Line<'a> {
    pub(super) action: Action,
    pub(super) cites: Vec<String>,
    pub(super) at: Field<'a>,
}

/// A line for fields.
#[derive(Clone)]
pub(super) struct FieldLine<'a> {
    pub(super) text: String,
    pub(super) pattern: Pattern,
    pub(super) line: Line<'a>,
}

/// The fields that alone may pass.
#[derive(Clone)]
pub(super) struct Only<'a> {
    pub(super) fields: Vec<(String, Pattern)>,
    pub(super) others: Line<'a>,
}

/// What the section of one class says.
#[derive(Clone, Default)]
pub(super) struct Section<'a> {
    pub(super) ttl: Option<(Ttl, Field<'a>)>,
    pub(super) regions: Option<(Vec<Region>, Field<'a>)>,
    pub(super) default: Option<Line<'a>>,
    pub(super) entities: HashMap<Entity, Line<'a>>,
    pub(super) fields: Vec<FieldLine<'a>>,
    pub(super) only: Option<Only<'a>>,
    pub(super) stand: Stand,
    pub(super) standing: Vec<(String, Pattern, Field<'a>)>,
    pub(super) dnt: Option<Silent<'a>>,
}

/// What holds for records that carry the wish not to be tracked.
#[derive(Clone, Default)]
pub(super) struct Silent<'a> {
    pub(super) default: Option<Line<'a>>,
    pub(super) entities: HashMap<Entity, Line<'a>>,
}

/// Numbers that payment services publish for tests: no card has them.
const TEST_CARDS: &[&str] = &[
    "4242424242424242",
    "4000056655665556",
    "4111111111111111",
    "4012888888881881",
    "4222222222222",
    "5555555555554444",
    "5105105105105100",
    "5200828282828210",
    "2223003122003222",
    "378282246310005",
    "371449635398431",
    "378734493671000",
    "6011111111111117",
    "6011000990139424",
    "30569309025904",
    "38520000023237",
    "3530111333300000",
    "3566002020360505",
];

/// Reads the section of one class; what is wrong goes to the field's report.
pub(super) fn read<'a>(reader: &mut Reader<'_, 'a>, class: &str, field: &Field<'a>) -> Option<Section<'a>> {
    let known = ["retention", "regions", "default", "entities", "fields", "only", "allow", "when", "cites"];
    let table = field.table(&known)?;
    if let Some(cites) = table.find("cites") {
        reader.cite(class, cites);
    }
    let mut section = Section {
        ttl: table.find("retention").and_then(|field| retention(reader, class, field)),
        regions: table.find("regions").and_then(|field| regions(reader, class, field)),
        default: table.find("default").and_then(|field| one(reader, class, "the rest", field, None)),
        ..Section::default()
    };
    if let Some(field) = table.find("entities") {
        section.entities = entities(reader, class, field);
    }
    for (text, field) in table.find("fields").and_then(Field::entries).unwrap_or_default() {
        let Some(pattern) = Pattern::parse(&text) else { continue };
        let line = one(reader, class, &format!("field {text}"), &field, Some("field"));
        section.fields.extend(line.map(|line| FieldLine { text, pattern, line }));
    }
    section.only = table.find("only").and_then(|field| only(reader, class, field));
    if let Some(field) = table.find("allow") {
        allow(reader, class, field, &mut section);
    }
    if let Some(field) = table.find("when") {
        section.dnt = when(reader, class, field);
    }
    shadows(&section);
    Some(section)
}

/// A line with its place; its clauses are noted.
fn one<'a>(
    reader: &mut Reader<'_, 'a>,
    class: &str,
    what: &str,
    field: &Field<'a>,
    entity: Option<&str>,
) -> Option<Line<'a>> {
    let (action, cites) = line(field, entity)?;
    reader.cited(class, &format!("{what} {}", super::describe(action)), &cites, field);
    Some(Line { action, cites, at: field.clone() })
}

fn entities<'a>(reader: &mut Reader<'_, 'a>, class: &str, field: &Field<'a>) -> HashMap<Entity, Line<'a>> {
    let mut lines = HashMap::new();
    for (name, field) in field.entries().unwrap_or_default() {
        let Some(entity) = reader.entity(&name, &field) else { continue };
        if let Some(line) = one(reader, class, &name, &field, Some(&name)) {
            entity.map(|entity| lines.insert(entity, line));
        }
    }
    lines
}

/// `90d`, or a table with `ttl` and `cites`.
fn retention<'a>(reader: &mut Reader<'_, 'a>, class: &str, field: &Field<'a>) -> Option<(Ttl, Field<'a>)> {
    if !field.is_table() {
        return ttl(field).map(|ttl| (ttl, field.clone()));
    }
    let table = field.table(&["ttl", "cites"])?;
    let ttl = table.need("ttl", "a limit such as 90d, 24mo or 5y").and_then(ttl)?;
    if let Some(cites) = table.find("cites") {
        reader.cited(class, &format!("retention {ttl}"), &cites.texts()?, cites);
    }
    Some((ttl, field.clone()))
}

/// A limit.
pub(super) fn ttl(field: &Field<'_>) -> Option<Ttl> {
    let text = field.text()?;
    text.parse().or_else(|error| field.refuse(format!("{text:?} {error}")).ok_or(error)).ok()
}

/// `[eea, us]`, or a table with `allow` and `cites`.
fn regions<'a>(
    reader: &mut Reader<'_, 'a>,
    class: &str,
    field: &Field<'a>,
) -> Option<(Vec<Region>, Field<'a>)> {
    if !field.is_table() {
        return region_list(field).map(|list| (list, field.clone()));
    }
    let table = field.table(&["allow", "cites"])?;
    let list = table.need("allow", "a list of regions").and_then(region_list)?;
    if let Some(cites) = table.find("cites") {
        reader.cited(class, &format!("regions {}", list.join(", ")), &cites.texts()?, cites);
    }
    Some((list, field.clone()))
}

/// Regions are words that stores are marked with.
pub(super) fn region_list(field: &Field<'_>) -> Option<Vec<Region>> {
    let is_word = |text: &str| {
        let sign = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        (1..=32).contains(&text.len()) && text.bytes().all(sign)
    };
    let one = |field: &Field<'_>| {
        field.parse("the name of a region: up to 32 of a-z, 0-9 and -", |text| {
            is_word(text).then(|| text.to_owned())
        })
    };
    let list: Vec<Region> = field.list()?.iter().map(one).collect::<Option<_>>()?;
    if list.is_empty() {
        return field
            .refuse("names no region, so that no record could go anywhere; leave it out to allow all");
    }
    Some(list)
}

fn only<'a>(reader: &mut Reader<'_, 'a>, class: &str, field: &Field<'a>) -> Option<Only<'a>> {
    let table = field.table(&["fields", "others", "cites"])?;
    let listed = table.need("fields", "the names and paths of the fields that alone may pass")?;
    let mut fields = Vec::new();
    for member in listed.list()? {
        let pattern = |text: &str| Some((text.to_owned(), Pattern::parse(text)?.anchored()));
        fields.push(member.parse("the name or path of a field", pattern)?);
    }
    let others = match table.find("others") {
        Some(field) => line(field, None)?.0,
        None => Action::DropField,
    };
    if !matches!(others, Action::DropField | Action::Redact { .. } | Action::DropRecord) {
        return table
            .find("others")?
            .refuse("others may be drop_field, redact or drop_record: what is not listed does not pass");
    }
    let cites = table.find("cites").map_or(Some(Vec::new()), Field::texts)?;
    let what = format!("only {} listed fields pass, others {}", fields.len(), super::describe(others));
    reader.cited(class, &what, &cites, field);
    Some(Only { fields, others: Line { action: others, cites, at: field.clone() } })
}

fn allow<'a>(
    reader: &mut Reader<'_, 'a>,
    class: &str,
    field: &Field<'a>,
    section: &mut Section<'a>,
) -> Option<()> {
    let table = field.table(&["values", "networks", "cards", "test_cards", "fields", "cites"])?;
    if let Some(cites) = table.find("cites") {
        reader.cited(class, "what is allowed stands", &cites.texts()?, cites);
    }
    let members = |key: &str| table.find(key).and_then(Field::list).unwrap_or_default();
    for member in members("values") {
        let value =
            member.parse("a value of 3 bytes at least", |text| (text.len() >= 3).then(|| text.to_owned()));
        section.stand.values.extend(value.map(|text| text.to_ascii_lowercase().into_bytes().into()));
    }
    for member in members("networks") {
        section
            .stand
            .networks
            .extend(member.parse("a network such as 10.0.0.0/8 or 2001:db8::/32", Network::parse));
    }
    let is_number = |text: &&str| (12..=19).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    for member in members("cards") {
        let card = member.parse("a card's 12 to 19 digits in quotes", |text| {
            Some(text).filter(is_number).map(str::to_owned)
        });
        section.stand.cards.extend(card.map(|text| text.into_bytes().into()));
    }
    if table.find("test_cards").and_then(Field::boolean) == Some(true) {
        section.stand.cards.extend(TEST_CARDS.iter().map(|card| card.as_bytes().into()));
    }
    for member in members("fields") {
        let pattern = |text: &str| Some((text.to_owned(), Pattern::parse(text)?));
        let read = member.parse("the name or path of a field", pattern);
        section.standing.extend(read.map(|(text, pattern)| (text, pattern, member.clone())));
    }
    Some(())
}

/// What holds in a context. There is one: the signals by which somebody asks not to be tracked.
fn when<'a>(reader: &mut Reader<'_, 'a>, class: &str, field: &Field<'a>) -> Option<Silent<'a>> {
    let table = field.table(&["dnt"])?;
    let field = table.find("dnt")?;
    if !field.is_table() {
        return field
            .parse("anonymize, or a table of entities", |text| (text == "anonymize").then(Silent::default));
    }
    let table = field.table(&["default", "entities", "cites"])?;
    if let Some(cites) = table.find("cites") {
        reader.cited(class, "when a record asks not to be tracked, anonymize", &cites.texts()?, cites);
    }
    let mut silent = Silent::default();
    let named = format!("{class}, not to be tracked");
    silent.default = table.find("default").and_then(|field| one(reader, &named, "the rest", field, None));
    if let Some(field) = table.find("entities") {
        silent.entities = entities(reader, &named, field);
    }
    for line in silent.default.iter().chain(silent.entities.values()) {
        if line.action.links() {
            let name = line.action.name();
            line.at.refuse::<()>(format!(
                "{name} lets a record that asks not to be tracked be linked; write truncate, generalize, mask or redact"
            ));
        }
    }
    Some(silent)
}

/// Reports lines for fields that can never hold, because one before them takes all that they would.
fn shadows(section: &Section<'_>) {
    for (place, later) in section.fields.iter().enumerate() {
        let earlier = section.fields[..place].iter().find(|earlier| earlier.pattern.covers(&later.pattern));
        if let Some(earlier) = earlier {
            let (text, line) = (&earlier.text, earlier.line.at.line);
            later.line.at.refuse::<()>(format!(
                "never holds: {text} in line {line} takes every field that it would; put it before that line"
            ));
        }
    }
    for (text, pattern, at) in &section.standing {
        let acted = |line: &&FieldLine| line.line.action != Action::Keep && pattern.covers(&line.pattern);
        if let Some(line) = section.fields.iter().find(acted) {
            at.refuse::<()>(format!(
                "lets {text} stand, and line {} says {} for {}; leave one of them out",
                line.line.at.line,
                line.line.action.name(),
                line.text
            ));
        }
    }
    let Some(only) = &section.only else { return };
    for (text, pattern) in &only.fields {
        let takes = |line: &&FieldLine| {
            matches!(line.line.action, Action::DropField | Action::Redact { .. })
                && line.pattern.covers(pattern)
        };
        if let Some(line) = section.fields.iter().find(takes) {
            only.others.at.refuse::<()>(format!(
                "lists {text}, which line {} takes out again; leave one of them out",
                line.line.at.line
            ));
        }
    }
}

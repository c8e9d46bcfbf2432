/*!
What a policy adds to the rules: entities of its own, and a rule for each of its
lines for fields, so that whatever is found has a rule with a name.

```yaml
declare:
  license_id: { keys: [license_id, licence_key] }            # known by the names of fields
  ticket: { pattern: 'TK-[0-9]{8}', anchors: ['TK-'] }       # known by its looks
```

The keys of an entry are those of a pack's rule (`patterns/README.md`).
*/

use serde_json::{Map, Value, json};

use super::read::VOCABULARY;
use crate::detect::Rules;
use crate::detect::pack::PackError;
use crate::entity::Entities;
use crate::mark;
use crate::structure::path::Pattern;
use crate::yaml::Field;

/// The name of the rule behind a policy's list of the fields that alone may pass, and of the entity that the others are.
pub(super) const UNLISTED: &str = "unlisted";

/// The name of the rule behind a line for fields.
pub(super) fn rule_of_line(pattern: &str) -> String {
    format!("field {pattern}")
}

/// The rules, and what a policy adds to them; none if something was reported.
pub(super) fn extend(root: &Field<'_>, rules: &Rules) -> Option<Option<Rules>> {
    let mut declared = Declared::new(rules.entities());
    let entries = root.entries()?;
    let section = |name: &str| entries.iter().find(|(key, _)| key == name).map(|(_, field)| field);
    let own = section("declare").and_then(|field| field.entries()).unwrap_or_default();
    for (name, field) in &own {
        declared.entity(name, field)?;
    }
    for (_, class) in
        section("classes").filter(|field| field.is_table()).and_then(Field::entries).unwrap_or_default()
    {
        declared.lines(&class)?;
    }
    if declared.rules.is_empty() {
        return Some(None);
    }
    let text = json!({ "entities": declared.names, "rules": declared.rules }).to_string();
    match rules.and_declared("the policy", &text) {
        Ok(rules) => Some(Some(rules)),
        Err(errors) => {
            for error in errors {
                tell(root, &own, error);
            }
            None
        }
    }
}

/// Reports what is wrong with the rule of a declared entity where that stands.
fn tell(root: &Field<'_>, own: &[(String, Field<'_>)], error: PackError) {
    let (rule, problem) = match error {
        PackError::Rule { rule, problem, .. } => (rule, problem),
        PackError::Syntax { problem, .. } => (String::new(), problem),
    };
    let at = own.iter().find(|(name, _)| rule_of_entity(name) == rule).map_or(root, |(_, field)| field);
    at.refuse::<()>(problem);
}

fn rule_of_entity(name: &str) -> String {
    format!("declared {name}")
}

struct Declared<'a> {
    known: &'a Entities,
    /// Names of entities.
    names: Vec<String>,
    rules: Vec<Value>,
    lines: Vec<String>,
}

impl Declared<'_> {
    fn new(known: &Entities) -> Declared<'_> {
        Declared { known, names: Vec::new(), rules: Vec::new(), lines: Vec::new() }
    }

    fn entity(&mut self, name: &str, field: &Field<'_>) -> Option<()> {
        let known = [
            "keys",
            "glued_keys",
            "anchors",
            "not_after",
            "pattern",
            "nested",
            "numbers",
            "loose",
            "length_min",
            "cites",
        ];
        let table = field.table(&known)?;
        let mut rule = Map::new();
        rule.insert("name".into(), rule_of_entity(name).into());
        rule.insert("entity".into(), name.into());
        for key in ["keys", "glued_keys", "anchors", "not_after"] {
            if let Some(field) = table.find(key) {
                rule.insert(key.into(), field.texts()?.into());
            }
        }
        if let Some(field) = table.find("pattern") {
            rule.insert("pattern".into(), field.text()?.into());
        }
        for (key, words) in [
            ("nested", &["all", "list", "ignore"]),
            ("numbers", &["count", "long", "ignore"]),
            ("loose", &["any", "random", "ignore"]),
        ] {
            if let Some(field) = table.find(key) {
                let word = |text: &str| words.contains(&text).then(|| text.to_owned());
                rule.insert(key.into(), field.parse(&words.join(", "), word)?.into());
            }
        }
        if let Some(field) = table.find("length_min") {
            rule.insert("length_min".into(), field.count(1..=1024)?.into());
        }
        // A policy's own field holds what it holds, also numbers and lists.
        rule.entry("nested").or_insert_with(|| "all".into());
        self.names.push(name.to_owned());
        self.rules.push(rule.into());
        Some(())
    }

    /// The rules for the lines for fields in one class.
    fn lines(&mut self, class: &Field<'_>) -> Option<()> {
        if !class.is_table() {
            return Some(());
        }
        for (key, field) in class.entries()? {
            match &*key {
                "fields" => {
                    for (pattern, line) in field.entries()? {
                        self.line(&pattern, &line)?;
                    }
                }
                UNLISTED | "only" => self.add(UNLISTED, UNLISTED),
                _ => {}
            }
        }
        Some(())
    }

    fn line(&mut self, pattern: &str, line: &Field<'_>) -> Option<()> {
        if Pattern::parse(pattern).is_none() {
            return line.refuse(
                "is no pattern for fields; it may hold names and paths such as order_ref, user.email, $.user.* and x-*-id",
            );
        }
        let rule = rule_of_line(pattern);
        if self.lines.contains(&rule) {
            return Some(());
        }
        let entity = self.entity_of(pattern);
        self.add(&rule, &entity);
        Some(())
    }

    /// An entity of its own for a pattern, named like what it says of names: `$.user.ref_*` is `ref`.
    fn entity_of(&self, pattern: &str) -> String {
        let last = pattern.rsplit('.').next().unwrap_or(pattern).to_ascii_lowercase();
        let words = last.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
        let mut name = words.collect::<Vec<_>>().join("_");
        name.truncate(mark::NAME_BYTES_MAX / 2);
        let is_taken = |name: &str| {
            self.known.find(name).is_some()
                || VOCABULARY.contains(&name)
                || self.names.iter().any(|known| known == name)
        };
        if name.is_empty() || is_taken(&name) {
            name = format!("{name}_field").trim_start_matches('_').to_owned();
        }
        let mut numbered = name.clone();
        let mut number = 2;
        while is_taken(&numbered) {
            numbered = format!("{name}_{number}");
            number += 1;
        }
        numbered
    }

    fn add(&mut self, rule: &str, entity: &str) {
        if self.lines.iter().any(|known| known == rule) {
            return;
        }
        self.lines.push(rule.to_owned());
        self.names.push(entity.to_owned());
        self.rules.push(json!({ "name": rule, "entity": entity, "line": true }));
    }
}

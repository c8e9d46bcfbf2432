/*!
What a policy says nothing of: what it does all the same, in a few lines for whoever loads it.
*/

use std::collections::BTreeMap;

use super::{Policy, describe};
use crate::clock::Timestamp;
use crate::record::ClassId;

/// How much is said of the kinds of values that no line names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Each by its name: there are hundreds.
    Names,
    /// How many.
    Counts,
}

impl Policy {
    /// What no line of the policy covers: kinds of values, classes, and clauses of its text. Empty if it covers everything.
    pub fn uncovered(&self, detail: Detail) -> Vec<String> {
        let mut lines = self.by_default(detail);
        let stated = |class: &ClassId| self.class(*class).stated;
        let unstated: Vec<&str> =
            self.classes().filter(|class| !stated(class)).map(|class| self.class_name(class)).collect();
        if !unstated.is_empty() && unstated.len() < self.classes().len() {
            lines.push(format!("no section of their own: {}; that of \"*\" holds", unstated.join(", ")));
        }
        if !self.unfound().is_empty() {
            lines.push(format!("named, and found by no rule: {}", self.unfound().join(", ")));
        }
        for clause in self.clauses() {
            let id = &clause.id;
            lines.extend(
                clause.not_enforceable.as_ref().map(|why| format!("clause {id:?}: not enforceable: {why}")),
            );
            lines.extend(clause.open.as_ref().map(|what| format!("clause {id:?}: open: {what}")));
        }
        lines.into_iter().map(|line| format!("policy {}: {line}", self.names().policy)).collect()
    }

    /// The kinds of values that no line names; classes of which the same is to be said stand together.
    fn by_default(&self, detail: Detail) -> Vec<String> {
        let entities = self.rules().entities();
        let mut said: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for class in self.classes() {
            let mut left: BTreeMap<String, Vec<&str>> = BTreeMap::new();
            for entity in entities.iter().filter(|entity| !self.is_named(class, *entity)) {
                left.entry(describe(self.action(class, entity))).or_default().push(entities.name(entity));
            }
            for (action, names) in left {
                let kinds = match detail {
                    Detail::Names => names.join(", "),
                    Detail::Counts => format!("{} kinds of values; `logveil check` names them", names.len()),
                };
                let what = format!("no line, so the default does {action}, for {kinds}");
                said.entry(what).or_default().push(self.class_name(class));
            }
        }
        let mut lines: Vec<String> =
            said.into_iter().map(|(what, classes)| format!("in {}: {what}", classes.join(", "))).collect();
        lines.sort();
        lines
    }

    /// What to say of a policy whose text is not in force yet at `now`.
    pub fn not_yet(&self, now: Timestamp) -> Option<String> {
        let from = self.effective_from()?;
        (now < from).then(|| {
            let (name, day) = (&self.names().policy, from.strftime("%Y-%m-%d"));
            format!(
                "policy {name}: its text is in force from {day} on; what is loaded is applied from now on"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nothing_covers_is_named() {
        let text = "policy: p\neffective_from: 2026-12-01\nclauses:\n  - { id: a, promise: x, not_enforceable: no log }\n  \
                    - { id: b, promise: x, kept_by: [us], open: half }\n\
                    classes:\n  \"*\": { entities: { email: keep } }\n  app: { default: keep, entities: { ipv4: redact } }\n";
        let policy = Policy::parse("p", text).unwrap_or_else(|error| panic!("{error}"));
        let lines = policy.uncovered(Detail::Names);
        let of = |start: &str| {
            let line = lines.iter().find(|line| line.starts_with(start));
            line.unwrap_or_else(|| panic!("{start}\n{lines:#?}")).clone()
        };
        let app = of("policy p@1: in app: no line, so the default does keep, for ");
        assert!(app.contains("ipv6") && !app.contains("ipv4") && !app.contains("email"), "{app}");
        let rest = of(
            "policy p@1: in access, activity, auth, payment, support, audit: no line, so the default does redact",
        );
        assert!(rest.contains("ipv4") && !rest.contains("email"), "{rest}");
        of(
            "policy p@1: no section of their own: access, activity, auth, payment, support, audit; that of \"*\" holds",
        );
        of("policy p@1: clause \"a\": not enforceable: no log");
        of("policy p@1: clause \"b\": open: half");
        let counts = policy.uncovered(Detail::Counts);
        assert!(counts.iter().any(|line| line.contains(" kinds of values; `logveil check`")), "{counts:#?}");
        let at = |text: &str| policy.not_yet(text.parse().expect("a moment"));
        let line = at("2026-11-30T23:59:59Z").expect("it is not in force");
        assert!(line.contains("in force from 2026-12-01 on"), "{line}");
        assert_eq!(at("2026-12-01T00:00:00Z"), None);
    }
}

//! What two policies do differently, class by class.

use crate::entity::Entity;
use crate::policy::{Policy, describe};
use crate::record::ClassId;

/// A line for each difference, from one to the other.
pub(super) fn diff(one: &Policy, other: &Policy) -> Vec<String> {
    let mut lines = Vec::new();
    for class in one.classes() {
        let name = one.class_name(class);
        match other.class_named(name) {
            Some(others) => diff_class(name, (one, class), (other, others), &mut lines),
            None => lines.push(format!("{name}: is no class of {}", other.names().policy)),
        }
    }
    for class in other.classes() {
        let name = other.class_name(class);
        if one.class_named(name).is_none() {
            lines.push(format!("{name}: is no class of {}", one.names().policy));
        }
    }
    let counts = |policy: &Policy| match policy.aggregates() {
        Some(aggregates) => format!("{aggregates}; own words: {}", aggregates.words.len()),
        None => "none".to_owned(),
    };
    if one.aggregates() != other.aggregates() {
        lines.push(format!("counts beyond the limits: {} -> {}", counts(one), counts(other)));
    }
    lines
}

fn diff_class(
    name: &str,
    (one, a): (&Policy, ClassId),
    (other, b): (&Policy, ClassId),
    lines: &mut Vec<String>,
) {
    if one.ttl(a) != other.ttl(b) {
        lines.push(format!("{name}: retention {} -> {}", one.ttl(a), other.ttl(b)));
    }
    let regions = |policy: &Policy, class| {
        policy.regions(class).map_or_else(|| "any".to_owned(), |list| list.join(", "))
    };
    if regions(one, a) != regions(other, b) {
        lines.push(format!("{name}: regions {} -> {}", regions(one, a), regions(other, b)));
    }
    let signals = |policy: &Policy, class| if policy.heeds_signals(class) { "heeded" } else { "not heeded" };
    if signals(one, a) != signals(other, b) {
        lines.push(format!("{name}: wishes not to be tracked {} -> {}", signals(one, a), signals(other, b)));
    }
    // Entities are numbered by each policy's rules, so they are compared by their names.
    let action = |policy: &Policy, class, entity: Option<Entity>| {
        entity.map_or_else(|| "not declared".to_owned(), |entity| describe(policy.action(class, entity)))
    };
    let (ours, theirs) = (one.rules().entities(), other.rules().entities());
    let mut names: Vec<&str> = ours.iter().map(|entity| ours.name(entity)).collect();
    names.extend(theirs.iter().map(|entity| theirs.name(entity)).filter(|name| ours.find(name).is_none()));
    for entity in names {
        let (before, after) = (action(one, a, ours.find(entity)), action(other, b, theirs.find(entity)));
        if before != after {
            lines.push(format!("{name}: {entity} {before} -> {after}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_difference_has_its_line() {
        let policy = |text: &str| Policy::parse("p", text).unwrap_or_else(|error| panic!("{error}"));
        let one = policy("policy: a\nclasses: { app: { retention: 30d, entities: { email: keep } } }\n");
        let other = policy(
            "policy: b\nown_classes: [mail]\naggregates: { retention: 5y }\ndeclare: { pet: { keys: [pet] } }\n\
             classes: { app: { regions: [eea], when: { dnt: anonymize } } }\n",
        );
        let lines = diff(&one, &other);
        for expected in [
            "app: retention 30d -> 90d",
            "app: regions any -> eea",
            "app: wishes not to be tracked not heeded -> heeded",
            "app: email keep -> redact",
            "auth: pet not declared -> redact",
            "mail: is no class of a@1",
            "counts beyond the limits: none -> every class: counts by hour, route and status for 5y, none below 10; own words: 0",
        ] {
            assert!(lines.iter().any(|line| line == expected), "{expected}\n{lines:#?}");
        }
        assert!(diff(&one, &one).is_empty());
    }
}

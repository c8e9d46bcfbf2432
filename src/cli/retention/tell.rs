//! Plans and verdicts as tables and as JSON.

use std::time::Duration;

use serde_json::{Value, json};

use crate::app::stores::Checked;
use crate::retention::span::Span;
use crate::retention::{Setting, Verdict, changes};

/// A line for each class in each store.
pub(super) fn table(checked: &[Checked]) -> String {
    let mut rows = vec![
        ["store", "kind", "target", "class", "limit", "worst case", "oldest", "verdict"]
            .map(String::from)
            .to_vec(),
    ];
    for target in checked {
        for (class, ttl, verdict) in &target.verdicts {
            rows.push(vec![
                target.store.name.to_string(),
                target.store.kind.name().to_owned(),
                target.target.name.clone(),
                class.clone(),
                ttl.to_string(),
                worst(target),
                oldest(target),
                verdict.word().to_owned(),
            ]);
        }
    }
    aligned(&rows)
}

/// For each target what is, what is to be, and why.
pub(super) fn plan(checked: &[Checked]) -> String {
    let mut text = String::new();
    for target in checked {
        let store = &target.store;
        text += &format!("store {}: {} {}\n", store.name, store.kind.name(), target.target.name);
        let limits: Vec<String> =
            target.target.classes.iter().map(|(class, ttl)| format!("{class} {ttl}")).collect();
        text += &format!("  limit        {} ({})\n", Span(target.target.limit()), limits.join(", "));
        text += &match &target.reading {
            Ok(reading) => format!("  now          {}\n", reading.effective.arithmetic()),
            Err(unknown) => format!("  now          unknown: {unknown}\n"),
        };
        if let Ok(reading) = &target.reading {
            text += &format!("  oldest       {}\n", oldest(target));
            reading.stalled.iter().for_each(|why| text += &format!("  stalled      {why}\n"));
            reading.notes.iter().for_each(|note| text += &format!("  note         {note}\n"));
        }
        match store.kind.wants(target.target.limit()) {
            Ok(wanted) => {
                text += &format!("  needs        {}\n", wanted.effective.arithmetic());
                let why = wanted.effective.reasons();
                if !why.is_empty() {
                    text += &format!("  because      {why}\n");
                }
                for (name, is, to) in due(target, &wanted.settings) {
                    text += &format!("  change       {name}: {is} -> {to}\n");
                }
            }
            Err(short) => text += &format!("  needs        {short}\n"),
        }
        if let Err(why) = store.kind.can().set {
            text += &format!("  not by us    {why}\n");
        }
    }
    text
}

/// The changes that are due: none where the limit is kept, since a shorter retention is no fault.
fn due(target: &Checked, wanted: &[Setting]) -> Vec<(String, String, String)> {
    if target.holds() { Vec::new() } else { changes(settings(target), wanted) }
}

/// The settings that were read; none of a store that did not tell.
pub(super) fn settings(target: &Checked) -> &[Setting] {
    target.reading.as_ref().map_or(&[], |reading| &reading.settings)
}

/// Verdicts as a JSON array.
pub(super) fn json(checked: &[Checked]) -> String {
    let all: Vec<Value> = checked.iter().flat_map(verdicts).collect();
    pretty(&Value::Array(all))
}

pub(super) fn verdicts(target: &Checked) -> Vec<Value> {
    let verdict = |(class, ttl, verdict): &(String, crate::ttl::Ttl, Verdict)| {
        let by = match verdict {
            Verdict::Exceeds { by, .. } => by.map(|by| by.as_secs()),
            _ => None,
        };
        json!({
            "store": &*target.store.name,
            "kind": target.store.kind.name(),
            "target": target.target.name,
            "class": class,
            "limit_s": ttl.duration().as_secs(),
            "worst_case_s": target.worst_case().map(|worst| worst.as_secs()),
            "oldest_record_s": target.oldest().map(|oldest| oldest.as_secs()),
            "verdict": verdict.word(),
            "exceeds_by_s": by,
            "why": verdict.to_string(),
            "arithmetic": target.reading.as_ref().ok().map(|reading| reading.effective.arithmetic()),
        })
    };
    target.verdicts.iter().map(verdict).collect()
}

/// The plan as a JSON array.
pub(super) fn plan_json(checked: &[Checked]) -> String {
    let one = |target: &Checked| {
        let wanted = target.store.kind.wants(target.target.limit());
        let changes: Vec<Value> = wanted
            .iter()
            .flat_map(|wanted| due(target, &wanted.settings))
            .map(|(name, is, to)| json!({ "setting": name, "is": is, "to": to }))
            .collect();
        json!({
            "store": &*target.store.name,
            "kind": target.store.kind.name(),
            "target": target.target.name,
            "limit_s": target.target.limit().as_secs(),
            "now": target.reading.as_ref().map_or_else(ToString::to_string, |reading| reading.effective.arithmetic()),
            "needs": wanted.as_ref().map_or_else(ToString::to_string, |wanted| wanted.effective.arithmetic()),
            "value_s": wanted.as_ref().ok().map(|wanted| wanted.value.as_secs()),
            "because": wanted.as_ref().ok().map(|wanted| wanted.effective.reasons()),
            "changes": changes,
            "cannot_set": target.store.kind.can().set.err(),
        })
    };
    pretty(&Value::Array(checked.iter().map(one).collect()))
}

pub(super) fn pretty(value: &Value) -> String {
    let mut text = serde_json::to_string_pretty(value).expect("strings and numbers are always JSON");
    text.push('\n');
    text
}

pub(super) fn worst(target: &Checked) -> String {
    match (&target.reading, target.worst_case()) {
        (Err(_), _) => "unknown".to_owned(),
        (Ok(_), Some(worst)) => Span(worst).to_string(),
        (Ok(_), None) => "without end".to_owned(),
    }
}

pub(super) fn oldest(target: &Checked) -> String {
    match target.oldest() {
        None => "unknown".to_owned(),
        Some(Duration::ZERO) => "none".to_owned(),
        Some(age) => Span(age).to_string(),
    }
}

/// Columns, two spaces between them.
pub(super) fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let signs = |row: &Vec<String>, column: usize| row.get(column).map_or(0, |cell| cell.chars().count());
    let width = |column| rows.iter().map(|row| signs(row, column)).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        text += cells.collect::<Vec<_>>().join("  ").trim_end();
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_under_each_other() {
        let row = |cells: [&str; 2]| cells.map(String::from).to_vec();
        assert_eq!(aligned(&[row(["a", "b"]), row(["long", ""])]), "a     b\nlong\n");
    }
}

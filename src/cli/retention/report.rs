//! `logveil retention report`: the evidence as a document, and how things stand now.

use serde_json::{Value, json};

use super::tell::{self, aligned, pretty};
use super::{Form, World, html, print};
use crate::app::stores::Checked;
use crate::cli::archive::moment;
use crate::cli::{Error, Exit};
use crate::clock::Timestamp;
use crate::retention::evidence::{Act, Evidence};
use crate::retention::span::Span;
use crate::vault::DataDir;

/// What a report is made from.
pub(super) struct Document<'a> {
    pub made: Timestamp,
    pub since: Option<Timestamp>,
    pub policy: &'a str,
    pub acts: &'a [Act],
    pub checked: &'a [Checked],
}

pub(super) async fn run(world: &World, since: Option<&str>, form: Form) -> Result<Exit, Error> {
    let now = world.clock.now();
    let since = since.map(|text| moment("--since", text, now)).transpose()?;
    // Of a broken chain nothing is told: it proves nothing.
    let acts: Vec<Act> = match DataDir::open_to_read(&world.settings.data_dir) {
        Ok(dir) => Evidence::of(&dir)
            .since(since)
            .map_err(Error::failure)?
            .into_iter()
            .map(|line| line.said)
            .collect(),
        Err(_) => Vec::new(),
    };
    let checked = world.stores.check(&world.clock).await;
    let policy = &world.settings.policy.names().policy;
    let document = Document { made: now, since, policy, acts: &acts, checked: &checked };
    print(&match form {
        Form::Text => text(&document),
        Form::Json => object(&document),
        Form::Html => html::page(&document),
    })?;
    Ok(Exit::Done)
}

fn text(document: &Document<'_>) -> String {
    let since = document.since.map_or_else(|| "the beginning".to_owned(), |since| since.to_string());
    let mut text = format!(
        "Retention report of {}, policy {}, evidence since {since}: {} acts, their chain whole\n\nAs it stands now:\n\n",
        document.made,
        document.policy,
        document.acts.len()
    );
    text += &tell::table(document.checked);
    for target in document.checked {
        for (class, _, verdict) in target.verdicts.iter().filter(|(_, _, verdict)| !verdict.holds()) {
            text +=
                &format!("\nstore {}, {}, class {class}: {verdict}\n", target.store.name, target.target.name);
        }
    }
    if !document.acts.is_empty() {
        text += "\nWhat was done:\n\n";
        text += &aligned(&document.acts.iter().map(row).collect::<Vec<_>>());
    }
    text
}

/// When, what, where, and what came of it.
pub(super) fn row(act: &Act) -> Vec<String> {
    let outcome = match &act.verdict {
        Some(verdict) => verdict.clone(),
        None => act.told.first().cloned().unwrap_or_default(),
    };
    let oldest = act.oldest_s.map(|age| Span(std::time::Duration::from_secs(age)).to_string());
    vec![
        act.at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        act.did.word().to_owned(),
        format!("{} ({})", act.store, act.kind),
        act.target.clone(),
        act.classes.join(" "),
        oldest.map_or_else(String::new, |age| format!("oldest {age}")),
        outcome,
    ]
}

fn object(document: &Document<'_>) -> String {
    let standing: Vec<Value> = document.checked.iter().flat_map(tell::verdicts).collect();
    pretty(&json!({
        "made": document.made.to_string(),
        "since": document.since.map(|since| since.to_string()),
        "policy": document.policy,
        "version": env!("CARGO_PKG_VERSION"),
        "standing": standing,
        "acts": document.acts,
    }))
}

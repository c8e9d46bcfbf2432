//! The tables of stores: where records stay, and what is demanded of them.

use std::path::PathBuf;
use std::sync::Arc;

use super::read::{keys, kind, named};
use super::{Settings, Sink, SinkKind};
use crate::policy::Policy;
use crate::record::ClassId;
use crate::retention::{Kind, OnUnverified, Store, Target, files};
use crate::ttl::Ttl;
use crate::yaml::{Field, Table, nearest};

const STORE_KINDS: &[&str] = &["files"];

/// The stores of a configuration: those that are declared, and the sinks that keep what they get.
pub(super) fn stores(field: Option<&Field<'_>>, sinks: &[Sink], policy: &Policy) -> Vec<Store> {
    let mut stores = match field {
        Some(field) => named(field, |name, field| store(name, field, sinks, policy)).unwrap_or_default(),
        None => Vec::new(),
    };
    for sink in sinks {
        if stores.iter().any(|store| store.name == sink.name) {
            continue;
        }
        let Some(kind) = keeps(sink) else { continue };
        let classes = named_classes(sink.classes.as_deref(), policy);
        stores.push(made(Arc::clone(&sink.name), kind, OnUnverified::default(), &classes));
    }
    stores
}

/// What a sink is as a store, if it keeps what it gets.
fn keeps(sink: &Sink) -> Option<Kind> {
    match &sink.kind {
        SinkKind::Archive => Some(Kind::Archive),
        SinkKind::File(file) => {
            let deletes = files::Deletes::Writer(file.keeps_for());
            Some(Kind::Files(files::Settings { path: file.path.clone(), every: file.age_max, deletes }))
        }
        _ => None,
    }
}

fn store(name: Arc<str>, field: &Field<'_>, sinks: &[Sink], policy: &Policy) -> Option<Store> {
    let sink = sinks.iter().find(|sink| sink.name == name);
    let declared = field.entries()?.iter().any(|(key, _)| key == "kind");
    let (table, kind) = if declared {
        let kind = kind(field, STORE_KINDS)?;
        let table = field.table(keys(&format!("store_{kind}")))?;
        let kind = declared_kind(kind, &table)?;
        (table, kind)
    } else {
        let Some(kind) = sink.and_then(keeps) else { return undeclared(field, &name, sinks) };
        (field.table(keys("store"))?, kind)
    };
    let on_unverified = table.find("on_unverified").and_then(|field| {
        field.parse("block or warn", |text| match text {
            "block" => Some(OnUnverified::Block),
            "warn" => Some(OnUnverified::Warn),
            _ => None,
        })
    });
    let classes = match (table.find("classes"), sink) {
        (Some(field), _) => Some(super::sinks::classes(field, policy)?),
        (None, Some(sink)) => sink.classes.clone(),
        (None, None) => None,
    };
    let classes = named_classes(classes.as_deref(), policy);
    let store = made(name, kind, on_unverified.unwrap_or_default(), &classes);
    keepable(field, &store)?;
    Some(store)
}

/// A store without a kind is one of the sinks that keep.
fn undeclared(field: &Field<'_>, name: &str, sinks: &[Sink]) -> Option<Store> {
    if let Some(sink) = sinks.iter().find(|sink| &*sink.name == name) {
        let kinds = STORE_KINDS.join(", ");
        let sink = sink.kind.word();
        return field.refuse(format!(
            "has no kind, and the sink of this name, of kind {sink}, does not say what it feeds; it may hold kind: {kinds}"
        ));
    }
    let known: Vec<&str> =
        sinks.iter().filter(|sink| keeps(sink).is_some()).map(|sink| &*sink.name).collect();
    let near = nearest(name, &known);
    field.refuse(format!(
        "has no kind and is no sink that keeps; it may hold kind: {}{near}",
        STORE_KINDS.join(", ")
    ))
}

/// Every limit of its classes can be kept there: one that cannot is refused with the shortest one that can.
fn keepable(field: &Field<'_>, store: &Store) -> Option<()> {
    for target in &store.targets {
        if let Err(short) = store.kind.wants(target.limit()) {
            let shortest = target.classes.iter().min_by_key(|(_, ttl)| *ttl);
            let (class, ttl) = shortest.map_or(("", Ttl::days(0)), |(class, ttl)| (class.as_str(), *ttl));
            return field.refuse(format!(
                "cannot keep the limit of class {class}, {ttl}: {short}; raise the limit, or leave the class out"
            ));
        }
    }
    Some(())
}

fn made(name: Arc<str>, kind: Kind, on_unverified: OnUnverified, classes: &[(String, Ttl)]) -> Store {
    let targets = Target::from_name(&kind.target(), classes);
    Store { name, kind, on_unverified, targets }
}

fn named_classes(classes: Option<&[ClassId]>, policy: &Policy) -> Vec<(String, Ttl)> {
    let wanted = |class: &ClassId| classes.is_none_or(|classes| classes.contains(class));
    let all = policy.classes().filter(wanted);
    all.map(|class| (policy.class_name(class).to_owned(), policy.ttl(class))).collect()
}

fn declared_kind(kind: &str, table: &Table<'_>) -> Option<Kind> {
    match kind {
        "files" => rotated(table),
        _ => None,
    }
}

fn rotated(table: &Table<'_>) -> Option<Kind> {
    let path = table.need("path", "the path of the file that is written")?.text().map(PathBuf::from);
    let every = table.need("rotated", "how often it is rotated, such as 24h")?.duration();
    let (path, every) = (path?, every?);
    Some(Kind::Files(files::Settings { path, every, deletes: files::Deletes::Logveil }))
}

impl Settings {
    /// The store that a sink feeds, if it is known to be one.
    pub fn store_of(&self, sink: &str) -> Option<&Store> {
        self.stores.iter().find(|store| &*store.name == sink)
    }
}

/*!
From the tree to the settings: one function a table of the configuration.

Each reports what is wrong and goes on, so that one run shows every error.
*/

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use super::admin::admin;
use super::expand::{expand, file_path, read};
use super::memory::{self, Defaults};
use super::packs::Packs;
use super::roles::role;
use super::sinks::{only_once, sink};
use super::sources::source;
use super::stores::stores;
use super::{Queue, Settings, Source};
use crate::detect::Rules;
use crate::entity::Entity;
use crate::limit::{MEMORY_BYTES_MAX, MEMORY_BYTES_MIN, QUEUE_BYTES_MAX, QUEUE_BYTES_MIN};
use crate::limit::{QUEUE_DISK_BYTES_DEFAULT, QUEUE_DISK_BYTES_MAX, QUEUE_DISK_BYTES_MIN};
use crate::policy::{BUILTIN, Glob, Policy, Route, When};
use crate::vault::KekPlace;
use crate::yaml::{Field, nearest};

/// The keys of each table, by the name that the JSON Schema has for it.
pub(super) const TABLES: &[(&str, &[&str])] = &[
    (
        "root",
        &[
            "data_dir",
            "packs",
            "policy",
            "memory_max",
            "sources",
            "routes",
            "queue",
            "sinks",
            "stores",
            "keyring",
            "roles",
            "rescan",
            "admin",
        ],
    ),
    ("source_syslog", &["kind", "tcp", "tls", "udp", "unix", "unix_datagram", "limits"]),
    ("syslog_limits", &["connections", "peer_connections", "peer_bytes", "unfinished"]),
    ("source_http", &["kind", "listen", "tls", "auth", "limits"]),
    ("http_limits", &["connections", "peer_connections", "peer_bytes", "body", "bodies"]),
    ("source_tls", &["cert", "key", "client_ca"]),
    ("source_stdin", &["kind"]),
    ("source_relp", &["kind", "listen", "tls", "limits"]),
    ("source_forward", &["kind", "listen", "tls", "limits"]),
    ("message_limits", &["connections", "peer_connections", "peer_bytes", "messages"]),
    ("source_auth", &["tokens", "users"]),
    ("source_files", &["kind", "include", "exclude", "framing"]),
    ("route", &["when", "class", "stream"]),
    ("when", &["source", "app", "path", "field"]),
    ("queue", &["mode", "max_bytes"]),
    ("sink_archive", &["kind", "classes", "region"]),
    ("sink_stdout", &["kind", "classes", "region", "format"]),
    ("sink_file", &["kind", "classes", "region", "path", "format", "rotate"]),
    ("rotate", &["bytes", "age", "keep"]),
    ("sink_http", &["kind", "classes", "region", "url", "raw", "auth", "tls", "compression", "batch"]),
    ("sink_syslog", &["kind", "classes", "region", "tcp", "framing", "tls"]),
    (
        "sink_elasticsearch",
        &["kind", "classes", "region", "url", "index", "auth", "tls", "compression", "batch"],
    ),
    (
        "sink_opensearch",
        &["kind", "classes", "region", "url", "index", "auth", "tls", "compression", "batch"],
    ),
    ("sink_loki", &["kind", "classes", "region", "url", "labels", "tenant", "auth", "tls", "batch"]),
    ("sink_victorialogs", &["kind", "classes", "region", "url", "auth", "tls", "compression", "batch"]),
    (
        "sink_clickhouse",
        &["kind", "classes", "region", "url", "table", "auth", "tls", "compression", "batch"],
    ),
    ("sink_otlp", &["kind", "classes", "region", "url", "auth", "tls", "compression", "batch"]),
    (
        "sink_splunk",
        &["kind", "classes", "region", "url", "token", "index", "acks", "tls", "compression", "batch"],
    ),
    (
        "sink_s3",
        &[
            "kind",
            "classes",
            "kept_in",
            "url",
            "bucket",
            "region",
            "addressing",
            "prefix",
            "access_key",
            "secret_key",
            "session_token",
            "tls",
            "compression",
            "batch",
        ],
    ),
    ("auth", &["basic", "bearer", "header"]),
    ("basic", &["user", "password"]),
    ("header", &["name", "value"]),
    ("tls", &["ca", "cert", "key", "server_name"]),
    ("batch", &["bytes", "records", "age", "requests"]),
    ("store", &["on_unverified", "classes"]),
    (
        "store_clickhouse",
        &["kind", "on_unverified", "classes", "url", "auth", "tls", "database", "table", "time_column"],
    ),
    ("store_nats", &["kind", "on_unverified", "classes", "url", "stream", "user", "password", "token"]),
    (
        "store_opensearch",
        &["kind", "on_unverified", "classes", "url", "auth", "tls", "index", "time_field", "lifecycle"],
    ),
    (
        "store_cloudwatch",
        &["kind", "on_unverified", "classes", "url", "tls", "region", "group", "access_key", "secret_key"],
    ),
    (
        "store_datadog",
        &["kind", "on_unverified", "classes", "url", "tls", "index", "api_key", "application_key"],
    ),
    (
        "store_elasticsearch",
        &["kind", "on_unverified", "classes", "url", "auth", "tls", "index", "time_field", "lifecycle"],
    ),
    ("store_kafka", &["kind", "on_unverified", "classes", "broker", "topic"]),
    ("store_loki", &["kind", "on_unverified", "classes", "url", "auth", "tls", "class"]),
    ("store_quickwit", &["kind", "on_unverified", "classes", "url", "auth", "tls", "index"]),
    (
        "store_s3",
        &[
            "kind",
            "on_unverified",
            "classes",
            "url",
            "tls",
            "bucket",
            "region",
            "prefix",
            "access_key",
            "secret_key",
            "spans",
            "lifecycle",
        ],
    ),
    ("store_splunk", &["kind", "on_unverified", "classes", "url", "auth", "tls", "index", "app"]),
    ("store_victorialogs", &["kind", "on_unverified", "classes", "url", "auth", "tls", "class"]),
    ("store_files", &["kind", "on_unverified", "classes", "path", "rotated"]),
    ("keyring", &["kek"]),
    ("kek", &["command"]),
    ("rescan", &["never"]),
    ("role", &["may", "users", "token"]),
    ("admin", &["listen", "tls", "only"]),
];

pub(super) fn keys(table: &str) -> &'static [&'static str] {
    let found = TABLES.iter().find(|(name, _)| *name == table);
    found.expect("every table that is read stands in the list").1
}

/// The whole file, with `packs` behind those that it names. `None` if anything was reported.
pub(super) fn settings(root: &Field<'_>, packs: &[PathBuf]) -> Option<Settings> {
    let mut settings = Settings::default();
    if root.is_nothing() {
        let Packs { files, rules } = Packs::read(root, None, packs)?;
        settings.packs = files;
        settings.policy = Arc::new(Policy::builtin_for(rules, "default")?);
        return Some(settings);
    }
    let table = root.table(keys("root"))?;
    if let Some(dir) = table.find("data_dir").and_then(Field::text) {
        settings.data_dir = PathBuf::from(dir);
    }
    settings.memory_max =
        table.find("memory_max").and_then(|field| field.bytes(MEMORY_BYTES_MIN..=MEMORY_BYTES_MAX));
    let count =
        |key, default| table.find(key).and_then(Field::entries).map_or(default, |entries| entries.len());
    let (sources, sinks) = (count("sources", settings.sources.len()), count("sinks", settings.sinks.len()));
    let defaults = Defaults::of(settings.memory_max, sources, sinks);
    settings.sessions_max = defaults.sessions_max;
    settings.sources = match table.find("sources") {
        Some(field) => named(field, |name, field| source(name, field, &defaults)).unwrap_or_default(),
        None => super::default_sources(&defaults),
    };
    let Packs { files, rules } = Packs::read(root, table.find("packs"), packs)?;
    let policy = match table.find("policy") {
        Some(field) => policy(field, rules)?,
        None => Policy::builtin_for(rules, "default")?,
    };
    settings.packs = files;
    let policy = match table.find("routes") {
        Some(field) => routes(field, policy, &settings.sources)?,
        None => policy,
    };
    settings.policy = Arc::new(policy);
    if let Some(field) = table.find("sinks") {
        settings.sinks = named(field, |name, table| sink(name, table, &settings.policy)).unwrap_or_default();
        only_once(field, &settings.sinks);
    }
    settings.stores = stores(table.find("stores"), &settings.sinks, &settings.policy);
    settings.queue = Queue::Memory { bytes_max: defaults.queue_bytes_max };
    if let Some(field) = table.find("queue") {
        settings.queue = queue(field, &defaults).unwrap_or(settings.queue);
    }
    if let Some(field) = table.find("roles") {
        settings.roles = named(field, role).unwrap_or_default();
    }
    settings.rescan = table.find("rescan").and_then(|field| rescan(field, &settings.policy));
    settings.kek = table.find("keyring").and_then(kek);
    settings.kek_line = table.find("keyring").map(|field| field.line);
    if let Some(field) = table.find("admin") {
        settings.admin = admin(field, &settings.admin)?;
    }
    if let (Some(field), Some(memory_max)) = (table.find("memory_max"), settings.memory_max) {
        match memory::turns(&settings, super::processors(), memory_max) {
            Ok(turns) => settings.turns = turns,
            Err(sum) => field.refuse(format!(
                "holds {}, and the bounds of this configuration sum up to {}; raise it, or lower limits of sources, \
                 queue.max_bytes or batch.bytes of sinks",
                field.text().unwrap_or_default(),
                sum.words()
            ))?,
        }
    }
    Some(settings)
}

/// A table of named things, at least one.
pub(super) fn named<T>(
    field: &Field<'_>,
    mut read: impl FnMut(Arc<str>, &Field<'_>) -> Option<T>,
) -> Option<Vec<T>> {
    let entries = field.entries()?;
    if entries.is_empty() {
        return field.refuse("is empty, and needs one entry at least; or leave the key out for the default");
    }
    let plain = |name: &str| {
        let sign = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b);
        (1..=64).contains(&name.len()) && name.bytes().all(sign)
    };
    let mut things = Vec::new();
    for (name, field) in entries {
        if !plain(&name) {
            field.refuse::<()>("is no name; it may hold a-z, 0-9, _ and -, and 64 of them");
        }
        things.extend(read(name.into(), &field));
    }
    Some(things)
}

/// The `kind` of a source or sink; the other keys depend on it.
pub(super) fn kind<'a>(field: &Field<'a>, known: &[&'static str]) -> Option<&'static str> {
    let entries = field.entries()?;
    let Some((_, kind)) = entries.iter().find(|(key, _)| key == "kind") else {
        return field.refuse(format!("has no kind; it may hold kind: {}", known.join(", ")));
    };
    let text = kind.text()?;
    let found = known.iter().find(|name| **name == text).copied();
    found.or_else(|| {
        kind.refuse(format!("holds {text:?}, and may hold {}{}", known.join(", "), nearest(text, known)))
    })
}

fn queue(field: &Field<'_>, defaults: &Defaults) -> Option<Queue> {
    let table = field.table(keys("queue"))?;
    let mode = match table.find("mode") {
        Some(mode) => match mode.text()? {
            text @ ("memory" | "durable") => text,
            text => return mode.refuse(format!("holds {text:?}, and may hold memory or durable")),
        },
        None => "memory",
    };
    let bytes = table.find("max_bytes");
    if mode == "durable" {
        let bytes_max = match bytes {
            Some(field) => field.bytes(QUEUE_DISK_BYTES_MIN..=QUEUE_DISK_BYTES_MAX)?,
            None => QUEUE_DISK_BYTES_DEFAULT,
        };
        return Some(Queue::Durable { bytes_max });
    }
    let bytes_max = match bytes {
        Some(field) => usize::try_from(field.bytes(QUEUE_BYTES_MIN..=QUEUE_BYTES_MAX)?).ok()?,
        None => defaults.queue_bytes_max,
    };
    Some(Queue::Memory { bytes_max })
}

/// The entities that leave in no record, whatever the policy says of them.
fn rescan(field: &Field<'_>, policy: &Policy) -> Option<Vec<Entity>> {
    let table = field.table(keys("rescan"))?;
    let Some(never) = table.find("never") else { return Some(Vec::new()) };
    let entities = policy.rules().entities();
    let names: Vec<&str> = entities.iter().map(|entity| entities.name(entity)).collect();
    let entity = |member: &Field<'_>| {
        let text = member.text()?;
        entities.find(text).or_else(|| {
            member.refuse(format!(
                "holds {text:?}, and may hold a kind of value that `logveil pattern list` names{}",
                nearest(text, &names)
            ))
        })
    };
    never.list()?.iter().map(entity).collect()
}

/// Keys come from files and commands: the environment is seen by too many.
fn kek(field: &Field<'_>) -> Option<KekPlace> {
    let table = field.table(keys("keyring"))?;
    let field = table.need("kek", "\"${file:PATH}\"")?;
    if field.is_table() {
        let command =
            field.table(keys("kek"))?.need("command", "a list: the program and its arguments")?.texts()?;
        return match command.first().is_some_and(|program| !program.is_empty()) {
            true => Some(KekPlace::Command(command)),
            false => field.refuse("has no program, and may hold a list: the program and its arguments"),
        };
    }
    let path = file_path(field.text()?).map(PathBuf::from);
    // What it holds may be the key itself, so it is not shown.
    path.map(KekPlace::File).or_else(|| {
        field.refuse("holds something else, and may hold \"${file:PATH}\", the file with the key, or { command: [PROGRAM, ARGUMENT…] }")
    })
}

/// The policy that a name or a path stands for.
fn policy(field: &Field<'_>, rules: Arc<Rules>) -> Option<Policy> {
    let name = field.text()?;
    if let Some(policy) = Policy::builtin_for(Arc::clone(&rules), name) {
        return Some(policy);
    }
    let known: Vec<&str> = BUILTIN.iter().map(|(name, _)| *name).collect();
    if !name.contains(['/', '.']) {
        let near = nearest(name, &known);
        let list = known.join(", ");
        return field
            .refuse(format!("holds {name:?}, and may hold {list} or the path of a policy file{near}"));
    }
    let text = match read(name.as_ref()) {
        Ok(text) => text,
        Err(why) => return field.refuse(format!("holds {name:?}, which cannot be read: {why}")),
    };
    match Policy::parse_for(rules, name, &text) {
        Ok(policy) => Some(policy),
        Err(error) => {
            error.faults.iter().for_each(|fault| field.pass_on(fault));
            None
        }
    }
}

fn routes(field: &Field<'_>, policy: Policy, sources: &[Source]) -> Option<Policy> {
    let members = field.list()?;
    let routes: Vec<Option<Route>> = members.iter().map(|member| route(member, sources)).collect();
    let routes: Vec<Route> = routes.into_iter().collect::<Option<_>>()?;
    match policy.routed(&routes) {
        Ok(policy) => Some(policy),
        Err(errors) => {
            for error in errors {
                members[error.route()].refuse::<()>(error.to_string());
            }
            None
        }
    }
}

fn route(field: &Field<'_>, sources: &[Source]) -> Option<Route> {
    let table = field.table(keys("route"))?;
    let when = match table.need("when", "a table of conditions: source, app, path, field") {
        Some(field) => when(field, sources),
        None => None,
    };
    let text = |key| table.find(key).and_then(Field::text).map(str::to_owned);
    Some(Route { class: text("class"), stream: text("stream"), when: when? })
}

fn when(field: &Field<'_>, sources: &[Source]) -> Option<When> {
    let table = field.table(keys("when"))?;
    let source = match table.find("source") {
        Some(field) => Some(known_source(field, sources)?),
        None => None,
    };
    let app = match table.find("app") {
        Some(field) => field.texts()?,
        None => Vec::new(),
    };
    let path = match table.find("path") {
        Some(field) => Some(Glob::new(field.text()?)),
        None => None,
    };
    let mut members = Vec::new();
    if let Some(field) = table.find("field") {
        for (key, value) in field.entries()? {
            members.push((key, value.text()?.to_owned()));
        }
    }
    Some(When { source, app, path, field: members })
}

fn known_source(field: &Field<'_>, sources: &[Source]) -> Option<String> {
    let name = field.text()?;
    if sources.iter().any(|source| **source.name() == *name) {
        return Some(name.to_owned());
    }
    let known: Vec<&str> = sources.iter().map(|source| &**source.name()).collect();
    let near = nearest(name, &known);
    field.refuse(format!("holds {name:?}, and may hold the name of a source: {}{near}", known.join(", ")))
}

/// An address to listen on: numbers, so that it means the same whatever a resolver says.
pub(super) fn listen(field: &Field<'_>) -> Option<SocketAddr> {
    let address = expanded(field)?;
    let address = match address.strip_prefix("localhost:") {
        Some(port) => format!("127.0.0.1:{port}"),
        None => address,
    };
    let written = field.text()?;
    let want = "IP:PORT such as 127.0.0.1:5514 or 0.0.0.0:5514";
    address.parse().ok().or_else(|| field.refuse(format!("holds {written:?}, and may hold {want}")))
}

/// The text of a field that may take its value from outside.
pub(super) fn expanded(field: &Field<'_>) -> Option<String> {
    expand(field.text()?).map_or_else(|what| field.refuse(what), Some)
}

/*!
From the tree to the settings: one function a table of the configuration.

Each reports what is wrong and goes on, so that one run shows every error.
*/

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::expand::{expand, file_path, read};
use super::packs::Packs;
use super::{Settings, Sink, SinkKind, Source};
use crate::detect::Rules;
use crate::limit::{QUEUE_BYTES_MAX, QUEUE_BYTES_MIN, ROTATED_FILES_MAX};
use crate::policy::{BUILTIN, Glob, Policy, Route, When};
use crate::record::ClassId;
use crate::sink::{self, Form};
use crate::source;
use crate::yaml::{Field, Table, nearest};

/// The keys of each table, by the name that the JSON Schema has for it.
pub(super) const TABLES: &[(&str, &[&str])] = &[
    ("root", &["data_dir", "packs", "policy", "sources", "routes", "queue", "sinks", "keyring", "admin"]),
    ("source_syslog", &["kind", "tcp", "udp"]),
    ("source_http", &["kind", "listen"]),
    ("route", &["when", "class", "stream"]),
    ("when", &["source", "app", "path", "field"]),
    ("queue", &["mode", "max_bytes"]),
    ("sink_archive", &["kind", "classes"]),
    ("sink_stdout", &["kind", "classes", "format"]),
    ("sink_file", &["kind", "classes", "path", "format", "rotate"]),
    ("rotate", &["bytes", "age", "keep"]),
    ("sink_http", &["kind", "classes", "url", "raw"]),
    ("sink_syslog", &["kind", "classes", "tcp", "framing"]),
    ("keyring", &["kek"]),
    ("admin", &["listen"]),
];

fn keys(table: &str) -> &'static [&'static str] {
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
    if let Some(field) = table.find("sources") {
        settings.sources = named(field, source).unwrap_or_default();
    }
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
    if let Some(bytes) = table.find("queue").and_then(queue) {
        settings.queue_bytes_max = bytes;
    }
    settings.kek = table.find("keyring").and_then(kek);
    if let Some(field) = table.find("admin").and_then(|field| field.table(keys("admin"))) {
        settings.admin = field.find("listen").and_then(listen).unwrap_or(settings.admin);
    }
    Some(settings)
}

/// A table of named things, at least one.
fn named<T>(field: &Field<'_>, mut read: impl FnMut(Arc<str>, &Field<'_>) -> Option<T>) -> Option<Vec<T>> {
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

const SOURCE_KINDS: &[&str] = &["syslog", "http"];
const SINK_KINDS: &[&str] = &["archive", "stdout", "file", "http", "syslog"];

/// The `kind` of a source or sink; the other keys depend on it.
fn kind<'a>(field: &Field<'a>, known: &[&'static str]) -> Option<&'static str> {
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

fn source(name: Arc<str>, field: &Field<'_>) -> Option<Source> {
    if kind(field, SOURCE_KINDS)? == "http" {
        let table = field.table(keys("source_http"))?;
        let listen = table.need("listen", "an address such as 127.0.0.1:8088").and_then(listen)?;
        let limits = source::http::Limits::default();
        return Some(Source::Http(source::http::Settings { name, listen, limits }));
    }
    let table = field.table(keys("source_syslog"))?;
    if table.find("tcp").is_none() && table.find("udp").is_none() {
        return field.refuse("listens on nothing; set tcp, udp or both to an address such as 127.0.0.1:5514");
    }
    let (tcp, udp) = (table.find("tcp").and_then(listen), table.find("udp").and_then(listen));
    Some(Source::Syslog(source::syslog::Settings::new(name, tcp, udp)))
}

fn sink(name: Arc<str>, field: &Field<'_>, policy: &Policy) -> Option<Sink> {
    let kind = kind(field, SINK_KINDS)?;
    let table = field.table(keys(&format!("sink_{kind}")))?;
    let classes = match table.find("classes") {
        Some(field) => Some(classes(field, policy)?),
        None => None,
    };
    let kind = match kind {
        "stdout" => SinkKind::Stdout(form(&table)),
        "file" => {
            let file = file(&table)?;
            let at = table.find("rotate").unwrap_or(field);
            SinkKind::File(within_limits(at, file, classes.as_deref(), policy)?)
        }
        "http" => SinkKind::Http(http(&table)?),
        "syslog" => SinkKind::Syslog(syslog(&table)?),
        _ => SinkKind::Archive,
    };
    Some(Sink { name, classes, kind })
}

/// One archive and one standard output are all there is.
fn only_once(field: &Field<'_>, sinks: &[Sink]) {
    let archives = sinks.iter().filter(|sink| matches!(sink.kind, SinkKind::Archive)).count();
    let outputs = sinks.iter().filter(|sink| matches!(sink.kind, SinkKind::Stdout(_))).count();
    for (count, what) in [(archives, "archive"), (outputs, "stdout")] {
        if count > 1 {
            field.refuse::<()>(format!("holds {count} sinks of kind {what}, and may hold one"));
        }
    }
}

fn classes(field: &Field<'_>, policy: &Policy) -> Option<Vec<ClassId>> {
    let class = |field: &Field<'_>| {
        let name = field.text()?;
        policy.class_named(name).or_else(|| {
            let known: Vec<&str> = policy.classes().map(|class| policy.class_name(class)).collect();
            let near = nearest(name, &known);
            field.refuse(format!(
                "holds {name:?}, and may hold a class of the policy: {}{near}",
                known.join(", ")
            ))
        })
    };
    field.list()?.iter().map(class).collect()
}

fn form(table: &Table<'_>) -> Form {
    let known = |text: &str| match text {
        "message" => Some(Form::Message),
        "json" => Some(Form::Json),
        _ => None,
    };
    table.find("format").and_then(|field| field.parse("message or json", known)).unwrap_or_default()
}

fn file(table: &Table<'_>) -> Option<sink::file::Settings> {
    let path = table.need("path", "the path of a file").and_then(file_in_a_folder);
    let rotate = table.find("rotate").and_then(|field| field.table(keys("rotate")));
    let rotate = rotate.as_ref();
    let bytes = rotate.and_then(|table| table.find("bytes")).and_then(|field| field.bytes(1024..=1 << 50));
    let age = rotate.and_then(|table| table.find("age")).and_then(|field| {
        let age = field.duration()?;
        let least = Duration::from_secs(60);
        if age < least { field.refuse("is shorter than 1m, the least it may hold") } else { Some(age) }
    });
    let keep =
        rotate.and_then(|table| table.find("keep")).and_then(|field| field.count(0..=ROTATED_FILES_MAX));
    Some(sink::file::Settings {
        path: path?,
        form: form(table),
        bytes_max: bytes.unwrap_or(64 << 20),
        age_max: age.unwrap_or(Duration::from_secs(86_400)),
        keep: keep.unwrap_or(7),
    })
}

/// A file that keeps no record longer than its class allows.
fn within_limits(
    field: &Field<'_>,
    file: sink::file::Settings,
    classes: Option<&[ClassId]>,
    policy: &Policy,
) -> Option<sink::file::Settings> {
    let all = policy.classes().filter(|class| classes.is_none_or(|classes| classes.contains(class)));
    let shortest = all.min_by_key(|class| policy.ttl(*class).duration());
    match shortest.filter(|class| policy.ttl(*class).duration() < file.keeps_for()) {
        None => Some(file),
        Some(class) => field.refuse(format!(
            "keeps a record for up to age times keep + 1, {} s, and class {} allows {}; lower age or keep, or leave \
             the class out of the sink's classes",
            file.keeps_for().as_secs(),
            policy.class_name(class),
            policy.ttl(class)
        )),
    }
}

/// A path whose folder is there: a misspelt one is told now, not with the first record.
fn file_in_a_folder(field: &Field<'_>) -> Option<PathBuf> {
    let path = PathBuf::from(field.text()?);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if folder.is_none_or(|folder| folder.is_dir()) && !path.is_dir() {
        return Some(path);
    }
    field.refuse(format!("holds {path:?}, and may hold the path of a file in a folder that exists"))
}

fn http(table: &Table<'_>) -> Option<sink::http::Settings> {
    let raw = table.find("raw").and_then(Field::boolean).unwrap_or_default();
    let form = if raw { Form::Message } else { Form::Json };
    let field = table.need("url", "a URL such as http://127.0.0.1:9000/logs")?;
    let text = expanded(field)?;
    let url = text.parse::<hyper::Uri>().ok().filter(|url| url.host().is_some());
    let Some(url) = url else {
        return field.refuse("holds no URL, and may hold one such as http://127.0.0.1:9000/logs");
    };
    if url.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return field.refuse("holds credentials, and may hold host and port alone");
    }
    match url.scheme_str() {
        Some("http") => Some(sink::http::Settings { url, form }),
        Some("https") => {
            field.refuse("holds https://, which this version does not speak yet; it may hold http:// to a TLS proxy on this machine")
        }
        Some(_) | None => field.refuse("holds another scheme, and may hold http://"),
    }
}

fn syslog(table: &Table<'_>) -> Option<sink::syslog::Settings> {
    let framing = |text: &str| match text {
        "octets" => Some(sink::syslog::Framing::Octets),
        "lf" => Some(sink::syslog::Framing::Lf),
        _ => None,
    };
    let framing = table.find("framing").and_then(|field| field.parse("octets or lf", framing));
    let field = table.need("tcp", "an address such as 127.0.0.1:6514")?;
    let tcp = expanded(field)?;
    let port = tcp.rsplit_once(':').filter(|(host, _)| !host.is_empty() && !host.contains(['/', '@', ' ']));
    match port.and_then(|(_, port)| port.parse::<u16>().ok()) {
        Some(1..) => Some(sink::syslog::Settings { tcp, framing: framing.unwrap_or_default() }),
        Some(0) | None => field.refuse(format!("holds {:?}, and may hold HOST:PORT", field.text()?)),
    }
}

fn queue(field: &Field<'_>) -> Option<usize> {
    let table = field.table(keys("queue"))?;
    if let Some(mode) = table.find("mode") {
        match mode.text()? {
            "memory" => {}
            "durable" => {
                return mode.refuse(
                    "holds durable, which this version does not have yet; it may hold memory, \
                     with which a client has its answer once every sink has confirmed",
                );
            }
            text => return mode.refuse(format!("holds {text:?}, and may hold memory")),
        }
    }
    let bytes = table.find("max_bytes")?.bytes(QUEUE_BYTES_MIN..=QUEUE_BYTES_MAX)?;
    usize::try_from(bytes).ok()
}

/// Keys come from files: the environment is seen by too many.
fn kek(field: &Field<'_>) -> Option<PathBuf> {
    let table = field.table(keys("keyring"))?;
    let field = table.need("kek", "\"${file:PATH}\"")?;
    let path = file_path(field.text()?).map(PathBuf::from);
    // What it holds may be the key itself, so it is not shown.
    path.or_else(|| {
        field.refuse("holds something else, and may hold \"${file:PATH}\", the file with the key")
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
fn listen(field: &Field<'_>) -> Option<SocketAddr> {
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
fn expanded(field: &Field<'_>) -> Option<String> {
    expand(field.text()?).map_or_else(|what| field.refuse(what), Some)
}

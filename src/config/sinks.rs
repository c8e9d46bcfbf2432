//! The tables of sinks: where records go.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::endpoint::{endpoint, tls};
use super::read::{expanded, keys, kind};
use super::remotes;
use super::{Sink, SinkKind};
use crate::limit::{
    BATCH_AGE_MAX, REQUEST_BYTES_MAX, REQUEST_BYTES_MIN, REQUEST_RECORDS, REQUESTS_MAX, ROTATED_FILES_MAX,
};
use crate::policy::Policy;
use crate::record::ClassId;
use crate::sink::{self, Batch, Form};
use crate::yaml::{Field, Table, nearest};

const SINK_KINDS: &[&str] = &[
    "archive",
    "stdout",
    "file",
    "http",
    "syslog",
    "elasticsearch",
    "opensearch",
    "loki",
    "victorialogs",
    "clickhouse",
    "otlp",
    "splunk",
    "s3",
];

/// One sink, by its kind.
pub(super) fn sink(name: Arc<str>, field: &Field<'_>, policy: &Policy) -> Option<Sink> {
    let kind = kind(field, SINK_KINDS)?;
    let table = field.table(keys(&format!("sink_{kind}")))?;
    let classes = match table.find("classes") {
        Some(field) => Some(classes(field, policy)?),
        None => None,
    };
    // S3 calls regions of its own `region`.
    let region = table.find(if kind == "s3" { "kept_in" } else { "region" }).and_then(region);
    let kind = match kind {
        "stdout" => SinkKind::Stdout(form(&table)),
        "file" => {
            let file = file(&table)?;
            let at = table.find("rotate").unwrap_or(field);
            SinkKind::File(within_limits(at, file, classes.as_deref(), policy)?)
        }
        "http" => SinkKind::Http(Box::new(http(&table)?)),
        "syslog" => SinkKind::Syslog(syslog(&table)?),
        "archive" => SinkKind::Archive,
        store => remotes::sink(store, &table)?,
    };
    Some(Sink { name, classes, region, kind })
}

/// Where a sink keeps what it gets, as policies name regions.
fn region(field: &Field<'_>) -> Option<Arc<str>> {
    let sign = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let is_word = |text: &str| (1..=32).contains(&text.len()) && text.bytes().all(sign);
    field.parse("the name of a region: up to 32 of a-z, 0-9 and -", |text| is_word(text).then(|| text.into()))
}

/// One archive and one standard output are all there is.
pub(super) fn only_once(field: &Field<'_>, sinks: &[Sink]) {
    let archives = sinks.iter().filter(|sink| matches!(sink.kind, SinkKind::Archive)).count();
    let outputs = sinks.iter().filter(|sink| matches!(sink.kind, SinkKind::Stdout(_))).count();
    for (count, what) in [(archives, "archive"), (outputs, "stdout")] {
        if count > 1 {
            field.refuse::<()>(format!("holds {count} sinks of kind {what}, and may hold one"));
        }
    }
}

/// The classes that a list names.
pub(super) fn classes(field: &Field<'_>, policy: &Policy) -> Option<Vec<ClassId>> {
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
    let batch = batch(table, Batch::default());
    Some(sink::http::Settings { store: endpoint(table)?, form, batch: batch? })
}

/// What goes into one request; `default` where nothing is said.
pub(super) fn batch(table: &Table<'_>, default: Batch) -> Option<Batch> {
    let Some(field) = table.find("batch") else { return Some(default) };
    let table = field.table(keys("batch"))?;
    let bytes = match table.find("bytes") {
        Some(field) => usize::try_from(field.bytes(REQUEST_BYTES_MIN..=REQUEST_BYTES_MAX)?).ok()?,
        None => default.bytes_max,
    };
    let records = match table.find("records") {
        Some(field) => usize::try_from(field.count(1..=REQUEST_RECORDS as u64)?).ok()?,
        None => default.records_max,
    };
    let age = match table.find("age") {
        Some(field) => match field.duration()? {
            age if age > BATCH_AGE_MAX => {
                return field
                    .refuse(format!("is longer than {} s, the most it may hold", BATCH_AGE_MAX.as_secs()));
            }
            age => age,
        },
        None => default.age_max,
    };
    let requests = match table.find("requests") {
        Some(field) => usize::try_from(field.count(1..=REQUESTS_MAX)?).ok()?,
        None => default.requests_max,
    };
    Some(Batch { bytes_max: bytes, records_max: records, age_max: age, requests_max: requests })
}

fn syslog(table: &Table<'_>) -> Option<sink::syslog::Settings> {
    let framing = |text: &str| match text {
        "octets" => Some(sink::syslog::Framing::Octets),
        "lf" => Some(sink::syslog::Framing::Lf),
        _ => None,
    };
    let framing = table.find("framing").and_then(|field| field.parse("octets or lf", framing));
    let framing = framing.unwrap_or_default();
    let tls = match table.find("tls") {
        Some(field) if framing == sink::syslog::Framing::Lf => {
            return field.refuse("does not go with framing: lf; inside of TLS octets are counted (RFC 5425)");
        }
        Some(field) => Some(tls(field, Some(field))?),
        None => None,
    };
    let field = table.need("tcp", "an address such as 127.0.0.1:6514")?;
    let tcp = expanded(field)?;
    let port = tcp.rsplit_once(':').filter(|(host, _)| !host.is_empty() && !host.contains(['/', '@', ' ']));
    match port.and_then(|(_, port)| port.parse::<u16>().ok()) {
        Some(1..) => Some(sink::syslog::Settings { tcp, framing, tls }),
        Some(0) | None => field.refuse(format!("holds {:?}, and may hold HOST:PORT", field.text()?)),
    }
}

//! The tables of sinks that are stores with an interface over HTTP.

use super::SinkKind;
use super::endpoint::{bucket, endpoint, line, secret};
use super::sinks::batch;
use crate::sink::bulk::Product;
use crate::sink::loki::Label;
use crate::sink::{Batch, Template, bulk, clickhouse, loki, otlp, s3, splunk, victorialogs};
use crate::store::{Auth, Compression, Settings};
use crate::yaml::{Field, Table};

/// One sink, by its kind, which is one of those below.
pub(super) fn sink(kind: &str, table: &Table<'_>) -> Option<SinkKind> {
    let batch = batch(table, if kind == "s3" { s3::BATCH } else { Batch::default() });
    let store = endpoint(table);
    let kind = match kind {
        "loki" => {
            let (labels, tenant) = (labels(table)?, tenant(table)?);
            SinkKind::Loki(Box::new(loki::Settings { store: store?, labels, tenant, batch: batch? }))
        }
        "victorialogs" => {
            SinkKind::VictoriaLogs(Box::new(victorialogs::Settings { store: store?, batch: batch? }))
        }
        "clickhouse" => {
            let name = "the name of a table, such as logs or db.logs";
            let name = table.need("table", name)?.parse(name, clickhouse::Table::parse);
            SinkKind::ClickHouse(Box::new(clickhouse::Settings {
                store: store?,
                table: name?,
                batch: batch?,
            }))
        }
        "otlp" => {
            let store = gzip_alone(table, store?)?;
            SinkKind::Otlp(Box::new(otlp::Settings { store, batch: batch? }))
        }
        "splunk" => SinkKind::Splunk(Box::new(splunk(table, store?, batch?)?)),
        "s3" => SinkKind::S3(Box::new(s3(table, store?, batch?)?)),
        _ => {
            let product = if kind == "opensearch" { Product::Opensearch } else { Product::Elasticsearch };
            let index = index(table.need("index", "a name such as logs-{class}")?);
            let store = gzip_alone(table, store?)?;
            SinkKind::Bulk(Box::new(bulk::Settings { product, store, index: index?, batch: batch? }))
        }
    };
    Some(kind)
}

/// Stores that unpack gzip and nothing else.
fn gzip_alone(table: &Table<'_>, store: Settings) -> Option<Settings> {
    match table.find("compression") {
        Some(field) if store.compression == Compression::Zstd => {
            field.refuse("holds zstd, which this store does not read; it may hold none or gzip")
        }
        Some(_) | None => Some(store),
    }
}

fn splunk(table: &Table<'_>, store: Settings, batch: Batch) -> Option<splunk::Settings> {
    let field = table.need("token", "\"${file:PATH}\" or \"${env:NAME}\"")?;
    let auth = line(field, field, |token| Auth::scheme("Splunk", token))?;
    let index = match table.find("index") {
        Some(field) => Some(index(field)?),
        None => None,
    };
    let acks = match table.find("acks").map(Field::boolean) {
        Some(acks) if acks? => splunk::Acks::On,
        Some(_) | None => splunk::Acks::Off,
    };
    let store = gzip_alone(table, Settings { auth, ..store })?;
    Some(splunk::Settings { store, index, acks, batch })
}

fn s3(table: &Table<'_>, mut store: Settings, batch: Batch) -> Option<s3::Settings> {
    let key = |name| table.need(name, "\"${file:PATH}\" or \"${env:NAME}\"").and_then(secret);
    let (access, hidden) = (key("access_key"), key("secret_key"));
    let token = match table.find("session_token") {
        Some(field) => Some(secret(field)?),
        None => None,
    };
    let (prefix, bucket) = (prefix(table)?, bucket(table, &mut store)?);
    let Some(keys) = s3::Keys::new(&access?, &hidden?, token.as_ref()) else {
        return table.of.refuse("holds keys that are no text");
    };
    Some(s3::Settings { store, bucket, prefix, keys, batch })
}

/// Names of folders before the class.
fn prefix(table: &Table<'_>) -> Option<String> {
    let Some(field) = table.find("prefix") else { return Some(String::new()) };
    let plain = |text: &str| {
        let sign = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte);
        text.bytes().all(sign) && text.split('/').all(|part| !part.is_empty() && !part.starts_with('.'))
    };
    field.parse("names such as logs or logs/eu", |text| plain(text).then(|| format!("{text}/")))
}

fn index(field: &Field<'_>) -> Option<Template> {
    Template::index(field.text()?).map_or_else(|what| field.refuse(what), Some)
}

fn labels(table: &Table<'_>) -> Option<Vec<Label>> {
    let Some(field) = table.find("labels") else { return Some(vec![Label::Class, Label::Stream]) };
    let known = |text: &str| Label::NAMES.iter().find(|(name, _)| *name == text).map(|(_, label)| *label);
    let labels: Option<Vec<Label>> =
        field.list()?.iter().map(|field| field.parse("class, stream, app or host", known)).collect();
    let labels = labels?;
    let twice = labels.iter().enumerate().any(|(at, label)| labels[..at].contains(label));
    if labels.is_empty() || twice {
        return field.refuse("may hold one at least of class, stream, app and host, and each once");
    }
    Some(labels)
}

fn tenant(table: &Table<'_>) -> Option<Option<hyper::header::HeaderValue>> {
    let Some(field) = table.find("tenant") else { return Some(None) };
    let plain = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    let read = |text: &str| plain(text).then(|| text.parse().ok()).flatten();
    field.parse("the name of a tenant", read).map(Some)
}

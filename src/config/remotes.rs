//! The tables of sinks that are stores with an interface over HTTP.

use super::SinkKind;
use super::endpoint::endpoint;
use super::sinks::batch;
use crate::sink::bulk::Product;
use crate::sink::loki::Label;
use crate::sink::{Batch, Template, bulk, clickhouse, loki, victorialogs};
use crate::store::{Compression, Settings};
use crate::yaml::{Field, Table};

/// One sink, by its kind, which is one of those below.
pub(super) fn sink(kind: &str, table: &Table<'_>) -> Option<SinkKind> {
    let batch = batch(table, Batch::default());
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

//! The tables of stores: where records stay, and what is demanded of them.

use std::path::PathBuf;
use std::sync::Arc;

use super::endpoint::{bucket, endpoint, secret, secret_text};
use super::read::{expanded, keys, kind, named};
use super::{Settings, Sink, SinkKind};
use crate::policy::Policy;
use crate::record::ClassId;
use crate::retention::{self, Kind, OnUnverified, Store, Target, files};
use crate::sink;
use crate::store;
use crate::ttl::Ttl;
use crate::yaml::{Field, Table, nearest};

const STORE_KINDS: &[&str] = &[
    "clickhouse",
    "cloudwatch",
    "datadog",
    "elasticsearch",
    "files",
    "kafka",
    "loki",
    "nats",
    "opensearch",
    "quickwit",
    "s3",
    "splunk",
    "victorialogs",
];

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
        let targets = targets(&kind, sink.classes.as_deref(), policy);
        let name = Arc::clone(&sink.name);
        stores.push(Store { name, kind, on_unverified: OnUnverified::Warn, targets });
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

/// What a sink is as a store when it is named as one: those that keep, and those whose store can be spoken to.
fn governed(sink: &Sink) -> Option<Kind> {
    let received = || "received".to_owned();
    match &sink.kind {
        SinkKind::ClickHouse(settings) => {
            let (database, table) =
                settings.table.name().split_once('.').unwrap_or(("default", settings.table.name()));
            Some(Kind::ClickHouse(retention::clickhouse::Settings {
                endpoint: settings.store.clone(),
                database: database.to_owned(),
                table: table.to_owned(),
                time_column: received(),
            }))
        }
        SinkKind::Bulk(settings) if settings.product == sink::bulk::Product::Opensearch => {
            // The days of `logs-{class}-{date}` are one target.
            let written = settings.index.written();
            let index = written.strip_suffix("-{date}").unwrap_or(written);
            let one = !index.replace("{class}", "").contains('{');
            one.then(|| {
                Kind::OpenSearch(retention::opensearch::Settings {
                    endpoint: settings.store.clone(),
                    index: index.to_owned(),
                    time_field: received(),
                    lifecycle: retention::opensearch::Lifecycle::Ism,
                })
            })
        }
        _ => keeps(sink),
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
        let Some(kind) = sink.and_then(governed) else { return undeclared(field, &name, sinks) };
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
    let targets = targets(&kind, classes.as_deref(), policy);
    // A sink that deletes by itself is told of, and not starved, while its sweep gets under way.
    let deletes = sink.is_some_and(|sink| keeps(sink).is_some()) && !declared;
    let default = if deletes { OnUnverified::Warn } else { OnUnverified::Block };
    let store = Store { name, kind, on_unverified: on_unverified.unwrap_or(default), targets };
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
        sinks.iter().filter(|sink| governed(sink).is_some()).map(|sink| &*sink.name).collect();
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

/// What in a store has these classes, or all of them.
fn targets(kind: &Kind, classes: Option<&[ClassId]>, policy: &Policy) -> Vec<Target> {
    let wanted = |class: &ClassId| classes.is_none_or(|classes| classes.contains(class));
    let named = |class| policy.class_name(class).to_owned();
    let classes: Vec<(String, Ttl)> =
        policy.classes().filter(wanted).map(|class| (named(class), policy.ttl(class))).collect();
    let every: Vec<String> = policy.classes().map(named).collect();
    Target::from_name(&kind.target(), &classes, &every)
}

fn declared_kind(kind: &str, table: &Table<'_>) -> Option<Kind> {
    match kind {
        "clickhouse" => clickhouse(table),
        "cloudwatch" => cloudwatch(table),
        "datadog" => datadog(table),
        "elasticsearch" => elasticsearch(table),
        "kafka" => kafka(table),
        "loki" => {
            Some(Kind::Loki(retention::loki::Settings { endpoint: endpoint(table)?, class: class(table)? }))
        }
        "quickwit" => Some(Kind::Quickwit(retention::quickwit::Settings {
            endpoint: endpoint(table)?,
            index: index(table)?,
        })),
        "s3" => s3(table),
        "splunk" => splunk(table),
        "victorialogs" => Some(Kind::VictoriaLogs(retention::victorialogs::Settings {
            endpoint: endpoint(table)?,
            class: class(table)?,
        })),
        "nats" => nats(table),
        "opensearch" => opensearch(table),
        _ => rotated(table),
    }
}

/// The name of something in a store: plain, so that it needs no quoting anywhere. It may hold `{class}`.
fn plain(field: &Field<'_>) -> Option<String> {
    let text = field.text()?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    if !text.is_empty() && text.replace("{class}", "").bytes().all(plain) && !text.starts_with(['.', '-']) {
        return Some(text.to_owned());
    }
    field.refuse(format!("holds {text:?}, and may hold a name of letters, digits, _, - and ., and {{class}}"))
}

fn plain_or(table: &Table<'_>, key: &str, default: &str) -> Option<String> {
    table.find(key).map_or_else(|| Some(default.to_owned()), plain)
}

fn clickhouse(table: &Table<'_>) -> Option<Kind> {
    let endpoint = endpoint(table);
    let database = plain_or(table, "database", "default");
    let name = table.need("table", "the name of a table").and_then(plain);
    let time_column = plain_or(table, "time_column", "received");
    Some(Kind::ClickHouse(retention::clickhouse::Settings {
        endpoint: endpoint?,
        database: database?,
        table: name?,
        time_column: time_column?,
    }))
}

fn opensearch(table: &Table<'_>) -> Option<Kind> {
    use retention::opensearch::{Lifecycle, Settings};
    let lifecycle = table.find("lifecycle").map_or(Some(Lifecycle::Ism), |field| {
        field.parse("ism or own", |text| match text {
            "ism" => Some(Lifecycle::Ism),
            "own" => Some(Lifecycle::Own),
            _ => None,
        })
    });
    let endpoint = endpoint(table);
    let index =
        table.need("index", "the beginning of the indices' names, such as logs-{class}").and_then(plain);
    let time_field = plain_or(table, "time_field", "received");
    Some(Kind::OpenSearch(Settings {
        endpoint: endpoint?,
        index: index?,
        time_field: time_field?,
        lifecycle: lifecycle?,
    }))
}

fn index(table: &Table<'_>) -> Option<String> {
    plain(table.need("index", "the name of an index, such as logs-{class}")?)
}

/// The value of the label or field `class` that selects a target's records: the class itself.
fn class(table: &Table<'_>) -> Option<String> {
    plain_or(table, "class", "{class}")
}

fn elasticsearch(table: &Table<'_>) -> Option<Kind> {
    use retention::elasticsearch::{Lifecycle, Settings};
    let lifecycle = table.find("lifecycle").map_or(Some(Lifecycle::DataStream), |field| {
        field.parse("data_stream, ilm or own", |text| match text {
            "data_stream" => Some(Lifecycle::DataStream),
            "ilm" => Some(Lifecycle::Ilm),
            "own" => Some(Lifecycle::Own),
            _ => None,
        })
    });
    let (endpoint, index, time_field) =
        (endpoint(table), index(table), plain_or(table, "time_field", "received"));
    Some(Kind::Elasticsearch(Settings {
        endpoint: endpoint?,
        index: index?,
        time_field: time_field?,
        lifecycle: lifecycle?,
    }))
}

fn splunk(table: &Table<'_>) -> Option<Kind> {
    let (endpoint, index, app) = (endpoint(table), index(table), plain_or(table, "app", "search"));
    Some(Kind::Splunk(retention::splunk::Settings { endpoint: endpoint?, index: index?, app: app? }))
}

fn key(table: &Table<'_>, name: &str) -> Option<String> {
    secret_text(table.need(name, "\"${file:PATH}\" or \"${env:NAME}\"")?)
}

fn cloudwatch(table: &Table<'_>) -> Option<Kind> {
    use retention::cloudwatch::{Settings, keys};
    let group = table.need("group", "the name of a log group, such as /logs/{class}").and_then(|field| {
        let text = field.text()?;
        let sign = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./#".contains(&byte);
        if (1..=512).contains(&text.len()) && text.replace("{class}", "").bytes().all(sign) {
            return Some(text.to_owned());
        }
        field.refuse("holds no name of letters, digits and _-./#")
    });
    let region = plain(table.need("region", "the region that signatures name, such as eu-central-1")?);
    let (endpoint, access, secret) = (endpoint(table), key(table, "access_key"), key(table, "secret_key"));
    let keys = keys(&access?, &secret?);
    Some(Kind::CloudWatch(Settings { endpoint: endpoint?, region: region?, group: group?, keys }))
}

fn datadog(table: &Table<'_>) -> Option<Kind> {
    let key = |name: &str, header: &str| {
        let secret = secret(table.need(name, "\"${file:PATH}\" or \"${env:NAME}\"")?)?;
        store::Auth::header(header, &secret)
            .or_else(|| table.of.refuse("holds a key that no header line can hold"))
    };
    let (endpoint, index) = (endpoint(table), index(table));
    let (api, application) = (key("api_key", "dd-api-key"), key("application_key", "dd-application-key"));
    let endpoint = store::Settings { auth: api?, ..endpoint? };
    Some(Kind::Datadog(retention::datadog::Settings { endpoint, index: index?, application: application? }))
}

fn kafka(table: &Table<'_>) -> Option<Kind> {
    let broker = table.need("broker", "HOST:PORT of a broker without TLS and SASL").and_then(|field| {
        let text = expanded(field)?;
        let right =
            text.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
        if right { Some(text) } else { field.refuse("holds no HOST:PORT") }
    });
    let topic = table.need("topic", "the name of a topic").and_then(plain);
    Some(Kind::Kafka(retention::kafka::Settings { broker: broker?, topic: topic? }))
}

fn s3(table: &Table<'_>) -> Option<Kind> {
    use retention::s3::{Keys, Lifecycle, Settings};
    let lifecycle = table.find("lifecycle").map_or(Some(Lifecycle::Rules), |field| {
        field.parse("rules or own", |text| match text {
            "rules" => Some(Lifecycle::Rules),
            "own" => Some(Lifecycle::Own),
            _ => None,
        })
    });
    let prefix =
        table.need("prefix", "what the objects' keys begin with, such as logs/{class}/").and_then(|field| {
            let text = field.text()?;
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./".contains(&byte);
            let right = text.ends_with('/') && text.replace("{class}", "").bytes().all(plain);
            if right {
                Some(text.to_owned())
            } else {
                field.refuse("holds no prefix of letters, digits and _-./ that ends with /")
            }
        });
    let (access, secret) = (key(table, "access_key"), key(table, "secret_key"));
    let spans = table.find("spans").map_or(Some(std::time::Duration::from_secs(3_600)), Field::duration);
    let mut endpoint = endpoint(table)?;
    let bucket = bucket(table, &mut endpoint)?;
    let keys = Keys { access: access?, secret: secret? };
    let (prefix, spans, lifecycle) = (prefix?, spans?, lifecycle?);
    Some(Kind::S3(Settings { endpoint, bucket, prefix, keys, spans, lifecycle }))
}

fn nats(table: &Table<'_>) -> Option<Kind> {
    use retention::nats::{Login, Settings};
    let url = table.need("url", "an address such as nats://127.0.0.1:4222").and_then(|field| {
        let text = expanded(field)?;
        let right = (text.starts_with("nats://") || text.starts_with("tls://")) && !text.contains('@');
        if right {
            Some(text)
        } else {
            field.refuse("holds no nats://HOST:PORT or tls://HOST:PORT without credentials")
        }
    });
    let stream = table.need("stream", "the name of a stream").and_then(plain);
    let login = match (table.find("user"), table.find("password"), table.find("token")) {
        (None, None, None) => Some(Login::None),
        (Some(user), Some(password), None) => {
            let (user, password) = (expanded(user), secret_text(password));
            Some(Login::Password(user?, password?))
        }
        (None, None, Some(token)) => secret_text(token).map(Login::Token),
        _ => table.of.refuse("may hold user and password, or token, or none of them"),
    };
    Some(Kind::Nats(Settings { url: url?, stream: stream?, login: login? }))
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

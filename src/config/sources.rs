//! The tables of sources: where records come in.

use std::num::NonZeroU64;
use std::path::PathBuf;
use std::sync::Arc;

use super::Source;
use super::endpoint::secret;
use super::memory::Defaults;
use super::read::{keys, kind, listen};
use crate::limit::{CONNECTIONS_SET_MAX, MEMORY_BYTES_MAX, PEER_BYTES_MIN, RECORD_BYTES_MAX};
use crate::source::files::{Framing, Pattern};
use crate::source::http::Auth;
use crate::source::tls::{Files, Strangers, Tls};
use crate::source::{self, peers};
use crate::yaml::{Field, Table};

const SOURCE_KINDS: &[&str] = &["syslog", "http", "files", "stdin", "relp", "forward"];

/// One source, by its kind.
pub(super) fn source(name: Arc<str>, field: &Field<'_>, defaults: &Defaults) -> Option<Source> {
    match kind(field, SOURCE_KINDS)? {
        "http" => http(name, field, defaults).map(Source::Http),
        "files" => files(name, field).map(Source::Files),
        "stdin" => {
            field.table(keys("source_stdin"))?;
            Some(Source::Stdin(source::stdin::Settings { name }))
        }
        "relp" => answered(name, field, "source_relp", defaults).map(Source::Relp),
        "forward" => answered(name, field, "source_forward", defaults).map(Source::Forward),
        _ => syslog(name, field, defaults).map(Source::Syslog),
    }
}

/// The bounds that every listener has, and those of `rooms`: each by its key, its default, and how much it may be.
fn limits<const ROOMS: usize>(
    table: &Table<'_>,
    known: &str,
    connections_max: usize,
    rooms: [(&str, usize); ROOMS],
) -> Option<(usize, peers::Settings, [usize; ROOMS])> {
    let mut peers = peers::Settings { connections_max, ..peers::Settings::default() };
    let mut bounds = rooms.map(|(_, default)| default);
    let Some(field) = table.find("limits") else { return Some((connections_max, peers, bounds)) };
    let table = field.table(keys(known))?;
    let count = |key, default: usize| match table.find(key) {
        Some(field) => usize::try_from(field.count(1..=CONNECTIONS_SET_MAX)?).ok(),
        None => Some(default),
    };
    let connections_max = count("connections", connections_max)?;
    peers.connections_max = count("peer_connections", connections_max)?;
    if let Some(field) = table.find("peer_bytes") {
        peers.bytes_per_second = NonZeroU64::new(field.bytes(PEER_BYTES_MIN..=MEMORY_BYTES_MAX)?);
    }
    for (bound, (key, _)) in bounds.iter_mut().zip(rooms) {
        if let Some(field) = table.find(key) {
            *bound = usize::try_from(field.bytes(RECORD_BYTES_MAX as u64..=MEMORY_BYTES_MAX)?).ok()?;
        }
    }
    Some((connections_max, peers, bounds))
}

fn http(name: Arc<str>, field: &Field<'_>, defaults: &Defaults) -> Option<source::http::Settings> {
    let table = field.table(keys("source_http"))?;
    let listen = table.need("listen", "an address such as 127.0.0.1:8088").and_then(listen);
    let rooms = [("body", defaults.body_bytes_max), ("bodies", defaults.bodies_bytes_max)];
    let (connections_max, peers, [body, bodies]) =
        limits(&table, "http_limits", defaults.connections_max, rooms)?;
    if body > bodies {
        return field.refuse(format!(
            "lets a body have {body} bytes and all of them together {bodies}; limits.bodies may hold more, or limits.body less"
        ));
    }
    let limits = source::http::Limits {
        connections_max,
        peers,
        body_bytes_max: body,
        bodies_bytes_max: bodies,
        ..source::http::Limits::default()
    };
    let auth = match table.find("auth") {
        Some(field) => auth(field)?,
        None => Auth::default(),
    };
    let tls = tls(&table, HTTP_PROTOCOLS, Strangers::Refused)?;
    Some(source::http::Settings { name, listen: listen?, tls, auth, limits })
}

/// What is spoken over TLS, by its names in ALPN (RFC 7301).
const HTTP_PROTOCOLS: &[&[u8]] = &[b"h2", b"http/1.1"];

/// The TLS of a listener, if it is to speak that.
pub(super) fn tls(
    table: &Table<'_>,
    protocols: &'static [&'static [u8]],
    strangers: Strangers,
) -> Option<Option<Arc<Tls>>> {
    let Some(field) = table.find("tls") else { return Some(None) };
    let table = field.table(keys("source_tls"))?;
    let path = |field: &Field<'_>| field.text().map(PathBuf::from);
    let cert = table.need("cert", "the path of a PEM file").and_then(path);
    let key = table.need("key", "the path of a PEM file").and_then(path);
    let client_ca = table.find("client_ca").and_then(path);
    let files = Files { cert: cert?, key: key?, client_ca };
    match Tls::open(files, protocols, strangers) {
        Ok(tls) => Some(Some(Arc::new(tls))),
        Err(error) => field.refuse(error.to_string()),
    }
}

/// A listener whose records are answered.
fn answered(
    name: Arc<str>,
    field: &Field<'_>,
    known: &str,
    defaults: &Defaults,
) -> Option<source::answered::Settings> {
    let table = field.table(keys(known))?;
    let listen = table.need("listen", "an address such as 127.0.0.1:24224").and_then(listen);
    let tls = tls(&table, &[], Strangers::Refused)?;
    let rooms = [("messages", defaults.bodies_bytes_max)];
    let (connections_max, peers, [messages_bytes_max]) =
        limits(&table, "message_limits", defaults.connections_max, rooms)?;
    Some(source::answered::Settings {
        name,
        listen: listen?,
        tls,
        connections_max,
        peers,
        messages_bytes_max,
    })
}

/// Who may post. What a secret holds is never shown.
fn auth(field: &Field<'_>) -> Option<Auth> {
    let table = field.table(keys("source_auth"))?;
    let mut auth = Auth::default();
    for field in table.find("tokens").map_or(Some(Vec::new()), Field::list)? {
        auth.add_token(secret(&field)?.expose());
    }
    for (user, field) in table.find("users").map_or(Some(Vec::new()), Field::entries)? {
        auth.add_user(&user, secret(&field)?.expose());
    }
    if auth.is_open() {
        return field.refuse("names nobody; set tokens, users or both");
    }
    Some(auth)
}

fn files(name: Arc<str>, field: &Field<'_>) -> Option<source::files::Settings> {
    let table = field.table(keys("source_files"))?;
    let patterns = |field: &Field<'_>| {
        let pattern = |field: &Field<'_>| {
            let text = field.text()?;
            let want = "a pattern of paths such as /var/log/containers/*.log";
            Pattern::new(text).or_else(|| field.refuse(format!("holds {text:?}, and may hold {want}")))
        };
        field.list()?.iter().map(pattern).collect::<Option<Vec<_>>>()
    };
    let include = table.need("include", "a list of patterns such as /var/log/containers/*.log");
    let exclude = table.find("exclude").map_or(Some(Vec::new()), patterns);
    let framing = |text: &str| match text {
        "plain" => Some(Framing::Plain),
        "cri" => Some(Framing::Cri),
        "docker" => Some(Framing::Docker),
        _ => None,
    };
    let framing = table.find("framing").and_then(|field| field.parse("plain, cri or docker", framing));
    let (include, exclude) = (include.and_then(patterns)?, exclude?);
    Some(source::files::Settings { name, include, exclude, framing: framing.unwrap_or_default() })
}

fn syslog(name: Arc<str>, field: &Field<'_>, defaults: &Defaults) -> Option<source::syslog::Settings> {
    let table = field.table(keys("source_syslog"))?;
    if ["tcp", "udp", "unix", "unix_datagram"].iter().all(|key| table.find(key).is_none()) {
        return field.refuse(
            "listens on nothing; set tcp, udp or both to an address such as 127.0.0.1:5514, or unix or unix_datagram \
             to a path",
        );
    }
    let (tcp, udp) = (table.find("tcp").and_then(listen), table.find("udp").and_then(listen));
    let path = |key| table.find(key).and_then(Field::text).map(PathBuf::from);
    let rooms = [("unfinished", defaults.unfinished_bytes_max)];
    let (connections_max, peers, [unfinished_bytes_max]) =
        limits(&table, "syslog_limits", defaults.connections_max, rooms)?;
    Some(source::syslog::Settings {
        connections_max,
        peers,
        unfinished_bytes_max,
        tls: tls(&table, &[], Strangers::Refused)?,
        unix: path("unix"),
        unix_datagram: path("unix_datagram"),
        ..source::syslog::Settings::new(name, tcp, udp)
    })
}

//! The tables of sources: where records come in.

use std::path::PathBuf;
use std::sync::Arc;

use super::Source;
use super::endpoint::secret;
use super::read::{keys, kind, listen};
use crate::source;
use crate::source::files::{Framing, Pattern};
use crate::source::http::Auth;
use crate::source::tls::{Files, Strangers, Tls};
use crate::yaml::{Field, Table};

const SOURCE_KINDS: &[&str] = &["syslog", "http", "files", "stdin", "relp", "forward"];

/// One source, by its kind.
pub(super) fn source(name: Arc<str>, field: &Field<'_>) -> Option<Source> {
    match kind(field, SOURCE_KINDS)? {
        "http" => http(name, field).map(Source::Http),
        "files" => files(name, field).map(Source::Files),
        "stdin" => {
            field.table(keys("source_stdin"))?;
            Some(Source::Stdin(source::stdin::Settings { name }))
        }
        "relp" => answered(name, field, "source_relp").map(Source::Relp),
        "forward" => answered(name, field, "source_forward").map(Source::Forward),
        _ => syslog(name, field).map(Source::Syslog),
    }
}

fn http(name: Arc<str>, field: &Field<'_>) -> Option<source::http::Settings> {
    let table = field.table(keys("source_http"))?;
    let listen = table.need("listen", "an address such as 127.0.0.1:8088").and_then(listen);
    let limits = source::http::Limits::default();
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
fn answered(name: Arc<str>, field: &Field<'_>, known: &str) -> Option<source::answered::Settings> {
    let table = field.table(keys(known))?;
    let listen = table.need("listen", "an address such as 127.0.0.1:24224").and_then(listen);
    let tls = tls(&table, &[], Strangers::Refused)?;
    Some(source::answered::Settings { name, listen: listen?, tls })
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

fn syslog(name: Arc<str>, field: &Field<'_>) -> Option<source::syslog::Settings> {
    let table = field.table(keys("source_syslog"))?;
    if ["tcp", "udp", "unix", "unix_datagram"].iter().all(|key| table.find(key).is_none()) {
        return field.refuse(
            "listens on nothing; set tcp, udp or both to an address such as 127.0.0.1:5514, or unix or unix_datagram \
             to a path",
        );
    }
    let (tcp, udp) = (table.find("tcp").and_then(listen), table.find("udp").and_then(listen));
    let path = |key| table.find(key).and_then(Field::text).map(PathBuf::from);
    Some(source::syslog::Settings {
        tls: tls(&table, &[], Strangers::Refused)?,
        unix: path("unix"),
        unix_datagram: path("unix_datagram"),
        ..source::syslog::Settings::new(name, tcp, udp)
    })
}

//! The tables of sources: where records come in.

use std::sync::Arc;

use super::Source;
use super::endpoint::secret;
use super::read::{keys, kind, listen};
use crate::source;
use crate::source::files::{Framing, Pattern};
use crate::source::http::Auth;
use crate::yaml::Field;

const SOURCE_KINDS: &[&str] = &["syslog", "http", "files"];

/// One source, by its kind.
pub(super) fn source(name: Arc<str>, field: &Field<'_>) -> Option<Source> {
    match kind(field, SOURCE_KINDS)? {
        "http" => http(name, field).map(Source::Http),
        "files" => files(name, field).map(Source::Files),
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
    Some(source::http::Settings { name, listen: listen?, auth, limits })
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
    if table.find("tcp").is_none() && table.find("udp").is_none() {
        return field.refuse("listens on nothing; set tcp, udp or both to an address such as 127.0.0.1:5514");
    }
    let (tcp, udp) = (table.find("tcp").and_then(listen), table.find("udp").and_then(listen));
    Some(source::syslog::Settings::new(name, tcp, udp))
}

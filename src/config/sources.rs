//! The tables of sources: where records come in.

use std::sync::Arc;

use super::Source;
use super::read::{keys, kind, listen};
use crate::source;
use crate::yaml::Field;

const SOURCE_KINDS: &[&str] = &["syslog", "http"];

/// One source, by its kind.
pub(super) fn source(name: Arc<str>, field: &Field<'_>) -> Option<Source> {
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

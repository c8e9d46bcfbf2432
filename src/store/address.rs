/*!
Where a name leads, and where no name may lead.

A name is resolved anew for each connection. One that leads to a link-local
address or to an address at which clouds hand out a machine's credentials is
refused: whoever can change a name's address must not be given those, nor
records. An operator who means such an address writes the address itself.
*/

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::vec;

use hyper_util::client::legacy::connect::dns::Name;
use tokio::net::TcpStream;
use tower_service::Service;

/// Addresses of a name.
type Addresses = io::Result<vec::IntoIter<SocketAddr>>;

/// Asks for the addresses of names: the system, unless a test brings its own book of names.
#[derive(Clone, Default)]
pub struct Resolver(Option<Arc<Book>>);

type Book = dyn Fn(&str) -> io::Result<Vec<SocketAddr>> + Send + Sync;

impl Resolver {
    /// Looks names up in `book`.
    pub fn of(book: impl Fn(&str) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static) -> Resolver {
        Resolver(Some(Arc::new(book)))
    }

    /// The addresses of a name that it may lead to.
    ///
    /// # Errors
    ///
    /// What the system says, or that every address is one that no name may lead to.
    pub async fn resolve(&self, name: &str) -> io::Result<Vec<SocketAddr>> {
        let found: Vec<SocketAddr> = match &self.0 {
            Some(book) => book(name)?,
            None => tokio::net::lookup_host((name, 0)).await?.collect(),
        };
        let known = found.len();
        let allowed: Vec<SocketAddr> = found.into_iter().filter(|address| !is_barred(address.ip())).collect();
        match (allowed.is_empty(), known) {
            (false, _) => Ok(allowed),
            (true, 0) => Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address")),
            (true, _) => Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                "the name leads to a link-local or metadata address; write the address itself if it is meant",
            )),
        }
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resolver")
    }
}

/// What hyper's connector asks. Addresses that are written as such do not come here.
impl Service<Name> for Resolver {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = Addresses> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let resolver = self.clone();
        Box::pin(async move { Ok(resolver.resolve(name.as_str()).await?.into_iter()) })
    }
}

/// A TCP connection to `HOST:PORT`, to the first of the name's addresses that answers.
///
/// # Errors
///
/// The last address's, or the resolver's.
pub async fn connect(address: &str, resolver: &Resolver) -> io::Result<TcpStream> {
    if let Ok(address) = address.parse::<SocketAddr>() {
        return TcpStream::connect(address).await;
    }
    let no_address = || io::Error::new(io::ErrorKind::InvalidInput, "no HOST:PORT");
    let (host, port) = address.rsplit_once(':').ok_or_else(no_address)?;
    let port = port.parse().map_err(|_| no_address())?;
    let mut last = no_address();
    for mut address in resolver.resolve(host).await? {
        address.set_port(port);
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Whether no name may lead there: link-local (RFC 3927, RFC 4291), and the metadata services of clouds that live
/// elsewhere.
fn is_barred(address: IpAddr) -> bool {
    let metadata: [IpAddr; 4] = [
        // Azure, Alibaba, Oracle's and AWS' over IPv6.
        Ipv4Addr::new(168, 63, 129, 16).into(),
        Ipv4Addr::new(100, 100, 100, 200).into(),
        Ipv4Addr::new(192, 0, 0, 192).into(),
        Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254).into(),
    ];
    let address = address.to_canonical();
    metadata.contains(&address)
        || match address {
            IpAddr::V4(address) => address.is_link_local(),
            IpAddr::V6(address) => address.is_unicast_link_local(),
        }
}

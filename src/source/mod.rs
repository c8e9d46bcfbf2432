/*!
Where records come in: listeners and readers of files, which turn bytes into batches.

A source binds first ([`syslog::bind`], [`http::bind`]), so that a port in use is
told before anything starts, and then serves until it is told to stop. It hands
every batch to an [`Intake`] from the connection's own task, which keeps a
connection's order, and it never looks at what becomes of the batch but through
the batch's [`Ack`](crate::record::Ack).

At a stop a source accepts no more, reads what the operating system already
holds for it, hands that on, closes its connections and ends.
*/

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::clock::Clock;
use crate::record::Batch;
use crate::telemetry::Metrics;

pub use room::Turns;

mod accept;
pub mod answered;
pub mod files;
pub mod forward;
mod gather;
pub mod http;
pub mod peers;
pub mod relp;
mod room;
pub mod stdin;
pub mod syslog;
pub mod tls;

/// Takes batches off a source's hands: the rest of the program, as a source sees it.
pub trait Intake: Send + Sync {
    /// Takes `batch`, waiting for room no longer than `patience`.
    ///
    /// [`Duration::MAX`] waits until there is room, [`Duration::ZERO`] not at all. Of batches taken one after
    /// the other the order is kept.
    fn take(&self, batch: Batch, patience: Duration) -> Taking<'_>;
}

/// The answer of [`Intake::take`], to be awaited.
pub type Taking<'a> = Pin<Box<dyn Future<Output = Result<(), Refused>> + Send + 'a>>;

/// Why an [`Intake`] did not take a batch. Nothing of the batch went anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There was no room within the source's patience; the client is to come again.
    #[error("the queue is full; send again later")]
    Full,
    /// The program ends.
    #[error("stopping; send again once it runs")]
    Stopping,
}

/// What every source is given to work with.
#[derive(Clone)]
pub struct World {
    /// Where batches go.
    pub intake: Arc<dyn Intake>,
    /// Where receive times come from.
    pub clock: Arc<dyn Clock>,
    /// Where is counted.
    pub metrics: Arc<Metrics>,
    /// Turns `true` when the source is to stop.
    pub stop: watch::Receiver<bool>,
    /// Who may make batches just now.
    pub turns: Turns,
}

/// Why a source cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system does not give us the address.
    #[error("source {source_name}: cannot listen on {protocol} {address}: {cause}; {}", fix(.cause))]
    Bind {
        /// The source's name in the configuration.
        source_name: Arc<str>,
        /// `tcp` or `udp`.
        protocol: &'static str,
        /// The address that was asked for.
        address: SocketAddr,
        /// What the operating system says.
        #[source]
        cause: std::io::Error,
    },
    /// The operating system does not give us the path.
    #[error("source {source_name}: cannot listen on {}: {cause}; choose a path that nobody listens on, in a folder that may be written", path.display())]
    Socket {
        /// The source's name in the configuration.
        source_name: Arc<str>,
        /// The path that was asked for.
        path: std::path::PathBuf,
        /// What the operating system says.
        #[source]
        cause: std::io::Error,
    },
}

/// What to do about a refused address.
fn fix(cause: &std::io::Error) -> &'static str {
    match cause.kind() {
        std::io::ErrorKind::AddrInUse => "stop the program that has the port, or choose another port",
        std::io::ErrorKind::PermissionDenied => {
            "choose a port of 1024 or above, or grant CAP_NET_BIND_SERVICE"
        }
        std::io::ErrorKind::AddrNotAvailable => "choose an address of this machine",
        _ => "choose another address",
    }
}

impl Error {
    fn bind(source: &Arc<str>, protocol: &'static str, address: SocketAddr, cause: std::io::Error) -> Error {
        Error::Bind { source_name: Arc::clone(source), protocol, address, cause }
    }
}

/// Whether a socket of a source that stops holds bytes still. A try alone would not tell: the runtime says that a socket
/// is empty until the system has told it otherwise.
async fn waits_more(readable: impl Future<Output = std::io::Result<()>>) -> bool {
    matches!(tokio::time::timeout(crate::limit::STOP_READ_WAIT, readable).await, Ok(Ok(())))
}

/// Waits until `stop` says so, or nobody is left who could.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that the sender is gone: nobody will ever stop us in order, so stop now.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Waits as long as a peer is ahead of its rate, or until a stop.
async fn held_back(wait: Duration, stop: &mut watch::Receiver<bool>) {
    if wait.is_zero() {
        return;
    }
    tokio::select! {
        () = tokio::time::sleep(wait) => {}
        () = stopped(stop) => {}
    }
}

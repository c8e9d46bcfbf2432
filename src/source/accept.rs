//! Connections of one listener: how many, and that each is counted.

use std::io;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinError;

use super::peers::{self, Guest, Peers};
use crate::limit;
use crate::telemetry::{Metrics, Refusal};

/// A listener that holds back when enough connections are open.
pub struct Door {
    listener: TcpListener,
    slots: Arc<Semaphore>,
    peers: Arc<Peers>,
    source: Arc<str>,
    metrics: Arc<Metrics>,
}

/// Holds a connection's place; dropped with the connection.
pub struct Place {
    _slot: OwnedSemaphorePermit,
    /// The peer that has it.
    pub guest: Guest,
    source: Arc<str>,
    metrics: Arc<Metrics>,
}

impl Door {
    /// A door for up to `connections_max` connections at a time, each peer's among them.
    pub fn new(
        listener: TcpListener,
        connections_max: usize,
        peers: peers::Settings,
        source: Arc<str>,
        metrics: Arc<Metrics>,
    ) -> Door {
        let slots = Arc::new(Semaphore::new(connections_max));
        Door { listener, slots, peers: Peers::new(peers, connections_max), source, metrics }
    }

    /// The next connection, as soon as there is a place for it. May be dropped at any time.
    pub async fn accept(&self) -> (TcpStream, Place) {
        loop {
            let slot = Arc::clone(&self.slots).acquire_owned().await;
            let slot = slot.expect("nobody closes the semaphore");
            match self.listener.accept().await {
                Ok((stream, peer)) => {
                    let Some(guest) = self.peers.admit(peer.ip()) else {
                        self.metrics.refuse(&self.source, Refusal::Connections);
                        continue;
                    };
                    settle(&stream);
                    return (stream, self.place(slot, guest));
                }
                // The client went away before we came; the next one is here already.
                Err(err) if is_of_the_client(&err) => {}
                Err(err) => {
                    tracing::warn!(source = &*self.source, %err, "cannot accept a connection; trying again");
                    tokio::time::sleep(limit::ACCEPT_REST).await;
                }
            }
        }
    }

    fn place(&self, slot: OwnedSemaphorePermit, guest: Guest) -> Place {
        self.metrics.connections.with_label_values(&[&*self.source]).inc();
        Place { _slot: slot, guest, source: Arc::clone(&self.source), metrics: Arc::clone(&self.metrics) }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.metrics.connections.with_label_values(&[&*self.source]).dec();
    }
}

/// Counts a connection whose task failed on a fault of our own: what it held was not taken.
pub fn ended(joined: Result<(), JoinError>, source: &str, metrics: &Metrics) {
    if joined.is_err_and(|error| error.is_panic()) {
        metrics.refuse(source, Refusal::Failed);
        tracing::error!(source, "a connection ended on a fault of our own");
    }
}

/// Answers go out at once, and a peer that is gone without a word is noticed in time. Both are wishes.
fn settle(stream: &TcpStream) {
    let _ = stream.set_nodelay(true);
    let _ = rustix::net::sockopt::set_socket_keepalive(stream, true);
}

fn is_of_the_client(err: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(err.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

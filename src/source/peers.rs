/*!
What one peer may do of what all may: so many connections, so many bytes a second.

A peer is an address of IPv4, or a network of 64 bits of IPv6, for a host has all of those. Who sends faster than it may
is read no faster; where a protocol has an answer for it, it is told to come again.
*/

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::limit::{CONNECTIONS_MAX, PEER_BYTES, PEERS_MAX};

/// What each peer of a listener may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Connections open at the same time; one more is closed at once. Default as many as the listener has.
    pub connections_max: usize,
    /// Bytes a second, on average; a second's worth may come at once. Default any.
    pub bytes_per_second: Option<NonZeroU64>,
}

impl Settings {
    /// Bytes held for peers that are not connected; those that are count with their connections.
    pub fn bytes_max(&self) -> usize {
        self.owing_max() * PEER_BYTES
    }

    /// Peers that are known though they are not connected: none where there is no rate to be ahead of.
    fn owing_max(&self) -> usize {
        if self.bytes_per_second.is_some() { PEERS_MAX } else { 0 }
    }
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { connections_max: CONNECTIONS_MAX, bytes_per_second: None }
    }
}

/// The peers of one listener that are connected, or have been just now.
#[derive(Debug)]
pub struct Peers {
    settings: Settings,
    /// Peers that are known at the same time.
    room: usize,
    known: Mutex<HashMap<IpAddr, Peer>>,
}

/// What a peer has taken of what it may.
#[derive(Clone, Copy, Debug)]
struct Peer {
    connections: usize,
    /// When what it sent is as old as its rate allows.
    paid: Instant,
}

/// A peer's connection; counted until it is dropped.
#[derive(Debug)]
pub struct Guest {
    address: IpAddr,
    peers: Arc<Peers>,
}

impl Peers {
    /// Nobody yet, of a listener with so many connections.
    pub fn new(settings: Settings, connections_max: usize) -> Arc<Peers> {
        let room = connections_max.saturating_add(settings.owing_max());
        Arc::new(Peers { settings, room, known: Mutex::default() })
    }

    /// Lets a connection in; nothing if its peer has enough of them, or there are too many peers to know.
    pub fn admit(self: &Arc<Peers>, address: IpAddr) -> Option<Guest> {
        let address = peer_of(address);
        let now = Instant::now();
        let mut known = self.known();
        if known.len() >= self.room {
            known.retain(|_, peer| peer.connections > 0 || peer.paid > now);
        }
        if known.len() >= self.room && !known.contains_key(&address) {
            return None;
        }
        let peer = known.entry(address).or_insert(Peer { connections: 0, paid: now });
        if peer.connections >= self.settings.connections_max {
            return None;
        }
        peer.connections += 1;
        Some(Guest { address, peers: Arc::clone(self) })
    }

    fn known(&self) -> MutexGuard<'_, HashMap<IpAddr, Peer>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Guest {
    /// Bytes have come from the peer; how long it is to be before more are read.
    pub fn spend(&self, bytes: usize) -> Duration {
        let Some(rate) = self.peers.settings.bytes_per_second else { return Duration::ZERO };
        let now = Instant::now();
        let mut known = self.peers.known();
        let Some(peer) = known.get_mut(&self.address) else { return Duration::ZERO };
        let nanos = (bytes as u128 * 1_000_000_000 / u128::from(rate.get())).min(u128::from(u64::MAX));
        peer.paid = peer.paid.max(now) + Duration::from_nanos(nanos as u64);
        peer.paid.saturating_duration_since(now).saturating_sub(AT_ONCE)
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut known = self.peers.known();
        let Some(peer) = known.get_mut(&self.address) else { return };
        peer.connections -= 1;
        // Who comes back at once has not been forgotten what it sent.
        if peer.connections == 0 && peer.paid <= Instant::now() {
            known.remove(&self.address);
        }
    }
}

/// What may come at once, in time.
const AT_ONCE: Duration = Duration::from_secs(1);

fn peer_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peers(connections_max: usize, bytes_per_second: Option<u64>) -> Arc<Peers> {
        let bytes_per_second = bytes_per_second.and_then(NonZeroU64::new);
        Peers::new(Settings { connections_max, bytes_per_second }, 16)
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_has_its_connections_and_others_have_theirs() {
        let peers = peers(2, None);
        let one = |address: &str| peers.admit(address.parse().unwrap());
        let held = [one("192.0.2.1"), one("::ffff:192.0.2.1")];
        assert!(held.iter().all(Option::is_some));
        assert!(one("192.0.2.1").is_none(), "it is one peer, however its address is written");
        assert!(one("192.0.2.2").is_some());
        drop(held);
        assert!(one("192.0.2.1").is_some());
        let held = [one("2001:db8::1"), one("2001:db8::2:3")];
        assert!(held.iter().all(Option::is_some));
        assert!(one("2001:db8::ffff").is_none(), "a host has all addresses of its network");
        assert!(one("2001:db8:0:1::1").is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_is_read_at_its_rate_over_all_its_connections() {
        let peers = peers(9, Some(1000));
        let one = || peers.admit("192.0.2.1".parse().unwrap()).unwrap();
        let (first, second) = (one(), one());
        assert_eq!(first.spend(1000), Duration::ZERO, "a second's worth may come at once");
        assert_eq!(second.spend(500), Duration::from_millis(500));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(first.spend(500), Duration::ZERO);
        drop((first, second));
        assert_eq!(one().spend(1000), Duration::from_secs(1), "who comes back is known still");
        tokio::time::advance(Duration::from_secs(9)).await;
        let back = one();
        assert_eq!(back.spend(1000), Duration::ZERO, "silence is not saved up");
        assert_eq!(back.spend(1000), Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_peers_are_known_than_there_is_room_for() {
        let peers = peers(1, Some(1));
        let address = |nth: usize| IpAddr::from(u32::try_from(nth).unwrap().to_be_bytes());
        let most = PEERS_MAX + 16;
        let held: Vec<_> = (0..most).map(|nth| peers.admit(address(nth)).unwrap()).collect();
        assert!(peers.admit(address(most)).is_none());
        held[0].spend(5);
        drop(held);
        assert_eq!(peers.known().len(), 1, "one owes still");
        // Tables grow by two, and are full at seven eighths.
        assert!((size_of::<(IpAddr, Peer)>() + 1) * 16 <= PEER_BYTES * 7);
        assert!(peers.admit(address(most)).is_some());
    }
}

/*!
Syslog over UDP: one datagram, one record.

The task that reads does nothing else, for what it does not read in time the
operating system drops; a second one hands batches on.
*/

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::sync::mpsc;

use super::Settings;
use super::drops::Drops;
use crate::frame::{self, Cut, Why};
use crate::limit;
use crate::record::{Ack, Batch};
use crate::source::gather::Gather;
use crate::source::{World, stopped, waits_more};
use crate::telemetry::Discard;

/// Binds with a receive buffer as large as the system gives.
pub async fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(address).await?;
    let size = limit::SOCKET_BUFFER_BYTES;
    // Beyond the system's limit if we are allowed to, else up to it. It is a wish.
    if rustix::net::sockopt::set_socket_recv_buffer_size_force(&socket, size).is_err() {
        let _ = rustix::net::sockopt::set_socket_recv_buffer_size(&socket, size);
    }
    Ok(socket)
}

/// Serves until the world stops and what the system holds is read.
pub async fn serve(socket: UdpSocket, settings: &Settings, world: &World) {
    let (give, mut take) = mpsc::channel::<Batch>(limit::DATAGRAM_BATCHES_MAX);
    let mut drops = Drops::of(&socket);
    let socket = Arc::new(socket);
    let reader = Reader {
        socket: Arc::clone(&socket),
        gather: Gather::new(Arc::clone(&settings.name), world.clone()),
        give,
        world: world.clone(),
        name: Arc::clone(&settings.name),
    };
    let reader = tokio::spawn(reader.run());
    let mut ask = tokio::time::interval(limit::DROPS_ASKED_EVERY);
    loop {
        let batch = tokio::select! {
            batch = take.recv() => batch,
            _ = ask.tick() => {
                count(&mut drops, settings, world);
                continue;
            }
        };
        let Some(batch) = batch else { break };
        let records = batch.records.len() as u64;
        if world.intake.take(batch, Duration::MAX).await.is_err() {
            world.metrics.discard(&settings.name, Discard::QueueFull, records);
        }
    }
    count(&mut drops, settings, world);
    // It has ended: it alone held the sender. A fault of ours in it is one of the source.
    if let Err(error) = reader.await
        && error.is_panic()
    {
        std::panic::resume_unwind(error.into_panic());
    }
}

fn count(drops: &mut Option<Drops>, settings: &Settings, world: &World) {
    let records = drops.as_mut().map_or(0, Drops::more);
    if records > 0 {
        world.metrics.discard(&settings.name, Discard::SocketBuffer, records);
    }
}

struct Reader {
    socket: Arc<UdpSocket>,
    gather: Gather,
    give: mpsc::Sender<Batch>,
    world: World,
    name: Arc<str>,
}

impl Reader {
    async fn run(mut self) {
        // One byte more than any datagram has, so that one that was truncated shows.
        let mut datagram = vec![0; limit::DATAGRAM_BYTES];
        let mut stop = self.world.stop.clone();
        let mut left_at_stop = limit::STOP_READ_BYTES_MAX;
        loop {
            let is_stopping = *stop.borrow();
            if is_stopping && left_at_stop == 0 {
                break;
            }
            match self.socket.try_recv(&mut datagram) {
                Ok(len) => {
                    if is_stopping {
                        left_at_stop = left_at_stop.saturating_sub(len + 1);
                    }
                    self.push(&datagram[..len]);
                    tokio::task::coop::consume_budget().await;
                }
                Err(_) if is_stopping => {
                    if !waits_more(self.socket.readable()).await {
                        break;
                    }
                }
                // An error is a peer's, told by ICMP; the socket is well.
                Err(_) => tokio::select! {
                    _ = self.socket.readable() => {}
                    Ok(room) = self.give.reserve(), if !self.gather.is_empty() => {
                        room.send(self.gather.take(b"", Ack::none()));
                    }
                    () = stopped(&mut stop) => {}
                },
            }
        }
        if !self.gather.is_empty() {
            // The other end outlives this task.
            let _ = self.give.send(self.gather.take(b"", Ack::none())).await;
        }
    }

    fn push(&mut self, datagram: &[u8]) {
        let frame = frame::datagram(datagram);
        if datagram.len() == limit::DATAGRAM_BYTES {
            self.gather.push_cut(Cut { byte_len: datagram.len() as u64, why: Why::Truncated });
        } else if !frame.is_empty() {
            self.gather.push_syslog(&datagram[frame.range()]);
        }
        if !self.gather.is_full() {
            return;
        }
        match self.give.try_reserve() {
            Ok(room) => room.send(self.gather.take(b"", Ack::none())),
            Err(_) => {
                let records = self.gather.discard();
                self.world.metrics.discard(&self.name, Discard::QueueFull, records);
            }
        }
    }
}

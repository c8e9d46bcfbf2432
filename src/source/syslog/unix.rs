/*!
Syslog over Unix sockets, as programs of this machine send it: streams, framed like TCP, and datagrams, a record each.

Nothing is dropped: who writes to a full socket waits. A socket that a crash left behind is replaced; one that somebody
listens on is not. Everybody on the machine may write, as to `/dev/log`; the folder's permissions say otherwise.
*/

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{UnixDatagram, UnixListener};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::{Settings, tcp};
use crate::frame::{self, Cut, Why};
use crate::limit;
use crate::record::Ack;
use crate::source::accept::ended;
use crate::source::gather::Gather;
use crate::source::room::Room;
use crate::source::{World, stopped, waits_more};

/// A socket with the path that is removed with it.
#[derive(Debug)]
pub struct Bound<S> {
    socket: S,
    path: PathBuf,
}

impl<S> Drop for Bound<S> {
    fn drop(&mut self) {
        // It is of no use to anybody any more.
        let _ = fs::remove_file(&self.path);
    }
}

/// Binds a socket for streams.
pub fn bind_stream(path: &Path) -> io::Result<Bound<UnixListener>> {
    clear(path, |path| std::os::unix::net::UnixStream::connect(path).map(drop))?;
    let socket = UnixListener::bind(path)?;
    open_to_all(path)?;
    Ok(Bound { socket, path: path.to_owned() })
}

/// Binds a socket for datagrams.
pub fn bind_datagrams(path: &Path) -> io::Result<Bound<UnixDatagram>> {
    clear(path, |path| std::os::unix::net::UnixDatagram::unbound()?.connect(path))?;
    let socket = UnixDatagram::bind(path)?;
    open_to_all(path)?;
    Ok(Bound { socket, path: path.to_owned() })
}

/// Removes a socket that nobody listens on.
fn clear(path: &Path, connect: impl Fn(&Path) -> io::Result<()>) -> io::Result<()> {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket());
    match connect(path) {
        Err(error) if is_socket && error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        _ => Ok(()),
    }
}

fn open_to_all(path: &Path) -> io::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(0o666))
}

/// Serves connections until the world stops, then those that are open.
pub async fn serve_streams(bound: Bound<UnixListener>, settings: &Settings, world: &World) {
    let room = Room::new(settings.unfinished_bytes_max);
    let slots = Arc::new(Semaphore::new(settings.connections_max));
    let mut stop = world.stop.clone();
    let mut connections = JoinSet::new();
    loop {
        let accept = async {
            let slot = Arc::clone(&slots).acquire_owned().await;
            (bound.socket.accept().await, slot)
        };
        tokio::select! {
            biased;
            () = stopped(&mut stop) => break,
            Some(joined) = connections.join_next() => ended(joined, &settings.name, &world.metrics),
            (accepted, slot) = accept => match accepted {
                Ok((stream, _peer)) => {
                    let (share, settings, world) = (room.share(), settings.clone(), world.clone());
                    connections.spawn(async move {
                        tcp::run(stream, share, None, &settings, &world).await;
                        drop(slot);
                    });
                }
                Err(_) => tokio::time::sleep(limit::ACCEPT_REST).await,
            }
        }
    }
    drop(bound);
    while let Some(joined) = connections.join_next().await {
        ended(joined, &settings.name, &world.metrics);
    }
}

/// Serves datagrams until the world stops and what the system holds is read.
pub async fn serve_datagrams(bound: Bound<UnixDatagram>, settings: &Settings, world: &World) {
    let socket = &bound.socket;
    let mut gather = Gather::new(Arc::clone(&settings.name), world.clone());
    let mut stop = world.stop.clone();
    // Its senders' limit is that of a record here, and a byte more so that one that was truncated shows.
    let mut datagram = vec![0; settings.record_bytes_max + 1];
    loop {
        let is_stopping = *stop.borrow();
        match socket.try_recv(&mut datagram) {
            Ok(len) if len == datagram.len() => {
                gather.push_cut(Cut { byte_len: len as u64, why: Why::Truncated });
            }
            Ok(len) => {
                let frame = frame::datagram(&datagram[..len]);
                if !frame.is_empty() {
                    gather.push_syslog(&datagram[frame.range()]);
                }
                tokio::task::coop::consume_budget().await;
                if !gather.is_full() {
                    continue;
                }
            }
            Err(_) if is_stopping && !waits_more(socket.readable()).await => break,
            Err(_) if gather.is_empty() => tokio::select! {
                _ = socket.readable() => continue,
                () = stopped(&mut stop), if !is_stopping => continue,
            },
            Err(_) => {}
        }
        let batch = gather.take(b"", Ack::none());
        if world.intake.take(batch, Duration::MAX).await.is_err() {
            return;
        }
    }
    if !gather.is_empty() {
        let _ = world.intake.take(gather.take(b"", Ack::none()), Duration::MAX).await;
    }
}

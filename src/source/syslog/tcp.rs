/*!
Syslog over TCP.

A connection's task reads what there is, cuts it, and hands a batch on when it
is full or when nothing more is there to read, so that a quiet stream waits for
nothing. A record is copied once, from the read buffer into its batch. A
connection that has nothing to read holds a small buffer; one that has takes a
turn before it makes batches.
*/

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::Settings;
use crate::frame::{Cut, Framer, Step, Syslog, Why};
use crate::limit::{IDLE_READ_BYTES, READ_BYTES, STOP_READ_BYTES_MAX, STOP_READ_WAIT, TURN_BATCHES_MAX};
use crate::record::Ack;
use crate::source::accept::{Door, Place, ended};
use crate::source::gather::Gather;
use crate::source::peers::Guest;
use crate::source::room::{Room, Share, Turn};
use crate::source::{Refused, World, held_back, stopped};
use crate::telemetry::Refusal;

/// Serves connections until the world stops, then those that are open or wait in the backlog.
pub async fn serve(listener: TcpListener, settings: &Settings, world: &World) {
    let name = Arc::clone(&settings.name);
    let door =
        Door::new(listener, settings.connections_max, settings.peers, name, Arc::clone(&world.metrics));
    let room = Room::new(settings.unfinished_bytes_max);
    let mut stop = world.stop.clone();
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = stopped(&mut stop) => break,
            Some(joined) = connections.join_next() => ended(joined, &settings.name, &world.metrics),
            accepted = door.accept() => spawn(&mut connections, accepted, &room, settings, world),
        }
    }
    // Clients whose connection waits in the backlog may have sent already: take those that are there.
    while let Ok(accepted) = tokio::time::timeout(Duration::ZERO, door.accept()).await {
        spawn(&mut connections, accepted, &room, settings, world);
    }
    drop(door);
    while let Some(joined) = connections.join_next().await {
        ended(joined, &settings.name, &world.metrics);
    }
}

fn spawn(
    connections: &mut JoinSet<()>,
    (stream, place): (TcpStream, Place),
    room: &Room,
    settings: &Settings,
    world: &World,
) {
    let (share, settings, world) = (room.share(), settings.clone(), world.clone());
    connections.spawn(async move {
        match &settings.tls {
            None => run(stream, share, Some(&place.guest), &settings, &world).await,
            Some(tls) => {
                if let Some(stream) = tls.accept(stream, &settings.name, &world.metrics).await {
                    run(stream, share, Some(&place.guest), &settings, &world).await;
                }
            }
        }
        drop(place);
    });
}

/// Reads a connection to its end.
pub async fn run(
    stream: impl AsyncRead + Unpin,
    share: Share,
    guest: Option<&Guest>,
    settings: &Settings,
    world: &World,
) {
    let mut connection = Connection {
        stream,
        share,
        guest,
        framer: Syslog::new(settings.record_bytes_max),
        unspent: Vec::new(),
        read_bytes: IDLE_READ_BYTES,
        gather: Gather::new(Arc::clone(&settings.name), world.clone()),
        turn: None,
        batches: 0,
        world: world.clone(),
        name: Arc::clone(&settings.name),
    };
    // Refused is a stop: what the queues no longer take is the client's to send again.
    let _ = connection.run().await;
}

struct Connection<'a, S> {
    stream: S,
    /// Whose rate it is read at, if there is one.
    guest: Option<&'a Guest>,
    framer: Syslog,
    unspent: Vec<u8>,
    /// Bytes that the next read asks for: few until one was filled.
    read_bytes: usize,
    /// Of the room for what is unspent beyond [`IDLE_READ_BYTES`].
    share: Share,
    gather: Gather,
    turn: Option<Turn>,
    /// Batches handed on in this turn.
    batches: usize,
    world: World,
    name: Arc<str>,
}

/// How a connection comes to its end.
enum End {
    /// The peer has sent everything.
    Closed,
    /// It broke, or we stop: the record in hand lacks its end.
    Broken,
    /// Its framing is lost.
    Lost,
    /// Its record is long, and so are those of too many others.
    Crowded,
}

impl<S: AsyncRead + Unpin> Connection<'_, S> {
    async fn run(&mut self) -> Result<(), Refused> {
        let end = self.read().await?;
        if matches!(end, End::Crowded) {
            self.world.metrics.refuse(&self.name, Refusal::Busy);
        }
        match end {
            End::Closed => match self.framer.finish(&self.unspent) {
                Step::Frame(frame) => self.gather.push_syslog(&self.unspent[frame.range()]),
                Step::Cut(cut) => self.gather.push_cut(cut),
                Step::More | Step::Lost => {}
            },
            End::Broken | End::Crowded => match self.framer.finish(&self.unspent) {
                Step::Frame(frame) => {
                    let byte_len = frame.len() as u64;
                    self.gather.push_cut(Cut { byte_len, why: Why::Truncated });
                }
                Step::Cut(cut) => self.gather.push_cut(cut),
                Step::More | Step::Lost => {}
            },
            End::Lost => {
                self.gather.push_lost(self.unspent.len());
                self.world.metrics.refuse(&self.name, Refusal::Malformed);
            }
        }
        self.hand_on().await
    }

    /// Reads and hands on until there is no more to read.
    async fn read(&mut self) -> Result<End, Refused> {
        let mut stop: watch::Receiver<bool> = self.world.stop.clone();
        let mut left_at_stop = STOP_READ_BYTES_MAX;
        loop {
            let is_stopping = *stop.borrow();
            if is_stopping && left_at_stop == 0 {
                return Ok(End::Broken);
            }
            let read = match self.read_once().await {
                Some(read) => read,
                // Nothing is there now, or it is others' turn: what is gathered waits for nothing.
                None => {
                    self.rest().await?;
                    let Some(read) = self.read_on(&mut stop, is_stopping).await else { continue };
                    self.turn = Some(self.world.turns.take().await);
                    read
                }
            };
            match read {
                Ok(0) => return Ok(End::Closed),
                Ok(read) => {
                    if is_stopping {
                        left_at_stop = left_at_stop.saturating_sub(read);
                    }
                    if self.unspent.len() == self.unspent.capacity() {
                        self.read_bytes = READ_BYTES;
                    }
                    if let Some(end) = self.cut().await? {
                        return Ok(end);
                    }
                    let wait = self.guest.map_or(Duration::ZERO, |guest| guest.spend(read));
                    if !wait.is_zero() {
                        self.rest().await?;
                        held_back(wait, &mut stop).await;
                    }
                    tokio::task::coop::consume_budget().await;
                }
                Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Ok(End::Broken),
            }
        }
    }

    /// Gives back the turn, and what memory is not needed for an unfinished record.
    async fn rest(&mut self) -> Result<(), Refused> {
        self.hand_on().await?;
        self.read_bytes = IDLE_READ_BYTES;
        if self.unspent.capacity() - self.unspent.len() > 2 * IDLE_READ_BYTES {
            self.unspent.shrink_to(self.unspent.len() + IDLE_READ_BYTES);
        }
        (self.turn, self.batches) = (None, 0);
        Ok(())
    }

    /// What is there at once, if anything is and it is our turn.
    async fn read_once(&mut self) -> Option<io::Result<usize>> {
        if self.turn.is_none() || self.batches >= TURN_BATCHES_MAX {
            return None;
        }
        self.unspent.reserve(self.read_bytes);
        let mut reading = pin!(self.stream.read_buf(&mut self.unspent));
        poll_fn(|context| match reading.as_mut().poll(context) {
            Poll::Ready(read) => Poll::Ready(Some(read)),
            Poll::Pending => Poll::Ready(None),
        })
        .await
    }

    /// What comes next; nothing if a stop comes first. Once we stop, what does not come at once does not come.
    async fn read_on(
        &mut self,
        stop: &mut watch::Receiver<bool>,
        is_stopping: bool,
    ) -> Option<io::Result<usize>> {
        self.unspent.reserve(self.read_bytes);
        let reading = self.stream.read_buf(&mut self.unspent);
        if is_stopping {
            let read = timeout(STOP_READ_WAIT, reading).await;
            return Some(read.unwrap_or_else(|_elapsed| Err(io::ErrorKind::TimedOut.into())));
        }
        tokio::select! {
            read = reading => Some(read),
            () = stopped(stop) => None,
        }
    }

    /// Cuts what is there, handing full batches on; says so if the stream is at its end by that.
    async fn cut(&mut self) -> Result<Option<End>, Refused> {
        let mut spent = 0;
        loop {
            let haystack = &self.unspent[spent..];
            let (step, here) = self.framer.step(haystack);
            match step {
                Step::Frame(frame) => self.gather.push_syslog(&haystack[frame.range()]),
                Step::Cut(cut) => self.gather.push_cut(cut),
                Step::More | Step::Lost => {}
            }
            spent += here;
            if self.gather.is_full() {
                self.hand_on().await?;
            }
            match step {
                Step::Frame(_) | Step::Cut(_) => {}
                Step::More => break,
                Step::Lost => {
                    self.unspent.drain(..spent);
                    return Ok(Some(End::Lost));
                }
            }
        }
        self.unspent.drain(..spent);
        let unfinished = self.unspent.len().saturating_sub(IDLE_READ_BYTES);
        Ok(self.share.hold(unfinished).err().map(|_| End::Crowded))
    }

    async fn hand_on(&mut self) -> Result<(), Refused> {
        if self.gather.is_empty() {
            return Ok(());
        }
        self.batches += 1;
        let batch = self.gather.take(b"", Ack::none());
        self.world.intake.take(batch, Duration::MAX).await
    }
}

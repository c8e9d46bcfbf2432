/*!
Connections whose records are answered: what RELP and the forward protocol share.

A connection's records go into batches, and what is to be said of them goes out in their order, once every holder has
confirmed them. When one could not be confirmed the connection ends, and the peer sends again what it has no answer to.
*/

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::accept::{Door, Place, ended};
use super::gather::Gather;
use super::peers;
use super::room::{Room, Share};
use super::tls::Tls;
use super::{Error, World, held_back, stopped};
use crate::codec::Parts;
use crate::frame::{Cut, Why};
use crate::limit::{
    ANSWER_WAIT, ANSWERS_WAITING_MAX, BODIES_BYTES_MAX, CONNECTIONS_MAX, IDLE_READ_BYTES, MESSAGE_IDLE_WAIT,
    READ_BYTES,
};
use crate::record::{Ack, Batch, Record};
use crate::telemetry::Refusal;

/// What a source of such connections listens on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The source's name in the configuration.
    pub name: Arc<str>,
    /// Address of the listener.
    pub listen: SocketAddr,
    /// Its TLS; none without it.
    pub tls: Option<Arc<Tls>>,
    /// Connections open at the same time; more wait. Default [`limit::CONNECTIONS_MAX`](crate::limit::CONNECTIONS_MAX).
    pub connections_max: usize,
    /// What each peer may do of that.
    pub peers: peers::Settings,
    /// Bytes of all messages in hand. Default [`limit::BODIES_BYTES_MAX`](crate::limit::BODIES_BYTES_MAX).
    pub messages_bytes_max: usize,
}

impl Settings {
    /// Settings with the defaults for all but name and address.
    pub fn new(name: Arc<str>, listen: SocketAddr) -> Settings {
        let (connections_max, messages_bytes_max) = (CONNECTIONS_MAX, BODIES_BYTES_MAX);
        Settings {
            name,
            listen,
            tls: None,
            connections_max,
            peers: peers::Settings::default(),
            messages_bytes_max,
        }
    }
}

/// A source with its socket bound.
#[derive(Debug)]
pub struct Listener {
    settings: Settings,
    tcp: TcpListener,
}

impl Listener {
    /// The address that the listener has; port 0 in the settings makes the system choose.
    pub fn addr(&self) -> Option<SocketAddr> {
        self.tcp.local_addr().ok()
    }
}

/// Binds the socket. To be called within a runtime.
pub async fn bind(settings: Settings) -> Result<Listener, Error> {
    match TcpListener::bind(settings.listen).await {
        Ok(tcp) => Ok(Listener { settings, tcp }),
        Err(cause) => Err(Error::bind(&settings.name, "tcp", settings.listen, cause)),
    }
}

/// What a protocol makes of a stream of bytes.
pub trait Protocol: Send + 'static {
    /// Takes one message off `haystack`, the unspent bytes.
    fn step(&mut self, haystack: &[u8], outbox: &mut Outbox) -> Step;
}

/// What came of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// So many bytes are spent; there may be more messages behind them.
    Spent(usize),
    /// No message ends in these bytes.
    More,
    /// So many bytes are spent, and the peer has no more to say.
    Close(usize),
    /// The stream is of no use any more.
    Lost,
    /// A message is larger than a peer's may be.
    TooLarge,
}

/// Records of a connection on their way out, and what is to be said once they are safe.
pub struct Outbox {
    gather: Gather,
    answer: Vec<u8>,
    ready: VecDeque<Ready>,
}

struct Ready {
    batch: Option<Batch>,
    told: Option<oneshot::Receiver<bool>>,
    answer: Vec<u8>,
}

impl Outbox {
    fn new(gather: Gather) -> Outbox {
        Outbox { gather, answer: Vec::new(), ready: VecDeque::new() }
    }

    /// Adds a frame of syslog.
    pub fn push_syslog(&mut self, frame: &[u8]) {
        self.gather.push_syslog(frame);
        self.close_if_full();
    }

    /// Adds a marker for a record of so many bytes.
    pub fn push_too_long(&mut self, byte_len: usize) {
        self.gather.push_cut(Cut { byte_len: byte_len as u64, why: Why::TooLong });
        self.close_if_full();
    }

    /// Adds a record of several parts.
    pub fn push_parts(&mut self, parts: &Parts<'_>) {
        self.gather.push_parts(parts);
        self.close_if_full();
    }

    /// Says something once all that was added before is safe.
    pub fn answer(&mut self, answer: &[u8]) {
        self.answer.extend_from_slice(answer);
    }

    /// Bytes of batches beyond the first, for which the turn has room.
    fn ready_bytes(&self) -> usize {
        let batches = self.ready.iter().filter_map(|ready| ready.batch.as_ref());
        batches.skip(1).map(|batch| batch.raw.len() + batch.records.len() * size_of::<Record>()).sum()
    }

    fn close_if_full(&mut self) {
        if self.gather.is_full() {
            self.close_batch();
        }
    }

    fn close_batch(&mut self) {
        let answer = std::mem::take(&mut self.answer);
        if self.gather.is_empty() {
            if !answer.is_empty() {
                self.ready.push_back(Ready { batch: None, told: None, answer });
            }
            return;
        }
        let (tell, told) = oneshot::channel();
        let tell = Mutex::new(Some(tell));
        let ack = Ack::new(move |safe| {
            let tell = tell.lock().ok().and_then(|mut tell| tell.take());
            // A peer that is gone hears nothing.
            let _ = tell.map(|tell| tell.send(safe));
        });
        let batch = Some(self.gather.take(b"", ack));
        self.ready.push_back(Ready { batch, told: Some(told), answer });
    }
}

/// Serves until the world stops; ends when what was read is answered.
pub async fn serve<P: Protocol>(listener: Listener, world: World, protocol: impl Fn() -> P) {
    let Listener { settings, tcp } = listener;
    let (name, metrics) = (Arc::clone(&settings.name), Arc::clone(&world.metrics));
    let door = Door::new(tcp, settings.connections_max, settings.peers, name, metrics);
    let room = Room::new(settings.messages_bytes_max);
    let mut stop = world.stop.clone();
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = stopped(&mut stop) => break,
            Some(joined) = connections.join_next() => ended(joined, &settings.name, &world.metrics),
            (stream, place) = door.accept() => {
                let gather = Gather::new(Arc::clone(&settings.name), world.clone());
                let (protocol, share) = (protocol(), room.share());
                let (settings, world) = (settings.clone(), world.clone());
                connections.spawn(async move {
                    let name = Arc::clone(&settings.name);
                    match &settings.tls {
                        None => run(stream, gather, protocol, share, name, world, place).await,
                        Some(tls) => {
                            if let Some(stream) = tls.accept(stream, &name, &world.metrics).await {
                                run(stream, gather, protocol, share, name, world, place).await;
                            }
                        }
                    }
                });
            }
        }
    }
    drop(door);
    while let Some(joined) = connections.join_next().await {
        ended(joined, &settings.name, &world.metrics);
    }
}

async fn run<S, P>(
    stream: S,
    gather: Gather,
    protocol: P,
    share: Share,
    name: Arc<str>,
    world: World,
    place: Place,
) where
    S: AsyncRead + AsyncWrite + Send + 'static,
    P: Protocol,
{
    let (read, write) = tokio::io::split(stream);
    let connection = Connection {
        read,
        write,
        outbox: Outbox::new(gather),
        protocol,
        share,
        unspent: Vec::new(),
        waiting: VecDeque::new(),
        name,
        world,
        place,
    };
    connection.run().await;
}

struct Connection<S, P> {
    read: ReadHalf<S>,
    write: WriteHalf<S>,
    outbox: Outbox,
    protocol: P,
    share: Share,
    unspent: Vec<u8>,
    /// What was handed on and is not answered.
    waiting: VecDeque<(oneshot::Receiver<bool>, Vec<u8>)>,
    name: Arc<str>,
    world: World,
    place: Place,
}

/// The connection is over.
struct Over;

impl<S: AsyncRead + AsyncWrite + Send, P: Protocol> Connection<S, P> {
    async fn run(mut self) {
        let mut stop = self.world.stop.clone();
        loop {
            let may_read = self.waiting.len() < ANSWERS_WAITING_MAX;
            // A message that was begun is to go on; between messages a peer may be quiet.
            let patience = if self.unspent.is_empty() { Duration::MAX } else { MESSAGE_IDLE_WAIT };
            // A quiet connection holds little.
            self.unspent.reserve(if self.unspent.is_empty() { IDLE_READ_BYTES } else { READ_BYTES });
            let read = tokio::select! {
                biased;
                () = stopped(&mut stop) => break,
                told = first(&mut self.waiting), if !self.waiting.is_empty() => {
                    if self.say(told).await.is_err() { return }
                    continue;
                }
                read = timeout(patience, self.read.read_buf(&mut self.unspent)), if may_read => read,
            };
            match read {
                Ok(Ok(read @ 1..)) => {
                    let wait = self.place.guest.spend(read);
                    held_back(wait, &mut stop).await;
                }
                Ok(Ok(0) | Err(_)) | Err(_) => break,
            }
            match self.take().await {
                Ok(true) => {}
                Ok(false) => break,
                Err(Over) => return,
            }
        }
        // What was read is answered as long as a client would wait; then the peer may send it again.
        let _ = timeout(crate::limit::FILE_STOP_WAIT, self.finish()).await;
    }

    async fn finish(&mut self) {
        while !self.waiting.is_empty() {
            let told = first(&mut self.waiting).await;
            if self.say(told).await.is_err() {
                return;
            }
        }
        let _ = timeout(ANSWER_WAIT, self.write.shutdown()).await;
    }

    /// Takes what is there; false if the peer has no more to say.
    async fn take(&mut self) -> Result<bool, Over> {
        let _turn = self.world.turns.take().await;
        let mut spent = 0;
        let goes_on = loop {
            match self.protocol.step(&self.unspent[spent..], &mut self.outbox) {
                Step::Spent(here) => spent += here,
                Step::More => break true,
                Step::Close(here) => {
                    spent += here;
                    break false;
                }
                step @ (Step::Lost | Step::TooLarge) => {
                    let why = if step == Step::Lost { Refusal::Malformed } else { Refusal::TooLarge };
                    self.world.metrics.refuse(&self.name, why);
                    break false;
                }
            }
        };
        self.unspent.drain(..spent);
        if self.unspent.is_empty() {
            self.unspent = Vec::new();
        }
        self.outbox.close_batch();
        let unfinished = self.unspent.len().saturating_sub(IDLE_READ_BYTES);
        if self.share.hold(unfinished + self.outbox.ready_bytes()).is_err() {
            // What is dropped here has no answer, and is sent again.
            self.outbox.ready.clear();
            self.world.metrics.refuse(&self.name, Refusal::Busy);
            return Ok(false);
        }
        while let Some(Ready { batch, told, answer }) = self.outbox.ready.pop_front() {
            match (batch, told) {
                (Some(batch), Some(told)) => {
                    // Refused is a stop: the peer has no answer, and sends again.
                    self.world.intake.take(batch, Duration::MAX).await.map_err(|_| Over)?;
                    self.waiting.push_back((told, answer));
                }
                _ => {
                    let (tell, told) = oneshot::channel();
                    let _ = tell.send(true);
                    self.waiting.push_back((told, answer));
                }
            }
        }
        // Less than before: this only gives back.
        let _ = self.share.hold(unfinished);
        Ok(goes_on)
    }

    /// Says what was waiting first, if its records are safe.
    async fn say(&mut self, is_safe: bool) -> Result<(), Over> {
        let Some((_, answer)) = self.waiting.pop_front() else { return Ok(()) };
        if !is_safe {
            self.world.metrics.refuse(&self.name, Refusal::Unconfirmed);
            return Err(Over);
        }
        let said = async {
            self.write.write_all(&answer).await?;
            self.write.flush().await
        };
        match timeout(ANSWER_WAIT, said).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Over),
        }
    }
}

/// Whether the records that wait first are safe.
async fn first(waiting: &mut VecDeque<(oneshot::Receiver<bool>, Vec<u8>)>) -> bool {
    match waiting.front_mut() {
        Some((told, _)) => told.await.unwrap_or(false),
        None => std::future::pending().await,
    }
}

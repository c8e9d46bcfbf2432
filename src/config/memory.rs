/*!
How much memory a configuration may take: the sum of the bounds of all that it holds.

Each part stands in the sum with its bound, whether or not it is ever reached. Where `memory_max` is set, the bounds that
nobody wrote down are shares of it, and batches on their way get what is left.
*/

use super::{Queue, Settings, Sink, SinkKind, Source};
use crate::action::{Action, Shape};
use crate::limit::{
    ARCHIVE_BLOCK_BYTES, ARCHIVE_OPEN_MAX, BODIES_BYTES_MAX, BODY_BYTES_MAX, CONNECTION_BYTES,
    CONNECTIONS_MAX, DATAGRAM_BATCHES_MAX, DATAGRAM_BYTES, DELIVERY_BYTES, FILE_BYTES, FILES_MAX,
    FORWARD_BYTES_MAX, PROGRAM_BYTES, QUEUE_BYTES_DEFAULT, QUEUE_BYTES_MIN, QUEUE_GROUP_BYTES,
    QUEUE_READ_BYTES, RECORD_BYTES_MAX, REQUEST_CONNECTION_BYTES, SESSION_BYTES, SESSIONS_MAX, SESSIONS_MIN,
    TLS_BYTES, TURN_BYTES, TURNS, TURNS_MIN, UNFINISHED_BYTES_MAX, WORKER_BYTES,
};
use crate::policy::Policy;

/// The bounds of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory {
    /// What holds so many bytes at most.
    pub parts: Vec<(String, u64)>,
}

impl Memory {
    /// The bounds of `settings` on a machine with so many processors.
    pub fn of(settings: &Settings, processors: usize) -> Memory {
        let mut memory = Memory { parts: Vec::new() };
        memory.add("the program", PROGRAM_BYTES + processors * WORKER_BYTES);
        memory.add(&format!("{} batches on their way", settings.turns), settings.turns * TURN_BYTES);
        for source in &settings.sources {
            memory.add(&format!("source {}", source.name()), of_source(source, processors));
        }
        let sinks = settings.sinks.len();
        match settings.queue {
            Queue::Memory { bytes_max } => memory.add("queue", sinks * bytes_max),
            Queue::Durable { .. } => {
                let of_sink = |sink: &Sink| sink.kind.batch().window() + 2 * QUEUE_READ_BYTES;
                let of_sinks: usize = settings.sinks.iter().map(of_sink).sum();
                memory.add("queue", QUEUE_BYTES_DEFAULT + 2 * QUEUE_GROUP_BYTES + of_sinks);
            }
        }
        if remembers_sessions(&settings.policy) {
            memory.add("sessions that are remembered", settings.sessions_max * SESSION_BYTES);
        }
        if settings.policy.aggregates().is_some() {
            memory.add("what waits to be counted", QUEUE_BYTES_DEFAULT);
        }
        for sink in &settings.sinks {
            memory.add(&format!("sink {}", sink.name), of_sink(&sink.kind));
        }
        memory
    }

    fn add(&mut self, what: &str, bytes: usize) {
        self.parts.push((what.to_owned(), bytes as u64));
    }

    /// The sum.
    pub fn total(&self) -> u64 {
        self.parts.iter().fold(0, |total, (_, bytes)| total.saturating_add(*bytes))
    }

    /// The sum and its parts, in words.
    pub fn words(&self) -> String {
        let mebibytes = |bytes: u64| bytes.div_ceil(1 << 20);
        let parts = self.parts.iter().map(|(what, bytes)| format!("{what} {}", mebibytes(*bytes)));
        format!("{} MiB: {}", mebibytes(self.total()), parts.collect::<Vec<_>>().join(", "))
    }
}

/// Whether a class has an entity whose pseudonyms are drawn and remembered.
fn remembers_sessions(policy: &Policy) -> bool {
    let is_drawn = |action: &Action| matches!(action, Action::Pseudonymize { shape: Shape::Table { .. } });
    policy.classes().any(|class| {
        policy.actions(class).iter().any(is_drawn) || policy.silent(class).1.iter().any(is_drawn)
    })
}

fn of_source(source: &Source, processors: usize) -> usize {
    match source {
        Source::Syslog(settings) => {
            let of_tls = if settings.tls.is_some() { TLS_BYTES } else { 0 };
            let streams = usize::from(settings.tcp.is_some()) * (CONNECTION_BYTES + of_tls)
                + usize::from(settings.unix.is_some()) * CONNECTION_BYTES;
            let rooms = usize::from(settings.tcp.is_some()) + usize::from(settings.unix.is_some());
            // Datagrams take no turns, for they cannot wait for one.
            let datagrams = (DATAGRAM_BATCHES_MAX + 1) * TURN_BYTES / 4 + DATAGRAM_BYTES;
            settings.connections_max * streams
                + usize::from(settings.tcp.is_some()) * settings.peers.bytes_max()
                + rooms * settings.unfinished_bytes_max
                + usize::from(settings.udp.is_some()) * datagrams
                + usize::from(settings.unix_datagram.is_some()) * (TURN_BYTES + RECORD_BYTES_MAX)
        }
        Source::Http(settings) => {
            let of_tls = if settings.tls.is_some() { TLS_BYTES } else { 0 };
            settings.limits.connections_max * (REQUEST_CONNECTION_BYTES + of_tls)
                + settings.limits.peers.bytes_max()
                + settings.limits.bodies_bytes_max
        }
        Source::Files(_) => FILES_MAX * FILE_BYTES + UNFINISHED_BYTES_MAX,
        Source::Stdin(_) => TURN_BYTES,
        Source::Relp(settings) | Source::Forward(settings) => {
            let of_tls = if settings.tls.is_some() { TLS_BYTES } else { 0 };
            // One message a processor is taken apart at a time.
            let unpacked = match source {
                Source::Forward(_) => processors * FORWARD_BYTES_MAX,
                _ => 0,
            };
            settings.connections_max * (CONNECTION_BYTES + of_tls)
                + settings.peers.bytes_max()
                + settings.messages_bytes_max
                + unpacked
        }
    }
}

/// What is encoded, and what is packed of it or handed to the system, or afterwards copied as dead letters, of all requests
/// at the same time.
fn of_sink(kind: &SinkKind) -> usize {
    let batch = match kind {
        SinkKind::Archive => return ARCHIVE_OPEN_MAX * ARCHIVE_BLOCK_BYTES + 2 * DELIVERY_BYTES,
        SinkKind::Stdout(_) | SinkKind::File(_) | SinkKind::Syslog(_) => return 2 * DELIVERY_BYTES,
        SinkKind::Http(settings) => settings.batch,
        SinkKind::Bulk(settings) => settings.batch,
        SinkKind::Loki(settings) => settings.batch,
        SinkKind::VictoriaLogs(settings) => settings.batch,
        SinkKind::ClickHouse(settings) => settings.batch,
        SinkKind::Otlp(settings) => settings.batch,
        SinkKind::Splunk(settings) => settings.batch,
        SinkKind::S3(settings) => settings.batch,
    };
    2 * batch.bytes_max * batch.requests_max
}

/// What sources and queues may hold where nobody wrote it down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Defaults {
    pub connections_max: usize,
    pub unfinished_bytes_max: usize,
    pub bodies_bytes_max: usize,
    pub body_bytes_max: usize,
    pub queue_bytes_max: usize,
    pub sessions_max: usize,
}

impl Defaults {
    /// Shares of `memory_max` for so many sources and sinks: a quarter for queues, an eighth for what is unfinished, a
    /// sixteenth for connections and another for sessions. No more than without it.
    pub fn of(memory_max: Option<u64>, sources: usize, sinks: usize) -> Defaults {
        let memory_max = memory_max.map_or(usize::MAX, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        let of_source = memory_max / sources.max(1);
        let room = (of_source / 8).max(2 * RECORD_BYTES_MAX);
        let bodies_bytes_max = room.min(BODIES_BYTES_MAX);
        // As many as a table holds that is not to grow beyond its share: seven eighths of a power of two.
        let places = 1 + memory_max / 16 / SESSION_BYTES / 7 * 8;
        let sessions_max = places.min(SESSIONS_MAX * 2).next_power_of_two() / 16 * 7;
        Defaults {
            connections_max: (of_source / 16 / REQUEST_CONNECTION_BYTES)
                .clamp(CONNECTIONS_MIN, CONNECTIONS_MAX),
            unfinished_bytes_max: room.min(UNFINISHED_BYTES_MAX),
            bodies_bytes_max,
            body_bytes_max: (bodies_bytes_max / 2).min(BODY_BYTES_MAX),
            queue_bytes_max: (memory_max / 4 / sinks.max(1))
                .clamp(QUEUE_BYTES_MIN as usize, QUEUE_BYTES_DEFAULT),
            sessions_max: sessions_max.clamp(SESSIONS_MIN, SESSIONS_MAX),
        }
    }
}

/// Connections of a listener that are a share of little memory.
const CONNECTIONS_MIN: usize = 16;

/// How many batches may be on their way, given `settings` with the least of them: what is left of `memory_max`, at most as
/// many as without it.
///
/// # Errors
///
/// The sum, if it does not fit.
pub(super) fn turns(settings: &Settings, processors: usize, memory_max: u64) -> Result<usize, Memory> {
    let least = Settings { turns: TURNS_MIN, ..settings.clone() };
    let memory = Memory::of(&least, processors);
    let left = memory_max.checked_sub(memory.total()).ok_or(memory)?;
    let more = usize::try_from(left / TURN_BYTES as u64).unwrap_or(usize::MAX);
    Ok(TURNS.min(TURNS_MIN.saturating_add(more)))
}

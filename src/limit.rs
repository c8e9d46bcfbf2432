/*!
Every bound of the program, with its unit and its reason.

What happens at a bound is said where it is used; nothing is ever lost at one
without being counted.
*/

use std::time::Duration;

/// Parts of a path that a route template has; what is behind them is `**`. Services nest no deeper.
pub const ROUTE_PARTS_MAX: usize = 8;

/// Words that a policy may add to those of route templates.
pub const ROUTE_WORDS_MAX: usize = 1024;

/// Longest of these words, in bytes: longer parts of a path are not looked up.
pub const ROUTE_WORD_BYTES_MAX: usize = 40;

/// Cells that are counted apart in an hour: a thousand routes with four statuses each. Others count as the rest.
pub const AGGREGATE_CELLS_MAX: usize = 4096;

/// Largest number below which counts may be suppressed.
pub const AGGREGATE_LEAST_MAX: u64 = 1_000_000;

/// How long after its end an hour is still counted in: longer than a batch waits in a program that is well.
pub const AGGREGATE_WAIT: Duration = Duration::from_secs(15 * 60);

/// Bytes that are appended to the counts of open hours before the file is written anew, which bounds it.
pub const AGGREGATE_OPEN_BYTES: u64 = 1024 * 1024;

/// File of counts, in bytes: some times a day of full hours.
pub const AGGREGATE_FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Longest record, in bytes. Longer ones are cut out and replaced by a marker record: no log store takes more.
pub const RECORD_BYTES_MAX: usize = 1024 * 1024;

/// Bytes of records that a source gathers into one batch before it hands it on.
pub const BATCH_BYTES: usize = 256 * 1024;

/// Records in one batch at most, so that tiny records do not make a batch huge: one of 64 bytes each is full by either
/// bound.
pub const BATCH_RECORDS_MAX: usize = 4 * 1024;

/// Records in one request to a store by default.
pub const REQUEST_RECORDS: usize = 16 * 1024;

/// Request body of the HTTP source after decompression, in bytes.
pub const BODY_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Streams of one connection of HTTP/2 at the same time.
pub const STREAMS_MAX: u32 = 64;

/// Bytes of one stream's body that its client may send before we have read them.
pub const STREAM_WINDOW_BYTES: u32 = 256 * 1024;

/// The same of all streams of a connection together.
pub const STREAMS_WINDOW_BYTES: u32 = 512 * 1024;

/// Bytes of a stream's answer that wait for the client: answers are short.
pub const STREAM_SEND_BYTES: usize = 16 * 1024;

/// Streams of a connection that were reset before we had looked at them, or by us for a fault of the client's, before it is
/// closed.
pub const STREAMS_RESET_MAX: usize = 20;

/// How long a TLS handshake may take.
pub const TLS_WAIT: Duration = Duration::from_secs(10);

/// How often the files of a listener's certificate are looked at for whether they were renewed, by the connections that come.
pub const TLS_FILES_ASKED_EVERY: Duration = Duration::from_secs(5);

/// Data of one RELP frame, in bytes: a record beyond its limit is read to its end and becomes a marker.
pub const RELP_BYTES_MAX: usize = 8 * 1024 * 1024;

/// One message of the forward protocol, as it comes or unpacked, in bytes: twice the chunk that its senders make by default.
pub const FORWARD_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Identity of a chunk that is repeated in its answer, in bytes; senders have 24.
pub const CHUNK_ID_BYTES_MAX: usize = 256;

/// Batches of one connection whose answers are not due yet, for protocols that answer each message.
pub const ANSWERS_WAITING_MAX: usize = 64;

/// How long a peer may take to read an answer.
pub const ANSWER_WAIT: Duration = Duration::from_secs(10);

/// How long a peer may say nothing in the middle of a message.
pub const MESSAGE_IDLE_WAIT: Duration = Duration::from_secs(60);

/// Room for one UDP datagram, in bytes: more than any has, over IPv4 and over IPv6 (RFC 768: 16 bits of length).
pub const DATAGRAM_BYTES: usize = 65_536;

/// Digits of an octet count (RFC 6587, section 3.4.1) that are read before it is refused: below 1 GB, more than any
/// record that is worth spending to its end.
pub const OCTET_COUNT_DIGITS_MAX: usize = 9;

/// Levels of nesting in a JSON document that a protocol's envelope may have: what other parsers take too, and one bit each.
pub const JSON_DEPTH_MAX: usize = 127;

/// Bytes of a key that are looked at for its name.
pub const KEY_BYTES_MAX: usize = 128;

/// Levels of objects and arrays in which fields are looked for by their paths; a deeper document counts as no document.
pub const FIELD_DEPTH_MAX: usize = 64;

/// Bytes before a backslash in which the quote of the string around it is looked for.
pub const STRING_BYTES_BACK_MAX: usize = 4 * 1024;

/// Bytes on each side of an at-sign that are read for an e-mail address (RFC 5321, section 4.5.3.1: 254 in all).
pub const EMAIL_BYTES_MAX: usize = 256;

/// Bytes behind an anchor in which the introduction of a value must end: a command's words before its password.
pub const INTRODUCTION_BYTES_MAX: usize = 512;

/// Bytes before a key, and behind its value, in which the field is looked for that stands beside it in its object.
pub const BESIDE_BYTES_MAX: usize = 96;

/// Bytes on each side of a word in which the number is looked for that it names: a phrase and the number's own.
pub const NEAR_BYTES_MAX: usize = 48;

/// Longest value that a rule's validator reads, its escapes included, in bytes: addresses of wallets.
pub const CHECKED_BYTES_MAX: usize = 256;

/// Bytes at the beginning of a field's value that tell whether it is one, and as many at its end if these do not, 1 KiB: values
/// without quotes may all end at the same place, and each would be read to there. Its length is told by all of it.
pub const JUDGED_BYTES_MAX: usize = 1024;

/// Longest value that is percent-decoded to be checked, in bytes: the longest e-mail address, each byte a unit.
pub const DECODED_BYTES_MAX: usize = 1024;

/// Longest record that is looked at as one value and nothing else, in bytes: the longest number of a person with its separators.
pub const ALONE_BYTES_MAX: usize = 40;

/// Bytes after a PEM header that are read for its end; an RSA key of 16 384 bits has 12 KiB.
pub const PEM_BYTES_MAX: usize = 16 * 1024;

/// Bytes before an anchor, and after it, in which a rule's pattern may match. A longer token is taken to the end of its word.
pub const PATTERN_BYTES_MAX: usize = 4 * 1024;

/// Rounds of percent-decoding that are undone: `%2540` takes two.
pub const PERCENT_ROUNDS_MAX: usize = 2;

/// Pseudonyms that one worker remembers, so that frequent values cost one look-up: a power of two; 1 MiB.
pub const PSEUDONYM_CACHE_ENTRIES_MAX: usize = 8 * 1024;

/// Longest value that is remembered with its pseudonym, in bytes.
pub const PSEUDONYM_CACHE_VALUE_BYTES_MAX: usize = 56;

/// Sessions and tokens whose pseudonyms are remembered, unless the bound of all memory leaves room for fewer: 91 MiB.
/// Tables of the standard library are full at seven eighths of a power of two.
pub const SESSIONS_MAX: usize = 7 << 17;

/// The same at least.
pub const SESSIONS_MIN: usize = 7 << 9;

/// What a session that is remembered holds, in bytes, with its share of what is free in the table.
pub const SESSION_BYTES: usize = 104;

/// Body of a logout request, in bytes: a few tokens.
pub const LOGOUT_BYTES_MAX: usize = 64 * 1024;

/// Connections open at the same time, of each listener. More wait in the operating system's backlog.
pub const CONNECTIONS_MAX: usize = 1024;

/// Connections of a listener that may be set at most.
pub const CONNECTIONS_SET_MAX: u64 = 65_536;

/// Least rate of a peer that may be set, in bytes a second: the longest record comes within two minutes and a half.
pub const PEER_BYTES_MIN: u64 = 8 * 1024;

/// Peers of one listener that are known at the same time, beside as many as it has connections: those that sent faster than
/// they may just now.
pub const PEERS_MAX: usize = 7 << 11;

/// What a peer that is known holds, in bytes, with its share of what is free in the table.
pub const PEER_BYTES: usize = 112;

/// Bytes that one read of a socket asks for: some hundred records a system call.
pub const READ_BYTES: usize = 128 * 1024;

/// Bytes that a connection's read asks for before one was filled: what each connection holds that has nothing to say.
pub const IDLE_READ_BYTES: usize = 8 * 1024;

/// Batches that a connection makes in a row while others wait for their turn.
pub const TURN_BATCHES_MAX: usize = 16;

/// Bytes of unfinished records beyond [`IDLE_READ_BYTES`] that all connections of a listener hold together; a connection
/// that finds no room is closed.
pub const UNFINISHED_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Bytes that a socket is still read for at a stop: all that the operating system may hold for it. Linux grants a
/// UDP socket twice the [`SOCKET_BUFFER_BYTES`] asked for, and a TCP connection 6 to 32 MiB.
pub const STOP_READ_BYTES_MAX: usize = 64 * 1024 * 1024;

/// How long a listener rests when the operating system has no connection to give, for want of files.
pub const ACCEPT_REST: Duration = Duration::from_millis(100);

/// Receive buffer that a UDP socket asks for, in bytes; the operating system may give less.
pub const SOCKET_BUFFER_BYTES: usize = 8 * 1024 * 1024;

/// How often the operating system is asked what it dropped of a socket's datagrams.
pub const DROPS_ASKED_EVERY: Duration = Duration::from_secs(5);

/// Batches of datagrams that wait for room in the queues before datagrams are dropped.
pub const DATAGRAM_BATCHES_MAX: usize = 16;

/// Request body on the wire that is read to its end though it is refused, in bytes: a client that sends first and
/// reads later is to see why.
pub const BODY_BYTES_SPENT_MAX: usize = 4 * BODY_BYTES_MAX;

/// Times that a request body may grow when it is unpacked, once it is past [`BODY_BYTES_ANY_RATIO`]. Logs grow by 5
/// to 50, a body of one repeated line by 1000.
pub const BODY_RATIO_MAX: usize = 1_100;

/// Bytes that a request body may unpack to whatever its ratio.
pub const BODY_BYTES_ANY_RATIO: usize = 4 * 1024 * 1024;

/// Window of a zstd body as a power of two, 8 MiB (RFC 9659, section 3).
pub const BODY_ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// Bytes of all request bodies in hand, packed and unpacked, of each HTTP source.
pub const BODIES_BYTES_MAX: usize = 96 * 1024 * 1024;

/// Line and headers of a request, in bytes.
pub const REQUEST_HEAD_BYTES_MAX: usize = 16 * 1024;

/// Bytes of a connection of HTTP/1 that are read at once: a head, and some of a body.
pub const REQUEST_READ_BYTES: usize = 64 * 1024;

/// Headers of a request.
pub const REQUEST_HEADERS_MAX: usize = 64;

/// Batches between the sources and the queues, unless the bound of all memory leaves less: being read, being cleaned, or
/// clean and waiting for room. Enough that batches which wait for one sink leave some for others.
pub const TURNS: usize = 64;

/// Batches on their way at least: one that waits for room, and one beside it.
pub const TURNS_MIN: usize = 2;

/// What a batch on its way holds, in bytes: what was read, its records as they came and clean, a long one among them.
pub const TURN_BYTES: usize = 4 * 1024 * 1024;

/// What the program holds before it has anything to do, in bytes: rules, policy, code that was used.
pub const PROGRAM_BYTES: usize = 12 * 1024 * 1024;

/// What a worker holds between batches, in bytes: its scratch and remembered pseudonyms, caches of patterns.
pub const WORKER_BYTES: usize = 3 * 1024 * 1024;

/// What a quiet connection holds, in bytes: a small buffer, its task and its peer.
pub const CONNECTION_BYTES: usize = 2 * IDLE_READ_BYTES + PEER_BYTES;

/// What a connection of HTTP holds beside bodies, in bytes: what was read of it, a head and its peer.
pub const REQUEST_CONNECTION_BYTES: usize = REQUEST_READ_BYTES + REQUEST_HEAD_BYTES_MAX + PEER_BYTES;

/// What a stream of HTTP/2 holds beside its body while it is answered, in bytes; it takes them from the room for bodies.
pub const STREAM_BYTES: usize = REQUEST_HEAD_BYTES_MAX + STREAM_SEND_BYTES;

/// The same from then on, until its client has taken the answer: a short text and the state of the stream. A client that takes
/// none is to have little of the room.
pub const STREAM_ANSWER_BYTES: usize = 4 * 1024;

/// What TLS holds of a connection, in bytes: a record each way, and its state.
pub const TLS_BYTES: usize = 48 * 1024;

/// What a file that is followed holds beside its unfinished lines, in bytes.
pub const FILE_BYTES: usize = IDLE_READ_BYTES + 4 * 1024;

/// Least bound of all memory that may be set, in bytes.
pub const MEMORY_BYTES_MIN: u64 = 16 << 20;

/// Largest bound of all memory that may be set, in bytes.
pub const MEMORY_BYTES_MAX: u64 = 1 << 40;

/// Default bound of the memory queue before each sink, in bytes.
pub const QUEUE_BYTES_DEFAULT: usize = 16 * 1024 * 1024;

/// Default bound of the durable queue, in bytes.
pub const QUEUE_DISK_BYTES_DEFAULT: u64 = 8 << 30;

/// Least bound of the durable queue, in bytes: some segments, and what is written at once.
pub const QUEUE_DISK_BYTES_MIN: u64 = 16 << 20;

/// Largest bound of the durable queue, in bytes.
pub const QUEUE_DISK_BYTES_MAX: u64 = 1 << 50;

/// Bytes after which the durable queue begins a new segment: what is delivered is given back in such pieces.
pub const QUEUE_SEGMENT_BYTES: u64 = 64 << 20;

/// Segments that the durable queue's bound has room for at least.
pub const QUEUE_SEGMENTS_MIN: u64 = 8;

/// Bytes of a batch that is cleaned where it was read, in a tenth of a millisecond or so, rather than by another thread.
pub const INLINE_BYTES: usize = 16 * 1024;

/// Clean bytes that share one sync of the durable queue at most.
pub const QUEUE_GROUP_BYTES: usize = 4 << 20;

/// Bytes that a sink's reader takes from the durable queue at once.
pub const QUEUE_READ_BYTES: usize = 512 * 1024;

/// Clean bytes read from the durable queue that a sink has before it, where its requests need no more.
pub const QUEUE_WINDOW_BYTES: usize = 4 << 20;

/// How often the durable queue's cursors are written: what a crash makes a sink get twice.
pub const QUEUE_TIDY_EVERY: Duration = Duration::from_secs(1);

/// How soon after the start they are written first; the waits grow from there.
pub const QUEUE_TIDY_FIRST: Duration = Duration::from_millis(20);

/// Dead letters of one sink that are kept at most, in bytes on disk. Where a sink refuses more, the oldest make room:
/// records that a store refuses are sent by whoever wants to, and are not to stop the sink.
pub const DEAD_LETTER_BYTES: u64 = 64 << 20;

/// Segments of dead letters beyond their bound while they are sent again: what is refused anew is kept before the segment
/// that it comes from can go, and is not to push out what was not sent again yet. One such, and one more for what is read.
pub const DEAD_LETTERS_REPLAY_SEGMENTS: u64 = 2;

/// How often the log says that a sink refused records; a metric counts all of them.
pub const REFUSED_TOLD_EVERY: Duration = Duration::from_secs(10);

/// Reasons for which records of one batch were refused that dead letters tell apart; what is beyond them has the last.
pub const DEAD_LETTER_REASONS_MAX: usize = 8;

/// How often somebody may ask for dead letters to be sent again.
pub const DEAD_LETTERS_LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long the durable queue rests after it could not write.
pub const QUEUE_REST: Duration = Duration::from_millis(500);

/// How long after its partition of time a key of the durable queue is kept though nothing needs it: batches come late.
pub const QUEUE_KEY_REST: Duration = Duration::from_secs(600);

/// How long a drain waits for sinks when what they do not get stays on disk.
pub const QUEUE_DRAIN_WAIT: Duration = Duration::from_secs(3);

/// How long a drain may take after the first signal to stop.
pub const DRAIN_WAIT: Duration = Duration::from_secs(25);

/// Packs beside the built-in ones.
pub const PACKS_MAX: usize = 64;

/// Entities of one set of rules: each has a place in every class's table, and its own count among the metrics.
pub const ENTITIES_MAX: usize = 4096;

/// Literals of one set of rules: tables number them with 16 bits.
pub const LITERALS_MAX: usize = u16::MAX as usize;

/// Configuration, policy or pack file, in bytes.
pub const SETTINGS_FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Least bound of the memory queue before each sink, in bytes: four batches.
pub const QUEUE_BYTES_MIN: u64 = 1024 * 1024;

/// Largest bound of the memory queue before each sink, in bytes: the queue counts in 32 bits.
pub const QUEUE_BYTES_MAX: u64 = u32::MAX as u64;

/// What a queued batch costs beside its bytes: its records, its handles. Keeps many tiny batches within the bound.
pub const QUEUE_ITEM_OVERHEAD_BYTES: usize = 1024;

/// Clean bytes that one attempt to deliver takes from a queue, so that several batches share one sync or one request.
pub const DELIVERY_BYTES: usize = 1024 * 1024;

/// Encoded records in one request of the HTTP sink, in bytes; a longer record goes alone. Half of the least that
/// stores and the proxies before them take by default.
pub const REQUEST_BYTES: usize = 512 * 1024;

/// Requests that a store gets at the same time by default, if it takes them: each holds its batch, encoded, in memory.
pub const REQUESTS: usize = 4;

/// Requests at the same time that may be asked for at most.
pub const REQUESTS_MAX: u64 = 64;

/// Least bound of the encoded records in one request that may be set, in bytes.
pub const REQUEST_BYTES_MIN: u64 = 4 * 1024;

/// How long one attempt to deliver may take, connecting included.
pub const DELIVERY_WAIT: Duration = Duration::from_secs(10);

/// How long a receiver of syslog over TLS 1.3 may take to say whether it accepts who we are; one that says nothing is sent
/// to then.
pub const TLS_VERDICT_WAIT: Duration = Duration::from_millis(500);

/// How long a refusal may come behind the receiver's first word.
pub const TLS_REFUSAL_WAIT: Duration = Duration::from_millis(100);

/// Bytes of a sink's answer that are read before the connection is given up.
pub const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Bytes that are counted for what is known of a record beside its text: id, times, class, stream, policy.
pub const ENVELOPE_BYTES: usize = 256;

/// Bytes of a store's answer that are read for each record it speaks of, beside [`ANSWER_BYTES_MAX`].
pub const ANSWER_ITEM_BYTES_MAX: usize = 1024;

/// How far before its receipt a record's own time is believed by what files it: a phone that was offline for a day.
pub const EVENT_AGE_MAX: Duration = Duration::from_secs(24 * 3600);

/// Longest line that VictoriaLogs takes with its own settings, in bytes; longer ones it drops, and says 200.
pub const VICTORIALOGS_LINE_BYTES_MAX: usize = 256 * 1024;

/// Encoded records in one request or object that may be asked for at most, in bytes.
pub const REQUEST_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Records' text in one object of the S3 sink by default, in bytes.
pub const OBJECT_BYTES: usize = 8 * 1024 * 1024;

/// Objects of the S3 sink that are written at the same time by default.
pub const OBJECTS: usize = 2;

/// How long an object of the S3 sink waits to be filled by default: with the queue in memory, clients wait as long.
pub const OBJECT_AGE: Duration = Duration::from_secs(1);

/// Longest time that a delivery may be told to wait for more.
pub const BATCH_AGE_MAX: Duration = Duration::from_secs(300);

/// How often Splunk is asked whether what it accepted is written.
pub const SPLUNK_ACK_EVERY: Duration = Duration::from_millis(250);

/// How long Splunk is asked before its events are sent again: it writes every few seconds.
pub const SPLUNK_ACK_WAIT: Duration = Duration::from_secs(30);

/// How long a signed request to S3 is good for: an attempt, and clocks that differ by some minutes.
pub const SIGNED_FOR: Duration = Duration::from_secs(300);

/// How long connections to a store are used before they are made anew, its name resolved and certificates read again.
pub const CONNECTION_AGE_MAX: Duration = Duration::from_secs(120);

/// Characters of what the system or TLS says of a failed request that are kept for the log.
pub const FAULT_TEXT_CHARS_MAX: usize = 400;

/// First wait before an attempt is made again; it doubles from there.
pub const RETRY_WAIT: Duration = Duration::from_millis(100);

/// Longest wait before an attempt is made again, unless the sink asks for more.
pub const RETRY_WAIT_MAX: Duration = Duration::from_secs(15);

/// Longest wait that a sink may ask for with `Retry-After`.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(300);

/// Requests that a sink may make again before it has to earn them, or wait for them.
pub const RETRY_BUDGET: f64 = 10.0;

/// What a request that succeeds earns of one that is made again.
pub const RETRY_SHARE: f64 = 0.2;

/// How often a sink may ask again though nothing succeeds: what an outage costs a store that others wait for, too.
pub const RETRY_EVERY: Duration = Duration::from_secs(1);

/// How often rotated files are looked at for those whose time is over, at most.
pub const ROTATED_FILES_LOOKED_AT_EVERY: Duration = Duration::from_secs(30);

/// Rotated files that the file sink keeps at most.
pub const ROTATED_FILES_MAX: u64 = 1000;

/// Acts of a kind that come often (refusals, logouts) and are told one by one in an hour: of more the log says how many.
pub const OFTEN_TOLD_MAX: usize = 10;

/// Connections of the admin listener at the same time.
pub const ADMIN_CONNECTIONS_MAX: usize = 32;

/// How long the admin listener waits for a request's header and for its answer to be taken.
pub const ADMIN_WAIT: Duration = Duration::from_secs(10);

/// How long wall and monotonic time must run in step before the wall clock is believed: a broken time server is noticed within it.
pub const BELIEF_WAIT: Duration = Duration::from_secs(3600);

/// Forward step of the wall clock in a running process beyond which only an operator's word makes it believed.
pub const STEP_MAX: Duration = Duration::from_secs(86_400);

/// Difference between wall and monotonic time that is drift and slew, not a step.
pub const STEP_TOLERANCE: Duration = Duration::from_secs(120);

/// How old an operator's word that the clock is right may be when it is taken in: a few rounds of [`TEND_EVERY`].
pub const CONFIRMATION_AGE_MAX: Duration = Duration::from_secs(300);

/// How often keys and partitions are looked after: deadlines leave room for far more.
pub const TEND_EVERY: Duration = Duration::from_secs(60);

/// Shortest limit of a class that can be kept, given [`BELIEF_WAIT`] and the length of a partition.
pub const CLASS_TTL_MIN: Duration = Duration::from_secs(3 * 3600);

/// Least time before the limit at which things are destroyed: [`BELIEF_WAIT`] and half an hour for everything else.
pub const DEADLINE_MARGIN_MIN: Duration = Duration::from_secs(90 * 60);

/// Most time before the limit at which things are destroyed: a restart, [`BELIEF_WAIT`], and two hours for an operator.
pub const DEADLINE_MARGIN_MAX: Duration = Duration::from_secs(4 * 3600);

/// Bytes of encoded records after which the archive closes a block: larger ones compress little better.
pub const ARCHIVE_BLOCK_BYTES: usize = 512 * 1024;

/// Encoded records in one block of the archive at most, in bytes: one record of the largest size, grown by replacements.
pub const ARCHIVE_BLOCK_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Partitions that the archive holds open for writing.
pub const ARCHIVE_OPEN_MAX: usize = 32;

/// Key, key-encryption key or state file of the data directory, in bytes.
pub const VAULT_FILE_BYTES_MAX: u64 = 64 * 1024;

/// What a command gives as the key-encryption key, in bytes: a key in hexadecimal, and some white space.
pub const KEK_BYTES_MAX: usize = 1024;

/// Tenths of a second in which a command that gives the key-encryption key may say nothing: 30 seconds.
pub const KEK_COMMAND_ROUNDS: usize = 300;

/// How long a batch that needs a key waits before it asks for it again.
pub const KEY_WAIT: Duration = Duration::from_secs(1);

/// How long a source that stops waits to be told of bytes that the system holds already: being told takes a turn of the
/// runtime, and without it a socket that was never asked before seems empty.
pub const STOP_READ_WAIT: Duration = Duration::from_millis(20);

/// Bytes that `bench engine` takes of its inputs, shared between them: a few seconds of work, and two copies fit into
/// a small machine's memory.
pub const BENCH_BYTES_MAX: usize = 128 * 1024 * 1024;

/// Line of a chained file (evidence, audit log, registers), in bytes with its line end: names, times and reasons fit.
pub const CHAIN_LINE_BYTES_MAX: u64 = 16 * 1024;

/// How far a store's clock, or its youngest oldest record, may be from ours before ages in it are called unknown.
pub const STORE_SKEW_MAX: Duration = Duration::from_secs(300);

/// How often what is due in stores without a lifecycle of their own is deleted by logveil.
pub const STORE_SWEEP_EVERY: Duration = Duration::from_secs(600);

/// How often a store's retention is verified again.
pub const STORE_CHECK_EVERY: Duration = Duration::from_secs(3600);

/// The same while one of them is not compliant or does not tell: what is held goes on soon after it was mended.
pub const STORE_CHECK_FAILED_EVERY: Duration = Duration::from_secs(15);

/// How long a store may take for one answer about its retention.
pub const STORE_WAIT: Duration = Duration::from_secs(20);

/// How late a rotation of files may be: a job that runs each hour, and its work.
pub const ROTATION_SLACK: Duration = Duration::from_secs(3600);

/// A text in the audit log or a register (a name, a reason), in bytes: a sentence.
pub const AUDIT_TEXT_BYTES_MAX: usize = 256;

/// Value that a subject may be looked for by, in bytes: a long token.
pub const SUBJECT_VALUE_BYTES_MAX: usize = 8 * 1024;

/// Values that one request may name: all addresses and devices of one person.
pub const SUBJECT_VALUES_MAX: usize = 64;

/// How long after it was found an incident must be told (GDPR, article 33).
pub const INCIDENT_TIME: Duration = Duration::from_secs(72 * 3600);

/// Values of one record that may be pseudonyms and are looked at more closely by a leak audit, each of which takes a search
/// of the record; of the others nobody can tell.
pub const TOLD_APART_MAX: usize = 64;

/// Records of each class that a leak audit looks through unless told otherwise, spread over all there are.
pub const AUDIT_RECORDS: u64 = 10_000;

/// How often a running program looks whether somebody was suppressed.
pub const SUPPRESSIONS_LOOK_EVERY: Duration = Duration::from_secs(1);

/// Token of a role, in bytes: what cannot be guessed, and no longer than a header line may be.
pub const ROLE_TOKEN_BYTES_MIN: usize = 16;

/// The file of a role's token, in bytes.
pub const ROLE_TOKEN_BYTES_MAX: u64 = 4096;

/// How often a tailed file is asked for more, and its name for whether it is the same file still: a stat each.
pub const FILE_ASKED_EVERY: Duration = Duration::from_millis(250);

/// How often the folders of a source of files are read for new ones.
pub const FOLDERS_READ_EVERY: Duration = Duration::from_secs(1);

/// Files that one source of files reads at the same time; more wait until one is gone.
pub const FILES_MAX: usize = 4096;

/// How long a file that has no name any more is still asked for more: programs that keep it open write on for a moment.
pub const FILE_GONE_WAIT: Duration = Duration::from_secs(5);

/// How long the rest of a record that a container's runtime has split may take.
pub const PARTIAL_WAIT: Duration = Duration::from_secs(10);

/// Batches of one file that wait to be confirmed.
pub const FILE_BATCHES_MAX: usize = 4;

/// Times that records of a file are sent again which no sink would confirm, before they are given up and counted.
pub const FILE_TRIES_MAX: u32 = 5;

/// Bytes at the head of a file that tell it from another one with its number.
pub const FILE_HEAD_BYTES: usize = 256;

/// How often the places up to which files are delivered are written down.
pub const CHECKPOINT_EVERY: Duration = Duration::from_secs(1);

/// How long a source of files that stops waits to know of its last batches whether they are safe: less than
/// [`DRAIN_WAIT`].
pub const FILE_STOP_WAIT: Duration = Duration::from_secs(20);

/// File of checkpoints, in bytes: more than [`FILES_MAX`] lines.
pub const CHECKPOINT_BYTES_MAX: u64 = 1024 * 1024;

/// Bytes of a store's answer about its retention: some ten thousand indices with their names. A longer one makes the
/// store unknown.
pub const STORE_ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Line of a file that is searched for a subject, in bytes: a record of the largest size, grown by replacements and escapes.
pub const STORED_LINE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Pages of a store's list of objects that are read, of a thousand each. A longer list makes the store unknown.
pub const STORE_PAGES_MAX: usize = 1000;

/// Records of a store that are read at once, to look for a subject or for what should not be there.
pub const STORE_PAGE_RECORDS: usize = 1000;

/// Pages of records that are read of one target: 10¹⁰ records in pages of a thousand. A store with more, or without an
/// end, is told as failed.
pub const STORE_PAGES_READ_MAX: u64 = 10_000_000;

/// Records of one person that are taken out of one target in one go, by marks of a hundred bytes or so each. More are
/// told as failed.
pub const STORE_THEIRS_MAX: usize = 1_000_000;

/// Bytes of a page of records: a page of records of 64 KiB each.
pub const STORE_PAGE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Records that a store is told at once to take out, by their marks: within the length of a query.
pub const STORE_MARKS_MAX: usize = 500;

/// How long a store's own deletion is followed; one that goes on longer is told as not ended.
pub const STORE_FOLLOW_MAX: Duration = Duration::from_secs(60);

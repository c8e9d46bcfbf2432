/*!
A byte stream through the pipeline, as a Unix filter has it: in order, with bounded memory, on several threads.

[`Pieces`] cuts inputs into pieces of whole lines, [`in_order`] hands them to
workers and takes the results back in the order of the input, [`batches`] makes
a piece into what the pipeline takes. Nothing here knows of the command line.

A record is a line without its newline; a carriage return before it belongs to
the record, so that what comes out has it, too. A line longer than
[`limit::RECORD_BYTES_MAX`] is never held: it is counted and skipped while it is
read, and the stream goes on at the next line.

Cost a byte: one read from the kernel, one search for its newline, one copy of
the unfinished line at a piece's end. One allocation a piece, none a line but
its [`Record`]. In flight are at most four pieces a thread.
*/

mod cut;
mod input;
mod order;

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::limit;
use crate::record::{Ack, Batch, Record};
use crate::secret::Raw;
use crate::span::Span;

pub use cut::{Part, Piece, Pieces};
pub use input::Input;
pub use order::{Stopped, in_order};

/// The lines of a piece as spans without their newlines. Linear in the haystack.
pub fn lines(haystack: &[u8]) -> impl Iterator<Item = Span> {
    let rest = haystack.len();
    let ends = memchr::memchr_iter(b'\n', haystack).chain((!haystack.ends_with(b"\n")).then_some(rest));
    let mut start = 0;
    ends.filter(move |_| rest > 0).map(move |end| Span::new(std::mem::replace(&mut start, end + 1), end))
}

/// What all batches of a stream have in common.
#[derive(Clone, Debug)]
pub struct Origin {
    /// When the stream began: one moment, so one epoch, for a whole run.
    pub received: Timestamp,
    /// The source's name, for routes.
    pub source: Arc<str>,
}

/// Bytes of a line in most logs, at least: the list of a piece's records seldom grows while it is made.
const LINE_BYTES: usize = 128;

/// A piece as batches, in order, none with more than [`limit::BATCH_RECORDS_MAX`] records.
///
/// Usually that is one batch in the piece's own buffer; only very short lines make it more, each with a copy of its part.
pub fn batches(piece: Raw, origin: &Origin) -> Vec<Batch> {
    let mut records = Vec::with_capacity(piece.len() / LINE_BYTES + 1);
    records.extend(lines(piece.bytes()).map(Record::plain));
    if records.len() <= limit::BATCH_RECORDS_MAX {
        return vec![batch(piece, records, origin)];
    }
    let some = records.chunks(limit::BATCH_RECORDS_MAX);
    some.map(|records| part(piece.bytes(), records, origin)).collect()
}

/// A batch of its own for some of a piece's records.
fn part(piece: &[u8], records: &[Record], origin: &Origin) -> Batch {
    let start = records.first().map_or(0, |first| first.message.start);
    let end = records.last().map_or(start, |last| last.message.end);
    let own = records.iter().map(|record| {
        let message = Span::new(record.message.start - start, record.message.end - start);
        Record { message, ..*record }
    });
    batch(Raw::new(piece[start..end].to_vec()), own.collect(), origin)
}

fn batch(raw: Raw, records: Vec<Record>, origin: &Origin) -> Batch {
    let source = Arc::clone(&origin.source);
    Batch { raw, records, received: origin.received, source, path: Raw::default(), ack: Ack::none() }
}

#[cfg(test)]
mod tests;

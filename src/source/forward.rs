/*!
Fluentd's forward protocol: messages of Fluentd, Fluent Bit and their libraries, answered if they ask for it.

Without TLS and its client certificates everybody who reaches the port may send: the shared-key handshake is not spoken.
*/

use std::io::Read;

use super::World;
use super::answered::{self, Listener, Outbox, Protocol, Step};
use crate::codec::Parts;
use crate::codec::forward::{Entries, Message, Shape, entries, message, write_ack};
use crate::limit::{CHUNK_ID_BYTES_MAX, FORWARD_BYTES_MAX};
use crate::structure::msgpack::{Fault, Scanner};

/// Serves until the world stops.
pub async fn serve(listener: Listener, world: World) {
    answered::serve(listener, world, Forward::default).await;
}

/// A connection's state: how far the message in hand was looked at.
#[derive(Debug, Default)]
struct Forward {
    scanner: Scanner,
}

impl Protocol for Forward {
    fn step(&mut self, haystack: &[u8], outbox: &mut Outbox) -> Step {
        let end = match self.scanner.end(haystack) {
            Ok(end) => end,
            Err(Fault::Short) if haystack.len() > FORWARD_BYTES_MAX => return Step::TooLarge,
            Err(Fault::Short) => return Step::More,
            Err(Fault::Malformed | Fault::TooDeep) => return Step::Lost,
        };
        self.scanner = Scanner::default();
        let taken =
            message(&haystack[..end]).map_err(|_| Step::Lost).and_then(|message| take(&message, outbox));
        match taken {
            Ok(()) => Step::Spent(end),
            Err(step) => step,
        }
    }
}

/// Takes a message as a whole, or nothing of it.
fn take(message: &Message<'_>, outbox: &mut Outbox) -> Result<(), Step> {
    if message.chunk.is_some_and(|chunk| chunk.len() > CHUNK_ID_BYTES_MAX) {
        return Err(Step::Lost);
    }
    let unpacked;
    let (count, text, shape) = match message.entries {
        Entries::One(text) => (Some(1), text, Shape::Bare),
        Entries::Listed(count, text) => (Some(count), text, Shape::Pairs),
        Entries::Packed(text) => (None, text, Shape::Pairs),
        Entries::Gzip(packed) => {
            unpacked = unpack(flate2::read::MultiGzDecoder::new(packed))?;
            (None, &unpacked[..], Shape::Pairs)
        }
        Entries::Zstd(packed) => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(packed).map_err(|_| Step::Lost)?;
            let window = decoder.window_log_max(crate::limit::BODY_ZSTD_WINDOW_LOG_MAX);
            window.map_err(|_| Step::Lost)?;
            unpacked = unpack(decoder)?;
            (None, &unpacked[..], Shape::Pairs)
        }
    };
    // Once to see that all of it is right, once to take it: nothing of a wrong message goes on.
    entries(message.tag, count, text, shape, &mut |_| {}).map_err(|_| Step::Lost)?;
    let mut push = |parts: Parts<'_>| outbox.push_parts(&parts);
    entries(message.tag, count, text, shape, &mut push).map_err(|_| Step::Lost)?;
    if let Some(chunk) = message.chunk {
        let mut answer = Vec::new();
        write_ack(chunk, &mut answer);
        outbox.answer(&answer);
    }
    Ok(())
}

/// Unpacks to the end, within the bound of a message.
fn unpack(reader: impl Read) -> Result<Vec<u8>, Step> {
    let mut unpacked = Vec::new();
    let read = reader.take(FORWARD_BYTES_MAX as u64 + 1).read_to_end(&mut unpacked);
    match read {
        Ok(0..=FORWARD_BYTES_MAX) => Ok(unpacked),
        Ok(_) => Err(Step::TooLarge),
        Err(_) => Err(Step::Lost),
    }
}

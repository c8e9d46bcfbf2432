//! A request's body, read to its end and unpacked, within bounds.

use std::io::Read;

use http_body_util::BodyExt;
use hyper::HeaderMap;
use hyper::body::{Body, Incoming};
use hyper::header::{CONTENT_ENCODING, EXPECT};
use tokio::time::{Instant, timeout_at};

use super::Limits;
use super::answer::Problem;
use crate::limit;
use crate::source::peers::Guest;
use crate::source::room::Share;

/// How a body is packed (RFC 9110, section 8.4.1; RFC 8878).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Not at all.
    Identity,
    /// RFC 1952, of one or more members.
    Gzip,
    /// RFC 8878, of one or more frames.
    Zstd,
    /// Snappy's block format, which says its length first.
    Snappy,
}

impl Encoding {
    /// What the headers say: one coding, or none.
    pub fn of(headers: &HeaderMap) -> Result<Encoding, Problem> {
        let mut values = headers.get_all(CONTENT_ENCODING).iter();
        let (value, None) = (values.next(), values.next()) else { return Err(Problem::Encoding) };
        match value.map(|value| value.as_bytes().trim_ascii().to_ascii_lowercase()).as_deref() {
            None | Some(b"" | b"identity") => Ok(Encoding::Identity),
            Some(b"gzip" | b"x-gzip") => Ok(Encoding::Gzip),
            Some(b"zstd") => Ok(Encoding::Zstd),
            Some(b"snappy") => Ok(Encoding::Snappy),
            Some(_) => Err(Problem::Encoding),
        }
    }
}

/// Reads a body as it comes over the wire. Its client pays for all of it, whatever becomes of it.
pub async fn read(
    body: &mut Incoming,
    limits: &Limits,
    share: &mut Share,
    guest: &Guest,
) -> Result<Vec<u8>, Problem> {
    if body.size_hint().lower() > limits.body_bytes_max as u64 {
        return Err(Problem::TooLarge);
    }
    let deadline = Instant::now() + limits.body_wait;
    let mut packed = Vec::new();
    while let Some(data) = data(body, limits, deadline).await? {
        guest.spend(data.len());
        if packed.len() + data.len() > limits.body_bytes_max {
            return Err(Problem::TooLarge);
        }
        share.grow(data.len())?;
        packed.extend_from_slice(&data);
    }
    Ok(packed)
}

/// Reads what is left of a refused body, within bounds and no faster than its client may send: many clients read no answer
/// before they have sent all.
///
/// A client that asked first (`Expect: 100-continue`) has its answer before it sends.
pub async fn spend(body: &mut Incoming, headers: &HeaderMap, limits: &Limits, guest: &Guest) {
    let is_waiting = headers.contains_key(EXPECT);
    if is_waiting {
        return;
    }
    let deadline = Instant::now() + limits.body_wait;
    let mut left = limit::BODY_BYTES_SPENT_MAX;
    while let Ok(Some(data)) = data(body, limits, deadline).await {
        let Some(rest) = left.checked_sub(data.len()) else { return };
        left = rest;
        let wait = guest.spend(data.len());
        if Instant::now() + wait > deadline {
            return;
        }
        tokio::time::sleep(wait).await;
    }
}

/// The next bytes of a body, within its waits.
async fn data(
    body: &mut Incoming,
    limits: &Limits,
    deadline: Instant,
) -> Result<Option<bytes::Bytes>, Problem> {
    loop {
        let by = deadline.min(Instant::now() + limits.body_idle_wait);
        let frame = timeout_at(by, body.frame()).await.map_err(|_| Problem::Timeout)?;
        match frame {
            None => return Ok(None),
            Some(Err(_)) => return Err(Problem::Body),
            // Trailers are no data.
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}

/// Unpacks a body to its end. One that ends early, or goes on as something else, is none.
pub async fn unpack(
    encoding: Encoding,
    packed: Vec<u8>,
    limits: &Limits,
    share: &mut Share,
) -> Result<Vec<u8>, Problem> {
    if packed.is_empty() || encoding == Encoding::Identity {
        return Ok(packed);
    }
    let bytes_max = bytes_max(packed.len(), limits);
    if encoding == Encoding::Snappy {
        return unsnap(&packed, bytes_max, share);
    }
    let mut reader = reader(encoding, &packed)?;
    let (mut unpacked, mut len) = (Vec::new(), 0);
    loop {
        // What is read may be a byte at a time, such as of a gzip of tiny members: it fills the room that is held.
        if len == unpacked.len() {
            let more = len.clamp(CHUNK_BYTES, GROWTH_BYTES_MAX);
            share.grow(more)?;
            unpacked.reserve_exact(more);
            unpacked.resize(len + more, 0);
        }
        let end = unpacked.len().min(len + CHUNK_BYTES);
        let read = reader.read(&mut unpacked[len..end]).map_err(|_| Problem::Body)?;
        len += read;
        if read == 0 {
            unpacked.truncate(len);
            drop(reader);
            drop(packed);
            share.hold(unpacked.capacity())?;
            return Ok(unpacked);
        }
        if len > bytes_max {
            return Err(Problem::TooLarge);
        }
        // Tenths of a second of work in all: others are to have their turn.
        tokio::task::yield_now().await;
    }
}

/// Unpacks a block of snappy, if what it says of its length is within bounds.
fn unsnap(packed: &[u8], bytes_max: usize, share: &mut Share) -> Result<Vec<u8>, Problem> {
    let len = snap::raw::decompress_len(packed).map_err(|_| Problem::Body)?;
    if len > bytes_max {
        return Err(Problem::TooLarge);
    }
    share.grow(len)?;
    snap::raw::Decoder::new().decompress_vec(packed).map_err(|_| Problem::Body)
}

fn bytes_max(packed_len: usize, limits: &Limits) -> usize {
    let by_ratio = packed_len.saturating_mul(limit::BODY_RATIO_MAX).max(limit::BODY_BYTES_ANY_RATIO);
    limits.body_bytes_max.min(by_ratio)
}

fn reader(encoding: Encoding, packed: &[u8]) -> Result<Box<dyn Read + Send + '_>, Problem> {
    match encoding {
        // Snappy's blocks are not read as a stream.
        Encoding::Identity | Encoding::Snappy => Ok(Box::new(packed)),
        Encoding::Gzip => Ok(Box::new(flate2::read::MultiGzDecoder::new(packed))),
        Encoding::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(packed).map_err(|_| Problem::Body)?;
            decoder.window_log_max(limit::BODY_ZSTD_WINDOW_LOG_MAX).map_err(|_| Problem::Body)?;
            Ok(Box::new(decoder))
        }
    }
}

const KIB: usize = 1024;

/// Bytes unpacked between two looks at the bounds.
const CHUNK_BYTES: usize = 64 * KIB;

/// Bytes that a body being unpacked gets more at once, at most.
const GROWTH_BYTES_MAX: usize = 1024 * KIB;

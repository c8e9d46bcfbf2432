/*!
Blocks: how records lie in a partition's file.

```text
file   = header block*
header = "logveil-archive/1 archive/1    \n"          32 bytes; the version twice, so that no flipped bit reads as a newer one
block  = magic(8) index(4) length(4) raw(4) count(4) min(8) max(8) nonce(24) check(4) sealed(length)
```

Numbers are little-endian. `min` and `max` are receive times in microseconds since 1970: with `count` they are the
index. `check` is the start of the SHA-256 of what stands before it, so that a block whose text is damaged can be
stepped over; where the block's header is damaged the next magic is looked for. `sealed` is XChaCha20-Poly1305 over
zstd over the records, with the block's header and the partition's id authenticated, so that blocks cannot be moved.
*/

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{Key, Tag, XChaCha20Poly1305, XNonce};
use sha2::{Digest, Sha256};

use super::Error;
use crate::limit::ARCHIVE_BLOCK_BYTES_MAX;
use crate::vault::{KEY_BYTES, random};

pub(crate) const FILE_HEADER: &[u8; 32] = b"logveil-archive/1 archive/1    \n";
pub(crate) const HEADER_BYTES: usize = 68;
const MAGIC: &[u8; 8] = b"LVBLOCK\n";
const CHECKED_BYTES: usize = 64;
const TAG_BYTES: usize = 16;
/// Bytes read at once when the next block is looked for.
const SEARCH_BYTES: usize = 64 * 1024;
/// zstd's fastest ordinary level: 300 MB/s and more, a third of the size.
const LEVEL: i32 = 1;

/// What is known of a block without its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub index: u32,
    /// Bytes that follow the header.
    pub length: u32,
    /// Bytes of the records when unpacked.
    pub raw: u32,
    pub count: u32,
    /// Earliest receive time, in microseconds.
    pub min: i64,
    /// Latest receive time, in microseconds.
    pub max: i64,
    nonce: [u8; 24],
}

impl Header {
    fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..12].copy_from_slice(&self.index.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.length.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.raw.to_le_bytes());
        bytes[20..24].copy_from_slice(&self.count.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.min.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.max.to_le_bytes());
        bytes[40..64].copy_from_slice(&self.nonce);
        let digest = Sha256::digest(&bytes[..CHECKED_BYTES]);
        bytes[CHECKED_BYTES..].copy_from_slice(&digest[..4]);
        bytes
    }

    fn decode(bytes: &[u8; HEADER_BYTES]) -> Option<Header> {
        let digest = Sha256::digest(&bytes[..CHECKED_BYTES]);
        if bytes[..8] != *MAGIC || bytes[CHECKED_BYTES..] != digest[..4] {
            return None;
        }
        let u32_at = |at: usize| Some(u32::from_le_bytes(bytes[at..at + 4].try_into().ok()?));
        let i64_at = |at: usize| Some(i64::from_le_bytes(bytes[at..at + 8].try_into().ok()?));
        let header = Header {
            index: u32_at(8)?,
            length: u32_at(12)?,
            raw: u32_at(16)?,
            count: u32_at(20)?,
            min: i64_at(24)?,
            max: i64_at(32)?,
            nonce: bytes[40..64].try_into().ok()?,
        };
        let bound = ARCHIVE_BLOCK_BYTES_MAX as u64;
        let fits = u64::from(header.raw) <= bound && u64::from(header.length) <= bound + bound / 128 + 1024;
        (fits && header.length as usize >= TAG_BYTES).then_some(header)
    }
}

/// Records of one block before it is sealed.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    pub raw: Vec<u8>,
    pub count: u32,
    pub min: i64,
    pub max: i64,
}

/// Packs and encrypts blocks of one partition.
pub(crate) struct Sealer {
    cipher: XChaCha20Poly1305,
    id: String,
}

impl Sealer {
    pub(crate) fn new(key: &[u8; KEY_BYTES], id: String) -> Sealer {
        Sealer { cipher: XChaCha20Poly1305::new(&Key::from(*key)), id }
    }

    /// Appends the block to `out`.
    pub(crate) fn seal(
        &self,
        compressor: &mut zstd::bulk::Compressor<'_>,
        index: u32,
        pending: &Pending,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let mut packed = compressor.compress(&pending.raw).map_err(|_| Error::Seal)?;
        let size = |bytes: usize| u32::try_from(bytes).map_err(|_| Error::RecordTooLong { bytes });
        let mut nonce = [0; 24];
        random(&mut nonce)?;
        let header = Header {
            index,
            length: size(packed.len() + TAG_BYTES)?,
            raw: size(pending.raw.len())?,
            count: pending.count,
            min: pending.min,
            max: pending.max,
            nonce,
        };
        let head = header.encode();
        let bound = [head.as_slice(), self.id.as_bytes()].concat();
        let tag = self
            .cipher
            .encrypt_inout_detached(&XNonce::from(nonce), &bound, packed.as_mut_slice().into())
            .map_err(|_| Error::Seal)?;
        out.extend_from_slice(&head);
        out.extend_from_slice(&packed);
        out.extend_from_slice(&tag);
        Ok(())
    }

    /// The records of a block; `None` if it is not authentic.
    pub(crate) fn open(&self, header: &Header, mut sealed: Vec<u8>) -> Option<Vec<u8>> {
        let bound = [header.encode().as_slice(), self.id.as_bytes()].concat();
        let packed = sealed.len().checked_sub(TAG_BYTES)?;
        let tag: [u8; TAG_BYTES] = sealed[packed..].try_into().ok()?;
        sealed.truncate(packed);
        self.cipher
            .decrypt_inout_detached(
                &XNonce::from(header.nonce),
                &bound,
                sealed.as_mut_slice().into(),
                &Tag::from(tag),
            )
            .ok()?;
        let raw = zstd::bulk::decompress(&sealed, header.raw as usize).ok()?;
        (raw.len() == header.raw as usize).then_some(raw)
    }
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sealer({})", self.id)
    }
}

/// A compressor for [`Sealer::seal`].
pub(crate) fn compressor() -> Result<zstd::bulk::Compressor<'static>, Error> {
    zstd::bulk::Compressor::new(LEVEL).map_err(|_| Error::Seal)
}

/// What stands at an offset of a partition's file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A block with a good header and all of its bytes.
    Block(Header),
    /// No block; the next one that can be one begins there, or the file ends there.
    Damaged(u64),
    /// A block that was not written to its end.
    Torn,
    /// The end of the file.
    End,
}

/// What stands at `at`, which is the end of a block or of the file's header, in a file of `length` bytes.
pub(crate) fn step(file: &File, at: u64, length: u64) -> io::Result<Step> {
    let left = length.saturating_sub(at);
    if left == 0 {
        return Ok(Step::End);
    }
    let mut bytes = [0; HEADER_BYTES];
    let there = (left.min(HEADER_BYTES as u64)) as usize;
    file.read_exact_at(&mut bytes[..there], at)?;
    if there < HEADER_BYTES {
        let same = there.min(MAGIC.len());
        return Ok(if bytes[..same] == MAGIC[..same] { Step::Torn } else { Step::Damaged(length) });
    }
    match Header::decode(&bytes) {
        Some(header) if left < HEADER_BYTES as u64 + u64::from(header.length) => Ok(Step::Torn),
        Some(header) => Ok(Step::Block(header)),
        None => Ok(Step::Damaged(search(file, at + 1, length)?)),
    }
}

/// The sealed bytes of the block whose header stands at `at`.
pub(crate) fn sealed(file: &File, at: u64, header: &Header) -> io::Result<Vec<u8>> {
    let mut sealed = vec![0; header.length as usize];
    file.read_exact_at(&mut sealed, at + HEADER_BYTES as u64)?;
    Ok(sealed)
}

/// The first offset from `from` on where a good header stands, or `length`.
fn search(file: &File, mut from: u64, length: u64) -> io::Result<u64> {
    let mut chunk = vec![0; SEARCH_BYTES];
    while from + (HEADER_BYTES as u64) <= length {
        let there = (length - from).min(SEARCH_BYTES as u64) as usize;
        file.read_exact_at(&mut chunk[..there], from)?;
        for at in memchr::memmem::find_iter(&chunk[..there], MAGIC) {
            let mut bytes = [0; HEADER_BYTES];
            let here = from + at as u64;
            if here + HEADER_BYTES as u64 <= length {
                file.read_exact_at(&mut bytes, here)?;
                if Header::decode(&bytes).is_some() {
                    return Ok(here);
                }
            }
        }
        if there < SEARCH_BYTES {
            break;
        }
        from += (there - MAGIC.len() + 1) as u64;
    }
    Ok(length)
}

/// Whether the first bytes of a file say that a later version of this program wrote it.
pub(crate) fn is_newer(head: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(head) else { return false };
    let mut words = text.split_whitespace();
    let mut version = |name: &str| words.next()?.strip_prefix(name)?.parse::<u32>().ok();
    let (first, second) = (version("logveil-archive/"), version("archive/"));
    first == second && first.is_some_and(|version| version > 1)
}

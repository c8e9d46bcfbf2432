/*!
The evidence: one line per destroyed key, each bound to the line before by its hash.

Lines are appended under the file's own lock, so that a purge by hand may stand
next to a running program. No line holds a key; the check value is public.
*/

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::disk::{Disk, temporary};
use super::keyfile::{KeyFile, Kind};
use super::{Error, format_of};
use crate::clock::Timestamp;

const FORMAT: &str = "logveil-evidence/1";
/// Longest line, in bytes: names of classes and policies are short.
const LINE_BYTES_MAX: u64 = 4096;

/// One destroyed key. The format, as it is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    format: String,
    /// Counted from 1.
    pub seq: u64,
    /// When the key was destroyed.
    pub at: Timestamp,
    /// What the key was for.
    pub kind: Kind,
    /// Its public name.
    pub id: String,
    /// The policy's name.
    pub policy: String,
    /// Retention class.
    pub class: String,
    /// Receive time of its oldest record.
    pub from: Timestamp,
    /// Receive time after its newest record.
    pub until: Timestamp,
    /// When it was due.
    pub due: Timestamp,
    /// The key's check value: 24 bits of an HMAC, public.
    pub check: String,
    /// SHA-256 of the line before, without its line end; zeros in the first.
    pub prev: String,
}

/// The evidence file of a data directory.
#[derive(Clone, Debug)]
pub struct Evidence {
    path: PathBuf,
    disk: Disk,
}

/// A chain that was read through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// Lines in it.
    pub lines: u64,
    /// Hash of the last line.
    pub head: String,
}

impl Evidence {
    /// The evidence at `path`, which need not be there yet.
    pub fn new(path: PathBuf, disk: Disk) -> Evidence {
        Evidence { path, disk }
    }

    /// Appends a line for a key that is gone, unless its line is there already. Durable on return.
    pub(crate) fn append(
        &self,
        key: &KeyFile,
        at: Timestamp,
        due: Timestamp,
        once: Once,
    ) -> Result<(), Error> {
        let mut file = self.open_locked()?;
        let (chain, there) = match once {
            Once::IfAbsent => {
                let mut there = false;
                let same =
                    |line: &Line| line.kind == key.kind && line.id == key.id && line.check == key.check;
                (self.read_through(&mut file, &mut |line| there |= same(&line))?, there)
            }
            Once::Known => (self.read_last(&mut file)?, false),
        };
        if there {
            return Ok(());
        }
        let line = Line {
            format: FORMAT.to_owned(),
            seq: chain.lines + 1,
            at,
            kind: key.kind,
            id: key.id.clone(),
            policy: key.policy.clone(),
            class: key.class.clone(),
            from: key.from,
            until: key.until,
            due,
            check: key.check.clone(),
            prev: chain.head,
        };
        let mut text = serde_json::to_vec(&line).expect("strings and numbers are always JSON");
        text.push(b'\n');
        let end = file.seek(SeekFrom::End(0)).map_err(Error::io(&self.path))?;
        let written = self.disk.append(&mut file, &text).and_then(|()| self.disk.sync_data(&file));
        if written.is_err() {
            // Best effort: an unfinished line is cut off by the next attempt, too.
            let _ = file.set_len(end);
        }
        written.map_err(Error::io(&self.path))
    }

    /// Reads and checks the whole chain, handing each line to `see`.
    pub fn verify(&self, mut see: impl FnMut(Line)) -> Result<Chain, Error> {
        match File::open(&self.path) {
            Ok(mut file) => self.read_through(&mut file, &mut see),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Chain { lines: 0, head: zeros() }),
            Err(error) => Err(Error::io(&self.path)(error)),
        }
    }

    /// How long the chain is, from its last line alone.
    pub fn last(&self) -> Result<Chain, Error> {
        match File::open(&self.path) {
            Ok(mut file) => self.read_last(&mut file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Chain { lines: 0, head: zeros() }),
            Err(error) => Err(Error::io(&self.path)(error)),
        }
    }

    fn open_locked(&self) -> Result<File, Error> {
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true).mode(0o600);
        let mut file = options.open(&self.path).map_err(Error::io(&self.path))?;
        file.lock().map_err(Error::io(&self.path))?;
        self.cut_torn_line(&mut file)?;
        Ok(file)
    }

    /// A crash in the middle of an append leaves a line without its end; what it was to say is said again.
    fn cut_torn_line(&self, file: &mut File) -> Result<(), Error> {
        let length = file.metadata().map_err(Error::io(&self.path))?.len();
        let (_, tail) = self.tail(file, length)?;
        if tail.last().is_none_or(|&byte| byte == b'\n') {
            return Ok(());
        }
        let whole = tail.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let kept = length - (tail.len() - whole) as u64;
        self.disk.truncate(file, kept).map_err(Error::io(&self.path))
    }

    /// The file's last bytes, enough for a line and the end of the one before, and where they begin.
    fn tail(&self, file: &mut File, length: u64) -> Result<(u64, Vec<u8>), Error> {
        let from = length.saturating_sub(2 * LINE_BYTES_MAX);
        let mut tail = Vec::new();
        file.seek(SeekFrom::Start(from)).map_err(Error::io(&self.path))?;
        file.take(2 * LINE_BYTES_MAX).read_to_end(&mut tail).map_err(Error::io(&self.path))?;
        Ok((from, tail))
    }

    fn read_last(&self, file: &mut File) -> Result<Chain, Error> {
        let length = file.metadata().map_err(Error::io(&self.path))?.len();
        let (_, tail) = self.tail(file, length)?;
        let whole = tail.iter().rposition(|&byte| byte == b'\n');
        let Some(text) = whole.map(|end| &tail[..end]) else {
            return Ok(Chain { lines: 0, head: zeros() });
        };
        let last = text.rsplit(|&byte| byte == b'\n').next().unwrap_or(text);
        let line = self.parse(last)?;
        Ok(Chain { lines: line.seq, head: hash(last) })
    }

    fn read_through(&self, file: &mut File, see: &mut dyn FnMut(Line)) -> Result<Chain, Error> {
        file.seek(SeekFrom::Start(0)).map_err(Error::io(&self.path))?;
        let mut reader = BufReader::new(file);
        let mut chain = Chain { lines: 0, head: zeros() };
        let mut text = Vec::new();
        loop {
            text.clear();
            let read = (&mut reader).take(LINE_BYTES_MAX).read_until(b'\n', &mut text);
            read.map_err(Error::io(&self.path))?;
            let Some(whole) = text.strip_suffix(b"\n") else {
                return Ok(chain);
            };
            let line = self.parse(whole)?;
            if line.seq != chain.lines + 1 || line.prev != chain.head {
                return Err(Error::BrokenChain { path: self.path.clone(), line: chain.lines + 1 });
            }
            chain = Chain { lines: line.seq, head: hash(whole) };
            see(line);
        }
    }

    fn parse(&self, text: &[u8]) -> Result<Line, Error> {
        format_of(&self.path, text, FORMAT)?;
        serde_json::from_slice(text).map_err(|error| Error::corrupt(&self.path, &error))
    }
}

/// Whether a line for the key may be there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Once {
    /// The destruction was begun just now: there is none.
    Known,
    /// The destruction is taken up again after a crash.
    IfAbsent,
}

fn hash(line: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(line))
}

fn zeros() -> String {
    "0".repeat(64)
}

/// Destroys a key, then its data, then says so. May be stopped at any step and taken up again.
pub(crate) struct Destruction<'a> {
    pub evidence: &'a Evidence,
    pub disk: &'a Disk,
    pub at: Timestamp,
}

impl Destruction<'_> {
    /// Carries it out for the key in `path`, which was due at `due`, and its data, if it has any.
    pub(crate) fn carry_out(
        &self,
        path: &Path,
        mut key: KeyFile,
        due: Timestamp,
        data: Option<&Path>,
    ) -> Result<(), Error> {
        let once = if key.is_destroyed() { Once::IfAbsent } else { Once::Known };
        if key.shred(self.disk, path).is_err() {
            // A disk that cannot write in place can still forget a name.
            self.disk.remove(path).map_err(Error::io(path))?;
        }
        match KeyFile::read(path) {
            Ok(left) if !left.is_destroyed() => return Err(Error::StillThere { path: path.to_owned() }),
            _ => {}
        }
        let left = temporary(path);
        self.disk.destroy(&left).map_err(Error::io(&left))?;
        if let Some(data) = data {
            self.disk.remove(data).map_err(Error::io(data))?;
        }
        self.evidence.append(&key, self.at, due, once)?;
        self.disk.remove(path).map_err(Error::io(path))
    }
}

/*!
One file, followed from its checkpoint on.

The bytes lie in the file until they are delivered, so nothing is held that can be read again: a batch that nobody would
confirm, or a want of room, sends the reader back to where the records are safe. A file that shrank, or begins with
something else, was truncated and is read from its beginning; zeros at a line's beginning, as truncation and power cuts
leave them, are no record.
*/

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::checkpoints::{Checkpoints, Identity};
use super::join::{Joined, Joiner};
use super::progress::Progress;
use super::{Framing, Settings};
use crate::codec::container::{self, Line, Place};
use crate::codec::{Element, Parts};
use crate::frame::{Cut, Ends, Framer, Lines, Step, Why};
use crate::limit::{
    FILE_ASKED_EVERY, FILE_BATCHES_MAX, FILE_GONE_WAIT, FILE_HEAD_BYTES, FILE_TRIES_MAX, IDLE_READ_BYTES,
    READ_BYTES, RECORD_BYTES_MAX, RETRY_WAIT_MAX,
};
use crate::source::gather::Gather;
use crate::source::room::{self, Share};
use crate::source::{Refused, World, stopped};
use crate::telemetry::Discard;

/// What a reader shares with the source that started it.
pub struct Shared {
    pub settings: Settings,
    pub world: World,
    pub checkpoints: Mutex<Checkpoints>,
}

/// A reader of one file.
pub struct Tail {
    shared: Arc<Shared>,
    identity: Identity,
    file: Arc<File>,
    path: Vec<u8>,
    place: Place,
    /// Whether a path still leads to it.
    is_named: Arc<AtomicBool>,
    /// Its first bytes.
    head: Vec<u8>,
    /// Where `unspent` begins in the file.
    offset: u64,
    unspent: Vec<u8>,
    framer: Lines,
    /// Whether `unspent` begins where a line does.
    is_line_start: bool,
    joiner: Joiner,
    gather: Gather,
    share: Share,
    /// Held while batches are made.
    batching: Option<room::Turn>,
    progress: Arc<Progress>,
    /// Up to where records are confirmed, and how often those behind were sent.
    safe: u64,
    tries: u32,
    /// Since when there is nothing more to read.
    quiet_since: Option<Instant>,
}

/// What to do next.
enum Turn {
    /// Go on at once.
    On,
    /// There is nothing to do for a moment.
    Rest(Duration),
    /// The file is read to its end and gone.
    End,
}

impl Tail {
    /// A reader of an open file, from its checkpoint on. Blocks.
    pub fn new(
        shared: &Arc<Shared>,
        identity: Identity,
        file: File,
        path: &std::path::Path,
        share: Share,
    ) -> io::Result<Tail> {
        let head = head(&file)?;
        let checkpoints = shared.checkpoints.lock().unwrap_or_else(PoisonError::into_inner);
        let known = checkpoints.offset(identity, &head);
        drop(checkpoints);
        let offset = if known > file.metadata()?.len() { 0 } else { known };
        let path = path.to_string_lossy();
        let name = Arc::clone(&shared.settings.name);
        Ok(Tail {
            identity,
            file: Arc::new(file),
            place: if shared.settings.framing == Framing::Plain {
                Place::default()
            } else {
                Place::of(&path)
            },
            path: path.into_owned().into_bytes(),
            is_named: Arc::new(AtomicBool::new(true)),
            head,
            offset,
            unspent: Vec::new(),
            framer: lines(),
            is_line_start: true,
            joiner: Joiner::default(),
            gather: Gather::new(name, shared.world.clone()),
            share,
            batching: None,
            progress: Arc::default(),
            safe: offset,
            tries: 0,
            quiet_since: None,
            shared: Arc::clone(shared),
        })
    }

    /// Tells the reader whether a path leads to its file.
    pub fn named(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.is_named)
    }

    /// Reads until the file is gone or the world stops.
    pub async fn run(mut self) {
        let mut stop = self.shared.world.stop.clone();
        loop {
            if *stop.borrow() {
                return self.stop().await;
            }
            let rest = match self.turn().await {
                Ok(Turn::On) => continue,
                Ok(Turn::Rest(rest)) => rest,
                Ok(Turn::End) => return self.forget(),
                Err(Fault::Refused) => return self.stop().await,
                // It is opened again with the next look at its folder.
                Err(Fault::Read(kind)) => {
                    let source = &*self.shared.settings.name;
                    return tracing::warn!(source, %kind, "a file cannot be read; trying again");
                }
            };
            tokio::select! {
                () = tokio::time::sleep(rest) => {}
                () = self.progress.news() => {}
                () = stopped(&mut stop) => {}
            }
        }
    }

    async fn turn(&mut self) -> Result<Turn, Fault> {
        if let Some(rest) = self.settle() {
            // It is read again.
            self.gather.discard();
            self.batching = None;
            return Ok(Turn::Rest(rest));
        }
        if self.progress.count() >= FILE_BATCHES_MAX {
            self.pause().await?;
            return Ok(Turn::Rest(FILE_ASKED_EVERY));
        }
        let read = self.read().await?;
        // Asked after reading: what was read before a truncation and what comes after it must not meet in one record.
        if self.is_another(read)? {
            // Of what is there again the new file's part is read with it; what is there no more counts as cut off.
            if self.file.metadata()?.len() >= self.offset + self.unspent.len() as u64 {
                self.unspent.truncate(self.unspent.len() - read);
            }
            self.restart();
            return Ok(Turn::On);
        }
        if read > 0 {
            self.quiet_since = None;
            self.cut().await?;
            return Ok(Turn::On);
        }
        self.give_out_overdue(false);
        self.pause().await?;
        let now = Instant::now();
        let quiet_since = *self.quiet_since.get_or_insert(now);
        if !self.is_named.load(Ordering::Relaxed) && now >= quiet_since + FILE_GONE_WAIT {
            return self.end().await;
        }
        Ok(Turn::Rest(FILE_ASKED_EVERY))
    }

    /// Moves the checkpoint to where records are confirmed. If some were not, goes back to them; says how long to rest.
    fn settle(&mut self) -> Option<Duration> {
        if let Some(end) = self.progress.advance() {
            (self.safe, self.tries) = (end, 0);
            self.mark();
        }
        let failed = self.progress.failed()?;
        if self.progress.count() > 0 {
            return Some(FILE_ASKED_EVERY);
        }
        self.tries += 1;
        if self.tries >= FILE_TRIES_MAX {
            let metrics = &self.shared.world.metrics;
            metrics.discard(&self.shared.settings.name, Discard::Unconfirmed, 1);
            (self.safe, self.tries) = (failed, 0);
            self.mark();
        }
        self.go_to(self.safe);
        Some(FILE_ASKED_EVERY.saturating_mul(1 << self.tries).min(RETRY_WAIT_MAX))
    }

    /// Writes down up to where the file is delivered.
    fn mark(&self) {
        let mut checkpoints = self.shared.checkpoints.lock().unwrap_or_else(PoisonError::into_inner);
        checkpoints.set(self.identity, &self.head, self.safe);
    }

    /// Whether the file is not what was read before the last `read` bytes: it shrank, or begins with something else. One
    /// that was written anew to the same length shows once more is written.
    fn is_another(&mut self, read: usize) -> Result<bool, Fault> {
        let size = self.file.metadata()?.len();
        let end = self.offset + self.unspent.len() as u64;
        if size < end {
            return Ok(true);
        }
        if read == 0 && self.quiet_since.is_some() && size == end {
            return Ok(false);
        }
        let now = head(&self.file)?;
        let is_another = !now.starts_with(&self.head);
        if !is_another {
            self.head = now;
        }
        Ok(is_another)
    }

    /// Begins again at the beginning of a file that was truncated. What it held of the old one has no end any more.
    fn restart(&mut self) {
        if self.joiner.begin().is_some() || !self.unspent.is_empty() {
            let byte_len = (self.joiner.byte_len() + self.unspent.len()) as u64;
            self.gather.push_cut(Cut { byte_len, why: Why::Truncated });
        }
        self.progress.clear();
        self.head = head(&self.file).unwrap_or_default();
        self.safe = 0;
        self.mark();
        self.forget_read(0);
    }

    /// Goes back; what is gathered is read again.
    fn go_to(&mut self, offset: u64) {
        self.progress.clear();
        self.gather.discard();
        self.forget_read(offset);
    }

    fn forget_read(&mut self, offset: u64) {
        (self.offset, self.unspent, self.framer) = (offset, Vec::new(), lines());
        (self.is_line_start, self.joiner) = (true, Joiner::default());
        // Nothing is held: this only gives back.
        let _ = self.share.hold(0);
    }

    /// Hands on what is gathered, and holds little until there is more to do.
    async fn pause(&mut self) -> Result<(), Refused> {
        self.hand_on().await?;
        self.unspent.shrink_to_fit();
        self.batching = None;
        Ok(())
    }

    /// Reads what comes next; says how many bytes that were.
    async fn read(&mut self) -> Result<usize, Fault> {
        let at = self.offset + self.unspent.len() as u64;
        if self.quiet_since.is_some() && self.file.metadata()?.len() == at {
            return Ok(0);
        }
        if self.batching.is_none() {
            self.batching = Some(self.shared.world.turns.take().await);
        }
        let file = Arc::clone(&self.file);
        let mut unspent = std::mem::take(&mut self.unspent);
        let read = tokio::task::spawn_blocking(move || {
            let from = unspent.len();
            unspent.resize(from + READ_BYTES, 0);
            let read = file.read_at(&mut unspent[from..], at);
            unspent.truncate(from + *read.as_ref().unwrap_or(&0));
            (unspent, read)
        });
        let (unspent, read) = read.await.map_err(|_| Fault::Refused)?;
        self.unspent = unspent;
        Ok(read?)
    }

    /// Cuts what is there into records, handing full batches on.
    async fn cut(&mut self) -> Result<(), Fault> {
        let unspent = std::mem::take(&mut self.unspent);
        let mut spent = 0;
        loop {
            if self.is_line_start {
                spent += unspent[spent..].iter().take_while(|b| **b == 0).count();
            }
            let haystack = &unspent[spent..];
            let (step, here) = self.framer.step(haystack);
            let begin = self.offset + spent as u64;
            spent += here;
            match step {
                Step::Frame(frame) => self.line(&haystack[frame.range()], begin),
                Step::Cut(cut) => self.gather.push_cut(cut),
                Step::More | Step::Lost => {
                    self.is_line_start = haystack.is_empty();
                    break;
                }
            }
            self.is_line_start = true;
            if self.gather.is_full() {
                self.hand_on_to(self.offset + spent as u64).await?;
            }
        }
        self.offset += spent as u64;
        self.unspent = unspent;
        self.unspent.drain(..spent);
        if self.unspent.is_empty() {
            self.unspent = Vec::new();
        }
        let unfinished = self.unspent.len().saturating_sub(IDLE_READ_BYTES) + self.joiner.byte_len();
        if self.share.hold(unfinished).is_err() {
            // Others hold all the room. What is in hand is handed on; the rest is read again.
            self.hand_on().await?;
            let begin = self.joiner.begin().map_or(self.offset, |begin| begin.min(self.offset));
            self.forget_read(begin);
            tokio::time::sleep(FILE_ASKED_EVERY).await;
        }
        Ok(())
    }

    /// Takes a line that begins at `begin`.
    fn line(&mut self, line: &[u8], begin: u64) {
        let read = match self.shared.settings.framing {
            Framing::Plain => None,
            Framing::Cri => container::cri(line),
            Framing::Docker => container::docker(line),
        };
        let Some(read) = read else { return self.gather.push_plain(line) };
        if !read.is_partial && !self.joiner.is_begun(read.output) {
            return self.push(&read);
        }
        let output = read.output;
        match self.joiner.push(&read, begin, Instant::now()) {
            Joined::More => {}
            Joined::Record { text, time } => {
                self.push(&Line { time, output, is_partial: false, text: text.into() });
            }
            Joined::TooLong(byte_len) => self.gather.push_cut(Cut { byte_len, why: Why::TooLong }),
            Joined::Rest(byte_len) => self.gather.push_cut(Cut { byte_len, why: Why::Truncated }),
        }
    }

    fn push(&mut self, line: &Line<'_>) {
        if line.text.is_empty() {
            return;
        }
        let Place { namespace, pod, container } = &self.place;
        let mut element = Element::new("container");
        element.push(b"namespace", namespace.as_bytes());
        element.push(b"container", container.as_bytes());
        element.push(b"output", line.output.name().as_bytes());
        self.gather.push_parts(&Parts {
            host: pod.as_bytes().into(),
            app: container.as_bytes().into(),
            structured: element.finish().into(),
            message: line.text.as_ref().into(),
            priority: None,
            time: line.time,
        });
    }

    fn give_out_overdue(&mut self, at_end: bool) {
        while let Some((output, text, time)) = self.joiner.overdue(Instant::now(), at_end) {
            self.push(&Line { time, output, is_partial: false, text: text.into() });
            let metrics = &self.shared.world.metrics;
            metrics.cut(&self.shared.settings.name, crate::telemetry::Cut::Truncated);
        }
    }

    async fn hand_on(&mut self) -> Result<(), Refused> {
        self.hand_on_to(self.offset).await
    }

    /// Hands on what is gathered from lines up to `end`.
    async fn hand_on_to(&mut self, end: u64) -> Result<(), Refused> {
        if self.gather.is_empty() {
            return Ok(());
        }
        let end = self.joiner.begin().map_or(end, |begin| begin.min(end));
        let batch = self.gather.take(&self.path, self.progress.depart(end));
        self.shared.world.intake.take(batch, Duration::MAX).await
    }

    /// The last line of a file that is gone has no end, and is given out as it is.
    async fn end(&mut self) -> Result<Turn, Fault> {
        if self.progress.count() > 0 {
            return Ok(Turn::Rest(FILE_ASKED_EVERY));
        }
        if self.unspent.is_empty() && self.joiner.begin().is_none() {
            return Ok(Turn::End);
        }
        let unspent = std::mem::take(&mut self.unspent);
        match self.framer.finish(&unspent) {
            Step::Frame(frame) => self.line(&unspent[frame.range()], self.offset),
            Step::Cut(cut) => self.gather.push_cut(cut),
            Step::More | Step::Lost => {}
        }
        self.offset += unspent.len() as u64;
        self.give_out_overdue(true);
        self.hand_on().await?;
        Ok(Turn::On)
    }

    fn forget(self) {
        let mut checkpoints = self.shared.checkpoints.lock().unwrap_or_else(PoisonError::into_inner);
        checkpoints.remove(self.identity);
    }

    /// Waits until it is known of each batch whether it is safe, as long as a client would.
    async fn stop(mut self) {
        self.batching = None;
        let known = async {
            while self.progress.count() > 0 {
                self.progress.news().await;
            }
        };
        let _ = tokio::time::timeout(crate::limit::FILE_STOP_WAIT, known).await;
        if let Some(end) = self.progress.advance() {
            self.safe = end;
            self.mark();
        }
    }
}

/// Why a reader ends.
enum Fault {
    Refused,
    Read(io::ErrorKind),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Fault {
        Fault::Read(error.kind())
    }
}

impl From<Refused> for Fault {
    fn from(_: Refused) -> Fault {
        Fault::Refused
    }
}

fn lines() -> Lines {
    // What a runtime writes around a line may make it a little longer than a record.
    Lines::new(Ends::Feed, RECORD_BYTES_MAX + FRAME_BYTES_MAX)
}

/// Time, stream and tag of CRI; Docker's line may have each byte of its text escaped, and is a marker then.
const FRAME_BYTES_MAX: usize = 256;

fn head(file: &File) -> io::Result<Vec<u8>> {
    let mut head = vec![0; FILE_HEAD_BYTES];
    let mut len = 0;
    while len < head.len() {
        match file.read_at(&mut head[len..], len as u64)? {
            0 => break,
            read => len += read,
        }
    }
    head.truncate(len);
    Ok(head)
}

/// Which file an open one is.
pub fn identity(file: &File) -> io::Result<Option<Identity>> {
    let metadata = file.metadata()?;
    let identity = Identity { device: metadata.dev(), inode: metadata.ino() };
    Ok(metadata.is_file().then_some(identity))
}

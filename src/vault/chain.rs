/*!
An append-only file of JSON lines, each bound to the line before by its hash.

```text
{"format":"logveil-evidence/1","seq":1, … what is said … ,"prev":"000…"}
{"format":"logveil-evidence/1","seq":2, … what is said … ,"prev":"SHA-256 of the line above, without its line end"}
```

Lines are appended under the file's own lock, so that a verb by hand may stand
next to a running program, and are durable on return. A line that a crash left
unfinished is no line: readers pass over it and the next append cuts it off.
What has been changed, taken out or put in anywhere before the last line breaks
the chain at the line after it; a line that is not written exactly as this
program writes it breaks the chain, too.

What a chain alone cannot show is lines cut off at the end, or a last line that
was changed: whoever keeps one also keeps its length or its head somewhere else.
*/

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::marker::PhantomData;
use std::ops::Deref;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::disk::Disk;
use super::{Error, format_of};
use crate::limit::CHAIN_LINE_BYTES_MAX;

/// What the lines of one kind of file say.
///
/// Its fields are written between `seq` and `prev`, in their order. Fields that are added later are optional and left
/// out when empty, so that lines of earlier versions stay as they are.
pub trait Entry: Serialize + DeserializeOwned {
    /// The file's format and version: `logveil-evidence/1`.
    const FORMAT: &'static str;
}

/// One line, as it is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line<T> {
    format: String,
    /// Counted from 1.
    pub seq: u64,
    /// What it says.
    #[serde(flatten)]
    pub said: T,
    /// SHA-256 of the line before, without its line end; zeros in the first.
    pub prev: String,
}

impl<T> Deref for Line<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.said
    }
}

/// A chain that was read through, or its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// Lines in it.
    pub lines: u64,
    /// Hash of the last line; zeros if there is none.
    pub head: String,
}

impl Chain {
    fn empty() -> Chain {
        Chain { lines: 0, head: "0".repeat(64) }
    }
}

/// A chained file. It need not be there yet.
#[derive(Debug)]
pub struct ChainFile<T> {
    path: PathBuf,
    disk: Disk,
    said: PhantomData<fn() -> T>,
}

impl<T> Clone for ChainFile<T> {
    fn clone(&self) -> ChainFile<T> {
        ChainFile { path: self.path.clone(), disk: self.disk.clone(), said: PhantomData }
    }
}

impl<T: Entry> ChainFile<T> {
    /// The file at `path`.
    pub fn new(path: PathBuf, disk: Disk) -> ChainFile<T> {
        ChainFile { path, disk, said: PhantomData }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends a line; durable on return. Gives the end of the chain, the new line included.
    pub fn append(&self, said: T) -> Result<Chain, Error> {
        let mut file = self.open_locked()?;
        let chain = self.read_last(&mut file)?;
        self.write(&mut file, chain, said)
    }

    /// As [`ChainFile::append_after`], and lets `then` have the new end before anybody else may append.
    pub(crate) fn append_after_then<S>(
        &self,
        mut seen: S,
        mut see: impl FnMut(&mut S, Line<T>),
        say: impl FnOnce(&mut S, &Chain) -> Result<Option<T>, Error>,
        then: impl FnOnce(&Chain) -> Result<(), Error>,
    ) -> Result<(S, Chain), Error> {
        let mut file = self.open_locked()?;
        let chain = self.read_through(&mut file, &mut |line| see(&mut seen, line))?;
        let Some(said) = say(&mut seen, &chain)? else { return Ok((seen, chain)) };
        let chain = self.write(&mut file, chain, said)?;
        then(&chain)?;
        Ok((seen, chain))
    }

    /// Reads and checks the whole chain, lets `see` gather from each line into `seen`, and then appends what `say`
    /// decides, all under one lock: nobody comes in between. `None` appends nothing.
    pub fn append_after<S>(
        &self,
        mut seen: S,
        mut see: impl FnMut(&mut S, Line<T>),
        say: impl FnOnce(S) -> Option<T>,
    ) -> Result<Chain, Error> {
        let mut file = self.open_locked()?;
        let chain = self.read_through(&mut file, &mut |line| see(&mut seen, line))?;
        match say(seen) {
            Some(said) => self.write(&mut file, chain, said),
            None => Ok(chain),
        }
    }

    /// Reads and checks the whole chain, handing each line to `see`.
    pub fn verify(&self, mut see: impl FnMut(Line<T>)) -> Result<Chain, Error> {
        match File::open(&self.path) {
            Ok(mut file) => self.read_through(&mut file, &mut see),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Chain::empty()),
            Err(error) => Err(Error::io(&self.path)(error)),
        }
    }

    /// How long the chain is, from its last line alone.
    pub fn last(&self) -> Result<Chain, Error> {
        match File::open(&self.path) {
            Ok(mut file) => self.read_last(&mut file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Chain::empty()),
            Err(error) => Err(Error::io(&self.path)(error)),
        }
    }

    fn write(&self, file: &mut File, chain: Chain, said: T) -> Result<Chain, Error> {
        let line = Line { format: T::FORMAT.to_owned(), seq: chain.lines + 1, said, prev: chain.head };
        let mut text = serde_json::to_vec(&line).expect("strings and numbers are always JSON");
        let head = hash(&text);
        text.push(b'\n');
        if text.len() as u64 > CHAIN_LINE_BYTES_MAX {
            return Err(Error::LineTooLong { path: self.path.clone(), bytes: text.len() });
        }
        let end = file.seek(SeekFrom::End(0)).map_err(Error::io(&self.path))?;
        let written = self.disk.append(file, &text).and_then(|()| self.disk.sync_data(file));
        if written.is_err() {
            // Best effort: an unfinished line is cut off by the next attempt, too.
            let _ = file.set_len(end);
        }
        written.map_err(Error::io(&self.path))?;
        Ok(Chain { lines: line.seq, head })
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
        let tail = self.tail(file, length)?;
        if tail.last().is_none_or(|&byte| byte == b'\n') {
            return Ok(());
        }
        let whole = tail.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let kept = length - (tail.len() - whole) as u64;
        self.disk.truncate(file, kept).map_err(Error::io(&self.path))
    }

    /// The file's last bytes, enough for a line and the end of the one before.
    fn tail(&self, file: &mut File, length: u64) -> Result<Vec<u8>, Error> {
        let from = length.saturating_sub(2 * CHAIN_LINE_BYTES_MAX);
        let mut tail = Vec::new();
        file.seek(SeekFrom::Start(from)).map_err(Error::io(&self.path))?;
        file.take(2 * CHAIN_LINE_BYTES_MAX).read_to_end(&mut tail).map_err(Error::io(&self.path))?;
        Ok(tail)
    }

    fn read_last(&self, file: &mut File) -> Result<Chain, Error> {
        let length = file.metadata().map_err(Error::io(&self.path))?.len();
        let tail = self.tail(file, length)?;
        let whole = tail.iter().rposition(|&byte| byte == b'\n');
        let Some(text) = whole.map(|end| &tail[..end]) else {
            return Ok(Chain::empty());
        };
        let last = text.rsplit(|&byte| byte == b'\n').next().unwrap_or(text);
        let line = self.parse(last, None)?;
        Ok(Chain { lines: line.seq, head: hash(last) })
    }

    fn read_through(&self, file: &mut File, see: &mut dyn FnMut(Line<T>)) -> Result<Chain, Error> {
        file.seek(SeekFrom::Start(0)).map_err(Error::io(&self.path))?;
        let mut reader = BufReader::new(file);
        let mut chain = Chain::empty();
        let mut text = Vec::new();
        loop {
            text.clear();
            let read = (&mut reader).take(CHAIN_LINE_BYTES_MAX).read_until(b'\n', &mut text);
            read.map_err(Error::io(&self.path))?;
            let Some(whole) = text.strip_suffix(b"\n") else {
                return if text.len() as u64 == CHAIN_LINE_BYTES_MAX {
                    Err(self.broken(chain.lines + 1))
                } else {
                    Ok(chain)
                };
            };
            let line = self.parse(whole, Some(chain.lines + 1))?;
            if line.seq != chain.lines + 1 || line.prev != chain.head {
                return Err(self.broken(chain.lines + 1));
            }
            chain = Chain { lines: line.seq, head: hash(whole) };
            see(line);
        }
    }

    /// The line that stands in `text`, the `at`th if that is known. Written in any other way than ours it is none.
    fn parse(&self, text: &[u8], at: Option<u64>) -> Result<Line<T>, Error> {
        let wrong = |error: Error| match (error, at) {
            (Error::Corrupt { .. }, Some(at)) => self.broken(at),
            (error, _) => error,
        };
        format_of(&self.path, text, T::FORMAT).map_err(wrong)?;
        let line: Line<T> =
            serde_json::from_slice(text).map_err(|error| wrong(Error::corrupt(&self.path, &error)))?;
        if serde_json::to_vec(&line).is_ok_and(|ours| ours == text) {
            return Ok(line);
        }
        Err(wrong(Error::Corrupt { path: self.path.clone(), line: 1, column: 1 }))
    }

    fn broken(&self, line: u64) -> Error {
        Error::BrokenChain { path: self.path.clone(), line }
    }
}

fn hash(line: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(line))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;
    use tempfile::TempDir;

    use super::*;

    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
    struct Note {
        note: String,
    }

    impl Entry for Note {
        const FORMAT: &'static str = "logveil-note/1";
    }

    fn note(text: &str) -> Note {
        Note { note: text.to_owned() }
    }

    fn chain_of(dir: &TempDir, notes: &[&str]) -> ChainFile<Note> {
        let file = ChainFile::new(dir.path().join("notes"), Disk::real());
        for text in notes {
            file.append(note(text)).unwrap();
        }
        file
    }

    fn notes(file: &ChainFile<Note>) -> Vec<String> {
        let mut notes = Vec::new();
        file.verify(|line| notes.push(line.said.note)).unwrap();
        notes
    }

    #[test]
    fn lines_are_read_as_they_were_appended() {
        let dir = TempDir::new().unwrap();
        let file = chain_of(&dir, &["one", "two \" \\ \u{7}", ""]);
        assert_eq!(notes(&file), ["one", "two \" \\ \u{7}", ""]);
        let whole = file.verify(|_| ()).unwrap();
        assert_eq!((whole.lines, &whole), (3, &file.last().unwrap()));
    }

    #[test]
    fn a_line_that_a_crash_left_unfinished_is_none() {
        let dir = TempDir::new().unwrap();
        let file = chain_of(&dir, &["one"]);
        let text = fs::read_to_string(file.path()).unwrap();
        fs::write(file.path(), text.clone() + &text[..text.len() - 1]).unwrap();
        assert_eq!(notes(&file), ["one"]);
        file.append(note("two")).unwrap();
        assert_eq!(notes(&file), ["one", "two"]);
    }

    #[test]
    fn what_is_decided_after_reading_is_said_once() {
        let dir = TempDir::new().unwrap();
        let file = chain_of(&dir, &["one"]);
        for _ in 0..2 {
            let see = |there: &mut bool, line: Line<Note>| *there |= line.note == "two";
            file.append_after(false, see, |there| (!there).then(|| note("two"))).unwrap();
        }
        assert_eq!(notes(&file), ["one", "two"]);
    }

    #[test]
    fn a_newer_format_is_refused_as_such() {
        let dir = TempDir::new().unwrap();
        let file = chain_of(&dir, &["one"]);
        let text = fs::read_to_string(file.path()).unwrap();
        fs::write(file.path(), text.replace("logveil-note/1", "logveil-note/2")).unwrap();
        assert!(matches!(file.verify(|_| ()), Err(Error::Newer { .. })));
        assert!(matches!(file.append(note("two")), Err(Error::Newer { .. })));
    }

    #[test]
    fn a_line_has_a_largest_length() {
        let dir = TempDir::new().unwrap();
        let file = chain_of(&dir, &[]);
        let around = CHAIN_LINE_BYTES_MAX as usize - {
            file.append(note("")).unwrap();
            fs::read(file.path()).unwrap().len()
        };
        file.append(note(&"x".repeat(around))).unwrap();
        let longer = file.append(note(&"x".repeat(around + 1)));
        assert!(matches!(longer, Err(Error::LineTooLong { .. })));
        file.append(note("short")).unwrap();
        assert_eq!(file.verify(|_| ()).unwrap().lines, 3);
    }

    proptest! {
        /// Any other byte anywhere but in the last line is found, and told with a line at or after it.
        #[test]
        fn any_change_before_the_last_line_is_found(
            texts in prop::collection::vec("[a-z ]{0,20}", 2..6),
            place in any::<prop::sample::Index>(),
            byte in any::<u8>(),
        ) {
            let dir = TempDir::new().unwrap();
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let file = chain_of(&dir, &texts);
            let mut content = fs::read(file.path()).unwrap();
            let last = content[..content.len() - 1].iter().rposition(|&b| b == b'\n').unwrap() + 1;
            let at = place.index(last);
            prop_assume!(content[at] != byte);
            content[at] = byte;
            fs::write(file.path(), &content).unwrap();
            prop_assert!(file.verify(|_| ()).is_err());
        }

        /// A line taken out before the last is found.
        #[test]
        fn a_line_that_was_taken_out_is_found(count in 2..6usize, which in any::<prop::sample::Index>()) {
            let dir = TempDir::new().unwrap();
            let file = chain_of(&dir, &vec!["same"; count]);
            let text = fs::read_to_string(file.path()).unwrap();
            let mut lines: Vec<&str> = text.lines().collect();
            let out = which.index(count - 1);
            lines.remove(out);
            fs::write(file.path(), lines.join("\n") + "\n").unwrap();
            let Err(Error::BrokenChain { line, .. }) = file.verify(|_| ()) else { panic!("it is found") };
            prop_assert_eq!(line, out as u64 + 1);
        }
    }
}

/*!
A chained file with a seal over its end, so that nothing of it can be cut off or
changed unseen by somebody who has no key-encryption key.

`NAME.seal` holds the length and the head of the chain, and an HMAC over both under
the key-encryption key. It is put in place under the chain's lock, after the line is
durable; a crash in between leaves a seal that is one line behind, which is told apart
from a chain that was cut: the line it names must still stand there.

What it does not show: file and seal both put back as they once were together. Whoever
must rule that out keeps the head that `logveil audit verify-log` prints elsewhere.
*/

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::chain::{Chain, ChainFile, Entry, Line};
use super::disk::read_bounded;
use super::{DataDir, Disk, Error, Kek, format_of};
use crate::limit::VAULT_FILE_BYTES_MAX;

const FORMAT: &str = "logveil-seal/1";

/// A chained file whose end is sealed.
#[derive(Debug)]
pub struct Sealed<T> {
    file: ChainFile<T>,
    seal: PathBuf,
    /// In the seal, so that one file's seal is not another's.
    name: String,
    disk: Disk,
    kek: Arc<Kek>,
}

/// The seal. The format, as it is written.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Seal {
    format: String,
    lines: u64,
    head: String,
    /// Check value of the key-encryption key.
    kek: String,
    mac: String,
}

/// What was met while a chain was read.
struct Read {
    seal: Option<Result<Option<Seal>, Error>>,
    /// Whether the line that the seal names stands there.
    agrees: bool,
}

impl<T: Entry> Sealed<T> {
    /// The file `name` of a data directory. It need not be there yet.
    pub fn new(dir: &DataDir, name: &str, kek: Arc<Kek>) -> Sealed<T> {
        let (path, seal, disk) = (dir.join(name), dir.join(&format!("{name}.seal")), dir.disk().clone());
        Sealed { file: ChainFile::new(path, disk.clone()), seal, name: name.to_owned(), disk, kek }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// Appends a line; durable and sealed on return. Refused if the end is not as it was sealed.
    pub fn append(&self, said: T) -> Result<Chain, Error> {
        Ok(self.append_after((), |(), _| (), |(), _| Some(said))?.1)
    }

    /// Reads and checks all lines, lets `see` gather from each into `seen`, and appends what `say` then decides with the
    /// number that the line will have: all under one lock. Gives what was gathered, and the end.
    pub fn append_after<S>(
        &self,
        seen: S,
        mut see: impl FnMut(&mut S, &Line<T>),
        say: impl FnOnce(&mut S, u64) -> Option<T>,
    ) -> Result<(S, Chain), Error> {
        // The seal is read under the chain's lock: with the first line, or before the first is said.
        let both = (seen, Read { seal: None, agrees: false });
        let ((seen, _), chain) = self.file.append_after_then(
            both,
            |(seen, read), line| {
                let seal = read.seal.get_or_insert_with(|| self.read_seal());
                read.agrees |= agrees(seal.as_ref().ok().and_then(Option::as_ref), &line);
                see(seen, &line);
            },
            |(seen, read), chain| {
                let seal = read.seal.take().unwrap_or_else(|| self.read_seal())?;
                self.settle(seal.as_ref(), read.agrees, chain)?;
                Ok(say(seen, chain.lines + 1))
            },
            |chain| self.write_seal(chain),
        )?;
        Ok((seen, chain))
    }

    /// Reads and checks the whole chain and its seal, handing each line to `see`.
    pub fn verify(&self, mut see: impl FnMut(&Line<T>)) -> Result<Chain, Error> {
        let seal = self.read_seal()?;
        let mut met = false;
        let chain = self.file.verify(|line| {
            met |= agrees(seal.as_ref(), &line);
            see(&line);
        })?;
        self.settle(seal.as_ref(), met, &chain)?;
        Ok(chain)
    }

    /// Seals the file as it is under another key-encryption key, after it was checked under this one.
    pub fn reseal(&self, dir: &DataDir, kek: Arc<Kek>) -> Result<(), Error> {
        let chain = self.verify(|_| ())?;
        if chain.lines == 0 {
            return Ok(());
        }
        Sealed::<T>::new(dir, &self.name, kek).write_seal(&chain)
    }

    fn settle(&self, seal: Option<&Seal>, agrees: bool, chain: &Chain) -> Result<(), Error> {
        let holds = match seal {
            // The very first line, and a crash before its seal.
            None => chain.lines <= 1,
            Some(seal) if seal.lines == chain.lines => seal.head == chain.head,
            Some(_) => agrees,
        };
        if holds { Ok(()) } else { Err(Error::Unsealed { path: self.path().to_owned() }) }
    }

    fn read_seal(&self) -> Result<Option<Seal>, Error> {
        let content = match read_bounded(&self.seal, VAULT_FILE_BYTES_MAX) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            content => content.map_err(Error::io(&self.seal))?,
        };
        format_of(&self.seal, &content, FORMAT)?;
        let seal: Seal =
            serde_json::from_slice(&content).map_err(|error| Error::corrupt(&self.seal, &error))?;
        if seal.kek != self.kek.check() {
            let made = seal.kek.chars().filter(char::is_ascii_hexdigit).take(6).collect();
            return Err(Error::SealedByOther { path: self.path().to_owned(), made, given: self.kek.check() });
        }
        let mac = self.mac(seal.lines, &seal.head);
        if !bool::from(mac.as_bytes().ct_eq(seal.mac.as_bytes())) {
            return Err(Error::Unsealed { path: self.path().to_owned() });
        }
        Ok(Some(seal))
    }

    fn write_seal(&self, chain: &Chain) -> Result<(), Error> {
        let seal = Seal {
            format: FORMAT.to_owned(),
            lines: chain.lines,
            head: chain.head.clone(),
            kek: self.kek.check(),
            mac: self.mac(chain.lines, &chain.head),
        };
        let mut content = serde_json::to_vec(&seal).expect("strings and numbers are always JSON");
        content.push(b'\n');
        self.disk.replace(&self.seal, &content).map_err(Error::io(&self.seal))
    }

    fn mac(&self, lines: u64, head: &str) -> String {
        HEXLOWER.encode(&self.kek.seal(format!("{}\0{lines}\0{head}", self.name).as_bytes()))
    }
}

/// Whether the line before this one is the one that the seal names: a line's `prev` is its hash.
fn agrees<T>(seal: Option<&Seal>, line: &Line<T>) -> bool {
    seal.is_some_and(|seal| seal.lines + 1 == line.seq && seal.head == line.prev)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
    struct Note {
        note: String,
    }

    impl Entry for Note {
        const FORMAT: &'static str = "logveil-note/1";
    }

    struct Bench {
        root: tempfile::TempDir,
        kek: Arc<Kek>,
    }

    impl Bench {
        fn new(notes: &[&str]) -> Bench {
            let bench =
                Bench { root: tempfile::tempdir().unwrap(), kek: Arc::new(Kek::parse(&[7; 32]).unwrap()) };
            for note in notes {
                bench.append(Disk::real(), note).unwrap();
            }
            bench
        }

        fn file(&self, disk: Disk) -> Sealed<Note> {
            let dir = DataDir::open_beside(disk, self.root.path()).unwrap();
            Sealed::new(&dir, "notes", Arc::clone(&self.kek))
        }

        fn append(&self, disk: Disk, note: &str) -> Result<Chain, Error> {
            self.file(disk).append(Note { note: note.to_owned() })
        }

        fn notes(&self) -> Result<Vec<String>, Error> {
            let mut notes = Vec::new();
            self.file(Disk::real()).verify(|line| notes.push(line.note.clone())).map(|_| notes)
        }

        fn path(&self, name: &str) -> PathBuf {
            self.root.path().join(name)
        }
    }

    #[test]
    fn lines_are_sealed_one_by_one() {
        let bench = Bench::new(&["one", "two", "three"]);
        assert_eq!(bench.notes().unwrap(), ["one", "two", "three"]);
        let (seen, chain) = bench
            .file(Disk::real())
            .append_after(
                0,
                |seen, _| *seen += 1,
                |seen, next| (*seen + 1 == next).then(|| Note { note: "four".into() }),
            )
            .unwrap();
        assert_eq!((seen, chain.lines), (3, 4));
    }

    #[test]
    fn whatever_is_changed_or_cut_off_is_found_and_nothing_is_said_after_it() {
        let whole = Bench::new(&["one", "two", "three"]);
        let text = fs::read_to_string(whole.path("notes")).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let cut = format!("{}\n{}\n", lines[0], lines[1]);
        for changed in [cut, text.replace("three", "threw"), text.replace("one", "eno"), String::new()] {
            fs::write(whole.path("notes"), &changed).unwrap();
            assert!(whole.notes().is_err(), "{changed}");
            assert!(whole.append(Disk::real(), "four").is_err(), "{changed}");
        }
        fs::write(whole.path("notes"), &text).unwrap();
        let seal = fs::read_to_string(whole.path("notes.seal")).unwrap();
        fs::write(whole.path("notes.seal"), seal.replace("\"lines\":3", "\"lines\":2")).unwrap();
        assert!(matches!(whole.notes(), Err(Error::Unsealed { .. })));
        fs::remove_file(whole.path("notes.seal")).unwrap();
        assert!(matches!(whole.notes(), Err(Error::Unsealed { .. })));
        assert!(matches!(whole.append(Disk::real(), "four"), Err(Error::Unsealed { .. })));
    }

    #[test]
    fn the_seal_of_another_file_or_key_is_none() {
        let bench = Bench::new(&["one", "two"]);
        let dir = DataDir::open_to_read(bench.root.path()).unwrap();
        for end in ["", ".seal"] {
            fs::copy(bench.path(&format!("notes{end}")), bench.path(&format!("others{end}"))).unwrap();
        }
        let other = Sealed::<Note>::new(&dir, "others", Arc::clone(&bench.kek));
        assert!(matches!(other.verify(|_| ()), Err(Error::Unsealed { .. })));
        let kek = Arc::new(Kek::parse(&[8; 32]).unwrap());
        let under_other = Sealed::<Note>::new(&dir, "notes", Arc::clone(&kek));
        assert!(matches!(under_other.verify(|_| ()), Err(Error::SealedByOther { .. })));
        bench.file(Disk::real()).reseal(&dir, kek).unwrap();
        assert_eq!(under_other.verify(|_| ()).unwrap().lines, 2);
    }

    /// Whatever operation an append is stopped after: the line is there or not, the chain holds, and the next append works.
    #[test]
    fn an_append_that_is_stopped_anywhere_breaks_nothing() {
        for operations in 0.. {
            let bench = Bench::new(&["one"]);
            let ended = bench.append(Disk::stopping_after(operations), "two").is_ok();
            let notes = bench.notes().unwrap();
            assert!(notes == ["one"] || notes == ["one", "two"], "{operations}: {notes:?}");
            bench.append(Disk::real(), "three").unwrap();
            assert_eq!(bench.notes().unwrap().last().unwrap(), "three");
            if ended {
                assert!(operations >= 5, "{operations} places to stop at");
                break;
            }
        }
    }
}

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

    /// Appends a line; durable and sealed on return. All lines are read and checked before: what says who did what is not
    /// continued behind a line that was changed. Linear in the file, and its lines are acts of people.
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
        Seal::read(&self.seal, &self.name, &self.kek, self.path())
    }

    fn write_seal(&self, chain: &Chain) -> Result<(), Error> {
        Seal::write(&self.disk, &self.seal, &self.name, &self.kek, chain)
    }
}

impl Seal {
    /// The seal at `seal` of the file `name`, which is at `path`; refused if this key did not make it.
    fn read(seal: &Path, name: &str, kek: &Kek, path: &Path) -> Result<Option<Seal>, Error> {
        let content = match read_bounded(seal, VAULT_FILE_BYTES_MAX) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            content => content.map_err(Error::io(seal))?,
        };
        format_of(seal, &content, FORMAT)?;
        let read: Seal = serde_json::from_slice(&content).map_err(|error| Error::corrupt(seal, &error))?;
        if read.kek != kek.check() {
            let made = read.kek.chars().filter(char::is_ascii_hexdigit).take(6).collect();
            return Err(Error::SealedByOther { path: path.to_owned(), made, given: kek.check() });
        }
        let mac = mac(kek, name, read.lines, &read.head);
        if !bool::from(mac.as_bytes().ct_eq(read.mac.as_bytes())) {
            return Err(Error::Unsealed { path: path.to_owned() });
        }
        Ok(Some(read))
    }

    fn write(disk: &Disk, seal: &Path, name: &str, kek: &Kek, chain: &Chain) -> Result<(), Error> {
        let written = Seal {
            format: FORMAT.to_owned(),
            lines: chain.lines,
            head: chain.head.clone(),
            kek: kek.check(),
            mac: mac(kek, name, chain.lines, &chain.head),
        };
        let mut content = serde_json::to_vec(&written).expect("strings and numbers are always JSON");
        content.push(b'\n');
        disk.replace(seal, &content).map_err(Error::io(seal))
    }
}

/// Seals every sealed file of the directory with another key-encryption key. A seal that the new one made already stays,
/// so that this may be stopped and called again. To be called before the keys are wrapped anew.
pub fn reseal(dir: &DataDir, from: impl Fn() -> Result<Kek, Error>, to: &Kek) -> Result<(), Error> {
    let mut old = None;
    for name in SEALED {
        let (path, seal) = (dir.join(name), dir.join(&format!("{name}.seal")));
        match Seal::read(&seal, name, to, &path) {
            Ok(_) => continue,
            Err(Error::SealedByOther { .. }) => {}
            Err(error) => return Err(error),
        }
        let from = match &old {
            Some(from) => from,
            None => old.insert(from()?),
        };
        if let Some(Seal { lines, head, .. }) = Seal::read(&seal, name, from, &path)? {
            Seal::write(dir.disk(), &seal, name, to, &Chain { lines, head })?;
        }
    }
    Ok(())
}

/// Sets every sealed file aside that another key-encryption key sealed, under a name that ends in that key's check value:
/// once that key is lost nobody can go on with them, or tell whether they are whole. Gives their names.
pub fn set_aside_sealed(dir: &DataDir, kek: &Kek) -> Result<Vec<&'static str>, Error> {
    let mut aside = Vec::new();
    for name in SEALED {
        let (path, seal) = (dir.join(name), dir.join(&format!("{name}.seal")));
        if let Err(Error::SealedByOther { made, .. }) = Seal::read(&seal, name, kek, &path) {
            for (from, end) in [(path, ""), (seal, ".seal")] {
                let to = dir.join(&format!("{name}.{made}{end}"));
                dir.disk().rename(&from, &to).map_err(Error::io(&from))?;
            }
            aside.push(name);
        }
    }
    Ok(aside)
}

/// The sealed files of a data directory.
const SEALED: [&str; 4] = ["audit", "requests", "incidents", "suppressions"];

fn mac(kek: &Kek, name: &str, lines: u64, head: &str) -> String {
    HEXLOWER.encode(&kek.seal(format!("{name}\0{lines}\0{head}").as_bytes()))
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
        let under_other = Sealed::<Note>::new(&dir, "notes", Arc::new(Kek::parse(&[8; 32]).unwrap()));
        assert!(matches!(under_other.verify(|_| ()), Err(Error::SealedByOther { .. })));
    }

    #[test]
    fn another_key_encryption_key_takes_the_seals_over() {
        let bench = Bench::new(&[]);
        let dir = DataDir::open_to_read(bench.root.path()).unwrap();
        let file = |kek: &Arc<Kek>| Sealed::<Note>::new(&dir, "audit", Arc::clone(kek));
        file(&bench.kek).append(Note { note: "one".into() }).unwrap();
        let old = || Kek::parse(&[7; 32]);
        let new = Arc::new(Kek::parse(&[8; 32]).unwrap());
        assert!(reseal(&dir, || Kek::parse(&[9; 32]), &new).is_err(), "it is not the old one");
        for _ in 0..2 {
            reseal(&dir, old, &new).unwrap();
            assert_eq!(file(&new).verify(|_| ()).unwrap().lines, 1);
        }
        assert!(file(&bench.kek).verify(|_| ()).is_err());
        reseal(&dir, || panic!("the old one is lost"), &new).unwrap();
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

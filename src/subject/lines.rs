/*!
Files of lines as a store: a file that is written, and what was rotated of it, plain or
packed with gzip or zstd.

A rotated file is written anew without a person's lines and exchanged with the old one
in one step; it keeps its time of modification, by which its age is told. If somebody
rotated meanwhile, the exchange is undone and told. The file that is being written is
searched and never changed: its writer would go on with the old one.
*/

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::{Erased, Error, Hit, Record, Searched, Sought, Store};
use crate::limit::STORED_LINE_BYTES_MAX;

/// A store of files.
#[derive(Debug)]
pub struct Lines {
    name: String,
    files: Vec<Lined>,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lined {
    /// Where it is.
    pub path: PathBuf,
    /// Whether somebody writes to it.
    pub is_live: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Packing {
    Plain,
    Gzip,
    Zstd,
}

impl Packing {
    fn of(path: &Path) -> Packing {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("gz") => Packing::Gzip,
            Some("zst") => Packing::Zstd,
            _ => Packing::Plain,
        }
    }

    fn reader(self, file: &File) -> io::Result<Box<dyn BufRead + '_>> {
        Ok(match self {
            Packing::Plain => Box::new(BufReader::new(file)),
            Packing::Gzip => Box::new(BufReader::new(MultiGzDecoder::new(file))),
            Packing::Zstd => Box::new(BufReader::new(zstd::Decoder::new(file)?)),
        })
    }
}

impl Lines {
    /// The store `name` with these files.
    pub fn new(name: &str, files: Vec<Lined>) -> Lines {
        Lines { name: name.to_owned(), files }
    }

    /// Hands every line of every file to `see`; gives how many of the files cannot be read to their end.
    pub fn each(&self, mut see: impl FnMut(&[u8])) -> Result<u64, Error> {
        let mut unreadable = 0;
        for Lined { path, .. } in &self.files {
            unreadable += u64::from(!self.each_line(path, &mut see)?);
        }
        Ok(unreadable)
    }

    fn failed(&self, path: &Path, error: &io::Error) -> Error {
        let why = format!("{}: {error}", path.display());
        Error::Store { store: self.name.clone(), why }
    }

    /// The file's lines, one by one; the rest of one that is too long is another. False if it cannot be read to its end.
    fn each_line(&self, path: &Path, see: &mut dyn FnMut(&[u8])) -> Result<bool, Error> {
        let file = match File::open(path) {
            // Rotated away.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
            file => file.map_err(|error| self.failed(path, &error))?,
        };
        let Ok(mut reader) = Packing::of(path).reader(&file) else { return Ok(false) };
        let mut line = Vec::new();
        loop {
            match next_line(&mut reader, &mut line) {
                Ok(true) => see(&line),
                Ok(false) => return Ok(true),
                Err(_) => return Ok(false),
            }
        }
    }

    fn erase_in(&self, path: &Path, sought: &Sought) -> Result<u64, Error> {
        let failed = |error: io::Error| self.failed(path, &error);
        let file = File::open(path).map_err(failed)?;
        let meta = file.metadata().map_err(failed)?;
        let new = hidden(path);
        let removed = write_without(&file, path, &new, sought).and_then(|removed| {
            File::open(&new)?.set_permissions(fs::Permissions::from_mode(meta.permissions().mode()))?;
            OpenOptions::new().write(true).open(&new)?.set_modified(meta.modified()?)?;
            exchange(&new, path, &meta)?;
            Ok(removed)
        });
        let gone = fs::remove_file(&new);
        let removed = removed.map_err(failed)?;
        gone.map_err(failed)?;
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
        }
        Ok(removed)
    }
}

impl Store for Lines {
    fn name(&self) -> &str {
        &self.name
    }

    fn find(&mut self, sought: &Sought, see: &mut dyn FnMut(&Record<'_>, Hit)) -> Result<Searched, Error> {
        let mut searched = Searched::default();
        for Lined { path, .. } in &self.files {
            let whole = self.each_line(path, &mut |line| {
                searched.records += 1;
                match sought.hit_line(line) {
                    Some(Hit::Certain) => {
                        searched.certain += 1;
                        see(&Record::Line(line), Hit::Certain);
                    }
                    Some(Hit::Alike) => {
                        searched.alike += 1;
                        see(&Record::Line(line), Hit::Alike);
                    }
                    None => {}
                }
            })?;
            searched.unreadable += u64::from(!whole);
        }
        Ok(searched)
    }

    fn erase(&mut self, sought: &Sought) -> Result<Erased, Error> {
        let mut erased = Erased::default();
        for Lined { path, is_live } in &self.files {
            let mut theirs = 0;
            let whole = self.each_line(path, &mut |line| {
                theirs += u64::from(sought.hit_line(line) == Some(Hit::Certain));
            })?;
            erased.unreadable += u64::from(!whole);
            if theirs > 0 && whole && !is_live {
                erased.records += self.erase_in(path, sought)?;
            }
        }
        Ok(erased)
    }
}

/// Reads a line without its end; false at the end of the file.
fn next_line(reader: &mut dyn BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let read = reader.take(STORED_LINE_BYTES_MAX).read_until(b'\n', line)?;
    if line.last() == Some(&b'\n') {
        line.pop();
    }
    Ok(read > 0)
}

/// Writes what stays to `new`, durable. Gives the number of lines that are left out.
fn write_without(file: &File, path: &Path, new: &Path, sought: &Sought) -> io::Result<u64> {
    let mut options = OpenOptions::new();
    let target = options.write(true).create(true).truncate(true).mode(0o600).open(new)?;
    let packing = Packing::of(path);
    let mut reader = packing.reader(file)?;
    let removed = match packing {
        Packing::Plain => copy_without(&mut *reader, &mut BufWriter::new(&target), sought)?,
        Packing::Gzip => {
            let mut out = GzEncoder::new(BufWriter::new(&target), Compression::default());
            let removed = copy_without(&mut *reader, &mut out, sought)?;
            out.finish()?.flush()?;
            removed
        }
        Packing::Zstd => {
            let mut out = zstd::Encoder::new(BufWriter::new(&target), 0)?;
            let removed = copy_without(&mut *reader, &mut out, sought)?;
            out.finish()?.flush()?;
            removed
        }
    };
    target.sync_all()?;
    Ok(removed)
}

fn copy_without(reader: &mut dyn BufRead, out: &mut dyn Write, sought: &Sought) -> io::Result<u64> {
    let (mut line, mut removed) = (Vec::new(), 0);
    loop {
        line.clear();
        let read = reader.take(STORED_LINE_BYTES_MAX).read_until(b'\n', &mut line)?;
        if read == 0 {
            out.flush()?;
            return Ok(removed);
        }
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        if sought.hit_line(text) == Some(Hit::Certain) {
            removed += 1;
        } else {
            out.write_all(&line)?;
        }
    }
}

/// Puts the new file in the old one's place, if that is still the file that was read; the old one has the new one's name
/// then.
fn exchange(new: &Path, path: &Path, read: &fs::Metadata) -> io::Result<()> {
    let swap = || renameat_with(CWD, new, CWD, path, RenameFlags::EXCHANGE).map_err(io::Error::from);
    swap()?;
    let old = fs::symlink_metadata(new)?;
    if (old.dev(), old.ino(), old.len()) == (read.dev(), read.ino(), read.len()) {
        return Ok(());
    }
    swap()?;
    Err(io::Error::other("somebody rotated meanwhile; say the same again"))
}

/// A name beside the file that no rotation makes.
fn hidden(path: &Path) -> PathBuf {
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    path.with_file_name(format!(".{name}.erase"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Policy;
    use crate::subject::Subject;

    fn sought() -> Sought {
        let policy = Policy::parse("p", "policy: p\n").unwrap();
        let read = Subject::read_lines(policy.rules().entities(), "email jane@example.com").unwrap();
        Sought::new(&Subject::of(read).unwrap(), &policy, &[]).unwrap()
    }

    fn pack(packing: Packing, text: &str) -> Vec<u8> {
        match packing {
            Packing::Plain => text.as_bytes().to_vec(),
            Packing::Gzip => {
                let mut out = GzEncoder::new(Vec::new(), Compression::default());
                out.write_all(text.as_bytes()).unwrap();
                out.finish().unwrap()
            }
            Packing::Zstd => zstd::encode_all(text.as_bytes(), 0).unwrap(),
        }
    }

    fn lines(path: &Path) -> Vec<String> {
        let mut lines = Vec::new();
        let store = Lines::new("files", Vec::new());
        let whole = store.each_line(path, &mut |line| lines.push(String::from_utf8(line.to_vec()).unwrap()));
        assert!(whole.unwrap());
        lines
    }

    #[test]
    fn lines_are_taken_out_of_what_was_rotated_and_its_age_stays() {
        let dir = tempfile::tempdir().unwrap();
        let mut files = Vec::new();
        for name in ["app.log", "app.log.1", "app.log.2.gz", "app.log.3.zst"] {
            let path = dir.path().join(name);
            let text = "one\nby jane@example.com\nby john@example.com\n";
            fs::write(&path, pack(Packing::of(&path), text)).unwrap();
            let old = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000);
            OpenOptions::new().write(true).open(&path).unwrap().set_modified(old).unwrap();
            files.push(Lined { path, is_live: name == "app.log" });
        }
        let mut store = Lines::new("files", files.clone());
        let searched = store.find(&sought(), &mut |_, _| ()).unwrap();
        assert_eq!((searched.records, searched.certain, searched.unreadable), (12, 4, 0));
        assert_eq!(store.erase(&sought()).unwrap(), Erased { records: 3, unreadable: 0 });
        for Lined { path, is_live } in &files {
            let modified = fs::metadata(path).unwrap().modified().unwrap();
            assert_eq!(modified.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs(), 1_700_000_000);
            assert_eq!(lines(path).len(), if *is_live { 3 } else { 2 }, "{}", path.display());
        }
        assert_eq!(store.find(&sought(), &mut |_, _| ()).unwrap().certain, 1, "what is being written");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 4, "nothing is left beside them");
    }

    #[test]
    fn a_file_that_was_rotated_meanwhile_is_left_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let (path, new) = (dir.path().join("app.log.1"), dir.path().join(".app.log.1.erase"));
        fs::write(&path, "read\n").unwrap();
        let read = fs::metadata(&path).unwrap();
        fs::rename(&path, dir.path().join("app.log.2")).unwrap();
        fs::write(&path, "another\n").unwrap();
        fs::write(&new, "clean\n").unwrap();
        assert!(exchange(&new, &path, &read).is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "another\n");
    }

    #[test]
    fn what_cannot_be_unpacked_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("app.log.1.gz");
        fs::write(&path, "no gzip").unwrap();
        let mut store = Lines::new("files", vec![Lined { path, is_live: false }]);
        assert_eq!(store.find(&sought(), &mut |_, _| ()).unwrap().unreadable, 1);
        assert_eq!(store.erase(&sought()).unwrap(), Erased { records: 0, unreadable: 1 });
    }
}

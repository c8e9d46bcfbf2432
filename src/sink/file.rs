/*!
A file of lines, rotated by size and by age.

`NAME` is written, `NAME.1` is the one before it, and so on up to `keep`; what
is older is deleted, and so is, on a quiet stream too, what was rotated `age`
times `keep` ago. So the oldest record is at most `age` times `keep + 1` old, as
long as the process runs. Only the service's user may read the files. Accepts
once the file is synced.

A sync that fails is never tried again on the same file, since the system may
have dropped what it could not write: the file is set aside and the records are
written to a new one.
*/

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, Timestamp};
use crate::limit::{ROTATED_FILES_LOOKED_AT_EVERY, ROTATED_FILES_MAX};
use crate::sink::line::{self, Form};
use crate::sink::{Delivery, Fault, Sink, Verdict};
use crate::telemetry::SinkError;

/// A file sink's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where the lines go.
    pub path: PathBuf,
    /// What a line holds.
    pub form: Form,
    /// A file that reaches this size is rotated. Default 64 MiB.
    pub bytes_max: u64,
    /// A file whose first record is this old is rotated. Default 24 hours.
    pub age_max: Duration,
    /// Rotated files that are kept beside the one that is written; 0 keeps none. Default 7.
    pub keep: u64,
}

impl Settings {
    /// The most that a record's age may be when it is deleted.
    pub fn keeps_for(&self) -> Duration {
        self.rotated_for().saturating_add(self.age_max)
    }

    /// How long a rotated file stays.
    fn rotated_for(&self) -> Duration {
        self.age_max.saturating_mul(u32::try_from(self.keep).unwrap_or(u32::MAX))
    }
}

/// An open or soon to be opened file.
pub struct FileSink {
    settings: Settings,
    clock: Arc<dyn Clock>,
    open: Option<Open>,
    lines: Vec<u8>,
    /// When rotated files were last looked at.
    looked: Option<Timestamp>,
}

struct Open {
    file: File,
    bytes: u64,
    begun: Timestamp,
}

impl FileSink {
    /// Writes to the file that the settings name; it is opened when there is something to write.
    pub fn new(settings: Settings, clock: Arc<dyn Clock>) -> FileSink {
        FileSink { settings, clock, open: None, lines: Vec::new(), looked: None }
    }

    /// Appends `self.lines` and syncs.
    fn append(&mut self) -> io::Result<()> {
        self.rotate_if_due()?;
        let now = self.clock.now();
        let open = match &mut self.open {
            Some(open) => open,
            None => self.open.insert(open(&self.settings.path, now)?),
        };
        let written = open.file.write_all(&self.lines);
        if let Err(error) = written {
            // Half a line must not stay; if even that fails, the next attempt opens anew and says so again.
            let _ = open.file.set_len(open.bytes);
            self.open = None;
            return Err(error);
        }
        if let Err(error) = open.file.sync_data() {
            self.open = None;
            rotate(&self.settings, now)?;
            return Err(error);
        }
        open.bytes += self.lines.len() as u64;
        Ok(())
    }

    fn rotate_if_due(&mut self) -> io::Result<()> {
        let now = self.clock.now();
        self.expire(now);
        if self.open.is_none() && self.settings.path.exists() {
            self.open = Some(open(&self.settings.path, now)?);
        }
        let due = self.open.as_ref().is_some_and(|open| {
            let age = Duration::try_from(now.duration_since(open.begun)).unwrap_or_default();
            open.bytes > 0 && (open.bytes >= self.settings.bytes_max || age >= self.settings.age_max)
        });
        if due {
            self.open = None;
            rotate(&self.settings, now)?;
        }
        Ok(())
    }

    /// Deletes what was rotated too long ago. What fails is told and tried again; records are taken meanwhile.
    fn expire(&mut self, now: Timestamp) {
        let is_recent = |at: Timestamp| now.duration_since(at).unsigned_abs() < ROTATED_FILES_LOOKED_AT_EVERY;
        if self.looked.is_some_and(is_recent) {
            return;
        }
        self.looked = Some(now);
        if let Err(error) = delete_expired(&self.settings, now) {
            tracing::error!(%error, "cannot delete a rotated file; its records may outlive their age");
        }
    }
}

impl Sink for FileSink {
    async fn send(&mut self, delivery: &mut Delivery<'_>) -> Verdict {
        self.lines.clear();
        line::write(delivery, self.settings.form, &mut self.lines);
        match tokio::task::block_in_place(|| self.append()) {
            Ok(()) => Verdict::Accept,
            Err(error) => Verdict::Defer(Fault::io(SinkError::Storage, &error), None),
        }
    }

    async fn tick(&mut self) {
        if let Err(error) = tokio::task::block_in_place(|| self.rotate_if_due()) {
            tracing::error!(%error, "cannot rotate a file; its records may outlive their age");
        }
    }
}

/// Opens for appending. What an earlier process left is as old as its creation, or as its last change where that is unknown.
fn open(path: &Path, now: Timestamp) -> io::Result<Open> {
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
    let meta = file.metadata()?;
    let made = meta.created().or_else(|_| meta.modified()).ok();
    let made = made.and_then(|time| Timestamp::try_from(time).ok());
    let begun = if meta.len() == 0 { now } else { made.unwrap_or(now).min(now) };
    Ok(Open { file, bytes: meta.len(), begun })
}

/// Deletes the files `NAME.1` and so on that were rotated longer ago than they may stay: a rotated file's time of
/// change is that of its rotation, or earlier where that could not be set.
fn delete_expired(settings: &Settings, now: Timestamp) -> io::Result<()> {
    let Some(name) = settings.path.file_name() else { return Ok(()) };
    let mut deleted = false;
    for entry in std::fs::read_dir(folder(settings))? {
        let entry = entry?;
        if !is_rotated(name.as_bytes(), entry.file_name().as_bytes()) {
            continue;
        }
        let meta = entry.metadata()?;
        let rotated = Timestamp::try_from(meta.modified()?).unwrap_or(Timestamp::UNIX_EPOCH);
        let age = Duration::try_from(now.duration_since(rotated)).unwrap_or_default();
        if meta.is_file() && age >= settings.rotated_for() {
            std::fs::remove_file(entry.path())?;
            deleted = true;
        }
    }
    if deleted { File::open(folder(settings))?.sync_all() } else { Ok(()) }
}

/// Whether `file` is `NAME.N` as [`rotate`] writes it.
fn is_rotated(name: &[u8], file: &[u8]) -> bool {
    let number = file.strip_prefix(name).and_then(|rest| rest.strip_prefix(b"."));
    let number = number.filter(|digits| digits.iter().all(u8::is_ascii_digit) && !digits.starts_with(b"0"));
    let number = number.and_then(|digits| std::str::from_utf8(digits).ok()?.parse::<u64>().ok());
    number.is_some_and(|number| number <= ROTATED_FILES_MAX)
}

/// Where the files are.
fn folder(settings: &Settings) -> &Path {
    let folder = settings.path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// `NAME` becomes `NAME.1`, and so on; the oldest goes. `NAME.1` bears the time of its rotation.
fn rotate(settings: &Settings, now: Timestamp) -> io::Result<()> {
    let place = |n: u64| {
        if n == 0 {
            return settings.path.clone();
        }
        let mut name = OsString::from(&settings.path);
        name.push(format!(".{n}"));
        PathBuf::from(name)
    };
    // Without it the file bears the time of its last record, which is earlier.
    let _ = File::options().append(true).open(&settings.path).and_then(|file| file.set_modified(now.into()));
    match std::fs::remove_file(place(settings.keep)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Err(_) | Ok(()) => {}
    }
    for n in (0..settings.keep).rev() {
        match std::fs::rename(place(n), place(n + 1)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Err(_) | Ok(()) => {}
        }
    }
    File::open(folder(settings))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    fn sink(folder: &Path, keep: u64) -> (FileSink, Arc<ManualClock>) {
        let path = folder.join("out.log");
        let age_max = Duration::from_secs(3600);
        let settings = Settings { path, form: Form::Message, bytes_max: 10, age_max, keep };
        let clock = Arc::new(ManualClock::at(Timestamp::from_second(1_500_000_000).unwrap()));
        (FileSink::new(settings, clock.clone()), clock)
    }

    fn write(sink: &mut FileSink, line: &str) {
        sink.lines = format!("{line}\n").into_bytes();
        sink.append().unwrap();
    }

    fn read(folder: &Path, name: &str) -> Option<String> {
        std::fs::read_to_string(folder.join(name)).ok()
    }

    #[test]
    fn a_full_file_is_rotated_and_the_oldest_goes() {
        let folder = tempfile::tempdir().unwrap();
        let (mut sink, _) = sink(folder.path(), 2);
        for line in ["first-line", "second-line", "third-line", "fourth-line"] {
            write(&mut sink, line);
        }
        assert_eq!(read(folder.path(), "out.log").unwrap(), "fourth-line\n");
        assert_eq!(read(folder.path(), "out.log.1").unwrap(), "third-line\n");
        assert_eq!(read(folder.path(), "out.log.2").unwrap(), "second-line\n");
        assert_eq!(read(folder.path(), "out.log.3"), None);
    }

    #[test]
    fn an_old_file_is_rotated_though_nothing_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let (mut sink, clock) = sink(folder.path(), 1);
        write(&mut sink, "a");
        clock.advance(Duration::from_secs(3599));
        sink.rotate_if_due().unwrap();
        assert_eq!(read(folder.path(), "out.log.1"), None, "one second is left");
        clock.advance(Duration::from_secs(1));
        sink.rotate_if_due().unwrap();
        assert_eq!(read(folder.path(), "out.log.1").unwrap(), "a\n");
    }

    #[test]
    fn what_was_rotated_is_deleted_though_nothing_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let (mut sink, clock) = sink(folder.path(), 2);
        for other in ["out.log.x", "out.log.01", "out.log.1.gz", "out.log.1001", "other.log.1", "out.log.3"] {
            let file = File::create(folder.path().join(other)).unwrap();
            file.set_modified(Timestamp::UNIX_EPOCH.into()).unwrap();
        }
        write(&mut sink, "a-long-enough-line");
        assert_eq!(read(folder.path(), "out.log.3"), None, "what more were kept once leave, too");
        write(&mut sink, "b");
        clock.advance(Duration::from_secs(7199));
        sink.rotate_if_due().unwrap();
        assert_eq!(read(folder.path(), "out.log.2").unwrap(), "a-long-enough-line\n", "one second is left");
        clock.advance(Duration::from_secs(60));
        sink.rotate_if_due().unwrap();
        assert_eq!(read(folder.path(), "out.log.2"), None);
        assert_eq!(read(folder.path(), "out.log.1").unwrap(), "b\n", "it was rotated later");
        clock.advance(Duration::from_secs(7200));
        sink.rotate_if_due().unwrap();
        let others = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(others, 5, "nothing is left but what is not ours");
    }

    #[test]
    fn only_our_user_may_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        write(&mut sink(folder.path(), 1).0, "a");
        let meta = std::fs::metadata(folder.path().join("out.log")).unwrap();
        assert_eq!(meta.permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn keeping_none_deletes_what_is_rotated() {
        let folder = tempfile::tempdir().unwrap();
        let (mut sink, _) = sink(folder.path(), 0);
        write(&mut sink, "a-long-enough-line");
        write(&mut sink, "b");
        assert_eq!(read(folder.path(), "out.log").unwrap(), "b\n");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_an_earlier_process_wrote_is_appended_to() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("out.log"), "a\n").unwrap();
        let (mut sink, _) = sink(folder.path(), 1);
        // The clock of the test stands behind the file's, so it is as old as now.
        write(&mut sink, "b");
        assert_eq!(read(folder.path(), "out.log").unwrap(), "a\nb\n");
    }
}

/*!
A directory of rotated files: `NAME` is written by somebody, `NAME.1`,
`NAME-20261122.gz` and the like are what was rotated.

A file does not say when its first record came. It was written to last at its
modification time, and what rotates it does so every [`Settings::every`], so the
first record came at most that long before; nor is it younger than the file's
birth, where the writer began a new file. The earlier of the two is taken: a
file is called too old rather than too young. A file that is emptied in place
(`copytruncate`) is never born anew and is called too old; rotate by renaming.

There is no lifecycle here, so logveil deletes: what was rotated goes before its
oldest record reaches the limit, never the file that is written, and never
anything whose name is not the file's own name with a suffix.
*/

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::bound::{Effective, Kept, TooShort};
use super::driver::{Can, Deleted, Doing, Driver, Reading, Unknown, Wanted};
use super::own;
use super::span::Span;
use super::store::Target;
use crate::clock::Timestamp;
use crate::keys::belief::subtract;
use crate::limit::ROTATION_SLACK;

/// Where the files lie and how they come about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The file that is written.
    pub path: PathBuf,
    /// How often it is rotated, at most.
    pub every: Duration,
    /// Who deletes.
    pub deletes: Deletes,
}

/// Who deletes what was rotated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletes {
    /// Logveil, while `run` runs.
    Logveil,
    /// The writer: a record is gone this long after it was written.
    Writer(Duration),
}

/// Looks after a directory of rotated files.
#[derive(Debug)]
pub struct Files {
    settings: Settings,
}

/// One file of the row.
#[derive(Debug)]
struct Found {
    path: PathBuf,
    /// No record in it is older.
    begun: Timestamp,
    /// Whether it is the one that is written.
    live: bool,
}

impl Files {
    /// For these files.
    pub fn new(settings: Settings) -> Files {
        Files { settings }
    }

    /// The files of the row, and which of them is the one that is written.
    pub fn paths(&self) -> Result<Vec<(PathBuf, bool)>, Unknown> {
        Ok(self.found()?.into_iter().map(|file| (file.path, file.live)).collect())
    }

    fn found(&self) -> Result<Vec<Found>, Unknown> {
        let path = &self.settings.path;
        let (folder, name) = (path.parent().unwrap_or(Path::new(".")), path.file_name().unwrap_or_default());
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let io = |error: io::Error| Unknown(format!("{}: {error}", folder.display()));
        let mut found = Vec::new();
        for entry in fs::read_dir(folder).map_err(io)? {
            let entry = entry.map_err(io)?;
            let file = entry.file_name();
            let live = file == name;
            if !live && !is_rotated(name.as_encoded_bytes(), file.as_encoded_bytes()) {
                continue;
            }
            // Neither a link nor a folder was rotated by anybody.
            let meta = match entry.metadata() {
                Ok(meta) if meta.is_file() => meta,
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io(error)),
                _ => continue,
            };
            if meta.len() > 0 {
                let begun = begun(&meta, self.settings.every, live).map_err(io)?;
                found.push(Found { path: entry.path(), begun, live });
            }
        }
        Ok(found)
    }

    fn read_now(&self, target: &Target, now: Timestamp) -> Result<Reading, Unknown> {
        let found = self.found()?;
        let value = self.settings.wants(target.limit()).ok().map(|wanted| wanted.value);
        let effective = self.settings.effective(value);
        let unrotated =
            found.iter().find(|file| file.live && overdue(file.begun, self.settings.rotated_after(), now));
        let late = found.iter().find(|file| {
            matches!(effective.kept, Kept::For(_))
                && !file.live
                && effective.worst_case().is_some_and(|worst| overdue(file.begun, worst, now))
        });
        let name = |file: &Found| file.path.display().to_string();
        let stalled = match (unrotated, late) {
            (Some(file), _) => {
                Some(format!("{} is not rotated every {}", name(file), Span(self.settings.every)))
            }
            (None, Some(file)) => Some(own::stalled(&name(file))),
            (None, None) => None,
        };
        Ok(Reading {
            effective,
            oldest: found.iter().map(|file| file.begun).min().into(),
            store_now: None,
            settings: own::settings(value),
            stalled,
            notes: vec!["copies of the files elsewhere are not seen".to_owned()],
        })
    }

    fn delete_now(&self, before: Timestamp, deleted: &mut Deleted) -> Result<(), Unknown> {
        for file in self.found()?.into_iter().filter(|file| !file.live && file.begun < before) {
            let name = file.path.display().to_string();
            let gone = match fs::remove_file(&file.path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    Err(Unknown(format!("{name}: cannot be deleted: {error}")))
                }
                _ => Ok(()),
            };
            deleted.note(name, gone);
        }
        deleted.whole()
    }
}

impl Settings {
    /// What it can do.
    pub fn can(&self) -> Can {
        let logveil = self.deletes == Deletes::Logveil;
        let set =
            if logveil { Ok(()) } else { Err("the sink that writes the files deletes them; set its rotate") };
        Can { set, own_deletion: logveil, find: Ok(()), erase: Ok(()) }
    }

    /// What a limit needs.
    pub fn wants(&self, limit: Duration) -> Result<Wanted, TooShort> {
        if let Deletes::Writer(keeps) = self.deletes {
            let wanted = Wanted { value: keeps, effective: self.effective(None), settings: Vec::new() };
            return (keeps <= limit).then_some(wanted).ok_or(TooShort { limit, least: keeps });
        }
        own::wants(limit, self.rotated_after())
    }

    fn effective(&self, value: Option<Duration>) -> Effective {
        match self.deletes {
            Deletes::Writer(keeps) => Effective::new(keeps, Vec::new()),
            Deletes::Logveil => own::effective(value),
        }
    }

    /// A file is deleted whole, once it was rotated: by then its first record is this old.
    fn rotated_after(&self) -> Duration {
        self.every + ROTATION_SLACK
    }
}

impl Driver for Files {
    fn read<'a>(&'a self, target: &'a Target, now: Timestamp) -> Doing<'a, Reading> {
        Box::pin(async move { self.read_now(target, now) })
    }

    fn set<'a>(
        &'a self,
        _target: &'a Target,
        _wanted: &'a Wanted,
        _now: Timestamp,
    ) -> Doing<'a, Vec<String>> {
        Box::pin(async move {
            match self.settings.can().set {
                Ok(()) => Ok(vec![own::NOTHING_TO_SET.to_owned()]),
                Err(why) => Err(Unknown::new(why)),
            }
        })
    }

    fn delete_before<'a>(
        &'a self,
        _target: &'a Target,
        before: Timestamp,
        _now: Timestamp,
        deleted: &'a mut Deleted,
    ) -> Doing<'a, ()> {
        Box::pin(async move { self.delete_now(before, deleted) })
    }
}

/// Whether a file is what was rotated of `name`: `name.SUFFIX` or `name-SUFFIX`, its suffix plain.
fn is_rotated(name: &[u8], file: &[u8]) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b".-_".contains(byte);
    file.strip_prefix(name).is_some_and(|suffix| {
        suffix.len() > 1
            && matches!(suffix[0], b'.' | b'-')
            && suffix[1].is_ascii_digit()
            && suffix.iter().all(plain)
    })
}

/// The moment before which no record of a file was written. The one that is written says it by its birth alone.
fn begun(meta: &fs::Metadata, every: Duration, live: bool) -> io::Result<Timestamp> {
    let moment = |time| Timestamp::try_from(time).map_err(io::Error::other);
    let (written, born) = (moment(meta.modified()?)?, moment(meta.created()?)?);
    Ok(if live { written.min(born) } else { subtract(written, every).min(born) })
}

/// Whether `begun` lies further back than `span`.
fn overdue(begun: Timestamp, span: Duration, now: Timestamp) -> bool {
    begun < subtract(now, span)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::belief::add;
    use crate::limit::{BELIEF_WAIT, STORE_SWEEP_EVERY};
    use crate::retention::judge;
    use crate::retention::span::{DAY, HOUR};
    use crate::ttl::Ttl;
    use std::collections::BTreeMap;
    use std::fs::File;

    fn target() -> Target {
        Target {
            name: "access.log".into(),
            classes: vec![("access".into(), Ttl::days(90))],
            others: Vec::new(),
        }
    }

    fn files(folder: &Path) -> Files {
        Files::new(Settings { path: folder.join("access.log"), every: DAY, deletes: Deletes::Logveil })
    }

    /// Writes a file whose last record came at `at`.
    fn write(path: &Path, at: Timestamp) {
        fs::write(path, "x\n").unwrap();
        File::options().append(true).open(path).unwrap().set_modified(at.into()).unwrap();
    }

    /// What the file system takes for now: what is written has this birth.
    fn today(folder: &Path) -> Timestamp {
        write(&folder.join("probe"), Timestamp::UNIX_EPOCH);
        let born = fs::metadata(folder.join("probe")).unwrap().created().unwrap();
        Timestamp::try_from(born).unwrap()
    }

    /// A writer that rotates each day and a sweep each three hours, for 130 days: no record is ever there past the limit, and
    /// what is young enough stays.
    #[test]
    fn no_record_outlives_its_limit_while_time_passes() {
        let folder = tempfile::tempdir().unwrap();
        let (files, target) = (files(folder.path()), target());
        let end = today(folder.path());
        let value = files.settings.wants(target.limit()).unwrap().value;
        // By number of rotation: when the first record came.
        let mut oldest: BTreeMap<u32, Timestamp> = BTreeMap::new();
        let live = folder.path().join("access.log");
        let (mut first, mut rotation) = (None, 0_u32);
        for hour in (0..130 * 24_u32).step_by(3) {
            let now = subtract(end, HOUR * (130 * 24 - hour));
            write(&live, now);
            first = first.or(Some(now));
            if hour % 24 == 21 {
                fs::rename(&live, folder.path().join(format!("access.log.{rotation}"))).unwrap();
                oldest.insert(rotation, first.take().unwrap());
                rotation += 1;
            }
            files.delete_now(subtract(now, value), &mut Deleted::default()).unwrap();
            oldest.retain(|rotation, _| folder.path().join(format!("access.log.{rotation}")).exists());
            for (rotation, first) in &oldest {
                assert!(add(*first, target.limit()) > now, "rotation {rotation} is there past its limit");
            }
        }
        assert!((87..=90).contains(&oldest.len()), "{} files of 90 days are left", oldest.len());
    }

    #[test]
    fn nothing_outside_its_own_names_is_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let end = today(folder.path());
        let old = subtract(end, 200 * DAY);
        let others =
            ["access.log", "access.logs.1", "access.log.bak", "other.log.1", "access.log.1~", "access.log-"];
        for name in others.iter().chain(&["access.log.1", "access.log.2.gz", "access.log-20260101"]) {
            write(&folder.path().join(name), old);
        }
        fs::create_dir(folder.path().join("access.log.3")).unwrap();
        std::os::unix::fs::symlink("other.log.1", folder.path().join("access.log.4")).unwrap();
        let files = files(folder.path());
        let mut deleted = Deleted::default();
        files.delete_now(subtract(end, 90 * DAY), &mut deleted).unwrap();
        let mut names: Vec<_> = deleted.names.iter().map(|path| path.rsplit('/').next().unwrap()).collect();
        names.sort_unstable();
        assert_eq!(names, ["access.log-20260101", "access.log.1", "access.log.2.gz"]);
        assert!(others.iter().all(|name| folder.path().join(name).exists()));
        assert!(
            folder.path().join("access.log.3").exists() && folder.path().join("access.log.4").is_symlink()
        );
        let mut again = Deleted::default();
        files.delete_now(subtract(end, 90 * DAY), &mut again).unwrap();
        assert_eq!(again, Deleted::default(), "twice is once");
    }

    #[track_caller]
    fn check(folder: &Path, now: Timestamp, expected: &str) {
        let reading = files(folder).read_now(&target(), now);
        let verdict = judge(target().limit(), &reading, now);
        assert!(verdict.to_string().starts_with(expected), "{verdict}");
    }

    #[test]
    fn a_sweep_or_a_rotation_that_stands_still_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let end = today(folder.path());
        check(folder.path(), end, "compliant");
        write(&folder.path().join("access.log.1"), subtract(end, 80 * DAY));
        check(folder.path(), end, "compliant");
        write(&folder.path().join("access.log.2"), subtract(end, 91 * DAY));
        check(folder.path(), end, "exceeds the limit by 2 d");
        fs::remove_file(folder.path().join("access.log.2")).unwrap();
        write(&folder.path().join("access.log"), end);
        check(folder.path(), add(end, 3 * DAY), "exceeds the limit without end: ");
        check(&folder.path().join("none"), end, "unknown: ");
    }

    #[test]
    fn a_limit_shorter_than_a_rotation_is_refused() {
        let files = files(Path::new("/var/log/nginx"));
        let error = files.settings.wants(20 * HOUR).unwrap_err();
        assert_eq!(error.least, DAY + ROTATION_SLACK + 2 * STORE_SWEEP_EVERY + BELIEF_WAIT);
        assert!(files.settings.wants(error.least).unwrap().effective.worst_case().unwrap() <= error.least);
    }
}

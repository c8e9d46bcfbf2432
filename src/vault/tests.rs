use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use super::*;
use crate::clock::{Clock, ManualClock};
use crate::limit::CONFIRMATION_AGE_MAX;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

/// A data directory, its clock, and how to open a vault on it.
struct Bench {
    root: tempfile::TempDir,
    clock: Arc<ManualClock>,
}

impl Bench {
    fn new() -> Bench {
        let clock = Arc::new(ManualClock::at("2026-11-22T10:00:00Z".parse().unwrap()));
        Bench { root: tempfile::tempdir().unwrap(), clock }
    }

    fn open(&self) -> Result<(Vault, Timekeeper), Error> {
        self.open_on(Disk::real())
    }

    fn open_on(&self, disk: Disk) -> Result<(Vault, Timekeeper), Error> {
        let dir = Arc::new(DataDir::open_on(disk, &self.root.path().join("data"))?);
        let kek = Arc::new(Kek::beside(&dir)?);
        let time = Timekeeper::new(Arc::clone(&self.clock) as Arc<dyn Clock>, high_water(&dir)?);
        Ok((Vault::open(dir, kek)?, time))
    }

    /// Runs for `by`, tending every half hour, or four times a day if it is long.
    fn run(&self, vault: &mut Vault, time: &Timekeeper, by: Duration) -> Tended {
        let every = if by > 2 * DAY { 6 * HOUR } else { HOUR / 2 };
        for _ in 0..by.as_secs() / every.as_secs() {
            self.clock.advance(every);
            vault.tend("default@1", &classes("90d"), time).unwrap();
        }
        vault.tend("default@1", &classes("90d"), time).unwrap()
    }

    fn data(&self, name: &str) -> PathBuf {
        self.root.path().join("data").join(name)
    }

    fn key_files(&self) -> Vec<PathBuf> {
        key_paths(&self.data("keys")).unwrap()
    }

    fn evidence(&self) -> Vec<Line> {
        let mut lines = Vec::new();
        Evidence::new(self.data("evidence"), Disk::real()).verify(|line| lines.push(line)).unwrap();
        lines
    }
}

fn classes(ttl: &str) -> Vec<(String, Ttl)> {
    vec![("access".to_owned(), ttl.parse().unwrap())]
}

#[test]
fn makes_the_keys_of_today_and_tomorrow_and_finds_them_again() {
    let bench = Bench::new();
    let (mut vault, time) = bench.open().unwrap();
    let tended = vault.tend("default@1", &classes("90d"), &time).unwrap();
    assert_eq!((tended.created, tended.live), (2, 2));
    let now = bench.clock.now();
    let tag =
        |vault: &Vault, at| vault.keyring().key("access", at).unwrap().tag("email", b"jane@example.com");
    let (today, tomorrow) = (tag(&vault, now), tag(&vault, now + DAY));
    assert_ne!(today, tomorrow);
    drop(vault);

    let (mut vault, time) = bench.open().unwrap();
    assert_eq!(
        vault.tend("default@2", &classes("90d"), &time).unwrap().created,
        0,
        "a version is not a policy"
    );
    assert_eq!((tag(&vault, now), tag(&vault, now + DAY)), (today, tomorrow));
}

#[test]
fn keys_are_destroyed_some_hours_before_their_oldest_record_is_overdue() {
    let bench = Bench::new();
    let (mut vault, time) = bench.open().unwrap();
    vault.tend("default@1", &classes("90d"), &time).unwrap();
    let first = bench.key_files()[0].clone();
    bench.run(&mut vault, &time, 89 * DAY);
    bench.run(&mut vault, &time, 9 * HOUR + HOUR / 2);
    assert!(first.exists(), "2027-02-19T19:30 is before the deadline");
    bench.run(&mut vault, &time, HOUR / 2);
    assert!(
        !first.exists(),
        "2027-02-19T20:00 is four hours before the limit of a record of 2026-11-22T00:00"
    );
    let lines = bench.evidence();
    assert_eq!((lines.len(), lines[0].kind, lines[0].class.as_str()), (1, Kind::Epoch, "access"));
}

#[test]
fn a_step_ahead_destroys_no_key_until_it_is_confirmed() {
    let bench = Bench::new();
    let (mut vault, time) = bench.open().unwrap();
    bench.run(&mut vault, &time, 2 * HOUR);
    bench.clock.step_to(bench.clock.now() + 400 * DAY);
    let tended = bench.run(&mut vault, &time, 5 * HOUR);
    assert!(tended.moments.in_doubt && tended.destroyed == 0 && tended.overdue > 0);
    assert!(vault.keyring().key("access", time.now()).is_some(), "records go on being handled");
    confirm_clock(vault.dir(), time.wall()).unwrap();
    let tended = vault.tend("default@1", &classes("90d"), &time).unwrap();
    assert!(!tended.moments.in_doubt && tended.destroyed == 2 && tended.live == 2);
}

#[test]
fn a_word_that_was_left_behind_confirms_no_other_clock() {
    let bench = Bench::new();
    let (mut vault, time) = bench.open().unwrap();
    bench.run(&mut vault, &time, 2 * HOUR);
    let truth = bench.clock.now();
    for (left, wall) in [
        (truth.to_string(), truth + 400 * DAY),
        (truth.to_string(), truth + 2 * CONFIRMATION_AGE_MAX),
        (String::new(), truth + 400 * DAY),
    ] {
        fs::write(bench.data("clock-confirmed"), &left).unwrap();
        bench.clock.step_to(wall);
        let moments = vault.tend("default@1", &classes("90d"), &time).unwrap().moments;
        assert_eq!(moments.destroyable, Some(truth), "{left:?} at {wall}");
        assert!(!bench.data("clock-confirmed").exists());
    }
}

#[test]
fn a_clock_that_goes_back_neither_destroys_nor_stalls() {
    let bench = Bench::new();
    let (mut vault, time) = bench.open().unwrap();
    bench.run(&mut vault, &time, 2 * HOUR);
    let mark = bench.clock.now();
    bench.clock.step_to(mark.checked_sub(400 * DAY).unwrap());
    let tended = bench.run(&mut vault, &time, 5 * HOUR);
    assert_eq!((tended.destroyed, tended.live), (0, 2));
    assert!(vault.keyring().key("access", time.now()).is_some());
    drop(vault);
    let (_, time) = bench.open().unwrap();
    assert!(time.look().unreadable >= mark + 5 * HOUR, "the mark is kept over a restart");
}

#[test]
fn a_shorter_limit_reaches_keys_that_are_there() {
    let bench = Bench::new();
    let (mut vault, time) = bench.open().unwrap();
    bench.run(&mut vault, &time, 8 * DAY);
    let tended = vault.tend("default@1", &classes("3d"), &time).unwrap();
    assert_eq!(tended.destroyed, 6, "of the days 22 to 27; 28 is due at 20:00");
    assert_eq!(vault.tend("default@1", &classes("5y"), &time).unwrap().destroyed, 0);
    bench.run(&mut vault, &time, 88 * DAY);
    assert!(bench.evidence().iter().any(|line| line.from == "2026-11-28T00:00:00Z".parse().unwrap()));
}

#[test]
fn what_is_prepared_destroys_nothing_until_it_is_tended() {
    let bench = Bench::new();
    let (mut vault, time) = bench.open().unwrap();
    vault.tend("default@1", &classes("90d"), &time).unwrap();
    bench.run(&mut vault, &time, 5 * DAY);
    let before = bench.key_files();
    vault.prepare("other@1", &classes("2d"), &time).unwrap();
    assert!(vault.keyring().key("access", bench.clock.now()).is_some());
    assert!(before.iter().all(|path| path.exists()) && bench.evidence().is_empty());
    assert_eq!(State::read(vault.dir()).unwrap().ttl("access"), Some(90 * DAY));
    vault.tend("other@1", &classes("2d"), &time).unwrap();
    assert!(!before[0].exists(), "its limit is in force now");

    let keyring = vault.keyring();
    assert!(vault.prepare("other@1", &classes("1h"), &time).is_err());
    assert!(Arc::ptr_eq(&keyring, &vault.keyring()), "what is refused changes nothing");
}

#[test]
fn a_class_of_a_few_hours_has_hourly_keys_and_a_shorter_one_is_refused() {
    let bench = Bench::new();
    let (mut vault, time) = bench.open().unwrap();
    vault.tend("default@1", &classes("3h"), &time).unwrap();
    for _ in 0..40 {
        bench.clock.advance(HOUR / 4);
        let tended = vault.tend("default@1", &classes("3h"), &time).unwrap();
        assert!(vault.keyring().key("access", bench.clock.now()).is_some());
        assert!(tended.live <= 3, "what is due is gone");
    }
    let live = vault.keyring().iter().count();
    assert!(matches!(vault.tend("default@1", &classes("2h"), &time), Err(Error::TtlTooShort { .. })));
    assert_eq!(vault.keyring().iter().count(), live, "a limit that is refused comes into force nowhere");
}

/// Whatever file operation a destruction is stopped after, the next start ends it, and one line says so.
#[test]
fn a_destruction_that_is_stopped_anywhere_is_ended_once() {
    let mut stops = 0;
    for operations in 0.. {
        let bench = Bench::new();
        let (mut vault, time) = bench.open().unwrap();
        vault.tend("default@1", &classes("90d"), &time).unwrap();
        let victim = vault.list().next().unwrap().clone();
        drop(vault);
        let (mut vault, _) = bench.open_on(Disk::stopping_after(operations)).unwrap();
        let ended = vault.destroy(&victim.id, bench.clock.now()).is_ok();
        drop(vault);
        let gone = |vault: &Vault| vault.list().all(|file| file.check != victim.check);
        let (mut vault, _) = bench.open().unwrap();
        if !gone(&vault) {
            assert_eq!(operations, 0, "after the first write the key is gone");
            assert!(vault.destroy(&victim.id, bench.clock.now()).unwrap());
        }
        assert!(gone(&vault));
        assert_eq!(bench.evidence().len(), 1, "stopped after {operations} operations");
        if ended {
            break;
        }
        stops += 1;
    }
    assert!(stops >= 5, "{stops} places to stop at");
}

#[test]
fn a_full_disk_keeps_no_key_alive() {
    let bench = Bench::new();
    let disk = Disk::full_after(i64::MAX);
    let (mut vault, time) = bench.open_on(disk.clone()).unwrap();
    vault.tend("default@1", &classes("90d"), &time).unwrap();
    let wrapped: Vec<Vec<u8>> = bench.key_files().iter().map(|path| fs::read(path).unwrap()).collect();
    disk.break_down_after(0);
    for _ in 0..92 * 4 {
        bench.clock.advance(6 * HOUR);
        let _ = vault.tend("default@1", &classes("90d"), &time);
    }
    for path in bench.key_files() {
        assert!(!wrapped.contains(&fs::read(&path).unwrap()), "the key is overwritten where it lies");
        assert!(KeyFile::read(&path).unwrap().is_destroyed());
    }
    assert_eq!(vault.keyring().iter().count(), 0, "records are held");
    disk.relieve();
    let tended = vault.tend("default@1", &classes("90d"), &time).unwrap();
    assert_eq!((tended.destroyed, tended.live, bench.evidence().len()), (2, 2, 2));
}

#[test]
fn a_key_that_a_wrong_clock_made_lives_no_longer() {
    let bench = Bench::new();
    let truth = bench.clock.now();
    bench.clock.step_to(truth + 400 * DAY);
    let (mut vault, time) = bench.open().unwrap();
    vault.tend("default@1", &classes("90d"), &time).unwrap();
    bench.clock.step_to(truth);
    bench.run(&mut vault, &time, 2 * HOUR);
    bench.run(&mut vault, &time, 90 * DAY);
    assert!(vault.list().all(|file| file.from < truth + 100 * DAY));
}

/// Whatever file operation the shortening of a key's life is stopped after: the key is there, and once it is destroyed
/// no copy of it is left, under whatever name, nor in the file that it lay in before.
#[test]
fn a_rewritten_key_leaves_no_copy_behind() {
    for operations in 0.. {
        let bench = Bench::new();
        let truth = bench.clock.now();
        bench.clock.step_to(truth + 400 * DAY);
        let (mut vault, time) = bench.open().unwrap();
        vault.tend("default@1", &classes("90d"), &time).unwrap();
        let victim = vault.list().next().unwrap().clone();
        drop(vault);
        let before = bench.root.path().join("before");
        fs::hard_link(&bench.key_files()[0], &before).unwrap();
        bench.clock.step_to(truth);
        let disk = Disk::stopping_after(i64::MAX);
        let (mut vault, time) = bench.open_on(disk.clone()).unwrap();
        bench.run(&mut vault, &time, HOUR / 2);
        bench.clock.advance(HOUR);
        disk.break_down_after(operations);
        let ended = vault.tend("default@1", &classes("90d"), &time).is_ok();
        drop(vault);
        let (mut vault, _) = bench.open().unwrap();
        assert!(vault.list().any(|file| file.check == victim.check), "stopped after {operations} operations");
        assert!(vault.destroy(&victim.id, bench.clock.now()).unwrap());
        let mut left = entries(&bench.data("keys/access")).unwrap();
        left.push(before);
        for path in left {
            let live =
                KeyFile::read(&path).is_ok_and(|file| file.check == victim.check && !file.is_destroyed());
            assert!(!live, "stopped after {operations} operations: {}", path.display());
        }
        if ended {
            assert!(operations > 10, "{operations} places to stop at");
            break;
        }
    }
}

/// What an earlier crash left of a key goes with the key, also if nobody opens the directory to write in between.
#[test]
fn a_destruction_reaches_what_a_crash_left_of_the_key() {
    let bench = Bench::new();
    let (mut vault, time) = bench.open().unwrap();
    vault.tend("default@1", &classes("90d"), &time).unwrap();
    let (path, id) = (bench.key_files()[0].clone(), vault.list().next().unwrap().id.clone());
    let left = temporary(&path);
    fs::copy(&path, &left).unwrap();
    assert!(vault.destroy(&id, bench.clock.now()).unwrap());
    assert!(!left.exists());
}

/// A full disk at start, with a destruction that was stopped: the program starts, and ends it when there is room.
#[test]
fn a_full_disk_at_start_is_no_reason_not_to_start() {
    let bench = Bench::new();
    let (mut vault, time) = bench.open().unwrap();
    vault.tend("default@1", &classes("90d"), &time).unwrap();
    let victim = vault.list().next().unwrap().clone();
    drop(vault);
    let (mut vault, _) = bench.open_on(Disk::stopping_after(2)).unwrap();
    assert!(vault.destroy(&victim.id, bench.clock.now()).is_err());
    drop(vault);
    let disk = Disk::full_after(0);
    let (mut vault, time) = bench.open_on(disk.clone()).unwrap();
    assert!(vault.tend("default@1", &classes("90d"), &time).is_err());
    assert_eq!(vault.keyring().iter().count(), 1, "tomorrow's key is there, today's is gone");
    disk.relieve();
    bench.run(&mut vault, &time, 2 * HOUR);
    assert_eq!((vault.keyring().iter().count(), bench.evidence().len()), (2, 1));
}

#[test]
fn a_second_program_is_told_so() {
    let bench = Bench::new();
    let (_vault, _) = bench.open().unwrap();
    let error = bench.open().unwrap_err();
    assert!(matches!(error, Error::Held { .. }) && error.to_string().contains("in use by another logveil"));
}

#[test]
fn refuses_keys_that_are_damaged_forged_foreign_newer_or_back_from_a_backup() {
    let refused = |damage: &dyn Fn(&Bench, &Path)| {
        let bench = Bench::new();
        let (mut vault, time) = bench.open().unwrap();
        vault.tend("default@1", &classes("90d"), &time).unwrap();
        drop(vault);
        damage(&bench, &bench.key_files()[0]);
        let error = bench.open().unwrap_err();
        assert!(!error.to_string().contains('\n'));
        error
    };
    let edit = |path: &Path, from: &str, to: &str| {
        let text = fs::read_to_string(path).unwrap();
        assert!(text.contains(from));
        fs::write(path, text.replace(from, to)).unwrap();
    };
    let forged = refused(&|_, path| edit(path, "2027-02-19", "2029-02-19"));
    assert!(matches!(forged, Error::Forged { .. }), "{forged}");
    let newer = refused(&|_, path| edit(path, "logveil-key/1", "logveil-key/2"));
    assert!(matches!(newer, Error::Newer { .. }), "{newer}");
    let empty = refused(&|_, path| fs::write(path, "").unwrap());
    assert!(matches!(empty, Error::Corrupt { .. }), "{empty}");
    let unknown = refused(&|_, path| edit(path, "\"alg\"", "\"algo\""));
    assert!(matches!(unknown, Error::Corrupt { .. }), "{unknown}");
    let shared = refused(&|_, path| fs::set_permissions(path, Permissions::from_mode(0o644)).unwrap());
    assert!(matches!(shared, Error::Permissions { mode: 0o644, .. }), "{shared}");
    let gap = refused(&|_, path| fs::remove_file(path).unwrap());
    assert!(matches!(gap, Error::Gap { missing: 1, .. }), "{gap}");
    let foreign = refused(&|bench, _| fs::write(bench.data("kek"), "ab".repeat(32)).unwrap());
    assert!(matches!(foreign, Error::WrongKek { .. }), "{foreign}");
    let open =
        refused(&|bench, _| fs::set_permissions(bench.data("kek"), Permissions::from_mode(0o644)).unwrap());
    assert!(matches!(open, Error::Permissions { mode: 0o644, .. }), "{open}");
    let missing = refused(&|bench, _| fs::remove_file(bench.data("kek")).unwrap());
    assert!(matches!(missing, Error::KekMissing { .. }), "{missing}");
    let malformed = refused(&|bench, _| fs::write(bench.data("kek"), "too short").unwrap());
    assert!(matches!(malformed, Error::KekForm), "{malformed}");
    let restored = refused(&|bench, path| {
        let copy = fs::read(path).unwrap();
        let (mut vault, _) = bench.open().unwrap();
        let id = vault.list().next().unwrap().id.clone();
        assert!(vault.destroy(&id, bench.clock.now()).unwrap());
        fs::write(path, copy).unwrap();
        fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
    });
    assert!(matches!(restored, Error::Restored { .. }), "{restored}");
}

#[test]
fn evidence_that_was_changed_or_cut_is_refused() {
    let bench = Bench::new();
    let (mut vault, time) = bench.open().unwrap();
    bench.run(&mut vault, &time, 95 * DAY);
    drop(vault);
    let text = fs::read_to_string(bench.data("evidence")).unwrap();
    assert!(text.lines().count() > 3);
    fs::write(bench.data("evidence"), text.replacen("\"default\"", "\"defauld\"", 1)).unwrap();
    assert!(matches!(bench.open(), Err(Error::BrokenChain { line: 2, .. })));
    let cut: String = text.lines().take(2).map(|line| format!("{line}\n")).collect();
    fs::write(bench.data("evidence"), cut).unwrap();
    assert!(matches!(bench.open(), Err(Error::Restored { .. })));
    fs::write(bench.data("evidence"), text + "{\"format\":\"logveil-ev").unwrap();
    assert!(bench.open().is_ok(), "an unfinished line is a crash, not a change");
}

#[test]
fn nothing_prints_a_key() {
    let bench = Bench::new();
    let (mut vault, time) = bench.open().unwrap();
    vault.tend("default@1", &classes("90d"), &time).unwrap();
    let secret = vault.held[0].secret.expose();
    let shown = format!("{vault:?} {time:?}");
    for form in [
        data_encoding::HEXLOWER.encode(secret),
        data_encoding::BASE64.encode(secret),
        format!("{secret:?}"),
        fs::read_to_string(bench.data("kek")).unwrap().trim().to_owned(),
    ] {
        assert!(!shown.contains(&form));
    }
}

/// A key-encryption key in a file outside of the data directory.
fn other_kek(bench: &Bench, byte: u8) -> Kek {
    let path = bench.root.path().join(format!("kek-{byte}"));
    fs::write(&path, [byte; 32]).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    Kek::from_file(&path).unwrap()
}

#[test]
fn a_gap_can_be_accepted_and_a_destruction_is_none() {
    let bench = Bench::new();
    let (mut vault, time) = bench.open().unwrap();
    vault.tend("default@1", &classes("90d"), &time).unwrap();
    let id = vault.list().next().unwrap().id.clone();
    assert!(vault.destroy(&id, bench.clock.now()).unwrap());
    drop(vault);
    let (mut vault, time) = bench.open().unwrap();
    vault.tend("default@1", &classes("90d"), &time).unwrap();
    drop(vault);
    fs::remove_file(&bench.key_files()[0]).unwrap();
    assert!(matches!(bench.open(), Err(Error::Gap { missing: 1, .. })));
    accept_missing(&DataDir::open(&bench.data("")).unwrap()).unwrap();
    let (mut vault, time) = bench.open().unwrap();
    vault.tend("default@1", &classes("90d"), &time).unwrap();
    drop(vault);
    assert!(bench.open().is_ok());
}

#[test]
fn a_new_key_serves_from_the_moment_of_its_rotation() {
    let bench = Bench::new();
    let (mut vault, time) = bench.open().unwrap();
    vault.tend("default@1", &classes("90d"), &time).unwrap();
    let before = bench.clock.now();
    let key_at = |vault: &Vault, at| vault.keyring().key("access", at).unwrap().id();
    let (old, next) = (key_at(&vault, before), key_at(&vault, before + DAY));
    bench.clock.advance(HOUR);
    assert_eq!(vault.rotate("default@1", &classes("90d"), &time).unwrap(), 2);
    drop(vault);
    let (mut vault, time) = bench.open().unwrap();
    assert_eq!(vault.tend("default@1", &classes("90d"), &time).unwrap().created, 0);
    assert_eq!(key_at(&vault, before), old, "what was received before keeps its key");
    assert_ne!(key_at(&vault, bench.clock.now()), old);
    assert_ne!(key_at(&vault, before + DAY), next, "the next key had served nobody");
    assert_eq!(bench.evidence().len(), 1);
}

/// Whatever file operation it is stopped after, the same call ends it, and the old key opens nothing any more.
#[test]
fn moving_to_another_kek_can_be_stopped_anywhere() {
    let mut stops = 0;
    for operations in 0.. {
        let bench = Bench::new();
        let (mut vault, time) = bench.open().unwrap();
        vault.tend("default@1", &classes("90d"), &time).unwrap();
        let now = bench.clock.now();
        let tag = vault.keyring().key("access", now).unwrap().tag("email", b"jane@example.com");
        drop(vault);
        let old = fs::read(bench.data("kek")).unwrap();
        let new = other_kek(&bench, 7);
        let call = |disk: Disk| {
            let dir = DataDir::open_on(disk, &bench.data(""))?;
            rewrap(&dir, || Kek::beside(&dir), &new)
        };
        let ended = call(Disk::stopping_after(operations)).is_ok();
        if !ended {
            call(Disk::real()).unwrap();
        }
        assert!(!bench.data("kek").exists(), "stopped after {operations} operations");
        let dir = Arc::new(DataDir::open(&bench.data("")).unwrap());
        let mut vault = Vault::open(Arc::clone(&dir), Arc::new(new)).unwrap();
        assert_eq!(vault.tend("default@1", &classes("90d"), &time).unwrap().created, 0);
        assert_eq!(vault.keyring().key("access", now).unwrap().tag("email", b"jane@example.com"), tag);
        drop(vault);
        fs::write(bench.root.path().join("old"), old).unwrap();
        fs::set_permissions(bench.root.path().join("old"), Permissions::from_mode(0o600)).unwrap();
        let old = Arc::new(Kek::from_file(&bench.root.path().join("old")).unwrap());
        assert!(matches!(Vault::open(dir, old), Err(Error::WrongKek { .. })));
        let check = KeyFile::read(&bench.key_files()[0]).unwrap();
        assert!(
            bench
                .key_files()
                .iter()
                .all(|path| KeyFile::read(path).unwrap().is_wrapped_by(&other_kek(&bench, 7)))
        );
        assert!(!check.is_destroyed() && bench.evidence().is_empty());
        if ended {
            break;
        }
        stops += 1;
    }
    assert!(stops >= 8, "{stops} places to stop at");
}

/// The documented way: with a new key-encryption key, destroy what nobody can open, then go on.
#[test]
fn a_lost_kek_ends_its_keys_and_a_restored_one_brings_none_back() {
    let bench = Bench::new();
    let (mut vault, time) = bench.open().unwrap();
    vault.tend("default@1", &classes("90d"), &time).unwrap();
    drop(vault);
    let (backup, kek) = (bench.root.path().join("backup"), fs::read(bench.data("kek")).unwrap());
    copy_dir(&bench.data(""), &backup);
    fs::remove_file(bench.data("kek")).unwrap();
    assert!(matches!(bench.open(), Err(Error::KekMissing { .. })));

    fs::write(bench.data("kek"), &kek).unwrap();
    fs::set_permissions(bench.data("kek"), Permissions::from_mode(0o600)).unwrap();
    assert!(bench.open().is_ok(), "found again before anything was done: all is as it was");

    fs::remove_file(bench.data("kek")).unwrap();
    let new = Arc::new(other_kek(&bench, 9));
    let dir = Arc::new(DataDir::open(&bench.data("")).unwrap());
    assert_eq!(destroy_unreadable(&dir, &new, bench.clock.now()).unwrap(), 2);
    assert_eq!(destroy_unreadable(&dir, &new, bench.clock.now()).unwrap(), 0);
    assert_eq!(bench.evidence().len(), 2);
    let mut vault = Vault::open(Arc::clone(&dir), Arc::clone(&new)).unwrap();
    assert_eq!(vault.tend("default@1", &classes("90d"), &time).unwrap().created, 2);
    drop(vault);

    copy_dir(&backup.join("keys"), &bench.data("keys"));
    assert!(Vault::open(dir, new).is_err(), "keys of the lost key came back");
}

fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for path in entries(from).unwrap() {
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_dir(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

/// Whoever has a copy of the whole directory from before the destruction can compute what stands for a value, in every
/// shape, and can open what was encrypted; whoever has it from after cannot.
#[test]
fn after_its_destruction_nobody_can_recompute_or_open_anything() {
    use crate::act::{open, trace};
    use crate::action::{Action, Domain, Shape};
    use crate::entity::{Entities, Entity};

    let bench = Bench::new();
    let (mut vault, time) = bench.open().unwrap();
    vault.tend("default@1", &classes("90d"), &time).unwrap();
    let (entities, received) = (Entities::builtin(), bench.clock.now());
    let shapes = [
        Shape::Tag,
        Shape::Ip,
        Shape::Email { domain: Domain::Keep },
        Shape::Email { domain: Domain::Pseudonymize },
        Shape::Uuid,
        Shape::Digits,
    ];
    let actions: Vec<Action> =
        shapes.iter().map(|&shape| Action::Pseudonymize { shape }).chain([Action::Encrypt]).collect();
    let values = [
        (Entity::EMAIL, "jane@example.com"),
        (Entity::IPV4, "203.0.113.77"),
        (Entity::IPV6, "2001:db8::77"),
        (Entity::USER_ID, "1234567890"),
    ];
    // Everything that the live keys of a directory make of the values.
    let computed = |vault: &Vault| -> Vec<Vec<u8>> {
        let keyring = vault.keyring();
        let keys: Vec<&EpochKey> = keyring.keys_of("access").collect();
        let each = |key: &EpochKey| {
            let of = |action: &Action| {
                values.map(|(entity, value)| {
                    trace(&entities, entity, *action, key, value.as_bytes()).unwrap().text
                })
            };
            actions.iter().flat_map(of).collect::<Vec<_>>()
        };
        keys.into_iter().flat_map(each).collect()
    };
    let key_id = vault.keyring().key("access", received).unwrap().id();
    let stored: Vec<Vec<u8>> = {
        let keyring = vault.keyring();
        let key = keyring.key("access", received).unwrap();
        let of = |action: &Action| {
            values
                .map(|(entity, value)| trace(&entities, entity, *action, key, value.as_bytes()).unwrap().text)
        };
        actions.iter().flat_map(of).collect()
    };
    let (before, after) = (bench.root.path().join("before"), bench.root.path().join("after"));
    copy_dir(&bench.data(""), &before);
    bench.run(&mut vault, &time, 95 * DAY);
    drop(vault);
    copy_dir(&bench.data(""), &after);

    let reopened = |copy: &Path| {
        let dir = Arc::new(DataDir::open(copy).unwrap());
        let kek = Arc::new(Kek::beside(&dir).unwrap());
        let mut vault = Vault::open(dir, kek).unwrap();
        // A clock of its own: what is due is not destroyed in the copy, and must be gone all the same.
        let clock = Arc::new(ManualClock::at(received));
        let time = Timekeeper::new(clock as Arc<dyn Clock>, None);
        vault.prepare("default@1", &classes("90d"), &time).unwrap();
        vault
    };
    let with_former = reopened(&before);
    let found = computed(&with_former);
    assert!(stored.iter().all(|text| found.contains(text)), "with the key everything can be computed");
    let with_latter = reopened(&after);
    let found = computed(&with_latter);
    assert!(!found.is_empty() && stored.iter().all(|text| !found.contains(text)));
    let sealed = stored.iter().filter(|text| text.contains(&b'-')).collect::<Vec<_>>();
    let opens = |vault: &Vault| {
        let keyring = vault.keyring();
        sealed
            .iter()
            .filter(|text| keyring.keys_of("access").any(|key| open(&entities, key, text).is_some()))
            .count()
    };
    assert_eq!((opens(&with_former), opens(&with_latter)), (values.len(), 0));
    let mut raw = Vec::new();
    let mut dirs = vec![after.clone()];
    while let Some(dir) = dirs.pop() {
        for path in entries(&dir).unwrap() {
            if path.is_dir() { dirs.push(path) } else { raw.extend(fs::read(path).unwrap()) }
        }
    }
    let text = String::from_utf8_lossy(&raw);
    assert!(
        text.lines().all(|line| !line.contains(&key_id.to_string()) || line.contains("logveil-evidence"))
    );
}

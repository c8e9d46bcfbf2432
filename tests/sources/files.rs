//! Files: rotation, truncation, checkpoints, container logs.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{FileExt as _, symlink};
use std::path::{Path, PathBuf};

use logveil::limit::{BATCH_BYTES, FILE_BATCHES_MAX, RECORD_BYTES_MAX};
use logveil::record::Ack;
use logveil::source::files::{Framing, Pattern, Settings, open, serve};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::{Fate, LONG, Scene, marker};
use crate::support::wait_until;

struct Reading {
    scene: Scene,
    serving: JoinHandle<()>,
}

impl Reading {
    /// Begins to read `*.log` of a folder, with checkpoints in its folder `checkpoints`.
    fn start(dir: &Path, fate: Fate, framing: Framing) -> Reading {
        let scene = Scene::new(fate);
        let include = vec![Pattern::new(dir.join("*.log").to_str().unwrap()).unwrap()];
        let settings = Settings { name: "pods".into(), include, exclude: Vec::new(), framing };
        let opened = open(settings, &dir.join("checkpoints")).unwrap();
        let serving = tokio::spawn(serve(opened, scene.world.clone()));
        Reading { scene, serving }
    }

    fn plain(dir: &Path) -> Reading {
        Reading::start(dir, Fate::Confirm, Framing::Plain)
    }

    async fn stop(self) -> Vec<String> {
        self.scene.stopped(self.serving).await;
        self.scene.messages()
    }

    /// Waits for so many records, then stops; the records.
    async fn read(self, count: usize) -> Vec<String> {
        self.scene.records(count).await;
        self.stop().await
    }
}

fn folder() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("a.log");
    (dir, log)
}

fn append(path: &Path, text: &str) {
    OpenOptions::new().create(true).append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_arrive_however_they_are_written() {
    let (dir, log) = folder();
    append(&log, "one\r\n\ntw");
    let reading = Reading::plain(dir.path());
    reading.scene.records(1).await;
    append(&log, "o\nthr");
    reading.scene.records(2).await;
    append(&log, "ee\nunfinished");
    let seen = reading.read(3).await;
    assert_eq!(seen, ["one", "two", "three"]);
    append(&log, " now\n");
    assert_eq!(Reading::plain(dir.path()).read(1).await, ["unfinished now"], "and it goes on where it was");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renamed_file_is_read_to_its_end() {
    let (dir, log) = folder();
    append(&log, "one\n");
    let reading = Reading::plain(dir.path());
    reading.scene.records(1).await;
    let mut old = OpenOptions::new().append(true).open(&log).unwrap();
    fs::rename(&log, dir.path().join("a.log.1")).unwrap();
    append(&log, "three\n");
    old.write_all(b"two\nlast of the old one").unwrap();
    let mut seen = reading.read(4).await;
    seen[1..].sort();
    assert_eq!(seen, ["one", "last of the old one", "three", "two"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_renamed_while_nobody_looked_is_read_to_its_end() {
    let (dir, log) = folder();
    append(&log, "one\n");
    assert_eq!(Reading::plain(dir.path()).read(1).await, ["one"]);
    append(&log, "two\n");
    fs::rename(&log, dir.path().join("a.log.1")).unwrap();
    append(&log, "three\n");
    let mut seen = Reading::plain(dir.path()).read(2).await;
    seen.sort();
    assert_eq!(seen, ["three", "two"]);
}

/// What is written back is shorter than the old text, as long, or longer already when it is looked at again.
#[tokio::test(flavor = "multi_thread")]
async fn a_truncated_file_is_read_from_its_beginning() {
    for again in ["b\n", "new\n", "another one\nand one more\n"] {
        let (dir, log) = folder();
        append(&log, "old\n");
        let reading = Reading::plain(dir.path());
        reading.scene.records(1).await;
        // One write truncates and fills, as fast as anybody can.
        fs::write(&log, again).unwrap();
        let lines: Vec<&str> = again.lines().collect();
        if again.len() == 4 {
            // As long and begun otherwise: it shows once more is written.
            append(&log, "more\n");
            assert_eq!(reading.read(3).await, ["old", "new", "more"]);
            continue;
        }
        assert_eq!(reading.read(1 + lines.len()).await[1..], lines);
    }
}

/// The reader rests until batches are confirmed; the file is another one, and longer, before it looks again.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_truncated_while_its_reader_rests_is_read_from_its_beginning() {
    let (dir, log) = folder();
    let line = format!("{}\n", "old ".repeat(1024));
    let batch_count = FILE_BATCHES_MAX;
    append(&log, &line.repeat(batch_count * BATCH_BYTES / line.len() + 8));
    let reading = Reading::start(dir.path(), Fate::Keep, Framing::Plain);
    let kept = || reading.scene.stub.kept.lock().unwrap();
    wait_until("it rests", || kept().len() >= batch_count);
    let count = batch_count * BATCH_BYTES / 4 + 1000;
    fs::write(&log, "new\n".repeat(count)).unwrap();
    let news = || reading.scene.messages().iter().filter(|message| *message == "new").count();
    wait_until("all of the new one is read", || {
        std::mem::take(&mut *kept()).into_iter().for_each(Ack::confirm);
        news() >= count
    });
    std::mem::take(&mut *kept()).into_iter().for_each(Ack::confirm);
    assert_eq!(news(), count);
    let seen = reading.stop().await;
    // Half a line of the old one may have been read.
    let is_cut = |message: &str| message.starts_with("[logveil: ") && message.ends_with(", truncated]");
    let is_whole = |message: &str| message == "new" || line.strip_suffix('\n') == Some(message);
    assert!(seen.iter().all(|message| is_whole(message) || is_cut(message)), "a line is of one file");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_with_the_number_of_another_is_read_from_its_beginning() {
    let (dir, log) = folder();
    append(&log, "old and long enough\n");
    assert_eq!(Reading::plain(dir.path()).read(1).await.len(), 1);
    // Written over in place: device and number stay.
    OpenOptions::new().write(true).open(&log).unwrap().write_at(b"new\n1\n2\n3\n4\n5\n6\n7\n8\n", 0).unwrap();
    assert_eq!(Reading::plain(dir.path()).read(9).await.len(), 9);
    fs::write(&log, "x\n").unwrap();
    assert_eq!(Reading::plain(dir.path()).read(1).await, ["x"], "a checkpoint beyond its end is none");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_moves_once_records_are_confirmed() {
    let (dir, log) = folder();
    append(&log, "one\ntwo\n");
    let reading = Reading::start(dir.path(), Fate::Keep, Framing::Plain);
    reading.scene.records(2).await;
    let acks = std::mem::take(&mut *reading.scene.stub.kept.lock().unwrap());
    reading.scene.stop.send(true).unwrap();
    drop(acks);
    tokio::time::timeout(LONG, reading.serving).await.expect("the source ends").unwrap();
    assert_eq!(Reading::plain(dir.path()).read(2).await, ["one", "two"], "nobody confirmed them");
    append(&log, "three\n");
    assert_eq!(Reading::plain(dir.path()).read(1).await, ["three"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_confirms_is_sent_again() {
    let (dir, log) = folder();
    append(&log, "one\n");
    let reading = Reading::start(dir.path(), Fate::Keep, Framing::Plain);
    reading.scene.records(1).await;
    append(&log, "two\n");
    reading.scene.records(2).await;
    let mut acks = std::mem::take(&mut *reading.scene.stub.kept.lock().unwrap()).into_iter();
    drop(acks.next());
    acks.next().unwrap().confirm();
    reading.scene.records(4).await;
    std::mem::take(&mut *reading.scene.stub.kept.lock().unwrap()).into_iter().for_each(|ack| ack.confirm());
    assert_eq!(reading.stop().await, ["one", "two", "one", "two"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_is_put_elsewhere_is_followed() {
    let (dir, log) = folder();
    let [one, two] = ["one", "two"].map(|name| dir.path().join(name));
    append(&one, "one\n");
    append(&two, "two\n");
    symlink(&one, &log).unwrap();
    let reading = Reading::plain(dir.path());
    reading.scene.records(1).await;
    symlink(&two, dir.path().join("new")).unwrap();
    fs::rename(dir.path().join("new"), &log).unwrap();
    append(&one, "three\n");
    let mut seen = reading.read(3).await;
    seen.sort();
    assert_eq!(seen, ["one", "three", "two"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn zeros_and_endless_lines_are_no_records() {
    let (dir, log) = folder();
    let file = File::create(&log).unwrap();
    // Zeros of a truncated file, as many as were written before; they take no room on the disk.
    file.write_at(b"after zeros\n", 64 << 20).unwrap();
    append(&log, &"x".repeat(RECORD_BYTES_MAX + 1000));
    append(&log, "\nafter it\n");
    let seen = Reading::plain(dir.path()).read(3).await;
    assert_eq!(
        seen,
        ["after zeros".into(), marker(RECORD_BYTES_MAX + 1000, "too long"), "after it".to_owned()]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipe_in_a_files_place_holds_nobody_up() {
    let (dir, log) = folder();
    let pipe = dir.path().join("0.log");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    append(&log, "one\n");
    assert_eq!(Reading::plain(dir.path()).read(1).await, ["one"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_that_a_runtime_split_are_one_record() {
    let (dir, log) = folder();
    let time = "2026-01-02T03:04:05.678901234Z";
    append(
        &log,
        &format!("{time} stdout P by jane@exam\n{time} stderr F other\n{time} stdout F ple.com\nraw\n"),
    );
    let seen = Reading::start(dir.path(), Fate::Confirm, Framing::Cri).read(3).await;
    assert_eq!(seen, ["other", "by jane@example.com", "raw"]);

    let (dir, log) = folder();
    let line = |text: &str| format!("{{\"log\":\"{text}\",\"stream\":\"stdout\",\"time\":\"{time}\"}}\n");
    append(&log, &[line("by jane@exam"), line("ple.com\\n"), line("\\\"two\\\"\\n")].concat());
    let seen = Reading::start(dir.path(), Fate::Confirm, Framing::Docker).read(2).await;
    assert_eq!(seen, ["by jane@example.com", "\"two\""]);
}

/// A crash in the middle of a split line reads it from its first half again.
#[tokio::test(flavor = "multi_thread")]
async fn half_a_record_is_behind_the_checkpoint() {
    let (dir, log) = folder();
    let time = "2026-01-02T03:04:05Z";
    append(&log, &format!("{time} stdout F one\n{time} stdout P by jane@exam\n"));
    let seen = Reading::start(dir.path(), Fate::Confirm, Framing::Cri).read(1).await;
    assert_eq!(seen, ["one"]);
    append(&log, &format!("{time} stdout F ple.com\n"));
    let seen = Reading::start(dir.path(), Fate::Confirm, Framing::Cri).read(1).await;
    assert_eq!(seen, ["by jane@example.com"]);
}

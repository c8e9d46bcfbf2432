//! The program under test.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::Signal;
use tempfile::TempDir;

use super::process::{Ended, Process};
use super::{free_port, http, planted, wait_until};

/// The binary that this test run built.
pub fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_logveil"))
}

/// The local archive, as lines of YAML below `sinks:`.
pub const ARCHIVE: &str = "  local: { kind: archive }\n";

/// A `logveil run` of its own: folder, configuration, ports.
pub struct Logveil {
    process: Process,
    wrapper: Vec<String>,
    /// Port of the syslog source, UDP and TCP.
    pub syslog: u16,
    /// Port of the HTTP source.
    pub http: u16,
    /// Port of the admin listener.
    pub admin: u16,
    dir: TempDir,
}

impl Logveil {
    /// Starts it with a syslog source, an HTTP source and the local archive, and waits until it is ready.
    #[track_caller]
    pub fn start() -> Logveil {
        Logveil::start_with(ARCHIVE)
    }

    /// The same, with other sinks: lines of YAML below `sinks:`.
    #[track_caller]
    pub fn start_with(sinks: &str) -> Logveil {
        Logveil::start_as("", sinks, "", &[])
    }

    /// The same, with more sources: lines of YAML below `sources:`.
    #[track_caller]
    pub fn start_between(sources: &str, sinks: &str) -> Logveil {
        Logveil::start_as(sources, sinks, "", &[])
    }

    /// The same, with more lines of configuration behind.
    #[track_caller]
    pub fn start_after(sinks: &str, more: &str) -> Logveil {
        Logveil::start_as("", sinks, more, &[])
    }

    /// The same, with both, and started by `wrapper`, a program that becomes the one that its arguments end with.
    #[track_caller]
    pub fn start_as(sources: &str, sinks: &str, more: &str, wrapper: &[&str]) -> Logveil {
        let dir = TempDir::new().unwrap();
        let (syslog, http, admin) = (free_port(), free_port(), free_port());
        let data = dir.path().join("data");
        let text = format!(
            "data_dir: {}\nsources:\n  \
             net: {{ kind: syslog, tcp: \"127.0.0.1:{syslog}\", udp: \"127.0.0.1:{syslog}\" }}\n  \
             web: {{ kind: http, listen: \"127.0.0.1:{http}\" }}\n{sources}\
             sinks:\n{sinks}admin: {{ listen: \"127.0.0.1:{admin}\" }}\n{more}",
            data.display()
        );
        fs::write(dir.path().join("logveil.yaml"), text).unwrap();
        fs::create_dir(&data).unwrap();
        let wrapper: Vec<String> = wrapper.iter().map(|word| (*word).to_owned()).collect();
        let process = run_in(dir.path(), &wrapper, admin);
        Logveil { process, wrapper, syslog, http, admin, dir }
    }

    /// Ends it as a crash does, in the middle of whatever it does, and fails if it had said something planted.
    #[track_caller]
    pub fn kill(&mut self) {
        self.process.kill();
        planted::nothing_in("standard error", self.process.err().as_bytes());
        planted::nothing_in("standard output", self.process.out().as_bytes());
    }

    /// Starts it anew after [`Logveil::kill`], and waits until it is ready.
    #[track_caller]
    pub fn start_again(&mut self) {
        self.process = run_in(self.dir.path(), &self.wrapper, self.admin);
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Most memory that it ever had, in bytes.
    pub fn memory(&self) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux tells it");
        peak.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
    }

    /// Waits until it ends by itself after a signal; fails unless it ends well.
    #[track_caller]
    pub fn ends_well(&mut self) {
        clean_end(&self.process.ended(), "", self.dir.path());
    }

    /// Folder of the run; removed at its end.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Its configuration file.
    pub fn config(&self) -> PathBuf {
        self.dir.path().join("logveil.yaml")
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// What it said on standard error so far.
    pub fn said(&self) -> String {
        self.process.err()
    }

    /// The page `/metrics`.
    #[track_caller]
    pub fn metrics(&self) -> String {
        http::get(self.admin, "/metrics").expect("the admin listener answers").body
    }

    /// The value of a series there; 0 where it does not stand there.
    #[track_caller]
    pub fn metric(&self, series: &str) -> u64 {
        super::metric(&self.metrics(), series).unwrap_or(0)
    }

    /// Bytes that wait for a sink.
    #[track_caller]
    pub fn queued(&self, sink: &str) -> u64 {
        self.metric(&format!("logveil_queue_bytes{{sink=\"{sink}\"}}"))
    }

    /// All messages that the archive holds, a line each.
    #[track_caller]
    pub fn archived(&self) -> String {
        archive_cat(&self.config(), &[])
    }

    /// Waits until the archive holds `count` records, then stops the program, and fails unless the archive has
    /// each of them once and nothing planted stands in any place that the program writes to.
    #[track_caller]
    pub fn archives_each_once(mut self, count: usize) {
        wait_until(&format!("the archive holds {count} records"), || {
            self.archived().lines().count() >= count
        });
        let metrics = self.metrics();
        self.signal(Signal::TERM);
        let ended = self.process.ended();
        planted::each_once_and_clean(count, &self.archived());
        clean_end(&ended, &metrics, self.dir.path());
    }

    /// What sinks refused for good, as `logveil dead-letter list` tells it; nothing planted may stand there.
    #[track_caller]
    pub fn dead_letters(&self, arguments: &[&str]) -> String {
        let output = Command::new(binary())
            .args(["dead-letter"])
            .args(arguments)
            .arg("--config")
            .arg(self.config())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "dead-letter failed ({}):\n{err}", output.status);
        planted::nothing_in("dead letters", &output.stdout);
        String::from_utf8(output.stdout).expect("what was sent is UTF-8")
    }

    /// Stops the program by SIGTERM; fails unless it ends well and left nothing planted behind.
    #[track_caller]
    pub fn stop(mut self) {
        let metrics = self.metrics();
        self.signal(Signal::TERM);
        clean_end(&self.process.ended(), &metrics, self.dir.path());
    }
}

#[track_caller]
fn clean_end(ended: &Ended, metrics: &str, dir: &Path) {
    assert!(ended.status.success(), "logveil ended with {}:\n{}", ended.status, ended.err);
    planted::nothing_in("standard output", ended.out.as_bytes());
    planted::nothing_in("standard error", ended.err.as_bytes());
    planted::nothing_in("/metrics", metrics.as_bytes());
    planted::nothing_below(dir);
}

/// Starts the program with the configuration in `dir`, and waits until it is ready.
#[track_caller]
fn run_in(dir: &Path, wrapper: &[String], admin: u16) -> Process {
    let mut command = match wrapper.split_first() {
        Some((first, rest)) => {
            let mut command = Command::new(first);
            command.args(rest).arg(binary());
            command
        }
        None => Command::new(binary()),
    };
    command.arg("run").arg("--config").arg(dir.join("logveil.yaml")).current_dir(dir);
    let mut process = Process::start(&mut command, dir);
    process.wait_until("it was ready", || ready(admin));
    process
}

fn ready(admin: u16) -> bool {
    http::get(admin, "/readyz").is_ok_and(|answer| answer.status == 200)
}

/// What `logveil archive cat` prints for the data of this configuration.
#[track_caller]
pub fn archive_cat(config: &Path, arguments: &[&str]) -> String {
    let output = Command::new(binary())
        .args(["archive", "cat", "--config"])
        .arg(config)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "archive cat failed ({}):\n{err}", output.status);
    String::from_utf8(output.stdout).expect("what was sent is UTF-8")
}

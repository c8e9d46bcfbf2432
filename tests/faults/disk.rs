//! The disk is full, or what lies on it is not what was written.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::{DURABLE, behind, durable, ends_clean, sink};
use crate::support::logveil::Logveil;
use crate::support::oracle::{Collector, Load};
use crate::support::proxy::{Fault, Proxy};
use crate::support::{http, planted, tool, wait_until};

/// F08, F15: the disk of the queue is full because its sink is dead. Clients are told to come again, nothing that
/// was acknowledged is lost, and it goes on by itself once there is room.
#[test]
fn a_full_disk_says_no_and_goes_on_when_there_is_room() {
    let collector = Collector::start();
    let proxy = Proxy::start(collector.port, Fault::Freeze);
    // A file system of 4 MiB in a name space of its own, less what a ballast takes.
    let script =
        "mount -t tmpfs -o size=4m tmpfs data && head -c 2000000 /dev/zero > data/ballast && exec \"$@\"";
    let (unshare, shell) = (tool("unshare"), tool("sh"));
    let wrapper = [
        unshare.to_str().unwrap(),
        "--map-root-user",
        "--user",
        "--mount",
        shell.to_str().unwrap(),
        "-c",
        script,
        "sh",
    ];
    let logveil = Logveil::start_as("", &sink("relay", proxy.port), DURABLE, &wrapper);
    let ((), load) = Load::during(logveil.http, 2, |load| {
        wait_until("a client is told to come again", || load.refused(503) > 3);
        let acknowledged = load.acknowledged().len();
        assert!(acknowledged > 500, "{acknowledged}");
        let metrics = logveil.metrics();
        assert!(!metrics.contains("logveil_queue_errors_total 0\n"), "{metrics}");
        let data = PathBuf::from(format!("/proc/{}/cwd/data", logveil.pid()));
        fs::remove_file(data.join("ballast")).unwrap();
        load.waits_for(500);
    });
    proxy.set(Fault::None);
    collector.has_all(&load.acknowledged());
    ends_clean(logveil, &collector);
}

/// F06, F07: whatever was done to the queue's directory while the program was down, it starts within seconds,
/// delivers what is whole, and overwrites nothing.
#[test]
fn starts_and_goes_on_with_a_damaged_queue() {
    // What the first life sends stays there, else the damaged record might arrive after all.
    let (collector, dead, mut logveil) = behind(Fault::Freeze);
    let ((), load) = Load::during(logveil.http, 2, |load| load.waits_for(500));
    logveil.kill();
    let queue = logveil.dir().join("data/queue");
    let segment = fs::read_dir(&queue).unwrap().flatten().map(|entry| entry.path());
    let segment = segment.filter(|path| path.extension().is_some_and(|e| e == "lvq")).max().unwrap();
    let mut bytes = fs::read(&segment).unwrap();
    // A byte within the first frame, which is no part of its head.
    bytes[128 + 24 + 10] ^= 1;
    fs::write(&segment, &bytes).unwrap();
    fs::write(queue.join("cursors"), b"rubbish").unwrap();
    fs::write(queue.join("00000000000000ff.lvq"), vec![7; 5000]).unwrap();
    fs::create_dir(queue.join("lost+found")).unwrap();
    let config = fs::read_to_string(logveil.config()).unwrap();
    let way = |port: u16| format!("http://127.0.0.1:{port}/");
    assert!(config.contains(&way(dead.port)));
    fs::write(logveil.config(), config.replace(&way(dead.port), &way(collector.port))).unwrap();
    let started = Instant::now();
    logveil.start_again();
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    let mut whole = load.acknowledged();
    let missing = |whole: &BTreeSet<usize>| -> Vec<usize> {
        whole.iter().copied().filter(|number| !collector.has(*number)).collect()
    };
    wait_until("the rest has come", || missing(&whole).len() <= 1);
    let metrics = logveil.metrics();
    assert!(metrics.contains("logveil_queue_records_lost_total{reason=\"damaged\"} 1\n"), "{metrics}");
    // Which record stood first is not known here, but that it is one.
    let missing = missing(&whole);
    assert_eq!(missing.len(), 1, "{missing:?}");
    whole.retain(|number| !missing.contains(number));
    collector.has_all(&whole);
    assert_eq!(fs::read(queue.join("quarantine/00000000000000ff.lvq.1")).unwrap(), vec![7; 5000]);
    ends_clean(logveil, &collector);
}

/// F14: a second program on the same directory does not start, and says why.
#[test]
fn a_second_program_on_the_same_queue_is_refused() {
    let collector = Collector::start();
    let logveil = durable(collector.port);
    let config = fs::read_to_string(logveil.config()).unwrap();
    let other = logveil.dir().join("other.yaml");
    let ports = [logveil.syslog, logveil.http, logveil.admin].map(|port| port.to_string());
    let config = ports
        .iter()
        .fold(config, |config, port| config.replace(port, &crate::support::free_port().to_string()));
    fs::write(&other, config).unwrap();
    let mut command = std::process::Command::new(crate::support::logveil::binary());
    let output = command.args(["run", "--config"]).arg(&other).output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{err}");
    assert!(err.contains("is in use by another logveil; stop it"), "{err}");
    logveil.stop();
}

/// F12: somebody removes the queue's folder while it is written. What was acknowledged before is gone with it; from then
/// on nobody gets a yes, readiness says why, and once there is a folder it goes on by itself.
#[test]
fn without_its_folder_nothing_is_acknowledged() {
    let collector = Collector::start();
    let logveil = durable(collector.port);
    let post = |number| {
        http::post(logveil.http, "/v1/logs", &[], planted::message(number).as_bytes()).unwrap().status
    };
    assert_eq!(post(0), 200);
    collector.has_all(&[0].into());
    let queue = logveil.dir().join("data/queue");
    // The program may be writing its cursors there.
    wait_until("the folder is gone", || fs::remove_dir_all(&queue).is_ok());
    assert_eq!([post(1), post(2)], [503, 503]);
    let ready = http::get(logveil.admin, "/readyz").unwrap();
    assert_eq!((ready.status, ready.body.contains("the queue cannot be written")), (503, true));
    fs::create_dir(&queue).unwrap();
    wait_until("it can be written again", || post(3) == 200);
    collector.has_all(&[0, 3].into());
    ends_clean(logveil, &collector);
}

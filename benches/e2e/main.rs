/*!
The running program between two ends, beside rsyslog and syslog-ng on the same work.

    cargo bench --bench e2e                       everything
    cargo bench --bench e2e -- speed latency      some of: speed, durable, latency, memory
    cargo bench --bench e2e -- --records 200000 --rounds 1 --program PATH

Load generator and collector are in this process and share the processors with
the relay, so a relay's own CPU seconds are the figure to compare. Everything
that was sent has arrived when a figure is given; else it panics.
*/

#![allow(clippy::print_stdout, reason = "a bench prints what it measured")]

mod far;
mod lines;
mod near;
mod relay;

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use far::Far;
use lines::{LINE_BYTES, Lines};
use logveil::bench::Spread;
use relay::{Out, Queue, Relay};

/// Starts a relay that sends to a port.
type Start<'a> = &'a dyn Fn(u16) -> Relay;

/// Measures something and prints it.
type Part = fn(&Plan);

/// What is to be measured, and how.
struct Plan {
    parts: Vec<String>,
    records: u64,
    rounds: usize,
    program: PathBuf,
    lines: Lines,
}

fn main() {
    let plan = plan();
    println!("load of the machine: {}", std::fs::read_to_string("/proc/loadavg").unwrap_or_default().trim());
    let parts: [(&str, Part); 4] =
        [("speed", speed), ("durable", durable), ("latency", latency), ("memory", memory)];
    for (name, part) in parts {
        if plan.parts.is_empty() || plan.parts.iter().any(|wanted| wanted == name) {
            println!("\n{name}\n");
            part(&plan);
        }
    }
}

fn plan() -> Plan {
    let mut plan = Plan {
        parts: Vec::new(),
        records: 1_000_000,
        rounds: 3,
        program: env!("CARGO_BIN_EXE_logveil").into(),
        lines: Lines::new(),
    };
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().expect("an option has a value");
        match argument.as_str() {
            "--records" => plan.records = value().parse().expect("a number"),
            "--rounds" => plan.rounds = value().parse().expect("a number"),
            "--program" => plan.program = value().into(),
            _ => plan.parts.push(argument),
        }
    }
    plan
}

/// One relay's runs at full speed.
#[derive(Default)]
struct Runs {
    wall: Spread,
    cpu: Spread,
    memory_max: f64,
}

/// Lines as fast as they are taken, one connection; all relays in turn.
fn speed(plan: &Plan) {
    let relays: [(&str, Start<'_>); 4] = [
        ("logveil", &|to| relay::logveil(&plan.program, Queue::Memory, Out::Tcp, to)),
        ("rsyslog, mmanon", &relay::rsyslog),
        ("syslog-ng, two substitutions", &relay::syslog_ng),
        ("logveil, HTTP out", &|to| relay::logveil(&plan.program, Queue::Memory, Out::Http, to)),
    ];
    let mut runs: [Runs; 4] = Default::default();
    for _ in 0..plan.rounds {
        for ((_, start), runs) in relays.iter().zip(&mut runs) {
            run(plan, start, runs);
        }
    }
    let per_million = |time: Duration| time.as_secs_f64() * 1e6 / plan.records as f64;
    let rsyslog = (per_million(runs[1].wall.median()), per_million(runs[1].cpu.median()));
    let bars = ["4 (aim 8)", "", "", "3"];
    println!(
        "| relay | events/s | of rsyslog's | CPU s per million | slowest – fastest | events per CPU s, of rsyslog's | must | most memory, MiB |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for (((name, _), runs), bar) in relays.iter().zip(&runs).zip(bars) {
        let (wall, cpu) = (per_million(runs.wall.median()), per_million(runs.cpu.median()));
        println!(
            "| {name} | {:.0} | {:.2} | {cpu:.2} | {:.2} – {:.2} | {:.2} | {bar} | {:.1} |",
            1e6 / wall,
            rsyslog.0 / wall,
            per_million(runs.cpu.max()),
            per_million(runs.cpu.min()),
            rsyslog.1 / cpu,
            runs.memory_max
        );
    }
}

fn run(plan: &Plan, start: Start<'_>, runs: &mut Runs) {
    let far = Far::listen(plan.records, Instant::now());
    let relay = start(far.port());
    let (before, started) = (relay.cpu(), Instant::now());
    near::send(&plan.lines, 0..plan.records, relay.port);
    runs.wall.add(far.wait() - started);
    runs.cpu.add(relay.cpu() - before);
    runs.memory_max = runs.memory_max.max(relay.memory_max());
    assert_eq!(far.again(), 0, "lines came twice");
}

/// Requests with yes for an answer once their lines are synced; the collector takes meanwhile what it is sent.
fn durable(plan: &Plan) {
    const CONNECTIONS: u64 = 4;
    const REQUEST_LINES: u64 = 2_000;
    println!(
        "| input | MB/s until the last yes | must | MB/s until the last line arrived | CPU s per million |\n|---|---|---|---|---|"
    );
    for _ in 0..plan.rounds {
        let far = Far::listen(plan.records, Instant::now());
        let relay = relay::logveil(&plan.program, Queue::Durable, Out::Tcp, far.port());
        let (before, started) = (relay.cpu(), Instant::now());
        thread::scope(|scope| {
            for nth in 0..CONNECTIONS {
                let numbers = plan.records * nth / CONNECTIONS..plan.records * (nth + 1) / CONNECTIONS;
                let (lines, port) = (&plan.lines, relay.http);
                scope.spawn(move || near::post(lines, numbers, port, REQUEST_LINES));
            }
        });
        let yes = started.elapsed();
        let arrived = far.wait() - started;
        let megabytes = (plan.records * LINE_BYTES as u64) as f64 / 1e6;
        println!(
            "| HTTP, {CONNECTIONS} connections | {:.0} | 100 (aim 200) | {:.0} | {:.2} |",
            megabytes / yes.as_secs_f64(),
            megabytes / arrived.as_secs_f64(),
            (relay.cpu() - before).as_secs_f64() * 1e6 / plan.records as f64
        );
    }
}

/// Lines at a steady rate: how long each takes from one end to the other.
fn latency(plan: &Plan) {
    const RATE: u64 = 10_000;
    const SECONDS: u64 = 10;
    let sync = sync_p99();
    let durable_bar = format!("{:.1}", millis(Duration::from_millis(5) + 3 * sync));
    println!("fdatasync of 16 KiB behind each other: p99 {:.1} ms\n", millis(sync));
    let relays: [(&str, Start<'_>, [&str; 2]); 5] = [
        ("logveil, TCP out", &|to| relay::logveil(&plan.program, Queue::Memory, Out::Tcp, to), ["0.2", "2"]),
        ("logveil, HTTP out", &|to| relay::logveil(&plan.program, Queue::Memory, Out::Http, to), ["", "10"]),
        (
            "logveil, durable, TCP out",
            &|to| relay::logveil(&plan.program, Queue::Durable, Out::Tcp, to),
            ["", &durable_bar],
        ),
        ("rsyslog, mmanon", &relay::rsyslog, ["", ""]),
        ("syslog-ng, two substitutions", &relay::syslog_ng, ["", ""]),
    ];
    println!("| relay | p50 ms | must | p99 ms | must | p99.9 ms | cores |\n|---|---|---|---|---|---|---|");
    for (name, start, bars) in relays {
        let started = Instant::now();
        let far = Far::listen(RATE * SECONDS, started);
        let relay = start(far.port());
        let (before, began) = (relay.cpu(), Instant::now());
        near::send_at(&plan.lines, 0..RATE * SECONDS, relay.port, RATE, started);
        let ended = far.wait();
        let [p50, p99, p999] = [500, 990, 999].map(|place| millis(far.wait_of(place)));
        let cores = (relay.cpu() - before).as_secs_f64() / (ended - began).as_secs_f64();
        println!("| {name} | {p50:.2} | {} | {p99:.2} | {} | {p999:.2} | {cores:.3} |", bars[0], bars[1]);
    }
}

/// The disk's own: appended, then synced, two hundred times.
fn sync_p99() -> Duration {
    let dir = relay::folder();
    let mut file = File::create(dir.path().join("sync")).expect("the folder can be written");
    let mut spread: Vec<Duration> = Vec::new();
    for _ in 0..200 {
        file.write_all(&[7; 16 * 1024]).expect("there is room");
        let started = Instant::now();
        file.sync_data().expect("the disk is well");
        spread.push(started.elapsed());
    }
    spread.sort_unstable();
    spread[spread.len() * 99 / 100]
}

/// What it holds at full speed, as a sidecar at 1 MB/s, and idle.
fn memory(plan: &Plan) {
    const RATE: u64 = 1_000_000 / LINE_BYTES as u64;
    const SECONDS: u64 = 20;
    println!("| when | MiB | must | % of a core | must |\n|---|---|---|---|---|");
    let far = Far::listen(plan.records, Instant::now());
    let relay = relay::logveil(&plan.program, Queue::Memory, Out::Tcp, far.port());
    thread::sleep(Duration::from_secs(3));
    println!("| idle | {:.1} | 12 | | |", relay.memory_now());
    near::send(&plan.lines, 0..plan.records, relay.port);
    far.wait();
    println!("| at full speed, at most | {:.1} | 32 | | |", relay.memory_max());
    drop(relay);

    let far = Far::listen(RATE * SECONDS, Instant::now());
    let relay = relay::logveil(&plan.program, Queue::Memory, Out::Tcp, far.port());
    let (before, began) = (relay.cpu(), Instant::now());
    near::send_at(&plan.lines, 0..RATE * SECONDS, relay.port, RATE, began);
    let share = 100.0 * (relay.cpu() - before).as_secs_f64() / began.elapsed().as_secs_f64();
    far.wait();
    println!("| at 1 MB/s, at most | {:.1} | 24 | {share:.1} | 3 |", relay.memory_max());
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

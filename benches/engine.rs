/*!
The tables of `docs/performance.md`, each made by one command:

    cargo bench --bench engine                       the engine on three corpora, beside memcpy
    cargo bench --bench engine -- rules              throughput by number of rules
    cargo bench --bench engine -- filter [MB]        `logveil redact` on a file, and its peak memory
    cargo bench --bench engine -- keyed              pseudonyms in every shape, encryption, tables
    cargo bench --bench engine -- start              time to the first byte out
    cargo bench --bench engine -- corpora DIR [MB]   writes the corpora, for `logveil bench engine --input`

It measures with `logveil::bench`, as the verb `bench engine` does. The ratios
are the figures to compare; the absolute ones belong to the machine.
*/

#![allow(clippy::print_stdout, reason = "a bench prints what it measured")]

mod corpus;
mod setup;
mod subset;

use std::hint::black_box;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use logveil::act::trace;
use logveil::bench::engine::{Measured, Subject, measure_whole};
use logveil::bench::{Effort, Sample, Spread, megabytes_per_second};
use logveil::clock::{Clock, ThreadClock, Timestamp};
use logveil::detect::Rules;
use logveil::entity::Entity;

/// Bytes of a corpus: more than any cache holds.
const CORPUS_BYTES: usize = 100_000_000;

/// Runs of each measurement, if they take no longer than the wait.
const EFFORT: Effort = Effort { runs: 9, wait_max: Duration::from_secs(20) };

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let megabytes = |text: &str| text.parse::<usize>().expect("a number of megabytes");
    match arguments[..] {
        [] => engine(),
        ["rules"] => rules(),
        ["filter"] => filter(1000),
        ["filter", size] => filter(megabytes(size)),
        ["keyed"] => keyed(),
        ["start"] => start(),
        ["corpora", dir] => corpora(Path::new(dir), CORPUS_BYTES),
        ["corpora", dir, size] => corpora(Path::new(dir), megabytes(size) * 1_000_000),
        _ => panic!("one of: rules, filter [MB], keyed, start, corpora DIR [MB]"),
    }
}

/// A row of the first table: corpus, policy, and what is to be reached in GB/s and as a part of memcpy.
struct Goal {
    kind: &'static str,
    policy: &'static str,
    must: f64,
    aim: f64,
    part: f64,
}

const GOALS: [Goal; 4] = [
    Goal { kind: "access", policy: "everything", must: 1.5, aim: 3.0, part: 10.0 },
    Goal { kind: "json", policy: "everything", must: 1.5, aim: 3.0, part: 10.0 },
    Goal { kind: "clean", policy: "everything", must: 2.0, aim: 5.0, part: 8.0 },
    Goal { kind: "access", policy: "pseudonyms", must: 0.8, aim: 1.5, part: 19.0 },
];

fn engine() {
    let rules = Arc::new(Rules::builtin());
    println!("{} rules, one thread, median of at most {} runs\n", rules.rules().len(), EFFORT.runs);
    println!(
        "| corpus | policy | GB/s | slowest – fastest | must | aim | of memcpy | must | memcpy | findings per MB |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for Goal { kind, policy, must, aim, part } in GOALS {
        let text = if policy == "everything" { setup::everything() } else { setup::PSEUDONYMS };
        let sample = Sample::of(&corpus::make(kind, CORPUS_BYTES));
        let measured = measured(&rules, text, &sample);
        let rate = |time: Duration| format!("{:.2}", megabytes_per_second(measured.bytes, time) / 1e3);
        let found: u64 = measured.tally.findings().map(|(.., count)| count).sum();
        println!(
            "| {kind} | {policy} | {} | {} – {} | {must} | {aim} | 1/{:.1} | 1/{part} | {} | {:.0} |",
            rate(measured.engine.median()),
            rate(measured.engine.max()),
            rate(measured.engine.min()),
            1.0 / measured.share_of_memcpy(),
            rate(measured.memcpy.median()),
            found as f64 * 1e6 / measured.bytes as f64,
        );
    }
}

fn measured(rules: &Arc<Rules>, policy: &str, sample: &Sample) -> Measured {
    let policy = setup::policy(rules, policy);
    let keyring = setup::keyring();
    let class = policy.class_named("app").expect("every policy has it");
    let subject = Subject { policy: &policy, class, keyring: &keyring };
    measure_whole(subject, sample, EFFORT, &ThreadClock)
}

/// Throughput by number of rules: it is not to fall in proportion.
fn rules() {
    let samples = corpus::KINDS.iter().map(|kind| Sample::of(&corpus::make(kind, CORPUS_BYTES / 4)));
    let samples: Vec<Sample> = samples.collect();
    let all = Rules::builtin().rules().len();
    println!("| rules | {} MB/s |\n|---|---|---|---|", corpus::KINDS.join(" MB/s | "));
    for count in [5, 25, 50, 100, 200, 300, all] {
        let rules = Arc::new(subset::rules(count));
        let rate = |sample| {
            let measured = measured(&rules, setup::everything(), sample);
            format!("{:.0}", megabytes_per_second(measured.bytes, measured.engine.median()))
        };
        let rates: Vec<String> = samples.iter().map(rate).collect();
        println!("| {count} | {} |", rates.join(" | "));
    }
}

/// Values whose replacements are made for the first time: more than a worker remembers.
const VALUES: u32 = 50_000;

/// What each replacement under a key costs: of a value that was not seen before, and in access logs, where most were.
fn keyed() {
    let rules = Arc::new(Rules::builtin());
    let sample = Sample::of(&corpus::make("access", CORPUS_BYTES / 4));
    println!("| replacement | value | ns for a new value | access log, GB/s |\n|---|---|---|---|");
    for (name, action, entity) in setup::KEYED {
        let text = setup::keyed_policy(entity, action);
        let first = first_time(&rules, &text, entity);
        let measured = measured(&rules, &text, &sample);
        let rate = megabytes_per_second(measured.bytes, measured.engine.median()) / 1e3;
        println!("| {name} | {entity} | {first:.0} | {rate:.2} |");
    }
}

/// Nanoseconds for a value that was not seen before, by the thread's own time.
fn first_time(rules: &Arc<Rules>, policy: &str, entity: &str) -> f64 {
    let policy = setup::policy(rules, policy);
    let class = policy.class_named("app").expect("every policy has it");
    let entities = policy.rules().entities();
    let entity = entities.find(entity).expect("it is built in");
    let (action, keyring) = (policy.action(class, entity), setup::keyring());
    let key = keyring.key("app", Timestamp::UNIX_EPOCH).expect("it is everybody's");
    let value = |n: u32| match entity {
        Entity::EMAIL => format!("user.{n}@example.com"),
        Entity::IPV6 => format!("2001:db8::{:x}:{:x}", n >> 16, n & 0xffff),
        Entity::USER_ID => (1_000_000_000 + u64::from(n)).to_string(),
        _ => std::net::Ipv4Addr::from(0x0b00_0000 + n).to_string(),
    };
    let values: Vec<String> = (0..VALUES).map(value).collect();
    let clock = ThreadClock;
    let start = clock.monotonic();
    for value in &values {
        black_box(trace(entities, entity, action, key, value.as_bytes()));
    }
    (clock.monotonic() - start).as_nanos() as f64 / f64::from(VALUES)
}

/// The program as a filter: a file in, nothing but its speed and peak memory out.
fn filter(megabytes: usize) {
    let dir = tempfile::tempdir().expect("there is room for a folder");
    let path = dir.path().join("access.log");
    let text = corpus::make("access", CORPUS_BYTES.min(megabytes * 1_000_000));
    let mut file = std::fs::File::create(&path).expect("a file can be made");
    let mut bytes = 0;
    while bytes < megabytes * 1_000_000 {
        file.write_all(&text).expect("there is room for it");
        bytes += text.len();
    }
    let in_memory = measured(&Arc::new(Rules::builtin()), setup::everything(), &Sample::of(&text));
    let rate_in_memory = megabytes_per_second(in_memory.bytes, in_memory.engine.median());
    println!(
        "logveil redact --policy everything of {bytes} bytes > /dev/null; in memory {rate_in_memory:.0} MB/s\n"
    );
    println!("| threads | MB/s | of in memory | peak memory, MiB |\n|---|---|---|---|");
    for threads in ["1", "2"] {
        let (mut times, mut peak) = (Spread::default(), 0);
        for _ in 0..5 {
            let (time, kib) = redact_once(&path, threads);
            times.add(time);
            peak = peak.max(kib);
        }
        let rate = megabytes_per_second(bytes, times.median());
        println!("| {threads} | {rate:.0} | {:.2} | {:.1} |", rate / rate_in_memory, peak as f64 / 1024.0);
    }
}

fn logveil(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_logveil"));
    command.args(arguments);
    command
}

/// How long it took, and the most memory that it held, in KiB.
fn redact_once(path: &Path, threads: &str) -> (Duration, u64) {
    let started = Instant::now();
    let mut child = logveil(&["redact", "--quiet", "--policy", "everything", "--threads", threads])
        .arg(path)
        .stdout(Stdio::null())
        .spawn()
        .expect("the program starts");
    let mut peak = 0;
    while child.try_wait().expect("it is our child").is_none() {
        peak = peak.max(peak_memory_kib(&child));
        thread::sleep(Duration::from_millis(1));
    }
    (started.elapsed(), peak)
}

/// What Linux says; the figure only grows, and is gone with the process.
fn peak_memory_kib(child: &Child) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().unwrap_or(0)
}

/// From the start of the program to its first byte out, a line waiting at its input.
fn start() {
    println!("| program | median ms | fastest | slowest |\n|---|---|---|---|");
    let redact = |policy| logveil(&["redact", "--quiet", "--threads", "1", "--policy", policy]);
    // What starting any program takes here.
    row("cat", || Command::new("cat"));
    row("logveil redact --policy default", || redact("default"));
    row("logveil redact --policy everything", || redact("everything"));
}

fn row(name: &str, command: impl Fn() -> Command) {
    let mut spread = Spread::default();
    for _ in 0..41 {
        spread.add(first_byte(&mut command()));
    }
    let millis = |time: Duration| time.as_secs_f64() * 1e3;
    let (median, min, max) = (millis(spread.median()), millis(spread.min()), millis(spread.max()));
    println!("| {name} | {median:.1} | {min:.1} | {max:.1} |");
}

fn first_byte(command: &mut Command) -> Duration {
    let started = Instant::now();
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the program starts");
    let mut stdin = child.stdin.take().expect("it is a pipe");
    stdin.write_all(b"203.0.113.9 password=hunter2 to jane@example.com\n").expect("it reads");
    let mut stdout = child.stdout.take().expect("it is a pipe");
    stdout.read_exact(&mut [0]).expect("it writes");
    let time = started.elapsed();
    drop((stdin, stdout));
    child.wait().expect("it ends");
    time
}

/// The corpora as files.
fn corpora(dir: &Path, bytes: usize) {
    std::fs::create_dir_all(dir).expect("the folder can be made");
    for kind in corpus::KINDS {
        let path = dir.join(format!("{kind}.log"));
        std::fs::write(&path, corpus::make(kind, bytes)).expect("there is room for it");
        println!("{}", path.display());
    }
}

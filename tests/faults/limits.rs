//! What the program is given is not enough: files, memory, a place to write to.

use std::io::Write;
use std::net::TcpStream;
use std::time::Instant;

use logveil::limit::ACCEPT_REST;
use rustix::process::Signal;

use super::{DURABLE, ends_clean, sink};
use crate::support::logveil::Logveil;
use crate::support::oracle::{Collector, Load};
use crate::support::proxy::{Fault, Proxy};
use crate::support::{http, planted, tool, wait_until};

fn send(stream: &mut TcpStream, number: usize) {
    writeln!(stream, "<13>1 - h app - - - {}", planted::message(number)).unwrap();
}

fn connect(logveil: &Logveil) -> TcpStream {
    TcpStream::connect(("127.0.0.1", logveil.syslog)).unwrap()
}

/// F13: no file is left for another connection. Those that are open go on, the listener rests instead of asking again at
/// once, and who waits is let in when there is room.
#[test]
fn without_files_open_connections_go_on_and_others_wait() {
    let prlimit = tool("prlimit");
    let wrapper = [prlimit.to_str().unwrap(), "--nofile=64"];
    let collector = Collector::start();
    let logveil = Logveil::start_as("", &sink("relay", collector.port), "", &wrapper);
    let mut first = connect(&logveil);
    send(&mut first, 0);
    // Its sink has a connection from now on.
    collector.has_all(&[0].into());
    let started = Instant::now();
    let mut others: Vec<TcpStream> = (0..100).map(|_| connect(&logveil)).collect();
    let told = || logveil.said().matches("cannot accept a connection").count();
    wait_until("there is no file left", || told() >= 3);
    send(&mut first, 1);
    collector.has_all(&[1].into());
    // Two listeners may be without a file at the same time, and admin is a third. Time goes on once they are counted.
    let told = told();
    let rests = started.elapsed().as_millis() / ACCEPT_REST.as_millis() + 2;
    assert!(told as u128 <= 3 * rests, "asked {told} times in {rests} rests");
    others.drain(..80);
    for (stream, number) in others.iter_mut().zip(2..) {
        send(stream, number);
    }
    collector.has_all(&(0..22).collect());
    drop((first, others));
    ends_clean(logveil, &collector);
}

/// F44: what is declared is kept, with a sink that takes nothing, clients of HTTP that post more than there is room for, and
/// connections with long unfinished records. Clients are told to come again, and all that was acknowledged arrives.
#[test]
fn memory_stays_within_what_was_declared() {
    const MEMORY: usize = 112 << 20;
    let collector = Collector::start();
    let proxy = Proxy::start(collector.port, Fault::Freeze);
    let more = format!("memory_max: {MEMORY}\n{DURABLE}");
    let logveil = Logveil::start_as("", &sink("relay", proxy.port), &more, &[]);
    let body = vec![b'x'; 3 << 20];
    let ((), load) = Load::during(logveil.http, 2, |load| {
        wait_until("a client is told to come again", || {
            // Two bodies that lack a byte hold nearly all the room for bodies, which is a sixteenth of all.
            let _held = [(); 2].map(|()| unfinished_post(&logveil, &body));
            status(&logveil, &body) == Some(503)
        });
        std::thread::scope(|scope| {
            let unfinished: Vec<_> = (0..200)
                .map(|_| {
                    let mut stream = connect(&logveil);
                    // A record that never ends. It is cut off when there is no room.
                    let _ =
                        stream.write_all(b"999999 <13>").and_then(|()| stream.write_all(&body[..900 << 10]));
                    stream
                })
                .collect();
            let post = || {
                for _ in 0..4 {
                    // Told to come again, or cut off: it has nothing to say that is missed.
                    let _ = status(&logveil, &body);
                }
            };
            let posts = [(); 16].map(|()| scope.spawn(post));
            posts.into_iter().for_each(|post| post.join().unwrap());
            drop(unfinished);
        });
        load.waits_for(200);
    });
    let memory = logveil.memory();
    assert!(memory <= MEMORY, "{} MiB", memory >> 20);
    proxy.set(Fault::None);
    collector.has_all(&load.acknowledged());
    logveil.stop();
}

/// A request whose body lacks its last byte.
fn unfinished_post(logveil: &Logveil, body: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", logveil.http)).unwrap();
    let head = format!("POST /v1/logs HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&body[1..]).unwrap();
    stream
}

/// The status that a post of `body` has for an answer; none where the connection was cut.
fn status(logveil: &Logveil, body: &[u8]) -> Option<u16> {
    http::post(logveil.http, "/v1/logs", &["Content-Type: text/plain"], body).ok().map(|answer| answer.status)
}

/// F46: signals that mean nothing here, reloads in a storm, and nobody who reads what it says.
#[test]
fn storms_of_signals_and_closed_outputs_end_nothing() {
    let collector = Collector::start();
    // Its standard error is a pipe that nobody reads.
    let shell = tool("sh");
    let script = "exec \"$@\" 2> >(exec 0<&-)";
    let bash = shell.with_file_name("bash");
    let wrapper = [bash.to_str().unwrap(), "-c", script, "bash"];
    let logveil = Logveil::start_as("", &sink("relay", collector.port), DURABLE, &wrapper);
    let ((), load) = Load::during(logveil.http, 2, |load| {
        for _ in 0..20 {
            for signal in [Signal::HUP, Signal::USR1, Signal::USR2, Signal::PIPE] {
                (0..50).for_each(|_| logveil.signal(signal));
            }
            load.waits_for(20);
        }
    });
    collector.has_all(&load.acknowledged());
    ends_clean(logveil, &collector);
}

/// F46: a sink that writes to a standard output that is closed holds its records, and nothing is lost of the others.
#[test]
fn a_closed_standard_output_holds_up_its_own_sink_alone() {
    let collector = Collector::start();
    let bash = tool("sh").with_file_name("bash");
    let wrapper = [bash.to_str().unwrap(), "-c", "exec \"$@\" > >(exec 0<&-)", "bash"];
    let sinks = format!("  out: {{ kind: stdout }}\n{}", sink("relay", collector.port));
    let mut logveil = Logveil::start_as("", &sinks, DURABLE, &wrapper);
    let ((), load) = Load::during(logveil.http, 2, |load| load.waits_for(500));
    collector.has_all(&load.acknowledged());
    wait_until("it is told", || logveil.metric("logveil_sink_retries_total{sink=\"out\"}") > 0);
    wait_until("nothing waits for the other", || logveil.queued("relay") == 0);
    assert!(logveil.queued("out") > 0, "what it cannot write waits");
    logveil.kill();
}

//! The way to a sink is slow, cut or dead.

use std::io::Write;
use std::net::TcpStream;
use std::ops::Range;
use std::time::Duration;

use super::{MEMORY, behind, ends_clean, sink};
use crate::support::logveil::Logveil;
use crate::support::oracle::{Collector, Load};
use crate::support::proxy::{Fault, Proxy};
use crate::support::{planted, wait_until};

/// F15, F16, F18: a sink that is frozen, and then slow, holds up neither the clients nor the other sink, in bounded
/// memory; once it is well it gets everything.
#[test]
fn a_sink_in_trouble_slows_no_other_and_gets_all_in_the_end() {
    let (sick, well) = (Collector::start(), Collector::start());
    let proxy = Proxy::start(sick.port, Fault::Freeze);
    let sinks = sink("sick", proxy.port) + &sink("well", well.port);
    let logveil = Logveil::start_as("", &sinks, super::DURABLE, &[]);
    let ((), load) = Load::during(logveil.http, 2, |load| {
        load.waits_for(1000);
        wait_until("the other sink has them", || well.records() >= 1000);
        assert_eq!(sick.records(), 0);
        proxy.set(Fault::Throttle(1024));
        load.waits_for(1000);
        wait_until("the other sink has them", || well.records() >= 2000);
    });
    let acknowledged = load.acknowledged();
    well.has_all(&acknowledged);
    assert!(sick.records() < acknowledged.len());
    proxy.set(Fault::None);
    sick.has_all(&acknowledged);
    assert!(logveil.memory() < MEMORY);
    ends_clean(logveil, &sick);
}

/// F17: connections are cut in the middle of a request, reset, and reset after the sink had it all. Records
/// come twice then, under the same id.
#[test]
fn cut_connections_lose_nothing_and_what_comes_twice_has_one_id() {
    let (collector, proxy, logveil) = behind(Fault::None);
    let faults = [
        Fault::CutAfter(700),
        Fault::ResetAfter(1500),
        Fault::LoseAnswers,
        Fault::Delay(Duration::from_millis(50)),
        Fault::CutAfter(0),
        Fault::Flip(9),
    ];
    let ((), load) = Load::during(logveil.http, 2, |load| {
        for fault in faults {
            proxy.set(fault);
            load.waits_for(200);
            wait_until("the fault struck", || proxy.strikes() > 0);
        }
        proxy.set(Fault::LoseAnswers);
        let before = collector.twice();
        wait_until("something came again whose answer was lost", || collector.twice() > before);
        proxy.set(Fault::None);
    });
    collector.has_all(&load.acknowledged());
    ends_clean(logveil, &collector);
}

/// F15, without a queue on disk: a frozen sink takes its own bound of memory, and until that is reached the other gets
/// everything at once.
#[test]
fn a_frozen_sink_costs_the_other_nothing_until_its_bound() {
    let (sick, well) = (Collector::start(), Collector::start());
    let proxy = Proxy::start(sick.port, Fault::Freeze);
    let sinks = sink("sick", proxy.port) + &sink("well", well.port);
    let logveil = Logveil::start_as("", &sinks, "queue: { mode: memory, max_bytes: 1MiB }\n", &[]);
    // Over TCP nobody waits for an answer. First less than the bound, then twice of it, counted with what is known of a
    // record beside its text.
    let mut tcp = TcpStream::connect(("127.0.0.1", logveil.syslog)).unwrap();
    let send = |tcp: &mut TcpStream, numbers: Range<usize>| {
        let lines: Vec<u8> =
            numbers.flat_map(|number| (planted::message(number) + "\n").into_bytes()).collect();
        tcp.write_all(&lines).unwrap();
    };
    send(&mut tcp, 0..1000);
    wait_until("the other sink has them", || well.records() == 1000);
    assert_eq!(sick.records(), 0);
    send(&mut tcp, 1000..12_000);
    // A batch counts as two thirds of a MiB at most, so a third is there when no further one fits.
    wait_until("the bound is near", || logveil.queued("sick") > 300_000);
    assert!(well.records() < 12_000 && sick.records() == 0);
    assert!(logveil.memory() < MEMORY);
    proxy.set(Fault::None);
    for collector in [&well, &sick] {
        collector.has_all(&(0..12_000).collect());
    }
    drop(tcp);
    ends_clean(logveil, &sick);
}

//! The program is killed, or told to end while its sink is dead.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::{MEMORY, durable, ends_clean};
use crate::support::oracle::{Collector, Load};
use crate::support::proxy::{Fault, Proxy};

/// Kills of one run; `LOGVEIL_KILLS` asks for more.
const KILLS: u64 = 200;

/// F01: kill -9 under load, 200 times at moments that a seed decides.
#[test]
fn no_acknowledged_record_is_lost_by_kills() {
    let kills = std::env::var("LOGVEIL_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(KILLS);
    let collector = Collector::start();
    let mut logveil = durable(collector.port);
    let seed = u64::from(std::process::id());
    eprintln!("{kills} kills, seed {seed}");
    let mut state = seed;
    let ((), load) = Load::during(logveil.http, 2, |load| {
        for kill in 0..kills {
            // Not each life gets to the first acknowledgement; every tenth does.
            if kill % 10 == 0 {
                load.waits_for(20);
            }
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            std::thread::sleep(Duration::from_millis((state >> 33) % 100));
            logveil.kill();
            logveil.start_again();
        }
        load.waits_for(20);
    });
    let acknowledged = load.acknowledged();
    eprintln!("{} records acknowledged, {} arrived", acknowledged.len(), collector.records());
    assert!(acknowledged.len() as u64 > 2 * kills);
    collector.has_all(&acknowledged);
    ends_clean(logveil, &collector);
}

/// F45, T16: SIGTERM under load while the sink takes connections and nothing else. It ends in time and well, since all
/// that was acknowledged is on disk, and the next start delivers it.
#[test]
fn a_dead_sink_does_not_hold_up_the_end_and_loses_nothing() {
    let collector = Collector::start();
    let proxy = Proxy::start(collector.port, Fault::Freeze);
    let mut logveil = durable(proxy.port);
    let ((), load) = Load::during(logveil.http, 2, |load| {
        load.waits_for(500);
        let told = Instant::now();
        logveil.signal(Signal::TERM);
        logveil.ends_well();
        assert!(told.elapsed() < Duration::from_secs(10), "{:?}", told.elapsed());
    });
    assert_eq!(collector.records(), 0);
    proxy.set(Fault::None);
    logveil.start_again();
    collector.has_all(&load.acknowledged());
    assert!(logveil.memory() < MEMORY);
    ends_clean(logveil, &collector);
}

/// T15: one record alone is delivered, without others that push it.
#[test]
fn a_single_record_does_not_wait_for_a_second() {
    let collector = Collector::start();
    let logveil = durable(collector.port);
    let message = crate::support::planted::message(7);
    let answer = crate::support::http::post(logveil.http, "/v1/logs", &[], message.as_bytes()).unwrap();
    assert_eq!(answer.status, 200);
    collector.has_all(&[7].into());
    ends_clean(logveil, &collector);
}

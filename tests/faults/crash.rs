//! The program is killed, or told to end while its sink is dead.

use std::time::{Duration, Instant};

use logveil::limit::DRAIN_WAIT;
use rustix::process::Signal;

use super::{Draw, MEMORY, asked, behind, durable, ends_clean};
use crate::support::oracle::{Collector, Load};
use crate::support::proxy::Fault;

/// Kills of one run; `LOGVEIL_KILLS` asks for more, `LOGVEIL_KILLS_SEED` for the moments of a run that was.
const KILLS: u64 = 200;

/// F01: kill -9 under load, 200 times at moments that a seed decides.
#[test]
fn no_acknowledged_record_is_lost_by_kills() {
    let kills = asked("LOGVEIL_KILLS").unwrap_or(KILLS);
    let seed = asked("LOGVEIL_KILLS_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    eprintln!("{kills} kills, seed {seed}");
    let collector = Collector::start();
    let mut logveil = durable(collector.port);
    let mut draw = Draw(seed);
    let ((), load) = Load::during(logveil.http, 2, |load| {
        for kill in 0..kills {
            // Not each life gets to the first acknowledgement; every tenth does.
            if kill % 10 == 0 {
                load.waits_for(20);
            }
            std::thread::sleep(Duration::from_millis(draw.below(100)));
            logveil.kill();
            logveil.start_again();
        }
        load.waits_for(20);
    });
    let acknowledged = load.acknowledged();
    eprintln!("{} records acknowledged, {} arrived", acknowledged.len(), collector.records());
    collector.has_all(&acknowledged);
    ends_clean(logveil, &collector);
}

/// F45: SIGTERM under load while the sink takes connections and nothing else. It ends in time and well, since all
/// that was acknowledged is on disk, and the next start delivers it.
#[test]
fn a_dead_sink_does_not_hold_up_the_end_and_loses_nothing() {
    let (collector, proxy, mut logveil) = behind(Fault::Freeze);
    let ((), load) = Load::during(logveil.http, 2, |load| {
        load.waits_for(500);
        let told = Instant::now();
        logveil.signal(Signal::TERM);
        logveil.ends_well();
        assert!(told.elapsed() < DRAIN_WAIT, "{:?}", told.elapsed());
    });
    proxy.set(Fault::None);
    logveil.start_again();
    collector.has_all(&load.acknowledged());
    assert!(logveil.memory() < MEMORY);
    ends_clean(logveil, &collector);
}

/// One record alone is delivered, without others that push it.
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

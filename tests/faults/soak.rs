//! Faults one after the other, drawn from a seed, under load, for as long as is asked for.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::{Draw, MEMORY, asked, behind, ends_clean};
use crate::support::oracle::Load;
use crate::support::proxy::Fault;
use crate::support::wait_until;

/// Seconds of a run; `LOGVEIL_SOAK_S` asks for others.
const SECONDS: u64 = 60;

/// Seconds between two faults, where a run is long.
const PAUSE_S: u64 = 60;

/// F54: 60 s of it with a fixed seed; a day, or another seed, when the environment asks for it.
#[test]
fn any_faults_in_any_order_lose_nothing() {
    let seconds = asked("LOGVEIL_SOAK_S").unwrap_or(SECONDS);
    let seed = asked("LOGVEIL_SOAK_SEED").unwrap_or(54);
    eprintln!("{seconds} s, seed {seed}");
    let pause = Duration::from_secs((seconds / 30).clamp(1, PAUSE_S));
    let (collector, proxy, mut logveil) = behind(Fault::None);
    let mut draw = Draw(seed);
    let (mut memory, mut strikes) = (Vec::new(), 0);
    let started = Instant::now();
    let ((), load) = Load::during(logveil.http, 2, |load| {
        while started.elapsed() < Duration::from_secs(seconds) {
            match draw.below(10) {
                0 | 1 => {
                    std::thread::sleep(Duration::from_millis(draw.below(300)));
                    logveil.kill();
                    logveil.start_again();
                }
                2 => {
                    logveil.signal(Signal::TERM);
                    logveil.ends_well();
                    logveil.start_again();
                }
                3 => logveil.signal(Signal::HUP),
                4 => strikes += proxy.set(Fault::Freeze),
                5 => strikes += proxy.set(Fault::Throttle(64 << 10)),
                6 => strikes += proxy.set(Fault::CutAfter(draw.below(100_000) as usize)),
                7 => strikes += proxy.set(Fault::ResetAfter(draw.below(100_000) as usize)),
                8 => strikes += proxy.set(Fault::LoseAnswers),
                _ => strikes += proxy.set(Fault::Delay(Duration::from_millis(draw.below(200)))),
            }
            std::thread::sleep(pause);
            memory.push(logveil.memory());
            // Every other fault is over before the next one comes.
            if draw.below(2) == 0 {
                strikes += proxy.set(Fault::None);
                load.waits_for(20);
            }
        }
        strikes += proxy.set(Fault::None);
        load.waits_for(20);
    });
    let acknowledged = load.acknowledged();
    collector.has_all(&acknowledged);
    assert!(strikes > 0, "no fault of the way struck");
    eprintln!(
        "{} records acknowledged, {} arrived, most memory {} MiB",
        acknowledged.len(),
        collector.records(),
        memory.iter().max().copied().unwrap_or_default() >> 20
    );
    assert!(acknowledged.len() as u64 > seconds);
    assert!(memory.iter().all(|peak| *peak < MEMORY), "{memory:?}");
    wait_until("nothing waits", || {
        let metrics = logveil.metrics();
        metrics.contains("logveil_queue_bytes{sink=\"relay\"} 0\n")
    });
    ends_clean(logveil, &collector);
}

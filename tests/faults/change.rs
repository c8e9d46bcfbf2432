//! What the program works by changes under load: rules, policy, configuration, certificates of its own identity.

use std::fs;

use rustix::process::Signal;

use super::{durable, ends_clean};
use crate::support::oracle::{Collector, Load};
use crate::support::wait_until;

/// F31: rules are swapped under load, again and again, for good ones and for ones that do not compile. There is no moment
/// without rules: the collector looks for planted values in all that arrives. Bad ones are refused, and the old ones stay;
/// a start with bad ones is refused, too.
#[test]
fn rules_that_change_under_load_leave_no_gap() {
    let collector = Collector::start();
    let mut logveil = durable(collector.port);
    let config = fs::read_to_string(logveil.config()).unwrap();
    let pack = logveil.dir().join("own.yaml");
    let good = "rules:\n  - name: own-ticket\n    entity: api_key\n    description: Tickets of the test.\n    \
                anchors: [TCK-]\n    pattern: 'TCK-[0-9]{8}'\n    examples: ['see «TCK-12345678»']\n    \
                counter_examples: ['TCK-1']\n";
    fs::write(&pack, good).unwrap();
    let with_pack = format!("{config}packs: [\"{}\"]\n", pack.display());
    let count = |outcome: &str| logveil.metric(&format!("logveil_reloads_total{{outcome=\"{outcome}\"}}"));
    let ((), load) = Load::during(logveil.http, 2, |load| {
        for round in 1..=10 {
            load.waits_for(50);
            fs::write(logveil.config(), if round % 2 == 0 { &config } else { &with_pack }).unwrap();
            logveil.signal(Signal::HUP);
            wait_until("the good rules are taken", || count("applied") == round);
            fs::write(&pack, good.replace("[0-9]{8}", "[0-9]{8")).unwrap();
            fs::write(logveil.config(), &with_pack).unwrap();
            logveil.signal(Signal::HUP);
            wait_until("the bad ones are refused", || count("refused") == round);
            load.waits_for(50);
            fs::write(&pack, good).unwrap();
        }
    });
    collector.has_all(&load.acknowledged());
    fs::write(&pack, good.replace("[0-9]{8}", "[0-9]{8")).unwrap();
    logveil.signal(Signal::TERM);
    logveil.ends_well();
    let mut command = std::process::Command::new(crate::support::logveil::binary());
    let output = command.args(["run", "--config"]).arg(logveil.config()).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
    fs::write(&pack, good).unwrap();
    logveil.start_again();
    ends_clean(logveil, &collector);
}

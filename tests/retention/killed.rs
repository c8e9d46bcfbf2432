//! An `apply` that is killed at any of its steps is followed by one that ends it.

use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::Place;
use super::clickhouse::{Engine, place};
use super::standin::{Ism, StandIn};
use crate::support::http;
use crate::support::logveil::binary;

/// Kills the process that is at work at one of its changes: before it comes about, or after it and before its answer.
#[derive(Default)]
struct Killer {
    pid: Option<u32>,
    changes: u32,
    at: u32,
    before: bool,
}

impl Killer {
    /// Whether a change is to come about.
    fn meets_change(&mut self) -> bool {
        self.changes += 1;
        self.changes != self.at || !self.before
    }

    fn after_change(&mut self) {
        if self.changes == self.at
            && let Some(pid) = self.pid.take().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?))
        {
            kill_process(pid, Signal::KILL).unwrap();
        }
    }
}

/// Lets `apply` be killed at its change `at`, then lets it run to its end.
fn killed_then_applied(place: &Place, killer: &Arc<Mutex<Killer>>, at: u32, before: bool) {
    let mut command = Command::new(binary());
    command.args(["retention", "apply", "--yes", "--config"]).arg(&place.config);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // No change is met before it is known who makes it.
    let mut held = killer.lock().unwrap();
    let mut child = command.spawn().unwrap();
    *held = Killer { pid: Some(child.id()), changes: 0, at, before };
    drop(held);
    let ended = child.wait().unwrap();
    assert_eq!(ended.code(), None, "it was killed at change {at}");
    killer.lock().unwrap().at = 0;
    place.verifies(1, &["exceeds the limit"]);
    place.retention(&["apply", "--yes"]).is(0, &["compliant"]);
    place.verifies(0, &[]);
    // What was begun stands there, too, and the chain is whole.
    place.retention(&["report"]).is(0, &["setting   ", "set       ", "their chain whole"]);
}

/// The real engine, behind something that looks at what passes.
#[test]
fn a_killed_apply_on_clickhouse_is_ended_by_the_next() {
    // The last of the two changes, killed after it came about, leaves nothing to be mended.
    for (at, before) in [(1, true), (1, false), (2, true)] {
        let place_ = Place::new("");
        let engine = Engine::start(&place_);
        let killer = Arc::new(Mutex::new(Killer::default()));
        let (port, shared) = (engine.port, Arc::clone(&killer));
        let proxy = StandIn::start(move |_, path, body| {
            let sql = body.as_str().unwrap_or_default();
            let change = sql.starts_with("ALTER");
            let comes = !change || shared.lock().unwrap().meets_change();
            let answer = match comes {
                true => http::post(port, path, &[], sql.as_bytes()).unwrap(),
                false => http::Answer { status: 500, body: String::new() },
            };
            if change {
                shared.lock().unwrap().after_change();
            }
            (answer.status, Value::String(answer.body))
        });
        place_.configure(&place(proxy.port));
        engine.run(
            "CREATE TABLE logs (received DateTime64(3), message String) ENGINE = MergeTree ORDER BY received",
        );
        killed_then_applied(&place_, &killer, at, before);
    }
}

#[test]
fn a_killed_apply_on_opensearch_is_ended_by_the_next() {
    // Once the policy is in the index, `change_policy` changes nothing any more.
    for (at, before) in [(1, true), (1, false), (2, true)] {
        let (killer, mut ism) = (Arc::new(Mutex::new(Killer::default())), Ism::default());
        let shared = Arc::clone(&killer);
        let stand_in = StandIn::start(move |method, path, body| {
            let change = method == "PUT" || path.contains("/_ism/add/") || path.contains("/change_policy/");
            let comes = !change || shared.lock().unwrap().meets_change();
            let answer = if comes { ism.answer(method, path, body) } else { (503, Value::Null) };
            if change {
                shared.lock().unwrap().after_change();
            }
            answer
        });
        let place = super::standin::place(stand_in.port, "opensearch");
        killed_then_applied(&place, &killer, at, before);
    }
}

/*!
What logveil deletes by itself where a store has no lifecycle: rotated files,
dated indices, and objects that are named by their hour.
*/

use std::time::Duration;

use super::bound::{Effective, Grain, Lag, TooShort, What, total};
use super::driver::{Setting, Wanted};
use super::span::Span;
use crate::clock::Timestamp;
use crate::keys::belief::subtract;
use crate::limit::{BELIEF_WAIT, STORE_SWEEP_EVERY};

/// What is said where it should be set.
pub const NOTHING_TO_SET: &str = "kept by `logveil run`, nothing to set";

/// What a limit needs, where nothing is deleted before it is `least` old.
pub fn wants(limit: Duration, least: Duration) -> Result<Wanted, TooShort> {
    let grain = Grain::Steps { step: Duration::from_secs(60), least };
    Wanted::within(limit, lags(), grain, |value| settings(Some(value)))
}

/// What comes on top.
pub fn lags() -> Vec<Lag> {
    vec![
        Lag::new(What::Sweep, 2 * STORE_SWEEP_EVERY, "logveil looks every ten minutes, and may start anew"),
        Lag::new(What::Grace, BELIEF_WAIT, "after a start the clock is believed once it ran for an hour"),
    ]
}

/// What it amounts to that things are deleted at this age, or at none.
pub fn effective(value: Option<Duration>) -> Effective {
    match value {
        Some(value) => Effective::new(value, lags()),
        None => Effective::forever("its limit is shorter than can be kept"),
    }
}

/// The age as the one setting of a plan.
pub fn settings(value: Option<Duration>) -> Vec<Setting> {
    value.map(|value| Setting::new("deleted by logveil after", Span(value).to_string())).into_iter().collect()
}

/// What began before this moment is gone, if the sweep goes.
pub fn gone_before(value: Option<Duration>, now: Timestamp) -> Option<Timestamp> {
    value.map(|value| subtract(now, value.saturating_add(total(&lags()))))
}

/// That the sweep stands still, as something shows that is still there.
pub fn stalled(name: &str) -> String {
    format!("{name} should be deleted and is there; start `logveil run`")
}

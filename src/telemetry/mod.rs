/*!
What the program tells about itself: its own log lines and its metrics.

Neither carries a byte of a record. Metrics take their label values from closed
sets: names of the configuration, names of the policy, and the enums here.
*/

pub mod log;
mod metrics;

pub use metrics::{
    Cut, Discard, LetterLoss, Metric, Metrics, QueueLoss, Refusal, SinkError, TABLE, reference,
};

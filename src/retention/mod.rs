/*!
How long a record can really stay in a store: read, computed, set, and judged.

A policy bounds a record's life. What a store is told is not that bound: its
clock starts at a roll-over, its sweep comes by at its own pace, it rounds to
days. [`Effective`] is what a store really does, with its arithmetic;
[`judge`] compares it, and the oldest record that is there, with the limit.
What is unknown is never compliant.

A [`Driver`] speaks to one kind of store, one file each. Only drivers wait for
anything; [`bound`] and [`verdict`] compute.

What deliberately is not here: a schedule of checks, and what becomes of a class
whose store fails one. The program asks, and holds what it must hold back.
*/

pub mod archive;
pub mod ask;
pub mod bound;
pub mod by_time;
pub mod clickhouse;
pub mod cloudwatch;
pub mod datadog;
pub mod documents;
mod driver;
pub mod elasticsearch;
pub mod evidence;
pub mod files;
pub mod indices;
pub mod kafka;
pub mod loki;
pub mod nats;
pub mod opensearch;
pub mod own;
pub mod quickwit;
pub mod s3;
pub mod span;
pub mod splunk;
mod store;
pub mod verdict;
pub mod victorialogs;

pub use bound::{Effective, Grain, Kept, Lag, TooShort, What, value_for};
pub use driver::{
    Can, Deleted, Doing, Driver, Gone, Page, Reading, Setting, Stored, Unknown, Wanted, changes,
};
pub use store::{Kind, OnUnverified, Store, Target};
pub use verdict::{Oldest, Verdict, judge};

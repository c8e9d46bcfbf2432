//! Everything that needs the whole program, in one binary, by area.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic, and may say why")]

mod aggregates;
mod archive;
mod bench;
mod faults;
mod filter;
mod keys;
mod laws;
mod packs;
mod profiles;
mod real;
mod retention;
mod run;
mod sinks;
mod sources;
mod subject;
mod support;
mod tidy;

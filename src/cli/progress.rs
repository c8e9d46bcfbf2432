//! How far it is, for somebody who watches.

use std::fs;
use std::io::{self, IsTerminal};

use indicatif::{ProgressBar, ProgressStyle};

use crate::filter::Input;

/// A bar on standard error, if all inputs are files, a person watches, and the output goes elsewhere.
pub(super) fn bar(inputs: &[Input]) -> ProgressBar {
    let watched = io::stderr().is_terminal() && !io::stdout().is_terminal();
    let total: Option<u64> = inputs.iter().map(size).sum();
    match total {
        Some(total) if watched && total > 0 => ProgressBar::new(total).with_style(style()),
        _ => ProgressBar::hidden(),
    }
}

fn size(input: &Input) -> Option<u64> {
    match input {
        Input::Stdin => None,
        Input::File(path) => Some(fs::metadata(path).map_or(0, |metadata| metadata.len())),
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{wide_bar} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} to go")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}

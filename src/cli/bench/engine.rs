//! `logveil bench engine`: the engine on somebody's own logs.

use std::path::PathBuf;
use std::time::Duration;

use super::tell::{self, Report};
use crate::bench::engine::{Subject, measure};
use crate::bench::{Effort, Sample, rules};
use crate::cli::choice::{Choice, name};
use crate::cli::output::Output;
use crate::cli::packs;
use crate::cli::redact::run_keyring;
use crate::cli::{Error, Exit, reason};
use crate::clock::ThreadClock;
use crate::detect::pack;
use crate::filter::{Input, Part, Pieces};
use crate::limit;
use crate::secret::Raw;

/// Measure the engine: throughput, share of memcpy, cost by stage and by rule.
///
/// One thread and its own time, text in memory to text in memory: files are read first, then cleaned again and again as `redact` cleans
/// them. Of large inputs only the beginning is taken, 128 MiB in all. The report holds counts and times, never a byte
/// of a record.
///
/// engine: framing, routing, detection and replacement of the whole sample; the median of the runs, the fastest and the
/// slowest. memcpy: a plain copy of the same bytes, between the runs; the share of it can be compared between machines,
/// MB/s (10^6 bytes) cannot. Stages: each is run alone over the sample; `act` is what detection, action and
/// copying together take beyond the other two, `rest` what the whole takes beyond all of them.
///
/// Rules: for those with candidates in 8 MiB from all over the sample (less if the engine is slow), candidates are
/// values that were looked at closely and findings what they came to. The cost is the time of the search with all rules
/// less that with all but this one, the fastest of 8 runs each, in turn. Measurements that differ in nothing are as far
/// apart as the noise; a cost below it cannot be told from nothing. Rules that are not reached in time have no cost.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  logveil bench engine --input access.log --policy everything\n  \
                        logveil bench engine --input *.log --format json > measured.json")]
pub(super) struct Arguments {
    #[command(flatten)]
    choice: Choice,
    /// Files to measure on; `-` is standard input.
    #[arg(long, value_name = "FILE", num_args = 1.., required = true)]
    input: Vec<PathBuf>,
    /// Runs that are measured; fewer, but 3 at least, if there is no time for them.
    #[arg(long, value_name = "N", default_value_t = 9)]
    runs: usize,
    /// Time for each of the two measurements, of the whole and of the rules.
    #[arg(long, value_name = "SECONDS", default_value_t = 20)]
    seconds: u64,
    /// How to tell: tables for people, or one JSON object.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// The forms of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Error> {
    let (policy, class) = arguments.choice.load()?;
    let more = arguments.choice.packs().read()?;
    let packs = [pack::BUILTIN, &packs::named(&more)].concat();
    let keyring = run_keyring()?;
    let (sample, is_whole) = read(&arguments.input)?;
    let subject = Subject { policy: &policy, class, keyring: &keyring };
    let wait_max = Duration::from_secs(arguments.seconds);
    let effort = Effort { runs: arguments.runs, wait_max };
    let measured = measure(subject, &sample, effort, &ThreadClock);
    let costs = rules::measure(subject, &packs, &sample, wait_max, &ThreadClock);
    let report =
        Report { subject, files: arguments.input.len(), is_whole, measured: &measured, costs: &costs };
    Output::open()?.write(&match arguments.format {
        Format::Text => tell::text(&report),
        Format::Json => tell::json(&report),
    })?;
    Ok(Exit::Done)
}

/// What is taken of the inputs, an equal share of each, and whether that is all of them.
pub(in crate::cli) fn read(paths: &[PathBuf]) -> Result<(Sample, bool), Error> {
    let bytes_max = limit::BENCH_BYTES_MAX / paths.len();
    let (mut pieces, mut is_whole) = (Vec::new(), true);
    for path in paths {
        let input = if path.as_os_str() == "-" { Input::Stdin } else { Input::File(path.clone()) };
        let (of_input, to_its_end) = read_one(&input, bytes_max)?;
        if of_input.iter().all(Raw::is_empty) {
            return Err(Error::Usage(format!("--input: {} has no record to measure on", name(&input))));
        }
        pieces.extend(of_input);
        is_whole &= to_its_end;
    }
    Ok((Sample::new(pieces), is_whole))
}

fn read_one(input: &Input, bytes_max: usize) -> Result<(Vec<Raw>, bool), Error> {
    let (mut taken, mut bytes) = (Vec::new(), 0);
    for piece in Pieces::new(vec![input.clone()]) {
        match piece.part {
            Part::Lines(_) if bytes >= bytes_max => return Ok((taken, false)),
            Part::Lines(raw) => {
                bytes += raw.len();
                taken.push(raw);
            }
            // Withheld without being searched: nothing to measure.
            Part::Oversize { .. } => {}
            Part::Unreadable(error) => {
                let (name, reason) = (name(input), reason(&error));
                return Err(Error::Usage(format!("--input: cannot read {name}: {reason}")));
            }
        }
    }
    Ok((taken, true))
}

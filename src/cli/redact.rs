//! `logveil redact`: raw in, clean out, as a Unix filter.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal};
use std::sync::Arc;

use indicatif::ProgressBar;

use super::choice::{Choice, Inputs, name};
use super::output::{Output, counted, grouped, sized};
use super::{Error, Exit, complain, progress, reason};
use crate::act::Redacted;
use crate::clock::{Clock, SystemClock};
use crate::filter::{Input, Origin, Part, Piece, Pieces, Stopped, batches, in_order};
use crate::keys::{EpochKey, KeyId, Keyring};
use crate::mark;
use crate::pipeline::{Again, Hit, Outcome, Rescan, State, Tally, process};
use crate::policy::Policy;
use crate::secret::{Raw, Secret};
use crate::vault;

/// Replace what is sensitive: raw in, clean out.
///
/// Every byte outside of findings comes out as it went in, in order. Lines over 1 MiB are withheld and a marker stands
/// in their place. Pseudonyms are made with a random key of this run: equal values are equal in one run's output and
/// in no other's. A file that cannot be read is reported, the others are still redacted, and the exit code is 2.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  logveil redact < raw.log > clean.log\n  \
                        tail -f app.log | logveil redact --policy everything\n  \
                        logveil redact --class access access.log access.log.1 > clean.log")]
pub(super) struct Arguments {
    #[command(flatten)]
    choice: Choice,
    #[command(flatten)]
    inputs: Inputs,
    /// Look at the output once more before it is written, and put a marker in the place of a line with a value left in it.
    #[arg(long)]
    rescan: bool,
    /// No summary of the findings on standard error.
    #[arg(long, short)]
    quiet: bool,
}

pub(super) fn run(arguments: Arguments) -> Result<Exit, Error> {
    let (policy, _) = arguments.choice.load()?;
    let policy = Arc::new(policy);
    let keyring = Arc::new(run_keyring()?);
    let inputs = arguments.inputs.list();
    if !arguments.quiet && inputs.contains(&Input::Stdin) && io::stdin().is_terminal() {
        complain("reading what you type; Ctrl-D ends it");
    }
    let origin = Origin { received: SystemClock::new().now(), source: "filter".into() };
    let rescan = arguments.rescan.then(|| Arc::new(Rescan::new(&policy, &[])));
    let worker = || {
        let (policy, keyring, origin) = (Arc::clone(&policy), Arc::clone(&keyring), origin.clone());
        let (state, again) = (State::default(), Again::default());
        let mut worker = Worker { policy, keyring, origin, rescan: rescan.clone(), state, again };
        move |piece| worker.clean(piece)
    };
    let mut writer = Writer::try_new(&inputs, arguments.quiet)?;
    in_order(arguments.inputs.threads(), Pieces::new(inputs.clone()), worker, |cleaned| writer.take(cleaned))
        .map_err(stopped)?;
    Ok(writer.finish(&policy))
}

/// Why a stream ended before its input.
pub(super) fn stopped(stopped: Stopped<Error>) -> Error {
    match stopped {
        Stopped::Consumer(error) => error,
        Stopped::Thread => {
            Error::Failure("a thread died or could not be started; the output ends early".to_owned())
        }
    }
}

/// A keyring that nobody keeps.
pub(super) fn run_keyring() -> Result<Keyring, Error> {
    let sessions = vault::new_sessions().map_err(Error::failure)?;
    Ok(Keyring::for_run(run_key()?).with_sessions(Arc::new(sessions)))
}

fn run_key() -> Result<EpochKey, Error> {
    let random = |bytes: &mut [u8]| {
        vault::random(bytes)
            .map_err(|_| Error::Failure("the operating system gives no random bytes for a key".to_owned()))
    };
    let mut id = [0; 5];
    random(&mut id)?;
    let id = id.map(|byte| b"abcdefghijklmnopqrstuvwxyz234567"[usize::from(byte % 32)]);
    let mut secret = vec![0; 32];
    random(&mut secret)?;
    Ok(EpochKey::new(KeyId([b'k', id[1], id[2], id[3], id[4]]), &Secret::new(secret)))
}

/// What became of a piece.
struct Cleaned {
    input: usize,
    /// Bytes of the input that are done with.
    read_bytes: u64,
    fate: Fate,
}

enum Fate {
    Clean { bytes: Vec<u8>, tally: Tally, hits: Vec<Hit> },
    Keyless { class: String },
    Unreadable(io::Error),
}

/// What one thread works with.
struct Worker {
    policy: Arc<Policy>,
    keyring: Arc<Keyring>,
    origin: Origin,
    rescan: Option<Arc<Rescan>>,
    state: State,
    again: Again,
}

impl Worker {
    fn clean(&mut self, piece: Piece) -> Cleaned {
        let input = piece.input;
        match piece.part {
            Part::Lines(raw) => {
                let read_bytes = raw.len() as u64;
                Cleaned { input, read_bytes, fate: self.clean_lines(raw) }
            }
            Part::Oversize { bytes, ended } => {
                Cleaned { input, read_bytes: bytes + u64::from(ended), fate: withhold(bytes, ended) }
            }
            Part::Unreadable(error) => Cleaned { input, read_bytes: 0, fate: Fate::Unreadable(error) },
        }
    }

    fn clean_lines(&mut self, raw: Raw) -> Fate {
        let mut clean = Vec::new();
        let (mut total, mut hits) = (Tally::default(), Vec::new());
        // Only the last line of an input may lack its newline, and it comes alone.
        let ended = raw.bytes().last() == Some(&b'\n');
        for batch in batches(raw, &self.origin) {
            match process(&self.policy, &self.keyring, &mut self.state, batch) {
                Outcome::Clean { mut redacted, mut tally, ack } => {
                    if let Some(rescan) = &self.rescan {
                        redacted = rescan.look(&self.policy, &mut self.again, redacted, &mut tally);
                        hits.extend(self.again.hits());
                    }
                    append(&mut clean, redacted, ended);
                    total.add(&tally);
                    ack.confirm();
                }
                Outcome::Held { class, .. } => {
                    return Fate::Keyless { class: self.policy.class_name(class).to_owned() };
                }
            }
        }
        Fate::Clean { bytes: clean, tally: total, hits }
    }
}

/// Appends the records' messages, each with a newline, or the only one without if the input has `ended` without.
fn append(clean: &mut Vec<u8>, redacted: Redacted, ended: bool) {
    if redacted.is_empty() {
        return;
    }
    match redacted.into_lines() {
        Ok(lines) if clean.is_empty() => *clean = lines,
        Ok(lines) => clean.extend_from_slice(&lines),
        Err(_) => unreachable!("a line is a record that is all message"),
    }
    if ended {
        clean.push(b'\n');
    }
}

/// The marker in the place of a line that was too long to be held.
fn withhold(line_bytes: u64, ended: bool) -> Fate {
    let mut bytes = Vec::new();
    mark::write_withheld(&mut bytes, usize::try_from(line_bytes).unwrap_or(usize::MAX), "too long");
    if ended {
        bytes.push(b'\n');
    }
    let mut tally = Tally::default();
    tally.records_in = 1;
    tally.records_out = 1;
    tally.withheld = 1;
    tally.bytes_in = line_bytes + u64::from(ended);
    tally.bytes_out = bytes.len() as u64;
    Fate::Clean { bytes, tally, hits: Vec::new() }
}

/// Takes cleaned pieces in order, writes them, counts, and sums up at the end.
struct Writer {
    output: Output,
    names: Vec<String>,
    bar: ProgressBar,
    total: Tally,
    /// Values that the second look found, by the entity's place.
    hits: BTreeMap<usize, u64>,
    /// Inputs that could not be read to their end.
    unreadable: u64,
    /// The last line so far has no newline; it gets one if another line follows, so that no two records run together.
    owes_newline: bool,
    quiet: bool,
}

impl Writer {
    fn try_new(inputs: &[Input], quiet: bool) -> Result<Writer, Error> {
        Ok(Writer {
            output: Output::open()?,
            names: inputs.iter().map(name).collect(),
            bar: if quiet { ProgressBar::hidden() } else { progress::bar(inputs) },
            total: Tally::default(),
            hits: BTreeMap::new(),
            unreadable: 0,
            owes_newline: false,
            quiet,
        })
    }

    fn take(&mut self, cleaned: Cleaned) -> Result<(), Error> {
        self.bar.inc(cleaned.read_bytes);
        match cleaned.fate {
            Fate::Clean { bytes, tally, hits } => {
                self.total.add(&tally);
                for hit in hits {
                    *self.hits.entry(hit.entity.index()).or_default() += 1;
                }
                self.write(&bytes)
            }
            Fate::Keyless { class } => {
                Err(Error::Failure(format!("no key for class {class}; the output ends early")))
            }
            Fate::Unreadable(error) => {
                self.unreadable += 1;
                let line = format!("cannot read {}: {}", self.names[cleaned.input], reason(&error));
                self.bar.suspend(|| complain(&line));
                Ok(())
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let Some(last) = bytes.last() else { return Ok(()) };
        if self.owes_newline {
            self.output.write(b"\n")?;
        }
        self.owes_newline = *last != b'\n';
        self.output.write(bytes)
    }

    fn finish(self, policy: &Policy) -> Exit {
        self.bar.finish_and_clear();
        let entities = policy.rules().entities();
        for (place, values) in &self.hits {
            let name = entities.iter().nth(*place).map_or("other", |entity| entities.name(entity));
            complain(&format!(
                "the second look found {name} in {}, and withheld each record",
                counted(*values, "place")
            ));
        }
        if !self.quiet {
            for line in summary(&self.total, policy) {
                complain(&line);
            }
        }
        if self.unreadable > 0 { Exit::Usage } else { Exit::Done }
    }
}

/// What was done, in lines: the totals, then one for each entity and action.
fn summary(total: &Tally, policy: &Policy) -> Vec<String> {
    let entities: Vec<&str> =
        policy.rules().entities().iter().map(|entity| policy.rules().entities().name(entity)).collect();
    let mut found: Vec<(&str, &str, u64)> =
        total.findings().map(|(entity, action, count)| (entities[entity], action, count)).collect();
    found.sort_by_key(|&(entity, action, count)| (std::cmp::Reverse(count), entity, action));
    let findings: u64 = found.iter().map(|(_, _, count)| count).sum();
    let mut head = format!(
        "{}, {} in, {}, policy {}",
        counted(total.records_in, "record"),
        sized(total.bytes_in),
        counted(findings, "finding"),
        policy.names().policy,
    );
    for (count, what) in [(total.withheld, "withheld"), (total.dropped, "dropped")] {
        if count > 0 {
            head.push_str(&format!(", {} {what}", counted(count, "record")));
        }
    }
    let width = found.iter().map(|(entity, ..)| entity.len()).max().unwrap_or(0);
    let each = found.iter().map(|(entity, action, count)| {
        format!("  {entity:width$}  {action:12}  {count:>12}", count = grouped(*count))
    });
    std::iter::once(head).chain(each).collect()
}

//! `logveil archive`: the embedded store, read, checked and purged.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use super::operator::{Permit, Who, audited};
use super::output::{Output, counted, grouped, sized};
use super::{Error, Exit, choice, complain};
use crate::act::Envelope;
use crate::archive::{self, Go, Listed, Purge, Purged, Read, Reader, Selection, Standing};
use crate::clock::{Clock, SystemClock, Timestamp};
use crate::config::{May, Role, Settings};
use crate::policy::{Policy, builtin_rules};
use crate::retention::Store;
use crate::sink::push_one_line;
use crate::ttl::Ttl;
use crate::vault::{self, Act, DataDir, Evidence, Kek, KekPlace, Timekeeper, Vault};

/// Bytes of output that are gathered before they are written.
const OUTPUT_BYTES: usize = 64 * 1024;

/// Read, check or purge the archive, also while `logveil run` writes to it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  logveil archive ls\n  \
                        logveil archive cat --class access --since 2h\n  \
                        logveil archive cat --format json --since 2026-11-22 --until 2026-11-23T12:00:00Z\n  \
                        logveil archive verify --data-dir /var/lib/logveil\n  \
                        logveil archive purge --class support --before 30d\n\n\
                        Moments are written 2026-11-22, 2026-11-22T10:00:00Z, or as an age: 36h, 7d. All of it is UTC.")]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// The partitions, a line each: class and time, records, bytes, when it is destroyed.
    Ls {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        choice: Choice,
        /// How they are written.
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// The records, a line each, in order of arrival. Line feeds in a message become spaces.
    Cat {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        choice: Choice,
        /// How they are written: the message alone, or the envelope as a JSON object.
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Checks that every block is what was written and that nothing overdue is there. Exit code 1 if not.
    Verify {
        #[command(flatten)]
        place: Place,
    },
    /// Destroys what is overdue; or, with --class and --before, what is chosen.
    Purge {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        permit: Permit,
        /// The wall clock is right: destroy by it at once, without waiting an hour for it to prove itself.
        #[arg(long)]
        confirm: bool,
        /// Destroy this class's partitions, due or not.
        #[arg(long, value_name = "CLASS", requires = "before")]
        class: Option<String>,
        /// Those that were received before this moment.
        #[arg(long, value_name = "TIME", requires = "class")]
        before: Option<String>,
    },
}

/// Where the data directory and its key are.
#[derive(Debug, clap::Args)]
pub(super) struct Place {
    /// The data directory.
    #[arg(long, value_name = "DIR", default_value = "logveil-data", conflicts_with = "config")]
    data_dir: PathBuf,
    /// The configuration that names data directory and key.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The file of the key-encryption key, if it does not lie in the data directory.
    #[arg(long, value_name = "FILE", conflicts_with = "config")]
    kek: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Choice {
    /// Of this class alone.
    #[arg(long, value_name = "CLASS")]
    class: Option<String>,
    /// Received at this moment or later.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Received before this moment.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

pub(super) fn run(arguments: Arguments) -> Result<Exit, Error> {
    match arguments.verb {
        Verb::Ls { place, choice, format } => ls(&place, &choice, format),
        Verb::Cat { place, choice, format } => cat(&place, &choice, format),
        Verb::Verify { place } => verify(&place),
        Verb::Purge { place, permit, confirm, class, before } => {
            purge(&place, &permit, confirm, class, before)
        }
    }
}

/// A data directory that is open to read.
struct Opened {
    dir: DataDir,
    kek: Arc<Kek>,
    time: Timekeeper,
}

impl Place {
    /// The configuration, if one was named.
    pub(super) fn config(&self) -> Option<&std::path::Path> {
        self.config.as_deref()
    }

    /// The data directory and the place of its key, if that lies elsewhere.
    pub(super) fn settle(&self) -> Result<(PathBuf, Option<KekPlace>), Error> {
        match &self.config {
            Some(config) => {
                let settings = Settings::load(config).map_err(Error::usage)?;
                Ok((settings.data_dir, settings.kek))
            }
            None => Ok((self.data_dir.clone(), self.kek.clone().map(KekPlace::File))),
        }
    }

    pub(super) fn dir(&self) -> Result<DataDir, Error> {
        DataDir::open_to_read(&self.settle()?.0).map_err(Error::usage)
    }

    /// The directory, beside the program that may hold it, with its key and the time.
    pub(super) fn beside(&self) -> Result<(DataDir, Arc<Kek>, Timekeeper), Error> {
        let Opened { dir, kek, time } = self.open()?;
        Ok((dir, kek, time))
    }

    /// The stores of the configuration; none without one.
    pub(super) fn stores(&self) -> Result<Vec<Store>, Error> {
        match &self.config {
            Some(config) => Ok(Settings::load(config).map_err(Error::usage)?.stores),
            None => Ok(Vec::new()),
        }
    }

    /// The roles of the configuration; none without one.
    pub(super) fn roles(&self) -> Result<Vec<Role>, Error> {
        match &self.config {
            Some(config) => Ok(Settings::load(config).map_err(Error::usage)?.roles),
            None => Ok(Vec::new()),
        }
    }

    /// The policy that is named, or that of the configuration, or `default`.
    pub(super) fn policy(&self, named: Option<&str>) -> Result<Arc<Policy>, Error> {
        match (named, &self.config) {
            (Some(named), _) => choice::policy("--policy", named, builtin_rules()).map(Arc::new),
            (None, Some(config)) => Ok(Settings::load(config).map_err(Error::usage)?.policy),
            (None, None) => Ok(Settings::default().policy),
        }
    }

    fn open(&self) -> Result<Opened, Error> {
        let (path, kek) = self.settle()?;
        let dir = DataDir::open_to_read(&path).map_err(Error::usage)?;
        let kek = Arc::new(open_kek(&dir, kek)?);
        let time = timekeeper(&dir)?;
        Ok(Opened { dir, kek, time })
    }
}

fn open_kek(dir: &DataDir, kek: Option<KekPlace>) -> Result<Kek, Error> {
    Kek::open(kek.as_ref(), dir).map_err(Error::usage)
}

pub(super) fn timekeeper(dir: &DataDir) -> Result<Timekeeper, Error> {
    let high_water = vault::high_water(dir).map_err(Error::usage)?;
    Ok(Timekeeper::new(Arc::new(SystemClock::new()), high_water))
}

impl Opened {
    fn reader(&self) -> Result<Reader, Error> {
        Reader::open(&self.dir, Arc::clone(&self.kek)).map_err(Error::usage)
    }
}

impl Choice {
    pub(super) fn selection(&self, now: Timestamp) -> Result<Selection, Error> {
        let moment = |name, text: &Option<String>| match text {
            Some(text) => moment(name, text, now).map(Some),
            None => Ok(None),
        };
        Ok(Selection {
            class: self.class.clone(),
            since: moment("--since", &self.since)?,
            until: moment("--until", &self.until)?,
        })
    }
}

/// A day, a moment, or an age.
pub(super) fn moment(name: &str, text: &str, now: Timestamp) -> Result<Timestamp, Error> {
    let age = text.parse::<Ttl>().ok().and_then(|age| now.checked_sub(age.duration()).ok());
    let day = || format!("{text}T00:00:00Z").parse().ok();
    age.or_else(|| text.parse().ok()).or_else(day).ok_or_else(|| {
        Error::Usage(format!(
            "{name} {text:?}: is no moment such as 2026-11-22, 2026-11-22T10:00:00Z, 36h or 7d"
        ))
    })
}

/// Wrong key or an unreadable directory is the operator's to mend; anything else failed later on.
fn failed(error: archive::Error) -> Error {
    match error {
        archive::Error::Vault(vault::Error::Io { .. }) => Error::failure(error),
        error => Error::usage(error),
    }
}

fn ls(place: &Place, choice: &Choice, format: Format) -> Result<Exit, Error> {
    let opened = place.open()?;
    let selection = choice.selection(opened.time.now())?;
    let listed = opened.reader()?.list(&selection, &opened.time).map_err(failed)?;
    let mut text = String::new();
    for partition in &listed {
        text += &match format {
            Format::Text => line(partition),
            Format::Json => object(partition),
        };
        text.push('\n');
    }
    io::stdout().write_all(text.as_bytes()).map_err(Error::output)?;
    Ok(Exit::Done)
}

fn line(partition: &Listed) -> String {
    let fate = match (partition.standing, partition.destroy_at) {
        (Standing::Live, Some(at)) => format!("until {at}"),
        (Standing::Overdue, _) => "overdue, about to be destroyed".to_owned(),
        _ => "without a key".to_owned(),
    };
    let (records, bytes) = (counted(partition.records, "record"), sized(partition.bytes));
    format!("{:<32} {records:>20} {bytes:>10}  {fate}", partition.id)
}

fn object(partition: &Listed) -> String {
    let standing = match partition.standing {
        Standing::Live => "live",
        Standing::Overdue => "overdue",
        Standing::Keyless => "keyless",
    };
    serde_json::json!({
        "partition": partition.id,
        "class": partition.class,
        "from": partition.from.to_string(),
        "destroy_at": partition.destroy_at.map(|at| at.to_string()),
        "records": partition.records,
        "blocks": partition.blocks,
        "bytes": partition.bytes,
        "standing": standing,
    })
    .to_string()
}

fn cat(place: &Place, choice: &Choice, format: Format) -> Result<Exit, Error> {
    let opened = place.open()?;
    let selection = choice.selection(opened.time.now())?;
    let mut output = Output::open()?;
    let mut out = Vec::with_capacity(2 * OUTPUT_BYTES);
    let mut written = Ok(());
    let read = opened.reader()?.cat(&selection, &opened.time, |envelope| {
        push(envelope, format, &mut out);
        if out.len() >= OUTPUT_BYTES {
            written = output.write(&out);
            out.clear();
        }
        if written.is_ok() { Go::On } else { Go::Stop }
    });
    written?;
    output.write(&out)?;
    let read = read.map_err(failed)?;
    for fault in faults(&read) {
        complain(&format!("{fault}; `logveil archive verify` tells more"));
    }
    Ok(Exit::Done)
}

fn push(envelope: &Envelope<'_>, format: Format, out: &mut Vec<u8>) {
    match format {
        Format::Json => envelope.write_json(out),
        Format::Text => push_one_line(envelope.message, out),
    }
    out.push(b'\n');
}

fn faults(read: &Read) -> Vec<String> {
    let fault = |count, noun, what| (count > 0).then(|| format!("{} {what}", counted(count, noun)));
    [
        fault(read.damaged, "block", "not what was written; skipped"),
        fault(read.unreadable, "partition", "without a usable key, or of a later version; skipped"),
        fault(read.overdue, "partition", "overdue and not destroyed yet; not shown"),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn verify(place: &Place) -> Result<Exit, Error> {
    let opened = place.open()?;
    let read = opened.reader()?.verify(&Selection::default(), &opened.time).map_err(failed)?;
    let mut faults = faults(&read);
    let due = opened.time.look().unreadable;
    let keys = vault::keys(&opened.dir).map_err(Error::usage)?;
    let overdue = keys.iter().filter(|(_, at)| *at <= due).count() as u64;
    if overdue > 0 {
        faults.push(format!("{} overdue and not destroyed yet", counted(overdue, "pseudonym key")));
    }
    let evidence = Evidence::new(opened.dir.join("evidence"), opened.dir.disk().clone());
    let mut destroyed = 0;
    match evidence.verify(|_| destroyed += 1) {
        Ok(_) => {}
        Err(error) => faults.push(error.to_string()),
    }
    for fault in &faults {
        complain(fault);
    }
    let mut text = format!(
        "{} in {}, {}; evidence of {}\n",
        counted(read.records, "record"),
        counted(read.partitions, "partition"),
        counted(read.blocks, "authentic block"),
        counted(destroyed, "destroyed key"),
    );
    if read.torn > 0 {
        text += &format!(
            "{} at the end of a file: being written, or cut off by a crash\n",
            counted(read.torn, "unfinished block")
        );
    }
    text += if faults.is_empty() { "sound: nothing is damaged, nothing is overdue\n" } else { "not sound\n" };
    io::stdout().write_all(text.as_bytes()).map_err(Error::output)?;
    Ok(if faults.is_empty() { Exit::Done } else { Exit::Found })
}

/// Destroying needs no key, and telling of it does: where that is not to be had, the evidence alone tells.
fn tell_purge(
    dir: &DataDir,
    kek: Option<KekPlace>,
    who: &Who,
    purged: &Purged,
    now: Timestamp,
) -> Result<(), Error> {
    let Ok(kek) = open_kek(dir, kek) else {
        complain(
            "the key-encryption key cannot be read: the evidence tells of this purge, the audit log does not",
        );
        return Ok(());
    };
    let act = Act::new(now, &who.name, "archive purge").as_role(who.role.as_deref());
    audited(dir, &Arc::new(kek), act.count("partitions", purged.destroyed as u64))
}

fn purge(
    place: &Place,
    permit: &Permit,
    confirm: bool,
    class: Option<String>,
    before: Option<String>,
) -> Result<Exit, Error> {
    let who = permit.of(place, May::Purge)?;
    let (path, kek) = place.settle()?;
    place.dir()?;
    // Next to a running program it works without the directory's lock, and leaves that program's keys to it.
    let dir = match DataDir::open(&path) {
        Err(vault::Error::Held { .. }) => place.dir()?,
        dir => dir.map_err(Error::usage)?,
    };
    let time = timekeeper(&dir)?;
    let moments = if confirm { time.confirm() } else { time.look() };
    let what = match (class, before) {
        (Some(class), Some(before)) => {
            let until = Some(moment("--before", &before, moments.now)?);
            Purge::Chosen(Selection { class: Some(class), since: None, until })
        }
        _ => Purge::Due(moments.destroyable),
    };
    let purged = archive::purge(&dir, &what, &moments).map_err(failed)?;
    tell_purge(&dir, kek.clone(), &who, &purged, moments.now)?;
    let mut keys = 0;
    if dir.is_held() && matches!(what, Purge::Due(_)) {
        let kek = Arc::new(open_kek(&dir, kek)?);
        let mut vault = Vault::open(Arc::new(dir), kek).map_err(Error::usage)?;
        keys = vault.purge(&moments).map_err(Error::failure)?;
    } else if confirm && !dir.is_held() {
        vault::confirm_clock(&dir, time.wall()).map_err(Error::failure)?;
    }
    let mut text = format!("destroyed {}", counted(purged.destroyed as u64, "partition"));
    if keys > 0 {
        text += &format!(" and {}", counted(keys as u64, "pseudonym key"));
    }
    text.push('\n');
    io::stdout().write_all(text.as_bytes()).map_err(Error::output)?;
    if purged.overdue > 0 {
        complain(&format!(
            "{} overdue by a clock that is not believed yet: unreadable, and destroyed once `logveil run` has run \
             for an hour, or by --confirm",
            counted(purged.overdue as u64, "partition")
        ));
    }
    if purged.unfinished > 0 {
        let count = grouped(purged.unfinished as u64);
        complain(&format!(
            "{count} of those chosen may still be written to; try again when their time is over"
        ));
    }
    Ok(Exit::Done)
}

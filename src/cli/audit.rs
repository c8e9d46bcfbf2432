//! `logveil audit`: what a store holds that should not be there; and whether logs and registers are as they were written.

use std::io::{self, Write as _};
use std::sync::Arc;

use serde_json::json;

use super::archive::Place;
use super::operator::{audited, user};
use super::output::counted;
use super::{Error, Exit, complain};
use crate::archive::{Go, Reader, Selection};
use crate::clock::{Clock, Timestamp};
use crate::leak::{self, Incidents, Kind, Leak, Seen};
use crate::limit::AUDIT_RECORDS;
use crate::retention;
use crate::subject::Register;
use crate::vault::{self, Act, AuditLog, Chain, DataDir, Evidence, Kek, Suppressions, Timekeeper};

/// Search a sample of what the archive holds for values that should not be there, and open an incident for each kind.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(
    after_help = "Examples:\n  logveil audit --config /etc/logveil/logveil.yaml\n  logveil audit --all --format json\n  \
                        logveil audit verify-log\n\n\
                        Exit code 1 if anything is found, or a log is not as it was written."
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    place: Place,
    /// A built-in policy's name, or a policy file; that of the configuration, or `default`, without it.
    #[arg(long, value_name = "POLICY")]
    policy: Option<String>,
    /// Records of each class to look through, spread over all there are.
    #[arg(long, value_name = "N", default_value_t = AUDIT_RECORDS, value_parser = clap::value_parser!(u64).range(1..))]
    sample: u64,
    /// All records.
    #[arg(long, conflicts_with = "sample")]
    all: bool,
    /// How it is written.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Checks the audit log, the registers and the evidence: that nothing was changed, put in or cut off.
    VerifyLog {
        #[command(flatten)]
        place: Place,
        /// A head of the audit log that was kept elsewhere: it must still be in there.
        #[arg(long, value_name = "HASH")]
        head: Option<String>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

pub(super) fn run(arguments: Arguments) -> Result<Exit, Error> {
    match &arguments.verb {
        Some(Verb::VerifyLog { place, head }) => verify_log(place, head.as_deref()),
        None => look(&arguments),
    }
}

const STORE: &str = "archive";

fn look(arguments: &Arguments) -> Result<Exit, Error> {
    let policy = arguments.place.policy(arguments.policy.as_deref())?;
    let (dir, kek, time) = arguments.place.beside()?;
    let mut audit = leak::Audit::new(&policy);
    let every = if arguments.all { None } else { Some(arguments.sample) };
    let unreadable = sample(&dir, &kek, &time, every, &mut audit)?;
    let incidents = Incidents::new(&dir, Arc::clone(&kek));
    let mut found = Vec::new();
    for (kind, leak) in audit.leaks() {
        let seen = incidents.found(STORE, kind, leak, time.now()).map_err(Error::failure)?;
        found.push((seen, kind, leak));
    }
    let act = Act::new(time.now(), &user(), "audit").on(STORE);
    let act = act.count("records", audit.records()).count("leaks", found.len() as u64);
    audited(&dir, &kek, act)?;
    let text = match arguments.format {
        Format::Text => text(&audit, &found),
        Format::Json => object(&audit, &found, unreadable),
    };
    io::stdout().write_all(text.as_bytes()).map_err(Error::output)?;
    if unreadable > 0 {
        complain(
            "something cannot be read, and nobody can tell what is in there; `logveil archive verify` tells more",
        );
    }
    Ok(if found.is_empty() { Exit::Done } else { Exit::Found })
}

/// Looks through so many records of each class, evenly spread; gives the places that cannot be read.
fn sample(
    dir: &DataDir,
    kek: &Arc<Kek>,
    time: &Timekeeper,
    wanted: Option<u64>,
    audit: &mut leak::Audit<'_>,
) -> Result<u64, Error> {
    let reader = Reader::open(dir, Arc::clone(kek)).map_err(Error::usage)?;
    let listed = reader.list(&Selection::default(), time).map_err(Error::failure)?;
    let mut classes: Vec<&str> = listed.iter().map(|partition| partition.class.as_str()).collect();
    classes.sort_unstable();
    classes.dedup();
    let mut unreadable = 0;
    for class in classes {
        let there = listed.iter().filter(|partition| partition.class == class);
        let all: u64 = there.map(|partition| partition.records).sum();
        let stride = wanted.map_or(1, |wanted| all.div_ceil(wanted).max(1));
        let selection = Selection { class: Some(class.to_owned()), since: None, until: None };
        let mut at = 0;
        let read = reader.cat(&selection, time, |envelope| {
            if at % stride == 0 {
                audit.look(envelope);
            }
            at += 1;
            Go::On
        });
        let read = read.map_err(Error::failure)?;
        unreadable += read.damaged + read.unreadable;
    }
    Ok(unreadable)
}

type Found<'a> = (Seen, &'a Kind, &'a Leak);

fn text(audit: &leak::Audit<'_>, found: &[Found<'_>]) -> String {
    let mut text = String::new();
    for (seen, (class, entity), leak) in found {
        let id = seen.id();
        let how = if matches!(seen, Seen::Opened(_)) { "opened" } else { "known" };
        let (records, Leak { rule, first, last, .. }) = (counted(leak.records, "record"), leak);
        text +=
            &format!("{id} {how}: {STORE} {class} {entity} (rule {rule}) in {records}, {first} to {last}\n");
    }
    let records = counted(audit.records(), "record");
    text += &match found.len() {
        0 => format!("{records} looked through: nothing that should not be there\n"),
        kinds => format!(
            "{records} looked through: {} that should not be there\n",
            counted(kinds as u64, "kind of value")
        ),
    };
    if audit.unclear() > 0 {
        let values = counted(audit.unclear(), "address or number");
        text += &format!("{values} may be pseudonyms of that shape or raw: nobody can tell\n");
    }
    text
}

fn object(audit: &leak::Audit<'_>, found: &[Found<'_>], unreadable: u64) -> String {
    let leaks: Vec<serde_json::Value> = found
        .iter()
        .map(|(seen, (class, entity), leak)| {
            json!({
                "incident": seen.id(),
                "opened": matches!(seen, Seen::Opened(_)),
                "class": class,
                "entity": entity,
                "rule": leak.rule,
                "records": leak.records,
                "first": leak.first.to_string(),
                "last": leak.last.to_string(),
            })
        })
        .collect();
    let (records, unclear) = (audit.records(), audit.unclear());
    json!({ "store": STORE, "records": records, "unclear": unclear, "unreadable": unreadable, "leaks": leaks })
        .to_string()
        + "\n"
}

fn verify_log(place: &Place, kept: Option<&str>) -> Result<Exit, Error> {
    let (dir, kek, _) = place.beside()?;
    let mut kept_is_there = kept.is_none();
    let log = AuditLog::new(&dir, Arc::clone(&kek)).verify(|line| {
        kept_is_there |= kept == Some(line.prev.as_str());
    });
    kept_is_there |= log.as_ref().is_ok_and(|chain| kept == Some(chain.head.as_str()));
    let mut files: Vec<(&str, Result<Chain, String>)> =
        vec![("audit", log.map_err(|error| error.to_string()))];
    files.push(("evidence", evidence(&dir)));
    files.push(("requests", checked(Register::new(&dir, Arc::clone(&kek)).verify())));
    files.push(("incidents", checked(Incidents::new(&dir, Arc::clone(&kek)).verify())));
    files.push(("suppressions", checked(Suppressions::new(&dir, kek).verify())));
    files.push(("retention", checked(retention::evidence::Evidence::of(&dir).verify())));
    let mut text = String::new();
    let mut sound = kept_is_there;
    for (name, checked) in files {
        match checked {
            Ok(chain) => {
                text += &format!("{name:<12} {:>12}  {}\n", counted(chain.lines, "line"), chain.head);
            }
            Err(why) => {
                sound = false;
                complain(&why);
            }
        }
    }
    if !kept_is_there {
        complain(
            "audit: the head that was kept elsewhere is not in the log: it is another log, or an older one was put back",
        );
    }
    text += if sound { "sound: nothing was changed or cut off\n" } else { "not sound\n" };
    io::stdout().write_all(text.as_bytes()).map_err(Error::output)?;
    Ok(if sound { Exit::Done } else { Exit::Found })
}

fn checked<E: std::fmt::Display>(checked: Result<Chain, E>) -> Result<Chain, String> {
    checked.map_err(|error| error.to_string())
}

/// The evidence has no seal, for destroying needs no key: its length is in the state.
fn evidence(dir: &DataDir) -> Result<Chain, String> {
    let chain = checked(Evidence::new(dir.join("evidence"), dir.disk().clone()).verify(|_| ()))?;
    let state = checked_state(dir)?;
    if chain.lines < state {
        let (path, there) = (dir.join("evidence"), chain.lines);
        return Err(format!("{}: has {there} lines, and had {state}: lines were cut off", path.display()));
    }
    Ok(chain)
}

fn checked_state(dir: &DataDir) -> Result<u64, String> {
    vault::State::read(dir).map(|state| state.evidence).map_err(|error| error.to_string())
}

/// A moment as tables write it.
pub(super) fn until(at: Timestamp, now: Timestamp) -> String {
    if at <= now { format!("was due {at}") } else { format!("due {at}") }
}

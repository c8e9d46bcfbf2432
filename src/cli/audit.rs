//! `logveil audit`: what a store holds that should not be there; and whether logs and registers are as they were written.

use std::io::{self, Write as _};
use std::sync::Arc;

use serde_json::json;

use super::archive::Place;
use super::operator::{audited, user};
use super::output::counted;
use super::subject::asked::asking;
use super::{Error, Exit, complain};
use crate::act::Envelope;
use crate::app::remote::Remote;
use crate::archive::{Go, Reader, Selection};
use crate::clock::{Clock, Timestamp};
use crate::leak::{self, Incidents, Kind, Leak, Seen};
use crate::limit::AUDIT_RECORDS;
use crate::policy::Policy;
use crate::record::RecordId;
use crate::retention::{self, files::Files};
use crate::subject::{self, Lined, Lines, Register};
use crate::vault::{self, Act, AuditLog, Chain, DataDir, Evidence, Kek, Suppressions, Timekeeper};

/// Search a sample of what the stores hold for values that should not be there, and open an incident for each kind.
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

/// What one store holds.
struct Held<'a> {
    store: String,
    audit: leak::Audit<'a>,
    /// Places that cannot be read.
    unreadable: u64,
}

fn look(arguments: &Arguments) -> Result<Exit, Error> {
    let policy = arguments.place.policy(arguments.policy.as_deref())?;
    let (dir, kek, time) = arguments.place.beside()?;
    let every = if arguments.all { None } else { Some(arguments.sample) };
    let live = vault::live_keys(&dir, &kek, time.look().unreadable).map_err(Error::usage)?;
    let audit = leak::Audit::new(&policy).under(&live);
    let mut held = Held { store: "archive".to_owned(), audit, unreadable: 0 };
    held.unreadable = sample(&dir, &kek, &time, every, &mut held.audit)?;
    let mut all = vec![held];
    let (mut unasked, runtime, time) = (false, asking()?, Arc::new(time));
    for store in arguments.place.stores()? {
        match &store.kind {
            retention::Kind::Archive => {}
            retention::Kind::Files(settings) => {
                all.push(lines(&store, settings, &policy, every, time.now())?)
            }
            _ => {
                let clock: Arc<dyn Clock> = Arc::clone(&time) as Arc<dyn Clock>;
                let remote = Remote::new(&store, &clock, runtime.handle()).map_err(Error::failure)?;
                let Some(remote) = remote else { continue };
                match given(&store, &remote, &policy, every, time.now()) {
                    Ok(held) => all.push(held),
                    Err(why) => {
                        complain(&format!("{why}: not looked through"));
                        unasked |= !matches!(why, subject::Error::Cannot { .. });
                    }
                }
            }
        }
    }
    let incidents = Incidents::new(&dir, Arc::clone(&kek));
    let mut found = Vec::new();
    for Held { store, audit, .. } in &all {
        let before = found.len();
        for (kind, leak) in audit.leaks() {
            let seen = incidents.found(store, kind, leak, time.now()).map_err(Error::failure)?;
            found.push(Found { store, seen, kind, leak });
        }
        let act = Act::new(time.now(), &user(), "audit").on(store);
        let leaks = (found.len() - before) as u64;
        audited(&dir, &kek, act.count("records", audit.records()).count("leaks", leaks))?;
    }
    let text = match arguments.format {
        Format::Text => text(&all, &found),
        Format::Json => object(&all, &found),
    };
    io::stdout().write_all(text.as_bytes()).map_err(Error::output)?;
    if all.iter().any(|held| held.unreadable > 0) {
        complain(
            "something cannot be read, and nobody can tell what is in there; `logveil archive verify` tells more",
        );
    }
    Ok(if found.is_empty() && !unasked { Exit::Done } else { Exit::Found })
}

/// Looks through what a store gives out, object by object.
fn given<'a>(
    store: &retention::Store,
    remote: &Remote,
    policy: &'a Policy,
    every: Option<u64>,
    now: Timestamp,
) -> Result<Held<'a>, subject::Error> {
    let first =
        store.targets.iter().flat_map(|target| &target.classes).map(|(class, _)| class.as_str()).next();
    let (mut audit, mut at, mut within) = (leak::Audit::new(policy), 0, String::new());
    remote.each(&mut |given| {
        if within != given.target.name {
            (within, at) = (given.target.name.clone(), 0);
        }
        // Spread over all there are where the store says how many; else the oldest.
        let stride = every.zip(given.total).map_or(1, |(wanted, total)| total.div_ceil(wanted).max(1));
        if at % stride == 0 {
            let class = given.record.class().or(first).unwrap_or_default();
            let received = given.record.received().unwrap_or(now);
            audit.look(&Envelope { received, ..as_record(&given.stored.text, class, now) });
        }
        at += 1;
        every.is_none_or(|wanted| at / stride < wanted)
    })?;
    Ok(Held { store: store.name.to_string(), audit, unreadable: 0 })
}

/// Looks through the lines of a store of files, as records of the class that they name, or of the store's first.
fn lines<'a>(
    store: &retention::Store,
    settings: &retention::files::Settings,
    policy: &'a Policy,
    every: Option<u64>,
    now: Timestamp,
) -> Result<Held<'a>, Error> {
    let files = Files::new(settings.clone()).paths().map_err(Error::failure)?;
    let files = files.into_iter().map(|(path, is_live)| Lined { path, is_live });
    let files = Lines::new(&store.name, files.collect());
    let first =
        store.targets.iter().flat_map(|target| &target.classes).map(|(class, _)| class.as_str()).next();
    let mut all = 0;
    files.each(|_| all += 1).map_err(Error::failure)?;
    let stride = every.map_or(1, |wanted| u64::div_ceil(all, wanted).max(1));
    let (mut audit, mut at) = (leak::Audit::new(policy), 0);
    let unreadable = files.each(|line| {
        if at % stride == 0 {
            let object = serde_json::from_slice::<serde_json::Value>(line).ok();
            let named = object.as_ref().and_then(|object| object["class"].as_str());
            audit.look(&as_record(line, named.or(first).unwrap_or_default(), now));
        }
        at += 1;
    });
    Ok(Held { store: store.name.to_string(), audit, unreadable: unreadable.map_err(Error::failure)? })
}

/// A line as a record of which nothing else is known.
fn as_record<'a>(message: &'a [u8], class: &'a str, now: Timestamp) -> Envelope<'a> {
    Envelope {
        id: RecordId::default(),
        received: now,
        time: None,
        class,
        expires_at: now,
        stream: class,
        policy: "",
        priority: None,
        host: b"",
        app: b"",
        procid: b"",
        msgid: b"",
        structured: b"",
        message,
    }
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

/// A kind of value that should not be in a store.
struct Found<'a> {
    store: &'a str,
    seen: Seen,
    kind: &'a Kind,
    leak: &'a Leak,
}

fn text(all: &[Held<'_>], found: &[Found<'_>]) -> String {
    let mut text = String::new();
    for Found { store, seen, kind: (class, entity), leak } in found {
        let id = seen.id();
        let how = if matches!(seen, Seen::Opened(_)) { "opened" } else { "known" };
        let (records, Leak { rule, first, last, .. }) = (counted(leak.records, "record"), leak);
        text +=
            &format!("{id} {how}: {store} {class} {entity} (rule {rule}) in {records}, {first} to {last}\n");
    }
    for Held { store, audit, .. } in all {
        let records = counted(audit.records(), "record");
        text += &match found.iter().filter(|found| found.store == store).count() {
            0 => format!("{store}: {records} looked through: nothing that should not be there\n"),
            kinds => {
                let kinds = counted(kinds as u64, "kind of value");
                format!("{store}: {records} looked through: {kinds} that should not be there\n")
            }
        };
        if audit.unclear() > 0 {
            let values = counted(audit.unclear(), "address or number");
            text += &format!("{store}: {values} may be pseudonyms of that shape or raw: nobody can tell\n");
        }
    }
    text
}

fn object(all: &[Held<'_>], found: &[Found<'_>]) -> String {
    let leaks: Vec<serde_json::Value> = found
        .iter()
        .map(|Found { store, seen, kind: (class, entity), leak }| {
            json!({
                "incident": seen.id(),
                "opened": matches!(seen, Seen::Opened(_)),
                "store": store,
                "class": class,
                "entity": entity,
                "rule": leak.rule,
                "records": leak.records,
                "first": leak.first.to_string(),
                "last": leak.last.to_string(),
            })
        })
        .collect();
    let store = |held: &Held<'_>| {
        let (records, unclear) = (held.audit.records(), held.audit.unclear());
        json!({ "store": held.store, "records": records, "unclear": unclear, "unreadable": held.unreadable })
    };
    let stores: Vec<serde_json::Value> = all.iter().map(store).collect();
    json!({ "stores": stores, "leaks": leaks }).to_string() + "\n"
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

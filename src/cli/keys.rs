//! `logveil keys`: which pseudonym keys there are, making them, and the end of them by hand.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use super::archive::{Place, timekeeper};
use super::operator::{audited, user};
use super::output::counted;
use super::{Error, Exit, complain};
use crate::archive;
use crate::clock::Clock;
use crate::config::Settings;
use crate::policy::Policy;
use crate::vault::{self, Act, DataDir, Evidence, Kek, KekPlace, Vault};

/// Make, list, rotate, rewrap and destroy the pseudonym keys of a data directory.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  logveil keys init --data-dir /var/lib/logveil --kek /etc/logveil/kek\n  \
                        logveil keys list\n  \
                        logveil keys rewrap --to-kek /etc/logveil/kek\n  \
                        logveil keys rewrap --config logveil.yaml --to-command kms-client decrypt /etc/logveil/kek.sealed\n  \
                        logveil keys destroy k7f3a --confirm\n\n\
                        All but `list` and `export-public` change the directory, so `logveil run` must not be running on it; a running one\n                        rotates and destroys keys by POST /v1/keys/rotate and /v1/keys/destroy on its admin listener."
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Makes the data directory, the key-encryption key if it is not there, and today's and tomorrow's keys.
    Init {
        #[command(flatten)]
        place: Place,
        /// Takes the keys that are there for all, after some were lost.
        #[arg(long)]
        accept_missing: bool,
    },
    /// The keys, a line each: name, policy, class, the time it serves, when it is destroyed. No key is shown.
    List {
        #[command(flatten)]
        place: Place,
    },
    /// Lets new keys serve from now on. The old ones stay for the records that they served.
    Rotate {
        #[command(flatten)]
        place: Place,
        /// Of this class alone.
        #[arg(long, value_name = "CLASS")]
        class: Option<String>,
    },
    /// Wraps every key, the archive's among them, with another key-encryption key. If it is stopped, call it again.
    Rewrap {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        to: To,
    },
    /// Destroys a key for good: nobody can compute its pseudonyms any more.
    Destroy {
        #[command(flatten)]
        place: Place,
        /// The key's name, as pseudonyms carry it.
        #[arg(value_name = "KEY", required_unless_present = "unreadable", conflicts_with = "unreadable")]
        id: Option<String>,
        /// All keys, and the records of the archive, that were wrapped by a key-encryption key which is lost.
        #[arg(long)]
        unreadable: bool,
        /// It cannot be undone, and that is what is wanted.
        #[arg(long, required = true)]
        confirm: bool,
    },
    /// What everybody may know of the keys, as JSON: names, times, check values, and the head of the evidence.
    ExportPublic {
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct To {
    /// The file of the new key-encryption key; made if it is not there.
    #[arg(long, value_name = "FILE")]
    to_kek: Option<PathBuf>,
    /// The command that writes the new key-encryption key to its standard output.
    #[arg(long, value_name = "PROGRAM", num_args = 1.., allow_hyphen_values = true)]
    to_command: Option<Vec<String>>,
}

pub(super) fn run(arguments: Arguments) -> Result<Exit, Error> {
    match arguments.verb {
        Verb::Init { place, accept_missing } => init(&place, accept_missing),
        Verb::List { place } => list(&place),
        Verb::Rotate { place, class } => rotate(&place, class.as_deref()),
        Verb::Rewrap { place, to } => rewrap(&place, to),
        Verb::Destroy { place, id: Some(id), .. } => destroy(&place, &id),
        Verb::Destroy { place, id: None, .. } => destroy_unreadable(&place),
        Verb::ExportPublic { place } => export_public(&place),
    }
}

fn init(place: &Place, accept_missing: bool) -> Result<Exit, Error> {
    let (path, kek_place) = place.settle()?;
    let policy = policy(place)?;
    let dir = DataDir::open(&path).map_err(|error| held(error, "a running one makes its keys by itself"))?;
    if accept_missing {
        vault::accept_missing(&dir).map_err(Error::failure)?;
    }
    if let Some(KekPlace::File(file)) = &kek_place
        && !file.exists()
    {
        if vault::keys(&dir).map_err(Error::usage)?.is_empty() {
            vault::make_kek(dir.disk(), file).map_err(Error::failure)?;
        } else {
            return Err(Error::usage(vault::Error::KekMissing { path: file.clone() }));
        }
    }
    let kek = Kek::open(kek_place.as_ref(), &dir).map_err(Error::usage)?;
    let time = timekeeper(&dir)?;
    let mut vault = Vault::open(Arc::new(dir), Arc::new(kek)).map_err(Error::usage)?;
    let names = policy.names();
    let tended = vault.tend(&names.policy, &names.classes, &time).map_err(Error::failure)?;
    let act = Act::new(time.now(), &user(), "keys init").count("keys", tended.created as u64);
    audited(vault.dir(), vault.kek(), act)?;
    tell(&format!("made {}; {} in all", counted(tended.created as u64, "key"), tended.live))
}

fn rotate(place: &Place, class: Option<&str>) -> Result<Exit, Error> {
    let policy = policy(place)?;
    let (dir, kek) = hold(place, "POST /v1/keys/rotate")?;
    let time = timekeeper(&dir)?;
    let names = policy.names();
    let is_meant = |(name, _): &&(String, _)| class.is_none_or(|class| class == name);
    let classes: Vec<_> = names.classes.iter().filter(is_meant).cloned().collect();
    if classes.is_empty() {
        let class = class.unwrap_or_default();
        return Err(Error::Usage(format!(
            "--class {class:?}: the policy {} has no such class",
            names.policy
        )));
    }
    let mut vault = Vault::open(Arc::new(dir), Arc::new(kek)).map_err(Error::usage)?;
    let made = vault.rotate(&names.policy, &classes, &time).map_err(Error::failure)?;
    let act = Act::new(time.now(), &user(), "keys rotate").count("keys", made as u64);
    audited(vault.dir(), vault.kek(), act)?;
    tell(&format!("made {}", counted(made as u64, "key")))
}

fn rewrap(place: &Place, to: To) -> Result<Exit, Error> {
    let (path, old) = place.settle()?;
    place.dir()?;
    let dir = DataDir::open(&path).map_err(|error| held(error, ALONE))?;
    let new = match (to.to_kek, to.to_command) {
        (Some(file), _) => {
            let beside = dir.join("kek");
            if file == beside
                || file
                    .canonicalize()
                    .ok()
                    .is_some_and(|file| beside.canonicalize().is_ok_and(|kek| kek == file))
            {
                return Err(Error::Usage(
                    "--to-kek: is the key next to the data; name another place".to_owned(),
                ));
            }
            if !file.exists() {
                vault::make_kek(dir.disk(), &file).map_err(Error::failure)?;
            }
            KekPlace::File(file)
        }
        (None, command) => KekPlace::Command(command.unwrap_or_default()),
    };
    let kek = new.read().map_err(Error::usage)?;
    let now = timekeeper(&dir)?.now();
    let _still = archive::hold_still(&dir, now).map_err(Error::usage)?;
    vault::reseal(&dir, || Kek::open(old.as_ref(), &dir), &kek).map_err(Error::failure)?;
    let done = vault::rewrap(&dir, || Kek::open(old.as_ref(), &dir), &kek).map_err(Error::failure)?;
    let kek = Arc::new(kek);
    let act = Act::new(now, &user(), "keys rewrap").count("keys", done.rewrapped as u64);
    audited(&dir, &kek, act)?;
    let kept = if done.kept > 0 { format!(", {} were already", done.kept) } else { String::new() };
    tell(&format!(
        "wrapped {} with the key-encryption key {} from {new}{kept}; name it in keyring.kek",
        counted(done.rewrapped as u64, "key"),
        kek.check()
    ))
}

fn list(place: &Place) -> Result<Exit, Error> {
    let dir = place.dir()?;
    let unreadable = timekeeper(&dir)?.look().unreadable;
    let mut text = String::new();
    for (key, due) in vault::keys(&dir).map_err(Error::usage)? {
        let fate = if due <= unreadable { "overdue" } else { "until" };
        let span = format!("{}/{}", key.from, key.until);
        text += &format!("{} {:<12} {:<12} {span}  {fate} {due}\n", key.id, key.policy, key.class);
    }
    io::stdout().write_all(text.as_bytes()).map_err(Error::output)?;
    Ok(Exit::Done)
}

fn destroy(place: &Place, id: &str) -> Result<Exit, Error> {
    let (dir, kek) = hold(place, "POST /v1/keys/destroy")?;
    let now = timekeeper(&dir)?.now();
    let mut vault = Vault::open(Arc::new(dir), Arc::new(kek)).map_err(Error::usage)?;
    if !vault.destroy(id, now).map_err(Error::failure)? {
        return Err(Error::Usage(format!(
            "{id:?}: there is no such key; `logveil keys list` tells which there are"
        )));
    }
    audited(vault.dir(), vault.kek(), Act::new(now, &user(), "keys destroy").on(id))?;
    tell(&format!("destroyed {id}"))
}

fn destroy_unreadable(place: &Place) -> Result<Exit, Error> {
    let (path, kek) = place.settle()?;
    place.dir()?;
    let dir = DataDir::open(&path).map_err(|error| held(error, ALONE))?;
    let Some(kek) = kek else {
        let text =
            "--unreadable: needs the new key-encryption key; name it with --kek, or keyring.kek and --config";
        return Err(Error::Usage(text.to_owned()));
    };
    let now = timekeeper(&dir)?.now();
    let kek = Arc::new(kek.read().map_err(Error::usage)?);
    let _still = archive::hold_still(&dir, now).map_err(Error::usage)?;
    let destroyed = vault::destroy_unreadable(&dir, &kek, now).map_err(Error::failure)? as u64;
    for name in vault::set_aside_sealed(&dir, &kek).map_err(Error::failure)? {
        complain(&format!("{name}: was sealed under the lost key and is set aside; it begins anew"));
    }
    audited(&dir, &kek, Act::new(now, &user(), "keys destroy --unreadable").count("keys", destroyed))?;
    tell(&format!("destroyed {}", counted(destroyed, "key")))
}

fn export_public(place: &Place) -> Result<Exit, Error> {
    let dir = place.dir()?;
    let keys = vault::keys(&dir).map_err(Error::usage)?;
    let chain = Evidence::new(dir.join("evidence"), dir.disk().clone()).last().map_err(Error::usage)?;
    let all = serde_json::json!({
        "format": "logveil-public/1",
        "keys": keys.iter().map(|(key, _)| key.public()).collect::<Vec<_>>(),
        "evidence": { "lines": chain.lines, "head": chain.head },
    });
    tell(&all.to_string())
}

/// Why a running program has to be stopped for what changes every key.
const ALONE: &str = "every key is written anew, and nobody may use one meanwhile";

/// The directory, for this program alone; `request` does the same in a running one.
fn hold(place: &Place, request: &str) -> Result<(DataDir, Kek), Error> {
    let (path, kek) = place.settle()?;
    place.dir()?;
    let does =
        format!("a running one does it by {request} on its admin listener, for a role that may `keys`");
    let dir = DataDir::open(&path).map_err(|error| held(error, &does))?;
    let kek = Kek::open(kek.as_ref(), &dir).map_err(Error::usage)?;
    Ok((dir, kek))
}

/// The refusal of a directory that is in use, with what to do instead of this.
fn held(error: vault::Error, instead: &str) -> Error {
    match error {
        vault::Error::Held { dir } => Error::Usage(format!(
            "{}: is in use by a running logveil; stop it first, or leave this: {instead}",
            dir.display()
        )),
        error => Error::usage(error),
    }
}

/// The policy whose keys are meant: the configuration's, or the default one.
fn policy(place: &Place) -> Result<Arc<Policy>, Error> {
    match place.config() {
        Some(config) => Ok(Settings::load(config).map_err(Error::usage)?.policy),
        None => Ok(Arc::new(Policy::builtin("default").expect("it is built in"))),
    }
}

fn tell(text: &str) -> Result<Exit, Error> {
    io::stdout().write_all(format!("{text}\n").as_bytes()).map_err(Error::output)?;
    Ok(Exit::Done)
}

//! `logveil subject reveal`: opens encrypted values, for those who have the role and a reason.

use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::super::archive::Place;
use super::super::operator::{Permit, audited, clean_reason};
use super::super::output::counted;
use super::super::{Error, Exit, complain, reason};
use crate::act::open;
use crate::clock::Clock;
use crate::config::May;
use crate::limit::{SUBJECT_VALUE_BYTES_MAX, SUBJECT_VALUES_MAX};
use crate::vault::{Act, Outcome, live_keys};

/// What is to be opened, and why.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    permit: Permit,
    /// Why it must be known: the legal basis, a case's number. Kept in the audit log without what is sensitive in it.
    #[arg(long, value_name = "TEXT", required = true)]
    reason: String,
    /// Encrypted values from a file, or `-` for standard input, a line each: `email_k7f3a-…`.
    #[arg(long, value_name = "FILE")]
    value_from: Option<PathBuf>,
    /// Encrypted values.
    #[arg(value_name = "VALUE")]
    values: Vec<String>,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Error> {
    let why = clean_reason(Some(&arguments.reason)).filter(|why| !why.trim().is_empty());
    let Some(why) = why else {
        return Err(Error::Usage("--reason: is empty; say why it must be known".into()));
    };
    let (dir, kek, time) = arguments.place.beside()?;
    let said = |who: &str, role: Option<&str>| {
        Act::new(time.now(), who, "subject reveal").as_role(role).because(Some(&why))
    };
    let who = match arguments.permit.of(&arguments.place, May::Reveal) {
        Ok(who) => who,
        Err(error) => {
            audited(&dir, &kek, said(&super::super::operator::user(), None).ended(Outcome::Refused))?;
            return Err(error);
        }
    };
    let mut values = arguments.values.clone();
    if let Some(path) = &arguments.value_from {
        values.extend(lines(path)?.lines().map(|line| line.trim().to_owned()));
    }
    values.retain(|value| !value.is_empty());
    if values.is_empty() || values.len() > SUBJECT_VALUES_MAX {
        let count = values.len();
        return Err(Error::Usage(format!("{count} values; give 1 to {SUBJECT_VALUES_MAX} encrypted ones")));
    }
    let policy = arguments.place.policy(None)?;
    let keys = live_keys(&dir, &kek, time.look().unreadable).map_err(Error::usage)?;
    let opened: Vec<Option<_>> = values
        .iter()
        .map(|value| keys.iter().find_map(|key| open(policy.rules().entities(), &key.key, value.as_bytes())))
        .collect();
    let count = opened.iter().flatten().count() as u64;
    // Before anything is shown: what is not in the log was not revealed.
    let act = said(&who.name, who.role.as_deref()).count("asked", values.len() as u64);
    audited(&dir, &kek, act.count("opened", count))?;
    let mut out = Zeroizing::new(Vec::new());
    for found in &opened {
        if let Some((_, value)) = found {
            out.extend_from_slice(value);
        }
        out.push(b'\n');
    }
    io::stdout().write_all(&out).map_err(Error::output)?;
    let missing = values.len() as u64 - count;
    if missing > 0 {
        complain(&format!(
            "{} not opened: not encrypted by logveil, or under a key that is destroyed; their lines are empty",
            counted(missing, "value")
        ));
    }
    Ok(Exit::Done)
}

fn lines(path: &Path) -> Result<String, Error> {
    let mut text = String::new();
    let max = (SUBJECT_VALUES_MAX * SUBJECT_VALUE_BYTES_MAX * 2) as u64;
    let read = match path.as_os_str() == "-" {
        true => io::stdin().lock().take(max).read_to_string(&mut text),
        false => std::fs::File::open(path).and_then(|file| file.take(max).read_to_string(&mut text)),
    };
    read.map_err(|error| {
        Error::Usage(format!("--value-from {}: cannot be read: {}", path.display(), reason(&error)))
    })?;
    Ok(text)
}

//! The options that verbs share: which policy, which class, which inputs.

use std::fs::File;
use std::io::{self, Read};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use super::packs::Packs;
use super::{Error, reason};
use crate::detect::Rules;
use crate::filter::Input;
use crate::limit;
use crate::policy::{BUILTIN, Policy};
use crate::record::ClassId;

/// Which policy holds, and for which class of records.
#[derive(Debug, clap::Args)]
pub(super) struct Choice {
    /// A built-in policy's name, or a policy file.
    #[arg(long, value_name = "POLICY", default_value = "default")]
    policy: String,
    /// The class that the input belongs to: access, app, activity, auth, payment, support, audit, or the policy's own.
    #[arg(long, value_name = "CLASS", default_value = "app")]
    class: String,
    #[command(flatten)]
    packs: Packs,
}

impl Choice {
    /// The policy, with every record routed to the class.
    pub(super) fn load(&self) -> Result<(Policy, ClassId), Error> {
        let policy = policy("--policy", &self.policy, self.packs.rules()?)?;
        let Some(class) = policy.class_named(&self.class) else {
            let known: Vec<&str> = policy.classes().map(|class| policy.class_name(class)).collect();
            let (class, known) = (&self.class, known.join(", "));
            return Err(Error::Usage(format!("--class: no class `{class}` in the policy; it has {known}")));
        };
        Ok((policy.routed_to(class), class))
    }

    /// The packs beside the built-in ones.
    pub(super) fn packs(&self) -> &Packs {
        &self.packs
    }
}

/// The policy for these rules that a name or a path stands for; `asked` says in errors where it was named.
pub(super) fn policy(asked: &str, name: &str, rules: Arc<Rules>) -> Result<Policy, Error> {
    if let Some(policy) = Policy::builtin_for(Arc::clone(&rules), name) {
        return Ok(policy);
    }
    let text = read_settings(Path::new(name)).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            let names: Vec<&str> = BUILTIN.iter().map(|(name, _)| *name).collect();
            let names = names.join(", ");
            Error::Usage(format!("{asked}: `{name}` is no file and no built-in policy; built in are {names}"))
        }
        _ => Error::Usage(format!("{asked}: cannot read {name}: {}", reason(&error))),
    })?;
    Policy::parse_for(rules, name, &text).map_err(Error::usage)
}

/// Reads a file of settings, which is text and of limited size.
pub(super) fn read_settings(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let max = limit::SETTINGS_FILE_BYTES_MAX;
    File::open(path)?.take(max + 1).read_to_string(&mut text)?;
    if text.len() as u64 > max {
        return Err(io::Error::other(format!("longer than {max} bytes, which no such file is")));
    }
    Ok(text)
}

/// Which inputs, and on how many threads.
#[derive(Debug, clap::Args)]
pub(super) struct Inputs {
    /// Threads that search; the order of the output is that of the input. [default: one a core]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    /// Files to read; none or `-` is standard input.
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
}

impl Inputs {
    /// The inputs in order.
    pub(super) fn list(&self) -> Vec<Input> {
        if self.files.is_empty() {
            return vec![Input::Stdin];
        }
        let input = |file: &PathBuf| match file.as_os_str() == "-" {
            true => Input::Stdin,
            false => Input::File(file.clone()),
        };
        self.files.iter().map(input).collect()
    }

    /// What was asked for, or one a core.
    pub(super) fn threads(&self) -> NonZeroUsize {
        let cores = || thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        self.threads.unwrap_or_else(cores).min(THREADS_MAX)
    }
}

/// What an input is called in reports and messages.
pub(super) fn name(input: &Input) -> String {
    match input {
        Input::Stdin => "-".to_owned(),
        Input::File(path) => path.display().to_string(),
    }
}

/// More threads than any host has cores only cost memory.
const THREADS_MAX: NonZeroUsize = NonZeroUsize::new(1024).expect("more than none");

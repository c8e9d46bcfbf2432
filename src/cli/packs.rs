//! `--pack`: rules beside the built-in ones.

use std::path::PathBuf;
use std::sync::Arc;

use super::choice::read_settings;
use super::{Error, reason};
use crate::detect::Rules;
use crate::limit::PACKS_MAX;
use crate::policy;

/// Files of rules.
#[derive(Debug, clap::Args)]
pub(super) struct Packs {
    /// A file of rules that hold beside the built-in ones; may be given more than once. The policy may name their
    /// entities.
    #[arg(long = "pack", value_name = "FILE")]
    packs: Vec<PathBuf>,
}

impl Packs {
    /// The files.
    pub(super) fn files(&self) -> &[PathBuf] {
        &self.packs
    }

    /// Reads them: file name and text.
    pub(super) fn read(&self) -> Result<Vec<(String, String)>, Error> {
        read(&self.packs)
    }

    /// The built-in rules, and those of the files.
    pub(super) fn rules(&self) -> Result<Arc<Rules>, Error> {
        if self.packs.is_empty() {
            return Ok(policy::builtin_rules());
        }
        let packs = self.read()?;
        compiled(Rules::builtin_and(&named(&packs))).map(Arc::new)
    }
}

/// Reads packs: file name and text.
pub(super) fn read(files: &[PathBuf]) -> Result<Vec<(String, String)>, Error> {
    if files.len() > PACKS_MAX {
        let count = files.len();
        return Err(Error::Usage(format!("{count} packs are more than {PACKS_MAX}; put some into one file")));
    }
    let one = |file: &PathBuf| {
        let name = file.display().to_string();
        match read_settings(file) {
            Ok(text) => Ok((name, text)),
            Err(error) => Err(Error::Usage(format!("cannot read pack {name}: {}", reason(&error)))),
        }
    };
    files.iter().map(one).collect()
}

/// The same, borrowed.
pub(super) fn named(packs: &[(String, String)]) -> Vec<(&str, &str)> {
    packs.iter().map(|(file, text)| (&file[..], &text[..])).collect()
}

/// Rules, or a line for each thing that is wrong with them.
pub(super) fn compiled(rules: Result<Rules, Vec<crate::detect::pack::PackError>>) -> Result<Rules, Error> {
    rules.map_err(|errors| {
        let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
        Error::Usage(lines.join("\n"))
    })
}

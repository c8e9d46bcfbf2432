/*!
The rules of a configuration: the built-in packs, and behind them the files that it names.
*/

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::expand::read;
use crate::detect::Rules;
use crate::limit::PACKS_MAX;
use crate::policy;
use crate::yaml::Field;

/// What was read of packs.
pub(super) struct Packs {
    /// The files beside the built-in packs.
    pub(super) files: Vec<String>,
    /// All rules.
    pub(super) rules: Arc<Rules>,
}

impl Packs {
    /// Reads the files that `field` lists, and `more`.
    pub(super) fn read(root: &Field<'_>, field: Option<&Field<'_>>, more: &[PathBuf]) -> Option<Packs> {
        let at = field.unwrap_or(root);
        let listed = field.map_or(Some(Vec::new()), Field::list)?;
        let count = listed.len() + more.len();
        if count > PACKS_MAX {
            return at
                .refuse(format!("names {count} packs, and may name {PACKS_MAX}; put some into one file"));
        }
        let listed = listed.iter().map(|member| one(member, member.text()?.as_ref()));
        let packs: Vec<_> = listed.chain(more.iter().map(|path| one(root, path))).collect();
        let packs: Vec<(String, String)> = packs.into_iter().collect::<Option<_>>()?;
        let rules = match packs.is_empty() {
            true => policy::builtin_rules(),
            false => compiled(at, &packs)?,
        };
        Some(Packs { files: packs.into_iter().map(|(file, _)| file).collect(), rules })
    }
}

fn one(at: &Field<'_>, path: &Path) -> Option<(String, String)> {
    match read(path) {
        Ok(text) => Some((path.display().to_string(), text)),
        Err(why) => {
            at.refuse(format!("holds {path:?}, which cannot be read: {why}; it may hold the path of a pack"))
        }
    }
}

fn compiled(at: &Field<'_>, packs: &[(String, String)]) -> Option<Arc<Rules>> {
    let named: Vec<(&str, &str)> = packs.iter().map(|(file, text)| (&file[..], &text[..])).collect();
    match Rules::builtin_and(&named) {
        Ok(rules) => Some(Arc::new(rules)),
        Err(errors) => {
            errors.iter().for_each(|error| at.pass_on(&error.to_string()));
            None
        }
    }
}

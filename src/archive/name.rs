/*!
Names of partitions: `2026-11-22T10` for an hour, `2026-11-22T1015` for a quarter,
and `-2`, `-3` … where an earlier one could not be continued.
*/

use std::path::{Path, PathBuf};

use crate::clock::Timestamp;

/// One partition's files, by where they lie.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Name {
    pub class: String,
    pub from: Timestamp,
    /// 1 for the first of this class and time.
    pub part: u32,
}

impl Name {
    /// The name in file names: `2026-11-22T10-2`.
    pub(crate) fn stem(&self) -> String {
        let minute = if self.from.as_second() % 3600 == 0 { "" } else { "%M" };
        let stamp = self.from.strftime(&format!("%Y-%m-%dT%H{minute}")).to_string();
        if self.part == 1 { stamp } else { format!("{stamp}-{}", self.part) }
    }

    /// What key file and evidence call it: `access/2026-11-22T10`.
    pub(crate) fn id(&self) -> String {
        format!("{}/{}", self.class, self.stem())
    }

    /// The partition to which a file belongs, if it is one of ours.
    pub(crate) fn of(path: &Path) -> Option<Name> {
        let class = path.parent()?.file_name()?.to_str()?;
        let stem = path.file_stem()?.to_str()?;
        let (stamp, part) = match stem.match_indices('-').nth(2) {
            Some((at, _)) => (&stem[..at], stem[at + 1..].parse().ok()?),
            None => (stem, 1),
        };
        let (day, time) = stamp.split_once('T')?;
        let (hour, minute) = time.split_at_checked(2)?;
        let minute = if minute.is_empty() { "00" } else { minute };
        let from = format!("{day}T{hour}:{minute}:00Z").parse().ok()?;
        let name = Name { class: class.to_owned(), from, part };
        (name.stem() == stem).then_some(name)
    }

    pub(crate) fn key_path(&self, root: &Path) -> PathBuf {
        root.join(&self.class).join(self.stem() + ".key")
    }

    pub(crate) fn data_path(&self, root: &Path) -> PathBuf {
        root.join(&self.class).join(self.stem() + ".lva")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for (file, stem) in [
            ("a/access/2026-11-22T10.lva", "2026-11-22T10"),
            ("a/access/2026-11-22T1015.key", "2026-11-22T1015"),
            ("a/access/2026-11-22T10-2.lva", "2026-11-22T10-2"),
        ] {
            assert_eq!(Name::of(Path::new(file)).expect(file).stem(), stem);
        }
    }

    #[test]
    fn other_files_are_not_ours() {
        for file in [
            "x",
            "access/.lva",
            "access/2026-11-22.lva",
            "access/2026-11-22T10-1.lva",
            "access/é.lva",
            "access/2026-11-22T10-.lva",
            "access/2026-11-22Té.lva",
            "access/2026-13-22T10.lva",
            "access/notes.key",
        ] {
            assert_eq!(Name::of(Path::new(file)), None, "{file}");
        }
    }
}

//! Which files there are: patterns of paths, walked folder by folder.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::policy::Glob;

/// A pattern of paths: `*` is any number of characters of one name, `?` is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(PathBuf);

impl Pattern {
    /// A pattern that names a file; nothing if it ends with a folder.
    pub fn new(text: &str) -> Option<Pattern> {
        let path = PathBuf::from(text);
        (path.file_name().is_some() && !text.ends_with('/')).then_some(Pattern(path))
    }

    /// Whether a path as a whole fits.
    pub fn is_match(&self, path: &Path) -> bool {
        let (mut ours, mut theirs) = (self.0.components(), path.components());
        loop {
            match (ours.next(), theirs.next()) {
                (None, None) => return true,
                (Some(pattern), Some(name)) if fits(pattern.as_os_str(), name.as_os_str()) => {}
                _ => return false,
            }
        }
    }

    /// All paths that fit, and others of the same folders that `also` wants. Blocks. What cannot be read is not there.
    pub fn paths(&self, also: &dyn Fn(&Path) -> bool) -> Vec<PathBuf> {
        let mut found = vec![PathBuf::new()];
        let mut components = self.0.components().peekable();
        while let Some(component) = components.next() {
            let pattern = component.as_os_str();
            let is_last = components.peek().is_none();
            if !is_pattern(pattern) && !is_last {
                found.iter_mut().for_each(|path| path.push(pattern));
                continue;
            }
            let mut next = Vec::new();
            for folder in found {
                let listed = if folder.as_os_str().is_empty() { Path::new(".") } else { &folder };
                for entry in std::fs::read_dir(listed).into_iter().flatten().flatten() {
                    let path = folder.join(entry.file_name());
                    if fits(pattern, &entry.file_name()) || is_last && also(&path) {
                        next.push(path);
                    }
                }
            }
            found = next;
        }
        found.sort();
        found
    }
}

fn is_pattern(name: &std::ffi::OsStr) -> bool {
    name.as_bytes().iter().any(|b| matches!(b, b'*' | b'?'))
}

/// A hidden name fits a pattern only that begins with a dot, as in a shell.
fn fits(pattern: &std::ffi::OsStr, name: &std::ffi::OsStr) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let hidden = name.first() == Some(&b'.') && pattern.first() != Some(&b'.');
    !hidden && Glob::new(&String::from_utf8_lossy(pattern)).is_match(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_fits_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        for path in ["a/x.log", "a/y.txt", "b/x.log", "b/.z.log", "b/c/x.log", "x.log"] {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let found = |pattern: &str, also: &dyn Fn(&Path) -> bool| -> Vec<String> {
            let pattern = Pattern::new(dir.path().join(pattern).to_str().unwrap()).unwrap();
            let paths = pattern.paths(also);
            assert!(also(Path::new("y.txt")) || paths.iter().all(|path| pattern.is_match(path)));
            let name = |path: &PathBuf| path.strip_prefix(dir.path()).unwrap().to_str().unwrap().to_owned();
            paths.iter().map(name).collect()
        };
        let none = |_: &Path| false;
        assert_eq!(found("*/x.log", &none), ["a/x.log", "b/x.log"]);
        assert_eq!(found("?/*.log", &none), ["a/x.log", "b/x.log"]);
        assert_eq!(found("x.log", &none), ["x.log"]);
        assert_eq!(found("none/*", &none), [""; 0]);
        assert_eq!(found("a/*.log", &|path: &Path| path.ends_with("y.txt")), ["a/x.log", "a/y.txt"]);
        assert!(Pattern::new("/var/log/").is_none());
    }
}

/*!
What holds for the source as a whole: the invariants that no type can hold.

These tests read files and start nothing, so they also run on a copy of the
tree that has no `.git`.
*/

mod code;
mod layers;
mod metrics;
mod policies;
mod texts;

use std::fs;
use std::path::{Path, PathBuf};

/// One file of the repository.
struct File {
    /// Path from the repository's root, with `/`.
    name: String,
    /// Its content; bytes that are no UTF-8 are replaced.
    text: String,
}

impl File {
    /// The lines before the file's own tests, with their numbers from 1. A file of tests has none.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let tests = self.name.ends_with("/tests.rs") || self.name.contains("/tests/");
        let own = self.text.find("#[cfg(test)]\nmod tests {").unwrap_or(self.text.len());
        let end = if tests { 0 } else { own };
        self.text[..end].lines().enumerate().map(|(at, line)| (at + 1, line))
    }

    /// [`code`](File::code) without comments.
    fn statements(&self) -> impl Iterator<Item = (usize, &str)> {
        let mut in_block = false;
        self.code().filter(move |(_, line)| {
            let line = line.trim_start();
            let opens = line.starts_with("/*");
            let skip = in_block || opens || line.starts_with("//");
            in_block = (in_block || opens) && !line.ends_with("*/");
            !skip
        })
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file that belongs to the repository: all but what `.gitignore` names.
fn files() -> Vec<File> {
    let ignored = fs::read_to_string(root().join(".gitignore")).expect("the repository has a .gitignore");
    let mut skip: Vec<PathBuf> = ignored
        .lines()
        .filter(|line| line.starts_with('/'))
        .map(|line| root().join(line.trim_start_matches('/')))
        .collect();
    skip.push(root().join(".git"));
    let mut found = Vec::new();
    walk(root(), &skip, &mut found);
    assert!(found.len() > 20, "the walk found only {} files", found.len());
    found
}

fn walk(dir: &Path, skip: &[PathBuf], found: &mut Vec<File>) {
    let mut entries: Vec<_> = fs::read_dir(dir).expect("a folder can be read").flatten().collect();
    entries.sort_by_key(|entry| entry.path());
    for entry in entries {
        let path = entry.path();
        if skip.contains(&path) {
            continue;
        }
        if path.is_dir() {
            walk(&path, skip, found);
            continue;
        }
        let name = path.strip_prefix(root()).expect("the walk starts at the root");
        let bytes = fs::read(&path).expect("a file can be read");
        found.push(File {
            name: name.to_str().expect("names of files are UTF-8").to_owned(),
            text: String::from_utf8_lossy(&bytes).into_owned(),
        });
    }
}

/// Rust files under `src/`.
fn sources() -> Vec<File> {
    files().into_iter().filter(|file| file.name.starts_with("src/") && file.name.ends_with(".rs")).collect()
}

/// Fails with all offences at once, each a line `file:line: what is wrong`.
#[track_caller]
fn none(offences: Vec<String>, rule: &str) {
    assert!(offences.is_empty(), "{rule}:\n{}", offences.join("\n"));
}

/// Whether `word` stands in `line` with no letter, digit or underscore at its sides.
fn has_word(line: &str, word: &str) -> bool {
    let part_of_name =
        |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    line.match_indices(word).any(|(at, _)| {
        let before = at.checked_sub(1).and_then(|at| line.as_bytes().get(at));
        !part_of_name(before) && !part_of_name(line.as_bytes().get(at + word.len()))
    })
}

#[test]
fn words_are_whole_words() {
    assert!(has_word("unsafe { }", "unsafe"));
    assert!(!has_word("unsafe_code", "unsafe"));
    assert!(!has_word("not_unsafe", "unsafe"));
}

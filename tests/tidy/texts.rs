//! What the files say besides code: links, names of machines, people.

use std::collections::BTreeSet;
use std::path::Path;

use super::{File, files, none, root};

#[test]
fn links_between_pages_resolve() {
    let mut seen = 0;
    let mut broken = Vec::new();
    for file in files().iter().filter(|file| file.name.ends_with(".md")) {
        let folder = root().join(&file.name).parent().map(Path::to_path_buf).unwrap_or_default();
        for (number, target) in links(file) {
            seen += 1;
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            let page = if path.is_empty() { root().join(&file.name) } else { folder.join(path) };
            let resolves = page.exists() && (anchor.is_empty() || anchors(&page).contains(anchor));
            if !resolves {
                broken.push(format!("{}:{number}: {target}", file.name));
            }
        }
    }
    assert!(seen > 0, "no link was seen");
    none(broken, "a link to a file of the repository resolves");
}

/// Targets of `[text](target)` outside fenced blocks that stay in the repository, with their lines.
fn links(file: &File) -> Vec<(usize, &str)> {
    let mut fenced = false;
    let mut found = Vec::new();
    for (at, line) in file.text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        for piece in line.split("](").skip(1) {
            let target = piece.split(')').next().unwrap_or_default();
            if !target.contains("://") && !target.is_empty() {
                found.push((at + 1, target));
            }
        }
    }
    found
}

/// What `#…` may follow a page's name: its headings, in lower case, with dashes for spaces.
fn anchors(page: &Path) -> BTreeSet<String> {
    let text = std::fs::read_to_string(page).unwrap_or_default();
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings.map(|line| slug(line.trim_start_matches('#').trim())).collect()
}

fn slug(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || *c == ' ' || *c == '-' || *c == '_');
    kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}

#[test]
fn no_file_names_a_machine() {
    // Put together here, so that this file does not hold them.
    let homes = ["work", "root", "farm"].map(|dir| format!("/{dir}/"));
    let mut offences = Vec::new();
    for file in files() {
        for (at, line) in file.text.lines().enumerate() {
            for home in homes.iter().filter(|home| names_path(line, home)) {
                offences.push(format!("{}:{}: a path under {home}", file.name, at + 1));
            }
        }
    }
    none(offences, "no file names a path of the machine it was written on");
}

/// Whether an absolute path begins with `home` in `line`: what stands before is no part of a longer path or address.
fn names_path(line: &str, home: &str) -> bool {
    line.match_indices(home).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || "._-~*/}$".contains(c))
    })
}

#[test]
fn packages_come_from_the_public_registry() {
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).expect("Cargo.lock is committed");
    let elsewhere: Vec<String> = lock
        .lines()
        .filter(|line| line.starts_with("source = "))
        .filter(|line| *line != "source = \"registry+https://github.com/rust-lang/crates.io-index\"")
        .map(|line| format!("Cargo.lock: {line}"))
        .collect();
    none(elsewhere, "every package comes from crates.io");
    for name in [".cargo/config.toml", ".cargo/config"] {
        assert!(!root().join(name).exists(), "{name} would send other people's builds elsewhere");
    }
}

/// RFC 2606 and RFC 6761: names that belong to nobody. Beside them every domain with a label `example`.
const NOBODYS: &[&str] = &[
    "example.com",
    "example.org",
    "example.net",
    "example",
    "test",
    "invalid",
    "localhost",
    "local",
    "internal",
    // Names of algorithms (RFC 4251, section 6).
    "openssh.com",
    // What stands at the end of names of files and units.
    "png",
    "service",
];

#[test]
fn pages_name_no_person() {
    let mut offences = Vec::new();
    for file in files().iter().filter(|file| !file.name.ends_with(".lock")) {
        for (at, line) in file.text.lines().enumerate() {
            for address in addresses(line) {
                offences.push(format!("{}:{}: {address}", file.name, at + 1));
            }
        }
    }
    none(offences, "an e-mail address in the repository is at a reserved domain (RFC 2606)");
}

/// E-mail addresses at domains that may belong to somebody: those with a top-level domain of letters that is not reserved.
/// One letter before the `@` is nobody's name.
fn addresses(line: &str) -> Vec<&str> {
    let local = |c: char| c.is_ascii_alphanumeric() || "._%+-".contains(c);
    let mut found = Vec::new();
    for (at, _) in line.match_indices('@') {
        let start = at - line[..at].bytes().rev().take_while(|byte| local(char::from(*byte))).count();
        let rest = &line[at + 1..];
        let end =
            rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '.' && c != '-').unwrap_or(rest.len());
        let domain = rest[..end].trim_end_matches(['.', '-']).to_ascii_lowercase();
        let top = domain.rsplit('.').next().unwrap_or_default();
        let named =
            domain.contains('.') && top.len() > 1 && top.bytes().all(|byte| byte.is_ascii_alphabetic());
        let reserved = domain.split('.').any(|label| label == "example")
            || NOBODYS.iter().any(|name| domain == *name || domain.ends_with(&format!(".{name}")));
        if named && !reserved && start + 1 < at {
            found.push(&line[start..at + 1 + domain.len()]);
        }
    }
    found
}

#[test]
fn addresses_at_reserved_domains_are_nobodys() {
    assert!(addresses("jane@example.com, root@mail.example.org, a@b.test, x@host, v1@2.3.4").is_empty());
    let somebody = ["jane", "some-mail.io"].join("@");
    assert_eq!(addresses(&format!("<{somebody}>")), [somebody]);
}

/// The image is built from what the ignore file lets through; files that are compiled in have to be among it.
#[test]
fn the_image_is_built_from_all_that_is_compiled_in() {
    let ignore = std::fs::read_to_string(root().join("deploy/Dockerfile.dockerignore")).unwrap();
    let passed: Vec<&str> = ignore.lines().filter_map(|line| line.strip_prefix('!')).collect();
    let mut seen = 0;
    let mut missing = Vec::new();
    for file in files().iter().filter(|file| file.name.starts_with("src/") && file.name.ends_with(".rs")) {
        for piece in file.text.split("include_str!(\"").chain(file.text.split("include_bytes!(\"")).skip(1) {
            let Some(up) = piece.split('"').next().and_then(|path| path.strip_prefix("../../")) else {
                continue;
            };
            seen += 1;
            if !passed.iter().any(|start| up.starts_with(start)) {
                missing.push(format!("deploy/Dockerfile.dockerignore: {up}"));
            }
        }
    }
    assert!(seen > 0, "packs and policies are compiled in");
    none(missing, "what is compiled in reaches the image's build");
}

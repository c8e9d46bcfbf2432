//! The layer rule of `src/lib.rs`: a module uses modules of a lower layer, or itself.

use std::collections::BTreeMap;
use std::fs;

use super::{File, none, root, sources};

/// Layer 0 is one vocabulary and layer 10 is the program itself: within these two, modules may know each other.
const ONE_WORLD: [u8; 2] = [0, 10];

/// Layers up to this one compute only.
const PURE_MAX: u8 = 5;

/// What a module of a pure layer never says: files, sockets, processes, threads, environment, waiting, clocks, log
/// lines, metrics.
const IMPURE: &[&str] = &[
    "std::fs",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "to_socket_addrs",
    "std::process",
    "std::env",
    "std::thread",
    "io::stdin",
    "io::stdout",
    "io::stderr",
    "tokio::",
    "hyper::",
    "rustix::",
    "getrandom::",
    "async fn",
    "async move",
    ".await",
    "SystemClock",
    "Instant::now",
    "tracing::",
    "prometheus::",
    "telemetry::",
];

/// Layer by module, as the headings `// 3: changes` in `src/lib.rs` say.
fn table() -> BTreeMap<String, u8> {
    let manual = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let mut layers = BTreeMap::new();
    let mut layer = None;
    for line in manual.lines() {
        if let Some((number, _)) = line.strip_prefix("// ").and_then(|heading| heading.split_once(':')) {
            layer = number.parse().ok().or(layer);
        }
        if let Some(module) = line.strip_prefix("pub mod ").and_then(|rest| rest.strip_suffix(';')) {
            let layer = layer.unwrap_or_else(|| panic!("src/lib.rs: {module} stands under no heading"));
            layers.insert(module.to_owned(), layer);
        }
    }
    layers
}

/// The module of `src/` that a file belongs to.
fn module(file: &File) -> &str {
    let path = file.name.trim_start_matches("src/").trim_end_matches(".rs");
    path.split('/').next().unwrap_or(path)
}

/// The modules that a line of code names by `crate::`.
fn used(line: &str) -> Vec<&str> {
    let mut names = Vec::new();
    for (at, _) in line.match_indices("crate::") {
        let rest = &line[at + "crate::".len()..];
        let list = rest.strip_prefix('{').map_or(rest, |list| list.split('}').next().unwrap_or(list));
        let many = list.len() != rest.len();
        for name in list.split(',').take(if many { usize::MAX } else { 1 }) {
            let name = name.trim();
            let end = name.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(name.len());
            names.push(&name[..end]);
        }
    }
    names
}

#[test]
fn finds_the_modules_that_a_line_uses() {
    assert_eq!(used("use crate::span::Span;"), ["span"]);
    assert_eq!(used("use crate::{act::Redacted, keys};"), ["act", "keys"]);
    assert_eq!(used("fn f(a: crate::ttl::Ttl, b: &crate::clock::Timestamp)"), ["ttl", "clock"]);
    assert!(used("use super::Span;").is_empty());
}

#[test]
fn every_module_has_a_layer() {
    let table = table();
    assert!(table.len() > 8, "src/lib.rs names only {} modules", table.len());
    let homeless = sources()
        .iter()
        .map(module)
        .filter(|module| !["lib", "main"].contains(module) && !table.contains_key(*module))
        .map(|module| format!("src/lib.rs: no heading over {module}"))
        .collect();
    none(homeless, "the manual lists every module under its layer");
}

#[test]
fn a_module_uses_only_lower_layers() {
    let table = table();
    let mut offences = Vec::new();
    for file in sources() {
        let user = module(&file);
        let Some(&layer) = table.get(user) else { continue };
        for (number, line) in file.statements() {
            for used in used(line) {
                let Some(&below) = table.get(used) else { continue };
                let known = used == user || below < layer || below == layer && ONE_WORLD.contains(&layer);
                if !known {
                    let name = &file.name;
                    offences.push(format!("{name}:{number}: {user} ({layer}) uses {used} ({below})"));
                }
            }
        }
    }
    none(offences, "a module uses modules of a lower layer, or itself");
}

#[test]
fn pure_layers_have_no_input_and_no_output() {
    let table = table();
    let mut offences = Vec::new();
    for file in sources() {
        let pure = table.get(module(&file)).is_some_and(|&layer| layer <= PURE_MAX);
        if !pure || file.name == "src/clock.rs" {
            continue;
        }
        for (number, line) in file.statements() {
            for word in IMPURE.iter().filter(|word| line.contains(**word)) {
                offences.push(format!("{}:{number}: {word}", file.name));
            }
        }
    }
    none(offences, "layers 0 to 5 do no I/O, wait for nothing, read no clock, log and count nothing");
}

#[test]
fn the_code_map_names_every_module() {
    let page = fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with('|')).collect();
    let unnamed = table()
        .into_keys()
        .filter(|module| !rows.iter().any(|row| row.contains(&format!("`{module}`"))))
        .map(|module| format!("docs/architecture.md: no row with `{module}`"))
        .collect();
    none(unnamed, "the code map is whole");
}

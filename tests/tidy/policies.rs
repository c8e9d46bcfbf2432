//! The built-in profiles: every line cites a clause, and every test that a clause names exists.

use logveil::policy::{BUILTIN, Policy};

use super::{File, files, none};

/// The profiles of published texts.
const PROFILES: [&str; 5] = ["capmonster", "capsolver", "cloudshift21", "ai-platform", "gpu-cloud"];

/// The module that a file is: `profiles::capmonster` of `tests/profiles/capmonster.rs`.
fn module(file: &File) -> String {
    let path = file.name.trim_start_matches("src/").trim_start_matches("tests/").trim_end_matches(".rs");
    path.trim_end_matches("/tests").trim_end_matches("/mod").replace('/', "::")
}

#[test]
fn every_test_that_a_clause_names_exists() {
    let files = files();
    let rust: Vec<&File> = files.iter().filter(|file| file.name.ends_with(".rs")).collect();
    let mut offences = Vec::new();
    for name in PROFILES {
        let policy = Policy::builtin(name).expect("it is built in");
        for test in policy.clauses().iter().flat_map(|clause| &clause.tests) {
            let (path, function) = test.rsplit_once("::").expect("a test has a module");
            let is_there =
                |file: &&File| module(file) == path && file.text.contains(&format!("fn {function}()"));
            if !rust.iter().any(is_there) {
                offences.push(format!("deploy/policies/{name}.yaml: there is no test {test}"));
            }
        }
    }
    none(offences, "a clause names tests that are there");
}

#[test]
fn every_clause_that_is_kept_names_its_test_and_every_line_its_clause() {
    let mut offences = Vec::new();
    for name in PROFILES {
        let policy = Policy::builtin(name).expect("it is built in");
        for clause in policy.clauses() {
            let unkept = clause.not_enforceable.is_some() || clause.open.is_some();
            if !unkept && clause.tests.is_empty() {
                offences.push(format!("deploy/policies/{name}.yaml: clause {:?} names no test", clause.id));
            }
        }
        let (_, text) = BUILTIN.iter().find(|(builtin, _)| *builtin == name).expect("it is built in");
        let (_, lines) = text.split_once("\n  \"*\":").expect("a section for all classes");
        for (at, line) in lines.lines().enumerate() {
            let says =
                line.starts_with("      ") && line.contains(": {") || line.starts_with("    retention");
            if says && !line.contains("cites") {
                offences.push(format!(
                    "deploy/policies/{name}.yaml: line {at} behind the classes cites nothing: {line}"
                ));
            }
        }
    }
    none(offences, "a profile says which clause each of its lines keeps");
}

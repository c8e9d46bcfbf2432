//! Shape and habits of the Rust code.

use super::{File, files, has_word, none, sources};

const FILE_LINES_MAX: usize = 800;
const FUNCTION_LINES_MAX: usize = 70;

/// The one folder in which `unsafe` may stand.
const UNSAFE_HOME: &str = "src/detect/simd/";

/// Reads of the wall clock. Only `src/clock.rs` makes them.
const WALL_CLOCKS: &[&str] = &["SystemTime::now", "Timestamp::now", "Zoned::now", "UNIX_EPOCH.elapsed"];

/// Lines of statements that hold one of `words`, outside the places that may.
fn lines_with(words: &[&str], may: impl Fn(&str) -> bool) -> Vec<String> {
    let mut offences = Vec::new();
    for file in sources().iter().filter(|file| !may(&file.name)) {
        for (number, line) in file.statements() {
            for word in words.iter().filter(|word| line.contains(**word)) {
                offences.push(format!("{}:{number}: {word}", file.name));
            }
        }
    }
    offences
}

#[test]
fn unsafe_stands_in_one_folder_only() {
    let words =
        ["unsafe {", "unsafe fn", "unsafe impl", "unsafe extern", "allow(unsafe_code", "expect(unsafe_code"];
    let found = lines_with(&words, |name| name.starts_with(UNSAFE_HOME));
    none(found, "unsafe code lives in src/detect/simd and nowhere else");
}

#[test]
fn only_verbs_write_to_the_terminal() {
    let found =
        lines_with(&["println!", "print!"], |name| name.starts_with("src/cli/") || name == "src/main.rs");
    none(found, "only src/cli prints; everything else returns or logs");
    none(lines_with(&["dbg!", "todo!", "unimplemented!"], |_| false), "nothing unfinished is left");
}

#[test]
fn only_the_clock_reads_the_wall_clock() {
    none(lines_with(WALL_CLOCKS, |name| name == "src/clock.rs"), "time is handed in");
}

#[test]
fn panics_on_purpose_state_their_invariant() {
    none(lines_with(&[".unwrap()"], |_| false), "no unwrap outside tests: `expect` states the invariant");
}

#[test]
fn every_bound_is_kept_by_somebody() {
    let sources = sources();
    let (bounds, others): (Vec<&File>, Vec<&File>) =
        sources.iter().partition(|file| file.name == "src/limit.rs");
    let names: Vec<&str> = bounds[0]
        .text
        .lines()
        .filter_map(|line| Some(line.strip_prefix("pub const ")?.split_once(':')?.0))
        .collect();
    assert!(names.len() > 40, "src/limit.rs has only {} bounds", names.len());
    let used = |name: &str| others.iter().any(|file| file.statements().any(|(_, line)| has_word(line, name)));
    let dead = names.into_iter().filter(|name| !used(name)).map(|name| format!("src/limit.rs: {name}"));
    none(dead.collect(), "a bound that nothing keeps promises what is not so");
}

#[test]
fn files_hold_one_noun() {
    let long = files()
        .iter()
        .filter(|file| file.name.ends_with(".rs"))
        .map(|file| (&file.name, file.text.lines().count()))
        .filter(|(_, lines)| *lines > FILE_LINES_MAX)
        .map(|(name, lines)| format!("{name}: {lines} lines"))
        .collect();
    none(long, "a file has at most 800 lines");
}

/// Name, first line and length of every function in rustfmt's layout: it ends at the first brace in its own column.
fn functions(file: &File) -> Vec<(usize, usize)> {
    let lines: Vec<_> = file.code().collect();
    let mut found = Vec::new();
    for (at, (number, line)) in lines.iter().enumerate() {
        let text = line.trim_start();
        let indent = line.len() - text.len();
        let named = text.split('(').next().is_some_and(|head| has_word(head, "fn"));
        if !named || text.starts_with("//") || text.ends_with(';') || text.ends_with('}') {
            continue;
        }
        let ends = |other: &str| {
            let other_text = other.trim_start();
            other.len() - other_text.len() == indent && (other_text == "}" || other_text.ends_with(';'))
        };
        let length = lines[at + 1..].iter().position(|(_, other)| ends(other)).map_or(1, |last| last + 2);
        found.push((*number, length));
    }
    found
}

#[test]
fn functions_fit_a_screen() {
    let mut seen = 0;
    let mut offences = Vec::new();
    for file in sources() {
        for (number, length) in functions(&file) {
            seen += 1;
            if length > FUNCTION_LINES_MAX {
                offences.push(format!("{}:{number}: {length} lines", file.name));
            }
        }
    }
    assert!(seen > 50, "only {seen} functions seen");
    none(offences, "a function has at most 70 lines");
}

#[test]
fn a_function_ends_at_its_brace() {
    let text = "fn one(\n    a: u8,\n) -> u8 {\n    if a {\n    }\n    a\n}\n\nfn two() {}\n";
    let file = File { name: "src/a.rs".into(), text: text.into() };
    assert_eq!(functions(&file), [(1, 7)]);
}

/*!
The examples of the pages: those of `README.md` are run and print what the page says, configurations and policies load.

A block that begins with three backticks and `console` holds commands after `$ ` and what they print. Commands run
in one folder, beside one `logveil run`. What differs from run to run, or from machine to machine, is replaced on both
sides: ports, and the random parts of pseudonyms.
*/

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use crate::support::logveil::{Logveil, archive_cat, binary};
use crate::support::process::run;
use crate::support::{root, wait_until};

/// A command of the page and all that the page says it prints.
struct Example {
    command: String,
    output: String,
}

/// The page's commands in order, but for those that build or test: these cannot run inside the tests.
fn examples(page: &str) -> Vec<Example> {
    let mut found: Vec<Example> = Vec::new();
    let mut shown = false;
    for line in page.lines() {
        if line.starts_with("```") {
            shown = line == "```console";
            continue;
        }
        if !shown {
            continue;
        }
        match line.strip_prefix("$ ") {
            Some(command) => found.push(Example { command: command.to_owned(), output: String::new() }),
            None => {
                let example = found.last_mut().expect("output follows a command");
                example.output.push_str(line);
                example.output.push('\n');
            }
        }
    }
    found.retain(|example| {
        !["cargo ", "tests/", "git ", "cd "].iter().any(|word| example.command.starts_with(word))
    });
    found
}

/// Replaces the random parts of pseudonyms, `KIND_kXXXX.` and 20 signs of base32, by dots.
fn without_keys(text: &str) -> String {
    let base32 = |part: &str| part.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7'));
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("_k") {
        let (before, tag) = rest.split_at(at);
        out.push_str(before);
        let random = tag.get(2..27).filter(|tag| base32(&tag[..4]) && &tag[4..5] == "." && base32(&tag[5..]));
        let taken = if random.is_some() { 27 } else { 2 };
        out.push_str(if random.is_some() { "_k...." } else { "_k" });
        rest = &tag[taken..];
    }
    out + rest
}

#[test]
fn the_random_parts_of_pseudonyms_are_dots() {
    let tag = "by email_k7f3a.mfrggzdfmztwq2lkmfrg, not_known";
    assert_eq!(without_keys(tag), "by email_k...., not_known");
}

/// The page with other output below its commands.
fn with_output(page: &str, examples: &[Example]) -> String {
    let mut examples = examples.iter().peekable();
    let mut out = String::new();
    let mut replaced = false;
    for line in page.lines() {
        let command = line.strip_prefix("$ ");
        replaced = replaced && command.is_none() && !line.starts_with("```");
        if replaced {
            continue;
        }
        out.push_str(line);
        out.push('\n');
        if let Some(example) = examples.next_if(|example| Some(example.command.as_str()) == command) {
            out.push_str(&example.output);
            replaced = true;
        }
    }
    out
}

/// Runs a command in the folder of the program; what it prints on both outputs.
fn printed(command: &str, logveil: &Logveil) -> String {
    let output = Command::new("bash")
        .args(["-c", &format!("exec 2>&1; {command}")])
        .current_dir(logveil.dir())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// `UPDATE_DOCS=1` writes what is printed into the page.
#[test]
fn the_examples_of_the_readme_are_true() {
    let path = root().join("README.md");
    let page = fs::read_to_string(&path).unwrap();
    let logveil = Logveil::start();
    std::os::unix::fs::symlink(logveil.dir().join("data"), logveil.dir().join("logveil-data")).unwrap();
    let ports = [("5514", logveil.syslog), ("8088", logveil.http), ("9598", logveil.admin)];
    let mut examples = examples(&page);
    assert!(examples.len() >= 4, "the page shows only {} commands", examples.len());
    let update = std::env::var_os("UPDATE_DOCS").is_some();
    for example in &mut examples {
        let mut command = example.command.replace("target/release/logveil", binary().to_str().unwrap());
        for (default, port) in ports {
            command = command.replace(default, &port.to_string());
        }
        if command.ends_with("archive cat") {
            let want = example.output.lines().count();
            let have = || archive_cat(&logveil.config(), &[]).lines().count();
            wait_until(&format!("the archive holds {want} records"), || have() >= want);
        }
        let mut output = printed(&command, &logveil);
        for (default, port) in ports {
            output = output.replace(&port.to_string(), default);
        }
        if update {
            example.output = output;
        } else {
            assert_eq!(without_keys(&output), without_keys(&example.output), "{}", example.command);
        }
    }
    if update {
        fs::write(path, with_output(&page, &examples)).unwrap();
    }
}

/// The blocks of YAML on a page.
fn yaml_blocks(page: &str) -> Vec<&str> {
    page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

#[test]
fn configurations_and_policies_of_the_pages_load() {
    let page = fs::read_to_string(root().join("docs/operations.md")).unwrap();
    let blocks = yaml_blocks(&page);
    assert_eq!(blocks.len(), 4, "one configuration, one policy, a part of either");
    let dir = tempfile::tempdir().unwrap();
    let load = |name: &str, text: &str| {
        fs::write(dir.path().join(name), text).unwrap();
        run(Command::new(binary()).args(["check", "--config", name]).current_dir(dir.path()))
    };
    let (config, policy) = (blocks[0], blocks[1]);
    let shown = load("logveil.yaml", config).stdout;
    let default = load("empty.yaml", "policy: default\n").stdout;
    assert_eq!(
        String::from_utf8(shown).unwrap().replace("logveil.yaml", ""),
        String::from_utf8(default).unwrap().replace("empty.yaml", ""),
        "the page shows the defaults"
    );
    fs::write(dir.path().join("shop.yaml"), policy).unwrap();
    load("shop-run.yaml", "policy: ./shop.yaml\n");
    fs::write(dir.path().join("counts.yaml"), format!("policy: counts\n{}", blocks[2])).unwrap();
    load("counts-run.yaml", "policy: ./counts.yaml\n");
    for role in ["officer", "scraper", "deploy"] {
        let token = dir.path().join(format!("{role}.token"));
        fs::write(&token, format!("{role}-{}\n", "0".repeat(32))).unwrap();
        fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
    }
    load("roles.yaml", &blocks[3].replace("/etc/logveil", &dir.path().display().to_string()));
}

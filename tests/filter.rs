/*!
The filter and its kin as people use them: `redact`, `scan`, `explain`, as a
process with pipes and files.
*/

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::thread;

use rustix::io::ioctl_fionread;

/// Values that no report, summary or error may show.
const CANARIES: [&str; 3] = ["198.51.100.77", "canary.jane@example.com", "2001:db8:77::ca9a"];

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_logveil"));
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs it to its end on an input.
#[track_caller]
fn run(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = command(arguments).spawn().expect("the program starts");
    let mut stdin = child.stdin.take().expect("stdin is a pipe");
    let input = input.to_vec();
    // It may end before it has read all, which is its right.
    let feed = thread::spawn(move || stdin.write_all(&input).ok());
    let output = child.wait_with_output().expect("the program ends");
    feed.join().expect("the feed does not panic");
    output
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[track_caller]
fn redacted(arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let output = run(&[&["redact", "--policy", "everything"], arguments].concat(), input);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    output.stdout
}

/// Waits until the program has read all that is in its pipe, so that what follows is another read.
fn wait_until_read(stdin: &ChildStdin) {
    while ioctl_fionread(stdin).expect("a pipe knows how full it is") > 0 {
        thread::yield_now();
    }
}

fn peak_memory_bytes(child: &Child) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).expect("it still runs");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux tells the peak");
    let kib: usize = peak.trim().trim_end_matches(" kB").parse().expect("a number of KiB");
    kib * 1024
}

/// Law: for every split of the input into two reads the output is that of the whole.
#[test]
fn every_split_of_the_input_gives_the_same_output() {
    let unit = b"a 192.0.2.44 b\r\n{\"m\":\"jane@example.com\"}\n\n\xff\0 203.0.113.9\n";
    let expected = b"a [ipv4] b\r\n{\"m\":\"[email]\"}\n\n\xff\0 [ipv4]\n".repeat(unit.len() + 1);
    for threads in ["1", "3"] {
        let mut child = command(&["redact", "--policy", "everything", "--quiet", "--threads", threads])
            .spawn()
            .expect("the program starts");
        let mut stdin = child.stdin.take().expect("stdin is a pipe");
        let feed = thread::spawn(move || {
            for split in 0..=unit.len() {
                for part in [&unit[..split], &unit[split..]] {
                    stdin.write_all(part).expect("it reads on");
                    wait_until_read(&stdin);
                }
            }
        });
        let output = child.wait_with_output().expect("the program ends");
        feed.join().expect("all was fed");
        assert_eq!(text(&output.stdout), text(&expected), "{threads} threads");
    }
}

#[test]
fn order_is_that_of_the_input_with_any_number_of_threads() {
    let mut input = Vec::new();
    for number in 0..60_000 {
        let long = if number % 1000 == 0 { "x".repeat(30_000) } else { String::new() };
        writeln!(input, "{number} from 192.0.2.{} {long}", number % 250).expect("a vector takes all");
    }
    let expected = redacted(&["--threads", "1"], &input);
    let lines: Vec<&[u8]> = expected.split(|byte| *byte == b'\n').collect();
    assert_eq!(lines.len(), 60_001);
    for (number, line) in lines[..60_000].iter().enumerate() {
        assert!(line.starts_with(format!("{number} from [ipv4] ").as_bytes()), "line {number}");
    }
    for threads in ["2", "8"] {
        assert!(redacted(&["--threads", threads], &input) == expected, "{threads} threads");
    }
}

#[test]
fn all_bytes_outside_of_findings_stay() {
    for input in [
        &b""[..],
        b"\n",
        b"\n\n\n",
        b"no newline at the end",
        b"one\r\ntwo\r\n",
        b"mixed\r\nends\nhere",
        b"\0\0\n\0",
        b"\xff\xfe\xc3\x28 \xf0\x28\x8c\xbc\n",
        b"\r",
        "gr\u{fc}n \u{2028} \u{1f642}\n".as_bytes(),
    ] {
        for threads in ["1", "4"] {
            assert_eq!(text(&redacted(&["--threads", threads], input)), text(input));
        }
    }
    assert_eq!(redacted(&[], b"to 192.0.2.1"), b"to [ipv4]");
}

#[test]
fn slow_input_comes_out_as_it_comes_in() {
    for threads in ["1", "2"] {
        let mut child = command(&["redact", "--threads", threads]).spawn().expect("the program starts");
        let mut stdin = child.stdin.take().expect("stdin is a pipe");
        let mut stdout = BufReader::new(child.stdout.take().expect("stdout is a pipe"));
        for number in 0..20 {
            writeln!(stdin, "line {number}").expect("it reads on");
            let mut line = String::new();
            stdout.read_line(&mut line).expect("it answers");
            assert_eq!(line, format!("line {number}\n"));
        }
        drop(stdin);
        assert!(child.wait().expect("it ends").success());
    }
}

#[test]
fn a_line_of_100_mib_costs_bounded_memory() {
    const LINE_BYTES: usize = 100 << 20;
    let mut child = command(&["redact", "--threads", "2"]).spawn().expect("the program starts");
    let mut stdin = child.stdin.take().expect("stdin is a pipe");
    let mut stdout = BufReader::new(child.stdout.take().expect("stdout is a pipe"));
    let some = CANARIES[0].repeat((1 << 20) / CANARIES[0].len());
    stdin.write_all(b"before\n").expect("it reads on");
    let mut fed = 0;
    while fed < LINE_BYTES {
        stdin.write_all(some.as_bytes()).expect("it reads on");
        fed += some.len();
    }
    stdin.write_all(b"\nfrom 192.0.2.8\n").expect("it reads on");
    let mut out = String::new();
    for _ in 0..3 {
        stdout.read_line(&mut out).expect("it answers");
    }
    let peak = peak_memory_bytes(&child);
    drop(stdin);
    let mut rest = Vec::new();
    stdout.read_to_end(&mut rest).expect("it ends its output");
    let output = child.wait_with_output().expect("the program ends");
    assert_eq!(out, format!("before\n[logveil: record withheld, {fed} bytes, too long]\nfrom 192.0.2.0\n"));
    assert!(rest.is_empty());
    assert!(peak < 64 << 20, "it held {peak} bytes");
    assert!(text(&output.stderr).contains("1 record withheld"), "{}", text(&output.stderr));
    assert!(!text(&output.stderr).contains(CANARIES[0]));
}

#[test]
fn a_reader_that_goes_away_ends_it_without_a_word() {
    for verb in [&["redact"][..], &["redact", "--threads", "4"], &["scan"], &["scan", "--format", "json"]] {
        let mut child = command(verb).spawn().expect("the program starts");
        let mut stdin = child.stdin.take().expect("stdin is a pipe");
        drop(child.stdout.take());
        // Its end closes the pipe; that it is still open would make this write wait, so no end is waited for first.
        while stdin.write_all(b"from 192.0.2.8\n").is_ok() {}
        let output = child.wait_with_output().expect("the program ends");
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()), "{verb:?}");
    }
}

#[test]
fn no_report_and_no_summary_shows_a_value() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("app.log");
    let line = format!("from {} to {} by {}\n", CANARIES[0], CANARIES[1], CANARIES[2]);
    fs::write(&file, line.repeat(100)).expect("a file");
    let file = file.to_str().expect("its name is UTF-8");
    let missing = format!("{file}.gone");
    for verb in [
        &["redact"][..],
        &["redact", "--policy", "everything", "--class", "access"],
        &["scan"],
        &["scan", "--format", "json"],
        &["scan", "--format", "html", "--fail-on-findings"],
    ] {
        let output = run(&[verb, &[file, &missing]].concat(), b"");
        for canary in CANARIES {
            assert!(!text(&output.stderr).contains(canary), "{verb:?}: {canary} on standard error");
            assert!(!text(&output.stdout).contains(canary), "{verb:?}: {canary} on standard output");
        }
    }
}

#[test]
fn a_file_that_cannot_be_read_is_told_and_the_others_go_on() {
    let dir = tempfile::tempdir().expect("a folder");
    let (one, two) = (dir.path().join("one.log"), dir.path().join("two.log"));
    fs::write(&one, "one 192.0.2.1").expect("a file");
    fs::write(&two, "two 192.0.2.2").expect("a file");
    let path = |path: &Path| path.to_str().expect("its name is UTF-8").to_owned();
    let (one, two, folder) = (path(&one), path(&two), path(dir.path()));
    let output = run(&["redact", "--quiet", &one, &format!("{folder}/none"), &folder, &two], b"");
    assert_eq!(text(&output.stdout), "one 192.0.2.0\ntwo 192.0.2.0", "no two records run together");
    let told = format!(
        "logveil: cannot read {folder}/none: no such file or directory\n\
         logveil: cannot read {folder}: is a directory\n"
    );
    assert_eq!(text(&output.stderr), told);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn wrong_usage_is_one_line_and_exit_code_2() {
    for (arguments, told) in [
        (
            &["redact", "--policy", "nosuch"][..],
            "logveil: --policy: `nosuch` is no file and no built-in policy",
        ),
        (
            &["scan", "--class", "nosuch"],
            "logveil: --class: no class `nosuch` in the policy; it has access, app",
        ),
        (&["redact", "--threads", "0"], "logveil: invalid value '0' for '--threads <N>'"),
        (&["scan", "--format", "xml"], "logveil: invalid value 'xml' for '--format <FORMAT>'"),
        (&["reduct"], "logveil: unrecognized subcommand 'reduct'"),
    ] {
        let output = run(arguments, b"");
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(stderr.starts_with(told) && stderr.lines().count() == 1, "{arguments:?}: {stderr}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn scan_tells_a_json_object_a_finding() {
    let input = b"nothing\r\n192.0.2.44 \xff jane@example.com\n";
    let output = run(&["scan", "--format", "json", "-"], input);
    let told = r#"{"file":"-","line":2,"start":0,"end":10,"entity":"ipv4","rule":"ipv4"}
{"file":"-","line":2,"start":13,"end":29,"entity":"email","rule":"email"}
"#;
    assert_eq!(text(&output.stdout), told);
    assert_eq!(output.status.code(), Some(0));
    let output = run(&["scan", "--format", "json", "--show-values"], input);
    let first = text(&output.stdout).lines().next().expect("two findings").to_owned();
    assert!(first.ends_with(r#""rule":"ipv4","value":"192.0.2.44"}"#), "{first}");
}

#[test]
fn scan_counts_lines_by_file_with_any_number_of_threads() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("a.log");
    let lines: String =
        (1..=50_000).map(|n| if n % 7 == 0 { "at 192.0.2.1\n" } else { "nothing to see\n" }).collect();
    fs::write(&file, lines).expect("a file");
    let file = file.to_str().expect("its name is UTF-8");
    for threads in ["1", "4"] {
        let output = run(&["scan", "--quiet", "--threads", threads, file, "-", file], b"192.0.2.1\n");
        let expected = |file: &str| -> String {
            (7..=50_000).step_by(7).map(|line| format!("{file}:{line}:3-12 ipv4 ipv4\n")).collect()
        };
        let expected = [expected(file), "-:1:0-9 ipv4 ipv4\n".to_owned(), expected(file)].concat();
        assert!(text(&output.stdout) == expected, "{threads} threads");
    }
}

#[test]
fn findings_fail_a_scan_only_if_asked() {
    let too_long = vec![b'x'; (1 << 20) + 1];
    for (input, option, code) in [
        (&b"192.0.2.1\n"[..], &["scan"][..], 0),
        (b"192.0.2.1\n", &["scan", "--fail-on-findings"], 1),
        (b"nothing\n", &["scan", "--fail-on-findings"], 0),
        (&too_long, &["scan", "--fail-on-findings"], 1),
    ] {
        assert_eq!(run(option, input).status.code(), Some(code), "{option:?}");
    }
}

#[test]
fn the_page_is_whole_and_loads_nothing() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("<b>&\"odd\".log");
    fs::write(&file, "<i>jane@example.com</i>\n192.0.2.1\n").expect("a file");
    let file = file.to_str().expect("its name is UTF-8");
    for arguments in [&["scan", "--format", "html", file][..], &["scan", "--format", "html", file, file]] {
        let page = text(&run(arguments, b"").stdout);
        check_markup(&page);
        let elsewhere = page.replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
        for word in ["<script", "http:", "https:", "src=", "url(", "@import", "<link", "<b>", "jane@"] {
            assert!(!elsewhere.contains(word), "the page has {word}");
        }
        assert!(page.contains("&lt;b&gt;&amp;&quot;odd&quot;.log:1"), "the file is named, escaped");
    }
    let shown = text(&run(&["scan", "--format", "html", "--show-values", file], b"").stdout);
    check_markup(&shown);
    assert!(shown.contains("jane@example.com"));
}

/// Every element that is opened is closed, in order, but those that HTML leaves open.
#[track_caller]
fn check_markup(page: &str) {
    let mut open: Vec<&str> = Vec::new();
    for (at, _) in page.match_indices('<') {
        let tag = &page[at + 1..at + page[at..].find('>').expect("a tag ends")];
        let name = |tag: &'_ str| tag.find([' ', '\n', '/']).unwrap_or(tag.len());
        if let Some(closed) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(closed), "at byte {at}");
        } else if !tag.starts_with('!') && !tag.ends_with('/') && !tag.starts_with("meta") {
            open.push(&tag[..name(tag)]);
        }
    }
    assert!(open.is_empty(), "left open: {open:?}");
}

#[test]
fn explain_tells_what_becomes_of_each_finding() {
    let output = run(&["explain", "--policy", "everything", "from 192.0.2.44 by jane@example.com"], b"");
    let told = text(&output.stdout);
    assert!(told.contains("out  from [ipv4] by [email]\n"), "{told}");
    assert!(told.contains("5-15"), "{told}");
    assert!(told.contains("192.0.2.44 becomes [ipv4]"), "{told}");
    let output = run(&["explain", "--format", "json", "-"], b"from 192.0.2.44\nnothing\n");
    let told = text(&output.stdout);
    let lines: Vec<serde_json::Value> =
        told.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["clean"], "from 192.0.2.0");
    assert_eq!(lines[0]["findings"][0]["action"], "truncate");
    assert_eq!(lines[0]["findings"][0]["result"], "192.0.2.0");
    assert_eq!(lines[1]["findings"], serde_json::json!([]));
}

#[test]
fn explain_tells_why_a_near_miss_is_none() {
    for (line, value, reason, why) in [
        ("paid with 4111111111111112", "4111111111111112", "checksum", "its check digit or check sum"),
        ("Chrome/126.0.0.0", "126.0.0.0", "context", "what stands around it"),
        ("at 00:1a:2b:3c:4d:5e:6f", "00:1a:2b:3c:4d:5e:6f", "length", "it is too short or too long"),
        ("peer 256.1.2.3 up", "256.1.2.3", "range", "a part of it is out of range"),
        ("Bearer aaaaaaaaaa", "aaaaaaaaaa", "entropy", "it is not random enough"),
        ("password=[password]", "[password]", "placeholder", "it is a placeholder"),
        ("password=jane@example.com", "jane@example.com", "suppressed", "suppressed by rule email"),
    ] {
        let told = text(&run(&["explain", "--policy", "everything", line], b"").stdout);
        assert!(told.contains(&format!("near miss  {value}: {why}")), "{told}");
        let told = run(&["explain", "--policy", "everything", "--format", "json", line], b"").stdout;
        let told: serde_json::Value = serde_json::from_slice(&told).expect("it is JSON");
        let misses = told["near_misses"].as_array().expect("a list");
        let miss = misses.iter().find(|miss| miss["reason"] == reason).expect(line);
        assert_eq!(miss["value"], value, "{line}");
        assert!(miss["why"].as_str().is_some_and(|told| told.starts_with(why)), "{miss}");
        let winner = (reason == "suppressed").then_some("email");
        assert_eq!(miss.get("suppressed_by").and_then(|rule| rule.as_str()), winner, "{line}");
    }
}

#[test]
fn rules_are_listed_shown_and_hold_their_examples() {
    let listed = text(&run(&["pattern", "list"], b"").stdout);
    assert!(listed.lines().count() > 20 && listed.lines().any(|line| line.starts_with("ipv4 ")), "{listed}");
    let shown = text(&run(&["pattern", "show", "ipv4"], b"").stdout);
    assert!(shown.contains("pack         network.yaml\n"), "{shown}");
    let tested = run(&["pattern", "test"], b"");
    assert!(text(&tested.stdout).ends_with(": all hold\n"), "{}", text(&tested.stdout));
    assert_eq!(tested.status.code(), Some(0));
    assert_eq!(run(&["pattern", "show", "nosuch"], b"").status.code(), Some(2));
}

#[test]
fn a_pack_whose_examples_do_not_hold_fails_its_test() {
    let dir = tempfile::tempdir().expect("a folder");
    let pack = dir.path().join("mine.yaml");
    let file = pack.to_str().expect("its name is UTF-8");
    let rule = |pattern: &str| {
        format!(
            "entities: [license_id]\nrules:\n  - name: license\n    entity: license_id\n    \
             description: A licence.\n    anchors: ['LIC-']\n    pattern: '{pattern}'\n    \
             examples: ['has «LIC-1234» now']\n"
        )
    };
    for (pattern, code, told) in [
        ("LIC-[0-9]{4}", 0, "1 rule, 1 example: all hold\n"),
        ("LIC-[0-9]{5}", 1, "1 rule, 1 example: 1 do not hold\n"),
        ("LIC-[0-9", 2, ""),
    ] {
        fs::write(&pack, rule(pattern)).expect("a file");
        let output = run(&["pattern", "test", file], b"");
        assert_eq!(output.status.code(), Some(code), "{pattern}: {}", text(&output.stderr));
        assert!(text(&output.stdout).ends_with(told), "{}", text(&output.stdout));
    }
    assert_eq!(run(&["pattern", "test", "/nonexistent/pack.yaml"], b"").status.code(), Some(2));
}

#[test]
fn completions_and_version_are_answers() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let output = run(&["completions", shell], b"");
        assert!(text(&output.stdout).contains("redact"), "{shell}");
    }
    let version = run(&["--version"], b"");
    assert_eq!(text(&version.stdout), format!("logveil {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(version.status.code(), Some(0));
}

#[test]
fn what_a_policy_allows_stands_on_every_path_and_is_explained() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("p.yaml");
    let policy = "policy: p\nclasses:\n  \"*\":\n    fields: { order_ref: redact }\n    allow: { networks: [10.0.0.0/8], \
                  values: [ops@example.com], test_cards: true, fields: [origin] }\n";
    fs::write(&file, policy).expect("the policy is written");
    let policy = ["--policy", file.to_str().expect("a path")];
    let line = "10.1.2.3 203.0.113.9 ops@example.com jane@example.com 4242424242424242 origin=203.0.113.8 order_ref=A1";
    let clean =
        "10.1.2.3 [ipv4] ops@example.com [email] 4242424242424242 origin=203.0.113.8 order_ref=[order_ref]";
    let redacted = run(&[&["redact"][..], &policy].concat(), line.as_bytes());
    assert_eq!(text(&redacted.stdout), clean, "{}", text(&redacted.stderr));
    let scanned =
        run(&[&["scan", "--format", "json", "--show-values"][..], &policy].concat(), line.as_bytes());
    let scanned = text(&scanned.stdout);
    let found: Vec<&str> =
        scanned.lines().filter_map(|line| line.split("\"entity\":\"").nth(1)?.split('"').next()).collect();
    assert_eq!(found, ["ipv4", "email", "order_ref"], "{scanned}");
    let explained = run(&[&["explain", "--format", "json", line][..], &policy].concat(), b"");
    let explained = text(&explained.stdout);
    for reason in ["allowed_network", "allowed_value", "allowed_card", "allowed_field"] {
        assert!(explained.contains(&format!("\"reason\":\"{reason}\"")), "{reason}: {explained}");
    }
    assert!(explained.contains(clean), "{explained}");
}

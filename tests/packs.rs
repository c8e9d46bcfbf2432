/*!
Packs of a user's own: on the command line, in the configuration, and in a reload.
*/

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::support::http;
use crate::support::logveil::{Logveil, binary};

const PACK: &str = r"
entities: [order_id]
rules:
  - name: order-id
    entity: order_id
    description: Orders of a shop.
    anchors: [ORD-]
    pattern: 'ORD-[0-9]{8}'
    examples: ['paid «ORD-12345678» now']
";

const LINE: &str = "paid ORD-12345678 by 203.0.113.77";

/// A folder with the pack, and with a policy that names its entity.
fn folder() -> TempDir {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("shop.yaml"), PACK).unwrap();
    let policy =
        "policy: p\nabout: Short.\nclasses:\n  \"*\": { entities: { order_id: { mask: { last: 4 } } } }\n";
    fs::write(dir.path().join("policy.yaml"), policy).unwrap();
    fs::write(dir.path().join("in.log"), format!("{LINE}\n")).unwrap();
    dir
}

fn logveil(dir: &Path, arguments: &[&str]) -> Output {
    Command::new(binary()).args(arguments).current_dir(dir).output().unwrap()
}

#[track_caller]
fn told(dir: &Path, arguments: &[&str], code: i32) -> (String, String) {
    let output = logveil(dir, arguments);
    let [out, err] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert_eq!(output.status.code(), Some(code), "{out}{err}");
    (out, err)
}

#[test]
fn every_verb_takes_packs() {
    let dir = folder();
    let dir = dir.path();
    let out = |arguments: &[&str]| told(dir, arguments, 0).0;
    let pack = ["--pack", "shop.yaml"];
    let with = |arguments: &[&'static str]| [arguments, &pack[..]].concat();
    assert_eq!(out(&with(&["redact", "-q", "in.log"])), "paid [order_id] by 203.0.113.0\n");
    assert_eq!(
        out(&with(&["redact", "-q", "--policy", "policy.yaml", "in.log"])),
        "paid *********678 by [ipv4]\n"
    );
    assert!(out(&with(&["scan", "in.log"])).contains("order_id"));
    assert!(out(&with(&["explain", LINE])).contains("order-id"));
    assert!(out(&with(&["policy", "show", "policy.yaml"])).contains("order_id"));
    assert!(out(&with(&["pattern", "list"])).contains("Orders of a shop."));
    assert!(out(&with(&["pattern", "show", "order-id"])).contains("«ORD-12345678»"));
    assert!(out(&with(&["check"])).contains("packs shop.yaml\n"));
    assert_eq!(out(&["pattern", "test", "shop.yaml"]), "1 rule, 1 example: all hold\n");
    let bench = with(&["bench", "engine", "--seconds", "1", "--format", "json", "--input", "in.log"]);
    assert!(out(&bench).contains("\"order-id\""));
}

#[test]
fn without_its_pack_an_entity_is_unknown() {
    let dir = folder();
    let (_, err) = told(dir.path(), &["redact", "--policy", "policy.yaml", "in.log"], 2);
    assert!(err.contains("order_id: is no entity"), "{err}");
}

#[test]
fn what_is_wrong_with_a_pack_is_told_with_its_file_and_rule() {
    let dir = folder();
    for (from, to, expected) in [
        ("[order_id]", "[Order]", "bad.yaml: entity \"Order\" is no name; it may hold a-z, 0-9 and _"),
        ("entities: [order_id]\n", "", "bad.yaml: rule order-id: entity order_id is not known; declare it"),
        ("[0-9]{8}", "[0-9{8}", "bad.yaml: rule order-id: pattern: regex parse error"),
        ("- name: order-id", "- name: email", "bad.yaml: rule email: has another rule's name; give it one"),
        ("anchors: [ORD-]", "anchor: [ORD-]", "bad.yaml: "),
        (
            "    pattern: 'ORD-[0-9]{8}'\n",
            "    parser: ipv4\n",
            "bad.yaml: rule order-id: another rule has this parser",
        ),
        ("    examples: ['paid «ORD-12345678» now']\n", "", "bad.yaml: rule order-id: has no `examples`"),
    ] {
        let text = PACK.replace(from, to);
        assert_ne!(text, PACK, "{from}");
        let text = if to.contains("parser") { text.replace("    anchors: [ORD-]\n", "") } else { text };
        fs::write(dir.path().join("bad.yaml"), text).unwrap();
        fs::write(dir.path().join("c.yaml"), "packs: [bad.yaml]\n").unwrap();
        for arguments in [&["redact", "--pack", "bad.yaml", "in.log"][..], &["check", "--config", "c.yaml"]] {
            let (out, err) = told(dir.path(), arguments, 2);
            assert_eq!(out, "");
            assert!(err.starts_with(&format!("logveil: {expected}")), "{err}");
        }
    }
}

#[test]
fn packs_are_bounded() {
    let dir = folder();
    let long = format!("{PACK}{}", "# long\n".repeat(200_000));
    fs::write(dir.path().join("long.yaml"), long).unwrap();
    for (pack, expected) in [("long.yaml", "longer than 1048576 bytes"), ("none.yaml", "no such file")] {
        let (_, err) = told(dir.path(), &["redact", "--pack", pack, "in.log"], 2);
        assert!(err.contains(pack) && err.contains(expected), "{err}");
        let (_, err) = told(dir.path(), &["check", "--pack", pack], 2);
        assert!(err.contains(pack), "{err}");
    }
    let many = ["--pack", "shop.yaml"].repeat(65);
    let (_, err) = told(dir.path(), &[&["redact"][..], &many].concat(), 2);
    assert!(err.contains("65 packs are more than 64"), "{err}");
    let names: Vec<String> = (0..5000).map(|n| format!("e{n}")).collect();
    let pack = PACK.replace("order_id]", &format!("order_id, {}]", names.join(", ")));
    fs::write(dir.path().join("names.yaml"), pack).unwrap();
    let (_, err) = told(dir.path(), &["redact", "--pack", "names.yaml", "in.log"], 2);
    assert!(err.contains("is one too many; there may be 4096"), "{}", &err[..200]);
}

#[test]
fn a_reload_takes_packs() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("copy.log");
    let logveil = Logveil::start_with(&format!("  copy: {{ kind: file, path: \"{}\" }}\n", file.display()));
    let sent = || {
        let answer = http::post(logveil.http, "/v1/logs", &[], LINE.as_bytes()).unwrap();
        assert_eq!(answer.status, 200);
        fs::read_to_string(&file).unwrap().lines().last().unwrap().to_owned()
    };
    let reload = |packs: &str| {
        let before = fs::read_to_string(logveil.config()).unwrap();
        let before = before.lines().filter(|line| !line.starts_with("packs:")).collect::<Vec<_>>().join("\n");
        fs::write(logveil.config(), format!("{before}\npacks: [{packs}]\n")).unwrap();
        http::post(logveil.admin, "/-/reload", &[], b"").unwrap()
    };
    assert_eq!(sent(), "paid ORD-12345678 by 203.0.113.0");

    let pack: PathBuf = logveil.dir().join("shop.yaml");
    fs::write(&pack, PACK.replace("{8}", "{8")).unwrap();
    let answer = reload("shop.yaml");
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("shop.yaml: rule order-id: "), "{}", answer.body);
    assert_eq!(sent(), "paid ORD-12345678 by 203.0.113.0");

    fs::write(&pack, PACK).unwrap();
    let answer = reload("shop.yaml");
    assert_eq!((answer.status, &*answer.body), (200, r#"{"applied":true,"needs_restart":[]}"#));
    assert_eq!(sent(), "paid [order_id] by 203.0.113.0");
    logveil.stop();
}

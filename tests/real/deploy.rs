//! What `deploy/` promises: a static binary that needs nothing, and manifests that hold.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::logveil::binary;
use crate::support::process::{Process, run};
use crate::support::{free_port, http, root, tool};

/// User and group of the image.
const USER: u32 = 65532;

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap()
}

/// The binary as `deploy/Dockerfile` links it, in the test profile.
#[track_caller]
fn static_binary() -> PathBuf {
    let path = root().join("target/static/logveil");
    assert!(path.is_file(), "target/static/logveil is not there; tests/run.sh makes it");
    path
}

/// Program headers of a 64-bit ELF file, by their type (System V ABI, chapter 5).
fn program_headers(elf: &[u8]) -> Vec<u32> {
    assert_eq!(&elf[..5], b"\x7fELF\x02", "a 64-bit ELF file");
    let half = |at: usize| usize::from(u16::from_le_bytes([elf[at], elf[at + 1]]));
    let offset = u64::from_le_bytes(elf[32..40].try_into().unwrap()) as usize;
    let (size, count) = (half(54), half(56));
    let kind = |n: usize| offset + n * size;
    (0..count).map(|n| u32::from_le_bytes(elf[kind(n)..kind(n) + 4].try_into().unwrap())).collect()
}

#[test]
fn the_images_binary_asks_for_no_loader() {
    const PT_INTERP: u32 = 3;
    let own = program_headers(&fs::read(binary()).unwrap());
    assert!(
        own.contains(&PT_INTERP),
        "the usual build is linked dynamically, so the next line says something"
    );
    let image = program_headers(&fs::read(static_binary()).unwrap());
    assert!(!image.contains(&PT_INTERP), "no loader is asked for, so no library is");
}

/// A root folder that holds the binary, its configuration and an empty data folder; all else is read-only.
struct Image {
    dir: TempDir,
    admin: u16,
    http: u16,
    /// What the second sink connects to, by a name.
    store: TcpListener,
}

impl Image {
    fn make() -> Image {
        let dir = TempDir::new().unwrap();
        let (syslog, http, admin) = (free_port(), free_port(), free_port());
        let store = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = store.local_addr().unwrap().port();
        let at = |name: &str| dir.path().join(name);
        fs::copy(static_binary(), at("logveil")).unwrap();
        fs::create_dir_all(at("etc")).unwrap();
        fs::create_dir_all(at("data")).unwrap();
        let config = format!(
            "data_dir: /data/logveil\n\
             sources:\n  net: {{ kind: syslog, tcp: \"127.0.0.1:{syslog}\", udp: \"127.0.0.1:{syslog}\" }}\n  \
             web: {{ kind: http, listen: \"127.0.0.1:{http}\" }}\n\
             sinks:\n  local: {{ kind: archive }}\n  \
             next: {{ kind: syslog, tcp: \"store.test:{port}\", framing: lf }}\n\
             admin: {{ listen: \"127.0.0.1:{admin}\" }}\n"
        );
        fs::write(at("etc/hosts"), "127.0.0.1 store.test\n").unwrap();
        fs::write(at("etc/logveil.yaml"), config).unwrap();
        for (name, mode) in [("logveil", 0o555), ("etc/logveil.yaml", 0o444), ("etc", 0o555), ("", 0o555)] {
            fs::set_permissions(at(name), fs::Permissions::from_mode(mode)).unwrap();
        }
        if is_root() {
            chown(at("data"), Some(USER), Some(USER)).unwrap();
        }
        Image { dir, admin, http, store }
    }

    /// The binary in this root as the image's user; in a user namespace of its own if we are not root.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = if is_root() {
            let mut command = Command::new(tool("chroot"));
            command.arg(format!("--userspec={USER}:{USER}"));
            command
        } else {
            let mut command = Command::new(tool("unshare"));
            command.arg("-r").arg(tool("chroot"));
            command
        };
        command.arg(self.dir.path()).arg("/logveil").args(arguments).env_clear();
        command
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        // The temporary folder's owner may then empty it.
        for name in ["", "etc"] {
            let _ = fs::set_permissions(self.dir.path().join(name), fs::Permissions::from_mode(0o755));
        }
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Names of everything below `dir`, without what lies below `except`.
fn tree(dir: &Path, except: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() && path != except {
            found.extend(tree(&path, except));
        }
        found.push(path);
    }
    found.sort();
    found
}

#[test]
fn runs_in_an_empty_root_as_nobody() {
    let image = Image::make();
    let (top, data) = (image.dir.path(), image.dir.path().join("data"));
    let before = tree(top, &data);
    let outside = TempDir::new().unwrap();
    let mut command = image.command(&["run", "--config", "/etc/logveil.yaml"]);
    let mut process = Process::start(&mut command, outside.path());
    process.wait_until("it was ready", || {
        http::get(image.admin, "/readyz").is_ok_and(|answer| answer.status == 200)
    });
    let answer =
        http::post(image.http, "/v1/logs", &["Content-Type: text/plain"], b"jane@example.com came by\n")
            .unwrap();
    assert!((200..300).contains(&answer.status), "status {}", answer.status);
    // Names are looked up without the system's libraries, too.
    let (next, _) = image.store.accept().unwrap();
    let mut line = String::new();
    BufReader::new(next).read_line(&mut line).unwrap();
    assert!(line.trim_end().ends_with(" came by") && !line.contains("jane@"), "a clean record");
    let ended = process.stop();
    assert!(ended.status.success(), "it ended with {}:\n{}", ended.status, ended.err);
    let cat = run(&mut image.command(&["archive", "cat", "--config", "/etc/logveil.yaml"]));
    let archived = String::from_utf8(cat.stdout).unwrap();
    assert!(archived.trim_end().ends_with(" came by") && archived.starts_with("email_"), "one clean record");
    assert_eq!(tree(top, &data), before, "nothing is written outside the data folder");
}

#[test]
fn the_image_holds_the_binary_alone() {
    let dockerfile = read("deploy/Dockerfile");
    let (_, last) = dockerfile.rsplit_once("\nFROM ").expect("there is a last stage");
    let instructions: Vec<&str> =
        last.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
    let of = |name: &str| -> Vec<&str> {
        instructions.iter().filter_map(|line| line.strip_prefix(name)).map(str::trim).collect()
    };
    assert_eq!(instructions[0], "scratch");
    assert_eq!(of("USER"), [format!("{USER}:{USER}")]);
    assert_eq!(of("ENTRYPOINT"), [r#"["/logveil"]"#], "the exec form: there is no shell");
    assert_eq!(of("CMD"), [r#"["run"]"#]);
    assert!(of("RUN").is_empty() && of("ADD").is_empty(), "nothing runs in the last stage");
    let copied: Vec<&str> = of("COPY").iter().map(|line| line.rsplit(' ').next().unwrap()).collect();
    assert_eq!(copied, ["/etc", "/var/lib/logveil", "/logveil"]);
}

#[test]
fn the_image_is_linked_as_the_tests_link_it() {
    let flags = "--bin logveil -- -C target-feature=+crt-static";
    assert!(read("deploy/Dockerfile").contains(&format!("cargo rustc --release --locked {flags}")));
    assert!(read("tests/run.sh").contains(flags));
}

const SIDECAR: &str = "deploy/kubernetes/sidecar.yaml";

/// Kubernetes' own schemas, strict: an unknown field is an error.
fn validator(version: Option<&str>, file: &Path) -> Command {
    let program = root().join("tests/.venv/bin/kubernetes-validate");
    assert!(program.is_file(), "tests/.venv has no kubernetes-validate; tests/run.sh installs it");
    let mut command = Command::new(program);
    command.arg("--strict");
    if let Some(version) = version {
        command.args(["-k", version]);
    }
    command.arg(file);
    command
}

#[test]
fn kubernetes_takes_the_sidecar() {
    for version in [Some("1.29"), Some("1.31"), None] {
        let output = run(&mut validator(version, &root().join(SIDECAR)));
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        for resource in ["configmap/logveil", "deployment/shop"] {
            assert!(said.contains(&format!("passed for resource {resource}")), "{resource}: {said}");
        }
    }
}

#[test]
fn kubernetes_refuses_a_broken_sidecar() {
    let dir = TempDir::new().unwrap();
    for (right, wrong) in [
        ("readOnlyRootFilesystem: true", "readOnlyRootFileSystem: true"),
        ("failureThreshold: 60", "failureThreshold: many"),
        ("restartPolicy: Always\n          args", "restartPolicies: Always\n          args"),
    ] {
        let broken = read(SIDECAR).replace(right, wrong);
        assert_ne!(broken, read(SIDECAR), "the manifest says {right}");
        let file = dir.path().join("broken.yaml");
        fs::write(&file, broken).unwrap();
        let status = validator(None, &file).output().unwrap().status;
        assert!(!status.success(), "{wrong} passed");
    }
}

/// The documents of the sidecar's manifest.
fn documents() -> Vec<Value> {
    let parse = |text: &str| serde_saphyr::from_str(text).expect("the manifest is YAML");
    read(SIDECAR).split("\n---\n").map(parse).collect()
}

#[test]
fn the_sidecars_configuration_holds() {
    let documents = documents();
    let config = documents[0]["data"]["logveil.yaml"].as_str().expect("the map holds the configuration");
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("logveil.yaml");
    // The one thing that differs from a pod: where data may be written.
    let here = config.replace("/var/lib/logveil/data", dir.path().join("data").to_str().unwrap());
    assert_ne!(here, config);
    fs::write(&file, here).unwrap();
    run(Command::new(binary()).args(["check", "--config"]).arg(&file));
}

#[test]
fn the_sidecar_is_what_the_page_says() {
    let documents = documents();
    let pod = &documents[1]["spec"]["template"]["spec"];
    let logveil = &pod["initContainers"][0];
    assert_eq!(logveil["restartPolicy"], "Always", "a native sidecar");
    assert_eq!(logveil["args"], serde_json::json!(["run", "--config", "/etc/logveil/logveil.yaml"]));
    for container in [logveil, &pod["containers"][0]] {
        let context = &container["securityContext"];
        assert_eq!(context["readOnlyRootFilesystem"], true);
        assert_eq!(context["runAsNonRoot"], true);
        assert_eq!(context["allowPrivilegeEscalation"], false);
        assert_eq!(context["capabilities"]["drop"], serde_json::json!(["ALL"]));
        assert_eq!(context["seccompProfile"]["type"], "RuntimeDefault");
        for bound in ["cpu", "memory", "ephemeral-storage"] {
            assert!(container["resources"]["limits"][bound].is_string(), "no limit of {bound}");
        }
    }
    assert_eq!(logveil["securityContext"]["runAsUser"], USER);
    let drain = logveil::limit::DRAIN_WAIT.as_secs();
    let grace = pod["terminationGracePeriodSeconds"].as_u64().expect("a grace period");
    assert!(grace > drain, "{grace} s of grace, {drain} s of drain");
}

#[test]
fn the_kubelet_reaches_the_probes() {
    let documents = documents();
    let config: Value =
        serde_saphyr::from_str(documents[0]["data"]["logveil.yaml"].as_str().unwrap()).unwrap();
    let logveil = &documents[1]["spec"]["template"]["spec"]["initContainers"][0];
    let port = &logveil["ports"][0];
    let listen = format!("0.0.0.0:{}", port["containerPort"]);
    assert_eq!(config["admin"]["listen"], listen, "the kubelet asks from outside the pod");
    for (probe, path) in
        [("startupProbe", "/readyz"), ("readinessProbe", "/readyz"), ("livenessProbe", "/livez")]
    {
        assert_eq!(logveil[probe]["httpGet"]["path"], path);
        assert_eq!(logveil[probe]["httpGet"]["port"], port["name"]);
    }
}

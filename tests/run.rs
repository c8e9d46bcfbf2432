/*!
`logveil run` and `logveil check`, as a process: what goes in comes out once,
what is wrong is told before anything starts, and nothing planted is left behind.
*/

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::logveil::{Logveil, binary};
use crate::support::planted::{self, messages};
use crate::support::process::Process;
use crate::support::{free_port, http, metric, wait_until};

/// Runs a verb to its end, which it must reach by itself.
fn logveil(arguments: &[&str], dir: &Path) -> Output {
    Command::new(binary()).args(arguments).current_dir(dir).stdin(Stdio::null()).output().unwrap()
}

/// Fails unless `output` is one line on standard error and exit code 2; returns the line.
#[track_caller]
fn refused(output: &Output) -> String {
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{err}");
    assert_eq!(err.lines().count(), 1, "{err}");
    err
}

/// An HTTP server that keeps the bodies it is sent and answers as told: the first answers in turn, then 200.
struct Store {
    port: u16,
    bodies: Arc<Mutex<Vec<String>>>,
}

impl Store {
    fn start(answers: &'static [&'static str]) -> Store {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let bodies = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&bodies);
        let mut answers = answers.iter().copied();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let Some(body) = http::request(&stream) else { continue };
                let answer = answers.next().unwrap_or("200 OK");
                if answer.starts_with("200") {
                    kept.lock().unwrap().push(String::from_utf8(body).expect("what is sent is UTF-8"));
                }
                let head = format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                let _ = (&stream).write_all(head.as_bytes());
            }
        });
        Store { port, bodies }
    }

    fn lines(&self) -> Vec<String> {
        self.bodies.lock().unwrap().iter().flat_map(|body| body.lines()).map(str::to_owned).collect()
    }
}

fn post(logveil: &Logveil, lines: &[String]) -> u16 {
    http::post(logveil.http, "/v1/logs", &[], lines.join("\n").as_bytes()).unwrap().status
}

#[test]
fn an_http_sink_gets_envelopes_and_is_asked_again() {
    let store = Store::start(&["503 Service Unavailable\r\nRetry-After: 0", "500 Internal Server Error"]);
    let sink = format!("  relay: {{ kind: http, url: \"http://127.0.0.1:{}/logs\" }}\n", store.port);
    let logveil = Logveil::start_with(&sink);
    assert_eq!(post(&logveil, &messages(20)), 200, "the answer waits for the sink");
    let metrics = logveil.metrics();
    assert!(metrics.contains("logveil_sink_retries_total{sink=\"relay\"} 2\n"), "{metrics}");
    assert!(metrics.contains("logveil_sink_errors_total{kind=\"busy\",sink=\"relay\"} 1\n"), "{metrics}");
    logveil.stop();
    let lines = store.lines();
    planted::each_once_and_clean(20, &lines.join("\n"));
    for line in lines {
        let envelope: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(envelope["class"], "app");
        assert!(envelope["policy"].as_str().unwrap().starts_with("default@"), "{envelope}");
        assert!(envelope["expires_at"].is_string() && envelope["message"].is_string(), "{envelope}");
    }
}

#[test]
fn what_a_sink_refuses_is_counted_and_kept() {
    let store = Store::start(&["400 Bad Request"]);
    let sink =
        format!("  relay: {{ kind: http, url: \"http://127.0.0.1:{}/logs\", raw: true }}\n", store.port);
    let logveil = Logveil::start_with(&sink);
    assert_eq!(post(&logveil, &messages(1)), 200, "it is safe, as a dead letter");
    assert_eq!(post(&logveil, &messages(3)), 200, "one that it takes goes through");
    assert!(logveil.metrics().contains("logveil_records_refused_total{sink=\"relay\"} 1\n"));
    assert!(logveil.dead_letters(&["list"]).starts_with("relay: refused answer 400: "));
    logveil.stop();
    planted::each_once_and_clean(3, &store.lines().join("\n"));
}

/// A wrong token, a wrong path, a body that is too large: nothing that was taken over TCP is given up for it.
#[test]
fn an_answer_that_is_not_about_a_record_costs_none() {
    let store = Store::start(&[
        "401 Unauthorized",
        "404 Not Found",
        "302 Found\r\nLocation: http://127.0.0.1:1/",
        "413 Content Too Large",
        "400 Bad Request",
    ]);
    let sink = format!("  relay: {{ kind: http, url: \"http://127.0.0.1:{}/logs\" }}\n", store.port);
    let logveil = Logveil::start_with(&sink);
    let mut stream = TcpStream::connect(("127.0.0.1", logveil.syslog)).unwrap();
    let lines: String =
        messages(8000).iter().map(|message| format!("<14>1 - web1 shop 77 - - {message}\n")).collect();
    stream.write_all(lines.as_bytes()).unwrap();
    drop(stream);
    wait_until("the store has all", || store.lines().len() >= 8000);
    assert!(!logveil.metrics().contains("logveil_records_refused_total{"));
    logveil.stop();
    planted::each_once_and_clean(8000, &store.lines().join("\n"));
    let bodies = store.bodies.lock().unwrap();
    let largest = bodies.iter().map(String::len).max();
    assert!(largest <= Some(512 * 1024), "a body of {largest:?} bytes");
}

#[test]
fn what_was_read_over_tcp_is_kept_when_it_stops_at_once() {
    let mut logveil = Logveil::start();
    let mut stream = TcpStream::connect(("127.0.0.1", logveil.syslog)).unwrap();
    for message in messages(3000) {
        writeln!(stream, "<14>1 2026-01-02T03:04:05Z web1 shop 77 - - {message}").unwrap();
    }
    stream.shutdown(Shutdown::Write).unwrap();
    // It closes its side once it has read ours to the end.
    assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0);
    logveil.signal(Signal::TERM);
    logveil.ends_well();
    planted::each_once_and_clean(3000, &logveil.archived());
}

#[test]
fn sinks_get_their_classes_alone() {
    let dir = TempDir::new().unwrap();
    let path = |name: &str| dir.path().join(name);
    let sinks = format!(
        "  web: {{ kind: file, path: \"{}\", classes: [access] }}\n  all: {{ kind: file, path: \"{}\" }}\n",
        path("web").display(),
        path("all").display()
    );
    let logveil = Logveil::start_with(&sinks);
    let mut stream = TcpStream::connect(("127.0.0.1", logveil.syslog)).unwrap();
    for (app, message) in ["nginx", "shop"].iter().cycle().zip(messages(100)) {
        writeln!(stream, "<14>1 2026-01-02T03:04:05Z web1 {app} 77 - - {message}").unwrap();
    }
    drop(stream);
    let lines = |name| fs::read_to_string(path(name)).unwrap_or_default();
    wait_until("both files are written", || {
        lines("all").lines().count() == 100 && lines("web").lines().count() == 50
    });
    logveil.stop();
    planted::each_once_and_clean(100, &lines("all"));
    assert!(
        lines("web").lines().all(|line| line.as_bytes()["rec-00000".len()] % 2 == 0),
        "even ones are nginx's"
    );
}

/// A sink that takes connections and never answers: others go on until its queue is full, then the sources wait.
#[test]
fn a_dead_sink_stops_the_others_at_its_bound_only() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("copy.log");
    let (syslog, admin) = (free_port(), free_port());
    let config = dir.path().join("c.yaml");
    let text = format!(
        "sources:\n  net: {{ kind: syslog, tcp: \"127.0.0.1:{syslog}\" }}\nqueue: {{ max_bytes: 1MiB }}\n\
         sinks:\n  dead: {{ kind: http, url: \"http://{}/\" }}\n  copy: {{ kind: file, path: \"{}\" }}\n\
         admin: {{ listen: \"127.0.0.1:{admin}\" }}\n",
        silent.local_addr().unwrap(),
        file.display()
    );
    fs::write(&config, text).unwrap();
    let mut command = Command::new(binary());
    command.arg("run").arg("--config").arg(&config).current_dir(dir.path());
    let mut logveil = Process::start(&mut command, dir.path());
    logveil.wait_until("it listens", || http::get(admin, "/livez").is_ok());

    let mut stream = TcpStream::connect(("127.0.0.1", syslog)).unwrap();
    for message in messages(500) {
        writeln!(stream, "{message}").unwrap();
    }
    let copied = || fs::read_to_string(&file).unwrap_or_default().lines().count();
    wait_until("the other sink has what is within the bound", || copied() == 500);

    stream.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    let line = format!("{}\n", "x".repeat(64 * 1024));
    let waiting = || {
        let metrics = http::get(admin, "/metrics").unwrap().body;
        metric(&metrics, "logveil_queue_bytes{sink=\"dead\"}").unwrap()
    };
    let mut written = 0;
    wait_until("its queue is full", || {
        // A reader that is slow makes a write too late as well: then there is more to be written.
        written += (0..1000).take_while(|_| stream.write_all(line.as_bytes()).is_ok()).count();
        assert!(written < 1000, "64 MB went into a queue of 1 MiB");
        waiting() >= 500_000
    });
    assert!(waiting() <= 1_500_000, "{} bytes wait", waiting());
    assert_eq!(http::get(admin, "/livez").unwrap().status, 200, "liveness depends on no sink");

    logveil.signal(Signal::TERM);
    wait_until("it stops", || http::get(admin, "/readyz").is_ok_and(|answer| answer.status == 503));
    let ended = logveil.stop();
    assert_eq!(ended.status.code(), Some(3), "{}", ended.err);
    assert!(ended.err.contains("not delivered: dead: "), "{}", ended.err);
    planted::nothing_in("standard error", ended.err.as_bytes());
}

#[test]
fn a_good_reload_is_applied_and_a_bad_one_changes_nothing() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("copy.log");
    let logveil = Logveil::start_with(&format!("  copy: {{ kind: file, path: \"{}\" }}\n", file.display()));
    let sent = |line: &str| {
        assert_eq!(post(&logveil, &[line.to_owned()]), 200);
        fs::read_to_string(&file).unwrap().lines().last().unwrap().to_owned()
    };
    let before = fs::read_to_string(logveil.config()).unwrap();
    assert_eq!(sent("from 203.0.113.77"), "from 203.0.113.0");

    fs::write(logveil.config(), format!("{before}polcy: everything\n")).unwrap();
    let answer = http::post(logveil.admin, "/-/reload", &[], b"").unwrap();
    assert_eq!(answer.status, 400);
    assert!(
        answer.body.contains("polcy: is no key") && answer.body.contains("did you mean policy?"),
        "{}",
        answer.body
    );
    assert_eq!(sent("from 203.0.113.77"), "from 203.0.113.0");

    fs::write(logveil.config(), format!("{before}policy: everything\n")).unwrap();
    logveil.signal(Signal::HUP);
    wait_until("the reload is applied", || {
        logveil.metrics().contains("logveil_reloads_total{outcome=\"applied\"} 1\n")
    });
    assert_eq!(sent("from 203.0.113.77"), "from [ipv4]");
    assert!(logveil.metrics().contains("logveil_reloads_total{outcome=\"refused\"} 1\n"));

    fs::write(logveil.config(), format!("{before}queue: {{ max_bytes: 32MiB }}\n")).unwrap();
    let answer = http::post(logveil.admin, "/-/reload", &[], b"").unwrap();
    assert_eq!((answer.status, &*answer.body), (200, r#"{"applied":true,"needs_restart":["queue"]}"#));
    logveil.stop();
}

#[test]
fn a_port_in_use_is_told_before_anything_starts() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    for (config, source) in [
        (format!("sources:\n  net: {{ kind: syslog, tcp: \"{address}\" }}\n"), "source net"),
        (format!("sources:\n  web: {{ kind: http, listen: \"{address}\" }}\n"), "source web"),
        (
            format!(
                "sources:\n  web: {{ kind: http, listen: \"127.0.0.1:0\" }}\nadmin: {{ listen: \"{address}\" }}\n"
            ),
            "admin",
        ),
    ] {
        let dir = TempDir::new().unwrap();
        fs::write(dir.path().join("c.yaml"), config).unwrap();
        let line = refused(&logveil(&["run", "--config", "c.yaml"], dir.path()));
        assert!(line.starts_with(&format!("logveil: {source}: cannot listen on tcp {address}: ")), "{line}");
        assert!(!dir.path().join("logveil-data").exists(), "nothing is made before all addresses are had");
    }
}

#[test]
fn a_second_one_on_the_same_data_is_refused() {
    let first = Logveil::start();
    let config = format!(
        "data_dir: {}\nsources:\n  web: {{ kind: http, listen: \"127.0.0.1:0\" }}\nadmin: {{ listen: \"127.0.0.1:0\" }}\n",
        first.dir().join("data").display()
    );
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("c.yaml"), config).unwrap();
    let line = refused(&logveil(&["run", "--config", "c.yaml"], dir.path()));
    assert!(line.contains("is in use by another logveil"), "{line}");
    first.stop();
}

#[test]
fn check_refuses_a_limit_that_run_refuses() {
    let dir = TempDir::new().unwrap();
    let policy = "policy: short\nversion: 1\nclasses:\n  \"*\":\n    retention: 1h\n";
    fs::write(dir.path().join("short.yaml"), policy).unwrap();
    let config = "policy: short.yaml\nsources:\n  web: { kind: http, listen: \"127.0.0.1:0\" }\nadmin: { listen: \"127.0.0.1:0\" }\n";
    fs::write(dir.path().join("c.yaml"), config).unwrap();
    for verb in ["run", "check"] {
        let line = refused(&logveil(&[verb, "--config", "c.yaml"], dir.path()));
        assert!(line.contains("is a limit of 60 minutes; 3h is the shortest"), "{verb}: {line}");
    }
}

#[test]
fn a_wrong_configuration_is_told_line_by_line() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("c.yaml"), "\nsorces: {}\nqueue: { mode: lasting }\n").unwrap();
    for verb in ["run", "check"] {
        let output = logveil(&[verb, "--config", "c.yaml"], dir.path());
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{err}");
        let lines: Vec<&str> = err.lines().collect();
        assert_eq!(lines.len(), 2, "{err}");
        assert!(lines[0].starts_with("logveil: c.yaml:2: sorces: is no key of this table;"), "{err}");
        assert!(lines[0].ends_with("did you mean sources?"), "{err}");
        assert!(
            lines[1].starts_with(
                "logveil: c.yaml:3: queue.mode: holds \"lasting\", and may hold memory or durable"
            ),
            "{err}"
        );
    }
    let line = refused(&logveil(&["run", "--config", "none.yaml"], dir.path()));
    assert!(line.starts_with("logveil: none.yaml:1: cannot be read: "), "{line}");
}

#[test]
fn check_says_what_was_understood() {
    let dir = TempDir::new().unwrap();
    let output = logveil(&["check"], dir.path());
    assert!(output.status.success());
    let out = String::from_utf8(output.stdout).unwrap();
    for part in ["logveil-data", "policy default@", "TCP 127.0.0.1:5514 UDP 127.0.0.1:5514", "127.0.0.1:9598"]
    {
        assert!(out.contains(part), "{part} is not in\n{out}");
    }
}

#[test]
fn the_admin_listener_repeats_nothing() {
    let logveil = Logveil::start();
    let path = format!("/{}", planted::CANARY);
    let answer = http::get(logveil.admin, &path).unwrap();
    assert_eq!(answer.status, 404);
    planted::nothing_in("the answer", answer.body.as_bytes());
    assert_eq!(http::get(logveil.admin, "/-/reload").unwrap().status, 405);
    assert_eq!(http::post(logveil.admin, "/metrics", &[], b"").unwrap().status, 405);
    logveil.stop();
}

/// What a policy leaves to its default, and that its text is not in force yet, is told before it is run.
#[test]
fn check_names_what_a_policy_does_not_cover() {
    let dir = TempDir::new().unwrap();
    let (config, policy) = (dir.path().join("logveil.yaml"), dir.path().join("shop.yaml"));
    let text = "policy: shop\neffective_from: 2999-01-01\nclauses: [{ id: \"9\", promise: x, not_enforceable: no log }]\n\
                classes: { app: { entities: { email: keep } } }\n";
    fs::write(&policy, text).unwrap();
    fs::write(&config, format!("policy: {}\n", policy.display())).unwrap();
    let output = Command::new(binary()).args(["check", "--config"]).arg(&config).output().unwrap();
    let (told, warned) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{warned}");
    let line = |start: &str| {
        told.lines().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("{start}\n{told}"))
    };
    let app = line("policy shop@1: in app: no line, so the default does redact, for ");
    assert!(app.contains("ipv4") && !app.contains(" email,"), "{app}");
    line(
        "policy shop@1: no section of their own: access, activity, auth, payment, support, audit; that of \"*\" holds",
    );
    line("policy shop@1: clause \"9\": not enforceable: no log");
    assert!(warned.contains("policy shop@1: its text is in force from 2999-01-01 on"), "{warned}");
}

//! Clients over TLS, over RELP, over Unix sockets, over the forward protocol, and standard input.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use super::relay::Rsyslog;
use crate::support::certificates::Authority;
use crate::support::logveil::{ARCHIVE, Logveil, archive_cat, binary};
use crate::support::planted::{self, messages};
use crate::support::process::{Process, run};
use crate::support::{free_port, http, root, tool, wait_until};

const RECORDS: usize = 1000;

/// A logveil with one more source; its port is the second argument.
fn with_source(source: impl FnOnce(u16) -> String) -> (Logveil, u16) {
    let port = free_port();
    (Logveil::start_between(&format!("  more: {}\n", source(port)), ARCHIVE), port)
}

/// Sends the messages to rsyslog, which does `action` with them.
fn through_rsyslog(global: &str, action: &str) -> (Rsyslog, tempfile::TempDir) {
    let outside = tempfile::tempdir().unwrap();
    let rsyslog = Rsyslog::start_with(outside.path(), global, "", action);
    let mut stream = TcpStream::connect(("127.0.0.1", rsyslog.port)).unwrap();
    for message in messages(RECORDS) {
        writeln!(stream, "<14>1 2026-01-02T03:04:05Z web1 shop 77 - - {message}").unwrap();
    }
    (rsyslog, outside)
}

/// rsyslog forwards over TLS, both sides with certificates; a probe and a client without one leave no trace but a count.
#[test]
fn rsyslog_over_mutual_tls() {
    let authority = Authority::new();
    let (server, client) = (authority.issue("localhost"), authority.issue("client.test"));
    let (logveil, port) = with_source(|port| {
        format!(
            "{{ kind: syslog, tcp: \"127.0.0.1:{port}\", tls: {{ cert: \"{}\", key: \"{}\", client_ca: \"{}\" }} }}",
            server.cert.display(),
            server.key.display(),
            authority.ca().display()
        )
    });
    drop(TcpStream::connect(("127.0.0.1", port)).unwrap());
    let mut stranger = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stranger.write_all(b"<14>1 - - - - - - by stranger.zqplanted@example.com\n").unwrap();
    let _ = stranger.read_to_end(&mut Vec::new());
    for driver in ["ossl", "gtls"] {
        let global = format!(
            " defaultNetstreamDriver=\"{driver}\" defaultNetstreamDriverCAFile=\"{}\" \
             defaultNetstreamDriverCertFile=\"{}\" defaultNetstreamDriverKeyFile=\"{}\"",
            authority.ca().display(),
            client.cert.display(),
            client.key.display()
        );
        let action = format!(
            "action(type=\"omfwd\" target=\"127.0.0.1\" port=\"{port}\" protocol=\"tcp\" TCP_Framing=\"octet-counted\" \
             template=\"RSYSLOG_SyslogProtocol23Format\" streamDriver=\"{driver}\" streamDriverMode=\"1\" \
             streamDriverAuthMode=\"x509/name\" streamDriverPermittedPeers=\"localhost\")"
        );
        let (rsyslog, _outside) = through_rsyslog(&global, &action);
        let all = if driver == "ossl" { RECORDS } else { 2 * RECORDS };
        wait_until("all has arrived", || logveil.archived().lines().count() >= all);
        rsyslog.process.stop();
    }
    let refused = "logveil_requests_refused_total{reason=\"handshake\",source=\"more\"} 1\n";
    assert!(logveil.metrics().contains(refused), "the probe is none");
    let lines = logveil.archived();
    let (first, second): (Vec<&str>, Vec<&str>) =
        (lines.lines().take(RECORDS).collect(), lines.lines().skip(RECORDS).collect());
    planted::each_once_and_clean(RECORDS, &first.join("\n"));
    planted::each_once_and_clean(RECORDS, &second.join("\n"));
    logveil.stop();
}

/// A client whom nobody vouches for is refused before it says anything.
#[test]
fn http_over_mutual_tls_with_a_token() {
    let authority = Authority::new();
    let (server, client) = (authority.issue("localhost"), authority.issue("client.test"));
    let outside = tempfile::tempdir().unwrap();
    let token = outside.path().join("token");
    fs::write(&token, "zqplantedtoken").unwrap();
    let (logveil, port) = with_source(|port| {
        format!(
            "{{ kind: http, listen: \"127.0.0.1:{port}\", auth: {{ tokens: [\"${{file:{}}}\"] }}, \
             tls: {{ cert: \"{}\", key: \"{}\", client_ca: \"{}\" }} }}",
            token.display(),
            server.cert.display(),
            server.key.display(),
            authority.ca().display()
        )
    });
    let body = outside.path().join("body");
    fs::write(&body, messages(RECORDS).join("\n")).unwrap();
    let curl = |options: &[&str]| {
        let output = Command::new(tool("curl"))
            .args(["--silent", "--max-time", "20", "--write-out", "%{http_code}", "--output"])
            .arg(outside.path().join("answer"))
            .args(["--resolve", &format!("localhost:{port}:127.0.0.1"), "--cacert"])
            .arg(authority.ca())
            .args(options)
            .arg("--data-binary")
            .arg(format!("@{}", body.display()))
            .arg(format!("https://localhost:{port}/v1/logs"))
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let bearer = ["--header", "Authorization: Bearer zqplantedtoken"];
    let (cert, key) = (client.cert.to_str().unwrap(), client.key.to_str().unwrap());
    let identity = ["--cert", cert, "--key", key];
    assert_eq!(curl(&bearer), "000", "no certificate");
    assert_eq!(curl(&identity), "401", "no token");
    assert_eq!(curl(&[&identity[..], &bearer[..]].concat()), "200");
    logveil.archives_each_once(RECORDS);
}

#[test]
fn rsyslog_over_relp() {
    let (logveil, port) = with_source(|port| format!("{{ kind: relp, listen: \"127.0.0.1:{port}\" }}"));
    let action = format!(
        "module(load=\"omrelp\")\naction(type=\"omrelp\" target=\"127.0.0.1\" port=\"{port}\" \
         template=\"RSYSLOG_SyslogProtocol23Format\")"
    );
    let (rsyslog, _outside) = through_rsyslog("", &action);
    logveil.archives_each_once(RECORDS);
    rsyslog.process.stop();
}

#[test]
fn logger_and_pythons_handler_over_unix_sockets() {
    let outside = tempfile::tempdir().unwrap();
    let (streams, datagrams) = (outside.path().join("log.stream"), outside.path().join("log"));
    let source = format!(
        "  more: {{ kind: syslog, unix: \"{}\", unix_datagram: \"{}\" }}\n",
        streams.display(),
        datagrams.display()
    );
    // What a crash left behind is no hindrance.
    drop(std::os::unix::net::UnixDatagram::bind(&datagrams).unwrap());
    let logveil = Logveil::start_between(&source, ARCHIVE);
    let all = messages(RECORDS);
    let file = |name: &str, half: &[String]| {
        let path = outside.path().join(name);
        fs::write(&path, half.join("\n") + "\n").unwrap();
        path
    };
    let (one, other) = all.split_at(RECORDS / 2);
    run(Command::new(tool("logger")).arg("--socket").arg(&datagrams).arg("--file").arg(file("one", one)));
    let program = "import logging, logging.handlers, socket, sys\n\
        handler = logging.handlers.SysLogHandler(sys.argv[2], socktype=socket.SOCK_STREAM)\n\
        log = logging.getLogger('shop')\n\
        log.setLevel(logging.INFO)\n\
        log.addHandler(handler)\n\
        for line in open(sys.argv[1]): log.info(line.rstrip('\\n'))\n\
        logging.shutdown()\n";
    run(Command::new(tool("python3")).args(["-c", program]).arg(file("other", other)).arg(&streams));
    logveil.archives_each_once(RECORDS);
    assert!(!streams.exists() && !datagrams.exists(), "sockets are removed");
}

/// Its messages are answered: it sends each until its chunk's number comes back.
#[test]
fn fluents_logger_for_python() {
    let (logveil, port) = with_source(|port| format!("{{ kind: forward, listen: \"127.0.0.1:{port}\" }}"));
    let outside = tempfile::tempdir().unwrap();
    let file = outside.path().join("messages");
    fs::write(&file, messages(RECORDS).join("\n") + "\n").unwrap();
    let program = r#"
import socket, sys
import msgpack
from fluent import sender
lines = [line.rstrip("\n") for line in open(sys.argv[1])]
half = len(lines) // 2
log = sender.FluentSender("shop", host="127.0.0.1", port=int(sys.argv[2]), nanosecond_precision=True)
for line in lines[:half]:
    assert log.emit("web", {"message": line, "took": 1.5}), log.last_error
log.close()
peer = socket.create_connection(("127.0.0.1", int(sys.argv[2])))
for at in range(half, len(lines), 50):
    packed = b"".join(msgpack.packb([1767323045, {"message": line}]) for line in lines[at:at + 50])
    peer.sendall(msgpack.packb(["shop", packed, {"chunk": "chunk-%d" % at}]))
    answer = msgpack.unpackb(peer.recv(1000))
    assert answer == {"ack": "chunk-%d" % at}, answer
"#;
    run(Command::new(root().join("tests/.venv/bin/python"))
        .args(["-c", program])
        .arg(&file)
        .arg(port.to_string()));
    logveil.archives_each_once(RECORDS);
}

/// At the end of standard input the program drains and ends by itself.
#[test]
fn standard_input_is_read_to_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("logveil.yaml");
    let text = format!(
        "data_dir: {}\nsources: {{ in: {{ kind: stdin }} }}\nadmin: {{ listen: \"127.0.0.1:{}\" }}\n",
        dir.path().join("data").display(),
        free_port()
    );
    fs::write(&config, text).unwrap();
    let mut child = Command::new(binary())
        .args(["run", "--config"])
        .arg(&config)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(messages(RECORDS).join("\n").as_bytes()).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    planted::nothing_in("standard error", &output.stderr);
    planted::each_once_and_clean(RECORDS, &archive_cat(&config, &[]));
}

/// A second daemon of syslog, put beside the first by `tests/run.sh`: over TCP with octet counts, and over TLS.
#[test]
fn syslog_ng_over_tcp_and_tls() {
    let authority = Authority::new();
    let server = authority.issue("localhost");
    let (logveil, port) = with_source(|port| {
        let files = format!("cert: \"{}\", key: \"{}\"", server.cert.display(), server.key.display());
        format!("{{ kind: syslog, tcp: \"127.0.0.1:{port}\", tls: {{ {files} }} }}")
    });
    let outside = tempfile::tempdir().unwrap();
    let all = messages(RECORDS);
    let (one, other) = all.split_at(RECORDS / 2);
    for (half, driver) in [
        (one, format!("syslog(\"127.0.0.1\" port({}) transport(\"tcp\"))", logveil.syslog)),
        (
            other,
            format!(
                "syslog(\"localhost\" port({port}) transport(\"tls\") tls(ca-file(\"{}\") peer-verify(yes)))",
                authority.ca().display()
            ),
        ),
    ] {
        let dir = tempfile::tempdir_in(outside.path()).unwrap();
        let log = dir.path().join("in.log");
        fs::write(&log, half.join("\n") + "\n").unwrap();
        let mut process = syslog_ng(dir.path(), &log, &driver);
        process.wait_until("it has sent all", || {
            http::get(logveil.admin, "/livez").is_ok() && {
                let sent = logveil.archived().lines().count();
                sent >= if half.as_ptr() == one.as_ptr() { RECORDS / 2 } else { RECORDS }
            }
        });
        process.stop();
    }
    logveil.archives_each_once(RECORDS);
}

/// The other way: our sink sends to syslog-ng over mutual TLS, which checks who we are. One that asks for another CA gets
/// nothing, nor does one get anything from a sink without a certificate, and both sinks know it: it is kept for them.
#[test]
fn syslog_ng_receives_over_mutual_tls() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let (server, client) = (authority.issue("localhost"), authority.issue("client.test"));
    let outside = tempfile::tempdir().unwrap();
    let receiver = |authority: &Authority, name: &str| {
        let (dir, port) = (outside.path().join(name), free_port());
        fs::create_dir(&dir).unwrap();
        let out = dir.join("out.log");
        let source = format!(
            "syslog(ip(\"127.0.0.1\") port({port}) transport(\"tls\") tls(key-file(\"{}\") cert-file(\"{}\") \
             ca-file(\"{}\") peer-verify(required-trusted)))",
            server.key.display(),
            server.cert.display(),
            authority.ca().display()
        );
        let driver = format!("file(\"{}\" template(\"$MSG\\n\") flush-lines(1))", out.display());
        (syslog_ng_from(&dir, &source, &driver), port, out)
    };
    let (good, port, out) = receiver(&authority, "good");
    let (strange, other, nothing) = receiver(&stranger, "strange");
    let sink = |port, who: &str| {
        let ca = authority.ca();
        format!("{{ kind: syslog, tcp: \"localhost:{port}\", tls: {{ ca: \"{}\"{who} }} }}", ca.display())
    };
    let who = format!(", cert: \"{}\", key: \"{}\"", client.cert.display(), client.key.display());
    let logveil = Logveil::start_after(
        &format!(
            "  good: {}\n  strange: {}\n  nobody: {}\n",
            sink(port, &who),
            sink(other, &who),
            sink(port, "")
        ),
        "queue: { mode: durable }\n",
    );
    wait_until("both listen", || {
        [port, other].iter().all(|port| TcpStream::connect(("127.0.0.1", *port)).is_ok())
    });
    for some in messages(RECORDS).chunks(100) {
        let answer = http::post(logveil.http, "/v1/logs", &[], some.join("\n").as_bytes()).unwrap();
        assert_eq!(answer.status, 200);
    }
    let received = || fs::read_to_string(&out).unwrap_or_default();
    wait_until("syslog-ng has all records", || received().lines().count() >= RECORDS);
    for refused in ["strange", "nobody"] {
        wait_until("the sink knows that it was refused", || {
            logveil.metric(&format!("logveil_sink_errors_total{{kind=\"connect\",sink=\"{refused}\"}}")) > 0
        });
        let sent = logveil.metric(&format!("logveil_records_sent_total{{class=\"app\",sink=\"{refused}\"}}"));
        assert_eq!((sent, logveil.queued(refused) > 0), (0, true), "{refused}");
    }
    logveil.stop();
    for receiver in [good, strange] {
        let ended = receiver.stop();
        assert!(ended.status.success(), "{}: {}", ended.status, ended.err);
    }
    planted::each_once_and_clean(RECORDS, &received());
    assert_eq!(fs::read_to_string(nothing).unwrap_or_default(), "");
}

/// A syslog-ng that reads a file and sends its lines by `driver`.
fn syslog_ng(dir: &Path, log: &Path, driver: &str) -> Process {
    syslog_ng_from(dir, &format!("file(\"{}\" flags(no-parse) read-old-records(yes))", log.display()), driver)
}

fn syslog_ng_from(dir: &Path, source: &str, driver: &str) -> Process {
    let at = root().join("tests/syslog-ng");
    let config = dir.join("syslog-ng.conf");
    let text = format!(
        "@version: 3.35\noptions {{ keep-hostname(yes); use-dns(no); }};\nsource s {{ {source}; }};\n\
         destination d {{ {driver}; }};\nlog {{ source(s); destination(d); }};\n"
    );
    fs::write(&config, text).unwrap();
    let mut command = Command::new(at.join("usr/sbin/syslog-ng"));
    command
        .env(
            "LD_LIBRARY_PATH",
            format!(
                "{0}/usr/lib/syslog-ng:{0}/usr/lib/x86_64-linux-gnu:{0}/lib/x86_64-linux-gnu",
                at.display()
            ),
        )
        .args(["--foreground", "--no-caps"])
        .arg(format!("--module-path={}/usr/lib/syslog-ng/3.38", at.display()))
        .arg("--cfgfile")
        .arg(&config)
        .arg("--persist-file")
        .arg(dir.join("persist"))
        .arg("--pidfile")
        .arg(dir.join("pid"))
        .arg("--control")
        .arg(dir.join("ctl"));
    Process::start(&mut command, dir)
}

/// A program whose admin listener is as `admin` says; asked by curl with more arguments.
struct Guarded {
    process: Process,
    dir: tempfile::TempDir,
    url: String,
    http: u16,
}

impl Guarded {
    #[track_caller]
    fn start(admin: &str, more: &str, trust: &[&str]) -> Guarded {
        let dir = tempfile::tempdir().unwrap();
        let (port, http) = (free_port(), free_port());
        let admin = admin.replace("PORT", &port.to_string());
        let text = format!(
            "data_dir: {}\nsources: {{ web: {{ kind: http, listen: \"127.0.0.1:{http}\" }} }}\nadmin: {admin}\n{more}",
            dir.path().join("data").display(),
        );
        fs::write(dir.path().join("logveil.yaml"), text).unwrap();
        let mut command = Command::new(binary());
        command.arg("run").arg("--config").arg(dir.path().join("logveil.yaml"));
        let mut process = Process::start(&mut command, dir.path());
        let scheme = if admin.contains("tls:") { "https" } else { "http" };
        let url = format!("{scheme}://localhost:{port}");
        process.wait_until("it is ready", || ask(&[trust, &[&format!("{url}/readyz")]].concat()) == (0, 200));
        Guarded { process, dir, url, http }
    }

    /// curl's exit code, and the status.
    fn ask(&self, path: &str, arguments: &[&str]) -> (i32, u16) {
        ask(&[arguments, &[&format!("{}{path}", self.url)]].concat())
    }

    fn verb(&self, words: &[&str]) -> String {
        let config = self.dir.path().join("logveil.yaml");
        let output = Command::new(binary()).args(words).arg("--config").arg(config).output().unwrap();
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The pseudonym that a record's address gets now.
    fn pseudonym(&self) -> String {
        let answer = http::post(self.http, "/v1/logs", &[], b"by jane@example.com\n").unwrap();
        assert_eq!(answer.status, 200);
        self.verb(&["archive", "cat"]).lines().last().unwrap().to_owned()
    }
}

fn ask(arguments: &[&str]) -> (i32, u16) {
    let output = Command::new(tool("curl"))
        .args(["--silent", "--output", "/dev/null", "--write-out", "%{http_code}"])
        .args(arguments)
        .output()
        .unwrap();
    let status = String::from_utf8_lossy(&output.stdout).trim().parse().unwrap_or(0);
    (output.status.code().unwrap_or(-1), status)
}

/// Health is for everybody who speaks TLS; all else needs a certificate of the CA, and keys a role's token over it.
#[test]
fn the_admin_listener_asks_for_a_certificate_and_a_token() {
    let (authority, other) = (Authority::new(), Authority::new());
    let (server, client, foreign) =
        (authority.issue("localhost"), authority.issue("ops.test"), other.issue("ops.test"));
    let outside = tempfile::tempdir().unwrap();
    let token = outside.path().join("keeper.token");
    let secret = "keeper-0123456789abcdef";
    fs::write(&token, secret).unwrap();
    fs::set_permissions(&token, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let admin = format!(
        "{{ listen: \"127.0.0.1:PORT\", tls: {{ cert: {:?}, key: {:?}, client_ca: {:?} }} }}",
        server.cert,
        server.key,
        authority.ca()
    );
    let roles = format!(
        "roles: {{ keeper: {{ may: [keys, metrics], token: \"${{file:{}}}\" }} }}\n",
        token.display()
    );
    let ca = authority.ca();
    let trust = ["--cacert", ca.to_str().unwrap()];
    let program = Guarded::start(&admin, &roles, &trust);
    let with = |issued: &crate::support::certificates::Issued, more: &[&str]| -> Vec<String> {
        let pair = ["--cert", issued.cert.to_str().unwrap(), "--key", issued.key.to_str().unwrap()];
        [&trust, &pair[..], more].concat().into_iter().map(str::to_owned).collect()
    };
    let ask = |path: &str, arguments: &[String]| {
        program.ask(path, &arguments.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let bearer = format!("Authorization: Bearer {secret}");
    let post = ["--request", "POST"];

    assert_eq!(program.ask("/livez", &trust), (0, 200));
    assert_eq!(
        program.ask("/metrics", &[&trust[..], &["--header", &bearer]].concat()),
        (0, 403),
        "no certificate"
    );
    assert_eq!(program.ask("/-/reload", &[&trust[..], &post].concat()), (0, 403));
    assert_ne!(ask("/livez", &with(&foreign, &[])).0, 0, "a certificate of nobody's does not come in at all");
    assert_eq!(ask("/metrics", &with(&client, &[])), (0, 401), "a certificate is no token");
    assert_eq!(ask("/metrics", &with(&client, &["--header", &bearer])), (0, 200));
    assert_eq!(ask("/v1/keys/rotate", &with(&client, &post)), (0, 401));
    let plain = ask_plain(&program.url);
    assert_ne!(plain.0, 0, "nothing is answered without TLS");

    let first = program.pseudonym();
    assert_eq!(program.pseudonym(), first);
    let send = |path: &str, body: &str| ask(path, &with(&client, &["--header", &bearer, "--data", body]));
    assert_eq!(send("/v1/keys/rotate", r#"{"class":"app"}"#), (0, 200));
    let second = program.pseudonym();
    assert_ne!(second, first, "a new key serves from the next record on");
    let key = |line: &str| line.split_once("email_").unwrap().1[..5].to_owned();
    assert!(program.verb(&["keys", "list"]).contains(&key(&second)));
    assert_eq!(
        send("/v1/keys/destroy", &format!(r#"{{"key":"{}"}}"#, key(&second))),
        (0, 400),
        "unconfirmed"
    );
    assert_eq!(
        send("/v1/keys/destroy", &format!(r#"{{"key":"{}","confirm":true}}"#, key(&second))),
        (0, 200)
    );
    assert!(!program.verb(&["keys", "list"]).contains(&key(&second)));
    assert_ne!(key(&program.pseudonym()), key(&second), "its successor is there before the next record");
    assert_eq!(send("/v1/keys/destroy", r#"{"key":"knone","confirm":true}"#), (0, 404));
    assert_eq!(send("/v1/keys/rotate", r#"{"class":"nosuch"}"#), (0, 404));
    let log = fs::read_to_string(program.dir.path().join("data/audit")).unwrap();
    assert_eq!(log.matches("\"act\":\"keys rotate\"").count(), 3, "{log}");
    assert_eq!(log.matches("\"act\":\"keys destroy\"").count(), 2, "{log}");
    assert!(log.contains(&format!("\"on\":\"{}\"", key(&second))) && !log.contains("knone"), "{log}");
    assert!(log.contains("\"role\":\"keeper\"") && !log.contains(secret), "{log}");
    program.verb(&["audit", "verify-log"]);
    let Guarded { process, .. } = program;
    process.stop();
}

fn ask_plain(url: &str) -> (i32, u16) {
    ask(&[&url.replace("https", "http")])
}

/// Without TLS an address that others reach is for health alone, and has to say so.
#[test]
fn an_open_admin_listener_answers_health_alone() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("logveil.yaml");
    fs::write(&config, "admin: { listen: \"0.0.0.0:9598\" }\n").unwrap();
    let output = Command::new(binary()).args(["check", "--config"]).arg(&config).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(
        told.contains("logveil.yaml:1: admin.listen: holds 0.0.0.0:9598, which others reach, without TLS"),
        "{told}"
    );

    let program = Guarded::start("{ listen: \"0.0.0.0:PORT\", only: health }", "", &[]);
    for (path, status) in [("/livez", 200), ("/metrics", 200), ("/nothing", 404)] {
        assert_eq!(program.ask(path, &[]), (0, status), "{path}");
    }
    for path in ["/-/reload", "/v1/sessions/logout", "/v1/keys/rotate", "/v1/keys/destroy"] {
        assert_eq!(program.ask(path, &["--data", "{}"]), (0, 403), "{path}");
    }
    let Guarded { process, .. } = program;
    process.stop();
}

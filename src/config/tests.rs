use super::*;
use crate::limit::{SESSION_BYTES, SESSIONS_MAX};

const SAMPLE: &str = r#"
data_dir: /var/lib/logveil
policy: everything
sources:
  edge: { kind: syslog, tcp: "127.0.0.1:5514", udp: "127.0.0.1:5514" }
  apps: { kind: http, listen: "localhost:8088" }
routes:
  - { when: { app: [nginx, envoy] }, class: access }
  - { when: { source: apps, path: "*payment*" }, class: payment, stream: shop }
queue: { mode: memory, max_bytes: 32MiB }
sinks:
  relay: { kind: http, url: "http://127.0.0.1:9000/logs", classes: [access, app] }
  next: { kind: syslog, tcp: "collector:6514" }
  copy: { kind: file, path: out.log, rotate: { bytes: 1MiB, age: 12h, keep: 3 } }
  local: { kind: archive }
keyring: { kek: "${file:/etc/logveil/kek}" }
admin: { listen: "127.0.0.1:9598" }
"#;

#[test]
fn reads_the_shape_that_is_documented() {
    let settings = Settings::parse("c.yaml", SAMPLE).unwrap();
    assert_eq!(settings.data_dir, PathBuf::from("/var/lib/logveil"));
    assert_eq!(settings.queue, Queue::Memory { bytes_max: 32 << 20 });
    assert_eq!(settings.kek, Some(KekPlace::File("/etc/logveil/kek".into())));
    assert_eq!(settings.sources.len(), 2);
    assert_eq!(settings.sinks.len(), 4);
    assert_eq!(settings.sinks[0].classes.as_ref().unwrap().len(), 2);
    let SinkKind::File(file) = &settings.sinks[2].kind else { panic!("{:?}", settings.sinks[2]) };
    assert_eq!((file.bytes_max, file.keep), (1 << 20, 3));
    assert!(settings.summary().iter().any(|line| line.contains("classes access app")));
}

#[test]
fn an_empty_file_means_the_defaults() {
    let settings = Settings::parse("c.yaml", "# nothing\n").unwrap();
    assert!(settings.needs_restart(&Settings::default()).is_empty());
}

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let error = Settings::parse("c.yaml", text).unwrap_err();
    assert_eq!(error.lines.len(), expected.len(), "{error}");
    for (line, expected) in error.lines.iter().zip(expected) {
        assert!(line.starts_with(expected), "{line}\nis not\n{expected}");
    }
}

#[test]
fn every_error_is_told_at_once_with_its_line() {
    check(
        "data_dri: x\nsources:\n  edge:\n    kind: syslog\n    tpc: 1.2.3.4:5\n    tcp: nowhere\nadmin: { listen: 5 }\n",
        &[
            "c.yaml:1: data_dri: is no key of this table; it may hold data_dir, packs, policy",
            "c.yaml:5: sources.edge.tpc: is no key of this table; it may hold kind, tcp, tls, udp, unix, unix_datagram, limits; did you mean tcp?",
            "c.yaml:6: sources.edge.tcp: holds \"nowhere\", and may hold IP:PORT such as",
            "c.yaml:7: admin.listen: holds the number 5, and may hold text",
        ],
    );
}

#[test]
fn what_comes_later_is_refused_clearly() {
    check("queue: { mode: disk }", &["c.yaml:1: queue.mode: holds \"disk\", and may hold memory or durable"]);
    check(
        "sinks:\n  s: { kind: http, url: \"ftp://x/\" }",
        &["c.yaml:2: sinks.s.url: holds another scheme, and may hold https:// or http://"],
    );
    check(
        "sinks:\n  s: { kind: kinesis }",
        &["c.yaml:2: sinks.s.kind: holds \"kinesis\", and may hold archive"],
    );
}

#[test]
fn names_that_do_not_exist_are_refused() {
    check(
        "policy: defalt",
        &["c.yaml:1: policy: holds \"defalt\", and may hold default, everything, capmonster"],
    );
    check(
        "policy: ./none.yaml",
        &["c.yaml:1: policy: holds \"./none.yaml\", which cannot be read: No such file"],
    );
    check(
        "routes:\n  - { when: { source: edge }, class: access }",
        &["c.yaml:2: routes[0].when.source: holds \"edge\", and may hold the name of a source: syslog, http"],
    );
    check("routes:\n  - { when: {}, class: acces }", &["c.yaml:2: routes[0]: "]);
    check(
        "sinks:\n  s: { kind: file, path: /none/at/all.log }",
        &["c.yaml:2: sinks.s.path: holds \"/none/at/all.log\", and may hold the path of a file in a folder"],
    );
    check(
        "sinks:\n  s: { kind: stdout, classes: [acess] }",
        &["c.yaml:2: sinks.s.classes[0]: holds \"acess\", and may hold a class of the policy: access"],
    );
}

#[test]
fn bounds_are_told_and_kept() {
    let max_bytes = |bytes: u64| Settings::parse("c.yaml", &format!("queue: {{ max_bytes: {bytes} }}"));
    assert!(max_bytes(crate::limit::QUEUE_BYTES_MIN).is_ok());
    assert!(max_bytes(crate::limit::QUEUE_BYTES_MIN - 1).is_err());
    assert!(max_bytes(crate::limit::QUEUE_BYTES_MAX).is_ok());
    assert!(max_bytes(crate::limit::QUEUE_BYTES_MAX + 1).is_err());
    check(
        "queue: { mode: durable, max_bytes: 1MiB }",
        &["c.yaml:1: queue.max_bytes: holds 1048576 bytes, and may hold 16777216 to 1125899906842624"],
    );
    check(
        "queue: { max_bytes: 1 }",
        &["c.yaml:1: queue.max_bytes: holds 1 bytes, and may hold 1048576 to 4294967295"],
    );
    check("sources: {}", &["c.yaml:1: sources: is empty, and needs one entry"]);
    check(
        "sinks:\n  a: { kind: archive }\n  b: { kind: archive }",
        &["c.yaml:1: sinks: holds 2 sinks of kind archive"],
    );
}

#[test]
fn a_file_that_keeps_longer_than_a_class_allows_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let policy = folder.path().join("p.yaml");
    let short = "policy: p\nclasses:\n  access: { retention: 3h }\n  app: { retention: 8d }\n";
    std::fs::write(&policy, short).unwrap();
    let file = |more: &str| {
        let policy = policy.display();
        format!("policy: {policy}\nsinks:\n  f: {{ kind: file, path: out.log{more} }}\n")
    };
    check(
        &file(""),
        &[
            "c.yaml:3: sinks.f: keeps a record for up to age times keep + 1, 691200 s, and class access allows 3h",
        ],
    );
    check(
        &file(", rotate: { age: 1h, keep: 3 }"),
        &["c.yaml:3: sinks.f.rotate: keeps a record for up to age times keep + 1, 14400 s, and class access"],
    );
    for kept in [", rotate: { age: 1h, keep: 2 }", ", classes: [app]"] {
        assert!(Settings::parse("c.yaml", &file(kept)).is_ok(), "{kept}");
    }
}

#[test]
fn sinks_that_keep_are_stores_and_others_are_declared() {
    let text = "sinks:\n  local: { kind: archive }\n  next: { kind: syslog, tcp: \"c:1\" }\nstores:\n  \
                local: { on_unverified: warn }\n  nginx: { kind: files, path: x.log, rotated: 24h, classes: [access] }\n";
    let settings = Settings::parse("c.yaml", text).unwrap();
    let names: Vec<(&str, &str, usize)> =
        settings.stores.iter().map(|store| (&*store.name, store.kind.name(), store.targets.len())).collect();
    assert_eq!(names, [("local", "archive", 7), ("nginx", "files", 1)]);
    assert_eq!(settings.stores[0].on_unverified, crate::retention::OnUnverified::Warn);
    assert_eq!(settings.stores[1].targets[0].classes.len(), 1);
    check("stores:\n  loki: {}", &["c.yaml:2: stores.loki: has no kind and is no sink that keeps"]);
    check(
        "sinks:\n  next: { kind: syslog, tcp: \"c:1\" }\nstores:\n  next: {}",
        &[
            "c.yaml:4: stores.next: has no kind, and the sink of this name, of kind syslog, does not say what it feeds",
        ],
    );
}

#[test]
fn a_limit_that_a_store_cannot_keep_is_refused_with_the_shortest_one() {
    let folder = tempfile::tempdir().unwrap();
    let policy = folder.path().join("p.yaml");
    std::fs::write(&policy, "policy: p\nclasses:\n  access: { retention: 12h }\n").unwrap();
    let text = format!(
        "policy: {}\nstores:\n  n: {{ kind: files, path: x.log, rotated: 24h, classes: [access] }}\n",
        policy.display()
    );
    let least = "the shortest limit possible there is 1 d 2 h 20 min";
    check(
        &text,
        &[
            "c.yaml:3: stores.n: cannot keep the limit of class access, 12h: 12 h is shorter than it can keep; ",
        ],
    );
    assert!(Settings::parse("c.yaml", &text).unwrap_err().to_string().contains(least));
}

#[test]
fn broken_yaml_is_told_with_its_line() {
    let error = Settings::parse("c.yaml", "sources:\n  a: [1\nb: 2\n").unwrap_err();
    assert_eq!(error.lines.len(), 1, "{error}");
    assert!(error.lines[0].starts_with("c.yaml:"), "{error}");
    assert!(Settings::parse("c.yaml", "a: 1\na: 2\n").is_err(), "a key written twice");
    assert!(Settings::parse("c.yaml", &"[".repeat(100_000)).is_err(), "nested deep");
}

#[test]
fn a_secret_is_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("address");
    std::fs::write(&path, "canary-7f3a\n").unwrap();
    let text = format!(
        "keyring: {{ kek: canary-7f3a }}\nadmin: {{ listen: \"${{file:{0}}}\" }}\nsinks:\n  s: {{ kind: http, url: \"http://u:canary-7f3a@h/\" }}\n",
        path.display()
    );
    let error = Settings::parse("c.yaml", &text).unwrap_err();
    assert_eq!(error.lines.len(), 3, "{error}");
    assert!(!error.to_string().contains("canary"), "{error}");
}

/// The table of an HTTP sink, with `more` behind its URL.
fn http_sink(more: &str) -> String {
    format!("sinks:\n  s: {{ kind: http, url: \"http://store.test/\"{more} }}")
}

#[test]
fn credentials_come_from_outside_alone() {
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "canary-7f3a\n").unwrap();
    let from_file = format!("\"${{file:{}}}\"", token.display());
    for auth in [
        format!("{{ bearer: {from_file} }}"),
        format!("{{ basic: {{ user: me, password: {from_file} }} }}"),
        format!("{{ header: {{ name: X-Api-Key, value: {from_file} }} }}"),
    ] {
        let settings = Settings::parse("c.yaml", &http_sink(&format!(", auth: {auth}"))).unwrap();
        let shown = format!("{settings:?} {:?}", settings.summary());
        assert!(!shown.contains("canary") && !shown.contains("Y2FuYXJ5"), "{shown}");
    }
    for (auth, expected) in [
        ("{ bearer: canary-7f3a }".to_owned(), "auth.bearer: holds a secret itself, and may hold"),
        (
            "{ bearer: \"${file:/none}\" }".to_owned(),
            "auth.bearer: holds ${file:/none}, which cannot be read",
        ),
        ("{ basic: { user: me } }".to_owned(), "auth.basic.password: is not set, has no default"),
        (
            format!("{{ bearer: {from_file}, header: {{}} }}"),
            "auth: may hold one of basic, bearer and header",
        ),
        (
            format!("{{ header: {{ name: \"a b\", value: {from_file} }} }}"),
            "auth: holds what no header line can",
        ),
        ("{ bearer: \"${env:LOGVEIL_NOT_SET:-}\" }".to_owned(), "auth.bearer: leads to nothing"),
    ] {
        let error =
            Settings::parse("c.yaml", &http_sink(&format!(", auth: {auth}"))).unwrap_err().to_string();
        assert!(error.contains(expected) && !error.contains("canary"), "{error}");
    }
}

#[test]
fn a_store_is_reached_as_its_table_says() {
    for (more, expected) in [
        (", tls: {}", "c.yaml:2: sinks.s.tls: belongs to https://, and the url holds http://"),
        (
            ", compression: lzma",
            "c.yaml:2: sinks.s.compression: holds \"lzma\", and may hold none, gzip or zstd",
        ),
        (
            ", batch: { bytes: 1 }",
            "c.yaml:2: sinks.s.batch.bytes: holds 1 bytes, and may hold 4096 to 16777216",
        ),
        (", batch: { records: 0 }", "c.yaml:2: sinks.s.batch.records: holds the number 0, and may hold"),
    ] {
        check(&http_sink(more), &[expected]);
    }
    let https = |tls: &str| http_sink(&format!(", tls: {tls}")).replace("http://", "https://");
    check(&https("{ ca: /none }"), &["c.yaml:2: sinks.s.tls: /none holds no certificate in PEM"]);
    check(
        &https("{ ca: /none, cert: /none }"),
        &["c.yaml:2: sinks.s.tls: holds one of cert and key, and may hold both or none"],
    );
    check(
        "sinks:\n  s: { kind: syslog, tcp: \"a:6514\", framing: lf, tls: {} }",
        &["c.yaml:2: sinks.s.tls: does not go with framing: lf"],
    );
    assert!(Settings::parse("c.yaml", &http_sink(", compression: zstd, batch: { records: 5 }")).is_ok());
}

#[test]
fn a_key_may_come_from_a_command() {
    let of = |kek: &str| Settings::parse("c.yaml", &format!("keyring: {{ kek: {kek} }}\n"));
    let settings = of("{ command: [kms, decrypt, canary-7f3a] }").unwrap();
    let command = ["kms", "decrypt", "canary-7f3a"].map(str::to_owned).to_vec();
    assert_eq!(settings.kek, Some(KekPlace::Command(command)));
    assert!(!settings.summary().concat().contains("canary"), "arguments may be secret");
    for wrong in ["{ command: [] }", "{ command: [\"\"] }", "{ command: {} }", "{ comand: [kms] }", "[kms]"] {
        assert!(of(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_store_has_settings_of_its_own() {
    let store = |more: &str| format!("sinks:\n  s: {{ url: \"http://store.test/\", {more} }}");
    for (more, expected) in [
        (
            "kind: opensearch",
            "sinks.s.index: is not set, has no default, and may hold a name such as logs-{class}",
        ),
        (
            "kind: opensearch, index: \"a-{host}\"",
            "sinks.s.index: holds {host}, and may hold {class}, {stream}",
        ),
        (
            "kind: elasticsearch, index: a, compression: zstd",
            "sinks.s.compression: holds zstd, which this store",
        ),
        (
            "kind: loki, labels: [user]",
            "sinks.s.labels[0]: holds \"user\", and may hold class, stream, app or host",
        ),
        (
            "kind: loki, labels: [app, app]",
            "sinks.s.labels: may hold one at least of class, stream, app and host",
        ),
        ("kind: splunk", "sinks.s.token: is not set, has no default, and may hold"),
        ("kind: splunk, token: abc", "sinks.s.token: holds a secret itself, and may hold"),
        (
            "kind: s3, bucket: b, access_key: \"${env:CARGO_PKG_NAME}\", secret_key: \"${env:CARGO_PKG_NAME}\", \
             prefix: \"../x\"",
            "sinks.s.prefix: holds \"../x\", and may hold names such as logs or logs/eu",
        ),
        ("kind: loki, tenant: \"a b\"", "sinks.s.tenant: holds \"a b\", and may hold the name of a tenant"),
        (
            "kind: clickhouse, table: \"a;b\"",
            "sinks.s.table: holds \"a;b\", and may hold the name of a table",
        ),
    ] {
        check(&store(more), &[&format!("c.yaml:2: {expected}")]);
    }
    for more in [
        "kind: opensearch, index: \"logs-{class}-{date}\", compression: gzip",
        "kind: loki, labels: [class, app], tenant: t1",
        "kind: victorialogs, compression: zstd",
        "kind: clickhouse, table: db.logs",
        "kind: otlp, compression: gzip",
        "kind: splunk, token: \"${env:CARGO_PKG_NAME}\", index: main, acks: true",
        "kind: s3, bucket: logs, access_key: \"${env:CARGO_PKG_NAME}\", secret_key: \"${env:CARGO_PKG_NAME}\", \
         addressing: host, prefix: logs/eu, compression: zstd",
    ] {
        assert!(Settings::parse("c.yaml", &store(more)).is_ok(), "{more}");
    }
}

/// A sink and a store of S3 with `url` and `bucket`.
fn buckets(url: &str, bucket: &str) -> String {
    let key = "\"${env:CARGO_PKG_NAME}\"";
    let table =
        format!("kind: s3, url: \"{url}\", bucket: \"{bucket}\", access_key: {key}, secret_key: {key}");
    format!("sinks:\n  a: {{ {table} }}\nstores:\n  b: {{ {table}, prefix: logs/ }}\n")
}

#[test]
fn a_bucket_that_cannot_be_addressed_is_refused_and_not_left_out() {
    let settings = Settings::parse("c.yaml", &buckets("http://127.0.0.1:9000/s3", "logs")).unwrap();
    assert_eq!((settings.sinks.len(), settings.stores.len()), (1, 1));
    let no_address = "holds a url and a bucket that make no address together";
    // An address to one reader of addresses, and none to the other.
    check(
        &buckets("http://127.0.0.999:9000/", "logs"),
        &[&format!("c.yaml:2: sinks.a: {no_address}"), &format!("c.yaml:4: stores.b: {no_address}")],
    );
    let host = buckets("http://127.0.0.1:9000/", "logs").replacen("bucket:", "addressing: host, bucket:", 1);
    check(&host, &[&format!("c.yaml:2: sinks.a: {no_address}")]);
    for name in ["//other.test", "", "a b", "..", "logs-{class}"] {
        let refused = format!("bucket: holds {name:?}, and may hold a name of letters");
        check(
            &buckets("http://127.0.0.1:9000/", name),
            &[&format!("c.yaml:2: sinks.a.{refused}"), &format!("c.yaml:4: stores.b.{refused}")],
        );
    }
}

#[test]
fn a_secret_that_is_no_text_is_refused_and_its_store_not_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, b"\xff\xfecanary").unwrap();
    check(
        &format!(
            "stores:\n  n: {{ kind: nats, url: \"nats://h:1\", stream: s, token: \"${{file:{}}}\" }}\n",
            token.display()
        ),
        &[&format!("c.yaml:2: stores.n.token: holds ${{file:{}}}, which cannot be read: ", token.display())],
    );
}

#[test]
fn the_schema_has_the_keys_that_are_read() {
    let schema: serde_json::Value = serde_json::from_str(SCHEMA).unwrap();
    for (table, keys) in read::TABLES {
        let found = if *table == "root" { &schema } else { &schema["$defs"][table] };
        let found = found["properties"].as_object().unwrap_or_else(|| panic!("no {table} in the schema"));
        let mut keys = keys.to_vec();
        keys.sort_unstable();
        let mut found: Vec<&str> = found.keys().map(String::as_str).collect();
        found.sort_unstable();
        assert_eq!(found, keys, "{table}");
    }
}

/// Law: what is accepted sums up to no more than was declared, and is told; what cannot fit is refused with the sum.
#[test]
fn bounds_fit_into_the_memory_that_is_declared() {
    let (mut fit, mut refused) = (0, 0);
    for mebibytes in [16, 32, 48, 64, 96, 128, 256, 512, 1024, 65_536] {
        for rest in [
            "",
            SAMPLE,
            "queue: { mode: durable }\n",
            "sources: { f: { kind: forward, listen: '127.0.0.1:1' } }\n",
        ] {
            match Settings::parse("c.yaml", &format!("memory_max: {mebibytes}MiB\n{rest}")) {
                Ok(settings) => {
                    fit += 1;
                    let total = settings.memory().total();
                    assert!(total <= mebibytes << 20, "{mebibytes} MiB: {}", settings.memory().words());
                    assert!((2..=TURNS).contains(&settings.turns));
                    let told = format!("memory at most {} MiB: the program ", total.div_ceil(1 << 20));
                    assert!(settings.summary().iter().any(|line| line.starts_with(&told)));
                }
                Err(error) => {
                    refused += 1;
                    let expected = format!(
                        "c.yaml:1: memory_max: holds {mebibytes}MiB, and the bounds of this configuration sum up to "
                    );
                    assert!(error.lines[0].starts_with(&expected), "{error}");
                }
            }
        }
    }
    assert!(fit > 10 && refused > 5, "{fit} fit, {refused} do not");
}

/// What is large by what is written down is in the sum: what stands before a sink, and the table of sessions.
#[test]
fn windows_and_sessions_are_in_the_sum() {
    let total = |text: &str| Settings::parse("c.yaml", text).expect("it is right").memory().total();
    let sink = |batch: &str| {
        format!(
            "queue: {{ mode: durable }}\nsinks:\n  s: {{ kind: http, url: 'http://127.0.0.1:1', batch: {{ {batch} }} }}\n"
        )
    };
    let (small, large) = (total(&sink("requests: 1")), total(&sink("requests: 32, bytes: 8MiB")));
    // Encoded, packed, and clean with one more.
    assert_eq!(large - small, (2 * 32 * 8 + 33 * 8 - 1 - 4) << 20);
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("p.yaml");
    let of = |action: &str| {
        let classes = format!("classes: {{ '*': {{ entities: {{ session_id: {action} }} }} }}\n");
        std::fs::write(&path, format!("policy: p\ndefault: redact\n{classes}")).expect("written");
        let policy = path.display();
        move |memory: &str| total(&format!("policy: '{policy}'\n{memory}"))
    };
    let (redacts, drawn) = ("redact", "{ pseudonymize: { table: 7d } }");
    let without = of(redacts)("");
    assert_eq!(of(drawn)("") - without, (SESSIONS_MAX * SESSION_BYTES) as u64);
    let memory = "memory_max: 128MiB\n";
    let settings = |text: &str| Settings::parse("c.yaml", text).expect("it is right");
    let sessions = settings(memory).sessions_max * SESSION_BYTES;
    assert!((4 << 20..=8 << 20).contains(&sessions), "a sixteenth at most: {sessions}");
}

#[test]
fn limits_of_sources_are_read_and_refused() {
    let parse = |limits: &str| {
        let text =
            format!("sources: {{ s: {{ kind: http, listen: '127.0.0.1:1', limits: {{ {limits} }} }} }}");
        Settings::parse("c.yaml", &text)
    };
    let settings =
        parse("connections: 9, peer_connections: 3, peer_bytes: 1MiB, body: 2MiB, bodies: 4MiB").unwrap();
    let Source::Http(http) = &settings.sources[0] else { panic!("it is one of HTTP") };
    assert_eq!((http.limits.connections_max, http.limits.peers.connections_max), (9, 3));
    assert_eq!(http.limits.peers.bytes_per_second.map(u64::from), Some(1 << 20));
    assert_eq!((http.limits.body_bytes_max, http.limits.bodies_bytes_max), (2 << 20, 4 << 20));
    for (limits, expected) in [
        ("connections: 0", "sources.s.limits.connections: holds the number 0"),
        ("peer_bytes: 1KiB", "sources.s.limits.peer_bytes: holds 1024 bytes"),
        ("bodies: 1KiB", "sources.s.limits.bodies: holds 1024 bytes"),
        (
            "body: 8MiB, bodies: 4MiB",
            "sources.s: lets a body have 8388608 bytes and all of them together 4194304",
        ),
        ("unfinished: 1MiB", "sources.s.limits.unfinished: "),
    ] {
        let error = parse(limits).unwrap_err();
        assert!(error.lines[0].starts_with(&format!("c.yaml:1: {expected}")), "{error}");
    }
}

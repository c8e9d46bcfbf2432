//! A real NATS server: ages that are set, changed behind our back, and really come to pass.

use std::process::Command;
use std::time::Duration;

use async_nats::jetstream;

use super::Place;
use crate::support::process::Process;
use crate::support::{free_port, http, venv, wait_until};

pub struct Server {
    pub port: u16,
    runtime: tokio::runtime::Runtime,
    _process: Process,
}

impl Server {
    pub fn start(place: &Place) -> Server {
        let (port, health) = (free_port(), free_port());
        let config = place.path().join("nats.conf");
        let store = place.path().join("nats");
        std::fs::write(
            &config,
            format!(
                "listen: \"127.0.0.1:{port}\"\nhttp: \"127.0.0.1:{health}\"\nauthorization {{ token: \"right\" }}\n\
                 jetstream {{\n  store_dir: \"{}\"\n  max_mem: 64M\n  max_file: 64M\n}}\n",
                store.display()
            ),
        )
        .unwrap();
        let mut command = Command::new(venv("nats-server"));
        command.arg("-c").arg(&config);
        let mut process = Process::start(&mut command, place.path());
        process.wait_until("it was healthy", || {
            http::get(health, "/healthz").is_ok_and(|answer| answer.status == 200)
        });
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        std::fs::write(place.path().join("token"), "right\n").unwrap();
        Server { port, runtime, _process: process }
    }

    pub fn stream(&self, max_age: Duration) {
        self.runtime.block_on(async {
            let options = async_nats::ConnectOptions::with_token("right".into());
            let client = options.connect(format!("nats://127.0.0.1:{}", self.port)).await.unwrap();
            let context = jetstream::new(client);
            let config = jetstream::stream::Config {
                name: "LOGS".into(),
                subjects: vec!["logs.>".into()],
                max_age,
                ..Default::default()
            };
            context.create_or_update_stream(config).await.unwrap();
        });
    }

    /// Publishes messages and waits until all are stored.
    pub fn publish_all(&self, messages: impl Iterator<Item = String>) {
        self.runtime.block_on(async {
            let options = async_nats::ConnectOptions::with_token("right".into());
            let client = options.connect(format!("nats://127.0.0.1:{}", self.port)).await.unwrap();
            let context = jetstream::new(client);
            for message in messages {
                context.publish("logs.access", message.into()).await.unwrap().await.unwrap();
            }
        });
    }

    fn configuration(&self, token: &str) -> String {
        format!(
            "stores:\n  js: {{ kind: nats, url: \"nats://127.0.0.1:{}\", stream: LOGS, token: \"${{file:DIR/{token}}}\", classes: [access] }}\n",
            self.port
        )
    }
}

#[test]
fn a_stream_is_judged_set_and_caught_when_it_changes() {
    let place = Place::new("");
    let server = Server::start(&place);
    place.configure(&server.configuration("token"));
    place.verifies(1, &["store js, LOGS, class access: unknown: stream LOGS: "]);
    server.stream(Duration::ZERO);
    place.verifies(1, &["exceeds the limit without end: max_age is 0"]);
    place.retention(&["apply", "--yes"]).is(0, &["max_age: not set -> 7775940 s", "compliant"]);
    place.verifies(0, &[]);
    server.stream(Duration::from_secs(100 * 86_400));
    place.verifies(1, &["exceeds the limit by 10 d 1 min: configured 100 d + sweep 1 min"]);
    place.retention(&["apply", "--yes"]).is(0, &["max_age: 8640000 s -> 7775940 s"]);
    std::fs::write(place.path().join("wrong"), "wrong\n").unwrap();
    place.configure(&server.configuration("wrong"));
    place.verifies(1, &["unknown: it wants other credentials"]);
}

#[test]
fn an_age_really_comes_to_pass() {
    let place = Place::new("");
    let server = Server::start(&place);
    place.configure(&server.configuration("token"));
    server.stream(Duration::from_secs(2));
    server.publish_all(std::iter::once("x".to_owned()));
    let oldest = || place.retention(&["verify", "--format", "json"]).out;
    wait_until("the message is gone", || {
        oldest().contains("\"oldest_record_s\": 0") && oldest().contains("\"compliant\"")
    });
}

//! Kafka's protocol with a real broker, tansu: that it is reached, and what is told of a topic that is not there.

use std::process::Command;

use super::Place;
use crate::support::process::Process;
use crate::support::{free_port, venv};

#[test]
fn a_broker_that_has_no_such_topic_or_is_none_is_unknown() {
    let port = free_port();
    let place = Place::new("");
    place.configure(&format!(
        "stores:\n  bus: {{ kind: kafka, broker: \"127.0.0.1:{port}\", topic: logs, classes: [access] }}\n"
    ));
    place.verifies(1, &["store bus, logs, class access: unknown: cannot connect"]);
    let mut command = Command::new(venv("tansu"));
    let url = format!("tcp://127.0.0.1:{port}");
    command.args([
        "broker",
        "--listener-url",
        &url,
        "--advertised-listener-url",
        &url,
        "--storage-engine",
        "memory://tansu/",
    ]);
    let mut process = Process::start(&mut command, place.path());
    process.wait_until("it listened", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    place.verifies(1, &["unknown: there is no topic logs"]);
}

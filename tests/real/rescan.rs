//! The second look: what a policy lets through and should not have never leaves.

use std::fs;
use std::process::Command;

use crate::support::logveil::{ARCHIVE, Logveil, binary};
use crate::support::process::run;
use crate::support::{http, wait_until};

/// A token of the form that GitHub gives out, and nobody's.
const TOKEN: &str = "ghp_0123456789zqplantedABCDEFGHIJ0123456";

/// Stands for a fault of the first pass: it leaves a token where it is.
const FAULTY: &str = "policy: faulty
default: redact
classes: { '*': { entities: { github_token: keep, ipv4: truncate } } }
";

#[test]
fn what_the_first_pass_left_is_stopped_counted_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let (policy, file) = (folder.path().join("faulty.yaml"), folder.path().join("out.log"));
    fs::write(&policy, FAULTY).unwrap();
    let sinks = format!("{ARCHIVE}  out: {{ kind: file, path: {} }}\n", file.display());
    let more = format!("policy: {}\nrescan: {{ never: [github_token] }}\n", policy.display());
    let logveil = Logveil::start_after(&sinks, &more);
    let body = format!("rec-1 from 192.0.2.7\nrec-2 with {TOKEN}\nrec-3 done\nrec-4 has {TOKEN}\n");
    let answer =
        http::post(logveil.http, "/v1/logs", &["Content-Type: text/plain"], body.as_bytes()).unwrap();
    assert_eq!(answer.status, 200, "a marker stands for what was withheld: {}", answer.body);
    let expected = "rec-1 from 192.0.2.0
[logveil: record withheld, 51 bytes, a value was left in it]
rec-3 done
[logveil: record withheld, 50 bytes, a value was left in it]
";
    wait_until("both sinks have the records", || {
        logveil.archived().lines().count() == 4
            && fs::read_to_string(&file).is_ok_and(|text| text == expected)
    });
    assert_eq!(logveil.archived(), expected);
    let metrics = logveil.metrics();
    for line in [
        "logveil_rescan_hits_total{entity=\"github_token\"} 2",
        "logveil_records_withheld_total{reason=\"rescan\"} 2",
        "logveil_incidents_open 1",
    ] {
        assert!(metrics.lines().any(|known| known == line), "{line} is not in\n{metrics}");
    }
    let listed = run(Command::new(binary()).args(["incident", "list", "--config"]).arg(logveil.config()));
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(listed.contains("(egress) app github_token"), "{listed}");
    assert_eq!(listed.lines().count(), 1, "{listed}");
    // Nothing of the token is in the data, the output, the log or the metrics.
    logveil.stop();
}

//! The page of metrics against the table in the code.

use std::fs;

use super::root;

const PAGE: &str = "docs/operations.md";

/// The table is the page's last part. `UPDATE_DOCS=1` writes it.
#[test]
fn every_metric_is_documented() {
    let table = logveil::telemetry::reference();
    let head = table.lines().next().unwrap();
    let path = root().join(PAGE);
    let page = fs::read_to_string(&path).unwrap();
    let (before, written) = page.split_at(page.find(head).expect("the page has the table"));
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, [before, &table].concat()).unwrap();
        return;
    }
    assert_eq!(written, table, "{PAGE}: UPDATE_DOCS=1 cargo test --test all metric writes it");
}

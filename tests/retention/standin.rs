//! Stores that cannot be had here, by stand-ins made from their documented exchanges: what is asked otherwise is refused.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::Place;

/// What was asked: method, path with query, body.
type Asked = (String, String, Value);

/// Answers requests by a function of them; its state is the caller's.
pub struct StandIn {
    pub port: u16,
}

impl StandIn {
    pub fn start(mut answer: impl FnMut(&str, &str, &Value) -> (u16, Value) + Send + 'static) -> StandIn {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let Some((stream, (method, path, body))) = asked(stream) else { continue };
                let (status, body) = answer(&method, &path, &body);
                respond(stream, status, &body);
            }
        });
        StandIn { port }
    }
}

fn asked(stream: TcpStream) -> Option<(TcpStream, Asked)> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        if header.trim().is_empty() {
            break;
        }
        if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    // What is no JSON is text.
    let body = serde_json::from_slice(&body)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&body).into_owned()));
    Some((stream, (method, path, body)))
}

fn respond(mut stream: TcpStream, status: u16, body: &Value) {
    // A text is one that is no JSON.
    let body = body.as_str().map_or_else(|| body.to_string(), str::to_owned);
    let head = format!(
        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
}

pub fn place(port: u16, kind: &str) -> Place {
    Place::new(&format!(
        "stores:\n  search: {{ kind: {kind}, url: \"http://127.0.0.1:{port}\", index: \"logs-{{class}}\", classes: [access] }}\n"
    ))
}

/// The age of the oldest record, as an aggregation gives it: none.
pub fn no_records() -> Value {
    json!({ "timed_out": false, "_shards": { "failed": 0 }, "hits": { "total": { "value": 0 } }, "aggregations": { "oldest": { "value": null } } })
}

/// Index state management of OpenSearch: an index keeps the copy of the policy that it was given.
#[derive(Default)]
pub struct Ism {
    policy: Option<Value>,
    seq: u64,
    carried: Option<Value>,
}

impl Ism {
    pub fn answer(&mut self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let (route, query) = path.split_once('?').unwrap_or((path, ""));
        match (method, route) {
            ("GET", "/_cat/indices/logs-access*") => {
                (200, json!([{ "index": "logs-access-2026.11.22", "creation.date": "1763769600000" }]))
            }
            ("POST", "/logs-access*/_search") => (200, no_records()),
            ("GET", "/_plugins/_ism/explain/logs-access*") => {
                let told = match &self.carried {
                    Some(policy) => {
                        json!({ "policy_id": "logveil-logs-access", "enabled": true, "policy": policy })
                    }
                    None => {
                        json!({ "index.plugins.index_state_management.policy_id": null, "enabled": null })
                    }
                };
                (200, json!({ "logs-access-2026.11.22": told, "total_managed_indices": 1 }))
            }
            ("GET", "/_plugins/_ism/policies/logveil-logs-access") => match &self.policy {
                Some(policy) => (200, json!({ "_seq_no": self.seq, "_primary_term": 1, "policy": policy })),
                None => (404, json!({ "error": "Policy not found" })),
            },
            ("PUT", "/_plugins/_ism/policies/logveil-logs-access") => {
                // A policy that is there is changed only by who names its version.
                let named = format!("if_seq_no={}&if_primary_term=1", self.seq);
                if self.policy.is_some() && query != named {
                    return (409, json!({ "error": "version conflict" }));
                }
                if !body["policy"]["states"].is_array() {
                    return (400, json!({ "error": "no states" }));
                }
                (self.policy, self.seq) = (Some(body["policy"].clone()), self.seq + 1);
                (200, json!({ "_seq_no": self.seq }))
            }
            ("POST", "/_plugins/_ism/add/logs-access*") => {
                let fresh = self.carried.is_none();
                self.carried = self.carried.take().or_else(|| self.policy.clone());
                (200, json!({ "updated_indices": u64::from(fresh), "failures": !fresh }))
            }
            ("POST", "/_plugins/_ism/change_policy/logs-access*") => {
                self.carried = self.policy.clone();
                (200, json!({ "updated_indices": 1 }))
            }
            _ => (400, json!({ "error": "no handler" })),
        }
    }
}

#[test]
fn opensearch_indices_keep_the_old_policy_until_it_is_changed_in_each() {
    let ism = Arc::new(Mutex::new(Ism::default()));
    let shared = Arc::clone(&ism);
    let stand_in =
        StandIn::start(move |method, path, body| shared.lock().unwrap().answer(method, path, body));
    let place = place(stand_in.port, "opensearch");
    place.verifies(1, &["exceeds the limit without end: index logs-access-2026.11.22 has no policy"]);
    place.retention(&["apply", "--yes"]).is(0, &["not set -> 89 d", "compliant"]);
    // The policy as it is set is right; the copy in the index is an older one.
    let longer = ism.lock().unwrap().policy.clone().unwrap().to_string().replace("89d", "400d");
    ism.lock().unwrap().carried = serde_json::from_str(&longer).ok();
    place.verifies(1, &["exceeds the limit by 310 d 1 h: configured 400 d + sweep 1 h"]);
    place.retention(&["apply", "--yes"]).is(0, &["400 d -> 89 d", "compliant"]);
}

#[test]
fn elasticsearch_counts_from_the_roll_over() {
    let lifecycle = Arc::new(Mutex::new(json!({ "enabled": true, "data_retention": "90d" })));
    let shared = Arc::clone(&lifecycle);
    let stand_in = StandIn::start(move |method, path, body| match (method, path) {
        ("GET", "/_data_stream/logs-access") => (
            200,
            json!({ "data_streams": [{ "name": "logs-access", "indices": [{ "index_name": ".ds-logs-access-1", "managed_by": "Data stream lifecycle" }] }] }),
        ),
        ("GET", "/_data_stream/logs-access/_lifecycle") => (
            200,
            json!({ "data_streams": [{ "name": "logs-access", "lifecycle": *shared.lock().unwrap() }] }),
        ),
        ("PUT", "/_data_stream/logs-access/_lifecycle") => {
            let set = json!({ "enabled": true, "data_retention": body["data_retention"] });
            *shared.lock().unwrap() = set;
            (200, json!({ "acknowledged": true }))
        }
        ("GET", "/_cluster/settings?include_defaults=true&flat_settings=true") => (
            200,
            json!({ "defaults": { "cluster.lifecycle.default.rollover": "max_age=auto,max_primary_shard_size=50gb" } }),
        ),
        ("POST", "/logs-access/_search?expand_wildcards=all") => (200, no_records()),
        _ => (400, json!({ "error": "no handler" })),
    });
    let place = place(stand_in.port, "elasticsearch");
    place.verifies(
        1,
        &["exceeds the limit by 7 d 1 h: configured 90 d + roll-over 7 d + sweep 1 h = 97 d 1 h"],
    );
    place.retention(&["apply", "--yes"]).is(0, &["data_retention: 90 d -> 82 d", "compliant"]);
    *lifecycle.lock().unwrap() = json!({ "enabled": false, "data_retention": "82d" });
    place.verifies(1, &["has no lifecycle, or it is switched off"]);
}

/// A store that answers 200 to all and gives nonsense is unknown, and so is one that wants other credentials.
#[test]
fn a_store_that_lies_or_refuses_is_unknown() {
    for (status, told) in [
        (200, "unknown: it does not list its indices"),
        (401, "unknown: it answered 401: it wants other credentials"),
        (503, "unknown: it answered 503"),
    ] {
        let stand_in = StandIn::start(move |_, _, _| (status, json!({ "acknowledged": true })));
        place(stand_in.port, "opensearch").verifies(1, &[told]);
    }
}

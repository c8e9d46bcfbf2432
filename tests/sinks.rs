/*!
Stores that misbehave: what the sinks make of it. The store here is a script that answers as a test says; what real
ones do is in `tests/real/stores.rs`.
*/

use std::collections::BTreeSet;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::http;
use crate::support::logveil::Logveil;
use crate::support::planted::{self, messages};
use crate::support::wait_until;

/// A request as it came: when, and the ids of its records.
struct Asked {
    at: Instant,
    ids: Vec<String>,
}

/// A server that answers the n-th request with what the script says; a connection is closed after its answer.
struct Script {
    port: u16,
    asked: Arc<Mutex<Vec<Asked>>>,
    bodies: Arc<Mutex<String>>,
}

impl Script {
    /// `answer` is given the request's number and its ids.
    fn start(answer: impl Fn(usize, &[String]) -> Vec<u8> + Send + 'static) -> Script {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let script = Script { port, asked: Arc::default(), bodies: Arc::default() };
        let (asked, bodies) = (Arc::clone(&script.asked), Arc::clone(&script.bodies));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let Some(body) = http::request(&stream) else { continue };
                let body = String::from_utf8(body).unwrap();
                bodies.lock().unwrap().push_str(&body);
                let ids = ids(&body);
                let number = asked.lock().unwrap().len();
                let answer = answer(number, &ids);
                asked.lock().unwrap().push(Asked { at: Instant::now(), ids });
                let _ = (&stream).write_all(&answer);
            }
        });
        script
    }

    fn logveil(&self) -> Logveil {
        let url = format!("http://127.0.0.1:{}", self.port);
        Logveil::start_with(&format!(
            "  s: {{ kind: opensearch, url: \"{url}\", index: \"logs-{{class}}\" }}\n"
        ))
    }

    /// Ids of each request.
    fn ids(&self) -> Vec<Vec<String>> {
        self.asked.lock().unwrap().iter().map(|asked| asked.ids.clone()).collect()
    }

    /// Between each request and the next.
    fn waits(&self) -> Vec<Duration> {
        let asked = self.asked.lock().unwrap();
        asked.windows(2).map(|pair| pair[1].at - pair[0].at).collect()
    }
}

/// The ids that the action lines of a `_bulk` request name.
fn ids(body: &str) -> Vec<String> {
    let action = |line| serde_json::from_str::<serde_json::Value>(line).unwrap();
    body.lines().step_by(2).map(|line| action(line)["create"]["_id"].as_str().unwrap().to_owned()).collect()
}

fn answer(status: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
        .into_bytes()
}

/// An answer by item, with these statuses.
fn items(errors: bool, statuses: impl Iterator<Item = u16>) -> Vec<u8> {
    let items: Vec<String> =
        statuses.map(|status| format!("{{\"create\":{{\"status\":{status}}}}}")).collect();
    answer("200 OK", &format!("{{\"errors\":{errors},\"items\":[{}]}}", items.join(",")))
}

fn all_made(ids: &[String]) -> Vec<u8> {
    items(false, ids.iter().map(|_| 201))
}

fn post(logveil: &Logveil, count: usize) -> u16 {
    http::post(logveil.http, "/v1/logs", &[], messages(count).join("\n").as_bytes()).unwrap().status
}

/// F21: of 201, 409, 429 and 400 only the third are sent again, under the same ids, and only the fourth are given up.
#[test]
fn of_mixed_items_only_the_busy_ones_are_sent_again() {
    const STATUSES: [u16; 4] = [201, 409, 429, 400];
    let script = Script::start(|number, ids| match number {
        0 => items(true, STATUSES.into_iter().cycle().take(ids.len())),
        _ => all_made(ids),
    });
    let logveil = script.logveil();
    assert_eq!(post(&logveil, 40), 200, "ten are dead letters, and safe");
    let asked = script.ids();
    assert_eq!(asked.len(), 2);
    let busy: Vec<String> = asked[0].iter().skip(2).step_by(4).cloned().collect();
    assert_eq!(asked[1], busy);
    assert_eq!(asked[0].iter().collect::<BTreeSet<_>>().len(), 40, "each has an id of its own");
    let metrics = logveil.metrics();
    assert!(metrics.contains("logveil_records_refused_total{sink=\"s\"} 10\n"), "{metrics}");
    assert!(metrics.contains("logveil_dead_letters_total{sink=\"s\"} 10\n"), "{metrics}");
    assert!(metrics.contains("logveil_records_sent_total{class=\"app\",sink=\"s\"} 30\n"), "{metrics}");
    let letters = logveil.dead_letters(&["list"]);
    let bad = asked[0].iter().skip(3).step_by(4);
    assert_eq!(letters.lines().count(), 10);
    assert!(
        letters
            .lines()
            .zip(bad)
            .all(|(line, id)| line.starts_with("s: refused item 400: ") && line.contains(id))
    );
    logveil.stop();
}

/// F17, F22: cut, lying, endless, torn off: nobody knows what became of the records, so all are sent again under the
/// ids that they had.
#[test]
fn an_answer_that_cannot_be_believed_sends_all_again_under_their_ids() {
    let script = Script::start(|number, ids| match number {
        0 => answer("200 OK", "{\"errors\":false,\"items\":[{\"create\":{\"sta"),
        1 => items(false, ids.iter().map(|_| 400)),
        2 => items(false, ids.iter().skip(1).map(|_| 201)),
        3 => b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{\"errors\":false,".to_vec(),
        4 => Vec::new(),
        5 => {
            [b"HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\n\r\n".to_vec(), vec![b' '; 4 << 20]].concat()
        }
        _ => all_made(ids),
    });
    let logveil = script.logveil();
    assert_eq!(post(&logveil, 20), 200, "in the end the store has them");
    let asked = script.ids();
    assert_eq!(asked.len(), 7);
    assert!(asked.iter().all(|ids| *ids == asked[0] && ids.len() == 20));
    assert!(logveil.metrics().contains("logveil_sink_errors_total{kind=\"broken\",sink=\"s\"} 6\n"));
    logveil.stop();
    planted::nothing_in("what was sent", script.bodies.lock().unwrap().as_bytes());
}

/// F19: the store says when it wants to be asked again, or it does not and waits get longer.
#[test]
fn a_busy_store_is_asked_when_it_says() {
    let script = Script::start(|number, ids| match number {
        0 => answer("429 Too Many Requests\r\nRetry-After: 2", ""),
        1..=4 => answer("503 Service Unavailable", "<html>busy</html>"),
        5 => answer("500 Internal Server Error", ""),
        _ => all_made(ids),
    });
    let logveil = script.logveil();
    assert_eq!(post(&logveil, 20), 200);
    let waits = script.waits();
    assert_eq!(waits.len(), 6);
    assert!(waits[0] >= Duration::from_secs(2), "{waits:?}");
    assert!(waits.iter().skip(1).all(|wait| *wait < Duration::from_secs(10)), "{waits:?}");
    logveil.stop();
}

/// F25: a redirect leads nowhere; records stay until the store takes them itself.
#[test]
fn a_redirect_is_not_followed() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let target = elsewhere.local_addr().unwrap();
    let script = Script::start(move |number, ids| match number {
        0..=1 => answer(&format!("307 Temporary Redirect\r\nLocation: http://{target}/_bulk"), ""),
        2 => answer("302 Found\r\nLocation: http://169.254.169.254/latest/meta-data/", ""),
        _ => all_made(ids),
    });
    let logveil = script.logveil();
    assert_eq!(post(&logveil, 20), 200);
    assert_eq!(elsewhere.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock, "nobody came");
    assert_eq!(script.ids().len(), 4);
    logveil.stop();
}

/// F53: an event that says it is of the next century, or of the last one, is filed by its receipt: a store that deletes by
/// age would keep the one for ever, and the other not at all.
#[test]
fn an_event_of_another_century_is_filed_by_its_receipt() {
    let script = Script::start(|_, ids| all_made(ids));
    let logveil = script.logveil();
    let mut tcp = TcpStream::connect(("127.0.0.1", logveil.syslog)).unwrap();
    for year in ["2199", "1999", "2026"] {
        writeln!(tcp, "<14>1 {year}-01-02T03:04:05Z web1 shop 77 - - of {year}").unwrap();
    }
    drop(tcp);
    let sent = || script.ids().iter().map(Vec::len).sum::<usize>();
    wait_until("the store has them", || sent() == 3);
    logveil.stop();
    let bodies = script.bodies.lock().unwrap().clone();
    let documents = bodies.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let documents: Vec<_> = documents.filter(|document| document["message"].is_string()).collect();
    assert_eq!(documents.len(), 3);
    for document in &documents {
        let moment = |name: &str| -> jiff::Timestamp { document[name].as_str().unwrap().parse().unwrap() };
        let (filed, received) = (moment("@timestamp"), moment("received"));
        let day = std::time::Duration::from_secs(86_400);
        assert!(
            filed <= received && received - day <= filed + std::time::Duration::from_millis(1),
            "{document}"
        );
        assert!(document["time"].as_str().is_some(), "what it says of itself stands beside it: {document}");
    }
}

/// F20: one record that the store cannot read, in a request that it refuses as a whole. It takes no other with it, is
/// listed, survives a crash, and is sent again under its id when somebody asks.
fn poison(mode: &str) {
    let poison: Mutex<Option<String>> = Mutex::default();
    let taken: Arc<Mutex<Vec<String>>> = Arc::default();
    let mended = Arc::new(AtomicBool::new(false));
    let (keeps, is_mended) = (Arc::clone(&taken), Arc::clone(&mended));
    let script = Script::start(move |_, ids| {
        let bad = poison.lock().unwrap().get_or_insert_with(|| ids[13].clone()).clone();
        if ids.contains(&bad) && !is_mended.load(Ordering::Relaxed) {
            return answer("400 Bad Request", "cannot read jane");
        }
        keeps.lock().unwrap().extend_from_slice(ids);
        all_made(ids)
    });
    let url = format!("http://127.0.0.1:{}", script.port);
    let sinks = format!("  s: {{ kind: opensearch, url: \"{url}\", index: \"logs-{{class}}\" }}\n");
    let mut logveil = Logveil::start_after(&sinks, &format!("queue: {{ mode: {mode} }}\n"));
    assert_eq!(post(&logveil, 40), 200);
    wait_until("the refused one is a dead letter", || {
        logveil.metrics().contains("logveil_dead_letters_total{sink=\"s\"} 1\n")
    });
    wait_until("the store has the others", || taken.lock().unwrap().len() == 39);
    assert!(script.ids().len() <= 13, "40 records are halved six times at most");
    logveil.kill();
    logveil.start_again();
    // A crash may make one of it twice, which is the same.
    let listed = || -> BTreeSet<String> {
        let listed = logveil.dead_letters(&["list", "--format", "json", "--sink", "s"]);
        listed.lines().map(str::to_owned).collect()
    };
    let before = listed();
    assert_eq!(before.len(), 1, "{before:?}");
    let letter: serde_json::Value = serde_json::from_str(before.first().unwrap()).unwrap();
    assert_eq!((&letter["sink"], &letter["refused"]), (&"s".into(), &"refused answer 400".into()));
    assert!(letter["message"].as_str().unwrap().starts_with("rec-000013 "), "{letter}");
    let id = letter["id"].as_str().unwrap().to_owned();
    let has = || taken.lock().unwrap().contains(&id);
    assert!(!has());
    // Asked for while the store still refuses it: a dead letter again, the same.
    let refused = || logveil.metric("logveil_dead_letters_total{sink=\"s\"}");
    let done = || !logveil.dir().join("data/dead-letters.s/replay").exists();
    let refused_before = refused();
    let said = logveil.dead_letters(&["replay"]);
    assert!(said.starts_with("s: ") && said.ends_with(" to be sent again\n"), "{said}");
    wait_until("it was refused again", || refused() > refused_before && done());
    assert_eq!(listed(), before);
    mended.store(true, Ordering::Relaxed);
    logveil.dead_letters(&["replay", "--sink", "s"]);
    wait_until("the store has it", has);
    wait_until("it is no dead letter", || logveil.dead_letters(&["list"]).is_empty());
    wait_until("the word is done", done);
    let taken: BTreeSet<String> = taken.lock().unwrap().iter().cloned().collect();
    assert_eq!(taken.len(), 40);
    logveil.stop();
}

#[test]
fn a_poison_record_takes_no_other_with_it_and_can_be_sent_again() {
    poison("memory");
}

#[test]
fn a_poison_record_behind_a_durable_queue_can_be_sent_again() {
    poison("durable");
}

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use super::*;
use crate::clock::SystemClock;
use crate::config::Settings;
use crate::record::{Ack, Batch, Record};
use crate::secret::Raw;
use crate::source::Intake as _;

/// A program on free ports of loopback with one sink, and its folder.
async fn app() -> (App, tempfile::TempDir) {
    app_with("").await
}

async fn app_with(more: &str) -> (App, tempfile::TempDir) {
    app_at(more, Arc::new(SystemClock::new())).await
}

async fn app_at(more: &str, clock: Arc<dyn Clock>) -> (App, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let (data, copy) = (dir.path().join("data"), dir.path().join("copy.log"));
    let text = format!(
        "data_dir: {}\nsources: {{ net: {{ kind: syslog, tcp: \"127.0.0.1:0\" }} }}\n\
         sinks: {{ copy: {{ kind: file, path: \"{}\" }} }}\nadmin: {{ listen: \"127.0.0.1:0\" }}\n{more}",
        data.display(),
        copy.display()
    );
    let settings = Settings::parse("logveil.yaml", &text).unwrap();
    (start(settings, None, clock).await.unwrap(), dir)
}

/// Runs a program that nobody tells to stop.
async fn ended(app: App) -> Ended {
    let run = app.run(async || std::future::pending().await);
    tokio::time::timeout(Duration::from_secs(20), run).await.expect("it stops by itself")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_fails_stops_the_program() {
    for part in [Part::Source, Part::Sink, Part::Service, Part::Queue] {
        let (mut app, _dir) =
            app_with(if part == Part::Queue { "queue: { mode: durable }\n" } else { "" }).await;
        let tasks = match part {
            Part::Source => &mut app.sources,
            Part::Sink => &mut app.sinks,
            Part::Service => &mut app.services,
            Part::Queue => &mut app.durable.as_mut().unwrap().1.feeds,
        };
        tasks.spawn(async { panic!("planted") });
        assert_eq!(ended(app).await, Ended::Broken(part, Vec::new()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_failed_sink_did_not_get_is_told() {
    let (mut app, _dir) = app().await;
    app.waiting.push(("dead".into(), Arc::new(AtomicU64::new(3))));
    app.sinks.spawn(async { panic!("planted") });
    assert_eq!(ended(app).await, Ended::Broken(Part::Sink, vec![("dead".into(), 3)]));
}

/// One that is too large to be cleaned on the task that reads it.
fn batch() -> Batch {
    let mut raw = Raw::default();
    let text = [b"from 203.0.113.77 ".to_vec(), vec![b'x'; crate::limit::INLINE_BYTES]].concat();
    let records = vec![Record::plain(raw.push(&text))];
    let (received, path) = (SystemClock::new().now(), Raw::default());
    Batch { raw, records, received, source: "test".into(), path, ack: Ack::none() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::await_holding_lock, reason = "it stands for matching that takes long")]
async fn admin_answers_while_every_worker_is_busy() {
    let (app, _dir) = app().await;
    let live = app.health.now.look();
    let busy = live.states.0.lock().unwrap();
    for _ in 0..64 {
        let intake = Arc::clone(&app.intake);
        tokio::spawn(async move { intake.take(batch(), Duration::MAX).await });
    }
    tokio::task::yield_now().await;
    let admin = app.listening().iter().find(|listening| &*listening.name == "admin").unwrap();
    // The test's own thread is none of the runtime's workers, so it may block.
    let mut stream = TcpStream::connect(admin.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut answer = [0; 15];
    stream.read_exact(&mut answer).expect("it answers in time");
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
    drop(busy);
}

/// Care that had looked at the old policy before a reload would bring its keys back.
#[tokio::test(flavor = "multi_thread")]
async fn care_looks_after_the_policy_in_force() {
    let (app, _dir) = app().await;
    let (keeper, now) = (Arc::clone(&app.health.keeper), app.health.now.clone());
    let turn = now.turn();
    let (begun, began) = std::sync::mpsc::channel();
    let caring = std::thread::spawn({
        let (keeper, now) = (Arc::clone(&keeper), now.clone());
        move || {
            begun.send(()).unwrap();
            round(&keeper, &now);
        }
    });
    began.recv().unwrap();
    let text = "policy: other\nclasses: { app: { retention: 5d, entities: { email: pseudonymize } } }";
    let policy = Arc::new(crate::policy::Policy::parse("other", text).unwrap());
    let keyring = keeper.prepare(&policy).unwrap();
    now.swap(live::Live::new(Arc::clone(&policy), Arc::clone(&keyring), vec![live::Want::default()]));
    drop(turn);
    caring.join().unwrap();
    let live = now.look();
    assert!(Arc::ptr_eq(&live.policy, &policy));
    let id = |keyring: &crate::keys::Keyring| keyring.key("app", keeper.time().now()).map(|key| key.id());
    assert!(id(&keyring).is_some());
    assert_eq!(id(&live.keyring), id(&keyring));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_no_queue_yet_is_told_at_the_end() {
    let (mut app, _dir) = app().await;
    app.health.now.rekey(Arc::new(crate::keys::Keyring::empty()));
    // No care brings the key, so the batch waits for it on its connection.
    app.services.shutdown().await;
    let intake = Arc::clone(&app.intake);
    app.sources.spawn(async move {
        let _ = intake.take(batch(), Duration::MAX).await;
    });
    while app.intake.in_hand() == 0 {
        tokio::task::yield_now().await;
    }
    let ended = app.run(async || Signal::Stop).await;
    assert_eq!(ended, Ended::Left(vec![("in no queue yet".into(), 1)]));
}

/// Of each key: made for two epochs of seven classes; due after 90 days, destroyed once the clock has proved itself for an hour.
#[test]
fn the_gauges_of_keys_tell_what_is_due() {
    let dir = tempfile::tempdir().unwrap();
    let text = format!("data_dir: {}\n", dir.path().join("data").display());
    let settings = Settings::parse("logveil.yaml", &text).unwrap();
    let shown = |metrics: &Metrics| {
        let gauges = [&metrics.keys_live, &metrics.keys_overdue, &metrics.clock_believed];
        (gauges.map(prometheus::IntGauge::get), metrics.keys_destroyed.get())
    };
    let start: crate::clock::Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
    let clock = Arc::new(crate::clock::ManualClock::at(start));
    let metrics = Arc::new(Metrics::new());
    let keeper = Keeper::open(&settings, clock, Arc::clone(&metrics)).unwrap();
    assert_eq!(shown(&metrics), ([14, 0, 0], 0));
    drop(keeper);
    let clock = Arc::new(crate::clock::ManualClock::at(start + Duration::from_secs(100 * 86_400)));
    let metrics = Arc::new(Metrics::new());
    let keeper = Keeper::open(&settings, clock.clone(), Arc::clone(&metrics)).unwrap();
    assert_eq!(shown(&metrics), ([14, 14, 0], 0), "overdue, unused, and there until the clock is believed");
    clock.advance(Duration::from_secs(3700));
    keeper.care(&settings.policy);
    assert_eq!(shown(&metrics), ([14, 0, 1], 14));
}

/// F30: the keyring cannot be written, or has vanished, when the next day's key is wanted. Records are held, never
/// passed raw and never under the day before; once it can be written they go on.
#[tokio::test(flavor = "multi_thread")]
async fn without_the_next_days_key_records_are_held() {
    let clock = Arc::new(crate::clock::ManualClock::at("2026-11-22T23:59:30Z".parse().unwrap()));
    let (app, dir) = app_at("", Arc::clone(&clock) as Arc<dyn Clock>).await;
    let take = |wait| {
        let mut raw = Raw::default();
        let records = vec![Record::plain(raw.push(b"from jane@example.com"))];
        let (received, path) = (app.health.keeper.time().now(), Raw::default());
        let batch = Batch { raw, records, received, source: "test".into(), path, ack: Ack::none() };
        app.intake.take(batch, wait)
    };
    assert_eq!(take(Duration::from_secs(20)).await, Ok(()));
    let keys = dir.path().join("data/keys");
    let away = dir.path().join("data/keys.away");
    std::fs::rename(&keys, &away).unwrap();
    std::fs::write(&keys, b"no folder").unwrap();
    // Beyond the day whose key was made ahead, hour by hour, as a clock is believed.
    for _ in 0..49 {
        clock.advance(Duration::from_secs(3600));
        round(&app.health.keeper, &app.health.now);
    }
    assert_eq!(take(Duration::from_millis(300)).await, Err(crate::source::Refused::Full));
    assert!(!app.health.reasons().is_empty());
    std::fs::remove_file(&keys).unwrap();
    std::fs::rename(&away, &keys).unwrap();
    assert_eq!(take(Duration::from_secs(20)).await, Ok(()));
    // The days between have rotated the file.
    let copy = || {
        let read = |name| std::fs::read_to_string(dir.path().join(name)).unwrap_or_default();
        read("copy.log.1") + &read("copy.log")
    };
    while copy().lines().count() < 2 {
        tokio::task::yield_now().await;
    }
    let copied = copy();
    assert!(!copied.contains("jane"));
    let [first, second] = copied.lines().collect::<Vec<_>>().try_into().unwrap();
    assert_ne!(first, second, "another day, another pseudonym");
}

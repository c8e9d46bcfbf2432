use super::*;
use crate::clock::SystemClock;
use crate::config::Settings;

/// A program on free ports of loopback with one sink, and its folder.
async fn app() -> (App, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let (data, copy) = (dir.path().join("data"), dir.path().join("copy.log"));
    let text = format!(
        "data_dir: {}\nsources: {{ net: {{ kind: syslog, tcp: \"127.0.0.1:0\" }} }}\n\
         sinks: {{ copy: {{ kind: file, path: \"{}\" }} }}\nadmin: {{ listen: \"127.0.0.1:0\" }}\n",
        data.display(),
        copy.display()
    );
    let settings = Settings::parse("logveil.yaml", &text).unwrap();
    (start(settings, None, Arc::new(SystemClock::new())).await.unwrap(), dir)
}

/// Runs a program that nobody tells to stop.
async fn ended(app: App) -> Ended {
    let run = app.run(async || std::future::pending().await);
    tokio::time::timeout(Duration::from_secs(20), run).await.expect("it stops by itself")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_fails_stops_the_program() {
    for part in [Part::Source, Part::Sink, Part::Service] {
        let (mut app, _dir) = app().await;
        let tasks = match part {
            Part::Source => &mut app.sources,
            Part::Sink => &mut app.sinks,
            Part::Service => &mut app.services,
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

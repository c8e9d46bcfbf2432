//! `logveil run`: the proxy.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};

use super::{Error, Exit, check};
use crate::app::{self, App, Ended, Signal};
use crate::clock::{Clock as _, SystemClock};
use crate::config::{Settings, SinkKind};
use crate::policy::Detail;
use crate::telemetry::log::{self, Format, Level};
use crate::vault::KekPlace;

/// Take records by syslog and HTTP, clean them, and hand them on.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: logveil run --config /etc/logveil/logveil.yaml\n\n\
    Without --config it takes syslog on 127.0.0.1:5514 (UDP and TCP) and HTTP on 127.0.0.1:8088, and keeps\n\
    everything, anonymised, in ./logveil-data for 90 days. Health and metrics: 127.0.0.1:9598.\n\n\
    Signals: TERM or INT drains and stops, a second one stops at once; HUP reads the configuration again.")]
pub(super) struct Arguments {
    /// The configuration, a YAML file; `logveil check` reads it without running.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// How log lines are written to standard error: text or json.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    log_format: Format,

    /// The least serious lines that are written: error, warn, info, debug or trace.
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    log_level: Level,
}

pub(super) fn run(arguments: Arguments) -> Result<Exit, Error> {
    let settings = match &arguments.config {
        Some(path) => Settings::load(path).map_err(Error::usage)?,
        None => Settings::default(),
    };
    // A command is called once, by the program that starts.
    if let Some(place @ KekPlace::File(_)) = &settings.kek {
        check::readable(place, &settings, arguments.config.as_deref())?;
    }
    log::init(arguments.log_format, arguments.log_level);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::Failure(format!("cannot start: {error}")))?;
    let exit = runtime.block_on(serve(arguments, settings));
    runtime.shutdown_timeout(app::LEAVE_WAIT);
    exit
}

async fn serve(arguments: Arguments, settings: Settings) -> Result<Exit, Error> {
    // Heard from the start: a signal that comes early drains, too.
    let mut signals = Signals::listen().map_err(|error| Error::Failure(format!("no signals: {error}")))?;
    let stranded = settings.stranded();
    let policy = Arc::clone(&settings.policy);
    let greeting = arguments.config.is_none().then(|| settings.clone());
    let app = app::start(settings, arguments.config, Arc::new(SystemClock::new())).await;
    let app = app.map_err(Error::usage)?;
    if let Some(settings) = greeting {
        greet(&settings, &app);
    }
    for listening in app.listening() {
        let (name, protocol, address) = (&*listening.name, listening.protocol, listening.address);
        tracing::info!(name, protocol, %address, "listening");
    }
    let not_yet = policy.not_yet(SystemClock::new().now());
    let warnings = stranded.iter().chain(&not_yet).map(String::as_str);
    for warning in app.warning().into_iter().chain(warnings) {
        tracing::warn!("{warning}");
    }
    for line in policy.uncovered(Detail::Counts) {
        tracing::info!("{line}");
    }
    match app.run(async || signals.next().await).await {
        Ended::Drained => Ok(Exit::Done),
        Ended::Left(left) => Err(Error::Failure(format!(
            "stopped before everything was delivered; not delivered: {}",
            list(&left, "a source did not end in time")
        ))),
        Ended::Broken(part, left) => Err(Error::Failure(format!(
            "stopped because a part of it failed ({}); not delivered: {}",
            part.words(),
            list(&left, "nothing")
        ))),
    }
}

/// How many records each sink did not get, or `none`.
fn list(left: &[(Arc<str>, u64)], none: &str) -> String {
    if left.is_empty() {
        return none.to_owned();
    }
    let list: Vec<String> = left.iter().map(|(sink, records)| format!("{sink}: {records} records")).collect();
    list.join(", ")
}

/// What somebody who starts it for the first time wants to know.
fn greet(settings: &Settings, app: &App) {
    let address = |protocol| {
        let found = app.listening().iter().find(|listening| listening.protocol == protocol);
        found.map_or_else(String::new, |listening| listening.address.to_string())
    };
    let tcp = address("syslog/tcp");
    let (host, port) = tcp.rsplit_once(':').unwrap_or(("127.0.0.1", "5514"));
    let http = address("http");
    let data = settings.data_dir.display();
    let text = format!(
        "logveil runs with its defaults. Send logs to it:\n\
         \x20 syslog  logger -n {host} -P {port} --tcp --rfc5424 -t nginx 'GET / from 203.0.113.77'\n\
         \x20 HTTP    curl -sS http://{http}/v1/logs --data-binary @app.log\n\
         Addresses are truncated, names and e-mails pseudonymised, secrets removed: policy {policy}.\n\
         Kept in {data}, encrypted, {ttl} by class, then destroyed. Read it: logveil archive cat\n\
         The key to it lies next to the data, in {data}/kek: move it elsewhere and name it in keyring.kek.\n",
        policy = settings.policy.names().policy,
        ttl = limits(settings),
    );
    debug_assert!(settings.sinks.iter().any(|sink| sink.kind == SinkKind::Archive), "the default keeps");
    let _ = io::stderr().write_all(text.as_bytes());
}

/// `90d`, or the shortest and the longest.
fn limits(settings: &Settings) -> String {
    let ttls = settings.policy.names().classes.iter().map(|(_, ttl)| *ttl);
    match (ttls.clone().min_by_key(|ttl| ttl.duration()), ttls.max_by_key(|ttl| ttl.duration())) {
        (Some(least), Some(most)) if least != most => format!("{least} to {most}"),
        (Some(only), _) => only.to_string(),
        (None, _) => "nothing".to_owned(),
    }
}

/// The signals that this program hears.
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
    /// Heard, and nothing done: unheard they would end the program.
    _unused: [tokio::signal::unix::Signal; 2],
}

impl Signals {
    fn listen() -> io::Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            _unused: [signal(SignalKind::user_defined1())?, signal(SignalKind::user_defined2())?],
        })
    }

    async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.terminate.recv() => Signal::Stop,
            _ = self.interrupt.recv() => Signal::Stop,
            _ = self.hangup.recv() => Signal::Reload,
        }
    }
}

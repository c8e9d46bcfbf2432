/*!
Start: bind, open, spawn, in this order.
*/

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use super::counts::{self, CountsSink};
use super::dead::Letters;
use super::drive::drive;
use super::durable::Durable;
use super::enforce::Enforcer;
use super::intake::{Ids, Intake, Queues};
use super::keeper::{self, ArchiveSink, Keeper};
use super::live::{Live, Now, wants};
use super::stores::Stores;
use super::{App, Health, KeyOrders, Queueing, Reloader, Surroundings, care, heed};
use crate::admin::{self, Admin};
use crate::clock::Clock;
use crate::config::{self, Queue, Role, Settings, Sink, SinkKind, Source};
use crate::limit::QUEUE_BYTES_DEFAULT;
use crate::queue::memory::{self, Receiver, Sender, WeakSender};
use crate::sink::bulk::Bulk;
use crate::sink::clickhouse::ClickHouse;
use crate::sink::loki::Loki;
use crate::sink::otlp::Otlp;
use crate::sink::s3::S3;
use crate::sink::splunk::Splunk;
use crate::sink::victorialogs::VictoriaLogs;
use crate::sink::{Context, Gate, file::FileSink, http::Http, stdout::Stdout, syslog::Syslog};
use crate::source::{self, World};
use crate::telemetry::Metrics;
use crate::vault;

/// Why the program cannot start. Each is one line, and the operator can mend it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A source's address is not to be had.
    #[error(transparent)]
    Source(#[from] source::Error),
    /// A source's checkpoints are not to be had.
    #[error(transparent)]
    Checkpoints(#[from] source::files::Error),
    /// The admin address is not to be had.
    #[error(
        "admin: cannot listen on tcp {address}: {cause}; stop the program that has the port, or set admin.listen"
    )]
    Admin {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the operating system says.
        #[source]
        cause: std::io::Error,
    },
    /// A store's settings are of no use.
    #[error(transparent)]
    Store(#[from] crate::retention::Unknown),
    /// The data directory is not to be had.
    #[error(transparent)]
    Keeper(#[from] keeper::Error),
}

/// An address that the program listens on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listening {
    /// The source's name, or `admin`.
    pub name: Arc<str>,
    /// `syslog/tcp`, `syslog/udp` or `http`.
    pub protocol: &'static str,
    /// The address, its port never 0.
    pub address: SocketAddr,
}

/// A source with its sockets bound.
enum Bound {
    Syslog(source::syslog::Listener),
    Http(source::http::Listener),
    Files(source::files::Settings),
    Stdin(source::stdin::Settings),
    Relp(source::answered::Listener),
    Forward(source::answered::Listener),
}

/// The folder of the data directory in which sources of files keep their checkpoints.
const CHECKPOINTS: &str = "checkpoints";

/// Starts the program. `path` is where the settings came from, for reloads.
pub async fn start(settings: Settings, path: Option<PathBuf>, clock: Arc<dyn Clock>) -> Result<App, Error> {
    let mut listening = Vec::new();
    let mut bound = Vec::new();
    for source in &settings.sources {
        bound.push(bind(source, &mut listening).await?);
    }
    let admin = bind_admin(&settings.admin, &mut listening).await?;

    let metrics = Arc::new(Metrics::new());
    let opened = tokio::task::block_in_place(|| Keeper::open(&settings, clock, Arc::clone(&metrics)));
    let keeper = Arc::new(opened?);
    let warning = keeper.warning();
    let stores = Arc::new(Stores::new(&settings)?);
    let around = surroundings(&keeper, &metrics, &stores);
    let gate = around.gate.clone();

    let names: Vec<Arc<str>> = settings.sinks.iter().map(|sink| Arc::clone(&sink.name)).collect();
    let wants = wants(&names, &settings.sinks);
    let live = Live::new(Arc::clone(&settings.policy), keeper.keyring(), wants);
    let now = Now::new(live.rescanned(settings.rescan.as_deref()));

    let letters = letters(&keeper, &metrics);
    let Wired { mut sinks, queues, durable, mut waiting, ways } =
        wire(&settings, &now, &letters, &keeper, &around);
    let counted = spawn_counts(&mut sinks, &mut waiting, &now, &letters, &keeper, &around);

    let keys_wanted = Arc::new(Notify::new());
    let ids = Ids::of_run(random_number().map_err(keeper::Error::from)?);
    let intake =
        Intake::new(now.clone(), queues, settings.turns, ids, Arc::clone(&metrics), Arc::clone(&keys_wanted));
    let intake = Arc::new(intake.counting(counted).alarming(Arc::clone(&keeper)));
    let (stop, stopped) = watch::channel(false);
    let world = World {
        intake: Arc::clone(&intake) as Arc<dyn source::Intake>,
        clock: Arc::clone(&around.clock),
        metrics: Arc::clone(&metrics),
        stop: stopped,
        turns: source::Turns::new(settings.turns),
    };
    let sources = spawn_sources(bound, &world, &settings.data_dir)?;

    let queue = durable.as_ref().map(|(queue, _)| Arc::clone(queue));
    let health = Arc::new(Health {
        now: now.clone(),
        keeper: Arc::clone(&keeper),
        durable: queue.clone(),
        letters: Arc::clone(&letters),
        draining: AtomicBool::new(false),
        keeps: keeper::keeps(&settings),
        gate: gate.clone(),
    });
    let (swap, swapped) = watch::channel(stores);
    let enforcer = Enforcer::new(swapped, &gate, &keeper, &metrics);
    let asked_as = (settings.roles.clone().into(), settings.admin.clone());
    let stores = (swap, gate);
    let reloader =
        Reloader::new(path, settings, now.clone(), Arc::clone(&keeper), Arc::clone(&metrics), stores);
    let reloader = Arc::new(reloader);
    let mut services = JoinSet::new();
    services.spawn(enforcer.run());
    services.spawn(heed(Arc::clone(&keeper), now.clone()));
    if let Some(queue) = queue {
        services.spawn(queue.tidy_on());
    }
    spawn_answers(&mut services, &letters, ways, &now);
    services.spawn(care(keeper, now, keys_wanted));
    services.spawn(admin::serve(admin, admin_page(metrics, &health, &reloader, asked_as)));
    Ok(App { listening, warning, stop, health, intake, reloader, sources, sinks, durable, services, waiting })
}

/// What the admin listener tells about and acts on, for these roles and as it is configured.
fn admin_page(
    metrics: Arc<Metrics>,
    health: &Arc<Health>,
    reloader: &Arc<Reloader>,
    (roles, settings): (Arc<[Role]>, config::Admin),
) -> Admin {
    let keeper = &health.keeper;
    let keys = Arc::new(KeyOrders::new(health.now.clone(), Arc::clone(keeper)));
    let (health, reloader, sessions) = (Arc::clone(health), Arc::clone(reloader), keeper.sessions());
    Admin { metrics, health, reloader, roles, sessions, keys, settings }
}

/// The dead letters of the keeper's directory.
fn letters(keeper: &Keeper, metrics: &Arc<Metrics>) -> Arc<Letters> {
    let (letters, time) = (Arc::clone(keeper.dead_letters()), Arc::clone(keeper.time()));
    Arc::new(Letters::new(letters, time, Arc::clone(metrics)))
}

/// Spawns what sends dead letters again when somebody asks.
fn spawn_answers(
    services: &mut JoinSet<()>,
    letters: &Arc<Letters>,
    ways: Vec<(Arc<str>, WeakSender)>,
    now: &Now,
) {
    for (place, (sink, queue)) in ways.into_iter().enumerate() {
        services.spawn(Arc::clone(letters).answer(place, sink, queue, now.clone()));
    }
}

/// What sinks and admin need; what stores would keep too long is held back until they are verified.
fn surroundings(keeper: &Keeper, metrics: &Arc<Metrics>, stores: &Stores) -> Surroundings {
    let gate = Gate::default();
    gate.close(stores.unverified());
    let clock = Arc::clone(keeper.time()) as Arc<dyn Clock>;
    Surroundings { clock, metrics: Arc::clone(metrics), gate }
}

/// The way from the intake to the sinks.
struct Wired {
    sinks: JoinSet<()>,
    queues: Queues,
    durable: Option<(Arc<Durable>, Queueing)>,
    /// What waits in memory and would be lost, by sink.
    waiting: Vec<(Arc<str>, Arc<AtomicU64>)>,
    /// Into each sink's queue in memory.
    ways: Vec<(Arc<str>, WeakSender)>,
}

fn wire(
    settings: &Settings,
    now: &Now,
    letters: &Arc<Letters>,
    keeper: &Arc<Keeper>,
    around: &Surroundings,
) -> Wired {
    let (mut sinks, mut ways) = (JoinSet::new(), Vec::new());
    let log = keeper.queue().cloned();
    let (bytes_max, log) = match (settings.queue, log) {
        (Queue::Durable { bytes_max }, Some(log)) => (bytes_max, log),
        (Queue::Memory { bytes_max }, _) => return wire_memory(settings, bytes_max, letters, keeper, around),
        (Queue::Durable { .. }, None) => unreachable!("the keeper opens a durable queue"),
    };
    let names = settings.sinks.iter().map(|sink| Arc::clone(&sink.name)).collect();
    let queue = Durable::new(log, Arc::clone(keeper), Arc::clone(&around.metrics), names);
    let mut tasks = Queueing::default();
    for (place, sink) in settings.sinks.iter().enumerate() {
        around.metrics.queue_limit_bytes.with_label_values(&[&*sink.name]).set(bytes_max as i64);
        let (sender, receiver) = memory::queue(sink.kind.batch().window(), own_gauge());
        ways.push((Arc::clone(&sink.name), sender.downgrade()));
        spawn_sink(&mut sinks, sink, receiver, letters, keeper, around);
        let feed = Arc::clone(&queue).feed(place, now.clone(), sender, tasks.stop.subscribe());
        tasks.feeds.spawn(feed);
    }
    let (sender, receiver) = memory::queue(QUEUE_BYTES_DEFAULT, own_gauge());
    let waiting = vec![("the queue".into(), receiver.records_waiting())];
    tasks.append.spawn(Arc::clone(&queue).append_all(receiver));
    Wired { sinks, queues: Queues::Durable(sender), durable: Some((queue, tasks)), waiting, ways }
}

fn wire_memory(
    settings: &Settings,
    bytes_max: usize,
    letters: &Arc<Letters>,
    keeper: &Arc<Keeper>,
    around: &Surroundings,
) -> Wired {
    let (mut sinks, mut ways) = (JoinSet::new(), Vec::new());
    let (mut queues, mut waiting) = (Vec::new(), Vec::new());
    for sink in &settings.sinks {
        let gauge = around.metrics.queue_bytes.with_label_values(&[&*sink.name]);
        around.metrics.queue_limit_bytes.with_label_values(&[&*sink.name]).set(bytes_max as i64);
        let (sender, receiver) = memory::queue(bytes_max, gauge);
        waiting.push((Arc::clone(&sink.name), receiver.records_waiting()));
        ways.push((Arc::clone(&sink.name), sender.downgrade()));
        spawn_sink(&mut sinks, sink, receiver, letters, keeper, around);
        queues.push(sender);
    }
    Wired { sinks, queues: Queues::Memory(queues.into()), durable: None, waiting, ways }
}

/// Spawns what counts records beyond their limits; gives its queue.
fn spawn_counts(
    sinks: &mut JoinSet<()>,
    waiting: &mut Vec<(Arc<str>, Arc<AtomicU64>)>,
    now: &Now,
    letters: &Arc<Letters>,
    keeper: &Arc<Keeper>,
    around: &Surroundings,
) -> Sender {
    let (sender, receiver) = memory::queue(QUEUE_BYTES_DEFAULT, own_gauge());
    waiting.push((counts::NAME.into(), receiver.records_waiting()));
    let (context, letters) = (context(counts::NAME.into(), around), Arc::clone(letters));
    let way = OwnWay { tasks: sinks, queue: receiver, context, letters, seed: seed(around) };
    way.to(CountsSink::new(Arc::clone(keeper), now.clone()));
    sender
}

/// A gauge that nobody looks at: on disk, what waits is told by the durable queue.
fn own_gauge() -> prometheus::IntGauge {
    prometheus::IntGauge::new("window", "bytes in memory").expect("a name of a metric")
}

fn random_number() -> Result<u64, vault::Error> {
    let mut bytes = [0; 8];
    vault::random(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

async fn bind(source: &Source, listening: &mut Vec<Listening>) -> Result<Bound, Error> {
    let name = source.name();
    let mut told = |protocol, address: Option<SocketAddr>| {
        listening.extend(address.map(|address| Listening { name: Arc::clone(name), protocol, address }));
    };
    match source {
        Source::Syslog(settings) => {
            let listener = source::syslog::bind(settings.clone()).await?;
            told("syslog/tcp", listener.tcp_addr());
            told("syslog/udp", listener.udp_addr());
            Ok(Bound::Syslog(listener))
        }
        Source::Files(settings) => Ok(Bound::Files(settings.clone())),
        Source::Stdin(settings) => Ok(Bound::Stdin(settings.clone())),
        Source::Relp(settings) => {
            let listener = source::answered::bind(settings.clone()).await?;
            told("relp", listener.addr());
            Ok(Bound::Relp(listener))
        }
        Source::Forward(settings) => {
            let listener = source::answered::bind(settings.clone()).await?;
            told("forward", listener.addr());
            Ok(Bound::Forward(listener))
        }
        Source::Http(settings) => {
            let listener = source::http::bind(settings.clone()).await?;
            told("http", listener.addr());
            Ok(Bound::Http(listener))
        }
    }
}

async fn bind_admin(admin: &config::Admin, listening: &mut Vec<Listening>) -> Result<TcpListener, Error> {
    let address = admin.listen;
    let refused = |cause| Error::Admin { address, cause };
    let listener = TcpListener::bind(address).await.map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    listening.push(Listening { name: "admin".into(), protocol: admin.scheme(), address });
    Ok(listener)
}

fn spawn_sources(bound: Vec<Bound>, world: &World, data_dir: &Path) -> Result<JoinSet<()>, Error> {
    let mut sources = JoinSet::new();
    for source in bound {
        match source {
            Bound::Files(settings) => {
                let folder = data_dir.join(CHECKPOINTS);
                let opened = tokio::task::block_in_place(|| source::files::open(settings, &folder))?;
                sources.spawn(source::files::serve(opened, world.clone()))
            }
            Bound::Syslog(listener) => sources.spawn(source::syslog::serve(listener, world.clone())),
            Bound::Http(listener) => sources.spawn(source::http::serve(listener, world.clone())),
            Bound::Stdin(settings) => sources.spawn(source::stdin::serve(settings, world.clone())),
            Bound::Relp(listener) => sources.spawn(source::relp::serve(listener, world.clone())),
            Bound::Forward(listener) => sources.spawn(source::forward::serve(listener, world.clone())),
        };
    }
    Ok(sources)
}

/// Spawns a sink before the end of its queue.
fn spawn_sink(
    tasks: &mut JoinSet<()>,
    sink: &Sink,
    receiver: Receiver,
    letters: &Arc<Letters>,
    keeper: &Arc<Keeper>,
    around: &Surroundings,
) {
    let context = context(Arc::clone(&sink.name), around);
    let way = OwnWay { tasks, queue: receiver, context, letters: Arc::clone(letters), seed: seed(around) };
    spawn_kind(way, &sink.kind, keeper);
}

fn context(name: Arc<str>, around: &Surroundings) -> Context {
    let (metrics, clock) = (Arc::clone(&around.metrics), Arc::clone(&around.clock));
    Context { name, metrics, clock, gate: around.gate.clone() }
}

/// Two programs that lost the same store at the same time must not come back together.
fn seed(around: &Surroundings) -> u64 {
    around.clock.now().as_nanosecond() as u64 ^ u64::from(std::process::id())
}

/// What stands before a sink.
struct OwnWay<'a> {
    tasks: &'a mut JoinSet<()>,
    queue: Receiver,
    context: Context,
    letters: Arc<Letters>,
    seed: u64,
}

impl OwnWay<'_> {
    fn to(self, sink: impl crate::sink::Sink + 'static) {
        self.tasks.spawn(drive(sink, self.queue, self.context, self.letters, self.seed));
    }
}

fn spawn_kind(way: OwnWay<'_>, kind: &SinkKind, keeper: &Arc<Keeper>) {
    let (clock, seed) = (Arc::clone(&way.context.clock), way.seed);
    match kind {
        SinkKind::Archive => way.to(ArchiveSink(Arc::clone(keeper))),
        SinkKind::Stdout(form) => way.to(Stdout::new(*form)),
        SinkKind::File(settings) => way.to(FileSink::new(settings.clone(), clock)),
        SinkKind::Http(settings) => way.to(Http::new((**settings).clone())),
        SinkKind::Bulk(settings) => way.to(Bulk::new((**settings).clone())),
        SinkKind::Loki(settings) => way.to(Loki::new((**settings).clone())),
        SinkKind::VictoriaLogs(settings) => way.to(VictoriaLogs::new((**settings).clone())),
        SinkKind::ClickHouse(settings) => way.to(ClickHouse::new((**settings).clone())),
        SinkKind::Otlp(settings) => way.to(Otlp::new((**settings).clone())),
        SinkKind::Splunk(settings) => way.to(Splunk::new((**settings).clone(), seed)),
        SinkKind::S3(settings) => way.to(S3::new((**settings).clone(), clock)),
        SinkKind::Syslog(settings) => way.to(Syslog::new(settings.clone())),
    }
}

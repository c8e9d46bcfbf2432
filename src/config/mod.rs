/*!
Configuration: YAML text becomes a tree with lines, the tree becomes [`Settings`].

The tree is what a person may write. [`Settings`] is what the program may rely
on: every field set, within its bounds, the policy compiled. There is no
`validate`: settings that exist are valid. All errors are gathered, each one
line: `file:line: key: what it holds, what it may hold`.
*/

mod admin;
mod endpoint;
mod expand;
mod memory;
mod packs;
mod read;
mod remotes;
mod roles;
mod sinks;
mod sources;
mod stores;

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use admin::{Admin, Serves};
pub use memory::Memory;
pub use roles::{May, Role, read_token};

use crate::entity::Entity;
use crate::limit::{QUEUE_BYTES_DEFAULT, SESSIONS_MAX, TURNS};
use crate::policy::Policy;
use crate::record::{ClassId, HomeId};
use crate::vault::KekPlace;
use crate::yaml;
use crate::{retention, sink, source};

/// The JSON Schema of the configuration, for editors. What it cannot say, [`Settings::parse`] does.
pub const SCHEMA: &str = include_str!("schema.json");

/// What `run` does.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where archive, keys and evidence are kept. Relative to the working directory. Default `logveil-data`.
    pub data_dir: PathBuf,
    /// The files of rules beside the built-in ones; the policy has them. Default none.
    pub packs: Vec<String>,
    /// What is done with findings, and where records belong. Default `default`.
    pub policy: Arc<Policy>,
    /// Bytes that all bounds sum up to at most. Default none: the sum is what it is.
    pub memory_max: Option<u64>,
    /// Batches on their way between sources and queues. Default [`TURNS`], less where the bound of
    /// all memory leaves less.
    pub turns: usize,
    /// Sessions that are remembered at most. Default [`SESSIONS_MAX`], less where the bound of all memory says so.
    pub sessions_max: usize,
    /// Where records come from, at least one.
    pub sources: Vec<Source>,
    /// Where records wait for the sinks. Default in memory, 16 MiB for each sink.
    pub queue: Queue,
    /// Where records go, at least one. Default the local archive.
    pub sinks: Vec<Sink>,
    /// Where records stay: declared stores, and sinks that keep.
    pub stores: Vec<retention::Store>,
    /// Where the key-encryption key is; without a place it lies next to the data.
    pub kek: Option<KekPlace>,
    /// The line of the configuration that names it.
    pub kek_line: Option<u64>,
    /// Who may do what; where there are none, everybody who can read the key-encryption key may do all but reveal.
    pub roles: Vec<Role>,
    /// Whether clean records are looked at once more before they leave, and for which entities whatever the policy says of
    /// them. Default not.
    pub rescan: Option<Vec<Entity>>,
    /// Health, metrics, and what the running program is told to do.
    pub admin: Admin,
}

/// A listener by name.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// Syslog over TCP and UDP.
    Syslog(source::syslog::Settings),
    /// HTTP.
    Http(source::http::Settings),
    /// Files that programs write.
    Files(source::files::Settings),
    /// Standard input.
    Stdin(source::stdin::Settings),
    /// RELP.
    Relp(source::answered::Settings),
    /// Fluentd's forward protocol.
    Forward(source::answered::Settings),
}

/// Where records wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queue {
    /// In memory: a client has its answer once every sink has confirmed.
    Memory {
        /// Bytes that may wait for each sink.
        bytes_max: usize,
    },
    /// On disk: a client has its answer once the records are synced.
    Durable {
        /// Bytes of all that waits.
        bytes_max: u64,
    },
}

/// A sink by name.
#[derive(Clone, Debug, PartialEq)]
pub struct Sink {
    /// Its name in the configuration.
    pub name: Arc<str>,
    /// The classes that it gets; all without this.
    pub classes: Option<Vec<ClassId>>,
    /// Where it keeps what it gets, as policies name regions.
    pub region: Option<Arc<str>>,
    /// What it is.
    pub kind: SinkKind,
}

/// What a sink is.
#[derive(Clone, Debug, PartialEq)]
pub enum SinkKind {
    /// The local archive in the data directory.
    Archive,
    /// Standard output.
    Stdout(sink::Form),
    /// A rotated file.
    File(sink::file::Settings),
    /// NDJSON over HTTP.
    Http(Box<sink::http::Settings>),
    /// Syslog over TCP.
    Syslog(sink::syslog::Settings),
    /// Elasticsearch or OpenSearch.
    Bulk(Box<sink::bulk::Settings>),
    /// Loki.
    Loki(Box<sink::loki::Settings>),
    /// VictoriaLogs.
    VictoriaLogs(Box<sink::victorialogs::Settings>),
    /// ClickHouse.
    ClickHouse(Box<sink::clickhouse::Settings>),
    /// OTLP over HTTP.
    Otlp(Box<sink::otlp::Settings>),
    /// Splunk's HTTP Event Collector.
    Splunk(Box<sink::splunk::Settings>),
    /// S3 and what speaks as it does.
    S3(Box<sink::s3::Settings>),
}

impl SinkKind {
    /// How much it wants at once.
    pub fn batch(&self) -> sink::Batch {
        match self {
            SinkKind::Http(settings) => settings.batch,
            SinkKind::Bulk(settings) => settings.batch,
            SinkKind::Loki(settings) => settings.batch,
            SinkKind::VictoriaLogs(settings) => settings.batch,
            SinkKind::ClickHouse(settings) => settings.batch,
            SinkKind::Otlp(settings) => settings.batch,
            SinkKind::Splunk(settings) => settings.batch,
            SinkKind::S3(settings) => settings.batch,
            SinkKind::Archive | SinkKind::Stdout(_) | SinkKind::File(_) | SinkKind::Syslog(_) => {
                sink::Batch::default()
            }
        }
    }
}

/// All that is wrong with a configuration, a line each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// `file:line: key: what it holds, what it may hold`, in the order of the lines.
    pub lines: Vec<String>,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines.join("\n"))
    }
}

impl std::error::Error for Error {}

impl Default for Settings {
    /// What holds without a configuration file.
    fn default() -> Settings {
        let policy = Policy::builtin("default").expect("the default policy is built in");
        let sinks = default_sinks();
        Settings {
            data_dir: PathBuf::from("logveil-data"),
            packs: Vec::new(),
            memory_max: None,
            turns: TURNS,
            sessions_max: SESSIONS_MAX,
            sources: default_sources(&memory::Defaults::of(None, 2, 1)),
            queue: Queue::Memory { bytes_max: QUEUE_BYTES_DEFAULT },
            stores: stores::stores(None, &sinks, &policy),
            policy: Arc::new(policy),
            sinks,
            kek: None,
            kek_line: None,
            roles: Vec::new(),
            rescan: None,
            admin: Admin::on(local(9598)),
        }
    }
}

impl Settings {
    /// Reads a configuration file, and the policy that it names.
    pub fn load(path: &Path) -> Result<Settings, Error> {
        Settings::load_with(Some(path), &[])
    }

    /// The same, with more packs behind those that it names; without a file, what holds without one.
    pub fn load_with(path: Option<&Path>, packs: &[PathBuf]) -> Result<Settings, Error> {
        let Some(path) = path else { return Settings::parse_with("--pack", "", packs) };
        let file = path.display().to_string();
        let text = expand::read(path)
            .map_err(|why| Error { lines: vec![format!("{file}:1: cannot be read: {why}")] })?;
        Settings::parse_with(&file, &text, packs)
    }

    /// Reads a configuration's text; `file` is what errors call it.
    pub fn parse(file: &str, text: &str) -> Result<Settings, Error> {
        Settings::parse_with(file, text, &[])
    }

    fn parse_with(file: &str, text: &str, packs: &[PathBuf]) -> Result<Settings, Error> {
        let report = yaml::Report::default();
        let settings = match yaml::parse(text) {
            Ok(root) => read::settings(&yaml::Field::root(&root, &report), packs),
            Err((line, what)) => {
                report.add(line, "", what);
                None
            }
        };
        let lines: Vec<String> = report.into_problems().iter().map(|problem| problem.line(file)).collect();
        settings.filter(|_| lines.is_empty()).ok_or(Error { lines })
    }

    /// What was understood, in a few lines.
    pub fn summary(&self) -> Vec<String> {
        let mut lines = vec![format!("data directory {}", self.data_dir.display())];
        lines.push(format!("policy {}", self.policy.names().policy));
        if !self.packs.is_empty() {
            lines.push(format!("packs {}", self.packs.join(" ")));
        }
        lines.extend(self.sources.iter().map(Source::summary));
        lines.push(format!("memory at most {}", self.memory().words()));
        lines.push(match self.queue {
            Queue::Memory { bytes_max } => format!("queue in memory, {bytes_max} bytes for each sink"),
            Queue::Durable { bytes_max } => format!("queue in the data directory, {bytes_max} bytes"),
        });
        lines.extend(self.sinks.iter().map(|sink| sink.summary(&self.policy)));
        lines.extend(self.stranded());
        lines.extend(self.stores.iter().map(|store| {
            let targets: Vec<&str> = store.targets.iter().map(|target| target.name.as_str()).collect();
            let unverified = match store.on_unverified {
                retention::OnUnverified::Block => "gets nothing while unverified",
                retention::OnUnverified::Warn => "a warning while unverified",
            };
            format!("store {}: {} {}; {unverified}", store.name, store.kind.name(), targets.join(" "))
        }));
        lines.push(match &self.kek {
            Some(place) => format!("key-encryption key from {place}"),
            None => "key-encryption key next to the data; move it and set keyring.kek".to_owned(),
        });
        let what = match self.admin.serves {
            Serves::All => "admin, health and metrics",
            Serves::Health => "health and metrics alone",
        };
        lines.push(format!("{what} on {}://{}", self.admin.scheme(), self.admin.listen));
        lines
    }

    /// The sum of its bounds on this machine.
    pub fn memory(&self) -> Memory {
        Memory::of(self, processors())
    }

    /// What the policy lets go to some regions alone, and no sink in one of them takes: such records are held.
    pub fn stranded(&self) -> Vec<String> {
        let policy = &self.policy;
        let mut lines = Vec::new();
        let homes: Vec<HomeId> = policy.residency().homes().map(|(home, _)| home).collect();
        for class in policy.classes() {
            let takers = || self.sinks.iter().filter(|sink| sink.takes(class));
            for home in [HomeId::default()].iter().chain(&homes) {
                let arrives = takers().any(|sink| policy.may_go(class, *home, sink.region.as_deref()));
                if !arrives && takers().next().is_some() {
                    let name = policy.class_name(class);
                    let home = policy.residency().regions(*home);
                    let allowed = home.or(policy.regions(class)).unwrap_or_default().join(", ");
                    let line = format!(
                        "class {name}: records that may go to {allowed} alone are held, since no sink there takes them; \
                         set `region:` of a sink"
                    );
                    if !lines.contains(&line) {
                        lines.push(line);
                    }
                }
            }
        }
        lines
    }

    /// The first kind of value that the policy makes pseudonyms of, or encrypts, and the class: what a key is needed for.
    pub fn needs_key_for(&self) -> Option<(&str, &str)> {
        let policy = &self.policy;
        let entities = policy.rules().entities();
        let of = |class: ClassId| {
            let entity = entities.iter().find(|entity| policy.action(class, *entity).needs_key())?;
            Some((entities.name(entity), policy.class_name(class)))
        };
        policy.classes().find_map(of)
    }

    /// What differs from `other` and holds only after a restart, by key.
    pub fn needs_restart(&self, other: &Settings) -> Vec<&'static str> {
        let kinds = |settings: &Settings| -> Vec<(Arc<str>, SinkKind)> {
            settings.sinks.iter().map(|sink| (Arc::clone(&sink.name), sink.kind.clone())).collect()
        };
        let differs = [
            ("data_dir", self.data_dir != other.data_dir),
            ("memory_max", self.memory_max != other.memory_max),
            ("sources", self.sources != other.sources),
            ("queue", self.queue != other.queue),
            ("sinks", kinds(self) != kinds(other)),
            ("keyring", self.kek != other.kek),
            ("roles", self.roles != other.roles),
            ("admin", self.admin != other.admin),
        ];
        differs.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect()
    }
}

impl Source {
    /// Its name in the configuration.
    pub fn name(&self) -> &Arc<str> {
        match self {
            Source::Syslog(settings) => &settings.name,
            Source::Http(settings) => &settings.name,
            Source::Files(settings) => &settings.name,
            Source::Stdin(settings) => &settings.name,
            Source::Relp(settings) | Source::Forward(settings) => &settings.name,
        }
    }

    fn summary(&self) -> String {
        match self {
            Source::Syslog(settings) => {
                let tcp = settings.tcp.map(|address| format!(" TCP {address}"));
                let udp = settings.udp.map(|address| format!(" UDP {address}"));
                let paths = [&settings.unix, &settings.unix_datagram].into_iter().flatten();
                let unix = paths.map(|path| format!(" {}", path.display()));
                format!(
                    "source {}: syslog{}{}{}",
                    settings.name,
                    tcp.unwrap_or_default(),
                    udp.unwrap_or_default(),
                    unix.collect::<String>()
                )
            }
            Source::Stdin(settings) => format!("source {}: standard input", settings.name),
            Source::Relp(settings) => format!("source {}: RELP {}", settings.name, settings.listen),
            Source::Forward(settings) => format!("source {}: forward {}", settings.name, settings.listen),
            Source::Files(settings) => {
                format!("source {}: files of {} patterns", settings.name, settings.include.len())
            }
            Source::Http(settings) => {
                format!("source {}: HTTP POST http://{}/v1/logs", settings.name, settings.listen)
            }
        }
    }
}

impl SinkKind {
    /// Its name in the configuration.
    pub fn word(&self) -> &'static str {
        match self {
            SinkKind::Archive => "archive",
            SinkKind::Stdout(_) => "stdout",
            SinkKind::File(_) => "file",
            SinkKind::Http(_) => "http",
            SinkKind::Syslog(_) => "syslog",
            SinkKind::Bulk(settings) => settings.product.name(),
            SinkKind::Loki(_) => "loki",
            SinkKind::VictoriaLogs(_) => "victorialogs",
            SinkKind::ClickHouse(_) => "clickhouse",
            SinkKind::Otlp(_) => "otlp",
            SinkKind::Splunk(_) => "splunk",
            SinkKind::S3(_) => "s3",
        }
    }
}

impl Sink {
    /// Whether records of this class are for it.
    pub fn takes(&self, class: ClassId) -> bool {
        self.classes.as_ref().is_none_or(|classes| classes.contains(&class))
    }

    fn summary(&self, policy: &Policy) -> String {
        let what = match &self.kind {
            SinkKind::Archive => "archive in the data directory".to_owned(),
            SinkKind::Stdout(_) => "standard output".to_owned(),
            SinkKind::File(settings) => format!("file {}", settings.path.display()),
            SinkKind::Http(_) => "NDJSON over HTTP".to_owned(),
            SinkKind::Syslog(settings) => {
                format!("syslog over {}", if settings.tls.is_some() { "TLS" } else { "TCP" })
            }
            SinkKind::Bulk(settings) => {
                format!("{}, index {}", settings.product.name(), settings.index.written())
            }
            SinkKind::Loki(_) => "Loki".to_owned(),
            SinkKind::VictoriaLogs(_) => "VictoriaLogs".to_owned(),
            SinkKind::ClickHouse(settings) => format!("ClickHouse, table {}", settings.table.name()),
            SinkKind::Otlp(_) => "OTLP over HTTP".to_owned(),
            SinkKind::Splunk(_) => "Splunk's HTTP Event Collector".to_owned(),
            SinkKind::S3(settings) => format!("S3, bucket {}", settings.bucket.name()),
        };
        let classes = self.classes.as_ref().map(|classes| {
            let names: Vec<&str> = classes.iter().map(|class| policy.class_name(*class)).collect();
            format!(", classes {}", names.join(" "))
        });
        let region = self.region.as_ref().map_or_else(String::new, |region| format!(", region {region}"));
        format!("sink {}: {what}{}{region}", self.name, classes.unwrap_or_default())
    }
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn default_sources(defaults: &memory::Defaults) -> Vec<Source> {
    let (tcp, udp) = (Some(local(5514)), Some(local(5514)));
    vec![
        Source::Syslog(source::syslog::Settings {
            connections_max: defaults.connections_max,
            unfinished_bytes_max: defaults.unfinished_bytes_max,
            ..source::syslog::Settings::new("syslog".into(), tcp, udp)
        }),
        Source::Http(source::http::Settings {
            name: "http".into(),
            listen: local(8088),
            tls: None,
            auth: source::http::Auth::default(),
            limits: source::http::Limits {
                connections_max: defaults.connections_max,
                body_bytes_max: defaults.body_bytes_max,
                bodies_bytes_max: defaults.bodies_bytes_max,
                ..source::http::Limits::default()
            },
        }),
    ]
}

fn default_sinks() -> Vec<Sink> {
    vec![Sink { name: "local".into(), classes: None, region: None, kind: SinkKind::Archive }]
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

#[cfg(test)]
mod tests;

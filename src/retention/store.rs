/*!
A store of the configuration, and its targets: what in it has a retention of its own.
*/

use std::sync::Arc;
use std::time::Duration;

use super::files::{self, Files};
use super::{
    Can, Driver, TooShort, Unknown, Wanted, archive, clickhouse, cloudwatch, datadog, elasticsearch, kafka,
    loki, nats, opensearch, quickwit, s3, splunk, victorialogs,
};
use crate::ttl::Ttl;

/// What happens to a class whose store is not verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnUnverified {
    /// The store gets nothing of it; it waits in the queue.
    Block,
    /// The store gets it; log, metrics and readiness tell.
    Warn,
}

/// What a store is, with its settings.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// The local archive; the program itself speaks to it.
    Archive,
    /// A directory of rotated files.
    Files(files::Settings),
    /// A table of ClickHouse.
    ClickHouse(clickhouse::Settings),
    /// A stream of NATS JetStream.
    Nats(nats::Settings),
    /// Indices of OpenSearch.
    OpenSearch(opensearch::Settings),
    /// A data stream or indices of Elasticsearch.
    Elasticsearch(elasticsearch::Settings),
    /// Streams of Loki.
    Loki(loki::Settings),
    /// Records of VictoriaLogs.
    VictoriaLogs(victorialogs::Settings),
    /// Objects of S3 and what speaks as it does.
    S3(s3::Settings),
    /// A topic of Kafka.
    Kafka(kafka::Settings),
    /// An index of Splunk.
    Splunk(splunk::Settings),
    /// An index of Quickwit.
    Quickwit(quickwit::Settings),
    /// An index of Datadog.
    Datadog(datadog::Settings),
    /// A log group of CloudWatch.
    CloudWatch(cloudwatch::Settings),
}

impl Kind {
    /// Its name in the configuration.
    pub fn name(&self) -> &'static str {
        match self {
            Kind::Archive => "archive",
            Kind::Files(_) => "files",
            Kind::ClickHouse(_) => "clickhouse",
            Kind::Nats(_) => "nats",
            Kind::OpenSearch(_) => "opensearch",
            Kind::Elasticsearch(_) => "elasticsearch",
            Kind::Loki(_) => "loki",
            Kind::VictoriaLogs(_) => "victorialogs",
            Kind::S3(_) => "s3",
            Kind::Kafka(_) => "kafka",
            Kind::Splunk(_) => "splunk",
            Kind::Quickwit(_) => "quickwit",
            Kind::Datadog(_) => "datadog",
            Kind::CloudWatch(_) => "cloudwatch",
        }
    }

    /// What can be done there.
    pub fn can(&self) -> Can {
        match self {
            Kind::Archive => archive::CAN,
            Kind::Files(settings) => settings.can(),
            Kind::ClickHouse(_) => clickhouse::Settings::can(),
            Kind::Nats(_) => nats::Settings::can(),
            Kind::OpenSearch(settings) => settings.can(),
            Kind::Elasticsearch(settings) => settings.can(),
            Kind::Loki(_) => loki::Settings::can(),
            Kind::VictoriaLogs(_) => victorialogs::Settings::can(),
            Kind::S3(settings) => settings.can(),
            Kind::Kafka(_) => kafka::Settings::can(),
            Kind::Splunk(_) => splunk::Settings::can(),
            Kind::Quickwit(_) => quickwit::Settings::can(),
            Kind::Datadog(_) => datadog::Settings::can(),
            Kind::CloudWatch(_) => cloudwatch::Settings::can(),
        }
    }

    /// What to configure so that no record outlives `limit`. Computes; asks nobody.
    pub fn wants(&self, limit: Duration) -> Result<Wanted, TooShort> {
        match self {
            Kind::Archive => archive::wants(limit),
            Kind::Files(settings) => settings.wants(limit),
            Kind::ClickHouse(_) => clickhouse::Settings::wants(limit),
            Kind::Nats(_) => nats::Settings::wants(limit),
            Kind::OpenSearch(settings) => settings.wants(limit),
            Kind::Elasticsearch(settings) => settings.wants(limit),
            Kind::Loki(_) => loki::Settings::wants(limit),
            Kind::VictoriaLogs(_) => victorialogs::Settings::wants(limit),
            Kind::S3(settings) => settings.wants(limit),
            Kind::Kafka(_) => kafka::Settings::wants(limit),
            Kind::Splunk(_) => splunk::Settings::wants(limit),
            Kind::Quickwit(_) => quickwit::Settings::wants(limit),
            Kind::Datadog(_) => datadog::Settings::wants(limit),
            Kind::CloudWatch(_) => cloudwatch::Settings::wants(limit),
        }
    }

    /// The name of its targets, which may hold `{class}`.
    pub fn target(&self) -> String {
        match self {
            Kind::Archive => "{class}".to_owned(),
            Kind::Files(settings) => settings.path.display().to_string(),
            Kind::ClickHouse(settings) => settings.table.clone(),
            Kind::Nats(settings) => settings.stream.clone(),
            Kind::OpenSearch(settings) => settings.index.clone(),
            Kind::Elasticsearch(settings) => settings.index.clone(),
            Kind::Loki(settings) => settings.class.clone(),
            Kind::VictoriaLogs(settings) => settings.class.clone(),
            Kind::S3(settings) => settings.prefix.clone(),
            Kind::Kafka(settings) => settings.topic.clone(),
            Kind::Splunk(settings) => settings.index.clone(),
            Kind::Quickwit(settings) => settings.index.clone(),
            Kind::Datadog(settings) => settings.index.clone(),
            Kind::CloudWatch(settings) => settings.group.clone(),
        }
    }

    /// Who speaks to it; nobody yet if it is the archive.
    pub fn driver(&self) -> Result<Option<Arc<dyn Driver>>, Unknown> {
        Ok(match self {
            Kind::Archive => None,
            Kind::Files(settings) => Some(Arc::new(Files::new(settings.clone()))),
            Kind::ClickHouse(settings) => Some(Arc::new(clickhouse::ClickHouse::new(settings.clone()))),
            Kind::Nats(settings) => Some(Arc::new(nats::Nats::new(settings.clone()))),
            Kind::OpenSearch(settings) => Some(Arc::new(opensearch::OpenSearch::new(settings.clone()))),
            Kind::Elasticsearch(settings) => {
                Some(Arc::new(elasticsearch::Elasticsearch::new(settings.clone())))
            }
            Kind::Loki(settings) => Some(Arc::new(loki::Loki::new(settings))),
            Kind::VictoriaLogs(settings) => Some(Arc::new(victorialogs::VictoriaLogs::new(settings))),
            Kind::S3(settings) => Some(Arc::new(s3::S3::new(settings.clone()))),
            Kind::Kafka(settings) => Some(Arc::new(kafka::Kafka::new(settings.clone()))),
            Kind::Splunk(settings) => Some(Arc::new(splunk::Splunk::new(settings.clone()))),
            Kind::Quickwit(settings) => Some(Arc::new(quickwit::Quickwit::new(settings))),
            Kind::Datadog(settings) => Some(Arc::new(datadog::Datadog::new(settings.clone()))),
            Kind::CloudWatch(settings) => Some(Arc::new(cloudwatch::CloudWatch::new(settings.clone()))),
        })
    }
}

/// A store by name.
#[derive(Clone, Debug, PartialEq)]
pub struct Store {
    /// Its name in the configuration; the sink of the same name feeds it.
    pub name: Arc<str>,
    /// What it is.
    pub kind: Kind,
    /// What happens to what is not verified.
    pub on_unverified: OnUnverified,
    /// What in it has a retention of its own.
    pub targets: Vec<Target>,
}

/// A table, topic, index or directory, and the classes that lie in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its name in the store.
    pub name: String,
    /// The classes in it with their limits, at least one.
    pub classes: Vec<(String, Ttl)>,
    /// What the names of other classes' targets would be, where they begin with its own: what bears one of these belongs
    /// there.
    pub others: Vec<String>,
}

impl Target {
    /// The targets that a name stands for: one for each class where it holds `{class}`, else one for all. `every` is every
    /// class that there is: those that the store has nothing of may lie beside it.
    pub fn from_name(name: &str, classes: &[(String, Ttl)], every: &[String]) -> Vec<Target> {
        if !name.contains("{class}") {
            return vec![Target { name: name.to_owned(), classes: classes.to_vec(), others: Vec::new() }];
        }
        let named = |class: &String| name.replace("{class}", class);
        let each = |class: &(String, Ttl)| {
            let name = named(&class.0);
            let longer = |other: &String| *other != name && other.starts_with(&name);
            let others = every.iter().map(named).filter(longer).collect();
            Target { name, classes: vec![class.clone()], others }
        };
        classes.iter().map(each).collect()
    }

    /// The name of the rule or policy that logveil sets for it, where the store names them.
    pub fn policy_id(&self) -> String {
        format!("logveil-{}", self.name)
    }

    /// All names that begin with its own and are no other target's, as search engines write that.
    pub fn pattern(&self) -> String {
        let others: String = self.others.iter().map(|other| format!(",-{other}*")).collect();
        format!("{}*{others}", self.name)
    }

    /// The limit that all its classes keep: the shortest.
    pub fn limit(&self) -> Duration {
        self.classes.iter().map(|(_, ttl)| ttl.duration()).min().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::store as http;
    use proptest::prelude::*;

    /// One of every kind that is set, as plain as can be.
    fn kinds() -> Vec<Kind> {
        let endpoint = || http::Settings {
            url: "http://127.0.0.1/".parse().unwrap(),
            auth: http::Auth::default(),
            tls: None,
            compression: http::Compression::None,
        };
        let name = || "logs".to_owned();
        let search = |lifecycle| opensearch::Settings {
            endpoint: endpoint(),
            index: name(),
            time_field: name(),
            lifecycle,
        };
        let elastic = |lifecycle| elasticsearch::Settings {
            endpoint: endpoint(),
            index: name(),
            time_field: name(),
            lifecycle,
        };
        let url = "http://127.0.0.1/".parse().unwrap();
        let bucket = rusty_s3::Bucket::new(url, rusty_s3::UrlStyle::Path, "logs", "us-east-1").unwrap();
        let hour = Duration::from_secs(3_600);
        let s3 = |lifecycle| s3::Settings {
            endpoint: endpoint(),
            bucket: bucket.clone(),
            prefix: name(),
            keys: s3::Keys { access: name(), secret: name() },
            spans: hour,
            lifecycle,
        };
        vec![
            Kind::Archive,
            Kind::Files(files::Settings { path: "x".into(), every: hour, deletes: files::Deletes::Logveil }),
            Kind::ClickHouse(clickhouse::Settings {
                endpoint: endpoint(),
                database: name(),
                table: name(),
                time_column: name(),
            }),
            Kind::Nats(nats::Settings { url: name(), stream: name(), login: nats::Login::None }),
            Kind::OpenSearch(search(opensearch::Lifecycle::Ism)),
            Kind::OpenSearch(search(opensearch::Lifecycle::Own)),
            Kind::Elasticsearch(elastic(elasticsearch::Lifecycle::Ilm)),
            Kind::Elasticsearch(elastic(elasticsearch::Lifecycle::Own)),
            Kind::Elasticsearch(elastic(elasticsearch::Lifecycle::DataStream)),
            Kind::Loki(loki::Settings { endpoint: endpoint(), class: name() }),
            Kind::VictoriaLogs(victorialogs::Settings { endpoint: endpoint(), class: name() }),
            Kind::S3(s3(s3::Lifecycle::Rules)),
            Kind::S3(s3(s3::Lifecycle::Own)),
            Kind::Quickwit(quickwit::Settings { endpoint: endpoint(), index: name() }),
            Kind::Kafka(kafka::Settings { broker: name(), topic: name() }),
            Kind::Splunk(splunk::Settings { endpoint: endpoint(), index: name(), app: name() }),
            Kind::CloudWatch(cloudwatch::Settings {
                endpoint: endpoint(),
                region: name(),
                group: name(),
                keys: cloudwatch::keys("a", "b"),
            }),
            Kind::Datadog(datadog::Settings {
                endpoint: endpoint(),
                index: name(),
                application: http::Auth::default(),
            }),
        ]
    }

    proptest! {
        /// In every store: what a limit is said to need keeps it, by the store's own sum; a limit that is refused is
        /// shorter than the least one told, and that one is kept.
        #[test]
        fn what_a_limit_needs_keeps_it_in_every_store(seconds in 1..800 * 86_400u64) {
            let limit = Duration::from_secs(seconds);
            for kind in kinds() {
                match kind.wants(limit) {
                    Ok(wanted) => {
                        let worst = wanted.effective.worst_case();
                        prop_assert!(worst.is_some_and(|worst| worst <= limit), "{}: {:?}", kind.name(), worst);
                    }
                    Err(TooShort { least, .. }) => {
                        prop_assert!(limit < least, "{}: {:?}", kind.name(), least);
                        prop_assert!(kind.wants(least).is_ok(), "{}: {:?}", kind.name(), least);
                    }
                }
            }
        }
    }

    #[test]
    fn a_name_that_begins_another_does_not_take_what_is_the_others() {
        let class = |name: &str| (name.to_owned(), Ttl::days(90));
        let every = ["app", "app-audit", "access"].map(str::to_owned);
        let targets = Target::from_name("logs-{class}", &[class("app"), class("access")], &every);
        let patterns: Vec<String> = targets.iter().map(Target::pattern).collect();
        assert_eq!(patterns, ["logs-app*,-logs-app-audit*", "logs-access*"]);
    }

    /// A kind as the table of `docs/retention.md` calls it.
    fn called(kind: &Kind) -> String {
        match kind {
            Kind::OpenSearch(settings) => match settings.lifecycle {
                opensearch::Lifecycle::Ism => "OpenSearch ISM".to_owned(),
                opensearch::Lifecycle::Own => "dated indices".to_owned(),
            },
            Kind::Elasticsearch(settings) => match settings.lifecycle {
                elasticsearch::Lifecycle::DataStream => "Elasticsearch data stream".to_owned(),
                elasticsearch::Lifecycle::Ilm => "Elasticsearch ILM".to_owned(),
                elasticsearch::Lifecycle::Own => "dated indices".to_owned(),
            },
            Kind::S3(settings) => match settings.lifecycle {
                s3::Lifecycle::Rules => "S3 rules".to_owned(),
                s3::Lifecycle::Own => "dated objects".to_owned(),
            },
            kind => kind.name().to_owned(),
        }
    }

    /// No figure of the table is worked by hand: each row ends with what `retention plan` computes.
    #[test]
    fn the_documented_values_for_90_days_are_those_of_a_plan() {
        let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/retention.md");
        let docs = std::fs::read_to_string(docs).unwrap();
        let mut wrong = Vec::new();
        for kind in kinds() {
            let wanted = kind.wants(Ttl::days(90).duration()).unwrap();
            let set = |setting: &crate::retention::Setting| format!("`{}` {}", setting.name, setting.value);
            let set: Vec<String> = wanted.settings.iter().map(set).collect();
            let end = format!("| {} | {} |", wanted.effective.arithmetic(), set.join(", "));
            let head = format!("| {} | ", called(&kind));
            if !docs.lines().any(|line| line.starts_with(&head) && line.ends_with(&end)) {
                wrong.push(format!("{head}… {end}"));
            }
        }
        assert!(wrong.is_empty(), "docs/retention.md has not:\n{}", wrong.join("\n"));
    }

    #[test]
    fn a_target_keeps_its_shortest_class() {
        let classes = [("access".to_owned(), Ttl::days(90)), ("support".to_owned(), Ttl::days(30))];
        let shared = Target::from_name("logs", &classes, &[]);
        assert_eq!((shared.len(), shared[0].limit()), (1, Ttl::days(30).duration()));
        let split = Target::from_name("logs-{class}", &classes, &[]);
        let names: Vec<&str> = split.iter().map(|target| target.name.as_str()).collect();
        assert_eq!(names, ["logs-access", "logs-support"]);
        assert_eq!(split[0].limit(), Ttl::days(90).duration());
    }
}

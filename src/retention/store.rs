/*!
A store of the configuration, and its targets: what in it has a retention of its own.
*/

use std::sync::Arc;
use std::time::Duration;

use super::files::{self, Files};
use super::{Can, Driver, TooShort, Unknown, Wanted, archive, clickhouse, nats, opensearch};
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
}

impl Target {
    /// The targets that a name stands for: one for each class where it holds `{class}`, else one for all.
    pub fn from_name(name: &str, classes: &[(String, Ttl)]) -> Vec<Target> {
        if !name.contains("{class}") {
            return vec![Target { name: name.to_owned(), classes: classes.to_vec() }];
        }
        let each = |class: &(String, Ttl)| Target {
            name: name.replace("{class}", &class.0),
            classes: vec![class.clone()],
        };
        classes.iter().map(each).collect()
    }

    /// The limit that all its classes keep: the shortest.
    pub fn limit(&self) -> Duration {
        self.classes.iter().map(|(_, ttl)| ttl.duration()).min().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_keeps_its_shortest_class() {
        let classes = [("access".to_owned(), Ttl::days(90)), ("support".to_owned(), Ttl::days(30))];
        let shared = Target::from_name("logs", &classes);
        assert_eq!((shared.len(), shared[0].limit()), (1, Ttl::days(30).duration()));
        let split = Target::from_name("logs-{class}", &classes);
        let names: Vec<&str> = split.iter().map(|target| target.name.as_str()).collect();
        assert_eq!(names, ["logs-access", "logs-support"]);
        assert_eq!(split[0].limit(), Ttl::days(90).duration());
    }
}

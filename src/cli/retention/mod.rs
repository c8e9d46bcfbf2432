//! `logveil retention`: how long records really stay in each store, and the acts that set and prove it.

mod apply;
mod chart;
mod html;
mod report;
mod tell;

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use super::{Error, Exit, complain};
use crate::app::stores::{Checked, Stores};
use crate::clock::{Clock, SystemClock};
use crate::config::Settings;
use crate::retention::evidence::{Act, Evidence};
use crate::vault::{self, DataDir, Timekeeper};

/// Plan, apply, verify and report how long stores keep records.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  logveil retention plan --config /etc/logveil/logveil.yaml\n  \
                        logveil retention apply --yes\n  logveil retention verify --format json\n  \
                        logveil retention report --format html > retention.html\n  \
                        logveil retention report --since 30d\n\n\
                        `verify` ends with 1 when a class can outlive its limit in a store, or when that cannot be told.")]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// What is configured in each store, and what its limit really needs there. Changes nothing.
    Plan {
        #[command(flatten)]
        place: Place,
        /// How it is written.
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Configures what the plan says, after asking. Stopped half-way, the next one goes on.
    Apply {
        #[command(flatten)]
        place: Place,
        /// Do it without asking.
        #[arg(long)]
        yes: bool,
    },
    /// Reads back what every store does and how old its oldest record is. Exit code 1 unless all is compliant.
    Verify {
        #[command(flatten)]
        place: Place,
        /// How it is written.
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// What was set, verified and deleted, from the evidence, with how things stand now.
    Report {
        #[command(flatten)]
        place: Place,
        /// From this moment on: 2026-11-22, 2026-11-22T10:00:00Z, or an age such as 30d.
        #[arg(long, value_name = "TIME")]
        since: Option<String>,
        /// How it is written: text, json, or html, one page with a chart for each store.
        #[arg(long, value_enum, default_value_t = Form::Text)]
        format: Form,
    },
}

/// Where the configuration is.
#[derive(Debug, clap::Args)]
struct Place {
    /// The configuration. Without it: what `logveil run` does by default.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    Text,
    Json,
    Html,
}

/// What the verbs work with.
struct World {
    settings: Settings,
    stores: Stores,
    clock: Arc<dyn Clock>,
}

pub(super) fn run(arguments: Arguments) -> Result<Exit, Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Error::Failure(format!("cannot start: {error}")))?;
    runtime.block_on(async {
        match arguments.verb {
            Verb::Plan { place, format } => plan(&World::open(&place)?, format).await,
            Verb::Apply { place, yes } => apply::run(&World::open(&place)?, yes).await,
            Verb::Verify { place, format } => verify(&World::open(&place)?, format).await,
            Verb::Report { place, since, format } => {
                report::run(&World::open(&place)?, since.as_deref(), format).await
            }
        }
    })
}

impl World {
    fn open(place: &Place) -> Result<World, Error> {
        let settings = match &place.config {
            Some(path) => Settings::load(path).map_err(Error::usage)?,
            None => Settings::default(),
        };
        let system: Arc<dyn Clock> = Arc::new(SystemClock::new());
        // A clock that went back makes nothing younger: what `run` believed counts.
        let clock: Arc<dyn Clock> = match DataDir::open_to_read(&settings.data_dir) {
            Ok(dir) => Arc::new(Timekeeper::new(system, vault::high_water(&dir).map_err(Error::usage)?)),
            Err(_) => system,
        };
        let stores = Stores::new(&settings).map_err(Error::usage)?;
        Ok(World { settings, stores, clock })
    }

    /// The data directory for its evidence, made if it is not there.
    fn dir(&self) -> Result<DataDir, Error> {
        let path = &self.settings.data_dir;
        vault::Disk::real()
            .make_dir(path)
            .map_err(|error| Error::Failure(format!("{}: {}", path.display(), super::reason(&error))))?;
        DataDir::open_to_read(path).map_err(Error::failure)
    }

    fn record(&self, acts: Vec<Act>) -> Result<(), Error> {
        let evidence = Evidence::of(&self.dir()?);
        acts.into_iter().try_for_each(|act| evidence.append(act)).map_err(Error::failure)
    }
}

async fn plan(world: &World, format: Format) -> Result<Exit, Error> {
    let checked = world.stores.check(&world.clock).await;
    print(&match format {
        Format::Text => tell::plan(&checked),
        Format::Json => tell::plan_json(&checked),
    })?;
    Ok(Exit::Done)
}

async fn verify(world: &World, format: Format) -> Result<Exit, Error> {
    let checked = world.stores.check(&world.clock).await;
    print(&match format {
        Format::Text => tell::table(&checked),
        Format::Json => tell::json(&checked),
    })?;
    faults(&checked);
    world.record(acts(&checked))?;
    Ok(if checked.iter().all(Checked::holds) { Exit::Done } else { Exit::Found })
}

/// Each verdict that fails, on standard error: which class in which store, by how much, why.
fn faults(checked: &[Checked]) {
    for target in checked {
        for (class, _, verdict) in target.verdicts.iter().filter(|(_, _, verdict)| !verdict.holds()) {
            complain(&format!(
                "store {}, {}, class {class}: {verdict}",
                target.store.name, target.target.name
            ));
        }
    }
}

fn acts(checked: &[Checked]) -> Vec<Act> {
    let of = |target: &Checked| -> Vec<Act> {
        target.verdicts.iter().map(|(class, ttl, verdict)| target.act(class, *ttl, verdict)).collect()
    };
    checked.iter().flat_map(of).collect()
}

fn print(text: &str) -> Result<(), Error> {
    io::stdout().write_all(text.as_bytes()).map_err(Error::output)
}

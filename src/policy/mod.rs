/*!
What is to be done with each kind of value in each class, and where records belong.

A [`Policy`] is compiled and never changes; it is swapped whole, between
batches. [`Routes`] put a record into a class and a stream. `read` says what a
policy file may hold. Where no line speaks of an entity it is redacted: a new
rule never lets a value through because nobody has thought of it.
*/

mod aggregates;
mod clause;
mod coverage;
mod declare;
mod line;
mod logout;
mod read;
pub mod residency;
mod route;
mod section;

pub use aggregates::Aggregates;
pub use clause::{Citation, Clause};
pub use coverage::Detail;
pub use read::{CLASSES, Region};
pub use route::{Glob, Route, RouteError, Routes, When};

use std::sync::{Arc, OnceLock};

use read::Draft;
use residency::Residency;

use crate::act::Logouts;
use crate::action::{Action, Domain, Shape};
use crate::clock::Timestamp;
use crate::detect::{Rules, Wanted};
use crate::entity::Entity;
use crate::record::{ClassId, HomeId, Names};
use crate::ttl::Ttl;
use crate::yaml;

/// The built-in policies: name and text.
pub const BUILTIN: &[(&str, &str)] = &[
    ("default", include_str!("../../deploy/policies/default.yaml")),
    ("everything", include_str!("../../deploy/policies/everything.yaml")),
    ("capmonster", include_str!("../../deploy/policies/capmonster.yaml")),
    ("capsolver", include_str!("../../deploy/policies/capsolver.yaml")),
    ("cloudshift21", include_str!("../../deploy/policies/cloudshift21.yaml")),
    ("ai-platform", include_str!("../../deploy/policies/ai-platform.yaml")),
    ("gpu-cloud", include_str!("../../deploy/policies/gpu-cloud.yaml")),
];

/// A policy, its classes and its routes, ready for use.
#[derive(Clone, Debug)]
pub struct Policy {
    rules: Arc<Rules>,
    names: Arc<Names>,
    about: String,
    effective_from: Option<Timestamp>,
    unfound: Vec<String>,
    logouts: Logouts,
    aggregates: Option<Aggregates>,
    classes: Vec<Class>,
    clauses: Arc<[Clause]>,
    citations: Arc<[Citation]>,
    residency: Arc<Residency>,
    routes: Routes,
}

/// What holds for one class.
#[derive(Clone, Debug)]
struct Class {
    /// By [`Entity::index`].
    actions: Vec<Action>,
    wanted: Wanted,
    needs_key: bool,
    /// Whether the policy has a section for it alone.
    stated: bool,
    /// By [`Entity::index`]: the clauses that the policy cites for it.
    cites: Vec<Vec<String>>,
    /// By [`Entity::index`]: whether a line speaks of it.
    named: Vec<bool>,
    /// The regions that records may go to; all without this.
    regions: Option<Vec<Region>>,
    /// For records that ask not to be tracked: other actions.
    silent: Option<Silent>,
}

/// What holds for records that ask not to be tracked.
#[derive(Clone, Debug)]
struct Silent {
    actions: Vec<Action>,
    wanted: Wanted,
}

impl Class {
    fn new(draft: read::DraftClass) -> Class {
        let read::DraftClass { actions, cites, named, stated, regions, overrule, silent, .. } = draft;
        let wanted = |actions: &[Action]| {
            let strengths = actions.iter().map(|action| action.strength()).collect();
            Wanted::new(strengths).overruled(overrule.clone())
        };
        let silent = silent.map(|actions| Silent { wanted: wanted(&actions), actions });
        let needs_key = actions.iter().any(|action| action.needs_key());
        Class { wanted: wanted(&actions), actions, needs_key, stated, cites, named, regions, silent }
    }
}

/// The action as a policy file writes it.
pub fn describe(action: Action) -> String {
    match action {
        Action::Truncate { ipv4_prefix, ipv6_prefix } => {
            format!("truncate: {{ ipv4: {ipv4_prefix}, ipv6: {ipv6_prefix} }}")
        }
        Action::Mask { first, last } => format!("mask: {{ first: {first}, last: {last} }}"),
        Action::Generalize { decimals } => format!("generalize: {{ decimals: {decimals} }}"),
        Action::Redact { length: true } => "redact: { length: true }".to_owned(),
        Action::Pseudonymize { shape } => match shape {
            Shape::Tag => action.name().to_owned(),
            Shape::Email { domain: Domain::Keep } => {
                "pseudonymize: { shape: email, domain: keep }".to_owned()
            }
            Shape::Table { limit } => format!("pseudonymize: {{ table: {limit} }}"),
            Shape::Ip | Shape::Email { .. } | Shape::Uuid | Shape::Digits => {
                format!("pseudonymize: {{ shape: {} }}", shape.name())
            }
        },
        Action::Keep
        | Action::Encrypt
        | Action::Redact { length: false }
        | Action::DropField
        | Action::DropRecord => action.name().to_owned(),
    }
}

/// Why a policy is refused: all its faults, each one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.faults.join("\n"))]
pub struct Error {
    /// `file:line: key: what is wrong and how to mend it`, in the order of the lines.
    pub faults: Vec<String>,
}

/// The rules of the packs that are compiled in; all who ask share them.
pub fn builtin_rules() -> Arc<Rules> {
    static RULES: OnceLock<Arc<Rules>> = OnceLock::new();
    Arc::clone(RULES.get_or_init(|| Arc::new(Rules::builtin())))
}

impl Policy {
    /// The built-in policy of this name.
    pub fn builtin(name: &str) -> Option<Policy> {
        Policy::builtin_for(builtin_rules(), name)
    }

    /// The built-in policy of this name, for these rules: the built-in ones, and perhaps more.
    pub fn builtin_for(rules: Arc<Rules>, name: &str) -> Option<Policy> {
        let (name, text) = BUILTIN.iter().find(|(builtin, _)| *builtin == name)?;
        Some(Policy::parse_for(rules, name, text).expect("the built-in policies are tested"))
    }

    /// Reads a policy from YAML, for the packs that are compiled in. `file` is what errors call it.
    pub fn parse(file: &str, text: &str) -> Result<Policy, Error> {
        Policy::parse_for(builtin_rules(), file, text)
    }

    /// Reads a policy from YAML, for these rules.
    pub fn parse_for(rules: Arc<Rules>, file: &str, text: &str) -> Result<Policy, Error> {
        let report = yaml::Report::default();
        let draft = match yaml::parse(text) {
            Ok(root) => Policy::draft(&yaml::Field::root(&root, &report), rules),
            Err((line, what)) => {
                report.add(line, "", what);
                None
            }
        };
        let faults: Vec<String> = report.into_problems().iter().map(|problem| problem.line(file)).collect();
        match draft {
            Some((rules, draft)) if faults.is_empty() => Ok(Policy::compile(rules, draft)),
            _ => Err(Error { faults }),
        }
    }

    /// Reads a policy, with the rules that it has once it has declared its own.
    fn draft(root: &yaml::Field<'_>, rules: Arc<Rules>) -> Option<(Arc<Rules>, Draft)> {
        let rules = match root.is_table() {
            true => declare::extend(root, &rules)?.map_or(rules, Arc::new),
            false => rules,
        };
        let draft = read::draft(root, &rules)?;
        Some((rules, draft))
    }

    fn compile(rules: Arc<Rules>, draft: Draft) -> Policy {
        let names = Names {
            policy: format!("{}@{}", draft.name, draft.version),
            classes: draft.classes.iter().map(|class| (class.name.clone(), class.ttl)).collect(),
            streams: draft.classes.iter().map(|class| class.name.clone()).collect(),
            regions: draft.classes.iter().map(|class| class.regions.clone()).collect(),
            homes: draft.residency.homes().map(|(_, regions)| regions.to_vec()).collect(),
        };
        let classes = draft.classes.into_iter().map(Class::new).collect();
        let routes = Routes::builtin(&names);
        Policy {
            rules,
            names: names.into(),
            about: draft.about,
            effective_from: draft.effective_from,
            unfound: draft.unfound,
            logouts: draft.logouts,
            aggregates: draft.aggregates,
            classes,
            clauses: draft.clauses.into(),
            citations: draft.citations.into(),
            residency: draft.residency.into(),
            routes,
        }
    }

    /// The same policy with a configuration's routes before the built-in ones. Streams that they name are added.
    pub fn routed(self, routes: &[Route]) -> Result<Policy, Vec<RouteError>> {
        let mut names = Names {
            policy: self.names.policy.clone(),
            classes: self.names.classes.clone(),
            streams: self.names.streams.clone(),
            regions: self.names.regions.clone(),
            homes: self.names.homes.clone(),
        };
        let routes = Routes::compile(routes, &mut names)?;
        Ok(Policy { names: names.into(), routes, ..self })
    }

    /// The same policy with every record put into one class, whatever it says of itself.
    pub fn routed_to(self, class: ClassId) -> Policy {
        Policy { routes: Routes::all_to(class), ..self }
    }

    /// What the policy says of itself, one line.
    pub fn about(&self) -> &str {
        &self.about
    }

    /// The moment from which the published text holds, if the policy says so. Nothing waits for it.
    pub fn effective_from(&self) -> Option<Timestamp> {
        self.effective_from
    }

    /// What the published text promises, in its order; empty where the policy is of no such text.
    pub fn clauses(&self) -> &[Clause] {
        &self.clauses
    }

    /// Every line that keeps a clause, in the order of the file.
    pub fn citations(&self) -> &[Citation] {
        &self.citations
    }

    /// The regions that records of this class may go to; all if it names none.
    pub fn regions(&self, class: ClassId) -> Option<&[Region]> {
        self.class(class).regions.as_deref()
    }

    /// What tells a record's home by what is in it.
    pub fn residency(&self) -> &Residency {
        &self.residency
    }

    /// Whether records of this class and home may go to a sink in this region; none is the region of a sink that names none.
    pub fn may_go(&self, class: ClassId, home: HomeId, region: Option<&str>) -> bool {
        let allows =
            |regions: &[Region]| region.is_some_and(|region| regions.iter().any(|known| known == region));
        self.regions(class).is_none_or(allows) && self.residency.regions(home).is_none_or(allows)
    }

    /// Whether any record may go to some regions alone.
    pub fn binds_regions(&self) -> bool {
        !self.residency.is_empty() || self.classes.iter().any(|class| class.regions.is_some())
    }

    /// Whether records of this class that ask not to be tracked are handled apart.
    pub fn heeds_signals(&self, class: ClassId) -> bool {
        self.class(class).silent.is_some()
    }

    /// Whether a line of the policy speaks of the entity in this class, and not its default alone.
    pub fn is_named(&self, class: ClassId, entity: Entity) -> bool {
        self.class(class).named[entity.index()]
    }

    /// Entities that the policy names and no rule finds, so that what it says of them has no effect.
    pub fn unfound(&self) -> &[String] {
        &self.unfound
    }

    /// How records are known that end a session.
    pub fn logouts(&self) -> &Logouts {
        &self.logouts
    }

    /// What is counted beyond the limits of the records, if anything is.
    pub fn aggregates(&self) -> Option<&Aggregates> {
        self.aggregates.as_ref()
    }

    /// The clauses that the policy cites for what happens to an entity in this class.
    pub fn cites(&self, class: ClassId, entity: Entity) -> &[String] {
        &self.class(class).cites[entity.index()]
    }

    /// Which class and stream a record belongs to.
    pub fn routes(&self) -> &Routes {
        &self.routes
    }

    /// The names of the policy, its classes and streams.
    pub fn names(&self) -> &Arc<Names> {
        &self.names
    }

    /// What finds, and what entities are called.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Every class, in the order of its number.
    pub fn classes(&self) -> impl ExactSizeIterator<Item = ClassId> + '_ {
        (0..self.classes.len()).map(|n| ClassId(n as u16))
    }

    /// The class's name.
    pub fn class_name(&self, class: ClassId) -> &str {
        &self.names.classes[usize::from(class.0)].0
    }

    /// The class of this name.
    pub fn class_named(&self, name: &str) -> Option<ClassId> {
        let place = self.names.classes.iter().position(|(class, _)| class == name)?;
        Some(ClassId(place as u16))
    }

    /// What is looked for in records of this class.
    pub fn wanted(&self, class: ClassId) -> &Wanted {
        &self.class(class).wanted
    }

    /// What is looked for in records of this class that ask not to be tracked, and what happens to it; what holds for all
    /// where the class makes no difference. None of it needs a key then.
    pub fn silent(&self, class: ClassId) -> (&Wanted, &[Action]) {
        let class = self.class(class);
        match &class.silent {
            Some(silent) => (&silent.wanted, &silent.actions),
            None => (&class.wanted, &class.actions),
        }
    }

    /// What happens to an entity in this class.
    pub fn action(&self, class: ClassId, entity: Entity) -> Action {
        self.class(class).actions[entity.index()]
    }

    /// What happens in this class, by [`Entity::index`].
    pub fn actions(&self, class: ClassId) -> &[Action] {
        &self.class(class).actions
    }

    /// Whether records of this class need a key: some of their values are pseudonymized or encrypted.
    pub fn pseudonymizes(&self, class: ClassId) -> bool {
        self.class(class).needs_key
    }

    /// How long records of this class may live.
    pub fn ttl(&self, class: ClassId) -> Ttl {
        self.names.classes[usize::from(class.0)].1
    }

    fn class(&self, class: ClassId) -> &Class {
        &self.classes[usize::from(class.0)]
    }
}

#[cfg(test)]
mod tests;

/*!
What a published text promises, clause by clause, in a form that can be checked.

```yaml
clauses:
  - id: "6 access"                        # what lines cite
    promise: Access logs live 90 days.    # in a few words
    bounds:                               # a policy that is looser is refused
      classes: [access]                   # all, if left out
      retention: 90d
      regions: [eea, us]
      entities: { ipv4: { truncate: { ipv4: 24 } } }
      pseudonyms: never
      dnt: anonymize
      fields: listed
    kept_by: [The archive destroys the keys of what is overdue.]
    tests: [profiles::capmonster::access_logs_are_gone_at_90_days]
  - { id: "18", promise: …, not_enforceable: A notice is written by people. }
  - { id: "19", promise: …, open: What this version does not keep of it. }
```

A clause that nothing keeps is no clause: it has bounds, is cited by a line, says
what keeps it beside the lines, or says why no pipeline can.
*/

use super::describe;
use super::line::line;
use super::read::{DraftClass, Merged, Reader, Region};
use super::section;
use crate::action::{Action, Shape};
use crate::entity::Entity;
use crate::ttl::Ttl;
use crate::yaml::{Field, nearest};

/// One promise of the published text, and what keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clause {
    /// What lines cite.
    pub id: String,
    /// What is promised, in a few words.
    pub promise: String,
    /// What the policy may not be looser than, a text each.
    pub bounds: Vec<String>,
    /// What keeps it beside lines of the policy.
    pub kept_by: Vec<String>,
    /// The tests that show it.
    pub tests: Vec<String>,
    /// Why no pipeline can keep it, if none can.
    pub not_enforceable: Option<String>,
    /// What this version does not keep of it.
    pub open: Option<String>,
    /// The classes that it speaks of; all if it names none.
    pub classes: Vec<String>,
    /// The kinds of values that it speaks of.
    pub entities: Vec<Entity>,
}

/// A line that keeps a clause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Citation {
    /// The clause.
    pub clause: String,
    /// The line, as a person reads it: `access: retention 90d`.
    pub line: String,
}

/// A clause with its bounds, while a policy is read.
pub(super) type Draft<'a> = (Clause, Bounds<'a>);

/// What a policy may not be looser than.
pub(super) struct Bounds<'a> {
    at: Field<'a>,
    classes: Vec<String>,
    ttl: Option<Ttl>,
    regions: Option<Vec<Region>>,
    entities: Vec<(Entity, String, Action)>,
    pseudonyms: bool,
    dnt: bool,
    listed: bool,
}

/// Reads the clauses; what is wrong goes to the field's report.
pub(super) fn read<'a>(field: &Field<'a>, reader: &Reader<'_, 'a>) -> Vec<Draft<'a>> {
    let mut drafts: Vec<Draft<'a>> = Vec::new();
    for member in field.list().unwrap_or_default() {
        let Some(draft) = one(&member, reader) else { continue };
        if drafts.iter().any(|(clause, _)| clause.id == draft.0.id) {
            member.refuse::<()>(format!("names clause {:?} again", draft.0.id));
        }
        drafts.push(draft);
    }
    drafts
}

fn one<'a>(field: &Field<'a>, reader: &Reader<'_, 'a>) -> Option<Draft<'a>> {
    let table = field.table(&["id", "promise", "bounds", "kept_by", "tests", "not_enforceable", "open"])?;
    let id = table.need("id", "the clause's number or heading").and_then(Field::text)?.to_owned();
    let promise = table.need("promise", "what is promised, in a few words").and_then(Field::text)?.to_owned();
    let texts = |key: &str| table.find(key).and_then(Field::texts).unwrap_or_default();
    let not_enforceable = table.find("not_enforceable").and_then(Field::text).map(str::to_owned);
    let bounds = match table.find("bounds") {
        Some(bounds) if not_enforceable.is_some() => {
            return bounds.refuse("stand beside not_enforceable; a clause is one or the other");
        }
        Some(field) => read_bounds(field, reader)?,
        None => Bounds::none(field.clone()),
    };
    let (kept_by, tests) = (texts("kept_by"), texts("tests"));
    let open = table.find("open").and_then(Field::text).map(str::to_owned);
    let entities = bounds.entities.iter().map(|(entity, ..)| *entity).collect();
    let (described, classes) = (bounds.described(), bounds.classes.clone());
    let clause =
        Clause { id, promise, bounds: described, kept_by, tests, not_enforceable, open, classes, entities };
    Some((clause, bounds))
}

fn read_bounds<'a>(field: &Field<'a>, reader: &Reader<'_, 'a>) -> Option<Bounds<'a>> {
    let table =
        field.table(&["classes", "retention", "regions", "entities", "pseudonyms", "dnt", "fields"])?;
    let mut bounds = Bounds::none(field.clone());
    for member in table.find("classes").and_then(Field::list).unwrap_or_default() {
        let name = member.text()?;
        reader.is_class(name, &member)?;
        bounds.classes.push(name.to_owned());
    }
    bounds.ttl = table.find("retention").and_then(section::ttl);
    bounds.regions = table.find("regions").and_then(section::region_list);
    for (name, field) in table.find("entities").and_then(Field::entries).unwrap_or_default() {
        let Some(entity) = reader.rules.entities().find(&name) else {
            field.refuse::<()>("is no entity that any rule finds; declare it, or leave the bound out");
            continue;
        };
        let (action, _) = line(&field, Some(&name))?;
        bounds.entities.push((entity, name, action));
    }
    let word = |key: &str, word: &str| {
        let is = |text: &str| (text == word).then_some(());
        table.find(key).and_then(|field| field.parse(word, is)).is_some()
    };
    bounds.pseudonyms = word("pseudonyms", "never");
    bounds.dnt = word("dnt", "anonymize");
    bounds.listed = word("fields", "listed");
    Some(bounds)
}

impl<'a> Bounds<'a> {
    fn none(at: Field<'a>) -> Bounds<'a> {
        let (classes, entities) = (Vec::new(), Vec::new());
        Bounds {
            at,
            classes,
            ttl: None,
            regions: None,
            entities,
            pseudonyms: false,
            dnt: false,
            listed: false,
        }
    }

    fn described(&self) -> Vec<String> {
        let class = if self.classes.is_empty() { "every class".to_owned() } else { self.classes.join(", ") };
        let mut texts = Vec::new();
        texts.extend(self.ttl.map(|ttl| format!("retention of {ttl} at most")));
        texts.extend(self.regions.as_ref().map(|list| format!("no region but {}", list.join(", "))));
        let weakest =
            |(_, name, action): &(Entity, String, Action)| format!("{name}: {} at least", describe(*action));
        texts.extend(self.entities.iter().map(weakest));
        texts.extend(self.pseudonyms.then(|| "no pseudonyms".to_owned()));
        texts.extend(self.dnt.then(|| "no pseudonyms where a record asks not to be tracked".to_owned()));
        texts.extend(self.listed.then(|| "listed fields alone pass".to_owned()));
        texts.into_iter().map(|text| format!("{class}: {text}")).collect()
    }
}

/// Reports where a class is looser than a clause allows, at the line that makes it so.
pub(super) fn check(drafts: &[Draft<'_>], class: &DraftClass, said: &Merged<'_, '_>) {
    for (clause, bounds) in drafts {
        if bounds.classes.is_empty() || bounds.classes.contains(&class.name) {
            check_one(clause, bounds, class, said);
        }
    }
}

fn check_one(clause: &Clause, bounds: &Bounds<'_>, class: &DraftClass, said: &Merged<'_, '_>) {
    let (name, id) = (&class.name, &clause.id);
    let own = |at: Option<&Field<'_>>, what: String| {
        let _ = at.unwrap_or(&bounds.at).refuse::<()>(what);
    };
    if let Some(most) = bounds.ttl
        && class.ttl.duration() > most.duration()
    {
        let at = said.own.ttl.as_ref().or(said.all.ttl.as_ref()).map(|(_, at)| at);
        let ttl = class.ttl;
        own(at, format!("lets {name} live {ttl}, and clause {id:?} allows {most}; write {most} or less"));
    }
    if let Some(allowed) = &bounds.regions {
        let at = said.own.regions.as_ref().or(said.all.regions.as_ref()).map(|(_, at)| at);
        let list = allowed.join(", ");
        match &class.regions {
            Some(regions) if regions.iter().all(|region| allowed.contains(region)) => {}
            Some(_) => own(at, format!("lets {name} go further than {list}, which clause {id:?} allows")),
            None => {
                own(at, format!("clause {id:?} allows {list}, and class {name} has no regions; set them"))
            }
        }
    }
    for (entity, entity_name, weakest) in &bounds.entities {
        let action = class.actions[entity.index()];
        if !is_at_least(action, *weakest) {
            let (does, may) = (describe(action), describe(*weakest));
            let at = said.line(*entity).map(|line| &line.at);
            own(at, format!("{does} for {entity_name} in {name} is less than clause {id:?} asks for: {may}"));
        }
    }
    if bounds.pseudonyms && class.actions.iter().any(|action| action.links()) {
        own(None, format!("clause {id:?} allows no pseudonyms, and class {name} has some"));
    }
    if bounds.dnt && class.silent.is_none() {
        own(None, format!("clause {id:?} needs `when: {{ dnt: anonymize }}` in class {name}"));
    }
    if bounds.listed && class.overrule.only.is_none() {
        own(None, format!("clause {id:?} needs `only:`, a list of fields, in class {name}"));
    }
}

/// Whether an action takes away as much as another does, or more.
fn is_at_least(action: Action, weakest: Action) -> bool {
    match (action, weakest) {
        (
            Action::Truncate { ipv4_prefix, ipv6_prefix },
            Action::Truncate { ipv4_prefix: ipv4_most, ipv6_prefix: ipv6_most },
        ) => ipv4_prefix <= ipv4_most && ipv6_prefix <= ipv6_most,
        (Action::Mask { first, last }, Action::Mask { first: first_most, last: last_most }) => {
            first <= first_most && last <= last_most
        }
        // What a key makes can be made again as long as there is the key: that is more than a table keeps.
        (Action::Pseudonymize { shape }, Action::Pseudonymize { shape: Shape::Table { limit: most } }) => {
            matches!(shape, Shape::Table { limit } if limit.duration() <= most.duration())
        }
        _ => action.strength() >= weakest.strength(),
    }
}

/// Reports lines that cite what is no clause, and clauses that nothing keeps. A policy without clauses may cite anything.
pub(super) fn cited(drafts: &[Draft<'_>], citations: &[(Citation, Field<'_>)]) {
    if drafts.is_empty() {
        return;
    }
    let known: Vec<&str> = drafts.iter().map(|(clause, _)| &*clause.id).collect();
    for (citation, at) in citations {
        let drafts = drafts.iter().find(|(clause, _)| clause.id == citation.clause);
        match drafts {
            Some((clause, _)) if clause.not_enforceable.is_some() => {
                at.refuse::<()>(format!("cites clause {:?}, which is said to be not enforceable", clause.id));
            }
            Some(_) => {}
            None => {
                let near = nearest(&citation.clause, &known);
                at.refuse::<()>(format!("cites {:?}, which is none of the clauses{near}", citation.clause));
            }
        }
    }
    for (clause, bounds) in drafts {
        let cited = citations.iter().any(|(citation, _)| citation.clause == clause.id);
        let kept = cited || !clause.bounds.is_empty() || !clause.kept_by.is_empty();
        if !kept && clause.not_enforceable.is_none() && clause.open.is_none() {
            bounds.at.refuse::<()>(format!(
                "clause {:?} is kept by nothing; cite it, give it bounds or kept_by, or say why it is not_enforceable",
                clause.id
            ));
        }
    }
}

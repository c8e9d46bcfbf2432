/*!
Finds sensitive values in bytes.

[`Rules`] is the compiled form of the packs, shared by all workers.
[`Rules::find`] takes one record's text and appends what it found: sorted by
start, never overlapping, each span the secret part alone.

The idea in three steps: *candidates* are places where a value could be; a
*parser*, a field's name or a pattern says of each whether it is one, or why
not; [`resolve`] decides between what overlaps. The specification is the
[`mod@reference`] matcher: plain and linear. The one that works is [`sweep`]:
vector instructions tell it where to ask. What it takes from a rule is in [`rule`], how people
write rules in [`pack`], and the parsers stand in [`entity`], one file per
family.

A prefilter may say "perhaps" and never a wrong "no": anchors are searched
overlapping, so that one which is another's beginning hides nothing.
*/

mod anchor;
mod candidates;
mod check;
mod context;
pub mod entity;
mod entropy;
mod escaped;
mod fields;
mod known;
mod leading;
mod names;
mod narrow;
mod near;
pub mod overrule;
pub mod pack;
pub mod pattern;
mod reference;
mod resolve;
pub mod rule;
mod service;
pub mod simd;
mod sweep;
mod table;
mod tails;
mod tokens;
pub mod validator;

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::entity::{Entities, Entity};
use crate::limit;
use crate::span::Span;
pub use crate::structure::Form;
use anchor::{Anchor, Literals, Place};
use names::Names;
use overrule::{Allowed, Overrule, Within};
use pack::PackError;
use rule::{Kind, Parser, Rule};
pub use sweep::Scratch;

/// One recognised value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The secret part alone.
    pub span: Span,
    /// What it is.
    pub entity: Entity,
    /// Which rule recognised it.
    pub rule: RuleId,
    /// How the value is written there; `act` decodes by it and keeps the text around valid.
    pub form: Form,
}

/// A rule's place in its [`Rules`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId(pub u16);

/// Which entities are looked for, and how strong the policy's action for each is.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// By [`Entity::index`]: [`crate::action::Action::strength`], 0 for what is kept and so not looked for.
    strength: Vec<u8>,
    /// What the policy says of fields and values, if it says anything.
    overrule: Option<Box<Overrule>>,
}

impl Wanted {
    /// Makes it from strengths by [`Entity::index`].
    pub fn new(strength: Vec<u8>) -> Wanted {
        Wanted { strength, overrule: None }
    }

    /// The same with what a policy says of fields and values over what rules find.
    pub fn overruled(self, overrule: Overrule) -> Wanted {
        Wanted { overrule: (!overrule.is_empty()).then(|| Box::new(overrule)), ..self }
    }

    /// The same for some of the entities; the others are not looked for.
    pub fn only(&self, keep: impl Fn(Entity) -> bool, entities: &Entities) -> Wanted {
        let mut fewer = self.clone();
        for entity in entities.iter().filter(|entity| !keep(*entity)) {
            if let Some(strength) = fewer.strength.get_mut(entity.index()) {
                *strength = 0;
            }
        }
        fewer
    }

    /// The same, with what has no strength looked for as well if `also` says so.
    pub fn and(&self, also: impl Fn(Entity) -> bool, entities: &Entities) -> Wanted {
        let mut more = self.clone();
        more.strength.resize(entities.len(), 0);
        for entity in entities.iter().filter(|entity| also(*entity)) {
            let strength = &mut more.strength[entity.index()];
            *strength = (*strength).max(1);
        }
        more
    }

    /// Whether a policy's lines for fields and values are to be asked, with [`Rules::overrule`].
    pub fn is_overruled(&self) -> bool {
        self.overrule.is_some()
    }

    /// The strength of the entity's action; 0 if it is not looked for.
    pub fn strength(&self, entity: Entity) -> u8 {
        self.strength.get(entity.index()).copied().unwrap_or(0)
    }
}

/// Something that looked like a value and was none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NearMiss {
    /// Where it stands.
    pub span: Span,
    /// The rule that would have recognised it.
    pub rule: RuleId,
    /// Why it did not.
    pub why: Why,
}

/// Why a candidate is no finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The check digit or check sum does not hold.
    Checksum,
    /// What stands around it says it is something else: a version, an OID, a longer number.
    Context,
    /// A field's name or a service's mark announces it, and it does not have the form of one.
    Form,
    /// A word or a short number behind a name that may as well begin a sentence or name a counter.
    Plain,
    /// Too short or too long.
    Length,
    /// A part of it is out of range: `256.1.2.3`.
    Range,
    /// Not random enough.
    Entropy,
    /// A placeholder, a variable or one of our own labels or pseudonyms.
    Placeholder,
    /// Covered by a longer finding or by one with a stronger action, or the rule of which stands first.
    Suppressed {
        /// The rule of the finding that stands in its place.
        by: RuleId,
    },
    /// The policy lets it stand.
    Allowed {
        /// By which of its lists.
        by: Allowed,
    },
}

/// How a rule's candidates are found, cheapest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// It has none of its own: a policy's line is asked at every field.
    Line,
    /// By the arithmetic of masks: digits, signs and word characters that stand as in its values.
    Shape,
    /// By the last letters of a key before a separator.
    Key,
    /// By a literal that begins a long run of token bytes.
    Mark,
    /// By a service's name before such a run.
    Service,
    /// By a literal where a word or a part of one begins.
    Literal,
    /// By a word near which a value is read.
    Word,
    /// By a literal at any place.
    Anywhere,
}

/// How many [`Rules`] were made.
static RULES_MADE: AtomicU64 = AtomicU64::new(0);

/// Compiled packs. Immutable; shared by all workers.
#[derive(Debug)]
pub struct Rules {
    /// No other rules of this process have it: what a worker remembers holds for these alone.
    number: u64,
    entities: Entities,
    rules: Vec<Rule>,
    by_parser: [Option<RuleId>; Parser::COUNT],
    names: Names,
    literals: Literals,
    /// The rules that take a record which is nothing but their value.
    alone: Vec<RuleId>,
    /// Files and texts of the packs beside the built-in ones.
    added: Vec<(Box<str>, Box<str>)>,
}

impl Rules {
    /// The packs that are compiled into the binary, without their descriptions and examples.
    pub fn builtin() -> Rules {
        let mut entities = Entities::builtin();
        let packs: Vec<_> = pack::builtin(&mut entities).collect();
        match Rules::gather(entities, packs) {
            Ok(rules) => rules,
            // Packs hold no record; a test loads them.
            Err(errors) => unreachable!("the built-in packs are valid: {errors:?}"),
        }
    }

    /// The packs that are compiled into the binary, with all that is written in them.
    pub fn builtin_in_full() -> Rules {
        match Rules::load(pack::BUILTIN) {
            Ok(rules) => rules,
            Err(errors) => unreachable!("the built-in packs are valid: {errors:?}"),
        }
    }

    /// The built-in packs, and more behind them, given as file name and text. All that is wrong with those is told at once.
    pub fn builtin_and(packs: &[(&str, &str)]) -> Result<Rules, Vec<PackError>> {
        let mut entities = Entities::builtin();
        let mut all: Vec<_> = pack::builtin(&mut entities).collect();
        all.extend(packs.iter().map(|(file, text)| (*file, pack::parse(file, text, &mut entities))));
        let added = packs.iter().map(|(file, text)| ((*file).into(), (*text).into())).collect();
        Ok(Rules { added, ..Rules::gather(entities, all)? })
    }

    /// The built-in packs, those that were added to these rules, and behind them what a policy declares, as JSON.
    pub fn and_declared(&self, file: &str, text: &str) -> Result<Rules, Vec<PackError>> {
        let mut entities = Entities::builtin();
        let mut all: Vec<_> = pack::builtin(&mut entities).collect();
        all.extend(self.added.iter().map(|(file, text)| (&**file, pack::parse(file, text, &mut entities))));
        all.push((file, pack::declared(file, text, &mut entities)));
        Ok(Rules { added: self.added.clone(), ..Rules::gather(entities, all)? })
    }

    /// The rule of this name.
    pub fn rule_named(&self, name: &str) -> Option<RuleId> {
        self.rules.iter().position(|rule| &*rule.name == name).map(|place| RuleId(place as u16))
    }

    /// Compiles packs, given as file name and text. All that is wrong with them is told at once.
    pub fn load(packs: &[(&str, &str)]) -> Result<Rules, Vec<PackError>> {
        let mut entities = Entities::builtin();
        let packs: Vec<_> =
            packs.iter().map(|(file, text)| (*file, pack::parse(file, text, &mut entities))).collect();
        Rules::gather(entities, packs)
    }

    /// Puts packs together, each with its file's name.
    fn gather(
        entities: Entities,
        packs: Vec<(&str, Result<pack::Pack, Vec<PackError>>)>,
    ) -> Result<Rules, Vec<PackError>> {
        let mut rules: Vec<Rule> = Vec::new();
        let mut names = Names::default();
        let mut errors = Vec::new();
        let mut known = HashSet::new();
        let mut parsers = HashSet::new();
        for pack in packs {
            let (file, read) = match pack {
                (file, Ok(read)) => (file, read),
                (_, Err(more)) => {
                    errors.extend(more);
                    continue;
                }
            };
            let first = rules.len();
            for (name, place) in &read.glued {
                names.add_glued(name, RuleId((first + place) as u16));
            }
            for name in &read.excepted {
                names.except(name);
            }
            for rule in read.rules {
                let mut refuse = |problem: &str| {
                    let (pack, rule) = (file.to_owned(), rule.name.to_string());
                    errors.push(PackError::Rule { pack, rule, problem: problem.to_owned() });
                };
                if !known.insert(rule.name.clone()) {
                    refuse("has another rule's name; give it one of its own");
                }
                if let Kind::Parser(parser) = rule.kind
                    && !parsers.insert(parser)
                {
                    refuse("another rule has this parser, which finds one entity; leave the rule out");
                }
                rules.push(rule);
            }
        }
        errors.extend(too_many(&rules));
        if errors.is_empty() { Ok(Rules::index(entities, rules, names)) } else { Err(errors) }
    }

    /// Builds what is looked up while searching.
    fn index(entities: Entities, rules: Vec<Rule>, mut names: Names) -> Rules {
        let mut by_parser = [None; Parser::COUNT];
        let mut alone = Vec::new();
        let mut literals: BTreeMap<(Vec<u8>, Place), Vec<Anchor>> = BTreeMap::new();
        let mut add = |text: &str, place: Place, anchor: Anchor| {
            let text = text.to_ascii_lowercase().into_bytes();
            let place = match place {
                Place::Part if !text[0].is_ascii_alphabetic() => Place::Free,
                Place::Token | Place::Service if !text[0].is_ascii_alphanumeric() => Place::Free,
                place => place,
            };
            literals.entry((text, place)).or_default().push(anchor);
        };
        anchor::BUILTIN.iter().for_each(|(text, place, anchor)| add(text, *place, *anchor));
        for (id, rule) in rules.iter().enumerate() {
            let id = RuleId(id as u16);
            match &rule.kind {
                Kind::Parser(parser) => by_parser[*parser as usize] = Some(id),
                Kind::Field(field) => field.keys.iter().for_each(|key| names.add(key, id)),
                Kind::Line => {}
                Kind::Near(near) => {
                    near.anchors.iter().for_each(|anchor| add(anchor, Place::Part, Anchor::Rule(id)));
                    alone.extend((near.alone != rule::Alone::Ignore).then_some(id));
                }
                Kind::Pattern(pattern) => {
                    let place = anchor_place(pattern);
                    pattern.anchors.iter().for_each(|anchor| add(anchor, place, Anchor::Rule(id)));
                }
            }
        }
        let literals = Literals::new(literals);
        let number = RULES_MADE.fetch_add(1, Ordering::Relaxed) + 1;
        Rules { number, entities, rules, by_parser, names, alone, literals, added: Vec::new() }
    }

    /// The entities that these rules know.
    pub fn entities(&self) -> &Entities {
        &self.entities
    }

    /// Every rule, in the order of their numbers.
    pub fn rules(&self) -> impl ExactSizeIterator<Item = (RuleId, &Rule)> {
        self.rules.iter().enumerate().map(|(id, rule)| (RuleId(id as u16), rule))
    }

    /// The rule.
    pub fn rule(&self, rule: RuleId) -> &Rule {
        &self.rules[usize::from(rule.0)]
    }

    /// Whether some rule lists a field of this name.
    pub fn is_field_name(&self, name: &[u8]) -> bool {
        !self.names.rules(name).is_empty()
    }

    /// How the rule's candidates are found.
    pub fn way(&self, rule: RuleId) -> Way {
        match &self.rule(rule).kind {
            Kind::Parser(_) => Way::Shape,
            Kind::Field(_) => Way::Key,
            Kind::Near(_) => Way::Word,
            Kind::Line => Way::Line,
            Kind::Pattern(pattern) => match anchor_place(pattern) {
                Place::Token => Way::Mark,
                Place::Service => Way::Service,
                Place::Part => Way::Literal,
                Place::Free => Way::Anywhere,
            },
        }
    }

    /// The rule's name, as packs write it.
    pub fn rule_name(&self, rule: RuleId) -> &str {
        &self.rule(rule).name
    }

    /// Appends the findings in `haystack` to `findings`, sorted and not overlapping. Linear in the haystack.
    pub fn find(&self, wanted: &Wanted, scratch: &mut Scratch, haystack: &[u8], findings: &mut Vec<Finding>) {
        let all = [Span::new(0, haystack.len())];
        let from = findings.len();
        self.find_all(wanted, scratch, haystack, &all, |_, found| findings.extend_from_slice(found));
        self.overrule(wanted, scratch, Within::Message, haystack, findings, from);
    }

    /// The same as [`Rules::find_all`] for haystacks that are messages, with what the policy's lines for fields and values
    /// say.
    pub fn find_in_messages(
        &self,
        wanted: &Wanted,
        scratch: &mut Scratch,
        buffer: &[u8],
        haystacks: &[Span],
        mut each: impl FnMut(usize, &[Finding]),
    ) {
        if !wanted.is_overruled() {
            return self.find_all(wanted, scratch, buffer, haystacks, each);
        }
        let mut all: Vec<(usize, Finding)> = Vec::new();
        self.find_all(wanted, scratch, buffer, haystacks, |place, found| {
            all.extend(found.iter().map(|finding| (place, *finding)));
        });
        let mut all = all.into_iter().peekable();
        let mut findings = Vec::new();
        for (place, haystack) in haystacks.iter().enumerate() {
            findings.clear();
            findings.extend(
                std::iter::from_fn(|| all.next_if(|(of, _)| *of == place)).map(|(_, finding)| finding),
            );
            self.overrule(wanted, scratch, Within::Message, &buffer[haystack.range()], &mut findings, 0);
            if !findings.is_empty() {
                each(place, &findings);
            }
        }
    }

    /// Changes the findings in `haystack`, which are `findings[from..]`, as the policy's lines for fields and values say.
    pub fn overrule(
        &self,
        wanted: &Wanted,
        scratch: &mut Scratch,
        within: Within,
        haystack: &[u8],
        findings: &mut Vec<Finding>,
        from: usize,
    ) {
        if let Some(overrule) = &wanted.overrule {
            let scratch = &mut scratch.overrule;
            overrule.apply(self, wanted, within, haystack, scratch, findings, from, |_, _| ());
        }
    }

    /// Calls `each` with the findings of every haystack that has some, in order: the haystack's place in `haystacks`,
    /// and spans within it, sorted and not overlapping. Linear in the buffer.
    ///
    /// `haystacks` are spans of `buffer`, in rising order, that do not overlap. A finding lies in one of them; only the
    /// lines of a private key's armour are told to be such by the haystack before. What a policy says of fields and values
    /// is not asked: [`Rules::overrule`] does that, a haystack at a time.
    pub fn find_all(
        &self,
        wanted: &Wanted,
        scratch: &mut Scratch,
        buffer: &[u8],
        haystacks: &[Span],
        each: impl FnMut(usize, &[Finding]),
    ) {
        sweep::sweep(self, wanted, scratch, buffer, haystacks, each);
    }

    /// What [`Rules::find`] finds, found by the plain matcher: its specification, slow.
    pub fn find_plainly(&self, wanted: &Wanted, haystack: &[u8], findings: &mut Vec<Finding>) {
        let from = findings.len();
        reference::Search { rules: self, wanted, haystack, findings, misses: None }.run();
        resolve::resolve(wanted, findings, from, |_| ());
        if let Some(overrule) = &wanted.overrule {
            let scratch = &mut overrule::Scratch::default();
            overrule.apply(self, wanted, Within::Message, haystack, scratch, findings, from, |_, _| ());
        }
    }

    /// What looked like a value in `haystack` and was none, in order of position.
    pub fn near_misses(&self, wanted: &Wanted, haystack: &[u8]) -> Vec<NearMiss> {
        let (mut findings, mut misses) = (Vec::new(), Vec::new());
        let findings_of = &mut findings;
        reference::Search { rules: self, wanted, haystack, findings: findings_of, misses: Some(&mut misses) }
            .run();
        let mut all_lost = Vec::new();
        resolve::resolve(wanted, &mut findings, 0, |lost| all_lost.push(lost));
        misses.extend(all_lost.into_iter().filter_map(|lost| {
            // Whoever beat it may have been beaten since; what is left has taken in the spans of all it beat.
            let next = findings.partition_point(|finding| finding.span.start <= lost.span.start);
            let by = findings[next.checked_sub(1)?].rule;
            Some(NearMiss { span: lost.span, rule: lost.rule, why: Why::Suppressed { by } })
        }));
        if let Some(overrule) = &wanted.overrule {
            overrule::near_misses(overrule, self, wanted, haystack, &mut findings, &mut misses);
        }
        misses.sort_by_key(|miss| (miss.span, miss.rule));
        misses.dedup();
        misses
    }

    /// Checks a rule against its own examples; the answer names those that fail.
    pub fn failing_examples(&self, rule: RuleId) -> Vec<&rule::Example> {
        let wanted = Wanted::new(vec![1; self.entities.len()]);
        let fails = |example: &&rule::Example| {
            let mut findings = Vec::new();
            let haystack = &example.text;
            reference::Search {
                rules: self,
                wanted: &wanted,
                haystack,
                findings: &mut findings,
                misses: None,
            }
            .run();
            findings.retain(|finding| finding.rule == rule);
            resolve::resolve(&wanted, &mut findings, 0, |_| ());
            findings.iter().map(|finding| finding.span).collect::<Vec<_>>() != example.expected
        };
        self.rule(rule).examples.iter().filter(fails).collect()
    }
}

/// What is wrong if tables cannot number all rules and literals.
fn too_many(rules: &[Rule]) -> Option<PackError> {
    let literals: usize = rules.iter().map(|rule| rule.kind.anchors().len()).sum();
    let counts = [("rules", rules.len()), ("anchors", literals + anchor::BUILTIN.len())];
    let (what, count) = counts.into_iter().find(|(_, count)| *count > limit::LITERALS_MAX)?;
    let problem = format!("{count} {what} are more than {}; leave some out", limit::LITERALS_MAX);
    Some(PackError::Syntax { pack: "packs".into(), problem })
}

#[cfg(test)]
mod notations;
/// Where a pattern's anchors are looked for.
fn anchor_place(pattern: &rule::PatternRule) -> Place {
    let begins_token = || pattern.follows.is_none() && pattern.leading_run >= anchor::TOKEN_BYTES;
    match pattern.reach {
        rule::Reach::Behind => Place::Service,
        rule::Reach::Over if pattern.lookback > 0 => Place::Free,
        rule::Reach::Over if begins_token() => Place::Token,
        rule::Reach::Over => Place::Part,
    }
}

#[cfg(test)]
mod tests;

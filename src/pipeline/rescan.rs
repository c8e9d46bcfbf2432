/*!
Looks at clean records once more, before anybody else has them.

The rules that are hardly ever wrong ([`Rule::is_certain`](crate::detect::rule::Rule::is_certain)) search what
[`process`](super::process) made, with the class's own policy. What they may find there is what the policy leaves: an
address that is truncated already, a mask, a value that a line lets stand. So a finding is a *hit* if the policy would
change it again. A record with a hit is withheld: a marker stands in its place, and nothing of it goes on.

It guards the way from findings to bytes: a span that was copied and should not have been, a rule that was not asked, a
line that says other than was meant. Both passes have the same parsers; what these do not know is found by neither.
A record that makes the search panic is withheld, too.

Cost: the clean batch is searched in one go, as the raw one was. Nothing is allocated once the buffers have grown.
*/

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::FAILED;
use crate::act::{Orders, Part, Pass, Redacted, State, Tally, splice};
use crate::action::{Action, Shape};
use crate::detect::overrule::Within;
use crate::detect::{Finding, RuleId, Rules, Scratch, Wanted};
use crate::entity::Entity;
use crate::mark;
use crate::policy::Policy;
use crate::record::{ClassId, Record, Tracking};
use crate::secret::Raw;
use crate::span::Span;
use crate::structure::decode;

/// Why a record is withheld.
const LEFT_IN: &str = "a value was left in it";

/// What is looked for in the clean records of each class. Immutable; shared by all workers.
#[derive(Clone, Debug)]
pub struct Rescan {
    /// Of each class, and behind them of those of its records that ask not to be tracked.
    wanted: Vec<Wanted>,
    /// By [`Entity::index`]: whether it is to leave in no record, also where a policy keeps it.
    never: Vec<bool>,
    nothing: Wanted,
}

/// What was found in clean records, and is withheld with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Class of the record.
    pub class: ClassId,
    /// What it is.
    pub entity: Entity,
    /// Which rule recognised it.
    pub rule: RuleId,
}

/// What a worker keeps from batch to batch.
#[derive(Debug, Default)]
pub struct Again {
    scratch: Scratch,
    state: State,
    haystacks: Vec<Span>,
    /// Of each haystack: the place of its record, and which part of it.
    parts: Vec<(usize, Within)>,
    /// Findings with the places of their haystacks.
    findings: Vec<(usize, Finding)>,
    /// Of one haystack.
    own: Vec<Finding>,
    text: Vec<u8>,
    /// Nobody asks what it counts.
    tally: Tally,
    /// Hits with the places of their records, in order.
    hits: Vec<(usize, Hit)>,
    /// Places of records that made the search panic, in order.
    failed: Vec<usize>,
}

impl Drop for Again {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.text);
    }
}

impl Again {
    /// What was found in the batch that was looked at last: one for each value, in order of the records.
    pub fn hits(&self) -> impl ExactSizeIterator<Item = Hit> + '_ {
        self.hits.iter().map(|(_, hit)| *hit)
    }

    /// How many of its records were withheld for them.
    pub fn withheld(&self) -> u64 {
        self.hits.chunk_by(|a, b| a.0 == b.0).count() as u64
    }
}

impl Rescan {
    /// Looks for what the policy does not leave, and for `never` whatever the policy says of it.
    pub fn new(policy: &Policy, never: &[Entity]) -> Rescan {
        let (rules, entities) = (policy.rules(), policy.rules().entities());
        let mut certain = vec![false; entities.len()];
        rules.rules().filter(|(_, rule)| rule.is_certain()).for_each(|(_, rule)| {
            certain[rule.entity.index()] = true;
        });
        let mut of = vec![false; entities.len()];
        never.iter().for_each(|entity| of[entity.index()] = true);
        let never = of;
        let wanted = |(wanted, actions): (&Wanted, &[Action])| {
            let can_be_told = |entity: Entity| certain[entity.index()] && !is_shaped(actions, entity);
            let is_never = |entity: Entity| never[entity.index()];
            wanted.only(can_be_told, entities).and(is_never, entities)
        };
        let loud = policy.classes().map(|class| wanted((policy.wanted(class), policy.actions(class))));
        let silent = policy.classes().map(|class| wanted(policy.silent(class)));
        let all = loud.chain(silent).collect();
        Rescan { wanted: all, never, nothing: Wanted::new(vec![0; entities.len()]) }
    }

    /// Gives the batch back as it is, or with a marker in the place of each record that has a hit, or cannot be searched,
    /// counted in `tally`. Afterwards `again` tells the hits.
    pub fn look(
        &self,
        policy: &Policy,
        again: &mut Again,
        redacted: Redacted,
        tally: &mut Tally,
    ) -> Redacted {
        again.hits.clear();
        again.failed.clear();
        let all = AssertUnwindSafe(|| self.look_through(policy, again, &redacted));
        if catch_unwind(all).is_err() {
            self.one_by_one(policy, again, &redacted);
        }
        if again.hits.is_empty() && again.failed.is_empty() {
            return redacted;
        }
        let clean = self.without(policy, again, &redacted);
        tally.withheld += again.withheld() + again.failed.len() as u64;
        tally.bytes_out = clean.text_len() as u64;
        clean
    }

    /// The common case: one guard around all records.
    fn look_through(&self, policy: &Policy, again: &mut Again, redacted: &Redacted) {
        let mut first = 0;
        let alike = |a: &Record, b: &Record| (a.class, a.tracking) == (b.class, b.tracking);
        for alike in redacted.records().chunk_by(alike) {
            self.look_in(policy, again, redacted.bytes(), alike, first);
            first += alike.len();
        }
    }

    /// One guard a record: it is not known to be clean where the search panics. What a panic leaves behind is not used again.
    fn one_by_one(&self, policy: &Policy, again: &mut Again, redacted: &Redacted) {
        *again = Again::default();
        for (place, record) in redacted.records().iter().enumerate() {
            let known = again.hits.len();
            let one = std::slice::from_ref(record);
            let one = AssertUnwindSafe(|| self.look_in(policy, again, redacted.bytes(), one, place));
            if catch_unwind(one).is_err() {
                let mut fresh = Again::default();
                again.hits.truncate(known);
                again.failed.push(place);
                std::mem::swap(&mut fresh.hits, &mut again.hits);
                std::mem::swap(&mut fresh.failed, &mut again.failed);
                *again = fresh;
            }
        }
    }

    /// Looks at records of one class, the first of which has the place `first`.
    fn look_in(&self, policy: &Policy, again: &mut Again, bytes: &[u8], records: &[Record], first: usize) {
        let orders = self.orders(policy, &records[0]);
        again.gather(records);
        let mut place = 0;
        for rising in again.haystacks.chunk_by(|a, b| a.end <= b.start) {
            let each = |of_run: usize, found: &[Finding]| {
                again.findings.extend(found.iter().map(|finding| (place + of_run, *finding)));
            };
            orders.rules.find_all(orders.wanted, &mut again.scratch, bytes, rising, each);
            place += rising.len();
        }
        let findings = std::mem::take(&mut again.findings);
        for of_one in findings.chunk_by(|a, b| a.0 == b.0) {
            let (of_record, within) = again.parts[of_one[0].0];
            let haystack = &bytes[again.haystacks[of_one[0].0].range()];
            again.own.clear();
            again.own.extend(of_one.iter().map(|(_, finding)| *finding));
            orders.rules.overrule(orders.wanted, &mut again.scratch, within, haystack, &mut again.own, 0);
            self.judge(&orders, again, haystack, within, first + of_record);
        }
        again.findings = findings;
        again.findings.clear();
    }

    /// Notes which of the findings in `again.own` are hits.
    fn judge(&self, orders: &Orders<'_>, again: &mut Again, haystack: &[u8], within: Within, place: usize) {
        let own = std::mem::take(&mut again.own);
        let is_never = |finding: &Finding| self.never[finding.entity.index()];
        // Nearly always all that is found is what the policy leaves.
        if own.iter().any(is_never) || again.changes(orders, haystack, within, &own) {
            for finding in &own {
                let class = orders.class;
                if let Some((entity, rule)) = self.hit(orders, again, haystack, within, finding) {
                    again.hits.push((place, Hit { class, entity, rule }));
                }
            }
        }
        again.own = own;
    }

    /// What a finding is, if it is a hit.
    fn hit(
        &self,
        orders: &Orders<'_>,
        again: &mut Again,
        haystack: &[u8],
        within: Within,
        finding: &Finding,
    ) -> Option<(Entity, RuleId)> {
        let rules = orders.rules;
        if again.is_own(rules, haystack, finding) {
            return None;
        }
        if self.never[finding.entity.index()] {
            return Some((finding.entity, finding.rule));
        }
        if !again.changes(orders, haystack, within, std::slice::from_ref(finding)) {
            return None;
        }
        if rules.rule(finding.rule).is_certain() {
            return Some((finding.entity, finding.rule));
        }
        // A rule that may be wrong took the whole of it; alone, nothing around it speaks for it any more.
        let value = &haystack[finding.span.range()];
        let inner = again.certain_in(rules, orders.wanted, value)?;
        Some((inner.entity, inner.rule))
    }

    /// What the class's policy would do. Without a key what it would pseudonymize is redacted, which changes it all the same.
    fn orders<'a>(&'a self, policy: &'a Policy, record: &Record) -> Orders<'a> {
        let class = usize::from(record.class.0);
        let (place, actions) = match record.tracking {
            Tracking::Unsaid => (class, policy.actions(record.class)),
            Tracking::Refused => (self.wanted.len() / 2 + class, policy.silent(record.class).1),
        };
        let (wanted, rules) = (&self.wanted[place], policy.rules());
        Orders { class: record.class, rules, wanted, actions, key: None, suppressed: None, table: None }
    }

    /// The batch with a marker in the place of each record that has a hit or failed.
    fn without(&self, policy: &Policy, again: &mut Again, redacted: &Redacted) -> Redacted {
        let bytes = Raw::new(redacted.bytes().to_vec());
        let mut pass = Pass::new(&bytes, redacted.received(), redacted.names().clone());
        pass.reserve(bytes.len(), redacted.len());
        let copies: Vec<Orders<'_>> = (0..self.wanted.len()).map(|_| self.copying(policy)).collect();
        let mut hits = again.hits.chunk_by(|a, b| a.0 == b.0).map(|of_one| of_one[0].0).peekable();
        for (place, record) in redacted.records().iter().enumerate() {
            if hits.next_if_eq(&place).is_some() {
                pass.withhold(record, LEFT_IN, &mut again.tally);
            } else if again.failed.binary_search(&place).is_ok() {
                pass.withhold(record, FAILED, &mut again.tally);
            } else {
                pass.records(&copies, &mut again.state, std::slice::from_ref(record), &mut again.tally);
            }
        }
        pass.finish()
    }

    /// Orders that let everything stand.
    fn copying<'a>(&'a self, policy: &'a Policy) -> Orders<'a> {
        let (wanted, rules, actions) = (&self.nothing, policy.rules(), &[][..]);
        Orders { class: ClassId(0), rules, wanted, actions, key: None, suppressed: None, table: None }
    }
}

impl Again {
    /// Notes every part of `records` that carries text.
    fn gather(&mut self, records: &[Record]) {
        self.haystacks.clear();
        self.parts.clear();
        for (place, record) in records.iter().enumerate() {
            let mut record = *record;
            for (part, within) in record.parts_mut().into_iter().zip(WITHIN) {
                if !part.is_empty() {
                    self.haystacks.push(*part);
                    self.parts.push((place, within));
                }
            }
        }
    }

    /// Whether acting on the findings changes the text.
    fn changes(&mut self, orders: &Orders<'_>, text: &[u8], within: Within, findings: &[Finding]) -> bool {
        if findings.is_empty() {
            return false;
        }
        let part = match within {
            Within::Word => Part::Header,
            Within::Structured => Part::Structured,
            Within::Message => Part::Message,
        };
        self.text.clear();
        splice(orders, &mut self.state, part, text, findings, &mut self.text, &mut self.tally);
        self.text != text
    }

    /// Whether a finding is what stands in a value's place.
    fn is_own(&mut self, rules: &Rules, haystack: &[u8], finding: &Finding) -> bool {
        decode(&haystack[finding.span.range()], finding.form, &mut self.text);
        mark::is_ours(rules.entities(), haystack, finding.span) || mark::is_own(rules.entities(), &self.text)
    }

    /// What a certain rule finds in a value that stands alone.
    fn certain_in(&mut self, rules: &Rules, wanted: &Wanted, value: &[u8]) -> Option<Finding> {
        let (mut found, all) = (None, [Span::new(0, value.len())]);
        rules.find_all(wanted, &mut self.scratch, value, &all, |_, findings| {
            found = findings.iter().find(|finding| rules.rule(finding.rule).is_certain()).copied();
        });
        found
    }
}

/// What the parts are, in the order of [`Record::parts_mut`].
const WITHIN: [Within; 6] =
    [Within::Word, Within::Word, Within::Word, Within::Word, Within::Structured, Within::Message];

/// Whether a value of the entity cannot be told from what stands in one's place: its own pseudonym looks like it, or it is
/// made of digits, and so are pseudonyms of others.
fn is_shaped(actions: &[Action], entity: Entity) -> bool {
    let shape = |action: &Action| match action {
        Action::Pseudonymize { shape } => Some(*shape),
        _ => None,
    };
    let any_of_digits = || actions.iter().any(|action| shape(action) == Some(Shape::Digits));
    let is_of_digits = entity == Entity::CARD;
    match actions.get(entity.index()).and_then(shape) {
        Some(Shape::Ip | Shape::Digits) => true,
        _ => is_of_digits && any_of_digits(),
    }
}

#[cfg(test)]
mod tests;

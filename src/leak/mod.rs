/*!
The leak audit: what a store holds that should not be there.

A record that was stored is searched again, twice: as its class's policy says, since
what is found must be what the policy leaves (a label, a tag, a network, a mask), and for
what no log should hold whatever a policy says: private keys, cards, tokens of vendors.
A finding that the same policy would change again is a leak. Pseudonyms of other shapes
are recognised where they can be. An address or number that one was shaped into looks like
a raw one; under the keys that served at its record's receipt it stands for some value, as
any does. Where that value is one that the policy would have found in that place, nobody can
tell, and it is counted as unclear; where it is not, it was never a pseudonym: a leak. Where the key that served may be gone,
or another version of the policy handled the record, nobody can tell either.

[`Incidents`] is the register of what was found, with 72 hours for each.
*/

mod incidents;

pub use incidents::{Incident, Incidents, Seen};

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::act::{Envelope, Orders, Part, State, Tally, original, splice};
use crate::action::{Action, Shape};
use crate::clock::Timestamp;
use crate::detect::{Finding, RuleId, Scratch, Wanted};
use crate::entity::Entity;
use crate::keys::belief::add;
use crate::keys::{EpochKey, KeyId};
use crate::limit::{TEND_EVERY, TOLD_APART_MAX};
use crate::mark;
use crate::policy::Policy;
use crate::record::ClassId;
use crate::secret::Secret;
use crate::structure::decode;
use crate::vault::LiveKey;

/// Values of one entity in one class that should not be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leak {
    /// The rule that found the first of them.
    pub rule: String,
    /// Records that hold one.
    pub records: u64,
    /// Receive time of the first such record.
    pub first: Timestamp,
    /// Receive time of the last.
    pub last: Timestamp,
}

/// Class and entity, by name.
pub type Kind = (String, String);

/// Looks through records, one after the other.
pub struct Audit<'a> {
    policy: &'a Policy,
    /// What no log should hold.
    never: Arc<Wanted>,
    /// The keys whose pseudonyms may stand in records, where they are there.
    live: &'a [LiveKey],
    /// Nothing that it makes is kept: it shows what a policy would still change.
    key: EpochKey,
    scratch: Scratch,
    state: State,
    findings: Vec<Finding>,
    /// Of a text, those that the policy is to say of whether it would change them.
    open: Vec<Finding>,
    /// Findings in a text with another value in it.
    others: Vec<Finding>,
    again: Vec<u8>,
    /// What the record in hand holds.
    here: Vec<(Entity, RuleId)>,
    /// Of its values that may be pseudonyms, how many were looked at more closely.
    told_apart: usize,
    /// Nobody asks what it counts.
    tally: Tally,
    leaks: BTreeMap<Kind, Leak>,
    unclear: u64,
    records: u64,
}

/// What a finding in a stored record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Clean,
    Unclear,
    Leak,
    /// Clean if the policy leaves it as it is.
    Open,
}

impl<'a> Audit<'a> {
    /// By this policy: the one that the store's records were handled by.
    pub fn new(policy: &'a Policy) -> Audit<'a> {
        let entities = policy.rules().entities();
        let strength = entities.iter().map(|entity| u8::from(is_never_logged(entities.name(entity))));
        Audit {
            policy,
            never: Arc::new(Wanted::new(strength.collect())),
            live: &[],
            key: EpochKey::new(KeyId(*b"kaaaa"), &Secret::new(vec![0; 32])),
            scratch: Scratch::default(),
            state: State::default(),
            findings: Vec::new(),
            open: Vec::new(),
            others: Vec::new(),
            again: Vec::new(),
            here: Vec::new(),
            told_apart: 0,
            tally: Tally::default(),
            leaks: BTreeMap::new(),
            unclear: 0,
            records: 0,
        }
    }

    /// The same, with the keys that records were handled under.
    pub fn under(self, live: &'a [LiveKey]) -> Audit<'a> {
        Audit { live, ..self }
    }

    /// Looks through one stored record.
    pub fn look(&mut self, envelope: &Envelope<'_>) {
        self.records += 1;
        self.here.clear();
        self.told_apart = 0;
        let class = self.policy.class_named(envelope.class).unwrap_or(ClassId(0));
        for (part, text) in [
            (Part::Header, envelope.host),
            (Part::Header, envelope.app),
            (Part::Header, envelope.procid),
            (Part::Header, envelope.msgid),
            (Part::Structured, envelope.structured),
            (Part::Message, envelope.message),
        ] {
            if !text.is_empty() {
                self.look_in(envelope, class, part, text);
            }
        }
        let (received, rules) = (envelope.received, self.policy.rules());
        for (entity, rule) in &self.here {
            let (entity, rule) =
                (rules.entities().name(*entity).to_owned(), rules.rule_name(*rule).to_owned());
            let first = Leak { rule, records: 0, first: received, last: received };
            let leak = self.leaks.entry((envelope.class.to_owned(), entity)).or_insert(first);
            leak.records += 1;
            (leak.first, leak.last) = (leak.first.min(received), leak.last.max(received));
        }
    }

    /// What should not be there, by class and entity.
    pub fn leaks(&self) -> &BTreeMap<Kind, Leak> {
        &self.leaks
    }

    /// Values that may be pseudonyms or raw, and nobody can tell.
    pub fn unclear(&self) -> u64 {
        self.unclear
    }

    /// Records that were looked through.
    pub fn records(&self) -> u64 {
        self.records
    }

    fn look_in(&mut self, envelope: &Envelope<'_>, class: ClassId, part: Part, text: &[u8]) {
        let (policy, never) = (self.policy, Arc::clone(&self.never));
        for wanted in [policy.wanted(class), &never] {
            let mut findings = std::mem::take(&mut self.findings);
            findings.clear();
            policy.rules().find(wanted, &mut self.scratch, text, &mut findings);
            for finding in &findings {
                match self.verdict(class, text, finding) {
                    Verdict::Clean => {}
                    Verdict::Open => self.open.push(*finding),
                    Verdict::Leak => self.note(finding),
                    Verdict::Unclear => match self.tell_apart(envelope, class, text, finding) {
                        Verdict::Leak => self.note(finding),
                        _ => self.unclear += 1,
                    },
                }
            }
            self.findings = findings;
            self.close(class, part, text);
        }
    }

    /// Asks the policy of what is open: of all values of an entity together, for it nearly always leaves them alone, and a
    /// text that is full of them is not to be gone through once for each.
    fn close(&mut self, class: ClassId, part: Part, text: &[u8]) {
        let mut open = std::mem::take(&mut self.open);
        open.sort_by_key(|finding| finding.entity.index());
        for of_one in open.chunk_by(|a, b| a.entity == b.entity) {
            if self.holds(of_one[0].entity) || !self.changes(class, part, text, of_one) {
                continue;
            }
            // The first of those that it changes.
            let mut some = of_one;
            while some.len() > 1 {
                let (one, other) = some.split_at(some.len() / 2);
                some = if self.changes(class, part, text, one) { one } else { other };
            }
            self.note(&some[0]);
        }
        open.clear();
        self.open = open;
    }

    fn holds(&self, entity: Entity) -> bool {
        self.here.iter().any(|(known, _)| *known == entity)
    }

    fn note(&mut self, leak: &Finding) {
        if !self.holds(leak.entity) {
            self.here.push((leak.entity, leak.rule));
        }
    }

    /// Whether an address or number can be a pseudonym of that shape: of a value that would have been found where it stands.
    fn tell_apart(
        &mut self,
        envelope: &Envelope<'_>,
        class: ClassId,
        text: &[u8],
        finding: &Finding,
    ) -> Verdict {
        let handled_by = &*self.policy.names().policy;
        let name = handled_by.split('@').next().unwrap_or(handled_by);
        let served = |key: &&LiveKey| {
            // One that took the place of another serves from the next batch on.
            let since = if key.created < key.from { key.from } else { add(key.created, TEND_EVERY) };
            let of = (&*key.policy, &*key.class);
            of == (name, envelope.class) && since <= envelope.received && envelope.received < key.until
        };
        let (live, action) = (self.live, self.policy.action(class, finding.entity));
        let mut keys = live.iter().filter(served).peekable();
        // A value with escapes in it has more spellings than can be tried.
        let is_spelled = finding.form.percent > 0 || finding.form.json > 1;
        self.told_apart += 1;
        let is_one_too_many = self.told_apart > TOLD_APART_MAX;
        if keys.peek().is_none() || envelope.policy != handled_by || is_spelled || is_one_too_many {
            return Verdict::Unclear;
        }
        let value = &text[finding.span.range()];
        let entities = self.policy.rules().entities();
        for key in keys {
            let Some(was) = original(entities, finding.entity, action, &key.key, value) else {
                return Verdict::Unclear;
            };
            if self.would_be_found(class, text, finding, &was) {
                return Verdict::Unclear;
            }
        }
        Verdict::Leak
    }

    /// Whether the policy would have found `was` where the finding is.
    fn would_be_found(&mut self, class: ClassId, text: &[u8], finding: &Finding, was: &[u8]) -> bool {
        let address = std::str::from_utf8(was).ok().and_then(|text| text.parse::<IpAddr>().ok());
        if address.is_some_and(|address| !is_in_use(address)) {
            return false;
        }
        let (start, end) = (finding.span.start, finding.span.end);
        self.again.clear();
        self.again.extend([&text[..start], was, &text[end..]].into_iter().flatten());
        self.others.clear();
        let rules = self.policy.rules();
        rules.find(self.policy.wanted(class), &mut self.scratch, &self.again, &mut self.others);
        let there = start..start + was.len();
        self.others.iter().any(|other| other.span.start < there.end && there.start < other.span.end)
    }

    fn verdict(&mut self, class: ClassId, text: &[u8], finding: &Finding) -> Verdict {
        let entities = self.policy.rules().entities();
        let value = &text[finding.span.range()];
        decode(value, finding.form, &mut self.again);
        if mark::is_ours(entities, text, finding.span) || mark::is_own(entities, &self.again) {
            return Verdict::Clean;
        }
        match self.policy.action(class, finding.entity) {
            Action::Keep if is_never_logged(entities.name(finding.entity)) => Verdict::Leak,
            Action::Keep => Verdict::Clean,
            Action::Pseudonymize { shape: Shape::Ip | Shape::Digits } => Verdict::Unclear,
            _ if value.is_empty() => Verdict::Leak,
            _ => Verdict::Open,
        }
    }

    /// Whether the policy would change these values, or one of them.
    fn changes(&mut self, class: ClassId, part: Part, text: &[u8], findings: &[Finding]) -> bool {
        let orders = Orders {
            class,
            rules: self.policy.rules(),
            wanted: self.policy.wanted(class),
            actions: self.policy.actions(class),
            key: Some(&self.key),
            suppressed: None,
            table: None,
        };
        self.again.clear();
        splice(&orders, &mut self.state, part, text, findings, &mut self.again, &mut self.tally);
        self.again != text
    }
}

impl std::fmt::Debug for Audit<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Audit").field("leaks", &self.leaks).finish_non_exhaustive()
    }
}

/// Whether the address may be somebody's: IPv4 that is not reserved (RFC 6890: 0/8 and 240/4), IPv6 that is given out or
/// of special use. What is left is 13 in 14 addresses of IPv4, and one in seven of IPv6.
fn is_in_use(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            address.is_unspecified() || address.is_broadcast() || !matches!(address.octets()[0], 0 | 240..)
        }
        IpAddr::V6(address) => {
            let first = address.segments()[0];
            first >> 13 == 1 || matches!(first, 0 | 0x64 | 0x100) || first >= 0xfc00
        }
    }
}

/// What no log should hold whatever its policy says, and what rules find by its own form: they are hardly ever wrong.
fn is_never_logged(entity: &str) -> bool {
    let named = ["card", "connection_string", "jwt", "password_hash", "private_key", "signed_url"];
    let by_vendor = ["_key", "_token", "_secret"].iter().any(|end| entity.ends_with(end));
    named.contains(&entity) || (by_vendor && entity != "api_key")
}

#[cfg(test)]
mod tests;

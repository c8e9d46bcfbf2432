/*!
What stands for a subject in stores, and the search for it in one record.

Each text is a pseudonym or an encrypted value under one live key, or the value
itself. All of them are looked for at once, by one automaton, linear in the record.
*/

use aho_corasick::{AhoCorasick, MatchKind};
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::IpAddr;

use super::identifier::Identifier;
use super::{Error, Subject};
use crate::act::{Certainty, Envelope, trace};
use crate::action::{Action, Domain, Shape};
use crate::clock::Timestamp;
use crate::entity::Entity;
use crate::policy::Policy;
use crate::vault::LiveKey;

/// How sure it is that a record is the subject's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hit {
    /// It holds something that looks like the subject's, and may be anybody's.
    Alike,
    /// It holds what stands for the subject and for nobody else.
    Certain,
}

/// What of a subject can be found in a class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// Retention class.
    pub class: String,
    /// The entity's name.
    pub entity: String,
    /// What the policy does with it.
    pub action: &'static str,
    /// Whether it can be found, and how.
    pub finds: Finds,
}

/// Whether something of a subject can be found in a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finds {
    /// By what is computed under so many live keys.
    ByKeys(usize),
    /// As it is: the policy keeps it.
    AsItIs,
    /// Not at all, and why.
    Not(&'static str),
}

/// What is looked for.
#[derive(Debug)]
pub struct Sought {
    automaton: AhoCorasick,
    texts: Vec<Text>,
    reach: Vec<Reach>,
}

/// What is known of a text; the automaton has the text itself.
#[derive(Debug)]
struct Text {
    hit: Hit,
    /// The class and the receive times in which it stands for the subject; everywhere without this.
    scope: Option<(String, Timestamp, Timestamp)>,
    edges: Edges,
}

/// What may not stand next to a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Edges {
    /// More of a word.
    Word,
    /// More of a word or of a number with dots.
    Number,
    /// More of a word, or of an address: dots, pluses, dashes.
    Address,
}

impl Sought {
    /// What stands for a subject under these keys. Every live key counts, whichever policy it was made for: records
    /// outlive changes of a policy.
    pub fn new(subject: &Subject, policy: &Policy, keys: &[LiveKey]) -> Result<Sought, Error> {
        let mut gathered = Gathered::default();
        for identifier in subject.identifiers() {
            gathered.plain(identifier);
            for key in keys {
                gathered.keyed(identifier, policy, key);
            }
        }
        let (patterns, texts): (Vec<Vec<u8>>, Vec<Text>) = gathered.texts.into_iter().unzip();
        let automaton = AhoCorasick::builder().match_kind(MatchKind::Standard).build(&patterns);
        let automaton = automaton
            .map_err(|_| Error::TooMany { count: patterns.len(), max: crate::limit::SUBJECT_VALUES_MAX })?;
        Ok(Sought { automaton, texts, reach: reach(subject, policy, keys) })
    }

    /// What can be found in which class, and what cannot.
    pub fn reach(&self) -> &[Reach] {
        &self.reach
    }

    /// Whether the record holds something of the subject.
    pub fn hit(&self, envelope: &Envelope<'_>) -> Option<Hit> {
        let parts = [
            envelope.message,
            envelope.structured,
            envelope.host,
            envelope.app,
            envelope.procid,
            envelope.msgid,
        ];
        parts.into_iter().filter_map(|part| self.hit_in(envelope, part)).max()
    }

    /// The same for a line of which neither class nor receive time is told: what would stand for the subject in one class
    /// and time alone only looks alike there, anyway.
    pub fn hit_line(&self, line: &[u8]) -> Option<Hit> {
        let found = self.automaton.find_overlapping_iter(line).filter_map(|found| {
            let text = &self.texts[found.pattern().as_usize()];
            text.edges.hold(line, found.start(), found.end()).then_some(text.hit)
        });
        found.max()
    }

    /// The same for what a store gives out: every text and number in an object of JSON as it is without escapes, or a line.
    pub fn hit_given(&self, text: &[u8]) -> Option<Hit> {
        match serde_json::from_slice(text) {
            Ok(value @ Value::Object(_)) => self.hit_value(&value),
            Ok(_) | Err(_) => self.hit_line(text),
        }
    }

    fn hit_value(&self, value: &Value) -> Option<Hit> {
        match value {
            Value::Object(members) => members.values().filter_map(|value| self.hit_value(value)).max(),
            Value::Array(values) => values.iter().filter_map(|value| self.hit_value(value)).max(),
            Value::String(text) => self.hit_line(text.as_bytes()),
            Value::Number(number) => self.hit_line(number.to_string().as_bytes()),
            Value::Bool(_) | Value::Null => None,
        }
    }

    fn hit_in(&self, envelope: &Envelope<'_>, part: &[u8]) -> Option<Hit> {
        let found = self.automaton.find_overlapping_iter(part).filter_map(|found| {
            let text = &self.texts[found.pattern().as_usize()];
            let in_scope = text.scope.as_ref().is_none_or(|(class, from, until)| {
                class == envelope.class && *from <= envelope.received && envelope.received < *until
            });
            (in_scope && text.edges.hold(part, found.start(), found.end())).then_some(text.hit)
        });
        found.max()
    }
}

impl Edges {
    fn hold(self, part: &[u8], start: usize, end: usize) -> bool {
        let before = part[..start].last().copied();
        let (after, then) = (part.get(end).copied(), part.get(end + 1).copied());
        let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80;
        // The letter of an escape, as in `\njane@…`, is no part of what follows.
        let escaped = start >= 2 && part[start - 2] == b'\\' && before.is_some_and(|b| b"nrtbf".contains(&b));
        let free_before = escaped || before.is_none_or(|byte| !word(byte));
        let free_after = after.is_none_or(|byte| !word(byte));
        let goes_on = |of: &[u8]| after.is_some_and(|b| of.contains(&b)) && then.is_some_and(word);
        let comes_from = |of: &[u8]| before.is_some_and(|b| of.contains(&b));
        free_before
            && free_after
            && match self {
                Edges::Word => true,
                Edges::Number => !goes_on(b".") && !comes_from(b".") && !goes_on(b":") && !comes_from(b":"),
                Edges::Address => !goes_on(b".-@") && !comes_from(b".+-%"),
            }
    }
}

#[derive(Default)]
struct Gathered {
    /// By text, so that none is looked for twice; the surer one stays.
    texts: BTreeMap<Vec<u8>, Text>,
}

impl Gathered {
    fn add(&mut self, text: Vec<u8>, what: Text) {
        if text.is_empty() {
            return;
        }
        match self.texts.get(&text) {
            Some(known) if known.hit >= what.hit => {}
            _ => {
                self.texts.insert(text, what);
            }
        }
    }

    /// The value as it is, wherever it stands.
    fn plain(&mut self, identifier: &Identifier) {
        let (hit, edges) = match identifier.kind() {
            "email" => (Hit::Certain, Edges::Address),
            "phone" | "token" => (Hit::Certain, Edges::Word),
            _ => match identifier.address() {
                // What a policy truncates reads like the address of which nothing had to be cut.
                Some(address) if is_network(address) => (Hit::Alike, Edges::Number),
                Some(_) => (Hit::Certain, Edges::Number),
                // A name or a number stands for many things.
                None => (Hit::Alike, Edges::Word),
            },
        };
        let mut forms = vec![identifier.value().to_vec()];
        if let Some(address) = identifier.address() {
            forms.push(address.to_string().into_bytes());
        }
        if identifier.kind() == "email" {
            let mut lower = identifier.value().to_vec();
            let at = lower.iter().rposition(|&b| b == b'@').unwrap_or(0);
            lower[at..].make_ascii_lowercase();
            forms.push([&lower[..at], b"%40", &lower[at + 1..]].concat());
            forms.push(lower);
        }
        for form in forms {
            self.add(form, Text { hit, scope: None, edges });
        }
    }

    /// What stands in its place under a key: by today's policy, and by any other in which it is nobody else's.
    fn keyed(&mut self, identifier: &Identifier, policy: &Policy, key: &LiveKey) {
        let class = policy.class_named(&key.class);
        for &entity in identifier.entities() {
            let today = class.map(|class| policy.action(class, entity));
            for action in SURE.iter().copied().chain(today) {
                self.traced(identifier, policy, key, entity, action);
            }
        }
    }

    fn traced(
        &mut self,
        identifier: &Identifier,
        policy: &Policy,
        key: &LiveKey,
        entity: Entity,
        action: Action,
    ) {
        if matches!(action, Action::Pseudonymize { shape: Shape::Table { .. } }) {
            return;
        }
        let entities = policy.rules().entities();
        let Some(trace) = trace(entities, entity, action, &key.key, identifier.value()) else { return };
        let scope = Some((key.class.clone(), key.from, key.until));
        let what = match trace.certainty {
            Certainty::Certain => Text { hit: Hit::Certain, scope: None, edges: Edges::Word },
            Certainty::LooksAlike => Text { hit: Hit::Alike, scope, edges: Edges::Number },
        };
        self.add(trace.text, what);
    }
}

/// Actions of which a trace is nobody else's.
const SURE: [Action; 5] = [
    Action::Pseudonymize { shape: Shape::Tag },
    Action::Pseudonymize { shape: Shape::Uuid },
    Action::Pseudonymize { shape: Shape::Email { domain: Domain::Keep } },
    Action::Pseudonymize { shape: Shape::Email { domain: Domain::Pseudonymize } },
    Action::Encrypt,
];

/// Whether the address is that of a network, too: its last byte, or all behind the first 48 bits, is zero.
fn is_network(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.octets()[3] == 0,
        IpAddr::V6(address) => address.octets()[6..].iter().all(|&byte| byte == 0),
    }
}

/// Class by class, what of the subject can be found.
fn reach(subject: &Subject, policy: &Policy, keys: &[LiveKey]) -> Vec<Reach> {
    let mut reach: Vec<Reach> = Vec::new();
    for class in policy.classes() {
        let name = policy.class_name(class);
        let live = keys.iter().filter(|key| key.class == name).count();
        for identifier in subject.identifiers() {
            let address = identifier.address();
            for &entity in identifier.entities() {
                if address.is_some_and(|address| (entity == Entity::IPV4) != address.is_ipv4()) {
                    continue;
                }
                let action = policy.action(class, entity);
                let (class, entity) = (name.to_owned(), policy.rules().entities().name(entity).to_owned());
                let line = Reach { class, entity, action: action.name(), finds: finds(action, live) };
                if !reach.contains(&line) {
                    reach.push(line);
                }
            }
        }
    }
    reach
}

fn finds(action: Action, live: usize) -> Finds {
    match action {
        Action::Keep => Finds::AsItIs,
        Action::Pseudonymize { shape: Shape::Table { .. } } => Finds::Not(
            "drawn from the table of sessions: while the program that drew it knows it, it says so (POST /v1/sessions/find), and --token finds that; afterwards nothing leads there",
        ),
        Action::Pseudonymize { .. } | Action::Encrypt if live == 0 => {
            Finds::Not("no key of this class is live: its pseudonyms belong to nobody any more")
        }
        Action::Pseudonymize { .. } | Action::Encrypt => Finds::ByKeys(live),
        Action::Truncate { .. } => {
            Finds::Not("truncated: what is left is shared by many, and nobody is found by it")
        }
        Action::Generalize { .. } => Finds::Not("generalized: what is left is shared by many"),
        Action::Mask { .. } => Finds::Not("masked: what is left is shared by many"),
        Action::Redact { .. } => Finds::Not("redacted: nothing of it is stored"),
        Action::DropField => Finds::Not("removed with its field: nothing of it is stored"),
        Action::DropRecord => Finds::Not("such records are not stored"),
    }
}

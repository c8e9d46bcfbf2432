/*!
What a policy says of fields and values, over what rules find.

Three things, each optional:

- *fields*: lines by name or path. The first that fits decides: the field's
  value is a finding whatever it holds, or it stands whatever was found in it.
- *only*: the fields that alone may pass. Where a text is not fields from end to
  end, nothing of it is in a listed field, so all of it is a finding: it fails
  closed.
- *stand*: values, networks and cards that are left alone.

It works on the findings of one text, behind both matchers, so whoever searches
with a [`Wanted`] has it: filter, proxy, scan and explanation alike. A policy
without such lines has no [`Overrule`], and pays one look at an empty option a
batch.
*/

use std::net::IpAddr;

use super::fields::is_placeholder;
use super::{Finding, NearMiss, RuleId, Rules, Wanted, Why, resolve};
use crate::entity::Entity;
use crate::mark;
use crate::span::Span;
use crate::structure::field::{self, After, LastRun};
use crate::structure::path::{Path, Pattern};
use crate::structure::walk::{self, Value, Way};
use crate::structure::{self, Form, json};

/// What overrules the rules in one class.
#[derive(Clone, Debug, Default)]
pub struct Overrule {
    /// Lines for fields; the first that fits decides.
    pub fields: Vec<FieldLine>,
    /// The fields that alone may pass.
    pub only: Option<Only>,
    /// What is left alone.
    pub stand: Stand,
}

/// A line for the fields that fit a pattern.
#[derive(Clone, Debug)]
pub struct FieldLine {
    /// Which fields.
    pub pattern: Pattern,
    /// What their values are.
    pub verdict: Verdict,
}

/// What a field's value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing in it is a finding.
    Stands,
    /// It is a finding.
    Found {
        /// The line's own rule.
        rule: RuleId,
        /// What it counts as.
        entity: Entity,
        /// Whether an array or object is one finding, or each value in it.
        whole: Whole,
    },
}

/// What an array or object under a field is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whole {
    /// One finding.
    Yes,
    /// Each value in it is one.
    No,
}

/// The fields that alone may pass, by whole paths.
#[derive(Clone, Debug)]
pub struct Only {
    /// Those that are listed.
    pub fields: Vec<Pattern>,
    /// The rule that finds the others.
    pub rule: RuleId,
    /// What the others count as.
    pub entity: Entity,
}

/// What is left alone though a rule finds it.
#[derive(Clone, Debug, Default)]
pub struct Stand {
    /// Values, in lower case.
    pub values: Vec<Box<[u8]>>,
    /// Networks whose addresses stand.
    pub networks: Vec<Network>,
    /// Card numbers, digits alone.
    pub cards: Vec<Box<[u8]>>,
}

/// Addresses with the same leading bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: u128,
    prefix: u8,
}

impl Network {
    /// Reads `203.0.113.0/24`, `2001:db8::/32` or one address.
    pub fn parse(text: &str) -> Option<Network> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix.parse::<u8>().ok()?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.unwrap_or(bits);
        (prefix <= bits).then(|| Network { address: wide(address), prefix: prefix + (128 - bits) })
    }

    /// Whether every address of `other` lies in it.
    pub fn covers(self, other: Network) -> bool {
        let mask = u128::MAX.checked_shl(128 - u32::from(self.prefix)).unwrap_or(0);
        self.prefix <= other.prefix && (self.address ^ other.address) & mask == 0
    }

    /// Whether the address lies in it. An IPv4 address is the same in its own form and inside IPv6.
    pub fn holds(self, address: IpAddr) -> bool {
        let mask = u128::MAX.checked_shl(128 - u32::from(self.prefix)).unwrap_or(0);
        (self.address ^ wide(address)) & mask == 0
    }
}

/// IPv4 as IPv6 (RFC 4291, section 2.5.5.2).
fn wide(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// Which part of a record a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Within {
    /// One word of the envelope: fields have no meaning in it.
    Word,
    /// Structured data (RFC 5424, section 6.3).
    Structured,
    /// What was said.
    Message,
}

/// What lets a finding stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// A value of the list.
    Value,
    /// A network of the list.
    Network,
    /// A card of the list.
    Card,
    /// A field of the list.
    Field,
}

/// Buffers, kept from text to text.
#[derive(Debug, Default)]
pub struct Scratch {
    path: Path,
    found: Vec<Finding>,
    standing: Vec<Span>,
    plain: Vec<u8>,
}

impl Drop for Scratch {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.plain);
    }
}

impl Overrule {
    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        let Stand { values, networks, cards } = &self.stand;
        self.fields.is_empty()
            && self.only.is_none()
            && values.is_empty()
            && networks.is_empty()
            && cards.is_empty()
    }

    /// Changes the findings in `haystack`, which are `findings[from..]`, as the lines say. What is left alone is given to
    /// `allowed`.
    #[expect(clippy::too_many_arguments, reason = "a search has as many parts")]
    pub(super) fn apply(
        &self,
        rules: &Rules,
        wanted: &Wanted,
        within: Within,
        haystack: &[u8],
        scratch: &mut Scratch,
        findings: &mut Vec<Finding>,
        from: usize,
        mut allowed: impl FnMut(Finding, Allowed),
    ) {
        scratch.found.clear();
        scratch.standing.clear();
        if within != Within::Word {
            self.find(rules, within, haystack, scratch);
        }
        let mut place = 0;
        findings.retain(|finding| {
            place += 1;
            let why = if place <= from { None } else { self.allows(haystack, finding, scratch) };
            why.inspect(|why| allowed(*finding, *why)).is_none()
        });
        if !scratch.found.is_empty() {
            findings.extend_from_slice(&scratch.found);
            resolve::resolve(wanted, findings, from, |_| ());
        }
    }

    /// Fills `found` and `standing`.
    fn find(&self, rules: &Rules, within: Within, haystack: &[u8], scratch: &mut Scratch) {
        let Scratch { path, found, standing, .. } = scratch;
        let is_json = within == Within::Message && walk::looks_like_json(haystack);
        let mut lines = Lines { overrule: self, rules, haystack, found, standing };
        if !self.fields.is_empty() {
            let asked = is_json && lines.at_paths(path);
            lines.at_keys(path, is_json, asked);
        }
        if let Some(only) = &self.only
            && !lines.only(only, within, path, is_json)
        {
            lines.found.clear();
            lines.note(only.rule, only.entity, Span::new(0, haystack.len()), Form::PLAIN);
        }
    }

    /// Why a finding is left alone, if it is.
    fn allows(&self, haystack: &[u8], finding: &Finding, scratch: &mut Scratch) -> Option<Allowed> {
        if scratch.standing.iter().any(|span| span.covers(finding.span)) {
            return Some(Allowed::Field);
        }
        let Stand { values, networks, cards } = &self.stand;
        let is_address = matches!(finding.entity, Entity::IPV4 | Entity::IPV6);
        let listed = match finding.entity {
            Entity::IPV4 | Entity::IPV6 => !networks.is_empty(),
            Entity::CARD => !cards.is_empty(),
            _ => false,
        };
        if values.is_empty() && !listed {
            return None;
        }
        let plain = &mut scratch.plain;
        structure::decode(&haystack[finding.span.range()], finding.form, plain);
        if values.iter().any(|value| plain.eq_ignore_ascii_case(value)) {
            return Some(Allowed::Value);
        }
        if is_address {
            let address: IpAddr = std::str::from_utf8(plain).ok()?.parse().ok()?;
            return networks.iter().any(|network| network.holds(address)).then_some(Allowed::Network);
        }
        plain.retain(|byte| !matches!(byte, b' ' | b'-'));
        (listed && cards.iter().any(|card| **card == **plain)).then_some(Allowed::Card)
    }
}

/// A search for the fields that lines speak of, in one text.
struct Lines<'a> {
    overrule: &'a Overrule,
    rules: &'a Rules,
    haystack: &'a [u8],
    found: &'a mut Vec<Finding>,
    standing: &'a mut Vec<Span>,
}

impl Lines<'_> {
    /// Asks the lines at every path of a JSON document. `false` if it is none to its end: then names decide alone.
    fn at_paths(&mut self, path: &mut Path) -> bool {
        let haystack = self.haystack;
        let whole = walk::json(haystack, path, |path, value| {
            let Some(verdict) = self.verdict(path) else { return Way::On };
            match value {
                Value::Text(span) => self.decide(verdict, span, Form::json(1)),
                Value::Bare(span) => self.decide(verdict, span, Form { json: 1, bare: true, percent: 0 }),
                Value::Composite(at) => {
                    self.decide_composite(verdict, at, 1);
                    return walk::composite_end(haystack, at).map_or(Way::On, Way::Behind);
                }
            }
            Way::On
        });
        if !whole {
            self.standing.clear();
            self.found.clear();
        }
        whole
    }

    /// Asks the lines at every key of any notation. Where `asked` says that a document's paths were asked already, names alone
    /// are left: those of fields inside its strings. In what is a document no more, nothing stands for its path.
    fn at_keys(&mut self, path: &mut Path, is_json: bool, asked: bool) {
        let mut run = LastRun::default();
        let mut taken = 0;
        for at in memchr::memchr2_iter(b'=', b':', self.haystack) {
            if at < taken {
                continue;
            }
            let Some(key) = field::key_before(self.haystack, at) else { continue };
            if asked && key.level == 1 {
                continue;
            }
            path.clear();
            path.push(&self.haystack[key.name.range()]);
            let by_path = |line: &FieldLine| !(asked || is_json && line.verdict == Verdict::Stands);
            let fits =
                |line: &&FieldLine| (line.pattern.is_name() || by_path(line)) && line.pattern.is_match(path);
            let Some(line) = self.overrule.fields.iter().find(fits) else { continue };
            match field::value_after(self.haystack, key, &mut run) {
                After::One(value) => {
                    let form = field::percent_form(self.haystack, value.span, value.form);
                    self.decide(line.verdict, value.span, form);
                    taken = value.span.end;
                }
                After::Composite { at, level } => taken = self.decide_composite(line.verdict, at, level),
            }
        }
    }

    fn verdict(&self, path: &Path) -> Option<Verdict> {
        self.overrule.fields.iter().find(|line| line.pattern.is_match(path)).map(|line| line.verdict)
    }

    fn decide(&mut self, verdict: Verdict, span: Span, form: Form) {
        match verdict {
            Verdict::Stands => self.standing.push(span),
            Verdict::Found { rule, entity, .. } => self.note(rule, entity, span, form),
        }
    }

    /// Says where the composite ends.
    fn decide_composite(&mut self, verdict: Verdict, at: usize, level: u8) -> usize {
        let haystack = self.haystack;
        let end = match level {
            0 | 1 => walk::composite_end(haystack, at),
            _ => None,
        };
        match (verdict, end) {
            (Verdict::Stands, Some(end)) => self.standing.push(Span::new(at, end)),
            (Verdict::Found { rule, entity, whole: Whole::Yes }, Some(end)) => {
                let form = Form { json: 1, bare: true, percent: 0 };
                self.note(rule, entity, Span::new(at, end), form);
            }
            _ => {
                return json::scalars(haystack, at, level.max(1), |scalar| {
                    let form = Form { json: scalar.level, bare: scalar.bare, percent: 0 };
                    self.decide(verdict, scalar.span, form);
                });
            }
        }
        end.unwrap_or(haystack.len())
    }

    /// Notes a finding, unless nothing stands there or what stands there is ours or no value.
    fn note(&mut self, rule: RuleId, entity: Entity, span: Span, form: Form) {
        let text = &self.haystack[span.range()];
        let is_none = text.is_empty() || is_placeholder(text);
        if !is_none && !mark::is_ours(self.rules.entities(), self.haystack, span) {
            self.found.push(Finding { span, entity, rule, form });
        }
    }

    /// Finds every field that is not listed. `false` if the text is not fields from end to end.
    fn only(&mut self, only: &Only, within: Within, path: &mut Path, is_json: bool) -> bool {
        let haystack = self.haystack;
        let mut names = Path::default();
        let mut pair = |lines: &mut Self, key: Span, value: Value| {
            names.clear();
            names.push(&haystack[key.range()]);
            if let Value::Text(span) = value
                && !only.fields.iter().any(|pattern| pattern.is_match(&names))
            {
                lines.note(only.rule, only.entity, span, Form::PLAIN);
            }
        };
        match within {
            Within::Word => true,
            Within::Structured => walk::structured(haystack, |key, value| pair(self, key, value)),
            Within::Message if !is_json => walk::logfmt(haystack, |key, value| pair(self, key, value)),
            Within::Message => walk::json(haystack, path, |path, value| {
                if only.fields.iter().any(|pattern| pattern.is_match(path)) {
                    return match value {
                        Value::Composite(at) => {
                            walk::composite_end(haystack, at).map_or(Way::On, Way::Behind)
                        }
                        Value::Text(_) | Value::Bare(_) => Way::On,
                    };
                }
                let bare = Form { json: 1, bare: true, percent: 0 };
                match value {
                    Value::Text(span) => self.note(only.rule, only.entity, span, Form::json(1)),
                    Value::Bare(span) => self.note(only.rule, only.entity, span, bare),
                    Value::Composite(at) => {
                        let below = only.fields.iter().any(|pattern| pattern.may_match_below(path));
                        if let (false, Some(end)) = (below, walk::composite_end(haystack, at)) {
                            self.note(only.rule, only.entity, Span::new(at, end), bare);
                            return Way::Behind(end);
                        }
                    }
                }
                Way::On
            }),
        }
    }
}

/// Near misses for what is left alone in `haystack`.
pub(super) fn near_misses(
    overrule: &Overrule,
    rules: &Rules,
    wanted: &Wanted,
    haystack: &[u8],
    findings: &mut Vec<Finding>,
    misses: &mut Vec<NearMiss>,
) {
    let scratch = &mut Scratch::default();
    overrule.apply(rules, wanted, Within::Message, haystack, scratch, findings, 0, |finding, by| {
        misses.push(NearMiss { span: finding.span, rule: finding.rule, why: Why::Allowed { by } });
    });
}

#[cfg(test)]
mod tests;

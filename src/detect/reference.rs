/*!
The plain matcher: the specification of what is found.

It asks every parser at every place where its entity could be, one search per
kind of place:

- where a run of digits begins: IPv4, card, IBAN;
- at each `@`: e-mail;
- at each `:`: IPv6, MAC; at each `-`: MAC;
- at each `=` and `:`: is the key before it one that a field rule lists? (in [`super::fields`])
- at each anchor, a literal from one automaton: tokens, PEM, URLs, encoded
  at-signs, flags, closing tags, and the patterns of packs.

Anchors are searched overlapping, so that one which is the beginning of another
hides nothing. Then [`super::resolve`] decides between what overlaps. Linear in
the haystack, but for the bounds in [`crate::limit`] that each parser keeps.
*/

use memchr::memchr_iter;
use regex_automata::{Anchored, Input};

use super::digits;
use super::entity::{Verdict, card, email, iban, ip, mac, pem, token, url};
use super::fields::{Encoded, Read, is_placeholder};
use super::rule::{Kind, Parser, PatternRule};
use super::{Anchor, Finding, NearMiss, RuleId, Rules, Wanted, Why, context};
use crate::limit;
use crate::mark;
use crate::span::Span;
use crate::structure::field;
use crate::structure::{Form, json};

/// Takes candidates in: findings are gathered, near misses only where somebody asked for them.
pub struct Search<'a> {
    /// The rules that are asked.
    pub rules: &'a Rules,
    /// The entities that are looked for.
    pub wanted: &'a Wanted,
    /// The text.
    pub haystack: &'a [u8],
    /// Where findings go.
    pub findings: &'a mut Vec<Finding>,
    /// Where near misses go.
    pub misses: Option<&'a mut Vec<NearMiss>>,
}

impl Search<'_> {
    /// Asks every rule at every place. Findings come in no order and may overlap.
    pub fn run(&mut self) {
        self.at_digits();
        self.at_signs();
        self.at_colons();
        self.at_dashes();
        self.at_separators();
        self.at_anchors();
    }

    fn at_digits(&mut self) {
        let rules = [Parser::Ipv4, Parser::Card, Parser::Iban].map(|parser| self.parser(parser));
        if rules.iter().all(Option::is_none) {
            return;
        }
        let mut strings = json::Strings::default();
        let escapes = memchr::memchr(b'\\', self.haystack).is_some();
        digits::runs(self.haystack, |run| {
            let escape = if escapes { context::escape_end_over(self.haystack, run.start) } else { None };
            let start = escape.unwrap_or(run.start);
            let Some(len) = run.end.checked_sub(start).filter(|&len| len > 0) else { return };
            if len <= 3 && self.haystack.get(run.end) == Some(&b'.') {
                self.ask(rules[0], |haystack| ip::v4_at(haystack, start));
            }
            if len >= 4 {
                self.ask(rules[1], |haystack| bare(haystack, card::at(haystack, start), &mut strings));
            }
            if len >= 2 {
                self.ask(rules[2], |haystack| iban::around(haystack, start));
            }
        });
    }

    fn at_signs(&mut self) {
        let rule = self.parser(Parser::Email);
        if rule.is_some() {
            for at in memchr_iter(b'@', self.haystack) {
                self.ask(rule, |haystack| email::around(haystack, at, 1));
            }
        }
    }

    fn at_colons(&mut self) {
        let (ipv6, mac) = (self.parser(Parser::Ipv6), self.parser(Parser::Mac));
        if ipv6.is_some() || mac.is_some() {
            for at in memchr_iter(b':', self.haystack) {
                self.ask(ipv6, |haystack| ip::v6_around(haystack, at));
                self.ask(mac, |haystack| mac::around(haystack, at));
            }
        }
    }

    fn at_dashes(&mut self) {
        let mac = self.parser(Parser::Mac);
        if mac.is_some() {
            for at in memchr_iter(b'-', self.haystack) {
                self.ask(mac, |haystack| mac::around(haystack, at));
            }
        }
    }

    fn at_anchors(&mut self) {
        let rules = self.rules;
        // A rule's anchors inside its last match are no new candidates: so a long token costs one match.
        let mut done = Done::default();
        for found in rules.automaton.find_overlapping_iter(self.haystack) {
            let (start, end) = (found.start(), found.end());
            for anchor in &rules.anchors[found.pattern().as_usize()] {
                self.at_anchor(*anchor, start, end, &mut done);
            }
        }
    }

    fn at_anchor(&mut self, anchor: Anchor, start: usize, end: usize, done: &mut Done) {
        use token::Evidence::Word;
        match anchor {
            Anchor::Jwt => self.ask(self.parser(Parser::Jwt), |h| token::jwt_at(h, start)),
            Anchor::Bearer => {
                self.ask(self.parser(Parser::Bearer), |h| token::bearer_at(h, start, Word, &mut done.token));
            }
            Anchor::Basic => {
                self.ask(self.parser(Parser::Basic), |h| token::basic_at(h, start, Word, &mut done.token));
            }
            Anchor::Url => {
                self.ask(self.parser(Parser::UrlCredentials), |h| url::credentials_at(h, end, &mut done.url));
            }
            Anchor::EncodedEquals => self.at_encoded_equals(start, end, &mut done.encoded),
            Anchor::Sign => self.ask(self.parser(Parser::Email), |h| email::around(h, start, end - start)),
            Anchor::Pem if start >= done.pem => {
                let verdict = pem::at(self.haystack, start);
                if let Some(Verdict::Hit(span, _)) = verdict {
                    done.pem = span.end;
                }
                self.ask(self.parser(Parser::PrivateKey), |_| verdict);
            }
            Anchor::Pem => {}
            Anchor::Flag => {
                if let Some(key) = field::key_of_flag(self.haystack, start) {
                    self.at_key(key, &mut Read::default());
                }
            }
            Anchor::Element => self.at_element(start),
            Anchor::Rule(rule) => self.at_pattern(rule, start, end, done),
        }
    }

    fn at_pattern(&mut self, rule: RuleId, start: usize, end: usize, done: &mut Done) {
        let Kind::Pattern(pattern) = &self.rules.rule(rule).kind else { return };
        if self.wanted.strength(self.rules.rule(rule).entity) == 0 || start < done.pattern(rule) {
            return;
        }
        let Some(span) = matched(pattern, self.haystack, start, end) else { return };
        done.set_pattern(rule, span.end);
        let text = &self.haystack[span.range()];
        if pattern.entropy_min > 0.0 && super::entropy::bits_per_byte(text) < pattern.entropy_min {
            return self.missed(rule, span, Why::Entropy);
        }
        self.found(rule, span, Form::PLAIN);
    }

    /// The rule of a parser, if its entity is looked for.
    pub(super) fn parser(&self, parser: Parser) -> Option<RuleId> {
        let rule = self.rules.by_parser[parser as usize]?;
        (self.wanted.strength(self.rules.rule(rule).entity) > 0).then_some(rule)
    }

    pub(super) fn ask(&mut self, rule: Option<RuleId>, parse: impl FnOnce(&[u8]) -> Option<Verdict>) {
        let Some(rule) = rule else { return };
        match parse(self.haystack) {
            Some(Verdict::Hit(span, form)) => {
                self.found(rule, span, form);
            }
            Some(Verdict::Miss(span, why)) => self.missed(rule, span, why),
            None => {}
        }
    }

    /// Notes a value, unless it is one of our own labels or tags, or a placeholder; says whether it did.
    pub(super) fn found(&mut self, rule: RuleId, span: Span, form: Form) -> bool {
        let text = &self.haystack[span.range()];
        let entities = &self.rules.entities;
        if mark::is_ours(entities, self.haystack, span) || is_placeholder(text) {
            self.missed(rule, span, Why::Placeholder);
            return false;
        }
        let entity = self.rules.rule(rule).entity;
        self.findings.push(Finding { span, entity, rule, form });
        true
    }

    pub(super) fn missed(&mut self, rule: RuleId, span: Span, why: Why) {
        if let Some(misses) = &mut self.misses {
            misses.push(NearMiss { span, rule, why });
        }
    }
}

/// How far each kind of anchor has been read.
#[derive(Default)]
struct Done {
    pem: usize,
    encoded: Encoded,
    token: token::LastRun,
    url: url::LastRun,
    /// The last match's end of the rules that matched; few do in one record.
    patterns: Vec<(RuleId, usize)>,
}

impl Done {
    fn pattern(&self, rule: RuleId) -> usize {
        self.patterns.iter().find(|(known, _)| *known == rule).map_or(0, |&(_, end)| end)
    }

    fn set_pattern(&mut self, rule: RuleId, end: usize) {
        match self.patterns.iter_mut().find(|(known, _)| *known == rule) {
            Some((_, known)) => *known = end,
            None => self.patterns.push((rule, end)),
        }
    }
}

/// Where the rule's pattern matches over the anchor at `start..end`: the group `secret`, else all of it. A match
/// begins and ends where a word does; one that reaches the bound is taken on to the end of its word.
fn matched(pattern: &PatternRule, haystack: &[u8], start: usize, end: usize) -> Option<Span> {
    let floor = start.saturating_sub(pattern.lookback);
    let ceiling = haystack.len().min(end + limit::PATTERN_BYTES_MAX);
    let anchored = if pattern.lookback == 0 { Anchored::Yes } else { Anchored::No };
    let input = Input::new(haystack).range(floor..ceiling).anchored(anchored);
    let mut captures = pattern.pattern.create_captures();
    pattern.pattern.search_captures(&input, &mut captures);
    let whole = Span::from(captures.get_match()?.range());
    let over_anchor = whole.start <= start && end <= whole.end;
    if !over_anchor || !context::word_starts_at(haystack, whole.start) {
        return None;
    }
    let mut secret =
        captures.get_group_by_name("secret").map_or(whole, |group| Span::new(group.start, group.end));
    if secret.end == ceiling {
        secret.end += haystack[ceiling..].iter().take_while(|&&b| context::is_word(b) || b == b'-').count();
    } else if secret.end == whole.end
        && context::is_word(haystack[whole.end - 1])
        && !context::word_ends_at(haystack, whole.end)
    {
        return None;
    }
    Some(secret)
}

/// Marks a finding as a bare number of JSON, if it is one: text in its place needs quotes.
fn bare(haystack: &[u8], verdict: Option<Verdict>, strings: &mut json::Strings) -> Option<Verdict> {
    let Some(Verdict::Hit(span, _)) = verdict else { return verdict };
    let next = haystack[span.end..].iter().find(|b| !b.is_ascii_whitespace());
    let ends = matches!(next, None | Some(b',' | b'}' | b']'));
    match strings.value_level(haystack, span.start).filter(|_| ends) {
        Some(level) => Some(Verdict::Hit(span, Form { json: level, bare: true, percent: 0 })),
        None => verdict,
    }
}

/*!
The plain matcher: the specification of what is found.

It asks every parser at every place where its entity could be, one search per
kind of place:

- where a run of digits begins: IPv4, card, IBAN;
- at each `@`: e-mail; at each `.`: the token of a bot;
- at each `:`: IPv6, MAC; at each `-`: MAC;
- at each `=` and `:`: is the key before it one that a field rule lists? (in [`super::fields`])
- at `://`: credentials in URLs; at `--` and `</`: flags and elements;
- where a literal stands: tokens, PEM, encoded at-signs, and the patterns of packs.

The searches are methods that the fast matcher calls too, at fewer places
([`super::sweep`]); neither knows a parser that the other does not know. Then
[`super::resolve`] decides between what overlaps. Linear in the haystack, but
for the bounds in [`crate::limit`] that each parser keeps.
*/

use std::ops::Range;

use memchr::{memchr_iter, memchr2_iter, memmem};
use regex_automata::{Anchored, Input};

use super::anchor::{Anchor, Literal};
use super::entity::national::it;
use super::entity::{
    Verdict, bot, card, device, email, encoded, iban, ip, mac, pem, phone, token, url, user, wallet,
};
use super::fields::{Encoded, Read, is_placeholder};
use super::rule::{Kind, Parser, PatternRule, Reach};
use super::{Finding, NearMiss, RuleId, Rules, Wanted, Why, context};
use crate::limit;
use crate::mark;
use crate::span::Span;
use crate::structure::field;
use crate::structure::{Form, json};

/// Takes candidates in: findings are gathered, near misses only where somebody asked for them.
pub(super) struct Search<'a> {
    /// The rules that are asked.
    pub(super) rules: &'a Rules,
    /// The entities that are looked for.
    pub(super) wanted: &'a Wanted,
    /// The text.
    pub(super) haystack: &'a [u8],
    /// Where findings go.
    pub(super) findings: &'a mut Vec<Finding>,
    /// Where near misses go.
    pub(super) misses: Option<&'a mut Vec<NearMiss>>,
}

impl Search<'_> {
    /// Asks every rule at every place. Findings come in no order and may overlap.
    pub(super) fn run(&mut self) {
        let mut state = State::default();
        self.alone();
        self.at_digits(&mut state);
        for at in memchr_iter(b'@', self.haystack) {
            self.at_sign(at);
        }
        for at in memchr_iter(b'+', self.haystack) {
            self.at_plus(at);
        }
        for at in memchr_iter(b'-', self.haystack) {
            self.at_line_number(at);
            self.at_uuid(at);
        }
        for at in memchr_iter(b'.', self.haystack) {
            self.at_bot(at);
        }
        self.at_words();
        for at in memchr_iter(b':', self.haystack) {
            self.at_groups(at);
        }
        for at in memchr2_iter(b':', b'-', self.haystack) {
            self.at_pairs(at);
        }
        for at in memchr2_iter(b'=', b':', self.haystack) {
            self.at_separator(at, &mut state);
        }
        for scheme in ["://", r":\/\/"] {
            for at in memmem::find_iter(self.haystack, scheme) {
                self.at_scheme(at + scheme.len(), &mut state);
            }
        }
        for at in memchr_iter(b'-', self.haystack) {
            if self.haystack.get(at + 1) == Some(&b'-') {
                self.at_flag(at);
            }
        }
        for at in memmem::find_iter(self.haystack, "</") {
            self.at_element(at);
        }
        let rules = self.rules;
        for (at, literal) in rules.literals.all_in(self.haystack) {
            self.at_literal(literal, at, &mut state);
        }
    }

    fn at_digits(&mut self, state: &mut State) {
        let mut at = 0;
        while at < self.haystack.len() {
            let len = self.haystack[at..].iter().take_while(|b| b.is_ascii_digit()).count();
            if len > 0 {
                let run = Span::new(at, at + len);
                self.at_quad(run);
                self.at_number(run, state);
                self.at_account(run);
                if let Some(start) = run.start.checked_sub(it::DIGITS_OFFSET) {
                    self.at_code(start);
                }
            }
            at += len.max(1);
        }
    }

    fn at_words(&mut self) {
        let mut at = 0;
        while at < self.haystack.len() {
            let len = self.haystack[at..].iter().take_while(|b| b.is_ascii_alphanumeric()).count();
            if len >= wallet::BYTES_MIN {
                self.at_word_run(at);
            }
            at += len.max(1);
        }
    }

    /// Asks for a telephone number at a plus.
    pub(super) fn at_plus(&mut self, at: usize) {
        self.ask(Parser::Phone, |haystack| phone::international(haystack, at));
    }

    /// Asks for a North American number at the dash before its last four digits.
    pub(super) fn at_line_number(&mut self, at: usize) {
        self.ask(Parser::Phone, |haystack| phone::north_american_around(haystack, at));
    }

    /// Asks for the address of a wallet at a long run of letters and digits.
    pub(super) fn at_word_run(&mut self, start: usize) {
        self.ask(Parser::Wallet, |haystack| wallet::at(haystack, start));
    }

    /// Asks for a fiscal code that begins at `start`.
    pub(super) fn at_code(&mut self, start: usize) {
        self.ask(Parser::FiscalCode, |haystack| it::at(haystack, start));
    }

    /// Asks for the token of a bot at its second dot.
    pub(super) fn at_bot(&mut self, dot: usize) {
        self.ask(Parser::Bot, |haystack| bot::around(haystack, dot));
    }

    /// Asks for a UUID at its first dash.
    pub(super) fn at_uuid(&mut self, dash: usize) {
        self.ask(Parser::Uuid, |haystack| device::uuid_around(haystack, dash));
    }

    /// The run of digits without those that belong to an escape.
    fn number(&self, run: Span) -> Option<Span> {
        let start = context::escape_end_over(self.haystack, run.start, run.end).unwrap_or(run.start);
        (start < run.end).then(|| Span::new(start, run.end))
    }

    /// Asks for an IPv4 address at a run of digits.
    pub(super) fn at_quad(&mut self, run: Span) {
        let Some(run) = self.number(run) else { return };
        if run.len() <= 3 && self.haystack.get(run.end) == Some(&b'.') {
            self.at_client(Parser::Ipv4, ip::v4_at(self.haystack, run.start));
        }
    }

    /// Notes an address, and asks for the name of the user behind it.
    fn at_client(&mut self, parser: Parser, verdict: Option<Verdict>) {
        self.ask(parser, |_| verdict);
        if let Some(Verdict::Hit(span, _)) = verdict {
            self.ask(Parser::Authuser, |haystack| user::after_client(haystack, span.end));
        }
    }

    /// Asks for a card at a run of digits.
    pub(super) fn at_number(&mut self, run: Span, state: &mut State) {
        let Some(run) = self.number(run) else { return };
        if run.len() >= 4 {
            self.ask(Parser::Card, |haystack| {
                bare(haystack, card::at(haystack, run.start), &mut state.strings)
            });
        }
    }

    /// Asks for an IBAN at a run of digits.
    pub(super) fn at_account(&mut self, run: Span) {
        let Some(run) = self.number(run) else { return };
        if run.len() >= 2 {
            self.ask(Parser::Iban, |haystack| iban::around(haystack, run.start));
        }
    }

    /// Asks for an e-mail address at an at-sign.
    pub(super) fn at_sign(&mut self, at: usize) {
        self.ask(Parser::Email, |haystack| email::around(haystack, at, 1));
    }

    /// Asks for an IPv6 address at a colon.
    pub(super) fn at_groups(&mut self, at: usize) {
        self.at_client(Parser::Ipv6, ip::v6_around(self.haystack, at));
    }

    /// Asks for a hardware address at a colon or dash.
    pub(super) fn at_pairs(&mut self, at: usize) {
        self.ask(Parser::Mac, |haystack| mac::around(haystack, at));
    }

    /// Asks for credentials in the URL whose authority begins at `at`.
    pub(super) fn at_scheme(&mut self, at: usize, state: &mut State) {
        self.ask(Parser::UrlCredentials, |haystack| url::credentials_at(haystack, at, &mut state.url));
    }

    /// Asks the field rules for the flag whose dashes begin at `at`.
    pub(super) fn at_flag(&mut self, at: usize) {
        if let Some(key) = field::key_of_flag(self.haystack, at) {
            self.at_key(key, &mut Read::default());
        }
    }

    /// Asks whom the literal calls that stands at `at`.
    pub(super) fn at_literal(&mut self, literal: &Literal, at: usize, state: &mut State) {
        for anchor in &literal.calls {
            self.at_anchor(*anchor, at, at + literal.text.len(), state);
        }
    }

    fn at_anchor(&mut self, anchor: Anchor, start: usize, end: usize, state: &mut State) {
        use token::Evidence::Word;
        match anchor {
            Anchor::Jwt => self.ask(Parser::Jwt, |h| token::jwt_at(h, start)),
            Anchor::Bearer => {
                self.ask(Parser::Bearer, |h| token::bearer_at(h, start, Word, &mut state.token));
            }
            Anchor::Basic => {
                self.ask(Parser::Basic, |h| token::basic_at(h, start, Word, &mut state.token));
            }
            Anchor::Authority => self.at_scheme(end, state),
            Anchor::EncodedAuthority => {
                self.ask(Parser::UrlCredentials, |h| url::encoded_credentials_at(h, end));
            }
            Anchor::EscapedQuote => state.escaped = self.at_escaped_quote(start, state.escaped),
            Anchor::PairedName => self.at_paired_name(end - 1, &mut Read::default()),
            Anchor::EncodedColon => {
                self.at_encoded_address(start);
                self.at_encoded_colon(start, end, &mut state.encoded);
            }
            Anchor::EncodedDot => self.at_encoded_address(start),
            Anchor::EncodedEquals => self.at_encoded_equals(start, end, &mut state.encoded),
            Anchor::Sign => self.ask(Parser::Email, |h| email::around(h, start, end - start)),
            Anchor::Pem if start >= state.pem => {
                let verdict = pem::at(self.haystack, start);
                if let Some(Verdict::Hit(span, _)) = verdict {
                    state.pem = span.end;
                }
                self.ask(Parser::PrivateKey, |_| verdict);
            }
            Anchor::Pem => {}
            Anchor::Rule(rule) => match &self.rules.rule(rule).kind {
                Kind::Near(near) => self.at_word(rule, near, start, end),
                _ => self.at_pattern(rule, start, end, state),
            },
        }
    }

    /// Asks for an address whose first sign is percent-encoded and stands at `at`.
    fn at_encoded_address(&mut self, at: usize) {
        if let Some((parser, verdict)) = encoded::address_around(self.haystack, at) {
            self.ask(parser, |_| Some(verdict));
        }
    }

    fn at_pattern(&mut self, rule: RuleId, start: usize, end: usize, state: &mut State) {
        let Kind::Pattern(pattern) = &self.rules.rule(rule).kind else { return };
        if self.wanted.strength(self.rules.rule(rule).entity) == 0 || state.pattern(rule).contains(&start) {
            return;
        }
        let Some(span) = matched(pattern, self.haystack, start, end) else {
            return self.missed_mark(rule, start, end);
        };
        state.set_pattern(rule, start..span.end);
        if let Some(field) = &pattern.follows {
            return self.at_introduced(rule, field, span, &mut state.run);
        }
        let text = &self.haystack[span.range()];
        if pattern.entropy_min > 0.0 && super::entropy::bits_per_byte(text) < pattern.entropy_min {
            return self.missed(rule, span, Why::Entropy);
        }
        if text.iter().filter(|byte| byte.is_ascii_digit()).take(pattern.digits_min).count()
            < pattern.digits_min
        {
            return self.missed(rule, span, Why::Entropy);
        }
        let span = match pattern.check.map(|check| check.holds_to(text)) {
            Some(None) => return self.missed(rule, span, Why::Checksum),
            Some(Some(len)) => Span::new(span.start, span.start + len),
            None => span,
        };
        self.found(rule, span, Form::PLAIN);
    }

    /// The rule of a parser, if its entity is looked for.
    pub(super) fn parser(&self, parser: Parser) -> Option<RuleId> {
        let rule = self.rules.by_parser[parser as usize]?;
        (self.wanted.strength(self.rules.rule(rule).entity) > 0).then_some(rule)
    }

    pub(super) fn ask(&mut self, parser: Parser, parse: impl FnOnce(&[u8]) -> Option<Verdict>) {
        let Some(rule) = self.parser(parser) else { return };
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
        let ours = mark::is_ours(entities, self.haystack, span)
            || mark::is_inside_label(entities, self.haystack, span);
        if ours || is_placeholder(text) {
            self.missed(rule, span, Why::Placeholder);
            return false;
        }
        let entity = self.rules.rule(rule).entity;
        self.findings.push(Finding { span, entity, rule, form });
        true
    }

    /// Notes a service's mark that no token of its form follows, if the rest of its word is no word that it only begins.
    fn missed_mark(&mut self, rule: RuleId, start: usize, end: usize) {
        if self.misses.is_none() || !self.rules.rule(rule).is_certain() {
            return;
        }
        let is_token = |b: &&u8| context::is_word(**b) || **b == b'-';
        let rest = self.haystack[end..].iter().take_while(is_token).count();
        if rest > 0 && context::word_starts_at(self.haystack, start) {
            self.missed(rule, Span::new(start, end + rest), Why::Form);
        }
    }

    pub(super) fn missed(&mut self, rule: RuleId, span: Span, why: Why) {
        if let Some(misses) = &mut self.misses {
            let ours = mark::is_ours(&self.rules.entities, self.haystack, span);
            let why = if ours { Why::Placeholder } else { why };
            misses.push(NearMiss { span, rule, why });
        }
    }
}

/// How far a haystack has been read, by each kind of search: a rule's anchors inside its last match are no new
/// candidates, so a long token costs one match, and no run of bytes is looked over twice.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) read: Read,
    strings: json::Strings,
    pem: usize,
    /// The end of the last value that was found between escaped quotes.
    escaped: usize,
    encoded: Encoded,
    token: token::LastRun,
    url: url::LastRun,
    run: field::LastRun,
    /// The last match of the rules that matched, from its anchor on; few do in one record.
    patterns: Vec<(RuleId, Range<usize>)>,
}

impl State {
    /// Makes it ready for another haystack; what it allocated stays.
    pub(super) fn reset(&mut self) {
        self.patterns.clear();
        self.strings.reset();
        (self.read, self.encoded) = (Read::default(), Encoded::default());
        (self.token, self.url, self.pem) = (token::LastRun::default(), url::LastRun::default(), 0);
        self.run = field::LastRun::default();
        self.escaped = 0;
    }

    fn pattern(&self, rule: RuleId) -> Range<usize> {
        let last = self.patterns.iter().find(|(known, _)| *known == rule);
        last.map_or(0..0, |(_, range)| range.clone())
    }

    fn set_pattern(&mut self, rule: RuleId, range: Range<usize>) {
        match self.patterns.iter_mut().find(|(known, _)| *known == rule) {
            Some((_, known)) => *known = range,
            None => self.patterns.push((rule, range)),
        }
    }
}

/// Where the rule's pattern matches over the anchor at `start..end`: the group `secret`, else all of it. A match
/// begins and ends where a word does; one that reaches the bound is taken on to the end of its word.
fn matched(pattern: &PatternRule, haystack: &[u8], start: usize, end: usize) -> Option<Span> {
    let behind = pattern.reach == Reach::Behind;
    if pattern.lookback == 0 && !pattern.begins.holds(haystack, start) {
        return None;
    }
    let floor = if behind { end } else { start.saturating_sub(pattern.lookback) };
    let introduces = pattern.follows.is_some();
    let bytes_max = if introduces { limit::INTRODUCTION_BYTES_MAX } else { limit::PATTERN_BYTES_MAX };
    let ceiling = haystack.len().min(end + bytes_max);
    let anchored = if pattern.lookback == 0 { Anchored::Yes } else { Anchored::No };
    let input = Input::new(haystack).range(floor..ceiling).anchored(anchored);
    let (found, secret) = pattern.pattern.find(&input)?;
    let whole = if behind { Span::new(start, found.end) } else { found };
    let over_anchor = whole.start <= start && end <= whole.end;
    let begins = pattern.begins.holds(haystack, whole.start)
        && !context::follows_word(haystack, whole.start, &pattern.not_after);
    if !over_anchor || !begins {
        return None;
    }
    let mut secret = secret.unwrap_or(found);
    if introduces {
        return Some(secret);
    }
    if secret.end == ceiling {
        secret.end +=
            haystack[ceiling..].iter().take_while(|&&b| context::is_word(b) || b"-+/=".contains(&b)).count();
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

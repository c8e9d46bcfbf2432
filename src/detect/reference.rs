/*!
The plain matcher: the specification of what is found.

It asks every parser at every place where its entity could be, one search per
kind of place:

- where a run of digits begins: IPv4, card, IBAN;
- at each `@`: e-mail;
- at each `:`: IPv6, MAC; at each `-`: MAC;
- at each `=` and `:`: is the key before it one that a field rule lists?
- at each anchor, a literal from one automaton: tokens, PEM, URLs, encoded
  at-signs, flags, closing tags, and the patterns of packs.

Anchors are searched overlapping, so that one which is the beginning of another
hides nothing. Then [`super::resolve`] decides between what overlaps. Linear in
the haystack, but for the bounds in [`crate::limit`] that each parser keeps.
*/

use memchr::{memchr_iter, memchr2_iter};
use regex_automata::{Anchored, Input};

use super::entity::{Verdict, card, cookie, email, iban, ip, mac, pem, token, url};
use super::rule::{FieldRule, FieldValue, Kind, Loose, Nested, Numbers, Parser, PatternRule};
use super::{Anchor, Finding, NearMiss, RuleId, Rules, Wanted, Why, context};
use crate::limit;
use crate::mark;
use crate::span::Span;
use crate::structure::field::{self, After, Key, LastRun, Tie, Value};
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

/// How far fields have been read, so that nothing is read twice.
#[derive(Default)]
struct Read {
    /// Keys before this stand inside a value that was found; what they hold is covered by it.
    taken: usize,
    /// End of the last label or tag of ours that stood as a value: the name in it is no key.
    ours: usize,
    /// The end of the last array or object.
    composite: usize,
    run: LastRun,
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
        let mut at = 0;
        while let Some(next) = self.haystack[at..].iter().position(u8::is_ascii_digit) {
            let start = at + next;
            let run = self.haystack[start..].iter().take_while(|b| b.is_ascii_digit()).count();
            at = start + run;
            if run <= 3 && self.haystack.get(at) == Some(&b'.') {
                self.ask(rules[0], |haystack| ip::v4_at(haystack, start));
            }
            if run >= 4 {
                self.ask(rules[1], |haystack| bare(haystack, card::at(haystack, start)));
            }
            if run >= 2 {
                self.ask(rules[2], |haystack| iban::around(haystack, start));
            }
        }
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

    fn at_separators(&mut self) {
        let mut read = Read::default();
        for at in memchr2_iter(b'=', b':', self.haystack) {
            if at >= read.taken
                && let Some(key) = field::key_before(self.haystack, at)
                && key.name.end > read.ours
            {
                self.at_key(key, &mut read);
            }
        }
    }

    fn at_key(&mut self, key: Key, read: &mut Read) {
        let rules = self.rules;
        for &rule in rules.names.rules(&self.haystack[key.name.range()]) {
            let Kind::Field(field) = &rules.rule(rule).kind else { continue };
            if self.wanted.strength(rules.rule(rule).entity) == 0 {
                continue;
            }
            match field.value {
                FieldValue::Whole => self.at_field(rule, field, key, read),
                FieldValue::Authorization => self.at_authorization(rule, key, read),
                FieldValue::Cookie | FieldValue::SetCookie => self.at_cookie(rule, field, key, read),
            }
        }
    }

    fn at_field(&mut self, rule: RuleId, field: &FieldRule, key: Key, read: &mut Read) {
        if field.loose == Loose::Ignore && matches!(key.tie, Tie::Colon | Tie::TightColon) {
            return;
        }
        match field::value_after(self.haystack, key, &mut read.run) {
            After::One(value) => {
                if self.consider(rule, field, key.tie, value) {
                    read.taken = value.span.end;
                } else if mark::is_ours(&self.rules.entities, self.haystack, value.span) {
                    read.ours = value.span.end;
                }
            }
            After::Composite { at, level } => self.at_composite(rule, field, at, level, read),
        }
    }

    /// Takes every value of an array or object. What lies inside one that was read already is not read again.
    fn at_composite(&mut self, rule: RuleId, field: &FieldRule, at: usize, level: u8, read: &mut Read) {
        if field.nested == Nested::Ignore || at < read.composite {
            return;
        }
        let haystack = self.haystack;
        read.composite = json::scalars(haystack, at, level, |scalar| {
            let form = Form { json: scalar.level, bare: scalar.bare, percent: 0 };
            self.consider(rule, field, Tie::Quoted, Value { span: scalar.span, form });
        });
    }

    /// Whether the field's value is a finding; it is noted if so, and why not otherwise.
    fn consider(&mut self, rule: RuleId, field: &FieldRule, tie: Tie, value: Value) -> bool {
        if value.span.is_empty() {
            return false;
        }
        if let Some(why) = refusal(&self.haystack[value.span.range()], field, tie) {
            self.missed(rule, value.span, why);
            return false;
        }
        self.found(rule, value.span, field::percent_form(self.haystack, value.span, value.form))
    }

    fn at_authorization(&mut self, rule: RuleId, key: Key, read: &mut Read) {
        let After::One(value) = field::value_after(self.haystack, key, &mut read.run) else { return };
        let start = value.span.start;
        let text = &self.haystack[start..];
        let scheme = text.iter().take(32).take_while(|b| b.is_ascii_alphanumeric() || **b == b'-').count();
        let is = |name: &str| text[..scheme].eq_ignore_ascii_case(name.as_bytes());
        if is("bearer") {
            return self
                .ask(self.parser(Parser::Bearer), |h| token::bearer_at(h, start, token::Evidence::Header));
        }
        if is("basic") {
            return self
                .ask(self.parser(Parser::Basic), |h| token::basic_at(h, start, token::Evidence::Header));
        }
        // Any other scheme, or none. The parameters of `Digest` and of signatures are fields of their own.
        let credential = start + scheme + 1;
        let end = credential
            + self
                .haystack
                .get(credential..)
                .unwrap_or(&[])
                .iter()
                .take_while(|b| !b" \t\"'\\,\r\n".contains(b))
                .count();
        let spaced = scheme > 0 && text.get(scheme) == Some(&b' ') && end > credential;
        let span = if spaced { Span::new(credential, end) } else { value.span };
        let has_parameters = spaced
            && self.haystack[span.range()].contains(&b'=')
            && !self.haystack[..span.end].ends_with(b"=");
        if !span.is_empty() && !has_parameters {
            self.found(rule, span, value.form);
        }
    }

    fn at_cookie(&mut self, rule: RuleId, field: &FieldRule, key: Key, read: &mut Read) {
        let value = match field::value_after(self.haystack, key, &mut read.run) {
            After::One(value) => value,
            After::Composite { at, level } => {
                return self.at_composite(rule, field, at, level, read);
            }
        };
        let quoted = value.form.json > 0;
        let end = if quoted { value.span.end } else { self.haystack.len() };
        let region = Span::new(value.span.start, end.min(value.span.start + limit::COOKIE_BYTES_MAX));
        let quoted = if quoted { cookie::Quoted::Whole } else { cookie::Quoted::No };
        let (haystack, form) = (self.haystack, value.form);
        let each = |span: Span| {
            if self.found(rule, span, form) {
                read.taken = span.end;
            }
        };
        match field.value {
            FieldValue::SetCookie => cookie::first_value(haystack, region, quoted, each),
            _ => cookie::values(haystack, region, quoted, each),
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
            Anchor::Bearer => self.ask(self.parser(Parser::Bearer), |h| token::bearer_at(h, start, Word)),
            Anchor::Basic => self.ask(self.parser(Parser::Basic), |h| token::basic_at(h, start, Word)),
            Anchor::Url => self.ask(self.parser(Parser::UrlCredentials), |h| url::credentials_at(h, end)),
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

    fn at_element(&mut self, start: usize) {
        let Some((key, span)) = field::element(self.haystack, start) else { return };
        let rules = self.rules;
        for &rule in rules.names.rules(&self.haystack[key.name.range()]) {
            if let Kind::Field(field) = &rules.rule(rule).kind
                && self.wanted.strength(rules.rule(rule).entity) > 0
            {
                self.consider(rule, field, Tie::Element, Value { span, form: Form::PLAIN });
            }
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
    fn parser(&self, parser: Parser) -> Option<RuleId> {
        let rule = self.rules.by_parser[parser as usize]?;
        (self.wanted.strength(self.rules.rule(rule).entity) > 0).then_some(rule)
    }

    fn ask(&mut self, rule: Option<RuleId>, parse: impl FnOnce(&[u8]) -> Option<Verdict>) {
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
    fn found(&mut self, rule: RuleId, span: Span, form: Form) -> bool {
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

    fn missed(&mut self, rule: RuleId, span: Span, why: Why) {
        if let Some(misses) = &mut self.misses {
            misses.push(NearMiss { span, rule, why });
        }
    }
}

/// How far each kind of anchor has been read.
#[derive(Default)]
struct Done {
    pem: usize,
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
fn bare(haystack: &[u8], verdict: Option<Verdict>) -> Option<Verdict> {
    let Some(Verdict::Hit(span, _)) = verdict else { return verdict };
    let next = haystack[span.end..].iter().find(|b| !b.is_ascii_whitespace());
    let ends = matches!(next, None | Some(b',' | b'}' | b']'));
    match json::value_level(haystack, span.start).filter(|_| ends) {
        Some(level) => Some(Verdict::Hit(span, Form { json: level, bare: true, percent: 0 })),
        None => verdict,
    }
}

/// Why a field's value is none, if it is none.
fn refusal(text: &[u8], field: &FieldRule, tie: Tie) -> Option<Why> {
    if text.len() < field.length_min {
        return Some(Why::Length);
    }
    let is_number = text.iter().all(|b| b.is_ascii_digit() || b".+-".contains(b));
    if is_number && field.numbers == Numbers::Ignore {
        return Some(Why::Context);
    }
    if matches!(tie, Tie::Colon | Tie::TightColon) {
        let random = text.len() >= 20 || text.iter().any(u8::is_ascii_digit);
        let refused = match field.loose {
            Loose::Any => is_prose(text),
            Loose::Random => !random,
            Loose::Ignore => true,
        };
        if refused {
            return Some(Why::Context);
        }
    }
    if let Some(pattern) = &field.pattern
        && !pattern.is_match(text)
    {
        return Some(Why::Context);
    }
    None
}

/// Words that follow `password:` in messages about passwords.
const PROSE: &[&[u8]] = &[
    b"yes",
    b"no",
    b"required",
    b"optional",
    b"incorrect",
    b"invalid",
    b"missing",
    b"wrong",
    b"expired",
    b"changed",
    b"reset",
    b"empty",
    b"set",
    b"unset",
    b"updated",
    b"accepted",
    b"rejected",
    b"failed",
    b"ok",
    b"not",
    b"is",
    b"must",
    b"the",
    b"a",
    b"string",
    b"field",
    b"please",
    b"chauthtok",
];

fn is_prose(text: &[u8]) -> bool {
    PROSE.iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// What stands where a value would, and is none: nothing, a switch, a variable, a mask.
pub fn is_placeholder(text: &[u8]) -> bool {
    const WORDS: &[&[u8]] = &[
        b"null",
        b"none",
        b"nil",
        b"undefined",
        b"true",
        b"false",
        b"-",
        b"--",
        b"?",
        b"(null)",
        b"<nil>",
        b"n/a",
        b"redacted",
        b"[redacted]",
        b"[filtered]",
        b"__redacted__",
        b"(redacted)",
        b"...",
        b"unknown",
        b"anonymous",
    ];
    let variable = matches!(
        text,
        [b'$', b'{' | b'(', .., b'}' | b')']
            | [b'{', b'{', .., b'}', b'}']
            | [b'{', b'}']
            | [b'<', .., b'>']
            | [b'{' | b'[' | b'(']
            | [b'%', b's' | b'd' | b'v']
    );
    let masked =
        text.iter().all(|&b| b == b'*') || (text.len() > 2 && text.iter().all(|&b| b == b'x' || b == b'X'));
    variable || masked || WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
}

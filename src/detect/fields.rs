/*!
The plain matcher's second half: values that are known by the names of their fields.

What a key is and where its value stands is [`crate::structure::field`]'s
business; here the rules that list the key are asked whether the value counts.
*/

use super::check::Check;
use super::entity::{cookie, token};
use super::reference::{Search, State};
use super::rule::{Beside, FieldRule, FieldValue, Kind, Loose, Nested, Numbers, Parser};
use super::{RuleId, Why, context, entropy};
use crate::limit;
use crate::mark;
use crate::span::Span;
use crate::structure::field::{self, After, Key, LastRun, Tie, Value};
use crate::structure::{Form, json, percent};

/// How far fields have been read, so that nothing is read twice.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// Keys before this stand inside a value that was found; what they hold is covered by it.
    taken: usize,
    /// End of the last label or tag of ours that stood as a value: the name in it is no key.
    ours: usize,
    /// The beginning and the end of the last array or object.
    composite_at: usize,
    composite: usize,
    run: LastRun,
    token: token::LastRun,
}

/// How far values behind encoded signs have been read.
#[derive(Debug, Default)]
pub(super) struct Encoded {
    taken: usize,
    run: Span,
}

impl Encoded {
    /// The end of the value that begins at `start`: where no word goes on, or at an encoded `&`. Where a run ends does not
    /// depend on where in it one begins.
    fn run_end(&mut self, haystack: &[u8], start: usize) -> usize {
        if self.run.is_empty() || !self.run.covers(Span::new(start, start)) {
            let mut end = start;
            while haystack.get(end).is_some_and(|&b| context::is_word(b) || b"-._~+/%".contains(&b)) {
                if haystack[end..].starts_with(b"%26") || haystack[end..].starts_with(b"%2526") {
                    break;
                }
                end += 1;
            }
            self.run = Span::new(start, end);
        }
        self.run.end
    }

    /// The value of JSON that begins at `start`, percent-encoded as `quote` is: to its closing quote, or where a bare one
    /// ends.
    fn json_value(&mut self, haystack: &[u8], start: usize, quote: &[u8]) -> Span {
        let end = self.run_end(haystack, start);
        let spaces = haystack[start..end].iter().take_while(|&&b| b == b'+').count();
        let start = start + spaces;
        let text = &haystack[start..end];
        let is_backslash = |unit: &&[u8]| {
            unit.to_ascii_uppercase().ends_with(b"5C") && unit.starts_with(&quote[..quote.len() - 2])
        };
        let level = text.chunks(quote.len()).take_while(is_backslash).count() * quote.len();
        let Some(inner) = text[level..].strip_prefix(quote) else {
            let len = memchr::memchr(b'%', text).unwrap_or(text.len());
            return Span::new(start, start + len);
        };
        // A quote with as many backslashes as the opening one closes the string, one of an outer string too.
        let mut close = inner.len();
        for at in memchr::memmem::find_iter(inner, quote) {
            let escapes = inner[..at].rchunks(quote.len()).take_while(is_backslash).count() * quote.len();
            if escapes <= level {
                close = at - escapes;
                break;
            }
        }
        let inner_start = start + level + quote.len();
        Span::new(inner_start, inner_start + close)
    }
}

impl Search<'_> {
    /// Asks the field rules at the `=` or `:` at `at`.
    pub(super) fn at_separator(&mut self, at: usize, state: &mut State) {
        let read = &mut state.read;
        if at >= read.taken
            && let Some(key) = field::key_before(self.haystack, at)
            && key.name.end > read.ours
        {
            self.at_key(key, read);
        }
    }

    /// Asks the field rules that list `key`.
    pub(super) fn at_key(&mut self, key: Key, read: &mut Read) {
        let rules = self.rules;
        for &rule in rules.names.rules(&self.haystack[key.name.range()]) {
            let Kind::Field(field) = &rules.rule(rule).kind else { continue };
            let is_label = || mark::is_label(&rules.entities, &self.haystack[key.name.range()]);
            if self.wanted.strength(rules.rule(rule).entity) == 0 || is_label() {
                continue;
            }
            if !field.takes_key(&self.haystack[key.name.range()]) {
                continue;
            }
            match field.value {
                FieldValue::Whole | FieldValue::Follows => self.at_field(rule, field, key, read),
                FieldValue::Authorization => self.at_authorization(rule, key, read),
                FieldValue::Cookie | FieldValue::SetCookie => self.at_cookie(rule, field, key, read),
            }
        }
    }

    fn at_field(&mut self, rule: RuleId, field: &FieldRule, key: Key, read: &mut Read) {
        if let Some(beside) = &field.beside
            && !self.stands_beside(beside, key, &mut read.run)
        {
            return;
        }
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

    /// Asks about the value that the words at `words` introduce: `identified by 'x'`. Without quotes it is tied as loosely
    /// as behind a colon.
    pub(super) fn at_introduced(&mut self, rule: RuleId, field: &FieldRule, words: Span, run: &mut LastRun) {
        let key = Key { name: words, tie: Tie::Flag, level: 0, after: words.end };
        if let After::One(value) = field::value_after(self.haystack, key, run) {
            self.consider(rule, field, Tie::Colon, value);
        }
    }

    /// Whether such a field stands before `key` in its object, or right behind its value.
    fn stands_beside(&self, beside: &Beside, key: Key, run: &mut LastRun) -> bool {
        let floor = key.name.start.saturating_sub(limit::BESIDE_BYTES_MAX);
        let before = Span::new(floor, key.name.start);
        if self.holds(
            beside,
            before,
            memchr::memrchr2(b'{', b'}', &self.haystack[before.range()]).map(|at| at + 1),
        ) {
            return true;
        }
        let After::One(value) = field::value_after(self.haystack, key, run) else { return false };
        let end = self.haystack.len().min(value.span.end + limit::BESIDE_BYTES_MAX);
        let behind = Span::new(value.span.end, end);
        let close = memchr::memchr2(b'{', b'}', &self.haystack[behind.range()]).unwrap_or(behind.len());
        self.holds(beside, Span::new(behind.start, behind.start + close), None)
    }

    /// Whether the text in `window`, from `from` on, holds the field with one of its values.
    fn holds(&self, beside: &Beside, window: Span, from: Option<usize>) -> bool {
        let text = &self.haystack[window.start + from.unwrap_or(0)..window.end];
        let Some(at) = memchr::memmem::find(text, beside.key.as_bytes()) else { return false };
        let value = &text[at + beside.key.len()..];
        let gap = value.iter().take_while(|byte| b"\"'\\:= ".contains(byte)).count();
        let value = &value[gap..];
        let len = value.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
        gap > 0 && beside.values.iter().any(|known| value[..len].eq_ignore_ascii_case(known.as_bytes()))
    }

    /// Takes every value of an array or object. What lies inside one that was read already is not read again.
    fn at_composite(&mut self, rule: RuleId, field: &FieldRule, at: usize, level: u8, read: &mut Read) {
        let haystack = self.haystack;
        let taken = match field.nested {
            Nested::All => true,
            Nested::List => json::is_list_of_strings(haystack, at),
            Nested::Ignore => false,
        };
        // One that begins here may be another rule's, too.
        if !taken || (at < read.composite && at != read.composite_at) {
            return;
        }
        read.composite_at = at;
        read.composite = json::scalars(haystack, at, level, |scalar| {
            let form = Form { json: scalar.level, bare: scalar.bare, percent: 0 };
            self.consider(rule, field, Tie::Quoted, Value { span: scalar.span, form });
        });
    }

    /// Whether the field's value is a finding; it is noted if so, and why not otherwise.
    pub(super) fn consider(&mut self, rule: RuleId, field: &FieldRule, tie: Tie, value: Value) -> bool {
        if value.span.is_empty() {
            return false;
        }
        let Some(value) = self.validated(field, tie, value) else {
            self.missed(rule, value.span, Why::Checksum);
            return false;
        };
        if let Some(why) = refusal(&self.haystack[value.span.range()], field, tie, value.form.json > 0) {
            self.missed(rule, value.span, why);
            return false;
        }
        if field.numbers == Numbers::Long && is_blank(&self.haystack[value.span.range()]) {
            self.missed(rule, value.span, Why::Placeholder);
            return false;
        }
        self.found(rule, value.span, field::percent_form(self.haystack, value.span, value.form))
    }

    /// The value as the rule's validator reads it; as it is where there is none. A value that is written with escapes counts
    /// as a whole, an unquoted one may go on over spaces.
    fn validated(&self, field: &FieldRule, tie: Tie, value: Value) -> Option<Value> {
        let Some(validator) = field.validator else { return Some(value) };
        let text = &self.haystack[value.span.range()];
        // A longer text without a space in it is none of the values that validators read.
        let text = &text[..text.len().min(limit::CHECKED_BYTES_MAX)];
        let spaced_form = tie == Tie::Equals && text.iter().skip(1).any(|&byte| byte == b'+');
        if spaced_form || text.iter().any(|byte| b"%\\".contains(byte)) {
            let span = Span::new(value.span.start, value.span.start + text.len());
            let form = field::percent_form(self.haystack, span, value.form);
            let mut plain = [0; limit::CHECKED_BYTES_MAX];
            let plain = &mut plain[..text.len()];
            plain.copy_from_slice(text);
            let len = crate::structure::decode_in_place(plain, form);
            let plain = &mut plain[..len];
            // A form's `+` is a space, but for a telephone number's own.
            plain.iter_mut().skip(1).filter(|byte| **byte == b'+').for_each(|byte| *byte = b' ');
            let whole = text.len() == value.span.len() && validator.len(plain) == Some(len);
            if whole {
                return Some(value);
            }
        }
        let unquoted = value.form == Form::PLAIN && !matches!(tie, Tie::Quoted | Tie::Element);
        let end = if unquoted { self.haystack.len() } else { value.span.end };
        let len = validator.len(&self.haystack[value.span.start..end])?;
        Some(Value { span: Span::new(value.span.start, value.span.start + len), ..value })
    }

    /// The credential of an `Authorization` header: what stands behind the scheme, parameters and all, or everything
    /// where there is no scheme.
    fn at_authorization(&mut self, rule: RuleId, key: Key, read: &mut Read) {
        match field::value_after(self.haystack, key, &mut read.run) {
            After::One(value) => {
                if let Some(end) = self.at_credential(rule, value, &mut read.token) {
                    read.taken = end;
                }
            }
            After::Composite { at, level } if at >= read.composite => {
                let (haystack, token) = (self.haystack, &mut read.token);
                read.composite = json::scalars(haystack, at, level, |scalar| {
                    let form = Form { json: scalar.level, bare: scalar.bare, percent: 0 };
                    self.at_credential(rule, Value { span: scalar.span, form }, token);
                });
            }
            After::Composite { .. } => {}
        }
    }

    /// Notes the credential in the value of an `Authorization` header; says where it ends if keys in it are none.
    fn at_credential(&mut self, rule: RuleId, value: Value, token: &mut token::LastRun) -> Option<usize> {
        use token::Evidence::Header;
        let start = value.span.start;
        let text = &self.haystack[start..];
        let scheme = text.iter().take(32).take_while(|b| b.is_ascii_alphanumeric() || **b == b'-').count();
        let is = |name: &str| text[..scheme].eq_ignore_ascii_case(name.as_bytes());
        if is("bearer") {
            self.ask(Parser::Bearer, |h| token::bearer_at(h, start, Header, token));
            return None;
        }
        if is("basic") {
            self.ask(Parser::Basic, |h| token::basic_at(h, start, Header, token));
            return None;
        }
        let quoted = value.form.json > 0;
        let spaced = text.get(scheme) == Some(&b' ') && text.get(scheme + 1).is_some_and(|&b| b > b' ');
        let credential = if spaced { start + scheme + 1 } else { start };
        let end = match (quoted, spaced) {
            (false, true) => parameters_end(self.haystack, credential),
            _ => value.span.end,
        };
        // The first word stays only if it is a scheme; anything else there may be a credential's beginning.
        let known = SCHEMES.iter().any(|name| is(name));
        let span = Span::new(if known { credential.min(end) } else { start }, end);
        (!span.is_empty() && self.found(rule, span, value.form)).then_some(span.end)
    }

    /// The value of a key whose `=` is encoded, from `start` to `end`: `next=%2Flogin%3Ftoken%3Dabc%26x`, or `\u003d` of JSON
    /// encoders that mind HTML.
    pub(super) fn at_encoded_equals(&mut self, start: usize, end: usize, encoded: &mut Encoded) {
        if start < encoded.taken {
            return;
        }
        let floor = start.saturating_sub(limit::KEY_BYTES_MAX);
        let before = self.haystack[floor..start].iter().rev();
        let len = before.take_while(|&&b| context::is_word(b) || b"-.%\\".contains(&b)).count();
        let rules = self.rules;
        for &rule in rules.names.rules(&self.haystack[start - len..start]) {
            let Kind::Field(field) = &rules.rule(rule).kind else { continue };
            let span = Span::new(end, encoded.run_end(self.haystack, end));
            if self.wanted.strength(rules.rule(rule).entity) > 0
                && self.consider(rule, field, Tie::Equals, Value { span, form: Form::PLAIN })
            {
                encoded.taken = span.end;
            }
        }
    }

    /// The value of a quoted key whose colon is encoded, from `start` to `end`: JSON in a form,
    /// `data=%7B%22password%22%3A%22x%22%7D`.
    pub(super) fn at_encoded_colon(&mut self, start: usize, end: usize, encoded: &mut Encoded) {
        let quote: &[u8] = if end - start == 3 { b"%22" } else { b"%2522" };
        if start < encoded.taken || !self.haystack[..start].ends_with(quote) {
            return;
        }
        let name_end = start - quote.len();
        let floor = name_end.saturating_sub(limit::KEY_BYTES_MAX);
        let window = &self.haystack[floor..name_end];
        let Some(open) = memchr::memmem::rfind(window, quote) else { return };
        let name = &window[open + quote.len()..];
        let rules = self.rules;
        for &rule in rules.names.rules(name) {
            let Kind::Field(field) = &rules.rule(rule).kind else { continue };
            if self.wanted.strength(rules.rule(rule).entity) == 0 || field.value != FieldValue::Whole {
                continue;
            }
            let span = encoded.json_value(self.haystack, end, quote);
            if self.consider(rule, field, Tie::Quoted, Value { span, form: Form::PLAIN }) {
                encoded.taken = span.end;
            }
        }
    }

    fn at_cookie(&mut self, rule: RuleId, field: &FieldRule, key: Key, read: &mut Read) {
        match field::value_after(self.haystack, key, &mut read.run) {
            After::One(value) => read.taken = self.at_pairs_of(rule, field, value),
            // A list of headers; the members of an object are cookies themselves.
            After::Composite { at, level } if self.haystack[at] == b'[' && at >= read.composite => {
                let haystack = self.haystack;
                read.composite = json::scalars(haystack, at, level, |scalar| {
                    let form = Form { json: scalar.level, bare: scalar.bare, percent: 0 };
                    self.at_pairs_of(rule, field, Value { span: scalar.span, form });
                });
            }
            After::Composite { at, level } => self.at_composite(rule, field, at, level, read),
        }
    }

    /// Notes the values of the cookies in a header's value; says where the header ends.
    fn at_pairs_of(&mut self, rule: RuleId, field: &FieldRule, value: Value) -> usize {
        let quoted = value.form.json > 0;
        let end = if quoted { value.span.end } else { self.haystack.len() };
        let region = Span::new(value.span.start, end);
        let quoted = if quoted { cookie::Quoted::Whole } else { cookie::Quoted::No };
        let (haystack, form) = (self.haystack, value.form);
        let each = |span: Span| {
            self.found(rule, span, form);
        };
        match field.value {
            FieldValue::SetCookie => cookie::first_value(haystack, region, quoted, each),
            _ => cookie::values(haystack, region, quoted, each),
        }
    }

    /// Asks the header rules for the name that ends at `end` and stands beside its value: `["Cookie", "a=b"]`,
    /// `{"name":"Authorization","value":"Bearer x"}`.
    pub(super) fn at_paired_name(&mut self, end: usize, read: &mut Read) {
        let Some(key) = field::key_of_pair(self.haystack, end) else { return };
        let rules = self.rules;
        for &rule in rules.names.rules(&self.haystack[key.name.range()]) {
            let Kind::Field(field) = &rules.rule(rule).kind else { continue };
            if self.wanted.strength(rules.rule(rule).entity) == 0 {
                continue;
            }
            match field.value {
                FieldValue::Authorization => self.at_authorization(rule, key, read),
                FieldValue::Cookie | FieldValue::SetCookie => self.at_cookie(rule, field, key, read),
                FieldValue::Whole | FieldValue::Follows => {}
            }
        }
    }

    /// Asks the field rules for the element whose closing tag begins at `start`.
    pub(super) fn at_element(&mut self, start: usize) {
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
}

/// Schemes other than Bearer and Basic: those of IANA's registry (RFC 9110, section 16.4.1) and those of large services.
const SCHEMES: &[&str] = &[
    "digest",
    "negotiate",
    "ntlm",
    "hoba",
    "mutual",
    "oauth",
    "privatetoken",
    "scram-sha-1",
    "scram-sha-256",
    "vapid",
    "dpop",
    "gnap",
    "concealed",
    "token",
    "apikey",
    "api-key",
    "key",
    "hawk",
    "aws",
    "aws4-hmac-sha256",
    "sharedkey",
    "sharedaccesssignature",
    "splunk",
    "genie-key",
    "sso-key",
    "ssws",
    "jwt",
    "hmac",
    "signature",
];

/// Where the parameters of a credential end that begin at `start`: behind the first word that no comma ends.
fn parameters_end(haystack: &[u8], start: usize) -> usize {
    let mut end = start;
    let mut quoted = false;
    while let Some(&byte) = haystack.get(end) {
        match byte {
            b'"' => quoted = !quoted,
            b' ' | b'\t' if !quoted && haystack[end - 1] != b',' => break,
            b'\r' | b'\n' => break,
            _ => {}
        }
        end += 1;
    }
    // Quotes that do not pair belong to the text around the header.
    let text = &haystack[start..end];
    if quoted { start + text.iter().position(|&b| b == b'"' || b == b' ').unwrap_or(text.len()) } else { end }
}

/// Digits that a number must have to be a secret where short ones are counters.
const NUMBER_DIGITS_MIN: usize = 6;

/// Why a field's value is none, if it is none. In quotes nothing is loose: `token: "pet"` is meant as a value.
fn refusal(text: &[u8], field: &FieldRule, tie: Tie, quoted: bool) -> Option<Why> {
    if text.len() < field.length_min {
        return Some(Why::Length);
    }
    let counts = match field.numbers {
        Numbers::Count => true,
        Numbers::Long => text.len() >= NUMBER_DIGITS_MIN,
        Numbers::Ignore => false,
    };
    if !counts && text.iter().all(|b| b.is_ascii_digit() || b".+-".contains(b)) {
        return Some(Why::Plain);
    }
    let head = &text[..text.len().min(limit::JUDGED_BYTES_MAX)];
    // `credentials=[Login(user=bob, …` opens a structure whose fields are asked on their own.
    if !quoted && matches!(text[0], b'[' | b'(' | b'{') && head.contains(&b'=') {
        return Some(Why::Context);
    }
    let why = refusal_of_form(head, field, tie, quoted)?;
    // What is dull in its beginning alone may be something else behind it.
    if head.len() < text.len() {
        refusal_of_form(&text[text.len() - head.len()..], field, tie, quoted)?;
    }
    Some(why)
}

/// Why a text does not look like what the field is named for, if it does not.
fn refusal_of_form(text: &[u8], field: &FieldRule, tie: Tie, quoted: bool) -> Option<Why> {
    if tie == Tie::SpacedEquals && !quoted && is_prose(text) {
        return Some(Why::Plain);
    }
    if matches!(tie, Tie::Colon | Tie::TightColon) && !quoted {
        let random = (text.len() >= 20 || text.iter().any(u8::is_ascii_digit)) && !entropy::is_place(text);
        let refused = match field.loose {
            Loose::Any => is_prose(text),
            Loose::Random => !random || is_structure(text),
            Loose::Ignore => true,
        };
        if refused {
            return Some(Why::Plain);
        }
    }
    if let Some(pattern) = &field.pattern
        && !pattern.is_match(text)
    {
        return Some(Why::Form);
    }
    if let Some(check) = field.check
        && !holds_decoded(check, text)
    {
        return Some(if check.is_by_sum() { Why::Checksum } else { Why::Form });
    }
    if field.random && !entropy::looks_random(text) {
        return Some(Why::Entropy);
    }
    None
}

/// Whether the value holds as it stands or percent-decoded, a plus sign for a space.
fn holds_decoded(check: Check, text: &[u8]) -> bool {
    if check.holds(text) {
        return true;
    }
    if text.len() > limit::DECODED_BYTES_MAX || !text.iter().any(|byte| b"%+".contains(byte)) {
        return false;
    }
    let mut plain = [0; limit::DECODED_BYTES_MAX];
    let mut plain = &mut plain[..text.len()];
    plain.copy_from_slice(text);
    (0..limit::PERCENT_ROUNDS_MAX).any(|_| {
        plain.iter_mut().filter(|b| **b == b'+').for_each(|b| *b = b' ');
        let len = percent::decode(plain);
        plain = &mut std::mem::take(&mut plain)[..len];
        check.holds(plain)
    })
}

/// `[Name(key=value`, an object as programs print it: its keys are asked for themselves.
fn is_structure(text: &[u8]) -> bool {
    let opens = matches!(text.first(), Some(b'[' | b'{'));
    opens && text.contains(&b'(') && text.contains(&b'=')
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
    // None of them begins with a digit, as addresses and numbers do.
    if text.first().is_some_and(u8::is_ascii_digit) {
        return false;
    }
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
        b"<none>",
        b"<null>",
        b"<unknown>",
        b"<redacted>",
        b"<masked>",
        b"n/a",
        b"redacted",
        b"[redacted]",
        b"[filtered]",
        b"__redacted__",
        b"(redacted)",
        b"...",
        b"unknown",
        b"anonymous",
        b"anonymoususer",
    ];
    let formatted = matches!(text, [b'{', b'}'] | [b'{' | b'[' | b'('] | [b'%', b's' | b'd' | b'v']);
    let masked = is_mask(text);
    formatted || masked || is_variable(text) || WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// `<access-key>`, `{{ token }}`: a blank that is still to be filled in, as manuals and templates write it. A password may
/// look so, a key does not.
fn is_blank(text: &[u8]) -> bool {
    let ([b'<', name @ .., b'>'] | [b'{', b'{', name @ .., b'}', b'}']) = text else { return false };
    name.iter().all(|&b| b.is_ascii_alphabetic() || b" _-.".contains(&b))
}

/// Stars, or a mask as `act` writes it: stars but for at most four characters at the end, separators kept.
fn is_mask(text: &[u8]) -> bool {
    let stars = text.iter().filter(|&&b| b == b'*').count();
    let shown = text.iter().rev().take_while(|b| b.is_ascii_alphanumeric()).count();
    let covered = text[..text.len() - shown].iter().all(|b| b"* -".contains(b));
    covered && (shown == 0 || (shown <= 4 && stars >= 8)) && stars > 0
}

/// `${DB_PASSWORD}`, `$(TOKEN)`: the name of a variable in capitals, as shells and manifests write it. Anything else in
/// such brackets may be a value.
fn is_variable(text: &[u8]) -> bool {
    let ([b'$', b'{', name @ .., b'}'] | [b'$', b'(', name @ .., b')']) = text else { return false };
    name.iter().all(|&b| b.is_ascii_uppercase() || b == b'_') && !name.is_empty()
}

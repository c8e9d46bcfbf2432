/*!
Writes what stands in a value's place.

Where the value is a bare number of JSON and the replacement is none, it gets
quotes, with the backslashes of its level. What an action cannot be carried out
on is redacted.
*/

use super::field::{Field, Search};
use super::mask::{self, Place};
use super::pseudonym::{Keyed, Value};
use super::state::Bench;
use super::{Orders, Part, Table, card, generalize, truncate};
use crate::action::{Action, Shape};
use crate::detect::Finding;
use crate::entity::Entity;
use crate::mark;
use crate::span::Span;
use crate::structure::{self, Form};
use crate::ttl::Ttl;

/// What is taken if the policy's action cannot be carried out.
const REDACT: Action = Action::Redact { length: false };

/// Deepest level of JSON at which a bare value gets quotes; deeper, where they would outgrow all text, it becomes `0`.
const QUOTE_LEVEL_MAX: u8 = 4;

/// Replaces findings in one text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Replacer<'a> {
    pub(super) orders: &'a Orders<'a>,
    pub(super) part: Part,
    pub(super) haystack: &'a [u8],
}

impl Replacer<'_> {
    /// What is to be done with a finding. Our own labels and tags stay as they are.
    pub(super) fn action(&self, finding: &Finding) -> Action {
        let action = self.orders.action(finding.entity);
        if action != Action::Keep && self.is_ours(finding.span) {
            return Action::Keep;
        }
        action
    }

    /// Whether this is to be done with a finding. What stands there is looked at only if its entity's action is this one.
    pub(super) fn is_to(&self, finding: &Finding, action: Action) -> bool {
        self.orders.action(finding.entity) == action && !self.is_ours(finding.span)
    }

    /// Replaces `fields` by the fields that are to be removed, sorted, none within another.
    pub(super) fn find_fields(&self, findings: &[Finding], fields: &mut Vec<Field>) {
        fields.clear();
        let mut search = Search::new(self.haystack);
        for finding in findings {
            if self.is_to(finding, Action::DropField) {
                fields.extend(search.field(finding));
            }
        }
        fields.sort_unstable_by_key(|field| (field.span.start, std::cmp::Reverse(field.span.end)));
        let mut end = 0;
        fields.retain(|field| {
            let is_outermost = field.span.start >= end;
            end = end.max(field.span.end);
            is_outermost
        });
    }

    /// Appends what stands in the finding's place; returns the action that was carried out.
    pub(super) fn replace(
        &self,
        finding: &Finding,
        action: Action,
        bench: &mut Bench,
        out: &mut Vec<u8>,
    ) -> Action {
        let from = out.len();
        let level = finding.form.json.max(1);
        if finding.form.bare && level > QUOTE_LEVEL_MAX {
            out.push(b'0');
            return REDACT;
        }
        let done = self.write(finding, action, bench, out);
        if finding.form.bare && !is_number(&out[from..]) {
            quote(level, from, out);
        }
        if self.part == Part::Structured {
            bench.structured.fit(self.haystack, finding.span.start, out, from, &mut bench.other);
        }
        done
    }

    fn write(&self, finding: &Finding, action: Action, bench: &mut Bench, out: &mut Vec<u8>) -> Action {
        let done = match action {
            Action::Truncate { ipv4_prefix, ipv6_prefix } => {
                self.write_truncated(finding, ipv4_prefix, ipv6_prefix, bench, out)
            }
            Action::Generalize { decimals } => self.write_generalized(finding, decimals, bench, out),
            Action::Mask { first, last } => self.write_masked(finding, first, last, bench, out),
            Action::Pseudonymize { shape: Shape::Table { limit } } => {
                self.write_from_table(finding, limit, bench, out)
            }
            Action::Encrypt | Action::Pseudonymize { .. } => self.write_keyed(finding, action, bench, out),
            Action::Redact { length: true } if self.part != Part::Header => {
                mark::write_label_with_length(out, self.name(finding.entity), finding.span.len());
                true
            }
            Action::Redact { .. } | Action::DropField | Action::DropRecord => false,
            Action::Keep => {
                out.extend_from_slice(self.text(finding));
                true
            }
        };
        if done {
            return action;
        }
        mark::write_label(out, self.name(finding.entity));
        REDACT
    }

    fn write_truncated(
        &self,
        finding: &Finding,
        ipv4_prefix: u8,
        ipv6_prefix: u8,
        bench: &mut Bench,
        out: &mut Vec<u8>,
    ) -> bool {
        if finding.entity == Entity::CARD {
            // A card's issuer number is to it what a network is to an address.
            return self.write_card(finding, ISSUER_DIGITS, 0, bench, out);
        }
        let plain = self.plain(finding, &mut bench.plain);
        let is_address = matches!(finding.entity, Entity::IPV4 | Entity::IPV6);
        is_address && truncate::write_network(plain, ipv4_prefix, ipv6_prefix, out)
    }

    fn write_generalized(
        &self,
        finding: &Finding,
        decimals: u8,
        bench: &mut Bench,
        out: &mut Vec<u8>,
    ) -> bool {
        let plain = self.plain(finding, &mut bench.plain);
        match self.name(finding.entity) {
            "geo_coordinates" => generalize::write_coordinates(plain, decimals, out),
            "birth_date" => generalize::write_year(plain, out),
            "user_agent" => generalize::write_agent(plain, out),
            _ => false,
        }
    }

    fn write_masked(
        &self,
        finding: &Finding,
        first: u8,
        last: u8,
        bench: &mut Bench,
        out: &mut Vec<u8>,
    ) -> bool {
        if finding.entity == Entity::CARD && self.write_card(finding, first, last, bench, out) {
            return true;
        }
        mask::write_mask(self.plain(finding, &mut bench.plain), last, place(finding), out);
        true
    }

    /// The edges of a card, or none of its digits beside a card's pseudonym.
    fn write_card(
        &self,
        finding: &Finding,
        first: u8,
        last: u8,
        bench: &mut Bench,
        out: &mut Vec<u8>,
    ) -> bool {
        let (first, last) = bench.cards.show(first, last);
        mask::write_card_mask(self.plain(finding, &mut bench.plain), first, last, place(finding), out)
    }

    fn write_keyed(&self, finding: &Finding, action: Action, bench: &mut Bench, out: &mut Vec<u8>) -> bool {
        let (Some(key), Some(keyed)) = (self.orders.key, Keyed::of(action)) else { return false };
        let text = self.text(finding);
        let Bench { plain, other, memory, cards, .. } = bench;
        if card::may_be(text) && card::is_card(self.plain(finding, plain)) && !cards.may_be_pseudonymized() {
            return false;
        }
        if self.is_suppressed(finding, plain, other) {
            return false;
        }
        let make = |out: &mut Vec<u8>| {
            let (entities, plain) = (self.orders.rules.entities(), self.plain(finding, plain));
            let (entity, percent) = (finding.entity, finding.form.percent);
            Value { entities, key, entity, plain, percent }.write(keyed, other, out);
        };
        memory.recall((self.orders.class, key), (finding, text), keyed, out, make);
        true
    }

    fn is_suppressed(&self, finding: &Finding, plain: &mut Vec<u8>, canonical: &mut Vec<u8>) -> bool {
        let Some(suppressed) = self.orders.suppressed else { return false };
        let plain = self.plain(finding, plain);
        let entity = super::canonical::canonical(finding.entity, self.name(finding.entity), plain, canonical);
        suppressed.holds(self.name(entity), canonical)
    }

    fn write_from_table(&self, finding: &Finding, limit: Ttl, bench: &mut Bench, out: &mut Vec<u8>) -> bool {
        let Some(Table { sessions, received, .. }) = self.orders.table else { return false };
        let Bench { plain, other, cards, .. } = bench;
        if self.is_suppressed(finding, plain, other) {
            return false;
        }
        let plain = self.plain(finding, plain);
        if card::is_card(plain) && !cards.may_be_pseudonymized() {
            return false;
        }
        let name = self.name(finding.entity);
        let of = (self.orders.class.0, name);
        let tag = sessions.tag(sessions.place(plain), of, received, limit.duration());
        mark::write_tag(out, name, &sessions.id().0, &tag);
        true
    }

    /// Notes the sessions of a record that ends them. Whatever is found in it may be a session's token.
    pub(super) fn note_ending(&self, findings: &[Finding], bench: &mut Bench) {
        let (Some(table), Some(mut ending)) = (self.orders.table, bench.ending.take()) else { return };
        for finding in findings {
            ending.push(table.sessions.place(self.plain(finding, &mut bench.plain)));
        }
        bench.ending = Some(ending);
    }

    fn text(&self, finding: &Finding) -> &[u8] {
        &self.haystack[finding.span.range()]
    }

    /// The value without its escapes; `buffer` holds it if there were any.
    fn plain<'b>(&'b self, finding: &Finding, buffer: &'b mut Vec<u8>) -> &'b [u8] {
        let text = self.text(finding);
        if !text.contains(&b'\\') && !text.contains(&b'%') {
            return text;
        }
        let crate::detect::Form { json, bare, percent } = finding.form;
        structure::decode(text, Form { json, bare, percent }, buffer);
        buffer
    }

    fn name(&self, entity: Entity) -> &str {
        self.orders.rules.entities().name(entity)
    }

    fn is_ours(&self, span: Span) -> bool {
        let entities = self.orders.rules.entities();
        match &self.haystack[span.range()] {
            // As structured data writes it.
            [label @ .., b'\\', b']'] if self.part == Part::Structured => {
                mark::is_label(entities, &[label, b"]"].concat())
            }
            _ => mark::is_ours(entities, self.haystack, span),
        }
    }
}

/// Leading digits of a card that name its issuer (ISO/IEC 7812-1).
const ISSUER_DIGITS: u8 = 6;

fn place(finding: &Finding) -> Place {
    if finding.form.percent > 0 { Place::Percent } else { Place::Text }
}

/// Whether the text is a number of JSON (RFC 8259, section 6), exponents aside.
fn is_number(text: &[u8]) -> bool {
    let digits = |text: &[u8]| text.iter().take_while(|b| b.is_ascii_digit()).count();
    let text = text.strip_prefix(b"-").unwrap_or(text);
    let whole = digits(text);
    let zeros = whole > 1 && text[0] == b'0';
    match &text[whole..] {
        [] => whole > 0 && !zeros,
        [b'.', fraction @ ..] => {
            whole > 0 && !zeros && !fraction.is_empty() && digits(fraction) == fraction.len()
        }
        _ => false,
    }
}

/// Puts what `out` holds from `from` on in quotes of JSON at this level.
fn quote(level: u8, from: usize, out: &mut Vec<u8>) {
    let end = out.len();
    write_quote(level, out);
    let quote_len = out.len() - end;
    out[from..].rotate_right(quote_len);
    write_quote(level, out);
}

/// A quote of JSON at this level: each level doubles the backslashes and adds one.
fn write_quote(level: u8, out: &mut Vec<u8>) {
    out.extend(std::iter::repeat_n(b'\\', (1 << (level - 1)) - 1));
    out.push(b'"');
}

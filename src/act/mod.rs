/*!
Carries out the policy's actions: findings in, clean bytes out, in one pass.

This module alone makes a [`Redacted`]; nothing downstream accepts anything else.
A [`Pass`] does it for one batch: it finds, acts and copies, and lets nothing
through that was not searched. [`splice`] is the same for one text that becomes
no record.
*/

mod envelope;
mod field;
mod mask;
mod pseudonym;
mod redacted;
mod replace;
mod state;
mod structured;
mod tally;
mod truncate;

pub use redacted::{Envelope, Redacted};
pub use state::State;
pub use tally::Tally;

use std::sync::Arc;

use field::Field;
use replace::Replacer;

use crate::action::Action;
use crate::clock::Timestamp;
use crate::detect::{Finding, Rules, Wanted};
use crate::entity::Entity;
use crate::keys::EpochKey;
use crate::mark;
use crate::record::{ClassId, Names, Record};
use crate::secret::Raw;
use crate::span::Span;

/// What is to be done with the findings of one class.
#[derive(Clone, Copy, Debug)]
pub struct Orders<'a> {
    /// The class; pseudonyms are remembered by it.
    pub class: ClassId,
    /// What finds, and what entities are called.
    pub rules: &'a Rules,
    /// What is looked for.
    pub wanted: &'a Wanted,
    /// By [`Entity::index`]; what is missing is redacted.
    pub actions: &'a [Action],
    /// The class's key in this epoch. Without one, what would be pseudonymised is redacted.
    pub key: Option<&'a EpochKey>,
}

impl Orders<'_> {
    fn action(&self, entity: Entity) -> Action {
        self.actions.get(entity.index()).copied().unwrap_or(Action::Redact { length: false })
    }
}

/// Which part of a record a text is: what may stand in it differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Host, app, process or kind: one word (RFC 5424, section 6.2).
    Header,
    /// Structured data (RFC 5424, section 6.3).
    Structured,
    /// What was said.
    Message,
}

/// What became of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It stands in the output, clean.
    Passed,
    /// A finding says that the record must not go on; the output is as it was.
    Dropped,
}

/// Parts of a record in the order of [`Record::parts_mut`].
const PARTS: [Part; 6] =
    [Part::Header, Part::Header, Part::Header, Part::Header, Part::Structured, Part::Message];

/// One pass over a batch: its clean bytes grow record by record.
#[derive(Debug)]
pub struct Pass {
    out: redacted::Builder,
}

impl Pass {
    /// Begins with the records received at `received`; `names` has their classes and streams.
    pub fn new(received: Timestamp, names: Arc<Names>) -> Pass {
        Pass { out: redacted::Builder::new(received, names) }
    }

    /// Makes room for this many bytes at once.
    pub fn reserve(&mut self, byte_len: usize) {
        self.out.bytes_mut().reserve(byte_len);
    }

    /// Finds, acts and appends one record, whose spans point into `raw`.
    pub fn record(
        &mut self,
        orders: &Orders,
        state: &mut State,
        raw: &Raw,
        record: &Record,
        tally: &mut Tally,
    ) {
        let mut clean = *record;
        let mut findings = std::mem::take(&mut state.findings);
        for (span, part) in clean.parts_mut().into_iter().zip(PARTS) {
            let haystack = &raw.bytes()[span.range()];
            if haystack.is_empty() {
                *span = Span::default();
                continue;
            }
            findings.clear();
            orders.rules.find(orders.wanted, &mut state.detect, haystack, &mut findings);
            let out = self.out.bytes_mut();
            let start = out.len();
            if splice(orders, state, part, haystack, &findings, out, tally) == Fate::Dropped {
                self.out.roll_back();
                state.findings = findings;
                tally.dropped += 1;
                return;
            }
            *span = Span::new(start, out.len());
        }
        state.findings = findings;
        self.out.push(clean);
        tally.records_out += 1;
    }

    /// Appends a marker in the place of a record that could not be handled. What was already written of it is wiped.
    pub fn withhold(&mut self, record: &Record, reason: &'static str, tally: &mut Tally) {
        self.out.roll_back();
        let out = self.out.bytes_mut();
        let start = out.len();
        mark::write_withheld(out, record.message.len(), reason);
        let message = Span::new(start, out.len());
        let empty = Span::default();
        let parts =
            Record { host: empty, app: empty, procid: empty, msgid: empty, structured: empty, ..*record };
        self.out.push(Record { message, ..parts });
        tally.withheld += 1;
        tally.records_out += 1;
    }

    /// The clean records.
    pub fn finish(self) -> Redacted {
        self.out.finish()
    }
}

/// Appends `haystack` to `out` with every finding replaced as its action says; all else is copied as it is.
///
/// `findings` are sorted and do not overlap. Linear in the haystack. Each finding is counted with what was really
/// done: what an action cannot be carried out on is redacted.
pub fn splice(
    orders: &Orders,
    state: &mut State,
    part: Part,
    haystack: &[u8],
    findings: &[Finding],
    out: &mut Vec<u8>,
    tally: &mut Tally,
) -> Fate {
    let start = out.len();
    let replacer = Replacer { orders, part, haystack };
    if let Some(fatal) = findings.iter().find(|finding| replacer.action(finding) == Action::DropRecord) {
        tally.count(fatal.entity, Action::DropRecord);
        return Fate::Dropped;
    }
    replacer.find_fields(findings, &mut state.bench.fields);
    let fields = std::mem::take(&mut state.bench.fields);
    state.bench.structured = structured::Reader::default();
    let mut next_field = fields.iter().peekable();
    let mut cursor = 0;
    for finding in findings {
        if let Some(field) = next_field.next_if(|field| field.span.start <= finding.span.start) {
            cursor = remove(haystack, cursor, field, out);
        }
        if finding.span.start < cursor {
            tally.count(finding.entity, Action::DropField);
            cursor = cursor.max(finding.span.end);
            continue;
        }
        let action = replacer.action(finding);
        if action == Action::Keep {
            continue;
        }
        out.extend_from_slice(&haystack[cursor..finding.span.start]);
        tally.count(finding.entity, replacer.replace(finding, action, &mut state.bench, out));
        cursor = finding.span.end;
    }
    out.extend_from_slice(&haystack[cursor..]);
    state.bench.fields = fields;
    if part == Part::Structured && !findings.is_empty() {
        structured::mend(haystack, out, start);
    }
    Fate::Passed
}

/// Copies up to a field and leaves it out with one of the separators next to it; returns where to go on.
///
/// The separator before it goes if it is still there. If it is not, because fields before went with it, or there is
/// none, the one after goes.
fn remove(haystack: &[u8], cursor: usize, field: &Field, out: &mut Vec<u8>) -> usize {
    if field.lead < field.span.start && cursor <= field.lead {
        out.extend_from_slice(&haystack[cursor..field.lead]);
        return field.span.end;
    }
    if cursor < field.span.start {
        out.extend_from_slice(&haystack[cursor..field.span.start]);
    }
    cursor.max(field.trail)
}

#[cfg(test)]
mod tests;

/*!
Carries out the policy's actions: findings in, clean bytes out, in one pass.

This module alone makes a [`Redacted`]; nothing downstream accepts anything else.
A [`Pass`] does it for one batch: it finds, acts and copies, and lets nothing
through that was not searched. [`splice`] is the same for one text that becomes
no record.
*/

mod redacted;
mod state;
mod tally;

pub use redacted::{Envelope, Redacted};
pub use state::State;
pub use tally::Tally;

use std::sync::Arc;

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

/// Appends `haystack` to `out` with every finding replaced as its action says. `findings` are sorted and do not overlap.
pub fn splice(
    orders: &Orders,
    _state: &mut State,
    _part: Part,
    haystack: &[u8],
    findings: &[Finding],
    out: &mut Vec<u8>,
    tally: &mut Tally,
) -> Fate {
    let mut cursor = 0;
    for finding in findings {
        let action = orders.action(finding.entity);
        out.extend_from_slice(&haystack[cursor..finding.span.start]);
        mark::write_label(out, orders.rules.entities().name(finding.entity));
        tally.count(finding.entity, action);
        cursor = finding.span.end;
    }
    out.extend_from_slice(&haystack[cursor..]);
    Fate::Passed
}

/*!
Carries out the policy's actions: findings in, clean bytes out, in one pass.

This module alone makes a [`Redacted`]; nothing downstream accepts anything else.
A [`Pass`] does it for one batch: it finds, acts and copies, and lets nothing
through that was not searched. [`splice`] is the same for one text that becomes
no record.
*/

mod canonical;
mod card;
mod envelope;
mod field;
mod found;
mod generalize;
mod known;
mod logout;
mod mask;
mod memory;
mod pseudonym;
mod redacted;
mod replace;
mod sealed;
mod state;
mod structured;
mod tally;
mod trace;
mod truncate;

pub use envelope::{push_byte, push_json_string};
pub use logout::{Logout, Logouts};
pub use redacted::{Envelope, Redacted};
pub use sealed::{Seal, Thaw};
pub use state::State;
pub use tally::Tally;
pub use trace::{Certainty, Trace, open, original, suppression, trace};

use std::sync::Arc;

use field::Field;
use replace::Replacer;

use crate::action::Action;
use crate::clock::Timestamp;
use crate::detect::{Finding, Rules, Wanted};
use crate::entity::Entity;
use crate::keys::sessions::Sessions;
use crate::keys::{EpochKey, Suppressed};
use crate::mark;
use crate::record::{ClassId, Names, Record, Tracking};
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
    /// The class's key in this epoch. Without one, what would be pseudonymised or encrypted is redacted.
    pub key: Option<&'a EpochKey>,
    /// Whose values are redacted where they would be pseudonymised or encrypted.
    pub suppressed: Option<&'a Suppressed>,
    /// Without a table, what would get its pseudonym from there is redacted.
    pub table: Option<Table<'a>>,
}

/// The table of sessions, and what it takes to use it.
#[derive(Clone, Copy, Debug)]
pub struct Table<'a> {
    /// The table.
    pub sessions: &'a Sessions,
    /// Receive time of the records.
    pub received: Timestamp,
    /// Which records end a session.
    pub logouts: &'a Logouts,
}

impl<'a> Orders<'a> {
    /// The orders that a record is handled by.
    pub fn of<'o>(record: &Record, all: &'o [Orders<'a>]) -> &'o Orders<'a> {
        let class = usize::from(record.class.0);
        match record.tracking {
            Tracking::Unsaid => &all[class],
            Tracking::Refused => &all[all.len() / 2 + class],
        }
    }
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
pub struct Pass<'a> {
    raw: &'a [u8],
    out: redacted::Builder<'a>,
}

impl<'a> Pass<'a> {
    /// Begins with records received at `received`, whose spans point into `raw`; `names` has their classes and streams.
    pub fn new(raw: &'a Raw, received: Timestamp, names: Arc<Names>) -> Pass<'a> {
        Pass { raw: raw.bytes(), out: redacted::Builder::new(raw.bytes(), received, names) }
    }

    /// Makes room for this many bytes and records at once.
    pub fn reserve(&mut self, byte_len: usize, records: usize) {
        self.out.reserve(byte_len, records);
    }

    /// Finds, acts and appends records. `orders` are those of each class, by its number, and behind them, if there are such
    /// records, those for records that ask not to be tracked.
    ///
    /// All are searched in one go; what has no findings is copied together with its neighbours.
    pub fn records(&mut self, orders: &[Orders], state: &mut State, records: &[Record], tally: &mut Tally) {
        for of_class in records.chunk_by(|a, b| (a.class, a.tracking) == (b.class, b.tracking)) {
            let orders = Orders::of(&of_class[0], orders);
            let mut found = std::mem::take(&mut state.found);
            found.search(orders, &mut state.detect, self.raw, of_class);
            {
                let mut found_in = found.by_part();
                for record in of_class {
                    if record.is_plain() && orders.table.is_none() {
                        self.plain_record(orders, state, record, &mut found_in, tally);
                    } else {
                        self.record(orders, state, record, &mut found_in, tally);
                    }
                }
            }
            state.found = found;
        }
    }

    /// The same as [`Pass::record`] for one that is all message, where no sessions are kept.
    fn plain_record<'f>(
        &mut self,
        orders: &Orders,
        state: &mut State,
        record: &Record,
        found_in: &mut impl FnMut() -> &'f [Finding],
        tally: &mut Tally,
    ) {
        let span = record.message;
        let findings = if span.is_empty() { &[] } else { found_in() };
        self.out.begin_message(span);
        let message = if span.is_empty() {
            Span::default()
        } else if findings.is_empty() {
            self.out.copy(span)
        } else {
            let haystack = &self.raw[span.range()];
            let out = self.out.write_behind(span);
            let start = out.len();
            if splice(orders, state, Part::Message, haystack, findings, out, tally) == Fate::Dropped {
                self.out.roll_back();
                tally.dropped += 1;
                return;
            }
            Span::new(start, out.len())
        };
        self.out.push_plain(record, message);
        tally.records_out += 1;
    }

    fn record<'f>(
        &mut self,
        orders: &Orders,
        state: &mut State,
        record: &Record,
        found_in: &mut impl FnMut() -> &'f [Finding],
        tally: &mut Tally,
    ) {
        let mut clean = *record;
        let mut fate = Fate::Passed;
        state.bench.cards = card::Cards::default();
        let table = orders.table.filter(|table| !table.logouts.is_empty());
        let logout = table.filter(|table| table.logouts.matches(&self.raw[record.message.range()]));
        state.bench.ending = logout.map(|_| Vec::new());
        for (span, part) in clean.parts_mut().into_iter().zip(PARTS) {
            let findings = if span.is_empty() { &[] } else { found_in() };
            if fate == Fate::Dropped {
                continue;
            }
            if part == Part::Message {
                self.out.begin_message(*span);
            }
            if span.is_empty() {
                *span = Span::default();
                continue;
            }
            if findings.is_empty() {
                *span = self.out.copy(*span);
                continue;
            }
            let haystack = &self.raw[span.range()];
            let out = self.out.write_behind(*span);
            let start = out.len();
            fate = splice_part(orders, state, part, haystack, findings, out, tally);
            *span = Span::new(start, out.len());
        }
        if let (Some(table), Some(places)) = (logout, state.bench.ending.take()) {
            for place in places {
                table.sessions.end(place);
            }
        }
        if fate == Fate::Dropped {
            self.out.roll_back();
            tally.dropped += 1;
            return;
        }
        self.out.push(clean);
        tally.records_out += 1;
    }

    /// Appends a marker in the place of a record that could not be handled. What was already written of it is wiped.
    pub fn withhold(&mut self, record: &Record, reason: &'static str, tally: &mut Tally) {
        self.out.roll_back();
        self.out.begin_message(Span::default());
        let out = self.out.write_behind(Span::default());
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
    state.bench.cards = card::Cards::default();
    splice_part(orders, state, part, haystack, findings, out, tally)
}

/// The same for one part of a record whose parts before it have been at hand.
fn splice_part(
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
    replacer.note_ending(findings, &mut state.bench);
    if let Some(fatal) = findings.iter().find(|finding| replacer.is_to(finding, Action::DropRecord)) {
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

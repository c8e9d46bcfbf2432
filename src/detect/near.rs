/*!
Checked values near a word that names them: `SSN is 536-22-1234`, `020594X903P is my hetu`.

A check digit alone is too little evidence in free text: one of ten or of thirty
numbers has it right by chance. With a word for the number next to it, or with
nothing else in the record, it is enough.

Trigger: the word, a literal of three bytes or more; or a record of no more than
[`limit::ALONE_BYTES_MAX`] bytes.
*/

use super::reference::Search;
use super::rule::{Alone, Kind, NearRule};
use super::{RuleId, context};
use crate::limit;
use crate::span::Span;
use crate::structure::Form;

impl Search<'_> {
    /// Looks for the rule's value behind the word at `start..end`, then before it.
    pub(super) fn at_word(&mut self, rule: RuleId, near: &NearRule, start: usize, end: usize) {
        let haystack = self.haystack;
        // `us_ssn` names its number as `SSN` does; a word that is a part of a longer one does not.
        let plural = usize::from(haystack.get(end) == Some(&b's'));
        let begins = context::word_starts_at(haystack, start) || haystack[..start].ends_with(b"_");
        let wanted = self.wanted.strength(self.rules.rule(rule).entity) > 0;
        if !wanted || !begins || !context::word_ends_at(haystack, end + plural) {
            return;
        }
        let behind = haystack.len().min(end + limit::NEAR_BYTES_MAX);
        let before = start.saturating_sub(limit::NEAR_BYTES_MAX);
        let span = value_in(haystack, near, Span::new(end + plural, behind), haystack.len())
            .or_else(|| value_in(haystack, near, Span::new(before, start), start));
        if let Some(span) = span {
            self.found(rule, span, Form::PLAIN);
        }
    }

    /// Asks the rules that take a record which is nothing but their value.
    pub(super) fn alone(&mut self) {
        if self.haystack.len() > limit::ALONE_BYTES_MAX {
            return;
        }
        let text = self.haystack.trim_ascii();
        if !text.iter().all(|&byte| byte.is_ascii_alphanumeric() || b" -.+:".contains(&byte)) {
            return;
        }
        let start = self.haystack.len() - self.haystack.trim_ascii_start().len();
        for &rule in &self.rules.alone {
            let Kind::Near(near) = &self.rules.rule(rule).kind else { continue };
            let wanted = self.wanted.strength(self.rules.rule(rule).entity) > 0;
            let grouped = near.alone == Alone::Any || !text.iter().all(u8::is_ascii_digit);
            if wanted && grouped && !text.is_empty() && near.validator.len(text) == Some(text.len()) {
                self.found(rule, Span::new(start, start + text.len()), Form::PLAIN);
            }
        }
    }
}

/// The first value that begins at a word in `window` and ends before `end`.
fn value_in(haystack: &[u8], near: &NearRule, window: Span, end: usize) -> Option<Span> {
    let mut previous = window.start.checked_sub(1).map_or(b' ', |before| haystack[before]);
    for at in window.range() {
        let byte = haystack[at];
        if byte == b'\n' {
            return None;
        }
        let begins = byte.is_ascii_alphanumeric() && !context::is_word(previous) && previous < 0x80;
        previous = byte;
        if begins
            && let Some(len) = near.validator.len(&haystack[at..end])
            && !is_json_number(haystack, Span::new(at, at + len))
        {
            return Some(Span::new(at, at + len));
        }
    }
    None
}

/// Whether this is a number where JSON has a value: a label in its place would need quotes.
fn is_json_number(haystack: &[u8], span: Span) -> bool {
    let before = haystack[..span.start].trim_ascii_end().last();
    let after = haystack[span.end..].trim_ascii_start().first();
    haystack[span.range()].iter().all(u8::is_ascii_digit)
        && matches!(before, Some(b':' | b',' | b'['))
        && matches!(after, None | Some(b',' | b'}' | b']'))
}

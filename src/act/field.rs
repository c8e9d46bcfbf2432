/*!
Finds the field that holds a value, so that `drop_field` can remove it whole.

A field is a pair, `key=value`, of logfmt, a query string, a cookie or
structured data, or a member of a JSON object. The innermost one counts: of
`"msg":"user=bob ok=1"` the pair. A value in an array, or in no field at all,
has none. Linear in the text over all of its findings: what a search may read
is taken from one budget.

Delimiters: at level *n* of JSON inside JSON strings, a quote that opens or
closes a string has 2ⁿ⁻¹ − 1 backslashes of its own before it; backslashes of
the content come in lots of 2ⁿ.
*/

use memchr::{memchr, memrchr};

use crate::detect::Finding;
use crate::limit::KEY_BYTES_MAX;
use crate::span::Span;

/// A field and the separators next to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Field {
    /// From its key to the end of its value, quotes included.
    pub(super) span: Span,
    /// Start of the separator before it; the field's start if there is none.
    pub(super) lead: usize,
    /// End of the separator after it; the field's end if there is none.
    pub(super) trail: usize,
}

/// Deepest level of JSON in which members are removed. Each level doubles the backslashes of a quote.
const LEVEL_MAX: u8 = 4;

/// Times its length that a text may be read in search of fields.
const BUDGET_FACTOR: usize = 8;

/// A search over one text.
#[derive(Debug)]
pub(super) struct Search<'a> {
    haystack: &'a [u8],
    budget: usize,
    /// The string that was looked at last, its level and its member: neighbours share it.
    last: Option<(Span, u8, Option<Field>)>,
}

impl<'a> Search<'a> {
    pub(super) fn new(haystack: &'a [u8]) -> Search<'a> {
        Search { haystack, budget: haystack.len().saturating_mul(BUDGET_FACTOR), last: None }
    }

    /// The innermost field that holds the finding.
    pub(super) fn field(&mut self, finding: &Finding) -> Option<Field> {
        if finding.form.bare {
            return self.member(finding.span, finding.form.json);
        }
        if let Some(pair) = self.pair(finding.span) {
            return Some(pair);
        }
        let level = finding.form.json;
        match self.last {
            Some((string, at_level, member)) if at_level == level && string.covers(finding.span) => member,
            _ => {
                let string = self.string(finding.span, level)?;
                let member = self.member(string, level);
                self.last = Some((string, level, member));
                member
            }
        }
    }

    /// The JSON string, quotes included, in which `inside` lies.
    fn string(&mut self, inside: Span, level: u8) -> Option<Span> {
        if level == 0 || level > LEVEL_MAX {
            return None;
        }
        let open = self.quote_before(inside.start, level)?;
        let close = self.quote_after(inside.end, level)?;
        Some(Span::new(open.start, close.end))
    }

    /// The member whose value stands at `value`.
    fn member(&mut self, value: Span, level: u8) -> Option<Field> {
        if level == 0 || level > LEVEL_MAX {
            return None;
        }
        let colon = self.before_space(value.start).checked_sub(1)?;
        if self.haystack[colon] != b':' {
            return None;
        }
        let key_end = self.before_space(colon);
        let key_close = self.quote_before(key_end, level).filter(|quote| quote.end == key_end)?;
        let start = self.quote_before(key_close.start, level)?.start;

        let before = self.before_space(start).checked_sub(1)?;
        let lead = match self.haystack[before] {
            b',' => before,
            b'{' => start,
            _ => return None,
        };
        let after = self.after_space(value.end);
        let trail = match *self.haystack.get(after)? {
            b',' => self.after_space(after + 1),
            b'}' => value.end,
            _ => return None,
        };
        Some(Field { span: Span::new(start, value.end), lead, trail })
    }

    /// The last quote before `end` that delimits strings of this level; none if a shallower one comes first.
    fn quote_before(&mut self, end: usize, level: u8) -> Option<Span> {
        let mut end = end;
        loop {
            let at = memrchr(b'"', &self.haystack[..end]);
            let backslashes = at.map_or(0, |at| backslashes_before(self.haystack, at));
            self.spend(end - at.unwrap_or(0) + backslashes)?;
            let at = at?;
            match depth(backslashes, level) {
                Depth::Own(own) => return Some(Span::new(at - own, at + 1)),
                Depth::Shallower => return None,
                Depth::Deeper => end = at,
            }
        }
    }

    /// The first quote from `start` that delimits strings of this level; none if a shallower one comes first.
    fn quote_after(&mut self, start: usize, level: u8) -> Option<Span> {
        let mut start = start;
        loop {
            let at = memchr(b'"', &self.haystack[start..]).map(|ahead| start + ahead);
            let backslashes = at.map_or(0, |at| backslashes_before(self.haystack, at));
            self.spend(at.unwrap_or(self.haystack.len()) - start + 1 + backslashes)?;
            let at = at?;
            match depth(backslashes, level) {
                Depth::Own(own) => return Some(Span::new(at - own, at + 1)),
                Depth::Shallower => return None,
                Depth::Deeper => start = at + 1,
            }
        }
    }

    /// The pair `key=value` whose value begins at `value`.
    fn pair(&mut self, value: Span) -> Option<Field> {
        let quote = self.opening_quote(value.start);
        let equals = (value.start - quote.len()).checked_sub(1)?;
        if self.haystack[equals] != b'=' {
            return None;
        }
        let is_key = |b: &&u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'%');
        let key_len = self.haystack[..equals].iter().rev().take(KEY_BYTES_MAX).take_while(is_key).count();
        let start = equals - key_len;
        let end = if quote.is_empty() {
            self.bare_end(value.end)?
        } else {
            self.haystack[value.end..].starts_with(quote).then_some(value.end + quote.len())?
        };
        let span = Span::new(start, end);
        match self.haystack[..start].last() {
            _ if key_len == 0 => None,
            Some(b'?') => Some(Field { span, lead: start, trail: self.after_separator(end, b"&;") }),
            Some(b'&') => Some(Field { span, lead: start - 1, trail: self.after_separator(end, b"&") }),
            Some(b';' | b',' | b' ' | b'\t') => {
                let lead = self.lead(start);
                Some(Field { span, lead, trail: self.after_separator(end, b";, \t") })
            }
            None | Some(b'"' | b'\'' | b'(' | b'{' | b'[' | b'\n') => {
                Some(Field { span, lead: start, trail: self.after_separator(end, b"&;, \t") })
            }
            Some(_) => None,
        }
    }

    /// The quote, with its backslashes, that ends at `end`.
    fn opening_quote(&self, end: usize) -> &'a [u8] {
        match self.haystack[..end].last() {
            Some(b'"' | b'\'') => &self.haystack[end - 1 - backslashes_before(self.haystack, end - 1)..end],
            _ => &[],
        }
    }

    /// Where a value without quotes ends, of which a finding is the beginning. None if that is too far to be one.
    fn bare_end(&self, from: usize) -> Option<usize> {
        let is_end = |b: &u8| b.is_ascii_control() || b" &;,\"'\\)}]>#".contains(b);
        let ahead = &self.haystack[from..];
        let len = ahead.iter().take(KEY_BYTES_MAX).position(is_end);
        len.or((ahead.len() <= KEY_BYTES_MAX).then_some(ahead.len())).map(|len| from + len)
    }

    /// Start of the separator before a pair: spaces, and what stands before them if it separates, too.
    fn lead(&mut self, start: usize) -> usize {
        let spaces = self.before_space(start);
        match self.haystack[..spaces].last() {
            Some(b';' | b',' | b'&') => spaces - 1,
            // The first of a header's values: what comes after it moves up.
            Some(b':') => start,
            _ => spaces,
        }
    }

    /// End of the separator at `at`, if one of `separators` stands there, and of the spaces after it.
    fn after_separator(&mut self, at: usize, separators: &[u8]) -> usize {
        match self.haystack.get(at) {
            Some(b'&') if separators.contains(&b'&') => at + 1,
            Some(byte) if separators.contains(byte) => self.after_space(at + 1),
            _ => at,
        }
    }

    fn before_space(&mut self, end: usize) -> usize {
        let spaces = self.haystack[..end].iter().rev().take(self.budget).take_while(|b| is_space(b)).count();
        self.budget -= spaces;
        end - spaces
    }

    fn after_space(&mut self, start: usize) -> usize {
        let spaces = self.haystack[start..].iter().take(self.budget).take_while(|b| is_space(b)).count();
        self.budget -= spaces;
        start + spaces
    }

    fn spend(&mut self, bytes: usize) -> Option<()> {
        self.budget = self.budget.checked_sub(bytes)?;
        Some(())
    }
}

/// Which strings a quote delimits, seen from a level.
enum Depth {
    /// Of this level; so many backslashes are the quote's own.
    Own(usize),
    Shallower,
    Deeper,
}

fn depth(backslashes: usize, level: u8) -> Depth {
    let own = |level: u8| (1_usize << (level - 1)) - 1;
    let delimits = |level: u8| backslashes % (1 << level) == own(level);
    if delimits(level) {
        return Depth::Own(own(level));
    }
    if (1..level).any(delimits) { Depth::Shallower } else { Depth::Deeper }
}

fn backslashes_before(haystack: &[u8], at: usize) -> usize {
    haystack[..at].iter().rev().take_while(|&&b| b == b'\\').count()
}

/// White space of JSON (RFC 8259, section 2) as it stands, not as an escape.
fn is_space(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/*!
Fields whose quotes are written as escapes: `{\u0022password\u0022:\u0022x\u0022}`, as encoders write documents in strings
that mind HTML.
*/

use super::reference::Search;
use super::rule::{FieldValue, Kind};
use crate::limit;
use crate::span::Span;
use crate::structure::field::{Tie, Value};
use crate::structure::{Form, json};

/// Bytes of an escaped quote, from its last backslash on.
const QUOTE_BYTES: usize = 6;

impl Search<'_> {
    /// Asks the field rules for the key whose closing quote is the escape at `quote`. What begins before `taken` is part of
    /// a finding; returns the end of the next.
    pub(super) fn at_escaped_quote(&mut self, quote: usize, taken: usize) -> usize {
        if quote < taken {
            return taken;
        }
        let Some((name, value)) = pair_at(self.haystack, quote) else { return taken };
        let rules = self.rules;
        let mut end = taken;
        for &rule in rules.names.rules(&self.haystack[name.range()]) {
            let Kind::Field(field) = &rules.rule(rule).kind else { continue };
            if self.wanted.strength(rules.rule(rule).entity) > 0
                && field.value == FieldValue::Whole
                && self.consider(rule, field, Tie::Quoted, value)
            {
                end = value.span.end;
            }
        }
        end
    }
}

/// The name that ends at the escaped quote, and the value behind the colon that follows.
fn pair_at(haystack: &[u8], quote: usize) -> Option<(Span, Value)> {
    let escape = haystack.get(quote..quote + QUOTE_BYTES)?;
    let at = skip_spaces(haystack, quote + QUOTE_BYTES);
    let separator = haystack[at..].iter().take(2).take_while(|b| b":=>".contains(b)).count();
    if separator == 0 {
        return None;
    }
    let name_end = quote - json::backslashes_before(haystack, quote);
    let floor = name_end.saturating_sub(limit::KEY_BYTES_MAX);
    let open = floor + memchr::memmem::rfind(&haystack[floor..name_end], escape)?;
    let name = Span::new(open + QUOTE_BYTES, name_end);
    Some((name, value_at(haystack, skip_spaces(haystack, at + separator), escape)))
}

fn value_at(haystack: &[u8], at: usize, escape: &[u8]) -> Value {
    let run = haystack[at..].iter().take_while(|&&b| b == b'\\').count();
    let before = run.saturating_sub(1);
    let level = json::level_of_quote(before);
    let start = at + before + QUOTE_BYTES;
    if run == 0 || !haystack[at + before..].starts_with(escape) {
        let len = haystack[at..].iter().take_while(|b| !b",]}\"'\\ \t\r\n".contains(b)).count();
        return Value {
            span: Span::new(at, at + len),
            form: Form { json: level + 1, bare: true, percent: 0 },
        };
    }
    let mut end = haystack.len();
    for found in memchr::memmem::find_iter(&haystack[start..], escape) {
        let close = start + found;
        let backslashes = json::backslashes_before(&haystack[start..], found);
        if backslashes <= before {
            end = close - backslashes;
            break;
        }
    }
    // A quote of the string around closes it.
    let end = json::string_end(&haystack[..end], start, b'"', level);
    Value { span: Span::new(start, end), form: Form::json(level) }
}

fn skip_spaces(haystack: &[u8], at: usize) -> usize {
    at + haystack[at..].iter().take_while(|&&b| b == b' ' || b == b'\t').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_keys_and_values() {
        let pair = |text: &'static str| {
            let quotes = memchr::memmem::find_iter(text.as_bytes(), b"\\u002");
            let mut pairs = quotes.filter_map(|at| pair_at(text.as_bytes(), at));
            pairs.next().map(|(name, value)| (&text[name.range()], &text[value.span.range()], value.form))
        };
        let string = |level| Form::json(level);
        assert_eq!(pair(r#""{\u0022k\u0022:\u0022v\u0022}""#), Some(("k", "v", string(1))));
        assert_eq!(pair(r#""{\u0027k\u0027 => \u0027v w\u0027}""#), Some(("k", "v w", string(1))));
        assert_eq!(
            pair(r#""{\u0022k\u0022:\u0022a\\\u0022b\u0022}""#),
            Some(("k", r"a\\\u0022b", string(1)))
        );
        assert_eq!(pair(r#""{\\u0022k\\u0022: \\u0022v\\u0022}""#), Some(("k", "v", string(2))));
        assert_eq!(pair(r#""{\u0027k\u0027:\u0027a\"b\u0027}""#), Some(("k", r#"a\"b"#, string(1))));
        assert_eq!(pair(r#""{\u0022k\u0022:\u0022v""#), Some(("k", "v", string(1))));
        assert_eq!(
            pair(r#""{\u0022k\u0022:12}""#),
            Some(("k", "12", Form { json: 2, bare: true, percent: 0 }))
        );
        assert_eq!(pair(r#""say \u0022k\u0022 aloud""#), None);
    }
}

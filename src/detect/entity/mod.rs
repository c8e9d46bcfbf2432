/*!
One file per family of entities: the exact parsers behind the packs' `parser:` lines.

Each parser is asked about one place and answers with a [`Verdict`], or with
`None` where nothing even looks like its entity. None of them looks further
than a bound, so that asking at every place stays linear.
*/

pub mod bot;
pub mod card;
pub mod cookie;
pub mod date;
pub mod device;
pub mod email;
pub mod encoded;
pub mod iban;
pub mod imei;
pub mod ip;
pub mod mac;
pub mod national;
pub mod pem;
pub mod phone;
pub mod place;
pub mod token;
pub mod url;
pub mod user;
pub mod wallet;

use super::Why;
use crate::span::Span;
use crate::structure::Form;

/// What a parser says of a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The value stands here, written like this.
    Hit(Span, Form),
    /// It looks like one and is none.
    Miss(Span, Why),
}

impl Verdict {
    pub(super) fn plain(start: usize, end: usize) -> Verdict {
        Verdict::Hit(Span::new(start, end), Form::PLAIN)
    }

    pub(super) fn miss(start: usize, end: usize, why: Why) -> Verdict {
        Verdict::Miss(Span::new(start, end), why)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The texts that `parse` finds in `text` when asked at every offset, each with what it stopped at.
    pub fn hits(text: &[u8], parse: impl Fn(&[u8], usize) -> Option<Verdict>) -> Vec<String> {
        let mut found = Vec::new();
        for at in 0..text.len() {
            if let Some(Verdict::Hit(span, _)) = parse(text, at) {
                found.push(String::from_utf8_lossy(&text[span.range()]).into_owned());
            }
        }
        found.dedup();
        found
    }
}

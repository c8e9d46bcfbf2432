/*!
What one record shows of cards: digits or pseudonyms, never both.

Whoever has the first six and the last four digits of a card has a million
candidates left for the rest. A pseudonym of the whole number beside them would
tell, to whoever can make pseudonyms, which of these it is (PCI DSS 4.0,
requirement 3.5.1, on truncated and hashed versions of one number).
*/

use crate::detect::entity::card::is_number;

/// Cards of the record in hand; what comes first decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Cards {
    #[default]
    None,
    /// Digits of one are shown.
    Shown,
    /// One has a pseudonym, or is encrypted.
    Pseudonymized,
}

impl Cards {
    /// How many of the digits may be shown that a mask would leave.
    pub(super) fn show(&mut self, first: u8, last: u8) -> (u8, u8) {
        if *self == Cards::Pseudonymized {
            return (0, 0);
        }
        if first > 0 || last > 0 {
            *self = Cards::Shown;
        }
        (first, last)
    }

    /// Whether a card may get a pseudonym; from then on no digits are shown.
    pub(super) fn may_be_pseudonymized(&mut self) -> bool {
        if *self == Cards::Shown {
            return false;
        }
        *self = Cards::Pseudonymized;
        true
    }
}

/// Bytes of a card's number at least, and at most with its separators and escapes; others need no closer look.
const BYTES: std::ops::RangeInclusive<usize> = 12..=128;

/// Whether the text, escapes and all, may be a card's number: cheap, and never a wrong no.
pub(super) fn may_be(text: &[u8]) -> bool {
    let digits = || text.iter().map(|byte| usize::from(byte.is_ascii_digit())).sum::<usize>();
    let is_encoded = || memchr::memchr2(b'%', b'\\', text).is_some();
    BYTES.contains(&text.len())
        && text.last().is_some_and(|b| b.is_ascii_hexdigit())
        && (digits() >= *BYTES.start() || is_encoded())
}

/// Whether the plain value is a card's number, whatever it was found as.
pub(super) fn is_card(plain: &[u8]) -> bool {
    is_number(plain)
}

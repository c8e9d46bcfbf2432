/*!
Checks that rules of packs name with `check:`: what a pattern cannot say, such as a check digit.

A field's value must hold as a whole. A pattern's match may be longer than the
value, where words go on behind it, and is cut to what holds.
*/

use super::entity::{card, email, iban, ip, mac, token};

/// What a value is checked for, by the names that packs call it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// An IPv6 address with or without a zone, however its groups are padded.
    Ipv6,
    /// A hardware address of 48 or 64 bits in any of its notations.
    Mac,
    /// An e-mail address with any local part and domain that the standard allows.
    Email,
    /// The digits of a card of any issuer, in any groups.
    Card,
    /// An account number in capitals or small letters, in any groups.
    Iban,
    /// A user's name and password in base64 (RFC 7617, section 2).
    UserAndPassword,
}

impl Check {
    /// How many bytes at the start of `text` hold; `None` if none do.
    pub fn holds_to(self, text: &[u8]) -> Option<usize> {
        let whole = |holds: bool| holds.then_some(text.len());
        match self {
            Check::Ipv6 => whole(ip::is_v6(text)),
            Check::Mac => whole(mac::is_address(text)),
            Check::Email => whole(email::is_address(text)),
            Check::Card => whole(card::is_number(text)),
            Check::Iban => iban::number_len(text),
            Check::UserAndPassword => whole(token::is_pair(text)),
        }
    }

    /// Whether a check digit or check sum decides.
    pub fn is_by_sum(self) -> bool {
        matches!(self, Check::Card | Check::Iban)
    }

    /// Whether all of `text` holds.
    pub fn holds(self, text: &[u8]) -> bool {
        self.holds_to(text) == Some(text.len())
    }
}

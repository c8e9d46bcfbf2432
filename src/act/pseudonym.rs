/*!
Writes what only the holder of the epoch's key can write again: pseudonyms in
all their shapes, and encrypted values.

A value that does not have the shape which is asked for gets a tag. Whatever is
written stands in JSON, logfmt and URLs as it is; only the at-sign of an address
is percent-encoded where its place is.
*/

use std::io::Write as _;

use super::canonical::canonical;
use super::truncate;
use crate::action::{Action, Domain, Shape};
use crate::entity::{Entities, Entity};
use crate::keys::{DIGITS_MAX, EpochKey};
use crate::mark;

/// What is written under a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keyed {
    Pseudonym(Shape),
    Encrypted,
}

impl Keyed {
    /// What the action writes under a key, if it does.
    pub(super) fn of(action: Action) -> Option<Keyed> {
        match action {
            Action::Pseudonymize { shape: Shape::Table { .. } } => None,
            Action::Pseudonymize { shape } => Some(Keyed::Pseudonym(shape)),
            Action::Encrypt => Some(Keyed::Encrypted),
            _ => None,
        }
    }

    /// One number each, for the memory.
    pub(super) fn number(self) -> u8 {
        match self {
            Keyed::Encrypted => 0,
            Keyed::Pseudonym(Shape::Tag) => 1,
            Keyed::Pseudonym(Shape::Ip) => 2,
            Keyed::Pseudonym(Shape::Email { domain: Domain::Keep }) => 3,
            Keyed::Pseudonym(Shape::Email { domain: Domain::Pseudonymize }) => 4,
            Keyed::Pseudonym(Shape::Uuid) => 5,
            Keyed::Pseudonym(Shape::Digits) => 6,
            Keyed::Pseudonym(Shape::Table { .. }) => 7,
        }
    }
}

/// A value and all that its replacement depends on.
pub(super) struct Value<'a> {
    pub(super) entities: &'a Entities,
    pub(super) key: &'a EpochKey,
    pub(super) entity: Entity,
    /// Without escapes.
    pub(super) plain: &'a [u8],
    /// How often what is written will be percent-decoded.
    pub(super) percent: u8,
}

impl Value<'_> {
    /// Appends its replacement. `spare` is for its canonical form, and what was in it is gone.
    pub(super) fn write(&self, keyed: Keyed, spare: &mut Vec<u8>, out: &mut Vec<u8>) {
        let entity = canonical(self.entity, self.entities.name(self.entity), self.plain, spare);
        let (name, canonical) = (self.entities.name(entity), &spare[..]);
        let written = match keyed {
            Keyed::Encrypted => {
                mark::write_sealed(out, name, &self.key.id().0, &self.key.encrypt(name, canonical));
                true
            }
            Keyed::Pseudonym(Shape::Tag | Shape::Table { .. }) => false,
            Keyed::Pseudonym(Shape::Ip) => self.write_address(canonical, out),
            Keyed::Pseudonym(Shape::Email { domain }) => self.write_email(name, canonical, domain, out),
            Keyed::Pseudonym(Shape::Uuid) => {
                write_uuid(self.key.uuid(name, canonical), out);
                true
            }
            Keyed::Pseudonym(Shape::Digits) => self.write_digits(name, canonical, out),
        };
        if !written {
            mark::write_tag(out, name, &self.key.id().0, &self.key.tag(name, canonical));
        }
    }

    fn write_address(&self, canonical: &[u8], out: &mut Vec<u8>) -> bool {
        let Some(address) = truncate::parse(canonical) else { return false };
        write!(out, "{}", self.key.address(address)).expect("a vector takes every write");
        true
    }

    /// `k7f3a.TAG@DOMAIN.example`: as a local part the tag of the whole address, as a domain itself or a tag of its own.
    fn write_email(&self, name: &str, canonical: &[u8], domain: Domain, out: &mut Vec<u8>) -> bool {
        let at = canonical.iter().rposition(|&b| b == b'@');
        let Some((at, domain_of)) = at.map(|at| (at, &canonical[at + 1..])) else { return false };
        if at == 0 || domain_of.is_empty() {
            return false;
        }
        out.extend_from_slice(&self.key.id().0);
        out.push(b'.');
        mark::write_base32(out, &self.key.tag(name, canonical));
        write_at_sign(self.percent, out);
        if domain == Domain::Keep && is_host(domain_of) {
            out.extend_from_slice(domain_of);
        } else {
            // No entity has a space in its name, so this tag is in a domain of its own.
            mark::write_base32(out, &self.key.tag("email domain", domain_of));
        }
        out.extend_from_slice(RESERVED);
        true
    }

    /// As many digits in the same places; zeros before the first other digit stay, so that `0049…` and `+49…` agree.
    fn write_digits(&self, name: &str, canonical: &[u8], out: &mut Vec<u8>) -> bool {
        let digits_of =
            |text: &[u8]| text.iter().filter(|b| b.is_ascii_digit()).copied().collect::<Vec<u8>>();
        let zeros_of = |digits: &[u8]| digits.iter().take_while(|&&b| b == b'0').count();
        let mut digits = digits_of(canonical);
        let mut own = digits_of(self.plain);
        // Digits that do not count, as in `+49 (0)171`: the canonical form shows the places.
        let same = own[zeros_of(&own)..] == digits[zeros_of(&digits)..];
        let places = if same { self.plain } else { canonical };
        zeroize::Zeroize::zeroize(&mut own);
        if digits.len() > DIGITS_MAX || !places.iter().all(|b| b.is_ascii_digit() || b" -./()+".contains(b)) {
            return false;
        }
        let zeros = zeros_of(&digits);
        if !self.key.digits(name, &mut digits[zeros..]) {
            return false;
        }
        let count = places.iter().filter(|b| b.is_ascii_digit()).count();
        let mut left = count;
        for &byte in places {
            if !byte.is_ascii_digit() {
                out.push(byte);
                continue;
            }
            // Counted from the end: what stands before is zeros.
            out.push(if left > digits.len() { byte } else { digits[digits.len() - left] });
            left -= 1;
        }
        true
    }
}

/// What stands behind the domain of an address that is a pseudonym: nobody can own a name below it (RFC 6761, section 6.5).
const RESERVED: &[u8] = b".example";

/// Bytes of a domain that is kept: with all that stands around it an address is no longer than 254 (RFC 5321).
const KEPT_DOMAIN_BYTES_MAX: usize = 200;

/// Whether it reads like a host's name, so that it can stand anywhere as it is.
fn is_host(domain: &[u8]) -> bool {
    let plain = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.');
    domain.len() <= KEPT_DOMAIN_BYTES_MAX
        && domain.iter().all(plain)
        && domain.split(|&b| b == b'.').all(|label| (1..=63).contains(&label.len()))
}

fn write_at_sign(percent: u8, out: &mut Vec<u8>) {
    match percent {
        0 => out.push(b'@'),
        rounds => {
            out.push(b'%');
            out.extend(std::iter::repeat_n(*b"25", usize::from(rounds) - 1).flatten());
            out.extend_from_slice(b"40");
        }
    }
}

/// As text, with the version and variant of RFC 9562, section 5.8, which leave 122 bits.
fn write_uuid(mut bytes: [u8; 16], out: &mut Vec<u8>) {
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    for (at, byte) in bytes.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            out.push(b'-');
        }
        out.extend([byte >> 4, byte & 15].map(|digit| b"0123456789abcdef"[usize::from(digit)]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::KeyId;
    use crate::secret::Secret;

    fn written(name: &str, plain: &str, keyed: Keyed, percent: u8) -> String {
        let mut entities = Entities::builtin();
        let entity = entities.declare(name);
        let key = EpochKey::new(KeyId(*b"k7f3a"), &Secret::new(vec![7; 32]));
        let value = Value { entities: &entities, key: &key, entity, plain: plain.as_bytes(), percent };
        let mut out = Vec::new();
        value.write(keyed, &mut Vec::new(), &mut out);
        String::from_utf8(out).expect("it is text")
    }

    fn shaped(name: &str, plain: &str, shape: Shape) -> String {
        written(name, plain, Keyed::Pseudonym(shape), 0)
    }

    #[test]
    fn one_address_has_one_address() {
        let one = shaped("ipv4", "203.0.113.7", Shape::Ip);
        assert!(one.parse::<std::net::Ipv4Addr>().is_ok_and(|made| made.to_string() != "203.0.113.7"));
        assert_eq!(shaped("ipv6", "::ffff:203.0.113.7", Shape::Ip), one);
        let six = shaped("ipv6", "2001:DB8::1", Shape::Ip);
        assert!(six.parse::<std::net::Ipv6Addr>().is_ok());
        assert_eq!(shaped("ipv6", "2001:db8:0::0:1", Shape::Ip), six);
        assert!(
            shaped("ipv6", "fe80::1%eth0", Shape::Ip).starts_with("ipv6_k7f3a."),
            "a tag where it is none"
        );
    }

    #[test]
    fn one_mailbox_has_one_address_and_a_domain_has_its_own() {
        let shape = Shape::Email { domain: Domain::Pseudonymize };
        let one = shaped("email", "jane@example.com", shape);
        assert_eq!(shaped("email", "jane@EXAMPLE.com", shape), one);
        let (local, domain) = one.split_once('@').expect("it is an address");
        assert_eq!((local.len(), domain.len()), (26, 28), "{one}");
        let other = shaped("email", "bob@example.com", shape);
        assert_ne!(other.split_once('@').expect("an address").0, local);
        assert_eq!(other.split_once('@').expect("an address").1, domain, "the same domain");
        assert!(crate::detect::entity::email::is_address(one.as_bytes()));
        let kept = shaped("email", "jane@Bücher.example", Shape::Email { domain: Domain::Keep });
        assert!(kept.ends_with("@xn--bcher-kva.example.example"), "{kept}");
        let keep = Shape::Email { domain: Domain::Keep };
        assert!(shaped("email", "jane@[192.0.2.1]", keep).ends_with(".example"));
        assert!(!shaped("email", "jane@[192.0.2.1]", keep).contains("192"));
        assert!(written("email", "jane@example.com", Keyed::Pseudonym(keep), 1).contains("%40example.com."));
        assert!(
            written("email", "jane@example.com", Keyed::Pseudonym(keep), 2).contains("%2540example.com.")
        );
        assert!(shaped("email", "jane", keep).starts_with("email_k7f3a."));
    }

    #[test]
    fn digits_stay_in_their_places() {
        let card = shaped("card", "4012 8888 8888 1881", Shape::Digits);
        assert_eq!(card.replace(|c: char| c.is_ascii_digit(), "0"), "0000 0000 0000 0000");
        assert_eq!(
            shaped("card", "4012-888888881881", Shape::Digits).replace('-', ""),
            card.replace(' ', "")
        );
        let phone = shaped("phone", "+491711234567", Shape::Digits);
        assert_eq!(shaped("phone", "00491711234567", Shape::Digits), format!("00{}", &phone[1..]));
        assert_eq!(shaped("phone", "+49 (0)171 1234567", Shape::Digits), phone);
        assert!(shaped("user_id", "000123456", Shape::Digits).starts_with("000"));
        for value in ["12345", "00012345", "u123456", "", &"9".repeat(65)] {
            let made = shaped("user_id", value, Shape::Digits);
            assert!(made.starts_with("user_id_k7f3a."), "{value}: {made}");
        }
    }

    #[test]
    fn a_uuid_says_that_it_is_nobody_elses() {
        let made = shaped("device_id", "AEBE52E7-03EE-455A-B3C4-E57283966239", Shape::Uuid);
        assert_eq!((made.len(), &made[14..15]), (36, "8"), "{made}");
        assert!(crate::detect::entity::device::uuid(made.as_bytes()) == Some(36));
    }

    #[test]
    fn what_is_encrypted_can_be_taken_apart() {
        let made = written("email", "jane@Example.com", Keyed::Encrypted, 0);
        let entities = Entities::builtin();
        let sealed = mark::parse_sealed(&entities, made.as_bytes()).expect("it is a sealed value");
        let key = EpochKey::new(KeyId(*b"k7f3a"), &Secret::new(vec![7; 32]));
        let opened = key.decrypt("email", &sealed.encrypted).expect("it is the right key");
        assert_eq!(opened.as_slice(), b"jane@example.com");
        assert!(made.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b)));
    }
}

/*!
Canonical values: one person has one pseudonym however the value is written.

An IPv4 address written as IPv6 is IPv4, IPv6 is as RFC 5952 prints it, the
domain of an e-mail address is in lower case and in ASCII (UTS 46), a phone
number with its country is as E.164 has it, a UUID and a hardware address are in
lower case, and numbers of cards, accounts and people have no separators. What
is not formed as its entity should be is its own canonical form.
*/

use std::io::Write as _;

use super::{mask, truncate};
use crate::entity::Entity;

/// Entities whose values are the same with separators and without, in capitals or small letters.
const NUMBERS: &[&str] = &[
    "iban",
    "imei",
    "us_ssn",
    "us_itin",
    "uk_nino",
    "uk_nhs",
    "de_tax_id",
    "fr_nir",
    "es_nif",
    "it_fiscal_code",
    "nl_bsn",
    "pl_pesel",
    "fi_hetu",
    "se_personnummer",
    "ru_snils",
    "ru_inn",
    "cn_resident_id",
    "in_aadhaar",
    "in_pan",
    "br_cpf",
];

/// Replaces `out` by the canonical form of a plain value and returns what it is. `name` is the entity's.
pub(super) fn canonical(entity: Entity, name: &str, plain: &[u8], out: &mut Vec<u8>) -> Entity {
    out.clear();
    match entity {
        // It has one spelling, and most addresses are of this kind.
        Entity::IPV4 if truncate::is_v4(plain) => out.extend_from_slice(plain),
        Entity::IPV4 | Entity::IPV6 => {
            if let Some(address) = truncate::parse(plain).map(|address| address.to_canonical()) {
                write!(out, "{address}").expect("a vector takes every write");
                return if address.is_ipv4() { Entity::IPV4 } else { Entity::IPV6 };
            }
            out.extend_from_slice(plain);
        }
        Entity::EMAIL => email(plain, out),
        Entity::MAC if plain.iter().all(|b| b.is_ascii_hexdigit() || b":-.".contains(b)) => {
            out.extend(plain.iter().filter(|b| b.is_ascii_hexdigit()).map(u8::to_ascii_lowercase));
        }
        Entity::CARD if plain.iter().all(|&b| b.is_ascii_digit() || mask::is_separator(b)) => {
            out.extend(plain.iter().filter(|b| b.is_ascii_digit()));
        }
        _ if name == "phone" => phone(plain, out),
        _ if name == "uuid" => out.extend(plain.to_ascii_lowercase()),
        // `+` tells the century of a Swedish number, `-` and `A` that of a Finnish one: only what tells nothing goes.
        _ if NUMBERS.contains(&name) => {
            let keeps_signs = matches!(name, "fi_hetu" | "se_personnummer");
            let goes = |b: &&u8| matches!(b, b' ' | b'.' | b'/') || **b == b'-' && !keeps_signs;
            out.extend(plain.iter().filter(|b| !goes(b)).map(u8::to_ascii_uppercase));
        }
        _ => out.extend_from_slice(plain),
    }
    entity
}

/// The local part as it is, since only its owner knows what its letters mean; the domain in its one spelling.
fn email(plain: &[u8], out: &mut Vec<u8>) {
    let at = plain.iter().rposition(|&b| b == b'@').unwrap_or(plain.len());
    out.extend_from_slice(&plain[..at]);
    let domain = plain[at..].strip_suffix(b".").unwrap_or(&plain[at..]);
    if !domain.is_ascii()
        && let Ok(text) = std::str::from_utf8(&domain[1..])
        && let Ok(ascii) = idna::domain_to_ascii(text)
    {
        out.push(b'@');
        out.extend_from_slice(ascii.as_bytes());
        return;
    }
    out.extend(domain.iter().map(u8::to_ascii_lowercase));
}

/// `+491711234567`, or the digits alone where no country is said.
fn phone(plain: &[u8], out: &mut Vec<u8>) {
    let is_written = |b: &u8| b.is_ascii_digit() || b" -./()+".contains(b);
    if !plain.iter().all(is_written) {
        out.extend_from_slice(plain);
        return;
    }
    let abroad = plain.starts_with(b"+") || plain.starts_with(b"00");
    // The zero of a long-distance call is no part of the number: `+49 (0)171`.
    let trunk = plain.windows(3).position(|window| abroad && window == b"(0)");
    let is_of_number =
        |(at, b): &(usize, &u8)| b.is_ascii_digit() && trunk.is_none_or(|open| *at != open + 1);
    out.extend(plain.iter().enumerate().filter(is_of_number).map(|(_, b)| *b));
    if abroad {
        let zeros = if plain.starts_with(b"00") { 2 } else { 0 };
        out.splice(..zeros, *b"+");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(entity: Entity, plain: &str, expected: (Entity, &str)) {
        let mut out = Vec::new();
        let name = crate::entity::BUILTIN[entity.index()];
        let what = canonical(entity, name, plain.as_bytes(), &mut out);
        assert_eq!((what, String::from_utf8_lossy(&out).as_ref()), expected);
        let again = out.clone();
        canonical(what, name, &again, &mut out);
        assert_eq!(out, again, "a canonical value is its own canonical form");
    }

    #[test]
    fn one_value_has_one_canonical_form() {
        check(Entity::IPV4, "203.0.113.7", (Entity::IPV4, "203.0.113.7"));
        check(Entity::IPV6, "::ffff:203.0.113.7", (Entity::IPV4, "203.0.113.7"));
        check(Entity::IPV6, "2001:DB8:0:0:0:0:0:1", (Entity::IPV6, "2001:db8::1"));
        check(Entity::EMAIL, "Jane@Example.COM", (Entity::EMAIL, "Jane@example.com"));
        check(Entity::EMAIL, "jane@Bücher.Example", (Entity::EMAIL, "jane@xn--bcher-kva.example"));
        check(Entity::EMAIL, "jane@XN--bcher-kva.example.", (Entity::EMAIL, "jane@xn--bcher-kva.example"));
        check(Entity::EMAIL, "no at sign", (Entity::EMAIL, "no at sign"));
        check(Entity::EMAIL, "jane@\u{fffd}\u{200d}", (Entity::EMAIL, "jane@\u{fffd}\u{200d}"));
        check(Entity::MAC, "00-1A-2b:3c4d5E", (Entity::MAC, "001a2b3c4d5e"));
        check(Entity::CARD, "4012 8888-8888 1881", (Entity::CARD, "4012888888881881"));
        check(Entity::USERNAME, "Bob", (Entity::USERNAME, "Bob"));
    }

    #[test]
    fn numbers_have_no_separators() {
        let mut entities = crate::entity::Entities::builtin();
        for (name, plain, expected) in [
            ("phone", "+49 (0)171 123-4567", "+491711234567"),
            ("phone", "0049 171/1234567", "+491711234567"),
            ("phone", "+491711234567", "+491711234567"),
            ("phone", "0171 123.45.67", "01711234567"),
            ("phone", "ext. 12", "ext. 12"),
            ("uuid", "0B5A1C2D-3E4F-4A6B-8C7D-9E0F1A2B3C4D", "0b5a1c2d-3e4f-4a6b-8c7d-9e0f1a2b3c4d"),
            ("iban", "gb82 west 1234 5698 7654 32", "GB82WEST12345698765432"),
            ("us_ssn", "219-09-9999", "219099999"),
            ("fi_hetu", "131052-308t", "131052-308T"),
        ] {
            let entity = entities.declare(name);
            let mut out = Vec::new();
            canonical(entity, name, plain.as_bytes(), &mut out);
            assert_eq!(String::from_utf8_lossy(&out), expected, "{name}");
        }
    }
}

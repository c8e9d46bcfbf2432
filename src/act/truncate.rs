/*!
Cuts an address to its network.

Host bits become zero, so the result is an address like any other and cutting
it again changes nothing. An IPv4 address written as an IPv6 one
(RFC 4291, section 2.5.5.2) stays in that form and is cut as IPv4; one inside
a 6to4 address (RFC 3056) is cut as well. IPv6 is printed as RFC 5952 says.
*/

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::io::Write as _;

/// Appends the network of the address in `text`, which is plain. `false`, and nothing appended, if it is no address.
pub(super) fn write_network(text: &[u8], ipv4_prefix: u8, ipv6_prefix: u8, out: &mut Vec<u8>) -> bool {
    let Some(address) = parse(text) else { return false };
    match address {
        IpAddr::V4(address) => write_ipv4(ipv4_network(address, ipv4_prefix), out),
        IpAddr::V6(address) => write!(out, "{}", ipv6_network(address, ipv4_prefix, ipv6_prefix))
            .expect("a vector takes every write"),
    }
    true
}

/// Appends the dotted form: by hand, since every line of an access log has one and
/// a profile shows the formatter beside the search itself.
fn write_ipv4(address: Ipv4Addr, out: &mut Vec<u8>) {
    for (n, octet) in address.octets().into_iter().enumerate() {
        if n > 0 {
            out.push(b'.');
        }
        if octet >= 100 {
            out.push(b'0' + octet / 100);
        }
        if octet >= 10 {
            out.push(b'0' + octet / 10 % 10);
        }
        out.push(b'0' + octet % 10);
    }
}

/// The address in `text`, if all of it is one.
pub(super) fn parse(text: &[u8]) -> Option<IpAddr> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Whether the text is an IPv4 address: in its one spelling, for zeros before a digit are none.
pub(super) fn is_v4(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| text.parse::<Ipv4Addr>().is_ok())
}

fn ipv4_network(address: Ipv4Addr, prefix: u8) -> Ipv4Addr {
    let host_bits = 32_u32.saturating_sub(prefix.into());
    Ipv4Addr::from_bits(address.to_bits() & u32::MAX.checked_shl(host_bits).unwrap_or(0))
}

fn ipv6_network(address: Ipv6Addr, ipv4_prefix: u8, ipv6_prefix: u8) -> Ipv6Addr {
    if let Some(mapped) = address.to_ipv4_mapped() {
        return ipv4_network(mapped, ipv4_prefix).to_ipv6_mapped();
    }
    let is_6to4 = address.segments()[0] == 0x2002;
    let prefix = if is_6to4 { ipv6_prefix.min(ipv4_prefix.saturating_add(16)) } else { ipv6_prefix };
    let host_bits = 128_u32.saturating_sub(prefix.into());
    Ipv6Addr::from_bits(address.to_bits() & u128::MAX.checked_shl(host_bits).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, ipv4_prefix: u8, ipv6_prefix: u8, expected: &str) {
        let mut out = Vec::new();
        assert!(write_network(text.as_bytes(), ipv4_prefix, ipv6_prefix, &mut out), "{text} is an address");
        assert_eq!(String::from_utf8_lossy(&out), expected, "{text}");
        let mut again = Vec::new();
        assert!(write_network(&out, ipv4_prefix, ipv6_prefix, &mut again));
        assert_eq!(again, out, "{text}: cut twice");
    }

    #[test]
    fn every_octet_is_written_as_the_formatter_does() {
        for octet in 0..=255 {
            let address = Ipv4Addr::new(octet, 0, 10, octet);
            let mut out = Vec::new();
            write_ipv4(address, &mut out);
            assert_eq!(String::from_utf8_lossy(&out), address.to_string());
        }
    }

    #[test]
    fn host_bits_become_zero() {
        check("203.0.113.77", 24, 48, "203.0.113.0");
        check("203.0.113.77", 0, 48, "0.0.0.0");
        check("203.0.113.77", 32, 48, "203.0.113.77");
        check("203.0.113.77", 26, 48, "203.0.113.64");
        check("2001:DB8:85a3:1:2:8a2e:370:7334", 24, 48, "2001:db8:85a3::");
        check("2001:db8:85a3::1", 24, 0, "::");
        check("2001:db8:85a3::1", 24, 128, "2001:db8:85a3::1");
        check("fe80::1ff:fe23:4567:890a", 24, 48, "fe80::");
    }

    #[test]
    fn ipv4_within_ipv6_is_cut_as_ipv4() {
        check("::ffff:198.51.100.9", 24, 48, "::ffff:198.51.100.0");
        check("::FFFF:c633:6409", 24, 48, "::ffff:198.51.100.0");
        check("2002:c633:6409:1::1", 24, 48, "2002:c633:6400::");
        check("64:ff9b::198.51.100.9", 24, 48, "64:ff9b::");
    }

    #[test]
    fn what_is_no_address_is_left_to_others() {
        for text in ["", "1.2.3", "1.2.3.4.5", "1.2.3.256", "fe80::1%eth0", "1.2.3.4:80", "\u{661}.2.3.4"] {
            let mut out = Vec::new();
            assert!(!write_network(text.as_bytes(), 24, 48, &mut out), "{text}");
            assert!(out.is_empty());
        }
    }
}

/*!
Addresses of crypto currencies.

- Base58Check (Bitcoin, Litecoin, Dogecoin, Dash, Zcash, Tron; XRP in its own alphabet): a version, a hash and four bytes
  of a double SHA-256.
- Bech32 and Bech32m (BIP 173 and 350): a known human-readable part and a checksum of six characters.
- Ethereum and its kin: `0x` and 40 hexadecimal digits; the checksum of EIP-55 lies in the letters' case. One that fails
  it is taken all the same: nothing else is written like this.

Trigger: a run of 26 or more letters and digits, at a word's beginning.
*/

use sha2::{Digest, Sha256};

use super::Verdict;
use crate::detect::context::{self, is_word};

/// Fewest bytes of an address.
pub const BYTES_MIN: usize = 26;

/// Fewest and most bytes; Cardano's are the longest.
const BYTES: std::ops::RangeInclusive<usize> = BYTES_MIN..=108;

/// Human-readable parts of Bech32 addresses, the `1` behind them.
const BECH32_PREFIXES: &[&[u8]] =
    &[b"bc1", b"tb1", b"ltc1", b"addr1", b"stake1", b"cosmos1", b"osmo1", b"celo1", b"bnb1", b"zs1"];

/// First digits of Base58Check addresses: what their versions come to.
const BASE58_BEGINS: &[u8] = b"139ADLMTXrt";

/// Digits of Base58, as Bitcoin orders them; XRP's own order.
const BASE58: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
const BASE58_XRP: &[u8; 58] = b"rpshnaf39wBUDNEGHJKLM4PQRST7VWXYZ2bcdeCg65jkm8oFqi1tuvAxyz";

/// Characters of Bech32, in the order of their values.
const BECH32: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";

/// The address that `text` begins with.
pub fn address(text: &[u8]) -> Option<usize> {
    let run = text.iter().take(BYTES.end() + 1).take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let goes_on = text.get(run).is_some_and(|&byte| is_word(byte));
    let address = &text[..run];
    (BYTES.contains(&run) && !goes_on && is_address(address)).then_some(run)
}

/// The address that `text` begins with, in a field named for one: a right checksum is not asked for, and the long
/// addresses of Monero and the bare hashes of Solana are taken, too.
pub fn named(text: &[u8]) -> Option<usize> {
    address(text).or_else(|| {
        let run = text.iter().take(BYTES.end() + 1).take_while(|byte| BASE58.contains(byte)).count();
        let goes_on = text.get(run).is_some_and(|&byte| is_word(byte));
        (BYTES.contains(&run) && !goes_on && mixed(&text[..run])).then_some(run)
    })
}

/// Whether an address perhaps begins like `text`: most long words of logs, which are hashes, do not.
pub fn may_begin(text: &[u8]) -> bool {
    match text {
        [b'0', second, ..] => *second == b'x',
        [first, ..] => BASE58_BEGINS.contains(first) || is_bech32_prefixed(text),
        [] => false,
    }
}

fn is_bech32_prefixed(text: &[u8]) -> bool {
    BECH32_PREFIXES
        .iter()
        .any(|prefix| text.get(..prefix.len()).is_some_and(|text| text.eq_ignore_ascii_case(prefix)))
}

/// The address that begins at `start`, with a run of letters and digits.
pub fn at(haystack: &[u8], start: usize) -> Option<Verdict> {
    if !context::word_starts_at(haystack, start) {
        return None;
    }
    address(&haystack[start..]).map(|len| Verdict::plain(start, start + len))
}

fn is_address(text: &[u8]) -> bool {
    match text {
        [b'0', b'x', hex @ ..] => hex.len() == 40 && hex.iter().all(u8::is_ascii_hexdigit),
        [first, ..] if BASE58_BEGINS.contains(first) && is_base58check(text, BASE58) => true,
        [b'r', ..] if is_base58check(text, BASE58_XRP) => true,
        _ => is_bech32(text),
    }
}

/// Version byte or two, hash of twenty bytes, four bytes of checksum.
fn is_base58check(text: &[u8], alphabet: &[u8; 58]) -> bool {
    if !(26..=35).contains(&text.len()) || !mixed(text) {
        return false;
    }
    let Some((bytes, len)) = base58(text, alphabet) else { return false };
    let Some((payload, check)) = bytes[..len].split_last_chunk::<4>() else { return false };
    let known = match *payload {
        [0 | 5 | 30 | 22 | 48 | 50 | 65 | 76 | 16, ref hash @ ..] => hash.len() == 20,
        [0x1c, 0xb8 | 0xbd, ref hash @ ..] => hash.len() == 20,
        _ => false,
    };
    known && Sha256::digest(Sha256::digest(payload))[..4] == check[..]
}

/// A hash in hexadecimal digits has letters of one case alone.
fn mixed(text: &[u8]) -> bool {
    text.iter().any(u8::is_ascii_lowercase) && text.iter().any(u8::is_ascii_uppercase)
}

/// The bytes, the first of them first, and how many; leading digits of zero are bytes of zero.
fn base58(text: &[u8], alphabet: &[u8; 58]) -> Option<([u8; 32], usize)> {
    let mut little = [0u8; 32];
    let mut len = 0;
    for byte in text {
        let mut carry = alphabet.iter().position(|digit| digit == byte)? as u32;
        for place in &mut little[..len] {
            carry += u32::from(*place) * 58;
            *place = carry as u8;
            carry >>= 8;
        }
        while carry > 0 {
            *little.get_mut(len)? = carry as u8;
            len += 1;
            carry >>= 8;
        }
    }
    let zeros = text.iter().take_while(|&&byte| byte == alphabet[0]).count();
    if len + zeros > little.len() {
        return None;
    }
    let mut bytes = [0; 32];
    for (place, byte) in bytes[zeros..].iter_mut().zip(little[..len].iter().rev()) {
        *place = *byte;
    }
    Some((bytes, zeros + len))
}

fn is_bech32(text: &[u8]) -> bool {
    let mut lower = [0; 108];
    let Some(lower) = lower.get_mut(..text.len()) else { return false };
    lower.copy_from_slice(text);
    lower.make_ascii_lowercase();
    let upper = text.iter().any(u8::is_ascii_uppercase);
    let one_case = !(upper && text.iter().any(u8::is_ascii_lowercase));
    let Some(prefix) = BECH32_PREFIXES.iter().find(|prefix| lower.starts_with(prefix)) else { return false };
    let human = &prefix[..prefix.len() - 1];
    let mut sum = Polymod(1);
    human.iter().for_each(|byte| sum.take(byte >> 5));
    sum.take(0);
    human.iter().for_each(|byte| sum.take(byte & 31));
    for byte in &lower[prefix.len()..] {
        let Some(value) = BECH32.iter().position(|known| known == byte) else { return false };
        sum.take(value as u8);
    }
    one_case && matches!(sum.0, BECH32_RESIDUE | BECH32M_RESIDUE)
}

/// What is left of a right sum: BIP 173 and BIP 350.
const BECH32_RESIDUE: u32 = 1;
const BECH32M_RESIDUE: u32 = 0x2bc8_30a3;

/// The checksum of BIP 173, a BCH code over 32 symbols.
struct Polymod(u32);

impl Polymod {
    fn take(&mut self, value: u8) {
        const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
        let top = self.0 >> 25;
        self.0 = (self.0 & 0x01ff_ffff) << 5 ^ u32::from(value);
        for (bit, term) in GENERATOR.iter().enumerate() {
            if top >> bit & 1 == 1 {
                self.0 ^= term;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The Base58Check form of a payload, made by long division of the whole number: a twin of the decoder.
    fn encoded(payload: &[u8], alphabet: &[u8; 58]) -> String {
        let mut bytes = payload.to_vec();
        bytes.extend_from_slice(&Sha256::digest(Sha256::digest(payload))[..4]);
        let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
        let mut digits = Vec::new();
        while bytes.iter().any(|&byte| byte > 0) {
            let mut rest = 0;
            for byte in &mut bytes {
                let value = rest * 256 + u32::from(*byte);
                *byte = (value / 58) as u8;
                rest = value % 58;
            }
            digits.push(alphabet[rest as usize]);
        }
        digits.extend(std::iter::repeat_n(alphabet[0], zeros));
        digits.reverse();
        String::from_utf8(digits).expect("ASCII")
    }

    fn payload(version: u8) -> Vec<u8> {
        [vec![version], (1..=20).map(|n| n * 11).collect()].concat()
    }

    #[test]
    fn takes_base58_addresses_and_refuses_changed_ones() {
        for (version, alphabet) in
            [(0, BASE58), (5, BASE58), (48, BASE58), (30, BASE58), (65, BASE58), (0, BASE58_XRP)]
        {
            let text = encoded(&payload(version), alphabet);
            assert_eq!(address(text.as_bytes()), Some(text.len()), "{text}");
            let changed =
                format!("{}{}", &text[..text.len() - 1], if text.ends_with('z') { 'y' } else { 'z' });
            assert_eq!(address(changed.as_bytes()), None, "{changed}");
        }
    }

    #[test]
    fn takes_bech32_addresses() {
        // BIP 173 and BIP 350 publish these for a key that nobody uses.
        let text = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4";
        assert_eq!(address(text.as_bytes()), Some(text.len()));
        assert_eq!(address(text.to_uppercase().as_bytes()), Some(text.len()));
        assert_eq!(address(text.replace("f3t4", "f3t5").as_bytes()), None);
        assert_eq!(address(text.replace("qw508", "qW508").as_bytes()), None);
    }

    #[test]
    fn takes_addresses_of_ethereum() {
        let text = "0x52908400098527886E0F7030069857D2E4169EE7 ok";
        assert_eq!(address(text.as_bytes()), Some(42));
        assert_eq!(address(&text.as_bytes()[..41]), None);
    }

    #[test]
    fn a_name_makes_up_for_a_checksum() {
        let text = "1BoatSLRHtKNngkdXEeobR76b53LETtpyX";
        assert_eq!((address(text.as_bytes()), named(text.as_bytes())), (None, Some(text.len())));
        assert_eq!(named(b"3b5d5c3712955042212316173ccf37be"), None);
        assert_eq!(named(b"1BoatSLRHtKNngkdXEeobR76b53LETtp0X"), None);
    }

    #[test]
    fn leaves_hashes_and_ids() {
        for text in [
            "3b5d5c3712955042212316173ccf37be",
            "1111111111111111111111111111111111",
            "Lorem1psumdo1orsitametconsectetur",
            "0x7ffd5c3712955042",
            "bc1",
        ] {
            assert_eq!(address(text.as_bytes()), None, "{text}");
        }
    }
}

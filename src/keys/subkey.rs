/*!
Keys that are made of an epoch's key, one for each purpose.

A sub-key is HMAC-SHA-256 of the epoch's key over its purpose and a counter, so
no two purposes share key bytes, and whoever destroys the epoch's key destroys
all of them. They are made when they are first needed.
*/

use std::net::IpAddr;
use std::sync::OnceLock;

use aes::Aes256;
use aes_siv::KeyInit;
use aes_siv::siv::Aes256Siv;
use fpe::ff1::{FF1, FlexibleNumeralString};
use hmac::Mac;
use ipcrypt_rs::IpcryptPfx;
use zeroize::{Zeroize, Zeroizing};

use super::EpochKey;

/// Bytes of the synthetic IV before an encrypted value (RFC 5297, section 2.6).
pub const IV_BYTES: usize = 16;

/// Digits of the shortest number whose pseudonym may be a number: the domain has a million values (NIST SP 800-38G
/// Rev. 1, second draft).
pub const DIGITS_MIN: usize = 6;

/// Digits of the longest one: more than any identifier has.
pub const DIGITS_MAX: usize = 64;

/// A step of a walk over numbers of as many digits.
type Walked = Result<FlexibleNumeralString, fpe::ff1::NumeralStringError>;

/// The sub-keys in use.
#[derive(Default)]
pub(super) struct Subkeys {
    address: OnceLock<IpcryptPfx>,
    digits: OnceLock<FF1<Aes256>>,
    encrypt: OnceLock<Zeroizing<[u8; 64]>>,
}

impl EpochKey {
    /// HMAC-SHA-256 in counter mode (NIST SP 800-108, section 4.1). No tag is computed over the same bytes: their
    /// beginnings differ.
    fn subkey<const BYTES: usize>(&self, purpose: &str) -> Zeroizing<[u8; BYTES]> {
        let mut key = Zeroizing::new([0; BYTES]);
        for (counter, part) in (1_u32..).zip(key.chunks_mut(32)) {
            let mut mac = self.keyed.clone();
            mac.update(b"logveil subkey\0");
            mac.update(&counter.to_be_bytes());
            mac.update(purpose.as_bytes());
            let mut bytes = mac.finalize().into_bytes();
            part.copy_from_slice(&bytes[..part.len()]);
            bytes.as_mut_slice().zeroize();
        }
        key
    }

    /// The address's pseudonym: of the same family, with as many leading bits in common as the addresses themselves
    /// (ipcrypt-pfx of draft-denis-ipcrypt).
    pub fn address(&self, address: IpAddr) -> IpAddr {
        self.addresses().encrypt_ipaddr(address)
    }

    /// The address of which this would be the pseudonym: there is one for each, pseudonym or not.
    pub fn address_of(&self, pseudonym: IpAddr) -> IpAddr {
        self.addresses().decrypt_ipaddr(pseudonym)
    }

    fn addresses(&self) -> &IpcryptPfx {
        self.subkeys.address.get_or_init(|| IpcryptPfx::new(*self.subkey("address")))
    }

    /// Replaces digits, the first of which is not 0, by as many, the first of which is not 0 either. One to one. `false`
    /// if there are too few or too many.
    pub fn digits(&self, entity: &str, digits: &mut [u8]) -> bool {
        self.walk(digits, |cipher, numerals| cipher.encrypt(entity.as_bytes(), numerals))
    }

    /// Replaces digits by those of which they would be the pseudonym: there are some for each, as in
    /// [`EpochKey::digits`].
    pub fn digits_of(&self, entity: &str, digits: &mut [u8]) -> bool {
        self.walk(digits, |cipher, numerals| cipher.decrypt(entity.as_bytes(), numerals))
    }

    fn walk(&self, digits: &mut [u8], step: impl Fn(&FF1<Aes256>, &FlexibleNumeralString) -> Walked) -> bool {
        if !(DIGITS_MIN..=DIGITS_MAX).contains(&digits.len()) || digits[0] == b'0' {
            return false;
        }
        let make =
            || FF1::new(self.subkey::<32>("digits").as_slice(), 10).expect("radix and key size are right");
        let cipher = self.subkeys.digits.get_or_init(make);
        let mut numerals: Vec<u16> = digits.iter().map(|digit| u16::from(digit - b'0')).collect();
        loop {
            // Walking on along the cycle until the result is in the domain keeps it one to one; one step in ten is not the last.
            let walked = step(cipher, &FlexibleNumeralString::from(numerals));
            numerals = walked.expect("the length is checked").into();
            if numerals[0] != 0 {
                break;
            }
        }
        for (digit, numeral) in digits.iter_mut().zip(&numerals) {
            *digit = b'0' + *numeral as u8;
        }
        numerals.zeroize();
        true
    }

    /// The leading 128 bits of HMAC-SHA-256 over the entity's name and the canonical value, in another domain than tags.
    pub fn uuid(&self, entity: &str, canonical: &[u8]) -> [u8; 16] {
        let mut mac = self.keyed.clone();
        mac.update(b"lv1 uuid\0");
        mac.update(entity.as_bytes());
        mac.update(b"\0");
        mac.update(canonical);
        let full = mac.finalize().into_bytes();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&full[..16]);
        bytes
    }

    /// Encrypts a value: the same each time, and opened with the same entity only (AES-SIV-512, RFC 5297).
    pub fn encrypt(&self, entity: &str, value: &[u8]) -> Vec<u8> {
        self.siv().encrypt([entity.as_bytes()], value).expect("one header, and memory for the value")
    }

    /// Opens what [`EpochKey::encrypt`] made under this key; `None` for anything else.
    pub fn decrypt(&self, entity: &str, encrypted: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        self.siv().decrypt([entity.as_bytes()], encrypted).ok().map(Zeroizing::new)
    }

    fn siv(&self) -> Aes256Siv {
        let key = self.subkeys.encrypt.get_or_init(|| self.subkey("encrypt"));
        Aes256Siv::new(&(**key).into())
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;
    use proptest::prelude::*;

    use super::super::KeyId;
    use super::*;
    use crate::secret::Secret;

    fn key(byte: u8) -> EpochKey {
        EpochKey::new(KeyId(*b"k7f3a"), &Secret::new(vec![byte; 32]))
    }

    /// Vectors of draft-denis-ipcrypt, appendix "Test Vectors", ipcrypt-pfx.
    #[test]
    fn addresses_agree_with_the_draft() {
        let first = "0123456789abcdeffedcba98765432101032547698badcfeefcdab8967452301";
        let second = "2b7e151628aed2a6abf7158809cf4f3ca9f5ba40db214c3798f2e1c23456789a";
        for (secret, address, expected) in [
            (first, "0.0.0.0", "151.82.155.134"),
            (first, "255.255.255.255", "94.185.169.89"),
            (first, "192.0.2.1", "100.115.72.131"),
            (first, "2001:db8::1", "c180:5dd4:2587:3524:30ab:fa65:6ab6:f88"),
            (second, "10.0.0.47", "19.214.210.244"),
            (second, "10.0.0.129", "19.214.210.80"),
            (second, "172.16.97.42", "210.78.179.241"),
            (second, "2001:db8::a5c9:4e2f:bb91:5a7d", "7cec:702c:1243:f70:1956:125:b9bd:1aba"),
            (second, "2001:db8:3a5c:0:e7d1:4b9f:2c8a:f673", "7cec:702c:3503:bef:e616:96bd:be33:a9b9"),
        ] {
            let bytes = HEXLOWER.decode(secret.as_bytes()).expect("it is hex");
            let key = key(1);
            let cipher = IpcryptPfx::new(bytes.try_into().expect("32 bytes"));
            assert!(key.subkeys.address.set(cipher).is_ok());
            assert_eq!(key.address(address.parse().expect("an address")).to_string(), expected);
        }
    }

    /// NIST SP 800-38G, samples 7 and 8: FF1-AES256, radix 10.
    #[test]
    fn digits_agree_with_the_samples() {
        let secret = "2b7e151628aed2a6abf7158809cf4f3cef4359d8d580aa4f7f036d6f04fc6a94";
        let secret = HEXLOWER.decode(secret.as_bytes()).expect("it is hex");
        let cipher = FF1::<Aes256>::new(&secret, 10).expect("a key of 256 bits");
        for (tweak, expected) in [("", "6657667009"), ("39383736353433323130", "1001623463")] {
            let tweak = HEXLOWER.decode(tweak.as_bytes()).expect("it is hex");
            let plain = FlexibleNumeralString::from((0..10).collect::<Vec<u16>>());
            let numerals: Vec<u16> = cipher.encrypt(&tweak, &plain).expect("ten digits").into();
            let text: String = numerals.iter().map(u16::to_string).collect();
            assert_eq!(text, expected);
        }
    }

    /// RFC 5297 has vectors for 256-bit keys alone, so its appendix A.1 is checked with that cipher; the other one differs
    /// in the block cipher's key.
    #[test]
    fn encryption_agrees_with_the_standard() {
        let secret = "fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff";
        let header = "101112131415161718191a1b1c1d1e1f2021222324252627";
        let hex = |text: &str| HEXLOWER.decode(text.as_bytes()).expect("it is hex");
        let secret: [u8; 32] = hex(secret).try_into().expect("32 bytes");
        let mut cipher = aes_siv::siv::Aes128Siv::new(&secret.into());
        let made = cipher.encrypt([hex(header)], &hex("112233445566778899aabbccddee")).expect("it is short");
        assert_eq!(HEXLOWER.encode(&made), "85632d07c6e8f37f950acd320a2ecc9340c02b9690c4dc04daef7f6afe5c");
    }

    #[test]
    fn each_purpose_has_a_key_of_its_own() {
        let key = key(7);
        let (address, digits) = (key.subkey::<32>("address"), key.subkey::<32>("digits"));
        let encrypt = key.subkey::<64>("encrypt");
        assert_ne!(*address, *digits);
        assert_ne!(encrypt[..32], encrypt[32..]);
        assert_ne!(encrypt[..32], *address);
        assert_ne!(key.uuid("email", b"x")[..12], key.tag("email", b"x"));
    }

    #[test]
    fn the_ciphers_are_wiped() {
        fn is_wiped<T: zeroize::ZeroizeOnDrop>() {}
        is_wiped::<aes::Aes128>();
        is_wiped::<Aes256>();
    }

    proptest! {
        /// For all addresses x and y: the pseudonyms of x and y have exactly as many leading bits in common as x and y.
        #[test]
        fn prefixes_are_kept(x in any::<u32>(), y in any::<u32>(), shift in 0..32) {
            let y = x ^ (y >> shift);
            let of = |bits: u32| match key(3).address(IpAddr::V4(bits.into())) {
                IpAddr::V4(address) => address.to_bits(),
                IpAddr::V6(_) => panic!("the family stays"),
            };
            prop_assert_eq!((of(x) ^ of(y)).leading_zeros(), (x ^ y).leading_zeros());
            prop_assert_eq!(key(3).address_of(IpAddr::V4(of(x).into())), IpAddr::V4(x.into()));
        }

        /// For all numbers x ≠ y of as many digits: so many digits come out, not the same, and no leading zero.
        #[test]
        fn digits_stay_digits(x in "[1-9][0-9]{5,20}", other in "[1-9][0-9]{5,20}") {
            let key = key(3);
            let of = |text: &str, entity| {
                let mut digits = text.as_bytes().to_vec();
                assert!(key.digits(entity, &mut digits));
                String::from_utf8(digits).expect("digits are text")
            };
            let made = of(&x, "user_id");
            prop_assert_eq!(made.len(), x.len());
            prop_assert!(made.bytes().all(|byte| byte.is_ascii_digit()) && !made.starts_with('0'));
            prop_assert_eq!(&made, &of(&x, "user_id"));
            prop_assert_eq!(made == of(&other, "user_id"), x == other);
            let mut back = made.into_bytes();
            prop_assert!(key.digits_of("user_id", &mut back));
            prop_assert_eq!(back, x.into_bytes());
        }

        /// For all values: what is encrypted opens with its key and entity, and with nothing else, nor when it was changed.
        #[test]
        fn what_is_encrypted_opens_with_its_key_alone(value in any::<Vec<u8>>(), at in any::<prop::sample::Index>()) {
            let key = key(3);
            let mut made = key.encrypt("email", &value);
            prop_assert_eq!(made.len(), value.len() + IV_BYTES);
            prop_assert_eq!(&made, &key.encrypt("email", &value));
            let opened = key.decrypt("email", &made);
            prop_assert_eq!(opened.as_deref(), Some(&value));
            prop_assert!(key.decrypt("username", &made).is_none());
            prop_assert!(self::key(4).decrypt("email", &made).is_none());
            let at = at.index(made.len());
            made[at] ^= 1;
            prop_assert!(key.decrypt("email", &made).is_none());
        }
    }
}

/*!
The last letters of listed names: nearly every key of a log is turned away by them, before anything of it is read but
its last four bytes.

What tells is the last three letters of a key; digits at its end and
punctuation do not count. A key of which they cannot be told (letters beyond
ASCII, escapes, digits between) may always be listed.
*/

use crate::structure::field;

/// Letters of the alphabet.
const LETTERS: usize = 26;

/// Words that hold one bit for each combination of three letters.
const WORDS: usize = (LETTERS * LETTERS * LETTERS).div_ceil(64);

/// Which ends listed names have.
#[derive(Debug)]
pub(super) struct Tails {
    /// Of keys whose last three bytes are letters, one bit for each of the 26³: the quick no.
    three: Box<[u64; WORDS]>,
    /// One bit for the hash of the last [`LETTERS_MAX`] letters of each name, or of all that it has.
    ends: Box<[u64; END_BITS / 64]>,
    /// Whether there is a name without a letter.
    none: bool,
}

/// Letters of a name that count.
const LETTERS_MAX: usize = 6;

/// Bits of the table of ends, a power of two: some hundred names fill few of them.
const END_BITS: usize = 1 << 14;

impl Default for Tails {
    fn default() -> Tails {
        Tails { three: Box::new([0; WORDS]), ends: Box::new([0; END_BITS / 64]), none: false }
    }
}

/// A key's last letters, gathered backwards.
#[derive(Clone, Copy, Debug, Default)]
struct End {
    letters: u32,
    count: usize,
}

impl End {
    fn push(&mut self, letter: u8) {
        self.letters |= u32::from(letter) << (5 * self.count);
        self.count += 1;
    }

    fn hash(self) -> usize {
        let key = self.letters << 2 ^ self.count as u32;
        (key.wrapping_mul(0x9e37_79b1) >> (32 - END_BITS.trailing_zeros())) as usize
    }
}

impl Tails {
    /// Adds the end of a listed name.
    pub(super) fn add(&mut self, name: &[u8]) {
        let mut end = End::default();
        for &byte in name.iter().rev() {
            match LETTER[usize::from(byte)] {
                letter if usize::from(letter) < LETTERS => end.push(letter),
                _ if byte.is_ascii_digit() && end.count == 0 => {}
                // Any key may have that.
                _ => break,
            }
            if end.count == LETTERS_MAX {
                break;
            }
        }
        if end.count == 0 {
            self.none = true;
            return;
        }
        let hash = end.hash();
        self.ends[hash / 64] |= 1 << (hash % 64);
        let of_name = |place: usize| (end.letters >> (5 * place) & 31) as usize;
        let choices = |place: usize| {
            if place < end.count { of_name(place)..of_name(place) + 1 } else { 0..LETTERS }
        };
        for first in choices(2) {
            for second in choices(1) {
                self.set_three([first, second, of_name(0)]);
            }
        }
    }

    fn set_three(&mut self, letters: [usize; 3]) {
        let place = place(letters);
        self.three[place / 64] |= 1 << (place % 64);
    }

    fn has_three(&self, letters: [usize; 3]) -> bool {
        let place = place(letters);
        self.three[place / 64] >> (place % 64) & 1 == 1
    }

    /// Whether a listed name perhaps ends like `key`.
    pub(super) fn may_end(&self, key: &[u8]) -> bool {
        self.may_end_backwards(key.iter().rev().copied())
    }

    /// The same for a key that is given from its end. What has to be decoded may be anything.
    fn may_end_backwards(&self, key: impl Iterator<Item = u8>) -> bool {
        let mut end = End::default();
        for (seen, byte) in key.enumerate() {
            match LETTER[usize::from(byte)] {
                letter if usize::from(letter) < LETTERS => {
                    end.push(letter);
                    let hash = end.hash();
                    if self.ends[hash / 64] >> (hash % 64) & 1 == 1 {
                        return true;
                    }
                    if end.count == LETTERS_MAX {
                        return false;
                    }
                }
                _ if byte.is_ascii_digit() && end.count == 0 => {}
                // A digit may belong to an escape.
                _ if byte.is_ascii_digit() || byte >= 0x80 || byte == b'%' || byte == b'\\' => return true,
                _ => {}
            }
            if seen + 1 == KEY_END_BYTES {
                return true;
            }
        }
        end.count == 0 && self.none
    }

    /// Whether the key before the separator at `at` perhaps ends like a listed name.
    #[inline]
    pub(super) fn may_be_before(&self, haystack: &[u8], at: usize) -> bool {
        // Most keys are told from the last four bytes alone, a closing quote among them.
        if let Some(&[a, b, c, d]) = at.checked_sub(4).and_then(|from| haystack.get(from..at)) {
            let [a, b, c] = if d == b'"' { [a, b, c] } else { [b, c, d] }
                .map(|byte| usize::from(LETTER[usize::from(byte)]));
            if a | b | c < NO_LETTER && !self.has_three([a, b, c]) {
                return false;
            }
        }
        self.may_be_behind(haystack, at.min(haystack.len()))
    }

    /// The same for any key, in a few bytes more.
    fn may_be_behind(&self, haystack: &[u8], at: usize) -> bool {
        let before = &haystack[..field::key_end(haystack, at)];
        let Some((&last, rest)) = before.split_last() else { return false };
        if matches!(last, b'"' | b'\'') {
            let end = rest.iter().rev().take_while(|&&b| b == b'\\').count();
            let name = rest[..rest.len() - end].iter().rev().copied();
            return self.may_end_backwards(name.take_while(|&b| b != last));
        }
        is_bare(last) && self.may_end_backwards(before.iter().rev().copied().take_while(|&b| is_bare(b)))
    }
}

/// Bytes of a key in which its last letters are looked for; further away they tell nothing.
const KEY_END_BYTES: usize = 16;

fn is_bare(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-.$%[]".contains(&byte) || byte >= 0x80
}

fn place([first, second, third]: [usize; 3]) -> usize {
    (first * LETTERS + second) * LETTERS + third
}

/// What [`LETTER`] says of a byte that is no letter.
const NO_LETTER: usize = 32;

/// Each byte's place in the alphabet, whatever its case.
const LETTER: [u8; 256] = {
    let mut letters = [NO_LETTER as u8; 256];
    let mut n = 0;
    while n < LETTERS {
        letters[b'a' as usize + n] = n as u8;
        letters[b'A' as usize + n] = n as u8;
        n += 1;
    }
    letters
};

#[cfg(test)]
mod tests {
    use super::*;

    fn tails(names: &[&str]) -> Tails {
        let mut tails = Tails::default();
        names.iter().for_each(|name| tails.add(name.as_bytes()));
        tails
    }

    #[track_caller]
    fn check(names: &[&str], text: &str, perhaps: bool) {
        let at = text.find(['=', ':']).expect("a separator");
        assert_eq!(tails(names).may_be_before(text.as_bytes(), at), perhaps, "{text}");
    }

    #[test]
    fn keys_are_told_by_their_last_letters() {
        let names = ["token", "pw", "sha1sum"];
        for text in [
            "token=",
            "my_token=",
            "\"token\":",
            "'token':",
            "token =",
            "to_ken_7=",
            "pw=",
            "db_pw=",
            "TOKEN=",
            "\\\"token\\\":",
            "%74oken=",
            "tok%65n=",
        ] {
            check(&names, text, true);
        }
        for text in [
            "tokens=",
            "broken=",
            "level=",
            "\"level\":",
            "id=",
            "=",
            " :",
            "(:",
            "x=",
            "a-b=",
            "trace_id=",
            "12=",
        ] {
            check(&names, text, false);
        }
    }

    #[test]
    fn what_cannot_be_told_may_be_listed() {
        for text in ["schlüssel7ß=", "a1b=", "a______________________=", "tok\\u0065n:"] {
            check(&["token"], text, true);
        }
    }
}

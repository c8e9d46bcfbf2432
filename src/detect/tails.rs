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
    /// Of keys of three letters and more, one bit for each of the 26³.
    three: Box<[u64; WORDS]>,
    /// Of keys of two letters: one bit of the second by the first.
    two: [u32; LETTERS],
    /// Of keys of one letter.
    one: u32,
    /// Whether there is a name without a letter.
    none: bool,
}

impl Default for Tails {
    fn default() -> Tails {
        Tails { three: Box::new([0; WORDS]), two: [0; LETTERS], one: 0, none: false }
    }
}

/// The end of a key, as far as it tells keys apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tail {
    /// Its last three letters, 0 to 25 each.
    Three([usize; 3]),
    /// Its two letters.
    Two([usize; 2]),
    /// Its only letter.
    One(usize),
    /// It has no letter.
    None,
    /// It holds what has to be decoded or looked at as a whole.
    Other,
}

impl Tails {
    /// Adds the end of a listed name.
    pub(super) fn add(&mut self, name: &[u8]) {
        match tail(name.iter().rev().copied()) {
            Tail::Three(letters) => self.set_three(letters),
            Tail::Two([first, second]) => {
                self.two[first] |= 1 << second;
                (0..LETTERS).for_each(|before| self.set_three([before, first, second]));
            }
            Tail::One(letter) => {
                self.one |= 1 << letter;
                self.two.iter_mut().for_each(|seconds| *seconds |= 1 << letter);
                let pairs = (0..LETTERS).flat_map(|first| (0..LETTERS).map(move |second| [first, second]));
                pairs.for_each(|[first, second]| self.set_three([first, second, letter]));
            }
            Tail::None => self.none = true,
            // A key that is such a name is such a key.
            Tail::Other => {}
        }
    }

    fn set_three(&mut self, letters: [usize; 3]) {
        let place = place(letters);
        self.three[place / 64] |= 1 << (place % 64);
    }

    fn has(&self, tail: Tail) -> bool {
        match tail {
            Tail::Three(letters) => {
                let place = place(letters);
                self.three[place / 64] >> (place % 64) & 1 == 1
            }
            Tail::Two([first, second]) => self.two[first] >> second & 1 == 1,
            Tail::One(letter) => self.one >> letter & 1 == 1,
            Tail::None => self.none,
            Tail::Other => true,
        }
    }

    /// Whether a listed name perhaps ends like `key`.
    pub(super) fn may_end(&self, key: &[u8]) -> bool {
        self.has(tail(key.iter().rev().copied()))
    }

    /// Whether the key before the separator at `at` perhaps ends like a listed name.
    #[inline]
    pub(super) fn may_be_before(&self, haystack: &[u8], at: usize) -> bool {
        // A letter is told from the last four bytes alone, a closing quote among them.
        if let Some(&[a, b, c, d]) = at.checked_sub(4).and_then(|from| haystack.get(from..at)) {
            let [a, b, c] = if d == b'"' { [a, b, c] } else { [b, c, d] }
                .map(|byte| usize::from(LETTER[usize::from(byte)]));
            if a | b | c < NO_LETTER {
                return self.has(Tail::Three([a, b, c]));
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
            return self.has(tail(name.take_while(|&b| b != last).take(KEY_END_BYTES)));
        }
        let name = before.iter().rev().copied().take_while(|&b| is_bare(b)).take(KEY_END_BYTES);
        is_bare(last) && self.has(tail(name))
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

/// The end of a key, given backwards.
fn tail(backwards: impl Iterator<Item = u8>) -> Tail {
    let mut letters = [0; 3];
    let mut count = 0;
    let mut seen = 0;
    for byte in backwards {
        seen += 1;
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => {
                letters[2 - count] = usize::from(LETTER[usize::from(byte)]);
                count += 1;
                if count == 3 {
                    return Tail::Three(letters);
                }
            }
            b'0'..=b'9' if count == 0 => {}
            b'0'..=b'9' | 0x80.. | b'%' | b'\\' => return Tail::Other,
            _ => {}
        }
    }
    match count {
        // Its letters may stand further away.
        _ if seen >= KEY_END_BYTES => Tail::Other,
        2 => Tail::Two([letters[1], letters[2]]),
        1 => Tail::One(letters[2]),
        _ => Tail::None,
    }
}

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
            "broken=",
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
        for text in
            ["tokens=", "level=", "\"level\":", "id=", "=", " :", "(:", "x=", "a-b=", "trace_id=", "12="]
        {
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

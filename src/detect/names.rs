/*!
Names of fields, as rules list them.

A name is compared without case and punctuation, and by its last words: the
rule's `api_key` is the key of `apiKey`, `X-Api-Key`, `service.api_key` and
`%61pi_key`. Of several listed names that end a key the longest decides, so
that `page_token` can be excepted from `token`.
*/

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::RuleId;
use super::tails::Tails;
use crate::limit;
use crate::structure::percent;

/// Words of a key that are tried as its end.
const WORDS_MAX: usize = 6;

/// Listed names and the rules that list them; a name that is excepted has none.
#[derive(Debug)]
pub struct Names {
    rules: HashMap<Box<[u8]>, Vec<RuleId>, BuildHasherDefault<Mixed>>,
    /// Names that also count where no word begins: `dbpassword`. Longest first.
    glued: Vec<(Box<[u8]>, Vec<RuleId>)>,
    /// By length, the last bytes that listed names have, as bits of their low six bits: nearly every key of a log is
    /// turned away here, before anything is hashed.
    ends: [u64; limit::KEY_BYTES_MAX + 1],
    /// The last letters of listed names.
    tails: Tails,
}

impl Default for Names {
    fn default() -> Names {
        let ends = [0; limit::KEY_BYTES_MAX + 1];
        Names { rules: HashMap::default(), glued: Vec::new(), ends, tails: Tails::default() }
    }
}

impl Names {
    /// Lists `name` for `rule`.
    pub fn add(&mut self, name: &str, rule: RuleId) {
        self.list(name).push(rule);
    }

    /// Lists `name`, also as the end of a longer word.
    pub fn add_glued(&mut self, name: &str, rule: RuleId) {
        self.add(name, rule);
        let plain: Box<[u8]> = plain(name.as_bytes()).text().into();
        match self.glued.iter_mut().find(|(known, _)| *known == plain) {
            Some((_, rules)) => rules.push(rule),
            None => self.glued.push((plain, vec![rule])),
        }
        self.glued.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    }

    /// Excepts `name`: a key that ends with it belongs to no rule, unless a longer name is listed.
    pub fn except(&mut self, name: &str) {
        self.list(name);
    }

    fn list(&mut self, name: &str) -> &mut Vec<RuleId> {
        let plain = plain(name.as_bytes());
        let text = plain.text();
        if let Some(&last) = text.last() {
            self.ends[text.len()] |= 1 << (last & 63);
        }
        self.tails.add(text);
        self.rules.entry(text.into()).or_default()
    }

    /// The rules for a key.
    pub fn rules(&self, key: &[u8]) -> &[RuleId] {
        if !self.tails.may_end(key) {
            return &[];
        }
        let plain = plain(key);
        let text = plain.text();
        for &start in plain.starts() {
            let end = &text[usize::from(start)..];
            if let Some(rules) = self.listed(end).or_else(|| self.without_number(end)) {
                return rules;
            }
        }
        let glued = self.glued.iter().find(|(name, _)| text.ends_with(name));
        glued.map_or(&[], |(_, rules)| rules)
    }

    /// Whether the key before the separator at `at` is perhaps listed; never a wrong no.
    pub fn may_be_before(&self, haystack: &[u8], at: usize) -> bool {
        self.tails.may_be_before(haystack, at)
    }

    /// `password1`, `token_2`.
    fn without_number(&self, name: &[u8]) -> Option<&Vec<RuleId>> {
        let digits = name.iter().rev().take_while(|b| b.is_ascii_digit()).count();
        if digits == 0 { None } else { self.listed(&name[..name.len() - digits]) }
    }

    fn listed(&self, name: &[u8]) -> Option<&Vec<RuleId>> {
        let last = name.last()?;
        if self.ends[name.len()] & 1 << (last & 63) == 0 {
            return None;
        }
        self.rules.get(name)
    }
}

/// A hash by multiplication. Names come from packs, which nobody outside chooses, so no collisions are made on purpose.
#[derive(Clone, Copy, Debug, Default)]
struct Mixed(u64);

impl Hasher for Mixed {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn write_usize(&mut self, length: usize) {
        self.write_u64(length as u64);
    }

    fn finish(&self) -> u64 {
        self.0 ^ self.0 >> 32
    }
}

/// A key without case and punctuation, and where its words begin: the first one, then those nearest to its end.
struct Plain {
    text: [u8; limit::KEY_BYTES_MAX],
    len: usize,
    starts: [u8; WORDS_MAX],
    words: usize,
}

impl Plain {
    fn text(&self) -> &[u8] {
        &self.text[..self.len]
    }

    fn starts(&self) -> &[u8] {
        &self.starts[..self.words]
    }

    fn push(&mut self, byte: u8, begins_word: bool) {
        if self.len == self.text.len() {
            return;
        }
        if begins_word || self.len == 0 {
            if self.words == WORDS_MAX {
                self.starts.copy_within(1.., 0);
                self.words -= 1;
            }
            self.starts[self.words] = self.len as u8;
            self.words += 1;
        }
        self.text[self.len] = byte.to_ascii_lowercase();
        self.len += 1;
    }
}

fn plain(key: &[u8]) -> Plain {
    let mut plain = Plain { text: [0; limit::KEY_BYTES_MAX], len: 0, starts: [0; WORDS_MAX], words: 0 };
    let mut previous = b'_';
    let mut at = 0;
    while at < key.len() {
        let (byte, len) = match percent::unit_at(key, at) {
            Some(byte) => (byte, 3),
            None if key[at] == b'\\' => match crate::structure::json::code_unit(key, at) {
                Some(unit) => (u8::try_from(unit).unwrap_or(b'_'), 6),
                None => (key[at], 1),
            },
            None => (key[at], 1),
        };
        at += len;
        if byte.is_ascii_alphanumeric() || byte >= 0x80 {
            let next = key.get(at).copied().unwrap_or(b'_');
            let hump = byte.is_ascii_uppercase()
                && (previous.is_ascii_lowercase()
                    || previous.is_ascii_digit()
                    || (previous.is_ascii_uppercase() && next.is_ascii_lowercase()));
            let after_punctuation = !(previous.is_ascii_alphanumeric() || previous >= 0x80);
            plain.push(byte, hump || after_punctuation);
        }
        previous = byte;
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        let mut names = Names::default();
        names.add("api_key", RuleId(1));
        names.add("token", RuleId(2));
        names.add_glued("password", RuleId(3));
        names.except("page_token");
        names
    }

    #[track_caller]
    fn check(key: &str, rule: Option<u16>) {
        assert_eq!(names().rules(key.as_bytes()).first().map(|rule| rule.0), rule, "{key}");
    }

    #[test]
    fn spelling_does_not_matter() {
        for key in
            ["api_key", "apiKey", "X-Api-Key", "service.API_KEY", "%61pi_key", "apikey", "APIKey", "api_key2"]
        {
            check(key, Some(1));
        }
    }

    #[test]
    fn the_last_words_decide() {
        check("access_token", Some(2));
        check("user[token]", Some(2));
        check("token_type", None);
        check("tokens", None);
        check("broken", None);
        check("next_page_token", None);
        check("nextPageToken", None);
        check("dbpassword", Some(3));
        check("password_reset", None);
        check("", None);
    }

    #[test]
    fn short_keys_and_names_are_compared() {
        let mut names = Names::default();
        names.add("pw", RuleId(1));
        assert_eq!(names.rules(b"db_pw"), [RuleId(1)]);
        assert_eq!(names.rules(b"pw"), [RuleId(1)]);
        let mut names = Names::default();
        names.add("sha1sum2", RuleId(1));
        assert_eq!(names.rules(b"my_sha1sum2"), [RuleId(1)]);
    }

    #[test]
    fn long_keys_are_cut_and_harmless() {
        check(&"a_".repeat(400), None);
    }
}

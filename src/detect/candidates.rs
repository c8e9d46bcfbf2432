/*!
Candidates: places where an entity could be, by arithmetic on the masks of [`super::simd`].

Each mask of [`Candidates`] holds a necessary condition of one family of
parsers, told at the byte where it is complete: "perhaps", never a wrong no.
What a bit stands for is said at its field. Masks know nothing of records, so
what looks back over a record's beginning may say perhaps once more; where a
condition is that something does *not* stand before, the beginnings of records
are given to it.

About 150 operations for 64 bytes, no branch but on what is rare.
*/

use super::simd::Block;

/// Where to ask whom, one bit a byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Candidates {
    /// Third of three dots, each between two digits, 2 to 4 apart: the quad around it may be an IPv4 address.
    pub quad: u64,
    /// Thirteenth digit of a run: a card.
    pub long_number: u64,
    /// Fourth digit after a space or dash that four digits stand before: a card in groups.
    pub number_group: u64,
    /// Second digit behind two capitals: an IBAN.
    pub account: u64,
    /// `@`: an e-mail address.
    pub sign: u64,
    /// Second colon of `::`, or fifth of colons 2 to 5 apart: an IPv6 address.
    pub groups: u64,
    /// Fifth colon or dash of those exactly 3 apart: a hardware address.
    pub pairs: u64,
    /// `=` or `:`: the key before it may be one that a rule lists.
    pub separator: u64,
    /// The colon of `://` or `:\`: credentials in a URL.
    pub scheme: u64,
    /// The first of two dashes where no word goes on: a command line's flag.
    pub flag: u64,
    /// `</`: the text of an element.
    pub element: u64,
    /// `+` with a digit behind it, where no word goes on: a telephone number.
    pub plus: u64,
    /// Dash between three digits and four: a telephone number.
    pub line_number: u64,
    /// 26th letter or digit of a run: the address of a wallet.
    pub word_run: u64,
    /// Letter behind the digits of a fiscal code.
    pub code: u64,
    /// Fourth dash of those exactly 5 apart: a UUID.
    pub uuid: u64,
    /// Second of two dots exactly 7 apart, the first behind 16 letters and digits: the token of a bot.
    pub bot: u64,
    /// A literal may begin here.
    pub anchor: u64,
    /// Sixteenth byte of a run of letters, digits, `_` and `-` that begins where a part of a word does: a token.
    pub token: u64,
    /// Sixteenth byte of such a run, wherever it begins: a service's name may stand before it.
    pub run: u64,
    /// Where a part of a word begins.
    pub part: u64,
}

/// What one block leaves to the next.
#[derive(Clone, Copy, Debug, Default)]
pub struct Carry {
    before: Block,
    starts: u64,
    inner_dots: u64,
    two_dots: u64,
    two_digits: u64,
    four_digits: u64,
    thirteen_digits: u64,
    word_runs: [u64; 6],
    digit_pairs: u64,
    colons: [u64; 3],
    colon_pairs: [u64; 2],
    dash_pairs: [u64; 2],
    part: u64,
    /// Runs of 1, 2, 4, 8 and 16 bytes of a token that end at each byte.
    runs: [u64; 5],
}

/// The mask of what stands `n` bytes before each byte; `n` is 1 to 63.
fn back(before: u64, now: u64, n: u32) -> u64 {
    now << n | before >> (64 - n)
}

/// The mask of what stands `n` bytes behind each byte; `n` is 1 to 63.
fn ahead(now: u64, next: u64, n: u32) -> u64 {
    now >> n | next << (64 - n)
}

/// Whether one stands `from` to `from` + 2 bytes before.
fn back_any_of_three(before: u64, now: u64, from: u32) -> u64 {
    back(before, now, from) | back(before, now, from + 1) | back(before, now, from + 2)
}

impl Carry {
    /// The candidates of block `now`. `starts` has the bytes at which a haystack begins, and those behind one's end;
    /// `next_starts` those of the block that follows.
    pub fn step(&mut self, now: &Block, next: &Block, starts: u64, next_starts: u64) -> Candidates {
        let mut found = Candidates { sign: now.at, ..Candidates::default() };
        self.numbers(now, next, starts, &mut found);
        self.words(now, next, starts, &mut found);
        self.colons(now, &mut found);
        self.structure(now, next, [starts, next_starts], &mut found);
        self.tokens(now, starts, &mut found);
        self.before = *now;
        self.starts = starts;
        found
    }

    fn numbers(&mut self, now: &Block, next: &Block, starts: u64, found: &mut Candidates) {
        let before = &self.before;
        let one_back = back(before.digit, now.digit, 1);
        let inner = now.dot & one_back & ahead(now.digit, next.digit, 1);
        let two = inner & back_any_of_three(self.inner_dots, inner, 2);
        found.quad = inner & back_any_of_three(self.two_dots, two, 2);
        (self.inner_dots, self.two_dots) = (inner, two);

        let two = now.digit & one_back;
        let four = two & back(self.two_digits, two, 2);
        let separator = |block: &Block| block.space | block.dash;
        found.number_group =
            four & back(separator(before), separator(now), 4) & back(self.four_digits, four, 5);
        let eight = four & back(self.four_digits, four, 4);
        let thirteen = eight & back(self.four_digits, four, 8) & back(before.digit, now.digit, 12);
        let begins = !back(self.thirteen_digits, thirteen, 1) | back(self.starts, starts, 12);
        found.long_number = thirteen & begins;
        found.account = two & back(before.upper, now.upper, 2) & back(before.upper, now.upper, 3);
        (self.two_digits, self.four_digits, self.thirteen_digits) = (two, four, thirteen);
    }

    /// What runs of letters and digits tell.
    fn words(&mut self, now: &Block, next: &Block, starts: u64, found: &mut Candidates) {
        let before = &self.before;
        let word = |block: &Block| block.letter | block.digit;
        let one = word(now);
        let [of_two, of_four, of_eight, of_sixteen, of_twenty_four, of_twenty_six] = self.word_runs;
        let two = one & back(word(before), one, 1);
        let four = two & back(of_two, two, 2);
        let eight = four & back(of_four, four, 4);
        let sixteen = eight & back(of_eight, eight, 8);
        let (mut twenty_four, mut twenty_six) = (0, 0);
        if sixteen | of_sixteen | of_twenty_four != 0 {
            twenty_four = eight & back(of_sixteen, sixteen, 8);
            twenty_six = two & back(of_twenty_four, twenty_four, 2);
            // A haystack that begins inside a run has a 26th of its own.
            found.word_run =
                twenty_six & (!back(of_twenty_six, twenty_six, 1) | back(self.starts, starts, 25));
        }
        self.word_runs = [two, four, eight, sixteen, twenty_four, twenty_six];

        found.bot = now.dot & back(before.dot, now.dot, 7) & back(of_sixteen, sixteen, 8);

        let pair = now.digit & back(before.digit, now.digit, 1);
        let three_before = back(self.digit_pairs, pair, 1) & back(before.digit, now.digit, 3);
        let letter_behind = now.letter & three_before & back(before.letter, now.letter, 4);
        if letter_behind != 0 {
            let pair_before = |n: u32| back(self.digit_pairs, pair, n);
            let letter_before = |n: u32| back(before.letter, now.letter, n);
            found.code = letter_behind & pair_before(5) & letter_before(7) & pair_before(8);
        }
        let four_behind = (1..=4).fold(!0, |all, n| all & ahead(now.digit, next.digit, n));
        found.line_number = now.dash & three_before & four_behind;
        self.digit_pairs = pair;
        let dashes = now.dash & back(before.dash, now.dash, 5);
        if dashes != 0 {
            found.uuid = dashes & back(before.dash, now.dash, 10) & back(before.dash, now.dash, 15);
        }
    }

    fn colons(&mut self, now: &Block, found: &mut Candidates) {
        let double = now.colon & back(self.before.colon, now.colon, 1);
        let follow = |before: u64, of: u64| {
            let near = back(before, of, 2) | back(before, of, 3);
            now.colon & (near | back(before, of, 4) | back(before, of, 5))
        };
        let two = follow(self.before.colon, now.colon);
        found.groups = double;
        let three = follow(self.colons[0], two);
        let four = follow(self.colons[1], three);
        found.groups |= follow(self.colons[2], four);
        self.colons = [two, three, four];
        let of_colons = pairs(self.before.colon, now.colon, &mut self.colon_pairs);
        let of_dashes = pairs(self.before.dash, now.dash, &mut self.dash_pairs);
        found.pairs = of_colons | of_dashes;
    }

    fn structure(&mut self, now: &Block, next: &Block, starts: [u64; 2], found: &mut Candidates) {
        let [starts, next_starts] = starts;
        let before = &self.before;
        let letter_or_digit = |block: &Block| block.letter | block.digit;
        // Two digits on both sides are a time's.
        let time = back(before.digit, now.digit, 1)
            & back(before.digit, now.digit, 2)
            & ahead(now.digit, next.digit, 1)
            & ahead(now.digit, next.digit, 2);
        let word_before = back(letter_or_digit(before), letter_or_digit(now), 1);
        let path = word_before & ahead(now.slash, next.slash, 1);
        // Unless the haystack ends there, so that they are another's.
        let ends = ahead(starts, next_starts, 1) | ahead(starts, next_starts, 2);
        found.separator = now.equals | now.colon & !(time & !ends) & !path;
        let slashes = ahead(now.slash, next.slash, 1) & ahead(now.slash, next.slash, 2);
        found.scheme = now.colon & (slashes | ahead(now.backslash, next.backslash, 1));
        let dashes = now.dash & ahead(now.dash, next.dash, 1);
        if dashes != 0 {
            found.flag = dashes & !((word_before | back(before.dash, now.dash, 1)) & !starts);
        }
        found.element = now.less & ahead(now.slash, next.slash, 1);

        let small = |block: &Block| block.letter & !block.upper | block.digit;
        let hump = now.upper & back(small(before), small(now), 1);
        let mut escape_before = 0;
        if now.backslash | before.backslash | now.percent | before.percent != 0 {
            escape_before = back(before.backslash, now.backslash, 2)
                | back(before.backslash, now.backslash, 6)
                | back(before.percent, now.percent, 3);
        }
        let plus_begins = !word_before | escape_before | starts;
        found.plus = now.plus & ahead(now.digit, next.digit, 1) & plus_begins;
        let begins = !word_before | hump | escape_before | starts;
        found.part = begins & letter_or_digit(now);
        found.anchor = now.part & found.part & now.letter | now.free;
    }

    fn tokens(&mut self, now: &Block, starts: u64, found: &mut Candidates) {
        let one = now.letter | now.digit | now.underscore | now.dash;
        let two = one & back(self.runs[0], one, 1);
        let four = two & back(self.runs[1], two, 2);
        let eight = four & back(self.runs[2], four, 4);
        let sixteen = eight & back(self.runs[3], eight, 8);
        found.token = sixteen & back(self.part, found.part, 15);
        found.run = sixteen & (!back(self.runs[4], sixteen, 1) | back(self.starts, starts, 15));
        self.runs = [one, two, four, eight, sixteen];
        self.part = found.part;
    }
}

/// The bits of `mask` that `is` holds for.
pub(super) fn keep(mask: u64, is: impl Fn(usize) -> bool) -> u64 {
    let mut rest = mask;
    let mut kept = 0;
    while rest != 0 {
        let bit = rest & rest.wrapping_neg();
        rest ^= bit;
        kept |= if is(bit.trailing_zeros() as usize) { bit } else { 0 };
    }
    kept
}

/// Fifth of signs exactly three apart. `carry` has those of two and of four.
fn pairs(before: u64, now: u64, carry: &mut [u64; 2]) -> u64 {
    let two = now & back(before, now, 3);
    let four = two & back(carry[0], two, 6);
    let five = now & back(carry[1], four, 3);
    *carry = [two, four];
    five
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::simd::{BLOCK_BYTES, Classifier, Fingerprint};
    use proptest::prelude::*;

    fn all(text: &[u8]) -> Vec<Candidates> {
        let mut fingerprint = Fingerprint::default();
        fingerprint.part.add(*b"tok", 0);
        let mut blocks = vec![Block::default(); text.len().div_ceil(BLOCK_BYTES) + 1];
        Classifier::new(fingerprint).classify(text, 0, &mut blocks);
        let mut carry = Carry::default();
        let step = |pair: &[Block]| carry.step(&pair[0], &pair[1], 0, 0);
        blocks.windows(2).map(step).collect()
    }

    /// Places of the bits that `mask` chooses.
    fn places(text: &[u8], mask: impl Fn(&Candidates) -> u64) -> Vec<usize> {
        let bits = |(n, candidates): (usize, &Candidates)| {
            let mask = mask(candidates);
            (0..64).filter(move |bit| mask >> bit & 1 == 1).map(move |bit| n * 64 + bit)
        };
        all(text).iter().enumerate().flat_map(bits).collect()
    }

    /// Each shape stands at every place of two blocks, so that it crosses their border in every way.
    #[track_caller]
    fn check(shape: &str, bit: usize, mask: impl Fn(&Candidates) -> u64) {
        for before in 0..130 {
            let text = format!("{}{shape} ", " ".repeat(before));
            assert_eq!(places(text.as_bytes(), &mask), [before + bit], "{shape} behind {before} spaces");
        }
    }

    #[track_caller]
    fn check_none(text: &str, mask: impl Fn(&Candidates) -> u64) {
        for before in 0..130 {
            let text = format!("{}{text} ", " ".repeat(before));
            assert_eq!(places(text.as_bytes(), &mask), Vec::<usize>::new(), "{text} behind {before} spaces");
        }
    }

    #[test]
    fn shapes_are_told_where_they_are_complete() {
        check("203.0.113.7", 9, |found| found.quad);
        check_none("1.2.3 125.0.6422.112 1..2.3.4", |found| found.quad);
        check("4111111111111111", 12, |found| found.long_number);
        check_none("411111111111", |found| found.long_number);
        check("4012 8888", 8, |found| found.number_group);
        check_none("401 8888  4012 888", |found| found.number_group);
        check("DE89", 3, |found| found.account);
        check("2001::1", 5, |found| found.groups);
        check("1:2:3:4:5:", 9, |found| found.groups);
        check_none("2026:10:00:00       1:2:3:4       a:bcdefg:1:2:3:4", |found| found.groups);
        check("00:1a:2b:3c:4d:5e", 14, |found| found.pairs);
        check("00-1a-2b-3c-4d-5e", 14, |found| found.pairs);
        check_none("00-1a:2b-3c-4d-5e 10:00:00", |found| found.pairs);
        check(" +49 30", 1, |found| found.plus);
        check(r"\n+49", 2, |found| found.plus);
        check_none("1+1 a+49 + 49 +a", |found| found.plus);
        check("(415) 555-0132", 9, |found| found.line_number);
        check_none("2026-11-22 12-3456 123-456", |found| found.line_number);
        check("3b5d5c3712955042212316173ccf37be", 25, |found| found.word_run);
        check_none("3b5d5c3712955042212316173 abcdefghijklm_nopqrstuvwxyz", |found| found.word_run);
        check("RSSMRA85T10A562S", 15, |found| found.code);
        check_none("RSSMRA85T10A56S RSSMRA85T1A562S", |found| found.code);
        check("0b5a1c2d-3e4f-4a6b-8c7d-9e0f1a2b3c4d", 23, |found| found.uuid);
        check_none("0b5a-1c2d-3e4f 2026-11-22", |found| found.uuid);
        check("MTIzNDU2Nzg5MDEyMzQ1Njc4.Ga1b2c.x", 31, |found| found.bot);
        check_none("https://www.google.com/ org.apache.kafka", |found| found.bot);
        check("key=12:34", 3, |found| found.separator);
        check_none("http://x", |found| found.separator);
        check("http://x", 4, |found| found.scheme);
        check(r"http:\/\/x", 4, |found| found.scheme);
        check("--key", 0, |found| found.flag);
        check_none("a--key", |found| found.flag);
        check("</key>", 0, |found| found.element);
        check("Token", 0, |found| found.anchor);
        check("myToken", 2, |found| found.anchor);
        check_none("mytoken 2token", |found| found.anchor);
        check(r"\ntoken", 2, |found| found.anchor);
        check("%2ftoken", 3, |found| found.anchor);
        check("=0123456789abcdef0", 16, |found| found.run);
        check("=0123456789-bcdef0", 16, |found| found.token);
        check_none("=0123456789abcde", |found| found.run | found.token);
    }

    proptest! {
        /// An address anywhere among digits, dots and colons is never missed.
        #[test]
        fn no_quad_is_missed(before in "[0-9.: a]{0,70}", quad in "[0-9]{1,3}([.][0-9]{1,3}){3}", after in "[0-9.: a]{0,70}") {
            let text = format!("{before}{quad}{after}");
            let third = before.len() + quad.rfind('.').expect("it has dots");
            prop_assert!(places(text.as_bytes(), |found| found.quad).contains(&third));
        }
    }
}

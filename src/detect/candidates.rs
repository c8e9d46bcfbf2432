/*!
Candidates: places where an entity could be, by arithmetic on the masks of [`super::simd`].

Each mask of [`Candidates`] holds a necessary condition of one family of
parsers, told at the byte where it is complete: "perhaps", never a wrong no.
What a bit stands for is said at its field. Masks know nothing of records, so
what looks back over a record's beginning may say perhaps once more; where a
condition is that something does *not* stand before, the beginnings of records
are given to it.

About 200 operations for eight blocks of 64 bytes, and no branch.
*/

use super::simd::{Group, LANES, Lanes, Masks, Work};

/// Where to ask whom in eight blocks, one bit a byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C, align(64))]
pub struct Candidates {
    /// Third of three dots, each between two digits, 2 to 4 apart: the quad around it may be an IPv4 address.
    pub quad: Masks,
    /// Thirteenth digit of a run: a card.
    pub long_number: Masks,
    /// Fourth digit after a space or dash that four digits stand before: a card in groups.
    pub number_group: Masks,
    /// Second digit behind two capitals: an IBAN.
    pub account: Masks,
    /// `@`: an e-mail address.
    pub sign: Masks,
    /// Second colon of `::`, or fifth of colons 2 to 5 apart: an IPv6 address.
    pub groups: Masks,
    /// Fifth colon or dash of those exactly 3 apart: a hardware address.
    pub pairs: Masks,
    /// `=` or `:`: the key before it may be one that a rule lists.
    pub separator: Masks,
    /// The colon of `://` or `:\`: credentials in a URL.
    pub scheme: Masks,
    /// The first of two dashes where no word goes on: a command line's flag.
    pub flag: Masks,
    /// `</`: the text of an element.
    pub element: Masks,
    /// `+` with a digit behind it, where no word goes on: a telephone number.
    pub plus: Masks,
    /// Dash between three digits and four: a telephone number.
    pub line_number: Masks,
    /// 26th letter or digit of a run: the address of a wallet.
    pub word_run: Masks,
    /// Letter behind the digits of a fiscal code.
    pub code: Masks,
    /// Fourth dash of those exactly 5 apart: a UUID.
    pub uuid: Masks,
    /// Second of two dots exactly 7 apart, the first behind 16 letters and digits: the token of a bot.
    pub bot: Masks,
    /// A literal may begin here.
    pub anchor: Masks,
    /// Letters, digits, `_`, `-` and full stops: bytes of a key without quotes.
    pub key: Masks,
    /// All that is told by its shape alone: every mask but `separator`, `anchor`, `uuid`, `word_run` and `key`.
    pub shapes: Masks,
}

/// What the blocks before leave: each mask that is looked back on, in the order of its use.
#[derive(Clone, Copy, Debug)]
pub struct Carry {
    masks: [Masks; CARRIED],
}

impl Default for Carry {
    fn default() -> Carry {
        Carry { masks: [[0; LANES]; CARRIED] }
    }
}

/// Masks that are looked back on.
const CARRIED: usize = 40;

/// One step over some groups of blocks.
pub struct Step<'a> {
    /// What the step before left.
    pub carry: &'a mut Carry,
    /// The groups, and one more, of which only the first block counts.
    pub groups: &'a [Group],
    /// The bytes at which a haystack begins, and those behind one's end; of as many groups.
    pub starts: &'a [Masks],
    /// Filled with the candidates of each group.
    pub found: &'a mut [Candidates],
}

impl Work for Step<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self, machine: L::Machine) {
        for (n, found) in self.found.iter_mut().enumerate() {
            let mut arithmetic = Arithmetic::<L> {
                machine,
                carry: self.carry,
                carried: 0,
                now: &self.groups[n],
                next: &self.groups[n + 1],
            };
            let starts = arithmetic.seen(L::load(machine, &self.starts[n]));
            let next_starts = L::load(machine, &self.starts[n + 1]);
            arithmetic.all(starts, L::one_behind(starts.now, next_starts), found);
        }
    }
}

/// A mask and that of the block before.
#[derive(Clone, Copy)]
struct Seen<L> {
    before: L,
    now: L,
}

impl<L: Lanes> Seen<L> {
    /// What stands `N` bytes before each byte.
    #[inline(always)]
    fn back<const N: i32>(self) -> L {
        L::back::<N>(self.before, self.now)
    }

    /// Whether one stands two to four bytes before.
    #[inline(always)]
    fn near(self) -> L {
        self.back::<2>() | self.back::<3>() | self.back::<4>()
    }
}

/// A mask and that of the block behind.
#[derive(Clone, Copy)]
struct Ahead<L> {
    now: L,
    next: L,
}

impl<L: Lanes> Ahead<L> {
    /// What stands `N` bytes behind each byte.
    #[inline(always)]
    fn ahead<const N: i32>(self) -> L {
        L::ahead::<N>(self.now, self.next)
    }
}

struct Arithmetic<'a, L: Lanes> {
    machine: L::Machine,
    carry: &'a mut Carry,
    /// Masks of the carry that have been used.
    carried: usize,
    now: &'a Group,
    next: &'a Group,
}

impl<L: Lanes> Arithmetic<'_, L> {
    /// The mask, and what it was in the block before. To be called for the same masks in the same order in every group.
    #[inline(always)]
    fn seen(&mut self, now: L) -> Seen<L> {
        let carried = &mut self.carry.masks[self.carried];
        let before = L::one_before(L::load(self.machine, carried), now);
        now.store(carried);
        self.carried += 1;
        Seen { before, now }
    }

    #[inline(always)]
    fn load(&self, of: impl Fn(&Group) -> &Masks) -> L {
        L::load(self.machine, of(self.now))
    }

    #[inline(always)]
    fn ahead(&self, of: impl Fn(&Group) -> &Masks) -> Ahead<L> {
        let now = self.load(&of);
        Ahead { now, next: L::one_behind(now, L::load(self.machine, of(self.next))) }
    }

    /// `starts` and, of the bytes behind each block, those at which something starts.
    #[inline(always)]
    fn all(&mut self, starts: Seen<L>, starts_behind: L, found: &mut Candidates) {
        let digit = self.load(|group| &group.digit);
        let digit = self.seen(digit);
        let digit_behind = self.ahead(|group| &group.digit);
        let colon = self.load(|group| &group.colon);
        let colon = self.seen(colon);
        let dash = self.load(|group| &group.dash);
        let dash = self.seen(dash);
        let upper = self.load(|group| &group.upper);
        let letter = self.load(|group| &group.letter);
        let (letter, upper) = (self.seen(letter), self.seen(upper));
        let sign = self.load(|group| &group.at);
        sign.store(&mut found.sign);
        let starts = Starts { seen: starts, behind: Ahead { now: starts.now, next: starts_behind } };
        let of_numbers = self.numbers(starts.seen, digit, digit_behind, dash.now, upper, found);
        let of_words = self.words(starts.seen, digit, digit_behind, letter, dash, found);
        let of_colons = self.colons(colon, dash, found);
        let of_structure = self.structure(starts, [digit, letter, upper, colon, dash], digit_behind, found);
        (sign | of_numbers | of_words | of_colons | of_structure).store(&mut found.shapes);
    }

    #[inline(always)]
    fn numbers(
        &mut self,
        starts: Seen<L>,
        digit: Seen<L>,
        digit_behind: Ahead<L>,
        dash: L,
        upper: Seen<L>,
        found: &mut Candidates,
    ) -> L {
        let one_back = digit.back::<1>();
        let dot = self.load(|group| &group.dot);
        let inner = self.seen(dot & one_back & digit_behind.ahead::<1>());
        let two = self.seen(inner.now & inner.near());
        let quad = inner.now & two.near();
        quad.store(&mut found.quad);

        let two = self.seen(digit.now & one_back);
        let four = self.seen(two.now & two.back::<2>());
        let space = self.load(|group| &group.space);
        let separator = self.seen(space | dash);
        let group = four.now & separator.back::<4>() & four.back::<5>();
        group.store(&mut found.number_group);
        let twelve = four.now & four.back::<4>() & four.back::<8>();
        let thirteen = self.seen(twelve & digit.back::<12>());
        let long = thirteen.now & (!thirteen.back::<1>() | starts.back::<12>());
        long.store(&mut found.long_number);
        let account = two.now & upper.back::<2>() & upper.back::<3>();
        account.store(&mut found.account);
        quad | group | long | account
    }

    /// What runs of letters and digits tell.
    #[inline(always)]
    fn words(
        &mut self,
        starts: Seen<L>,
        digit: Seen<L>,
        digit_behind: Ahead<L>,
        letter: Seen<L>,
        dash: Seen<L>,
        found: &mut Candidates,
    ) -> L {
        let one = self.load(|group| &group.word);
        let one = self.seen(one);
        let two = self.seen(one.now & one.back::<1>());
        let four = self.seen(two.now & two.back::<2>());
        let eight = self.seen(four.now & four.back::<4>());
        let sixteen = self.seen(eight.now & eight.back::<8>());
        let twenty_four = self.seen(eight.now & sixteen.back::<8>());
        let twenty_six = self.seen(two.now & twenty_four.back::<2>());
        // A haystack that begins inside a run has a 26th of its own.
        (twenty_six.now & (!twenty_six.back::<1>() | starts.back::<25>())).store(&mut found.word_run);

        let dot = self.load(|group| &group.dot);
        let dot = self.seen(dot);
        let bot = dot.now & dot.back::<7>() & sixteen.back::<8>();
        bot.store(&mut found.bot);

        let pair = self.seen(digit.now & digit.back::<1>());
        let three_before = pair.back::<1>() & digit.back::<3>();
        let code = letter.now & three_before & letter.back::<4>() & pair.back::<5>();
        let code = code & letter.back::<7>() & pair.back::<8>();
        code.store(&mut found.code);
        let four_behind = digit_behind.ahead::<1>() & digit_behind.ahead::<2>();
        let four_behind = four_behind & digit_behind.ahead::<3>() & digit_behind.ahead::<4>();
        let line_number = dash.now & three_before & four_behind;
        line_number.store(&mut found.line_number);
        let uuid = dash.now & dash.back::<5>() & dash.back::<10>() & dash.back::<15>();
        uuid.store(&mut found.uuid);
        bot | code | line_number
    }

    #[inline(always)]
    fn colons(&mut self, colon: Seen<L>, dash: Seen<L>, found: &mut Candidates) -> L {
        let follow = |of: Seen<L>| colon.now & (of.near() | of.back::<5>());
        let two = self.seen(follow(colon));
        let three = self.seen(follow(two));
        let four = self.seen(follow(three));
        let groups = colon.now & colon.back::<1>() | follow(four);
        groups.store(&mut found.groups);
        let pairs = self.pairs(colon) | self.pairs(dash);
        pairs.store(&mut found.pairs);
        groups | pairs
    }

    /// Fifth of signs exactly three apart.
    #[inline(always)]
    fn pairs(&mut self, sign: Seen<L>) -> L {
        let two = self.seen(sign.now & sign.back::<3>());
        let four = self.seen(two.now & two.back::<6>());
        sign.now & four.back::<3>()
    }

    #[inline(always)]
    fn structure(
        &mut self,
        starts: Starts<L>,
        [digit, letter, upper, colon, dash]: [Seen<L>; 5],
        digit_behind: Ahead<L>,
        found: &mut Candidates,
    ) -> L {
        // Two digits on both sides are a time's.
        let digits_behind = digit_behind.ahead::<1>() & digit_behind.ahead::<2>();
        let time = digit.back::<1>() & digit.back::<2>() & digits_behind;
        let word = self.load(|group| &group.word);
        let word = self.seen(word);
        let word_before = word.back::<1>();
        let slash = self.ahead(|group| &group.slash);
        let path = word_before & slash.ahead::<1>();
        // Unless the haystack ends there, so that they are another's.
        let ends = starts.behind.ahead::<1>() | starts.behind.ahead::<2>();
        let equals = self.load(|group| &group.equals);
        let less = self.load(|group| &group.less);
        // The second of two signs is not asked: `==`, `::`, `:=`, `<=`.
        let second = self.seen(equals | less | colon.now);
        let separator = equals | colon.now & !(time & !ends) & !path;
        (separator & !second.back::<1>()).store(&mut found.separator);
        let backslash = self.load(|group| &group.backslash);
        let backslash = self.seen(backslash);
        let backslash_behind = self.ahead(|group| &group.backslash);
        let scheme = colon.now & (slash.ahead::<1>() & slash.ahead::<2>() | backslash_behind.ahead::<1>());
        scheme.store(&mut found.scheme);
        let dashes = self.ahead(|group| &group.dash);
        let flag = dash.now & dashes.ahead::<1>() & !((word_before | dash.back::<1>()) & !starts.seen.now);
        flag.store(&mut found.flag);
        let element = less & slash.ahead::<1>();
        element.store(&mut found.element);

        let small = self.seen(letter.now & !upper.now | digit.now);
        let hump = upper.now & small.back::<1>();
        let percent = self.load(|group| &group.percent);
        let percent = self.seen(percent);
        let escape_before = backslash.back::<2>() | backslash.back::<6>() | percent.back::<3>();
        let begins = !word_before | escape_before | starts.seen.now;
        let plus = self.load(|group| &group.plus) & digit_behind.ahead::<1>() & begins;
        plus.store(&mut found.plus);
        let part = (begins | hump) & word.now;
        let word_behind = self.ahead(|group| &group.word);
        let of_three = word_behind.ahead::<1>() & word_behind.ahead::<2>();
        let begins_literal = of_three | self.load(|group| &group.part);
        (part & letter.now & begins_literal | self.load(|group| &group.free)).store(&mut found.anchor);
        let key = word.now | dash.now | self.load(|group| &group.underscore) | self.load(|group| &group.dot);
        key.store(&mut found.key);
        debug_assert!(self.carried <= CARRIED);
        scheme | flag | element | plus
    }
}

/// Where haystacks begin and what lies behind one begins.
#[derive(Clone, Copy)]
struct Starts<L> {
    seen: Seen<L>,
    behind: Ahead<L>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::simd::{BLOCK_BYTES, Classifier, Fingerprint, Kind};
    use proptest::prelude::*;

    fn all(kind: Kind, text: &[u8]) -> Vec<Candidates> {
        let mut fingerprint = Fingerprint::default();
        fingerprint.part.add(*b"tk-", 0);
        let classifier = Classifier::of_kind(kind, fingerprint);
        let count = text.len().div_ceil(BLOCK_BYTES * LANES);
        let mut groups = vec![Group::default(); count + 1];
        classifier.classify(text, 0, &mut groups, count * LANES + 1);
        let mut found = vec![Candidates::default(); count];
        let starts = vec![[0; LANES]; count + 1];
        classifier.work(Step {
            carry: &mut Carry::default(),
            groups: &groups,
            starts: &starts,
            found: &mut found,
        });
        found
    }

    /// Places of the bits that `mask` chooses, the same by all kinds.
    fn places(text: &[u8], mask: impl Fn(&Candidates) -> Masks) -> Vec<usize> {
        let of_kind = |kind| {
            let found = all(kind, text);
            let masks = found.iter().flat_map(&mask).enumerate();
            let bits = |(n, mask): (usize, u64)| {
                (0..64).filter(move |bit| mask >> bit & 1 == 1).map(move |bit| n * 64 + bit)
            };
            masks.flat_map(bits).collect::<Vec<usize>>()
        };
        let mut found: Vec<_> = Kind::available().into_iter().map(of_kind).collect();
        found.dedup();
        assert_eq!(found.len(), 1, "every kind computes the same");
        found.remove(0)
    }

    /// Each shape stands at every place of two blocks, so that it crosses their border in every way.
    #[track_caller]
    fn check(shape: &str, bit: usize, mask: impl Fn(&Candidates) -> Masks) {
        for before in 0..130 {
            let text = format!("{}{shape} ", " ".repeat(before));
            assert_eq!(places(text.as_bytes(), &mask), [before + bit], "{shape} behind {before} spaces");
        }
    }

    #[track_caller]
    fn check_none(text: &str, mask: impl Fn(&Candidates) -> Masks) {
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
        check_none("-.= /", |found| found.anchor);
        check("k::=x", 1, |found| found.separator);
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

/*!
The fast matcher: asks what the [`super::reference`] asks, where it could be answered with yes.

One buffer holds many haystacks (records, or parts of them). The buffer is
classified some blocks at a time ([`super::simd`]), mask arithmetic leaves few
candidates ([`super::candidates`]), and each is handed to the reference's own
methods, in order, with the haystack it stands in. So both matchers find the
same by construction, as long as no necessary condition is wrong; tests and a
fuzz target hold them together.

What it costs: the masks some 40 cycles for 64 bytes, a candidate a
mispredicted branch and its parser.
*/

use std::ops::Range;

use super::anchor::{SERVICE_BYTES_MAX, TOKEN_BYTES};
use super::candidates::{Candidates, Carry, keep};
use super::entity::national::it;
use super::entity::{pem, wallet};
use super::reference::{Search, State};
use super::rule::Parser;
use super::simd::{BLOCK_BYTES, Block};
use super::{Finding, RuleId, Rules, Wanted, overrule, resolve};
use crate::limit;
use crate::span::Span;
use crate::structure::Form;

/// Blocks that are classified in one go: their masks stay in a core's nearest cache.
const BLOCKS: usize = 32;

/// A worker's own buffers.
#[derive(Debug)]
pub struct Scratch {
    /// One more than is swept at a time: the masks of a block look ahead.
    blocks: Box<[Block; BLOCKS + 1]>,
    work: Work,
    /// For what a policy says of fields and values.
    pub(super) overrule: overrule::Scratch,
}

/// What belongs to the haystack that is being swept.
#[derive(Debug, Default)]
struct Work {
    state: State,
    /// Where the authorities of this haystack's URLs begin, as long as no at-sign was seen behind them.
    authorities: Vec<usize>,
    findings: Vec<Finding>,
}

impl Default for Scratch {
    fn default() -> Scratch {
        let blocks = Box::new([Block::default(); BLOCKS + 1]);
        Scratch { blocks, work: Work::default(), overrule: overrule::Scratch::default() }
    }
}

/// Calls `each` with the findings of every haystack that has some, in order: the haystack's place in `haystacks`, and
/// spans within it, sorted and not overlapping.
///
/// `haystacks` are spans of `buffer` in rising order that do not overlap.
pub(super) fn sweep(
    rules: &Rules,
    wanted: &Wanted,
    scratch: &mut Scratch,
    buffer: &[u8],
    haystacks: &[Span],
    each: impl FnMut(usize, &[Finding]),
) {
    let (Some(first), Some(last)) = (haystacks.first(), haystacks.last()) else { return };
    let mut borders = Borders { haystacks, next: 0 };
    let mut carry = Carry::default();
    let Scratch { blocks, work, .. } = scratch;
    let mut sweep = Sweep {
        rules,
        wanted,
        buffer,
        haystacks,
        place: 0,
        asked: true,
        wants_uuids: rules.by_parser[Parser::Uuid as usize]
            .is_some_and(|rule| wanted.strength(rules.rule(rule).entity) > 0),
        groups_end: 0,
        names_end: 0,
        parts: [0; 4],
        parts_base: 0,
        open_key: None,
        work,
        each,
    };
    sweep.begin();
    let mut base = first.start;
    let mut starts = borders.within(base);
    while base < last.end {
        let count = (last.end - base).div_ceil(BLOCK_BYTES).min(BLOCKS);
        rules.literals.classifier().classify(&buffer[..last.end], base, &mut blocks[..=count]);
        for pair in blocks[..=count].windows(2) {
            let next_starts = borders.within(base + BLOCK_BYTES);
            let mut found = carry.step(&pair[0], &pair[1], starts, next_starts);
            sweep.remember(base, found.part);
            sweep.narrow(base, &mut found);
            sweep.ask_all(base, &found);
            starts = next_starts;
            base += BLOCK_BYTES;
        }
    }
    while sweep.place < haystacks.len() {
        sweep.finish();
    }
}

/// Where haystacks begin, and where something else begins behind them.
struct Borders<'a> {
    haystacks: &'a [Span],
    next: usize,
}

impl Borders<'_> {
    /// The borders in the block at `base`. Blocks are asked for in order.
    fn within(&mut self, base: usize) -> u64 {
        let mut mask = 0;
        while let Some(haystack) = self.haystacks.get(self.next) {
            for border in [haystack.start, haystack.end] {
                if let Some(place) = border.checked_sub(base).filter(|&place| place < BLOCK_BYTES) {
                    mask |= 1 << place;
                }
            }
            if haystack.end >= base + BLOCK_BYTES {
                break;
            }
            self.next += 1;
        }
        mask
    }
}

struct Sweep<'a, F> {
    rules: &'a Rules,
    wanted: &'a Wanted,
    buffer: &'a [u8],
    haystacks: &'a [Span],
    /// The haystack that is being swept.
    place: usize,
    /// Whether anything was asked in it.
    asked: bool,
    /// Whether UUIDs are looked for: logs are full of them, and few policies take them out.
    wants_uuids: bool,
    /// End of the last run of hexadecimal digits, colons and dots that was asked about.
    groups_end: usize,
    /// Up to where services' names were looked for.
    names_end: usize,
    /// Where parts of words begin: in the block at `parts_base`, then in those before it.
    parts: [u64; 4],
    parts_base: usize,
    /// The rule of a private key whose armour began in an earlier haystack and is not closed yet.
    open_key: Option<RuleId>,
    work: &'a mut Work,
    each: F,
}

impl<F: FnMut(usize, &[Finding])> Sweep<'_, F> {
    /// Takes out what a look at a few bytes tells: most separators and most places of literals.
    fn narrow(&self, base: usize, found: &mut Candidates) {
        let (everywhere, at_tokens) = (self.rules.literals.everywhere(), self.rules.literals.at_tokens());
        found.separator =
            keep(found.separator, |bit| self.rules.names.may_be_before(self.buffer, base + bit));
        // No country's code begins with 0; each line of an access log has `+0000`.
        found.plus = keep(found.plus, |bit| self.buffer.get(base + bit + 1) != Some(&b'0'));
        if !self.wants_uuids {
            found.uuid = 0;
        }
        found.word_run = keep(found.word_run, |bit| {
            let start = (base + bit + 1).checked_sub(wallet::BYTES_MIN);
            start.is_some_and(|start| wallet::may_begin(&self.buffer[start..]))
        });
        found.token = keep(found.token, |bit| {
            (base + bit).checked_sub(TOKEN_BYTES - 1).is_some_and(|at| at_tokens.may_begin(self.buffer, at))
        });
        found.anchor = everywhere.narrow(&self.buffer[base.min(self.buffer.len())..], found.anchor);
    }

    /// Remembers where parts of words begin in this block and three before it.
    fn remember(&mut self, base: usize, part: u64) {
        self.parts.rotate_right(1);
        self.parts[0] = part;
        self.parts_base = base;
    }

    fn ask_all(&mut self, base: usize, found: &Candidates) {
        let mut all = found.quad
            | found.long_number
            | found.number_group
            | found.account
            | found.sign
            | found.groups
            | found.pairs
            | found.separator
            | found.scheme
            | found.flag
            | found.element
            | found.token
            | found.run
            | found.plus
            | found.line_number
            | found.word_run
            | found.code
            | found.uuid
            | found.bot
            | found.anchor;
        while all != 0 {
            let bit = all & all.wrapping_neg();
            all ^= bit;
            let at = base + bit.trailing_zeros() as usize;
            if let Some(haystack) = self.haystack_at(at) {
                self.ask(haystack, at - haystack.start, bit, found);
            }
        }
    }

    /// The haystack that `at` stands in; those before it are finished.
    fn haystack_at(&mut self, at: usize) -> Option<Span> {
        loop {
            let haystack = *self.haystacks.get(self.place)?;
            if at < haystack.end {
                return (at >= haystack.start).then_some(haystack);
            }
            self.finish();
        }
    }

    /// Gets ready for the haystack at `place`.
    fn begin(&mut self) {
        if self.asked {
            self.work.state.reset();
            self.work.authorities.clear();
            self.work.findings.clear();
            (self.groups_end, self.names_end) = (0, 0);
            self.asked = false;
        }
        self.ask_alone();
        if let (Some(rule), Some(haystack)) = (self.open_key, self.haystacks.get(self.place)) {
            self.go_on_with_key(rule, *haystack);
        }
    }

    /// Asks whether the haystack at `place` is one value and nothing else.
    fn ask_alone(&mut self) {
        let Some(haystack) = self.haystacks.get(self.place) else { return };
        if haystack.len() <= limit::ALONE_BYTES_MAX {
            let (haystack, findings) = (&self.buffer[haystack.range()], &mut self.work.findings);
            Search { rules: self.rules, wanted: self.wanted, haystack, findings, misses: None }.alone();
            self.asked |= !self.work.findings.is_empty();
        }
    }

    /// Hands the findings of the haystack at `place` over and goes on to the next one.
    fn finish(&mut self) {
        let findings = &mut self.work.findings;
        if !findings.is_empty() {
            resolve::resolve(self.wanted, findings, 0, |_| ());
            if let Some(last) = findings.last() {
                let haystack = &self.buffer[self.haystacks[self.place].range()];
                if self.rules.by_parser[Parser::PrivateKey as usize] == Some(last.rule) {
                    self.open_key = pem::is_open(haystack, last.span).then_some(last.rule);
                }
            }
            (self.each)(self.place, findings);
        }
        self.place += 1;
        self.begin();
    }

    /// Takes a line of a key's armour whose lines are haystacks of their own.
    fn go_on_with_key(&mut self, rule: RuleId, haystack: Span) {
        let line = &self.buffer[haystack.range()];
        match pem::go_on(line) {
            pem::Next::Body(span) if !span.is_empty() => {
                let entity = self.rules.rule(rule).entity;
                self.work.findings.push(Finding { span, entity, rule, form: Form::PLAIN });
                self.asked = true;
            }
            pem::Next::Body(_) => {}
            pem::Next::None => self.open_key = None,
        }
    }

    fn ask(&mut self, haystack: Span, at: usize, bit: u64, found: &Candidates) {
        self.asked = true;
        let Work { state, authorities, findings } = &mut *self.work;
        let start = haystack.start;
        let haystack = &self.buffer[haystack.range()];
        let mut search = Search { rules: self.rules, wanted: self.wanted, haystack, findings, misses: None };
        if found.separator & bit != 0 {
            search.at_separator(at, state);
        }
        if found.quad & bit != 0
            && let Some(run) = first_of_quad(haystack, at)
        {
            search.at_quad(run);
        }
        if found.anchor & bit != 0 {
            let literals = &self.rules.literals;
            let literals = literals.at(literals.everywhere(), haystack, at);
            literals.for_each(|literal| search.at_literal(literal, at, state));
        }
        if (found.run | found.token) & bit != 0
            && let Some(token) = at.checked_sub(TOKEN_BYTES - 1)
        {
            if found.run & bit != 0 {
                let from = token.saturating_sub(SERVICE_BYTES_MAX).max(self.names_end);
                let before = start + from..start + token;
                at_services(&mut search, self.buffer, &self.parts, self.parts_base, before, start, state);
                self.names_end = token;
            }
            if found.token & bit != 0 {
                at_token(&mut search, token, state);
            }
        }
        if found.sign & bit != 0 {
            search.at_sign(at);
            authorities.drain(..).for_each(|authority| search.at_scheme(authority, state));
        }
        if found.scheme & bit != 0 {
            authorities.extend(authority_behind(haystack, at));
        }
        ask_numbers(&mut search, at, bit, found, state);
        if found.groups & bit != 0 && at >= self.groups_end {
            self.groups_end = at_groups(&mut search, at);
        }
        if found.pairs & bit != 0
            && let Some(first) = at.checked_sub(12)
        {
            search.at_pairs(first);
        }
        ask_words(&mut search, at, bit, found);
        if found.flag & bit != 0 {
            search.at_flag(at);
        }
        if found.element & bit != 0 {
            search.at_element(at);
        }
    }
}

/// Asks about what runs of digits tell.
fn ask_numbers(search: &mut Search, at: usize, bit: u64, found: &Candidates, state: &mut State) {
    let haystack = search.haystack;
    if found.long_number & bit != 0 {
        search.at_number(digits_around(haystack, at), state);
    }
    if found.number_group & bit != 0
        && let Some(group) = at.checked_sub(5)
    {
        search.at_number(digits_around(haystack, group), state);
    }
    if found.account & bit != 0 {
        search.at_account(digits_around(haystack, at));
    }
}

/// Asks about what runs of letters and digits tell: the rest of [`Sweep::ask`].
fn ask_words(search: &mut Search, at: usize, bit: u64, found: &Candidates) {
    if found.plus & bit != 0 {
        search.at_plus(at);
    }
    if found.line_number & bit != 0 {
        search.at_line_number(at);
    }
    if found.word_run & bit != 0
        && let Some(start) = at.checked_sub(wallet::BYTES_MIN - 1)
    {
        search.at_word_run(start);
    }
    if found.code & bit != 0
        && let Some(start) = at.checked_sub(it::DIGITS_OFFSET + 3)
    {
        search.at_code(start);
    }
    if found.uuid & bit != 0
        && let Some(first) = at.checked_sub(15)
    {
        search.at_uuid(first);
    }
    if found.bot & bit != 0 {
        search.at_bot(at);
    }
}

/// Asks whom the literals call that begin at a token or before one, at the part of a word that begins at `at`.
fn at_token(search: &mut Search, at: usize, state: &mut State) {
    let literals = &search.rules.literals;
    if literals.at_tokens().may_begin(search.haystack, at) {
        let all = literals.at(literals.at_tokens(), search.haystack, at);
        all.for_each(|literal| search.at_literal(literal, at, state));
    }
}

/// Asks whom the literals call that begin at the parts of words within `range` of the buffer. `parts` are the masks of the
/// block at `base` and of those before it; the haystack begins at `start`.
fn at_services(
    search: &mut Search,
    buffer: &[u8],
    parts: &[u64; 4],
    base: usize,
    range: Range<usize>,
    start: usize,
    state: &mut State,
) {
    let table = search.rules.literals.at_tokens();
    for (n, &mask) in parts.iter().enumerate().rev() {
        let Some(base) = base.checked_sub(n * BLOCK_BYTES) else { continue };
        let mask = mask & bits(range.start, base, range.end);
        if mask != 0 {
            let mut places = table.narrow(&buffer[base..], mask);
            while places != 0 {
                at_token(search, base + places.trailing_zeros() as usize - start, state);
                places &= places - 1;
            }
        }
    }
}

/// The bits of the block at `base` that stand for `from..to`.
fn bits(from: usize, base: usize, to: usize) -> u64 {
    let below = |place: usize| match place.saturating_sub(base) {
        bits @ 0..BLOCK_BYTES => (1 << bits) - 1,
        _ => u64::MAX,
    };
    below(to) & !below(from)
}

/// The run of digits around `at`; an empty one if there is none.
fn digits_around(haystack: &[u8], at: usize) -> Span {
    let before = haystack[..at].iter().rev().take_while(|b| b.is_ascii_digit()).count();
    let behind = haystack[at..].iter().take_while(|b| b.is_ascii_digit()).count();
    Span::new(at - before, at + behind)
}

/// Digits before a quad's first dot at most: three, and those of an escape before them.
const QUAD_DIGITS_MAX: usize = 8;

/// The digits before the first dot of the quad whose third dot stands at `third`.
fn first_of_quad(haystack: &[u8], third: usize) -> Option<Span> {
    let mut dot = third;
    for _ in 0..2 {
        let digits = haystack[..dot].iter().rev().take(4).take_while(|b| b.is_ascii_digit()).count();
        dot = dot.checked_sub(digits + 1).filter(|&dot| haystack[dot] == b'.')?;
    }
    let digits =
        haystack[..dot].iter().rev().take(QUAD_DIGITS_MAX).take_while(|b| b.is_ascii_digit()).count();
    (digits < QUAD_DIGITS_MAX).then(|| Span::new(dot - digits, dot))
}

/// Where the authority begins behind the colon of `://` or `:\/\/` at `colon`.
fn authority_behind(haystack: &[u8], colon: usize) -> Option<usize> {
    let schemes: [&[u8]; 2] = [b"://", br":\/\/"];
    let scheme = schemes.into_iter().find(|scheme| haystack[colon..].starts_with(scheme))?;
    Some(colon + scheme.len())
}

/// Asks for an IPv6 address at every colon of the run of hexadecimal digits, colons and dots around `at`, if one
/// may stand in it; returns the run's end.
fn at_groups(search: &mut Search, at: usize) -> usize {
    let haystack = search.haystack;
    let is_part = |b: &&u8| b.is_ascii_hexdigit() || matches!(b, b':' | b'.');
    let start = at - haystack[..at].iter().rev().take_while(is_part).count();
    let end = at + haystack[at..].iter().take_while(is_part).count();
    let run = &haystack[start..end];
    // What is shorter than eight groups has a digit: `a::b` is a program's.
    let colons = run.iter().filter(|&&b| b == b':').count();
    if colons >= 6 || run.iter().any(u8::is_ascii_digit) {
        for colon in memchr::memchr_iter(b':', run) {
            search.at_groups(start + colon);
        }
    }
    end
}

#[cfg(test)]
mod tests;

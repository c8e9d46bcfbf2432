/*!
The fast matcher: asks what the [`super::reference`] asks, where it could be answered with yes.

One buffer holds many haystacks (records, or parts of them). The buffer is
classified some blocks at a time ([`super::simd`]), mask arithmetic leaves
candidates ([`super::candidates`]), a look at a few bytes leaves few of them
([`super::narrow`]), and each is handed to the reference's own methods, in
order, with the haystack it stands in. So both matchers find the
same by construction, as long as no necessary condition is wrong; tests and a
fuzz target hold them together.

What it costs is told in `docs/performance.md`.
*/

use super::candidates::Candidates;
use super::entity::national::it;
use super::entity::{pem, wallet};
use super::known::Known;
use super::narrow::{BLOCKS, Place, Stride};
use super::reference::{Search, State};
use super::rule::Parser;
use super::simd::BLOCK_BYTES;
use super::{Finding, RuleId, Rules, Wanted, overrule, resolve};
use crate::limit;
use crate::span::Span;
use crate::structure::Form;

/// A worker's own buffers.
#[derive(Debug, Default)]
pub struct Scratch {
    stride: Box<Stride>,
    known: Known,
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
    let Scratch { stride, known, work, .. } = scratch;
    known.of(rules.number);
    stride.begin();
    let wants_uuids = rules.by_parser[Parser::Uuid as usize]
        .is_some_and(|rule| wanted.strength(rules.rule(rule).entity) > 0);
    let mut sweep = Sweep {
        rules,
        wanted,
        buffer,
        haystacks,
        place: 0,
        asked: true,
        groups_end: 0,
        open_key: None,
        work,
        each,
    };
    sweep.begin();
    let mut base = first.start;
    let text = &buffer[..last.end];
    while base < last.end {
        let count = (last.end - base).div_ceil(BLOCK_BYTES).min(BLOCKS);
        stride.find(rules, text, base, count, |masks| borders.within(base, masks));
        stride.narrow(rules, known, wants_uuids, buffer, count);
        for block in 0..count {
            sweep.ask_all(stride, block);
        }
        base += BLOCKS * BLOCK_BYTES;
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
    /// Sets a bit of `masks`, one mask a block from the one at `base` on, for each border. Strides are asked for in order.
    fn within(&mut self, base: usize, masks: &mut [u64]) {
        masks.fill(0);
        let end = base + masks.len() * BLOCK_BYTES;
        while let Some(haystack) = self.haystacks.get(self.next) {
            for border in [haystack.start, haystack.end] {
                if (base..end).contains(&border) {
                    masks[(border - base) / BLOCK_BYTES] |= 1 << ((border - base) % BLOCK_BYTES);
                }
            }
            // The last block is asked for once more, as the first of the next stride.
            if haystack.end >= end - BLOCK_BYTES {
                break;
            }
            self.next += 1;
        }
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
    /// End of the last run of hexadecimal digits, colons and dots that was asked about.
    groups_end: usize,
    /// The rule of a private key whose armour began in an earlier haystack and is not closed yet.
    open_key: Option<RuleId>,
    work: &'a mut Work,
    each: F,
}

impl<F: FnMut(usize, &[Finding])> Sweep<'_, F> {
    fn ask_all(&mut self, stride: &Stride, block: usize) {
        let base = stride.base + block * BLOCK_BYTES;
        let mut all = stride.all[block];
        while all != 0 {
            let bit = all & all.wrapping_neg();
            all ^= bit;
            let at = base + bit.trailing_zeros() as usize;
            if let Some(haystack) = self.haystack_at(at) {
                self.ask(haystack, at - haystack.start, stride.place(block, bit));
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
            self.groups_end = 0;
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

    fn ask(&mut self, haystack: Span, at: usize, place: Place<'_>) {
        self.asked = true;
        let Work { state, authorities, findings } = &mut *self.work;
        let haystack = &self.buffer[haystack.range()];
        let mut search = Search { rules: self.rules, wanted: self.wanted, haystack, findings, misses: None };
        if place.is(|found| &found.separator) {
            search.at_separator(at, state);
        }
        if place.is(|found| &found.anchor) {
            self.rules.literals.each_at(haystack, at, |literal| search.at_literal(literal, at, state));
        }
        if place.is(|found| &found.word_run)
            && let Some(start) = at.checked_sub(wallet::BYTES_MIN - 1)
        {
            search.at_word_run(start);
        }
        if place.is(|found| &found.uuid)
            && let Some(first) = at.checked_sub(15)
        {
            search.at_uuid(first);
        }
        if !place.is(|found| &found.shapes) {
            return;
        }
        if place.is(|found| &found.quad)
            && let Some(run) = first_of_quad(haystack, at)
        {
            search.at_quad(run);
        }
        if place.is(|found| &found.sign) {
            search.at_sign(at);
            authorities.drain(..).for_each(|authority| search.at_scheme(authority, state));
        }
        if place.is(|found| &found.scheme) {
            authorities.extend(authority_behind(haystack, at));
        }
        ask_numbers(&mut search, at, place, state);
        if place.is(|found| &found.groups) && at >= self.groups_end {
            self.groups_end = at_groups(&mut search, at);
        }
        ask_rest(&mut search, at, place);
    }
}

/// Asks about what runs of digits tell.
fn ask_numbers(search: &mut Search, at: usize, place: Place<'_>, state: &mut State) {
    let haystack = search.haystack;
    if place.is(|found| &found.long_number) {
        search.at_number(digits_around(haystack, at), state);
    }
    if place.is(|found| &found.number_group)
        && let Some(group) = at.checked_sub(5)
    {
        search.at_number(digits_around(haystack, group), state);
    }
    if place.is(|found| &found.account) {
        search.at_account(digits_around(haystack, at));
    }
}

/// Asks about what is rare in logs: the rest of [`Sweep::ask`].
fn ask_rest(search: &mut Search, at: usize, place: Place<'_>) {
    let is = |of: fn(&Candidates) -> &super::simd::Masks| place.is(of);
    if is(|found| &found.pairs)
        && let Some(first) = at.checked_sub(12)
    {
        search.at_pairs(first);
    }
    if is(|found| &found.plus) {
        search.at_plus(at);
    }
    if is(|found| &found.line_number) {
        search.at_line_number(at);
    }
    if is(|found| &found.code)
        && let Some(start) = at.checked_sub(it::DIGITS_OFFSET + 3)
    {
        search.at_code(start);
    }
    if is(|found| &found.bot) {
        search.at_bot(at);
    }
    if is(|found| &found.flag) {
        search.at_flag(at);
    }
    if is(|found| &found.element) {
        search.at_element(at);
    }
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
        dot = dot.checked_sub(digits_before(haystack, dot) + 1).filter(|&dot| haystack[dot] == b'.')?;
    }
    let mut digits = digits_before(haystack, dot);
    if digits == 4 {
        let before = haystack[..dot].iter().rev();
        digits = before.take(QUAD_DIGITS_MAX).take_while(|b| b.is_ascii_digit()).count();
    }
    (digits < QUAD_DIGITS_MAX).then(|| Span::new(dot - digits, dot))
}

/// How many digits stand before `end`, up to four, told without branches.
fn digits_before(haystack: &[u8], end: usize) -> usize {
    let bytes = haystack[..end].last_chunk::<4>().copied().unwrap_or_else(|| {
        let mut bytes = [0; 4];
        bytes[4 - end..].copy_from_slice(&haystack[..end]);
        bytes
    });
    let [a, b, c, d] = bytes.map(|byte| byte.is_ascii_digit());
    usize::from(d) + usize::from(d & c) + usize::from(d & c & b) + usize::from(d & c & b & a)
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
        let mut found_to = 0;
        for colon in memchr::memchr_iter(b':', run).map(|colon| start + colon) {
            // An address is the same from each of its colons.
            if colon < found_to {
                continue;
            }
            let known = search.findings.len();
            search.at_groups(colon);
            let address = search.findings.get(known).filter(|address| address.span.start <= colon);
            found_to = address.map_or(0, |address| address.span.end);
        }
    }
    end
}

#[cfg(test)]
mod tests;

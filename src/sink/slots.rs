/*!
How many requests a store gets at the same time.

The objective is records a second. One request more, or one less, is tried for a
round of answers; more are kept if they bring half of what they would bring at
a store with room, fewer are kept if they cost less than half of their share. A
store that is busy, breaks or keeps silent gets half as many at once, and again
half for what was sent since. A round counts only if all slots were taken nearly
all the time: from a store that is asked little nothing is learned.
*/

use std::time::Duration;

use tokio::time::Instant;

/// Slots for requests: between one and as many as the operator allows.
#[derive(Debug)]
pub(super) struct Slots {
    max: usize,
    kept: usize,
    /// What is tried in place of `kept`.
    tried: Option<usize>,
    /// Records a second with `kept`; nothing after a failure, or before the first round.
    usual: Option<f64>,
    next: Way,
    /// Rounds before something else is tried.
    rest: usize,
    round: Round,
    /// Failures of what was sent before are one and the same.
    lowered: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    More,
    Fewer,
}

/// Some answers, and how busy we were meanwhile.
#[derive(Debug, Default)]
struct Round {
    began: Option<Instant>,
    answers: usize,
    records: usize,
    /// How long all slots were taken.
    full: Duration,
    /// Since when they are.
    since: Option<Instant>,
}

impl Round {
    /// What goes on when one is over.
    fn after(&self, now: Instant) -> Round {
        Round { began: Some(now), since: self.since.map(|_| now), ..Round::default() }
    }
}

/// Share of a round in which all slots have to be taken.
const FULL: f64 = 0.8;

/// Rounds after a try that failed.
const REST: usize = 8;

impl Slots {
    /// One slot for now, of at most `max`.
    pub(super) fn new(max: usize) -> Slots {
        let (max, round) = (max.max(1), Round::default());
        Slots { max, kept: 1, tried: None, usual: None, next: Way::More, rest: 1, round, lowered: None }
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.tried.unwrap_or(self.kept)
    }

    /// So many are taken from now on.
    pub(super) fn taken(&mut self, flying: usize, now: Instant) {
        let full = flying >= self.count();
        self.round.began.get_or_insert(now);
        if let Some(since) = self.round.since.take() {
            self.round.full += now.saturating_duration_since(since);
        }
        self.round.since = full.then_some(now);
    }

    /// An answer about so many records came.
    pub(super) fn answered(&mut self, records: usize, now: Instant) {
        self.round.answers += 1;
        self.round.records += records;
        if self.round.answers < 4.max(2 * self.count()) {
            return;
        }
        let ago = |at: Instant| now.saturating_duration_since(at).as_secs_f64();
        let time = self.round.began.map_or(0.0, ago).max(1e-6);
        let full = self.round.full.as_secs_f64() + self.round.since.map_or(0.0, ago);
        let rate = self.round.records as f64 / time;
        self.round = self.round.after(now);
        if full >= FULL * time {
            self.judge(rate);
        }
    }

    fn judge(&mut self, rate: f64) {
        let (Some(tried), Some(usual)) = (self.tried.take(), self.usual) else {
            self.usual = Some(self.usual.map_or(rate, |usual| (usual + rate) / 2.0));
            self.rest -= 1;
            if self.rest == 0 {
                self.rest = 1;
                self.try_next();
            }
            return;
        };
        let share = 0.5 / self.kept as f64;
        let worth = if tried > self.kept { 1.0 + share } else { 1.0 - share };
        if rate >= usual * worth {
            (self.kept, self.usual, self.rest) = (tried, Some(rate), 1);
            return;
        }
        self.rest = REST;
        self.next = if self.next == Way::More { Way::Fewer } else { Way::More };
    }

    fn try_next(&mut self) {
        let tried = match self.next {
            Way::More if self.kept < self.max => self.kept + 1,
            Way::Fewer if self.kept > 1 => self.kept - 1,
            Way::More => {
                self.next = Way::Fewer;
                self.rest = REST;
                return;
            }
            Way::Fewer => {
                self.next = Way::More;
                self.rest = REST;
                return;
            }
        };
        self.tried = Some(tried);
    }

    /// A request that began then was too much for the store, or found none.
    pub(super) fn failed(&mut self, began: Instant, now: Instant) {
        if self.lowered.is_some_and(|lowered| began < lowered) {
            return;
        }
        self.lowered = Some(now);
        self.kept = (self.count() / 2).max(1);
        (self.tried, self.usual, self.rest, self.next) = (None, None, REST, Way::More);
        self.round = self.round.after(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A store with so many hands, each of which takes 10 ms for a request of 100 records; `draw` makes that vary by a
    /// tenth. Asked as fast as the slots allow for so many answers; how many slots there are then, on average over
    /// the second half.
    fn settles(max: usize, hands: usize, answers: usize, mut draw: impl FnMut() -> f64) -> f64 {
        let start = Instant::now();
        let (mut slots, mut now) = (Slots::new(max), start);
        let mut free = vec![start; hands];
        let mut flying: Vec<Instant> = Vec::new();
        let mut sum = 0;
        for answer in 0..answers {
            while flying.len() < slots.count() {
                let hand = free.iter_mut().min().unwrap();
                let took = Duration::from_secs_f64(0.010 * (0.9 + 0.2 * draw()));
                *hand = now.max(*hand) + took;
                flying.push(*hand);
                slots.taken(flying.len(), now);
            }
            flying.sort_unstable_by(|one, other| other.cmp(one));
            now = flying.pop().unwrap();
            slots.answered(100, now);
            slots.taken(flying.len(), now);
            sum += if answer >= answers / 2 { slots.count() } else { 0 };
        }
        sum as f64 / (answers - answers / 2) as f64
    }

    #[test]
    fn a_store_gets_what_it_has_hands_for() {
        for (max, hands, least, most) in
            [(64, 1, 1.0, 2.0), (64, 4, 3.0, 6.0), (64, 16, 10.0, 24.0), (4, 16, 3.5, 4.0), (1, 16, 1.0, 1.0)]
        {
            let mut seed = 7_u64;
            let slots = settles(max, hands, 20_000, || {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (seed >> 11) as f64 / (1_u64 << 53) as f64
            });
            assert!((least..=most).contains(&slots), "{max} {hands}: {slots}");
        }
    }

    proptest! {
        /// Law: 1 <= count <= max, whatever happens.
        #[test]
        fn there_is_a_slot_and_never_too_many(
            max in 1..20_usize,
            steps in prop::collection::vec((0..3u8, 0..40u64, 0..20usize), 0..400),
        ) {
            let mut now = Instant::now();
            let mut slots = Slots::new(max);
            for (step, millis, number) in steps {
                let before = now;
                now += Duration::from_millis(millis);
                match step {
                    0 => slots.taken(number, now),
                    1 => slots.answered(number, now),
                    _ => slots.failed(before, now),
                }
                prop_assert!((1..=max).contains(&slots.count()));
            }
        }
    }

    #[test]
    fn what_was_under_way_when_a_store_failed_lowers_once() {
        let start = Instant::now();
        let later = |millis| start + Duration::from_millis(millis);
        let mut slots = Slots { kept: 16, ..Slots::new(16) };
        for answer in 0..16 {
            slots.failed(start, later(100 + answer));
        }
        assert_eq!(slots.count(), 8);
        slots.failed(later(200), later(300));
        assert_eq!(slots.count(), 4);
    }
}

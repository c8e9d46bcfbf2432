use super::*;
use proptest::prelude::*;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

fn at(text: &str) -> Timestamp {
    text.parse().expect("a moment in a test")
}

fn mark(high: Timestamp) -> Mark {
    Mark { high, ahead: Duration::ZERO }
}

/// Both clocks of a test, and the belief fed with them.
struct Bench {
    wall: Timestamp,
    monotonic: Duration,
    belief: Belief,
}

impl Bench {
    fn start(high_water: Option<Timestamp>, wall: Timestamp) -> Bench {
        let monotonic = 5 * MINUTE;
        Bench { wall, monotonic, belief: Belief::new(high_water.map(mark), wall, monotonic) }
    }

    /// Lets time pass, a minute a tick.
    fn run(&mut self, by: Duration) -> Moments {
        for _ in 0..by.as_secs() / 60 {
            self.wall = add(self.wall, MINUTE);
            self.monotonic += MINUTE;
            self.belief.tick(self.wall, self.monotonic);
        }
        self.belief.tick(self.wall, self.monotonic)
    }

    fn step(&mut self, to: Timestamp) -> Moments {
        self.wall = to;
        self.belief.tick(self.wall, self.monotonic)
    }
}

#[test]
fn a_fresh_start_destroys_nothing_for_an_hour() {
    let mut bench = Bench::start(None, at("2026-11-22T10:00:00Z"));
    assert_eq!(bench.run(HOUR - MINUTE).destroyable, None);
    assert_eq!(bench.run(MINUTE).destroyable, Some(at("2026-11-22T11:00:00Z")));
}

#[test]
fn after_a_long_stop_the_wall_clock_hides_at_once_and_destroys_in_an_hour() {
    let high = at("2026-11-22T10:00:00Z");
    let mut bench = Bench::start(Some(high), add(high, 30 * DAY));
    let first = bench.run(Duration::ZERO);
    assert_eq!((first.unreadable, first.now), (add(high, 30 * DAY), add(high, 30 * DAY)));
    assert_eq!(first.destroyable, Some(high));
    assert_eq!(bench.run(HOUR).destroyable, Some(add(high, 30 * DAY + HOUR)));
}

#[test]
fn a_step_of_more_than_a_day_waits_for_an_operator() {
    let start = at("2026-11-22T10:00:00Z");
    let mut bench = Bench::start(None, start);
    bench.run(2 * HOUR);
    let stepped = bench.step(add(start, 400 * DAY));
    assert!(stepped.in_doubt);
    assert_eq!(stepped.unreadable, add(start, 400 * DAY));
    let later = bench.run(10 * HOUR);
    assert_eq!(later.destroyable, Some(add(start, 12 * HOUR)), "monotonic time goes on");
    assert_eq!(later.now, add(start, 12 * HOUR), "records are not stamped with what is not believed");
    let confirmed = bench.belief.confirm(bench.wall, bench.monotonic);
    assert_eq!(confirmed.destroyable, Some(bench.wall));
    assert!(!bench.run(MINUTE).in_doubt);
}

#[test]
fn a_small_step_is_believed_after_an_hour_in_step() {
    let start = at("2026-11-22T10:00:00Z");
    let mut bench = Bench::start(None, start);
    bench.run(2 * HOUR);
    bench.step(add(start, 5 * HOUR));
    assert_eq!(bench.run(HOUR - MINUTE).destroyable, Some(add(start, 3 * HOUR - MINUTE)));
    assert_eq!(bench.run(MINUTE).destroyable, Some(add(start, 6 * HOUR)));
}

#[test]
fn a_clock_that_goes_back_changes_no_deadline() {
    let start = at("2026-11-22T10:00:00Z");
    let mut bench = Bench::start(None, start);
    bench.run(2 * HOUR);
    let stepped = bench.step(subtract(start, 400 * DAY));
    let before = add(start, 2 * HOUR);
    assert_eq!((stepped.now, stepped.unreadable, stepped.destroyable), (before, before, Some(before)));
    assert_eq!(bench.run(5 * HOUR).destroyable, Some(add(before, 5 * HOUR)));
}

#[test]
fn a_wrong_clock_at_boot_is_forgotten_when_it_is_put_right_in_time() {
    let truth = at("2026-11-22T10:00:00Z");
    let mut bench = Bench::start(Some(truth), add(truth, 400 * DAY));
    bench.run(HOUR / 2);
    bench.step(add(truth, HOUR / 2));
    let later = bench.run(2 * HOUR);
    assert_eq!(later.destroyable, Some(add(truth, 2 * HOUR + HOUR / 2)));
    assert_eq!(later.now, add(truth, 2 * HOUR + HOUR / 2));
}

#[test]
fn a_frozen_wall_clock_does_not_stop_time() {
    let start = at("2026-11-22T10:00:00Z");
    let mut bench = Bench::start(Some(start), start);
    for _ in 0..600 {
        bench.monotonic += MINUTE;
        bench.belief.tick(start, bench.monotonic);
    }
    let moments = bench.belief.tick(start, bench.monotonic);
    assert_eq!(moments.destroyable, Some(add(start, 10 * HOUR)));
    assert_eq!(moments.unreadable, add(start, 10 * HOUR));
}

/// One move of the clocks: time that passes, and what the wall clock is stepped by afterwards, in seconds.
fn moves() -> impl Strategy<Value = Vec<(u64, i64)>> {
    let step = prop_oneof![6 => Just(0i64), 2 => -90_000..90_000i64, 1 => -40_000_000..40_000_000i64];
    prop::collection::vec((0..5_000u64, step), 1..120)
}

proptest! {
    /// For all sequences: `unreadable` never falls, is never behind the wall clock, the mark or `destroyable`,
    /// and advances at least with monotonic time; so do `destroyable` and `now`, once there.
    #[test]
    fn nothing_becomes_readable_again(high in prop::option::of(0..40_000_000i64), moves in moves()) {
        let origin = at("2026-11-22T10:00:00Z");
        let high = high.map(|by| subtract(origin, Duration::from_secs(by as u64)));
        let (mut wall, mut monotonic) = (origin, Duration::ZERO);
        let mut belief = Belief::new(high.map(mark), wall, monotonic);
        let mut last = belief.tick(wall, monotonic);
        for (passed, step) in moves {
            let passed = Duration::from_secs(passed);
            wall = add(wall, passed);
            wall = if step < 0 {
                subtract(wall, Duration::from_secs(step.unsigned_abs()))
            } else {
                add(wall, Duration::from_secs(step as u64))
            };
            monotonic += passed;
            let moments = belief.tick(wall, monotonic);
            prop_assert!(moments.unreadable >= add(last.unreadable, passed));
            prop_assert!(moments.unreadable >= wall);
            prop_assert!(Some(moments.unreadable) >= moments.destroyable);
            if let Some(before) = last.destroyable {
                prop_assert!(moments.destroyable >= Some(add(before, passed)));
            }
            prop_assert!(Some(moments.now) >= moments.destroyable);
            last = moments;
        }
    }

    /// For all sequences without an hour in step: `destroyable = mark + monotonic time`, to the nanosecond.
    #[test]
    fn only_an_hour_in_step_moves_what_may_be_destroyed(
        moves in prop::collection::vec((0..3_599u64, 121..40_000_000i64, any::<bool>()), 1..60),
    ) {
        let mark = at("2026-11-22T10:00:00Z");
        let (mut wall, mut monotonic) = (mark, Duration::ZERO);
        let mut belief = Belief::new(Some(Mark { high: mark, ahead: Duration::ZERO }), wall, monotonic);
        for (passed, step, back) in moves {
            let passed = Duration::from_secs(passed);
            let by = Duration::from_secs(step as u64);
            wall = if back { subtract(add(wall, passed), by) } else { add(add(wall, passed), by) };
            monotonic += passed;
            let moments = belief.tick(wall, monotonic);
            prop_assert_eq!(moments.destroyable, Some(add(mark, monotonic)));
        }
    }

    /// For all sequences: a forward step of more than a day is never in `destroyable`, which exceeds
    /// its mark and monotonic time by small steps alone.
    #[test]
    fn big_steps_are_never_believed_unconfirmed(moves in prop::collection::vec((0..9_000u64, 90_000..40_000_000i64), 1..60)) {
        let mark = at("2026-11-22T10:00:00Z");
        let mut belief = Belief::new(Some(Mark { high: mark, ahead: Duration::ZERO }), mark, Duration::ZERO);
        let mut monotonic = Duration::ZERO;
        let mut wall = mark;
        for (passed, step) in moves {
            monotonic += Duration::from_secs(passed);
            wall = add(wall, Duration::from_secs(passed) + Duration::from_secs(step as u64));
            for minutes in 0..90 {
                let more = MINUTE * minutes;
                let moments = belief.tick(add(wall, more), monotonic + more);
                prop_assert!(moments.in_doubt);
                prop_assert_eq!(moments.destroyable, Some(add(mark, monotonic + more)));
            }
            monotonic += 90 * MINUTE;
            wall = add(wall, 90 * MINUTE);
        }
    }

    /// For all runs of a process with time between them, in which the wall clock is anywhere up to 20 hours ahead of
    /// the truth, and at rest for an hour before the end and at the start of each run: what was stamped is destroyable,
    /// after an age, once it has that age in real time. A difference that is no step may be lost
    /// once a run.
    #[test]
    fn nothing_lives_longer_than_its_limit(
        runs in prop::collection::vec(
            (prop::collection::vec((0..9_000u64, 0..72_000u64), 0..12), 0..200_000u64),
            1..8,
        ),
    ) {
        let truth = at("2026-11-22T10:00:00Z");
        let (mut real, mut offset) = (Duration::ZERO, Duration::ZERO);
        // The latest stamp, in real time from its making, and what was left to the next run.
        let (mut ahead, mut left) = (Duration::ZERO, None);
        for (number, (moves, downtime)) in runs.iter().enumerate() {
            let started = real;
            let wall = add(truth, real + offset);
            let mut belief = Belief::new(left, wall, Duration::ZERO);
            let rest = [(HOUR.as_secs(), None)];
            let moves = moves.iter().map(|&(passed, offset)| (passed, Some(offset)));
            for (passed, step) in rest.into_iter().chain(moves).chain(rest) {
                for _ in 0..=passed / 60 {
                    let moments = belief.tick(add(truth, real + offset), real - started);
                    ahead = ahead.max(moments.now.duration_since(add(truth, real)).unsigned_abs());
                    real += MINUTE;
                }
                offset = step.map_or(offset, Duration::from_secs);
            }
            let moments = belief.tick(add(truth, real + offset), real - started);
            let high = moments.destroyable.expect("an hour in step");
            let late = STEP_TOLERANCE * (number + 1) as u32;
            prop_assert!(add(high, late) >= add(truth, real + ahead), "run {number}: {high}, {ahead:?} ahead");
            left = Some(Mark { high, ahead: moments.ahead });
            real += Duration::from_secs(*downtime);
        }
    }
}

/*!
Where time comes from.

Nothing in the program asks the operating system for the time but
[`SystemClock`], which the program's outermost layer makes, and
[`ThreadClock`], by which it measures itself; everything else is
handed a [`Clock`] or a moment. Tests hand in a [`ManualClock`].
*/

use std::io::Write as _;
use std::sync::Mutex;
use std::time::Duration;

pub use jiff::Timestamp;

/// How much of a second is written of a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decimals {
    /// None: the second in which it lies.
    None,
    /// Six digits.
    Micros,
    /// As many as it has, and no dot where it has none.
    Shortest,
}

/// Appends a moment in RFC 3339, in UTC: the text that its `Display` gives, for records' way out, which writes some
/// of them a record.
pub fn push_time(time: Timestamp, decimals: Decimals, out: &mut Vec<u8>) {
    let (second, nanos) = (time.as_second(), time.subsec_nanosecond());
    let (Ok(second), Ok(mut nanos)) = (u64::try_from(second), u32::try_from(nanos)) else {
        // Before 1970. Writing into memory does not fail.
        let _ = match decimals {
            Decimals::None => write!(out, "{time:.0}"),
            Decimals::Micros => write!(out, "{time:.6}"),
            Decimals::Shortest => write!(out, "{time}"),
        };
        return;
    };
    let (year, month, day) = date(second / 86_400);
    push_digits(year, 4, out);
    for (sign, part) in [(b'-', month), (b'-', day)] {
        out.push(sign);
        push_digits(part, 2, out);
    }
    let of_day = second % 86_400;
    for (sign, part) in [(b'T', of_day / 3600), (b':', of_day / 60 % 60), (b':', of_day % 60)] {
        out.push(sign);
        push_digits(part, 2, out);
    }
    let digits = match decimals {
        Decimals::None => 0,
        Decimals::Micros => 6,
        Decimals::Shortest if nanos == 0 => 0,
        Decimals::Shortest => 9,
    };
    if digits > 0 {
        out.push(b'.');
        if digits == 6 {
            nanos /= 1000;
        }
        push_digits(u64::from(nanos), digits, out);
    }
    while decimals == Decimals::Shortest && digits > 0 && out.last() == Some(&b'0') {
        out.pop();
    }
    out.push(b'Z');
}

/// The date of a day since 1970: year, month, day. Counted in years that begin in March, so that the day that a leap
/// year has more is their last.
fn date(day: u64) -> (u64, u64, u64) {
    const DAYS_TO_1970: u64 = 719_468;
    const DAYS_OF_400_YEARS: u64 = 146_097;
    let day = day + DAYS_TO_1970;
    let (centuries, day) = (day / DAYS_OF_400_YEARS, day % DAYS_OF_400_YEARS);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (400 * centuries + year + u64::from(month <= 2), month, of_month)
}

/// Appends the last `digits` digits of a number.
fn push_digits(mut number: u64, digits: usize, out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + digits, b'0');
    for digit in out[start..].iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// A source of wall time and of monotonic time.
pub trait Clock: Send + Sync {
    /// Wall time (UTC). May jump in either direction.
    fn now(&self) -> Timestamp;
    /// Time since some fixed point in this process's life. Never goes back.
    fn monotonic(&self) -> Duration;
}

/// The operating system's clocks.
#[derive(Debug)]
pub struct SystemClock {
    started: std::time::Instant,
}

impl SystemClock {
    /// Made once, in the outermost layer.
    #[expect(clippy::new_without_default, reason = "a default would hide where real time enters")]
    pub fn new() -> SystemClock {
        SystemClock { started: std::time::Instant::now() }
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }
}

/// Shows what the calling thread has computed: what else the machine does meanwhile does not count. For measuring.
#[derive(Clone, Copy, Debug, Default)]
pub struct ThreadClock;

impl Clock for ThreadClock {
    #[expect(clippy::disallowed_methods, reason = "this file reads the wall clock")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn monotonic(&self) -> Duration {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        let (seconds, nanos) = (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec));
        Duration::new(seconds.unwrap_or_default(), nanos.unwrap_or_default())
    }
}

/// A clock that stands still until it is moved. For tests.
#[derive(Debug)]
pub struct ManualClock {
    time: Mutex<(Timestamp, Duration)>,
}

impl ManualClock {
    /// A clock that shows `now`.
    pub fn at(now: Timestamp) -> ManualClock {
        ManualClock { time: Mutex::new((now, Duration::ZERO)) }
    }

    /// Lets time pass: wall and monotonic time move together.
    pub fn advance(&self, by: Duration) {
        let mut time = self.time.lock().expect("no holder of the lock panics");
        time.0 += by;
        time.1 += by;
    }

    /// Sets the wall clock alone, as an operator or a broken time server does.
    pub fn step_to(&self, wall: Timestamp) {
        self.time.lock().expect("no holder of the lock panics").0 = wall;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.time.lock().expect("no holder of the lock panics").0
    }

    fn monotonic(&self) -> Duration {
        self.time.lock().expect("no holder of the lock panics").1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(time: Timestamp, decimals: Decimals) -> String {
        let mut out = Vec::new();
        push_time(time, decimals, &mut out);
        String::from_utf8(out).expect("it is text")
    }

    fn check(time: Timestamp) {
        assert_eq!(written(time, Decimals::None), format!("{time:.0}"));
        assert_eq!(written(time, Decimals::Micros), format!("{time:.6}"));
        assert_eq!(written(time, Decimals::Shortest), time.to_string());
    }

    #[test]
    fn every_day_of_four_centuries_is_written_as_the_library_does() {
        for day in 0..146_100 {
            check(Timestamp::from_second(day * 86_400 + day % 86_400).expect("it is a moment"));
        }
    }

    proptest! {
        /// Law: the text is the library's, whatever the moment.
        #[test]
        fn moments_are_written_as_the_library_does(second in -377_705_023_201..253_402_207_200_i64, nano in 0..1_000_000_000_i32, places in 0..10_u32) {
            let nano = nano / 10_i32.pow(places) * 10_i32.pow(places);
            check(Timestamp::new(second, nano).expect("it is a moment"));
        }
    }
}

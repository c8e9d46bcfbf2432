/*!
Where time comes from.

Nothing in the program asks the operating system for the time but
[`SystemClock`], which the program's outermost layer makes, and
[`ThreadClock`], by which it measures itself; everything else is
handed a [`Clock`] or a moment. Tests hand in a [`ManualClock`].
*/

use std::sync::Mutex;
use std::time::Duration;

pub use jiff::Timestamp;

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

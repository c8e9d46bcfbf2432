/*!
Measures the engine on a text: how much of it a second, and where the time goes.

The verb `bench engine` and the programs in `benches/` call the same code, so a
figure on somebody's own logs means what a figure in the documentation means:
text in memory to text in memory, one thread, the sample cut into pieces as a
fast source cuts it. [`engine`] has the whole and its stages, [`rules`] the cost
of each rule, [`pack`] the packs with some of their rules.

Time comes from the [`Clock`](crate::clock::Clock) that is handed in. A report
holds counts and durations, never a byte of a record.
*/

pub mod engine;
pub mod pack;
pub mod rules;

use std::time::Duration;

use crate::filter::lines;
use crate::limit;
use crate::secret::Raw;

/// A text in memory, in pieces of whole lines.
#[derive(Debug)]
pub struct Sample {
    pieces: Vec<Raw>,
    bytes: usize,
    records: usize,
}

impl Sample {
    /// Takes pieces of whole lines, as [`crate::filter::Pieces`] cuts them.
    pub fn new(pieces: Vec<Raw>) -> Sample {
        let bytes = pieces.iter().map(Raw::len).sum();
        let records = pieces.iter().map(|piece| lines(piece.bytes()).count()).sum();
        Sample { pieces, bytes, records }
    }

    /// Cuts a text at its newlines into pieces of at most [`limit::BATCH_BYTES`], unless a line is longer.
    pub fn of(text: &[u8]) -> Sample {
        let mut pieces = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(cut(rest, limit::BATCH_BYTES));
            pieces.push(Raw::new(piece.to_vec()));
            rest = after;
        }
        Sample::new(pieces)
    }

    /// Whole lines from all over it, about `bytes_max` bytes in all, but one line at least.
    pub fn thinned(&self, bytes_max: usize) -> Sample {
        let places = self.pieces.len().min(bytes_max / THINNED_BYTES_MIN).max(1);
        let each = bytes_max / places;
        let start = |place: usize| {
            let piece = self.pieces[place * self.pieces.len() / places].bytes();
            Raw::new(piece[..cut(piece, each)].to_vec())
        };
        let mut bytes = 0;
        // Long lines may take more than their share.
        let pieces = (0..places.min(self.pieces.len())).map(start).take_while(|piece| {
            let goes_on = bytes < bytes_max.max(1);
            bytes += piece.len();
            goes_on
        });
        Sample::new(pieces.collect())
    }

    /// The pieces, in order.
    pub fn pieces(&self) -> &[Raw] {
        &self.pieces
    }

    /// Bytes in all.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Records in all.
    pub fn records(&self) -> usize {
        self.records
    }

    /// Copies of its pieces, for a run that uses them up.
    fn copies(&self) -> Vec<Raw> {
        self.pieces.iter().map(|piece| Raw::new(piece.bytes().to_vec())).collect()
    }
}

/// Bytes that a thinned sample takes of a piece, at least: some tens of records, so that one is seldom cut off.
const THINNED_BYTES_MIN: usize = 16 * 1024;

/// Where to cut: after the last newline within `bytes_max`, else after the first one.
fn cut(text: &[u8], bytes_max: usize) -> usize {
    if text.len() <= bytes_max {
        return text.len();
    }
    let last = memchr::memrchr(b'\n', &text[..bytes_max]);
    last.or_else(|| memchr::memchr(b'\n', text)).map_or(text.len(), |newline| newline + 1)
}

/// How long a thing took, several times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spread {
    /// Ascending.
    times: Vec<Duration>,
}

impl Spread {
    /// Takes one more time in.
    pub fn add(&mut self, time: Duration) {
        let at = self.times.partition_point(|known| *known <= time);
        self.times.insert(at, time);
    }

    /// The middle one; the faster of two middle ones. None is zero.
    pub fn median(&self) -> Duration {
        self.times.get(self.times.len().saturating_sub(1) / 2).copied().unwrap_or_default()
    }

    /// The fastest.
    pub fn min(&self) -> Duration {
        self.times.first().copied().unwrap_or_default()
    }

    /// The slowest.
    pub fn max(&self) -> Duration {
        self.times.last().copied().unwrap_or_default()
    }

    /// How many there are.
    pub fn runs(&self) -> usize {
        self.times.len()
    }
}

/// How long a measurement goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// Runs, if there is time for them.
    pub runs: usize,
    /// Time after which only [`RUNS_MIN`] are made.
    pub wait_max: Duration,
}

/// Runs that are made whatever they take: fewer have no median.
pub const RUNS_MIN: usize = 3;

impl Effort {
    /// Whether another run is worth its time, after so many in so much.
    fn goes_on(self, runs: usize, elapsed: Duration) -> bool {
        runs < RUNS_MIN || runs < self.runs && elapsed < self.wait_max
    }
}

/// Millions of bytes a second.
pub fn megabytes_per_second(bytes: usize, time: Duration) -> f64 {
    bytes as f64 / 1e6 / time.as_secs_f64().max(f64::MIN_POSITIVE)
}

/// Nanoseconds that a thousand bytes took.
pub fn nanos_per_kilobyte(bytes: usize, time: Duration) -> f64 {
    time.as_secs_f64() * 1e12 / (bytes as f64).max(1.0)
}

/// A clock on which a millisecond passes between one look and the next.
#[cfg(test)]
#[derive(Debug, Default)]
struct Ticking(std::sync::atomic::AtomicU64);

#[cfg(test)]
impl crate::clock::Clock for Ticking {
    fn now(&self) -> crate::clock::Timestamp {
        crate::clock::Timestamp::UNIX_EPOCH
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(sample: &Sample) -> Vec<&[u8]> {
        sample.pieces().iter().map(Raw::bytes).collect()
    }

    #[test]
    fn pieces_are_whole_lines_and_all_of_the_text() {
        let line = [b"x".repeat(99), b"\n".to_vec()].concat();
        let text = [line.repeat(3 * limit::BATCH_BYTES / 100), b"the end".to_vec()].concat();
        let sample = Sample::of(&text);
        assert_eq!(texts(&sample).concat(), text);
        assert_eq!(sample.records(), 3 * limit::BATCH_BYTES / 100 + 1);
        let (last, others) = sample.pieces().split_last().expect("there are some");
        assert!(others.len() >= 2 && others.iter().all(|piece| piece.len() <= limit::BATCH_BYTES));
        assert!(others.iter().all(|piece| piece.bytes().ends_with(b"\n")) && last.bytes().ends_with(b"end"));
    }

    #[test]
    fn a_line_longer_than_a_piece_stays_whole() {
        let long = b"y".repeat(limit::BATCH_BYTES + 1);
        let text = [&b"a\n"[..], &long, b"\nb"].concat();
        assert_eq!(texts(&Sample::of(&text)), [b"a\n".to_vec(), [&long[..], b"\n"].concat(), b"b".to_vec()]);
    }

    #[test]
    fn a_thinned_sample_has_whole_lines_and_one_at_least() {
        let sample = Sample::of(b"one\ntwo\nthree\n");
        for (bytes_max, expected) in
            [(0, "one\n"), (3, "one\n"), (4, "one\n"), (8, "one\ntwo\n"), (99, "one\ntwo\nthree\n")]
        {
            assert_eq!(texts(&sample.thinned(bytes_max)).concat(), expected.as_bytes(), "{bytes_max}");
        }
        assert_eq!(Sample::of(b"").thinned(9).records(), 0);
    }

    #[test]
    fn a_thinned_sample_comes_from_all_over() {
        let pieces = (0..64).map(|number| Raw::new(format!("{number}\n").repeat(10_000).into_bytes()));
        let thinned = Sample::new(pieces.collect()).thinned(4 * THINNED_BYTES_MIN);
        let firsts: Vec<&[u8]> = texts(&thinned).into_iter().map(|text| &text[..3]).collect();
        assert_eq!(firsts, [b"0\n0", b"16\n", b"32\n", b"48\n"]);
        assert!(thinned.bytes() <= 4 * THINNED_BYTES_MIN && thinned.bytes() > 3 * THINNED_BYTES_MIN);
    }

    #[test]
    fn the_median_is_the_middle_one() {
        let mut spread = Spread::default();
        assert_eq!(spread.median(), Duration::ZERO);
        for (time, median) in [(5, 5), (1, 1), (9, 5), (7, 5), (6, 6)] {
            spread.add(Duration::from_secs(time));
            assert_eq!(spread.median(), Duration::from_secs(median));
        }
        assert_eq!((spread.min().as_secs(), spread.max().as_secs()), (1, 9));
    }

    #[test]
    fn few_runs_are_made_even_when_time_is_up() {
        let effort = Effort { runs: 5, wait_max: Duration::from_secs(1) };
        let long = Duration::from_secs(2);
        assert!(effort.goes_on(2, long) && !effort.goes_on(3, long));
        assert!(effort.goes_on(4, Duration::ZERO) && !effort.goes_on(5, Duration::ZERO));
    }
}

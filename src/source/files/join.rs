/*!
Puts together what a container's runtime has split, so that nothing is searched in halves.

Standard output and standard error come interleaved, each with a chain of its own. A chain that grows beyond the limit
of a record becomes a marker. One whose rest does not come in time is given out as far as it is, less its last word,
which may be half of something; what comes of it later becomes a marker, for nobody could tell what it is the rest of.
*/

use tokio::time::Instant;

use crate::clock::Timestamp;
use crate::codec::container::{Line, Output};
use crate::limit::{PARTIAL_WAIT, RECORD_BYTES_MAX};

/// The chains of one file.
#[derive(Default)]
pub struct Joiner {
    chains: [Chain; 2],
}

#[derive(Default)]
struct Chain {
    text: Vec<u8>,
    /// Bytes of it that are not kept.
    spent: u64,
    /// The time of its first line.
    time: Option<Timestamp>,
    /// Where its first line stands, and when that was read; nothing if no chain is begun.
    begun: Option<(u64, Instant)>,
    /// It was given out before its end.
    is_severed: bool,
}

/// What a line makes of its chain.
pub enum Joined {
    /// It is not at its end.
    More,
    /// A whole record.
    Record {
        /// What the container said.
        text: Vec<u8>,
        /// The time of its first line.
        time: Option<Timestamp>,
    },
    /// A record of so many bytes that is too long.
    TooLong(u64),
    /// The rest, of so many bytes, of a record that was given out without it.
    Rest(u64),
}

impl Joiner {
    /// Takes a line that begins at `offset`. One that is whole and goes on with nothing need not be shown.
    pub fn push(&mut self, line: &Line<'_>, offset: u64, now: Instant) -> Joined {
        let chain = &mut self.chains[index(line.output)];
        chain.begun.get_or_insert((offset, now));
        chain.time = chain.time.or(line.time);
        let is_too_long = chain.text.len() + line.text.len() > RECORD_BYTES_MAX;
        if chain.is_severed || chain.spent > 0 || is_too_long {
            chain.spent += (std::mem::take(&mut chain.text).len() + line.text.len()) as u64;
        } else {
            chain.text.extend_from_slice(&line.text);
        }
        if line.is_partial {
            return Joined::More;
        }
        let Chain { text, spent, time, is_severed, .. } = std::mem::take(chain);
        match (is_severed, spent) {
            (true, _) => Joined::Rest(spent),
            (false, 0) => Joined::Record { text, time },
            (false, _) => Joined::TooLong(spent),
        }
    }

    /// Whether a line of this output goes on with something.
    pub fn is_begun(&self, output: Output) -> bool {
        self.chains[index(output)].begun.is_some()
    }

    /// A record of which the rest does not come, if there is one: all of them `at_end`, else those that had their time.
    pub fn overdue(&mut self, now: Instant, at_end: bool) -> Option<(Output, Vec<u8>, Option<Timestamp>)> {
        for output in [Output::Out, Output::Err] {
            let chain = &mut self.chains[index(output)];
            let is_due = chain.begun.is_some_and(|(_, since)| at_end || now >= since + PARTIAL_WAIT);
            if is_due && !chain.is_severed && chain.spent == 0 {
                let mut text = std::mem::take(&mut chain.text);
                text.truncate(without_last_word(&text));
                chain.is_severed = true;
                return Some((output, text, chain.time));
            }
        }
        None
    }

    /// Where the first line stands that is not given out.
    pub fn begin(&self) -> Option<u64> {
        let kept = self.chains.iter().filter(|chain| !chain.is_severed);
        kept.filter_map(|chain| chain.begun.map(|(offset, _)| offset)).min()
    }

    /// Bytes that it holds.
    pub fn byte_len(&self) -> usize {
        self.chains.iter().map(|chain| chain.text.len()).sum()
    }
}

fn index(output: Output) -> usize {
    match output {
        Output::Out => 0,
        Output::Err => 1,
    }
}

/// Where the last word begins, with the space before it.
fn without_last_word(text: &[u8]) -> usize {
    let word = text.iter().rev().take_while(|b| !b.is_ascii_whitespace()).count();
    text[..text.len() - word].trim_ascii_end().len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::container::cri;
    use std::time::Duration;

    fn push(joiner: &mut Joiner, line: &str, now: Instant) -> Joined {
        let line = format!("2026-01-02T03:04:05Z {line}");
        joiner.push(&cri(line.as_bytes()).unwrap(), 7, now)
    }

    #[track_caller]
    fn record(joined: Joined, expected: &str) {
        let Joined::Record { text, .. } = joined else { panic!("no record") };
        assert_eq!(String::from_utf8_lossy(&text), expected);
    }

    #[test]
    fn outputs_that_come_interleaved_stay_apart() {
        let (mut joiner, now) = (Joiner::default(), Instant::now());
        assert!(matches!(push(&mut joiner, "stdout P mail jane@exam", now), Joined::More));
        assert!(matches!(push(&mut joiner, "stderr P err", now), Joined::More));
        assert_eq!(joiner.begin(), Some(7));
        record(push(&mut joiner, "stdout F ple.com", now), "mail jane@example.com");
        record(push(&mut joiner, "stderr F or", now), "error");
        assert_eq!(joiner.begin(), None);
    }

    #[test]
    fn a_chain_is_kept_to_the_limit_of_a_record() {
        let (mut joiner, now) = (Joiner::default(), Instant::now());
        let half = "x".repeat(RECORD_BYTES_MAX / 2);
        push(&mut joiner, &format!("stdout P {half}"), now);
        record(push(&mut joiner, &format!("stdout F {half}"), now), &half.repeat(2));
        for _ in 0..64 {
            push(&mut joiner, &format!("stdout P {half}"), now);
            assert!(joiner.byte_len() <= RECORD_BYTES_MAX);
        }
        let Joined::TooLong(len) = push(&mut joiner, "stdout F x", now) else { panic!("it is too long") };
        assert_eq!(len, 64 * half.len() as u64 + 1);
        record(push(&mut joiner, "stdout F next", now), "next");
    }

    #[test]
    fn what_has_had_its_time_goes_without_its_last_word() {
        let (mut joiner, now) = (Joiner::default(), Instant::now());
        push(&mut joiner, "stdout P by jane@exam", now);
        assert!(joiner.overdue(now + PARTIAL_WAIT - Duration::from_millis(1), false).is_none());
        let (_, text, time) = joiner.overdue(now + PARTIAL_WAIT, false).unwrap();
        assert_eq!((text, time.is_some()), (b"by".to_vec(), true));
        assert!(joiner.overdue(now + 2 * PARTIAL_WAIT, false).is_none());
        push(&mut joiner, "stdout P ple.c", now);
        assert_eq!(joiner.begin(), None);
        assert!(matches!(push(&mut joiner, "stdout F om", now), Joined::Rest(7)));
        record(push(&mut joiner, "stdout F next", now), "next");
    }
}

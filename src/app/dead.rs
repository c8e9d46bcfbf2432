/*!
What becomes of records that a sink refused for good: they are kept as dead
letters before they count as settled, and sent again when somebody asks.
*/

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::durable::{Cursor, wanted};
use super::live::Now;
use crate::act::Redacted;
use crate::clock::Clock;
use crate::limit::{DEAD_LETTERS_LOOK_EVERY, DEAD_LETTERS_REPLAY_SEGMENTS, QUEUE_REST};
use crate::queue::dead::DeadLetters;
use crate::queue::durable::{Error, Gathered, Left, Log};
use crate::queue::memory::WeakSender;
use crate::queue::{Item, cost};
use crate::telemetry::{LetterLoss, Metrics};
use crate::vault::Timekeeper;

/// The dead letters of a running program.
pub struct Letters {
    letters: Arc<DeadLetters>,
    time: Arc<Timekeeper>,
    metrics: Arc<Metrics>,
    /// Whether they could be written when they were last.
    well: AtomicBool,
}

impl Letters {
    /// `time` is what records are stamped with.
    pub fn new(letters: Arc<DeadLetters>, time: Arc<Timekeeper>, metrics: Arc<Metrics>) -> Letters {
        Letters { letters, time, metrics, well: AtomicBool::new(true) }
    }

    /// Whether they could be written when they were last.
    pub fn is_well(&self) -> bool {
        self.well.load(Ordering::Relaxed)
    }

    /// Keeps what a sink refused, however long it takes: until then it is not settled. Where there is no room the oldest
    /// are given up.
    pub async fn keep(&self, sink: &str, batches: &[Arc<Redacted>]) {
        let records: usize = batches.iter().map(|batch| batch.len()).sum();
        loop {
            let now = self.time.now();
            let mut given_up = Left::default();
            let kept = tokio::task::block_in_place(|| self.letters.put(sink, batches, now, &mut given_up));
            count_left(&self.metrics, sink, given_up);
            let was_well = self.well.swap(kept.is_ok(), Ordering::Relaxed);
            let Err(error) = kept else { break };
            self.metrics.dead_letter_errors.inc();
            if was_well {
                tracing::error!(sink, %error, "cannot keep dead letters; the sink waits until it can");
            }
            tokio::time::sleep(QUEUE_REST).await;
        }
        self.metrics.dead_letters.with_label_values(&[sink]).inc_by(records as u64);
        self.show(sink);
    }

    /// Sends a sink's again whenever somebody asks, through its queue. Runs to the end of the program.
    pub async fn answer(self: Arc<Letters>, place: usize, sink: Arc<str>, queue: WeakSender, now: Now) {
        self.show(&sink);
        loop {
            tokio::time::sleep(DEAD_LETTERS_LOOK_EVERY).await;
            if self.letters.is_asked(&sink) {
                self.replay(place, &sink, &queue, &now).await;
            }
        }
    }

    async fn replay(&self, place: usize, sink: &Arc<str>, queue: &WeakSender, now: &Now) {
        let sent = match self.letters.log(sink) {
            Some(log) => {
                log.exceed(DEAD_LETTERS_REPLAY_SEGMENTS);
                let sent = self.send_again(&log, place, sink, queue, now).await;
                log.exceed(0);
                sent
            }
            None => Ok(0),
        };
        // What is in the way is told, and the word stands: it is tried again.
        let done = sent.and_then(|records| {
            tokio::task::block_in_place(|| {
                self.letters.log(sink).map_or(Ok(()), |log| log.tidy())?;
                self.letters.answered(sink)
            })?;
            Ok(records)
        });
        match done {
            Ok(records) => tracing::info!(sink = &**sink, records, "sent dead letters again"),
            Err(error) => {
                self.metrics.dead_letter_errors.inc();
                tracing::error!(sink = &**sink, %error, "cannot send dead letters again; trying again");
            }
        }
        self.show(sink);
    }

    /// Sends those that there are now, and waits until the sink has settled each: it has it, or has refused it anew.
    async fn send_again(
        &self,
        log: &Arc<Log>,
        place: usize,
        sink: &Arc<str>,
        queue: &WeakSender,
        now: &Now,
    ) -> Result<usize, Error> {
        let (end, mut reader) = (log.end(), log.reader(sink));
        let cursor = Cursor::new(Arc::clone(log), Arc::clone(sink));
        let (mut records, mut last) = (0, None);
        while last.is_none_or(|last| last < end) {
            let time = self.time.now();
            let Some(gathered) = tokio::task::block_in_place(|| reader.next(time))? else { break };
            // Unless they were given up, and counted, meanwhile.
            if log.cursor(sink) < gathered.end {
                let Gathered { lost: damaged, expired, .. } = gathered;
                count_left(&self.metrics, sink, Left { whole: 0, damaged, expired });
            }
            let Gathered { batches, end, .. } = gathered;
            let ack = cursor.then(end);
            for batch in batches {
                let Some(batch) = wanted(batch, now, place, Some(&self.metrics)).await else { continue };
                records += batch.len();
                let slot = match queue.upgrade() {
                    Some(queue) => queue.reserve(cost(&batch), Duration::MAX).await.ok(),
                    None => None,
                };
                match slot {
                    Some(slot) => slot.send(Item { batch, ack: ack.clone() }),
                    // The program ends: the cursor stays before it.
                    None => return std::future::pending().await,
                }
            }
            ack.confirm();
            last = Some(end);
        }
        while last.is_some_and(|last| log.cursor(sink) < last) {
            tokio::time::sleep(DEAD_LETTERS_LOOK_EVERY).await;
        }
        Ok(records)
    }

    fn show(&self, sink: &str) {
        let bytes = self.letters.log(sink).map_or(0, |log| log.backlog(sink));
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        self.metrics.dead_letter_bytes.with_label_values(&[sink]).set(bytes);
    }
}

/// Counts dead letters that are gone without having been sent again, and tells of them.
pub fn count_left(metrics: &Metrics, sink: &str, left: Left) {
    let Left { whole: full, damaged, expired } = left;
    for (why, records) in
        [(LetterLoss::Full, full), (LetterLoss::Damaged, damaged), (LetterLoss::Expired, expired)]
    {
        metrics.letters_lost(sink, why, records);
    }
    if left != Left::default() {
        tracing::error!(sink, full, damaged, expired, "dead letters are gone that were not sent again");
    }
}

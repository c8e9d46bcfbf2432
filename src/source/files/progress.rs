//! How far a file is delivered: its batches in their order, and which of them are safe.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::record::Ack;

/// The batches of one file that were handed on and are not all safe yet.
#[derive(Default)]
pub struct Progress {
    flights: Mutex<Flights>,
    news: Notify,
}

#[derive(Default)]
struct Flights {
    next: u64,
    waiting: VecDeque<Flight>,
}

struct Flight {
    number: u64,
    /// Where in the file its records end.
    end: u64,
    /// What its acknowledgement said.
    is_safe: Option<bool>,
}

impl Progress {
    /// The acknowledgement of a batch whose records end at `end`.
    pub fn depart(self: &Arc<Self>, end: u64) -> Ack {
        let mut flights = self.flights();
        let number = flights.next;
        flights.next += 1;
        flights.waiting.push_back(Flight { number, end, is_safe: None });
        drop(flights);
        let progress = Arc::clone(self);
        Ack::new(move |is_safe| progress.arrive(number, is_safe))
    }

    fn arrive(&self, number: u64, is_safe: bool) {
        let mut flights = self.flights();
        if let Some(flight) = flights.waiting.iter_mut().find(|flight| flight.number == number) {
            flight.is_safe = Some(is_safe);
        }
        drop(flights);
        self.news.notify_one();
    }

    /// Forgets the batches that are safe and have nothing unsafe before them; says where the last of them ends.
    pub fn advance(&self) -> Option<u64> {
        let mut flights = self.flights();
        let mut end = None;
        while flights.waiting.front().is_some_and(|flight| flight.is_safe == Some(true)) {
            end = flights.waiting.pop_front().map(|flight| flight.end);
        }
        end
    }

    /// Where the first batch ends that nobody would confirm.
    pub fn failed(&self) -> Option<u64> {
        self.flights().waiting.iter().find(|flight| flight.is_safe == Some(false)).map(|flight| flight.end)
    }

    /// Batches of which nothing is known yet.
    pub fn count(&self) -> usize {
        self.flights().waiting.iter().filter(|flight| flight.is_safe.is_none()).count()
    }

    /// Forgets all; what they say later is no matter.
    pub fn clear(&self) {
        self.flights().waiting.clear();
    }

    /// Waits until something is known of a batch.
    pub async fn news(&self) {
        self.news.notified().await;
    }

    fn flights(&self) -> MutexGuard<'_, Flights> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_passes_what_is_not_safe() {
        let progress = Arc::new(Progress::default());
        let [one, two, three] = [10, 20, 30].map(|end| progress.depart(end));
        two.confirm();
        assert_eq!((progress.advance(), progress.count()), (None, 2));
        one.confirm();
        assert_eq!((progress.advance(), progress.failed()), (Some(20), None));
        drop(three);
        assert_eq!((progress.advance(), progress.failed(), progress.count()), (None, Some(30), 0));
    }

    #[test]
    fn what_was_forgotten_moves_nothing() {
        let progress = Arc::new(Progress::default());
        let old = progress.depart(10);
        progress.clear();
        let new = progress.depart(5);
        drop(old);
        assert_eq!(progress.failed(), None);
        new.confirm();
        assert_eq!(progress.advance(), Some(5));
    }
}

/*!
Work on several threads, results in order.

Items are dealt to the workers in turn, like cards, and the results are taken
from them in the same turn. So the order needs no numbers, no sorting and no
shared state; each channel holds one item, which bounds what is in flight. Items are of like
size, so a worker seldom waits for its turn.
*/

use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

/// Why [`in_order`] came to no good end.
#[derive(Debug, PartialEq, Eq)]
pub enum Stopped<E> {
    /// The consumer wants no more.
    Consumer(E),
    /// A thread panicked or could not be started; what the consumer has is whole, up to there.
    Thread,
}

/// Passes `items` through `threads` workers to `consume`, in order.
///
/// One thread needs no channel: all is done in the caller's. When the consumer
/// stops, the other threads are left to themselves, for one of them may wait for
/// input that never comes; they end when they notice, at the latest with the process.
///
/// # Errors
///
/// If the consumer stops, or a thread dies.
pub fn in_order<T, U, E, W>(
    threads: NonZeroUsize,
    items: impl Iterator<Item = T> + Send + 'static,
    worker: impl Fn() -> W,
    mut consume: impl FnMut(U) -> Result<(), E>,
) -> Result<(), Stopped<E>>
where
    T: Send + 'static,
    U: Send + 'static,
    W: FnMut(T) -> U + Send + 'static,
{
    if threads == NonZeroUsize::MIN {
        let mut work = worker();
        let mut items = items;
        return items.try_for_each(|item| consume(work(item))).map_err(Stopped::Consumer);
    }
    let table = Table::try_new(threads, items, worker)?;
    for turn in (0..threads.get()).cycle() {
        match table.results[turn].recv() {
            Ok(result) => consume(result).map_err(Stopped::Consumer)?,
            Err(_) => return table.clear(turn),
        }
    }
    unreachable!("a cycle over at least one thread does not end")
}

/// The threads and the channels that results come from.
struct Table<U> {
    results: Vec<Receiver<U>>,
    threads: Vec<JoinHandle<()>>,
}

impl<U: Send + 'static> Table<U> {
    fn try_new<T, E, W>(
        threads: NonZeroUsize,
        items: impl Iterator<Item = T> + Send + 'static,
        worker: impl Fn() -> W,
    ) -> Result<Table<U>, Stopped<E>>
    where
        T: Send + 'static,
        W: FnMut(T) -> U + Send + 'static,
    {
        let mut table = Table { results: Vec::new(), threads: Vec::new() };
        let mut hands = Vec::new();
        for _ in 0..threads.get() {
            let (hand, dealt) = sync_channel(IN_FLIGHT);
            let (result, results) = sync_channel(IN_FLIGHT);
            let work = worker();
            table.spawn("work", move || work_through(&dealt, work, &result))?;
            table.results.push(results);
            hands.push(hand);
        }
        table.spawn("read", move || deal(items, &hands))?;
        Ok(table)
    }

    fn spawn<E>(&mut self, name: &str, body: impl FnOnce() + Send + 'static) -> Result<(), Stopped<E>> {
        let spawned = thread::Builder::new().name(name.to_owned()).spawn(body);
        self.threads.push(spawned.map_err(|_| Stopped::Thread)?);
        Ok(())
    }

    /// After worker `ended` has no more results: because all work is done, or because it died.
    fn clear<E>(mut self, ended: usize) -> Result<(), Stopped<E>> {
        drop(self.results);
        // If it died, nobody waits for the others: the dealer may wait for input that never comes.
        self.threads.swap_remove(ended).join().map_err(|_| Stopped::Thread)?;
        self.threads.into_iter().try_for_each(JoinHandle::join).map_err(|_| Stopped::Thread)
    }
}

fn deal<T>(items: impl Iterator<Item = T>, hands: &[SyncSender<T>]) {
    for (item, hand) in items.zip(hands.iter().cycle()) {
        if hand.send(item).is_err() {
            return;
        }
    }
}

fn work_through<T, U>(dealt: &Receiver<T>, mut work: impl FnMut(T) -> U, results: &SyncSender<U>) {
    for item in dealt {
        if results.send(work(item)).is_err() {
            return;
        }
    }
}

/// Items that wait in a channel.
const IN_FLIGHT: usize = 1;

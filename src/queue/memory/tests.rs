use std::sync::Mutex;

use super::*;
use crate::act::{Pass, Redacted};
use crate::clock::Timestamp;
use crate::record::{Ack, Names};
use crate::secret::Raw;

/// A batch without records costs what each batch does.
const COST: usize = QUEUE_ITEM_OVERHEAD_BYTES;

fn batch() -> Arc<Redacted> {
    Arc::new(Pass::new(&Raw::default(), Timestamp::UNIX_EPOCH, Arc::new(Names::default())).finish())
}

fn item() -> Item {
    Item { batch: batch(), ack: Ack::none() }
}

fn gauge() -> IntGauge {
    IntGauge::new("test", "test").unwrap()
}

#[tokio::test(start_paused = true)]
async fn takes_up_to_its_bound_and_no_more() {
    let (sender, mut receiver) = queue(3 * COST, gauge());
    for _ in 0..3 {
        sender.reserve(COST, Duration::ZERO).await.unwrap().send(item());
    }
    assert_eq!(sender.reserve(1, Duration::ZERO).await.unwrap_err(), Full);
    assert_eq!(sender.reserve(1, Duration::from_secs(5)).await.unwrap_err(), Full);

    let taken = receiver.pop(usize::MAX).await.unwrap();
    assert_eq!(taken.len(), 3);
    assert_eq!(sender.reserve(1, Duration::ZERO).await.unwrap_err(), Full, "what a sink is busy with counts");
    drop(taken);
    assert!(sender.reserve(3 * COST, Duration::ZERO).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_batch_larger_than_the_bound_goes_in_alone() {
    let (sender, mut receiver) = queue(COST, gauge());
    sender.reserve(1, Duration::ZERO).await.unwrap().send(item());
    assert_eq!(sender.reserve(1 << 40, Duration::ZERO).await.unwrap_err(), Full);
    drop(receiver.pop(1).await);
    assert!(sender.reserve(1 << 40, Duration::ZERO).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn room_that_is_not_used_is_given_back() {
    let gauge = gauge();
    let (sender, mut receiver) = queue(COST, gauge.clone());
    drop(sender.reserve(COST, Duration::ZERO).await.unwrap());
    sender.reserve(COST, Duration::ZERO).await.unwrap().send(item());
    assert_eq!(gauge.get(), COST as i64);
    drop(receiver.pop(1).await);
    assert_eq!(gauge.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn ends_once_it_is_empty_and_nobody_sends() {
    let (sender, mut receiver) = queue(3 * COST, gauge());
    sender.reserve(COST, Duration::ZERO).await.unwrap().send(item());
    drop(sender);
    assert_eq!(receiver.pop(1).await.map(|taken| taken.len()), Some(1));
    assert!(receiver.pop(1).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_is_gone_leaves_its_batches_unconfirmed() {
    let told = Arc::new(Mutex::new(None));
    let ear = Arc::clone(&told);
    let (sender, receiver) = queue(COST, gauge());
    drop(receiver);
    let ack = Ack::new(move |safe| *ear.lock().unwrap() = Some(safe));
    sender.reserve(COST, Duration::ZERO).await.unwrap().send(Item { batch: batch(), ack });
    assert_eq!(*told.lock().unwrap(), Some(false));
}

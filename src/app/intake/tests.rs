use super::*;
use crate::clock::Timestamp;
use crate::keys::{EpochKey, KeyId, Keyring};
use crate::limit::TURNS;
use crate::queue::memory::{self, Receiver};
use crate::record::Record;
use crate::secret::{Raw, Secret};
use crate::source::Intake as _;

const ROOM: usize = 1 << 20;

fn keyring() -> Arc<Keyring> {
    Arc::new(Keyring::for_run(EpochKey::new(KeyId(*b"kaaaa"), &Secret::new(vec![7; 32]))))
}

/// A batch of one record of class `app`, and what its client is told.
fn batch() -> (Batch, Arc<Mutex<Option<bool>>>) {
    let told = Arc::new(Mutex::new(None));
    let ear = Arc::clone(&told);
    let mut raw = Raw::default();
    let message = raw.push(b"from 203.0.113.77");
    let batch = Batch {
        raw,
        records: vec![Record::plain(message)],
        received: Timestamp::UNIX_EPOCH,
        source: "test".into(),
        path: Raw::default(),
        ack: Ack::new(move |safe| *ear.lock().unwrap() = Some(safe)),
    };
    (batch, told)
}

/// An intake with one queue for each of `wants`, of `room` bytes.
fn intake(
    keyring: Arc<Keyring>,
    wants: Vec<Option<Vec<crate::record::ClassId>>>,
    room: &[usize],
) -> (Intake, Now, Vec<Receiver>) {
    let policy = Arc::new(Policy::builtin("default").unwrap());
    let wants = wants.into_iter().map(|classes| Want { classes, region: None }).collect();
    let now = Now::new(Live::new(policy, keyring, wants));
    let gauge = || prometheus::IntGauge::new("test", "test").unwrap();
    let (senders, receivers): (Vec<_>, Vec<_>) =
        room.iter().map(|room| memory::queue(*room, gauge())).unzip();
    let intake = Intake::new(
        now.clone(),
        Queues::Memory(senders.into()),
        TURNS,
        Ids::of_run(7),
        Arc::new(Metrics::new()),
        Arc::default(),
    );
    (intake, now, receivers)
}

#[tokio::test(start_paused = true)]
async fn a_batch_waits_for_its_key_and_never_passes_without() {
    let (intake, now, mut queues) = intake(Arc::new(Keyring::empty()), vec![None], &[ROOM]);
    let (held, told) = batch();
    assert_eq!(intake.take(held, Duration::from_secs(60)).await, Err(Refused::Full));
    assert_eq!(*told.lock().unwrap(), Some(false));

    let (held, told) = batch();
    let later = async {
        tokio::time::sleep(Duration::from_secs(7200)).await;
        now.rekey(keyring());
    };
    let (taken, ()) = tokio::join!(intake.take(held, Duration::MAX), later);
    assert_eq!(taken, Ok(()));
    assert_eq!(*told.lock().unwrap(), None, "no sink has confirmed yet");
    let items = queues[0].pop(ROOM).await.unwrap();
    assert_eq!(items.len(), 1);
    for (item, _) in items {
        assert_eq!(item.batch.iter().next().unwrap().message, b"from 203.0.113.0");
        item.ack.confirm();
    }
    assert_eq!(*told.lock().unwrap(), Some(true));
}

#[tokio::test(start_paused = true)]
async fn a_batch_goes_into_every_queue_or_into_none() {
    let (intake, _, mut queues) = intake(keyring(), vec![None, None], &[ROOM, 1]);
    let (first, _) = batch();
    assert_eq!(intake.take(first, Duration::ZERO).await, Ok(()), "alone, it is larger than the bound");
    let (second, told) = batch();
    assert_eq!(intake.take(second, Duration::from_secs(1)).await, Err(Refused::Full));
    assert_eq!(*told.lock().unwrap(), Some(false));
    assert_eq!(queues[0].pop(ROOM).await.unwrap().len(), 1, "the second is in neither");
}

/// Each sink's copy of a record has the record's own id, whatever else the sink gets.
#[tokio::test(start_paused = true)]
async fn no_two_records_have_one_id_and_every_sink_sees_the_same() {
    let (intake, now, mut queues) = intake(keyring(), vec![None, None], &[ROOM, ROOM]);
    let access = now.look().policy.class_named("access").unwrap();
    let classes = vec![None, Some(vec![access])];
    let classes = classes.into_iter().map(|classes| Want { classes, region: None }).collect();
    now.swap(Live::new(Arc::clone(&now.look().policy), keyring(), classes));
    for _ in 0..2 {
        let (mut batch, _) = batch();
        let line = batch.raw.push(b"203.0.113.77 - - [22/Nov/2026:05:40:41 +0000] \"GET / HTTP/1.1\" 200 5");
        batch.records.push(Record { app: batch.raw.push(b"nginx"), ..Record::plain(line) });
        assert_eq!(intake.take(batch, Duration::ZERO).await, Ok(()));
    }
    let mut ids = Vec::new();
    for queue in &mut queues {
        let items = queue.pop(ROOM).await.unwrap();
        ids.push(items.iter().flat_map(|(item, _)| item.batch.iter().map(|r| r.id)).collect::<Vec<_>>());
    }
    let id = |sequence| RecordId { run: 7, sequence };
    assert_eq!(ids[0], [1, 2, 3, 4].map(id));
    assert_eq!(ids[1], [2, 4].map(id), "of a batch, the second record alone");
}

#[tokio::test(start_paused = true)]
async fn what_no_sink_wants_is_confirmed() {
    let (intake, _, _queues) = intake(keyring(), vec![Some(Vec::new())], &[ROOM]);
    let (batch, told) = batch();
    assert_eq!(intake.take(batch, Duration::ZERO).await, Ok(()));
    assert_eq!(*told.lock().unwrap(), Some(true));
}

/// A client hears yes once its records are counted, and what the policy does not count waits for nothing.
#[tokio::test(start_paused = true)]
async fn what_is_counted_is_part_of_the_answer() {
    let (intake, now, _queues) = intake(keyring(), vec![Some(Vec::new())], &[ROOM]);
    let (sender, mut counts) = memory::queue(ROOM, prometheus::IntGauge::new("test", "test").unwrap());
    let intake = intake.counting(sender);
    let counting = |classes: &str| {
        let text = format!("policy: p\naggregates: {{ retention: 5y, classes: [{classes}] }}\n");
        Live::new(Arc::new(Policy::parse("p", &text).unwrap()), keyring(), vec![Want::default()])
    };
    now.swap(Live { wants: vec![Want { classes: Some(Vec::new()), region: None }], ..counting("access") });
    let (first, told) = batch();
    assert_eq!(intake.take(first, Duration::ZERO).await, Ok(()));
    assert_eq!(*told.lock().unwrap(), Some(true), "class app is not counted");
    now.swap(Live { wants: vec![Want { classes: Some(Vec::new()), region: None }], ..counting("app") });
    let (second, told) = batch();
    assert_eq!(intake.take(second, Duration::ZERO).await, Ok(()));
    assert_eq!(*told.lock().unwrap(), None, "it is not counted yet");
    for (item, _) in counts.pop(ROOM).await.unwrap() {
        item.ack.confirm();
    }
    assert_eq!(*told.lock().unwrap(), Some(true));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_taken_once_it_is_closed() {
    let (intake, _, mut queues) = intake(keyring(), vec![None], &[ROOM]);
    intake.close();
    let (batch, told) = batch();
    assert_eq!(intake.take(batch, Duration::MAX).await, Err(Refused::Stopping));
    assert_eq!(*told.lock().unwrap(), Some(false));
    assert!(queues[0].pop(ROOM).await.is_none());
}

/// What was not cleaned yet when the policy was swapped comes out as the new one says.
#[tokio::test(start_paused = true)]
async fn no_more_is_cleaned_than_there_are_places() {
    let (intake, now, mut queues) = intake(keyring(), vec![None], &[1]);
    let intake = Arc::new(intake);
    let mut takes = tokio::task::JoinSet::new();
    for _ in 0..1 + TURNS + 3 {
        let intake = Arc::clone(&intake);
        takes.spawn(async move { intake.take(batch().0, Duration::MAX).await });
    }
    // The paused clock goes on once nobody can do anything.
    tokio::time::sleep(Duration::from_secs(1)).await;
    now.swap(Live::new(Arc::new(Policy::builtin("everything").unwrap()), keyring(), vec![Want::default()]));
    let mut after = 0;
    for _ in 0..1 + TURNS + 3 {
        for (item, _) in queues[0].pop(1).await.unwrap() {
            after += usize::from(item.batch.iter().next().unwrap().message == b"from [ipv4]");
        }
    }
    assert_eq!(after, 3);
}

#[tokio::test(start_paused = true)]
async fn what_was_remembered_goes_with_its_keys() {
    let (intake, now, _queues) = intake(keyring(), vec![None], &[1]);
    assert_eq!(intake.take(batch().0, Duration::MAX).await, Ok(()));
    let before = Arc::downgrade(&now.look().states);
    assert_eq!(before.upgrade().unwrap().0.lock().unwrap().len(), 1);
    let waits = async {
        // Clean, and waiting for room.
        let _ = intake.take(batch().0, Duration::from_secs(60)).await;
    };
    let swap = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        now.rekey(keyring());
        assert!(before.upgrade().is_none(), "a raw value outlives its key");
    };
    tokio::join!(waits, swap);
}

/// An intake under a policy with residency, with a sink in each of these regions.
fn bound_intake(policy: &Arc<Policy>, regions: &[Option<&str>]) -> (Intake, Now, Vec<Receiver>) {
    let wants = regions.iter().map(|region| Want { classes: None, region: region.map(Arc::from) }).collect();
    let now = Now::new(Live::new(Arc::clone(policy), keyring(), wants));
    let gauge = || prometheus::IntGauge::new("test", "test").unwrap();
    let (senders, receivers): (Vec<_>, Vec<_>) = regions.iter().map(|_| memory::queue(ROOM, gauge())).unzip();
    let queues = Queues::Memory(senders.into());
    let intake =
        Intake::new(now.clone(), queues, TURNS, Ids::of_run(7), Arc::new(Metrics::new()), Arc::default());
    (intake, now, receivers)
}

fn said(messages: &[&str]) -> Batch {
    let mut raw = Raw::default();
    let records = messages.iter().map(|text| Record::plain(raw.push(text.as_bytes()))).collect();
    let (received, path, ack) = (Timestamp::UNIX_EPOCH, Raw::default(), Ack::none());
    Batch { raw, records, received, source: "test".into(), path, ack }
}

const BOUND: &str = "policy: p\nresidency: [{ field: country, values: [RU], regions: [ru] }]\n\
                     classes: { \"*\": { regions: [eea, ru] } }\n";

#[tokio::test(start_paused = true)]
async fn a_record_goes_to_sinks_in_its_regions_alone() {
    let policy = Arc::new(Policy::parse("p", BOUND).unwrap());
    let (intake, _, mut queues) = bound_intake(&policy, &[Some("eea"), Some("us"), None, Some("ru")]);
    assert_eq!(intake.take(said(&["country=RU", "country=DE"]), Duration::ZERO).await, Ok(()));
    drop(intake);
    let mut got = Vec::new();
    for queue in &mut queues {
        let items = queue.pop(ROOM).await.unwrap_or_default();
        let messages = items
            .iter()
            .flat_map(|(item, _)| item.batch.iter().map(|one| one.message.to_vec()).collect::<Vec<_>>());
        got.push(messages.map(|one| String::from_utf8(one).unwrap()).collect::<Vec<_>>());
    }
    assert_eq!(got, [vec!["country=DE"], vec![], vec![], vec!["country=RU", "country=DE"]]);
}

#[tokio::test(start_paused = true)]
async fn a_record_with_nowhere_to_go_is_held_and_counted_until_there_is_a_place() {
    let policy = Arc::new(Policy::parse("p", BOUND).unwrap());
    let (intake, now, mut queues) = bound_intake(&policy, &[Some("eea"), Some("us")]);
    assert_eq!(
        intake.take(said(&["country=DE", "country=RU"]), Duration::from_secs(5)).await,
        Err(Refused::Full)
    );
    let stranded = intake.metrics.records_stranded.with_label_values(&["app"]);
    assert_eq!(stranded.get(), 1, "the one record, once");
    let later = async {
        tokio::time::sleep(Duration::from_secs(60)).await;
        let wants =
            [Some("eea"), Some("ru")].map(|region| Want { classes: None, region: region.map(Arc::from) });
        now.swap(Live::new(Arc::clone(&policy), keyring(), wants.to_vec()));
    };
    let (taken, ()) = tokio::join!(intake.take(said(&["country=RU"]), Duration::MAX), later);
    assert_eq!(taken, Ok(()));
    let items = queues[1].pop(ROOM).await.unwrap();
    assert_eq!(items[0].0.batch.iter().next().unwrap().message, b"country=RU");
}

/// What waited on disk goes where it might go when it came and where its class may go now; what may go nowhere is known.
#[tokio::test(start_paused = true)]
async fn what_waited_goes_where_it_might_then_and_may_now() {
    let then = Arc::new(Policy::parse("p", BOUND).unwrap());
    let (intake, now, mut queues) = bound_intake(&then, &[Some("ru")]);
    assert_eq!(intake.take(said(&["country=RU", "country=DE"]), Duration::ZERO).await, Ok(()));
    let batch = queues[0].pop(ROOM).await.unwrap().remove(0).0.batch;
    let mut thawed = crate::act::Thaw::new(7);
    let seal = crate::act::Seal::new(&[7; 32]);
    for (record, sequence) in batch.records().iter().zip(1..) {
        let mut out = Vec::new();
        assert!(batch.seal(record, sequence, &seal, |length| length.to_le_bytes(), &mut out));
        assert!(thawed.push(sequence, &seal, &out[..4], &out[4..]));
    }
    let [waited] = thawed.finish().try_into().unwrap();
    let narrower = BOUND
        .replace("[eea, ru]", "[ru]")
        .replace("residency: [{ field: country, values: [RU], regions: [ru] }]\n", "");
    let unbound = "policy: p\n";
    for (policy, regions, got, stranded) in [
        (BOUND, [Some("eea"), Some("ru")], [1, 2], 0),
        (BOUND, [None, Some("ru")], [0, 2], 0),
        (BOUND, [Some("eea"), Some("us")], [1, 0], 1),
        (&narrower, [Some("eea"), Some("ru")], [0, 2], 0),
        // A policy that binds nothing any more frees nothing that was bound.
        (unbound, [Some("eea"), None], [1, 0], 1),
    ] {
        let policy = Arc::new(Policy::parse("p", policy).unwrap());
        let wants = regions.map(|region| Want { classes: None, region: region.map(Arc::from) });
        now.swap(Live::new(policy, keyring(), wants.to_vec()));
        let live = now.look();
        let seen = Waited::new(&waited, &live);
        let part = |place| match seen.part(place) {
            Some(Part::Whole) => waited.len(),
            Some(Part::Some(part)) => part.len(),
            None => 0,
        };
        assert_eq!(([part(0), part(1)], seen.stranded().len()), (got, stranded), "{regions:?}");
    }
}

/*!
From a queue into its sink, a task each, so that no sink waits for another; a task
more for each request where a sink may have several under way.
*/

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;

use super::dead::Letters;
use crate::act::Redacted;
use crate::limit::{DEAD_LETTER_REASONS_MAX, DELIVERY_BYTES, REFUSED_TOLD_EVERY};
use crate::queue::Item;
use crate::queue::memory::{Held, Receiver};
use crate::record::Record;
use crate::sink::{Batch, Context, Fault, Gated, Pace, Sink, deliver};

/// Delivers what comes out of `queue` until its senders are gone and it is empty.
///
/// Dropped before that, it leaves what it could not deliver unconfirmed. The waits between attempts are drawn from `seed`.
/// What it refuses becomes a dead letter.
pub async fn drive(
    sink: impl Sink + 'static,
    queue: Receiver,
    context: Context,
    letters: Arc<Letters>,
    seed: u64,
) {
    let sink = Gated::new(sink, &context);
    let pace = Pace::new(sink.batch().requests_max, seed);
    let way = Way { pace, context, letters, refusals: Mutex::default() };
    match sink.twin() {
        None => in_order(sink, queue, way).await,
        Some(twin) => side_by_side((sink, twin), queue, Arc::new(way)).await,
    }
}

/// What all requests of a sink share.
struct Way {
    pace: Pace,
    context: Context,
    letters: Arc<Letters>,
    refusals: Mutex<Refusals>,
}

/// Records that the sink refused and that the log has not told of yet: whoever sends them may send many.
#[derive(Default)]
struct Refusals {
    told: Option<Instant>,
    records: usize,
}

impl Refusals {
    /// Tells of them, unless it told of others just now.
    fn tell(&mut self, sink: &str, fault: &Fault, records: usize) {
        self.records += records;
        if self.told.is_some_and(|told| told.elapsed() < REFUSED_TOLD_EVERY) {
            return;
        }
        let (kind, detail) = (fault.kind.label(), &*fault.detail);
        let records = std::mem::take(&mut self.records);
        tracing::error!(
            sink,
            kind,
            detail,
            records,
            "the sink refused records for good; they are dead letters"
        );
        self.told = Some(Instant::now());
    }
}

/// One request after the other.
async fn in_order(mut sink: impl Sink, mut queue: Receiver, way: Way) {
    let mut minute = tokio::time::interval(Duration::from_secs(60));
    loop {
        let items = tokio::select! {
            items = queue.pop(DELIVERY_BYTES.max(sink.batch().bytes_max)) => items,
            _ = minute.tick() => {
                sink.tick().await;
                continue;
            }
        };
        let Some(mut items) = items else { return };
        fill(&mut items, &mut queue, sink.batch()).await;
        hand_over(&mut sink, items, &way).await;
    }
}

/// As many requests at the same time as the pace allows; what there is leaves as soon as one of them has ended.
async fn side_by_side<S: Sink + 'static>((mut first, second): (S, S), mut queue: Receiver, way: Arc<Way>) {
    let wanted = first.batch();
    let mut minute = tokio::time::interval(Duration::from_secs(60));
    let (mut idle, mut flying) = (vec![second], JoinSet::new());
    loop {
        idle.extend(flying.try_join_next().map(landed));
        let requests = way.pace.requests();
        let metrics = &way.context.metrics;
        metrics.sink_requests.with_label_values(&[&way.context.name]).set(requests as i64);
        if flying.len() >= requests {
            idle.extend(flying.join_next().await.map(landed));
            continue;
        }
        let items = tokio::select! {
            items = queue.pop(wanted.bytes_max) => items,
            _ = minute.tick() => {
                first.tick().await;
                continue;
            }
        };
        let Some(mut items) = items else { break };
        fill(&mut items, &mut queue, wanted).await;
        let Some(mut sink) = idle.pop().or_else(|| first.twin()) else { break };
        let way = Arc::clone(&way);
        flying.spawn(async move {
            hand_over(&mut sink, items, &way).await;
            sink
        });
    }
    while let Some(ended) = flying.join_next().await {
        landed(ended);
    }
}

/// The sink of a request that ended. A panic within is the panic of who asked for it.
fn landed<S>(ended: Result<S, JoinError>) -> S {
    ended.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}

/// Delivers these batches. What is refused is kept as dead letters, and so settled, too.
async fn hand_over(sink: &mut impl Sink, items: Vec<(Item, Held)>, way: &Way) {
    let batches: Vec<Arc<Redacted>> = items.iter().map(|(item, _)| Arc::clone(&item.batch)).collect();
    let mut pending = Pending::new(items, way);
    deliver(sink, &batches, &way.pace, &way.context, |records, fault| pending.settle(records, fault)).await;
    let (held, letters): (Vec<_>, Vec<_>) =
        pending.dead.into_iter().map(|(item, held, letters)| ((item, held), letters)).unzip();
    if held.is_empty() {
        return;
    }
    way.letters.keep(&way.context.name, &letters.concat()).await;
    for (item, held) in held {
        held.settle();
        item.ack.confirm();
    }
}

/// Waits for more where the sink wants more at once, no longer than it wants to wait.
async fn fill(items: &mut Vec<(Item, Held)>, queue: &mut Receiver, wanted: Batch) {
    if wanted.age_max.is_zero() {
        return;
    }
    let until = Instant::now() + wanted.age_max;
    loop {
        let bytes: usize = items.iter().map(|(item, _)| item.batch.byte_len()).sum();
        let records: usize = items.iter().map(|(item, _)| item.batch.len()).sum();
        if bytes >= wanted.bytes_max || records >= wanted.records_max {
            return;
        }
        match tokio::time::timeout_at(until, queue.pop(wanted.bytes_max - bytes)).await {
            Ok(Some(more)) => items.extend(more),
            Ok(None) | Err(_) => return,
        }
    }
}

/// Batches at a sink, in order.
struct Pending<'a> {
    items: VecDeque<(Item, Held)>,
    /// How many of the first batch's records are settled.
    settled: usize,
    /// Which of those were refused, and why.
    refused: Vec<(usize, Fault)>,
    /// Batches that are through, but for what was refused of them.
    dead: Vec<(Item, Held, Vec<Arc<Redacted>>)>,
    way: &'a Way,
}

impl Pending<'_> {
    fn new(items: Vec<(Item, Held)>, way: &Way) -> Pending<'_> {
        let (refused, dead) = (Vec::new(), Vec::new());
        let mut pending = Pending { items: items.into(), settled: 0, refused, dead, way };
        pending.settle(0, None);
        pending
    }

    /// So many records more are delivered, or refused where there is a fault. A batch that is through leaves at once.
    fn settle(&mut self, records: usize, fault: Option<Fault>) {
        if let Some(fault) = fault {
            self.refused.extend((self.settled..self.settled + records).map(|at| (at, fault.clone())));
        }
        self.settled += records;
        while let Some((item, held)) = self.items.pop_front() {
            let len = item.batch.len();
            if len > self.settled {
                self.items.push_front((item, held));
                return;
            }
            self.settled -= len;
            self.finish(item, held);
        }
    }

    /// Counts a batch, and confirms it unless a record of it was refused.
    fn finish(&mut self, item: Item, held: Held) {
        let (name, metrics) = (&*self.way.context.name, &self.way.context.metrics);
        let refused = std::mem::take(&mut self.refused);
        let records = item.batch.records();
        let sent = |at: &usize| refused.binary_search_by_key(at, |(at, _)| *at).is_err();
        count(&item.batch, (0..records.len()).filter(sent).map(|at| &records[at]), |class, records| {
            metrics.records_sent.with_label_values(&[name, class]).inc_by(records);
        });
        let lost: usize = refused.iter().map(|(at, _)| bytes(&records[*at])).sum();
        let bytes = item.batch.byte_len().saturating_sub(lost);
        metrics.sent_bytes.with_label_values(&[name]).inc_by(bytes as u64);
        let Some((_, fault)) = refused.last() else {
            held.settle();
            item.ack.confirm();
            return;
        };
        metrics.records_refused.with_label_values(&[name]).inc_by(refused.len() as u64);
        // What was told is whole, whoever panicked.
        let mut refusals = self.way.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        refusals.tell(name, fault, refused.len());
        drop(refusals);
        let letters = letters(&item.batch, refused);
        self.dead.push((item, held, letters));
    }
}

/// The refused records of a batch, those together that were refused for the same reason. A store may find a reason of its
/// own for each record: beyond [`DEAD_LETTER_REASONS_MAX`] they are not told apart.
fn letters(batch: &Redacted, refused: Vec<(usize, Fault)>) -> Vec<Arc<Redacted>> {
    let mut reasons: Vec<(Fault, Vec<u32>)> = Vec::new();
    for (at, fault) in refused {
        let place = batch.records()[at].place;
        let known = reasons.iter_mut().position(|(known, _)| *known == fault);
        let others = || reasons.len().checked_sub(1).filter(|_| reasons.len() == DEAD_LETTER_REASONS_MAX);
        match known.or_else(others) {
            Some(known) => reasons[known].1.push(place),
            None if reasons.len() + 1 == DEAD_LETTER_REASONS_MAX => {
                reasons.push((Fault { kind: fault.kind, detail: "other reasons".to_owned() }, vec![place]));
            }
            None => reasons.push((fault, vec![place])),
        }
    }
    let letter = |(fault, places): (Fault, Vec<u32>)| {
        let part = batch.only(|record| places.binary_search(&record.place).is_ok());
        let why = format!("{} {}", fault.kind.label(), fault.detail);
        Arc::new(part.refused(why.into()))
    };
    reasons.into_iter().map(letter).collect()
}

/// Clean bytes of a record.
fn bytes(record: &Record) -> usize {
    let mut record = *record;
    record.parts_mut().into_iter().map(|part| part.len()).sum()
}

/// Tells how many records of each class a batch has, classes without any left out.
pub fn count_by_class(batch: &Redacted, tell: impl FnMut(&str, u64)) {
    count(batch, batch.records().iter(), tell);
}

/// The same of some of a batch's records.
pub fn count<'a>(batch: &Redacted, of: impl Iterator<Item = &'a Record>, mut tell: impl FnMut(&str, u64)) {
    let classes = &batch.names().classes;
    let mut records = vec![0_u64; classes.len()];
    for record in of {
        records[usize::from(record.class.0)] += 1;
    }
    for ((class, _), count) in classes.iter().zip(records).filter(|(_, count)| *count > 0) {
        tell(class, count);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::act::Pass;
    use crate::clock::Timestamp;
    use crate::queue::memory;
    use crate::record::{Ack, Names};
    use crate::sink::{Delivery, Verdict};

    fn item() -> Item {
        let nothing = crate::secret::Raw::default();
        let batch = Pass::new(&nothing, Timestamp::UNIX_EPOCH, Arc::new(Names::default())).finish();
        Item { batch: Arc::new(batch), ack: Ack::none() }
    }

    /// How many batches are there at once, and when, for a sink that waits so long, if one comes each second.
    async fn filled(age_max: Duration) -> (usize, Duration) {
        let gauge = prometheus::IntGauge::new("test", "test").unwrap();
        let (sender, mut queue) = memory::queue(1 << 20, gauge);
        sender.reserve(1, Duration::ZERO).await.unwrap().send(item());
        tokio::spawn(async move {
            for _ in 0..9 {
                tokio::time::sleep(Duration::from_secs(1)).await;
                sender.reserve(1, Duration::ZERO).await.unwrap().send(item());
            }
        });
        let started = Instant::now();
        let mut items = queue.pop(1).await.unwrap();
        fill(&mut items, &mut queue, Batch { age_max, ..Batch::default() }).await;
        (items.len(), started.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_delivery_waits_for_more_as_long_as_its_sink_wants() {
        assert_eq!(filled(Duration::ZERO).await, (1, Duration::ZERO));
        assert_eq!(filled(Duration::from_millis(3500)).await, (4, Duration::from_millis(3500)));
        // Nobody sends any more: there is nothing to wait for.
        assert_eq!(filled(Duration::from_secs(300)).await, (10, Duration::from_secs(9)));
    }

    #[tokio::test(start_paused = true)]
    async fn refusals_are_told_now_and_then_with_their_number() {
        let fault = Fault { kind: crate::telemetry::SinkError::Refused, detail: String::new() };
        let mut refusals = Refusals::default();
        let mut left = |records| {
            refusals.tell("s", &fault, records);
            refusals.records
        };
        assert_eq!((left(3), left(2), left(4)), (0, 2, 6));
        tokio::time::advance(REFUSED_TOLD_EVERY).await;
        assert_eq!((left(1), left(1)), (0, 1));
    }

    fn digits(text: &[u8]) -> usize {
        std::str::from_utf8(text).unwrap().split(' ').find_map(|word| word.parse().ok()).unwrap()
    }

    /// A batch of one record, which tells its number.
    fn numbered(number: usize, confirmed: &Arc<AtomicUsize>) -> Item {
        let nothing = crate::secret::Raw::default();
        let classes = vec![("app".into(), "90d".parse().unwrap())];
        let names = Names { classes, streams: vec!["s".into()], ..Names::default() };
        let mut pass = Pass::new(&nothing, Timestamp::UNIX_EPOCH, Arc::new(names));
        // The marker tells the message's length.
        let record = Record::plain(crate::span::Span::new(0, number));
        pass.withhold(&record, "of the test", &mut crate::act::Tally::default());
        let told = Arc::clone(confirmed);
        let ack = Ack::new(move |safe| {
            told.fetch_add(usize::from(safe), Ordering::Relaxed);
        });
        Item { batch: Arc::new(pass.finish()), ack }
    }

    /// A store may say something else of each record.
    #[test]
    fn letters_take_as_much_room_as_their_records_whatever_is_said_of_each() {
        let nothing = crate::secret::Raw::default();
        let classes = vec![("app".into(), "90d".parse().unwrap())];
        let names = Names { classes, streams: vec!["s".into()], ..Names::default() };
        let mut pass = Pass::new(&nothing, Timestamp::UNIX_EPOCH, Arc::new(names));
        for number in 0..1000 {
            let record = Record::plain(crate::span::Span::new(0, number));
            pass.withhold(&record, "of the test", &mut crate::act::Tally::default());
        }
        let batch = pass.finish();
        let refused = |reasons: usize| {
            let fault = |at: usize| Fault {
                kind: crate::telemetry::SinkError::Refused,
                detail: format!("of {}", at % reasons),
            };
            letters(&batch, (0..1000).map(|at| (at, fault(at))).collect())
        };
        for (reasons, told) in [(1, 1), (7, 7), (8, 8), (9, 8), (1000, 8)] {
            let letters = refused(reasons);
            assert_eq!(letters.len(), told, "{reasons}");
            assert_eq!(letters.iter().map(|letter| letter.len()).sum::<usize>(), 1000);
            assert!(letters.iter().map(|letter| letter.byte_len()).sum::<usize>() <= batch.byte_len());
            let last = letters[told - 1].refusal().unwrap();
            assert_eq!(last == "refused other reasons", reasons > 7, "{last}");
            assert_eq!(letters[0].iter().next().unwrap().message, batch.iter().next().unwrap().message);
        }
    }

    fn context() -> Context {
        Context {
            name: "s".into(),
            metrics: Arc::new(crate::telemetry::Metrics::new()),
            clock: Arc::new(crate::clock::SystemClock::new()),
            gate: crate::sink::Gate::default(),
        }
    }

    fn letters_in(folder: &std::path::Path, context: &Context) -> Arc<Letters> {
        let dir = Arc::new(crate::vault::DataDir::open(folder).unwrap());
        let kek = Arc::new(crate::vault::Kek::beside(&dir).unwrap());
        let time = crate::vault::Timekeeper::new(
            Arc::clone(&context.clock),
            crate::vault::high_water(&dir).unwrap(),
        );
        let dead = crate::queue::dead::DeadLetters::open(dir, kek).unwrap();
        Arc::new(Letters::new(Arc::new(dead), Arc::new(time), Arc::clone(&context.metrics)))
    }

    /// Takes a second for each request. How many at the same time, and in which order.
    #[derive(Clone)]
    struct Slow {
        together: bool,
        now: Arc<AtomicUsize>,
        most: Arc<AtomicUsize>,
        order: Arc<Mutex<Vec<usize>>>,
    }

    impl Sink for Slow {
        fn batch(&self) -> Batch {
            Batch { bytes_max: 1, requests_max: 5, ..Batch::default() }
        }

        fn twin(&self) -> Option<Slow> {
            self.together.then(|| self.clone())
        }

        async fn send(&mut self, delivery: &mut Delivery<'_>) -> Verdict {
            let flying = self.now.fetch_add(1, Ordering::Relaxed) + 1;
            self.most.fetch_max(flying, Ordering::Relaxed);
            let texts = delivery.iter().map(|envelope| String::from_utf8(envelope.message.to_vec()).unwrap());
            let digits = |text: String| text.split(' ').find_map(|word| word.parse::<usize>().ok()).unwrap();
            self.order.lock().unwrap().extend(texts.map(digits));
            tokio::time::sleep(Duration::from_secs(1)).await;
            self.now.fetch_sub(1, Ordering::Relaxed);
            Verdict::Accept
        }
    }

    /// Batches of one record each through a slow sink; most requests at the same time, the order of the records, and
    /// how many batches were confirmed.
    async fn driven(together: bool, count: usize) -> (usize, Vec<usize>, usize) {
        let sink = Slow { together, now: Arc::default(), most: Arc::default(), order: Arc::default() };
        let confirmed = Arc::new(AtomicUsize::new(0));
        let gauge = prometheus::IntGauge::new("test", "test").unwrap();
        let (sender, queue) = memory::queue(1 << 20, gauge);
        for number in 0..count {
            sender.reserve(1, Duration::ZERO).await.unwrap().send(numbered(number, &confirmed));
        }
        drop(sender);
        let context = context();
        let folder = tempfile::tempdir().unwrap();
        let letters = letters_in(folder.path(), &context);
        drive(sink.clone(), queue, context, letters, 1).await;
        let order = sink.order.lock().unwrap().clone();
        (sink.most.load(Ordering::Relaxed), order, confirmed.load(Ordering::Relaxed))
    }

    #[tokio::test(start_paused = true)]
    async fn several_requests_are_under_way_where_the_sink_allows_it() {
        let (most, mut order, confirmed) = driven(true, 200).await;
        assert_eq!((most, confirmed), (5, 200));
        order.sort_unstable();
        assert_eq!(order, Vec::from_iter(0..200));
    }

    #[tokio::test(start_paused = true)]
    async fn a_sink_without_a_twin_gets_records_in_their_order() {
        assert_eq!(driven(false, 40).await, (1, Vec::from_iter(0..40), 40));
    }

    /// Away until so long after the start; the order in which it takes records.
    #[derive(Clone)]
    struct Parted {
        together: bool,
        until: Instant,
        order: Arc<Mutex<Vec<usize>>>,
    }

    impl Sink for Parted {
        fn batch(&self) -> Batch {
            Batch { bytes_max: 1, ..Batch::default() }
        }

        fn twin(&self) -> Option<Parted> {
            self.together.then(|| self.clone())
        }

        async fn send(&mut self, delivery: &mut Delivery<'_>) -> Verdict {
            tokio::time::sleep(Duration::from_millis(1)).await;
            if Instant::now() < self.until {
                let fault = Fault { kind: crate::telemetry::SinkError::Connect, detail: String::new() };
                return Verdict::Defer(fault, None);
            }
            self.order.lock().unwrap().extend(delivery.iter().map(|envelope| digits(envelope.message)));
            Verdict::Accept
        }
    }

    /// F26, T12: the way to a store is cut for ten minutes, while a batch comes each second. Then all of them are there, the
    /// oldest first, whether one request goes at a time or several.
    #[tokio::test(start_paused = true)]
    async fn after_ten_minutes_without_a_way_the_oldest_comes_first_and_nothing_is_missing() {
        for together in [false, true] {
            let (cut, order) = (Duration::from_secs(600), Arc::default());
            let sink = Parted { together, until: Instant::now() + cut, order: Arc::clone(&order) };
            let (sender, queue) = memory::queue(8 << 20, prometheus::IntGauge::new("test", "test").unwrap());
            let confirmed = Arc::new(AtomicUsize::new(0));
            let context = context();
            let folder = tempfile::tempdir().unwrap();
            let letters = letters_in(folder.path(), &context);
            let driven = tokio::spawn(drive(sink, queue, context, letters, 1));
            for number in 0..600 {
                sender.reserve(1, Duration::ZERO).await.unwrap().send(numbered(number, &confirmed));
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            drop(sender);
            driven.await.unwrap();
            let mut order = order.lock().unwrap().clone();
            assert_eq!(confirmed.load(Ordering::Relaxed), 600);
            let oldest = order.iter().position(|number| *number == 0).unwrap();
            assert!(oldest < 4, "{oldest}");
            order.sort_unstable();
            assert_eq!(order, Vec::from_iter(0..600));
        }
    }
}

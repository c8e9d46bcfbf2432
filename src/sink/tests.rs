use proptest::prelude::*;

use super::*;
use crate::act::{Pass, Redacted, Tally};
use crate::clock::{SystemClock, Timestamp};
use crate::record::{Names, Record};
use crate::span::Span;
use crate::ttl::Ttl;

/// Gives the verdicts it was made with, one an attempt, then accepts.
struct Scripted(Vec<Verdict>);

impl Sink for Scripted {
    async fn send(&mut self, _: &mut Delivery<'_>) -> Verdict {
        self.0.pop().unwrap_or(Verdict::Accept)
    }
}

/// Refuses more than `most` records at once, and all with which a bad one comes; looks at no more than `glance`.
struct Picky {
    bad: Vec<usize>,
    most: usize,
    glance: usize,
    took: Vec<usize>,
    attempts: usize,
}

impl Sink for Picky {
    async fn send(&mut self, delivery: &mut Delivery<'_>) -> Verdict {
        self.attempts += 1;
        delivery.limit(self.glance);
        let seen: Vec<usize> = delivery.iter().map(number).collect();
        let copied = delivery.batches();
        let copied: Vec<usize> = copied.iter().flat_map(|batch| batch.iter()).map(number).collect();
        assert_eq!((seen.len(), &seen), (delivery.len(), &copied));
        if seen.len() > self.most || seen.iter().any(|record| self.bad.contains(record)) {
            return Verdict::Refuse(fault(SinkError::Refused));
        }
        self.took.extend(seen);
        Verdict::Accept
    }
}

/// Answers for each record by itself: a busy one as often as it says, a bad one never.
struct Itemwise {
    busy: Vec<usize>,
    bad: Vec<usize>,
    asked: Vec<Vec<usize>>,
}

impl Sink for Itemwise {
    async fn send(&mut self, delivery: &mut Delivery<'_>) -> Verdict {
        let seen: Vec<usize> = delivery.iter().map(number).collect();
        let copied = delivery.batches();
        let copied: Vec<usize> = copied.iter().flat_map(|batch| batch.iter()).map(number).collect();
        assert_eq!(seen, copied);
        let outcome = |record: &usize| match self.busy.iter().position(|busy| busy == record) {
            Some(at) => {
                self.busy.swap_remove(at);
                (1, Outcome::Defer(fault(SinkError::Busy), None))
            }
            None if self.bad.contains(record) => (1, Outcome::Refuse(fault(SinkError::Refused))),
            None => (1, Outcome::Accept),
        };
        let outcomes = seen.iter().map(outcome).collect();
        self.asked.push(seen);
        Verdict::Settle(outcomes)
    }
}

/// Batches of so many records, which are numbered through.
fn batches(lens: &[usize]) -> Vec<Arc<Redacted>> {
    let ttl: Ttl = "90d".parse().unwrap();
    let names = Names { classes: vec![("app".into(), ttl)], streams: vec!["s".into()], ..Names::default() };
    let names = Arc::new(names);
    let mut next = 0;
    let batch = |len: &usize| {
        let nothing = crate::secret::Raw::default();
        let mut pass = Pass::new(&nothing, Timestamp::UNIX_EPOCH, Arc::clone(&names));
        for _ in 0..*len {
            // The marker tells the message's length.
            pass.withhold(&Record::plain(Span::new(0, next)), "of the test", &mut Tally::default());
            next += 1;
        }
        Arc::new(pass.finish())
    };
    lens.iter().map(batch).collect()
}

fn number(envelope: crate::act::Envelope<'_>) -> usize {
    let text = std::str::from_utf8(envelope.message).unwrap();
    text.split(' ').find_map(|word| word.parse().ok()).unwrap()
}

fn fault(kind: SinkError) -> Fault {
    Fault { kind, detail: String::new() }
}

fn context() -> Context {
    Context {
        name: "s".into(),
        metrics: Arc::new(Metrics::new()),
        clock: Arc::new(SystemClock::new()),
        gate: Gate::default(),
    }
}

/// Delivers; which records were settled as delivered, and which as refused.
async fn delivered(sink: &mut impl Sink, lens: &[usize], context: &Context) -> (Vec<usize>, Vec<usize>) {
    let (mut at, mut taken, mut refused) = (0, Vec::new(), Vec::new());
    let settled = |records, fault: Option<Fault>| {
        if fault.is_some() { &mut refused } else { &mut taken }.extend(at..at + records);
        at += records;
    };
    deliver(sink, &batches(lens), &Pace::new(1, 1), context, settled).await;
    (taken, refused)
}

#[tokio::test(start_paused = true)]
async fn waits_as_long_as_the_sink_asks() {
    let busy = || Verdict::Defer(fault(SinkError::Busy), Some(Duration::from_secs(7)));
    let mut sink = Scripted(vec![busy(), busy(), busy()]);
    let (context, started) = (context(), tokio::time::Instant::now());
    assert_eq!(delivered(&mut sink, &[1], &context).await, (vec![0], vec![]));
    assert_eq!(started.elapsed(), Duration::from_secs(21), "its own waits are shorter");
    assert_eq!(context.metrics.sink_retries.with_label_values(&["s"]).get(), 3);
    assert_eq!(context.metrics.sink_errors.with_label_values(&["s", "busy"]).get(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_sink_cannot_ask_for_more_than_the_limit() {
    let mut sink = Scripted(vec![Verdict::Defer(fault(SinkError::Busy), Some(Duration::MAX))]);
    let started = tokio::time::Instant::now();
    assert_eq!(delivered(&mut sink, &[1], &context()).await, (vec![0], vec![]));
    assert_eq!(started.elapsed(), RETRY_AFTER_MAX);
}

#[tokio::test(start_paused = true)]
async fn keeps_asking_a_sink_that_is_away_for_an_hour() {
    let away = || Verdict::Defer(fault(SinkError::Connect), None);
    let mut sink = Scripted((0..1000).map(|_| away()).collect());
    assert_eq!(delivered(&mut sink, &[1], &context()).await, (vec![0], vec![]));
}

#[tokio::test]
async fn one_bad_record_costs_few_attempts_and_no_other_record() {
    let mut sink = Picky { bad: vec![700], most: usize::MAX, glance: usize::MAX, took: vec![], attempts: 0 };
    let (taken, refused) = delivered(&mut sink, &[400, 0, 624], &context()).await;
    assert_eq!((taken.len(), refused), (1023, vec![700]));
    assert_eq!(sink.attempts, 21, "both halves, ten times");
}

proptest! {
    /// Law: whatever a sink cannot read, and however little it takes at once, each record is settled once and in
    /// order, those it took are those settled as delivered, and only what it refuses alone is refused.
    #[test]
    fn nothing_is_lost_to_its_neighbours(
        lens in prop::collection::vec(0..9_usize, 0..6),
        bad in prop::collection::vec(0..40_usize, 0..5),
        most in 1..20_usize,
        glance in 1..20_usize,
    ) {
        let total: usize = lens.iter().sum();
        let mut sink = Picky { bad, most, glance, took: vec![], attempts: 0 };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let (taken, refused) = runtime.block_on(delivered(&mut sink, &lens, &context()));
        let (bad, good): (Vec<usize>, Vec<usize>) = (0..total).partition(|record| sink.bad.contains(record));
        prop_assert_eq!(&taken, &good);
        prop_assert_eq!(&sink.took, &good);
        prop_assert_eq!(refused, bad);
    }

    /// Law: of records that are answered one by one, each is settled once and in order, one that is deferred is sent
    /// again and never one that is settled, and each of those refused costs no other record a second attempt.
    #[test]
    fn what_is_deferred_is_sent_again_alone(
        lens in prop::collection::vec(0..9_usize, 0..6),
        busy in prop::collection::vec(0..40_usize, 0..20),
        bad in prop::collection::vec(0..40_usize, 0..5),
    ) {
        let total: usize = lens.iter().sum();
        let times = |record: &usize| 1 + busy.iter().filter(|busy| *busy == record).count();
        let mut sink = Itemwise { busy: busy.clone(), bad, asked: vec![] };
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let (taken, refused) = runtime.block_on(delivered(&mut sink, &lens, &context()));
        let (bad, good): (Vec<usize>, Vec<usize>) = (0..total).partition(|record| sink.bad.contains(record));
        prop_assert_eq!(&taken, &good);
        prop_assert_eq!(refused, bad);
        for record in 0..total {
            let asked = sink.asked.iter().flatten().filter(|asked| **asked == record).count();
            prop_assert_eq!(asked, times(&record), "{}", record);
        }
    }
}

/// Away for the first ten minutes. Who asks, and when.
#[derive(Clone)]
struct Away(Arc<std::sync::Mutex<Vec<tokio::time::Instant>>>);

const AWAY: Duration = Duration::from_secs(600);

impl Sink for Away {
    async fn send(&mut self, _: &mut Delivery<'_>) -> Verdict {
        let now = tokio::time::Instant::now();
        let mut asked = self.0.lock().unwrap();
        asked.push(now);
        match now - asked[0] < AWAY {
            true => Verdict::Defer(fault(SinkError::Connect), None),
            false => Verdict::Accept,
        }
    }
}

/// T32: many requests that wait for the same store ask it no more often than the budget says.
#[tokio::test(start_paused = true)]
async fn an_outage_is_not_multiplied_by_those_who_wait_for_its_end() {
    const REQUESTS: usize = 16;
    let pace = Arc::new(Pace::new(REQUESTS, 1));
    let sink = Away(Arc::default());
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..REQUESTS {
        let (pace, mut sink) = (Arc::clone(&pace), sink.clone());
        tasks.spawn(async move {
            let mut settled = 0;
            deliver(&mut sink, &batches(&[3]), &pace, &context(), |records, _| settled += records).await;
            assert_eq!(settled, 3);
        });
    }
    tasks.join_all().await;
    let asked = sink.0.lock().unwrap();
    let during = asked.iter().filter(|at| **at - asked[0] < AWAY).count();
    let bound = REQUESTS as f64 + crate::limit::RETRY_BUDGET + AWAY.as_secs_f64();
    assert!(during as f64 <= bound, "{during} of {bound}");
    assert!(during > 40, "it is asked again and again: {during}");
}

/// What a store says to one request holds for all that go there.
#[tokio::test(start_paused = true)]
async fn nobody_asks_before_the_store_said() {
    let pace = Pace::new(4, 1);
    let busy = Verdict::Defer(fault(SinkError::Busy), Some(Duration::from_secs(60)));
    let context = context();
    let started = tokio::time::Instant::now();
    let (mut one, mut other) = (Scripted(vec![busy]), Scripted(Vec::new()));
    let (all, more) = (batches(&[1]), batches(&[1]));
    let first = deliver(&mut one, &all, &pace, &context, |_, _| {});
    let second = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        deliver(&mut other, &more, &pace, &context, |_, _| {}).await;
        started.elapsed()
    };
    let ((), second) = tokio::join!(first, second);
    assert!(second >= Duration::from_secs(60), "{second:?}");
}

/// Nothing is sent meanwhile, so what comes then is asked for the first time, and the budget of retries is whole.
#[tokio::test(start_paused = true)]
async fn to_wait_until_a_store_is_verified_is_no_retry() {
    let context = context();
    let unverified = (0..40).map(|_| Verdict::Defer(fault(SinkError::Unverified), None)).collect();
    let (taken, _) = delivered(&mut Scripted(unverified), &[1], &context).await;
    assert_eq!(taken, [0]);
    assert_eq!(context.metrics.sink_retries.with_label_values(&["s"]).get(), 0);
}

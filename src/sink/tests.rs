use super::*;
use crate::clock::SystemClock;

/// Gives the verdicts it was made with, one an attempt, then accepts.
struct Scripted(Vec<Verdict>);

impl Sink for Scripted {
    async fn send(&mut self, _: &[Arc<Redacted>]) -> Verdict {
        self.0.pop().unwrap_or(Verdict::Accept)
    }
}

fn fault(kind: SinkError) -> Fault {
    Fault { kind, detail: String::new() }
}

fn context() -> Context {
    Context { name: "s".into(), metrics: Arc::new(Metrics::new()), clock: Arc::new(SystemClock::new()) }
}

#[tokio::test(start_paused = true)]
async fn waits_as_long_as_the_sink_asks() {
    let busy = || Verdict::Defer(fault(SinkError::Busy), Some(Duration::from_secs(7)));
    let mut sink = Scripted(vec![busy(), busy(), busy()]);
    let (context, started) = (context(), tokio::time::Instant::now());
    let delivered = deliver(&mut sink, &[], &mut Backoff::new(1), &context).await;
    assert_eq!(delivered, Ok(()));
    assert_eq!(started.elapsed(), Duration::from_secs(21), "its own waits are shorter");
    assert_eq!(context.metrics.sink_retries.with_label_values(&["s"]).get(), 3);
    assert_eq!(context.metrics.sink_errors.with_label_values(&["s", "busy"]).get(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_sink_cannot_ask_for_more_than_the_limit() {
    let mut sink = Scripted(vec![Verdict::Defer(fault(SinkError::Busy), Some(Duration::MAX))]);
    let started = tokio::time::Instant::now();
    assert_eq!(deliver(&mut sink, &[], &mut Backoff::new(1), &context()).await, Ok(()));
    assert_eq!(started.elapsed(), RETRY_AFTER_MAX);
}

#[tokio::test(start_paused = true)]
async fn keeps_asking_a_sink_that_is_away_for_an_hour() {
    let away = || Verdict::Defer(fault(SinkError::Connect), None);
    let mut sink = Scripted((0..1000).map(|_| away()).collect());
    assert_eq!(deliver(&mut sink, &[], &mut Backoff::new(1), &context()).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_final() {
    let mut sink = Scripted(vec![Verdict::Refuse(fault(SinkError::Refused))]);
    let delivered = deliver(&mut sink, &[], &mut Backoff::new(1), &context()).await;
    assert_eq!(delivered, Err(Refused(fault(SinkError::Refused))));
}

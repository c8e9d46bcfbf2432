/*!
All metrics of the program, in one table.

Names follow Prometheus' conventions: base units, `_total` on counters, one
HELP line each. The table makes the struct, the registry and the reference page,
so none of the three can drift. Whoever counts does so once a batch.
*/

use prometheus::{
    Encoder, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, TextEncoder,
};

/// One line of the table of metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// As Prometheus sees it.
    pub name: &'static str,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// Label names, in the order in which values are given.
    pub labels: &'static [&'static str],
    /// What it counts.
    pub help: &'static str,
}

macro_rules! metrics {
    ($($field:ident: $family:ident $name:literal [$($label:ident)*] $help:literal;)*) => {
        /// Every metric, in a registry of its own. Clones share the same counters.
        #[derive(Clone, Debug)]
        pub struct Metrics {
            registry: Registry,
            $(#[doc = $help] pub $field: $family,)*
        }

        /// The metrics by name, for the reference page.
        pub const TABLE: &[Metric] = &[
            $(Metric { name: $name, kind: <$family as Family>::KIND, labels: &[$(stringify!($label)),*], help: $help },)*
        ];

        impl Metrics {
            /// All metrics, at zero.
            #[expect(clippy::new_without_default, reason = "a registry is made once, on purpose")]
            pub fn new() -> Metrics {
                let registry = Registry::new();
                let metrics = Metrics {
                    $($field: Family::register(&registry, $name, $help, &[$(stringify!($label)),*]),)*
                    registry,
                };
                metrics.build_info.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
                metrics
            }
        }
    };
}

metrics! {
    build_info: IntGaugeVec "logveil_build_info" [version] "Always 1; the label says which version runs.";
    records_received: IntCounterVec "logveil_records_received_total" [source] "Records that were taken from a source.";
    received_bytes: IntCounterVec "logveil_received_bytes_total" [source] "Bytes of records that a source took.";
    records_cut: IntCounterVec "logveil_records_cut_total" [source reason] "Records cut out at a limit, each replaced by a marker record.";
    records_discarded: IntCounterVec "logveil_records_discarded_total" [source reason] "Records that a source had to drop: those of UDP, and batches of files that no sink confirms.";
    requests_refused: IntCounterVec "logveil_requests_refused_total" [source reason] "Requests and connections that a source turned away; the client knows of it.";
    connections: IntGaugeVec "logveil_connections" [source] "Connections open at a source.";
    findings: IntCounterVec "logveil_findings_total" [entity action] "Sensitive values found, and what was done to them.";
    records_redacted: IntCounterVec "logveil_records_redacted_total" [class] "Records that came out of redaction, by the class they were routed to.";
    records_dropped: IntCounter "logveil_records_dropped_total" [] "Records that the policy dropped.";
    records_withheld: IntCounterVec "logveil_records_withheld_total" [reason] "Records withheld because a stage failed on them, or because the second look found a value in them; none of them left.";
    rescan_hits: IntCounterVec "logveil_rescan_hits_total" [entity] "Values that the second look found in clean records, which were withheld.";
    redacted_bytes: IntCounter "logveil_redacted_bytes_total" [] "Clean bytes that came out of redaction.";
    records_stranded: IntCounterVec "logveil_records_stranded_total" [class] "Records held because no sink is in a region that they may go to.";
    batches_held: IntCounter "logveil_batches_held_total" [] "Batches that had to wait for a pseudonym key.";
    queue_bytes: IntGaugeVec "logveil_queue_bytes" [sink] "Clean bytes that wait for a sink.";
    queue_limit_bytes: IntGaugeVec "logveil_queue_limit_bytes" [sink] "Bytes that may wait for a sink before its sources have to wait.";
    queue_disk: IntGauge "logveil_queue_disk_bytes" [] "Bytes of the durable queue, what is delivered and not given back yet included.";
    queue_appended: IntCounter "logveil_queue_appended_records_total" [] "Records that the durable queue has taken and synced.";
    queue_errors: IntCounter "logveil_queue_errors_total" [] "Writes and reads of the durable queue that failed; what was not written was not acknowledged.";
    queue_lost: IntCounterVec "logveil_queue_records_lost_total" [reason] "Records of the durable queue that are not delivered: damaged on disk, or beyond the limit of their class.";
    queue_damaged: IntCounter "logveil_queue_damaged_bytes_total" [] "Bytes of the durable queue that are no records: damaged, or cut off by a crash before they were acknowledged.";
    records_sent: IntCounterVec "logveil_records_sent_total" [sink class] "Records that a sink confirmed.";
    sent_bytes: IntCounterVec "logveil_sent_bytes_total" [sink] "Clean bytes that a sink confirmed.";
    records_refused: IntCounterVec "logveil_records_refused_total" [sink] "Records that a sink refused for good.";
    dead_letters: IntCounterVec "logveil_dead_letters_total" [sink] "Records that a sink refused for good and that were kept as dead letters.";
    acts_refused: IntCounterVec "logveil_acts_refused_total" [act] "What was asked of the running program and refused.";
    dead_letters_lost: IntCounterVec "logveil_dead_letters_lost_total" [sink reason] "Dead letters that are gone and were not sent again: `full` (the oldest, given up at the bound), `damaged` (each file of which that is not known counts as one), `expired` (their class's limit passed).";
    dead_letter_bytes: IntGaugeVec "logveil_dead_letters_waiting_bytes" [sink] "Bytes of dead letters on disk that were not sent again.";
    dead_letter_errors: IntCounter "logveil_dead_letter_errors_total" [] "Attempts to write or read dead letters that failed; the sink waits.";
    sink_errors: IntCounterVec "logveil_sink_errors_total" [sink kind] "Failed attempts to deliver.";
    sink_retries: IntCounterVec "logveil_sink_retries_total" [sink] "Attempts to deliver after the first.";
    sink_requests: IntGaugeVec "logveil_sink_requests_allowed" [sink] "Requests that a sink may have under way just now, by what its store makes of them.";
    delivery_seconds: HistogramVec "logveil_delivery_duration_seconds" [sink] "Time of one attempt to deliver.";
    reloads: IntCounterVec "logveil_reloads_total" [outcome] "Reloads of the configuration: applied, or refused.";
    archive_partitions: IntGauge "logveil_archive_partitions" [] "Partitions in the archive.";
    archive_oldest: IntGauge "logveil_archive_oldest_partition_timestamp_seconds" [] "Beginning of the archive's oldest partition; 0 if there is none.";
    archive_bytes: IntGauge "logveil_archive_size_bytes" [] "Bytes of the archive's partitions.";
    archive_overdue: IntGauge "logveil_archive_partitions_overdue" [] "Partitions that are due and not destroyed yet; nothing reads them.";
    archive_expired: IntCounter "logveil_archive_records_expired_total" [] "Records that were overdue when they reached the archive, and were not written.";
    archive_cut: IntCounter "logveil_archive_cut_bytes_total" [] "Bytes of unfinished blocks that a crash had left in the archive and that were cut off.";
    partitions_destroyed: IntCounter "logveil_archive_partitions_destroyed_total" [] "Partitions destroyed since the start.";
    sweep_errors: IntCounter "logveil_archive_sweep_errors_total" [] "Sweeps of the archive that failed.";
    retention_limit: GaugeVec "logveil_retention_limit_seconds" [store class] "How long records of a class may stay in a store.";
    retention_worst: GaugeVec "logveil_retention_worst_case_seconds" [store class] "How long a record can stay in a store; +Inf without end, NaN if unknown.";
    retention_oldest: GaugeVec "logveil_retention_oldest_record_seconds" [store class] "Age of the oldest record in a store; 0 if there is none, NaN if unknown.";
    retention_compliant: IntGaugeVec "logveil_retention_compliant" [store class] "1 if no record of the class can outlive its limit in the store, as verified last; else 0.";
    retention_sweep_errors: IntCounterVec "logveil_retention_sweep_errors_total" [store] "Deletions of what is due in a store without a lifecycle that failed.";
    keys_live: IntGauge "logveil_keys_live" [] "Pseudonym keys in the keyring.";
    keys_overdue: IntGauge "logveil_keys_overdue" [] "Pseudonym keys that are due and not destroyed yet; nothing uses them.";
    keys_destroyed: IntCounter "logveil_keys_destroyed_total" [] "Pseudonym keys destroyed since the start.";
    requests_open: IntGauge "logveil_subject_requests_open" [] "Requests of data subjects that are not closed.";
    requests_overdue: IntGauge "logveil_subject_requests_overdue" [] "Requests of data subjects that are not closed and past their deadline.";
    incidents_open: IntGauge "logveil_incidents_open" [] "Incidents that are not closed.";
    incidents_overdue: IntGauge "logveil_incidents_overdue" [] "Incidents that are not closed and were found 72 hours ago or earlier.";
    sessions: IntGauge "logveil_sessions" [] "Sessions and tokens whose pseudonyms are remembered.";
    sessions_unremembered: IntCounter "logveil_sessions_unremembered_total" [] "Pseudonyms of sessions that a full table could not remember: each stands in one record alone.";
    clock_believed: IntGauge "logveil_clock_believed" [] "1 once the clock is believed, so that what is overdue is destroyed; else 0.";
}

impl Metrics {
    /// The metrics in Prometheus' text format.
    pub fn encode(&self) -> Vec<u8> {
        let mut text = Vec::new();
        let encoded = TextEncoder::new().encode(&self.registry.gather(), &mut text);
        debug_assert!(encoded.is_ok(), "writing to memory does not fail");
        text
    }

    /// Counts a request or connection that a source turned away.
    pub fn refuse(&self, source: &str, why: Refusal) {
        self.requests_refused.with_label_values(&[source, why.label()]).inc();
    }

    /// Counts a record that was cut out at a limit.
    pub fn cut(&self, source: &str, why: Cut) {
        self.records_cut.with_label_values(&[source, why.label()]).inc();
    }

    /// Counts records that a source had to drop.
    pub fn discard(&self, source: &str, why: Discard, records: u64) {
        self.records_discarded.with_label_values(&[source, why.label()]).inc_by(records);
    }

    /// Counts dead letters that are gone.
    pub fn letters_lost(&self, sink: &str, why: LetterLoss, records: u64) {
        self.dead_letters_lost.with_label_values(&[sink, why.label()]).inc_by(records);
    }

    /// Counts a failed attempt to deliver.
    pub fn sink_error(&self, sink: &str, kind: SinkError) {
        self.sink_errors.with_label_values(&[sink, kind.label()]).inc();
    }
}

macro_rules! labels {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant,)* }

        impl $name {
            /// The label's value.
            pub fn label(self) -> &'static str {
                match self { $($name::$variant => $text,)* }
            }
        }
    };
}

labels! {
    /// Why a source turned a request or a connection away.
    Refusal {
        /// The queue is full; the client is to come again.
        Busy "busy",
        /// The client sends more than it may; it is to come again.
        TooFast "too_fast",
        /// More connections than the limit allows.
        Connections "connections",
        /// The body, its header or what it unpacks to is beyond its limit.
        TooLarge "too_large",
        /// Not what the protocol asks for.
        Malformed "malformed",
        /// A path, method, content type or encoding that is not served.
        Unsupported "unsupported",
        /// It speaks no TLS that is taken here, or has no certificate that is asked for.
        Handshake "handshake",
        /// Its credentials are not those of somebody who may.
        Unauthorized "unauthorized",
        /// The client took too long.
        Timeout "timeout",
        /// A sink did not confirm; the client is to send again.
        Unconfirmed "unconfirmed",
        /// Stopping.
        Stopping "stopping",
        /// A fault of our own ended it.
        Failed "failed",
    }
}

labels! {
    /// Why a record was cut out and replaced by a marker.
    Cut {
        /// Longer than a record may be.
        TooLong "too_long",
        /// The stream or the datagram ended within it.
        Truncated "truncated",
        /// Its octet count is none.
        OctetCount "octet_count",
    }
}

labels! {
    /// Why a source dropped records.
    Discard {
        /// The queue is full, and the protocol cannot wait.
        QueueFull "queue_full",
        /// The operating system's buffer ran over.
        SocketBuffer "socket_buffer",
        /// No sink would confirm them, however often they were sent; the rest of the file waits for them.
        Unconfirmed "unconfirmed",
    }
}

labels! {
    /// Why the durable queue does not deliver records that it took.
    QueueLoss {
        /// Their bytes are not what was written.
        Damaged "damaged",
        /// Their class's limit passed while they waited.
        Expired "expired",
    }
}

labels! {
    /// Why dead letters are gone that were not sent again.
    LetterLoss {
        /// They were the oldest when the bound was reached.
        Full "full",
        /// Their bytes are not what was written, or not there.
        Damaged "damaged",
        /// Their class's limit passed while they waited.
        Expired "expired",
    }
}

labels! {
    /// What went wrong in an attempt to deliver.
    SinkError {
        /// No connection.
        Connect "connect",
        /// The connection broke.
        Broken "broken",
        /// No answer in time.
        Timeout "timeout",
        /// The sink asks for patience: 429 or 503.
        Busy "busy",
        /// The sink failed: 5xx.
        Server "server",
        /// The sink will not have it: another 4xx, or a redirect.
        Refused "refused",
        /// The store's retention is not verified; nothing was sent.
        Unverified "unverified",
        /// Files: no space, no permission, a broken disk.
        Storage "storage",
    }
}

/// The reference page of all metrics, in Markdown.
pub fn reference() -> String {
    let mut page = String::from("| metric | kind | labels | what it says |\n|---|---|---|---|\n");
    for metric in TABLE {
        let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let (name, kind, help) = (metric.name, metric.kind, metric.help);
        page.push_str(&format!("| `{name}` | {kind} | {} | {help} |\n", labels.join(" ")));
    }
    page
}

/// What the table needs of each kind of metric.
trait Family: Sized {
    const KIND: &'static str;
    fn register(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> Self;
}

macro_rules! family {
    ($($family:ty, $kind:literal, |$opts:ident, $labels:ident| $make:expr;)*) => {$(
        impl Family for $family {
            const KIND: &'static str = $kind;

            fn register(registry: &Registry, name: &str, help: &str, $labels: &[&str]) -> Self {
                let $opts = Opts::new(name, help);
                let metric = $make.expect("the table's names are names of metrics");
                registry.register(Box::new(metric.clone())).expect("the table holds each name once");
                metric
            }
        }
    )*};
}

family! {
    IntCounter, "counter", |opts, _labels| IntCounter::with_opts(opts);
    IntCounterVec, "counter", |opts, labels| IntCounterVec::new(opts, labels);
    IntGauge, "gauge", |opts, _labels| IntGauge::with_opts(opts);
    IntGaugeVec, "gauge", |opts, labels| IntGaugeVec::new(opts, labels);
    GaugeVec, "gauge", |opts, labels| GaugeVec::new(opts, labels);
    Histogram, "histogram", |opts, _labels| Histogram::with_opts(histogram(opts));
    HistogramVec, "histogram", |opts, labels| HistogramVec::new(histogram(opts), labels);
}

/// From a local write to a store's deadline.
fn histogram(opts: Opts) -> HistogramOpts {
    let buckets =
        vec![0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
    HistogramOpts { common_opts: opts, buckets }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `promtool check metrics` asks for.
    #[test]
    fn names_keep_to_the_conventions() {
        for metric in TABLE {
            let name = metric.name;
            assert!(name.starts_with("logveil_"), "{name}");
            assert_eq!(name.ends_with("_total"), metric.kind == "counter", "{name}");
            assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{name}");
            for part in name.split('_') {
                let unit = ["ms", "milliseconds", "minutes", "hours", "days", "kb", "mb", "bits"];
                assert!(!unit.contains(&part), "{name}: {part} is no base unit");
                let kind = ["counter", "gauge", "histogram", "count", "sum", "bucket"];
                assert!(!kind.contains(&part), "{name}: {part} is a type");
            }
            assert!(metric.help.ends_with('.'), "{name}: its help is a sentence");
        }
    }

    #[test]
    fn a_count_shows_in_the_text() {
        let metrics = Metrics::new();
        metrics.refuse("apps", Refusal::Busy);
        metrics.discard("edge", Discard::QueueFull, 3);
        let text = String::from_utf8(metrics.encode()).unwrap();
        assert!(
            text.contains("logveil_requests_refused_total{reason=\"busy\",source=\"apps\"} 1\n"),
            "{text}"
        );
        assert!(text.contains("logveil_records_discarded_total{reason=\"queue_full\",source=\"edge\"} 3\n"));
        assert!(text.contains("# HELP logveil_build_info "));
    }

    #[test]
    fn the_reference_names_every_metric() {
        let page = reference();
        assert!(TABLE.iter().all(|metric| page.contains(metric.name)));
    }
}

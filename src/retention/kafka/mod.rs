/*!
Kafka: a topic's `retention.ms`, and what a segment does to it.

A segment leaves whole, when its newest record is due, and the one that is
written to does not leave at all: so `segment.ms` is part of the sum, and is
set. Time must be the broker's (`message.timestamp.type=LogAppendTime`), or a
producer's record from the future keeps its whole segment. The age of the oldest
record is read from the first batch that is really there, in every partition.

It speaks to listeners without TLS and SASL.
*/

mod wire;

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::{Buf, Bytes};
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::MetadataResponseTopic;
use kafka_protocol::messages::{
    BrokerId, DescribeConfigsRequest, FetchRequest, IncrementalAlterConfigsRequest, ListOffsetsRequest,
    MetadataRequest, TopicName,
};
use kafka_protocol::protocol::StrBytes;

use super::bound::{Effective, Grain, Lag, TooShort, What};
use super::driver::{Can, Doing, Driver, Reading, Setting, Unknown, Wanted};
use super::store::Target;
use super::verdict::Oldest;
use crate::clock::Timestamp;

use wire::Wire;

/// Which topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `HOST:PORT` of a broker.
    pub broker: String,
    /// The topic; may hold `{class}`.
    pub topic: String,
}

/// A topic.
#[derive(Debug)]
pub struct Kafka {
    settings: Settings,
}

const RETENTION: &str = "retention.ms";
const SEGMENT: &str = "segment.ms";
const CLEANUP: &str = "cleanup.policy";
const TIME: &str = "message.timestamp.type";
const KEYS: [&str; 4] = [RETENTION, SEGMENT, CLEANUP, TIME];
/// Kafka's own, where a topic and its broker say nothing.
const SEGMENT_DEFAULT_MS: u64 = 168 * 3_600_000;
/// The longest that is set: less than a day of a topic is in its active segment.
const SEGMENT_MAX: Duration = Duration::from_secs(23 * 3_600);
const SEGMENT_MIN: Duration = Duration::from_secs(600);
/// `log.retention.check.interval.ms` and `file.delete.delay.ms`, with room.
const SWEEP: Duration = Duration::from_secs(600);
const TOPIC: i8 = 2;
const SET: i8 = 0;

impl Settings {
    /// What can be done.
    pub fn can() -> Can {
        let erase = Err("a log of Kafka is cut at its beginning alone, and no record is taken out of it");
        let find = Err("this version reads no records of Kafka; consume the topic and search there");
        Can { set: Ok(()), own_deletion: false, find, erase }
    }

    /// What a limit needs.
    pub fn wants(limit: Duration) -> Result<Wanted, TooShort> {
        let segment = (limit / 4).clamp(SEGMENT_MIN, SEGMENT_MAX);
        let segment = Duration::from_secs(segment.as_secs());
        let millis = |span: Duration| span.as_millis().to_string();
        Wanted::within(limit, lags(segment), Grain::SECONDS, |value| {
            vec![
                Setting::new(RETENTION, millis(value)),
                Setting::new(SEGMENT, millis(segment)),
                Setting::new(CLEANUP, "delete"),
                Setting::new(TIME, "LogAppendTime"),
            ]
        })
    }
}

fn lags(segment: Duration) -> Vec<Lag> {
    vec![
        Lag::new(
            What::RollOver,
            segment,
            "segment.ms: the active segment is not deleted, and one leaves with its newest record",
        ),
        Lag::new(What::Sweep, SWEEP, "log.retention.check.interval.ms and file.delete.delay.ms"),
    ]
}

/// What the topic's configuration amounts to.
fn effective(configs: &BTreeMap<String, String>) -> Effective {
    let text = |key: &str| configs.get(key).map_or("", String::as_str);
    let span = |key: &str| text(key).parse::<u64>().ok().map(Duration::from_millis);
    if text(CLEANUP) != "delete" {
        return Effective::forever(format!(
            "cleanup.policy is {:?}: the last record of each key stays",
            text(CLEANUP)
        ));
    }
    if text(TIME) != "LogAppendTime" {
        return Effective::forever(
            "message.timestamp.type is not LogAppendTime: a record that a producer dates into the future stays until then",
        );
    }
    let segment = span(SEGMENT).unwrap_or(Duration::from_millis(SEGMENT_DEFAULT_MS));
    match span(RETENTION) {
        Some(kept) => Effective::new(kept, lags(segment)),
        None => Effective::forever("retention.ms is not set, or -1: records are kept for good"),
    }
}

impl Kafka {
    /// Connects when it is asked.
    pub fn new(settings: Settings) -> Kafka {
        Kafka { settings }
    }

    async fn topic(
        &self,
        wire: &mut Wire,
        name: &str,
    ) -> Result<(MetadataResponseTopic, BTreeMap<i32, String>), Unknown> {
        let topic = MetadataRequestTopic::default()
            .with_name(Some(TopicName(StrBytes::from_string(name.to_owned()))));
        let request =
            MetadataRequest::default().with_topics(Some(vec![topic])).with_allow_auto_topic_creation(false);
        let told = wire.call(&request).await?;
        let brokers = told
            .brokers
            .iter()
            .map(|broker| (broker.node_id.0, format!("{}:{}", broker.host.as_str(), broker.port)));
        let brokers = brokers.collect();
        match told.topics.into_iter().next() {
            Some(topic) if topic.error_code == 0 && !topic.partitions.is_empty() => Ok((topic, brokers)),
            Some(topic) if topic.error_code == 3 => Err(Unknown(format!("there is no topic {name}"))),
            _ => Err(Unknown(format!("it does not tell of topic {name}"))),
        }
    }

    async fn configs(&self, wire: &mut Wire, name: &str) -> Result<BTreeMap<String, String>, Unknown> {
        let resource = DescribeConfigsResource::default()
            .with_resource_type(TOPIC)
            .with_resource_name(StrBytes::from_string(name.to_owned()))
            .with_configuration_keys(None);
        let told = wire.call(&DescribeConfigsRequest::default().with_resources(vec![resource])).await?;
        let result =
            told.results.into_iter().next().ok_or_else(|| Unknown::new("it tells no configuration"))?;
        if result.error_code != 0 {
            return Err(Unknown(format!("it tells no configuration: error {}", result.error_code)));
        }
        let config =
            |config: kafka_protocol::messages::describe_configs_response::DescribeConfigsResourceResult| {
                Some((config.name.to_string(), config.value?.to_string()))
            };
        Ok(result.configs.into_iter().filter_map(config).collect())
    }

    /// The oldest record of all partitions, each asked of its leader.
    async fn oldest(
        &self,
        topic: &MetadataResponseTopic,
        brokers: &BTreeMap<i32, String>,
        name: &str,
    ) -> Result<Oldest, Unknown> {
        let mut wires: BTreeMap<i32, Wire> = BTreeMap::new();
        let mut oldest: Option<Timestamp> = None;
        for partition in &topic.partitions {
            let leader = partition.leader_id.0;
            if partition.error_code != 0 {
                return Err(Unknown(format!("partition {} has no leader", partition.partition_index)));
            }
            if let std::collections::btree_map::Entry::Vacant(vacant) = wires.entry(leader) {
                let broker = brokers.get(&leader).ok_or_else(|| Unknown::new("a leader has no address"))?;
                vacant.insert(Wire::open(broker).await?);
            }
            let wire = wires.get_mut(&leader).ok_or_else(|| Unknown::new("a leader has no address"))?;
            if let Some(at) = first_record(wire, name, partition.partition_index).await? {
                oldest = Some(oldest.map_or(at, |oldest| oldest.min(at)));
            }
        }
        Ok(oldest.into())
    }

    async fn read_now(&self, target: &Target) -> Result<Reading, Unknown> {
        let mut wire = Wire::open(&self.settings.broker).await?;
        let (topic, brokers) = self.topic(&mut wire, &target.name).await?;
        let configs = self.configs(&mut wire, &target.name).await?;
        let settings = KEYS.iter().filter_map(|key| configs.get(*key).map(|value| Setting::new(*key, value)));
        Ok(Reading {
            effective: effective(&configs),
            oldest: self.oldest(&topic, &brokers, &target.name).await?,
            store_now: None,
            settings: settings.collect(),
            stalled: None,
            notes: vec!["mirrors of the topic, and tiers beyond the brokers' disks, are not seen".to_owned()],
        })
    }

    async fn set_now(&self, target: &Target, wanted: &Wanted) -> Result<Vec<String>, Unknown> {
        let mut wire = Wire::open(&self.settings.broker).await?;
        let config = |setting: &Setting| {
            AlterableConfig::default()
                .with_name(StrBytes::from_string(setting.name.clone()))
                .with_config_operation(SET)
                .with_value(Some(StrBytes::from_string(setting.value.clone())))
        };
        let resource = AlterConfigsResource::default()
            .with_resource_type(TOPIC)
            .with_resource_name(StrBytes::from_string(target.name.clone()))
            .with_configs(wanted.settings.iter().map(config).collect());
        let told =
            wire.call(&IncrementalAlterConfigsRequest::default().with_resources(vec![resource])).await?;
        match told.responses.first().map(|response| response.error_code) {
            Some(0) => Ok(vec!["it took the configuration".to_owned()]),
            Some(code) => Err(Unknown(format!("it refused the configuration: error {code}"))),
            None => Err(Unknown::new("it did not say whether it took the configuration")),
        }
    }
}

/// When the first record that a partition still has came; nothing if it has none.
async fn first_record(wire: &mut Wire, name: &str, partition: i32) -> Result<Option<Timestamp>, Unknown> {
    let topic_name = || TopicName(StrBytes::from_string(name.to_owned()));
    // -2 and -1 stand for the earliest and the latest offset.
    let mut ends = [0; 2];
    for (end, which) in ends.iter_mut().zip([-2, -1]) {
        let asked = ListOffsetsPartition::default().with_partition_index(partition).with_timestamp(which);
        let topic = ListOffsetsTopic::default().with_name(topic_name()).with_partitions(vec![asked]);
        let request = ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![topic]);
        let told = wire.call(&request).await?;
        let told = told.topics.first().and_then(|topic| topic.partitions.first());
        *end = told
            .filter(|told| told.error_code == 0)
            .map(|told| told.offset)
            .ok_or_else(|| Unknown(format!("it does not tell the offsets of partition {partition}")))?;
    }
    if ends[0] >= ends[1] {
        return Ok(None);
    }
    let asked = FetchPartition::default()
        .with_partition(partition)
        .with_fetch_offset(ends[0])
        .with_partition_max_bytes(64 * 1024);
    let topic = FetchTopic::default().with_topic(topic_name()).with_partitions(vec![asked]);
    let request = FetchRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_max_wait_ms(500)
        .with_min_bytes(1)
        .with_max_bytes(64 * 1024)
        .with_topics(vec![topic]);
    let told = wire.call(&request).await?;
    let data = told.responses.first().and_then(|topic| topic.partitions.first());
    let records = data.filter(|data| data.error_code == 0).and_then(|data| data.records.clone());
    let first = records.and_then(first_moment);
    first
        .map(Some)
        .ok_or_else(|| Unknown(format!("it does not show the first record of partition {partition}")))
}

/// The moment of the first record of a batch (record batch format 2). No record is looked at.
fn first_moment(mut batch: Bytes) -> Option<Timestamp> {
    if batch.len() < 61 || batch[16] != 2 {
        return None;
    }
    let attributes = i16::from_be_bytes([batch[21], batch[22]]);
    batch.advance(27);
    let (base, max) = (batch.get_i64(), batch.get_i64());
    // With the broker's time all records of a batch have that of the batch.
    let append_time = attributes & 0b1000 != 0;
    Timestamp::from_millisecond(if append_time { max } else { base }).ok()
}

impl Driver for Kafka {
    fn read<'a>(&'a self, target: &'a Target, _now: Timestamp) -> Doing<'a, Reading> {
        Box::pin(self.read_now(target))
    }

    fn set<'a>(&'a self, target: &'a Target, wanted: &'a Wanted, _now: Timestamp) -> Doing<'a, Vec<String>> {
        Box::pin(self.set_now(target, wanted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retention::Kept;
    use crate::retention::span::DAY;

    fn configs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let good = [(RETENTION, "7776000000"), (CLEANUP, "delete"), (TIME, "LogAppendTime")];
        good.iter().chain(pairs).map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_active_segment_comes_on_top() {
        assert_eq!(
            effective(&configs(&[])).worst_case(),
            Some(97 * DAY + SWEEP),
            "a broker rolls after 168 h"
        );
        assert_eq!(
            effective(&configs(&[(SEGMENT, "3600000")])).worst_case(),
            Some(90 * DAY + Duration::from_secs(3_600) + SWEEP)
        );
        let wanted = Settings::wants(90 * DAY).unwrap();
        assert_eq!(wanted.value, 89 * DAY + Duration::from_secs(3_000));
    }

    #[test]
    fn what_keeps_for_good_is_without_end() {
        for pair in
            [(RETENTION, "-1"), (CLEANUP, "compact"), (CLEANUP, "compact,delete"), (TIME, "CreateTime")]
        {
            assert!(matches!(effective(&configs(&[pair])).kept, Kept::Forever(_)), "{pair:?}");
        }
    }

    proptest::proptest! {
        /// No bytes make it panic.
        #[test]
        fn any_batch_is_survived(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..100)) {
            let _ = first_moment(Bytes::from(bytes));
        }
    }
}

//! What is in effect for one topic, typed: computed once per change, read on every produce and fetch.

use super::definition::Value;
use super::layers::Layers;

/// What happens to old segments; neither means that everything is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CleanupPolicy {
    pub delete: bool,
    pub compact: bool,
}

/// How batches are stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CompressionType {
    /// As the producer sent them.
    Producer,
    Uncompressed,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

/// Whose time a record carries. KIP-32.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TimestampType {
    CreateTime,
    LogAppendTime,
}

/// Which replicas of a topic a replication throttle holds back. KIP-73.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ThrottledReplicas {
    All,
    /// Pairs of partition index and broker id.
    These(Vec<(i32, i32)>),
}

macro_rules! topic_config {
    ($($(#[$doc:meta])* $field:ident: $kind:ty = $read:ident($name:literal),)*) => {
        /// The effective configs of a topic. Times are in milliseconds, sizes in bytes; names are the configs'.
        #[derive(Clone, PartialEq, Debug)]
        pub struct TopicConfig {
            $($(#[$doc])* pub $field: $kind,)*
        }

        impl TopicConfig {
            fn read(layers: &Layers<'_>) -> Self {
                Self { $($field: $read(layers.topic_value($name)),)* }
            }

            #[cfg(test)]
            const NAMES: &'static [&'static str] = &[$($name,)*];
        }
    };
}

topic_config! {
    cleanup_policy: CleanupPolicy = cleanup("cleanup.policy"),
    compression_gzip_level: i32 = int("compression.gzip.level"),
    compression_lz4_level: i32 = int("compression.lz4.level"),
    compression_type: CompressionType = compression("compression.type"),
    compression_zstd_level: i32 = int("compression.zstd.level"),
    delete_retention_ms: i64 = long("delete.retention.ms"),
    errors_deadletterqueue_group_enable: bool = flag("errors.deadletterqueue.group.enable"),
    file_delete_delay_ms: i64 = long("file.delete.delay.ms"),
    /// `i64::MAX`: never by count.
    flush_messages: i64 = long("flush.messages"),
    /// `i64::MAX`: never by time.
    flush_ms: i64 = long("flush.ms"),
    follower_replication_throttled_replicas: ThrottledReplicas = throttled("follower.replication.throttled.replicas"),
    index_interval_bytes: i32 = int("index.interval.bytes"),
    /// Set, it stands for `segment_bytes`, which already follows it.
    internal_segment_bytes: Option<i32> = optional_int("internal.segment.bytes"),
    leader_replication_throttled_replicas: ThrottledReplicas = throttled("leader.replication.throttled.replicas"),
    /// -2: as `retention_bytes`.
    local_retention_bytes: i64 = long("local.retention.bytes"),
    /// -2: as `retention_ms`.
    local_retention_ms: i64 = long("local.retention.ms"),
    max_compaction_lag_ms: i64 = long("max.compaction.lag.ms"),
    max_decompressed_message_bytes: i32 = int("max.decompressed.message.bytes"),
    /// The largest batch as it arrives.
    max_message_bytes: i32 = int("max.message.bytes"),
    message_timestamp_after_max_ms: i64 = long("message.timestamp.after.max.ms"),
    message_timestamp_before_max_ms: i64 = long("message.timestamp.before.max.ms"),
    message_timestamp_type: TimestampType = timestamp("message.timestamp.type"),
    /// Between 0 and 1, both included.
    min_cleanable_dirty_ratio: f64 = ratio("min.cleanable.dirty.ratio"),
    min_compaction_lag_ms: i64 = long("min.compaction.lag.ms"),
    min_insync_replicas: i32 = int("min.insync.replicas"),
    preallocate: bool = flag("preallocate"),
    remote_copy_lag_bytes: i64 = long("remote.copy.lag.bytes"),
    remote_copy_lag_ms: i64 = long("remote.copy.lag.ms"),
    remote_log_copy_disable: bool = flag("remote.log.copy.disable"),
    remote_log_delete_on_disable: bool = flag("remote.log.delete.on.disable"),
    remote_storage_enable: bool = flag("remote.storage.enable"),
    /// Below 0: no limit.
    retention_bytes: i64 = long("retention.bytes"),
    /// -1: no limit.
    retention_ms: i64 = long("retention.ms"),
    segment_bytes: i32 = int("segment.bytes"),
    segment_index_bytes: i32 = int("segment.index.bytes"),
    segment_jitter_ms: i64 = long("segment.jitter.ms"),
    segment_ms: i64 = long("segment.ms"),
    unclean_leader_election_enable: bool = flag("unclean.leader.election.enable"),
}

impl TopicConfig {
    /// What `layers` come to. Always an answer: see [`Layers`] for values that are not valid.
    pub fn resolve(layers: &Layers<'_>) -> Self {
        let mut config = Self::read(layers);
        config.segment_bytes = config.internal_segment_bytes.unwrap_or(config.segment_bytes);
        config
    }
}

impl Default for TopicConfig {
    /// Kafka's defaults, with nothing set anywhere.
    fn default() -> Self {
        Self::resolve(&Layers::default())
    }
}

// The table gives each name its type and default, so a mismatch is a mistake in this file, which the tests below see.

fn long(value: Option<Value>) -> i64 {
    value.and_then(|value| value.as_integer()).expect("the table makes it a number with a default")
}

fn int(value: Option<Value>) -> i32 {
    long(value).try_into().expect("an INT was range-checked when parsed")
}

fn optional_int(value: Option<Value>) -> Option<i32> {
    value.map(|value| int(Some(value)))
}

fn flag(value: Option<Value>) -> bool {
    value.and_then(|value| value.as_bool()).expect("the table makes it a boolean with a default")
}

fn ratio(value: Option<Value>) -> f64 {
    let Some(Value::Double(value)) = value else { panic!("the table makes it a double with a default") };
    value
}

fn list(value: Option<Value>) -> Vec<String> {
    let Some(Value::List(entries)) = value else { panic!("the table makes it a list with a default") };
    entries
}

fn text(value: Option<Value>) -> String {
    let Some(Value::Text(text)) = value else { panic!("the table makes it a string with a default") };
    text
}

fn cleanup(value: Option<Value>) -> CleanupPolicy {
    let entries = list(value);
    let has = |name| entries.iter().any(|entry| entry == name);
    CleanupPolicy { delete: has("delete"), compact: has("compact") }
}

fn compression(value: Option<Value>) -> CompressionType {
    match text(value).as_str() {
        "uncompressed" => CompressionType::Uncompressed,
        "gzip" => CompressionType::Gzip,
        "snappy" => CompressionType::Snappy,
        "lz4" => CompressionType::Lz4,
        "zstd" => CompressionType::Zstd,
        _ => CompressionType::Producer,
    }
}

fn timestamp(value: Option<Value>) -> TimestampType {
    if text(value) == "LogAppendTime" { TimestampType::LogAppendTime } else { TimestampType::CreateTime }
}

fn throttled(value: Option<Value>) -> ThrottledReplicas {
    let entries = list(value);
    if entries.iter().any(|entry| entry == "*") {
        return ThrottledReplicas::All;
    }
    let pair = |entry: &String| {
        let (partition, broker) = entry.split_once(':')?;
        Some((partition.parse().ok()?, broker.parse().ok()?))
    };
    ThrottledReplicas::These(entries.iter().filter_map(pair).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configs::{Properties, TOPIC_CONFIGS};

    fn with(name: &str, value: &str) -> TopicConfig {
        let topic = Properties::from([(name.to_owned(), value.to_owned())]);
        TopicConfig::resolve(&Layers { topic: Some(&topic), ..Layers::default() })
    }

    #[test]
    fn every_config_of_the_table_has_its_field() {
        assert!(TOPIC_CONFIGS.iter().map(|row| row.def.name).eq(TopicConfig::NAMES.iter().copied()));
    }

    #[test]
    fn defaults_are_kafkas() {
        let config = TopicConfig::default();
        assert_eq!(config.cleanup_policy, CleanupPolicy { delete: true, compact: false });
        assert_eq!((config.retention_ms, config.retention_bytes), (604_800_000, -1));
        assert_eq!((config.segment_bytes, config.max_message_bytes), (1 << 30, 1_048_588));
        assert_eq!((config.flush_messages, config.flush_ms), (i64::MAX, i64::MAX));
        assert_eq!(config.compression_type, CompressionType::Producer);
        assert_eq!(config.leader_replication_throttled_replicas, ThrottledReplicas::These(vec![]));
    }

    #[test]
    fn overrides_reach_their_fields() {
        assert_eq!(with("cleanup.policy", "").cleanup_policy, CleanupPolicy { delete: false, compact: false });
        assert_eq!(
            with("cleanup.policy", "compact,delete").cleanup_policy,
            CleanupPolicy { delete: true, compact: true }
        );
        assert_eq!(
            with("message.timestamp.type", "LogAppendTime").message_timestamp_type,
            TimestampType::LogAppendTime
        );
        assert_eq!(with("compression.type", "zstd").compression_type, CompressionType::Zstd);
        assert_eq!(with("internal.segment.bytes", "100").segment_bytes, 100);
        assert_eq!(
            with("leader.replication.throttled.replicas", "0:1,1:2").leader_replication_throttled_replicas,
            ThrottledReplicas::These(vec![(0, 1), (1, 2)])
        );
        assert_eq!(
            with("follower.replication.throttled.replicas", "*").follower_replication_throttled_replicas,
            ThrottledReplicas::All
        );
    }
}

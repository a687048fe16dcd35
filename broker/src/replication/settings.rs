//! From a topic's effective configs to what its partitions obey.

use metadata::Image;
use metadata::configs::{CompressionType, TimestampType, TopicConfig};
use model::{Codec, PartitionId};
use partition::{Compression, FlushPolicy, TimestampBounds};

/// Bytes of newest batches that one partition keeps in memory.
const TAIL_BYTES: usize = 32 << 10;
/// Reads up to this size are answered from memory; larger ones are sent from the file.
const MEMORY_READ_BYTES: usize = 16 << 10;

/// `max.decompressed.message.bytes` that no record is larger than: its default.
const ANY_RECORD: i32 = i32::MAX - 8;

/// What is the same for all partitions of this broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `producer.id.expiration.ms`
    producer_expiration_ms: i64,
    /// Draws each partition's share of `segment.jitter.ms`.
    seed: u64,
}

impl Settings {
    /// What is in effect on `image`'s node.
    pub fn of(image: &Image) -> Self {
        Self {
            producer_expiration_ms: image.broker_number("producer.id.expiration.ms"),
            seed: u64::from(image.node().0.unsigned_abs()),
        }
    }

    /// What partition `id` of a topic with `topic`'s configs obeys.
    pub fn partition(&self, id: PartitionId, topic: &TopicConfig) -> partition::Config {
        let log = storage::Config {
            segment_bytes: unsigned(topic.segment_bytes),
            segment_ms: topic.segment_ms,
            segment_jitter_ms: self.jitter(id, topic.segment_jitter_ms.min(topic.segment_ms)),
            segment_index_bytes: unsigned(topic.segment_index_bytes),
            index_interval_bytes: unsigned(topic.index_interval_bytes),
            preallocate: topic.preallocate,
            retention_ms: (topic.retention_ms >= 0).then_some(topic.retention_ms),
            retention_bytes: u64::try_from(topic.retention_bytes).ok(),
            delete: topic.cleanup_policy.delete,
            log_append_time: topic.message_timestamp_type == TimestampType::LogAppendTime,
            tail_bytes: TAIL_BYTES,
            memory_read_bytes: MEMORY_READ_BYTES,
            producer_expiration_ms: self.producer_expiration_ms,
        };
        partition::Config {
            log,
            message_bytes_max: usize::try_from(topic.max_message_bytes).unwrap_or(0),
            min_insync_replicas: usize::try_from(topic.min_insync_replicas).unwrap_or(1),
            timestamps: TimestampBounds {
                before_max_ms: topic.message_timestamp_before_max_ms,
                after_max_ms: topic.message_timestamp_after_max_ms,
            },
            compression: compression(topic),
            compressed_record_bytes_max: Some(topic.max_decompressed_message_bytes)
                .filter(|bytes| *bytes != ANY_RECORD)
                .and_then(|bytes| usize::try_from(bytes).ok()),
            flush: FlushPolicy { messages: topic.flush_messages, ms: topic.flush_ms },
        }
    }

    /// The same number for the same partition, so that a changed setting does not move its segments' ends.
    fn jitter(&self, id: PartitionId, jitter_ms: i64) -> i64 {
        if jitter_ms <= 0 {
            return 0;
        }
        let id_bytes: [u8; 8] = id.topic.0[8..].try_into().unwrap_or_default();
        let mixed = (u64::from_be_bytes(id_bytes) ^ self.seed)
            .wrapping_add(id.index as u64)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15);
        ((mixed >> 1) % (jitter_ms as u64)) as i64
    }
}

fn unsigned(value: i32) -> u32 {
    u32::try_from(value).unwrap_or(0)
}

fn compression(topic: &TopicConfig) -> Option<Compression> {
    let (codec, level) = match topic.compression_type {
        CompressionType::Producer => return None,
        CompressionType::Uncompressed => (Codec::None, None),
        CompressionType::Gzip => (Codec::Gzip, Some(topic.compression_gzip_level).filter(|level| *level >= 0)),
        CompressionType::Snappy => (Codec::Snappy, None),
        CompressionType::Lz4 => (Codec::Lz4, Some(topic.compression_lz4_level)),
        CompressionType::Zstd => (Codec::Zstd, Some(topic.compression_zstd_level)),
    };
    Some(Compression { codec, level })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use metadata::configs::Properties;
    use model::{NodeId, TopicId};

    use super::*;

    fn image(file: &[(&str, &str)]) -> Image {
        let file = file.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Image::empty(NodeId(1), Arc::new(file.collect::<Properties>()))
    }

    #[test]
    fn partitions_get_shares_of_the_jitter_that_stay_theirs() {
        let image = image(&[("log.roll.ms", "10000"), ("log.roll.jitter.ms", "99999")]);
        let shares = || {
            let settings = Settings::of(&image);
            let share = |index| {
                let id = PartitionId { topic: TopicId([7; 16]), index };
                settings.partition(id, image.topic_defaults()).log.segment_jitter_ms
            };
            (0..50).map(share).collect::<Vec<i64>>()
        };
        let first = shares();
        assert!(first.iter().all(|share| (0..10_000).contains(share)), "{first:?}");
        assert!(first.iter().collect::<std::collections::BTreeSet<_>>().len() > 40, "{first:?}");
        assert_eq!(shares(), first);
    }

    #[test]
    fn limits_that_mean_none_are_none() {
        let id = PartitionId { topic: TopicId([7; 16]), index: 0 };
        let of = |file: &[(&str, &str)]| {
            let image = image(file);
            Settings::of(&image).partition(id, image.topic_defaults())
        };
        let default = of(&[]);
        assert_eq!((default.log.retention_ms, default.log.retention_bytes), (Some(604_800_000), None));
        assert_eq!((default.compression, default.compressed_record_bytes_max), (None, None));
        let forever = of(&[("log.retention.ms", "-1"), ("log.retention.bytes", "5"), ("compression.type", "gzip")]);
        assert_eq!((forever.log.retention_ms, forever.log.retention_bytes), (None, Some(5)));
        assert_eq!(forever.compression, Some(Compression { codec: Codec::Gzip, level: None }));
        let zstd = of(&[("compression.type", "zstd"), ("compression.zstd.level", "-5")]);
        assert_eq!(zstd.compression, Some(Compression { codec: Codec::Zstd, level: Some(-5) }));
        assert_eq!(of(&[("max.decompressed.message.bytes", "7")]).compressed_record_bytes_max, Some(7));
        assert_eq!(of(&[("producer.id.expiration.ms", "9")]).log.producer_expiration_ms, 9);
    }
}

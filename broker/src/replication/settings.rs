//! From a topic's effective configs to what its partitions obey.

use metadata::Image;
use metadata::configs::{CompressionType, TimestampType, TopicConfig};
use model::{Codec, PartitionId};
use partition::{Compression, FlushPolicy, TimestampBounds};

/// Bytes of newest batches that one partition keeps in memory.
const TAIL_BYTES: usize = 64 << 10;
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

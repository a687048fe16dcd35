//! What a log is told about itself: topic settings that concern it, and what its broker knows before it is opened.

use model::{Offset, TimestampMs, TopicId};

/// The topic settings that a log obeys. Kafka's names are in parentheses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// A segment never grows beyond this (`segment.bytes`). A larger batch is refused.
    pub segment_bytes: u32,
    /// A segment is closed when a batch is this much younger than its first one (`segment.ms`).
    pub segment_ms: i64,
    /// Taken off `segment_ms`; drawn by the caller from 0 to `segment.jitter.ms`, so that logs do not roll together.
    pub segment_jitter_ms: i64,
    /// A segment is closed when one of its indexes would grow beyond this (`segment.index.bytes`).
    pub segment_index_bytes: u32,
    /// Bytes of log between two entries of an index (`index.interval.bytes`).
    pub index_interval_bytes: u32,
    /// A new segment's file gets room for `segment_bytes` at once (`preallocate`).
    pub preallocate: bool,
    /// Segments whose youngest record is older than this are removed (`retention.ms`); `None` never.
    pub retention_ms: Option<i64>,
    /// The oldest segments are removed while the others still hold this much (`retention.bytes`); `None` never.
    pub retention_bytes: Option<u64>,
    /// Whether age and size remove anything at all: `cleanup.policy` contains `delete`.
    pub delete: bool,
    /// The leader's clock gives records their time (`message.timestamp.type=LogAppendTime`).
    pub log_append_time: bool,
    /// Bytes of the newest batches to keep in memory.
    pub tail_bytes: usize,
    /// Reads up to this many bytes are answered from memory where the tail holds them; larger ones from the file.
    pub memory_read_bytes: usize,
    /// An idempotent producer not heard of for this long is forgotten (`producer.id.expiration.ms`).
    pub producer_expiration_ms: i64,
}

impl Default for Config {
    /// Kafka's defaults, and a tail of 64 KiB for reads up to 16 KiB.
    fn default() -> Self {
        const DAY_MS: i64 = 24 * 60 * 60 * 1000;
        Self {
            segment_bytes: 1 << 30,
            segment_ms: 7 * DAY_MS,
            segment_jitter_ms: 0,
            segment_index_bytes: 10 << 20,
            index_interval_bytes: 4096,
            preallocate: false,
            retention_ms: Some(7 * DAY_MS),
            retention_bytes: None,
            delete: true,
            log_append_time: false,
            tail_bytes: 64 << 10,
            memory_read_bytes: 16 << 10,
            producer_expiration_ms: DAY_MS,
        }
    }
}

/// What the broker knows of a log before it opens it, from its checkpoint files and its clean-shutdown mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenHints {
    /// The log directory carries the mark of a clean shutdown: every log in it was closed.
    pub clean_shutdown: bool,
    /// From `recovery-point-offset-checkpoint`. Used only where the log's own state file is missing.
    pub recovery_point: Offset,
    /// From `log-start-offset-checkpoint`. Used only where the log's own state file is missing.
    pub log_start: Offset,
    /// The topic this log must belong to; written to `partition.metadata` when the log is made. `None` for a log that
    /// is no topic's.
    pub topic_id: Option<TopicId>,
}

impl Default for OpenHints {
    fn default() -> Self {
        Self { clean_shutdown: false, recovery_point: Offset::ZERO, log_start: Offset::ZERO, topic_id: None }
    }
}

/// A record's offset and time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimestampOffset {
    pub timestamp: TimestampMs,
    pub offset: Offset,
}

impl TimestampOffset {
    /// Earlier than every record.
    pub(crate) const NONE: Self = Self { timestamp: TimestampMs::NONE, offset: Offset::NONE };
}

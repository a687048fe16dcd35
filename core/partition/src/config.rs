//! The topic settings that a partition obeys.

use model::Codec;

/// Settings of one partition; they come from its topic and may change at any time. Kafka's names are in parentheses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Config {
    pub log: storage::Config,
    /// The largest batch that is taken, as it arrives and as it is stored (`max.message.bytes`).
    pub message_bytes_max: usize,
    /// acks=all needs this many in-sync replicas, or all there are where there are fewer (`min.insync.replicas`).
    pub min_insync_replicas: usize,
    pub timestamps: TimestampBounds,
    /// `None`: batches stay as the producer packed them (`compression.type`).
    pub compression: Option<Compression>,
    /// The largest record that is taken inside a compressed batch; `None` takes any, and need not inflate the batch for
    /// that (`max.decompressed.message.bytes`).
    pub compressed_record_bytes_max: Option<usize>,
    pub flush: FlushPolicy,
}

/// How far a record's own time may be from the broker's, in ms; `i64::MAX` is no bound. Not asked of topics whose
/// records take the broker's time. KIP-937.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimestampBounds {
    /// `message.timestamp.before.max.ms`
    pub before_max_ms: i64,
    /// `message.timestamp.after.max.ms`
    pub after_max_ms: i64,
}

/// A codec that every stored batch has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compression {
    pub codec: Codec,
    /// `None` for the codec's default.
    pub level: Option<i32>,
}

/// When records must be synced to the disk, apart from replication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlushPolicy {
    /// When so many records are unsynced, they are synced before the last of them is acknowledged (`flush.messages`).
    pub messages: i64,
    /// No record stays unsynced longer than this (`flush.ms`).
    pub ms: i64,
}

impl Default for Config {
    /// Kafka's defaults.
    fn default() -> Self {
        Self {
            log: storage::Config::default(),
            message_bytes_max: 1_048_588,
            min_insync_replicas: 1,
            timestamps: TimestampBounds { before_max_ms: i64::MAX, after_max_ms: 3_600_000 },
            compression: None,
            compressed_record_bytes_max: None,
            flush: FlushPolicy { messages: i64::MAX, ms: i64::MAX },
        }
    }
}

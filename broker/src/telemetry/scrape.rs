//! One moment of the node, as values: what the node gathers when somebody scrapes, and all that rendering looks at.

use std::sync::Arc;
use std::time::Duration;

use model::{NodeId, TimestampMs};

use super::counters::ShardCounters;

/// How numbers of the wire are called. Set from the tables of the wire room, which nothing here knows.
#[derive(Clone, Copy, Debug)]
pub struct Names {
    /// `Produce` for 0.
    pub api: fn(i16) -> &'static str,
    /// `NOT_LEADER_OR_FOLLOWER` for 6, `NONE` for 0.
    pub error: fn(i16) -> &'static str,
}

/// Everything at one moment.
#[derive(Clone, Debug)]
pub struct Scrape {
    pub at: TimestampMs,
    pub names: Names,
    pub node: NodeScrape,
    /// Listener names, by their place in the configuration.
    pub listeners: Vec<Arc<str>>,
    pub shards: Vec<ShardScrape>,
    /// Every replica on this node, internal topics included.
    pub partitions: Vec<PartitionScrape>,
    /// Groups whose coordinator this node is.
    pub groups: Vec<GroupScrape>,
    pub controller: ControllerScrape,
    pub quorum: QuorumScrape,
}

#[derive(Clone, Debug)]
pub struct NodeScrape {
    pub id: NodeId,
    pub version: &'static str,
    pub started_at: TimestampMs,
    /// Kafka's BrokerState: 1 starting, 2 recovering, 3 running, 6 shutting down.
    pub state: u8,
    /// Held now by requests in hand, half-received frames included.
    pub request_bytes: u64,
    /// `queued.max.request.bytes`.
    pub request_bytes_max: u64,
    pub log_dirs: Vec<LogDirScrape>,
}

#[derive(Clone, Debug)]
pub struct LogDirScrape {
    pub path: String,
    pub online: bool,
    /// Free for this process on the directory's disk, where the operating system tells it.
    pub free_bytes: Option<u64>,
}

#[derive(Clone, Debug, Default)]
pub struct ShardScrape {
    pub counters: ShardCounters,
    /// How long the thread has worked since its start.
    pub busy: Duration,
    /// Produces that wait for their high watermark.
    pub produces_parked: u64,
    /// Fetches that wait for bytes.
    pub fetches_parked: u64,
    /// Incremental fetch sessions open.
    pub fetch_sessions: u64,
}

/// One replica on this node.
#[derive(Clone, Debug)]
pub struct PartitionScrape {
    pub topic: Arc<str>,
    pub index: i32,
    /// Whether this node leads it.
    pub is_leader: bool,
    /// -1 when nobody leads it.
    pub leader: NodeId,
    pub preferred_leader: NodeId,
    pub replicas: u32,
    pub in_sync_replicas: u32,
    pub in_sync_replicas_min: u32,
    /// Whether its log directory has failed.
    pub offline: bool,
    pub log_start_offset: i64,
    pub last_stable_offset: i64,
    pub high_watermark: i64,
    pub log_end_offset: i64,
    /// Of all its segments, indexes left out.
    pub bytes: u64,
    pub segments: u64,
    /// Producers it remembers.
    pub producer_ids: u64,
}

#[derive(Clone, Debug)]
pub struct GroupScrape {
    pub group: Arc<str>,
    /// `classic`, `consumer`, ...
    pub protocol: &'static str,
    /// As ListGroups says it: `Stable`, `Empty`, `PreparingRebalance`, `CompletingRebalance`, `Dead`.
    pub state: &'static str,
    pub members: u64,
    pub offsets: Vec<GroupOffset>,
}

/// A group's committed offset of one partition.
#[derive(Clone, Debug)]
pub struct GroupOffset {
    pub topic: Arc<str>,
    pub partition: i32,
    /// The next offset the group will read.
    pub committed: i64,
    /// Records from `committed` to the high watermark; `None` where the partition's end is not known here.
    pub lag: Option<i64>,
    /// How long ago the record at `committed` was appended, 0 when the group has read everything; `None` where not known.
    pub lag_seconds: Option<f64>,
}

/// What the image says about the whole cluster; all zero where this node is no controller.
#[derive(Clone, Copy, Debug, Default)]
pub struct ControllerScrape {
    pub active: bool,
    pub brokers_active: u64,
    pub brokers_fenced: u64,
    pub topics: u64,
    pub partitions: u64,
    pub partitions_offline: u64,
    pub preferred_replica_imbalance: u64,
    pub metadata_errors: u64,
    pub unclean_elections: u64,
}

#[derive(Clone, Copy, Debug)]
pub struct QuorumScrape {
    /// -1 when there is none.
    pub leader: NodeId,
    pub epoch: i64,
    pub committed_offset: i64,
    pub applied_offset: i64,
    pub log_end_offset: i64,
}

impl Default for QuorumScrape {
    fn default() -> Self {
        Self { leader: NodeId(-1), epoch: 0, committed_offset: -1, applied_offset: -1, log_end_offset: 0 }
    }
}

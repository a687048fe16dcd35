//! One moment of the node, as values: what the node gathers when somebody scrapes, and all that rendering looks at.

use std::sync::Arc;
use std::time::Duration;

use model::{NodeId, TimestampMs, TopicId};

use super::counters::Counted;

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
    pub listeners: Vec<ListenerScrape>,
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
    /// Kafka's BrokerState: 2 recovering, 3 running, 6 shutting down.
    pub state: u8,
    /// Logs opened so far, out of so many; see [`super::Startup`].
    pub recovered: u64,
    pub to_recover: u64,
    /// Held now by requests in hand, half-received frames included.
    pub request_bytes: u64,
    /// `queued.max.request.bytes`.
    pub request_bytes_max: u64,
    pub log_dirs: Vec<LogDirScrape>,
    /// Partitions that the image places here and that could not be opened.
    pub partitions_missing: u64,
}

#[derive(Clone, Debug)]
pub struct LogDirScrape {
    pub path: String,
    pub online: bool,
    /// Too little room for produces.
    pub full: bool,
    /// Free for this process on the directory's disk, and in all, where the operating system tells it.
    pub space: Option<(u64, u64)>,
}

/// One listener, by its place in the configuration.
#[derive(Clone, Debug)]
pub struct ListenerScrape {
    pub name: Arc<str>,
    /// Connections turned away for a limit.
    pub refused: u64,
}

#[derive(Clone, Debug, Default)]
pub struct ShardScrape {
    pub counters: Counted,
    /// How long the thread has worked since its start.
    pub busy: Duration,
    /// Produces that wait for their high watermark.
    pub produces_parked: u64,
    /// Partitions of the group topic whose groups are served, are being read, and could not be read.
    pub group_partitions: [u64; 3],
}

/// One replica on this node.
#[derive(Clone, Debug)]
pub struct PartitionScrape {
    pub topic: Arc<str>,
    pub topic_id: TopicId,
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
    /// `retention.bytes`, where there is a limit.
    pub bytes_max: Option<u64>,
    pub segments: u64,
    /// Producers it remembers.
    pub producer_ids: u64,
}

#[derive(Clone, Debug)]
pub struct GroupScrape {
    pub group: Arc<str>,
    /// As ListGroups says it: `Stable`, `Empty`, `PreparingRebalance`, `CompletingRebalance`, `Dead`.
    pub state: &'static str,
    pub members: u64,
    pub offsets: Vec<GroupOffset>,
}

/// A group's committed offset of one partition.
#[derive(Clone, Debug)]
pub struct GroupOffset {
    pub topic: Arc<str>,
    /// Zero where the commit did not say.
    pub topic_id: TopicId,
    pub partition: i32,
    /// The next offset the group will read.
    pub committed: i64,
    /// Records from `committed` to the high watermark; `None` where the partition's end is not known here.
    pub lag: Option<i64>,
    pub lag_seconds: LagSeconds,
}

/// How old the oldest record is that a group has not read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LagSeconds {
    /// 0 where the group has read everything.
    Known(f64),
    /// The record has no time, or its partition is not led here.
    Untold,
    /// There was no time to look it up in this scrape.
    Pending,
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
}

#[derive(Clone, Copy, Debug)]
pub struct QuorumScrape {
    /// -1 when there is none.
    pub leader: NodeId,
    pub epoch: i64,
    /// The first offset that is not committed.
    pub high_watermark: i64,
    /// The last offset in the image.
    pub applied_offset: i64,
    pub log_end_offset: i64,
    /// Commits so far, and how long they took in all.
    pub commits: u64,
    pub commit_time: Duration,
}

impl Default for QuorumScrape {
    fn default() -> Self {
        Self {
            leader: NodeId(-1),
            epoch: 0,
            high_watermark: 0,
            applied_offset: -1,
            log_end_offset: 0,
            commits: 0,
            commit_time: Duration::ZERO,
        }
    }
}

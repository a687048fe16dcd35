//! What people, probes and scrapers see of the node.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::BoxFuture;
use model::{NodeId, TimestampMs};

use crate::clock::Clock;
use crate::config::Config;
use crate::log_dir::LogDir;
use crate::net::Budget;
use crate::replication::Images;
use crate::replication::recovery::Progress;
use crate::shard::{Handle, Slot, State};
use crate::telemetry::scrape::{
    ControllerScrape, GroupOffset, GroupScrape, LogDirScrape, Names, NodeScrape, PartitionScrape, QuorumScrape, Scrape,
    ShardScrape,
};
use crate::telemetry::{Health, Source, Startup};

/// Kafka's BrokerState.
const RECOVERING: u8 = 2;
const RUNNING: u8 = 3;

/// Gathers one moment of the node.
pub struct Observer {
    node: NodeId,
    clock: Clock,
    started_at: TimestampMs,
    listeners: Vec<Arc<str>>,
    shards: Handle,
    images: Images,
    dirs: Arc<[Arc<LogDir>]>,
    budget: Budget,
    progress: Progress,
    started: AtomicBool,
}

impl Observer {
    pub fn new(
        config: &Config,
        clock: Clock,
        shards: Handle,
        images: Images,
        dirs: Arc<[Arc<LogDir>]>,
        budget: Budget,
    ) -> Self {
        Self {
            node: config.node.id,
            clock,
            started_at: clock.now(),
            listeners: config.listeners.broker.iter().map(|listener| listener.name.as_str().into()).collect(),
            shards,
            images,
            dirs,
            budget,
            progress: Progress::default(),
            started: AtomicBool::new(false),
        }
    }

    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Clients are served from now on.
    pub fn started(&self) {
        self.started.store(true, Ordering::Release);
    }

    async fn gather(&self) -> Scrape {
        let node = self.node;
        let asked = (0..self.shards.count()).map(|shard| self.shards.on(shard, move |state| observe(state, node)));
        let mut shards = Vec::new();
        let mut partitions = Vec::new();
        let mut groups = Vec::new();
        for observed in futures_util::future::join_all(asked).await.into_iter().flatten() {
            shards.push(observed.shard);
            partitions.extend(observed.partitions);
            groups.extend(observed.groups);
        }
        add_lag(&mut groups, &partitions);
        let started = self.started.load(Ordering::Acquire);
        Scrape {
            at: self.clock.now(),
            names: Names { api: api_name, error: error_name },
            node: NodeScrape {
                id: self.node,
                version: env!("CARGO_PKG_VERSION"),
                started_at: self.started_at,
                state: if started { RUNNING } else { RECOVERING },
                request_bytes: self.budget.used() as u64,
                request_bytes_max: self.budget.limit() as u64,
                log_dirs: self
                    .dirs
                    .iter()
                    .map(|dir| LogDirScrape {
                        path: dir.path.display().to_string(),
                        online: !dir.is_failed(),
                        free_bytes: dir.space().map(|(free, _)| free),
                    })
                    .collect(),
            },
            listeners: self.listeners.clone(),
            shards,
            partitions,
            groups,
            controller: self.controller(),
            quorum: self.quorum(),
        }
    }

    fn controller(&self) -> ControllerScrape {
        let image = self.images.current();
        let mut scrape = ControllerScrape { active: true, ..ControllerScrape::default() };
        for broker in image.brokers() {
            if broker.fenced {
                scrape.brokers_fenced += 1;
            } else {
                scrape.brokers_active += 1;
            }
        }
        scrape.topics = image.topic_count() as u64;
        scrape.partitions = image.partition_count() as u64;
        for topic in image.topics() {
            for (_, partition) in topic.partitions() {
                scrape.partitions_offline += u64::from(partition.leader.is_none());
                scrape.preferred_replica_imbalance +=
                    u64::from(partition.leader.is_some() && partition.leader != partition.replicas.first().copied());
            }
        }
        scrape
    }

    fn quorum(&self) -> QuorumScrape {
        let offset = self.images.current().offset.0;
        QuorumScrape {
            leader: self.node,
            epoch: 1,
            committed_offset: offset,
            applied_offset: offset,
            log_end_offset: offset + 1,
        }
    }
}

impl Source for Observer {
    fn scrape(&self) -> BoxFuture<'_, Scrape> {
        Box::pin(self.gather())
    }

    fn health(&self) -> Health {
        let done = self.started.load(Ordering::Acquire);
        let failed: Vec<String> =
            self.dirs.iter().filter(|dir| dir.is_failed()).map(|dir| dir.path.display().to_string()).collect();
        let live = if !failed.is_empty() && failed.len() == self.dirs.len() {
            Err(format!("every log directory has failed: {}", failed.join(", ")))
        } else {
            Ok(())
        };
        Health {
            ready: if done { live.clone() } else { Err("logs are being recovered".to_owned()) },
            live,
            startup: Startup {
                recovered: self.progress.recovered.load(Ordering::Relaxed),
                total: self.progress.total.load(Ordering::Relaxed),
                done,
            },
        }
    }
}

fn api_name(key: i16) -> &'static str {
    wire::ApiKey::from_code(key).map_or("Unknown", wire::ApiKey::name)
}

fn error_name(code: i16) -> &'static str {
    wire::ErrorCode::from_code(code).map_or("UNKNOWN", wire::ErrorCode::name)
}

/// What one shard knows.
struct Observed {
    shard: ShardScrape,
    partitions: Vec<PartitionScrape>,
    groups: Vec<GroupScrape>,
}

fn observe(state: &mut State, node: NodeId) -> Observed {
    let mut partitions = Vec::new();
    let mut groups = Vec::new();
    for (id, slot) in state.slots() {
        partitions.push(partition(slot, id.index, node));
        if let Some(coordinator) = slot.groups.as_deref().and_then(|groups| groups.loaded()) {
            groups_of(coordinator, &mut groups);
        }
    }
    Observed {
        shard: ShardScrape {
            counters: state.counters.clone(),
            produces_parked: state.produces_parked() as u64,
            fetches_parked: state.fetches_parked,
            fetch_sessions: state.fetch_sessions,
            ..ShardScrape::default()
        },
        partitions,
        groups,
    }
}

fn partition(slot: &Slot, index: i32, node: NodeId) -> PartitionScrape {
    let leadership = slot.partition.leadership();
    let offsets = slot.partition.offsets();
    let log = slot.partition.log();
    PartitionScrape {
        topic: slot.topic.clone(),
        index,
        is_leader: leadership.leader == Some(node),
        leader: leadership.leader.unwrap_or(NodeId(-1)),
        preferred_leader: leadership.replicas.first().copied().unwrap_or(NodeId(-1)),
        replicas: leadership.replicas.len() as u32,
        in_sync_replicas: leadership.in_sync.len() as u32,
        in_sync_replicas_min: slot.partition.config().min_insync_replicas as u32,
        offline: slot.dir.is_failed() || log.is_failed(),
        log_start_offset: offsets.start.0,
        last_stable_offset: slot.partition.last_stable_offset().0,
        high_watermark: slot.partition.high_watermark().0,
        log_end_offset: offsets.end.0,
        bytes: log.size_bytes(),
        segments: log.segment_count() as u64,
        producer_ids: log.producers().count() as u64,
    }
}

fn groups_of(coordinator: &coordinator::GroupCoordinator, groups: &mut Vec<GroupScrape>) {
    let first = groups.len();
    for listed in coordinator.list_groups(&[], &[]) {
        let members = coordinator.describe_group(&listed.group).map_or(0, |group| group.members.len() as u64);
        groups.push(GroupScrape {
            group: listed.group.into(),
            protocol: "classic",
            state: listed.state.name(),
            members,
            offsets: Vec::new(),
        });
    }
    for committed in coordinator.committed_offsets() {
        let Some(group) = groups[first..].iter_mut().find(|group| *group.group == *committed.group) else { continue };
        group.offsets.push(GroupOffset {
            topic: committed.topic.into(),
            partition: committed.partition,
            committed: committed.offset.0,
            lag: None,
            lag_seconds: None,
        });
    }
}

/// Holds committed offsets against the high watermarks of this broker's partitions.
fn add_lag(groups: &mut [GroupScrape], partitions: &[PartitionScrape]) {
    let ends: std::collections::HashMap<(&str, i32), i64> = partitions
        .iter()
        .filter(|partition| partition.is_leader)
        .map(|partition| ((&*partition.topic, partition.index), partition.high_watermark))
        .collect();
    for offset in groups.iter_mut().flat_map(|group| &mut group.offsets) {
        let Some(end) = ends.get(&(&*offset.topic, offset.partition)) else { continue };
        let lag = (end - offset.committed).max(0);
        offset.lag = Some(lag);
        if lag == 0 {
            offset.lag_seconds = Some(0.0);
        }
    }
}

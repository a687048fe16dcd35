//! What people, probes and scrapers see of the node. A scrape asks each shard for a little at a time, and never makes one
//! wait for a disk.

mod lag;
mod pulse;
mod shards;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::BoxFuture;
use model::{NodeId, TimestampMs};

use self::lag::Lag;
use self::pulse::Pulse;
use self::shards::Observed;
use super::accept::Connections;
use crate::clock::Clock;
use crate::config::Config;
use crate::disk_pool::DiskPool;
use crate::log_dir::LogDir;
use crate::net::Budget;
use crate::quorum::SingleVoter;
use crate::replication::Images;
use crate::replication::recovery::Progress;
use crate::shard::Handle;
use crate::shutdown::Shutdown;
use crate::telemetry::{
    ControllerScrape, Health, ListenerScrape, LogDirScrape, Names, NodeScrape, PartitionScrape, QuorumScrape, Scrape,
    Source, Startup,
};

/// Kafka's BrokerState.
const RECOVERING: u8 = 2;
const RUNNING: u8 = 3;
const SHUTTING_DOWN: u8 = 6;

/// What the observer looks at.
pub struct Parts {
    pub clock: Clock,
    pub shards: Handle,
    pub images: Images,
    pub dirs: Arc<[Arc<LogDir>]>,
    pub budget: Budget,
    pub connections: Arc<Connections>,
    pub disk: DiskPool,
    pub quorum: SingleVoter,
    pub shutdown: Shutdown,
}

/// Gathers one moment of the node.
pub struct Observer {
    node: NodeId,
    started_at: TimestampMs,
    listeners: Vec<Arc<str>>,
    parts: Parts,
    lag: Lag,
    pulse: Pulse,
    progress: Progress,
    started: AtomicBool,
}

impl Observer {
    pub fn new(config: &Config, parts: Parts) -> Self {
        Self {
            node: config.node.id,
            started_at: parts.clock.now(),
            listeners: config.listeners.broker.iter().map(|listener| listener.name.as_str().into()).collect(),
            lag: Lag::default(),
            pulse: Pulse::new(parts.shards.clone()),
            parts,
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

    fn state(&self) -> u8 {
        match (self.parts.shutdown.is_requested(), self.started.load(Ordering::Acquire)) {
            (true, _) => SHUTTING_DOWN,
            (false, true) => RUNNING,
            (false, false) => RECOVERING,
        }
    }

    async fn gather(&self) -> Scrape {
        let parts = &self.parts;
        // Before the shards are asked: once it is running, they have all their partitions.
        let state = self.state();
        let Observed { shards, partitions, unopened, mut groups } = shards::observe(&parts.shards, self.node).await;
        self.lag.fill(&mut groups, &partitions, parts).await;
        let listeners = self.listeners.iter().enumerate();
        Scrape {
            at: parts.clock.now(),
            names: Names { api: api_name, error: error_name },
            node: NodeScrape {
                id: self.node,
                version: env!("CARGO_PKG_VERSION"),
                started_at: self.started_at,
                state,
                recovered: self.progress.recovered.load(Ordering::Relaxed),
                to_recover: self.progress.total.load(Ordering::Relaxed),
                request_bytes: parts.budget.used() as u64,
                request_bytes_max: parts.budget.limit() as u64,
                log_dirs: parts.dirs.iter().map(|dir| log_dir(dir)).collect(),
                partitions_missing: unopened,
            },
            listeners: listeners
                .map(|(at, name)| ListenerScrape { name: name.clone(), refused: parts.connections.refused(at) })
                .collect(),
            shards,
            controller: self.controller(&partitions, unopened),
            partitions,
            groups,
            quorum: self.quorum(),
        }
    }

    /// What the image says; what this node is to lead and cannot is offline as well.
    fn controller(&self, partitions: &[PartitionScrape], unopened: u64) -> ControllerScrape {
        let image = self.parts.images.current();
        let failed = partitions.iter().filter(|partition| partition.offline && partition.leader == self.node);
        let mut scrape = ControllerScrape {
            active: true,
            topics: image.topic_count() as u64,
            partitions: image.partition_count() as u64,
            partitions_offline: failed.count() as u64 + unopened,
            ..ControllerScrape::default()
        };
        for broker in image.brokers() {
            if broker.fenced {
                scrape.brokers_fenced += 1;
            } else {
                scrape.brokers_active += 1;
            }
        }
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
        let status = self.parts.quorum.status();
        QuorumScrape {
            leader: self.node,
            epoch: i64::from(status.epoch.0),
            // One voter commits what it has on disk.
            high_watermark: status.end.0,
            applied_offset: self.parts.images.current().offset.0,
            log_end_offset: status.end.0,
            commits: status.commits,
            commit_time: status.commit_time,
        }
    }
}

fn log_dir(dir: &LogDir) -> LogDirScrape {
    LogDirScrape {
        path: dir.path.display().to_string(),
        online: !dir.is_failed(),
        full: dir.is_full(),
        space: dir.last_space(),
    }
}

impl Source for Observer {
    fn scrape(&self) -> BoxFuture<'_, Scrape> {
        Box::pin(self.gather())
    }

    fn health(&self) -> Health {
        let failed: Vec<String> =
            self.parts.dirs.iter().filter(|dir| dir.is_failed()).map(|dir| dir.path.display().to_string()).collect();
        let state = self.state();
        let live = if !failed.is_empty() && failed.len() == self.parts.dirs.len() {
            Err(format!("every log directory has failed: {}", failed.join(", ")))
        } else if state == SHUTTING_DOWN {
            Ok(())
        } else {
            self.pulse.check()
        };
        Health {
            ready: match state {
                RECOVERING => Err("logs are being recovered".to_owned()),
                SHUTTING_DOWN => Err("the broker is stopping".to_owned()),
                _ => live.clone(),
            },
            live,
            startup: Startup {
                recovered: self.progress.recovered.load(Ordering::Relaxed),
                total: self.progress.total.load(Ordering::Relaxed),
                done: self.started.load(Ordering::Acquire),
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

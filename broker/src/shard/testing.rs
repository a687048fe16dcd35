//! A shard's state on a folder of its own, for tests of what it does.

use std::sync::Arc;

use model::{BatchBuilder, LeaderEpoch, NodeId, PartitionId, TopicId, ValidBatch};
use partition::{Config, Leadership, Partition};
use storage::{OpenHints, RealDisk};
use tokio::sync::mpsc;

use super::errand::{Produce, ProduceErrand};
use super::handle::Message;
use super::reply::Replies;
use super::slot::Slot;
use super::state::{State, StateConfig};
use crate::clock::Clock;
use crate::disk_pool::DiskThreads;
use crate::log_dir::LogDir;

pub const NODE: NodeId = NodeId(1);

pub struct Rig {
    pub state: State,
    threads: Option<DiskThreads>,
    dir: Arc<LogDir>,
    /// Where flushed logs would be told of.
    _mailbox: (mpsc::Sender<Message>, mpsc::Receiver<Message>),
    _folder: tempfile::TempDir,
}

impl Rig {
    pub fn new(tail_bytes_max: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let threads = DiskThreads::start(1).unwrap();
        let config = StateConfig {
            clock: Clock,
            disk: threads.pool(),
            groups: coordinator::GroupConfig::default(),
            tail_bytes_max,
            retention_interval_ms: i64::MAX,
            checkpoint_interval_ms: i64::MAX,
        };
        let mailbox = mpsc::channel(1);
        let state = State::new(config, mailbox.0.downgrade());
        let disk = RealDisk::new([0; 16]);
        let dir = LogDir::new(disk, folder.path().to_owned(), TopicId::ZERO, true, Arc::default());
        Self { state, threads: Some(threads), dir: Arc::new(dir), _mailbox: mailbox, _folder: folder }
    }

    /// A partition of topic `t` that this node leads.
    pub fn partition(&mut self, index: i32, config: Config) -> PartitionId {
        let id = PartitionId { topic: TopicId([1; 16]), index };
        let path = self.dir.path.join(format!("t-{index}"));
        let now = self.state.now();
        let opened = Partition::open(self.dir.disk.clone(), path, NODE, config, OpenHints::default(), now);
        let topic: Arc<str> = "t".into();
        let counters = self.state.counters.topics.slot(id.topic, &topic);
        self.state.install(id, Slot::new(topic, opened.unwrap().0, self.dir.clone(), counters));
        let me: Arc<[NodeId]> = [NODE].into();
        let (replicas, in_sync) = (me.clone(), me);
        let (leader, epoch) = (Some(NODE), LeaderEpoch(0));
        self.state.lead_by(id, Leadership { leader, epoch, partition_epoch: 0, replicas, in_sync });
        id
    }

    /// Sends an errand of one batch for each of `partitions`; it is answered at the end of the turn.
    pub fn produce(&mut self, partitions: &[PartitionId], value: &[u8]) -> Replies<Box<ProduceErrand>> {
        let replies = Replies::default();
        let mut errand = Box::new(ProduceErrand { timeout_ms: 30_000, ..ProduceErrand::default() });
        for partition in partitions {
            errand.batches.push(Produce { partition: *partition, batch: self.batch(value) });
        }
        self.state.produce(errand, replies.expect());
        replies
    }

    pub fn batch(&self, value: &[u8]) -> ValidBatch {
        let mut builder = BatchBuilder::new();
        builder.append(self.state.now(), None, Some(value), &[]);
        builder.finish()
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if let Some(threads) = self.threads.take() {
            threads.stop();
        }
    }
}

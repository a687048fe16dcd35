//! What every handler is given: the image, the shards as seen from this thread, the controller, and what was configured.

use std::cell::Cell;
use std::sync::Arc;

use metadata::configs::Value;
use metadata::{CommandError, NewTopic, topic_name};
use model::{NodeId, PartitionId, TimestampMs, TopicId};
use wire::{ErrorCode, Str};

use super::errors::ToCode as _;
use crate::clock::Clock;
use crate::controller::Client;
use crate::coordination::router::{GROUP_TOPIC, partition_of};
use crate::disk_pool::DiskPool;
use crate::log_dir::LogDir;
use crate::replication::{Images, Published};
use crate::shard::Local;
use crate::telemetry::TopicCounters;
use crate::telemetry::logging::Loggers;

/// What was configured and concerns requests.
#[derive(Clone, Debug)]
pub struct ApiConfig {
    pub node_id: NodeId,
    /// `fetch.max.bytes`
    pub fetch_bytes_max: usize,
    /// `max.incremental.fetch.session.cache.slots`, this shard's share.
    pub session_slots: usize,
    /// `max.request.partition.size.limit`: partitions that DescribeTopicPartitions answers with at most.
    pub request_partitions_max: usize,
    /// `offsets.topic.num.partitions`
    pub group_partitions: i32,
    /// `offsets.topic.replication.factor`
    pub group_replication_factor: i16,
    /// `offsets.topic.segment.bytes`
    pub group_segment_bytes: i32,
}

/// What the handlers of one shard's connections share.
pub struct Context {
    pub config: ApiConfig,
    pub cluster_id: Str,
    pub clock: Clock,
    pub images: Images,
    pub shards: Local,
    pub controller: Client,
    pub dirs: Arc<[Arc<LogDir>]>,
    pub disk: DiskPool,
    pub loggers: Loggers,
    /// A block of producer ids of this shard: the next one, and the end.
    pub producer_ids: Cell<(i64, i64)>,
}

impl Context {
    pub fn image(&self) -> Arc<Published> {
        self.images.current()
    }

    pub fn now(&self) -> TimestampMs {
        self.clock.now()
    }

    /// Counts something for a topic that the image has, on this shard.
    pub fn count(&self, topic: TopicId, count: impl FnOnce(&mut TopicCounters)) {
        let mut state = self.shards.state();
        let topics = &mut state.counters.topics;
        let slot = topics.find(topic).or_else(|| Some(topics.slot(topic, &self.image().topic_by_id(topic)?.name)));
        if let Some(slot) = slot {
            count(topics.at(slot));
        }
    }

    /// Whether the broker config `name` is true at present.
    pub fn is_on(&self, name: &str) -> bool {
        self.image().broker_value(name).and_then(|value: Value| value.as_bool()).unwrap_or(false)
    }

    /// An id for a fetch session: random, never 0.
    pub fn next_fetch_session_id(&self) -> i32 {
        rand::random::<i32>().checked_abs().filter(|id| *id > 0).unwrap_or(1)
    }

    /// Creates `name` with the defaults, or with the settings of an internal topic; well if it exists.
    pub async fn create_missing_topic(&self, name: &str) -> Result<(), (ErrorCode, String)> {
        let topic = if name == GROUP_TOPIC {
            let config = |name: &str, value: &str| (name.to_owned(), Some(value.to_owned()));
            NewTopic {
                name: name.to_owned(),
                partitions: Some(self.config.group_partitions),
                replication_factor: Some(self.config.group_replication_factor),
                assignments: Vec::new(),
                configs: vec![
                    config("cleanup.policy", "compact"),
                    config("compression.type", "producer"),
                    config("segment.bytes", &self.config.group_segment_bytes.to_string()),
                ],
            }
        } else {
            NewTopic { name: name.to_owned(), ..NewTopic::default() }
        };
        let created =
            self.controller.submit(false, move |controller, moment| controller.create_topics(vec![topic], moment));
        match created.await {
            Ok(mut results) => match results.pop() {
                None | Some(Ok(_) | Err(CommandError::TopicAlreadyExists(_))) => Ok(()),
                Some(Err(error)) => Err((error.to_code(), error.message().to_owned())),
            },
            Err(error) => Err((error.to_code(), error.to_string())),
        }
    }

    /// The partition that coordinates `group`, `None` while there is no group topic.
    pub fn group_partition(&self, group: &str) -> Option<PartitionId> {
        let image = self.image();
        let topic = image.topic_by_name(GROUP_TOPIC)?;
        let partitions = i32::try_from(topic.partitions.len()).ok().filter(|count| *count > 0)?;
        Some(PartitionId { topic: topic.id, index: partition_of(group, partitions) })
    }

    /// Whether clients may not write to `topic` themselves.
    pub fn is_reserved(topic: &str) -> bool {
        topic_name::is_internal(topic)
    }
}

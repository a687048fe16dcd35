//! The cluster as of one point of the metadata log: topics, partitions, brokers, configs. Immutable once shared; clones
//! cost nothing and share all that did not change. It changes only by [`crate::Record`]s: see [`crate::Delta`].

mod broker;
mod replay;
mod snapshot;
mod topic;

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{NodeId, ProducerId, TopicId};

pub use broker::BrokerImage;
pub use replay::ReplayError;
pub(crate) use replay::{replay, settle};
pub use topic::{PartitionImage, TopicImage};

use crate::configs::{Layers, Properties, TopicConfig, Value};
use crate::persistent::SortedMap;
use crate::resource::ConfigResource;

/// Everything a node knows of its cluster, as seen by that node: effective configs depend on its own properties file and
/// its own dynamic configs.
#[derive(Clone, PartialEq, Debug)]
pub struct Image {
    node: NodeId,
    node_file: Arc<Properties>,
    cluster_id: Option<Arc<str>>,
    topics: SortedMap<TopicId, Arc<TopicImage>>,
    topic_ids: SortedMap<Arc<str>, TopicId>,
    partition_count: usize,
    /// Keys of names that hold '.' or '_', each with the topic that took it: see [`crate::topic_name::collision_key`].
    collision_keys: SortedMap<String, Arc<str>>,
    brokers: Arc<BTreeMap<NodeId, Arc<BrokerImage>>>,
    /// The highest broker epoch ever given out.
    last_broker_epoch: i64,
    /// Configs of everything but topics, which carry their own.
    configs: Arc<BTreeMap<ConfigResource, Arc<Properties>>>,
    /// What a topic without overrides has.
    topic_defaults: Arc<TopicConfig>,
    next_producer_id: ProducerId,
    features: Arc<BTreeMap<String, i16>>,
}

impl Image {
    /// A cluster without anything, seen by `node` whose properties file holds `node_file`.
    pub fn empty(node: NodeId, node_file: Arc<Properties>) -> Self {
        let topic_defaults = TopicConfig::resolve(&Layers { node_file: Some(&node_file), ..Layers::default() });
        Self {
            node,
            node_file,
            cluster_id: None,
            topics: SortedMap::default(),
            topic_ids: SortedMap::default(),
            partition_count: 0,
            collision_keys: SortedMap::default(),
            brokers: Arc::default(),
            last_broker_epoch: -1,
            configs: Arc::default(),
            topic_defaults: Arc::new(topic_defaults),
            next_producer_id: ProducerId(0),
            features: Arc::default(),
        }
    }

    /// The node whose view this is.
    pub fn node(&self) -> NodeId {
        self.node
    }

    pub fn cluster_id(&self) -> Option<&str> {
        self.cluster_id.as_deref()
    }

    pub fn topic_by_id(&self, id: TopicId) -> Option<&Arc<TopicImage>> {
        self.topics.get(&id)
    }

    pub fn topic_by_name(&self, name: &str) -> Option<&Arc<TopicImage>> {
        self.topics.get(self.topic_ids.get(name)?)
    }

    pub fn topic_id(&self, name: &str) -> Option<TopicId> {
        self.topic_ids.get(name).copied()
    }

    /// Topics by name, ascending.
    pub fn topics(&self) -> impl Iterator<Item = &Arc<TopicImage>> {
        self.topic_ids.values().filter_map(|id| self.topics.get(id))
    }

    /// Topics whose name is `name` or above, ascending.
    pub fn topics_from(&self, name: &str) -> impl Iterator<Item = &Arc<TopicImage>> {
        self.topic_ids.iter_from(name).filter_map(|(_, id)| self.topics.get(id))
    }

    pub fn topic_count(&self) -> usize {
        self.topics.len()
    }

    /// The number of partitions of all topics.
    pub fn partition_count(&self) -> usize {
        self.partition_count
    }

    pub fn partition(&self, topic: TopicId, index: i32) -> Option<&PartitionImage> {
        self.topics.get(&topic)?.partition(index)
    }

    /// The existing topic whose name differs from `name` only in '.' and '_'.
    pub fn colliding_topic(&self, name: &str) -> Option<&str> {
        let existing = self.collision_keys.get(&crate::topic_name::collision_key(name)?)?;
        (&**existing != name).then_some(&**existing)
    }

    pub fn broker(&self, id: NodeId) -> Option<&Arc<BrokerImage>> {
        self.brokers.get(&id)
    }

    /// Registered brokers by id, fenced ones included.
    pub fn brokers(&self) -> impl Iterator<Item = &Arc<BrokerImage>> {
        self.brokers.values()
    }

    /// Whether the broker may lead and be in sync: registered, not fenced, not on its way out.
    pub fn is_active(&self, id: NodeId) -> bool {
        self.brokers.get(&id).is_some_and(|broker| broker.is_active())
    }

    pub(crate) fn next_broker_epoch(&self) -> i64 {
        self.last_broker_epoch + 1
    }

    /// What was set at run time for `resource`; `None` where nothing is, or no such topic exists.
    pub fn overrides(&self, resource: &ConfigResource) -> Option<&Properties> {
        match resource {
            ConfigResource::Topic(name) => self.topic_by_name(name).map(|topic| &*topic.overrides),
            other => self.configs.get(other).map(|set| &**set),
        }
    }

    /// The layers below every topic, as this node sees them.
    pub fn layers(&self) -> Layers<'_> {
        self.layers_of(self.node)
    }

    /// The layers of broker `node`: its own properties file is only known where it is this image's.
    pub fn layers_of(&self, node: NodeId) -> Layers<'_> {
        Layers {
            topic: None,
            broker: self.overrides(&ConfigResource::Broker(node)),
            broker_default: self.overrides(&ConfigResource::BrokerDefault),
            node_file: (node == self.node).then_some(&*self.node_file),
        }
    }

    /// The layers of `topic`, as this node sees them.
    pub fn topic_layers<'a>(&'a self, topic: &'a TopicImage) -> Layers<'a> {
        Layers { topic: Some(&topic.overrides), ..self.layers() }
    }

    /// The effective value of the broker config called `name` on this node; `None` for an unknown name or a null.
    pub fn broker_value(&self, name: &str) -> Option<Value> {
        self.layers().broker_value(name)
    }

    /// The effective number of the broker config called `name`, which must be a number with a default.
    pub fn broker_number(&self, name: &str) -> i64 {
        self.broker_value(name)
            .and_then(|value| value.as_integer())
            .expect("the table makes it a number with a default")
    }

    /// What a topic without overrides has.
    pub fn topic_defaults(&self) -> &Arc<TopicConfig> {
        &self.topic_defaults
    }

    /// The first producer id that nobody was given yet.
    pub fn next_producer_id(&self) -> ProducerId {
        self.next_producer_id
    }

    /// Finalized feature levels by name.
    pub fn features(&self) -> &BTreeMap<String, i16> {
        &self.features
    }
}

#[cfg(test)]
mod tests;

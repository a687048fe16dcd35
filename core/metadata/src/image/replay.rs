//! The only code that changes an image: one record after another, noting what changed.

use std::sync::Arc;

use model::{LeaderEpoch, NodeId, TopicId};

use super::{BrokerImage, Image, PartitionImage, TopicImage};
use crate::configs::{Layers, TopicConfig};
use crate::delta::Changes;
use crate::record::{ConfigRecord, PartitionChangeRecord, PartitionRecord, Record, TopicRecord};
use crate::resource::ConfigResource;
use crate::topic_name;

/// A record that does not follow from the image before it: the log is damaged, or was written by a broken controller.
/// The image is as it was before the record.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ReplayError {
    #[error("record for topic {0}, which does not exist")]
    UnknownTopic(TopicId),
    #[error("record for topic '{0}', which does not exist")]
    UnknownTopicName(String),
    #[error("topic '{0}' exists already")]
    TopicExists(String),
    #[error("partition {index} of topic {topic} does not exist")]
    UnknownPartition { topic: TopicId, index: i32 },
    #[error("partition {index} of topic {topic} is out of order: {expected} is next")]
    PartitionOutOfOrder { topic: TopicId, index: i32, expected: usize },
    #[error("partition {index} of topic {topic}: {why}")]
    BadPartition { topic: TopicId, index: i32, why: &'static str },
    #[error("record for broker {0}, which is not registered")]
    UnknownBroker(NodeId),
    #[error("the cluster's id is {0} and cannot become another")]
    ClusterIdChanged(String),
}

/// Applies `record` to `image`. [`settle`] must follow before the image is shown to anybody.
pub(crate) fn replay(image: &mut Image, record: &Record, changes: &mut Changes) -> Result<(), ReplayError> {
    match record {
        Record::Cluster(record) => match &image.cluster_id {
            Some(id) if **id != *record.cluster_id => return Err(ReplayError::ClusterIdChanged(id.to_string())),
            _ => image.cluster_id = Some(record.cluster_id.as_str().into()),
        },
        Record::Topic(record) => add_topic(image, record, changes)?,
        Record::TopicRemoved(record) => remove_topic(image, record.id, changes)?,
        Record::Partition(record) => add_partition(image, record, changes)?,
        Record::PartitionChange(record) => change_partition(image, record, changes)?,
        Record::Config(record) => set_config(image, record, changes)?,
        Record::BrokerRegistered(record) => {
            image.last_broker_epoch = image.last_broker_epoch.max(record.epoch);
            Arc::make_mut(&mut image.brokers).insert(record.id, Arc::new(BrokerImage::of(record)));
            changes.brokers.insert(record.id);
        }
        Record::BrokerChanged(record) => {
            let brokers = Arc::make_mut(&mut image.brokers);
            let broker = brokers.get_mut(&record.id).ok_or(ReplayError::UnknownBroker(record.id))?;
            let broker = Arc::make_mut(broker);
            broker.fenced = record.fenced.unwrap_or(broker.fenced);
            broker.shutting_down = record.shutting_down.unwrap_or(broker.shutting_down);
            changes.brokers.insert(record.id);
        }
        Record::BrokerUnregistered(record) => {
            let removed = Arc::make_mut(&mut image.brokers).remove(&record.id);
            removed.ok_or(ReplayError::UnknownBroker(record.id))?;
            changes.brokers.insert(record.id);
        }
        Record::LeadersRestarted(record) => restart_leaders(image, record.broker, changes),
        Record::ProducerIds(record) => {
            image.next_producer_id = record.next;
            changes.producer_ids = true;
        }
        Record::Feature(record) => {
            let features = Arc::make_mut(&mut image.features);
            if record.level == 0 {
                features.remove(&record.name);
            } else {
                features.insert(record.name.clone(), record.level);
            }
            changes.features = true;
        }
    }
    Ok(())
}

fn add_topic(image: &mut Image, record: &TopicRecord, changes: &mut Changes) -> Result<(), ReplayError> {
    if image.topic_ids.contains_key(record.name.as_str()) || image.topics.contains_key(&record.id) {
        return Err(ReplayError::TopicExists(record.name.clone()));
    }
    let name: Arc<str> = record.name.as_str().into();
    if let Some(key) = topic_name::collision_key(&name) {
        image.collision_keys.insert(key, Arc::clone(&name));
    }
    image.topic_ids.insert(Arc::clone(&name), record.id);
    let topic = TopicImage {
        name,
        id: record.id,
        partitions: Default::default(),
        overrides: Arc::default(),
        config: Arc::clone(&image.topic_defaults),
    };
    image.topics.insert(record.id, Arc::new(topic));
    changes.topic_created(record.id);
    Ok(())
}

fn remove_topic(image: &mut Image, id: TopicId, changes: &mut Changes) -> Result<(), ReplayError> {
    let topic = image.topics.remove(&id).ok_or(ReplayError::UnknownTopic(id))?;
    image.topic_ids.remove(&*topic.name);
    image.partition_count -= topic.partitions.len();
    if let Some(key) = topic_name::collision_key(&topic.name)
        && image.collision_keys.get(&key).is_some_and(|holder| *holder == topic.name)
    {
        image.collision_keys.remove(&key);
    }
    changes.topic_deleted(topic);
    Ok(())
}

fn add_partition(image: &mut Image, record: &PartitionRecord, changes: &mut Changes) -> Result<(), ReplayError> {
    let &PartitionRecord { topic: id, index, .. } = record;
    let expected = image.topics.get(&id).ok_or(ReplayError::UnknownTopic(id))?.partitions.len();
    if usize::try_from(index) != Ok(expected) {
        return Err(ReplayError::PartitionOutOfOrder { topic: id, index, expected });
    }
    let topic = topic_mut(image, id)?;
    let like = expected.checked_sub(1).and_then(|last| topic.partitions.get(last));
    let partition = PartitionImage::of(record, like);
    check(&partition).map_err(|why| ReplayError::BadPartition { topic: id, index, why })?;
    topic.partitions.push(partition);
    image.partition_count += 1;
    changes.partition_changed(id, index);
    Ok(())
}

fn change_partition(
    image: &mut Image,
    record: &PartitionChangeRecord,
    changes: &mut Changes,
) -> Result<(), ReplayError> {
    let &PartitionChangeRecord { topic: id, index, .. } = record;
    let unknown = ReplayError::UnknownPartition { topic: id, index };
    let topic = topic_mut(image, id)?;
    let Some(partition) = usize::try_from(index).ok().and_then(|at| topic.partitions.get_mut(at)) else {
        return Err(unknown);
    };
    let mut next = partition.clone();
    next.change(record);
    check(&next).map_err(|why| ReplayError::BadPartition { topic: id, index, why })?;
    *partition = next;
    changes.partition_changed(id, index);
    Ok(())
}

/// What holds of every partition of every image.
fn check(partition: &PartitionImage) -> Result<(), &'static str> {
    let PartitionImage { replicas, isr, elr, directories, leader, .. } = partition;
    let no_twice = |list: &[NodeId]| list.iter().enumerate().all(|(at, node)| !list[..at].contains(node));
    if replicas.is_empty() {
        Err("it has no replica")
    } else if !no_twice(replicas) || !no_twice(isr) {
        Err("a replica is named twice")
    } else if isr.is_empty() && elr.is_empty() {
        Err("nobody is in sync")
    } else if !isr.iter().chain(elr.iter()).all(|node| replicas.contains(node)) {
        Err("an in-sync replica is not a replica")
    } else if leader.is_some_and(|leader| !isr.contains(&leader)) {
        Err("its leader is not in sync")
    } else if !directories.is_empty() && directories.len() != replicas.len() {
        Err("its directories are not one per replica")
    } else {
        Ok(())
    }
}

fn restart_leaders(image: &mut Image, broker: NodeId, changes: &mut Changes) {
    let leads = |topic: &&Arc<TopicImage>| topic.partitions.iter().any(|p| p.leader == Some(broker));
    let ids: Vec<TopicId> = image.topics.values().filter(leads).map(|topic| topic.id).collect();
    for id in ids {
        let Ok(topic) = topic_mut(image, id) else { continue };
        for at in 0..topic.partitions.len() {
            if topic.partitions.get(at).is_none_or(|p| p.leader != Some(broker)) {
                continue;
            }
            if let Some(partition) = topic.partitions.get_mut(at) {
                partition.leader_epoch = LeaderEpoch(partition.leader_epoch.0.saturating_add(1));
                partition.partition_epoch = partition.partition_epoch.saturating_add(1);
                changes.partition_changed(id, at as i32);
            }
        }
    }
}

fn set_config(image: &mut Image, record: &ConfigRecord, changes: &mut Changes) -> Result<(), ReplayError> {
    let put = |set: &mut crate::configs::Properties| match &record.value {
        Some(value) => set.insert(record.name.clone(), value.clone()),
        None => set.remove(&record.name),
    };
    if let ConfigResource::Topic(name) = &record.resource {
        let id = image.topic_id(name).ok_or_else(|| ReplayError::UnknownTopicName(name.clone()))?;
        put(Arc::make_mut(&mut topic_mut(image, id)?.overrides));
        changes.topic_config_changed(id);
    } else {
        let configs = Arc::make_mut(&mut image.configs);
        let set = configs.entry(record.resource.clone()).or_default();
        put(Arc::make_mut(set));
        if set.is_empty() {
            configs.remove(&record.resource);
        }
    }
    changes.configs.insert(record.resource.clone());
    Ok(())
}

fn topic_mut(image: &mut Image, id: TopicId) -> Result<&mut TopicImage, ReplayError> {
    image.topics.get_mut(&id).map(Arc::make_mut).ok_or(ReplayError::UnknownTopic(id))
}

/// Computes the effective topic configs that `changes` touch: a few topics' own, or every topic's where this node's
/// broker configs moved.
pub(crate) fn settle(image: &mut Image, changes: &mut Changes) {
    let below = [ConfigResource::Broker(image.node), ConfigResource::BrokerDefault];
    if below.iter().any(|resource| changes.configs.contains(resource)) {
        let defaults = TopicConfig::resolve(&image.layers());
        if defaults != *image.topic_defaults {
            image.topic_defaults = Arc::new(defaults);
            let ids: Vec<TopicId> = image.topics.iter().map(|(id, _)| *id).collect();
            for id in ids {
                settle_topic(image, id, changes);
            }
            return;
        }
    }
    for id in changes.topics_with_config_changes() {
        settle_topic(image, id, changes);
    }
}

fn settle_topic(image: &mut Image, id: TopicId, changes: &mut Changes) {
    let Some(topic) = image.topics.get(&id) else { return };
    let config = if topic.overrides.is_empty() {
        Arc::clone(&image.topic_defaults)
    } else {
        Arc::new(TopicConfig::resolve(&Layers { topic: Some(&topic.overrides), ..image.layers() }))
    };
    if *topic.config != *config {
        changes.topic_config_changed(id);
    }
    if !Arc::ptr_eq(&topic.config, &config)
        && let Ok(topic) = topic_mut(image, id)
    {
        topic.config = config;
    }
}

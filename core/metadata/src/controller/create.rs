//! CreateTopics: names, configs and replicas are checked and a topic is decided on, with its configs and partitions.

use std::collections::BTreeMap;

use model::{NodeId, TopicId};

use super::draft::{Dice, Draft};
use super::partitions::{check_assignment, placement, push_partitions};
use super::{Controller, Decision, Moment, PARTITIONS_PER_COMMAND_MAX};
use crate::configs::{ConfigPolicy, DescribedConfig, Layers, Properties, check_topic_configs, describe_topic};
use crate::error::CommandError;
use crate::image::Image;
use crate::record::{ConfigRecord, Record, TopicRecord};
use crate::resource::ConfigResource;
use crate::topic_name;

/// A topic that somebody wants.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct NewTopic {
    pub name: String,
    /// `None`, or the wire's -1: `num.partitions`.
    pub partitions: Option<i32>,
    /// `None`, or the wire's -1: `default.replication.factor`.
    pub replication_factor: Option<i16>,
    /// Partition indexes with their replicas, the preferred leader first; empty to have them placed.
    pub assignments: Vec<(i32, Vec<NodeId>)>,
    /// Overrides; of a name that comes twice, the last one counts.
    pub configs: Vec<(String, Option<String>)>,
}

/// A topic as it came to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CreatedTopic {
    pub id: TopicId,
    pub name: String,
    pub partitions: i32,
    pub replication_factor: i16,
    /// All configs in effect, by name. KIP-525.
    pub configs: Vec<DescribedConfig>,
}

impl Controller {
    /// Creates topics, one answer per item. Fails an item with `InvalidTopic`, `TopicAlreadyExists`, `InvalidConfig`,
    /// `InvalidPartitions`, `InvalidReplicationFactor`, `InvalidReplicaAssignment`, with `InvalidRequest` where its
    /// parts contradict each other or its name comes twice, and all of them with `PolicyViolation` where they ask for
    /// too many partitions.
    pub fn create_topics(
        &self,
        items: Vec<NewTopic>,
        moment: Moment,
    ) -> Decision<Vec<Result<CreatedTopic, CommandError>>> {
        let mut draft = Draft::new(&self.image);
        let mut dice = Dice::new(moment);
        let asked: u64 = items.iter().map(|item| partitions_asked(&self.image, item)).sum();
        if asked > PARTITIONS_PER_COMMAND_MAX {
            let why = "Excessively large number of partitions per request.".to_owned();
            return draft.decide(vec![Err(CommandError::PolicyViolation(why)); items.len()]);
        }
        let mut named: BTreeMap<&str, usize> = BTreeMap::new();
        items.iter().for_each(|item| *named.entry(&item.name).or_default() += 1);
        let mut reply = Vec::with_capacity(items.len());
        for item in &items {
            reply.push(if named[item.name.as_str()] > 1 {
                Err(CommandError::InvalidRequest("Duplicate topic name.".to_owned()))
            } else {
                create(&mut draft, item, &mut dice)
            });
        }
        draft.decide(reply)
    }
}

fn create(draft: &mut Draft, item: &NewTopic, dice: &mut Dice) -> Result<CreatedTopic, CommandError> {
    check_name(draft.image(), &item.name)?;
    let overrides = check_configs(draft.image(), item)?;
    let replicas =
        if item.assignments.is_empty() { place(draft.image(), item, dice)? } else { assigned(draft.image(), item)? };
    let mut id = TopicId::from_random(dice.roll_16_bytes());
    while draft.image().topic_by_id(id).is_some() {
        id = TopicId::from_random(dice.roll_16_bytes());
    }
    let layers = Layers { topic: Some(&overrides), ..draft.image().layers() };
    let created = CreatedTopic {
        id,
        name: item.name.clone(),
        partitions: i32::try_from(replicas.len()).unwrap_or(i32::MAX),
        replication_factor: replicas.first().and_then(|first| i16::try_from(first.len()).ok()).unwrap_or(i16::MAX),
        configs: describe_topic(&layers, None),
    };
    draft.push(Record::Topic(TopicRecord { id, name: item.name.clone() }));
    for (name, value) in overrides {
        let resource = ConfigResource::Topic(item.name.clone());
        draft.push(Record::Config(ConfigRecord { resource, name, value: Some(value) }));
    }
    push_partitions(draft, id, 0, replicas);
    Ok(created)
}

fn check_name(image: &Image, name: &str) -> Result<(), CommandError> {
    if name == topic_name::CLUSTER_METADATA {
        return Err(CommandError::InvalidRequest(format!("Creation of internal topic {name} is prohibited.")));
    }
    topic_name::validate(name)?;
    if image.topic_id(name).is_some() {
        return Err(CommandError::TopicAlreadyExists(format!("Topic '{name}' already exists.")));
    }
    if let Some(existing) = image.colliding_topic(name) {
        return Err(CommandError::InvalidTopic(format!("Topic '{name}' collides with existing topic: {existing}")));
    }
    Ok(())
}

fn check_configs(image: &Image, item: &NewTopic) -> Result<Properties, CommandError> {
    let nulls: Vec<&str> =
        item.configs.iter().filter(|(_, value)| value.is_none()).map(|(name, _)| name.as_str()).collect();
    if !nulls.is_empty() {
        let why = format!("Null value not supported for topic configs: {}", nulls.join(","));
        return Err(CommandError::InvalidConfig(why));
    }
    let set = item.configs.iter().filter_map(|(name, value)| Some((name.clone(), value.clone()?)));
    let overrides: Properties = set.collect();
    let is_internal = topic_name::is_internal(&item.name);
    check_topic_configs(&overrides, is_internal, &image.layers(), &ConfigPolicy::default())
        .map_err(|error| CommandError::InvalidConfig(error.to_string()))?;
    Ok(overrides)
}

/// A broker config that counts something, in the unit that a topic wants it in.
fn default_of<N: TryFrom<i64>>(image: &Image, name: &str) -> Option<N> {
    N::try_from(image.broker_value(name)?.as_integer()?).ok()
}

/// What the client said, or the default where it said -1 or nothing.
fn partition_count(image: &Image, item: &NewTopic) -> i32 {
    item.partitions.filter(|n| *n != -1).or_else(|| default_of(image, "num.partitions")).unwrap_or(1)
}

fn partitions_asked(image: &Image, item: &NewTopic) -> u64 {
    if item.assignments.is_empty() {
        u64::try_from(partition_count(image, item)).unwrap_or(0)
    } else {
        item.assignments.len() as u64
    }
}

fn place(image: &Image, item: &NewTopic, dice: &mut Dice) -> Result<Vec<Vec<NodeId>>, CommandError> {
    let asked = item.replication_factor.filter(|n| *n != -1);
    let replication_factor = asked.or_else(|| default_of(image, "default.replication.factor")).unwrap_or(1);
    if replication_factor <= 0 {
        let why = "Replication factor must be larger than 0, or -1 to use the default value.";
        return Err(CommandError::InvalidReplicationFactor(why.to_owned()));
    }
    let count = partition_count(image, item);
    if count <= 0 {
        let why = "Number of partitions was set to an invalid non-positive value.";
        return Err(CommandError::InvalidPartitions(why.to_owned()));
    }
    let replication_factor = usize::from(replication_factor.unsigned_abs());
    let mut placement = placement(image, replication_factor, dice)?;
    Ok((0..count).map(|_| placement.place(replication_factor)).collect())
}

/// The replicas of each partition as the client wants them, by index.
fn assigned(image: &Image, item: &NewTopic) -> Result<Vec<Vec<NodeId>>, CommandError> {
    if item.replication_factor.is_some_and(|n| n != -1) {
        let why = "A manual partition assignment was specified, but replication factor was not set to -1.";
        return Err(CommandError::InvalidRequest(why.to_owned()));
    }
    if item.partitions.is_some_and(|n| n != -1) {
        let why = "A manual partition assignment was specified, but numPartitions was not set to -1.";
        return Err(CommandError::InvalidRequest(why.to_owned()));
    }
    let mut by_index: BTreeMap<i32, &Vec<NodeId>> = BTreeMap::new();
    let mut replication_factor = None;
    for (index, replicas) in &item.assignments {
        if by_index.contains_key(index) {
            let why = format!("Found multiple manual partition assignments for partition {index}");
            return Err(CommandError::InvalidReplicaAssignment(why));
        }
        check_assignment(image, *index, replicas, replication_factor)?;
        replication_factor = Some(replicas.len());
        by_index.insert(*index, replicas);
    }
    if !by_index.keys().copied().eq(0..i32::try_from(by_index.len()).unwrap_or(0)) {
        let why = "partitions should be a consecutive 0-based integer sequence";
        return Err(CommandError::InvalidReplicaAssignment(why.to_owned()));
    }
    Ok(by_index.into_values().cloned().collect())
}

#[cfg(test)]
mod tests;

//! CreatePartitions, and what it shares with CreateTopics: who holds a new partition.

use std::collections::BTreeMap;

use model::{LeaderEpoch, NodeId, TopicId};

use super::draft::{Dice, Draft};
use super::placement::Placement;
use super::{Controller, Decision, Moment, PARTITIONS_PER_COMMAND_MAX};
use crate::error::CommandError;
use crate::image::Image;
use crate::record::{PartitionRecord, Record};

/// A topic that shall have more partitions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MorePartitions {
    pub topic: String,
    /// All partitions the topic shall have.
    pub count: i32,
    /// The replicas of each added partition, or `None` to have them placed.
    pub assignments: Option<Vec<Vec<NodeId>>>,
}

impl Controller {
    /// Adds partitions to topics, one answer per item. Fails an item with `UnknownTopicOrPartition`,
    /// `InvalidPartitions`, `InvalidReplicaAssignment`, `InvalidReplicationFactor`, with `InvalidRequest` where a
    /// topic is named twice, and all of them with `PolicyViolation` where they add too much. KIP-195.
    pub fn create_partitions(
        &self,
        items: Vec<MorePartitions>,
        moment: Moment,
    ) -> Decision<Vec<Result<(), CommandError>>> {
        let mut draft = Draft::new(&self.image);
        let mut dice = Dice::new(moment);
        let added: u64 = items.iter().map(|item| added(&self.image, item)).sum();
        if added > PARTITIONS_PER_COMMAND_MAX {
            let why = "Excessively large number of additional partitions per request.".to_owned();
            return draft.decide(vec![Err(CommandError::PolicyViolation(why)); items.len()]);
        }
        let mut named: BTreeMap<&str, usize> = BTreeMap::new();
        items.iter().for_each(|item| *named.entry(&item.topic).or_default() += 1);
        let mut reply = Vec::with_capacity(items.len());
        for item in &items {
            reply.push(if named[item.topic.as_str()] > 1 {
                Err(CommandError::InvalidRequest("Duplicate topic name.".to_owned()))
            } else {
                add(&mut draft, item, &mut dice)
            });
        }
        draft.decide(reply)
    }
}

fn added(image: &Image, item: &MorePartitions) -> u64 {
    let have = image.topic_by_name(&item.topic).map_or(0, |topic| topic.partitions.len());
    u64::try_from(item.count).unwrap_or(0).saturating_sub(have as u64)
}

fn add(draft: &mut Draft, item: &MorePartitions, dice: &mut Dice) -> Result<(), CommandError> {
    let topic = draft.image().topic_by_name(&item.topic).ok_or_else(CommandError::no_such_topic)?;
    let id = topic.id;
    let have = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
    if item.count == have {
        return Err(CommandError::InvalidPartitions(format!("Topic already has {have} partition(s).")));
    }
    if item.count < have {
        let why = format!(
            "The topic {} currently has {have} partition(s); {} would not be an increase.",
            item.topic, item.count
        );
        return Err(CommandError::InvalidPartitions(why));
    }
    let more = item.count - have;
    let replication_factor = topic.partition(0).map_or(1, |partition| partition.replicas.len());
    let replicas = if let Some(assignments) = &item.assignments {
        if usize::try_from(more) != Ok(assignments.len()) {
            let why = format!(
                "Attempted to add {more} additional partition(s), but only {} assignment(s) were specified.",
                assignments.len()
            );
            return Err(CommandError::InvalidReplicaAssignment(why));
        }
        for (index, replicas) in (have..).zip(assignments) {
            check_assignment(draft.image(), index, replicas, Some(replication_factor))?;
        }
        assignments.clone()
    } else {
        let mut placement = placement(draft.image(), replication_factor, dice)?;
        topic.partitions().for_each(|(_, partition)| placement.count(&partition.replicas));
        (0..more).map(|_| placement.place(replication_factor)).collect()
    };
    push_partitions(draft, id, have, replicas);
    Ok(())
}

/// Decides on partitions with these replicas, the first of them with index `first`. Assignments must have passed
/// [`check_assignment`].
pub(super) fn push_partitions(draft: &mut Draft, topic: TopicId, first: i32, replicas: Vec<Vec<NodeId>>) {
    for (index, replicas) in (first..).zip(replicas) {
        let isr: Vec<NodeId> = replicas.iter().copied().filter(|node| draft.image().is_active(*node)).collect();
        let leader = isr.first().copied();
        assert!(leader.is_some(), "a new partition was given to brokers of which none is active");
        draft.push(Record::Partition(PartitionRecord {
            topic,
            index,
            // Empty stands for "all of them".
            isr: if isr == replicas { Vec::new() } else { isr },
            replicas,
            elr: Vec::new(),
            directories: Vec::new(),
            leader,
            leader_epoch: LeaderEpoch(0),
            partition_epoch: 0,
        }));
    }
}

/// A placement over the active brokers. Fails with `InvalidReplicationFactor` where they are too few.
pub(super) fn placement(image: &Image, replication_factor: usize, dice: &mut Dice) -> Result<Placement, CommandError> {
    let active = image.brokers().filter(|broker| broker.is_active());
    let dice_of_topic = dice.split();
    let placement = Placement::new(active.map(|broker| (broker.id, broker.rack.as_deref())), dice_of_topic);
    let (usable, registered) = (placement.broker_count(), image.brokers().count());
    if replication_factor <= usable {
        return Ok(placement);
    }
    let why = if usable == registered {
        format!("only {usable} broker(s) are registered.")
    } else {
        format!("only {usable} of {registered} registered broker(s) are active.")
    };
    Err(CommandError::InvalidReplicationFactor(format!(
        "Unable to replicate the partition {replication_factor} time(s): \
         The target replication factor of {replication_factor} cannot be reached because {why}"
    )))
}

/// Checks what a client wants as the replicas of partition `index`: registered brokers, none twice, as many as the
/// partitions before it have, and one of them active. Fails with `InvalidReplicaAssignment`.
pub(super) fn check_assignment(
    image: &Image,
    index: i32,
    replicas: &[NodeId],
    replication_factor: Option<usize>,
) -> Result<(), CommandError> {
    let refuse = |why: String| Err(CommandError::InvalidReplicaAssignment(why));
    if replicas.is_empty() {
        return refuse("The manual partition assignment includes an empty replica list.".to_owned());
    }
    let mut sorted = replicas.to_vec();
    sorted.sort_unstable();
    for (at, node) in sorted.iter().enumerate() {
        if image.broker(*node).is_none() {
            return refuse(format!(
                "The manual partition assignment includes broker {node}, but no such broker is registered."
            ));
        }
        if at > 0 && sorted[at - 1] == *node {
            return refuse(format!("The manual partition assignment includes the broker {node} more than once."));
        }
    }
    if let Some(expected) = replication_factor.filter(|expected| *expected != replicas.len()) {
        return refuse(format!(
            "The manual partition assignment includes a partition with {} replica(s), but this is not consistent \
             with previous partitions, which have {expected} replica(s).",
            replicas.len()
        ));
    }
    if !replicas.iter().any(|node| image.is_active(*node)) {
        return refuse(format!(
            "All brokers specified in the manual partition assignment for partition {index} are fenced or in \
             controlled shutdown."
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests;

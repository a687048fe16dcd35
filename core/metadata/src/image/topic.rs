//! One topic and its partitions.

use std::sync::Arc;

use model::{LeaderEpoch, NodeId, TopicId};

use crate::configs::{Properties, TopicConfig};
use crate::ids::DirectoryId;
use crate::persistent::ChunkedVec;
use crate::record::{LeaderChange, PartitionChangeRecord, PartitionRecord};
use crate::topic_name;

/// A topic: its partitions by index, what was set for it, and what is in effect.
#[derive(Clone, PartialEq, Debug)]
pub struct TopicImage {
    pub name: Arc<str>,
    pub id: TopicId,
    pub partitions: ChunkedVec<PartitionImage>,
    /// What was set for this topic alone.
    pub overrides: Arc<Properties>,
    /// What is in effect on this node.
    pub config: Arc<TopicConfig>,
}

impl TopicImage {
    pub fn partition(&self, index: i32) -> Option<&PartitionImage> {
        self.partitions.get(usize::try_from(index).ok()?)
    }

    /// Partitions with their index, ascending.
    pub fn partitions(&self) -> impl Iterator<Item = (i32, &PartitionImage)> {
        (0..).zip(self.partitions.iter())
    }

    /// Whether clients are told that the topic is the broker's own.
    pub fn is_internal(&self) -> bool {
        topic_name::is_internal(&self.name)
    }
}

/// Who holds and leads a partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PartitionImage {
    /// In order of preference; the first is the preferred leader.
    pub replicas: Arc<[NodeId]>,
    /// In-sync replicas, in the order they were recorded in.
    pub isr: Arc<[NodeId]>,
    /// Eligible leader replicas outside the ISR. KIP-966.
    pub elr: Arc<[NodeId]>,
    /// One per replica; empty where none is known.
    pub directories: Arc<[DirectoryId]>,
    /// In the ISR; `None` while no in-sync replica is active.
    pub leader: Option<NodeId>,
    pub leader_epoch: LeaderEpoch,
    /// Grows by one with every change of this partition.
    pub partition_epoch: i32,
}

impl PartitionImage {
    /// Shares lists with `like`, the partition before it: neighbours mostly have the same.
    pub(crate) fn of(record: &PartitionRecord, like: Option<&Self>) -> Self {
        let replicas = share(&record.replicas, like.map(|p| &p.replicas));
        let isr = if record.isr.is_empty() { Arc::clone(&replicas) } else { share(&record.isr, Some(&replicas)) };
        Self {
            isr,
            elr: share(&record.elr, like.map(|p| &p.elr)),
            directories: share(&record.directories, like.map(|p| &p.directories)),
            replicas,
            leader: record.leader,
            leader_epoch: record.leader_epoch,
            partition_epoch: record.partition_epoch,
        }
    }

    pub(crate) fn change(&mut self, record: &PartitionChangeRecord) {
        if let Some(replicas) = &record.replicas {
            self.replicas = share(replicas, Some(&self.replicas));
        }
        if let Some(isr) = &record.isr {
            self.isr = share(isr, Some(&self.replicas));
        }
        if let Some(elr) = &record.elr {
            self.elr = share(elr, Some(&self.elr));
        }
        if let Some(directories) = &record.directories {
            self.directories = share(directories, Some(&self.directories));
        }
        if let Some(leader) = record.leader {
            self.leader = match leader {
                LeaderChange::To(node) => Some(node),
                LeaderChange::ToNone => None,
            };
            self.leader_epoch = LeaderEpoch(self.leader_epoch.0.saturating_add(1));
        }
        self.partition_epoch = self.partition_epoch.saturating_add(1);
    }

    pub(crate) fn to_record(&self, topic: TopicId, index: i32) -> PartitionRecord {
        PartitionRecord {
            topic,
            index,
            replicas: self.replicas.to_vec(),
            isr: if self.isr == self.replicas { Vec::new() } else { self.isr.to_vec() },
            elr: self.elr.to_vec(),
            directories: self.directories.to_vec(),
            leader: self.leader,
            leader_epoch: self.leader_epoch,
            partition_epoch: self.partition_epoch,
        }
    }
}

fn share<T: Clone + PartialEq>(list: &[T], like: Option<&Arc<[T]>>) -> Arc<[T]> {
    match like {
        Some(like) if **like == *list => Arc::clone(like),
        _ => list.into(),
    }
}

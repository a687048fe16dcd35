//! What is durable: groups and committed offsets exactly as the log of `__consumer_offsets` says.
//!
//! Only [`Stored::apply`] changes it. Nothing volatile lives here: no timers, no waiting requests, no members of a
//! generation that has not been persisted.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use model::{LeaderEpoch, Offset, TimestampMs, TopicId};

use crate::records::Change;

/// The value of a GroupMetadata record.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StoredGroup {
    /// Empty for a group that never had a member.
    pub protocol_type: String,
    pub generation: i32,
    pub protocol: Option<String>,
    pub leader: Option<String>,
    /// When the group last changed its state; `None` in records older than Kafka 2.1. KIP-211.
    pub state_since: Option<TimestampMs>,
    pub members: Vec<StoredMember>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StoredMember {
    pub member_id: String,
    pub group_instance_id: Option<String>,
    pub client_id: String,
    pub client_host: String,
    /// Negative in records older than Kafka 0.10.1: the session timeout counts.
    pub rebalance_timeout_ms: i32,
    pub session_timeout_ms: i32,
    pub subscription: Bytes,
    pub assignment: Bytes,
}

/// The value of an OffsetCommit record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommittedOffset {
    pub offset: Offset,
    pub leader_epoch: LeaderEpoch,
    pub metadata: String,
    pub committed_at: TimestampMs,
    /// Set by old clients that brought their own retention.
    pub expires_at: Option<TimestampMs>,
    /// [`TopicId::ZERO`] when the commit did not say.
    pub topic_id: TopicId,
}

/// Offsets of one group: topic, partition, offset.
pub type GroupOffsets = BTreeMap<String, BTreeMap<i32, CommittedOffset>>;

/// The replayed log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stored {
    groups: BTreeMap<Arc<str>, StoredGroup>,
    offsets: BTreeMap<Arc<str>, GroupOffsets>,
}

impl Stored {
    pub fn group(&self, group: &str) -> Option<&StoredGroup> {
        self.groups.get(group)
    }

    pub fn groups(&self) -> impl Iterator<Item = (&Arc<str>, &StoredGroup)> {
        self.groups.iter()
    }

    pub fn offsets(&self, group: &str) -> Option<&GroupOffsets> {
        self.offsets.get(group)
    }

    pub fn all_offsets(&self) -> impl Iterator<Item = (&Arc<str>, &GroupOffsets)> {
        self.offsets.iter()
    }

    pub fn offset(&self, group: &str, topic: &str, partition: i32) -> Option<&CommittedOffset> {
        self.offsets.get(group)?.get(topic)?.get(&partition)
    }

    /// Makes `change` part of the state. A commit for an unknown group creates it: a group without protocol type, which
    /// only keeps offsets.
    pub fn apply(&mut self, change: Change) {
        match change {
            Change::Group { group, value: Some(value) } => {
                self.groups.insert(Arc::from(group), value);
            }
            Change::Group { group, value: None } => {
                self.groups.remove(group.as_str());
            }
            Change::Offset { group, topic, partition, value: Some(value) } => {
                let id: Arc<str> = match self.groups.get_key_value(group.as_str()) {
                    Some((id, _)) => id.clone(),
                    None => {
                        let id: Arc<str> = Arc::from(group);
                        self.groups.insert(id.clone(), StoredGroup::default());
                        id
                    }
                };
                self.offsets.entry(id).or_default().entry(topic).or_default().insert(partition, value);
            }
            Change::Offset { group, topic, partition, value: None } => {
                self.remove_offset(&group, &topic, partition);
            }
        }
    }

    fn remove_offset(&mut self, group: &str, topic: &str, partition: i32) {
        let Some(topics) = self.offsets.get_mut(group) else { return };
        if let Some(partitions) = topics.get_mut(topic) {
            partitions.remove(&partition);
            if partitions.is_empty() {
                topics.remove(topic);
            }
        }
        if topics.is_empty() {
            self.offsets.remove(group);
        }
    }
}

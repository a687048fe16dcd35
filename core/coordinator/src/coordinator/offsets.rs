//! Committed offsets: OffsetCommit, OffsetFetch, OffsetDelete, deleted topics and expiry (KIP-211).

use std::sync::Arc;

use model::{LeaderEpoch, Offset, TimestampMs, TopicId};

use super::GroupCoordinator;
use crate::error::GroupError;
use crate::group::Group;
use crate::group::state::GroupState;
use crate::message::{
    CommitPartition, CommitRequest, CommitTopic, Decision, DeleteOffsetsRequest, FetchOffsetsRequest, FetchTopic,
    FetchedOffset, FetchedTopic, Outcome, TopicResult,
};
use crate::records;
use crate::stored::{CommittedOffset, GroupOffsets};

impl GroupCoordinator {
    /// OffsetCommit. Also renews the member's session. A commit without membership (empty member id, negative
    /// generation) is taken while the group has no members, and creates a group that only keeps offsets.
    ///
    /// [`GroupError::GroupIdNotFound`] is for API version 9 and later; older clients are to get `IllegalGeneration`.
    pub fn commit_offsets(
        &mut self,
        request: &CommitRequest,
        now: TimestampMs,
    ) -> Decision<Result<Vec<TopicResult>, GroupError>> {
        let mut outcome = Outcome::default();
        if request.group.len() > records::STRING_MAX {
            return Decision { reply: Err(GroupError::InvalidGroupId), outcome };
        }
        let checked = match self.groups.get(request.group.as_str()) {
            Some(group) => check_commit(group, request),
            None if request.generation < 0 => Ok(()),
            None => Err(GroupError::GroupIdNotFound),
        };
        if let Err(error) = checked {
            return Decision { reply: Err(error), outcome };
        }
        self.visit(&request.group, now, &mut outcome, |group, cx| group.renew_session(&request.member_id, cx));

        let expires_at = request.retention_ms.map(|ms| now + ms);
        let mut topics = Vec::with_capacity(request.topics.len());
        for topic in &request.topics {
            let mut partitions = Vec::with_capacity(topic.partitions.len());
            for partition in &topic.partitions {
                let committed = self.committed(topic, partition, expires_at, now);
                partitions.push((partition.index, committed.as_ref().err().copied()));
                if let Ok(committed) = committed {
                    let record = records::offset(&request.group, &topic.name, partition.index, &committed);
                    outcome.records.push(record);
                }
            }
            topics.push(TopicResult { name: topic.name.clone(), topic_id: topic.topic_id, partitions });
        }
        Decision { reply: Ok(topics), outcome }
    }

    fn committed(
        &self,
        topic: &CommitTopic,
        partition: &CommitPartition,
        expires_at: Option<TimestampMs>,
        now: TimestampMs,
    ) -> Result<CommittedOffset, GroupError> {
        let metadata = partition.metadata.clone().unwrap_or_default();
        let too_long = metadata.encode_utf16().count() > self.config.offset_metadata_max;
        if too_long || metadata.len() > records::STRING_MAX || topic.name.len() > records::STRING_MAX {
            return Err(GroupError::OffsetMetadataTooLarge);
        }
        Ok(CommittedOffset {
            offset: partition.offset,
            leader_epoch: LeaderEpoch(partition.leader_epoch.0.max(LeaderEpoch::NONE.0)),
            metadata,
            committed_at: now,
            expires_at,
            topic_id: topic.topic_id,
        })
    }

    /// OffsetFetch of one group. An unknown group, topic or partition has no offsets, which is no error; so has a topic
    /// that was created anew since, when asked for by its id.
    pub fn fetch_offsets(&self, request: &FetchOffsetsRequest) -> Vec<FetchedTopic> {
        let offsets = self.stored.offsets(&request.group);
        match &request.topics {
            Some(topics) => topics.iter().map(|topic| fetch_topic(topic, offsets)).collect(),
            None => offsets.into_iter().flatten().map(|(name, partitions)| fetch_all(name, partitions)).collect(),
        }
    }

    /// OffsetDelete. Each topic with each partition's error; a partition without an offset is no error.
    pub fn delete_offsets(&self, request: &DeleteOffsetsRequest) -> Decision<Result<Vec<TopicResult>, GroupError>> {
        let mut outcome = Outcome::default();
        if let Err(error) = super::membership::check_group_id(&request.group) {
            return Decision { reply: Err(error), outcome };
        }
        let group = match self.groups.get(request.group.as_str()) {
            None => return Decision { reply: Err(GroupError::GroupIdNotFound), outcome },
            Some(group) if group.state() != GroupState::Empty && !group.uses_consumer_protocol() => {
                return Decision { reply: Err(GroupError::NonEmptyGroup), outcome };
            }
            Some(group) => group,
        };
        let mut topics = Vec::with_capacity(request.topics.len());
        for (name, partitions) in &request.topics {
            let error = group.is_subscribed_to(name).then_some(GroupError::GroupSubscribedToTopic);
            if error.is_none() {
                let known = partitions.iter().filter(|p| self.stored.offset(&request.group, name, **p).is_some());
                outcome.records.extend(known.map(|p| records::offset_tombstone(&request.group, name, *p)));
            }
            let partitions = partitions.iter().map(|p| (*p, error)).collect();
            topics.push(TopicResult { name: name.clone(), topic_id: TopicId::ZERO, partitions });
        }
        Decision { reply: Ok(topics), outcome }
    }

    /// Topics are gone: so are the offsets committed for them, by any group, under that id or under none.
    pub fn on_topics_deleted(&self, deleted: &[(String, TopicId)]) -> Outcome {
        let mut outcome = Outcome::default();
        for (group, topics) in self.stored.all_offsets() {
            for (name, id) in deleted {
                for (partition, committed) in topics.get(name).into_iter().flatten() {
                    if committed.topic_id == TopicId::ZERO || committed.topic_id == *id {
                        outcome.records.push(records::offset_tombstone(group, name, *partition));
                    }
                }
            }
        }
        outcome
    }

    /// Drops offsets that nobody has needed for the retention time, and groups that are empty and have none left. Runs
    /// by itself every `offsets_retention_check_interval_ms`.
    pub fn expire_offsets(&self, now: TimestampMs) -> Outcome {
        let mut outcome = Outcome::default();
        self.expire_into(now, &mut outcome);
        outcome
    }

    /// Returns how many offsets go.
    pub(super) fn expire_into(&self, now: TimestampMs, outcome: &mut Outcome) -> u64 {
        let mut expired = 0;
        for (id, group) in &self.groups {
            let before = outcome.records.len();
            let all_gone = self.expire_group(id, group, now, outcome);
            expired += (outcome.records.len() - before) as u64;
            // An id that was just handed out is about to come back as a member.
            if all_gone && group.state() == GroupState::Empty && !group.has_pending_members() {
                outcome.records.push(records::group_tombstone(id));
            }
        }
        expired
    }

    /// True when no offset of the group is left.
    fn expire_group(&self, id: &Arc<str>, group: &Group, now: TimestampMs, outcome: &mut Outcome) -> bool {
        let Some(topics) = self.stored.offsets(id) else { return true };
        let Some(clock) = retention_clock(group) else { return false };
        let mut all_gone = true;
        for (topic, partitions) in topics {
            if group.is_subscribed_to(topic) {
                all_gone = false;
                continue;
            }
            for (partition, committed) in partitions {
                if self.is_expired(committed, clock, now) {
                    outcome.records.push(records::offset_tombstone(id, topic, *partition));
                } else {
                    all_gone = false;
                }
            }
        }
        all_gone
    }

    fn is_expired(&self, committed: &CommittedOffset, clock: RetentionClock, now: TimestampMs) -> bool {
        if let Some(at) = committed.expires_at {
            return now >= at;
        }
        let since = match clock {
            RetentionClock::Commit => committed.committed_at,
            RetentionClock::EmptySince(at) => at,
        };
        now - since >= self.config.offsets_retention_ms
    }
}

/// Where the retention of a group's offsets is counted from. KIP-211.
#[derive(Clone, Copy)]
enum RetentionClock {
    Commit,
    EmptySince(TimestampMs),
}

/// `None` while the group's offsets must stay: it has members, and what they consume is not known for sure.
fn retention_clock(group: &Group) -> Option<RetentionClock> {
    if group.protocol_type().is_none() {
        return Some(RetentionClock::Commit);
    }
    match group.state() {
        GroupState::Empty => Some(group.state_since().map_or(RetentionClock::Commit, RetentionClock::EmptySince)),
        GroupState::Stable if group.knows_subscriptions() => Some(RetentionClock::Commit),
        _ => None,
    }
}

fn check_commit(group: &Group, request: &CommitRequest) -> Result<(), GroupError> {
    let empty = group.state() == GroupState::Empty;
    if request.generation < 0 && empty {
        return Ok(());
    }
    if request.generation < 0 && request.member_id.is_empty() && request.group_instance_id.is_none() {
        // An administrator's commit must not work against members.
        return Err(GroupError::UnknownMemberId);
    }
    group.check_member(&request.member_id, request.group_instance_id.as_deref())?;
    if request.generation != group.generation() {
        return Err(GroupError::IllegalGeneration);
    }
    if group.state() == GroupState::CompletingRebalance {
        return Err(GroupError::RebalanceInProgress);
    }
    Ok(())
}

fn fetch_topic(topic: &FetchTopic, offsets: Option<&GroupOffsets>) -> FetchedTopic {
    let committed = offsets.and_then(|topics| topics.get(&topic.name));
    let fetch = |partition: &i32| {
        let found = committed.and_then(|partitions| partitions.get(partition));
        let same_topic = |c: &&CommittedOffset| {
            [c.topic_id, topic.topic_id].contains(&TopicId::ZERO) || c.topic_id == topic.topic_id
        };
        fetched(*partition, found.filter(same_topic))
    };
    let partitions = topic.partitions.iter().map(fetch).collect();
    FetchedTopic { name: topic.name.clone(), topic_id: topic.topic_id, partitions }
}

fn fetch_all(name: &str, partitions: &std::collections::BTreeMap<i32, CommittedOffset>) -> FetchedTopic {
    let topic_id = partitions.values().map(|c| c.topic_id).find(|id| *id != TopicId::ZERO).unwrap_or_default();
    let partitions = partitions.iter().map(|(index, committed)| fetched(*index, Some(committed))).collect();
    FetchedTopic { name: name.to_owned(), topic_id, partitions }
}

fn fetched(partition: i32, committed: Option<&CommittedOffset>) -> FetchedOffset {
    FetchedOffset {
        partition,
        offset: committed.map_or(Offset::NONE, |c| c.offset),
        leader_epoch: committed.map_or(LeaderEpoch::NONE, |c| c.leader_epoch),
        metadata: committed.map(|c| c.metadata.clone()).unwrap_or_default(),
        error: None,
    }
}

//! OffsetCommit (8): where a group has come to.

use coordinator::message::{self, CommitPartition, CommitTopic};
use model::{LeaderEpoch, Offset};
use wire::ErrorCode;
use wire::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestTopic, OffsetCommitResponse, OffsetCommitResponsePartition,
    OffsetCommitResponseTopic,
};

use super::context::Context;
use super::dispatch::Connection;
use super::errors::ToCode as _;
use super::topics;
use crate::coordination::groups;

/// A topic of the answer in the making; `None` marks partitions that were sent to the coordinator.
struct Part {
    answer: OffsetCommitResponseTopic,
    sent: Vec<usize>,
}

/// Commits what names partitions that exist; the others get their own errors.
pub async fn handle(
    context: &Context,
    _: &Connection,
    request: OffsetCommitRequest,
    version: i16,
) -> OffsetCommitResponse {
    let image = context.image();
    let mut parts = Vec::with_capacity(request.topics.len());
    let mut commit_topics = Vec::new();
    for topic in &request.topics {
        let known =
            if version >= 10 { topics::by_id(&image, topic.topic_id) } else { topics::by_name(&image, &topic.name) };
        let mut answer =
            OffsetCommitResponseTopic { name: topic.name.clone(), topic_id: topic.topic_id, ..Default::default() };
        let mut sent = Vec::new();
        let mut partitions = Vec::new();
        for partition in &topic.partitions {
            let code = match &known {
                Err(code) => *code,
                Ok(topic) if topic.partition(partition.partition_index).is_none() => ErrorCode::UnknownTopicOrPartition,
                Ok(_) => ErrorCode::None,
            };
            if code == ErrorCode::None {
                sent.push(answer.partitions.len());
                partitions.push(CommitPartition {
                    index: partition.partition_index,
                    offset: Offset(partition.committed_offset),
                    leader_epoch: LeaderEpoch(partition.committed_leader_epoch),
                    metadata: partition.committed_metadata.as_ref().map(ToString::to_string),
                });
            }
            answer.partitions.push(answered(partition.partition_index, code));
        }
        if let Ok(known) = known
            && !partitions.is_empty()
        {
            commit_topics.push(CommitTopic { name: known.name.to_string(), topic_id: known.id, partitions });
        }
        parts.push(Part { answer, sent });
    }
    let Some(partition) = context.group_partition(&request.group_id) else {
        return all(request.topics, ErrorCode::NotCoordinator);
    };
    if !commit_topics.is_empty() || request.topics.is_empty() {
        let commit = message::CommitRequest {
            group: request.group_id.to_string(),
            member_id: request.member_id.to_string(),
            group_instance_id: request.group_instance_id.map(|id| id.to_string()),
            generation: request.generation_id_or_member_epoch,
            retention_ms: (2..=4).contains(&version).then_some(request.retention_time_ms).filter(|ms| *ms >= 0),
            topics: commit_topics,
        };
        let decided =
            groups::decide(&context.shards, partition, move |groups, now| groups.commit_offsets(&commit, now)).await;
        let results = match decided {
            Ok(Ok(results)) => results,
            Ok(Err(error)) => {
                let code = match error.to_code() {
                    ErrorCode::GroupIdNotFound if version < 9 => ErrorCode::IllegalGeneration,
                    code => code,
                };
                return all(request.topics, code);
            }
            Err(error) => return all(request.topics, error.to_code()),
        };
        let mut results = results.into_iter();
        for part in parts.iter_mut().filter(|part| !part.sent.is_empty()) {
            let Some(result) = results.next() else { break };
            for (at, (_, error)) in part.sent.iter().zip(result.partitions) {
                if let Some(error) = error {
                    part.answer.partitions[*at].error_code = error.to_code().code();
                }
            }
        }
    }
    OffsetCommitResponse { topics: parts.into_iter().map(|part| part.answer).collect(), ..Default::default() }
}

fn answered(index: i32, code: ErrorCode) -> OffsetCommitResponsePartition {
    OffsetCommitResponsePartition { partition_index: index, error_code: code.code(), ..Default::default() }
}

fn all(topics: Vec<OffsetCommitRequestTopic>, code: ErrorCode) -> OffsetCommitResponse {
    let topics = topics.into_iter().map(|topic| OffsetCommitResponseTopic {
        partitions: topic.partitions.iter().map(|partition| answered(partition.partition_index, code)).collect(),
        name: topic.name,
        topic_id: topic.topic_id,
        ..Default::default()
    });
    OffsetCommitResponse { topics: topics.collect(), ..Default::default() }
}

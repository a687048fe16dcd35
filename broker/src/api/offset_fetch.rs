//! OffsetFetch (9): where groups have come to. One group up to version 7, several from version 8 (KIP-709).

use coordinator::message::{FetchOffsetsRequest, FetchTopic, FetchedOffset, FetchedTopic};
use model::TopicId;
use wire::ErrorCode;
use wire::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics, OffsetFetchResponse,
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions, OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
};

use super::context::Context;
use super::dispatch::Connection;
use super::errors::ToCode as _;
use super::topics;
use crate::coordination::groups;

/// Answers each group for itself.
pub async fn handle(
    context: &Context,
    _: &Connection,
    request: OffsetFetchRequest,
    version: i16,
) -> OffsetFetchResponse {
    if version >= 8 {
        let mut response = OffsetFetchResponse::default();
        for group in request.groups {
            response.groups.push(one(context, group, request.require_stable, version).await);
        }
        return response;
    }
    let topics = request.topics.map(|topics| {
        let named = topics.into_iter().map(|topic| OffsetFetchRequestTopics {
            name: topic.name,
            partition_indexes: topic.partition_indexes,
            ..Default::default()
        });
        named.collect()
    });
    let group = OffsetFetchRequestGroup { group_id: request.group_id, topics, ..Default::default() };
    let asked = group.topics.clone();
    let answer = one(context, group, request.require_stable, version).await;
    let mut response = OffsetFetchResponse { error_code: answer.error_code, ..Default::default() };
    if version < 2 && answer.error_code != 0 {
        // Version 1 has no error of its own: each partition carries it.
        response.error_code = 0;
        for topic in asked.unwrap_or_default() {
            let partitions = topic.partition_indexes.iter().map(|index| OffsetFetchResponsePartition {
                partition_index: *index,
                committed_offset: -1,
                committed_leader_epoch: -1,
                metadata: Some("".into()),
                error_code: answer.error_code,
                ..Default::default()
            });
            let partitions = partitions.collect();
            response.topics.push(OffsetFetchResponseTopic { name: topic.name, partitions, ..Default::default() });
        }
        return response;
    }
    for topic in answer.topics {
        let partitions = topic.partitions.into_iter().map(|partition| OffsetFetchResponsePartition {
            partition_index: partition.partition_index,
            committed_offset: partition.committed_offset,
            committed_leader_epoch: partition.committed_leader_epoch,
            metadata: partition.metadata,
            error_code: partition.error_code,
            ..Default::default()
        });
        let partitions = partitions.collect();
        response.topics.push(OffsetFetchResponseTopic { name: topic.name, partitions, ..Default::default() });
    }
    response
}

async fn one(
    context: &Context,
    group: OffsetFetchRequestGroup,
    require_stable: bool,
    version: i16,
) -> OffsetFetchResponseGroup {
    let mut answer = OffsetFetchResponseGroup { group_id: group.group_id.clone(), ..Default::default() };
    let Some(partition) = context.group_partition(&group.group_id) else {
        answer.error_code = ErrorCode::NotCoordinator.code();
        return answer;
    };
    let by_id = version >= 10;
    let image = context.image();
    let mut unknown = Vec::new();
    let topics = group.topics.map(|topics| {
        let mut known = Vec::with_capacity(topics.len());
        for topic in topics {
            if by_id {
                match topics::by_id(&image, topic.topic_id) {
                    Ok(found) => known.push(FetchTopic {
                        name: found.name.to_string(),
                        topic_id: found.id,
                        partitions: topic.partition_indexes,
                    }),
                    Err(code) => unknown.push((topic, code)),
                }
            } else {
                known.push(FetchTopic {
                    name: topic.name.to_string(),
                    topic_id: TopicId::ZERO,
                    partitions: topic.partition_indexes,
                });
            }
        }
        known
    });
    let request = FetchOffsetsRequest { group: group.group_id.to_string(), topics, require_stable };
    match groups::ask(&context.shards, partition, move |groups| groups.fetch_offsets(&request)).await {
        Ok(fetched) => answer.topics = fetched.into_iter().map(|topic| topic_of(topic, by_id)).collect(),
        Err(error) => {
            answer.error_code = error.to_code().code();
            return answer;
        }
    }
    for (topic, code) in unknown {
        let partitions = topic.partition_indexes.iter().map(|index| OffsetFetchResponsePartitions {
            partition_index: *index,
            committed_offset: -1,
            committed_leader_epoch: -1,
            metadata: Some("".into()),
            error_code: code.code(),
            ..Default::default()
        });
        let partitions = partitions.collect();
        let topic_id = topic.topic_id;
        answer.topics.push(OffsetFetchResponseTopics { topic_id, partitions, ..Default::default() });
    }
    answer
}

fn topic_of(topic: FetchedTopic, by_id: bool) -> OffsetFetchResponseTopics {
    let offset = |offset: FetchedOffset| OffsetFetchResponsePartitions {
        partition_index: offset.partition,
        committed_offset: offset.offset.0,
        committed_leader_epoch: offset.leader_epoch.0,
        metadata: Some(offset.metadata.into()),
        error_code: offset.error.map_or(ErrorCode::None, |error| error.to_code()).code(),
        ..Default::default()
    };
    OffsetFetchResponseTopics {
        name: if by_id { Default::default() } else { topic.name.into() },
        topic_id: if by_id { topic.topic_id.0 } else { TopicId::ZERO.0 },
        partitions: topic.partitions.into_iter().map(offset).collect(),
        ..Default::default()
    }
}

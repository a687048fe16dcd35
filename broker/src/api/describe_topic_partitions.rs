//! DescribeTopicPartitions (75): topics page by page, with the replicas that could lead. KIP-966.

use std::collections::BTreeSet;

use metadata::{Image, TopicImage, topic_name};
use model::NodeId;
use wire::messages::describe_topic_partitions::{
    DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, DescribeTopicPartitionsResponsePartition,
    DescribeTopicPartitionsResponseTopic, RequestCursor, ResponseCursor,
};
use wire::{ErrorCode, Str};

use super::context::Context;
use super::dispatch::Connection;
use super::errors::ToCode as _;
use super::operations;

/// Answers with as many partitions as asker and broker allow, and where the next page begins.
pub async fn handle(
    context: &Context,
    _: &Connection,
    request: DescribeTopicPartitionsRequest,
    _: i16,
) -> DescribeTopicPartitionsResponse {
    let asked = usize::try_from(request.response_partition_limit).unwrap_or(0);
    let limit = asked.min(context.config.request_partitions_max).max(1);
    describe(&context.image(), &request, limit)
}

/// One page of at most `limit` partitions, topics by name. Topics without an answer do not count.
fn describe(image: &Image, request: &DescribeTopicPartitionsRequest, limit: usize) -> DescribeTopicPartitionsResponse {
    let cursor = request.cursor.as_ref();
    if cursor.is_some_and(|cursor| !is_valid(cursor, request)) {
        return refuse(request);
    }
    let from = cursor.map_or("", |cursor| cursor.topic_name.as_str());
    if request.topics.is_empty() {
        let names = image.topics_from(from).map(|topic| topic.name.as_ref());
        return page(image, names, cursor, limit);
    }
    let names: BTreeSet<&str> = request.topics.iter().map(|topic| topic.name.as_str()).collect();
    page(image, names.range(from..).copied(), cursor, limit)
}

/// A cursor has a partition, and a topic of the list where there is one.
fn is_valid(cursor: &RequestCursor, request: &DescribeTopicPartitionsRequest) -> bool {
    let topics = &request.topics;
    cursor.partition_index >= 0
        && (topics.is_empty() || topics.iter().any(|topic| topic.name == *cursor.topic_name.as_str()))
}

/// The answer has no error for the whole: each topic named carries it.
fn refuse(request: &DescribeTopicPartitionsRequest) -> DescribeTopicPartitionsResponse {
    let mut response = DescribeTopicPartitionsResponse::default();
    for topic in &request.topics {
        response.topics.push(DescribeTopicPartitionsResponseTopic {
            error_code: ErrorCode::InvalidRequest.code(),
            name: Some(topic.name.clone()),
            ..Default::default()
        });
    }
    response
}

fn page<'a>(
    image: &Image,
    names: impl Iterator<Item = &'a str>,
    cursor: Option<&RequestCursor>,
    limit: usize,
) -> DescribeTopicPartitionsResponse {
    let mut response = DescribeTopicPartitionsResponse::default();
    let mut left = limit;
    for name in names {
        if left == 0 {
            response.next_cursor =
                Some(ResponseCursor { topic_name: name.into(), partition_index: 0, ..Default::default() });
            break;
        }
        let Some(topic) = image.topic_by_name(name) else {
            response.topics.push(missing(name));
            continue;
        };
        let from = cursor.filter(|cursor| cursor.topic_name == name).map_or(0, |cursor| cursor.partition_index);
        let all = topic.partitions().skip_while(|(index, _)| *index < from);
        let partitions: Vec<_> = all.take(left).map(|(index, _)| partition(image, topic, index)).collect();
        left -= partitions.len();
        let next = partitions.last().map_or(from, |last| last.partition_index + 1);
        response.topics.push(DescribeTopicPartitionsResponseTopic {
            name: Some((&*topic.name).into()),
            topic_id: topic.id.0,
            is_internal: topic.is_internal(),
            partitions,
            topic_authorized_operations: operations::TOPIC,
            ..Default::default()
        });
        if topic.partition(next).is_some() {
            response.next_cursor =
                Some(ResponseCursor { topic_name: name.into(), partition_index: next, ..Default::default() });
            break;
        }
    }
    response
}

fn missing(name: &str) -> DescribeTopicPartitionsResponseTopic {
    let code = topic_name::validate(name).map_or_else(|error| error.to_code(), |()| ErrorCode::UnknownTopicOrPartition);
    DescribeTopicPartitionsResponseTopic {
        error_code: code.code(),
        name: Some(Str::from(name)),
        is_internal: topic_name::is_internal(name),
        topic_authorized_operations: operations::TOPIC,
        ..Default::default()
    }
}

fn partition(image: &Image, topic: &TopicImage, index: i32) -> DescribeTopicPartitionsResponsePartition {
    let Some(partition) = topic.partition(index) else { return Default::default() };
    let alive = |node: &NodeId| image.broker(*node).is_some_and(|broker| !broker.fenced);
    let ids = |nodes: &[NodeId]| nodes.iter().map(|node| node.0).collect();
    let leader = partition.leader.filter(alive);
    DescribeTopicPartitionsResponsePartition {
        error_code: if leader.is_some() { ErrorCode::None } else { ErrorCode::LeaderNotAvailable }.code(),
        partition_index: index,
        leader_id: leader.map_or(-1, |node| node.0),
        leader_epoch: partition.leader_epoch.0,
        replica_nodes: ids(&partition.replicas),
        isr_nodes: ids(&partition.isr),
        eligible_leader_replicas: Some(ids(&partition.elr)),
        last_known_elr: Some(Vec::new()),
        offline_replicas: partition.replicas.iter().filter(|node| !alive(node)).map(|node| node.0).collect(),
        ..Default::default()
    }
}

//! Metadata (3): brokers, topics, leaders; creates topics that a client names where that is allowed.

use std::collections::HashSet;

use metadata::{Image, TopicImage, topic_name};
use model::TopicId;
use wire::messages::metadata::{
    MetadataRequest, MetadataRequestTopic, MetadataResponse, MetadataResponseBroker, MetadataResponsePartition,
    MetadataResponseTopic,
};
use wire::{ErrorCode, Str};

use super::context::Context;
use super::dispatch::Connection;
use super::errors::ToCode as _;
use super::operations;

/// Answers for the topics named, or for all.
pub async fn handle(
    context: &Context,
    connection: &Connection,
    request: MetadataRequest,
    version: i16,
) -> MetadataResponse {
    // Version 0 asks for all topics by an empty list, later ones by null.
    let mut named = match request.topics {
        Some(topics) if version > 0 || !topics.is_empty() => Some(topics),
        _ => None,
    };
    if let Some(topics) = &mut named {
        if version < 12 && topics.iter().any(|topic| topic.name.is_none() || topic.topic_id != TopicId::ZERO.0) {
            return names_only(topics);
        }
        let mut seen = HashSet::with_capacity(topics.len());
        topics.retain(|topic| seen.insert((topic.name.clone(), topic.topic_id)));
    }
    let mut errors = Vec::new();
    if let Some(topics) = &named {
        // Version 4 added the flag; before it clients took auto-creation for granted.
        let may_create =
            (version < 4 || request.allow_auto_topic_creation) && context.is_on("auto.create.topics.enable");
        errors = create_missing(context, topics, may_create).await;
    }

    let image = context.image();
    let listener = &connection.peer.listener;
    let mut response = MetadataResponse {
        cluster_id: Some(context.cluster_id.clone()),
        cluster_authorized_operations: operations::told(
            request.include_cluster_authorized_operations,
            operations::CLUSTER,
        ),
        ..Default::default()
    };
    let granted = operations::told(request.include_topic_authorized_operations, operations::TOPIC);
    for broker in image.brokers().filter(|broker| !broker.fenced) {
        if let Some(endpoint) = broker.endpoint(listener) {
            response.brokers.push(MetadataResponseBroker {
                node_id: broker.id.0,
                host: endpoint.host.as_str().into(),
                port: i32::from(endpoint.port),
                rack: broker.rack.as_deref().map(Into::into),
                ..Default::default()
            });
        }
    }
    // As in KRaft mode any live broker may be named: admin requests can go anywhere.
    response.controller_id = context.config.node_id.0;
    match named {
        None => response.topics = image.topics().map(|topic| describe(&image, topic, granted)).collect(),
        Some(topics) => {
            for (wanted, error) in topics.into_iter().zip(errors) {
                response.topics.push(answer(&image, wanted, error, granted));
            }
        }
    }
    response
}

/// Creates those of `topics` that are missing, where `may_create`; says of each what stands in the way of an answer. A
/// topic made just now stands in the way of its own: the client asks again, and finds it.
async fn create_missing(context: &Context, topics: &[MetadataRequestTopic], may_create: bool) -> Vec<ErrorCode> {
    let mut errors = Vec::with_capacity(topics.len());
    for topic in topics {
        let Some(name) = topic.name.as_deref().filter(|_| topic.topic_id == TopicId::ZERO.0) else {
            errors.push(ErrorCode::None);
            continue;
        };
        if context.image().topic_by_name(name).is_some() {
            errors.push(ErrorCode::None);
            continue;
        }
        errors.push(if let Err(error) = topic_name::validate(name) {
            error.to_code()
        } else if !may_create {
            ErrorCode::UnknownTopicOrPartition
        } else {
            match context.create_missing_topic(name).await {
                // Kafka answers before the topic is there, and tests of clients count on hearing so once.
                Ok(()) => ErrorCode::UnknownTopicOrPartition,
                Err((code, _)) => code,
            }
        });
    }
    errors
}

/// Ids have a place in requests of versions 10 and 11, but mean nothing before version 12.
fn names_only(topics: &[MetadataRequestTopic]) -> MetadataResponse {
    let refused = |topic: &MetadataRequestTopic| MetadataResponseTopic {
        error_code: ErrorCode::InvalidRequest.code(),
        name: Some(topic.name.clone().unwrap_or_default()),
        topic_id: topic.topic_id,
        ..Default::default()
    };
    MetadataResponse { topics: topics.iter().map(refused).collect(), ..Default::default() }
}

fn answer(image: &Image, wanted: MetadataRequestTopic, error: ErrorCode, granted: i32) -> MetadataResponseTopic {
    let by_id = wanted.topic_id != TopicId::ZERO.0;
    let found = match (&wanted.name, by_id) {
        (_, true) => image.topic_by_id(TopicId(wanted.topic_id)),
        (Some(name), false) => image.topic_by_name(name),
        (None, false) => None,
    };
    if let Some(topic) = found.filter(|_| error == ErrorCode::None) {
        return describe(image, topic, granted);
    }
    let code = match (error, by_id) {
        (_, true) => ErrorCode::UnknownTopicId,
        (ErrorCode::None, false) => ErrorCode::UnknownTopicOrPartition,
        (error, false) => error,
    };
    MetadataResponseTopic {
        error_code: code.code(),
        name: wanted.name.or(if by_id { None } else { Some(Str::default()) }),
        topic_id: wanted.topic_id,
        topic_authorized_operations: operations::NOT_ASKED,
        ..Default::default()
    }
}

fn describe(image: &Image, topic: &TopicImage, granted: i32) -> MetadataResponseTopic {
    let partitions = topic
        .partitions()
        .map(|(index, partition)| {
            let alive = |node: &model::NodeId| image.broker(*node).is_some_and(|broker| !broker.fenced);
            let leader = partition.leader.filter(alive);
            MetadataResponsePartition {
                error_code: if leader.is_some() { ErrorCode::None } else { ErrorCode::LeaderNotAvailable }.code(),
                partition_index: index,
                leader_id: leader.map_or(-1, |node| node.0),
                leader_epoch: partition.leader_epoch.0,
                replica_nodes: partition.replicas.iter().map(|node| node.0).collect(),
                isr_nodes: partition.isr.iter().map(|node| node.0).collect(),
                offline_replicas: partition.replicas.iter().filter(|node| !alive(node)).map(|node| node.0).collect(),
                ..Default::default()
            }
        })
        .collect();
    MetadataResponseTopic {
        name: Some((&*topic.name).into()),
        topic_id: topic.id.0,
        is_internal: topic.is_internal(),
        partitions,
        topic_authorized_operations: granted,
        ..Default::default()
    }
}

//! CreatePartitions (37): topics grow; they never shrink. KIP-195.

use metadata::{CommandError, MorePartitions};
use model::NodeId;
use wire::messages::create_partitions::{
    CreatePartitionsRequest, CreatePartitionsResponse, CreatePartitionsTopic, CreatePartitionsTopicResult,
};
use wire::{ErrorCode, Str};

use super::context::Context;
use super::create_topics::named_twice;
use super::dispatch::Connection;
use super::errors::ToCode as _;

/// Adds partitions to each topic for itself, or with `validate_only` says whether it could. Names that come twice are
/// refused and answered once.
pub async fn handle(
    context: &Context,
    _: &Connection,
    request: CreatePartitionsRequest,
    _: i16,
) -> CreatePartitionsResponse {
    let twice = named_twice(request.topics.iter().map(|topic| topic.name.as_str()));
    let refused =
        |name: &String| result(name.as_str().into(), ErrorCode::InvalidRequest, Some("Duplicate topic name."));
    let mut results: Vec<_> = twice.iter().map(refused).collect();
    let topics: Vec<_> = request.topics.into_iter().filter(|topic| !twice.contains(topic.name.as_str())).collect();
    let names: Vec<Str> = topics.iter().map(|topic| topic.name.clone()).collect();
    let items = topics.into_iter().map(more_partitions).collect();
    let created = context
        .controller
        .submit(request.validate_only, |controller, moment| controller.create_partitions(items, moment))
        .await
        .unwrap_or_else(|error| vec![Err(error.into()); names.len()]);
    results.extend(names.into_iter().zip(created).map(|(name, created)| match created {
        Ok(()) => result(name, ErrorCode::None, None),
        // The code says it all, as it does in Kafka.
        Err(error @ CommandError::UnknownTopicOrPartition(_)) => result(name, error.to_code(), None),
        Err(error) => result(name, error.to_code(), Some(error.message())),
    }));
    CreatePartitionsResponse { results, ..Default::default() }
}

fn more_partitions(topic: CreatePartitionsTopic) -> MorePartitions {
    let replicas = |ids: Vec<i32>| ids.into_iter().map(NodeId).collect();
    let assignments = topic.assignments.map(|added| added.into_iter().map(|one| replicas(one.broker_ids)).collect());
    MorePartitions { topic: topic.name.to_string(), count: topic.count, assignments }
}

fn result(name: Str, code: ErrorCode, why: Option<&str>) -> CreatePartitionsTopicResult {
    CreatePartitionsTopicResult {
        name,
        error_code: code.code(),
        error_message: why.map(Into::into),
        ..Default::default()
    }
}

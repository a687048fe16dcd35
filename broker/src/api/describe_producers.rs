//! DescribeProducers (61): what partitions remember of their producers, to find transactions that hang. KIP-664.

use metadata::{Image, topic_name};
use model::PartitionId;
use wire::ErrorCode;
use wire::messages::describe_producers::{
    DescribeProducersRequest, DescribeProducersResponse, PartitionResponse, ProducerState, TopicResponse,
};

use super::context::Context;
use super::dispatch::Connection;
use super::errors::ToCode as _;
use super::topics;
use crate::shard::State;

/// Answers each partition for itself; only its leader knows.
pub async fn handle(
    context: &Context,
    _: &Connection,
    request: DescribeProducersRequest,
    _: i16,
) -> DescribeProducersResponse {
    let mut response = DescribeProducersResponse::default();
    for topic in request.topics {
        let mut answer = TopicResponse { name: topic.name.clone(), ..Default::default() };
        for partition_index in topic.partition_indexes {
            let id = find(&context.image(), &topic.name, partition_index);
            let found = match id {
                Err(refused) => Err(refused),
                Ok(id) => {
                    let found = context.shards.on(context.shards.owner(id), move |state| producers(state, id)).await;
                    found.unwrap_or(Err(ErrorCode::NotLeaderOrFollower)).map_err(|code| (code, None))
                }
            };
            let mut partition = PartitionResponse { partition_index, ..Default::default() };
            match found {
                Ok(producers) => partition.active_producers = producers,
                Err((code, message)) => {
                    partition.error_code = code.code();
                    partition.error_message = message.map(Into::into);
                }
            }
            answer.partitions.push(partition);
        }
        response.topics.push(answer);
    }
    response
}

/// What a partition's missing is called depends on whether its topic exists.
fn find(image: &Image, topic: &str, index: i32) -> Result<PartitionId, (ErrorCode, Option<String>)> {
    if let Err(error) = topic_name::validate(topic) {
        return Err((error.to_code(), Some(error.message().to_owned())));
    }
    let unhosted = |code| (code, Some("This server does not host this topic-partition.".to_owned()));
    let topic = topics::by_name(image, topic).map_err(unhosted)?;
    topics::of(topic, index).map_err(|code| (code, None))
}

fn producers(state: &State, id: PartitionId) -> Result<Vec<ProducerState>, ErrorCode> {
    let slot = state.slot(id).filter(|slot| slot.partition.leads()).ok_or(ErrorCode::NotLeaderOrFollower)?;
    let producers = slot.partition.log().producers().map(|(id, producer)| ProducerState {
        producer_id: id.0,
        producer_epoch: i32::from(producer.epoch.0),
        last_sequence: producer.last_batch().map_or(-1, |batch| batch.last_sequence),
        last_timestamp: producer.last_timestamp.0,
        coordinator_epoch: producer.coordinator_epoch,
        current_txn_start_offset: producer.txn_first_offset.map_or(-1, |offset| offset.0),
        ..Default::default()
    });
    Ok(producers.collect())
}

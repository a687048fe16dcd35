//! DeleteRecords (21): moves the start of partitions up, so that older records are gone. KIP-107.

use metadata::{Image, topic_name};
use model::{Offset, PartitionId};
use wire::ErrorCode;
use wire::messages::delete_records::{
    DeleteRecordsPartition, DeleteRecordsPartitionResult, DeleteRecordsRequest, DeleteRecordsResponse,
    DeleteRecordsTopicResult,
};

use super::by_shard::ByShard;
use super::context::Context;
use super::dispatch::Connection;
use super::errors::ToCode as _;
use super::topics;

/// Says "everything up to the high watermark".
const HIGH_WATERMARK: i64 = -1;
/// Low watermark of a partition where nothing was deleted.
const NO_OFFSET: i64 = -1;

/// Deletes from each partition for itself. This broker's replica is the only one that must follow, so that nothing has to
/// be waited for: `timeout_ms` never runs out.
pub async fn handle(context: &Context, _: &Connection, request: DeleteRecordsRequest, _: i16) -> DeleteRecordsResponse {
    let image = context.image();
    let mut response = DeleteRecordsResponse::default();
    let mut shares = ByShard::<Vec<_>, _>::default();
    for topic in request.topics {
        let mut answer = DeleteRecordsTopicResult { name: topic.name.clone(), ..Default::default() };
        for wanted in topic.partitions {
            match check(&image, &topic.name, &wanted) {
                Ok((id, upto)) => {
                    let place = (response.topics.len(), answer.partitions.len());
                    shares.add(context.shards.owner(id), place).push((id, upto));
                    answer.partitions.push(result(wanted.partition_index, Ok(Offset(NO_OFFSET))));
                }
                Err(code) => answer.partitions.push(result(wanted.partition_index, Err(code))),
            }
        }
        response.topics.push(answer);
    }
    for (shard, share) in shares.used(context.shards.index()) {
        let work = share.errand.take().unwrap_or_default();
        let deleted = context.shards.on(shard, move |state| {
            work.into_iter().map(|(id, upto)| state.delete_records(id, upto)).collect::<Vec<_>>()
        });
        let deleted = match deleted.await {
            Ok(deleted) => deleted.into_iter().map(|one| one.map_err(|error| error.to_code())).collect(),
            Err(stopped) => vec![Err(stopped.to_code()); share.places.len()],
        };
        for ((topic, partition), outcome) in share.places.drain(..).zip(deleted) {
            let answer = &mut response.topics[topic].partitions[partition];
            *answer = result(answer.partition_index, outcome);
        }
    }
    response
}

/// The partition meant, and below which offset its records go; `None` for the high watermark.
fn check(
    image: &Image,
    topic: &str,
    wanted: &DeleteRecordsPartition,
) -> Result<(PartitionId, Option<Offset>), ErrorCode> {
    let id = topics::partition(image, topic, wanted.partition_index)?;
    if topic_name::is_internal(topic) {
        return Err(ErrorCode::InvalidTopicException);
    }
    Ok((id, (wanted.offset != HIGH_WATERMARK).then_some(Offset(wanted.offset))))
}

fn result(partition_index: i32, low_watermark: Result<Offset, ErrorCode>) -> DeleteRecordsPartitionResult {
    let (low_watermark, code) = match low_watermark {
        Ok(offset) => (offset.0, ErrorCode::None),
        Err(code) => (NO_OFFSET, code),
    };
    DeleteRecordsPartitionResult { partition_index, low_watermark, error_code: code.code(), ..Default::default() }
}

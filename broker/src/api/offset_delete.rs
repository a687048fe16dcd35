//! OffsetDelete (47): forgets committed offsets of topics that the group does not consume. KIP-496.

use coordinator::message::DeleteOffsetsRequest;
use wire::ErrorCode;
use wire::messages::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteResponse, OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};

use super::context::Context;
use super::dispatch::Connection;
use super::errors::ToCode as _;
use super::topics;
use crate::coordination::groups;

/// Partitions that do not exist get their own errors.
pub async fn handle(context: &Context, _: &Connection, request: OffsetDeleteRequest, _: i16) -> OffsetDeleteResponse {
    let refused = |code: ErrorCode| OffsetDeleteResponse { error_code: code.code(), ..Default::default() };
    let Some(partition) = context.group_partition(&request.group_id) else {
        return refused(ErrorCode::NotCoordinator);
    };
    let image = context.image();
    let mut response = OffsetDeleteResponse::default();
    let mut wanted = Vec::new();
    for topic in request.topics {
        let mut answer = OffsetDeleteResponseTopic { name: topic.name.clone(), ..Default::default() };
        let mut known = Vec::new();
        for index in topic.partitions.iter().map(|partition| partition.partition_index) {
            let code = match topics::partition(&image, &topic.name, index) {
                Ok(_) => {
                    known.push(index);
                    ErrorCode::None
                }
                Err(code) => code,
            };
            answer.partitions.push(OffsetDeleteResponsePartition { partition_index: index, error_code: code.code() });
        }
        wanted.push((topic.name.to_string(), known));
        response.topics.push(answer);
    }
    let delete = DeleteOffsetsRequest { group: request.group_id.to_string(), topics: wanted };
    match groups::decide(&context.shards, partition, move |groups, _| groups.delete_offsets(&delete)).await {
        Err(error) => refused(error.to_code()),
        Ok(Err(error)) => refused(error.to_code()),
        Ok(Ok(results)) => {
            for (answer, result) in response.topics.iter_mut().zip(results) {
                for (index, error) in result.partitions {
                    let Some(error) = error else { continue };
                    for one in answer.partitions.iter_mut().filter(|one| one.partition_index == index) {
                        one.error_code = error.to_code().code();
                    }
                }
            }
            response
        }
    }
}

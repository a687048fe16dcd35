//! OffsetForLeaderEpoch (23): where a leader epoch ended, by which a consumer sees that its records were replaced. KIP-320.

use model::LeaderEpoch;
use wire::ErrorCode;
use wire::messages::offset_for_leader_epoch::{
    EpochEndOffset, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse, OffsetForLeaderTopicResult,
};

use super::context::Context;
use super::dispatch::Connection;
use super::errors::ToCode as _;
use super::topics;

/// Answers each partition for itself.
pub async fn handle(
    context: &Context,
    _: &Connection,
    request: OffsetForLeaderEpochRequest,
    _: i16,
) -> OffsetForLeaderEpochResponse {
    let image = context.image();
    let mut response = OffsetForLeaderEpochResponse::default();
    for topic in request.topics {
        let mut answer = OffsetForLeaderTopicResult { topic: topic.topic.clone(), ..Default::default() };
        for wanted in topic.partitions {
            let mut end =
                EpochEndOffset { partition: wanted.partition, leader_epoch: -1, end_offset: -1, ..Default::default() };
            let (epoch, current) = (LeaderEpoch(wanted.leader_epoch), LeaderEpoch(wanted.current_leader_epoch));
            let found = match topics::partition(&image, &topic.topic, wanted.partition) {
                Err(code) => Err(code),
                Ok(id) => {
                    let shard = context.shards.owner(id);
                    match context.shards.on(shard, move |state| state.epoch_end(id, epoch, current)).await {
                        Ok(found) => found.map_err(|error| error.to_code()),
                        Err(_) => Err(ErrorCode::NotLeaderOrFollower),
                    }
                }
            };
            match found {
                Ok(found) => {
                    end.leader_epoch = found.epoch.map_or(-1, |epoch| epoch.0);
                    end.end_offset = found.end_offset.map_or(-1, |offset| offset.0);
                }
                Err(code) => end.error_code = code.code(),
            }
            answer.partitions.push(end);
        }
        response.topics.push(answer);
    }
    response
}

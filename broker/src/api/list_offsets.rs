//! ListOffsets (2): offsets by time, and the special times.

use std::collections::BTreeSet;

use model::{LeaderEpoch, TimestampMs};
use partition::{Isolation, OffsetSpec};
use wire::ErrorCode;
use wire::messages::list_offsets::{
    ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopicResponse,
};

use super::context::Context;
use super::dispatch::Connection;
use super::errors::ToCode as _;
use super::topics;

/// Answers each partition for itself. One that is named twice is refused, once.
pub async fn handle(
    context: &Context,
    _: &Connection,
    request: ListOffsetsRequest,
    version: i16,
) -> ListOffsetsResponse {
    let isolation = if request.isolation_level == 1 { Isolation::ReadCommitted } else { Isolation::ReadUncommitted };
    let mut response = ListOffsetsResponse::default();
    let twice = named_twice(&request);
    let mut refused = BTreeSet::new();
    for topic in &request.topics {
        let mut answer = ListOffsetsTopicResponse { name: topic.name.clone(), ..Default::default() };
        for wanted in &topic.partitions {
            let named = (topic.name.as_str(), wanted.partition_index);
            let is_twice = twice.contains(&named);
            if is_twice && !refused.insert(named) {
                continue;
            }
            let mut partition = ListOffsetsPartitionResponse {
                partition_index: wanted.partition_index,
                timestamp: -1,
                offset: -1,
                leader_epoch: -1,
                ..Default::default()
            };
            let id = topics::partition(&context.image(), &topic.name, wanted.partition_index);
            let found = match (id, spec(wanted.timestamp, version)) {
                _ if is_twice => Err(ErrorCode::InvalidRequest),
                (Err(code), _) => Err(code),
                (_, None) => Err(ErrorCode::UnsupportedVersion),
                (Ok(id), Some(spec)) => {
                    let epoch = LeaderEpoch(wanted.current_leader_epoch);
                    context
                        .shards
                        .on(context.shards.owner(id), move |state| state.find_offset(id, spec, isolation, epoch))
                        .await
                        .map_err(|_| ErrorCode::NotLeaderOrFollower)
                        .and_then(|found| found.map_err(|error| error.to_code()))
                }
            };
            match found {
                Ok(Some(found)) => {
                    partition.timestamp = found.timestamp.0;
                    partition.offset = found.offset.0;
                    partition.leader_epoch = if version >= 4 { found.leader_epoch.0 } else { -1 };
                }
                Ok(None) => {}
                Err(code) => partition.error_code = code.code(),
            }
            answer.partitions.push(partition);
        }
        response.topics.push(answer);
    }
    response
}

/// Topics and partitions that the request names more than once.
fn named_twice(request: &ListOffsetsRequest) -> BTreeSet<(&str, i32)> {
    let mut seen = BTreeSet::new();
    let all = request.topics.iter().flat_map(|topic| topic.partitions.iter().map(move |one| (topic, one)));
    let named = all.map(|(topic, one)| (topic.name.as_str(), one.partition_index));
    named.filter(|one| !seen.insert(*one)).collect()
}

/// What a timestamp of the request asks for; `None` for a special one that `version` does not know.
fn spec(timestamp: i64, version: i16) -> Option<OffsetSpec> {
    Some(match timestamp {
        -1 => OffsetSpec::Latest,
        -2 => OffsetSpec::Earliest,
        -3 if version >= 7 => OffsetSpec::MaxTimestamp,
        -4 if version >= 8 => OffsetSpec::EarliestLocal,
        -5 if version >= 9 => OffsetSpec::LatestTiered,
        -6 if version >= 11 => OffsetSpec::EarliestPendingUpload,
        at if at >= 0 => OffsetSpec::Timestamp(TimestampMs(at)),
        _ => return None,
    })
}

//! SyncGroup (14): the leader brings the generation's assignments, everybody fetches theirs.

use bytes::Bytes;
use coordinator::{Reply, message};
use wire::ErrorCode;
use wire::messages::sync_group::{SyncGroupRequest, SyncGroupResponse};

use super::context::Context;
use super::dispatch::Connection;
use super::errors::ToCode as _;
use crate::coordination::groups;

/// Waits for the leader's assignments.
pub async fn handle(context: &Context, _: &Connection, request: SyncGroupRequest, version: i16) -> SyncGroupResponse {
    let refused = |code: ErrorCode| SyncGroupResponse { error_code: code.code(), ..Default::default() };
    if version >= 5 && (request.protocol_type.is_none() || request.protocol_name.is_none()) {
        return refused(ErrorCode::InconsistentGroupProtocol);
    }
    let Some(partition) = context.group_partition(&request.group_id) else {
        return refused(ErrorCode::NotCoordinator);
    };
    let sync = message::SyncRequest {
        group: request.group_id.to_string(),
        member_id: request.member_id.to_string(),
        group_instance_id: request.group_instance_id.map(|id| id.to_string()),
        generation: request.generation_id,
        protocol_type: request.protocol_type.map(|kind| kind.to_string()),
        protocol_name: request.protocol_name.map(|name| name.to_string()),
        assignments: request
            .assignments
            .into_iter()
            .map(|one| (one.member_id.to_string(), Bytes::copy_from_slice(&one.assignment)))
            .collect(),
    };
    match groups::park(&context.shards, partition, move |groups, ticket, now| groups.sync(&sync, ticket, now)).await {
        Ok(Reply::Sync(Ok(synced))) => SyncGroupResponse {
            protocol_type: synced.protocol_type.map(Into::into),
            protocol_name: synced.protocol_name.map(Into::into),
            assignment: synced.assignment,
            ..Default::default()
        },
        Ok(Reply::Sync(Err(error))) => refused(error.to_code()),
        Ok(Reply::Join(_)) => refused(ErrorCode::CoordinatorNotAvailable),
        Err(error) => refused(error.to_code()),
    }
}

//! JoinGroup (11): a member enters a group, or comes back for the next generation. Answered when the generation begins.

use bytes::Bytes;
use coordinator::{GroupError, Reply, message};
use wire::messages::join_group::{JoinGroupRequest, JoinGroupResponse, JoinGroupResponseMember};
use wire::{ErrorCode, Str};

use super::context::Context;
use super::dispatch::Connection;
use super::errors::ToCode as _;
use crate::coordination::groups;

/// Waits as long as the coordinator keeps the member waiting.
pub async fn handle(
    context: &Context,
    connection: &Connection,
    request: JoinGroupRequest,
    version: i16,
) -> JoinGroupResponse {
    let member_id = request.member_id.clone();
    let Some(partition) = context.group_partition(&request.group_id) else {
        return refused(ErrorCode::NotCoordinator, member_id, version);
    };
    let join = message::JoinRequest {
        group: request.group_id.to_string(),
        member_id: member_id.to_string(),
        group_instance_id: request.group_instance_id.map(|id| id.to_string()),
        protocol_type: request.protocol_type.to_string(),
        protocols: request
            .protocols
            .into_iter()
            .map(|protocol| (protocol.name.to_string(), Bytes::copy_from_slice(&protocol.metadata)))
            .collect(),
        session_timeout_ms: request.session_timeout_ms,
        rebalance_timeout_ms: if version == 0 { -1 } else { request.rebalance_timeout_ms },
        client_id: connection.client_id.to_string(),
        client_host: format!("/{}", connection.peer.address.ip()),
        require_known_member_id: version >= 4,
        supports_skip_assignment: version >= 9,
        reason: request.reason.map(|reason| reason.to_string()),
    };
    match groups::park(&context.shards, partition, move |groups, ticket, now| groups.join(&join, ticket, now)).await {
        Ok(Reply::Join(Ok(joined))) => JoinGroupResponse {
            generation_id: joined.generation,
            protocol_type: joined.protocol_type.map(Into::into),
            protocol_name: name(joined.protocol_name.map(Into::into), version),
            leader: joined.leader.into(),
            skip_assignment: joined.skip_assignment,
            member_id: joined.member_id.into(),
            members: joined
                .members
                .into_iter()
                .map(|member| JoinGroupResponseMember {
                    member_id: member.member_id.into(),
                    group_instance_id: member.group_instance_id.map(Into::into),
                    metadata: member.metadata,
                    ..Default::default()
                })
                .collect(),
            ..Default::default()
        },
        Ok(Reply::Join(Err(error))) => refused(error.error.to_code(), error.member_id.into(), version),
        Ok(Reply::Sync(_)) => refused(GroupError::CoordinatorNotAvailable.to_code(), member_id, version),
        Err(error) => refused(error.to_code(), member_id, version),
    }
}

fn refused(code: ErrorCode, member_id: Str, version: i16) -> JoinGroupResponse {
    JoinGroupResponse {
        error_code: code.code(),
        generation_id: -1,
        protocol_name: name(None, version),
        member_id,
        ..Default::default()
    }
}

/// Before version 7 there is no null.
fn name(name: Option<Str>, version: i16) -> Option<Str> {
    if version < 7 { Some(name.unwrap_or_default()) } else { name }
}

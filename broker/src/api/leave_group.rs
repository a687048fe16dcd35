//! LeaveGroup (13): one member leaves, or an administrator takes several out (KIP-345).

use coordinator::message;
use wire::ErrorCode;
use wire::messages::leave_group::{LeaveGroupRequest, LeaveGroupResponse, MemberResponse};

use super::context::Context;
use super::dispatch::Connection;
use super::errors::ToCode as _;
use crate::coordination::groups;

/// Up to version 2 the one member's error is the answer's; from version 3 each has its own.
pub async fn handle(context: &Context, _: &Connection, request: LeaveGroupRequest, version: i16) -> LeaveGroupResponse {
    let refused = |code: ErrorCode| LeaveGroupResponse { error_code: code.code(), ..Default::default() };
    let Some(partition) = context.group_partition(&request.group_id) else {
        return refused(ErrorCode::NotCoordinator);
    };
    let members = if version < 3 {
        vec![message::LeavingMember { member_id: request.member_id.to_string(), group_instance_id: None, reason: None }]
    } else {
        let leaving = request.members.into_iter().map(|member| message::LeavingMember {
            member_id: member.member_id.to_string(),
            group_instance_id: member.group_instance_id.map(|id| id.to_string()),
            reason: member.reason.map(|reason| reason.to_string()),
        });
        leaving.collect()
    };
    let leave = message::LeaveRequest { group: request.group_id.to_string(), members };
    match groups::decide(&context.shards, partition, move |groups, now| groups.leave(&leave, now)).await {
        Err(error) => refused(error.to_code()),
        Ok(Err(error)) => refused(error.to_code()),
        Ok(Ok(left)) if version < 3 => {
            let error = left.first().and_then(|member| member.error);
            refused(error.map_or(ErrorCode::None, |error| error.to_code()))
        }
        Ok(Ok(left)) => LeaveGroupResponse {
            members: left
                .into_iter()
                .map(|member| MemberResponse {
                    member_id: member.member_id.into(),
                    group_instance_id: member.group_instance_id.map(Into::into),
                    error_code: member.error.map_or(ErrorCode::None, |error| error.to_code()).code(),
                    ..Default::default()
                })
                .collect(),
            ..Default::default()
        },
    }
}

//! DescribeGroups (15): a group's state and members.

use coordinator::GroupError;
use coordinator::message::GroupDescription;
use wire::messages::describe_groups::{
    DescribeGroupsRequest, DescribeGroupsResponse, DescribedGroup, DescribedGroupMember,
};
use wire::{ErrorCode, Str};

use super::context::Context;
use super::dispatch::Connection;
use super::errors::ToCode as _;
use super::operations;
use crate::coordination::groups;

/// Answers each group for itself. A group that is not there is shown as dead, from version 6 on with an error.
pub async fn handle(
    context: &Context,
    _: &Connection,
    request: DescribeGroupsRequest,
    version: i16,
) -> DescribeGroupsResponse {
    let mut response = DescribeGroupsResponse::default();
    let granted = operations::told(request.include_authorized_operations, operations::GROUP);
    for group in request.groups {
        let described = match context.group_partition(&group) {
            None => Err(ErrorCode::NotCoordinator),
            Some(partition) => {
                let name = group.to_string();
                groups::ask(&context.shards, partition, move |groups| groups.describe_group(&name))
                    .await
                    .map_err(|error| error.to_code())
            }
        };
        response.groups.push(match described {
            Ok(Some(found)) => describe(found, granted),
            Ok(None) => absent(group, version),
            Err(code) => DescribedGroup {
                error_code: code.code(),
                group_id: group,
                authorized_operations: operations::NOT_ASKED,
                ..Default::default()
            },
        });
    }
    response
}

fn describe(found: GroupDescription, granted: i32) -> DescribedGroup {
    DescribedGroup {
        group_id: found.group.into(),
        group_state: Str::from_static(found.state.name()),
        protocol_type: found.protocol_type.into(),
        protocol_data: found.protocol.into(),
        members: found
            .members
            .into_iter()
            .map(|member| DescribedGroupMember {
                member_id: member.member_id.into(),
                group_instance_id: member.group_instance_id.map(Into::into),
                client_id: member.client_id.into(),
                client_host: member.client_host.into(),
                member_metadata: member.metadata,
                member_assignment: member.assignment,
                ..Default::default()
            })
            .collect(),
        authorized_operations: granted,
        ..Default::default()
    }
}

fn absent(group: Str, version: i16) -> DescribedGroup {
    let mut answer = DescribedGroup {
        group_state: Str::from_static("Dead"),
        authorized_operations: operations::NOT_ASKED,
        ..Default::default()
    };
    if version >= 6 {
        answer.error_code = GroupError::GroupIdNotFound.to_code().code();
        answer.error_message = Some(format!("Group {} not found.", &*group).into());
    }
    answer.group_id = group;
    answer
}
